//! Streams from fixtures, at every split of their bytes, cut and damaged.

use crate::{converse, fixture, fixtures, words};
use serde_json::{Value, json};
use weir::chat::event::{Delta, Event, Opening};
use weir::codec::bedrock::event_stream::{write_event, write_exception, write_frame};

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
                "0 seal converse RW1FS0NrZ0lCUkFC true",
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
            "a hidden thought in pieces",
            &[
                "open 0 thought",
                "0 seal converse Zm9vYmFy true",
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
            "a signature in pieces that is never closed",
            &[
                "open 0 thought",
                "0 += Hm.",
                "0 seal messages EqMC false",
                "close 0",
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
fn payloads_that_are_none_are_passed_over() {
    for fixture in fixtures("wire/converse/streams.jsonl") {
        let all = fixture["events"].as_array().unwrap();
        for (broken, event) in all.iter().enumerate() {
            let payload = serde_json::to_vec(&event["payload"]).unwrap();
            for at in 0..payload.len() {
                let mut damaged = payload.clone();
                damaged[at] = [b'"', b'}', b'[', b'\\', b'9', 0, 0xff][at % 7];
                let mut bytes = Vec::new();
                for (index, event) in all.iter().enumerate() {
                    let whole = serde_json::to_vec(&event["payload"]).unwrap();
                    let payload = if index == broken { &damaged } else { &whole };
                    match (event["type"].as_str(), event["exception"].as_str()) {
                        (Some(name), _) => write_event(&mut bytes, name, payload),
                        (None, name) => write_exception(&mut bytes, name.unwrap(), payload),
                    }
                }
                assert_order(fixture["name"].as_str().unwrap(), &events([bytes.as_slice()]));
            }
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
