//! The OpenAI codec against whole bodies, and as properties over all of them. Not its tables (see the modules' tests).
//!
//! `WEIR_UPDATE_FIXTURES=1` writes what the code says now; the difference is then for the author to read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::{Path, PathBuf};

use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use weir::chat::head::{Head, UsageRequest};
use weir::codec::openai::head::{Endpoint, decode_head};
use weir::codec::openai::splice::splice;
use weir::codec::openai::stream::{Emit, Stream};
use weir::codec::openai::usage::BodyScan;
use weir::codec::sse::{Events, MAX_EVENT};

fn fixtures(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(extension) && !name.contains(".hidden.")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn golden(path: &Path, found: &[u8]) {
    if std::env::var_os("WEIR_UPDATE_FIXTURES").is_some() {
        std::fs::write(path, found).unwrap();
    }
    let expected = std::fs::read(path).unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(&expected), "{}", path.display());
}

fn endpoint_of(path: &Path) -> Endpoint {
    let name = path.file_name().unwrap().to_str().unwrap();
    match name.split('_').next() {
        Some("chat") => Endpoint::ChatCompletions,
        Some("embeddings") => Endpoint::Embeddings,
        _ => Endpoint::Other,
    }
}

/// What a client gets and what the gateway learns, for one cutting of the stream into chunks.
fn run<'a>(hide: bool, chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, String) {
    let mut stream = Stream::new(hide);
    let mut out = Vec::new();
    for chunk in chunks {
        match stream.push(chunk) {
            Emit::AsIs => out.extend_from_slice(chunk),
            Emit::Replace(bytes) => out.extend_from_slice(&bytes),
        }
    }
    out.extend_from_slice(&stream.finish());
    let facts = format!(
        "usage: {:#?}\ntext: {:?}\nstarted: {}\nfinish reason: {}\ndone: {}\nerror: {}\noversized: {}\n",
        stream.usage(),
        stream.output_text(),
        stream.started(),
        stream.saw_finish_reason(),
        stream.saw_done(),
        stream.saw_error(),
        stream.saw_oversized(),
    );
    (out, facts)
}

fn same_at_every_split(stream: &[u8]) {
    let (hidden, facts) = run(true, [stream].into_iter());
    for split in 0..=stream.len() {
        let (left, right) = stream.split_at(split);
        assert_eq!(run(true, [left, right].into_iter()), (hidden.clone(), facts.clone()), "split at {split}");
        assert_eq!(run(false, [left, right].into_iter()), (stream.to_vec(), facts.clone()), "split at {split}");
    }
    for size in [1, 2, 3, 7] {
        assert_eq!(run(true, stream.chunks(size)), (hidden.clone(), facts.clone()), "chunks of {size}");
        assert_eq!(run(false, stream.chunks(size)), (stream.to_vec(), facts.clone()), "chunks of {size}");
    }
}

#[test]
fn request_heads_are_as_recorded() {
    for path in fixtures("requests", ".json") {
        let body = std::fs::read(&path).unwrap();
        let head = decode_head(&body, endpoint_of(&path)).unwrap();
        golden(&path.with_extension("head"), format!("{head:#?}\n").as_bytes());
    }
}

#[test]
fn response_facts_are_as_recorded_at_every_split() {
    for path in fixtures("responses", ".json") {
        let body = std::fs::read(&path).unwrap();
        let facts = |chunks: &[&[u8]]| {
            let mut scan = BodyScan::new();
            chunks.iter().for_each(|chunk| scan.push(chunk));
            format!("usage: {:#?}\ntext: {:?}\n", scan.usage(), scan.output_text())
        };
        let whole = facts(&[&body]);
        for split in 0..=body.len() {
            assert_eq!(facts(&[&body[..split], &body[split..]]), whole);
        }
        assert_eq!(facts(&body.chunks(1).collect::<Vec<_>>()), whole);
        golden(&path.with_extension("facts"), whole.as_bytes());
    }
}

#[test]
fn streams_are_as_recorded_at_every_split() {
    for path in fixtures("streams", ".sse") {
        let stream = std::fs::read(&path).unwrap();
        let (hidden, facts) = run(true, [stream.as_slice()].into_iter());
        golden(&path.with_extension("facts"), facts.as_bytes());
        golden(&path.with_extension("hidden.sse"), &hidden);
        same_at_every_split(&stream);
    }
}

#[test]
fn whole_events_pass_without_a_copy() {
    let mut stream = Stream::new(true);
    let event = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    assert_eq!(stream.push(event), Emit::AsIs);
    assert_eq!(stream.push(&[&event[..], event].concat()), Emit::AsIs);
    assert_eq!(stream.push(b""), Emit::AsIs);
}

#[test]
fn an_oversized_event_passes_unchanged() {
    let mut bytes = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: {\"x\":\"".to_vec();
    bytes.resize(bytes.len() + MAX_EVENT, b'x');
    bytes.extend_from_slice(b"\",\"usage\":null}\n\n");
    let last = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";
    bytes.extend_from_slice(last);
    let whole = run(true, [bytes.as_slice()].into_iter());
    assert!(whole.1.contains("oversized: true") && whole.1.contains("input: 3"));
    assert_eq!(whole.0.len(), bytes.len() - ",\"usage\":null".len() - last.len());
    for size in [4096, 16_384, MAX_EVENT, MAX_EVENT + 1] {
        assert!(run(true, bytes.chunks(size)) == whole, "chunks of {size}");
    }
}

#[test]
fn nesting_is_read_to_128_levels_and_refused_beyond() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = |levels: usize| {
            let inner = format!("{}1{}", open.repeat(levels - 1), close.repeat(levels - 1));
            format!("{{\"x\":{inner},\"messages\":[]}}")
        };
        assert!(decode_head(body(128).as_bytes(), Endpoint::ChatCompletions).is_ok());
        let refused = decode_head(body(129).as_bytes(), Endpoint::ChatCompletions).unwrap_err();
        assert_eq!(refused.what, "the JSON is nested more than 128 levels deep");
        assert!(decode_head(open.repeat(1_000_000).as_bytes(), Endpoint::ChatCompletions).is_err());
    }
}

#[test]
fn a_megabyte_of_text_is_counted() {
    let text = "é\\n".repeat(250_000);
    let body = format!("{{\"messages\":[{{\"content\":\"{text}\"}}],\"model\":\"a\"}}");
    let head = decode_head(body.as_bytes(), Endpoint::ChatCompletions).unwrap();
    assert_eq!((head.text.ascii, head.text.other), (250_000, 500_000));
}

#[test]
fn a_lone_surrogate_in_a_model_reads_as_a_replacement_character() {
    for (escaped, text) in [
        ("a\\ud800", "a\u{fffd}"),
        ("\\udc00b", "\u{fffd}b"),
        ("\\ud800\\u0041", "\u{fffd}A"),
        ("\\ud83d\\ude00", "😀"),
    ] {
        let body = format!("{{\"model\":\"{escaped}\"}}");
        assert_eq!(decode_head(body.as_bytes(), Endpoint::Other).unwrap().model.as_deref(), Some(text));
    }
}

#[test]
fn a_splice_changes_the_model_and_asks_for_usage() {
    let table = [
        (
            r#"{"model":"a","stream":true}"#,
            Some("b\"c"),
            r#"{"stream_options":{"include_usage":true},"model":"b\"c","stream":true}"#,
        ),
        (r#" { } "#, Some("b"), r#" {"model":"b" } "#),
        (r#"{"x":1}"#, Some("b"), r#"{"model":"b","x":1}"#),
        (r#"{"stream":true}"#, Some("b"), r#"{"model":"b","stream_options":{"include_usage":true},"stream":true}"#),
        (
            r#"{"stream_options":null,"stream":true}"#,
            None,
            r#"{"stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream":true,"stream_options": { }}"#,
            None,
            r#"{"stream":true,"stream_options": {"include_usage":true }}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"x":[1]},"model":"a"}"#,
            Some("b"),
            r#"{"stream":true,"stream_options":{"include_usage":true,"x":[1]},"model":"b"}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"x":1, "include_usage" : false}}"#,
            None,
            r#"{"stream":true,"stream_options":{"x":1, "include_usage" : true}}"#,
        ),
    ];
    for (body, model, expected) in table {
        let head = decode_head(body.as_bytes(), Endpoint::ChatCompletions).unwrap();
        let spliced = splice(body.as_bytes(), &head, model, true).unwrap();
        assert_eq!(String::from_utf8(spliced).unwrap(), expected);
    }
    for (body, model) in [
        (r#"{"model":"a"}"#, Some("a")),
        (r#"{"model":"a"}"#, None),
        (r#"{"stream":true,"stream_options":{"include_usage":true}}"#, None),
    ] {
        let head = decode_head(body.as_bytes(), Endpoint::ChatCompletions).unwrap();
        assert_eq!(splice(body.as_bytes(), &head, model, true), None, "{body}");
    }
}

/// JSON with white space where the grammar allows it, by the bits of `seed`.
fn write_spaced(value: &Value, seed: &mut u64, out: &mut String) {
    let mut space = |out: &mut String| {
        *seed = seed.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
        out.push_str(["", "", "", " ", "\n", "\t\r "][(*seed >> 32) as usize % 6]);
    };
    space(out);
    match value {
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_spaced(element, seed, out);
            }
            out.push_str(if elements.is_empty() { " ]" } else { "]" });
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(" :");
                write_spaced(member, seed, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        "\\PC{0,12}".prop_map(Value::from),
        "[\"\\\\\n\t/a\u{1}é😀]{0,40}".prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("x[a-z\"\\\\é]{0,6}", inner, 0..5).prop_map(|members| json!(members)),
        ]
    })
}

/// An object of members that the head does not read.
fn unknown_members() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("x[a-z\"\\\\é]{0,6}", values(), 0..5).prop_map(|members| members.into_iter().collect())
}

fn requests() -> impl Strategy<Value = (Map<String, Value>, u64)> {
    let options = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"include_usage": true})),
        Just(json!({"include_usage": false, "x": [1, {"include_usage": true}]})),
        Just(json!({"a": "}", "include_usage": null})),
    ];
    (
        unknown_members(),
        prop::option::of("\\PC{0,12}"),
        prop::option::of(any::<bool>()),
        prop::option::of(options),
        any::<u64>(),
    )
        .prop_map(|(mut members, model, stream, options, seed)| {
            members.extend(model.map(|model| ("model".to_owned(), Value::from(model))));
            members.extend(stream.map(|stream| ("stream".to_owned(), Value::from(stream))));
            members.extend(options.map(|options| ("stream_options".to_owned(), options)));
            (members, seed)
        })
}

fn head_of(body: &[u8]) -> Head {
    decode_head(body, Endpoint::ChatCompletions).unwrap()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Embeddings, Endpoint::Other] {
            drop(decode_head(&bytes, endpoint));
        }
        let (left, right) = bytes.split_at(cut.min(bytes.len()));
        let mut scan = BodyScan::new();
        scan.push(left);
        scan.push(right);
        prop_assert_eq!(run(false, [left, right].into_iter()).0, bytes.clone());
        prop_assert_eq!(run(true, [left, right].into_iter()), run(true, bytes.chunks(1)));
        let mut out = Vec::new();
        let mut events = Events::new();
        events.push(left, |piece| out.extend_from_slice(piece.raw()));
        events.push(right, |piece| out.extend_from_slice(piece.raw()));
        events.finish(|piece| out.extend_from_slice(piece.raw()));
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn broken_fixtures_never_panic(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let files = fixtures("requests", ".json");
        let mut body = std::fs::read(which.get(&files)).unwrap();
        let at = at.index(body.len());
        body[at] = byte;
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Embeddings, Endpoint::Other] {
            drop(decode_head(&body, endpoint));
            drop(decode_head(&body[..cut.index(body.len())], endpoint));
        }
    }

    #[test]
    fn validity_is_what_serde_json_says(
        members in unknown_members(),
        seed in any::<u64>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, "[{}\\[\\]\",:\\\\ 0-9.eE+tn-]"), 0..3),
    ) {
        let mut text = String::new();
        write_spaced(&Value::Object(members), &mut { seed }, &mut text);
        let mut body = text.into_bytes();
        for (at, kind, byte) in edits {
            if body.is_empty() { break }
            let at = at.index(body.len());
            match kind {
                0 => drop(body.remove(at)),
                1 => body[at] = byte.as_bytes()[0],
                _ => body.insert(at, byte.as_bytes()[0]),
            }
        }
        let ours = decode_head(&body, Endpoint::ChatCompletions);
        let object = body.trim_ascii().first() == Some(&b'{');
        let theirs = serde_json::from_slice::<IgnoredAny>(&body);
        prop_assert_eq!(ours.is_ok(), object && theirs.is_ok(), "{:?} {:?} {}", ours, theirs, String::from_utf8_lossy(&body));
    }

    #[test]
    fn a_splice_is_the_edit_of_the_value(
        (members, seed) in requests(),
        model in prop::option::of("\\PC{0,12}"),
        ask in any::<bool>(),
    ) {
        let mut text = String::new();
        write_spaced(&Value::Object(members.clone()), &mut { seed }, &mut text);
        let body = text.as_bytes();
        let head = head_of(body);
        let mut expected = members;
        if let Some(model) = &model {
            expected.insert("model".to_owned(), Value::from(model.as_str()));
        }
        if ask && head.stream {
            let options = expected.entry("stream_options").or_insert_with(|| json!({}));
            if options.is_null() {
                *options = json!({});
            }
            options["include_usage"] = json!(true);
        }
        let spliced = splice(body, &head, model.as_deref(), ask);
        let found = spliced.clone().unwrap_or_else(|| body.to_vec());
        prop_assert_eq!(serde_json::from_slice::<Value>(&found).unwrap(), Value::Object(expected));
        let model_only = head.usage_request == UsageRequest::Asked || !ask || !head.stream;
        if let (Some(spliced), Some(old), true) = (spliced, &head.model_span, model_only) {
            let new = head_of(&spliced).model_span.unwrap();
            prop_assert_eq!(&spliced[..new.start], &body[..old.start]);
            prop_assert_eq!(&spliced[new.end..], &body[old.end..]);
        }
    }

    #[test]
    fn a_stream_is_the_same_at_every_split(
        events in prop::collection::vec((0_usize..7, "\\PC{0,8}", 0_usize..3), 0..5),
        ends_early in any::<bool>(),
    ) {
        let mut stream = Vec::new();
        for (kind, text, end) in events {
            let end = ["\n", "\r\n", "\r"][end];
            let data = match kind {
                0 => json!({"choices": [{"delta": {"content": text}}], "usage": null}).to_string(),
                1 => json!({"choices": [], "usage": {"prompt_tokens": text.len(), "completion_tokens": 2}}).to_string(),
                2 => json!({"choices": [], "prompt_filter_results": [text], "usage": null}).to_string(),
                3 => json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}).to_string(),
                4 => json!({"error": {"message": text}}).to_string(),
                5 => text,
                _ => "[DONE]".to_owned(),
            };
            stream.extend_from_slice(format!("data: {data}{end}{end}").as_bytes());
        }
        if ends_early {
            stream.truncate(stream.len().saturating_sub(3));
        }
        same_at_every_split(&stream);
    }
}
