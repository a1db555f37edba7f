//! The arguments of a call and the schema of a tool as the JSON objects that Converse wants. It judges nothing else of them.

use std::borrow::Cow;

use crate::chat::prose::{Json, Prose};
use crate::codec::json::{Scanner, unescape};
use crate::codec::writer::Writer;

const NO_ARGUMENTS: &[u8] = br#"{"type":"object","properties":{}}"#;

/// Writes the arguments of a call: the object that they are, `{}` for none, `{"_raw": …}` for what is no object.
pub fn write_arguments(writer: &mut Writer, arguments: &Prose<'_>) {
    if writer.discards() {
        return;
    }
    let text = plain(arguments);
    if text.trim().is_empty() {
        writer.object(|_| {});
    } else if is_object(text.as_bytes()) {
        writer.raw(text.as_bytes());
    } else {
        writer.object(|writer| writer.key("_raw").prose(arguments));
    }
}

/// Writes the schema of a tool's arguments: an object, and of `"type": "object"` where it names no type.
pub fn write_schema(writer: &mut Writer, schema: Option<&Json<'_>>) {
    let bytes = schema.map(Json::bytes).unwrap_or_default();
    let mut typed = false;
    let mut empty = true;
    let object = Scanner::new(bytes).object(|scanner, key| {
        typed |= key.is("type");
        empty = false;
        scanner.pass()
    });
    match (object, bytes.iter().position(|byte| *byte == b'{')) {
        (Ok(()), _) if typed => writer.raw(bytes),
        (Ok(()), Some(open)) if !empty => {
            let members = bytes.get(open + 1..).unwrap_or_default();
            writer.raw(&[br#"{"type":"object","#.as_slice(), members].concat());
        }
        _ => writer.raw(NO_ARGUMENTS),
    }
}

/// The text of prose, unescaped.
pub fn plain<'p>(prose: &'p Prose<'_>) -> Cow<'p, str> {
    match prose {
        Prose::Plain(text) => Cow::Borrowed(text),
        Prose::Escaped(bytes) => Cow::Owned(unescape(bytes)),
    }
}

fn is_object(bytes: &[u8]) -> bool {
    let mut scanner = Scanner::new(bytes);
    scanner.peek() == Ok(b'{') && scanner.pass().is_ok() && scanner.end().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::{write_arguments, write_schema};
    use crate::chat::prose::{Json, Prose};
    use crate::codec::writer::Writer;

    fn written(write: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer::with_capacity(64);
        write(&mut writer);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn arguments_are_always_an_object() {
        for (text, object) in [
            (r#"{"city":"Oslo"}"#, r#"{"city":"Oslo"}"#),
            (r#" {"n": 1e400} "#, r#" {"n": 1e400} "#),
            ("", "{}"),
            (" \n", "{}"),
            ("[1]", r#"{"_raw":"[1]"}"#),
            (r#"{"a":"#, r#"{"_raw":"{\"a\":"}"#),
            (r#"{"a":1}{"#, r#"{"_raw":"{\"a\":1}{"}"#),
            ("Oslo", r#"{"_raw":"Oslo"}"#),
            ("{\"a\":\"x\ny\\\"\n\"\n}", "{\"a\":\"x\\u000ay\\\"\\u000a\"}"),
        ] {
            assert_eq!(written(|writer| write_arguments(writer, &Prose::plain(text))), object, "{text}");
        }
        let escaped = Prose::Escaped(br#"{\"city\":\"Troms\u00f8\"}"#.as_slice().into());
        assert_eq!(written(|writer| write_arguments(writer, &escaped)), r#"{"city":"Tromsø"}"#);
    }

    #[test]
    fn schemas_are_always_of_an_object() {
        let none = r#"{"type":"object","properties":{}}"#;
        for (schema, object) in [
            (r#"{"type":"object","properties":{"a":{}}}"#, r#"{"type":"object","properties":{"a":{}}}"#),
            ("{}", none),
            ("null", none),
            ("true", none),
            (r#"{"properties":{}}"#, r#"{"type":"object","properties":{}}"#),
            (r#" { "anyOf":[{}]}"#, r#"{"type":"object", "anyOf":[{}]}"#),
        ] {
            let json = Json::borrowed(schema.as_bytes());
            assert_eq!(written(|writer| write_schema(writer, Some(&json))), object, "{schema}");
        }
        assert_eq!(written(|writer| write_schema(writer, None)), none);
    }
}
