//! Gemini's generateContent as Google writes it: whole, as server-sent events or as an array in pieces, and its errors.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::mock::ask::gemini::{is_third, signed};
use crate::mock::ask::signature;
use crate::mock::json::{list, object, pieces, quoted, sse};
use crate::mock::reply::{Block, Call, Event, FRAGMENTS, Finish, Reply, Usage};

/// The body of an answer in one piece.
pub fn whole(reply: &Reply) -> String {
    let mut parts = Vec::new();
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => parts.push(text_part(text, true, None)),
            Block::Text(text) | Block::Refusal(text) => {
                parts.push(text_part(text, false, text_signature(reply).as_deref()))
            }
            Block::Call(call) => parts.push(call_part(reply, call)),
        }
    }
    response(reply, &parts, true)
}

/// The tokens of a request that only wants them counted.
pub fn count(tokens: usize) -> String {
    let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
    object(&[("totalTokens", &tokens), ("promptTokensDetails", &details)])
}

/// The events of a stream, or the pieces of an array. Calls come whole; the last chunk says why it ends.
pub fn stream(reply: &Reply, array: bool) -> Vec<Event> {
    let mut chunks: Vec<Vec<String>> = Vec::new();
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => {
                chunks.extend(pieces(text, FRAGMENTS).map(|piece| vec![text_part(piece, true, None)]));
            }
            Block::Text(text) => {
                chunks.extend(pieces(text, reply.chunks).map(|piece| vec![text_part(piece, false, None)]))
            }
            Block::Refusal(text) => {
                chunks.extend(pieces(text, FRAGMENTS).map(|piece| vec![text_part(piece, false, None)]))
            }
            Block::Call(call) => chunks.push(vec![call_part(reply, call)]),
        }
    }
    // A signature may come on an empty text of its own at the end.
    if let (Some(signature), Some(_)) = (text_signature(reply), reply.text()) {
        chunks.push(vec![text_part("", false, Some(&signature))]);
    }
    if reply.finish == Finish::Blocked {
        chunks = vec![Vec::new()];
    }
    let last = chunks.len().saturating_sub(1);
    let mut events: Vec<Event> = Vec::new();
    for (index, parts) in chunks.iter().enumerate() {
        let chunk = response(reply, parts, index == last);
        let bytes = if array {
            let comma = if index == 0 { "[" } else { ",\r\n" };
            format!("{comma}{chunk}").into_bytes()
        } else {
            sse(None, &chunk)
        };
        events.push(Event::content(bytes));
    }
    if array {
        events.push(Event::frame(b"\r\n]\r\n".to_vec()));
    }
    events
}

/// The error body of a status.
pub fn error(status: u16, message: &str) -> String {
    let word = match status {
        400 | 413 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    let mut details = json!([]);
    if status == 429 {
        details = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]);
    }
    if message.starts_with("API key not valid") {
        details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
            "domain": "googleapis.com"}]);
    }
    let (message, word) = (quoted(message), quoted(word));
    let mut members: Vec<(&str, &dyn Display)> = vec![("code", &status), ("message", &message), ("status", &word)];
    if details.as_array().is_some_and(|details| !details.is_empty()) {
        members.push(("details", &details));
    }
    object(&[("error", &object(&members))])
}

/// What breaks a stream off after `sent` chunks.
pub fn error_event(sent: usize, array: bool, message: &str) -> Vec<u8> {
    let error = error(503, message);
    match (array, sent) {
        (false, _) => sse(None, &error),
        (true, 0) => format!("[{error}\r\n]\r\n").into_bytes(),
        (true, _) => format!(",\r\n{error}\r\n]\r\n").into_bytes(),
    }
}

fn text_part(text: &str, thought: bool, signature: Option<&str>) -> String {
    let (text, signature) = (quoted(text), signature.map(quoted));
    let mut members: Vec<(&str, &dyn Display)> = vec![("text", &text)];
    if thought {
        members.push(("thought", &true));
    }
    if let Some(signature) = &signature {
        members.push(("thoughtSignature", signature));
    }
    object(&members)
}

/// A text is signed when something was thought before it.
fn text_signature(reply: &Reply) -> Option<String> {
    reply.thinking().map(|_| signature("gemini", &signed(None)))
}

/// The first call of an answer is signed: always from Gemini 3 on, before that when something was thought.
fn call_part(reply: &Reply, call: &Call) -> String {
    let id = quoted(&format!("call_{:016x}_{}", reply.hash, call.index));
    let name = quoted(&call.name);
    let mut members: Vec<(&str, &dyn Display)> = Vec::new();
    if is_third(&reply.model) {
        members.push(("id", &id));
    }
    members.push(("name", &name));
    members.push(("args", &call.arguments));
    let called = object(&members);
    if call.index > 0 || !is_third(&reply.model) && reply.thinking().is_none() {
        return object(&[("functionCall", &called)]);
    }
    let arguments = serde_json::from_str::<Value>(&call.arguments).unwrap_or_default().to_string();
    let signature = quoted(&signature("gemini", &signed(Some((&call.name, &arguments)))));
    object(&[("functionCall", &called), ("thoughtSignature", &signature)])
}

/// One response with these parts. Only the last of a stream says why it ends; all tell the usage so far.
fn response(reply: &Reply, parts: &[String], is_last: bool) -> String {
    let content = object(&[("parts", &list(parts)), ("role", &"\"model\"")]);
    let reason = match reply.finish {
        Finish::Stop | Finish::Calls => "\"STOP\"",
        Finish::Length => "\"MAX_TOKENS\"",
        Finish::Refusal | Finish::Blocked => "\"SAFETY\"",
    };
    let mut candidate: Vec<(&str, &dyn Display)> = vec![("content", &content)];
    if is_last {
        candidate.push(("finishReason", &reason));
    }
    candidate.push(("index", &0));
    let candidate = object(&candidate);
    let candidates = list(&[candidate]);
    let blocked = json!({"blockReason": "SAFETY"});
    let (version, id) = (quoted(&reply.model), quoted(&format!("mock{:016x}", reply.hash)));
    let usage = reply.usage.map(|usage| usage_object(&usage, is_last));
    let mut members: Vec<(&str, &dyn Display)> = Vec::new();
    if reply.finish == Finish::Blocked {
        members.push(("promptFeedback", &blocked));
    } else {
        members.push(("candidates", &candidates));
    }
    if let Some(usage) = &usage {
        members.push(("usageMetadata", usage));
    }
    members.push(("modelVersion", &version));
    members.push(("responseId", &id));
    object(&members)
}

/// Usage grows over a stream: before its end it tells of the prompt alone.
fn usage_object(usage: &Usage, is_last: bool) -> String {
    let answered = usage.completion.saturating_sub(usage.reasoning);
    let details = json!([{"modality": "TEXT", "tokenCount": usage.prompt}]);
    let total = if is_last { usage.total() } else { usage.prompt };
    let mut members: Vec<(&str, &dyn Display)> = vec![("promptTokenCount", &usage.prompt)];
    if is_last {
        members.push(("candidatesTokenCount", &answered));
    }
    members.push(("totalTokenCount", &total));
    if usage.cached > 0 {
        members.push(("cachedContentTokenCount", &usage.cached));
    }
    members.push(("promptTokensDetails", &details));
    if is_last && usage.reasoning > 0 {
        members.push(("thoughtsTokenCount", &usage.reasoning));
    }
    object(&members)
}
