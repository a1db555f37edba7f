//! What is read of a body or changed in it without translating it, and the policy file.

use std::collections::HashSet;

use serde_json::{Map, Value};
use weir::chat::wire::Wire;
use weir::codec::json::{Scanner, parse_bool, parse_u64, unescape, write_string};
use weir::codec::openai::head::{Endpoint, decode_head};
use weir::codec::openai::quirk;
use weir::codec::openai::splice::splice;
use weir::codec::registry;
use weir::codec::rewrite::{for_vertex, rename_model};
use weir::codec::wire::Shape;
use weir::config::parse::parse_json;
use weir::gateway::ability::Abilities;
use weir::gateway::compile::Gateway;
use weir::gateway::endpoint::{asked, key_in_query};

use super::rig::{assert_json, is_json, scans, shape};

/// The head of a body of OpenAI's, and the edits that go by it.
pub fn head(data: &[u8]) {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Embeddings, Endpoint::Other] {
        let head = match decode_head(data, endpoint) {
            Ok(head) => head,
            Err(malformed) => {
                assert!(malformed.offset <= data.len(), "{malformed} of {}", data.len());
                continue;
            }
        };
        assert!(scans(data), "what has a head is JSON");
        for asks in [false, true] {
            let Some(spliced) = splice(data, &head, Some("an\"other"), asks) else { continue };
            assert!(scans(&spliced) && (is_json(&spliced) || !is_json(data)), "{}", String::from_utf8_lossy(&spliced));
            match decode_head(&spliced, endpoint) {
                Ok(again) => assert_eq!(again.model.as_deref(), Some("an\"other")),
                Err(malformed) => assert!(malformed.what.contains("128"), "{malformed}"),
            }
        }
    }
    same_head(data);
    let text = String::from_utf8_lossy(data);
    let text = format!("\"{text}\"");
    let _ = (unescape(data), parse_u64(data), parse_bool(data), asked("POST", &text), key_in_query(&text));
    let mut written = Vec::new();
    write_string(&mut written, &text);
    assert_json(&written, &"write_string");
    let read = Scanner::new(&written).string().map(|text| text.to_text());
    assert_eq!(read.as_deref(), Ok(text.as_str()));
}

/// The decision goes by the head, translation by the whole: they must have read the same.
fn same_head(data: &[u8]) {
    let (Ok(head), Some(client)) = (decode_head(data, Endpoint::ChatCompletions), registry::client(Wire::Chat)) else {
        return;
    };
    let Ok(request) = client.decode_request(data) else { return };
    assert_eq!(head.model.as_deref(), request.model.as_ref().map(|(name, _)| name.as_ref()));
    assert_eq!(head.model_span, request.model.map(|(_, span)| span));
    assert_eq!(head.stream, request.stream);
}

/// A body that goes on in its own format: the first byte picks the vendor.
pub fn rewrite(data: &[u8]) {
    let Some((pick, body)) = data.split_first() else { return };
    renamed(body);
    vertex(body);
    for vendor in ["openai", "mistral", "groq", "xai", "deepseek", "openrouter", "zai", "together", ""] {
        quirks(body, &Shape { vendor, ..shape(Wire::Chat, *pick) });
    }
}

/// The members of an object that names none of them twice.
fn members(body: &[u8]) -> Option<Map<String, Value>> {
    let mut names = HashSet::new();
    let mut twice = false;
    let read = Scanner::new(body).object(|scanner, key| {
        twice |= !names.insert(key.to_text());
        scanner.pass()
    });
    if twice || read.is_err() {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn renamed(body: &[u8]) {
    let text = || String::from_utf8_lossy(body);
    match rename_model(body, "an\"other") {
        Ok(Some(after)) => {
            assert!(scans(&after) && (is_json(&after) || !is_json(body)), "{}", text());
            let (Some(before), Some(mut after)) = (members(body), members(&after)) else { return };
            assert_eq!(after.get("model").and_then(Value::as_str), Some("an\"other"));
            after.insert("model".to_owned(), before["model"].clone());
            assert_eq!(after, before);
        }
        Ok(None) => {
            let Some(before) = members(body) else { return };
            assert!(before.get("model").is_none_or(|model| model == "an\"other"), "{}", text());
        }
        Err(malformed) => {
            assert!(malformed.offset <= body.len());
            assert!(members(body).is_none(), "{malformed}: {}", text());
        }
    }
}

fn vertex(body: &[u8]) {
    let Ok(after) = for_vertex(body) else { return };
    assert!(scans(&after) && (is_json(&after) || !is_json(body)), "{}", String::from_utf8_lossy(body));
    let (Some(mut before), Some(mut after)) = (members(body), members(&after)) else { return };
    assert!(after.remove("anthropic_version").is_some());
    assert!(!after.contains_key("model"));
    before.remove("model");
    before.remove("anthropic_version");
    assert_eq!(after, before);
}

/// Members that some quirk may change.
const CHANGED: [&str; 24] = [
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "prediction",
    "verbosity",
    "store",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "user",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "seed",
    "stream_options",
    "random_seed",
];

fn quirks(body: &[u8], shape: &Shape<'_>) {
    let edited = match quirk::edits(body, shape) {
        Ok(edited) => edited,
        Err(malformed) => {
            assert!(malformed.offset <= body.len());
            return;
        }
    };
    let Some(after) = edited.body else {
        assert!(edited.lost.is_empty(), "{}: lost {} of an unchanged body", shape.vendor, edited.lost);
        return;
    };
    let text = || format!("{}: {} -> {}", shape.vendor, String::from_utf8_lossy(body), String::from_utf8_lossy(&after));
    assert!(scans(&after) && (is_json(&after) || !is_json(body)), "{}", text());
    let (Some(before), Some(after_members)) = (members(body), members(&after)) else { return };
    for (name, value) in &before {
        let known = CHANGED.contains(&name.as_str()) || QUIRKY.contains(&name.as_str());
        assert!(known || after_members.get(name) == Some(value), "{name}: {}", text());
    }
    let count = |members: &Map<String, Value>| members.get("messages").and_then(Value::as_array).map(Vec::len);
    assert_eq!(count(&before), count(&after_members), "{}", text());
}

/// More of them, which few vendors refuse.
const QUIRKY: [&str; 14] = [
    "n",
    "logprobs",
    "top_logprobs",
    "modalities",
    "audio",
    "web_search_options",
    "safety_identifier",
    "stop",
    "response_format",
    "functions",
    "function_call",
    "top_k",
    "min_p",
    "repetition_penalty",
];

/// A policy file, and the rules that become of it.
pub fn policy(data: &[u8]) {
    let read = parse_json(data);
    if let Err(problems) = &read {
        assert!(!problems.is_empty());
        problems.iter().for_each(|problem| drop(problem.to_string()));
    }
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let environment = |name: &str| (!name.contains("MISSING")).then(|| format!("value of {name}"));
    match Gateway::compile(&value, &environment, Abilities::ALL) {
        Ok(_) => assert!(read.is_ok()),
        Err(problems) => assert!(!problems.is_empty()),
    }
}
