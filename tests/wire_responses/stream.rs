//! Streams as providers send them. Not as clients get them (see `narrate`).

use serde_json::json;
use weir::chat::event::{Delta, Event};
use weir::codec::responses::sides::Responses;
use weir::codec::wire::ProviderWire;

use crate::fixture::{fixture, fixtures, stream_bytes, text};

/// What a stream's reader is told, in words that can be compared.
fn show(event: &Event<'_>) -> String {
    match event {
        Event::Delta { block, delta: Delta::Text(words) } => format!("delta {block} {:?}", text(words)),
        Event::Delta { block, delta: Delta::Citation(citation) } => {
            format!("cite {block} {:?} {:?}", citation.url, citation.span)
        }
        other => format!("{other:?}"),
    }
}

pub fn read_stream<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut shown = Vec::new();
    let mut stream = Responses.decode_stream();
    let mut sink = |event: Event<'_>| shown.push(show(&event));
    chunks.for_each(|chunk| stream.push(chunk, &mut sink));
    stream.finish(&mut sink);
    shown
}

/// What every decoder keeps to.
fn check_order(name: &str, bytes: &[u8]) {
    let mut stream = Responses.decode_stream();
    let (mut started, mut finished, mut ended) = (false, false, false);
    let mut open: Vec<bool> = Vec::new();
    let mut sink = |event: Event<'_>| {
        assert!(!ended, "{name}: something follows the end");
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut started, true), "{name}"),
            Event::Open { block, .. } => {
                assert_eq!(block as usize, open.len(), "{name}");
                open.push(true);
            }
            Event::Delta { block, .. } => assert!(open[block as usize], "{name}"),
            Event::Close { block } => assert!(std::mem::replace(&mut open[block as usize], false), "{name}"),
            Event::Finish(_) => {
                assert!(!open.contains(&true), "{name}");
                assert!(!std::mem::replace(&mut finished, true), "{name}");
            }
            Event::Failure(_) => ended = true,
            Event::Done => {
                assert!(finished, "{name}");
                ended = true;
            }
            Event::Ping | Event::Usage(_) => {}
        }
    };
    stream.push(bytes, &mut sink);
    stream.finish(&mut sink);
}

#[test]
fn every_stream_gives_the_same_events_at_every_split() {
    let rows = fixtures("streams");
    assert!(rows.len() >= 15);
    for (name, row) in rows {
        let bytes = stream_bytes(&row);
        check_order(&name, &bytes);
        let whole = read_stream(std::iter::once(bytes.as_slice()));
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(read_stream([left, right].into_iter()), whole, "{name} at {at}");
        }
        assert_eq!(read_stream(bytes.chunks(1)), whole, "{name} byte by byte");
    }
}

#[test]
fn a_cut_or_garbled_stream_ends_without_a_panic() {
    for (name, row) in fixtures("streams") {
        let bytes = stream_bytes(&row);
        for end in (0..bytes.len()).step_by(13) {
            check_order(&name, &bytes[..end]);
        }
        for at in (0..bytes.len()).step_by(3) {
            {
                let mut garbled = bytes.clone();
                garbled[at] = [b'"', b'}', b'\n', b'9', 0xff][at % 5];
                let events = read_stream(std::iter::once(garbled.as_slice()));
                assert!(events.len() < 200);
            }
        }
    }
}

fn events_of(name: &str) -> Vec<String> {
    let events = read_stream(std::iter::once(stream_bytes(&fixture("streams", name)).as_slice()));
    // The usage and the start are the same everywhere.
    events.into_iter().filter(|event| !event.starts_with("Usage") && !event.starts_with("Start")).collect()
}

#[test]
fn streams_say_what_the_model_said() {
    let call =
        r#"Open { block: 0, opening: Call { id: "call_1", name: "get_weather", kind: Function, signature: None } }"#;
    let sealed = |id: &str, data: &str| {
        format!(
            "Delta {{ block: 0, delta: Seal(Seal {{ wire: Responses, data: {data:?}, redacted: false, id: Some({id:?}) }}) }}"
        )
    };
    assert_eq!(
        events_of("text"),
        [
            "Open { block: 0, opening: Text }",
            r#"delta 0 "Hel""#,
            r#"delta 0 "lo!""#,
            "Close { block: 0 }",
            "Finish(Stop)",
            "Done"
        ]
    );
    assert_eq!(
        events_of("summaries, text and their seal")[..8],
        [
            "Open { block: 0, opening: Thought }".to_owned(),
            r#"delta 0 "Fir""#.to_owned(),
            r#"delta 0 "st.""#.to_owned(),
            r#"delta 0 "\n\n""#.to_owned(),
            r#"delta 0 "Second.""#.to_owned(),
            sealed("rs_1", "gAAAAABo"),
            "Close { block: 0 }".to_owned(),
            "Open { block: 1, opening: Text }".to_owned()
        ]
    );
    let hidden = events_of("a hidden thought and a call");
    assert_eq!(hidden[1], sealed("rs_2", "gAAAAABp"), "the seal in `added` is not whole");
    assert_eq!(hidden[3], call.replace("block: 0", "block: 1"));
    assert_eq!(hidden[hidden.len() - 2..], ["Finish(ToolCalls)", "Done"]);
    let interleaved = events_of("two calls whose pieces interleave");
    assert_eq!(interleaved[0], call);
    assert!(interleaved[1].contains("block: 1"));
    let namespaced = events_of("a call into a namespace without arguments");
    assert!(namespaced[0].contains("mcp__github__ns__list_issues"), "{namespaced:?}");
    assert!(events_of("a refusal").contains(&"Finish(Refused)".to_owned()));
    assert!(
        events_of("a web search and citations")
            .contains(&r#"cite 0 Some("https://example.com/a") Some((0, 4))"#.to_owned())
    );
    assert!(events_of("the output limit").contains(&"Finish(Length)".to_owned()));
    assert_eq!(events_of("the vendor's filter"), ["Finish(Filtered)", "Done"]);
    assert_eq!(events_of("a cut before the last word").last().unwrap(), r#"delta 0 "lo!""#);
    assert_eq!(events_of("an open model's thinking")[1..3], [r#"delta 0 "Gre""#, r#"delta 0 "ets.""#]);
    for late in ["no pieces, only whole items", "nothing but the last event"] {
        let events = events_of(late);
        assert!(
            events.contains(&r#"delta 0 "First.\n\nSecond.""#.to_owned())
                || events.contains(&r#"delta 0 "First.""#.to_owned()),
            "{events:?}"
        );
        assert!(events.contains(&r#"delta 2 "{\"city\":\"Oslo\"}""#.to_owned()), "{events:?}");
    }
}

#[test]
fn errors_in_streams_are_failures() {
    for (name, kind) in [
        ("a failure in the middle", "kind: RateLimit, status: 429"),
        ("an error event", "kind: Server, status: 500"),
        ("an error object without a type", "kind: Overloaded, status: 503"),
    ] {
        let last = events_of(name).pop().unwrap();
        assert!(last.starts_with("Failure(") && last.contains(kind), "{name}: {last}");
    }
}

#[test]
fn a_stream_of_many_items_stays_bounded() {
    let mut bytes = Vec::new();
    for index in 0..3_000 {
        let item =
            json!({"type": "function_call", "id": "fc", "call_id": format!("c{index}"), "name": "f", "arguments": ""});
        let data = json!({"type": "response.output_item.added", "output_index": index, "item": item});
        bytes.extend_from_slice(format!("data: {data}\n\n").as_bytes());
    }
    let opened =
        read_stream(std::iter::once(bytes.as_slice())).iter().filter(|event| event.starts_with("Open")).count();
    assert_eq!(opened, 1_024);
}
