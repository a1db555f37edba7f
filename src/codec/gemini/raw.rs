//! Text that ought to be one JSON object, written as one. It changes white space and what no JSON string may hold, and
//! nothing else.

use std::borrow::Cow;

use crate::chat::prose::Prose;
use crate::codec::json::{Scanner, one_line, unescape};
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
