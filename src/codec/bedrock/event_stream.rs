//! Frames of `application/vnd.amazon.eventstream`: reads them at every split of the bytes alike, and writes them. It does
//! not know what they carry.
//!
//! A frame is `u32 total | u32 headers | u32 CRC of these eight bytes | headers | payload | u32 CRC of all before`, big-endian;
//! the CRC is CRC-32 (IEEE). Wire facts: botocore's `eventstream.py`.

/// The longest frame that is read, in bytes.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// The longest headers of a frame that are read, in bytes.
pub const MAX_HEADERS: usize = 128 * 1024;

const PRELUDE: usize = 12;
const TRAILER: usize = 4;

/// A header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Types 0 and 1.
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Short(i16),
    /// Type 4.
    Integer(i32),
    /// Type 5.
    Long(i64),
    /// Type 6.
    Bytes(&'a [u8]),
    /// Type 7; the only one that Bedrock sends. UTF-8 by the format, which is not checked.
    Text(&'a [u8]),
    /// Type 8, in milliseconds since 1970.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// One frame.
#[derive(Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Names and values, in order.
    pub headers: Vec<(&'a [u8], Value<'a>)>,
    /// What it carries.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The text header of that name.
    pub fn text(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find_map(|(candidate, value)| match value {
            Value::Text(text) if *candidate == name.as_bytes() => Some(*text),
            _ => None,
        })
    }
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Message({} headers, {} bytes)", self.headers.len(), self.payload.len())
    }
}

/// Why bytes are no frames. A stream that breaks stays broken: nothing says where the next frame would begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A frame announces more bytes than `MAX_FRAME`, or more bytes of headers than `MAX_HEADERS`.
    TooLarge,
    /// The lengths do not fit each other.
    Lengths,
    /// The checksum of the lengths is wrong.
    PreludeChecksum,
    /// The checksum of the frame is wrong.
    Checksum,
    /// The headers are none.
    Headers,
}

/// Cuts a stream into frames. It buffers no more than one frame, and only what has come of it.
#[derive(Default)]
pub struct Frames {
    pending: Vec<u8>,
    broken: Option<Broken>,
}

impl Frames {
    /// A stream's start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes; `visit` sees each frame that is complete with them.
    ///
    /// # Errors
    /// What is broken; the frames before it were seen.
    pub fn push(&mut self, chunk: &[u8], mut visit: impl FnMut(&Message<'_>)) -> Result<(), Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let result = self.read(chunk, &mut visit);
        if let Err(broken) = result {
            self.broken = Some(broken);
            self.pending = Vec::new();
        }
        result
    }

    /// Whether a frame has begun and is not complete.
    pub fn is_cut(&self) -> bool {
        !self.pending.is_empty()
    }

    fn read(&mut self, mut chunk: &[u8], visit: &mut impl FnMut(&Message<'_>)) -> Result<(), Broken> {
        while !self.pending.is_empty() {
            let missing = wanted(&self.pending)?.saturating_sub(self.pending.len());
            let (more, rest) = chunk.split_at_checked(missing).unwrap_or((chunk, &[]));
            self.pending.extend_from_slice(more);
            chunk = rest;
            if more.len() < missing {
                return Ok(());
            }
            // The twelve bytes of a beginning have told how long the frame is.
            if wanted(&self.pending)? == self.pending.len() {
                visit(&message(&self.pending)?);
                self.pending.clear();
            }
        }
        while !chunk.is_empty() {
            let Some((frame, rest)) = chunk.split_at_checked(wanted(chunk)?) else {
                break;
            };
            visit(&message(frame)?);
            chunk = rest;
        }
        self.pending.extend_from_slice(chunk);
        Ok(())
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Frames({} bytes pending, broken: {:?})", self.pending.len(), self.broken)
    }
}

/// The bytes that are needed to go on: the prelude's, or the whole frame's once the prelude is there and sound.
fn wanted(bytes: &[u8]) -> Result<usize, Broken> {
    let (Some(prelude), Some(total), Some(headers), Some(checksum)) =
        (bytes.get(..8), word(bytes, 0), word(bytes, 4), word(bytes, 8))
    else {
        return Ok(PRELUDE);
    };
    let (total, headers) = (total as usize, headers as usize);
    // Lengths are judged first: what is absurd is refused whether or not its checksum is right.
    if total > MAX_FRAME || headers > MAX_HEADERS {
        return Err(Broken::TooLarge);
    }
    if crc32(prelude) != checksum {
        return Err(Broken::PreludeChecksum);
    }
    if total < headers + PRELUDE + TRAILER {
        return Err(Broken::Lengths);
    }
    Ok(total)
}

/// The frame that `bytes` are, their length being the one announced.
fn message(bytes: &[u8]) -> Result<Message<'_>, Broken> {
    let (body, _) = bytes.split_last_chunk::<TRAILER>().ok_or(Broken::Lengths)?;
    if word(bytes, body.len()) != Some(crc32(body)) {
        return Err(Broken::Checksum);
    }
    let length = word(bytes, 4).ok_or(Broken::Lengths)? as usize;
    let (headers, payload) =
        body.get(PRELUDE..).and_then(|rest| rest.split_at_checked(length)).ok_or(Broken::Lengths)?;
    Ok(Message { headers: read_headers(headers).ok_or(Broken::Headers)?, payload })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn read_headers(mut rest: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let name_length = take::<1>(&mut rest)?;
        let name = take_slice(&mut rest, usize::from(u8::from_be_bytes(name_length)))?;
        let kind = u8::from_be_bytes(take(&mut rest)?);
        headers.push((name, read_value(kind, &mut rest)?));
    }
    Some(headers)
}

fn read_value<'a>(kind: u8, rest: &mut &'a [u8]) -> Option<Value<'a>> {
    Some(match kind {
        0 => Value::Bool(true),
        1 => Value::Bool(false),
        2 => Value::Byte(i8::from_be_bytes(take(rest)?)),
        3 => Value::Short(i16::from_be_bytes(take(rest)?)),
        4 => Value::Integer(i32::from_be_bytes(take(rest)?)),
        5 => Value::Long(i64::from_be_bytes(take(rest)?)),
        6 => Value::Bytes(take_counted(rest)?),
        7 => Value::Text(take_counted(rest)?),
        8 => Value::Timestamp(i64::from_be_bytes(take(rest)?)),
        9 => Value::Uuid(take(rest)?),
        _ => return None,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

fn take_slice<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn take_counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(take(rest)?);
    take_slice(rest, usize::from(length))
}

/// Writes a frame. Names over 255 bytes and values over 65,535 are cut off.
pub fn write_frame(out: &mut Vec<u8>, headers: &[(&str, Value<'_>)], payload: &[u8]) {
    let mut head = Vec::new();
    for (name, value) in headers {
        let (name, length) = cut(name.as_bytes(), usize::from(u8::MAX));
        head.push(length as u8);
        head.extend_from_slice(name);
        write_value(&mut head, value);
    }
    let start = out.len();
    out.extend_from_slice(&((head.len() + payload.len() + PRELUDE + TRAILER) as u32).to_be_bytes());
    out.extend_from_slice(&(head.len() as u32).to_be_bytes());
    let prelude = crc32(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&prelude.to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    let checksum = crc32(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// Writes an event with a JSON payload, as Bedrock does.
pub fn write_event(out: &mut Vec<u8>, event_type: &str, payload: &[u8]) {
    write_named(out, ":event-type", event_type, "event", payload);
}

/// Writes an exception with a JSON payload, as Bedrock does.
pub fn write_exception(out: &mut Vec<u8>, exception_type: &str, payload: &[u8]) {
    write_named(out, ":exception-type", exception_type, "exception", payload);
}

fn write_named(out: &mut Vec<u8>, header: &str, name: &str, message_type: &str, payload: &[u8]) {
    let headers = [
        (header, Value::Text(name.as_bytes())),
        (":content-type", Value::Text(b"application/json")),
        (":message-type", Value::Text(message_type.as_bytes())),
    ];
    write_frame(out, &headers, payload);
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    let mut fixed = |kind: u8, bytes: &[u8]| {
        out.push(kind);
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Bool(true) => fixed(0, &[]),
        Value::Bool(false) => fixed(1, &[]),
        Value::Byte(number) => fixed(2, &number.to_be_bytes()),
        Value::Short(number) => fixed(3, &number.to_be_bytes()),
        Value::Integer(number) => fixed(4, &number.to_be_bytes()),
        Value::Long(number) => fixed(5, &number.to_be_bytes()),
        Value::Bytes(bytes) => write_counted(out, 6, bytes),
        Value::Text(bytes) => write_counted(out, 7, bytes),
        Value::Timestamp(number) => fixed(8, &number.to_be_bytes()),
        Value::Uuid(bytes) => fixed(9, bytes),
    }
}

fn write_counted(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    let (bytes, length) = cut(bytes, usize::from(u16::MAX));
    out.push(kind);
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn cut(bytes: &[u8], most: usize) -> (&[u8], usize) {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    (bytes, bytes.len())
}

/// CRC-32 (IEEE 802.3, as in zlib).
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let index = (crc as u8) ^ byte;
        (crc >> 8) ^ TABLE.get(usize::from(index)).copied().unwrap_or_default()
    })
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing)] // A constant: an index out of bounds would not compile.
        {
            table[index] = crc;
        }
        index += 1;
    }
    table
};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::{Broken, Frames, MAX_FRAME, MAX_HEADERS, Value, crc32, write_event, write_exception, write_frame};

    const EVENT: &str = "0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869227d7d1f944657";
    const EXCEPTION: &str = "0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d657373616765223a22736c6f7720646f776e227d832ee072";
    const EMPTY: &str = "000000100000000005c248eb7d98c8ff";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn all_values() -> Vec<u8> {
        let mut out = Vec::new();
        let headers = [
            ("yes", Value::Bool(true)),
            ("no", Value::Bool(false)),
            ("byte", Value::Byte(-2)),
            ("short", Value::Short(-300)),
            ("integer", Value::Integer(70_000)),
            ("long", Value::Long(-5_000_000_000)),
            ("bytes", Value::Bytes(&[0, 255])),
            ("text", Value::Text("é".as_bytes())),
            ("time", Value::Timestamp(1_795_255_200_000)),
            ("uuid", Value::Uuid([7; 16])),
        ];
        write_frame(&mut out, &headers, b"payload");
        out
    }

    /// What a stream's frames look like, read in these pieces.
    fn seen<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Result<(), Broken>, bool) {
        let (mut frames, mut seen, mut result) = (Frames::new(), Vec::new(), Ok(()));
        for piece in pieces {
            let note = |message: &super::Message<'_>| {
                seen.push(format!("{:?} {:?}", message.headers, String::from_utf8_lossy(message.payload)));
            };
            result = frames.push(piece, note);
        }
        (seen, result, frames.is_cut())
    }

    #[test]
    fn the_vectors_of_the_format_are_read_and_written() {
        let mut frames = Frames::new();
        let mut names = Vec::new();
        frames
            .push(&hex(&[EVENT, EXCEPTION, EMPTY].concat()), |message| {
                let name = message.text(":event-type").or(message.text(":exception-type")).unwrap_or_default();
                names.push((String::from_utf8(name.to_vec()).unwrap(), message.payload.to_vec()));
            })
            .unwrap();
        assert_eq!(names.len(), 3);
        assert_eq!(names[0].0, "contentBlockDelta");
        assert_eq!(names[0].1, br#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#);
        assert_eq!(names[1], ("throttlingException".to_owned(), br#"{"message":"slow down"}"#.to_vec()));
        assert_eq!(names[2], (String::new(), Vec::new()));

        let (mut event, mut exception, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        write_event(&mut event, &names[0].0, &names[0].1);
        write_exception(&mut exception, &names[1].0, &names[1].1);
        write_frame(&mut empty, &[], b"");
        assert_eq!([event, exception, empty], [hex(EVENT), hex(EXCEPTION), hex(EMPTY)]);
    }

    #[test]
    fn every_split_gives_the_same_frames() {
        let bytes = [hex(EVENT), hex(EMPTY), all_values(), hex(EXCEPTION)].concat();
        let whole = seen([bytes.as_slice()]);
        assert_eq!((whole.0.len(), whole.1, whole.2), (4, Ok(()), false));
        for at in 0..=bytes.len() {
            assert_eq!(seen([&bytes[..at], &bytes[at..]]), whole, "at {at}");
        }
        for size in [1, 2, 3, 7, 11, 12, 13, 16, 17, 64] {
            assert_eq!(seen(bytes.chunks(size)), whole, "by {size}");
        }
    }

    #[test]
    fn a_cut_is_told_from_an_end() {
        let bytes = hex(EVENT);
        for at in 1..bytes.len() {
            let (frames, result, cut) = seen([&bytes[..at]]);
            assert!(frames.is_empty() && result.is_ok() && cut, "at {at}");
        }
    }

    #[test]
    fn any_wrong_byte_is_noticed() {
        let bytes = all_values();
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x10;
            let (frames, result, cut) = seen([wrong.as_slice()]);
            assert!(frames.is_empty() && (result.is_err() || cut), "at {at}");
        }
    }

    #[test]
    fn absurd_lengths_are_refused_before_anything_is_kept() {
        let prelude = |total: u32, headers: u32| {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
            bytes
        };
        let cases = [
            (prelude(MAX_FRAME as u32 + 1, 0), Broken::TooLarge),
            (prelude(MAX_FRAME as u32, MAX_HEADERS as u32 + 1), Broken::TooLarge),
            (prelude(u32::MAX, u32::MAX), Broken::TooLarge),
            (prelude(15, 0), Broken::Lengths),
            (prelude(0, 0), Broken::Lengths),
            (prelude(20, 5), Broken::Lengths),
        ];
        for (bytes, broken) in cases {
            let mut frames = Frames::new();
            assert_eq!(frames.push(&bytes, |_| panic!("no frame")), Err(broken));
            assert_eq!(frames.push(&hex(EVENT), |_| panic!("a broken stream stays broken")), Err(broken));
            assert!(!frames.is_cut());
            assert_eq!(seen(bytes.chunks(1)).1, Err(broken));
        }
        assert_eq!(seen([prelude(MAX_FRAME as u32, 0).as_slice()]).1, Ok(()));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        for head in [&[5, b'a'][..], &[1, b'a', 10], &[1, b'a', 7, 0, 9, 1], &[1, b'a', 4, 0], &[1, b'a']] {
            let mut bytes = ((16 + head.len()) as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(&(head.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
            assert_eq!(seen([bytes.as_slice()]).1, Err(Broken::Headers), "{head:?}");
        }
    }
}
