//! Golden requests: what is written of a hub request, and what of it is lost.

use std::borrow::Cow;

use crate::{MODEL, cohere, shape};
use serde_json::{Value, json};
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::feature::{Feature, Features};
use weir::chat::part::{CacheMark, Call, CallKind, CallResult, Content, Media, MediaKind, Part, Seal, Source, Thought};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Foreign, Output, Request, Role, Sampling, Tool, ToolChoice, Turn};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::wire::{Impossible, Shape};
use weir::codec::writer::Writer;

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
