//! What vendors demand of a schema that they promise to follow. Not a validator of values.

use serde_json::Value;

use super::ask::Refused;

/// The rules of a vendor.
#[derive(Clone, Copy)]
pub struct Rules {
    /// How the vendor names the schema in its messages.
    pub name: &'static str,
    /// Every property must be required (OpenAI's strict mode).
    pub all_required: bool,
    /// Keywords that are refused.
    pub refused: &'static [&'static str],
}

/// What Anthropic refuses in structured output and strict tools.
pub const ANTHROPIC_REFUSED: [&str; 20] = [
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
    "minProperties",
    "maxProperties",
    "patternProperties",
    "if",
    "then",
    "else",
    "not",
    "oneOf",
    "prefixItems",
    "dependentRequired",
];

/// Checks a schema and all within it.
pub fn check(schema: &Value, rules: Rules) -> Result<(), Refused> {
    check_at(schema, rules, 0)
}

fn check_at(schema: &Value, rules: Rules, depth: usize) -> Result<(), Refused> {
    let Some(members) = schema.as_object() else { return Ok(()) };
    let name = rules.name;
    if depth > 32 {
        return Err(Refused::bad(format!("{name}: the schema is too deep")));
    }
    if let Some(keyword) = rules.refused.iter().find(|keyword| members.contains_key(**keyword)) {
        return Err(Refused::bad(format!("{name}: property '{keyword}' is not supported")));
    }
    if schema.get("type").and_then(Value::as_str) == Some("object") || members.contains_key("properties") {
        if members.get("additionalProperties") != Some(&Value::Bool(false)) {
            let rule = "for 'object' type, 'additionalProperties' must be explicitly set to false";
            return Err(Refused::bad(format!("{name}: {rule}")));
        }
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let missing = properties.into_iter().flat_map(|map| map.keys()).find(|key| !required.contains(&key.as_str()));
        if let (true, Some(missing)) = (rules.all_required, missing) {
            let rule = "'required' is required to be supplied and to be an array including every key in properties";
            return Err(Refused::bad(format!("{name}: {rule}. Missing '{missing}'.")));
        }
    }
    let below = depth.saturating_add(1);
    for (keyword, value) in members {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(map)) => {
                map.values().try_for_each(|schema| check_at(schema, rules, below))?;
            }
            ("items", schema) => check_at(schema, rules, below)?,
            ("anyOf" | "allOf" | "oneOf", Value::Array(schemas)) => {
                schemas.iter().try_for_each(|schema| check_at(schema, rules, below))?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ANTHROPIC_REFUSED, Rules, check};
    use serde_json::json;

    #[test]
    fn a_strict_schema_is_closed_and_says_what_it_requires() {
        let openai = Rules { name: "x", all_required: true, refused: &[] };
        let anthropic = Rules { name: "x", all_required: false, refused: &ANTHROPIC_REFUSED };
        let open = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        let optional =
            json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false});
        let bounded = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}},
            "required": ["a"], "additionalProperties": false});
        let verdicts = [&open, &optional, &bounded]
            .map(|schema| (check(schema, openai).is_ok(), check(schema, anthropic).is_ok()));
        assert_eq!(verdicts, [(false, false), (false, true), (true, false)]);
    }
}
