//! Text that ought to be one JSON object, written as one. It changes white space and what no JSON string may hold, and
//! nothing else.

use std::borrow::Cow;

use crate::chat::prose::Prose;
use crate::codec::json::{Scanner, unescape};
use crate::codec::writer::Writer;

/// The text itself, borrowed where it can be.
pub fn text<'t>(prose: &'t Prose<'_>) -> Cow<'t, str> {
    match prose {
        Prose::Plain(text) => Cow::Borrowed(text),
        Prose::Escaped(bytes) if !bytes.contains(&b'\\') => String::from_utf8_lossy(bytes),
        Prose::Escaped(bytes) => Cow::Owned(unescape(bytes)),
    }
}

/// The text as one JSON object on one line; `None` when it is none.
pub fn object(text: &str) -> Option<Cow<'_, [u8]>> {
    let bytes = text.trim_ascii().as_bytes();
    let mut scanner = Scanner::new(bytes);
    scanner.object(|scanner, _| scanner.pass()).ok()?;
    scanner.end().ok()?;
    Some(one_line(bytes))
}

/// JSON on one line: control characters in strings escaped, and no white space between, if there is any such character.
/// Server-sent events end at a line's end, and Google writes its answers over many lines.
pub fn one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if !json.iter().any(|byte| *byte < 0x20) {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len() + 16);
    let mut in_string = false;
    let mut escaped = false;
    for byte in json {
        match byte {
            0..0x20 if in_string => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            0..=b' ' if !in_string => {}
            other => out.push(*other),
        }
        in_string ^= *byte == b'"' && !escaped;
        escaped = in_string && *byte == b'\\' && !escaped;
    }
    Cow::Owned(out)
}

/// Writes the arguments of a call: `{}` for none, `{"_raw": …}` for what is no JSON object.
pub fn write_arguments(writer: &mut Writer, arguments: &Prose<'_>) {
    if writer.discards() {
        return writer.null();
    }
    let text = text(arguments);
    match object(&text) {
        Some(object) => writer.raw(&object),
        None if text.trim().is_empty() => writer.raw(b"{}"),
        None => writer.object(|writer| writer.key("_raw").prose(arguments)),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{object, write_arguments};
    use crate::chat::prose::Prose;
    use crate::codec::writer::Writer;

    #[test]
    fn arguments_are_an_object_whatever_the_model_wrote() {
        for (arguments, written) in [
            ("", "{}"),
            ("  ", "{}"),
            (r#" {"a":[1]} "#, r#"{"a":[1]}"#),
            ("{\n \"a\": \"x\ny\\\\\"\n}", "{\"a\":\"x\\u000ay\\\\\"}"),
            (r#"{"a":"#, r#"{"_raw":"{\"a\":"}"#),
            ("[1]", r#"{"_raw":"[1]"}"#),
            (r#"{} {}"#, r#"{"_raw":"{} {}"}"#),
        ] {
            let mut writer = Writer::with_capacity(64);
            write_arguments(&mut writer, &Prose::plain(arguments));
            assert_eq!(String::from_utf8_lossy(&writer.into_bytes()), written);
        }
        let mut writer = Writer::with_capacity(64);
        write_arguments(&mut writer, &Prose::Escaped(Cow::Borrowed(br#"{\"a\":\"\\n\"}"#)));
        assert_eq!(writer.into_bytes(), br#"{"a":"\n"}"#);
        assert!(object("null").is_none());
    }
}
