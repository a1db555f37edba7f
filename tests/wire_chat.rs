//! Chat completions as a wire format: fixtures, both directions, streams at every split, hostile bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};
use weir::chat::answer::Answer;
use weir::chat::capability::Capabilities;
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::failure::FailureKind;
use weir::chat::family::ApiFamily;
use weir::chat::part::Content;
use weir::chat::prose::Prose;
use weir::chat::traits::{Trait, Traits};
use weir::codec::json::unescape;
use weir::codec::openai::chat::Chat;
use weir::codec::wire::{BadAnswer, ClientWire, Frame, ProviderWire, Shape};
use weir::codec::writer::Writer;
use weir::http::Headers;

const REQUESTS: &str = include_str!("fixtures/wire/chat/requests.jsonl");
const ANSWERS: &str = include_str!("fixtures/wire/chat/answers.jsonl");
const STREAMS: &str = include_str!("fixtures/wire/chat/streams.jsonl");
const ERRORS: &str = include_str!("fixtures/wire/chat/errors.jsonl");

fn fixtures(text: &str) -> Vec<(String, Value)> {
    let parse = |line: &str| -> Value { serde_json::from_str(line).expect(line) };
    text.lines().map(parse).map(|value| (value["name"].as_str().unwrap().to_owned(), value)).collect()
}

fn body_of(fixture: &Value) -> Vec<u8> {
    match &fixture["body"] {
        Value::String(text) => text.clone().into_bytes(),
        body => serde_json::to_vec(body).unwrap(),
    }
}

fn fixture(text: &str, name: &str) -> Value {
    let found = fixtures(text).into_iter().find(|(one, _)| one == name);
    found.unwrap_or_else(|| panic!("no fixture {name:?}")).1
}

fn shape<'a>(vendor: &'a str, model: &'a str, traits: &[Trait]) -> Shape<'a> {
    let traits = traits.iter().fold(Traits::NONE, |all, one| all.with(*one));
    Shape { model, api: ApiFamily::OpenAi, vendor, traits, capabilities: None, max_output: None }
}

fn frame() -> Frame {
    Frame {
        id: "0123456789abcdef".into(),
        model: "shown".into(),
        created: 1_700_000_000,
        input_tokens: 9,
        include_usage: true,
        sse: true,
    }
}

/// What is written for a target, and what is lost.
fn encode(body: &Value, shape: &Shape<'_>) -> Result<(Value, String), String> {
    let bytes = serde_json::to_vec(body).unwrap();
    let request = Chat.decode_request(&bytes).unwrap();
    let mut writer = Writer::with_capacity(64);
    let written = Chat.encode_request(&request, shape, &mut writer);
    let mut nothing = Writer::discarding();
    assert_eq!(Chat.encode_request(&request, shape, &mut nothing), written, "a discarding writer reports the same");
    assert!(nothing.into_bytes().is_empty());
    let lost = written.map_err(|impossible| impossible.feature.name().to_owned())?;
    let bytes = writer.into_bytes();
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&bytes)));
    Ok((value, lost.to_string()))
}

/// Requests that come back in another spelling, or lose what their model refuses.
const RESPELLED: &[&str] = &[
    "a developer prompt",
    "one stop sequence and the old limit",
    "a stream that asks for its usage",
    "arguments that are empty or no JSON",
    "the older functions",
    "an answer in text",
    "thinking switched on in other vendors' ways",
    "reasoning in OpenRouter's way",
    "thoughts of earlier turns",
    "sealed thoughts of earlier turns",
    "reasoning details of earlier turns",
    "a refusal and text as parts",
    "cache marks in OpenRouter's way",
    "members that nobody knows",
    "members that are null",
    "a beginning of the answer",
    "an empty text and empty parts",
];

#[test]
fn plain_requests_come_back_as_they_were() {
    for (name, value) in fixtures(REQUESTS) {
        let body = &value["body"];
        let shape = shape("openai", body["model"].as_str().unwrap(), &[]);
        let (written, lost) = encode(body, &shape).unwrap_or_else(|feature| panic!("{name}: {feature}"));
        if !RESPELLED.contains(&name.as_str()) {
            assert_eq!(&written, body, "{name}");
            assert_eq!(lost, "", "{name}");
        }
    }
}

#[test]
fn every_request_can_be_written_for_every_vendor_or_says_why_not() {
    let vendors = [
        "openai",
        "mistral",
        "groq",
        "xai",
        "openrouter",
        "deepseek",
        "moonshot",
        "fireworks",
        "together",
        "dashscope",
        "zai",
        "minimax",
        "nvidia_nim",
        "baseten",
        "cerebras",
        "sambanova",
        "ollama",
        "perplexity",
        "cohere",
        "gemini",
        "cloudflare",
        "vllm",
        "",
    ];
    let traits = [Trait::NoSystem, Trait::NoSamplingParams, Trait::ReplayReasoningContent, Trait::NoForcedToolUse];
    for (name, value) in fixtures(REQUESTS) {
        for vendor in vendors {
            for traits in [&[][..], &traits] {
                let Ok((written, _)) = encode(&value["body"], &shape(vendor, "m", traits)) else { continue };
                // What one vendor is sent reads back.
                let bytes = serde_json::to_vec(&written).unwrap();
                Chat.decode_request(&bytes).unwrap_or_else(|error| panic!("{name}, {vendor}: {error}"));
            }
        }
    }
}

/// A fixture's name, the target, members that are expected, and what is lost.
#[test]
fn targets_are_asked_in_their_own_words() {
    let user = |name: &str| fixture(REQUESTS, name)["body"].clone();
    let check = |name: &str, shape: Shape<'_>, expected: Value, lost: &str| {
        let (written, reported) = encode(&user(name), &shape).unwrap_or_else(|feature| panic!("{name}: {feature}"));
        for (member, value) in expected.as_object().unwrap() {
            let found = written.pointer(member).unwrap_or(&Value::Null);
            assert_eq!(found, value, "{name} for {}: {member} in {written}", shape.vendor);
        }
        assert_eq!(reported, lost, "{name} for {}", shape.vendor);
    };
    check("a developer prompt", shape("openai", "m", &[]), json!({"/messages/0/role": "system"}), "");
    check(
        "a system prompt and a question",
        shape("mistral", "m", &[]),
        json!({"/max_tokens": 100, "/max_completion_tokens": null, "/model": "m"}),
        "",
    );
    check(
        "a system prompt and a question",
        shape("vertex", "gemma", &[Trait::NoSystem]),
        json!({"/messages/0": {"role": "user", "content": "S\nOslo?"}}),
        "late_system",
    );
    check(
        "every sampling member",
        shape("openai", "gpt-5", &[]),
        json!({"/temperature": null, "/stop": null, "/seed": -7, "/n": 3}),
        "temperature,top_p,frequency_penalty,presence_penalty,stop,logprobs",
    );
    check(
        "every sampling member",
        shape("mistral", "m", &[]),
        json!({"/random_seed": -7, "/seed": null, "/logprobs": null, "/temperature": 0.7}),
        "logprobs",
    );
    check("a stream that asks for its usage", shape("mistral", "m", &[]), json!({"/stream_options": null}), "");
    check(
        "a stream that asks for its usage",
        shape("groq", "m", &[]),
        json!({"/stream": true, "/stream_options": {"include_usage": true}}),
        "",
    );
    check(
        "a strict tool that must be called",
        shape("xai", "m", &[]),
        json!({"/tools/0/function/strict": null, "/tool_choice": "required"}),
        "strict",
    );
    check(
        "a strict tool that must be called",
        shape("moonshot", "m", &[]),
        json!({"/tool_choice": "auto", "/tools/0/function/strict": true}),
        "tool_choice",
    );
    check("a strict tool that must be called", shape("fireworks", "m", &[]), json!({"/tool_choice": "any"}), "");
    check(
        "a subset of the tools",
        shape("groq", "m", &[]),
        json!({"/tool_choice": "required", "/tools/0/function/name": "b", "/tools/1/function/name": "c", "/tools/2": null}),
        "",
    );
    check("a tool turn", shape("groq", "m", &[]), json!({"/messages/2/content": null}), "");
    check("a tool turn", shape("vllm", "m", &[]), json!({"/messages/2/content": ""}), "");
    check("a tool turn", shape("openai", "gpt-5.4", &[]), json!({"/reasoning_effort": "none"}), "reasoning");
    check(
        "parallel calls and text beside them",
        shape("deepseek", "m", &[]),
        json!({"/messages/3/content": "20C\nsunny", "/parallel_tool_calls": false}),
        "",
    );
    check("no tool may be called", shape("vllm", "m", &[]), json!({"/tools/0/function/parameters/type": "object"}), "");
    check(
        "thoughts of earlier turns",
        shape("deepseek", "m", &[Trait::ReplayReasoningContent]),
        json!({"/messages/1/reasoning_content": "I looked."}),
        "",
    );
    check(
        "a refusal of an earlier turn",
        shape("deepseek", "m", &[Trait::ReplayReasoningContent]),
        json!({"/messages/1/reasoning_content": " ", "/messages/1/content": "I cannot."}),
        "",
    );
    check(
        "thoughts of earlier turns",
        shape("openai", "m", &[]),
        json!({"/messages/1/reasoning_content": null}),
        "thinking",
    );
    check(
        "reasoning details of earlier turns",
        shape("openrouter", "m", &[]),
        json!({
            "/messages/1/reasoning": "I looked.",
            "/messages/1/reasoning_details": [
                {"type": "reasoning.text", "text": "I looked.", "signature": "c2ln", "format": "anthropic-claude-v1"},
                {"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": "openai-responses-v1"},
            ],
        }),
        "",
    );
    check(
        "cache marks in OpenRouter's way",
        shape("openrouter", "m", &[]),
        json!({
            "/messages/0/content/0/cache_control": {"type": "ephemeral", "ttl": "1h"},
            "/messages/1/content/0/cache_control": {"type": "ephemeral"},
            "/messages/1/content/1/cache_control": null,
        }),
        "",
    );
    check("cache marks in OpenRouter's way", shape("openai", "gpt-5.5", &[]), json!({}), "cache_control");
    check("names of speakers", shape("xai", "m", &[]), json!({"/messages/1/name": null}), "name");
    check("a beginning of the answer", shape("mistral", "m", &[]), json!({"/messages/1/prefix": true}), "");
    check("a beginning of the answer", shape("moonshot", "m", &[]), json!({"/messages/1/partial": true}), "");
    check("a beginning of the answer", shape("openai", "m", &[]), json!({"/messages/1/content": "It is"}), "prefill");
    check(
        "a beginning of the answer",
        shape("openrouter", "m", &[Trait::NoPrefill]),
        json!({"/messages/1": null}),
        "prefill",
    );
    check(
        "an answer by a schema",
        shape("groq", "m", &[]),
        json!({"/response_format/json_schema/name": "weather"}),
        "",
    );
    check("members that nobody knows", shape("vllm", "m", &[]), json!({"/min_p": 0.05, "/odd": null}), "");
    check(
        "members for the vendor's records",
        shape("nvidia_nim", "m", &[]),
        json!({"/store": null, "/metadata": null, "/user": "u-1"}),
        "service_tier,metadata,store",
    );
}

#[test]
fn thinking_is_asked_for_in_the_vendor_s_way() {
    let rows: &[(&str, &[Trait], Value, Value, &str)] = &[
        ("openai", &[], json!({"reasoning_effort": "high"}), json!({"reasoning_effort": "high"}), ""),
        ("groq", &[], json!({"reasoning_effort": "max"}), json!({"reasoning_effort": "high"}), ""),
        ("groq", &[Trait::NoReasoningEffort], json!({"reasoning_effort": "low"}), json!({}), "reasoning"),
        ("openrouter", &[], json!({"reasoning_effort": "max"}), json!({"reasoning": {"effort": "xhigh"}}), ""),
        (
            "openrouter",
            &[],
            json!({"reasoning": {"max_tokens": 3000, "exclude": true}}),
            json!({"reasoning": {"max_tokens": 3000, "exclude": true}}),
            "",
        ),
        (
            "deepseek",
            &[],
            json!({"reasoning_effort": "high"}),
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
            "",
        ),
        ("zai", &[], json!({"reasoning_effort": "none"}), json!({"thinking": {"type": "disabled"}}), ""),
        (
            "dashscope",
            &[],
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}, "stream": true}),
            json!({"enable_thinking": true, "thinking_budget": 2048}),
            "",
        ),
        (
            "together",
            &[Trait::NoReasoningEffort],
            json!({"reasoning_effort": "low"}),
            json!({"reasoning": {"enabled": true}}),
            "",
        ),
        (
            "nvidia_nim",
            &[],
            json!({"enable_thinking": false}),
            json!({"chat_template_kwargs": {"enable_thinking": false}}),
            "",
        ),
        ("minimax", &[], json!({}), json!({"reasoning_split": true}), ""),
    ];
    const MEMBERS: [&str; 7] = [
        "reasoning_effort",
        "reasoning",
        "thinking",
        "enable_thinking",
        "thinking_budget",
        "chat_template_kwargs",
        "reasoning_split",
    ];
    for (vendor, traits, asked, expected, lost) in rows {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let (written, reported) = encode(&body, &shape(vendor, "qwen-plus", traits)).unwrap();
        let mut found = serde_json::Map::new();
        for member in MEMBERS {
            found.extend(written.get(member).map(|value| (member.to_owned(), value.clone())));
        }
        assert_eq!(&Value::Object(found), expected, "{vendor}: {asked}");
        assert_eq!(&reported, lost, "{vendor}: {asked}");
    }
}

#[test]
fn what_cannot_be_left_out_is_refused() {
    for (name, vendor, feature) in [
        ("every sampling member", "groq", "n"),
        ("a document in the body and one in the store", "openrouter", "file_id"),
        ("a document in the body and one in the store", "deepseek", "document"),
        ("a user's image by address and in the body", "moonshot", "media_url"),
        ("a custom tool with a grammar", "vllm", "custom_tool"),
        ("sound", "deepseek", "audio_in"),
    ] {
        let body = &fixture(REQUESTS, name)["body"];
        assert_eq!(encode(body, &shape(vendor, "m", &[])), Err(feature.to_owned()), "{name} for {vendor}");
    }
    let deaf = Shape { capabilities: Some(Capabilities::NONE), ..shape("openai", "m", &[]) };
    assert_eq!(encode(&fixture(REQUESTS, "sound")["body"], &deaf), Err("audio_in".to_owned()));
}

#[test]
fn images_of_tool_results_follow_in_a_user_message() {
    use weir::chat::part::{Call, CallKind, CallResult, Media, MediaKind, Part, Source};
    use weir::chat::request::{Request, Role, Turn};
    let media = Media {
        kind: MediaKind::Image,
        source: Source::Base64("aGk=".into()),
        media_type: Some("image/png".into()),
        name: None,
        detail: None,
    };
    let call = |id: &'static str| {
        let (name, arguments) = ("shot".into(), Prose::EMPTY);
        Part::from(Content::Call(Call { id: id.into(), name, arguments, kind: CallKind::Function, signature: None }))
    };
    let result = |id: &'static str, parts: Vec<Part<'static>>, is_error: bool| {
        let result = CallResult { id: id.into(), name: None, parts, is_error, kind: CallKind::Function };
        Part::from(Content::Result(result))
    };
    let said = |role, parts| Turn { role, parts, name: None };
    let request = Request {
        turns: vec![
            said(Role::User, vec![Content::text(Prose::plain("look")).into()]),
            said(Role::Assistant, vec![call("a"), call("b")]),
            said(Role::Tool, vec![result("a", vec![Content::Media(media).into()], false)]),
            said(Role::Tool, vec![result("b", vec![Content::text(Prose::plain("broken \"x\"")).into()], true)]),
        ],
        ..Request::default()
    };
    let mut writer = Writer::with_capacity(64);
    let lost = Chat.encode_request(&request, &shape("openai", "m", &[]), &mut writer).unwrap();
    let written: Value = serde_json::from_slice(&writer.into_bytes()).unwrap();
    assert_eq!(lost.to_string(), "tool_result_media,is_error");
    assert_eq!(written["messages"][1]["tool_calls"][0]["function"]["arguments"], "{}");
    assert_eq!(
        written["messages"].as_array().unwrap()[2..],
        [
            json!({"role": "tool", "tool_call_id": "a", "content": "(see the next user message)"}),
            json!({"role": "tool", "tool_call_id": "b", "content": "Error: broken \"x\""}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "Returned by the tool:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ]}),
        ]
    );
    // Mistral's ids are nine letters and digits, the same for call and result.
    let mut writer = Writer::with_capacity(64);
    Chat.encode_request(&request, &shape("mistral", "m", &[]), &mut writer).unwrap();
    let written: Value = serde_json::from_slice(&writer.into_bytes()).unwrap();
    let id = written["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(written["messages"][2]["tool_call_id"], id);
}

#[test]
fn what_other_wires_alone_have_is_named_or_refused() {
    use std::borrow::Cow;
    use weir::chat::feature::Feature;
    use weir::chat::part::Part;
    use weir::chat::prose::Json;
    use weir::chat::request::{Foreign, Request, Role, Tool, Turn};
    use weir::chat::wire::Wire;
    let part = |kind: &'static str| {
        let (kind, raw) = (Cow::Borrowed(kind), Json::borrowed(b"{}"));
        Part::from(Content::Foreign { wire: Wire::Messages, kind, raw })
    };
    let user = |parts| Request { turns: vec![Turn { role: Role::User, parts, name: None }], ..Request::default() };
    let write = |request: &Request<'_>| {
        let mut writer = Writer::with_capacity(64);
        let lost = Chat.encode_request(request, &shape("openai", "m", &[]), &mut writer);
        lost.map(|lost| (String::from_utf8(writer.into_bytes()).unwrap(), lost.to_string())).map_err(|one| one.feature)
    };
    let (body, lost) = write(&user(vec![part("server_tool_use")])).unwrap();
    assert_eq!(lost, "hosted_tool");
    assert!(body.contains(r#""content":"""#), "a message of nothing is a string: {body}");
    let text = Part::from(Content::text(Prose::plain("x")));
    let (body, lost) = write(&user(vec![part("server_tool_use"), text])).unwrap();
    assert!(lost == "hosted_tool" && body.contains(r#""content":"x""#), "{body}");
    assert_eq!(write(&user(vec![part("container_upload")])), Err(Feature::StoredFile));

    let foreign = |feature| Foreign { feature, wire: Wire::Responses, name: "x".into(), value: Json::borrowed(b"1") };
    let with = |feature| Request { foreign: vec![foreign(feature)], ..user(Vec::new()) };
    assert_eq!(write(&with(Feature::Truncation)).unwrap().1, "truncation");
    assert_eq!(write(&with(Feature::Conversation)), Err(Feature::Conversation));

    let hosted = |web_search| {
        let raw = Json::borrowed(b"{}");
        let tool = Tool::Hosted { wire: Wire::Responses, kind: "x".into(), raw, web_search };
        Request { tools: vec![tool], ..user(Vec::new()) }
    };
    assert!(write(&hosted(true)).unwrap().0.contains(r#""web_search_options":{}"#));
    assert_eq!(write(&hosted(false)), Err(Feature::HostedTools));
}

#[test]
fn wrong_shapes_are_refused_with_their_place() {
    for (body, what) in [
        (r#"{"messages":1}"#, "`messages` is an array"),
        (r#"{"messages":[{"content":"x"}]}"#, "a message has a `role`"),
        (r#"{"messages":[{"role":"king","content":"x"}]}"#, "a role is"),
        (r#"{"messages":[{"role":"user","content":1}]}"#, "`content` is a string or an array"),
        (r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#, "a part has a `type`"),
        (r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#, "a text part has a `text`"),
        (r#"{"messages":[{"role":"tool","content":"x"}]}"#, "a tool message has a `tool_call_id`"),
        (r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"x"}]}]}"#, "a tool call names its tool"),
        (r#"{"tools":[{"type":"function"}]}"#, "a tool has a `function`"),
        (r#"{"tools":[{"type":"function","function":{}}]}"#, "a function has a `name`"),
        (r#"{"tool_choice":"maybe"}"#, "a tool choice is"),
        (r#"{"n":0}"#, "`n` is a whole number"),
        (r#"{"temperature":"hot"}"#, "`temperature` is a number"),
        (r#"{"max_tokens":1.5}"#, "`max_tokens` is a whole number"),
        (r#"{"model":"a","model":"b"}"#, "a member stands twice"),
        (r#"{"messages":[]} x"#, "something follows"),
    ] {
        let malformed = Chat.decode_request(body.as_bytes()).map(|_| ()).expect_err(body);
        assert!(malformed.what.starts_with(what), "{body}: {malformed}");
        assert!(malformed.offset <= body.len());
    }
}

// ---- answers ----

fn text_of(prose: &Prose<'_>) -> String {
    match prose {
        Prose::Escaped(bytes) => unescape(bytes),
        Prose::Plain(text) => text.to_string(),
    }
}

/// An answer in a few words.
fn summary(answer: &Answer<'_>) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for part in &answer.parts {
        match &part.content {
            Content::Text { text, citations } => {
                said.push(format!("text {}", text_of(text)));
                said.extend(citations.iter().map(|one| format!("cites {}", one.url.as_deref().unwrap_or("?"))));
            }
            Content::Thought(thought) => {
                let seal = thought.seal.as_ref();
                let seal = seal.map(|seal| format!(" sealed {}{}", seal.data, if seal.redacted { "!" } else { "" }));
                said.push(format!("thought {}{}", text_of(&thought.text), seal.unwrap_or_default()));
            }
            Content::Call(call) => {
                said.push(format!("{:?} {} {} {}", call.kind, call.id, call.name, text_of(&call.arguments)));
            }
            Content::Refusal(text) => said.push(format!("refusal {}", text_of(text))),
            Content::Media(media) => said.push(format!("{:?}", media.kind)),
            Content::Result(_) | Content::Foreign { .. } => said.push("something else".to_owned()),
        }
    }
    said.push(format!("{:?}", answer.finish));
    said
}

#[test]
fn answers_mean_what_their_vendors_mean() {
    for (name, expected) in [
        ("text", &["text Hello", "Stop"][..]),
        (
            "parallel calls beside text",
            &[
                "text Looking.",
                r#"Function call_1 get_weather {"city":"Oslo"}"#,
                "Function call_2 get_weather {}",
                "ToolCalls",
            ],
        ),
        ("calls of an answer that says stop", &[r#"Function call_1 get_weather {"city":"Oslo"}"#, "ToolCalls"]),
        ("calls of an answer that says nothing", &["Function call_1 get_weather ", "ToolCalls"]),
        ("a custom call", &["Custom call_c apply_patch *** Begin\n", "ToolCalls"]),
        ("filtered", &["Filtered"]),
        ("a refusal", &["refusal I cannot.", "Refused"]),
        ("thoughts of DeepSeek", &["thought 3+4", "text 7", "Stop"]),
        ("thoughts under two names", &["thought 3+4", "text 7", "Stop"]),
        ("thoughts and details of OpenRouter", &["thought 3+4 sealed c2ln", "thought  sealed ZGF0!", "text 7", "Stop"]),
        ("sealed thoughts of LiteLLM", &["thought 3+4 sealed c2ln", "thought  sealed ZGF0!", "text 7", "Stop"]),
        ("thoughts in the text", &["thought 3+4", "text 7", "Stop"]),
        ("thoughts in the text, escaped", &["thought a", "text b", "Stop"]),
        ("chunks of Mistral", &["thought 3+4", "text 7", "Stop"]),
        ("citations", &["text Snow in Oslo.", "cites https://example.com/t", "Stop"]),
        ("sources of Perplexity", &["text Snow [1].", "cites https://example.com/t", "Stop"]),
        ("several choices", &["text first", "Stop"]),
        ("an image that was drawn", &["text Here", "Image", "Stop"]),
    ] {
        let body = body_of(&fixture(ANSWERS, name));
        assert_eq!(summary(&Chat.decode_answer(&body).unwrap()), expected, "{name}");
    }
}

#[test]
fn usage_is_on_one_convention() {
    for (name, expected) in [
        ("usage with every detail", (100, 40, 20, 50, 30)),
        ("usage of Moonshot", (100, 40, 0, 50, 0)),
        ("thoughts of DeepSeek", (10, 4, 0, 9, 3)),
    ] {
        let body = body_of(&fixture(ANSWERS, name));
        let usage = Chat.decode_answer(&body).unwrap().usage.unwrap();
        let found = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning);
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn answers_say_the_same_when_they_are_written_again() {
    for (name, value) in fixtures(ANSWERS) {
        let body = body_of(&value);
        let answer = Chat.decode_answer(&body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let again = Chat.encode_answer(&answer, &frame());
        let written: Value = serde_json::from_slice(&again).unwrap();
        let message = &written["choices"][0]["message"];
        assert_eq!(written["object"], "chat.completion", "{name}");
        assert!(written["id"].as_str().unwrap().starts_with("chatcmpl-"), "{name}");
        assert!(message.get("content").is_some() && message.get("refusal").is_some(), "{name}");
        let second = Chat.decode_answer(&again).unwrap();
        let fill = |mut said: Vec<String>| {
            // An empty text of arguments is written as an object.
            for line in said.iter_mut().filter(|line| line.ends_with("get_weather ")) {
                line.push_str("{}");
            }
            said
        };
        assert_eq!(summary(&second), fill(summary(&answer)), "{name}");
        assert_eq!(second.usage, answer.usage, "{name}");
    }
    let body = body_of(&fixture(ANSWERS, "a call"));
    let written: Value =
        serde_json::from_slice(&Chat.encode_answer(&Chat.decode_answer(&body).unwrap(), &frame())).unwrap();
    assert_eq!(
        written["choices"],
        json!([{"index": 0, "message": {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}
        ]}, "logprobs": null, "finish_reason": "tool_calls"}])
    );
}

#[test]
fn an_error_of_status_200_is_no_answer() {
    for (body, kind) in [
        (r#"{"error":{"message":"x","code":429}}"#, FailureKind::RateLimit),
        (r#"{"id":"x","choices":[],"error":{"message":"x","code":502}}"#, FailureKind::Server),
        (
            r#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
            FailureKind::Billing,
        ),
        (r#"{"object":"error","message":"x","code":"context_length_exceeded"}"#, FailureKind::ContextTooLong),
    ] {
        match Chat.decode_answer(body.as_bytes()) {
            Err(BadAnswer::Failure(failure)) => assert_eq!(failure.kind, kind, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    for body in ["{}", "[]", "x", "", r#"{"choices":[]}"#] {
        assert!(matches!(Chat.decode_answer(body.as_bytes()), Err(BadAnswer::Malformed(_))), "{body}");
    }
}

// ---- streams ----

fn stream_bytes(fixture: &Value) -> Vec<u8> {
    let mut out = String::new();
    for event in fixture["events"].as_array().unwrap() {
        if let Some(comment) = event["comment"].as_str() {
            out.push_str(&format!(": {comment}\n\n"));
            continue;
        }
        if let Some(name) = event["event"].as_str() {
            out.push_str(&format!("event: {name}\n"));
        }
        match &event["data"] {
            Value::String(text) => out.push_str(&format!("data: {text}\n\n")),
            data => out.push_str(&format!("data: {data}\n\n")),
        }
    }
    out.into_bytes()
}

/// Events in words, pieces of one block joined.
#[derive(Default)]
struct Transcript {
    lines: Vec<String>,
    opened: u32,
    open: Vec<u32>,
    started: bool,
    finished: bool,
    over: bool,
}

impl Transcript {
    fn event(&mut self, event: &Event<'_>) {
        // Comments are the framing's, which does not know the end.
        assert!(!self.over || *event == Event::Ping, "nothing follows the end");
        match event {
            Event::Start { id, model } => {
                assert!(!self.started && self.opened == 0);
                self.started = true;
                self.lines.push(format!("start {id:?} {model:?}"));
            }
            Event::Open { block, opening } => {
                assert!(self.started && *block == self.opened, "blocks are numbered in order");
                self.opened += 1;
                self.open.push(*block);
                self.lines.push(match opening {
                    Opening::Text => format!("{block} text"),
                    Opening::Thought => format!("{block} thought"),
                    Opening::Refusal => format!("{block} refusal"),
                    Opening::Call { id, name, kind, .. } => format!("{block} {kind:?} {id} {name}"),
                });
            }
            Event::Delta { block, delta } => {
                assert!(self.open.contains(block), "a delta belongs to an open block");
                let line = match delta {
                    Delta::Text(text) => format!("{block} + {}", text_of(text)),
                    Delta::Seal(seal) => format!("{block} seal {}", seal.data),
                    Delta::Citation(citation) => format!("{block} cites {:?}", citation.url),
                };
                self.lines.push(line);
            }
            Event::Close { block } => {
                assert!(self.open.contains(block));
                self.open.retain(|one| one != block);
                self.lines.push(format!("{block} end"));
            }
            Event::Finish(finish) => {
                assert!(self.open.is_empty() && !self.finished, "every block is closed before the end");
                self.finished = true;
                self.lines.push(format!("{finish:?}"));
            }
            Event::Usage(usage) => self.lines.push(format!("usage {} {}", usage.input, usage.output)),
            Event::Failure(failure) => {
                self.over = true;
                self.lines.push(format!("failure {:?} {}", failure.kind, failure.status));
            }
            Event::Ping => self.lines.push("ping".to_owned()),
            Event::Done => {
                assert!(self.started && self.finished);
                self.over = true;
                self.lines.push("done".to_owned());
            }
        }
    }
}

fn read(pieces: &[&[u8]]) -> Vec<String> {
    let mut transcript = Transcript::default();
    let mut stream = Chat.decode_stream();
    for piece in pieces {
        stream.push(piece, &mut |event| transcript.event(&event));
    }
    stream.finish(&mut |event| transcript.event(&event));
    transcript.lines
}

#[test]
fn streams_say_the_same_at_every_split() {
    for (name, value) in fixtures(STREAMS) {
        let bytes = stream_bytes(&value);
        let whole = read(&[&bytes]);
        for at in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..at], &bytes[at..]]), whole, "{name}, split at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), whole, "{name}, byte by byte");
        let other_lines: Vec<u8> = String::from_utf8(bytes).unwrap().replace('\n', "\r\n").into_bytes();
        assert_eq!(read(&[&other_lines]), whole, "{name}, with other line ends");
    }
}

#[test]
fn streams_mean_what_their_vendors_mean() {
    let check = |name: &str, expected: &[&str]| {
        let lines = read(&[&stream_bytes(&fixture(STREAMS, name))]);
        let start = |line: &&String| !line.starts_with("start ") && !line.starts_with("usage ") && *line != "ping";
        let lines: Vec<&String> = lines.iter().filter(start).collect();
        assert_eq!(lines, expected, "{name}");
    };
    check("text with usage", &["0 text", "0 + Hel", "0 + lo \"x\"\n", "0 end", "Stop", "done"]);
    check(
        "a call in two pieces",
        &["0 Function call_1 get_weather", "0 + {\"city\":", "0 + \"Oslo\"}", "0 end", "ToolCalls", "done"],
    );
    // The first call is complete, so it ends when the second begins.
    check(
        "calls one after the other",
        &[
            "0 text",
            "0 + Looking.",
            "0 end",
            "1 Function call_0 get_weather",
            "1 + {\"city\":\"",
            "1 + Oslo\"}",
            "1 end",
            "2 Function call_1 get_weather",
            "2 + {\"city\":\"",
            "2 + Rome\"}",
            "2 end",
            "ToolCalls",
            "done",
        ],
    );
    check(
        "calls whose fragments interleave",
        &[
            "0 Function call_a a",
            "1 Function call_b b",
            "1 + {\"x\":",
            "0 + {\"y\"",
            "1 + 1}",
            "0 + :2}",
            "0 end",
            "1 end",
            "ToolCalls",
            "done",
        ],
    );
    check(
        "whole calls that all say index 0",
        &[
            "0 Function x1 a",
            "0 + {\"i\":1}",
            "0 end",
            "1 Function x2 a",
            "1 + {\"i\":2}",
            "1 end",
            "ToolCalls",
            "done",
        ],
    );
    check("a custom call", &["0 Custom call_c apply_patch", "0 + *** Begin", "0 end", "ToolCalls", "done"]);
    check(
        "thoughts under two names",
        &["0 thought", "0 + hm", "0 + .", "0 end", "1 text", "1 + 7", "1 end", "Stop", "done"],
    );
    check(
        "thoughts and details of OpenRouter",
        &["0 thought", "0 + 3+4", "0 seal c2ln", "0 end", "1 text", "1 + 7", "1 end", "Stop", "done"],
    );
    check(
        "sealed thoughts of LiteLLM",
        &["0 thought", "0 + 3+4", "0 seal c2ln", "0 end", "1 text", "1 + 7", "1 end", "Stop", "done"],
    );
    check(
        "thoughts in the text",
        &["0 thought", "0 + 3+", "0 + 4", "0 end", "1 text", "1 + 7 <think>", "1 end", "Stop", "done"],
    );
    check("chunks of Mistral", &["0 thought", "0 + 3+4", "0 end", "1 text", "1 + 7", "1 end", "Stop", "done"]);
    check("a refusal", &["0 refusal", "0 + I ", "0 + cannot.", "0 end", "Refused", "done"]);
    check("a call whose end xAI leaves unsaid", &["0 Function call_1 f", "0 + {}", "0 end", "ToolCalls", "done"]);
    check("several choices", &["0 text", "0 + first", "0 end", "Stop", "done"]);
    check("an error in the middle", &["0 text", "0 + a", "failure Server 500"]);
    check("an error of OpenRouter in a chunk", &["failure Server 502"]);
    check("an error of vLLM", &["failure Server 500"]);
    check("an error of MiniMax", &["failure RateLimit 429"]);
    check("a silent cut", &["0 text", "0 + a", "0 end", "1 Function call_1 f", "1 + {\"a"]);
    check("things that nobody knows", &["0 text", "0 + a", "0 end", "Stop", "done"]);
}

#[test]
fn usage_is_found_wherever_a_vendor_puts_it() {
    for name in
        ["text with usage", "Groq's usage in its own place", "Moonshot's usage in the choice", "chunks of Mistral"]
    {
        let lines = read(&[&stream_bytes(&fixture(STREAMS, name))]);
        assert!(lines.contains(&"usage 10 5".to_owned()), "{name}: {lines:?}");
    }
}

/// A stream through the decoder and the encoder.
fn rewrite(bytes: &[u8], frame: &Frame) -> String {
    let mut out = Vec::new();
    let mut encoder = Chat.encode_stream(frame);
    let mut stream = Chat.decode_stream();
    stream.push(bytes, &mut |event| encoder.event(&event, &mut out));
    stream.finish(&mut |event| encoder.event(&event, &mut out));
    String::from_utf8(out).unwrap()
}

#[test]
fn streams_say_the_same_when_they_are_written_again() {
    let ids = |line: &String| !line.starts_with("start ") && line != "ping" && !line.starts_with("usage ");
    for (name, value) in fixtures(STREAMS) {
        let bytes = stream_bytes(&value);
        let first: Vec<String> = read(&[&bytes]).into_iter().filter(ids).collect();
        let again: Vec<String> = read(&[rewrite(&bytes, &frame()).as_bytes()]).into_iter().filter(ids).collect();
        // Where arguments were empty, an object stands; a status has no place in a stream.
        let same = |lines: Vec<String>| -> Vec<String> {
            let kept = lines.into_iter().filter(|line| line != "0 + {}");
            kept.map(|line| line.replace("Server 502", "Server 500")).collect()
        };
        let (first, again) = (same(first), same(again));
        assert_eq!(again, first, "{name}");
    }
}

#[test]
fn a_stream_has_openai_s_shape() {
    let text = rewrite(&stream_bytes(&fixture(STREAMS, "a call without arguments")), &frame());
    let chunks: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(chunks.last(), Some(&"[DONE]"));
    let parsed: Vec<Value> =
        chunks[..chunks.len() - 1].iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    for chunk in &parsed {
        assert_eq!(chunk["id"], "chatcmpl-1");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["created"], 1_700_000_000);
        assert_eq!(chunk["usage"], Value::Null);
        assert!(chunk.get("usage").is_some());
    }
    let deltas: Vec<&Value> = parsed.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(
        deltas,
        [
            &json!({"role": "assistant", "content": "", "refusal": null}),
            &json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "now", "arguments": ""}}]}),
            &json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            &json!({}),
        ]
    );
    assert_eq!(parsed[3]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn usage_is_shown_to_those_who_asked_for_it() {
    let bytes = stream_bytes(&fixture(STREAMS, "text with usage"));
    let asked = rewrite(&bytes, &frame());
    assert!(asked.contains(r#""choices":[],"usage":{"prompt_tokens":10,"#) && asked.contains(r#""usage":null"#));
    let unasked = rewrite(&bytes, &Frame { include_usage: false, ..frame() });
    assert!(!unasked.contains("usage") && unasked.ends_with("data: [DONE]\n\n"));
}

#[test]
fn a_cut_or_an_error_is_no_clean_end() {
    let text = rewrite(&stream_bytes(&fixture(STREAMS, "an error in the middle")), &frame());
    assert!(text.contains(r#"data: {"error":{"message":"The server had an error","type":"server_error""#));
    assert!(!text.contains("[DONE]"));
    let text = rewrite(&stream_bytes(&fixture(STREAMS, "a silent cut")), &frame());
    assert!(!text.contains("[DONE]") && !text.contains(r#""finish_reason":""#));
}

#[test]
fn seals_of_thoughts_go_out_with_their_words() {
    let text = rewrite(&stream_bytes(&fixture(STREAMS, "sealed thoughts of LiteLLM")), &frame());
    assert!(
        text.contains(r#""thinking_blocks":[{"index":0,"type":"thinking","thinking":"3+4","signature":"c2ln"}]"#),
        "{text}"
    );
}

// ---- errors ----

#[test]
fn errors_mean_what_their_vendors_mean() {
    for (name, kind, message, code) in [
        ("a wrong member", FailureKind::InvalidRequest, "Invalid value for 'temperature'", Some("invalid_value")),
        ("a prompt that is too long", FailureKind::ContextTooLong, "This model's", Some("context_length_exceeded")),
        ("a wrong key", FailureKind::Authentication, "Incorrect API key", Some("invalid_api_key")),
        ("no money", FailureKind::Billing, "You exceeded", Some("insufficient_quota")),
        ("a rate limit", FailureKind::RateLimit, "Rate limit", Some("rate_limit_exceeded")),
        ("an unknown model", FailureKind::NotFound, "The model", Some("model_not_found")),
        ("Azure's filter", FailureKind::PolicyViolation, "The response was filtered", Some("content_filter")),
        ("overloaded", FailureKind::Overloaded, "Overloaded", Some("server_error")),
        ("OpenRouter's number for a code", FailureKind::Billing, "Insufficient credits", None),
        ("an old error of vLLM", FailureKind::ContextTooLong, "This model's", Some("BadRequestError")),
        ("Mistral's list of details", FailureKind::InvalidRequest, "Extra inputs", Some("invalid_request_error")),
        ("a list of details", FailureKind::InvalidRequest, "value is not", None),
        ("a detail in words", FailureKind::NotFound, "Not Found", None),
        ("an error in words", FailureKind::InvalidRequest, "model is required", None),
        ("Z.ai's numbers", FailureKind::Billing, "Insufficient balance", Some("1113")),
        ("MiniMax's base_resp", FailureKind::Billing, "insufficient balance", Some("1008")),
        ("Google's shim answers with a list", FailureKind::InvalidRequest, "API key not valid", None),
        ("Cloudflare's errors", FailureKind::InvalidRequest, "No such model", Some("5007")),
        ("plain text", FailureKind::Server, "upstream connect error", None),
        ("a page of a proxy", FailureKind::Timeout, "the provider answered with status 504", None),
        ("nothing", FailureKind::Server, "the provider answered with status 500", None),
    ] {
        let value = fixture(ERRORS, name);
        let body = body_of(&value);
        let status = u16::try_from(value["status"].as_u64().unwrap()).unwrap();
        let failure = Chat.decode_failure(status, &Headers::default(), &body);
        assert_eq!((failure.kind, failure.code.as_deref()), (kind, code), "{name}");
        assert!(failure.message.starts_with(message), "{name}: {}", failure.message);
        assert_eq!(failure.status, status, "{name}");
    }
    let value = fixture(ERRORS, "a list of details");
    let body = body_of(&value);
    assert_eq!(Chat.decode_failure(422, &Headers::default(), &body).param.as_deref(), Some("body.n"));
}

#[test]
fn errors_are_written_as_openai_writes_them() {
    for kind in FailureKind::ALL {
        let failure = weir::chat::failure::Failure {
            kind,
            status: if kind == FailureKind::Overloaded { 529 } else { kind.status() },
            message: "a \"rule\"".into(),
            code: None,
            param: None,
        };
        let (status, body) = Chat.encode_failure(&failure);
        assert_eq!(status, kind.status());
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["error"]["message"], "a \"rule\"");
        assert!(value["error"]["type"].is_string() && value["error"].get("param").is_some());
        // What is written is read as the same.
        assert_eq!(Chat.decode_failure(status, &Headers::default(), &body).kind, kind);
    }
}

// ---- hostile bytes ----

#[test]
fn broken_bytes_do_no_harm() {
    let mut decoded = 0;
    let mut try_all = |body: &[u8]| {
        decoded += usize::from(Chat.decode_request(body).is_ok());
        let _ = Chat.decode_answer(body);
        let _ = Chat.decode_failure(400, &Headers::default(), body);
    };
    for text in [REQUESTS, ANSWERS, ERRORS] {
        for (_, value) in fixtures(text) {
            let body = body_of(&value);
            for at in 0..body.len() {
                try_all(&body[..at]);
                let mut changed = body.clone();
                changed[at] = [b'"', b'}', b'[', b'\\', 0xff, b'0', b'n', b','][at % 8];
                try_all(&changed);
            }
        }
    }
    assert!(decoded > 100, "some survive");
    for (_, value) in fixtures(STREAMS) {
        let bytes = stream_bytes(&value);
        for at in 0..bytes.len() {
            read(&[&bytes[..at]]);
            let mut changed = bytes.clone();
            changed[at] = [b'"', b'}', b'[', b'\\', 0xff, b'0', b'n', b'\n'][at % 8];
            read(&[&changed]);
        }
    }
}
