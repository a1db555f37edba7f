//! Gemini's older schemas, a subset of OpenAPI's, as JSON Schema. The other way is not needed: Gemini 2 and newer take
//! JSON Schema.

use std::borrow::Cow;

use crate::chat::prose::Json;
use crate::codec::gemini::member::camel;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::writer::Writer;

/// The schema as JSON Schema: types in lower case, `nullable` as a type, numbers as numbers.
///
/// # Errors
/// What is no object.
pub fn read<'a>(scanner: &mut Scanner<'_>) -> Result<Json<'a>, Malformed> {
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("an object is expected"));
    }
    let json = scanner.json()?;
    let mut writer = Writer::with_capacity(json.bytes().len());
    schema(json.bytes(), &mut writer);
    Ok(Json(Cow::Owned(writer.into_bytes())))
}

/// Bytes come from a scanner, so they are JSON: what cannot be read again is written as it is.
fn schema(bytes: &[u8], writer: &mut Writer) {
    let mut nullable = false;
    let mut all: Vec<(Cow<'_, str>, &[u8])> = Vec::new();
    let read = Scanner::new(bytes).object(|scanner, key| {
        let span = scanner.skip()?;
        let value = scanner.slice(span);
        let name = key.text();
        match known(&name) {
            "nullable" => nullable = value == b"true",
            // Gemini's own; other validators refuse unknown words in strict schemas.
            "propertyOrdering" => {}
            _ => all.push((name, value)),
        }
        Ok(())
    });
    if read.is_err() {
        return writer.raw(bytes);
    }
    writer.object(|writer| {
        for (name, value) in all {
            member(known(&name), &name, value, nullable, writer);
        }
    });
}

/// The keyword that a name stands for; any other name as it is.
fn known(name: &str) -> &str {
    const KEYWORDS: [&str; 14] = [
        "anyOf",
        "oneOf",
        "allOf",
        "prefixItems",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minProperties",
        "maxProperties",
        "propertyOrdering",
        "additionalProperties",
        "patternProperties",
        "nullable",
    ];
    let spelled = camel(name);
    KEYWORDS.iter().find(|keyword| **keyword == spelled).copied().unwrap_or(name)
}

fn member(keyword: &str, name: &str, value: &[u8], nullable: bool, writer: &mut Writer) {
    match keyword {
        "type" => kind(value, nullable, writer.key("type")),
        "properties" | "patternProperties" | "$defs" | "definitions" => {
            writer.key(keyword).object(|writer| {
                let read = Scanner::new(value).object(|scanner, key| {
                    let span = scanner.skip()?;
                    schema(scanner.slice(span), writer.key(&key.text()));
                    Ok(())
                });
                debug_assert!(read.is_ok() || !value.starts_with(b"{"), "checked JSON");
            });
        }
        "items" | "additionalProperties" | "not" => schema(value, writer.key(keyword)),
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => writer.key(keyword).array(|writer| {
            let read = Scanner::new(value).array(|scanner| {
                let span = scanner.skip()?;
                schema(scanner.slice(span), writer);
                Ok(())
            });
            debug_assert!(read.is_ok() || !value.starts_with(b"["), "checked JSON");
        }),
        // Numbers of 64 bits are strings in the JSON of protocol buffers.
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            let digits = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            let number = digits.filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
            writer.key(keyword).raw(number.unwrap_or(value));
        }
        // `enum` says no more than the member of that name.
        "format" if value == b"\"enum\"" => {}
        _ => writer.key(name).raw(value),
    }
}

fn kind(value: &[u8], nullable: bool, writer: &mut Writer) {
    let lower = value.to_ascii_lowercase();
    if nullable && lower.starts_with(b"\"") {
        writer.array(|writer| {
            writer.raw(&lower);
            writer.string("null");
        });
    } else {
        writer.raw(&lower);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::read;
    use crate::codec::json::Scanner;

    #[test]
    fn openapi_becomes_json_schema() {
        for (given, expected) in [
            (
                r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}},"required":["a"]}"#,
                r#"{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"]}"#,
            ),
            (
                r#"{"type":"ARRAY","items":{"any_of":[{"type":"INTEGER","format":"int32"},{"type":"NULL"}]},"min_items":"2"}"#,
                r#"{"type":"array","items":{"anyOf":[{"type":"integer","format":"int32"},{"type":"null"}]},"minItems":2}"#,
            ),
            (
                r#"{"type":"STRING","format":"enum","enum":["TYPE","b"],"propertyOrdering":["x"]}"#,
                r#"{"type":"string","enum":["TYPE","b"]}"#,
            ),
            (
                r#"{"properties":{"nullable":{"type":"BOOLEAN"},"min_items":{"type":"NUMBER"}},"additionalProperties":false}"#,
                r#"{"properties":{"nullable":{"type":"boolean"},"min_items":{"type":"number"}},"additionalProperties":false}"#,
            ),
        ] {
            let found = read(&mut Scanner::new(given.as_bytes())).unwrap();
            assert_eq!(String::from_utf8_lossy(found.bytes()), expected);
        }
        assert!(read(&mut Scanner::new(b"[]")).is_err());
    }
}
