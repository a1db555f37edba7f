//! Cohere's v2 chat as Cohere writes it: whole, as a stream, and its errors.

use serde_json::{Value, json};

use crate::mock::json::{object, pieces, quoted, sse};
use crate::mock::reply::{Block, Call, Event, FRAGMENTS, Finish, Reply, Usage};

/// What Cohere says before it calls tools.
const PLAN: &str = "I will use a tool to answer.";

/// The body of an answer in one piece.
pub fn whole(reply: &Reply) -> String {
    let mut message = json!({"role": "assistant"});
    let part = |block: &Block| match block {
        Block::Thinking { text, .. } => Some(json!({"type": "thinking", "thinking": text})),
        Block::Text(text) | Block::Refusal(text) => Some(json!({"type": "text", "text": text})),
        Block::Call(_) => None,
    };
    let parts: Vec<Value> = reply.blocks.iter().filter_map(part).collect();
    let calls: Vec<Value> = reply.calls().map(|one| call(reply, one, &one.arguments)).collect();
    if let Some(members) = message.as_object_mut() {
        if !parts.is_empty() {
            members.insert("content".to_owned(), Value::Array(parts));
        }
        if !calls.is_empty() {
            members.insert("tool_plan".to_owned(), json!(PLAN));
            members.insert("tool_calls".to_owned(), Value::Array(calls));
        }
    }
    let (id, reason) = (quoted(&id(reply)), quoted(finish(reply.finish)));
    match reply.usage.map(|usage| usage_object(&usage)) {
        Some(usage) => object(&[("id", &id), ("message", &message), ("finish_reason", &reason), ("usage", &usage)]),
        None => object(&[("id", &id), ("message", &message), ("finish_reason", &reason)]),
    }
}

/// The events of a stream.
pub fn stream(reply: &Reply) -> Vec<Event> {
    let mut events = Vec::new();
    let begun = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let id = quoted(&id(reply));
    let start = object(&[("id", &id), ("type", &"\"message-start\""), ("delta", &json!({"message": begun}))]);
    events.push(Event::frame(sse(Some("message-start"), &start)));
    if reply.calls().next().is_some() {
        for piece in pieces(PLAN, FRAGMENTS) {
            events.push(Event::content(event("tool-plan-delta", None, Some(json!({"tool_plan": piece})))));
        }
    }
    let mut place = 0_usize;
    for block in &reply.blocks {
        let (member, text, count) = match block {
            Block::Thinking { text, .. } => ("thinking", text, FRAGMENTS),
            Block::Text(text) => ("text", text, reply.chunks),
            Block::Refusal(text) => ("text", text, FRAGMENTS),
            Block::Call(one) => {
                events.extend(call_events(reply, one));
                continue;
            }
        };
        let content = json!({"content": {"type": member, member: ""}});
        events.push(Event::frame(event("content-start", Some(place), Some(content))));
        for piece in pieces(text, count) {
            events.push(Event::content(event("content-delta", Some(place), Some(json!({"content": {member: piece}})))));
        }
        events.push(Event::frame(event("content-end", Some(place), None)));
        place = place.saturating_add(1);
    }
    let mut delta = json!({"finish_reason": finish(reply.finish)});
    if let (Some(usage), Some(members)) = (reply.usage, delta.as_object_mut()) {
        members.insert("usage".to_owned(), usage_object(&usage));
    }
    let end = object(&[("type", &"\"message-end\""), ("delta", &delta)]);
    events.push(Event::frame(sse(Some("message-end"), &end)));
    events
}

fn call_events(reply: &Reply, one: &Call) -> Vec<Event> {
    let begun = json!({"tool_calls": call(reply, one, "")});
    let mut events = vec![Event::frame(event("tool-call-start", Some(one.index), Some(begun)))];
    for piece in pieces(&one.arguments, FRAGMENTS) {
        let delta = json!({"tool_calls": {"function": {"arguments": piece}}});
        events.push(Event::content(event("tool-call-delta", Some(one.index), Some(delta))));
    }
    events.push(Event::frame(event("tool-call-end", Some(one.index), None)));
    events
}

fn event(kind: &str, index: Option<usize>, message: Option<Value>) -> Vec<u8> {
    let kind_text = quoted(kind);
    let delta = message.map(|message| json!({"message": message}));
    let mut members: Vec<(&str, &dyn std::fmt::Display)> = vec![("type", &kind_text)];
    if let Some(index) = &index {
        members.push(("index", index));
    }
    if let Some(delta) = &delta {
        members.push(("delta", delta));
    }
    sse(Some(kind), &object(&members))
}

/// The error body.
pub fn error(message: &str) -> String {
    object(&[("id", &"\"mock-error\""), ("message", &quoted(message))])
}

/// The event that breaks a stream off.
pub fn error_event(message: &str) -> Vec<u8> {
    let delta = json!({"finish_reason": "ERROR", "error": message});
    sse(Some("message-end"), &object(&[("type", &"\"message-end\""), ("delta", &delta)]))
}

fn id(reply: &Reply) -> String {
    let hash = reply.hash;
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        hash >> 32,
        hash >> 16 & 0xffff,
        hash & 0xfff,
        hash >> 4 & 0xfff,
        hash >> 16
    )
}

fn call(reply: &Reply, call: &Call, arguments: &str) -> Value {
    let id = format!("{}_{:012x}{}", call.name, reply.hash >> 16, call.index);
    json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        // Cohere has no word for a refusal: it is an answer like any other.
        Finish::Stop | Finish::Refusal | Finish::Blocked => "COMPLETE",
        Finish::Length => "MAX_TOKENS",
        Finish::Calls => "TOOL_CALL",
    }
}

/// Cohere's counts are floats.
fn usage_object(usage: &Usage) -> Value {
    let float = |count: usize| u32::try_from(count).map_or(0.0, f64::from);
    json!({
        "billed_units": {"input_tokens": float(usage.prompt), "output_tokens": float(usage.completion)},
        "tokens": {"input_tokens": float(usage.prompt), "output_tokens": float(usage.completion)},
        "cached_tokens": float(usage.cached),
    })
}
