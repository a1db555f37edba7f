//! Anthropic messages as Anthropic writes them: whole, as a stream of blocks, and their errors.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::mock::json::{list, object, pieces, quoted, sse};
use crate::mock::reply::{Block, Call, Event, FRAGMENTS, Finish, Reply, Usage};

/// The body of an answer in one piece.
pub fn whole(reply: &Reply) -> String {
    let blocks: Vec<String> = reply.blocks.iter().map(|block| full(reply, block)).collect();
    message(reply, &list(&blocks), &stop(reply), reply.usage.map(|usage| usage_object(&usage)))
}

/// The answer to a request that only wants its tokens counted.
pub fn count(tokens: usize) -> String {
    object(&[("input_tokens", &tokens)])
}

/// The events of a stream.
pub fn stream(reply: &Reply) -> Vec<Event> {
    let none = (Value::Null, Value::Null);
    let first = reply.usage.map(|usage| usage_object(&Usage { completion: 1, reasoning: 0, ..usage }));
    let mut events = vec![frame("message_start", &[("message", &message(reply, "[]", &none, first))])];
    for (index, block) in reply.blocks.iter().enumerate() {
        events.push(frame("content_block_start", &[("index", &index), ("content_block", &empty(reply, block))]));
        if index == 0 {
            events.push(frame("ping", &[]));
        }
        for (kind, member, piece) in deltas(reply, block) {
            let delta = object(&[("type", &quoted(kind)), (member, &quoted(&piece))]);
            let data = object(&[("type", &"\"content_block_delta\""), ("index", &index), ("delta", &delta)]);
            events.push(Event::content(sse(Some("content_block_delta"), &data)));
        }
        events.push(frame("content_block_stop", &[("index", &index)]));
    }
    let (reason, details) = stop(reply);
    let delta = object(&[("stop_reason", &reason), ("stop_sequence", &"null"), ("stop_details", &details)]);
    let usage = reply.usage.map(|usage| delta_usage(&usage));
    match &usage {
        Some(usage) => events.push(frame("message_delta", &[("delta", &delta), ("usage", usage)])),
        None => events.push(frame("message_delta", &[("delta", &delta)])),
    }
    events.push(frame("message_stop", &[]));
    events
}

/// The error body of a status.
pub fn error(status: u16, message: &str) -> String {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    };
    let error = object(&[("type", &quoted(kind)), ("message", &quoted(message))]);
    object(&[("type", &"\"error\""), ("error", &error), ("request_id", &"\"req_mock\"")])
}

/// The event that breaks a stream off.
pub fn error_event(message: &str) -> Vec<u8> {
    sse(Some("error"), &error(529, message))
}

fn frame(kind: &str, members: &[(&str, &dyn Display)]) -> Event {
    let name = quoted(kind);
    let mut all: Vec<(&str, &dyn Display)> = vec![("type", &name)];
    all.extend_from_slice(members);
    Event::frame(sse(Some(kind), &object(&all)))
}

fn message(reply: &Reply, content: &str, (reason, details): &(Value, Value), usage: Option<String>) -> String {
    let (id, model) = (quoted(&format!("msg_mock{:016x}", reply.hash)), quoted(&reply.model));
    let usage = usage.unwrap_or_default();
    let mut members: Vec<(&str, &dyn Display)> = vec![
        ("id", &id),
        ("type", &"\"message\""),
        ("role", &"\"assistant\""),
        ("model", &model),
        ("content", &content),
        ("stop_reason", reason),
        ("stop_sequence", &"null"),
        ("stop_details", details),
    ];
    if !usage.is_empty() {
        members.push(("usage", &usage));
    }
    object(&members)
}

/// The stop reason and its details.
fn stop(reply: &Reply) -> (Value, Value) {
    match reply.finish {
        Finish::Stop => (json!("end_turn"), Value::Null),
        Finish::Length => (json!("max_tokens"), Value::Null),
        Finish::Calls => (json!("tool_use"), Value::Null),
        Finish::Refusal | Finish::Blocked => {
            (json!("refusal"), json!({"type": "refusal", "category": null, "explanation": null}))
        }
    }
}

fn full(reply: &Reply, block: &Block) -> String {
    match block {
        Block::Thinking { text, signature } => {
            object(&[("type", &"\"thinking\""), ("thinking", &quoted(text)), ("signature", &quoted(signature))])
        }
        Block::Text(text) | Block::Refusal(text) => text_block(text),
        Block::Call(call) => use_block(reply, call, &call.arguments),
    }
}

fn empty(reply: &Reply, block: &Block) -> String {
    match block {
        Block::Thinking { .. } => object(&[("type", &"\"thinking\""), ("thinking", &"\"\""), ("signature", &"\"\"")]),
        Block::Text(_) | Block::Refusal(_) => text_block(""),
        Block::Call(call) => use_block(reply, call, "{}"),
    }
}

fn text_block(text: &str) -> String {
    object(&[("type", &"\"text\""), ("text", &quoted(text))])
}

fn use_block(reply: &Reply, call: &Call, input: &str) -> String {
    let id = quoted(&format!("toolu_{:016x}_{}", reply.hash, call.index));
    object(&[("type", &"\"tool_use\""), ("id", &id), ("name", &quoted(&call.name)), ("input", &input)])
}

/// The deltas of a block: kind, member and text.
fn deltas(reply: &Reply, block: &Block) -> Vec<(&'static str, &'static str, String)> {
    let cut = |kind: &'static str, member: &'static str, text: &str, count: usize| -> Vec<_> {
        pieces(text, count).map(|piece| (kind, member, piece.to_owned())).collect()
    };
    match block {
        Block::Thinking { text, signature } => {
            let mut all = cut("thinking_delta", "thinking", text, FRAGMENTS);
            all.push(("signature_delta", "signature", signature.clone()));
            all
        }
        Block::Text(text) => cut("text_delta", "text", text, reply.chunks),
        Block::Refusal(text) => cut("text_delta", "text", text, FRAGMENTS),
        Block::Call(call) => {
            let mut all = vec![("input_json_delta", "partial_json", String::new())];
            if call.arguments != "{}" {
                all.extend(cut("input_json_delta", "partial_json", &call.arguments, FRAGMENTS));
            }
            all
        }
    }
}

fn usage_object(usage: &Usage) -> String {
    let creation = json!({"ephemeral_5m_input_tokens": usage.written, "ephemeral_1h_input_tokens": 0});
    object(&[
        ("input_tokens", &usage.fresh()),
        ("cache_creation_input_tokens", &usage.written),
        ("cache_read_input_tokens", &usage.cached),
        ("cache_creation", &creation),
        ("output_tokens", &usage.completion),
        ("output_tokens_details", &json!({"thinking_tokens": usage.reasoning})),
        ("service_tier", &"\"standard\""),
    ])
}

/// The usage at a stream's end is the total again, not what has come since.
fn delta_usage(usage: &Usage) -> String {
    object(&[
        ("input_tokens", &usage.fresh()),
        ("cache_creation_input_tokens", &usage.written),
        ("cache_read_input_tokens", &usage.cached),
        ("output_tokens", &usage.completion),
        ("output_tokens_details", &json!({"thinking_tokens": usage.reasoning})),
    ])
}
