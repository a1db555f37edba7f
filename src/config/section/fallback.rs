//! `routes[].fallback`: what makes the next candidate be tried, and how often.

use serde_json::Value;

use crate::config::policy::{Fallback, FallbackOn};
use crate::config::reader::{Node, quoted};
use crate::config::report::Report;

/// What `on` means where it is not written: everything that is no fault of the request.
const USUAL: [FallbackOn; 4] =
    [FallbackOn::Status(429), FallbackOn::ServerError, FallbackOn::Timeout, FallbackOn::Connect];
const USUAL_ATTEMPTS: u32 = 3;
const MOST_ATTEMPTS: u64 = 10;

/// The words of `on`; `None` is well-formed and not built yet.
const WORDS: [(&str, Option<FallbackOn>); 4] = [
    ("5xx", Some(FallbackOn::ServerError)),
    ("timeout", Some(FallbackOn::Timeout)),
    ("connect", Some(FallbackOn::Connect)),
    ("context_overflow", None),
];

/// Reads a fallback.
pub fn read(node: &Node<'_>, report: &mut Report) -> Fallback {
    let fields = node.fields(&["on", "attempts", "per_try_timeout"], report);
    let attempts = fields.get("attempts").and_then(|attempts| attempts.whole(1..=MOST_ATTEMPTS, report));
    Fallback {
        on: fields.get("on").map_or_else(|| USUAL.to_vec(), |on| read_on(&on, report)),
        attempts: attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(USUAL_ATTEMPTS),
        per_try_timeout_millis: fields.get("per_try_timeout").and_then(|timeout| timeout.millis(report)),
    }
}

fn read_on(node: &Node<'_>, report: &mut Report) -> Vec<FallbackOn> {
    let items = node.one_or_more(report);
    if items.is_empty() && node.value.is_array() {
        report.problem(&node.path, "must name at least one failure, as 429 or 5xx; leave `fallback` out for none");
    }
    let mut on = Vec::new();
    for failure in items.iter().filter_map(|item| read_failure(item, report)) {
        if !on.contains(&failure) {
            on.push(failure);
        }
    }
    on
}

fn read_failure(node: &Node<'_>, report: &mut Report) -> Option<FallbackOn> {
    let status = match node.value {
        Value::Number(_) => Some(node.value.as_u64().unwrap_or(0)),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(text.parse().unwrap_or(0)),
        Value::String(_) => None,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            node.wrong_type("a status such as 429, or a word such as \"5xx\"", report);
            return None;
        }
    };
    if let Some(status) = status {
        let valid = u16::try_from(status).ok().filter(|status| (400..=599).contains(status));
        if valid.is_none() {
            report.problem(&node.path, format!("a status here is from 400 to 599, found {}", node.value));
        }
        return valid.map(FallbackOn::Status);
    }
    let word = node.prose(report)?;
    let Some((_, failure)) = WORDS.iter().find(|(name, _)| *name == word) else {
        let known = WORDS.map(|(name, _)| name);
        let meant = crate::config::suggest::closest(word, known).map(|meant| format!("; did you mean \"{meant}\"?"));
        let rule = format!("must be a status from 400 to 599 or one of {}", known.join(", "));
        report.problem(&node.path, format!("{rule}, found {}{}", quoted(word), meant.unwrap_or_default()));
        return None;
    };
    if failure.is_none() {
        report.unsupported(&node.path, format_args!("fallback.on: {word}"));
    }
    *failure
}
