//! What `weir explain` prints: one JSON document, or the same for eyes. No decisions.

use std::fmt::Write;

use serde_json::{Value, json};
use weir::chat::money::Money;
use weir::gateway::step::Reply;
use weir::telemetry::audit::rfc3339;

use super::stage::Sent;
use super::told::{End, Told};

/// The whole as one JSON object.
pub fn document(told: &Told) -> Value {
    let document = json!({
        "time": rfc3339(told.now.millis()),
        "method": told.method,
        "path": told.path,
        "body_bytes": told.bytes,
        "decision": told.decision,
        "outcome": match &told.end {
            End::Untouched => "untouched",
            End::Answered(reply) if reply.status >= 400 => "refused",
            End::Answered(_) => "answered",
            End::Sent(_) => "sent",
        },
    });
    let (name, value) = match &told.end {
        End::Untouched => return document,
        End::Answered(reply) => (if reply.status >= 400 { "refusal" } else { "answer" }, answer(reply)),
        End::Sent(sent) => ("attempts", sent.iter().map(Sent::json).collect()),
    };
    let mut document = document;
    if let Some(members) = document.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    document
}

/// An answer of Weir's own: of an error what it says, of anything else the body.
fn answer(reply: &Reply) -> Value {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    match body.get("error") {
        Some(error) => json!({
            "status": reply.status,
            // Google's `code` is the status; the reason stands in the first detail.
            "code": error.get("code").filter(|code| code.is_string()).or_else(|| error.pointer("/details/0/reason")),
            "message": error.get("message"),
            "param": error.get("param"),
        }),
        None => json!({"status": reply.status, "body": body}),
    }
}

/// The whole for eyes.
pub fn text(told: &Told) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<10} {value}");
    };
    let decision = &told.decision;
    line("request", &format!("{} {}, {} bytes, at {}", told.method, told.path, told.bytes, rfc3339(told.now.millis())));
    if let Some(principal) = decision.get("principal").filter(|_| !refused_at_the_door(told)) {
        line("principal", &who(principal));
    }
    if let Some(request) = decision.get("request").filter(|request| request.is_object()) {
        line("asks for", &asks(request));
    }
    if let Some(prefer) = at(decision, "prefer").as_str() {
        let route = at(decision, "route").as_str().map(|name| format!("{name:?}"));
        line("route", &format!("{}, prefer {prefer}", route.unwrap_or_else(|| "none matches".to_owned())));
        line("draw", words(at(decision, "draw")));
        line("fallback", &fallback(at(decision, "fallback")));
    }
    candidates(&mut out, decision);
    rejected(&mut out, decision);
    match &told.end {
        End::Untouched => out.push_str("\nthe path is not Weir's: the request passes through untouched\n"),
        End::Answered(reply) => answered(&mut out, reply),
        End::Sent(sent) => sent.iter().for_each(|one| attempt(&mut out, one)),
    }
    out
}

/// Whether nobody was let in, so that there is no principal to name.
fn refused_at_the_door(told: &Told) -> bool {
    matches!(&told.end, End::Answered(reply) if reply.status == 401)
}

fn who(principal: &Value) -> String {
    match (at(principal, "key").as_str(), at(principal, "team").as_str()) {
        (Some(key), Some(team)) => format!("key {key:?}, team {team:?}"),
        (Some(key), None) => format!("key {key:?}"),
        (None, _) => "anonymous".to_owned(),
    }
}

fn asks(request: &Value) -> String {
    let mut parts = vec![format!("model {:?}", words(at(request, "model")))];
    if at(request, "stream") == true {
        parts.push("a stream".to_owned());
    }
    parts.push(format!("about {} tokens in", at(request, "input_tokens_estimate")));
    if let Some(most) = at(request, "max_output").as_u64() {
        parts.push(format!("at most {most} out"));
    }
    if let Some(choices) = at(request, "choices").as_u64().filter(|choices| *choices != 1) {
        parts.push(format!("{choices} answers"));
    }
    let needs = list(at(request, "needs"));
    if !needs.is_empty() {
        parts.push(format!("needs {needs}"));
    }
    parts.join(", ")
}

fn fallback(fallback: &Value) -> String {
    let on = list(at(fallback, "on"));
    let on = if on.is_empty() { String::new() } else { format!(" on {on}") };
    let timeout = at(fallback, "per_try_timeout_ms").as_u64();
    let timeout = timeout.map(|millis| format!(" with {millis} ms to the answer's beginning")).unwrap_or_default();
    match at(fallback, "attempts").as_u64() {
        Some(1) => format!("none, one attempt{timeout}"),
        Some(attempts) => {
            let each = if timeout.is_empty() { "" } else { ", each" };
            format!("at most {attempts} attempts{on}{each}{timeout}")
        }
        None => String::new(),
    }
}

fn candidates(out: &mut String, decision: &Value) {
    let candidates = rows(at(decision, "candidates"));
    if candidates.is_empty() {
        return;
    }
    out.push_str("\ncandidates in the order in which they are tried\n");
    let width = candidates.iter().map(|one| words(at(one, "target")).len()).max().unwrap_or(0);
    let cost =
        |value: &Value| value.as_u64().map_or("unknown".to_owned(), |micros| Money::from_micros(micros).to_string());
    for (index, one) in candidates.iter().enumerate() {
        let (expected, worst) = (cost(at(one, "expected_cost_microusd")), cost(at(one, "worst_cost_microusd")));
        let target = words(at(one, "target"));
        let loses = list(at(one, "loses"));
        let loses = if loses.is_empty() { loses } else { format!("; translation loses {loses}") };
        let _ = writeln!(out, "{:>3}  {target:<width$}  expected {expected}, at worst {worst}{loses}", index + 1);
    }
}

fn rejected(out: &mut String, decision: &Value) {
    let rejected = rows(at(decision, "rejected"));
    if rejected.is_empty() {
        return;
    }
    out.push_str("\nrejected\n");
    let width = rejected.iter().map(|one| words(at(one, "target")).len()).max().unwrap_or(0);
    for one in rejected {
        let (target, rule) = (words(at(one, "target")), words(at(one, "rule")));
        let _ = writeln!(out, "     {target:<width$}  {rule}: {}", words(at(one, "reason")));
    }
}

fn answered(out: &mut String, reply: &Reply) {
    let answer = answer(reply);
    match at(&answer, "code").as_str() {
        Some(code) => {
            let _ = writeln!(out, "\nrefused    {} {code}\n           {}", reply.status, words(at(&answer, "message")));
        }
        None if at(&answer, "body").is_null() => {
            let _ = writeln!(out, "\nanswered   {}", reply.status);
        }
        None => {
            let _ = writeln!(out, "\nanswered   {}\n{:#}", reply.status, at(&answer, "body"));
        }
    }
}

fn attempt(out: &mut String, sent: &Sent) {
    let when = if sent.number == 1 { "" } else { ", if the one before fails" };
    let _ = writeln!(out, "\nattempt {} at {}{when}\n     {} {}", sent.number, sent.provider, sent.method, sent.url);
    for (name, value) in &sent.headers {
        let _ = writeln!(out, "     {name}: {value}");
    }
    if sent.translated {
        let body = String::from_utf8_lossy(&sent.body);
        let _ = writeln!(out, "     the body in the provider's format, {} bytes\n       {body}", sent.body.len());
        return;
    }
    if sent.changes.is_empty() {
        let _ = writeln!(out, "     the body as it came");
        return;
    }
    let _ = writeln!(out, "     the body with {} bytes, changed", sent.body.len());
    for change in &sent.changes {
        let at = change.at;
        let _ = match (change.was.as_str(), change.is.as_str()) {
            ("", is) => writeln!(out, "       at byte {at}: inserted {is}"),
            (was, "") => writeln!(out, "       at byte {at}: removed {was}"),
            (was, is) => writeln!(out, "       at byte {at}: {was} became {is}"),
        };
    }
}

/// A member; null where there is none.
fn at<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> String {
    rows(value).iter().map(words).collect::<Vec<_>>().join(", ")
}
