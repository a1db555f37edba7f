//! Reads a policy file, YAML or JSON, into the JSON value that the filter would be given. Not what the policy means (see
//! `weir::config::parse`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Number, Value};
use serde_yaml_ng::Value as Yaml;

/// The most bytes a policy may have.
///
/// Why: the policy travels inside the proxy's configuration and is parsed in every worker; a file beyond this is a
/// mistake (a log, a body), not a policy.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The file's content as JSON; `-` reads standard input. YAML is a superset of JSON, so one reader serves both.
///
/// # Errors
/// One sentence with the file's name, and line and column where there are any: not readable, over 4 MiB, not UTF-8, not
/// YAML, a key written twice, or something that JSON cannot say.
pub fn read(path: &Path) -> Result<Value, String> {
    let named = |problem: String| {
        format!("{}: {problem}", if is_stdin(path) { "standard input".into() } else { path.display().to_string() })
    };
    let text = text(path).map_err(named)?;
    from_text(&text).map_err(named)
}

/// Policy text as JSON.
///
/// # Errors
/// What is wrong with the text, with line and column where there are any.
pub fn from_text(text: &str) -> Result<Value, String> {
    let mut yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| placed(&error, text))?;
    yaml.apply_merge().map_err(|error| error.to_string())?;
    json(yaml, "")
}

/// The names of the proxy's environment variables that a policy reads: every `${NAME}` in a provider's `key`,
/// `aws` or `headers`, sorted.
///
/// Why only there: those are the places where the filter replaces `${NAME}`. A prompt that happens to contain `${HOME}`
/// must not hand that variable to the module.
pub fn environment(policy: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for provider in policy.get("providers").and_then(Value::as_object).into_iter().flat_map(Map::values) {
        for place in ["key", "aws", "headers"] {
            collect(provider.get(place), &mut names);
        }
    }
    names
}

fn collect(value: Option<&Value>, names: &mut BTreeSet<String>) {
    match value {
        Some(Value::String(text)) => {
            names.extend(text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(str::to_owned));
        }
        Some(Value::Array(items)) => items.iter().for_each(|item| collect(Some(item), names)),
        Some(Value::Object(members)) => members.values().for_each(|member| collect(Some(member), names)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
    }
}

/// A reader's message with its line; a key written twice at the top level comes without one.
fn placed(error: &serde_yaml_ng::Error, text: &str) -> String {
    let message = error.to_string();
    let key = message.strip_prefix("duplicate entry with key \"").and_then(|rest| rest.strip_suffix('"'));
    let Some(key) = key else { return message };
    let is_it = |line: &str| line.trim_matches(['"', '\'']).strip_prefix(key).is_some_and(|rest| rest.contains(':'));
    match text.lines().enumerate().filter(|(_, line)| is_it(line)).nth(1) {
        Some((index, _)) => format!("{message} at line {} column 1", index + 1),
        None => message,
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn text(path: &Path) -> Result<String, String> {
    let source: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| error.to_string())?)
    };
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("a policy has at most {MOST_BYTES} bytes, this has more"));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("a policy is UTF-8 text, byte {} is not", error.utf8_error().valid_up_to()))
}

fn json(yaml: Yaml, path: &str) -> Result<Value, String> {
    let at = |what: &str| {
        if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") }
    };
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(truth),
        Yaml::String(text) => Value::String(text),
        Yaml::Number(number) => Value::Number(number_of(&number).ok_or_else(|| at("not a finite number"))?),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| json(item, &format!("{path}[{index}]")))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, member) in members {
                let Yaml::String(key) = key else {
                    let shown = serde_yaml_ng::to_string(&key).unwrap_or_default();
                    return Err(at(&format!("a key is a text, found {}; write it in quotes", shown.trim_end())));
                };
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                object.insert(key, json(member, &below)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => return Err(at(&format!("YAML tags are not used here, found {}", tagged.tag))),
    })
}

fn number_of(number: &serde_yaml_ng::Number) -> Option<Number> {
    number
        .as_u64()
        .map(Number::from)
        .or_else(|| number.as_i64().map(Number::from))
        .or_else(|| number.as_f64().and_then(Number::from_f64))
}
