//! Bedrock Converse, the provider's side: golden requests, and whole answers, streams and errors from fixtures. Not the
//! way from one format to another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Value, json};
use weir::chat::answer::{Answer, Finish};
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::failure::FailureKind;
use weir::chat::family::ApiFamily;
use weir::chat::feature::{Feature, Features};
use weir::chat::part::{CacheMark, Call, CallKind, CallResult, Content, Media, MediaKind, Part, Seal, Source, Thought};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Foreign, Output, Request, Role, Sampling, Tool, ToolChoice, Turn};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::bedrock::event_stream::{write_event, write_exception, write_frame};
use weir::codec::bedrock::sigv4::{SignRequest, sign};
use weir::codec::json::unescape;
use weir::codec::registry::provider;
use weir::codec::wire::{BadAnswer, Impossible, ProviderWire, Shape};
use weir::codec::writer::Writer;
use weir::http::Headers;

const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

fn converse() -> &'static dyn ProviderWire {
    provider(Wire::Converse)
}

fn fixtures(path: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fixture(kind: &str, name: &str) -> Value {
    let all = fixtures(&format!("wire/converse/{kind}.jsonl"));
    all.into_iter().find(|fixture| fixture["name"] == name).unwrap_or_else(|| panic!("no fixture {name:?}"))
}

// --- requests ---------------------------------------------------------------------------------------------------------

fn shape(model: &str) -> Shape<'_> {
    let traits = Traits::NONE;
    Shape { model, api: ApiFamily::Bedrock, vendor: "bedrock", traits, capabilities: None, max_output: None }
}

fn with(mut shape: Shape<'_>, traits: impl IntoIterator<Item = Trait>) -> Shape<'_> {
    shape.traits = traits.into_iter().fold(shape.traits, Traits::with);
    shape
}

fn adaptive() -> Shape<'static> {
    let traits = [Trait::AdaptiveThinking, Trait::OutputConfig, Trait::NoSamplingParams, Trait::NoPrefill];
    with(shape("anthropic.claude-opus-4-7"), traits)
}

fn encode(request: &Request<'_>, shape: &Shape<'_>) -> Result<(Value, Features), Impossible> {
    let mut writer = Writer::with_capacity(256);
    let lost = converse().encode_request(request, shape, &mut writer);
    let mut discarding = Writer::discarding();
    let lost_too = converse().encode_request(request, shape, &mut discarding);
    assert_eq!(lost, lost_too, "a discarding writer changes nothing");
    let bytes = writer.into_bytes();
    lost.map(|lost| (serde_json::from_slice(&bytes).unwrap(), lost))
}

#[track_caller]
fn golden(request: &Request<'_>, shape: &Shape<'_>, body: Value, lost: &str) {
    let (written, features) = encode(request, shape).unwrap();
    assert_eq!(written, body, "{}", serde_json::to_string_pretty(&written).unwrap());
    assert_eq!(features.to_string(), lost);
}

#[track_caller]
fn impossible(request: &Request<'_>, shape: &Shape<'_>, feature: Feature) {
    assert_eq!(encode(request, shape).unwrap_err().feature, feature);
}

fn text(text: &str) -> Part<'_> {
    Content::text(Prose::plain(text)).into()
}

fn turn<'a>(role: Role, parts: impl IntoIterator<Item = Part<'a>>) -> Turn<'a> {
    Turn { role, parts: parts.into_iter().collect(), name: None }
}

fn user(words: &str) -> Turn<'_> {
    turn(Role::User, [text(words)])
}

fn assistant(words: &str) -> Turn<'_> {
    turn(Role::Assistant, [text(words)])
}

fn system(words: &str) -> Turn<'_> {
    turn(Role::System, [text(words)])
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    let arguments = Prose::plain(arguments);
    let (id, name) = (Cow::Borrowed(id), Cow::Borrowed(name));
    Content::Call(Call { id, name, arguments, kind: CallKind::Function, signature: None }).into()
}

fn result<'a>(id: &'a str, parts: impl IntoIterator<Item = Part<'a>>) -> CallResult<'a> {
    let parts = parts.into_iter().collect();
    CallResult { id: Cow::Borrowed(id), name: None, parts, is_error: false, kind: CallKind::Function }
}

fn gave<'a>(id: &'a str, words: &'a str) -> Part<'a> {
    Content::Result(result(id, [text(words)])).into()
}

fn image(source: Source<'static>) -> Part<'static> {
    media(MediaKind::Image, source, Some("image/png"))
}

fn media(kind: MediaKind, source: Source<'static>, media_type: Option<&'static str>) -> Part<'static> {
    let media_type = media_type.map(Cow::Borrowed);
    Content::Media(Media { kind, source, media_type, name: None, detail: None }).into()
}

fn base64(data: &'static str) -> Source<'static> {
    Source::Base64(Cow::Borrowed(data))
}

fn thought<'a>(words: &'a str, seal: Option<(Wire, &'a str, bool)>) -> Part<'a> {
    let seal = seal.map(|(wire, data, redacted)| Seal { wire, data: Cow::Borrowed(data), redacted, id: None });
    Content::Thought(Thought { text: Prose::plain(words), seal }).into()
}

fn function(name: &str) -> Tool<'_> {
    Tool::Function {
        name: Cow::Borrowed(name),
        description: Some(Prose::plain("Gets.")),
        parameters: Some(Json::borrowed(br#"{"type":"object","properties":{"city":{"type":"string"}}}"#)),
        strict: None,
        cache: None,
    }
}

fn spec(name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!({"toolSpec": {"name": name, "description": "Gets.", "inputSchema": {"json": schema}}})
}

fn minimal(name: &str) -> Value {
    json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object", "properties": {}}}}})
}

fn cached(mut part: Part<'_>, mark: CacheMark) -> Part<'_> {
    part.cache = Some(mark);
    part
}

fn asks<'a>(turns: impl IntoIterator<Item = Turn<'a>>) -> Request<'a> {
    Request { turns: turns.into_iter().collect(), ..Request::default() }
}

fn said(role: &str, words: &str) -> Value {
    json!({"role": role, "content": [{"text": words}]})
}

#[test]
fn a_tool_turn_is_written_as_the_reference_has_it() {
    let mut request = asks([
        system("S"),
        user("Oslo?"),
        turn(Role::Assistant, [call("call_1", "get_weather", r#"{"city":"Oslo"}"#)]),
        turn(Role::Tool, [gave("call_1", "7C")]),
    ]);
    request.tools = vec![function("get_weather")];
    let body = json!({
        "system": [{"text": "S"}],
        "messages": [
            said("user", "Oslo?"),
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "call_1", "name": "get_weather", "input": {"city": "Oslo"}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "7C"}]}}]}],
        "toolConfig": {"tools": [spec("get_weather")]},
    });
    golden(&request, &shape(CLAUDE), body, "");
}

#[test]
fn settings_stand_where_converse_has_them() {
    let mut request = asks([user("Hi")]);
    request.max_output = Some(100);
    request.sampling = Sampling {
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(40),
        stop: vec![Prose::plain("END"), Prose::plain(""), Prose::plain("\n")],
        ..Sampling::default()
    };
    request.service_tier = Some("auto".into());
    request.user = Some(Prose::plain("user-1"));
    request.metadata = Some(Json::borrowed(br#"{"team":"a b","cost":7,"odd":"n\u00e4"}"#));
    let body = json!({
        "messages": [said("user", "Hi")],
        "inferenceConfig": {"maxTokens": 100, "temperature": 1, "topP": 0.9, "stopSequences": ["END"]},
        "additionalModelRequestFields": {"top_k": 40},
        "serviceTier": {"type": "default"},
        "requestMetadata": {"user": "user-1", "team": "a b"},
    });
    golden(&request, &shape(CLAUDE), body.clone(), "metadata");
    let mut nova = body.clone();
    nova["additionalModelRequestFields"] = json!({"inferenceConfig": {"topK": 40}});
    golden(&request, &shape("amazon.nova-pro-v1:0"), nova, "metadata");
    let mut other = body;
    other.as_object_mut().unwrap().remove("additionalModelRequestFields");
    golden(&request, &shape("mistral.pixtral-large-2502-v1:0"), other, "top_k,metadata");
}

#[test]
fn what_converse_has_no_word_for_is_lost_and_named() {
    let mut request = asks([Turn { name: Some(Prose::plain("ann")), ..user("Hi") }]);
    request.sampling = Sampling {
        frequency_penalty: Some(0.5),
        presence_penalty: Some(-0.5),
        seed: Some(1),
        logprobs: Some(0),
        choices: Some(1),
        ..Sampling::default()
    };
    request.store = Some(true);
    request.verbosity = Some("low".into());
    request.cache_key = Some(Prose::plain("k"));
    request.service_tier = Some("scale".into());
    request.parallel_calls = Some(false);
    request.output = Output::Json;
    let foreign = |feature, name: &'static str| Foreign {
        feature,
        wire: Wire::Chat,
        name: Cow::Borrowed(name),
        value: Json::borrowed(b"{}"),
    };
    request.foreign = vec![foreign(Feature::LogitBias, "logit_bias"), foreign(Feature::Unknown, "novelty")];
    let lost = "frequency_penalty,presence_penalty,seed,logprobs,logit_bias,verbosity,json_object,prompt_cache_key,\
                service_tier,name,store,unknown_members";
    golden(&request, &shape(CLAUDE), json!({"messages": [said("user", "Hi")]}), lost);
}

#[test]
fn defaults_are_no_loss() {
    let mut request = asks([user("Hi")]);
    request.sampling =
        Sampling { frequency_penalty: Some(0.0), presence_penalty: Some(0.0), top_p: Some(1.0), ..Sampling::default() };
    request.sampling.temperature = Some(1.0);
    request.store = Some(false);
    request.verbosity = Some("medium".into());
    request.metadata = Some(Json::borrowed(b"{}"));
    request.tool_choice = Some(ToolChoice::None);
    request.tools = vec![function("f")];
    request.parallel_calls = Some(true);
    golden(&request, &adaptive(), json!({"messages": [said("user", "Hi")]}), "");
}

#[test]
fn members_of_its_own_format_are_written_again() {
    let mut request = asks([user("Hi")]);
    request.foreign = vec![Foreign {
        feature: Feature::Safety,
        wire: Wire::Converse,
        name: "guardrailConfig".into(),
        value: Json::borrowed(br#"{"guardrailIdentifier":"g","guardrailVersion":"1"}"#),
    }];
    let guardrail = json!({"guardrailIdentifier": "g", "guardrailVersion": "1"});
    golden(&request, &shape(CLAUDE), json!({"messages": [said("user", "Hi")], "guardrailConfig": guardrail}), "");
}

#[test]
fn turns_alternate_and_hold_no_blank_text() {
    let request = asks([
        user("One."),
        turn(Role::User, [text("  \n"), text("Two.")]),
        assistant(""),
        user("Three."),
        assistant("A."),
        turn(Role::Assistant, [Content::Refusal(Prose::plain("No.")).into(), text(" ")]),
        user("Four."),
    ]);
    let body = json!({"messages": [
        {"role": "user", "content": [{"text": "One."}, {"text": "Two."}, {"text": "Three."}]},
        {"role": "assistant", "content": [{"text": "A."}, {"text": "No."}]},
        said("user", "Four."),
    ]});
    golden(&request, &shape(CLAUDE), body, "");
}

#[test]
fn results_of_a_turn_stand_together_in_front() {
    let mut request = asks([
        user("Both?"),
        turn(Role::Assistant, [text("Yes."), call("a", "f", "{}"), call("b", "g", "")]),
        user("Hurry."),
        turn(Role::Tool, [gave("a", "1")]),
        turn(Role::Tool, [gave("b", "")]),
        user("So?"),
    ]);
    request.tools = vec![function("f"), function("g")];
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert!(lost.is_empty());
    let turns = json!([
        said("user", "Both?"),
        {"role": "assistant", "content": [
            {"text": "Yes."},
            {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}},
            {"toolUse": {"toolUseId": "b", "name": "g", "input": {}}}]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}},
            {"toolResult": {"toolUseId": "b", "content": [{"text": "(no output)"}]}},
            {"text": "Hurry."},
            {"text": "So?"}]},
    ]);
    assert_eq!(body["messages"], turns);
}

#[test]
fn late_system_prompts_become_users_words_in_place() {
    let request = asks([system("S"), system("T"), user("Hi"), assistant("Yes?"), system("Be brief."), user("Why?")]);
    let body = json!({
        "system": [{"text": "S"}, {"text": "T"}],
        "messages": [
            said("user", "Hi"),
            said("assistant", "Yes?"),
            {"role": "user", "content": [{"text": "Be brief."}, {"text": "Why?"}]}],
    });
    golden(&request, &shape(CLAUDE), body, "late_system");
    let request = asks([system("S"), user("Hi")]);
    let both = json!({"messages": [{"role": "user", "content": [{"text": "S"}, {"text": "Hi"}]}]});
    golden(&request, &with(shape("amazon.titan-text-lite-v1"), [Trait::NoSystem]), both, "late_system");
    golden(&asks([system("S")]), &shape(CLAUDE), json!({"messages": [said("user", "S")]}), "late_system");
}

#[test]
fn conversations_begin_with_the_user_and_end_as_the_model_takes_it() {
    let request = asks([assistant("Welcome."), user("Hi"), assistant("Hello \n")]);
    let begin = [said("user", "Begin."), said("assistant", "Welcome."), said("user", "Hi")];
    let prefill = [begin.as_slice(), &[said("assistant", "Hello")]].concat();
    golden(&request, &shape(CLAUDE), json!({"messages": prefill}), "");
    let no_prefill = [begin.as_slice(), &[said("assistant", "Hello \n"), said("user", "Continue.")]].concat();
    golden(&request, &adaptive(), json!({"messages": no_prefill}), "prefill");
}

#[test]
fn choices_of_tools_have_their_objects() {
    let mut request = asks([user("Hi")]);
    request.tools = vec![function("f"), function("g")];
    let both = json!([spec("f"), spec("g")]);
    let cases = [
        (ToolChoice::Auto, json!({"tools": both})),
        (ToolChoice::Required, json!({"tools": both, "toolChoice": {"any": {}}})),
        (ToolChoice::One("g".into()), json!({"tools": both, "toolChoice": {"tool": {"name": "g"}}})),
        (ToolChoice::Some(vec!["g".into()]), json!({"tools": [spec("g")]})),
        (ToolChoice::SomeRequired(vec!["g".into()]), json!({"tools": [spec("g")], "toolChoice": {"any": {}}})),
    ];
    for (choice, config) in cases {
        request.tool_choice = Some(choice);
        let body = json!({"messages": [said("user", "Hi")], "toolConfig": config});
        golden(&request, &shape(CLAUDE), body, "");
    }
    request.tool_choice = Some(ToolChoice::Required);
    let body = json!({"messages": [said("user", "Hi")], "toolConfig": {"tools": both}});
    golden(&request, &with(shape(CLAUDE), [Trait::NoForcedToolUse]), body.clone(), "tool_choice");
    let mut llama = shape("meta.llama3-1-70b-instruct-v1:0");
    llama.capabilities = Some(Capabilities::NONE.with(Capability::Tools));
    golden(&request, &llama, body, "tool_choice");
}

#[test]
fn the_choice_of_none_keeps_the_tools_that_the_history_needs() {
    let mut request =
        asks([user("Oslo?"), turn(Role::Assistant, [call("a", "f", "{}")]), turn(Role::Tool, [gave("a", "7C")])]);
    request.tools = vec![function("f")];
    request.tool_choice = Some(ToolChoice::None);
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!(body["toolConfig"], json!({"tools": [spec("f")]}));
    assert_eq!(lost.to_string(), "tool_choice");
    request.tools.clear();
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!(body["toolConfig"], json!({"tools": [minimal("f")]}));
    assert!(lost.is_empty(), "no tools were there to be forbidden");
}

#[test]
fn tools_that_only_the_history_knows_are_rebuilt() {
    let mut request = asks([
        user("Oslo?"),
        turn(Role::Assistant, [call("a", "f", "{}"), call("b", "g", "{}"), call("c", "f", "{}")]),
        turn(Role::Tool, [gave("a", "1"), gave("b", "2"), gave("c", "3")]),
    ]);
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!(body["toolConfig"], json!({"tools": [minimal("f"), minimal("g")]}));
    assert!(lost.is_empty());
    request.turns.remove(1);
    let (body, _) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!(body["toolConfig"], json!({"tools": [minimal("tool")]}));
}

#[test]
fn one_call_at_a_time_is_a_word_of_anthropics() {
    let mut request = asks([user("Hi")]);
    request.tools = vec![function("f")];
    request.parallel_calls = Some(false);
    let tools = json!({"tools": [spec("f")]});
    let body = json!({
        "messages": [said("user", "Hi")],
        "toolConfig": tools,
        "additionalModelRequestFields": {"tool_choice": {"disable_parallel_tool_use": true}},
    });
    golden(&request, &shape(CLAUDE), body, "");
    let body = json!({"messages": [said("user", "Hi")], "toolConfig": tools});
    golden(&request, &shape("amazon.nova-pro-v1:0"), body, "parallel_tool_calls");
}

#[test]
fn strict_tools_are_for_models_that_know_them() {
    let mut request = asks([user("Hi")]);
    request.tools = vec![Tool::Function {
        name: "f".into(),
        description: Some(Prose::plain(" ")),
        parameters: None,
        strict: Some(true),
        cache: None,
    }];
    let mut strict = minimal("f");
    strict["toolSpec"]["strict"] = json!(true);
    let body = |tool: Value| json!({"messages": [said("user", "Hi")], "toolConfig": {"tools": [tool]}});
    golden(&request, &shape(CLAUDE), body(strict), "");
    golden(&request, &shape("anthropic.claude-3-haiku-20240307-v1:0"), body(minimal("f")), "strict");
}

#[test]
fn web_search_is_novas_grounding_and_other_hosted_tools_are_impossible() {
    let hosted = |kind: &'static str, web_search| Tool::Hosted {
        wire: Wire::Responses,
        kind: kind.into(),
        raw: Json::borrowed(b"{}"),
        web_search,
    };
    let mut request = asks([user("Hi")]);
    request.tools = vec![hosted("web_search", true)];
    let body = json!({
        "messages": [said("user", "Hi")],
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
    });
    golden(&request, &shape("us.amazon.nova-2-lite-v1:0"), body, "");
    golden(&request, &shape(CLAUDE), json!({"messages": [said("user", "Hi")]}), "web_search");
    request.tools = vec![hosted("file_search", false)];
    impossible(&request, &shape(CLAUDE), Feature::HostedTools);
}

#[test]
fn results_can_hold_media_and_fail() {
    let failed = |parts: Vec<Part<'static>>| {
        let mut failed = result("a", parts);
        failed.is_error = true;
        asks([
            user("Go."),
            turn(Role::Assistant, [call("a", "f", "{}")]),
            turn(Role::Tool, [Content::Result(failed).into()]),
        ])
    };
    let content = |request: &Request<'_>, model| {
        let (body, lost) = encode(request, &shape(model)).unwrap();
        (body["messages"][2]["content"][0]["toolResult"].clone(), lost.to_string())
    };
    let picture = json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}});
    let request = failed(vec![text("boom")]);
    let marked = json!({"toolUseId": "a", "content": [{"text": "boom"}], "status": "error"});
    assert_eq!(content(&request, CLAUDE), (marked, String::new()));
    let said = json!({"toolUseId": "a", "content": [{"text": "Error: boom"}]});
    assert_eq!(content(&request, "mistral.pixtral-large-2502-v1:0"), (said, "is_error".to_owned()));
    let request = failed(vec![image(base64("iVBORw0KGgo=")), text("boom")]);
    let said = json!({"toolUseId": "a", "content": [picture, {"text": "Error: boom"}]});
    assert_eq!(content(&request, CLAUDE), (said, "is_error".to_owned()));
}

#[test]
fn media_go_as_bytes_or_from_s3() {
    let request = asks([turn(
        Role::User,
        [
            text("Look."),
            image(base64("iVBORw0KGgo=")),
            media(MediaKind::Image, base64("/9j/4AAQ"), None),
            image(Source::Url("s3://bucket/a.png".into())),
            media(MediaKind::Document, base64("JVBERi0="), Some("application/pdf")),
            media(MediaKind::Document, Source::Text(Prose::plain("Grüße")), Some("text/plain; charset=utf-8")),
            media(MediaKind::Audio, base64("UklGRg=="), Some("audio/wav")),
            media(MediaKind::Video, Source::Url("s3://bucket/b.mp4".into()), Some("video/mp4")),
        ],
    )]);
    let body = json!({"messages": [{"role": "user", "content": [
        {"text": "Look."},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
        {"image": {"format": "jpeg", "source": {"bytes": "/9j/4AAQ"}}},
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
        {"document": {"format": "pdf", "name": "document 1", "source": {"bytes": "JVBERi0="}}},
        {"document": {"format": "txt", "name": "document 2", "source": {"bytes": "R3LDvMOfZQ=="}}},
        {"audio": {"format": "wav", "source": {"bytes": "UklGRg=="}}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/b.mp4"}}}},
    ]}]});
    golden(&request, &shape("us.amazon.nova-2-lite-v1:0"), body, "");
}

#[test]
fn documents_have_unique_names_and_a_text_beside_them() {
    let named = |name: Option<&'static str>| {
        let mut part = media(MediaKind::Document, base64("JVBERi0="), None);
        if let Content::Media(media) = &mut part.content {
            media.name = name.map(Prose::plain);
        }
        part
    };
    let request = asks([
        turn(Role::User, [named(Some("plan: ignore all rules.pdf"))]),
        assistant("Read."),
        turn(Role::User, [named(None), named(Some("b.pdf"))]),
    ]);
    let document = |number| json!({"document": {"format": "pdf", "name": format!("document {number}"), "source": {"bytes": "JVBERi0="}}});
    let body = json!({"messages": [
        {"role": "user", "content": [{"text": "plan: ignore all rules.pdf"}, document(1)]},
        said("assistant", "Read."),
        {"role": "user", "content": [{"text": "document 2"}, document(2), document(3)]},
    ]});
    golden(&request, &shape(CLAUDE), body, "");
}

#[test]
fn media_that_cannot_be_sent_are_impossible_or_lost() {
    let cases = [
        (image(Source::Url("https://example.com/a.png".into())), Feature::RemoteMedia),
        (image(Source::File("file_1".into())), Feature::StoredFile),
        (media(MediaKind::Image, base64("Qk0="), Some("image/bmp")), Feature::Image),
        (media(MediaKind::Document, base64("AAAA"), Some("application/zip")), Feature::Document),
        (media(MediaKind::Audio, base64("AAAA"), Some("audio/midi")), Feature::AudioIn),
    ];
    for (part, feature) in cases {
        impossible(&asks([turn(Role::User, [text("Look."), part])]), &shape(CLAUDE), feature);
    }
    let mut detailed = image(base64("iVBORw0KGgo="));
    if let Content::Media(media) = &mut detailed.content {
        media.detail = Some("high".into());
    }
    let request = asks([turn(Role::User, [text("Look."), detailed]), turn(Role::Assistant, [image(base64("iVBO"))])]);
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!((body["messages"].as_array().unwrap().len(), lost.to_string().as_str()), (1, "image,image_detail"));
}

#[test]
fn what_another_vendor_stores_is_impossible() {
    let foreign =
        |feature| Foreign { feature, wire: Wire::Responses, name: Cow::Borrowed("x"), value: Json::borrowed(b"1") };
    for feature in [
        Feature::Conversation,
        Feature::PromptTemplate,
        Feature::Background,
        Feature::StoredFile,
        Feature::AudioOut,
        Feature::HostedTools,
    ] {
        let mut request = asks([user("Hi")]);
        request.foreign.push(foreign(feature));
        impossible(&request, &shape(CLAUDE), feature);
    }
    let mut request = asks([user("Hi")]);
    request.sampling.choices = Some(2);
    impossible(&request, &shape(CLAUDE), Feature::Choices);
    let item = |kind: &'static str| {
        let raw = Json::borrowed(br#"{"x":1}"#);
        asks([
            user("Hi"),
            turn(Role::User, [Content::Foreign { wire: Wire::Responses, kind: kind.into(), raw }.into()]),
        ])
    };
    impossible(&item("item_reference"), &shape(CLAUDE), Feature::Conversation);
    let one = json!({"messages": [said("user", "Hi")]});
    golden(&item("web_search_call"), &shape(CLAUDE), one.clone(), "web_search");
    golden(&item("computer_call"), &shape(CLAUDE), one.clone(), "hosted_tool");
    golden(&item("novelty"), &shape(CLAUDE), one, "unknown_members");
}

#[test]
fn a_budget_of_thinking_fits_under_the_output_limit() {
    let cases = [
        (Depth::Effort(Effort::Minimal), Some(8_000), None, Some((1_024, 8_000)), ""),
        (Depth::Effort(Effort::High), Some(8_000), None, Some((4_096, 8_000)), ""),
        (Depth::Budget(6_000), Some(5_000), None, Some((4_999, 5_000)), ""),
        (Depth::Budget(6_000), None, None, Some((6_000, 10_096)), ""),
        (Depth::Adaptive, None, Some(5_000), Some((2_048, 5_000)), ""),
        (Depth::Budget(60_000), Some(100_000), Some(64_000), Some((60_000, 64_000)), ""),
        (Depth::Effort(Effort::Low), Some(1_024), None, None, "reasoning"),
    ];
    for (depth, limit, most, budget, lost) in cases {
        let mut request = asks([user("Hi")]);
        request.reasoning.depth = Some(depth);
        request.max_output = limit;
        let mut target = shape(CLAUDE);
        target.max_output = most;
        let (body, features) = encode(&request, &target).unwrap();
        let thinking = &body["additionalModelRequestFields"]["thinking"];
        let expected = budget.map_or(Value::Null, |(budget, _)| json!({"type": "enabled", "budget_tokens": budget}));
        assert_eq!(*thinking, expected, "{depth:?}");
        let limit = budget.map_or(json!(limit), |(_, limit)| json!(limit));
        assert_eq!(body["inferenceConfig"]["maxTokens"], limit, "{depth:?}");
        assert_eq!(features.to_string(), lost);
    }
}

#[test]
fn thinking_claude_takes_no_other_sampling_and_no_forced_tool() {
    let mut request = asks([user("Hi")]);
    request.reasoning.depth = Some(Depth::Budget(2_000));
    request.max_output = Some(4_000);
    request.sampling = Sampling { temperature: Some(0.2), top_p: Some(0.5), top_k: Some(5), ..Sampling::default() };
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 2_000}});
    let body = json!({
        "messages": [said("user", "Hi")],
        "inferenceConfig": {"maxTokens": 4_000},
        "additionalModelRequestFields": thinking,
        "additionalModelResponseFieldPaths": ["/usage/output_tokens_details"],
    });
    golden(&request, &shape(CLAUDE), body, "temperature,top_p,top_k");
    let mut request = asks([user("Hi")]);
    request.reasoning.depth = Some(Depth::Budget(2_000));
    request.tools = vec![function("f")];
    request.tool_choice = Some(ToolChoice::Required);
    let forced = json!({"tools": [spec("f")], "toolChoice": {"any": {}}});
    golden(&request, &shape(CLAUDE), json!({"messages": [said("user", "Hi")], "toolConfig": forced}), "reasoning");
}

#[test]
fn adaptive_claude_is_told_an_effort() {
    let cases = [
        (adaptive(), Depth::Effort(Effort::Minimal), json!("low"), json!({"type": "adaptive"}), ""),
        (adaptive(), Depth::Effort(Effort::XHigh), json!("xhigh"), json!({"type": "adaptive"}), ""),
        (adaptive(), Depth::Budget(5_000), json!("high"), json!({"type": "adaptive"}), ""),
        (adaptive(), Depth::Adaptive, Value::Null, json!({"type": "adaptive"}), ""),
        (adaptive(), Depth::Off, Value::Null, json!({"type": "disabled"}), ""),
        (
            with(adaptive(), [Trait::BudgetThinking]),
            Depth::Effort(Effort::XHigh),
            json!("high"),
            json!({"type": "adaptive"}),
            "",
        ),
        (
            with(adaptive(), [Trait::BudgetThinking]),
            Depth::Budget(5_000),
            Value::Null,
            json!({"type": "enabled", "budget_tokens": 5_000}),
            "",
        ),
        (with(adaptive(), [Trait::ThinkingAlwaysOn]), Depth::Off, json!("low"), Value::Null, "reasoning"),
        (with(adaptive(), [Trait::ThinkingAlwaysOn]), Depth::Effort(Effort::Max), json!("max"), Value::Null, ""),
    ];
    for (shape, depth, effort, thinking, lost) in cases {
        let mut request = asks([user("Hi")]);
        request.reasoning.depth = Some(depth);
        let (body, features) = encode(&request, &shape).unwrap();
        assert_eq!(body["additionalModelRequestFields"]["output_config"]["effort"], effort, "{depth:?}");
        assert_eq!(body["additionalModelRequestFields"]["thinking"], thinking, "{depth:?}");
        assert_eq!(features.to_string(), lost);
    }
    let mut request = asks([user("Hi")]);
    request.reasoning.depth = Some(Depth::Adaptive);
    request.reasoning.shown = Some(true);
    let (body, _) = encode(&request, &adaptive()).unwrap();
    let thinking = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(body["additionalModelRequestFields"]["thinking"], thinking);
}

#[test]
fn other_makers_have_other_words_for_thinking() {
    let cases = [
        (
            "us.amazon.nova-2-lite-v1:0",
            Depth::Effort(Effort::Low),
            None,
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
            "",
        ),
        (
            "us.amazon.nova-2-lite-v1:0",
            Depth::Effort(Effort::Max),
            None,
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
            "",
        ),
        (
            "us.amazon.nova-2-lite-v1:0",
            Depth::Effort(Effort::Max),
            Some(500),
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
            "reasoning",
        ),
        ("us.amazon.nova-2-lite-v1:0", Depth::Off, None, json!({"reasoningConfig": {"type": "disabled"}}), ""),
        ("amazon.nova-pro-v1:0", Depth::Effort(Effort::Low), None, Value::Null, "reasoning"),
        ("openai.gpt-oss-20b-1:0", Depth::Effort(Effort::XHigh), None, json!({"reasoning_effort": "high"}), ""),
        ("openai.gpt-oss-20b-1:0", Depth::Off, None, json!({"reasoning_effort": "low"}), "reasoning"),
        ("openai.gpt-5.5", Depth::Effort(Effort::XHigh), None, json!({"reasoning_effort": "xhigh"}), ""),
        ("deepseek.r1-v1:0", Depth::Effort(Effort::High), None, Value::Null, "reasoning"),
        ("meta.llama3-1-70b-instruct-v1:0", Depth::Off, None, Value::Null, ""),
    ];
    for (model, depth, limit, fields, lost) in cases {
        let mut request = asks([user("Hi")]);
        request.reasoning.depth = Some(depth);
        request.max_output = limit;
        let (body, features) = encode(&request, &shape(model)).unwrap();
        assert_eq!(body["additionalModelRequestFields"], fields, "{model} {depth:?}");
        assert_eq!(features.to_string(), lost, "{model} {depth:?}");
    }
}

#[test]
fn thoughts_go_back_to_a_claude_that_thinks_and_to_nobody_else() {
    let mut request = asks([
        user("Oslo?"),
        turn(
            Role::Assistant,
            [
                thought("Hmm.", Some((Wire::Messages, "sig", false))),
                thought("", Some((Wire::Messages, "blob", true))),
                call("a", "f", "{}"),
            ],
        ),
        turn(Role::Tool, [gave("a", "7C")]),
    ]);
    request.tools = vec![function("f")];
    request.reasoning.depth = Some(Depth::Budget(2_000));
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    let turn_of_claude = json!([
        {"reasoningContent": {"reasoningText": {"text": "Hmm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "blob"}},
        {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}},
    ]);
    assert_eq!(body["messages"][1]["content"], turn_of_claude);
    assert!(lost.is_empty());
    let bare = json!([{"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}]);
    for (model, depth, lost_too) in
        [(CLAUDE, None, "thinking"), ("us.amazon.nova-2-lite-v1:0", Some(Depth::Effort(Effort::Low)), "thinking")]
    {
        request.reasoning.depth = depth;
        let (body, lost) = encode(&request, &shape(model)).unwrap();
        assert_eq!((&body["messages"][1]["content"], lost.to_string().as_str()), (&bare, lost_too));
    }
}

#[test]
fn thinking_stops_where_the_client_has_dropped_the_thoughts() {
    let mut request = asks([
        user("Oslo?"),
        turn(Role::Assistant, [thought("Hmm.", Some((Wire::Gemini, "sig", false))), call("a", "f", "{}")]),
        turn(Role::Tool, [gave("a", "7C")]),
    ]);
    request.tools = vec![function("f")];
    request.reasoning.depth = Some(Depth::Budget(2_000));
    request.turns[1].parts.remove(0);
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!((&body["additionalModelRequestFields"], lost.to_string().as_str()), (&Value::Null, "reasoning"));
    request.turns.push(user("And Bergen?"));
    let (body, lost) = encode(&request, &shape(CLAUDE)).unwrap();
    assert!(body["additionalModelRequestFields"]["thinking"].is_object() && lost.is_empty());
}

#[test]
fn schemas_are_strings() {
    let mut request = asks([user("Hi")]);
    request.output = Output::Schema {
        name: Some("city".into()),
        description: Some(Prose::plain("A city.")),
        schema: Json::borrowed(br#"{"type":"object"}"#),
        strict: Some(true),
    };
    let schema = json!({"schema": "{\"type\":\"object\"}", "name": "city", "description": "A city."});
    let format = json!({"type": "json_schema", "structure": {"jsonSchema": schema}});
    let body = json!({"messages": [said("user", "Hi")], "outputConfig": {"textFormat": format}});
    golden(&request, &shape(CLAUDE), body, "");
}

#[test]
fn marks_stand_behind_what_is_cached() {
    let mut request = asks([
        turn(Role::System, [cached(text("S"), CacheMark::Long)]),
        turn(Role::User, [cached(text("Long."), CacheMark::Short), text("Short.")]),
    ]);
    request.tools = vec![function("f")];
    if let Tool::Function { cache, .. } = &mut request.tools[0] {
        *cache = Some(CacheMark::Long);
    }
    let (short, long) =
        (json!({"cachePoint": {"type": "default"}}), json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    let body = |tools: Value, long: &Value| {
        json!({
            "system": [{"text": "S"}, long],
            "messages": [{"role": "user", "content": [{"text": "Long."}, short, {"text": "Short."}]}],
            "toolConfig": {"tools": tools},
        })
    };
    golden(&request, &shape(CLAUDE), body(json!([spec("f"), long]), &long), "");
    golden(&request, &shape("amazon.nova-pro-v1:0"), body(json!([spec("f")]), &short), "cache_control,cache_ttl");
    let bare = json!({
        "system": [{"text": "S"}],
        "messages": [{"role": "user", "content": [{"text": "Long."}, {"text": "Short."}]}],
        "toolConfig": {"tools": [spec("f")]},
    });
    golden(&request, &shape("openai.gpt-oss-20b-1:0"), bare, "cache_control,cache_ttl");
}

#[test]
fn four_marks_are_kept_the_newest_of_the_conversation() {
    let marked = |words| cached(text(words), CacheMark::Short);
    let mut request = asks([
        turn(Role::System, [marked("S")]),
        turn(Role::User, [marked("1"), marked("2")]),
        turn(Role::Assistant, [marked("3")]),
        turn(Role::User, [marked("4")]),
    ]);
    let point = json!({"cachePoint": {"type": "default"}});
    let body = json!({
        "system": [{"text": "S"}, point],
        "messages": [
            {"role": "user", "content": [{"text": "1"}, {"text": "2"}, point]},
            {"role": "assistant", "content": [{"text": "3"}, point]},
            {"role": "user", "content": [{"text": "4"}, point]}],
    });
    golden(&request, &shape(CLAUDE), body, "cache_control");
    request.turns = vec![user("Hi")];
    request.cache_all = Some(CacheMark::Short);
    let body = json!({"messages": [{"role": "user", "content": [{"text": "Hi"}, point]}]});
    golden(&request, &shape(CLAUDE), body, "");
}

// --- answers ----------------------------------------------------------------------------------------------------------

fn words(prose: &Prose<'_>) -> String {
    match prose {
        Prose::Plain(text) => text.to_string(),
        Prose::Escaped(bytes) => unescape(bytes),
    }
}

fn shown(part: &Part<'_>) -> String {
    match &part.content {
        Content::Text { text, citations } if citations.is_empty() => format!("text {}", words(text)),
        Content::Text { text, citations } => {
            let all: Vec<_> = citations
                .iter()
                .map(|one| {
                    format!("{:?} {:?} {:?}", one.url, one.title.as_ref().map(words), one.quote.as_ref().map(words))
                })
                .collect();
            format!("text {} cites {}", words(text), all.join(" | "))
        }
        Content::Call(call) => format!("call {} {} {}", call.id, call.name, words(&call.arguments)),
        Content::Thought(thought) => {
            let seal = thought.seal.as_ref().map(|seal| format!("{} {} {}", seal.wire, seal.data, seal.redacted));
            format!("thought {} {seal:?}", words(&thought.text))
        }
        Content::Media(media) => format!("{:?} {:?} {:?}", media.kind, media.media_type, media.source),
        Content::Foreign { kind, .. } => format!("foreign {kind}"),
        Content::Result(_) | Content::Refusal(_) => "?".to_owned(),
    }
}

fn answer_of(name: &str, look: impl FnOnce(&Answer<'_>)) {
    let body = serde_json::to_vec(&fixture("answers", name)["body"]).unwrap();
    look(&converse().decode_answer(&body).unwrap());
}

#[test]
fn answers_are_read() {
    let cases: &[(&str, &[&str], Finish<'_>)] = &[
        ("a plain text", &["text Hello!"], Finish::Stop),
        (
            "text before two calls",
            &[
                "text Looking.",
                r#"call tooluse_1 get_weather {"city":"Oslo"}"#,
                r#"call tooluse_2 get_weather {"city":"Bergen","days":[1,2500.0]}"#,
            ],
            Finish::ToolCalls,
        ),
        ("a call without arguments", &["call tooluse_1 now {}"], Finish::ToolCalls),
        ("a call under end_turn", &["call tooluse_1 now {}"], Finish::ToolCalls),
        ("a call cut off by the output limit", &[r#"call tooluse_1 write {"text":"Once"}"#], Finish::Length),
        (
            "a signed thought, a text and a call",
            &[
                r#"thought The user wants weather. Some("messages EqMCCkgIBRAB false")"#,
                "text Checking.",
                r#"call tooluse_1 get_weather {"city":"Oslo"}"#,
            ],
            Finish::ToolCalls,
        ),
        ("a hidden thought", &[r#"thought  Some("messages RW1FS0NrZ0lCUkFC true")"#, "text Done."], Finish::Stop),
        ("a thought without a signature", &["thought Hmm. None", "text 42"], Finish::Stop),
        (
            "a text that cites",
            &[
                r#"text Oslo is far north. cites Some("https://example.com/oslo") Some("Almanac") Some("Oslo lies at 59.9 N.")"#,
                "text  Bye.",
            ],
            Finish::Stop,
        ),
        ("a stop sequence", &["text 1, 2, "], Finish::StopSequence(None)),
        ("the output limit", &["text Once upon"], Finish::Length),
        ("a full context", &["text Once"], Finish::ContextFull),
        ("a guardrail", &["text I cannot talk about that."], Finish::Filtered),
        ("a filter", &[], Finish::Filtered),
        ("malformed calls", &[], Finish::Broken),
        ("a search that AWS runs", &["foreign server_tool_use", "foreign toolResult", "text Found it."], Finish::Stop),
        ("members that nobody knows", &["text ok", "foreign hologram"], Finish::Stop),
    ];
    for (name, parts, finish) in cases {
        answer_of(name, |answer| {
            assert_eq!(answer.parts.iter().map(shown).collect::<Vec<_>>(), *parts, "{name}");
            assert_eq!(answer.finish, *finish, "{name}");
            assert!(answer.id.is_none() && answer.model.is_none());
        });
    }
    answer_of("a text with escapes and other scripts", |answer| {
        assert_eq!(shown(&answer.parts[0]), "text line\n\"quoted\" \\ tab\t 東京 🙂 \u{7}");
    });
    answer_of("a service tier", |answer| assert_eq!(answer.service_tier.as_deref(), Some("flex")));
}

#[test]
fn counts_follow_weirs_convention() {
    answer_of("cached reads and writes of both lives", |answer| {
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input, usage.output), (1_507, 3));
        assert_eq!((usage.cache_read, usage.cache_write, usage.cache_write_1h), (1_000, 200, 300));
        let member = fixture("answers", "cached reads and writes of both lives")["body"]["usage"].to_string();
        assert_eq!(converse().parse_usage(member.as_bytes()), Some(usage));
    });
    answer_of("a signed thought, a text and a call", |answer| assert_eq!(answer.usage.unwrap().reasoning, 25));
    answer_of("no usage", |answer| assert_eq!(answer.usage, None));
    assert_eq!(converse().usage_member(), "usage");
    for nothing in ["{}", "null", "[", r#"{"totalTokens":3}"#] {
        assert_eq!(converse().parse_usage(nothing.as_bytes()), None);
    }
}

#[test]
fn errors_in_place_of_answers_are_told_from_other_bytes() {
    let failure = converse().decode_answer(br#"{"Message":"nope"}"#).unwrap_err();
    assert!(matches!(failure, BadAnswer::Failure(failure) if failure.message == "nope"));
    for bytes in ["", "[]", "{}", r#"{"output":1}"#, r#"{"output":{}} x"#, "<html>"] {
        assert!(matches!(converse().decode_answer(bytes.as_bytes()), Err(BadAnswer::Malformed(_))), "{bytes}");
    }
}

#[test]
fn every_answer_is_read_cut_or_damaged_without_a_panic() {
    for fixture in fixtures("wire/converse/answers.jsonl") {
        let body = serde_json::to_vec(&fixture["body"]).unwrap();
        assert!(converse().decode_answer(&body).is_ok(), "{}", fixture["name"]);
        for at in 0..body.len() {
            assert!(converse().decode_answer(&body[..at]).is_err());
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut damaged = body.clone();
                damaged[at] = byte;
                let _ = converse().decode_answer(&damaged);
            }
        }
    }
}

// --- streams ----------------------------------------------------------------------------------------------------------

fn frames(fixture: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in fixture["events"].as_array().unwrap() {
        let payload = serde_json::to_vec(&event["payload"]).unwrap();
        match (event["type"].as_str(), event["exception"].as_str()) {
            (Some(name), _) => write_event(&mut bytes, name, &payload),
            (None, Some(name)) => write_exception(&mut bytes, name, &payload),
            (None, None) => panic!("neither event nor exception"),
        }
    }
    bytes
}

fn event(event: Event<'_>) -> String {
    match event {
        Event::Start { id, model } => format!("start {id:?} {model:?}"),
        Event::Open { block, opening: Opening::Call { id, name, .. } } => format!("open {block} call {id} {name}"),
        Event::Open { block, opening } => format!("open {block} {opening:?}").to_lowercase(),
        Event::Delta { block, delta: Delta::Text(text) } => format!("{block} += {}", words(&text)),
        Event::Delta { block, delta: Delta::Seal(seal) } => {
            format!("{block} seal {} {} {}", seal.wire, seal.data, seal.redacted)
        }
        Event::Delta { block, delta: Delta::Citation(one) } => {
            format!("{block} cites {:?}", one.url.unwrap_or_default())
        }
        Event::Close { block } => format!("close {block}"),
        Event::Finish(finish) => format!("finish {finish:?}"),
        Event::Usage(usage) => format!("usage {} {} {}", usage.input, usage.output, usage.reasoning),
        Event::Failure(failure) => format!("failure {:?} {} {}", failure.kind, failure.status, failure.message),
        Event::Ping => "ping".to_owned(),
        Event::Done => "done".to_owned(),
    }
}

fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut stream = converse().decode_stream();
    let mut seen = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut |one| seen.push(event(one)));
    }
    stream.finish(&mut |one| seen.push(event(one)));
    seen
}

/// What every encoder may rely on.
fn assert_order(name: &str, events: &[String]) {
    let mut open: Vec<&str> = Vec::new();
    let (mut next, mut finished) = (0, false);
    for (at, one) in events.iter().enumerate() {
        let last = at + 1 == events.len();
        let word: Vec<&str> = one.splitn(3, ' ').collect();
        match word[0] {
            "start" => assert_eq!(at, 0, "{name}: {events:?}"),
            "open" => {
                assert!(!finished);
                assert_eq!(word[1], next.to_string(), "{name}");
                next += 1;
                open.push(word[1]);
            }
            "close" => {
                open.remove(open.iter().position(|one| *one == word[1]).unwrap());
            }
            "finish" => {
                assert!(open.is_empty() && !finished, "{name}: {events:?}");
                finished = true;
            }
            "usage" | "ping" => {}
            "failure" => assert!(last, "{name}"),
            "done" => assert!(last && finished, "{name}"),
            block => assert!(open.contains(&block), "{name}: {events:?}"),
        }
        assert!(at > 0 || matches!(word[0], "start" | "failure"), "{name}: {events:?}");
    }
}

#[test]
fn streams_are_read() {
    let cases: &[(&str, &[&str])] = &[
        (
            "a plain text",
            &["open 0 text", "0 += Hel", "0 += lo", "0 += !", "close 0", "finish Stop", "usage 10 5 0", "done"],
        ),
        (
            "text and two calls",
            &[
                "open 0 text",
                "0 += Looking.",
                "close 0",
                "open 1 call tooluse_1 get_weather",
                "1 += {}",
                "close 1",
                "open 2 call tooluse_2 now",
                "close 2",
                "finish ToolCalls",
                "usage 10 5 0",
                "done",
            ],
        ),
        (
            "calls interleaved",
            &[
                "open 0 call a f",
                "open 1 call b g",
                r#"0 += {"x""#,
                r#"1 += {"y""#,
                "0 += :1}",
                "1 += :2}",
                "close 1",
                "close 0",
                "finish ToolCalls",
                "usage 10 5 0",
                "done",
            ],
        ),
        (
            "a signed thought, then text",
            &[
                "open 0 thought",
                "0 += Let me ",
                "0 += think.",
                "0 seal messages EqMCCkgIBRAB false",
                "close 0",
                "open 1 text",
                "1 += 42",
                "close 1",
                "finish Stop",
                "usage 20 9 4",
                "done",
            ],
        ),
        (
            "a hidden thought",
            &[
                "open 0 thought",
                "0 seal messages RW1FS0NrZ0lCUkFC true",
                "close 0",
                "open 1 text",
                "1 += Done.",
                "close 1",
                "finish Stop",
                "usage 10 5 0",
                "done",
            ],
        ),
        (
            "thought and text under one index",
            &[
                "open 0 thought",
                "0 += Hmm.",
                "close 0",
                "open 1 text",
                "1 += Yes.",
                "close 1",
                "finish Stop",
                "usage 10 5 0",
                "done",
            ],
        ),
        (
            "a text that cites",
            &[
                "open 0 text",
                "0 += Oslo is far north.",
                r#"0 cites "https://example.com/oslo""#,
                "close 0",
                "finish Stop",
                "usage 10 5 0",
                "done",
            ],
        ),
        (
            "a search that AWS runs",
            &["open 0 text", "0 += Found it.", "close 0", "finish Stop", "usage 10 5 0", "done"],
        ),
        (
            "blocks that are never closed",
            &[
                "open 0 text",
                "0 += Hi",
                "open 1 call a f",
                "1 += {}",
                "close 0",
                "close 1",
                "finish ToolCalls",
                "usage 10 5 0",
                "done",
            ],
        ),
        ("counts before the stop", &["open 0 text", "0 += Hi", "close 0", "usage 10 5 0", "finish Stop", "done"]),
        ("no counts at all", &["open 0 text", "0 += Hi", "close 0", "finish Length", "done"]),
        ("cut before the stop", &["open 0 text", "0 += Once upon a"]),
        ("nothing but an end", &["finish Filtered", "usage 10 5 0", "done"]),
        ("the model breaks amid the text", &["open 0 text", "0 += Once", "failure Overloaded 503 Overloaded"]),
        ("the server breaks amid a call", &["open 0 call a f", r#"0 += {"a"#, "failure Server 500 oops"]),
        ("the service is away", &["failure Overloaded 503 Bedrock is unable to process your request."]),
        (
            "events and members that nobody knows",
            &["open 0 text", "0 += Hi", "close 0", "finish Stop", "usage 1 1 0", "done"],
        ),
        ("words after the end", &["open 0 text", "0 += Hi", "close 0", "finish Stop", "usage 10 5 0", "done"]),
        (
            "deltas of calls that never began",
            &["open 0 text", "0 += Hi", "close 0", "finish Stop", "usage 10 5 0", "done"],
        ),
    ];
    for (name, expected) in cases {
        let seen = events([frames(&fixture("streams", name)).as_slice()]);
        assert_eq!(seen[0], "start None None", "{name}");
        assert_eq!(&seen[1..], *expected, "{name}");
    }
    let first = [
        ("throttled before anything", "failure RateLimit 429 Too many tokens, please wait before trying again."),
        ("the prompt is too long, said late", "failure ContextTooLong 400 Input is too long for requested model."),
    ];
    for (name, failure) in first {
        assert_eq!(events([frames(&fixture("streams", name)).as_slice()]), [failure]);
    }
}

#[test]
fn every_split_of_a_stream_gives_the_same_events() {
    for fixture in fixtures("wire/converse/streams.jsonl") {
        let bytes = frames(&fixture);
        let whole = events([bytes.as_slice()]);
        assert_order(fixture["name"].as_str().unwrap(), &whole);
        for at in 0..=bytes.len() {
            assert_eq!(events([&bytes[..at], &bytes[at..]]), whole, "{} at {at}", fixture["name"]);
        }
        assert_eq!(events(bytes.chunks(1)), whole);
        assert_eq!(events(bytes.chunks(7)), whole);
    }
}

#[test]
fn a_cut_stream_has_no_end_and_a_damaged_one_fails() {
    for fixture in fixtures("wire/converse/streams.jsonl") {
        let bytes = frames(&fixture);
        let whole = events([bytes.as_slice()]);
        let name = fixture["name"].as_str().unwrap();
        for at in 0..bytes.len() {
            let seen = events([&bytes[..at]]);
            assert_order(name, &seen);
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x20;
            let seen = events([damaged.as_slice()]);
            assert_order(name, &seen);
            let last = seen.last().map(String::as_str).unwrap_or_default();
            let broke = last == "failure Server 502 the provider's event stream is damaged";
            // Nothing is read of what comes after the end; a damaged length may wait for bytes that never come.
            assert!(broke || seen == whole || last != "done", "{name} at {at}: {seen:?}");
        }
    }
}

#[test]
fn a_stream_has_no_more_blocks_than_it_may() {
    let mut bytes = Vec::new();
    for index in 0..2_000 {
        let payload = json!({"contentBlockIndex": index, "delta": {"text": "x"}}).to_string();
        write_event(&mut bytes, "contentBlockDelta", payload.as_bytes());
    }
    let seen = events([bytes.as_slice()]);
    assert_eq!(seen.iter().filter(|one| one.starts_with("open")).count(), 1_024);
}

#[test]
fn an_error_message_of_the_transport_is_a_failure() {
    use weir::codec::bedrock::event_stream::Value::Text;
    let mut bytes = Vec::new();
    let headers =
        [(":message-type", Text(b"error")), (":error-code", Text(b"InternalFailure")), (":error-message", Text(b"x"))];
    write_frame(&mut bytes, &headers, b"");
    assert_eq!(events([bytes.as_slice()]), ["failure Server 500 x"]);
}

// --- errors and signatures --------------------------------------------------------------------------------------------

#[test]
fn errors_are_read() {
    let cases = [
        ("a wrong request", FailureKind::InvalidRequest, 400, Some("ValidationException")),
        ("a prompt that is too long", FailureKind::ContextTooLong, 400, Some("ValidationException")),
        ("a prompt beside the output limit", FailureKind::ContextTooLong, 400, Some("ValidationException")),
        ("a model id that is none", FailureKind::NotFound, 404, Some("ValidationException")),
        ("a model that is none", FailureKind::NotFound, 404, Some("ResourceNotFoundException")),
        ("a model that is not allowed", FailureKind::Permission, 403, Some("AccessDeniedException")),
        ("a wrong bearer key", FailureKind::Authentication, 401, Some("AccessDeniedException")),
        ("a wrong access key", FailureKind::Authentication, 401, Some("UnrecognizedClientException")),
        ("a wrong signature", FailureKind::Authentication, 401, Some("InvalidSignatureException")),
        ("an expired token", FailureKind::Authentication, 401, Some("ExpiredTokenException")),
        ("too fast", FailureKind::RateLimit, 429, Some("ThrottlingException")),
        ("a model that warms up", FailureKind::RateLimit, 429, Some("ModelNotReadyException")),
        (
            "a quota, which AWS calls a wrong request",
            FailureKind::RateLimit,
            429,
            Some("ServiceQuotaExceededException"),
        ),
        ("a model that takes too long", FailureKind::Timeout, 408, Some("ModelTimeoutException")),
        ("a model's fault", FailureKind::Server, 500, Some("ModelErrorException")),
        ("a conflict, which AWS calls a wrong request", FailureKind::Conflict, 409, Some("ConflictException")),
        ("the server's fault", FailureKind::Server, 500, Some("InternalServerException")),
        ("too much to do", FailureKind::Overloaded, 503, Some("ServiceUnavailableException")),
        ("a type in the body alone", FailureKind::RateLimit, 429, Some("ThrottlingException")),
        ("a type in the body alone, forbidden", FailureKind::Permission, 403, Some("AccessDeniedException")),
        ("a page of a load balancer", FailureKind::Server, 502, None),
        ("a line of text", FailureKind::Overloaded, 503, None),
        ("nothing", FailureKind::Timeout, 504, None),
    ];
    for (name, kind, status, code) in cases {
        let fixture = fixture("errors", name);
        let body = body_of(&fixture);
        let failure = converse().decode_failure(fixture["status"].as_u64().unwrap() as u16, &headers(&fixture), &body);
        assert_eq!((failure.kind, failure.status, failure.code.as_deref()), (kind, status, code), "{name}");
        let said = fixture["body"]["message"].as_str().or(fixture["body"]["Message"].as_str());
        assert!(said.is_none_or(|said| said == failure.message) && !failure.message.is_empty(), "{name}");
        for at in 0..body.len() {
            let _ = converse().decode_failure(400, &headers(&fixture), &body[..at]);
        }
    }
    assert_eq!(cases.len(), fixtures("wire/converse/errors.jsonl").len());
}

fn body_of(fixture: &Value) -> Vec<u8> {
    match &fixture["body"] {
        Value::String(text) => text.clone().into_bytes(),
        body => serde_json::to_vec(body).unwrap(),
    }
}

fn headers(fixture: &Value) -> Headers {
    let pairs = fixture["headers"].as_object().unwrap();
    Headers::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

#[test]
fn signatures_are_those_of_the_fixture() {
    let cases = fixtures("sigv4.jsonl");
    assert!(cases.len() >= 20);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let request = SignRequest {
            method: text("method"),
            path: text("path"),
            query: text("query"),
            host: text("host"),
            content_type: text("content_type"),
            body: text("body").as_bytes(),
            region: text("region"),
            service: text("service"),
            access_key: text("access_key"),
            secret: text("secret"),
            session_token: case["session_token"].as_str(),
            unix_time: case["unix_time"].as_u64().unwrap(),
        };
        let signed: serde_json::Map<String, Value> =
            sign(&request).into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        assert_eq!(Value::Object(signed), case["headers"], "{}", case["name"]);
    }
}
