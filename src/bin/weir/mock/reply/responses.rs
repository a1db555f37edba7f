//! OpenAI responses as OpenAI writes them: whole, as a stream with all its brackets, and the event that breaks one off.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::mock::ask::signature;
use crate::mock::json::{items, list, object, pieces, quoted, some, sse};
use crate::mock::reply::{Block, Call, Event, FRAGMENTS, Finish, Reply, Usage};

/// The body of an answer in one piece.
pub fn whole(reply: &Reply) -> String {
    response(reply, last_status(reply), &outputs(reply))
}

/// The events of a stream.
pub fn stream(reply: &Reply) -> Vec<Event> {
    let mut script = Script::default();
    let begun = response(reply, "in_progress", &[]);
    script.frame("response.created", &[("response", &begun)]);
    script.frame("response.in_progress", &[("response", &begun)]);
    for (index, block) in reply.blocks.iter().enumerate() {
        match block {
            Block::Thinking { text, .. } => script.reasoning(reply, index, text),
            Block::Text(text) | Block::Refusal(text) => {
                script.message(reply, index, text, matches!(block, Block::Refusal(_)));
            }
            Block::Call(call) => script.call(reply, index, call),
        }
    }
    let name = if last_status(reply) == "completed" { "response.completed" } else { "response.incomplete" };
    script.frame(name, &[("response", &whole(reply))]);
    script.events
}

/// The event that breaks a stream off: an error at the very beginning, a failed response later.
pub fn error_event(sent: usize, message: &str) -> Vec<u8> {
    let number = sent.saturating_mul(2).saturating_add(9);
    if sent == 0 {
        let data =
            json!({"type": "error", "code": "server_error", "message": message, "param": null, "sequence_number": 0});
        return sse(Some("error"), &data.to_string());
    }
    let failed = json!({
        "id": "resp_mock", "object": "response", "created_at": 1_760_000_000, "status": "failed", "model": "mock",
        "error": {"code": "server_error", "message": message}, "incomplete_details": null, "output": [], "usage": null,
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
    });
    let data = json!({"type": "response.failed", "sequence_number": number, "response": failed});
    sse(Some("response.failed"), &data.to_string())
}

/// A stream as it is written down: every event has the next number.
#[derive(Default)]
struct Script {
    events: Vec<Event>,
    number: usize,
}

impl Script {
    fn push(&mut self, name: &str, members: &[(&str, &dyn Display)], make: fn(Vec<u8>) -> Event) {
        let kind = quoted(name);
        let number = self.number;
        let mut all: Vec<(&str, &dyn Display)> = vec![("type", &kind), ("sequence_number", &number)];
        all.extend_from_slice(members);
        self.events.push(make(sse(Some(name), &object(&all))));
        self.number = self.number.saturating_add(1);
    }

    fn frame(&mut self, name: &str, members: &[(&str, &dyn Display)]) {
        self.push(name, members, Event::frame);
    }

    fn content(&mut self, name: &str, members: &[(&str, &dyn Display)]) {
        self.push(name, members, Event::content);
    }

    fn reasoning(&mut self, reply: &Reply, index: usize, text: &str) {
        let id = quoted(&format!("rs_{:016x}", reply.hash));
        let (begun, done) = (reasoning(reply, "", false), reasoning(reply, text, true));
        self.frame("response.output_item.added", &[("output_index", &index), ("item", &begun)]);
        let place: [(&str, &dyn Display); 3] = [("item_id", &id), ("output_index", &index), ("summary_index", &0)];
        let with = |name: &'static str, value: &dyn Display| -> Vec<(&str, String)> {
            let mut all: Vec<(&str, String)> = place.iter().map(|(name, value)| (*name, value.to_string())).collect();
            all.push((name, value.to_string()));
            all
        };
        let empty = json!({"type": "summary_text", "text": ""});
        let full = json!({"type": "summary_text", "text": text});
        self.frame("response.reasoning_summary_part.added", &borrowed(&with("part", &empty)));
        for piece in pieces(text, FRAGMENTS) {
            self.content("response.reasoning_summary_text.delta", &borrowed(&with("delta", &quoted(piece))));
        }
        self.frame("response.reasoning_summary_text.done", &borrowed(&with("text", &quoted(text))));
        self.frame("response.reasoning_summary_part.done", &borrowed(&with("part", &full)));
        self.frame("response.output_item.done", &[("output_index", &index), ("item", &done)]);
    }

    fn message(&mut self, reply: &Reply, index: usize, text: &str, refuses: bool) {
        let id = quoted(&format!("msg_{:016x}", reply.hash));
        let item = message(reply, "in_progress", &[]);
        self.frame("response.output_item.added", &[("output_index", &index), ("item", &item)]);
        let place: [(&str, &dyn Display); 3] = [("item_id", &id), ("output_index", &index), ("content_index", &0)];
        let full = part(text, refuses);
        self.frame("response.content_part.added", &[place.as_slice(), &[("part", &part("", refuses))]].concat());
        let (delta, done, member, count) = if refuses {
            ("response.refusal.delta", "response.refusal.done", "refusal", FRAGMENTS)
        } else {
            ("response.output_text.delta", "response.output_text.done", "text", reply.chunks)
        };
        for piece in pieces(text, count) {
            let piece = quoted(piece);
            let mut members = place.to_vec();
            members.push(("delta", &piece));
            if !refuses {
                members.push(("logprobs", &"[]"));
            }
            self.content(delta, &members);
        }
        let text = quoted(text);
        let mut members = place.to_vec();
        members.push((member, &text));
        if !refuses {
            members.push(("logprobs", &"[]"));
        }
        self.frame(done, &members);
        self.frame("response.content_part.done", &[place.as_slice(), &[("part", &full)]].concat());
        let item = message(reply, item_status(reply), &[full]);
        self.frame("response.output_item.done", &[("output_index", &index), ("item", &item)]);
    }

    fn call(&mut self, reply: &Reply, index: usize, called: &Call) {
        let id = quoted(&item_id(reply, called));
        let begun = call(reply, called, "", "in_progress");
        self.frame("response.output_item.added", &[("output_index", &index), ("item", &begun)]);
        let (delta, done, member) = if called.takes_text {
            ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input")
        } else {
            ("response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments")
        };
        for piece in pieces(&called.arguments, FRAGMENTS) {
            self.content(delta, &[("item_id", &id), ("output_index", &index), ("delta", &quoted(piece))]);
        }
        let (arguments, name) = (quoted(&called.arguments), quoted(&called.name));
        let mut members: Vec<(&str, &dyn Display)> =
            vec![("item_id", &id), ("output_index", &index), (member, &arguments)];
        if !called.takes_text {
            members.push(("name", &name));
        }
        self.frame(done, &members);
        let item = call(reply, called, &called.arguments, "completed");
        self.frame("response.output_item.done", &[("output_index", &index), ("item", &item)]);
    }
}

fn borrowed<'m>(members: &'m [(&'m str, String)]) -> Vec<(&'m str, &'m dyn Display)> {
    members.iter().map(|(name, value)| (*name, value as &dyn Display)).collect()
}

fn last_status(reply: &Reply) -> &'static str {
    match reply.finish {
        Finish::Stop | Finish::Calls | Finish::Refusal => "completed",
        Finish::Length | Finish::Blocked => "incomplete",
    }
}

fn item_status(reply: &Reply) -> &'static str {
    last_status(reply)
}

fn outputs(reply: &Reply) -> Vec<String> {
    let output = |block: &Block| match block {
        Block::Thinking { text, .. } => reasoning(reply, text, true),
        Block::Text(text) => message(reply, item_status(reply), &[part(text, false)]),
        Block::Refusal(text) => message(reply, item_status(reply), &[part(text, true)]),
        Block::Call(called) => call(reply, called, &called.arguments, "completed"),
    };
    reply.blocks.iter().map(output).collect()
}

/// The encrypted form holds the summary's print: it is complete only once the item is.
fn reasoning(reply: &Reply, text: &str, done: bool) -> String {
    let id = quoted(&format!("rs_{:016x}", reply.hash));
    let summary = if done { json!([{"type": "summary_text", "text": text}]) } else { json!([]) };
    let encrypted = quoted(&if done { signature("openai", text) } else { String::from("bW9jaw==") });
    let mut members: Vec<(&str, &dyn Display)> = vec![("id", &id), ("type", &"\"reasoning\""), ("summary", &summary)];
    if reply.ask.wants_encrypted {
        members.push(("encrypted_content", &encrypted));
    }
    object(&members)
}

fn part(text: &str, refuses: bool) -> String {
    let text = quoted(text);
    if refuses {
        return object(&[("type", &"\"refusal\""), ("refusal", &text)]);
    }
    object(&[("type", &"\"output_text\""), ("annotations", &"[]"), ("logprobs", &"[]"), ("text", &text)])
}

fn message(reply: &Reply, status: &str, parts: &[String]) -> String {
    let id = quoted(&format!("msg_{:016x}", reply.hash));
    object(&[
        ("id", &id),
        ("type", &"\"message\""),
        ("status", &quoted(status)),
        ("content", &list(parts)),
        ("role", &"\"assistant\""),
    ])
}

fn item_id(reply: &Reply, call: &Call) -> String {
    let prefix = if call.takes_text { "ctc" } else { "fc" };
    format!("{prefix}_{:016x}_{}", reply.hash, call.index)
}

fn call(reply: &Reply, call: &Call, arguments: &str, status: &str) -> String {
    let (kind, member) = if call.takes_text { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
    let id = quoted(&item_id(reply, call));
    let call_id = quoted(&format!("call_{:016x}_{}", reply.hash, call.index));
    object(&[
        ("id", &id),
        ("type", &quoted(kind)),
        ("status", &quoted(status)),
        (member, &quoted(arguments)),
        ("call_id", &call_id),
        ("name", &quoted(&call.name)),
    ])
}

/// The response around its output; it repeats what was asked.
fn response(reply: &Reply, status: &str, outputs: &[String]) -> String {
    let asked = |name: &str, usual: Value| some(&reply.asked, name).cloned().unwrap_or(usual);
    let reason = if reply.finish == Finish::Blocked { "content_filter" } else { "max_output_tokens" };
    let details = if status == "incomplete" { json!({"reason": reason}) } else { Value::Null };
    let is_done = status != "in_progress";
    let usage = reply.usage.filter(|_| is_done).map_or_else(|| "null".to_owned(), |usage| usage_object(&usage));
    let id = quoted(&format!("resp_{:016x}", reply.hash));
    object(&[
        ("id", &id),
        ("object", &"\"response\""),
        ("created_at", &reply.created),
        ("status", &quoted(status)),
        ("background", &false),
        ("error", &"null"),
        ("incomplete_details", &details),
        ("instructions", &asked("instructions", Value::Null)),
        ("max_output_tokens", &asked("max_output_tokens", Value::Null)),
        ("model", &quoted(&reply.model)),
        ("output", &list(outputs)),
        ("parallel_tool_calls", &asked("parallel_tool_calls", Value::Bool(true))),
        ("previous_response_id", &asked("previous_response_id", Value::Null)),
        ("reasoning", &asked("reasoning", json!({"effort": null, "summary": null}))),
        ("service_tier", &"\"default\""),
        ("store", &asked("store", Value::Bool(true))),
        ("temperature", &asked("temperature", json!(1.0))),
        ("text", &asked("text", json!({"format": {"type": "text"}}))),
        ("tool_choice", &asked("tool_choice", json!("auto"))),
        ("tools", &Value::from(items(&reply.asked, "tools").to_vec())),
        ("top_p", &asked("top_p", json!(1.0))),
        ("truncation", &asked("truncation", json!("disabled"))),
        ("usage", &usage),
        ("metadata", &asked("metadata", json!({}))),
    ])
}

fn usage_object(usage: &Usage) -> String {
    let Usage { prompt, cached, completion, reasoning, .. } = usage;
    object(&[
        ("input_tokens", prompt),
        ("input_tokens_details", &json!({"cached_tokens": cached, "cache_write_tokens": 0})),
        ("output_tokens", completion),
        ("output_tokens_details", &json!({"reasoning_tokens": reasoning})),
        ("total_tokens", &usage.total()),
    ])
}
