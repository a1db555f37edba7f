//! JSON schemas as Anthropic takes them: of tools' inputs, and of answers that must follow one. Not their meaning.
//!
//! A tool's input must be an object at its root. A schema that must be followed to the letter (`strict` tools,
//! `output_config.format`) may hold no bounds on numbers, lengths and counts, no `if`, `not` or `oneOf`, and few formats
//! (wire-formats §4). What it may not hold goes into the `description`, where the model reads it.

use std::borrow::Cow;

use crate::chat::prose::Json;
use crate::codec::json::{Malformed, Scanner, Text, unescape};
use crate::codec::writer::Writer;

/// The schema of a tool without parameters.
const EMPTY: &[u8] = br#"{"type":"object","properties":{}}"#;

/// What a strict schema may not hold.
const REFUSED: [&str; 23] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "if",
    "then",
    "else",
    "not",
];

/// The formats that a strict schema may name.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The schema of a tool's input.
pub(super) fn of_input<'s>(schema: Option<&'s Json<'_>>, strict: bool) -> Cow<'s, [u8]> {
    let Some(schema) = schema else { return Cow::Borrowed(EMPTY) };
    let rooted = rooted(schema.bytes());
    if strict { Cow::Owned(strictly(&rooted).unwrap_or_else(|| rooted.to_vec())) } else { rooted }
}

/// The schema of an answer.
pub(super) fn of_output(schema: &Json<'_>) -> Vec<u8> {
    strictly(schema.bytes()).unwrap_or_else(|| schema.bytes().to_vec())
}

/// A member of an object, as it stands.
struct Member<'s> {
    key: Text<'s>,
    value: &'s [u8],
}

fn members(schema: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut scanner = Scanner::new(schema);
    let mut all = Vec::new();
    let read = scanner.object(|scanner, key| {
        let span = scanner.skip()?;
        all.push(Member { key, value: scanner.slice(span) });
        Ok(())
    });
    read.is_ok().then_some(all)
}

fn is_choice(member: &Member<'_>) -> bool {
    ["anyOf", "oneOf", "allOf"].iter().any(|name| member.key.is(name))
}

/// A schema whose root is an object without alternatives.
fn rooted(schema: &[u8]) -> Cow<'_, [u8]> {
    let Some(members) = members(schema) else { return Cow::Borrowed(EMPTY) };
    let is_object = |member: &Member<'_>| member.key.is("type") && member.value == b"\"object\"";
    if members.iter().any(is_object) && !members.iter().any(is_choice) {
        return Cow::Borrowed(schema);
    }
    let mut notes = Notes::default();
    let mut writer = Writer::with_capacity(schema.len() + 32);
    writer.object(|writer| {
        writer.key("type").string("object");
        for member in &members {
            if is_choice(member) {
                notes.add(member);
            } else if member.key.is("description") {
                notes.description = text(member.value);
            } else if !member.key.is("type") {
                writer.key(&member.key.text()).raw(member.value);
            }
        }
        if !members.iter().any(|member| member.key.is("properties")) {
            writer.key("properties").object(|_| {});
        }
        notes.write(writer);
    });
    Cow::Owned(writer.into_bytes())
}

/// The `description` of a schema, with what had to leave the schema.
#[derive(Default)]
struct Notes {
    description: Option<String>,
    left: Vec<String>,
}

impl Notes {
    fn add(&mut self, member: &Member<'_>) {
        self.left.push(format!("{}: {}", member.key.text(), String::from_utf8_lossy(member.value)));
    }

    fn write(&self, writer: &mut Writer) {
        let left = self.left.join(", ");
        match (&self.description, left.is_empty()) {
            (None, true) => {}
            (Some(description), true) => writer.key("description").string(description),
            (None, false) => writer.key("description").string(&left),
            (Some(description), false) => writer.key("description").string(&format!("{description} ({left})")),
        }
    }
}

/// A string's text; `None` when the value is no string.
fn text(value: &[u8]) -> Option<String> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some(unescape(inner))
}

/// A schema without what a strict one may not hold; `None` when it is not JSON.
fn strictly(schema: &[u8]) -> Option<Vec<u8>> {
    let mut writer = Writer::with_capacity(schema.len() + 64);
    write_schema(&mut writer, schema).ok()?;
    Some(writer.into_bytes())
}

fn write_schema(writer: &mut Writer, schema: &[u8]) -> Result<(), Malformed> {
    let malformed = Malformed { offset: 0, what: "a schema is not JSON" };
    if schema.first() != Some(&b'{') {
        writer.raw(schema);
        return Ok(());
    }
    let members = members(schema).ok_or(malformed)?;
    let is_object = members.iter().any(|member| {
        member.key.is("properties") || (member.key.is("type") && member.value.windows(8).any(|at| at == b"\"object\""))
    });
    let mut notes = Notes::default();
    let mut done = Ok(());
    writer.object(|writer| {
        for member in &members {
            if done.is_ok() {
                done = write_member(writer, member, is_object, &mut notes);
            }
        }
        if is_object {
            writer.key("additionalProperties").bool(false);
        }
        notes.write(writer);
    });
    done
}

fn write_member(writer: &mut Writer, member: &Member<'_>, is_object: bool, notes: &mut Notes) -> Result<(), Malformed> {
    let name = member.key.text();
    let name = name.as_ref();
    match name {
        "description" => notes.description = text(member.value),
        "additionalProperties" if is_object => {
            if member.value != b"false" && member.value != b"true" {
                notes.add(member);
            }
        }
        "minItems" if !matches!(member.value, b"0" | b"1") => notes.add(member),
        "format" if !text(member.value).is_some_and(|format| FORMATS.contains(&format.as_str())) => notes.add(member),
        _ if REFUSED.contains(&name) => notes.add(member),
        "properties" | "$defs" | "definitions" => return write_map(writer.key(name), member.value),
        "items" => return write_one_or_many(writer.key(name), member.value),
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
            let name = if name == "oneOf" { "anyOf" } else { name };
            return write_one_or_many(writer.key(name), member.value);
        }
        _ => writer.key(name).raw(member.value),
    }
    Ok(())
}

/// Schemas by name.
fn write_map(writer: &mut Writer, map: &[u8]) -> Result<(), Malformed> {
    let Some(members) = members(map) else {
        writer.raw(map);
        return Ok(());
    };
    let mut done = Ok(());
    writer.object(|writer| {
        for member in &members {
            if done.is_ok() {
                done = write_schema(writer.key(&member.key.text()), member.value);
            }
        }
    });
    done
}

/// A schema, or an array of them.
fn write_one_or_many(writer: &mut Writer, value: &[u8]) -> Result<(), Malformed> {
    if value.first() != Some(&b'[') {
        return write_schema(writer, value);
    }
    let mut done = Ok(());
    writer.array(|writer| {
        let mut scanner = Scanner::new(value);
        done = scanner.array(|scanner| {
            let span = scanner.skip()?;
            write_schema(writer, scanner.slice(span))
        });
    });
    done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::{of_input, of_output};
    use crate::chat::prose::Json;

    fn input(schema: &Value, strict: bool) -> Value {
        let bytes = schema.to_string().into_bytes();
        let json = Json::borrowed(&bytes);
        serde_json::from_slice(&of_input(Some(&json), strict)).unwrap()
    }

    #[test]
    fn the_root_of_an_input_is_always_an_object() {
        let empty = json!({"type": "object", "properties": {}});
        assert_eq!(serde_json::from_slice::<Value>(&of_input(None, false)).unwrap(), empty);
        assert_eq!(input(&json!({}), false), empty);
        assert_eq!(input(&json!(null), false), empty);
        assert_eq!(
            input(&json!({"properties": {"a": {"type": "string"}}, "required": ["a"]}), false),
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})
        );
        let kept = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}, "minProperties": 1});
        assert_eq!(input(&kept, false), kept);
    }

    #[test]
    fn alternatives_at_the_root_move_into_the_description() {
        let schema = json!({"description": "d", "oneOf": [{"required": ["a"]}], "properties": {"a": {}}});
        assert_eq!(
            input(&schema, false),
            json!({"type": "object", "properties": {"a": {}}, "description": "d (oneOf: [{\"required\":[\"a\"]}])"})
        );
    }

    #[test]
    fn a_strict_schema_loses_its_bounds_to_the_description() {
        let schema = json!({
            "type": "object",
            "properties": {
                "minimum": {"type": "integer", "minimum": 1, "description": "a count"},
                "mail": {"type": "string", "format": "email"},
                "phone": {"type": "string", "format": "phone"},
                "tags": {"type": "array", "minItems": 2, "items": {"oneOf": [{"type": "string", "maxLength": 9}]}},
                "tag": {"enum": [{"minimum": 1}]},
            },
            "required": ["mail"],
            "additionalProperties": true,
        });
        let bytes = schema.to_string().into_bytes();
        let written: Value = serde_json::from_slice(&of_output(&Json::borrowed(&bytes))).unwrap();
        let expected = json!({
            "type": "object",
            "properties": {
                "minimum": {"type": "integer", "description": "a count (minimum: 1)"},
                "mail": {"type": "string", "format": "email"},
                "phone": {"type": "string", "description": "format: \"phone\""},
                "tags": {"type": "array", "items": {"anyOf": [{"type": "string", "description": "maxLength: 9"}]},
                    "description": "minItems: 2"},
                "tag": {"enum": [{"minimum": 1}]},
            },
            "required": ["mail"],
            "additionalProperties": false,
        });
        assert_eq!(written, expected);
        assert_eq!(input(&schema, true), expected);
    }
}
