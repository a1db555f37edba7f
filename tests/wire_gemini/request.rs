//! Requests: what is read comes back, and what Gemini would refuse is fitted or said.

use serde_json::{Value, json};
use weir::chat::family::ApiFamily;
use weir::chat::feature::Feature;
use weir::chat::part::{Call, CallKind, CallResult, Content, MediaKind, Part};
use weir::chat::prose::{Json, Prose};
use weir::chat::request::{Depth, Effort, Request, Role, Tool, ToolChoice, Turn};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::gemini::part_out::SKIP;
use weir::codec::gemini::wire::Gemini;
use weir::codec::wire::{ClientWire, Shape};

use crate::rig::{bytes, encode, fixtures, name, rewritten, shape, shapes};

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
fn calls_are_bounded() {
    let calls = |count: usize| {
        let call = json!({"functionCall": {"name": "f", "args": {}}});
        bytes(&json!({"contents": [{"role": "model", "parts": vec![call; count]}]}))
    };
    assert!(Gemini.decode_request(&calls(4096)).is_ok());
    assert_eq!(Gemini.decode_request(&calls(4097)).unwrap_err().what, "the conversation has more than 4096 calls");
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
fn nothing_stands_between_calls_and_their_results() {
    let call = |id: &'static str| {
        let arguments = Prose::plain("{}");
        let call = Call { id: id.into(), name: "f".into(), arguments, kind: CallKind::Function, signature: None };
        Part::from(Content::Call(call))
    };
    let result = |id: &'static str| {
        let parts = vec![Content::text(Prose::plain(id)).into()];
        let result = CallResult { id: id.into(), name: None, parts, is_error: false, kind: CallKind::Function };
        Turn { role: Role::Tool, parts: vec![Content::Result(result).into()], name: None }
    };
    let request = Request {
        turns: vec![
            turn(Role::User, &["x"]),
            Turn { role: Role::Assistant, parts: vec![call("a"), call("b")], name: None },
            turn(Role::System, &["late"]),
            result("b"),
            turn(Role::User, &["y"]),
            result("a"),
            turn(Role::User, &["z"]),
        ],
        ..Request::default()
    };
    let (body, _) = encode(&request, &shape("gemini-2.5-pro", ApiFamily::Gemini)).unwrap();
    let contents = body["contents"].as_array().unwrap();
    let output = |part: usize| contents[2]["parts"][part]["functionResponse"]["response"]["output"].clone();
    assert_eq!((contents.len(), output(0), output(1)), (4, json!("a"), json!("b")));
    assert_eq!(contents[3]["parts"], json!([{"text": "late"}, {"text": "y"}, {"text": "z"}]));
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

fn turn<'a>(role: Role, texts: &[&'a str]) -> Turn<'a> {
    let parts = texts.iter().map(|text| Part::from(Content::text(Prose::plain(*text)))).collect();
    Turn { role, parts, name: None }
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
