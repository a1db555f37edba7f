//! Server-sent events out of a stream of bytes, with the bytes of each. It does not know what the data means.
//!
//! Source: the WHATWG HTML standard, "Parsing an event stream": CR, LF or CRLF end a line, an empty line ends an event,
//! a line that begins with a colon is a comment, one space after a field's colon is dropped, a byte order mark may open
//! the stream.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};

/// The largest event that is read, in bytes; a larger one goes by in pieces, unread.
pub const MAX_EVENT: usize = 1024 * 1024;

/// The next bytes of a stream. All pieces together are the stream, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole event: its lines and the empty line that ends it (which the last one of a stream may lack).
    Event(&'a [u8]),
    /// A part of an event over `MAX_EVENT`.
    Oversized(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// The bytes.
    pub fn raw(&self) -> &'a [u8] {
        match self {
            Self::Event(raw) | Self::Oversized(raw) => raw,
        }
    }
}

/// Cuts a stream into events. Only the bytes of an event that is not complete are copied and kept.
///
/// An event whose last line ends in CR at the very end of a chunk waits for one more byte, which may be its LF.
#[derive(Debug, Default)]
pub struct Events {
    pending: Vec<u8>,
    lines: LineEnds,
    /// Inside an oversized event, some of which went by.
    passing: bool,
    oversized: bool,
}

impl Events {
    /// A stream's start.
    pub fn new() -> Self {
        Self::default()
    }

    /// The kept bytes of an event that is not complete.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Whether an event was too large to be read.
    pub fn saw_oversized(&self) -> bool {
        self.oversized
    }

    /// Reads the next bytes and calls `visit` with each piece that is complete now, in order.
    pub fn push(&mut self, chunk: &[u8], mut visit: impl FnMut(Piece<'_>)) {
        let mut rest = chunk;
        if self.passing || !self.pending.is_empty() {
            let end = self.lines.event_end(rest);
            let (more, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.go_on(more, end.is_some(), &mut visit);
            rest = after;
        }
        while !rest.is_empty() {
            let Some(end) = self.lines.event_end(rest) else {
                self.go_on(rest, false, &mut visit);
                return;
            };
            let (event, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            if event.len() > MAX_EVENT {
                self.oversized = true;
                visit(Piece::Oversized(event));
            } else {
                visit(Piece::Event(event));
            }
            rest = after;
        }
    }

    /// Ends the stream: what is pending is its last event.
    pub fn finish(&mut self, mut visit: impl FnMut(Piece<'_>)) {
        self.lines = LineEnds::default();
        self.passing = false;
        if !self.pending.is_empty() {
            visit(Piece::Event(&self.pending));
            self.pending = Vec::new();
        }
    }

    /// More bytes of the event that is not complete yet.
    fn go_on(&mut self, more: &[u8], complete: bool, visit: &mut impl FnMut(Piece<'_>)) {
        if !self.passing && self.pending.len() + more.len() <= MAX_EVENT {
            self.pending.extend_from_slice(more);
            if complete {
                visit(Piece::Event(&self.pending));
                self.pending.clear();
            }
            return;
        }
        self.oversized = true;
        self.passing = !complete;
        for part in [self.pending.as_slice(), more] {
            if !part.is_empty() {
                visit(Piece::Oversized(part));
            }
        }
        self.pending = Vec::new();
    }
}

/// Finds where events end, over chunks that end anywhere.
#[derive(Debug, Default)]
struct LineEnds {
    /// The present line has bytes.
    in_line: bool,
    /// The last byte was a CR, and an LF would belong to it.
    after_cr: bool,
    /// That CR ended an empty line.
    complete: bool,
}

impl LineEnds {
    /// How many bytes of `bytes` belong to the present event; `None` when it goes on after them.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.after_cr {
            at = usize::from(*bytes.first()? == b'\n');
            self.after_cr = false;
            if std::mem::take(&mut self.complete) {
                return Some(at);
            }
        }
        loop {
            let rest = bytes.get(at..)?;
            let Some(offset) = memchr2(b'\n', b'\r', rest) else {
                self.in_line |= !rest.is_empty();
                return None;
            };
            let empty = offset == 0 && !self.in_line;
            self.in_line = false;
            let end = at + offset;
            at = end + 1;
            if bytes.get(end) == Some(&b'\r') {
                match bytes.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => {
                        self.after_cr = true;
                        self.complete = empty;
                        return None;
                    }
                }
            }
            if empty {
                return Some(at);
            }
        }
    }
}

/// The data of an event, and where it stands in the event's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// The event has no data: comments, or an empty line.
    None,
    /// One line of data, at this span.
    Line(Range<usize>),
    /// Several lines of data, joined by LF.
    Joined(Vec<u8>),
}

/// The data of a whole event.
pub fn data(event: &[u8]) -> Data {
    let mut data = Data::None;
    each_field(event, |name, value| {
        if name != b"data" {
            return;
        }
        match &mut data {
            Data::None => data = Data::Line(value),
            Data::Line(first) => {
                let mut joined = event.get(first.clone()).unwrap_or_default().to_vec();
                joined.push(b'\n');
                joined.extend_from_slice(event.get(value).unwrap_or_default());
                data = Data::Joined(joined);
            }
            Data::Joined(joined) => {
                joined.push(b'\n');
                joined.extend_from_slice(event.get(value).unwrap_or_default());
            }
        }
    });
    data
}

/// The data of a whole event as bytes; `None` when it has none.
pub fn data_bytes(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    match data(event) {
        Data::None => None,
        Data::Line(span) => event.get(span).map(Cow::Borrowed),
        Data::Joined(joined) => Some(Cow::Owned(joined)),
    }
}

/// The name that a whole event has by its `event:` line.
pub fn name(event: &[u8]) -> Option<&[u8]> {
    let mut last = None;
    each_field(event, |name, value| {
        if name == b"event" {
            last = event.get(value);
        }
    });
    last
}

/// Calls `field` with the name and the value's span of each line that is a field.
fn each_field(event: &[u8], mut field: impl FnMut(&[u8], Range<usize>)) {
    let mut at = if event.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    while let Some(rest) = event.get(at..).filter(|rest| !rest.is_empty()) {
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let colon = memchr(b':', line);
        let name = line.get(..colon.unwrap_or(length)).unwrap_or_default();
        if !name.is_empty() {
            let after = colon.map_or(length, |colon| colon + 1);
            let value = after + usize::from(line.get(after) == Some(&b' '));
            field(name, at + value..at + length);
        }
        at += length + 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::{Data, Events, MAX_EVENT, Piece, data, data_bytes, name};

    fn events(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut stream = Events::new();
        let mut out = Vec::new();
        let mut keep = |piece: Piece<'_>| out.push(piece.raw().to_vec());
        for chunk in chunks {
            stream.push(chunk, &mut keep);
        }
        stream.finish(&mut keep);
        out
    }

    #[test]
    fn events_are_the_same_at_every_split() {
        for stream in [
            &b"data: a\n\n: note\n\ndata:b\ndata: c\n\n\ndata: last"[..],
            b"data: a\r\n\r\n: note\r\n\r\ndata:b\r\ndata: c\r\n\r\n\r\ndata: last\r\n\r\n",
            b"data: a\r\r: note\r\rdata:b\rdata: c\r\r\rdata: last\r\r",
            b"\xEF\xBB\xBFevent: x\r\ndata: a\n\r\ndata: b\n\rdata: c\r\n\ndata: d\r\r\n",
        ] {
            let whole = events(&[stream]);
            assert_eq!(whole.concat(), stream);
            for split in 0..=stream.len() {
                assert_eq!(events(&[&stream[..split], &stream[split..]]), whole, "split at {split}");
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(events(&bytes), whole);
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        assert_eq!(data(b"data: {}\n\n"), Data::Line(6..8));
        assert_eq!(data(b"data:{}\r\n\r\n"), Data::Line(5..7));
        assert_eq!(data(b": data: x\n\n"), Data::None);
        assert_eq!(data(b"data\n\n"), Data::Line(4..4));
        assert_eq!(data_bytes(b"\xEF\xBB\xBFdata:  a\rdata: b\rid: 7\r\r").unwrap().as_ref(), b" a\nb");
        assert_eq!(name(b"event: ping\ndata: {}\n\n"), Some(&b"ping"[..]));
        assert_eq!(name(b"data: {}\n\n"), None);
    }

    #[test]
    fn an_oversized_event_goes_by_unread_and_the_next_one_is_read() {
        let mut stream = b"data: ".to_vec();
        stream.resize(MAX_EVENT + 10, b'x');
        stream.extend_from_slice(b"\n\ndata: b\n\n");
        for size in [1000, MAX_EVENT, MAX_EVENT + 1, stream.len()] {
            let mut parser = Events::new();
            let mut out = Vec::new();
            let mut read = Vec::new();
            for chunk in stream.chunks(size) {
                parser.push(chunk, |piece| {
                    out.extend_from_slice(piece.raw());
                    if let Piece::Event(event) = piece {
                        read.push(event.to_vec());
                    }
                });
                assert!(parser.pending().len() <= MAX_EVENT);
            }
            assert!(out == stream && parser.saw_oversized());
            assert_eq!(read, [b"data: b\n\n".to_vec()], "chunks of {size}");
        }
    }
}
