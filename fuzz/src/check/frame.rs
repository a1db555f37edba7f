//! The framings of streams, and what is watched of a stream that goes by in its own format.

use weir::chat::wire::Wire;
use weir::codec::bedrock::event_stream::{Broken, Frames, Value, crc32, write_frame};
use weir::codec::openai::stream::{Emit, Stream};
use weir::codec::openai::usage::BodyScan;
use weir::codec::registry;
use weir::codec::sse::{Events, MAX_EVENT, Piece, data_bytes, name};

use super::rig::pieces;

/// Server-sent events behind a byte that picks the pieces: none of the bytes is lost, and all are read the same.
pub fn sse(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    let read = |pieces: &[&[u8]]| {
        let mut events = Events::new();
        let (mut all, mut seen) = (Vec::new(), Vec::new());
        let mut visit = |piece: Piece<'_>| {
            all.extend_from_slice(piece.raw());
            if let Piece::Event(event) = piece {
                seen.push((name(event).map(<[u8]>::to_vec), data_bytes(event).map(std::borrow::Cow::into_owned)));
            }
        };
        for piece in pieces {
            events.push(piece, &mut visit);
            assert!(events.pending().len() <= MAX_EVENT);
        }
        events.finish(&mut visit);
        (all, seen)
    };
    let whole = read(&[bytes]);
    assert_eq!(whole.0, bytes, "every byte goes by");
    assert_eq!(whole, read(&pieces(bytes, *seed)), "at every split alike");
    watched(bytes, *seed);
}

/// The same bytes as a stream and as a body of OpenAI's on its way to a client of OpenAI's.
fn watched(bytes: &[u8], seed: u8) {
    for hides in [false, true] {
        let pass = |pieces: &[&[u8]]| {
            let mut stream = Stream::new(hides);
            let mut out = Vec::new();
            for piece in pieces {
                match stream.push(piece) {
                    Emit::AsIs => out.extend_from_slice(piece),
                    Emit::Replace(bytes) => out.extend_from_slice(&bytes),
                }
            }
            out.extend_from_slice(&stream.finish());
            (out, stream.usage(), stream.output_text(), stream.saw_done(), stream.saw_error())
        };
        let whole = pass(&[bytes]);
        assert!(hides || whole.0 == bytes, "a watched stream is not changed");
        assert!(whole.0.len() <= bytes.len());
        assert_eq!(whole, pass(&pieces(bytes, seed)), "at every split alike");
    }
    for wire in Wire::ALL {
        let scan = |pieces: &[&[u8]]| {
            let mut scan = if wire == Wire::Chat { BodyScan::new() } else { BodyScan::of(registry::provider(wire)) };
            pieces.iter().for_each(|piece| scan.push(piece));
            (scan.usage(), scan.output_text())
        };
        assert_eq!(scan(&[bytes]), scan(&pieces(bytes, seed)), "{wire}: at every split alike");
    }
}

/// AWS's frames behind a byte that picks the pieces. With an odd one the checksums are put right first, as far as the
/// lengths make sense: no fuzzer finds them.
pub fn event_stream(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if !seed.is_multiple_of(2) {
        put_right(&mut bytes);
    }
    let read = |pieces: &[&[u8]]| {
        let mut frames = Frames::new();
        let mut again = Vec::new();
        let mut broken: Option<Broken> = None;
        for piece in pieces {
            let result = frames.push(piece, |message| {
                let _ = (message.text(":event-type"), format!("{message:?}"));
                again.push((owned(&message.headers), message.payload.to_vec()));
            });
            broken = broken.or(result.err());
        }
        (again, broken, broken.is_none() && frames.is_cut())
    };
    let whole = read(&[&bytes]);
    assert_eq!(whole, read(&pieces(&bytes, *seed)), "at every split alike");
    for (headers, payload) in &whole.0 {
        let mut out = Vec::new();
        let borrowed: Vec<(&str, Value<'_>)> = headers
            .iter()
            .filter_map(|(name, kind, value)| {
                let name = std::str::from_utf8(name).ok()?;
                Some((name, if *kind { Value::Text(value) } else { Value::Bytes(value) }))
            })
            .collect();
        write_frame(&mut out, &borrowed, payload);
        let (again, broken, cut) = read(&[&out]);
        assert!(again.len() == 1 && again[0].1 == *payload && broken.is_none() && !cut, "what is written is read");
    }
}

/// Headers that outlive their frame: name, whether it is text, value.
fn owned(headers: &[(&[u8], Value<'_>)]) -> Vec<(Vec<u8>, bool, Vec<u8>)> {
    let text = |value: &Value<'_>| match value {
        Value::Text(text) => (true, text.to_vec()),
        Value::Bytes(bytes) => (false, bytes.to_vec()),
        other => (false, format!("{other:?}").into_bytes()),
    };
    headers
        .iter()
        .map(|(name, value)| {
            let (is_text, value) = text(value);
            (name.to_vec(), is_text, value)
        })
        .collect()
}

fn put_right(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(prelude) = bytes.get(at..at + 12) {
        let total = u32::from_be_bytes([prelude[0], prelude[1], prelude[2], prelude[3]]) as usize;
        let checksum = crc32(&bytes[at..at + 8]).to_be_bytes();
        bytes[at + 8..at + 12].copy_from_slice(&checksum);
        let Some(end) = at.checked_add(total).filter(|end| total >= 16 && *end <= bytes.len()) else { return };
        let checksum = crc32(&bytes[at..end - 4]).to_be_bytes();
        bytes[end - 4..end].copy_from_slice(&checksum);
        at = end;
    }
}
