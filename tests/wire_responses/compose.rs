//! Requests as they are written for clients of other formats.

use serde_json::json;
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::feature::Feature;
use weir::chat::part::{CacheMark, Call, CallKind, CallResult, Content, Part, Thought};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Foreign, Output, Request, Role, Tool, ToolChoice, Turn};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::responses::sides::Responses;
use weir::codec::wire::{ClientWire, Shape};

use crate::fixture::{body, encode, encode_with, shape};

fn user(text: &'static str) -> Turn<'static> {
    turn(Role::User, vec![Content::text(Prose::plain(text))])
}

fn turn<'a>(role: Role, contents: Vec<Content<'a>>) -> Turn<'a> {
    Turn { role, parts: contents.into_iter().map(Part::from).collect(), name: None }
}

fn asking(change: impl FnOnce(&mut Request<'static>)) -> Request<'static> {
    let mut request = Request { turns: vec![user("Hi")], ..Request::default() };
    change(&mut request);
    request
}

fn function(name: &'static str) -> Tool<'static> {
    Tool::Function { name: name.into(), description: None, parameters: None, strict: None, cache: None }
}

#[test]
fn a_request_of_another_format_is_stateless_and_not_strict() {
    let request = asking(|request| {
        request.turns.insert(0, turn(Role::System, vec![Content::text(Prose::plain("S"))]));
        request.turns.push(turn(Role::System, vec![Content::text(Prose::plain("Late"))]));
        request.turns.push(user("Go"));
        request.tools.push(function("f"));
        request.tool_choice = Some(ToolChoice::One("f".into()));
        request.max_output = Some(1);
        request.reasoning.depth = Some(Depth::Budget(5_000));
        request.reasoning.shown = Some(true);
    });
    let (written, lost) = encode(&request);
    assert!(lost.is_empty(), "{lost}");
    assert_eq!(
        written,
        json!({
            "model": "target", "instructions": "S",
            "input": [
                {"type": "message", "role": "user", "content": "Hi"},
                {"type": "message", "role": "developer", "content": "Late"},
                {"type": "message", "role": "user", "content": "Go"}
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false}],
            "tool_choice": {"type": "function", "name": "f"},
            "max_output_tokens": 16,
            "reasoning": {"effort": "high", "summary": "auto"},
            "store": false, "include": ["reasoning.encrypted_content"]
        })
    );
}

#[test]
fn a_system_prompt_alone_is_input() {
    let request =
        Request { turns: vec![turn(Role::System, vec![Content::text(Prose::plain("S"))])], ..Request::default() };
    let (written, _) = encode(&request);
    assert_eq!(written["input"], json!([{"type": "message", "role": "developer", "content": "S"}]));
    assert_eq!(written.get("instructions"), None);
}

#[test]
fn what_the_format_has_no_word_for_is_lost_by_name() {
    let lost = |change: fn(&mut Request<'static>)| encode(&asking(change)).1.to_string();
    assert_eq!(lost(|r| r.sampling.top_k = Some(5)), "top_k");
    assert_eq!(lost(|r| r.sampling.seed = Some(5)), "seed");
    assert_eq!(lost(|r| r.sampling.stop = vec![Prose::plain("x")]), "stop");
    assert_eq!(lost(|r| r.sampling.frequency_penalty = Some(0.5)), "frequency_penalty");
    assert_eq!(lost(|r| r.sampling.presence_penalty = Some(0.0)), "");
    assert_eq!(lost(|r| r.sampling.logprobs = Some(0)), "logprobs");
    assert_eq!(lost(|r| r.sampling.choices = Some(1)), "");
    assert_eq!(lost(|r| r.turns[0].name = Some(Prose::plain("Ann"))), "name");
    assert_eq!(lost(|r| r.turns[0].parts[0].cache = Some(CacheMark::Short)), "cache_control");
    assert_eq!(lost(|r| r.cache_all = Some(CacheMark::Short)), "cache_control");
    assert_eq!(lost(|r| r.service_tier = Some("on_demand".into())), "service_tier");
    assert_eq!(lost(|r| r.tool_choice = Some(ToolChoice::Required)), "tool_choice");
    assert_eq!(lost(|r| r.turns.push(turn(Role::Assistant, vec![Content::text(Prose::plain("Sure"))]))), "prefill");
    assert_eq!(
        lost(|r| {
            let thought = Thought { text: Prose::plain("t"), seal: None };
            r.turns.push(turn(Role::Assistant, vec![Content::Thought(thought)]));
        }),
        "thinking"
    );
    assert_eq!(
        lost(|r| {
            let (feature, wire, name, value) =
                (Feature::Prediction, Wire::Chat, "prediction".into(), Json::borrowed(b"{}"));
            r.foreign.push(Foreign { feature, wire, name, value });
        }),
        "prediction"
    );
}

#[test]
fn what_would_ask_for_something_else_is_refused() {
    let refused = |change: fn(&mut Request<'static>)| encode_with(&asking(change), &shape()).unwrap_err().feature;
    assert_eq!(refused(|r| r.sampling.choices = Some(2)), Feature::Choices);
    for feature in [
        Feature::Conversation,
        Feature::PromptTemplate,
        Feature::StoredFile,
        Feature::Background,
        Feature::HostedTools,
        Feature::AudioOut,
    ] {
        let request = asking(|r| {
            let (wire, name, value) = (Wire::Gemini, "x".into(), Json::borrowed(b"1"));
            r.foreign.push(Foreign { feature, wire, name, value });
        });
        assert_eq!(encode_with(&request, &shape()).unwrap_err().feature, feature);
    }
    assert_eq!(
        refused(|r| {
            let (wire, kind, raw) = (Wire::Messages, "bash_20250124".into(), Json::borrowed(b"{}"));
            r.tools.push(Tool::Hosted { wire, kind, raw, web_search: false });
        }),
        Feature::HostedTools
    );
}

#[test]
fn the_newest_cache_marks_become_breakpoints_where_the_model_takes_them() {
    let request = asking(|r| {
        r.turns.insert(0, turn(Role::System, vec![Content::text(Prose::plain("S"))]));
        r.turns.extend((0..4).map(|_| user("more")));
        r.turns.iter_mut().for_each(|turn| turn.parts[0].cache = Some(CacheMark::Long));
    });
    let (written, lost) = encode_with(&request, &Shape { model: "gpt-5.6-mini", ..shape() }).unwrap();
    let mark = json!({"mode": "explicit", "ttl": "12h"});
    let marked: Vec<bool> = written["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["content"][0].get("prompt_cache_breakpoint") == Some(&mark))
        .collect();
    assert_eq!(marked, [false, false, true, true, true, true]);
    assert_eq!(lost.to_string(), "cache_control");
    for model in ["gpt-5.5", "gpt-4o", "o3", "gpt-oss-120b"] {
        let (written, lost) = encode_with(&request, &Shape { model, ..shape() }).unwrap();
        assert_eq!((&written["instructions"], lost.to_string().as_str()), (&json!("S"), "cache_control"), "{model}");
        assert!(!written.to_string().contains("breakpoint"));
    }
}

#[test]
fn another_vendor_s_web_search_becomes_openai_s() {
    let request = asking(|r| {
        let (wire, kind, raw) = (Wire::Messages, "web_search_20250305".into(), Json::borrowed(b"{}"));
        r.tools.push(Tool::Hosted { wire, kind, raw, web_search: true });
        r.web_search = true;
    });
    assert_eq!(encode(&request).0["tools"], json!([{"type": "web_search"}]));
    let bytes = body("requests", "the web search alone");
    let mut own = Responses.decode_request(&bytes).unwrap();
    own.web_search = true;
    assert_eq!(encode(&own).0["tools"], json!([{"type": "web_search_preview"}]));
}

#[test]
fn tool_results_keep_images_and_say_that_they_failed() {
    let call = |id: &'static str, kind| {
        let (name, arguments) = ("f".into(), Prose::EMPTY);
        Content::Call(Call { id: id.into(), name, arguments, kind, signature: None })
    };
    let result = |id: &'static str, kind, is_error, parts: Vec<Content<'static>>| {
        let parts = parts.into_iter().map(Part::from).collect();
        Content::Result(CallResult { id: id.into(), name: None, parts, is_error, kind })
    };
    let words = |text: &'static str| Content::text(Prose::plain(text));
    let request = asking(|request| {
        let calls = vec![call("a", CallKind::Function), call("b", CallKind::Custom), call("c", CallKind::Function)];
        request.turns.push(turn(Role::Assistant, calls));
        let results = vec![
            result("a", CallKind::Function, true, vec![words("no \"x\"")]),
            result("b", CallKind::Custom, false, vec![]),
            result("c", CallKind::Function, true, vec![words("one"), words("two")]),
        ];
        request.turns.push(turn(Role::Tool, results));
    });
    let (written, lost) = encode(&request);
    assert_eq!(lost.to_string(), "is_error");
    assert_eq!(
        written["input"].as_array().unwrap()[1..],
        json!([
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "b", "name": "f", "input": ""},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "Error: no \"x\""},
            {"type": "custom_tool_call_output", "call_id": "b", "output": ""},
            {"type": "function_call_output", "call_id": "c", "output": [
                {"type": "input_text", "text": "Error: one"}, {"type": "input_text", "text": "two"}
            ]}
        ])
        .as_array()
        .unwrap()[..]
    );
}

#[test]
fn traits_of_the_target_shape_the_request() {
    let with = |traits: &[Trait], change: fn(&mut Request<'static>)| {
        let traits = traits.iter().fold(Traits::NONE, |all, one| all.with(*one));
        let (written, lost) = encode_with(&asking(change), &Shape { traits, ..shape() }).unwrap();
        (written, lost.to_string())
    };
    let (written, lost) = with(&[Trait::NoSamplingParams], |r| {
        (r.sampling.temperature, r.sampling.top_p) = (Some(0.3), Some(1.0));
    });
    assert_eq!((written.get("temperature"), lost.as_str()), (None, "temperature"));
    let (written, lost) = with(&[Trait::NoReasoningEffort], |r| r.reasoning.depth = Some(Depth::Effort(Effort::Low)));
    assert_eq!((written.get("reasoning"), lost.as_str()), (None, "reasoning"));
    let (written, lost) = with(&[Trait::ThinkingAlwaysOn], |r| r.reasoning.depth = Some(Depth::Off));
    assert_eq!((&written["reasoning"], lost.as_str()), (&json!({"effort": "low"}), "reasoning"));
    let (written, lost) = with(&[Trait::NoForcedToolUse], |r| {
        r.tools.push(function("f"));
        r.tool_choice = Some(ToolChoice::Required);
    });
    assert_eq!((written.get("tool_choice"), lost.as_str()), (None, "tool_choice"));

    let request = asking(|r| r.reasoning.depth = Some(Depth::Adaptive));
    let thinks = Shape { capabilities: Some([Capability::Reasoning].into_iter().collect::<Capabilities>()), ..shape() };
    let (written, _) = encode_with(&request, &thinks).unwrap();
    assert_eq!((written.get("reasoning"), &written["include"]), (None, &json!(["reasoning.encrypted_content"])));
    let plain = Shape { capabilities: Some([Capability::Tools].into_iter().collect()), ..shape() };
    let (written, _) = encode_with(&request, &plain).unwrap();
    assert_eq!(written.get("include"), None, "models that do not think refuse to be asked for sealed thoughts");
    let most = asking(|r| r.max_output = Some(100_000));
    let (written, _) = encode_with(&most, &Shape { max_output: Some(8_192), ..shape() }).unwrap();
    assert_eq!(written["max_output_tokens"], 8_192);
}

#[test]
fn a_grammar_s_members_stand_beside_its_type() {
    let flat = json!({"type": "grammar", "syntax": "lark", "definition": "start: \"x\""});
    let nested = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: \"x\""}});
    for (written, expected) in
        [(nested, flat.clone()), (flat.clone(), flat), (json!({"type": "text"}), json!({"type": "text"}))]
    {
        let format = Some(Json(written.to_string().into_bytes().into()));
        let request = asking(|r| r.tools.push(Tool::Custom { name: "t".into(), description: None, format }));
        assert_eq!(encode(&request).0["tools"][0]["format"], expected);
    }
}

#[test]
fn a_system_prompt_has_the_role_that_the_model_takes() {
    let request = asking(|r| {
        r.turns.insert(0, turn(Role::System, vec![Content::text(Prose::plain("S"))]));
        r.turns.push(turn(Role::System, vec![Content::text(Prose::plain("Late"))]));
    });
    let roles = |one: Trait| {
        let (written, lost) = encode_with(&request, &Shape { traits: Traits::NONE.with(one), ..shape() }).unwrap();
        let items = written["input"].as_array().unwrap();
        let roles: Vec<String> = items.iter().map(|item| item["role"].as_str().unwrap().to_owned()).collect();
        (roles.join(","), lost.to_string())
    };
    assert_eq!(roles(Trait::NoDeveloperRole), ("user,system".to_owned(), String::new()));
    assert_eq!(roles(Trait::NoSystem), ("user,user,user".to_owned(), "late_system".to_owned()));
}

#[test]
fn schemas_get_a_name_and_json_is_asked_for() {
    let schema = asking(|r| {
        let schema = Json::borrowed(br#"{"type":"object"}"#);
        r.output = Output::Schema { name: None, description: None, schema, strict: None };
    });
    let format = json!({"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}});
    assert_eq!(encode(&schema).0["text"], format);
    assert_eq!(encode(&asking(|r| r.output = Output::Json)).0["text"], json!({"format": {"type": "json_object"}}));
}
