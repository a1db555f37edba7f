//! Usage and output text of OpenAI response bodies. Not of streams (see `stream`), and no answer text is kept.

use crate::chat::head::TextCount;
use crate::chat::usage::{Usage, UsageSource};
use crate::codec::json::{Malformed, Scanner, count, find_quote_or_escape};
use crate::codec::wire::ProviderWire;

/// The largest `usage` object that `BodyScan` keeps, in bytes.
const MAX_USAGE: usize = 16 * 1024;

/// The longest member name that `BodyScan` tells apart, in bytes.
const MAX_KEY: usize = 24;

/// Reads a `usage` object, of chat completions or of responses; `None` when it counts neither input nor output.
///
/// Cached tokens are in `prompt_tokens_details.cached_tokens`, at DeepSeek in `prompt_cache_hit_tokens`, at Moonshot in
/// `cached_tokens`. Input includes the cache and output includes reasoning, as OpenAI has it; vendors that count
/// reasoning on top (xAI's chat, Perplexity) are for their own quirk to add.
pub fn parse_usage(object: &[u8]) -> Option<Usage> {
    let mut scanner = Scanner::new(object);
    read_usage(&mut scanner).ok().flatten()
}

/// `parse_usage` of the value at the scanner's position, which may be of any kind.
pub(super) fn read_usage(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.skip().map(|_| None);
    }
    let (mut input, mut output) = (None, None);
    let (mut cached, mut cache_write, mut reasoning) = (None, None, None);
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"prompt_tokens" | b"input_tokens" => input = scanner.whole_or_skip()?.or(input),
            b"completion_tokens" | b"output_tokens" => output = scanner.whole_or_skip()?.or(output),
            b"prompt_cache_hit_tokens" | b"cached_tokens" => cached = cached.max(scanner.whole_or_skip()?),
            b"prompt_tokens_details" | b"input_tokens_details" if scanner.peek()? == b'{' => {
                scanner.object(|scanner, key| {
                    match key.bytes().as_ref() {
                        b"cached_tokens" => cached = cached.max(scanner.whole_or_skip()?),
                        b"cache_write_tokens" => cache_write = scanner.whole_or_skip()?,
                        _ => scanner.pass()?,
                    }
                    Ok(())
                })?;
            }
            b"completion_tokens_details" | b"output_tokens_details" if scanner.peek()? == b'{' => {
                scanner.object(|scanner, key| {
                    match key.bytes().as_ref() {
                        b"reasoning_tokens" => reasoning = scanner.whole_or_skip()?,
                        _ => scanner.pass()?,
                    }
                    Ok(())
                })?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    if input.is_none() && output.is_none() {
        return Ok(None);
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let cache_read = cached.unwrap_or(0).min(input);
    Ok(Some(Usage {
        input,
        cache_read,
        cache_write: cache_write.unwrap_or(0).min(input - cache_read),
        cache_write_1h: 0,
        output,
        reasoning: reasoning.unwrap_or(0).min(output),
        source: UsageSource::Reported,
    }))
}

/// Reads a response body chunk by chunk: its top-level `usage` object, and how much text the answer has.
///
/// Memory is bounded: one `usage` object of up to 16 KiB. A body that is not JSON gives no usage and some count.
#[derive(Debug, Default)]
pub struct BodyScan {
    depth: u32,
    /// One bit a level, the lowest for the innermost: an object, not an array. Levels beyond 128 are forgotten.
    objects: u128,
    place: Place,
    escaped: bool,
    /// Whether a string that begins now is a member's name.
    key_next: bool,
    key: KeyBytes,
    /// What the strings under the latest member name are.
    kind: TextKind,
    capture: Option<Vec<u8>>,
    usage: Option<Usage>,
    counts: Counts,
    dialect: Dialect,
}

/// Whose member for usage is looked for; OpenAI's where there is none.
#[derive(Clone, Copy, Default)]
struct Dialect(Option<&'static dyn ProviderWire>);

impl Dialect {
    fn member(self) -> &'static str {
        self.0.map_or("usage", ProviderWire::usage_member)
    }

    fn read(self, object: &[u8]) -> Option<Usage> {
        self.0.map_or_else(|| parse_usage(object), |wire| wire.parse_usage(object))
    }
}

impl std::fmt::Debug for Dialect {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.member())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Between,
    Key,
    Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TextKind {
    #[default]
    Other,
    Usage,
    Answer,
    Reasoning,
    ReasoningContent,
    Text,
}

#[derive(Debug, Default)]
struct Counts {
    answer: TextCount,
    reasoning: TextCount,
    reasoning_content: TextCount,
    text: TextCount,
}

/// The first bytes of a member's name.
#[derive(Debug, Default)]
struct KeyBytes {
    bytes: [u8; MAX_KEY],
    length: usize,
}

impl KeyBytes {
    fn extend(&mut self, more: &[u8]) {
        for byte in more {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = *byte;
            }
            self.length = self.length.saturating_add(1);
        }
    }

    fn kind(&self, usage: &str) -> TextKind {
        match self.bytes.get(..self.length).unwrap_or_default() {
            member if member == usage.as_bytes() => TextKind::Usage,
            b"content" | b"arguments" | b"refusal" | b"input" | b"transcript" => TextKind::Answer,
            b"reasoning" => TextKind::Reasoning,
            b"reasoning_content" => TextKind::ReasoningContent,
            b"text" => TextKind::Text,
            _ => TextKind::Other,
        }
    }
}

impl BodyScan {
    /// A scan at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// A scan of a body of another format.
    pub fn of(wire: &'static dyn ProviderWire) -> Self {
        Self { dialect: Dialect(Some(wire)), ..Self::default() }
    }

    /// Reads the next bytes of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let used = match self.place {
                Place::Between => self.between(rest),
                Place::Key | Place::Value => self.in_string(rest),
            };
            let (done, left) = rest.split_at_checked(used.max(1)).unwrap_or((rest, &[]));
            self.keep(done);
            if self.capture.is_some() && self.place == Place::Between && self.depth == 1 {
                let object = self.capture.take().unwrap_or_default();
                self.usage = self.dialect.read(&object).or(self.usage);
            }
            rest = left;
        }
    }

    /// The usage that the body reports, once its object was complete.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The answer's text so far: contents, tool-call arguments, reasoning. Vendors that repeat the reasoning under
    /// another name are counted once. Escapes count as they are written.
    pub fn output_text(&self) -> TextCount {
        let Counts { answer, reasoning, reasoning_content, text } = &self.counts;
        let size = |count: &&TextCount| count.ascii + count.other;
        let most = [reasoning, reasoning_content, text].into_iter().max_by_key(size);
        answer.plus(most.copied().unwrap_or_default())
    }

    /// Outside strings, up to and with the byte that changes the place or ends an object; gives the bytes read.
    fn between(&mut self, rest: &[u8]) -> usize {
        for (index, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => {
                    self.place = if self.key_next { Place::Key } else { Place::Value };
                    self.key.length = 0;
                    return index + 1;
                }
                b'{' => {
                    if self.depth == 1 && self.kind == TextKind::Usage {
                        if index > 0 {
                            // What stands before the brace is not part of the object.
                            return index;
                        }
                        self.capture = Some(Vec::new());
                    }
                    self.enter(true);
                }
                b'[' => self.enter(false),
                b'}' | b']' => {
                    self.objects >>= 1;
                    self.depth = self.depth.saturating_sub(1);
                    self.key_next = false;
                    if self.depth == 1 {
                        self.kind = TextKind::Other;
                        return index + 1;
                    }
                }
                b',' => self.key_next = self.objects & 1 == 1,
                _ => {}
            }
        }
        rest.len()
    }

    fn enter(&mut self, object: bool) {
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth = self.depth.saturating_add(1);
        self.key_next = object;
    }

    /// Inside a string, up to and with its end or an escape's backslash; gives the bytes read.
    fn in_string(&mut self, rest: &[u8]) -> usize {
        if self.escaped {
            self.escaped = false;
            self.string_bytes(rest.get(..1).unwrap_or_default());
            return 1;
        }
        let stop = find_quote_or_escape(rest, 0);
        self.string_bytes(rest.get(..stop.unwrap_or(rest.len())).unwrap_or_default());
        let Some(stop) = stop else { return rest.len() };
        if rest.get(stop) == Some(&b'\\') {
            self.escaped = true;
        } else {
            if self.place == Place::Key {
                self.kind = self.key.kind(self.dialect.member());
            }
            self.key_next = false;
            self.place = Place::Between;
        }
        stop + 1
    }

    fn string_bytes(&mut self, bytes: &[u8]) {
        if self.place == Place::Key {
            self.key.extend(bytes);
            return;
        }
        let counter = match self.kind {
            TextKind::Other | TextKind::Usage => return,
            TextKind::Answer => &mut self.counts.answer,
            TextKind::Reasoning => &mut self.counts.reasoning,
            TextKind::ReasoningContent => &mut self.counts.reasoning_content,
            TextKind::Text => &mut self.counts.text,
        };
        *counter = counter.plus(count(bytes));
    }

    /// Keeps the bytes of the `usage` object; one that is too large is given up.
    fn keep(&mut self, bytes: &[u8]) {
        if let Some(capture) = &mut self.capture {
            if capture.len() + bytes.len() > MAX_USAGE {
                self.capture = None;
            } else {
                capture.extend_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{BodyScan, parse_usage};

    const BODY: &[u8] = br#" {"id":"x","choices":[{"message":{"content":"He said \"hi\"","usage":{"prompt_tokens":9}}}],
        "usage" : {"prompt_tokens":12,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},"x":"}"},"y":1}"#;

    #[test]
    fn a_body_gives_the_same_usage_and_text_at_every_split() {
        let mut whole = BodyScan::new();
        whole.push(BODY);
        let usage = whole.usage().unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read), (12, 5, 4));
        assert_eq!(whole.output_text().ascii, 12);
        for split in 0..=BODY.len() {
            let mut scan = BodyScan::new();
            let (left, right) = BODY.split_at(split);
            scan.push(left);
            scan.push(right);
            assert_eq!((scan.usage(), scan.output_text()), (whole.usage(), whole.output_text()), "split at {split}");
        }
    }

    #[test]
    fn usage_is_read_in_every_dialect() {
        let read = |object: &str| {
            parse_usage(object.as_bytes()).map(|u| (u.input, u.cache_read, u.cache_write, u.output, u.reasoning))
        };
        assert_eq!(
            read(
                r#"{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}"#
            ),
            Some((10, 4, 2, 7, 3))
        );
        assert_eq!(
            read(r#"{"prompt_tokens":10,"completion_tokens":7,"prompt_cache_hit_tokens":6}"#),
            Some((10, 6, 0, 7, 0))
        );
        assert_eq!(read(r#"{"prompt_tokens":10,"completion_tokens":7,"cached_tokens":5}"#), Some((10, 5, 0, 7, 0)));
        assert_eq!(
            read(
                r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":1},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2}}"#
            ),
            Some((10, 1, 0, 7, 2))
        );
        assert_eq!(read(r#"{"prompt_tokens":8,"total_tokens":8}"#), Some((8, 0, 0, 0, 0)));
        assert_eq!(read("{}"), None);
        assert_eq!(read("null"), None);
    }
}
