//! What becomes of requests that other vendors' clients send.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;

use serde_json::{Value, json};

use super::request as encode;
use crate::chat::capability::{Capabilities, Capability};
use crate::chat::family::ApiFamily;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::{
    CacheMark, Call, CallKind, CallResult, Citation, Content, Media, MediaKind, Part, Seal, Source, Thought,
};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Depth, Effort, Foreign, Output, Request, Role, Tool, ToolChoice, Turn};
use crate::chat::traits::{Trait, Traits};
use crate::chat::wire::Wire;
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

fn shape(traits: &[Trait]) -> Shape<'static> {
    Shape {
        model: "claude",
        api: ApiFamily::Anthropic,
        vendor: "anthropic",
        traits: traits.iter().fold(Traits::NONE, |all, one| all.with(*one)),
        capabilities: None,
        max_output: None,
    }
}

fn try_write(request: &Request<'_>, shape: &Shape<'_>) -> Result<(Value, String), Impossible> {
    let mut writer = Writer::with_capacity(256);
    let lost = encode(request, shape, &mut writer)?;
    assert_eq!(encode(request, shape, &mut Writer::discarding()), Ok(lost));
    Ok((serde_json::from_slice(&writer.into_bytes()).unwrap(), lost.to_string()))
}

fn write(request: &Request<'_>, shape: &Shape<'_>) -> (Value, String) {
    try_write(request, shape).unwrap()
}

fn text(text: &'static str) -> Part<'static> {
    Content::text(Prose::plain(text)).into()
}

fn turn(role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
    Turn { role, parts, name: None }
}

fn call(id: &'static str) -> Part<'static> {
    Content::Call(Call {
        id: Cow::Borrowed(id),
        name: Cow::Borrowed("f"),
        arguments: Prose::Escaped(Cow::Borrowed(br#"{\"a\":1}"#)),
        kind: CallKind::Function,
        signature: None,
    })
    .into()
}

fn result(id: &'static str) -> Part<'static> {
    let parts = vec![text("ok")];
    Content::Result(CallResult { id: Cow::Borrowed(id), name: None, parts, is_error: false, kind: CallKind::Function })
        .into()
}

fn thought(wire: Option<Wire>) -> Part<'static> {
    let seal = wire.map(|wire| Seal { wire, data: Cow::Borrowed("sig"), redacted: false, id: None });
    Content::Thought(Thought { text: Prose::plain("hm"), seal }).into()
}

fn function(name: &'static str) -> Tool<'static> {
    Tool::Function { name: Cow::Borrowed(name), description: None, parameters: None, strict: None, cache: None }
}

fn ask(turns: Vec<Turn<'static>>) -> Request<'static> {
    Request { turns, max_output: Some(4096), ..Request::default() }
}

fn hi() -> Request<'static> {
    ask(vec![turn(Role::User, vec![text("Hi")])])
}

fn tool_loop(first: Part<'static>) -> Request<'static> {
    let mut request = ask(vec![
        turn(Role::User, vec![text("Hi")]),
        turn(Role::Assistant, vec![first, call("c")]),
        turn(Role::Tool, vec![result("c")]),
    ]);
    request.tools = vec![function("f")];
    request
}

#[test]
fn a_tool_turn_is_written_as_the_facts_say() {
    let mut request = ask(vec![
        turn(Role::System, vec![text("S")]),
        turn(Role::User, vec![text("Oslo?")]),
        turn(Role::Assistant, vec![call("c1"), call("c2")]),
        turn(Role::Tool, vec![result("c1")]),
        turn(Role::Tool, vec![result("c2")]),
        turn(Role::User, vec![text("Well?")]),
    ]);
    request.tools = vec![function("f")];
    let (body, lost) = write(&request, &shape(&[]));
    assert_eq!(
        body,
        json!({
            "model": "claude", "max_tokens": 4096, "system": "S",
            "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
            "messages": [
                {"role": "user", "content": "Oslo?"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                    {"type": "tool_use", "id": "c2", "name": "f", "input": {"a": 1}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "ok"},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "ok"},
                    {"type": "text", "text": "Well?"},
                ]},
            ],
        })
    );
    assert_eq!(lost, "");
}

#[test]
fn a_limit_is_always_there() {
    let limit = |asked, largest| {
        let request = Request { max_output: asked, ..hi() };
        write(&request, &Shape { max_output: largest, ..shape(&[]) }).0["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(limit(None, None), 4096);
    assert_eq!(limit(None, Some(8192)), 8192);
    assert_eq!(limit(None, Some(128_000)), 32_000);
    assert_eq!(limit(Some(100_000), Some(64_000)), 64_000);
    assert_eq!(limit(Some(0), None), 0);
}

#[test]
fn the_conversation_begins_and_ends_as_the_model_wants() {
    let dot = json!({"role": "user", "content": "."});
    let (body, lost) = write(&ask(vec![turn(Role::System, vec![text("S")])]), &shape(&[]));
    assert_eq!((&body["messages"], lost.as_str()), (&json!([dot]), ""));

    let prefill = ask(vec![turn(Role::Assistant, vec![text("Well, \n")])]);
    let (body, lost) = write(&prefill, &shape(&[]));
    assert_eq!(body["messages"], json!([dot, {"role": "assistant", "content": "Well,"}]));
    assert_eq!(lost, "");
    let (body, lost) = write(&prefill, &shape(&[Trait::NoPrefill]));
    assert_eq!(body["messages"], json!([dot, {"role": "assistant", "content": "Well, \n"}, dot]));
    assert_eq!(lost, "prefill");
}

#[test]
fn a_late_system_turn_stays_in_its_place() {
    let request = ask(vec![
        turn(Role::User, vec![text("a")]),
        turn(Role::Assistant, vec![call("c")]),
        turn(Role::System, vec![text("late")]),
        turn(Role::Tool, vec![result("c")]),
        turn(Role::User, vec![text("b")]),
    ]);
    let (body, lost) = write(&request, &shape(&[Trait::MidConversationSystem]));
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user", "system", "user"]);
    assert_eq!(lost, "");
    let (body, lost) = write(&request, &shape(&[]));
    let content = body["messages"][2]["content"].as_array().unwrap();
    assert_eq!(content[0]["type"], "tool_result");
    assert_eq!([&content[1]["text"], &content[2]["text"]], ["late", "b"]);
    assert_eq!(lost, "late_system");
}

#[test]
fn sampling_is_fitted_or_reported() {
    let sample = |temperature, top_p, top_k, traits: &[Trait]| {
        let mut request = hi();
        request.sampling.temperature = temperature;
        request.sampling.top_p = top_p;
        request.sampling.top_k = top_k;
        let (body, lost) = write(&request, &shape(traits));
        (json!([body["temperature"], body["top_p"], body["top_k"]]), lost)
    };
    let fixed = [Trait::NoSamplingParams];
    let row = |kept: Value, lost: &str| (kept, lost.to_owned());
    assert_eq!(sample(Some(0.5), None, Some(3), &[]), row(json!([0.5, null, 3]), ""));
    assert_eq!(sample(Some(1.7), None, None, &[]), row(json!([1, null, null]), "temperature"));
    assert_eq!(sample(None, Some(0.9), None, &[]), row(json!([null, 0.9, null]), ""));
    assert_eq!(sample(Some(0.5), Some(0.9), None, &[]), row(json!([0.5, null, null]), "top_p"));
    assert_eq!(sample(Some(1.0), Some(1.0), None, &fixed), row(json!([null, null, null]), ""));
    assert_eq!(
        sample(Some(0.5), Some(0.9), Some(3), &fixed),
        row(json!([null, null, null]), "temperature,top_p,top_k")
    );
}

#[test]
fn what_anthropic_has_no_word_for_is_reported() {
    let mut request = hi();
    request.sampling.frequency_penalty = Some(1.0);
    request.sampling.presence_penalty = Some(0.0);
    request.sampling.seed = Some(1);
    request.sampling.logprobs = Some(0);
    request.sampling.stop = vec![Prose::plain("END"), Prose::plain(" ")];
    request.cache_key = Some(Prose::plain("k"));
    request.user = Some(Prose::plain("a@b.c"));
    request.service_tier = Some(Cow::Borrowed("flex"));
    request.metadata = Some(Json::borrowed(b"{}"));
    request.store = Some(true);
    request.verbosity = Some(Cow::Borrowed("low"));
    request.turns[0].name = Some(Prose::plain("Ann"));
    request.foreign.push(Foreign {
        feature: Feature::LogitBias,
        wire: Wire::Chat,
        name: Cow::Borrowed("logit_bias"),
        value: Json::borrowed(b"{}"),
    });
    let (body, lost) = write(&request, &shape(&[]));
    let expected = "frequency_penalty,seed,stop,logprobs,logit_bias,verbosity,prompt_cache_key,service_tier,user,name,metadata,store";
    assert_eq!(lost, expected);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert!(["metadata", "service_tier", "logit_bias"].iter().all(|name| body.get(name).is_none()));
    request.service_tier = Some(Cow::Borrowed("default"));
    assert_eq!(write(&request, &shape(&[])).0["service_tier"], "standard_only");
}

#[test]
fn what_cannot_be_left_out_is_impossible() {
    let media = |kind, source, media_type: &'static str| {
        let media = Media { kind, source, media_type: Some(Cow::Borrowed(media_type)), name: None, detail: None };
        ask(vec![turn(Role::User, vec![Content::Media(media).into()])])
    };
    let base64 = || Source::Base64(Cow::Borrowed("AAAA"));
    let foreign = |feature| {
        let (name, value) = (Cow::Borrowed("x"), Json::borrowed(b"1"));
        Request { foreign: vec![Foreign { feature, wire: Wire::Responses, name, value }], ..hi() }
    };
    let mut several = hi();
    several.sampling.choices = Some(2);
    let hosted = Tool::Hosted {
        wire: Wire::Responses,
        kind: Cow::Borrowed("file_search"),
        raw: Json::borrowed(b"{}"),
        web_search: false,
    };
    let rows = [
        (several, Feature::Choices),
        (media(MediaKind::Audio, base64(), "audio/wav"), Feature::AudioIn),
        (media(MediaKind::Video, base64(), "video/mp4"), Feature::Video),
        (media(MediaKind::Image, base64(), "image/tiff"), Feature::Image),
        (media(MediaKind::Document, base64(), "application/msword"), Feature::Document),
        (media(MediaKind::Image, Source::File(Cow::Borrowed("file-abc")), "image/png"), Feature::StoredFile),
        (media(MediaKind::Image, Source::Url(Cow::Borrowed("gs://b/o")), "image/png"), Feature::RemoteMedia),
        (foreign(Feature::Conversation), Feature::Conversation),
        (foreign(Feature::PromptTemplate), Feature::PromptTemplate),
        (foreign(Feature::Background), Feature::Background),
        (Request { tools: vec![hosted], ..hi() }, Feature::HostedTools),
    ];
    for (request, feature) in rows {
        assert_eq!(try_write(&request, &shape(&[])).unwrap_err().feature, feature);
    }
}

#[test]
fn media_take_the_form_that_anthropic_reads() {
    let part = |kind, source, media_type: Option<&'static str>| {
        let media_type = media_type.map(Cow::Borrowed);
        Content::Media(Media { kind, source, media_type, name: Some(Prose::plain("n")), detail: None }).into()
    };
    let base64 = |data| Source::Base64(Cow::Borrowed(data));
    let (body, lost) = write(
        &ask(vec![turn(
            Role::User,
            vec![
                part(MediaKind::Image, base64("AAAA"), Some("image/jpg")),
                part(MediaKind::Document, base64("AAAA"), Some("application/pdf")),
                part(MediaKind::Document, base64("SGk="), Some("text/markdown")),
                part(MediaKind::Document, Source::Url(Cow::Borrowed("https://e.com/a.pdf")), None),
            ],
        )]),
        &shape(&[]),
    );
    assert_eq!(lost, "");
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}, "title": "n"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}, "title": "n"},
            {"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}, "title": "n"},
        ])
    );
}

/// Depth, traits, limit asked for, and what is written: thinking, effort, lost.
type Row<'r> = (Option<Depth>, &'r [Trait], Option<u64>, Value, Value, &'r str);

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    use Depth::{Adaptive, Budget, Effort as Words, Off};
    let newest = [Trait::AdaptiveThinking, Trait::OutputConfig];
    let both = [Trait::AdaptiveThinking, Trait::BudgetThinking, Trait::OutputConfig];
    let always = [Trait::AdaptiveThinking, Trait::ThinkingAlwaysOn, Trait::OutputConfig];
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let adaptive = json!({"type": "adaptive"});
    let none = Value::Null;
    let rows: [Row<'_>; 18] = [
        (None, &newest, Some(4096), none.clone(), none.clone(), ""),
        (Some(Words(Effort::High)), &newest, Some(4096), adaptive.clone(), json!("high"), ""),
        (Some(Words(Effort::Minimal)), &newest, Some(4096), adaptive.clone(), json!("low"), ""),
        (Some(Words(Effort::XHigh)), &newest, Some(4096), adaptive.clone(), json!("xhigh"), ""),
        (Some(Words(Effort::XHigh)), &both, Some(4096), adaptive.clone(), json!("high"), ""),
        (Some(Adaptive), &newest, Some(4096), adaptive.clone(), none.clone(), ""),
        (Some(Budget(5000)), &newest, Some(4096), adaptive.clone(), json!("high"), ""),
        (Some(Budget(2000)), &both, Some(4096), budget(2000), none.clone(), ""),
        (Some(Off), &newest, Some(4096), json!({"type": "disabled"}), none.clone(), ""),
        (Some(Budget(0)), &newest, Some(4096), json!({"type": "disabled"}), none.clone(), ""),
        (Some(Off), &always, Some(4096), adaptive.clone(), json!("low"), "reasoning"),
        (Some(Words(Effort::Low)), &[], Some(4096), budget(1024), none.clone(), ""),
        (Some(Words(Effort::Minimal)), &[], Some(4096), budget(1024), none.clone(), ""),
        (Some(Adaptive), &[], Some(4096), budget(2048), none.clone(), ""),
        (Some(Words(Effort::High)), &[], Some(4096), budget(2048), none.clone(), ""),
        (Some(Words(Effort::High)), &[], Some(1025), budget(1024), none.clone(), ""),
        (Some(Words(Effort::High)), &[], Some(1024), none.clone(), none.clone(), "reasoning"),
        (Some(Words(Effort::Max)), &[], None, budget(16_384), none.clone(), ""),
    ];
    for (depth, traits, limit, thinking, effort, expected) in rows {
        let mut request = Request { max_output: limit, ..hi() };
        request.reasoning.depth = depth;
        let (body, lost) = write(&request, &shape(traits));
        assert_eq!(body["thinking"], thinking, "{depth:?} {traits:?}");
        assert_eq!(body["output_config"]["effort"], effort, "{depth:?} {traits:?}");
        assert_eq!(lost, expected, "{depth:?} {traits:?}");
        let budget = body["thinking"]["budget_tokens"].as_u64().unwrap_or(0);
        assert!(budget < body["max_tokens"].as_u64().unwrap(), "{depth:?} {traits:?}");
    }
}

#[test]
fn a_model_that_does_not_reason_is_not_asked_to() {
    let mut request = hi();
    request.reasoning.depth = Some(Depth::Effort(Effort::High));
    let plain = Shape { capabilities: Some(Capabilities::NONE.with(Capability::Tools)), ..shape(&[]) };
    let (body, lost) = write(&request, &plain);
    assert_eq!((body.get("thinking"), lost.as_str()), (None, "reasoning"));
    request.reasoning.depth = Some(Depth::Off);
    let (body, lost) = write(&request, &plain);
    assert_eq!((body.get("thinking"), lost.as_str()), (None, ""));
}

#[test]
fn thinking_changes_what_else_may_be_said() {
    let mut request = hi();
    request.reasoning.depth = Some(Depth::Effort(Effort::High));
    request.reasoning.shown = Some(true);
    request.sampling.temperature = Some(0.3);
    let (body, lost) = write(&request, &shape(&[Trait::AdaptiveThinking]));
    assert_eq!(body["thinking"], json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!((body.get("temperature"), lost.as_str()), (None, "temperature"));
}

#[test]
fn a_forced_tool_and_thinking_exclude_each_other() {
    let forced = |traits: &[Trait], depth| {
        let mut request = hi();
        request.tools = vec![function("f")];
        request.tool_choice = Some(ToolChoice::One(Cow::Borrowed("f")));
        request.parallel_calls = Some(false);
        request.reasoning.depth = depth;
        let (body, lost) = write(&request, &shape(traits));
        (body["tool_choice"]["type"].clone(), body["thinking"]["type"].clone(), lost)
    };
    let think = Some(Depth::Effort(Effort::High));
    let row = |choice: &str, thinking: Value, lost: &str| (json!(choice), thinking, lost.to_owned());
    assert_eq!(forced(&[], None), row("tool", Value::Null, ""));
    assert_eq!(forced(&[], think), row("tool", Value::Null, "reasoning"));
    assert_eq!(forced(&[Trait::AdaptiveThinking], think), row("tool", json!("disabled"), "reasoning"));
    assert_eq!(forced(&[Trait::ThinkingAlwaysOn], None), row("auto", Value::Null, "tool_choice"));
    assert_eq!(forced(&[Trait::ThinkingAlwaysOn], think), row("auto", json!("adaptive"), "tool_choice"));
    assert_eq!(
        forced(&[Trait::NoForcedToolUse, Trait::AdaptiveThinking], think),
        row("auto", json!("adaptive"), "tool_choice")
    );
}

#[test]
fn choices_are_written_in_anthropic_s_words() {
    let names = || vec![Cow::Borrowed("g")];
    let rows = [
        (None, None, Value::Null),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::Auto), Some(true), json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (Some(ToolChoice::Required), Some(false), json!({"type": "any", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::One(Cow::Borrowed("g"))), None, json!({"type": "tool", "name": "g"})),
        (Some(ToolChoice::Some(names())), None, json!({"type": "auto"})),
        (Some(ToolChoice::SomeRequired(names())), None, json!({"type": "any"})),
    ];
    for (choice, parallel_calls, expected) in rows {
        let subset = matches!(choice, Some(ToolChoice::Some(_) | ToolChoice::SomeRequired(_)));
        let tools = vec![function("f"), function("g")];
        let request = Request { tools, tool_choice: choice, parallel_calls, ..hi() };
        let (body, lost) = write(&request, &shape(&[]));
        assert_eq!(body["tool_choice"], expected);
        assert_eq!(body["tools"].as_array().unwrap().len(), if subset { 1 } else { 2 });
        assert_eq!(lost, "");
    }
    let (body, lost) = write(&Request { tool_choice: Some(ToolChoice::Required), ..hi() }, &shape(&[]));
    assert_eq!((body.get("tool_choice"), lost.as_str()), (None, "tool_choice"));
}

#[test]
fn another_vendor_s_web_search_becomes_anthropic_s() {
    let hosted = Tool::Hosted {
        wire: Wire::Gemini,
        kind: Cow::Borrowed("googleSearch"),
        raw: Json::borrowed(b"{}"),
        web_search: true,
    };
    let request = Request { tools: vec![hosted], web_search: true, ..hi() };
    let (body, lost) = write(&request, &shape(&[]));
    assert_eq!(body["tools"], json!([{"type": "web_search_20250305", "name": "web_search"}]));
    assert_eq!(lost, "");
    let without = Shape { capabilities: Some(Capabilities::NONE), ..shape(&[]) };
    let (body, lost) = write(&request, &without);
    assert_eq!((body.get("tools"), lost.as_str()), (None, "web_search"));
}

#[test]
fn strict_tools_and_schemas_go_where_they_are_understood() {
    let mut request = hi();
    request.tools = vec![Tool::Function {
        name: Cow::Borrowed("f"),
        description: Some(Prose::EMPTY),
        parameters: Some(Json::borrowed(br#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}"#)),
        strict: Some(true),
        cache: None,
    }];
    let schema = Json::borrowed(br#"{"type":"object","properties":{},"required":[]}"#);
    request.output = Output::Schema { name: None, description: None, schema, strict: None };
    let (body, lost) = write(&request, &shape(&[Trait::OutputConfig]));
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "strict": true, "input_schema": {"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "integer", "description": "minimum: 1"}}}}])
    );
    assert_eq!(
        body["output_config"],
        json!({"format": {"type": "json_schema",
            "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}})
    );
    assert_eq!(lost, "");
    let (body, lost) = write(&request, &shape(&[]));
    assert_eq!((body["tools"][0].get("strict"), lost.as_str()), (None, "strict"));
    assert_eq!(body["tools"][0]["input_schema"]["properties"]["a"]["minimum"], 1);
}

#[test]
fn only_anthropic_s_own_thoughts_go_back() {
    for (wire, kept, expected) in
        [(Some(Wire::Messages), true, ""), (Some(Wire::Gemini), false, "thinking"), (None, false, "thinking")]
    {
        let (body, lost) = write(&tool_loop(thought(wire)), &shape(&[]));
        let first = &body["messages"][1]["content"][0];
        assert_eq!(first["type"] == "thinking", kept);
        assert_eq!(lost, expected);
    }
}

#[test]
fn a_budget_gives_way_to_a_call_without_a_thought() {
    let think = |first, traits: &[Trait]| {
        let mut request = tool_loop(first);
        request.reasoning.depth = Some(Depth::Effort(Effort::Low));
        let (body, lost) = write(&request, &shape(traits));
        (body["thinking"]["type"].clone(), lost)
    };
    assert_eq!(think(thought(Some(Wire::Messages)), &[]), (json!("enabled"), String::new()));
    assert_eq!(think(text("I look."), &[]), (Value::Null, "reasoning".to_owned()));
    assert_eq!(think(text("I look."), &[Trait::AdaptiveThinking]), (json!("adaptive"), String::new()));
}

#[test]
fn without_thinking_no_thought_stands_in_the_history() {
    let mut request = tool_loop(thought(Some(Wire::Messages)));
    request.reasoning.depth = Some(Depth::Off);
    let (body, lost) = write(&request, &shape(&[]));
    assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), 1);
    assert_eq!(lost, "thinking");
}

#[test]
fn four_cache_marks_stay_the_first_and_the_newest() {
    let marked = |words| Part { cache: Some(CacheMark::Short), ..text(words) };
    let mut request = ask(vec![
        turn(Role::System, vec![marked("s1"), marked("s2"), marked("s3")]),
        turn(Role::User, vec![marked("u1")]),
        turn(Role::Assistant, vec![marked("a1")]),
        turn(Role::User, vec![marked("u2")]),
    ]);
    let marks = |request: &Request<'_>| {
        let (body, lost) = write(request, &shape(&[]));
        let blocks = body["system"].as_array().unwrap().clone().into_iter().chain(
            body["messages"].as_array().unwrap().iter().flat_map(|message| match &message["content"] {
                Value::Array(blocks) => blocks.clone(),
                _ => Vec::new(),
            }),
        );
        let kept: Vec<String> = blocks
            .filter(|block| block.get("cache_control").is_some())
            .map(|block| block["text"].as_str().unwrap().to_owned())
            .collect();
        (kept.join(" "), lost)
    };
    assert_eq!(marks(&request), ("s1 s2 a1 u2".to_owned(), "cache_control".to_owned()));
    request.cache_all = Some(CacheMark::Long);
    assert_eq!(marks(&request), ("s1 a1 u2".to_owned(), "cache_control".to_owned()));
    request.turns.truncate(2);
    request.cache_all = None;
    assert_eq!(marks(&request), ("s1 s2 s3 u1".to_owned(), String::new()));
}

#[test]
fn citations_go_back_to_whom_they_came_from() {
    let citation = |raw| Citation { raw, url: Some(Cow::Borrowed("https://e.com")), ..Citation::default() };
    let own = citation(Some((Wire::Messages, Json::borrowed(br#"{"type":"char_location"}"#))));
    let part = Content::Text { text: Prose::plain("x"), citations: vec![own, citation(None)] };
    let (body, lost) = write(
        &ask(vec![
            turn(Role::User, vec![text("?")]),
            turn(Role::Assistant, vec![part.into()]),
            turn(Role::User, vec![text("!")]),
        ]),
        &shape(&[]),
    );
    assert_eq!(body["messages"][1]["content"][0]["citations"], json!([{"type": "char_location"}]));
    assert_eq!(lost, "citations");
}

#[test]
fn vertex_has_the_model_in_its_path() {
    let (body, _) = write(&hi(), &Shape { api: ApiFamily::Vertex, ..shape(&[]) });
    assert_eq!(
        body,
        json!({"anthropic_version": "vertex-2023-10-16", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]})
    );
}

#[test]
fn features_of_other_wires_parts_are_named() {
    let foreign = |kind: &'static str| {
        let raw = Json::borrowed(b"{}");
        Content::Foreign { wire: Wire::Responses, kind: Cow::Borrowed(kind), raw }.into()
    };
    let with = |part| ask(vec![turn(Role::User, vec![text("Hi")]), turn(Role::Assistant, vec![part, text("x")])]);
    let lost = |request: &Request<'_>| encode(request, &shape(&[]), &mut Writer::discarding());
    let expected: Features = [Feature::HostedTools].into_iter().collect();
    assert_eq!(lost(&with(foreign("web_search_call"))), Ok(expected));
    assert_eq!(lost(&with(foreign("item_reference"))).unwrap_err().feature, Feature::StoredFile);
}
