//! Whole answers, read and written.

use serde_json::{Value, json};
use weir::chat::answer::Finish;
use weir::codec::responses::sides::Responses;
use weir::codec::wire::{BadAnswer, ClientWire, ProviderWire};

use crate::fixture::{body, fixtures, frame};

#[test]
fn every_answer_decodes_or_is_an_error() {
    let rows = fixtures("answers");
    assert!(rows.len() >= 15);
    for (name, row) in rows {
        let bytes = row["body"].to_string().into_bytes();
        match Responses.decode_answer(&bytes) {
            Ok(answer) => assert!(answer.model.is_some(), "{name}"),
            Err(BadAnswer::Failure(failure)) => {
                assert!(name.contains("failed") || name.contains("error"), "{failure:?}")
            }
            Err(BadAnswer::Malformed(error)) => panic!("{name}: {error}"),
        }
        for end in 0..bytes.len() {
            assert!(Responses.decode_answer(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            for byte in [b'"', b'{', b']', b'0', 0xff] {
                let mut garbled = bytes.clone();
                garbled[at] = byte;
                let _ = Responses.decode_answer(&garbled);
            }
        }
    }
}

#[test]
fn answers_end_for_the_reason_that_the_vendor_gives() {
    for (name, finish) in [
        ("text", Finish::Stop),
        ("a hidden thought, then a call", Finish::ToolCalls),
        ("a custom tool's call", Finish::ToolCalls),
        ("a refusal", Finish::Refused),
        ("the output limit", Finish::Length),
        ("the vendor's filter", Finish::Filtered),
        ("a steered turn", Finish::Paused),
    ] {
        let bytes = body("answers", name);
        assert_eq!(Responses.decode_answer(&bytes).unwrap().finish, finish, "{name}");
    }
    let bytes = body("answers", "text");
    let usage = Responses.decode_answer(&bytes).unwrap().usage.unwrap();
    let counts = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning);
    assert_eq!(counts, (20, 8, 4, 12, 5));
}

/// An answer as a client sees it, without what differs between a vendor's body and Weir's.
fn essence(response: &Value) -> Value {
    let mut output = response["output"].clone();
    for item in output.as_array_mut().unwrap() {
        let map = item.as_object_mut().unwrap();
        ["id", "status", "phase", "sparkle"].iter().for_each(|name| drop(map.remove(*name)));
        for part in map.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            part.as_object_mut().unwrap().remove("logprobs");
        }
        let summary = map.get("summary").and_then(Value::as_array).cloned().unwrap_or_default();
        if summary.len() > 1 {
            let texts: Vec<&str> = summary.iter().map(|part| part["text"].as_str().unwrap()).collect();
            map["summary"] = json!([{"type": "summary_text", "text": texts.join("\n\n")}]);
        }
    }
    json!([response["status"], response["incomplete_details"], output, response["usage"], response["model"]])
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let quirks = [
        "an open model's thinking without usage",
        "empty text and escapes",
        "two messages with phases",
        "a steered turn",
    ];
    for (name, row) in fixtures("answers") {
        let bytes = row["body"].to_string().into_bytes();
        let Ok(answer) = Responses.decode_answer(&bytes) else { continue };
        let written = Responses.encode_answer(&answer, &frame());
        let value: Value = serde_json::from_slice(&written).unwrap();
        if !quirks.contains(&name.as_str()) {
            assert_eq!(essence(&value), essence(&row["body"]), "{name}");
        }
        assert_eq!(Responses.encode_answer(&answer, &frame()), written, "{name}: ids do not change");
        let again = Responses.decode_answer(&written).unwrap();
        assert_eq!(
            (&again.finish, again.usage),
            (if answer.finish == Finish::Paused { &Finish::Length } else { &answer.finish }, answer.usage),
            "{name}"
        );
    }
}
