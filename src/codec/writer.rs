//! Writes JSON front to back, without a tree. It can also only pretend to write: what an encoding would lose is known
//! without the bytes.

use crate::chat::prose::{Json, Prose};
use crate::codec::json::{one_line, write_string};

/// JSON in the making. The caller closes what it opens; `object` and `array` do it for them.
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    /// The next value or member follows another.
    comma: bool,
    discards: bool,
}

impl Writer {
    /// A writer with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), comma: false, discards: false }
    }

    /// A writer that keeps nothing.
    pub fn discarding() -> Self {
        Self { out: Vec::new(), comma: false, discards: true }
    }

    /// Whether nothing is kept: an encoder may leave out work whose only fruit is bytes.
    pub fn discards(&self) -> bool {
        self.discards
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// `{…}`, its members written by `members`.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.open(b'{');
        members(self);
        self.close(b'}');
    }

    /// `[…]`, its elements written by `elements`.
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.open(b'[');
        elements(self);
        self.close(b']');
    }

    /// A member's name; its value is to be written next: `writer.key("model").string("m")`.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        if !self.discards {
            write_string(&mut self.out, name);
            self.out.push(b':');
        }
        self.comma = false;
        self
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.separate();
        if !self.discards {
            write_string(&mut self.out, text);
        }
    }

    /// A string of prose.
    pub fn prose(&mut self, text: &Prose<'_>) {
        self.prose_after("", text);
    }

    /// A string of `prefix` and prose.
    pub fn prose_after(&mut self, prefix: &str, text: &Prose<'_>) {
        self.separate();
        if self.discards {
            return;
        }
        match text {
            Prose::Plain(text) if prefix.is_empty() => write_string(&mut self.out, text),
            Prose::Plain(text) => {
                write_string(&mut self.out, prefix);
                self.out.pop();
                let from = self.out.len();
                write_string(&mut self.out, text);
                self.out.remove(from);
            }
            Prose::Escaped(bytes) => {
                write_string(&mut self.out, prefix);
                self.out.pop();
                self.out.extend_from_slice(bytes);
                self.out.push(b'"');
            }
        }
    }

    /// A JSON value as it is.
    pub fn json(&mut self, value: &Json<'_>) {
        self.raw(value.bytes());
    }

    /// Bytes that are one JSON value, put on one line and mended where they hold what no JSON may (see `one_line`).
    pub fn raw(&mut self, value: &[u8]) {
        self.separate();
        if !self.discards {
            self.out.extend_from_slice(&one_line(value));
        }
    }

    /// A whole number.
    pub fn number(&mut self, number: u64) {
        self.raw(number.to_string().as_bytes());
    }

    /// A whole number that may be negative.
    pub fn integer(&mut self, number: i64) {
        self.raw(number.to_string().as_bytes());
    }

    /// A number; 0 for what JSON cannot say.
    pub fn float(&mut self, number: f64) {
        let number = if number.is_finite() { number } else { 0.0 };
        self.raw(number.to_string().as_bytes());
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    /// `null`.
    pub fn null(&mut self) {
        self.raw(b"null");
    }

    fn open(&mut self, bracket: u8) {
        self.separate();
        if !self.discards {
            self.out.push(bracket);
        }
        self.comma = false;
    }

    fn close(&mut self, bracket: u8) {
        if !self.discards {
            self.out.push(bracket);
        }
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.comma && !self.discards {
            self.out.push(b',');
        }
        self.comma = true;
    }
}

/// One server-sent event with JSON data; the name is left out when empty.
pub fn sse_event(out: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Writer)) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    let mut writer = Writer { out: std::mem::take(out), comma: false, discards: false };
    data(&mut writer);
    *out = writer.out;
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Writer, sse_event};
    use crate::chat::prose::Prose;

    #[test]
    fn commas_stand_between_and_nowhere_else() {
        let mut writer = Writer::with_capacity(64);
        writer.object(|writer| {
            writer.key("a").array(|writer| {
                writer.number(1);
                writer.object(|_| {});
                writer.null();
            });
            writer.key("b").prose_after("Error: ", &Prose::plain("\"x\""));
            writer.key("c").prose(&Prose::Escaped(Cow::Borrowed(br"\n")));
            writer.key("d").float(0.1);
        });
        let bytes = writer.into_bytes();
        assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"a":[1,{},null],"b":"Error: \"x\"","c":"\n","d":0.1}"#);
    }

    #[test]
    fn a_discarding_writer_keeps_nothing() {
        let mut writer = Writer::discarding();
        writer.array(|writer| writer.string("x"));
        assert!(writer.into_bytes().is_empty());
    }

    #[test]
    fn events_follow_each_other() {
        let mut out = Vec::new();
        sse_event(&mut out, "ping", |writer| writer.object(|_| {}));
        sse_event(&mut out, "", |writer| writer.number(1));
        assert_eq!(out, b"event: ping\ndata: {}\n\ndata: 1\n\n");
    }
}
