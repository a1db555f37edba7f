//! Streams from fixtures, at every split of their bytes, cut and damaged.

use crate::{cohere, fixture, fixtures, words};
use serde_json::Value;
use weir::chat::event::{Delta, Event, Opening};

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
