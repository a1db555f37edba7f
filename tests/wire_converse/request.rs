//! Golden requests: what is written of a hub request, and what of it is lost.

use std::borrow::Cow;

use crate::converse;
use serde_json::{Value, json};
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::family::ApiFamily;
use weir::chat::feature::{Feature, Features};
use weir::chat::part::{CacheMark, Call, CallKind, CallResult, Content, Media, MediaKind, Part, Seal, Source, Thought};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Foreign, Output, Request, Role, Sampling, Tool, ToolChoice, Turn};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::wire::{Impossible, Shape};
use weir::codec::writer::Writer;

const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

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
    request.turns[1].parts[1] = thought("", Some((Wire::Converse, "blob", true)));
    let (body, _) = encode(&request, &shape(CLAUDE)).unwrap();
    assert_eq!(body["messages"][1]["content"], turn_of_claude);
    let (body, lost) = encode(&request, &shape("openai.gpt-5.6-terra")).unwrap();
    assert_eq!(body["messages"][1]["content"], json!([turn_of_claude[1], turn_of_claude[2]]));
    assert_eq!(lost.to_string(), "thinking");
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

/// Every conversation of up to four of these turns.
fn conversations() -> Vec<Vec<Turn<'static>>> {
    let pool = [
        system("S"),
        user("Hi"),
        turn(Role::User, [text(" \n")]),
        turn(Role::User, [media(MediaKind::Document, base64("JVBERi0="), None)]),
        assistant("Yes. "),
        turn(
            Role::Assistant,
            [thought("Hm.", Some((Wire::Messages, "sig", false))), cached(text(""), CacheMark::Long)],
        ),
        turn(
            Role::Assistant,
            [thought("Hm.", None), call("a", "f", "{"), cached(call("b", "g", ""), CacheMark::Short)],
        ),
        turn(Role::Tool, [gave("a", "7C"), cached(gave("b", " "), CacheMark::Short)]),
    ];
    let mut all: Vec<Vec<Turn<'static>>> = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..4 {
        let to = all.len();
        for at in from..to {
            all.extend(
                pool.iter().map(|one| [all[at].as_slice(), std::slice::from_ref(one)].concat()).collect::<Vec<_>>(),
            );
        }
        from = to;
    }
    all
}

#[test]
fn any_order_of_turns_gives_what_converse_takes() {
    let targets = [shape(CLAUDE), adaptive(), shape("amazon.nova-pro-v1:0"), shape("mistral.pixtral-large-2502-v1:0")];
    for turns in conversations() {
        for (target, depth) in targets.iter().zip([Some(Depth::Budget(2_000)), None, None, Some(Depth::Adaptive)]) {
            let mut request = asks(turns.clone());
            request.reasoning.depth = depth;
            let (body, _) = encode(&request, target).unwrap();
            assert_taken(&body);
        }
    }
}

#[track_caller]
fn assert_taken(body: &Value) {
    let messages = body["messages"].as_array().unwrap();
    let mut has_tools = false;
    for (at, message) in messages.iter().enumerate() {
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        assert_eq!(message["role"], role, "{body}");
        let content = message["content"].as_array().unwrap();
        assert!(!content.is_empty(), "{body}");
        let mut results_are_over = false;
        for (place, block) in content.iter().enumerate() {
            let (kind, value) = block.as_object().unwrap().iter().next().unwrap();
            match kind.as_str() {
                "text" => assert!(!value.as_str().unwrap().trim().is_empty(), "{body}"),
                "toolUse" => assert!(role == "assistant" && value["input"].is_object(), "{body}"),
                "toolResult" => {
                    assert!(role == "user" && !results_are_over, "{body}");
                    assert!(!value["content"][0]["text"].as_str().unwrap().trim().is_empty(), "{body}");
                }
                "document" => assert!(content.iter().any(|block| block.get("text").is_some()), "{body}"),
                "reasoningContent" => assert!(value["reasoningText"]["signature"].is_string(), "{body}"),
                "cachePoint" => assert!(place > 0 && content[place - 1].get("cachePoint").is_none(), "{body}"),
                other => panic!("{other}: {body}"),
            }
            results_are_over |= !matches!(kind.as_str(), "toolResult" | "cachePoint");
            has_tools |= matches!(kind.as_str(), "toolUse" | "toolResult");
        }
    }
    assert_eq!(body.get("toolConfig").is_some(), has_tools, "{body}");
    if let Some(Value::String(end)) =
        messages.last().map(|last| &last["content"].as_array().unwrap().last().unwrap()["text"])
    {
        assert_eq!(end.trim_end(), end);
    }
}
