//! A borrowed pull scanner over JSON bytes: spans, strings, numbers, structure. Builds no tree and keeps no text.
//!
//! It refuses what is not JSON (RFC 8259) with two leniencies, because neither can hide a member from it: control
//! characters inside a string and bytes that are not UTF-8 are let through for the provider to judge.

use std::borrow::Cow;
use std::ops::Range;

use crate::chat::head::TextCount;
use crate::chat::prose::{Json, Prose};

/// The deepest nesting of objects and arrays that is read; deeper bodies are refused.
pub const MAX_DEPTH: usize = 128;

/// The most members of an object whose members are told apart (`Scanner::unique_object`).
const MAX_MEMBERS: usize = 128;

const _: () = assert!(MAX_DEPTH <= u128::BITS as usize, "`skip` keeps one bit a level");

/// Why bytes are not the JSON that was expected, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The byte where it shows.
    pub offset: usize,
    /// The rule that was broken.
    pub what: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} at byte {}", self.what, self.offset)
    }
}

/// A JSON string, still escaped, somewhere in a body.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    inner: &'a [u8],
    start: usize,
    /// ASCII bytes that escapes cost beyond the ASCII they stand for.
    saved: usize,
    /// UTF-8 bytes of the non-ASCII characters that escapes stand for.
    wide: usize,
}

impl<'a> Text<'a> {
    /// The whole string with its quotes, as a byte range of the scanned bytes.
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.inner.len() + 2
    }

    /// The bytes between the quotes, escapes as written.
    pub fn raw(&self) -> &'a [u8] {
        self.inner
    }

    /// Whether nothing stands between the quotes.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The bytes that the string stands for; borrowed when it has no escape.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.saved == 0 { Cow::Borrowed(self.inner) } else { Cow::Owned(unescape(self.inner).into_bytes()) }
    }

    /// The text, with U+FFFD for what is not a character (a lone surrogate, a broken UTF-8 sequence).
    pub fn to_text(&self) -> String {
        if self.saved == 0 { String::from_utf8_lossy(self.inner).into_owned() } else { unescape(self.inner) }
    }

    /// The same text, borrowed where it can be: for names and ids.
    pub fn text(&self) -> Cow<'a, str> {
        if self.saved == 0 { String::from_utf8_lossy(self.inner) } else { Cow::Owned(unescape(self.inner)) }
    }

    /// The text as prose, which goes to another wire as it is escaped here. What no JSON string may hold (a control
    /// character, a broken UTF-8 sequence) is mended.
    pub fn prose(&self) -> Prose<'a> {
        if is_sound(self.inner) {
            return Prose::Escaped(Cow::Borrowed(self.inner));
        }
        Prose::Plain(Cow::Owned(unescape(self.inner)))
    }

    /// Whether the string stands for exactly that text.
    pub fn is(&self, text: &str) -> bool {
        if self.saved == 0 { self.inner == text.as_bytes() } else { self.bytes().as_ref() == text.as_bytes() }
    }

    /// The UTF-8 bytes that the string stands for, counted.
    pub fn count(&self) -> TextCount {
        let plain = count(self.inner);
        TextCount { ascii: plain.ascii.saturating_sub(self.saved as u64), other: plain.other + self.wide as u64 }
    }
}

/// Bytes by kind, as they are.
pub fn count(bytes: &[u8]) -> TextCount {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut other = rest.iter().map(|byte| usize::from(byte >> 7)).sum::<usize>();
    // The high bits are added up in the eight bytes of a word: 31 words add up to 248 at most, which a byte holds.
    for block in words.chunks(31) {
        let sums = block.iter().fold(0, |sums, word| sums + ((u64::from_le_bytes(*word) >> 7) & ONES));
        other += (sums.wrapping_mul(ONES) >> 56) as usize;
    }
    TextCount { ascii: (bytes.len() - other) as u64, other: other as u64 }
}

/// A position in JSON bytes. Every method that reads a value leaves the position right after it.
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// The position, in bytes from the start.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The error of a broken rule at the present position.
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.at, what }
    }

    /// The first byte of the next token, which is not consumed.
    pub fn peek(&mut self) -> Result<u8, Malformed> {
        self.space();
        self.byte().ok_or_else(|| self.malformed("the JSON ends too early"))
    }

    /// Succeeds when only white space is left.
    pub fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at < self.bytes.len() { Err(self.malformed("something follows the JSON value")) } else { Ok(()) }
    }

    /// Reads an object; `member` is called after each key and colon and must consume exactly the value.
    pub fn object<F>(&mut self, mut member: F) -> Result<(), Malformed>
    where
        F: FnMut(&mut Self, Text<'a>) -> Result<(), Malformed>,
    {
        if self.peek()? != b'{' {
            return Err(self.malformed("an object is expected"));
        }
        self.enter()?;
        if self.peek()? == b'}' {
            return self.leave();
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => return self.leave(),
                _ => return Err(self.malformed("`,` or `}` is expected")),
            }
        }
    }

    /// Reads an array; `element` is called at each element and must consume exactly it.
    pub fn array<F>(&mut self, mut element: F) -> Result<(), Malformed>
    where
        F: FnMut(&mut Self) -> Result<(), Malformed>,
    {
        if self.peek()? != b'[' {
            return Err(self.malformed("an array is expected"));
        }
        self.enter()?;
        if self.peek()? == b']' {
            return self.leave();
        }
        loop {
            element(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => return self.leave(),
                _ => return Err(self.malformed("`,` or `]` is expected")),
            }
        }
    }

    /// Reads a string.
    pub fn string(&mut self) -> Result<Text<'a>, Malformed> {
        if self.peek()? != b'"' {
            return Err(self.malformed("a string is expected"));
        }
        self.string_here()
    }

    /// Reads a string; another kind of value is skipped and gives `None`.
    pub fn string_or_skip(&mut self) -> Result<Option<Text<'a>>, Malformed> {
        if self.peek()? == b'"' { self.string_here().map(Some) } else { self.skip().map(|_| None) }
    }

    /// Reads `true` or `false`; `None` and no move when something else stands there.
    pub fn bool(&mut self) -> Result<Option<bool>, Malformed> {
        match self.peek()? {
            b't' => self.literal(b"true").map(|()| Some(true)),
            b'f' => self.literal(b"false").map(|()| Some(false)),
            _ => Ok(None),
        }
    }

    /// Reads `null`; `false` and no move when something else stands there.
    pub fn null(&mut self) -> Result<bool, Malformed> {
        if self.peek()? == b'n' { self.literal(b"null").map(|()| true) } else { Ok(false) }
    }

    /// Reads a whole number from 0 to 2⁶⁴−1, as `5` or `5.0`; another value is skipped and gives `None`.
    pub fn whole_or_skip(&mut self) -> Result<Option<u64>, Malformed> {
        let span = self.skip()?;
        Ok(self.bytes.get(span).and_then(parse_u64))
    }

    /// Reads a number; another value is skipped and gives `None`.
    pub fn float_or_skip(&mut self) -> Result<Option<f64>, Malformed> {
        Ok(self.number_text()?.and_then(|text| text.parse().ok()).filter(|number: &f64| number.is_finite()))
    }

    /// Reads a whole number that fits, as `-5` or `5.0`; another value is skipped and gives `None`.
    pub fn int_or_skip(&mut self) -> Result<Option<i64>, Malformed> {
        let whole = |text: &str| {
            let float = text.parse::<f64>().ok()?;
            (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
        };
        Ok(self.number_text()?.and_then(|text| text.parse().ok().or_else(|| whole(text))))
    }

    fn number_text(&mut self) -> Result<Option<&'a str>, Malformed> {
        let is_number = matches!(self.peek()?, b'-' | b'0'..=b'9');
        let span = self.skip()?;
        Ok(if is_number { self.bytes.get(span).and_then(|token| std::str::from_utf8(token).ok()) } else { None })
    }

    /// Reads one value of any kind as it is written.
    pub fn json(&mut self) -> Result<Json<'a>, Malformed> {
        let span = self.skip()?;
        Ok(Json::borrowed(self.slice(span)))
    }

    /// `object`, refusing a member that stands twice: parsers differ on which of two wins.
    pub fn unique_object<F>(&mut self, mut member: F) -> Result<(), Malformed>
    where
        F: FnMut(&mut Self, Text<'a>) -> Result<(), Malformed>,
    {
        let mut seen: Vec<Cow<'a, [u8]>> = Vec::new();
        self.object(|scanner, key| {
            let name = key.bytes();
            if seen.contains(&name) {
                return Err(Malformed { offset: key.span().start, what: "a member stands twice" });
            }
            if seen.len() == MAX_MEMBERS {
                return Err(Malformed { offset: key.span().start, what: "the object has more than 128 members" });
            }
            seen.push(name);
            member(scanner, key)
        })
    }

    /// Skips one value of any kind, checking its structure, and gives its span.
    pub fn skip(&mut self) -> Result<Range<usize>, Malformed> {
        let first = self.peek()?;
        let start = self.at;
        if matches!(first, b'{' | b'[') {
            self.skip_nested()?
        } else {
            self.scalar(first)?
        }
        Ok(start..self.at)
    }

    /// Skips one value of any kind, checking its structure.
    pub fn pass(&mut self) -> Result<(), Malformed> {
        self.skip().map(|_| ())
    }

    /// The bytes of a span.
    pub fn slice(&self, span: Range<usize>) -> &'a [u8] {
        self.bytes.get(span).unwrap_or_default()
    }

    /// An object or array without recursion: one bit a level says which of the two it is.
    fn skip_nested(&mut self) -> Result<(), Malformed> {
        let outside = self.depth;
        let mut kinds = 0_u128;
        loop {
            let byte = self.peek()?;
            match byte {
                b'{' => {
                    self.enter()?;
                    kinds = (kinds << 1) | 1;
                    if self.peek()? != b'}' {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.enter()?;
                    kinds <<= 1;
                    if self.peek()? != b']' {
                        continue;
                    }
                }
                scalar => self.scalar(scalar)?,
            }
            loop {
                match (self.peek()?, kinds & 1 == 1) {
                    (b',', true) => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.leave()?;
                        kinds >>= 1;
                        if self.depth == outside {
                            return Ok(());
                        }
                    }
                    (_, true) => return Err(self.malformed("`,` or `}` is expected")),
                    (_, false) => return Err(self.malformed("`,` or `]` is expected")),
                }
            }
        }
    }

    fn scalar(&mut self, first: u8) -> Result<(), Malformed> {
        match first {
            b'"' => self.string_here().map(|_| ()),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.malformed("a value is expected")),
        }
    }

    fn key(&mut self) -> Result<Text<'a>, Malformed> {
        if self.peek()? != b'"' {
            return Err(self.malformed("a member name is expected"));
        }
        let key = self.string_here()?;
        if self.peek()? != b':' {
            return Err(self.malformed("`:` is expected"));
        }
        self.at += 1;
        Ok(key)
    }

    fn enter(&mut self) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(self.malformed("the JSON is nested more than 128 levels deep"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Malformed> {
        self.depth = self.depth.saturating_sub(1);
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), Malformed> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(self.malformed("a value is expected"))
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("a digit is expected")) } else { Ok(()) }
    }

    /// The string whose opening quote stands here.
    #[inline]
    fn string_here(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at;
        let from = start + 1;
        let (mut at, mut saved, mut wide) = (from, 0, 0);
        loop {
            let Some(found) = find_quote_or_escape(self.bytes, at) else {
                return Err(Malformed { offset: start, what: "a string is not closed" });
            };
            if self.bytes.get(found) == Some(&b'"') {
                self.at = found + 1;
                let inner = self.bytes.get(from..found).unwrap_or_default();
                return Ok(Text { inner, start, saved, wide });
            }
            match self.bytes.get(found + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                    saved += 1;
                    at = found + 2;
                }
                Some(b'u') => {
                    let Some(unit) = self.bytes.get(found + 2..found + 6).and_then(hex4) else {
                        return Err(Malformed { offset: found, what: "`\\u` needs four hexadecimal digits" });
                    };
                    match unit {
                        0..0x80 => saved += 5,
                        0x80..0x800 => (saved, wide) = (saved + 6, wide + 2),
                        // Half a surrogate pair: two of the four bytes that the pair stands for.
                        0xD800..0xE000 => (saved, wide) = (saved + 6, wide + 2),
                        _ => (saved, wide) = (saved + 6, wide + 3),
                    }
                    at = found + 6;
                }
                Some(_) => {
                    return Err(Malformed { offset: found, what: "an unknown escape" });
                }
                None => {
                    return Err(Malformed { offset: start, what: "a string is not closed" });
                }
            }
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }
}

/// How many words of eight bytes are looked at before a vector search is called.
///
/// Why two steps: keys and stream deltas are a few bytes long, where the call of a vector search costs more than it
/// saves; prompts are long. A WebAssembly target without vectors has a search by words of four bytes, which is slower
/// than going on by words of eight.
const WORDS: usize = if cfg!(all(target_arch = "wasm32", not(target_feature = "simd128"))) { usize::MAX } else { 4 };

/// Where the next `"` or `\` stands, from `at` on.
#[inline]
pub(crate) fn find_quote_or_escape(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    for _ in 0..WORDS {
        let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
            break;
        };
        let word = u64::from_le_bytes(*word);
        let hits = zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64));
        if hits != 0 {
            return Some(at + (hits.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    memchr::memchr2(b'"', b'\\', rest).map(|offset| at + offset)
}

/// A JSON value that the scanner let through as RFC 8259 has it, and on one line: server-sent events end at a line's end.
/// Control characters in strings are escaped, broken UTF-8 becomes U+FFFD, white space between goes; a value without any
/// of them stays as it is.
pub fn one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if is_sound(json) {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    for byte in String::from_utf8_lossy(json).bytes() {
        match byte {
            0..0x20 if in_string => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            0..=b' ' if !in_string => {}
            other => out.push(other),
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    Cow::Owned(out)
}

/// Whether bytes between quotes are what RFC 8259 allows there, escapes aside: UTF-8 without control characters.
fn is_sound(inner: &[u8]) -> bool {
    let (words, rest) = inner.as_chunks::<8>();
    let controls = |word: u64| word.wrapping_sub(ONES * 0x20) & !word & (ONES << 7);
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_le_bytes(*word);
        odd | controls(word) | (word & (ONES << 7))
    });
    let plain = |byte: &u8| (0x20..0x80).contains(byte);
    if odd == 0 && rest.iter().all(plain) {
        return true;
    }
    !inner.iter().any(|byte| *byte < 0x20) && std::str::from_utf8(inner).is_ok()
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The high bit of every zero byte; bytes above the lowest zero one may be wrong, and only the lowest is used.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// Four hexadecimal digits.
fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | (*digit as char).to_digit(16)?))
}

/// A JSON number that is whole and fits, written as `5`, `5.0` or `5e3`; `None` for every other value.
pub fn parse_u64(token: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(token).ok()?;
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().or_else(|| {
        let float = text.parse::<f64>().ok()?;
        (float.fract() == 0.0 && float < 9_007_199_254_740_992.0).then_some(float as u64)
    })
}

/// `true` or `false`; `None` for every other value.
pub fn parse_bool(token: &[u8]) -> Option<bool> {
    match token {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The text of the bytes between a string's quotes, with U+FFFD for what is not a character.
pub fn unescape(inner: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(offset) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(offset).unwrap_or((rest, &[]));
        bytes.extend_from_slice(plain);
        let (character, length) = unescape_one(escape);
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escape.get(length..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest);
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The character of the escape that `escape` begins with, and the escape's length.
fn unescape_one(escape: &[u8]) -> (char, usize) {
    let simple = match escape.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(escape),
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        _ => char::REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

fn unescape_unicode(escape: &[u8]) -> (char, usize) {
    let unit = |from: usize| escape.get(from..from + 4).and_then(hex4);
    let Some(high) = unit(2) else {
        return (char::REPLACEMENT_CHARACTER, escape.len());
    };
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    let low = if escape.get(6..8) == Some(b"\\u") { unit(8) } else { None };
    match (high, low) {
        (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
            let character = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Writes `text` as a JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(offset) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (plain, special) = rest.split_at_checked(offset).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
