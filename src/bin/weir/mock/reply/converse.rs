//! Bedrock's Converse as Bedrock writes it: whole, as frames of a binary event stream, and its errors.

use serde_json::{Value, json};

use crate::mock::frame;
use crate::mock::json::{base64, list, object, pieces, quoted};
use crate::mock::reply::{Block, Event, FRAGMENTS, Finish, Reply, Usage};

/// The body of an answer in one piece.
pub fn whole(reply: &Reply) -> String {
    let block = |block: &Block| match block {
        Block::Thinking { text, signature } => {
            json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}).to_string()
        }
        Block::Text(text) | Block::Refusal(text) => object(&[("text", &quoted(text))]),
        Block::Call(call) => {
            let id = quoted(&use_id(reply, call.index));
            let used = object(&[("toolUseId", &id), ("name", &quoted(&call.name)), ("input", &call.arguments)]);
            object(&[("toolUse", &used)])
        }
    };
    let blocks: Vec<String> = reply.blocks.iter().map(block).collect();
    let message = object(&[("role", &"\"assistant\""), ("content", &list(&blocks))]);
    let output = object(&[("message", &message)]);
    let (stop, metrics) = (quoted(stop(reply)), json!({"latencyMs": 7}));
    match reply.usage.map(|usage| usage_object(&usage)) {
        Some(usage) => object(&[("output", &output), ("stopReason", &stop), ("usage", &usage), ("metrics", &metrics)]),
        None => object(&[("output", &output), ("stopReason", &stop), ("metrics", &metrics)]),
    }
}

/// The tokens of a request that only wants them counted.
pub fn count(tokens: usize) -> String {
    object(&[("inputTokens", &tokens)])
}

/// The frames of a stream. Text and reasoning blocks begin without a word; usage comes after the stop.
pub fn stream(reply: &Reply) -> Vec<Event> {
    let mut events = vec![Event::frame(event("messageStart", json!({"role": "assistant"})))];
    for (index, block) in reply.blocks.iter().enumerate() {
        let mut delta = |delta: Value| {
            let payload = json!({"contentBlockIndex": index, "delta": delta});
            events.push(Event::content(event("contentBlockDelta", payload)));
        };
        match block {
            Block::Thinking { text, signature } => {
                pieces(text, FRAGMENTS).for_each(|piece| delta(json!({"reasoningContent": {"text": piece}})));
                delta(json!({"reasoningContent": {"signature": signature}}));
            }
            Block::Text(text) => pieces(text, reply.chunks).for_each(|piece| delta(json!({"text": piece}))),
            Block::Refusal(text) => pieces(text, FRAGMENTS).for_each(|piece| delta(json!({"text": piece}))),
            Block::Call(call) => {
                let start = json!({"toolUse": {"toolUseId": use_id(reply, call.index), "name": call.name}});
                let payload = json!({"contentBlockIndex": index, "start": start});
                events.push(Event::frame(event("contentBlockStart", payload)));
                for piece in pieces(&call.arguments, FRAGMENTS) {
                    let payload = json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}});
                    events.push(Event::content(event("contentBlockDelta", payload)));
                }
            }
        }
        events.push(Event::frame(event("contentBlockStop", json!({"contentBlockIndex": index}))));
    }
    events.push(Event::frame(event("messageStop", json!({"stopReason": stop(reply)}))));
    let mut told = json!({"metrics": {"latencyMs": 7}});
    if let (Some(usage), Some(members)) = (reply.usage, told.as_object_mut()) {
        members.insert("usage".to_owned(), serde_json::from_str(&usage_object(&usage)).unwrap_or_default());
    }
    events.push(Event::frame(event("metadata", told)));
    events
}

/// A frame whose payload is padded, as Bedrock pads it.
fn event(kind: &str, mut payload: Value) -> Vec<u8> {
    const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let length = payload.to_string().len() % PADDING.len();
    if let Some(members) = payload.as_object_mut() {
        members.insert("p".to_owned(), json!(PADDING.get(..=length).unwrap_or_default()));
    }
    frame::event(kind, &payload.to_string())
}

/// The error's name, which goes into a header, and its body.
pub fn error(status: u16, message: &str) -> (&'static str, String) {
    let name = match status {
        400 => "ValidationException",
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        _ => "InternalServerException",
    };
    (name, object(&[("message", &quoted(message))]))
}

/// The frame that breaks a stream off.
pub fn error_event(message: &str) -> Vec<u8> {
    frame::exception("internalServerException", &object(&[("message", &quoted(message))]))
}

fn use_id(reply: &Reply, index: usize) -> String {
    // Bedrock's ids look random; letters of base64 that its own pattern takes.
    let random = base64(&reply.hash.to_be_bytes()).replace(['+', '/', '='], "x");
    format!("tooluse_{random}{index}")
}

fn stop(reply: &Reply) -> &'static str {
    match reply.finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Refusal => "content_filtered",
        Finish::Blocked => "guardrail_intervened",
    }
}

fn usage_object(usage: &Usage) -> String {
    object(&[
        ("inputTokens", &usage.fresh()),
        ("outputTokens", &usage.completion),
        ("totalTokens", &usage.total()),
        ("cacheReadInputTokens", &usage.cached),
        ("cacheWriteInputTokens", &usage.written),
    ])
}
