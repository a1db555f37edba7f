//! Every format crossed with every other: each fixture of one is put into all the rest. What it must keep is held by each
//! format's own tests; here it is held that every pair works, that nothing is lost unsaid, that streams come out the same
//! at every split of their bytes, and that no cut looks like an end.
//!
//! What is written goes to `target/judge/` as well, where the vendors' own SDKs judge it (`.ci/judge`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::feature::{Feature, Features};
use weir::chat::traits::Traits;
use weir::chat::wire::Wire;
use weir::codec::adapt::undo::Undo;
use weir::codec::bedrock::event_stream;
use weir::codec::translate::{StreamTranslation, answer, answer_as_stream, encode, losses};
use weir::codec::wire::{BadAnswer, ClientWire, Frame, Shape};
use weir::codec::{registry, translate};
use weir::http::Headers;
use weir::policy::catalog;

/// A model of the catalogue for each format.
const MODELS: [(Wire, &str, &str); 6] = [
    (Wire::Chat, "openai", "gpt-4.1"),
    (Wire::Responses, "openai", "gpt-5-mini"),
    (Wire::Messages, "anthropic", "claude-sonnet-4-5"),
    (Wire::Gemini, "gemini", "gemini-2.5-flash"),
    (Wire::Converse, "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (Wire::Cohere, "cohere", "command-a-03-2025"),
];

fn client_wires() -> Vec<(Wire, &'static dyn ClientWire)> {
    Wire::ALL.into_iter().filter_map(|wire| Some((wire, registry::client(wire)?))).collect()
}

fn shape(wire: Wire) -> Shape<'static> {
    let (_, vendor, model) = *MODELS.iter().find(|(other, ..)| *other == wire).unwrap();
    let facts = catalog::find(vendor, model).unwrap_or_else(|| panic!("{vendor}/{model} is not in the catalogue"));
    let api = match wire {
        Wire::Chat => weir::chat::family::ApiFamily::OpenAi,
        Wire::Responses => weir::chat::family::ApiFamily::OpenAiResponses,
        Wire::Messages => weir::chat::family::ApiFamily::Anthropic,
        Wire::Gemini => weir::chat::family::ApiFamily::Gemini,
        Wire::Converse => weir::chat::family::ApiFamily::Bedrock,
        Wire::Cohere => weir::chat::family::ApiFamily::Cohere,
    };
    Shape {
        model,
        api,
        vendor,
        traits: facts.traits,
        capabilities: Some(facts.capabilities),
        max_output: facts.max_output,
    }
}

fn frame() -> Frame {
    Frame {
        id: "0123456789abcdef".to_owned(),
        model: "some-model".to_owned(),
        created: 1_795_255_200,
        input_tokens: 12,
        include_usage: true,
        sse: true,
    }
}

fn fixtures(wire: Wire, kind: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/wire/{wire}/{kind}.jsonl"));
    let Ok(text) = fs::read_to_string(&path) else { return Vec::new() };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display())))
        .collect()
}

fn name(fixture: &Value) -> &str {
    fixture["name"].as_str().expect("a name")
}

/// Lines for the vendors' SDKs to judge.
struct Judge(Vec<String>);

impl Judge {
    fn line(&mut self, kind: &str, wire: Wire, name: &str, more: (&str, Value)) {
        let model = MODELS.iter().find(|(other, ..)| *other == wire).unwrap().2;
        let line =
            json!({"kind": kind, "wire": wire.name(), "name": name, "model": model, "vertex": false, more.0: more.1});
        self.0.push(line.to_string());
    }

    fn write(self, file: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/judge");
        fs::create_dir_all(&folder).unwrap();
        let mut out = fs::File::create(folder.join(file)).unwrap();
        for line in self.0 {
            writeln!(out, "{line}").unwrap();
        }
    }
}

/// The bytes of a stream's fixture, and where its events begin.
fn stream_bytes(wire: Wire, fixture: &Value) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    for event in fixture["events"].as_array().expect("events") {
        starts.push(bytes.len());
        if wire == Wire::Converse {
            let (kind, of, word) = match (&event["type"], &event["exception"]) {
                (Value::String(word), _) => ("event", ":event-type", word),
                (_, Value::String(word)) => ("exception", ":exception-type", word),
                _ => panic!("{event}"),
            };
            let text = |text: &str| event_stream::Value::Text(text.to_owned().leak().as_bytes());
            let headers =
                [(of, text(word)), (":content-type", text("application/json")), (":message-type", text(kind))];
            event_stream::write_frame(&mut bytes, &headers, event["payload"].to_string().as_bytes());
            continue;
        }
        if let Some(comment) = event["comment"].as_str() {
            bytes.extend_from_slice(format!(": {comment}\n\n").as_bytes());
            continue;
        }
        if let Some(name) = event["event"].as_str() {
            bytes.extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        let data = event["data"].as_str().map_or_else(|| event["data"].to_string(), str::to_owned);
        bytes.extend_from_slice(format!("data: {data}\n\n").as_bytes());
    }
    (bytes, starts)
}

fn translated(provider: Wire, client: (&'static dyn ClientWire, Wire), chunks: &[&[u8]]) -> Vec<u8> {
    let mut translation = StreamTranslation::new(registry::provider(provider), client, Undo::default(), &frame());
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&translation.push(chunk));
    }
    out.extend_from_slice(&translation.finish());
    out
}

/// Whether a stream of a client's format ends as one that says everything.
fn ends_clean(wire: Wire, out: &[u8]) -> bool {
    let text = String::from_utf8_lossy(out);
    match wire {
        Wire::Chat => text.contains("data: [DONE]"),
        Wire::Responses => text.contains("event: response.completed") || text.contains("event: response.incomplete"),
        Wire::Messages => text.contains("event: message_stop"),
        Wire::Gemini => text.contains("\"finishReason\""),
        Wire::Converse | Wire::Cohere => unreachable!("no client speaks it"),
    }
}

#[test]
fn every_request_goes_to_every_format_and_nothing_is_lost_unsaid() {
    let mut judge = Judge(Vec::new());
    let mut lost: BTreeMap<String, usize> = BTreeMap::new();
    let mut pairs = 0;
    for (from, client) in client_wires() {
        for fixture in fixtures(from, "requests") {
            let body = fixture["body"].to_string();
            let request = client
                .decode_request(body.as_bytes())
                .unwrap_or_else(|malformed| panic!("{from}/{}: {malformed}: {body}", name(&fixture)));
            for to in Wire::ALL {
                let label = format!("{from}/{} -> {to}", name(&fixture));
                let known: Result<Features, _> = losses(&request, to, &shape(to));
                let encoded = encode(&request, to, &shape(to));
                pairs += 1;
                match (known, encoded) {
                    (Ok(known), Ok(encoded)) => {
                        assert_eq!(known, encoded.lost, "{label}: what is lost depends on whether bytes are kept");
                        let value: Value = serde_json::from_slice(&encoded.body).unwrap_or_else(|error| {
                            panic!("{label}: {error}: {}", String::from_utf8_lossy(&encoded.body))
                        });
                        if !known.is_empty() {
                            *lost.entry(format!("{from} -> {to}: {known}")).or_default() += 1;
                        }
                        judge.line("request", to, &label, ("body", value));
                    }
                    (Err(known), Err(encoded)) => {
                        assert_eq!(known, encoded, "{label}");
                        *lost.entry(format!("{from} -> {to}: impossible: {}", known.rule)).or_default() += 1;
                    }
                    (known, encoded) => panic!("{label}: {known:?} and {encoded:?} disagree"),
                }
            }
        }
    }
    assert!(pairs > 500, "only {pairs} pairs");
    judge.write("requests.jsonl");
}

#[test]
fn every_answer_goes_to_every_client_whole_and_as_a_stream() {
    let mut judge = Judge(Vec::new());
    let mut pairs = 0;
    for from in Wire::ALL {
        for fixture in fixtures(from, "answers") {
            let body = fixture["body"].to_string();
            for (to, client) in client_wires() {
                let label = format!("{from}/{} -> {to}", name(&fixture));
                pairs += 1;
                let provider = registry::provider(from);
                let whole = answer(provider, (client, to), &Undo::default(), body.as_bytes(), &frame());
                let streamed = answer_as_stream(provider, (client, to), &Undo::default(), body.as_bytes(), &frame());
                match (whole, streamed) {
                    (Ok(whole), Ok(streamed)) => {
                        let value: Value = serde_json::from_slice(&whole.body).unwrap_or_else(|error| {
                            panic!("{label}: {error}: {}", String::from_utf8_lossy(&whole.body))
                        });
                        judge.line("answer", to, &label, ("body", value));
                        let raw = String::from_utf8(streamed.body).expect("text");
                        // What the vendor itself calls broken is a failed response, and a failure ends a stream too.
                        let failed = to == Wire::Responses && raw.contains("event: response.failed");
                        assert!(failed || ends_clean(to, raw.as_bytes()), "{label}: {raw}");
                        judge.line("stream", to, &format!("{label} as a stream"), ("raw", Value::String(raw)));
                    }
                    (Err(failure), Err(_)) => {
                        let (status, body) = client.encode_failure(&failure);
                        assert!(status >= 400, "{label}");
                        let value: Value = serde_json::from_slice(&body).expect(&label);
                        judge.line("error", to, &label, ("body", value));
                    }
                    (whole, streamed) => panic!("{label}: {whole:?} and {streamed:?} disagree"),
                }
            }
        }
    }
    assert!(pairs > 300, "only {pairs} pairs");
    judge.write("answers.jsonl");
}

#[test]
fn every_stream_goes_to_every_client_the_same_at_every_split() {
    let mut judge = Judge(Vec::new());
    let mut pairs = 0;
    for from in Wire::ALL {
        for fixture in fixtures(from, "streams") {
            let (bytes, _) = stream_bytes(from, &fixture);
            for (to, client) in client_wires() {
                let label = format!("{from}/{} -> {to}", name(&fixture));
                pairs += 1;
                let whole = translated(from, (client, to), &[&bytes]);
                let single: Vec<&[u8]> = bytes.chunks(1).collect();
                assert_eq!(translated(from, (client, to), &single), whole, "{label}: byte by byte");
                // Each split once over all clients together keeps this quick.
                for split in (pairs % 7..bytes.len()).step_by(7) {
                    let (left, right) = bytes.split_at(split);
                    assert_eq!(translated(from, (client, to), &[left, right]), whole, "{label}: split at {split}");
                }
                let raw = String::from_utf8(whole).unwrap_or_else(|error| panic!("{label}: {error}"));
                judge.line("stream", to, &label, ("raw", Value::String(raw)));
            }
        }
    }
    assert!(pairs > 300, "only {pairs} pairs");
    judge.write("streams.jsonl");
}

#[test]
fn a_stream_that_breaks_off_never_looks_complete() {
    for from in Wire::ALL {
        for fixture in fixtures(from, "streams") {
            let (bytes, starts) = stream_bytes(from, &fixture);
            for (to, client) in client_wires() {
                for cut in starts.iter().copied() {
                    let mut translation =
                        StreamTranslation::new(registry::provider(from), (client, to), Undo::default(), &frame());
                    let mut out = translation.push(&bytes[..cut]);
                    out.extend_from_slice(&translation.finish());
                    let meter = translation.meter();
                    if !meter.done && !meter.finished {
                        let text = String::from_utf8_lossy(&out);
                        assert!(!ends_clean(to, &out), "{from}/{} -> {to} cut at {cut}: {text}", name(&fixture));
                        assert!(
                            text.contains("error") || text.contains("failed"),
                            "{from}/{} -> {to}: {text}",
                            name(&fixture)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_error_goes_to_every_client() {
    let mut judge = Judge(Vec::new());
    let mut pairs = 0;
    for from in Wire::ALL {
        for fixture in fixtures(from, "errors") {
            let status = u16::try_from(fixture["status"].as_u64().expect("a status")).unwrap();
            let headers: Vec<(String, String)> = fixture["headers"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let body = fixture["body"].as_str().map_or_else(|| fixture["body"].to_string(), str::to_owned);
            let headers = Headers::from_pairs(headers);
            let provider = registry::provider(from);
            // Some vendors say their errors with status 200.
            let failure = if status < 400 {
                match provider.decode_answer(body.as_bytes()) {
                    Err(BadAnswer::Failure(failure)) => failure,
                    other => panic!("{from}/{}: {other:?}", name(&fixture)),
                }
            } else {
                provider.decode_failure(status, &headers, body.as_bytes())
            };
            for (to, client) in client_wires() {
                let label = format!("{from}/{} -> {to}", name(&fixture));
                pairs += 1;
                let (status, body) = client.encode_failure(&failure);
                assert!((400..600).contains(&status), "{label}: {status}");
                let value: Value = serde_json::from_slice(&body).expect(&label);
                judge.line("error", to, &label, ("body", value));
            }
        }
    }
    assert!(pairs > 150, "only {pairs} pairs");
    judge.write("errors.jsonl");
}

#[test]
fn no_beginning_of_a_stream_makes_a_decoder_panic() {
    for from in Wire::ALL {
        for fixture in fixtures(from, "streams") {
            let (mut bytes, _) = stream_bytes(from, &fixture);
            let (to, client) = client_wires()[0];
            for index in 0..bytes.len() {
                let old = bytes[index];
                bytes[index] = old.wrapping_add(1 + (index % 251) as u8);
                translated(from, (client, to), &[&bytes]);
                bytes[index] = old;
            }
        }
    }
    let _ = translate::unreadable(None);
}

/// A target that lacks one capability and has all others.
fn without(wire: Wire, missing: Capability) -> Shape<'static> {
    let all: Capabilities = Capability::ALL.into_iter().collect();
    Shape { capabilities: Some(all.without(Capabilities::NONE.with(missing))), ..shape(wire) }
}

/// The same wish in each client's words.
fn wishes(of: impl Fn(Wire) -> Value) -> Vec<(Wire, String)> {
    client_wires().into_iter().map(|(wire, _)| (wire, of(wire).to_string())).collect()
}

#[test]
fn a_web_search_that_is_offered_and_cannot_be_had_is_left_out_and_told() {
    let offers = wishes(|wire| match wire {
        Wire::Chat => json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "web_search_options": {}}),
        Wire::Responses => json!({"model": "m", "input": "Hi", "tools": [{"type": "web_search"}]}),
        Wire::Messages => json!({"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        _ => json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "tools": [{"googleSearch": {}}]}),
    });
    for (from, body) in offers {
        let request = registry::client(from).unwrap().decode_request(body.as_bytes()).unwrap();
        for to in Wire::ALL {
            let encoded = encode(&request, to, &without(to, Capability::WebSearch));
            let encoded = encoded.unwrap_or_else(|impossible| panic!("{from} -> {to}: {impossible:?}"));
            let body = String::from_utf8(encoded.body).unwrap();
            assert!(encoded.lost.has(Feature::WebSearch), "{from} -> {to}: {}: {body}", encoded.lost);
            let said = ["web_search", "googleSearch", "nova_grounding", "\"tools\"", "toolConfig"];
            assert!(!said.iter().any(|word| body.contains(word)), "{from} -> {to}: {body}");
            let has = encode(&request, to, &Shape { capabilities: None, ..shape(to) }).unwrap();
            let can = matches!(to, Wire::Chat | Wire::Responses | Wire::Messages | Wire::Gemini);
            assert_eq!(has.lost.has(Feature::WebSearch), !can, "{from} -> {to}: {}", has.lost);
        }
    }
}

#[test]
fn thinking_that_a_model_cannot_do_is_left_out_and_told() {
    let depths = wishes(|wire| match wire {
        Wire::Chat => {
            json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "high"})
        }
        Wire::Responses => json!({"model": "m", "input": "Hi", "reasoning": {"effort": "high"}}),
        Wire::Messages => json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}],
            "thinking": {"type": "enabled", "budget_tokens": 2048}}),
        _ => json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 2048}}}),
    });
    let adaptive = json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}],
        "thinking": {"type": "adaptive"}});
    for (from, body) in depths.into_iter().chain([(Wire::Messages, adaptive.to_string())]) {
        let request = registry::client(from).unwrap().decode_request(body.as_bytes()).unwrap();
        for to in Wire::ALL {
            let shape = Shape { traits: Traits::NONE, ..without(to, Capability::Reasoning) };
            let encoded = encode(&request, to, &shape);
            let encoded = encoded.unwrap_or_else(|impossible| panic!("{from} -> {to}: {impossible:?}"));
            let body = String::from_utf8(encoded.body).unwrap();
            assert!(encoded.lost.has(Feature::ReasoningDepth), "{from} -> {to}: {}: {body}", encoded.lost);
            assert!(!body.contains("thinking") && !body.contains("effort"), "{from} -> {to}: {body}");
        }
    }
}

#[test]
fn a_request_for_a_warm_cache_alone_goes_to_nobody_else() {
    let body = json!({"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let request = registry::client(Wire::Messages).unwrap().decode_request(body.as_bytes()).unwrap();
    for to in Wire::ALL {
        let feature = losses(&request, to, &shape(to)).err().map(|impossible| impossible.feature);
        assert_eq!(feature, (to != Wire::Messages).then_some(Feature::CacheMark), "{to}");
    }
}

#[test]
fn a_custom_call_is_a_functions_to_clients_without_custom_tools() {
    let call = json!({"id": "call_1", "type": "custom", "custom": {"name": "shell", "input": "ls \"a\"\n"}});
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": null, "tool_calls": [call]}, "finish_reason": "tool_calls"}]});
    let provider = registry::provider(Wire::Chat);
    let expected = json!({"input": "ls \"a\"\n"});
    for (to, path) in
        [(Wire::Messages, "/content/0/input"), (Wire::Gemini, "/candidates/0/content/parts/0/functionCall/args")]
    {
        let client = (registry::client(to).unwrap(), to);
        let whole = answer(provider, client, &Undo::default(), body.to_string().as_bytes(), &frame()).unwrap();
        let value: Value = serde_json::from_slice(&whole.body).unwrap();
        assert_eq!(value.pointer(path), Some(&expected), "{to}: {value}");
    }
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let piece = |input: &str| json!({"tool_calls": [{"index": 0, "custom": {"input": input}}]});
    let first = json!({"role": "assistant", "tool_calls": [{"index": 0, "id": "call_1", "type": "custom",
        "custom": {"name": "shell", "input": ""}}]});
    let pieces = [first, piece("ls \""), piece("a\"\n")];
    let mut stream: String = pieces.into_iter().map(|delta| chunk(delta, Value::Null)).collect();
    stream.push_str(&chunk(json!({}), json!("tool_calls")));
    stream.push_str("data: [DONE]\n\n");
    let out = translated(Wire::Chat, (registry::client(Wire::Messages).unwrap(), Wire::Messages), &[stream.as_bytes()]);
    let text = String::from_utf8(out).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let pieces: Vec<String> =
        events.filter_map(|event| Some(event["delta"]["partial_json"].as_str()?.to_owned())).collect();
    assert_eq!(pieces, ["{\"input\":\"", "ls \\\"", "a\\\"\\n", "\"}"], "{text}");
}
