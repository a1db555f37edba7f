//! Streams, in both forms, and at every split.

use serde_json::Value;
use weir::chat::answer::Finish;
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::prose::Prose;
use weir::chat::usage::Usage;
use weir::codec::gemini::wire::Gemini;
use weir::codec::wire::{ClientWire, ProviderWire};

use crate::rig::{array, describe_citation, fixtures, frame, name, sse, text, through};

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
