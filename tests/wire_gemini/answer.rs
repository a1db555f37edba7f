//! Whole answers and errors.

use serde_json::{Value, json};
use weir::chat::answer::{Answer, Finish};
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::failure::{Failure, FailureKind};
use weir::chat::family::ApiFamily;
use weir::chat::feature::Feature;
use weir::chat::part::{Content, Seal, Thought};
use weir::chat::prose::Prose;
use weir::chat::wire::Wire;
use weir::codec::gemini::seal::marked;
use weir::codec::gemini::wire::Gemini;
use weir::codec::wire::{BadAnswer, ClientWire, ProviderWire};
use weir::http::Headers;

use crate::rig::{bytes, describe, encode, fixtures, frame, name, shape, text};

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
fn members_nobody_knows_spoil_nothing() {
    let body = json!({"candidates": [{"content": {"parts": [
        {"text": "Hi", "mood": {"x": 1}},
        {"functionCall": {"name": "f", "args": {}, "y": 1}, "z": [1]},
        {"tomorrow": 1},
    ]}, "w": 1}], "v": 1});
    let body = bytes(&body);
    let answer = Gemini.decode_answer(&body).unwrap();
    let found: Vec<String> = answer.parts.iter().map(describe).collect();
    assert_eq!(found.len(), 3);
    assert_eq!(found[..2], ["text \"Hi\" []", "call call_1 f \"{}\" None"]);
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
