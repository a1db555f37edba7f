//! Requests as clients send them. Not what is sent to providers for other formats (see `compose`).

use serde_json::{Value, json};
use weir::chat::feature::{Feature, Features};
use weir::chat::part::Content;
use weir::chat::request::{Role, Tool};
use weir::chat::wire::Wire;
use weir::codec::responses::sides::Responses;
use weir::codec::wire::{ClientWire, ProviderWire};
use weir::codec::writer::Writer;

use crate::fixture::{body, encode, fixtures, shape, text};

/// One way to write what this format can write in several.
fn canonical(body: &Value) -> Value {
    let mut body = body.clone();
    let map = body.as_object_mut().unwrap();
    map.retain(|_, value| !value.is_null());
    map.insert("model".to_owned(), json!("m"));
    if let Some(text) = map["input"].as_str() {
        map["input"] = json!([{"role": "user", "content": text}]);
    }
    let mut items: Vec<Value> = map["input"].as_array().unwrap().iter().map(canonical_item).collect();
    items.retain(|item| item["content"] != json!([]));
    if let Some(text) = map.remove("instructions") {
        items.insert(0, canonical_item(&json!({"role": "developer", "content": text})));
    }
    map["input"] = json!(items);
    for tool in map.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if tool["type"] == "function" && tool.get("strict").is_none() {
            tool["strict"] = json!(false);
        }
        if tool["type"] == "function" && tool.get("parameters").is_none() {
            tool["parameters"] = json!({"type": "object", "properties": {}});
        }
    }
    if let Some(text) = map.get_mut("text").and_then(Value::as_object_mut) {
        text.retain(|name, value| name != "format" || *value != json!({"type": "text"}));
    }
    if map.get("text") == Some(&json!({})) {
        map.remove("text");
    }
    if let Some(reasoning) = map.get_mut("reasoning").and_then(Value::as_object_mut) {
        reasoning.retain(|_, value| !value.is_null());
        if reasoning.contains_key("summary") {
            reasoning.insert("summary".to_owned(), json!("auto"));
        }
    }
    if map.get("include").is_some_and(|include| include == &json!(["reasoning.encrypted_content"])) {
        map.remove("include");
    }
    for usual in [("store", json!(false)), ("background", json!(false)), ("truncation", json!("disabled"))] {
        if map.get(usual.0) == Some(&usual.1) {
            map.remove(usual.0);
        }
    }
    map.remove("stream_options");
    body
}

fn canonical_item(item: &Value) -> Value {
    let mut item = item.clone();
    let map = item.as_object_mut().unwrap();
    if map.contains_key("role") {
        map.insert("type".to_owned(), json!("message"));
        let part = if map["role"] == "assistant" { "output_text" } else { "input_text" };
        if map["role"] == "system" {
            map["role"] = json!("developer");
        }
        if let Some(text) = map["content"].as_str() {
            map["content"] = json!([{"type": part, "text": text}]);
        }
        let parts = map["content"].as_array_mut().unwrap();
        parts.retain(|part| part["text"] != "");
    }
    for name in ["id", "status", "phase"] {
        if matches!(map.get("type").and_then(Value::as_str), Some("message" | "function_call" | "custom_tool_call")) {
            map.remove(name);
        }
    }
    for list in ["content", "output"] {
        for part in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            part.as_object_mut().unwrap().retain(|name, value| name != "detail" || *value != "auto");
        }
    }
    map.retain(|_, value| !value.is_null());
    item
}

#[test]
fn every_request_decodes_and_comes_back_as_it_was() {
    // What is not kept to the letter, and why.
    let quirks = [
        ("Codex with sealed thoughts, a cache key and nested tools", "namespaces become names"),
        ("reasoning that came from another vendor", "OpenAI is not shown another vendor's thoughts"),
        ("reasoning of an open model", "the thinking becomes a summary"),
        ("older names of who asks", "`user` becomes `safety_identifier`, and probabilities are not asked for"),
        ("cache breakpoints", "breakpoints are not written"),
    ];
    let rows = fixtures("requests");
    assert!(rows.len() >= 25);
    for (name, row) in &rows {
        let bytes = row["body"].to_string().into_bytes();
        let request = Responses.decode_request(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (model, span) = request.model.clone().unwrap();
        assert_eq!(&bytes[span], format!("\"{model}\"").as_bytes(), "{name}");
        for turn in &request.turns {
            assert!(!turn.parts.is_empty(), "{name}");
            assert!(
                turn.role != Role::Tool || turn.parts.iter().all(|part| matches!(part.content, Content::Result(_))),
                "{name}"
            );
        }
        let (written, lost) = encode(&request);
        if quirks.iter().any(|(quirk, _)| quirk == name) {
            continue;
        }
        assert_eq!(canonical(&written), canonical(&row["body"]), "{name}");
        assert!(lost.is_empty(), "{name}: {lost}");
    }
}

#[test]
fn every_request_survives_a_second_crossing_unchanged() {
    for (name, row) in fixtures("requests") {
        let bytes = row["body"].to_string().into_bytes();
        let (once, _) = encode(&Responses.decode_request(&bytes).unwrap());
        let again = once.to_string().into_bytes();
        let (twice, _) = encode(&Responses.decode_request(&again).unwrap());
        assert_eq!(once, twice, "{name}");
    }
}

#[test]
fn a_cut_or_garbled_request_is_refused_or_read_but_never_panics() {
    for (_, row) in fixtures("requests") {
        let bytes = row["body"].to_string().into_bytes();
        for end in 0..bytes.len() {
            assert!(Responses.decode_request(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            for byte in [b'"', b'{', b']', b'0', b'\\', 0xff] {
                let mut garbled = bytes.clone();
                garbled[at] = byte;
                if let Ok(request) = Responses.decode_request(&garbled) {
                    let mut writer = Writer::discarding();
                    let _ = Responses.encode_request(&request, &shape(), &mut writer);
                }
            }
        }
    }
}

#[test]
fn wrong_shapes_are_refused_with_their_place() {
    for (body, offset) in [
        (r#"{"model":5}"#, 9),
        (r#"{"input":5}"#, 9),
        (r#"{"input":[5]}"#, 10),
        (r#"{"input":[{"content":"x"}]}"#, 10),
        (r#"{"input":[{"role":"robot","content":"x"}]}"#, 10),
        (r#"{"input":[{"role":"user"}]}"#, 10),
        (r#"{"input":[{"role":"user","content":[{"text":"x"}]}]}"#, 36),
        (r#"{"input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#, 10),
        (r#"{"input":[{"type":"function_call","name":"f","call_id":"c","arguments":{}}]}"#, 10),
        (r#"{"input":[{"type":"function_call_output","call_id":"c"}]}"#, 10),
        (r#"{"input":"x","tools":[{"name":"f"}]}"#, 22),
        (r#"{"input":"x","tools":[{"type":"function","function":{"name":"f"}}]}"#, 22),
        (r#"{"input":"x","tool_choice":"perhaps"}"#, 27),
        (r#"{"input":"x","temperature":"hot"}"#, 27),
        (r#"{"input":"x","max_output_tokens":-1}"#, 33),
        (r#"{"input":"x","text":{"format":{"type":"json_schema","name":"n"}}}"#, 30),
        (r#"{"input":"x","input":"y"}"#, 13),
    ] {
        let refused = Responses.decode_request(body.as_bytes()).expect_err(body);
        assert_eq!(refused.offset, offset, "{body}: {refused}");
    }
}

#[test]
fn assistant_items_join_into_one_turn_and_outputs_into_another() {
    let bytes = body("requests", "Codex with sealed thoughts, a cache key and nested tools");
    let request = Responses.decode_request(&bytes).unwrap();
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    let expected = [Role::System, Role::System, Role::User, Role::User, Role::Assistant, Role::Tool];
    assert_eq!(roles, expected);
    assert_eq!(request.turns[4].parts.len(), 4);
    assert_eq!(request.turns[5].parts.len(), 2);
    let names: Vec<String> = request
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function { name, .. } | Tool::Custom { name, .. } => name.clone().into_owned(),
            Tool::Hosted { kind, .. } => format!("hosted {kind}"),
        })
        .collect();
    let lifted = ["exec_command", "apply_patch", "mcp__github__ns__list_issues", "mcp__github__ns__get_issue"];
    assert_eq!(names, lifted, "Codex's nested tools are the client's own");
    let Content::Call(call) = &request.turns[4].parts[2].content else { panic!("a call") };
    assert_eq!(call.name, "mcp__github__ns__list_issues");
    assert_eq!(text(request.cache_key.as_ref().unwrap()), "0199-aa");
    let foreign: Vec<&str> = request.foreign.iter().map(|member| member.name.as_ref()).collect();
    assert_eq!(foreign, ["client_metadata"], "asking for sealed thoughts is no wish of its own");
}

#[test]
fn what_only_openai_has_is_named() {
    let features = |name: &str| -> Features {
        let bytes = body("requests", name);
        let request = Responses.decode_request(&bytes).unwrap();
        request.foreign.iter().map(|member| member.feature).collect()
    };
    let set = |all: &[Feature]| all.iter().copied().collect::<Features>();
    use Feature::{
        Background, CacheLong, ContextManagement, Conversation, Include, PromptTemplate, Safety, ToolChoice,
        Truncation, Unknown,
    };
    assert_eq!(features("a conversation that is stored"), set(&[Conversation, Truncation, CacheLong]));
    assert_eq!(
        features("a conversation object, a prompt and the background"),
        set(&[Conversation, PromptTemplate, Background, Unknown])
    );
    assert_eq!(features("references, compactions and hosted calls"), set(&[Conversation, ContextManagement]));
    assert_eq!(features("hosted tools"), set(&[ToolChoice, Include]));
    assert_eq!(features("unknown members, items and parts"), set(&[Unknown, Safety]));
    assert_eq!(features("nulls everywhere"), Features::NONE);
    assert_eq!(features("every setting"), Features::NONE);
}

#[test]
fn seals_keep_their_owner() {
    let seal = |name: &str| {
        let bytes = body("requests", name);
        let request = Responses.decode_request(&bytes).unwrap();
        let parts = request.turns.into_iter().flat_map(|turn| turn.parts);
        let mut thoughts = parts.filter_map(|part| match part.content {
            Content::Thought(thought) => Some(
                thought.seal.map(|seal| (seal.wire, seal.data.into_owned(), seal.id.map(std::borrow::Cow::into_owned))),
            ),
            _ => None,
        });
        thoughts.next().unwrap()
    };
    assert_eq!(
        seal("reasoning items with sealed thoughts"),
        Some((Wire::Responses, "gAAAAABo".to_owned(), Some("rs_1".to_owned())))
    );
    assert_eq!(
        seal("a stored reasoning item without its seal"),
        Some((Wire::Responses, String::new(), Some("rs_2".to_owned())))
    );
    assert_eq!(seal("reasoning that came from another vendor"), Some((Wire::Messages, "EqQB".to_owned(), None)));
}
