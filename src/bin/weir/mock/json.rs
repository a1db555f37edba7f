//! Small helpers for JSON that a mock writes and reads. Not a codec: objects are written in the order vendors write them.

use std::fmt::{Display, Write as _};

use serde_json::{Map, Value};

/// Text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// An object of members that are JSON already, in the order given.
pub fn object(members: &[(&str, &dyn Display)]) -> String {
    let mut out = String::from("{");
    for (name, value) in members {
        if out.len() > 1 {
            out.push(',');
        }
        let _ = write!(out, "\"{name}\":{value}");
    }
    out.push('}');
    out
}

/// A list of values that are JSON already.
pub fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

/// One event of a stream of server-sent events; without a name there is no `event:` line.
pub fn sse(name: Option<&str>, data: &str) -> Vec<u8> {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n").into_bytes(),
        None => format!("data: {data}\n\n").into_bytes(),
    }
}

/// The first member of an object that is not among `known`.
pub fn stranger<'v>(object: &'v Map<String, Value>, known: &[&str]) -> Option<&'v str> {
    object.keys().map(String::as_str).find(|name| !known.contains(name))
}

/// A member as text; empty when it is absent or something else.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as a list; empty when it is absent or something else.
pub fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A member that is there and not null.
pub fn some<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).filter(|value| !value.is_null())
}

/// Splits text into `count` pieces whose lengths differ by at most one letter's.
pub fn pieces(text: &str, count: usize) -> impl Iterator<Item = &str> {
    let length = text.len();
    let boundary = move |index: usize| {
        let mut at = length.saturating_mul(index) / count.max(1);
        // A model's name may hold letters of several bytes.
        while !text.is_char_boundary(at) {
            at = at.saturating_add(1);
        }
        at
    };
    (0..count).map(move |index| text.get(boundary(index)..boundary(index.saturating_add(1))).unwrap_or_default())
}

/// Base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, index| word << 8 | usize::from(group.get(index).copied().unwrap_or(0)));
        for position in 0..4_usize {
            let letter = LETTERS.get(word >> (18 - 6 * position) & 63).copied().unwrap_or(b'=');
            out.push(if position <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Whether a text is base64 with its padding; vendors refuse media that is not.
pub fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !body.is_empty() && text.len().is_multiple_of(4) && text.len() - body.len() <= 2 && body.bytes().all(letter)
}

/// Whether a text is one of `from` to `to` of the characters that `fits` takes.
pub fn is_name(text: &str, to: usize, more: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
    !text.is_empty() && text.len() <= to && text.bytes().all(fits)
}

/// FNV-1a, 64 bits: what an answer quotes so that a test sees which bytes arrived.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::{base64, is_base64, object, pieces};

    #[test]
    fn pieces_are_as_many_as_asked_for_and_lose_nothing() {
        for count in 1..12 {
            let all: Vec<&str> = pieces("ten letter", count).collect();
            assert_eq!((all.len(), all.concat()), (count, "ten letter".to_owned()));
        }
    }

    #[test]
    fn base64_is_padded_and_told_from_other_text() {
        assert_eq!((base64(b"any"), base64(b"an"), base64(b"a")), ("YW55".into(), "YW4=".into(), "YQ==".into()));
        assert!(is_base64("YQ==") && is_base64("YW55") && !is_base64("YQ") && !is_base64("") && !is_base64("Y!=="));
    }

    #[test]
    fn members_are_written_in_the_order_given() {
        assert_eq!(object(&[("type", &"\"x\""), ("index", &0)]), r#"{"type":"x","index":0}"#);
    }
}
