//! Cohere v2, the provider's side: golden requests, and whole answers, streams, errors and embeddings. Not the way from
//! one format to another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Value, json};
use weir::chat::answer::{Answer, Finish};
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::embedding::{EmbeddingInput, EmbeddingRequest, EmbeddingTask, Vector};
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::failure::FailureKind;
use weir::chat::family::ApiFamily;
use weir::chat::feature::{Feature, Features};
use weir::chat::part::{CacheMark, Call, CallKind, CallResult, Content, Media, MediaKind, Part, Seal, Source, Thought};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Foreign, Output, Request, Role, Sampling, Tool, ToolChoice, Turn};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::json::unescape;
use weir::codec::registry::{embedding_provider, provider};
use weir::codec::wire::{BadAnswer, Impossible, ProviderWire, Shape};
use weir::codec::writer::Writer;
use weir::http::Headers;

fn cohere() -> &'static dyn ProviderWire {
    provider(Wire::Cohere)
}

fn fixtures(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire/cohere").join(format!("{kind}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fixture(kind: &str, name: &str) -> Value {
    fixtures(kind).into_iter().find(|fixture| fixture["name"] == name).unwrap_or_else(|| panic!("no fixture {name:?}"))
}

// --- requests ---------------------------------------------------------------------------------------------------------

const MODEL: &str = "command-a-03-2025";

fn shape() -> Shape<'static> {
    let traits = Traits::NONE;
    Shape { model: MODEL, api: ApiFamily::Cohere, vendor: "cohere", traits, capabilities: None, max_output: None }
}

fn with(one: Trait) -> Shape<'static> {
    Shape { traits: Traits::NONE.with(one), ..shape() }
}

fn without_capabilities() -> Shape<'static> {
    Shape { capabilities: Some(Capabilities::NONE.with(Capability::Tools)), ..shape() }
}

fn encode(request: &Request<'_>, shape: &Shape<'_>) -> Result<(Value, Features), Impossible> {
    let mut writer = Writer::with_capacity(256);
    let lost = cohere().encode_request(request, shape, &mut writer);
    let mut discarding = Writer::discarding();
    let lost_too = cohere().encode_request(request, shape, &mut discarding);
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
    json!({"type": "function", "function": {"name": name, "description": "Gets.", "parameters": schema}})
}

fn cached(mut part: Part<'_>, mark: CacheMark) -> Part<'_> {
    part.cache = Some(mark);
    part
}

fn asks<'a>(turns: impl IntoIterator<Item = Turn<'a>>) -> Request<'a> {
    Request { turns: turns.into_iter().collect(), ..Request::default() }
}

fn said(role: &str, words: &str) -> Value {
    json!({"role": role, "content": words})
}

/// The body of a request with these messages and further members.
fn body(messages: Value, rest: Value) -> Value {
    let mut body = json!({"model": MODEL, "messages": messages});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body
}

fn hi(rest: Value) -> Value {
    body(json!([said("user", "Hi")]), rest)
}

fn wire_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

#[test]
fn a_tool_turn_is_written_as_the_reference_has_it() {
    let mut request = asks([
        system("S"),
        user("Oslo?"),
        turn(Role::Assistant, [text("I will look."), call("call_1", "get_weather", r#"{"city":"Oslo"}"#)]),
        turn(Role::Tool, [gave("call_1", "7C")]),
    ]);
    request.tools = vec![function("get_weather")];
    request.stream = true;
    let messages = json!([
        said("system", "S"),
        said("user", "Oslo?"),
        {"role": "assistant", "tool_plan": "I will look.",
            "tool_calls": [wire_call("call_1", "get_weather", r#"{"city":"Oslo"}"#)]},
        {"role": "tool", "tool_call_id": "call_1", "content": "7C"},
    ]);
    golden(&request, &shape(), body(messages, json!({"tools": [spec("get_weather")], "stream": true})), "");
}

#[test]
fn settings_have_coheres_names_and_ranges() {
    let mut request = asks([user("Hi")]);
    request.max_output = Some(100);
    request.sampling = Sampling {
        temperature: Some(1.5),
        top_p: Some(1.0),
        top_k: Some(900),
        frequency_penalty: Some(2.0),
        presence_penalty: Some(0.5),
        seed: Some(7),
        stop: vec![Prose::plain("END"), Prose::plain("")],
        ..Sampling::default()
    };
    let settings = json!({
        "max_tokens": 100, "stop_sequences": ["END"], "temperature": 1, "p": 0.99, "k": 500,
        "frequency_penalty": 1, "presence_penalty": 0.5, "seed": 7,
    });
    golden(&request, &shape(), hi(settings), "");
    request.max_output = Some(9_000);
    let (written, _) = encode(&request, &Shape { max_output: Some(4_000), ..shape() }).unwrap();
    assert_eq!(written["max_tokens"], 4_000);
}

#[test]
fn settings_out_of_range_are_lost_and_named() {
    let mut request = asks([user("Hi")]);
    request.sampling = Sampling {
        frequency_penalty: Some(-0.5),
        presence_penalty: Some(-1.0),
        seed: Some(-7),
        stop: ["1", "2", "3", "4", "5", "6"].map(Prose::plain).into(),
        ..Sampling::default()
    };
    let stop = json!({"stop_sequences": ["1", "2", "3", "4", "5"]});
    golden(&request, &shape(), hi(stop), "frequency_penalty,presence_penalty,seed,stop");
    request.sampling = Sampling { temperature: Some(0.2), top_p: Some(0.5), top_k: Some(1), ..Sampling::default() };
    golden(&request, &with(Trait::NoSamplingParams), hi(json!({})), "temperature,top_p,top_k");
}

#[test]
fn what_cohere_has_no_word_for_is_lost_and_named() {
    let mut request = asks([Turn { name: Some(Prose::plain("ann")), ..user("Hi") }]);
    request.sampling = Sampling { logprobs: Some(0), choices: Some(1), ..Sampling::default() };
    request.store = Some(true);
    request.verbosity = Some("low".into());
    request.cache_key = Some(Prose::plain("k"));
    request.service_tier = Some("flex".into());
    request.user = Some(Prose::plain("u"));
    request.metadata = Some(Json::borrowed(br#"{"a":"b"}"#));
    request.web_search = true;
    request.cache_all = Some(CacheMark::Long);
    let foreign = |feature| Foreign { feature, wire: Wire::Chat, name: "x".into(), value: Json::borrowed(b"{}") };
    request.foreign = vec![foreign(Feature::LogitBias), foreign(Feature::Unknown)];
    let lost = "logprobs,logit_bias,verbosity,web_search,cache_control,cache_ttl,prompt_cache_key,service_tier,user,\
                name,metadata,store,unknown_members";
    golden(&request, &shape(), hi(json!({})), lost);
}

#[test]
fn defaults_are_no_loss() {
    let mut request = asks([user("Hi")]);
    request.store = Some(false);
    request.verbosity = Some("medium".into());
    request.service_tier = Some("auto".into());
    request.metadata = Some(Json::borrowed(b"{}"));
    request.tool_choice = Some(ToolChoice::None);
    request.parallel_calls = Some(false);
    golden(&request, &shape(), hi(json!({})), "");
}

#[test]
fn members_of_its_own_format_are_written_again() {
    let mut request = asks([user("Hi")]);
    request.foreign = vec![Foreign {
        feature: Feature::Safety,
        wire: Wire::Cohere,
        name: "safety_mode".into(),
        value: Json::borrowed(br#""STRICT""#),
    }];
    golden(&request, &shape(), hi(json!({"safety_mode": "STRICT"})), "");
}

#[test]
fn blank_text_and_empty_turns_are_left_out() {
    let request = asks([
        user("One."),
        turn(Role::User, [text(" "), text("Two."), text("Three.")]),
        assistant(""),
        turn(Role::User, [text("\n")]),
        turn(Role::Assistant, [Content::Refusal(Prose::plain("No.")).into()]),
        user("Why?"),
    ]);
    let messages = json!([
        said("user", "One."),
        {"role": "user", "content": [{"type": "text", "text": "Two."}, {"type": "text", "text": "Three."}]},
        said("assistant", "No."),
        said("user", "Why?"),
    ]);
    golden(&request, &shape(), body(messages, json!({})), "");
}

#[test]
fn late_system_prompts_stay_in_place() {
    let request = asks([system("S"), user("Hi"), assistant("Yes?"), system("Be brief."), user("Why?")]);
    let messages = json!([
        said("system", "S"),
        said("user", "Hi"),
        said("assistant", "Yes?"),
        said("system", "Be brief."),
        said("user", "Why?"),
    ]);
    golden(&request, &shape(), body(messages, json!({})), "");
    let request = asks([system("S"), user("Hi")]);
    let messages = json!([said("user", "S"), said("user", "Hi")]);
    golden(&request, &with(Trait::NoSystem), body(messages, json!({})), "late_system");
}

#[test]
fn a_beginning_of_the_answer_stays_where_the_model_takes_it() {
    let request = asks([user("Hi"), assistant("Hello")]);
    let messages = json!([said("user", "Hi"), said("assistant", "Hello")]);
    golden(&request, &shape(), body(messages, json!({})), "");
    let messages = json!([said("user", "Hi"), said("assistant", "Hello"), said("user", "Continue.")]);
    golden(&request, &with(Trait::NoPrefill), body(messages, json!({})), "prefill");
}

#[test]
fn choices_of_tools_are_required_none_or_fewer_tools() {
    let mut request = asks([user("Hi")]);
    request.tools = vec![function("f"), function("g")];
    let both = json!([spec("f"), spec("g")]);
    let one = json!([spec("g")]);
    let cases = [
        (ToolChoice::Auto, json!({"tools": both})),
        (ToolChoice::None, json!({"tools": both, "tool_choice": "NONE"})),
        (ToolChoice::Required, json!({"tools": both, "tool_choice": "REQUIRED"})),
        (ToolChoice::One("g".into()), json!({"tools": one, "tool_choice": "REQUIRED"})),
        (ToolChoice::Some(vec!["g".into()]), json!({"tools": one})),
        (ToolChoice::SomeRequired(vec!["g".into()]), json!({"tools": one, "tool_choice": "REQUIRED"})),
    ];
    for (choice, members) in cases {
        request.tool_choice = Some(choice);
        golden(&request, &shape(), hi(members), "");
    }
    request.tool_choice = Some(ToolChoice::Required);
    golden(&request, &with(Trait::NoForcedToolUse), hi(json!({"tools": both})), "tool_choice");
    golden(&request, &without_capabilities(), hi(json!({"tools": both})), "tool_choice");
    request.parallel_calls = Some(false);
    let required = json!({"tools": both, "tool_choice": "REQUIRED"});
    golden(&request, &shape(), hi(required), "parallel_tool_calls");
    request.tool_choice = Some(ToolChoice::One("h".into()));
    request.parallel_calls = None;
    golden(&request, &shape(), hi(json!({})), "tool_choice");
}

#[test]
fn strict_binds_all_tools_or_none() {
    let tool = |strict, parameters: Option<&'static [u8]>| Tool::Function {
        name: "f".into(),
        description: None,
        parameters: parameters.map(Json::borrowed),
        strict,
        cache: None,
    };
    let bare =
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}});
    let mut request = asks([user("Hi")]);
    request.tools = vec![tool(Some(true), None)];
    golden(&request, &shape(), hi(json!({"tools": [bare], "strict_tools": true})), "");
    request.tools = vec![tool(Some(true), None), tool(Some(false), Some(b"null"))];
    golden(&request, &shape(), hi(json!({"tools": [bare, bare]})), "strict");
}

#[test]
fn hosted_tools_are_lost_or_impossible() {
    let hosted = |kind: &'static str, web_search| Tool::Hosted {
        wire: Wire::Responses,
        kind: kind.into(),
        raw: Json::borrowed(b"{}"),
        web_search,
    };
    let mut request = asks([user("Hi")]);
    request.tools = vec![hosted("web_search", true)];
    golden(&request, &shape(), hi(json!({})), "web_search");
    request.tools = vec![hosted("file_search", false)];
    impossible(&request, &shape(), Feature::HostedTools);
}

#[test]
fn forms_of_the_answer_stand_without_tools_alone() {
    let mut request = asks([user("Hi")]);
    request.output = Output::Json;
    golden(&request, &shape(), hi(json!({"response_format": {"type": "json_object"}})), "");
    request.output = Output::Schema {
        name: Some("city".into()),
        description: None,
        schema: Json::borrowed(br#"{"type":"object"}"#),
        strict: Some(true),
    };
    let format = json!({"type": "json_object", "json_schema": {"type": "object"}});
    golden(&request, &shape(), hi(json!({"response_format": format})), "");
    request.tools = vec![function("f")];
    golden(&request, &shape(), hi(json!({"tools": [spec("f")]})), "json_schema");
    request.output = Output::Json;
    golden(&request, &shape(), hi(json!({"tools": [spec("f")]})), "json_object");
}

#[test]
fn thinking_has_a_budget() {
    let cases = [
        (Depth::Off, None, json!({"type": "disabled"})),
        (Depth::Budget(0), None, json!({"type": "disabled"})),
        (Depth::Effort(Effort::High), None, json!({"type": "enabled", "token_budget": 4_096})),
        (Depth::Budget(900), Some(500), json!({"type": "enabled", "token_budget": 499})),
        (Depth::Adaptive, None, json!({"type": "enabled"})),
    ];
    for (depth, limit, thinking) in cases {
        let mut request = asks([user("Hi")]);
        request.reasoning.depth = Some(depth);
        request.max_output = limit;
        let (written, lost) = encode(&request, &shape()).unwrap();
        assert_eq!(written["thinking"], thinking, "{depth:?}");
        assert!(lost.is_empty());
        let (written, lost) = encode(&request, &without_capabilities()).unwrap();
        assert_eq!(written["thinking"], Value::Null);
        assert_eq!(lost.is_empty(), matches!(depth, Depth::Off | Depth::Budget(0)));
    }
}

#[test]
fn thoughts_go_back_unless_another_vendor_has_sealed_them() {
    let request = asks([
        user("Oslo?"),
        turn(
            Role::Assistant,
            [thought("Hmm.", None), thought("x", Some((Wire::Messages, "sig", false))), text("7C."), text("Or 8C.")],
        ),
        user("Sure?"),
        turn(Role::Assistant, [thought("Hm.", None), text("One."), text("Two."), call("a", "f", "")]),
        turn(Role::Tool, [gave("a", "yes")]),
    ]);
    let messages = json!([
        said("user", "Oslo?"),
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hmm."}, {"type": "text", "text": "7C."}, {"type": "text", "text": "Or 8C."}]},
        said("user", "Sure?"),
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}], "tool_plan": "One.\n\nTwo.",
            "tool_calls": [wire_call("a", "f", "{}")]},
        {"role": "tool", "tool_call_id": "a", "content": "yes"},
    ]);
    golden(&request, &shape(), body(messages, json!({})), "thinking");
    let request = asks([user("Hi"), turn(Role::Assistant, [thought("Hm.", None), text("Yes?")]), user("Go.")]);
    let messages = json!([said("user", "Hi"), said("assistant", "Yes?"), said("user", "Go.")]);
    golden(&request, &without_capabilities(), body(messages, json!({})), "thinking");
}

#[test]
fn images_go_as_urls() {
    let mut detailed = image(Source::Url("https://example.com/a.png".into()));
    if let Content::Media(media) = &mut detailed.content {
        media.detail = Some("high".into());
    }
    let request = asks([turn(
        Role::User,
        [text("Look."), detailed, image(base64("iVBO")), media(MediaKind::Image, base64("/9j/4AAQ"), None)],
    )]);
    let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let content = json!([
        {"type": "text", "text": "Look."},
        url("https://example.com/a.png"),
        url("data:image/png;base64,iVBO"),
        url("data:image/jpeg;base64,/9j/4AAQ"),
    ]);
    golden(&request, &shape(), body(json!([{"role": "user", "content": content}]), json!({})), "image_detail");
}

#[test]
fn media_that_cannot_be_sent_are_impossible_or_lost() {
    let cases = [
        (image(Source::Url("gs://bucket/a.png".into())), Feature::RemoteMedia),
        (image(Source::File("file_1".into())), Feature::StoredFile),
        (media(MediaKind::Document, base64("JVBERi0="), None), Feature::Document),
        (media(MediaKind::Audio, base64("AAAA"), Some("audio/wav")), Feature::AudioIn),
        (media(MediaKind::Video, base64("AAAA"), None), Feature::Video),
    ];
    for (part, feature) in cases {
        impossible(&asks([turn(Role::User, [text("Look."), part])]), &shape(), feature);
    }
    let request = asks([user("Hi"), turn(Role::Assistant, [image(base64("iVBO")), text("There.")]), user("Thanks.")]);
    let messages = json!([said("user", "Hi"), said("assistant", "There."), said("user", "Thanks.")]);
    golden(&request, &shape(), body(messages, json!({})), "image");
    let document = media(MediaKind::Document, Source::Text(Prose::plain("All of it.")), Some("text/plain"));
    let content = json!([{"type": "text", "text": "Sum up."}, {"type": "text", "text": "All of it."}]);
    let request = asks([turn(Role::User, [text("Sum up."), document])]);
    golden(&request, &shape(), body(json!([{"role": "user", "content": content}]), json!({})), "");
}

#[test]
fn results_are_a_message_each_and_their_images_follow() {
    let mut failed = result("c", [text("boom"), text("bang")]);
    failed.is_error = true;
    let mut silent = result("d", []);
    silent.is_error = true;
    let request = asks([
        user("Go."),
        turn(
            Role::Assistant,
            [call("a", "f", "{}"), call("b", "f", "{}"), call("c", "f", "{}"), call("d", "f", "not json")],
        ),
        turn(
            Role::Tool,
            [
                Content::Result(result("a", [text("See:"), image(base64("iVBO"))])).into(),
                gave("b", ""),
                Content::Result(failed).into(),
                Content::Result(silent).into(),
            ],
        ),
    ]);
    let calls = [("a", "{}"), ("b", "{}"), ("c", "{}"), ("d", "not json")].map(|(id, text)| wire_call(id, "f", text));
    let part = |text: &str| json!({"type": "text", "text": text});
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}});
    let messages = json!([
        said("user", "Go."),
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": [part("See:"), part("(the image follows)")]},
        {"role": "tool", "tool_call_id": "b", "content": "(no output)"},
        {"role": "tool", "tool_call_id": "c", "content": [part("Error: boom"), part("bang")]},
        {"role": "tool", "tool_call_id": "d", "content": "Error"},
        {"role": "user", "content": [picture]},
    ]);
    golden(&request, &shape(), body(messages, json!({})), "tool_result_media,is_error");
}

#[test]
fn marks_for_the_prompt_cache_are_lost() {
    let mut request = asks([turn(Role::User, [cached(text("Hi"), CacheMark::Short)])]);
    golden(&request, &shape(), hi(json!({})), "cache_control");
    request.tools = vec![function("f")];
    if let Tool::Function { cache, .. } = &mut request.tools[0] {
        *cache = Some(CacheMark::Long);
    }
    golden(&request, &shape(), hi(json!({"tools": [spec("f")]})), "cache_control,cache_ttl");
}

#[test]
fn what_another_vendor_stores_is_impossible() {
    for feature in [
        Feature::Conversation,
        Feature::PromptTemplate,
        Feature::Background,
        Feature::StoredFile,
        Feature::AudioOut,
        Feature::HostedTools,
    ] {
        let mut request = asks([user("Hi")]);
        let value = Json::borrowed(b"1");
        request.foreign.push(Foreign { feature, wire: Wire::Responses, name: "x".into(), value });
        impossible(&request, &shape(), feature);
    }
    let mut request = asks([user("Hi")]);
    request.sampling.choices = Some(2);
    impossible(&request, &shape(), Feature::Choices);
    let item = |kind: &'static str| {
        let raw = Json::borrowed(br#"{"x":1}"#);
        asks([
            user("Hi"),
            turn(Role::User, [Content::Foreign { wire: Wire::Responses, kind: kind.into(), raw }.into()]),
        ])
    };
    impossible(&item("item_reference"), &shape(), Feature::Conversation);
    golden(&item("web_search_call"), &shape(), hi(json!({})), "web_search");
    golden(&item("novelty"), &shape(), hi(json!({})), "unknown_members");
}

#[test]
fn escaped_text_goes_through_as_it_is() {
    let escaped = Prose::Escaped(Cow::Borrowed(br#"a\u00e9\n\"b\""#));
    let request = asks([turn(Role::User, [Content::text(escaped).into()])]);
    golden(&request, &shape(), body(json!([said("user", "aé\n\"b\"")]), json!({})), "");
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
                .map(|one| format!("{:?} {:?} {:?}", one.url, one.title.as_ref().map(words), one.span))
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
    look(&cohere().decode_answer(&body).unwrap());
}

#[test]
fn answers_are_read() {
    let cases: &[(&str, &[&str], Finish<'_>)] = &[
        ("a plain text", &["text Hello!"], Finish::Stop),
        ("a text with escapes and other scripts", &["text a\n\"b\" \\ 東京 🙂"], Finish::Stop),
        ("two texts", &["text One.", "text Two."], Finish::Stop),
        ("content as one text", &["text Hello."], Finish::Stop),
        (
            "a plan and a call",
            &["text I will look up the weather.", r#"call get_weather_1 get_weather {"city":"Oslo"}"#],
            Finish::ToolCalls,
        ),
        ("two calls without a plan", &["call a_1 a {}", r#"call b_2 b {"x":[1,2]}"#], Finish::ToolCalls),
        ("a call whose arguments are empty", &["call a_1 a "], Finish::ToolCalls),
        ("a call under COMPLETE", &["call a_1 a {}"], Finish::ToolCalls),
        ("a thought and a text", &["thought The user greets. None", "text Hi!"], Finish::Stop),
        (
            "a thought, a plan and a call",
            &["thought Weather is wanted. None", "text I will look.", r#"call w_1 get_weather {"city":"Oslo"}"#],
            Finish::ToolCalls,
        ),
        (
            "a text that cites a document",
            &[r#"text Oslo is far north. cites Some("https://example.com/oslo") Some("Almanac") Some((0, 4))"#],
            Finish::Stop,
        ),
        (
            "a text that cites a tool's output",
            &["thought … None", "text It is 7C in Oslo. cites None None Some((6, 8))"],
            Finish::Stop,
        ),
        ("a stop sequence", &["text 1, 2, "], Finish::StopSequence(None)),
        ("the output limit", &["text Once upon"], Finish::Length),
        ("an error amid the answer", &["text Onc"], Finish::Broken),
        ("a timeout", &[], Finish::Broken),
        ("members that nobody knows", &["text ok"], Finish::Stop),
    ];
    for (name, parts, finish) in cases {
        answer_of(name, |answer| {
            assert_eq!(answer.parts.iter().map(shown).collect::<Vec<_>>(), *parts, "{name}");
            assert_eq!(answer.finish, *finish, "{name}");
            assert_eq!(answer.id.as_deref(), Some("c14c80c3-18eb-4519-9460-6c92edd8cfb4"));
        });
    }
}

#[test]
fn counts_are_what_is_billed_and_floats() {
    let counts = |name: &str| {
        let mut counts = None;
        answer_of(name, |answer| {
            counts = answer.usage.map(|usage| (usage.input, usage.output, usage.cache_read));
            let member = fixture("answers", name)["body"]["usage"].to_string();
            assert_eq!(cohere().parse_usage(member.as_bytes()), answer.usage);
        });
        counts
    };
    assert_eq!(counts("counts as floats"), Some((11, 2, 0)));
    assert_eq!(counts("cached tokens"), Some((100, 2, 64)));
    assert_eq!(counts("counts without bills"), Some((71, 4, 0)));
    assert_eq!(counts("no usage"), None);
    assert_eq!(cohere().usage_member(), "usage");
    for nothing in ["{}", "null", "[", r#"{"billed_units":{},"tokens":null}"#] {
        assert_eq!(cohere().parse_usage(nothing.as_bytes()), None);
    }
}

#[test]
fn errors_in_place_of_answers_are_told_from_other_bytes() {
    let failure = cohere().decode_answer(br#"{"message":"nope"}"#).unwrap_err();
    assert!(matches!(failure, BadAnswer::Failure(failure) if failure.message == "nope"));
    for bytes in ["", "[]", "{}", r#"{"message":1}"#, r#"{"message":{}} x"#, "<html>"] {
        assert!(matches!(cohere().decode_answer(bytes.as_bytes()), Err(BadAnswer::Malformed(_))), "{bytes}");
    }
}

#[test]
fn every_answer_is_read_cut_or_damaged_without_a_panic() {
    for fixture in fixtures("answers") {
        let body = serde_json::to_vec(&fixture["body"]).unwrap();
        assert!(cohere().decode_answer(&body).is_ok(), "{}", fixture["name"]);
        for at in 0..body.len() {
            assert!(cohere().decode_answer(&body[..at]).is_err());
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut damaged = body.clone();
                damaged[at] = byte;
                let _ = cohere().decode_answer(&damaged);
            }
        }
    }
}

// --- streams ----------------------------------------------------------------------------------------------------------

fn sse(fixture: &Value) -> Vec<u8> {
    let mut text = String::new();
    for event in fixture["events"].as_array().unwrap() {
        if let Some(comment) = event["comment"].as_str() {
            text += &format!(": {comment}\n\n");
            continue;
        }
        if let Some(name) = event["event"].as_str() {
            text += &format!("event: {name}\n");
        }
        let data = event["data"].as_str().map_or_else(|| event["data"].to_string(), str::to_owned);
        text += &format!("data: {data}\n\n");
    }
    text.into_bytes()
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
    let mut stream = cohere().decode_stream();
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
    // Comments keep a connection alive before the answer begins as well.
    let events: Vec<&String> = events.iter().filter(|one| *one != "ping").collect();
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
            "usage" => {}
            "failure" => assert!(last, "{name}"),
            "done" => assert!(last && finished, "{name}"),
            block => assert!(open.contains(&block), "{name}: {events:?}"),
        }
        assert!(at > 0 || matches!(word[0], "start" | "failure"), "{name}: {events:?}");
    }
}

#[test]
fn streams_are_read() {
    let id = "29f14a5a-11de-4cae-9800-25e4747408ea";
    let start = format!("start Some({id:?}) None");
    let end = |finish: &str| ["usage 10 5 0".to_owned(), format!("finish {finish}"), "done".to_owned()];
    let cases: &[(&str, &[&str], &str)] = &[
        ("a plain text", &["open 0 text", "0 += Hel", "0 += lo", "0 += !", "close 0"], "Stop"),
        ("a plain text without DONE", &["open 0 text", "0 += Hi", "close 0"], "Stop"),
        ("text that comes with its start", &["open 0 text", "0 += He", "0 += llo", "close 0"], "Stop"),
        (
            "a plan and a call in two pieces",
            &[
                "open 0 text",
                "0 += I will ",
                "0 += look.",
                "close 0",
                "open 1 call get_weather_1 get_weather",
                r#"1 += {"city":"#,
                r#"1 += "Oslo"}"#,
                "close 1",
            ],
            "ToolCalls",
        ),
        (
            "two calls",
            &[
                "open 0 text",
                "0 += Both.",
                "close 0",
                "open 1 call a_1 a",
                "1 += {}",
                "close 1",
                "open 2 call b_2 b",
                r#"2 += {"x""#,
                "2 += :1}",
                "close 2",
            ],
            "ToolCalls",
        ),
        (
            "calls interleaved",
            &[
                "open 0 call a_1 a",
                "open 1 call b_2 b",
                "0 += {",
                r#"1 += {"y":"#,
                "0 += }",
                "1 += 2}",
                "close 0",
                "close 1",
            ],
            "ToolCalls",
        ),
        (
            "a thought, a plan and a call under one index",
            &[
                "open 0 thought",
                "0 += Hmm.",
                "close 0",
                "open 1 text",
                "1 += I will look.",
                "close 1",
                "open 2 call w_1 get_weather",
                "2 += {}",
                "close 2",
            ],
            "ToolCalls",
        ),
        (
            "a text that cites while it goes on",
            &["open 0 text", "0 += Oslo ", r#"0 cites "https://example.com/oslo""#, "0 += is far north.", "close 0"],
            "Stop",
        ),
        ("a citation after its text", &["open 0 text", "0 += Oslo", "close 0"], "Stop"),
        ("the output limit", &["open 0 text", "0 += Once", "close 0"], "Length"),
        ("a timeout without words", &["open 0 text", "0 += Once", "close 0"], "Broken"),
        (
            "blocks that are never closed",
            &["open 0 text", "0 += Hi", "open 1 call a_1 a", "1 += {}", "close 0", "close 1"],
            "ToolCalls",
        ),
        ("nothing but an end", &[], "Stop"),
        ("pings and comments", &["ping", "open 0 text", "0 += Hi", "ping", "close 0"], "Stop"),
        ("events without their lines", &["open 0 text", "0 += Hi", "close 0"], "Stop"),
        ("events and members that nobody knows", &["open 0 text", "0 += Hi", "close 0"], "Stop"),
        ("words after the end", &["open 0 text", "0 += Hi", "close 0"], "Stop"),
        ("deltas of calls that never began", &["open 0 text", "0 += Hi", "close 0"], "Stop"),
    ];
    for (name, expected, finish) in cases {
        let mut seen = events([sse(&fixture("streams", name)).as_slice()]);
        seen.retain(|one| *one != start);
        let first_ping = seen.first().is_some_and(|one| one == "ping");
        if first_ping {
            seen.remove(0);
        }
        let expected: Vec<String> = expected.iter().map(|one| (*one).to_owned()).chain(end(finish)).collect();
        assert_eq!(seen, expected, "{name}");
    }
    let ends = |name| events([sse(&fixture("streams", name)).as_slice()]);
    let broken = ends("an error at the end");
    assert_eq!(broken[1..], ["open 0 text", "0 += Once", "failure Server 500 the model broke off"]);
    assert_eq!(ends("an error before anything"), ["failure Server 500 overloaded"]);
    assert_eq!(ends("cut before the end")[1..], ["open 0 text", "0 += Once upon a"]);
    assert_eq!(ends("no starts")[..3], ["start None None", "open 0 text", "0 += Hi"]);
}

#[test]
fn every_split_of_a_stream_gives_the_same_events() {
    for fixture in fixtures("streams") {
        let bytes = sse(&fixture);
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
fn a_cut_or_damaged_stream_keeps_its_order() {
    for fixture in fixtures("streams") {
        let bytes = sse(&fixture);
        let name = fixture["name"].as_str().unwrap();
        for at in 0..bytes.len() {
            assert_order(name, &events([&bytes[..at]]));
            let mut damaged = bytes.clone();
            damaged[at] = [b'"', b'}', b'\n', 0, 0xff][at % 5];
            assert_order(name, &events([damaged.as_slice()]));
        }
    }
}

// --- errors and embeddings --------------------------------------------------------------------------------------------

#[test]
fn errors_are_read() {
    let cases = [
        ("a wrong request", FailureKind::InvalidRequest, 400),
        ("a prompt that is too long", FailureKind::ContextTooLong, 400),
        ("a body that does not parse", FailureKind::InvalidRequest, 422),
        ("a wrong key", FailureKind::Authentication, 401),
        ("a key without money", FailureKind::Billing, 402),
        ("forbidden", FailureKind::Permission, 403),
        ("a model that is none", FailureKind::NotFound, 404),
        ("too fast", FailureKind::RateLimit, 429),
        ("an invalid token", FailureKind::Authentication, 401),
        ("a client that went away", FailureKind::Timeout, 504),
        ("the server's fault", FailureKind::Server, 500),
        ("too much to do", FailureKind::Overloaded, 503),
        ("too slow", FailureKind::Timeout, 504),
        ("a page of a load balancer", FailureKind::Server, 502),
        ("a line of text", FailureKind::Overloaded, 503),
        ("nothing", FailureKind::Server, 500),
    ];
    for (name, kind, status) in cases {
        let fixture = fixture("errors", name);
        let body = body_of(&fixture);
        let failure = cohere().decode_failure(fixture["status"].as_u64().unwrap() as u16, &headers(&fixture), &body);
        assert_eq!((failure.kind, failure.status), (kind, status), "{name}");
        let said = fixture["body"]["message"].as_str();
        assert!(said.is_none_or(|said| said == failure.message) && !failure.message.is_empty(), "{name}");
        for at in 0..body.len() {
            let _ = cohere().decode_failure(400, &headers(&fixture), &body[..at]);
        }
    }
    assert_eq!(cases.len(), fixtures("errors").len());
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
fn embeddings_are_asked_for_by_their_purpose() {
    let encode = |request: &EmbeddingRequest<'_>| {
        let mut writer = Writer::with_capacity(64);
        let lost = embedding_provider(Wire::Cohere).unwrap().encode_request(request, &shape(), &mut writer);
        (lost.map(|lost| lost.to_string()), writer.into_bytes())
    };
    let cases = [
        (None, "search_document", ""),
        (Some(EmbeddingTask::Query), "search_query", ""),
        (Some(EmbeddingTask::Document), "search_document", ""),
        (Some(EmbeddingTask::Classification), "classification", ""),
        (Some(EmbeddingTask::Clustering), "clustering", ""),
        (Some(EmbeddingTask::Similarity), "search_document", "task_type"),
    ];
    for (task, input_type, lost) in cases {
        let inputs = ["a", "b"].map(|text| EmbeddingInput::Text(Prose::plain(text))).into();
        let request = EmbeddingRequest { inputs, task, dimensions: Some(256), base64: true, ..Default::default() };
        let (features, body) = encode(&request);
        assert_eq!(features.as_deref(), Ok(lost));
        let expected = json!({
            "model": MODEL, "texts": ["a", "b"], "input_type": input_type, "embedding_types": ["float"],
            "output_dimension": 256,
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
    let inputs = vec![EmbeddingInput::Tokens(vec![1, 2])];
    let (features, _) = encode(&EmbeddingRequest { inputs, ..Default::default() });
    assert_eq!(features.unwrap_err().feature, Feature::TokenInput);
}

#[test]
fn embeddings_are_read() {
    let cohere = embedding_provider(Wire::Cohere).unwrap();
    let body = br#"{"id":"x","embeddings":{"int8":[[1]],"float":[[0.1,-2e-3],[]],"novelty":{}},"texts":["a","b"],
        "meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":2.0}},"response_type":"embeddings_by_type"}"#;
    let answer = cohere.decode_answer(body).unwrap();
    let vectors: Vec<&[u8]> = answer
        .vectors
        .iter()
        .map(|vector| match vector {
            Vector::Numbers(numbers) => numbers.bytes(),
            Vector::Base64(_) => panic!("numbers were asked for"),
        })
        .collect();
    assert_eq!(vectors, [b"[0.1,-2e-3]".as_slice(), b"[]"]);
    assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((2, 0)));
    assert!(matches!(cohere.decode_answer(br#"{"message":"no"}"#), Err(BadAnswer::Failure(_))));
    assert!(matches!(cohere.decode_answer(br#"{"embeddings":{"float":[1]}}"#), Err(BadAnswer::Malformed(_))));
    for at in 0..body.len() {
        assert!(cohere.decode_answer(&body[..at]).is_err());
    }
}
