//! Streams: what every client gets of a provider's bytes, at every split alike and in proportion to them.

use std::fmt::Display;

use weir::chat::wire::Wire;
use weir::codec::bedrock::event_stream::{write_event, write_exception};
use weir::codec::peek;
use weir::codec::registry;
use weir::codec::sse::{Events, data_bytes};
use weir::codec::translate::StreamTranslation;

use super::rig::{assert_json, client, frame, is_json, pieces, provider, undo};

/// The most bytes that a client gets for one of the provider's, and for a stream at all.
///
/// The smallest part that a provider can say something new in has about 14 bytes (an empty call in an array of Gemini's);
/// the longest that a client gets for it are the events of a call in the responses API, each with its whole item.
const MOST_A_BYTE: usize = 400;
const MOST_AT_ALL: usize = 64 * 1024;

/// Bytes of a stream, behind four: the provider's format, the client's, the pieces, what else the client is told.
///
/// Checksums would keep a fuzzer out of Converse's frames, so their events are lines here, `type {payload}`, of which
/// frames are made; with an odd third byte the bytes are a stream as they are.
pub fn stream(data: &[u8]) {
    let [from, to, seed, options, body @ ..] = data else { return };
    let from = provider(*from);
    let (client, to) = client(*to);
    let framed = from == Wire::Converse && seed.is_multiple_of(2);
    let bytes = if framed { frames(body) } else { body.to_vec() };
    let translated = |pieces: &[&[u8]]| {
        let mut stream =
            StreamTranslation::new(registry::provider(from), (client, to), undo(*options), &frame(*options));
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| out.extend_from_slice(&stream.push(piece)));
        out.extend_from_slice(&stream.finish());
        (out, format!("{:?}", stream.meter()))
    };
    let (whole, meter) = translated(&[&bytes]);
    let (split, split_meter) = translated(&pieces(&bytes, *seed));
    assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&split), "{from} -> {to}: not at every split");
    assert_eq!(meter, split_meter, "{from} -> {to}: not at every split");
    let most = bytes.len() * MOST_A_BYTE + MOST_AT_ALL;
    assert!(whole.len() <= most, "{from} -> {to}: {} bytes of {}", whole.len(), bytes.len());
    assert_stream(&whole, to, frame(*options).sse, &format_args!("{from} -> {to}"));
    let _ = peek::first(registry::provider(from).decode_stream(), &bytes);
}

/// Frames of lines.
pub fn frames(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, payload) = line.split_at(end);
        let name = String::from_utf8_lossy(name);
        let payload = payload.get(1..).unwrap_or_default();
        match name.strip_prefix('!') {
            Some(exception) => write_exception(&mut out, exception, payload),
            None => write_event(&mut out, &name, payload),
        }
    }
    out
}

/// Holds that bytes are a stream of a client's format, and a whole one.
pub fn assert_stream(bytes: &[u8], to: Wire, sse: bool, what: &dyn Display) {
    if to == Wire::Gemini && !sse {
        assert_json(bytes, what);
        return;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(bytes.ends_with(b"\n\n"), "{what}: {}", text(bytes));
    let mut events = Events::new();
    let mut data = 0;
    let mut visit = |event: &[u8]| {
        for line in event.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let known = line.starts_with(b"data: ") || line.starts_with(b"event: ") || line.starts_with(b":");
            assert!(known, "{what}: {}", text(event));
        }
        let Some(one) = data_bytes(event) else { return };
        data += 1;
        assert!(is_json(&one) || one.as_ref() == b"[DONE]", "{what}: no JSON: {}", text(event));
    };
    // What the client's reader would call oversized is read here all the same: of our own, only its JSON is of interest.
    events.push(bytes, |piece| visit(piece.raw()));
    assert!(data > 0, "{what}: says nothing");
    // Its own decoder reads it, and to an end: clean or an error.
    let mut decoder = registry::provider(to).decode_stream();
    let mut ended = false;
    let mut sink = |event: weir::chat::event::Event<'_>| {
        ended |= matches!(event, weir::chat::event::Event::Done | weir::chat::event::Event::Failure(_));
    };
    decoder.push(bytes, &mut sink);
    decoder.finish(&mut sink);
    // An event that is too long for one of ours to read may have been the end.
    assert!(ended || bytes.len() > weir::codec::sse::MAX_EVENT, "{what}: no end: {}", text(bytes));
}
