//! A value that satisfies a simple JSON schema: the arguments of a mock's tool calls and its structured answers. Not a
//! validator, and not for schemas with rules across members.

use serde_json::{Map, Number, Value, json};

/// Deeper schemas end in null.
const DEEPEST: usize = 12;

/// A value for `schema`: a string is Oslo, a number 7, a flag true, an enumeration its first value.
pub fn sample(schema: &Value) -> Value {
    value_of(schema, schema, 0)
}

fn value_of(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    let next = |schema: &Value| value_of(schema, root, depth.saturating_add(1));
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).map_or(Value::Null, next);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema.get("enum").and_then(|values| values.get(0)) {
        return value.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(*name)?.get(0)) {
        return next(first);
    }
    match kind(schema).as_str() {
        "object" => Value::Object(members(schema, next)),
        "array" => {
            let item = schema.get("items").map_or_else(|| json!("Oslo"), next);
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 16);
            Value::Array((0..least).map(|_| item.clone()).collect())
        }
        "number" | "integer" => Value::Number(number(schema)),
        "boolean" => Value::Bool(true),
        "null" => Value::Null,
        _ => Value::String(text(schema)),
    }
}

/// The type's name in lower case, as Google writes it in capitals; guessed where none is written.
fn kind(schema: &Value) -> String {
    let written = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    };
    let guessed = || if schema.get("properties").is_some() { "object" } else { "string" };
    written.unwrap_or_else(guessed).to_ascii_lowercase()
}

/// The required members; every one where none is required, so that a call says something.
fn members(schema: &Value, next: impl Fn(&Value) -> Value) -> Map<String, Value> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Map::new();
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = |name: &&String| required.is_empty() || required.contains(&name.as_str());
    properties.keys().filter(wanted).filter_map(|name| Some((name.clone(), next(properties.get(name)?)))).collect()
}

fn number(schema: &Value) -> Number {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    Number::from(7_i64.min(most.unwrap_or(7)).max(least.unwrap_or(i64::MIN)))
}

fn text(schema: &Value) -> String {
    let plain = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-11-21",
        Some("date-time") => "2026-11-21T10:00:00Z",
        Some("email") => "oslo@example.com",
        Some("uri") => "https://example.com/oslo",
        _ => "Oslo",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4096);
    let mut text = plain.to_owned();
    while u64::try_from(text.len()).unwrap_or(u64::MAX) < least {
        text.push('o');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::sample;
    use serde_json::json;

    #[test]
    fn a_sample_has_what_the_schema_requires_and_no_more() {
        let schema = json!({"type": "object", "required": ["city", "days", "unit", "tags", "where"], "properties": {
            "city": {"type": "string"}, "days": {"type": "integer", "maximum": 5}, "unit": {"enum": ["C", "F"]},
            "tags": {"type": "array", "items": {"type": ["null", "boolean"]}}, "where": {"$ref": "#/$defs/place"},
            "left_out": {"type": "string"}},
            "$defs": {"place": {"type": "OBJECT", "properties": {"lat": {"type": "NUMBER"}}}}});
        let expected = json!({"city": "Oslo", "days": 5, "unit": "C", "tags": [true], "where": {"lat": 7}});
        assert_eq!(sample(&schema), expected);
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema).is_object());
    }
}
