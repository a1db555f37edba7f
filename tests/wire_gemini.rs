//! Gemini's wire format over its fixtures: reading, writing, streams at every split, and bytes that are broken. The
//! tables of single rules stand in the modules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};
use weir::chat::answer::{Answer, Finish};
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::failure::{Failure, FailureKind};
use weir::chat::family::ApiFamily;
use weir::chat::feature::{Feature, Features};
use weir::chat::part::{Citation, Content, MediaKind, Part, Seal, Thought};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Request, Role, Tool, ToolChoice};
use weir::chat::traits::{Trait, Traits};
use weir::chat::usage::Usage;
use weir::chat::wire::Wire;
use weir::codec::gemini::part_out::SKIP;
use weir::codec::gemini::seal::marked;
use weir::codec::gemini::wire::Gemini;
use weir::codec::json::unescape;
use weir::codec::wire::{BadAnswer, ClientWire, Frame, Impossible, ProviderWire, Shape};
use weir::codec::writer::Writer;
use weir::http::Headers;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/gemini/");

/// Requests that are written in other words than they were read: old spellings, repairs, and what is dropped.
const QUIRKS: [&str; 16] = [
    "a system prompt as a string",
    "a system prompt with a role and one part",
    "snake case throughout",
    "JSON by an OpenAPI schema",
    "one word of an enumeration",
    "results out of order beside words",
    "hosted tools and functions in one object",
    "an OpenAPI schema of a function",
    "an image without words",
    "an image in the alphabet for URLs",
    "a video with a clipping",
    "text alone asked for",
    "two turns of the user in a row and no role",
    "nulls for what is left out",
    "an earlier signature copied twice",
    "a streamed answer kept in pieces",
];

fn fixtures(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{FOLDER}{file}.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn name(fixture: &Value) -> &str {
    fixture["name"].as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        other => serde_json::to_vec(other).unwrap(),
    }
}

fn shape(model: &str, api: ApiFamily) -> Shape<'_> {
    Shape { model, api, vendor: "gemini", traits: Traits::NONE, capabilities: None, max_output: None }
}

fn shapes() -> [Shape<'static>; 4] {
    [
        shape("gemini-2.5-flash", ApiFamily::Gemini),
        shape("gemini-3-pro-preview", ApiFamily::Gemini),
        shape("gemini-2.5-flash", ApiFamily::Vertex),
        shape("gemini-3-flash-preview", ApiFamily::Vertex),
    ]
}

fn encode(request: &Request<'_>, shape: &Shape<'_>) -> Result<(Value, Features), Impossible> {
    let mut writer = Writer::with_capacity(1024);
    let lost = Gemini.encode_request(request, shape, &mut writer);
    let mut discarding = Writer::discarding();
    assert_eq!(Gemini.encode_request(request, shape, &mut discarding), lost, "a discarding writer says the same");
    assert!(discarding.into_bytes().is_empty());
    let body = writer.into_bytes();
    lost.map(|lost| (serde_json::from_slice(&body).unwrap(), lost))
}

fn rewritten(body: &Value, shape: &Shape<'_>) -> (Value, Features) {
    let body = bytes(body);
    let request = Gemini.decode_request(&body).unwrap();
    encode(&request, shape).unwrap()
}

fn frame(sse: bool) -> Frame {
    Frame {
        id: "00112233aabbccdd".into(),
        model: "gemini-test".into(),
        created: 1,
        input_tokens: 0,
        include_usage: true,
        sse,
    }
}

fn text(prose: &Prose<'_>) -> String {
    match prose {
        Prose::Plain(text) => text.clone().into_owned(),
        Prose::Escaped(bytes) => unescape(bytes),
    }
}

// Requests

#[test]
fn every_request_is_read_and_can_be_written_somewhere() {
    let all = fixtures("requests");
    assert!(all.len() >= 25);
    for fixture in &all {
        let body = bytes(&fixture["body"]);
        let request = Gemini.decode_request(&body).unwrap_or_else(|error| panic!("{}: {error}", name(fixture)));
        assert!(request.model.is_none() && !request.stream && !request.turns.is_empty());
        assert!(request.turns.iter().all(|turn| !turn.parts.is_empty()));
        assert!(shapes().iter().any(|shape| encode(&request, shape).is_ok()), "{}", name(fixture));
    }
}

#[test]
fn a_request_without_quirks_comes_back_as_it_was() {
    let mut other = Vec::new();
    for fixture in fixtures("requests") {
        let body = bytes(&fixture["body"]);
        let request = Gemini.decode_request(&body).unwrap();
        let written: Vec<Value> =
            shapes().iter().filter_map(|shape| encode(&request, shape).ok()).map(|(body, _)| body).collect();
        if !written.contains(&fixture["body"]) {
            other.push(name(&fixture).to_owned());
        }
    }
    assert_eq!(other, QUIRKS);
}

#[test]
fn writing_again_changes_nothing() {
    for fixture in fixtures("requests") {
        for shape in shapes() {
            let body = bytes(&fixture["body"]);
            let Ok((first, _)) = encode(&Gemini.decode_request(&body).unwrap(), &shape) else { continue };
            let (second, _) = rewritten(&first, &shape);
            assert_eq!(first, second, "{} for {}", name(&fixture), shape.model);
        }
    }
}

#[test]
fn wrong_shapes_are_refused_with_their_place() {
    for (body, offset, what) in [
        (r#"{"contents":[{"role":"assistant","parts":[]}]}"#, 21, "a role is `user` or `model`"),
        (r#"{"contents":"x"}"#, 12, "an array is expected"),
        (r#"{"contents":[]}"#, 15, "`contents` has no turn"),
        (r#"{"contents":[{"parts":[{"text":1}]}]}"#, 31, "a string is expected"),
        (r#"{"contents":[{"parts":[{"text":"a","functionCall":{"name":"f"}}]}]}"#, 23, "a part is more than one thing"),
        (r#"{"contents":[],"contents":[]}"#, 15, "a member stands twice"),
        (r#"{"toolConfig":{},"tool_config":{}}"#, 17, "a member stands twice"),
        (r#"{"generationConfig":{"topP":1,"top_p":1}}"#, 30, "a member stands twice"),
        (r#"{"generationConfig":{"maxOutputTokens":-1}}"#, 39, "a whole number is expected"),
        (r#"{"generationConfig":{"temperature":"hot"}}"#, 35, "a number is expected"),
        (
            r#"{"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}"#,
            47,
            "a mode is `AUTO`, `ANY`, `NONE` or `VALIDATED`",
        ),
        (r#"{"tools":[{"functionDeclarations":[{}]}]}"#, 37, "`name` is missing"),
        (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}"#, 61, "`data` or `fileUri` is missing"),
    ] {
        let malformed = Gemini.decode_request(body.as_bytes()).unwrap_err();
        assert_eq!((malformed.offset, malformed.what), (offset, what), "{body}");
    }
}

#[test]
fn results_find_their_calls_by_id_or_by_name_and_order() {
    let body = json!({"contents": [
        {"role": "model", "parts": [
            {"functionCall": {"name": "a", "args": {}}},
            {"functionCall": {"id": "own", "name": "b"}},
            {"functionCall": {"name": "a", "args": {"n": 2}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "b", "response": {"output": "B"}}},
            {"functionResponse": {"name": "a", "response": {"output": "A1"}}},
            {"functionResponse": {"name": "a", "response": {"output": "A2"}}},
            {"functionResponse": {"name": "gone", "response": {"output": "G"}}},
        ]},
    ]});
    let body = bytes(&body);
    let request = Gemini.decode_request(&body).unwrap();
    let ids: Vec<&str> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .map(|part| match &part.content {
            Content::Call(call) => call.id.as_ref(),
            Content::Result(result) => result.id.as_ref(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_1", "own", "call_2", "own", "call_1", "call_2", "call_3"]);
    assert_eq!(request.turns[1].role, Role::Tool);
}

#[test]
fn results_stand_alone_in_the_order_of_the_calls() {
    let fixture =
        fixtures("requests").into_iter().find(|one| name(one) == "results out of order beside words").unwrap();
    let (body, _) = rewritten(&fixture["body"], &shape("gemini-3-pro-preview", ApiFamily::Gemini));
    let contents = body["contents"].as_array().unwrap();
    let ids: Vec<&str> = contents[2]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["functionResponse"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(contents[2]["parts"][0]["functionResponse"]["response"], json!({"output": "7C"}));
    assert_eq!(contents[3], json!({"role": "user", "parts": [{"text": "and quickly"}]}));
}

#[test]
fn calls_of_the_present_turn_are_signed_from_gemini_3_on() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Oslo?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "1"}}}]},
        {"role": "model", "parts": [{"text": "1"}]},
        {"role": "user", "parts": [{"text": "And Rome?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "g", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "2"}}},
            {"functionResponse": {"name": "g", "response": {"output": "2"}}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2Vl"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "3"}}}]},
    ]});
    let signatures = |shape: &Shape<'_>| -> Vec<Value> {
        let (body, _) = rewritten(&body, shape);
        let turns = body["contents"].as_array().unwrap().clone();
        let parts = turns.iter().flat_map(|turn| turn["parts"].as_array().unwrap().clone());
        parts.filter(|part| part.get("functionCall").is_some()).map(|part| part["thoughtSignature"].clone()).collect()
    };
    let (none, skip, own) = (Value::Null, json!(SKIP), json!("c2Vl"));
    let [old, new, _, vertex] = shapes();
    assert_eq!(signatures(&old), [none.clone(), none.clone(), none.clone(), own.clone()]);
    assert_eq!(signatures(&new), [none.clone(), skip.clone(), none.clone(), own.clone()]);
    assert_eq!(signatures(&vertex), [none.clone(), skip, none, own]);
}

#[test]
fn a_signature_is_never_sent_twice() {
    let fixture =
        fixtures("requests").into_iter().find(|one| name(one) == "an earlier signature copied twice").unwrap();
    let (body, _) = rewritten(&fixture["body"], &shape("gemini-3-pro-preview", ApiFamily::Gemini));
    assert_eq!(body.to_string().matches("c2VhbA==").count(), 1);
}

#[test]
fn media_in_results_go_in_from_gemini_3_on_and_follow_before() {
    let fixture = fixtures("requests").into_iter().find(|one| name(one) == "a result with an image").unwrap();
    let (new, lost) = rewritten(&fixture["body"], &shape("gemini-3-pro-preview", ApiFamily::Gemini));
    assert_eq!(new["contents"], fixture["body"]["contents"]);
    assert!(lost.is_empty());
    let (old, lost) = rewritten(&fixture["body"], &shape("gemini-2.5-pro", ApiFamily::Gemini));
    assert!(lost.has(Feature::MediaInResult));
    let contents = old["contents"].as_array().unwrap();
    assert_eq!(
        contents[2]["parts"][0]["functionResponse"]["response"]["output"],
        "done\n[the media of this result follow]"
    );
    assert_eq!(contents[3]["parts"][0]["inlineData"]["mimeType"], "image/png");
    assert_eq!(contents[3]["parts"][1], json!({"text": " "}));
}

fn turn<'a>(role: Role, texts: &[&'a str]) -> weir::chat::request::Turn<'a> {
    let parts = texts.iter().map(|text| Part::from(Content::text(Prose::plain(*text)))).collect();
    weir::chat::request::Turn { role, parts, name: None }
}

#[test]
fn turns_are_fitted_to_what_gemini_takes() {
    let request = Request {
        turns: vec![
            turn(Role::System, &["S", ""]),
            turn(Role::Assistant, &["Hello."]),
            turn(Role::User, &["a", ""]),
            turn(Role::System, &["late"]),
            turn(Role::User, &["b"]),
            turn(Role::Assistant, &[""]),
            turn(Role::User, &["c"]),
        ],
        ..Request::default()
    };
    let (body, lost) = encode(&request, &shape("gemini-2.5-flash", ApiFamily::Gemini)).unwrap();
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "S"}]},
            "contents": [
                {"role": "user", "parts": [{"text": " "}]},
                {"role": "model", "parts": [{"text": "Hello."}]},
                {"role": "user", "parts": [{"text": "a"}, {"text": "late"}, {"text": "b"}, {"text": "c"}]},
            ],
        })
    );
    assert_eq!(lost, [Feature::LateSystem].into_iter().collect());
    let alone = Request { turns: vec![turn(Role::System, &["S"])], ..Request::default() };
    let (body, _) = encode(&alone, &shape("gemini-2.5-flash", ApiFamily::Gemini)).unwrap();
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": " "}]}]));
    let without = Shape { traits: Traits::NONE.with(Trait::NoSystem), ..shape("gemma-3-27b-it", ApiFamily::Gemini) };
    let (body, _) = encode(&alone, &without).unwrap();
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "S"}]}]}));
}

#[test]
fn thinking_is_said_in_the_words_of_each_generation() {
    let effort = Depth::Effort;
    for (model, depth, config, lost) in [
        ("gemini-2.5-flash", effort(Effort::High), json!({"thinkingBudget": 4096}), false),
        ("gemini-2.5-flash", Depth::Off, json!({"thinkingBudget": 0}), false),
        ("gemini-2.5-flash", Depth::Adaptive, json!({"thinkingBudget": -1}), false),
        ("gemini-2.5-flash-lite", effort(Effort::Minimal), json!({"thinkingBudget": 512}), false),
        ("gemini-2.5-flash", Depth::Budget(90_000), json!({"thinkingBudget": 24_576}), false),
        ("gemini-2.5-pro", Depth::Off, json!({"thinkingBudget": 128}), true),
        ("gemini-2.5-pro", Depth::Budget(20), json!({"thinkingBudget": 128}), false),
        ("gemini-3-pro-preview", effort(Effort::Medium), json!({"thinkingLevel": "MEDIUM"}), false),
        ("gemini-3-pro-preview", effort(Effort::Minimal), json!({"thinkingLevel": "LOW"}), false),
        ("gemini-3-pro-preview", Depth::Off, json!({"thinkingLevel": "LOW"}), true),
        ("gemini-3-flash-preview", Depth::Off, json!({"thinkingLevel": "MINIMAL"}), false),
        ("gemini-3.8-flash", effort(Effort::Max), json!({"thinkingLevel": "HIGH"}), false),
        ("gemini-3-flash-preview", Depth::Budget(2048), json!({"thinkingLevel": "MEDIUM"}), false),
        ("gemini-2.0-flash", effort(Effort::High), Value::Null, true),
        ("gemini-2.0-flash", Depth::Off, Value::Null, false),
    ] {
        let mut request = Request { turns: vec![turn(Role::User, &["x"])], ..Request::default() };
        request.reasoning.depth = Some(depth);
        let (body, features) = encode(&request, &shape(model, ApiFamily::Gemini)).unwrap();
        assert_eq!(body["generationConfig"]["thinkingConfig"], config, "{model} {depth:?}");
        assert_eq!(features.has(Feature::ReasoningDepth), lost, "{model} {depth:?}");
    }
}

#[test]
fn what_a_model_refuses_is_left_out_and_said() {
    let mut request = Request { turns: vec![turn(Role::User, &["x"])], ..Request::default() };
    request.sampling.temperature = Some(0.5);
    request.sampling.top_k = Some(5);
    request.sampling.presence_penalty = Some(0.5);
    request.sampling.stop = ["a", "b", "c", "d", "e", "f", ""].into_iter().map(Prose::plain).collect();
    request.parallel_calls = Some(false);
    request.max_output = Some(100_000);
    request.user = Some(Prose::plain("u"));
    request.service_tier = Some("scale".into());
    let fixed = Shape {
        traits: Traits::NONE.with(Trait::NoSamplingParams),
        max_output: Some(65_536),
        ..shape("gemini-3.8-flash", ApiFamily::Gemini)
    };
    let (body, lost) = encode(&request, &fixed).unwrap();
    let config = json!({"maxOutputTokens": 65_536, "stopSequences": ["a", "b", "c", "d", "e"]});
    assert_eq!(body["generationConfig"], config);
    assert_eq!(lost.to_string(), "temperature,top_k,presence_penalty,stop,service_tier,user");
    request.sampling.temperature = Some(1.0);
    assert!(!encode(&request, &fixed).unwrap().1.has(Feature::Temperature));
}

fn function<'a>(name: &'a str) -> Tool<'a> {
    let parameters = Some(Json::borrowed(br#"{"type":"object"}"#));
    Tool::Function { name: name.into(), description: None, parameters, strict: Some(true), cache: None }
}

#[test]
fn choices_are_modes_and_names() {
    let names = |all: &[&'static str]| all.iter().map(|name| (*name).into()).collect::<Vec<_>>();
    for (choice, config, shown) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"}), 3),
        (ToolChoice::None, json!({"mode": "NONE"}), 3),
        (ToolChoice::Required, json!({"mode": "ANY"}), 3),
        (ToolChoice::One("b".into()), json!({"mode": "ANY", "allowedFunctionNames": ["b"]}), 3),
        (ToolChoice::SomeRequired(names(&["a", "b"])), json!({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}), 3),
        (ToolChoice::Some(names(&["a", "b"])), json!({"mode": "AUTO"}), 2),
    ] {
        let request = Request {
            turns: vec![turn(Role::User, &["x"])],
            tools: vec![function("a"), function("b"), function("c")],
            tool_choice: Some(choice.clone()),
            ..Request::default()
        };
        let (body, lost) = encode(&request, &shape("gemini-2.5-pro", ApiFamily::Gemini)).unwrap();
        assert_eq!(body["toolConfig"]["functionCallingConfig"], config, "{choice:?}");
        assert_eq!(body["tools"][0]["functionDeclarations"].as_array().unwrap().len(), shown);
        assert_eq!(lost, [Feature::StrictTools].into_iter().collect());
    }
}

#[test]
fn search_goes_with_functions_from_gemini_3_on() {
    let request = Request {
        turns: vec![turn(Role::User, &["x"])],
        tools: vec![function("a")],
        web_search: true,
        ..Request::default()
    };
    let (body, lost) = encode(&request, &shape("gemini-3-pro-preview", ApiFamily::Gemini)).unwrap();
    assert_eq!(body["tools"][1], json!({"googleSearch": {}}));
    assert!(!lost.has(Feature::WebSearch));
    let (body, lost) = encode(&request, &shape("gemini-2.5-pro", ApiFamily::Gemini)).unwrap();
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert!(lost.has(Feature::WebSearch));
}

#[test]
fn what_would_ask_for_something_else_is_impossible() {
    let raw = || Json::borrowed(b"{}");
    let wire = Wire::Responses;
    let hosted = Tool::Hosted { wire, kind: "file_search".into(), raw: raw(), web_search: false };
    let plain = || Request { turns: vec![turn(Role::User, &["x"])], ..Request::default() };
    let studio = shape("gemini-2.5-pro", ApiFamily::Gemini);
    let found = encode(&Request { tools: vec![hosted], ..plain() }, &studio).unwrap_err();
    assert_eq!(found.feature, Feature::HostedTools);
    for feature in [Feature::Conversation, Feature::PromptTemplate, Feature::Background, Feature::AudioOut] {
        let foreign = weir::chat::request::Foreign { feature, wire, name: "x".into(), value: raw() };
        let found = encode(&Request { foreign: vec![foreign], ..plain() }, &studio).unwrap_err();
        assert_eq!(found.feature, feature);
    }
    let foreign = weir::chat::request::Foreign { feature: Feature::LogitBias, wire, name: "x".into(), value: raw() };
    let (_, lost) = encode(&Request { foreign: vec![foreign], ..plain() }, &studio).unwrap();
    assert_eq!(lost, [Feature::LogitBias].into_iter().collect());
    let bucket = fixtures("requests").into_iter().find(|one| name(one) == "an image in a bucket").unwrap();
    let body = bytes(&bucket["body"]);
    let found = encode(&Gemini.decode_request(&body).unwrap(), &studio).unwrap_err();
    assert_eq!(found.feature, Feature::RemoteMedia);
}

#[test]
fn media_are_told_by_their_type() {
    let fixture = fixtures("requests").into_iter().find(|one| name(one) == "a document and a sound inline").unwrap();
    let body = bytes(&fixture["body"]);
    let request = Gemini.decode_request(&body).unwrap();
    let kinds: Vec<MediaKind> = request.turns[0]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Media(media) => Some(media.kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [MediaKind::Document, MediaKind::Audio]);
}

// Answers

fn describe_citation(one: &Citation<'_>) -> String {
    format!("{:?} {:?} {:?}", one.url, one.title.as_ref().map(text), one.span)
}

fn describe(part: &Part<'_>) -> String {
    match &part.content {
        Content::Text { text: words, citations } => {
            format!("text {:?} {:?}", text(words), citations.iter().map(describe_citation).collect::<Vec<_>>())
        }
        Content::Thought(thought) => {
            format!("thought {:?} {:?}", text(&thought.text), thought.seal.as_ref().map(|seal| &seal.data))
        }
        Content::Call(call) => {
            format!("call {} {} {:?} {:?}", call.id, call.name, text(&call.arguments), call.signature)
        }
        other => format!("{other:?}"),
    }
}

fn answer(wanted: &str) -> Vec<u8> {
    bytes(&fixtures("answers").into_iter().find(|one| name(one) == wanted).unwrap()["body"])
}

#[test]
fn every_answer_is_read_and_comes_back() {
    let all = fixtures("answers");
    assert!(all.len() >= 15);
    for fixture in &all {
        let body = bytes(&fixture["body"]);
        let read = Gemini.decode_answer(&body).unwrap_or_else(|error| panic!("{}: {error:?}", name(fixture)));
        let written = Gemini.encode_answer(&read, &frame(true));
        let again = Gemini.decode_answer(&written).unwrap();
        let parts = |answer: &Answer<'_>| answer.parts.iter().map(describe).collect::<Vec<_>>();
        assert_eq!(parts(&read), parts(&again), "{}", name(fixture));
        assert_eq!((&read.finish, read.usage), (&again.finish, again.usage), "{}", name(fixture));
        let calls = read.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
        assert_eq!(calls, read.finish == Finish::ToolCalls, "{}", name(fixture));
    }
}

#[test]
fn finishes_are_told_apart() {
    for (fixture, finish) in [
        ("words", Finish::Stop),
        ("a call", Finish::ToolCalls),
        ("the output limit before the first word", Finish::Length),
        ("a filtered answer", Finish::Filtered),
        ("a blocked prompt", Finish::Filtered),
        ("a malformed call", Finish::Broken),
        ("nothing but usage", Finish::Broken),
        ("no usage, no id, no model", Finish::Stop),
    ] {
        let body = answer(fixture);
        assert_eq!(Gemini.decode_answer(&body).unwrap().finish, finish, "{fixture}");
    }
}

#[test]
fn parts_of_an_answer_are_read_in_order() {
    for (fixture, parts) in [
        ("thoughts with a seal", vec!["thought \"I look.\" Some(\"c2VhbA==\")", "text \"Seven.\" []"]),
        ("a signature on the words", vec!["text \"Seven.\" []", "thought \"\" Some(\"c2VhbA==\")"]),
        ("a call without an id", vec![r#"call call_mAx9aLb3OcqP1dkP_1 get_weather "{\"city\":\"Oslo\"}" None"#]),
        ("a call without arguments", vec![r#"call call_mAx9aLb3OcqP1dkP_1 get_time "{}" None"#]),
        ("two candidates of which the first is read", vec!["text \"one\" []"]),
        (
            "words with sources",
            vec![
                r#"text "Ærø 7° today." ["Some(\"https://example.com/a\") Some(\"A\") Some((0, 6))", "Some(\"https://example.com/b\") Some(\"B\") Some((0, 6))"]"#,
            ],
        ),
    ] {
        let body = answer(fixture);
        let found: Vec<String> = Gemini.decode_answer(&body).unwrap().parts.iter().map(describe).collect();
        assert_eq!(found, parts, "{fixture}");
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_told() {
    for body in [
        r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}"#,
        r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#,
    ] {
        let Err(BadAnswer::Failure(failure)) = Gemini.decode_answer(body.as_bytes()) else { panic!("{body}") };
        assert_eq!((failure.kind, failure.status), (FailureKind::RateLimit, 429));
    }
    for body in ["{}", "[]", "", "<html>", r#"{"candidates":[{]}"#] {
        assert!(matches!(Gemini.decode_answer(body.as_bytes()), Err(BadAnswer::Malformed(_))), "{body}");
    }
}

#[test]
fn an_answer_kept_in_pieces_is_one_turn() {
    let fixture = fixtures("requests").into_iter().find(|one| name(one) == "a streamed answer kept in pieces").unwrap();
    let body = bytes(&fixture["body"]);
    let request = Gemini.decode_request(&body).unwrap();
    let parts: Vec<String> = request.turns[1].parts.iter().map(describe).collect();
    assert_eq!(
        parts,
        [r#"thought "I look." Some("c2VhbDE=")"#, r#"text "Seven." []"#, r#"thought "" Some("c2VhbDI=")"#]
    );
}

/// A thought of another vendor's, as a client of Gemini's form gets it and sends it back.
#[test]
fn another_vendors_seal_travels_through_a_client() {
    let seal = || Seal { wire: Wire::Messages, data: "EqQB+/==".into(), redacted: false, id: None };
    let thought = Thought { text: Prose::plain("I look."), seal: Some(seal()) };
    let parts = vec![Content::Thought(thought).into(), Content::text(Prose::plain("Seven.")).into()];
    let whole: Value =
        serde_json::from_slice(&Gemini.encode_answer(&Answer { parts, ..Answer::default() }, &frame(true))).unwrap();
    let mut writer = Gemini.encode_stream(&frame(false));
    let mut stream = Vec::new();
    let delta = |block, delta| Event::Delta { block, delta };
    for event in [
        Event::Start { id: None, model: None },
        Event::Open { block: 0, opening: Opening::Thought },
        delta(0, Delta::Text(Prose::plain("I "))),
        delta(0, Delta::Text(Prose::plain("look."))),
        delta(0, Delta::Seal(seal())),
        Event::Close { block: 0 },
        Event::Open { block: 1, opening: Opening::Text },
        delta(1, Delta::Text(Prose::plain("Seven."))),
        Event::Close { block: 1 },
        Event::Finish(Finish::Stop),
        Event::Done,
    ] {
        writer.event(&event, &mut stream);
    }
    let pieces: Value = serde_json::from_slice(&stream).unwrap();
    let contents = |responses: &[Value]| -> Vec<Value> {
        responses.iter().map(|response| response["candidates"][0]["content"].clone()).collect()
    };
    for history in [contents(&[whole]), contents(pieces.as_array().unwrap())] {
        let mut turns = vec![json!({"role": "user", "parts": [{"text": "Oslo?"}]})];
        turns.extend(history);
        turns.push(json!({"role": "user", "parts": [{"text": "Thanks"}]}));
        let body = bytes(&json!({"contents": turns}));
        assert!(marked(&body));
        let request = Gemini.decode_request(&body).unwrap();
        let Content::Thought(thought) = &request.turns[1].parts[0].content else { panic!() };
        assert_eq!((text(&thought.text).as_str(), &thought.seal), ("I look.", &Some(seal())));
        let (written, lost) = encode(&request, &shape("gemini-3-pro-preview", ApiFamily::Gemini)).unwrap();
        assert!(lost.has(Feature::Thoughts) && !marked(&bytes(&written)));
    }
}

// Streams

fn sse(fixture: &Value) -> Vec<u8> {
    let mut out = String::new();
    for event in fixture["events"].as_array().unwrap() {
        if let Some(comment) = event.get("comment") {
            out.push_str(&format!(": {}\n\n", comment.as_str().unwrap()));
            continue;
        }
        if let Some(name) = event.get("event") {
            out.push_str(&format!("event: {}\n", name.as_str().unwrap()));
        }
        out.push_str(&format!("data: {}\r\n\r\n", String::from_utf8(bytes(&event["data"])).unwrap()));
    }
    out.into_bytes()
}

/// The same as one JSON array, as streams without `alt=sse` are.
fn array(fixture: &Value) -> Vec<u8> {
    let all = fixture["events"].as_array().unwrap().iter().filter_map(|event| event.get("data"));
    let objects: Vec<String> = all
        .flat_map(|data| data.as_array().cloned().unwrap_or_else(|| vec![data.clone()]))
        .filter(Value::is_object)
        .map(|data| serde_json::to_string_pretty(&data).unwrap())
        .collect();
    format!("[{}\n]\n", objects.join("\n,\r\n")).into_bytes()
}

fn describe_event(event: &Event<'_>) -> String {
    match event {
        Event::Delta { block, delta: Delta::Text(words) } => format!("{block} + {:?}", text(words)),
        Event::Delta { block, delta: Delta::Seal(seal) } => format!("{block} seal {}", seal.data),
        Event::Delta { block, delta: Delta::Citation(one) } => format!("{block} cites {}", describe_citation(one)),
        Event::Open { block, opening: Opening::Call { id, name, signature, .. } } => {
            format!("{block} call {id} {name} {signature:?}")
        }
        Event::Open { block, opening } => format!("{block} {opening:?}"),
        other => format!("{other:?}"),
    }
}

fn events<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut stream = Gemini.decode_stream();
    let mut out = Vec::new();
    let mut sink = |event: Event<'_>| out.push(describe_event(&event));
    for chunk in chunks {
        stream.push(chunk, &mut sink);
    }
    stream.finish(&mut sink);
    out
}

fn whole(stream: &[u8]) -> Vec<String> {
    events([stream].into_iter())
}

#[test]
fn streams_are_read_alike_at_every_split() {
    let all = fixtures("streams");
    assert!(all.len() >= 15);
    for fixture in &all {
        for stream in [sse(fixture), array(fixture)] {
            let expected = whole(&stream);
            assert!(!expected.is_empty(), "{}", name(fixture));
            for split in 0..=stream.len() {
                let (left, right) = stream.split_at(split);
                assert_eq!(events([left, right].into_iter()), expected, "{} split at {split}", name(fixture));
            }
            assert_eq!(events(stream.chunks(1)), expected, "{} byte by byte", name(fixture));
        }
    }
}

#[test]
fn both_forms_of_a_stream_say_the_same() {
    for fixture in fixtures("streams") {
        let mut events = whole(&sse(&fixture));
        events.retain(|event| event != "Ping");
        assert_eq!(whole(&array(&fixture)), events, "{}", name(&fixture));
    }
}

#[test]
fn streams_keep_the_order_that_encoders_rely_on() {
    for fixture in fixtures("streams") {
        let events = whole(&sse(&fixture));
        let at = |prefix: &str| events.iter().position(|event| event.starts_with(prefix));
        let done = events.last().is_some_and(|event| event == "Done");
        assert_eq!(done, at("Finish").is_some() && at("Failure").is_none(), "{}", name(&fixture));
        let failed_first =
            events.iter().find(|event| *event != "Ping").is_some_and(|event| event.starts_with("Failure"));
        assert!(failed_first || at("Start") == events.iter().position(|event| event != "Ping"), "{}", name(&fixture));
        if let Some(finish) = at("Finish") {
            let closes = events.iter().rposition(|event| event.starts_with("Close"));
            assert!(closes.is_none_or(|close| close < finish), "{}", name(&fixture));
        }
    }
}

fn stream(wanted: &str) -> Vec<String> {
    let fixture = fixtures("streams").into_iter().find(|one| name(one) == wanted).unwrap();
    whole(&sse(&fixture))
        .into_iter()
        .filter(|event| !event.starts_with("Usage") && !event.starts_with("Start"))
        .collect()
}

#[test]
fn streams_say_what_they_say() {
    for (fixture, expected) in [
        (
            "thought, words and two calls in one piece",
            &[
                "0 Thought",
                "0 + \"Hm.\"",
                "Close { block: 0 }",
                "1 Text",
                "1 + \"Both.\"",
                "Close { block: 1 }",
                "2 call call_mAx9aLb3OcqP1dkP_1 get_weather Some(\"c2VhbA==\")",
                "2 + \"{\\\"city\\\":\\\"Oslo\\\"}\"",
                "Close { block: 2 }",
                "3 call call_mAx9aLb3OcqP1dkP_2 get_weather None",
                "3 + \"{\\\"city\\\":\\\"Rome\\\"}\"",
                "Close { block: 3 }",
                "Finish(ToolCalls)",
                "Done",
            ][..],
        ),
        (
            "a signature on an empty part at the end",
            &[
                "0 Text",
                "0 + \"Seven.\"",
                "Close { block: 0 }",
                "1 Thought",
                "1 seal c2VhbA==",
                "Close { block: 1 }",
                "Finish(Stop)",
                "Done",
            ],
        ),
        ("cut before the reason", &["0 Text", "0 + \"Seven\"", "0 + \" deg\""]),
        ("a blocked prompt", &["Finish(Filtered)", "Done"]),
    ] {
        assert_eq!(stream(fixture), expected, "{fixture}");
    }
    assert!(stream("an error in the middle").last().unwrap().contains("Overloaded"));
}

/// What a client of Weir gets for a stream of Gemini's.
fn through(stream: &[u8], sse: bool) -> Vec<u8> {
    let mut reader = Gemini.decode_stream();
    let mut writer = Gemini.encode_stream(&frame(sse));
    let mut out = Vec::new();
    reader.push(stream, &mut |event| writer.event(&event, &mut out));
    reader.finish(&mut |event| writer.event(&event, &mut out));
    out
}

#[test]
fn a_written_stream_is_read_as_it_was() {
    for fixture in fixtures("streams") {
        let mut expected = whole(&sse(&fixture));
        // Usage stands once, on the last piece.
        let usage = expected.iter().rev().find(|event| event.starts_with("Usage")).cloned();
        expected.retain(|event| event != "Ping" && !event.starts_with("Usage"));
        for form in [true, false] {
            let mut found = whole(&through(&sse(&fixture), form));
            let ended = found.iter().any(|event| event == "Done");
            let counted: Vec<String> = found.iter().filter(|event| event.starts_with("Usage")).cloned().collect();
            assert!(counted.iter().eq(usage.iter().filter(|_| ended)), "{}", name(&fixture));
            found.retain(|event| !event.starts_with("Usage"));
            assert_eq!(found, expected, "{} {form}", name(&fixture));
        }
    }
}

#[test]
fn an_array_is_whole_json_even_after_an_error() {
    for fixture in fixtures("streams").iter().filter(|one| name(one) != "cut before the reason") {
        let array: Value = serde_json::from_slice(&through(&sse(fixture), false)).unwrap();
        assert!(!array.as_array().unwrap().is_empty());
    }
    let cut = fixtures("streams").into_iter().find(|one| name(one) == "cut before the reason").unwrap();
    assert!(serde_json::from_slice::<Value>(&through(&sse(&cut), false)).is_err());
}

#[test]
fn a_call_is_written_whole_and_words_at_once() {
    let mut writer = Gemini.encode_stream(&frame(true));
    let mut out = Vec::new();
    let mut say = |event: Event<'_>| {
        out.clear();
        writer.event(&event, &mut out);
        String::from_utf8(out.clone()).unwrap()
    };
    let words = |block, words: &'static str| Event::Delta { block, delta: Delta::Text(Prose::plain(words)) };
    let call =
        |id: &'static str| Opening::Call { id: id.into(), name: "f".into(), kind: Default::default(), signature: None };
    assert_eq!(say(Event::Start { id: Some("r1".into()), model: None }), "");
    assert_eq!(say(Event::Open { block: 0, opening: Opening::Text }), "");
    assert!(say(words(0, "Hi")).contains(r#""parts":[{"text":"Hi"}]"#));
    assert_eq!(say(Event::Close { block: 0 }), "");
    assert_eq!(say(Event::Open { block: 1, opening: call("a") }), "");
    assert_eq!(say(Event::Open { block: 2, opening: call("b") }), "");
    assert_eq!(say(words(1, "{\"x\":")), "");
    assert_eq!(say(words(2, "{\n}")), "");
    assert_eq!(say(words(1, "1}")), "");
    assert!(say(Event::Close { block: 2 }).contains(r#"{"functionCall":{"id":"b","name":"f","args":{}}}"#));
    assert!(say(Event::Close { block: 1 }).contains(r#"{"functionCall":{"id":"a","name":"f","args":{"x":1}}}"#));
    assert_eq!(say(Event::Finish(Finish::ToolCalls)), "");
    assert_eq!(say(Event::Ping), "\n");
    assert_eq!(say(Event::Usage(Usage { input: 3, output: 2, ..Usage::default() })), "");
    let last = say(Event::Done);
    assert!(last.contains(r#""finishReason":"STOP""#) && last.contains(r#""totalTokenCount":5"#));
    assert!(last.contains(r#""modelVersion":"gemini-test","responseId":"r1""#) && last.ends_with("}\n\n"));
    assert_eq!(say(Event::Ping), "", "nothing follows the end");
}

#[test]
fn arguments_over_the_bound_end_the_stream_with_an_error() {
    let mut writer = Gemini.encode_stream(&frame(true));
    let mut out = Vec::new();
    let opening = Opening::Call { id: "a".into(), name: "f".into(), kind: Default::default(), signature: None };
    writer.event(&Event::Open { block: 0, opening }, &mut out);
    let piece = "x".repeat(100_000);
    for _ in 0..20 {
        writer.event(&Event::Delta { block: 0, delta: Delta::Text(Prose::plain(piece.as_str())) }, &mut out);
    }
    writer.event(&Event::Done, &mut out);
    assert!(whole(&out).last().unwrap().starts_with("Failure"));
    assert_eq!(out.windows(5).filter(|window| window == b"data:").count(), 1);
}

// Errors

#[test]
fn every_error_is_told() {
    let all = fixtures("errors");
    assert!(all.len() >= 8);
    for fixture in &all {
        let kind = match name(fixture) {
            "a bad argument" => FailureKind::InvalidRequest,
            "a prompt too long" => FailureKind::ContextTooLong,
            "a wrong key" | "no credentials" | "OAuth's form" => FailureKind::Authentication,
            "forbidden" => FailureKind::Permission,
            "no such model" => FailureKind::NotFound,
            "the quota with a delay" | "the quota in an array" | "an empty body" => FailureKind::RateLimit,
            "a fault" | "a page of a front proxy" => FailureKind::Server,
            "overloaded" | "plain words of a front proxy" => FailureKind::Overloaded,
            "too slow" => FailureKind::Timeout,
            "no money" => FailureKind::Billing,
            other => panic!("{other}"),
        };
        let status = fixture["status"].as_u64().unwrap() as u16;
        let body = bytes(&fixture["body"]);
        let failure = Gemini.decode_failure(status, &Headers::default(), &body);
        assert_eq!((failure.kind, failure.status), (kind, status), "{}", name(fixture));
        assert!(!failure.message.is_empty() && !failure.message.contains('<'));
        let (again, written) = Gemini.encode_failure(&failure);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!((again, written["error"]["code"].as_u64()), (status, Some(u64::from(status))));
        assert_eq!(written["error"]["message"], failure.message.as_ref());
    }
}

#[test]
fn an_overloaded_vendor_is_a_503() {
    let failure = Failure {
        kind: FailureKind::Overloaded,
        status: 529,
        message: "Overloaded".into(),
        code: Some("overloaded_error".into()),
        param: None,
    };
    let (status, body) = Gemini.encode_failure(&failure);
    let expected = json!({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "overloaded_error"}]}});
    assert_eq!((status, serde_json::from_slice::<Value>(&body).unwrap()), (503, expected));
}

// Broken bytes

#[test]
fn cut_and_mutated_bytes_end_in_order() {
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for file in ["requests", "answers", "errors"] {
        bodies.extend(fixtures(file).iter().map(|fixture| bytes(&fixture["body"])));
    }
    bodies.extend(fixtures("streams").iter().flat_map(|fixture| [sse(fixture), array(fixture)]));
    let try_all = |bytes: &[u8]| {
        if let Ok(request) = Gemini.decode_request(bytes) {
            let _ = Gemini.encode_request(&request, &shapes()[1], &mut Writer::with_capacity(64));
        }
        let _ = Gemini.decode_answer(bytes).map(|answer| Gemini.encode_answer(&answer, &frame(true)));
        let _ = Gemini.decode_failure(500, &Headers::default(), bytes);
        let _ = Gemini.parse_usage(bytes);
        let _ = through(bytes, true);
    };
    for body in &bodies {
        let mut broken = body.clone();
        for at in 0..body.len() {
            try_all(&body[..at]);
            broken[at] = [b'"', b'{', b']', b'9', 0xFF][at % 5];
            try_all(&broken);
            broken[at] = body[at];
        }
    }
}
