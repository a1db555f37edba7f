//! What clients see of streams that came from other vendors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Encoder;
use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::part::{CallKind, Citation, Seal};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::chat::wire::Wire;
use crate::codec::wire::{EncodeStream, Frame};

fn frame() -> Frame {
    Frame {
        id: "0123456789abcdef".to_owned(),
        model: "m".to_owned(),
        created: 0,
        input_tokens: 33,
        include_usage: false,
        sse: true,
    }
}

/// The data of the events that a client gets after each event; names and types must agree.
fn after_each(events: &[Event<'_>]) -> Vec<Vec<Value>> {
    let mut encoder = Encoder::new(&frame());
    let read = |event: &Event<'_>| {
        let mut out = Vec::new();
        encoder.event(event, &mut out);
        let text = String::from_utf8(out).unwrap();
        text.split_terminator("\n\n")
            .map(|event| {
                let (name, data) = event.split_once('\n').unwrap();
                let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
                data
            })
            .collect()
    };
    events.iter().map(read).collect()
}

fn all(events: &[Event<'_>]) -> Vec<Value> {
    after_each(events).concat()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn text(block: u32, text: &str) -> Event<'_> {
    Event::Delta { block, delta: Delta::Text(Prose::plain(text)) }
}

fn call(block: u32, id: &'static str) -> Event<'static> {
    let opening =
        Opening::Call { id: Cow::Borrowed(id), name: Cow::Borrowed("f"), kind: CallKind::Function, signature: None };
    Event::Open { block, opening }
}

const START: Event<'static> = Event::Start { id: None, model: None };

fn open(block: u32, opening: Opening<'static>) -> Event<'static> {
    Event::Open { block, opening }
}

fn close(block: u32) -> Event<'static> {
    Event::Close { block }
}

#[test]
fn a_text_is_told_at_once_and_the_end_waits_for_the_usage() {
    let usage = Usage { input: 50, cache_read: 20, cache_write: 5, output: 9, reasoning: 4, ..Usage::default() };
    let told = after_each(&[
        START,
        open(0, Opening::Text),
        text(0, "Hi"),
        close(0),
        Event::Finish(Finish::Stop),
        Event::Usage(usage),
        Event::Done,
    ]);
    assert_eq!(
        told[0],
        [json!({"type": "message_start", "message": {"id": "msg_0123456789abcdef", "type": "message",
            "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 33, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "output_tokens": 0}}})]
    );
    assert!(told[1].is_empty());
    assert_eq!(
        told[2],
        [
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
        ]
    );
    assert_eq!(told[3], [json!({"type": "content_block_stop", "index": 0})]);
    assert!(told[4].is_empty());
    assert_eq!(
        told[5],
        [json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"input_tokens": 25, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 20,
                "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}})]
    );
    assert_eq!(told[6], [json!({"type": "message_stop"})]);
}

#[test]
fn without_usage_the_end_is_told_with_the_estimate() {
    let told = all(&[START, Event::Finish(Finish::Length), Event::Done]);
    assert_eq!(kinds(&told), ["message_start", "message_delta", "message_stop"]);
    assert_eq!(told[1]["delta"]["stop_reason"], "max_tokens");
    assert_eq!(told[1]["usage"]["input_tokens"], 33);
}

#[test]
fn a_later_call_waits_for_the_open_one() {
    let told = after_each(&[
        START,
        call(0, "a"),
        text(0, "{\"x\":"),
        call(1, "b"),
        text(1, "{\"y\":"),
        call(2, ""),
        text(0, "1}"),
        close(0),
        text(1, "2}"),
        close(2),
        close(1),
        Event::Finish(Finish::ToolCalls),
        Event::Done,
    ]);
    let counts: Vec<usize> = told.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 1, 1, 0, 0, 0, 1, 3, 1, 0, 3, 0, 2]);
    assert_eq!(told[1][0]["content_block"], json!({"type": "tool_use", "id": "a", "name": "f", "input": {}}));
    assert_eq!(told[7][1]["content_block"]["id"], "b");
    assert_eq!(told[7][2]["delta"], json!({"type": "input_json_delta", "partial_json": "{\"y\":"}));
    assert_eq!(told[10][1]["content_block"]["id"], "toolu_0123456789abcdef_2");
    assert_eq!(kinds(&told[10]), ["content_block_stop", "content_block_start", "content_block_stop"]);
    assert_eq!(told[12][0]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn an_open_block_without_words_holds_nobody_up() {
    let told =
        after_each(&[START, open(0, Opening::Text), call(1, "a"), text(1, "{}"), text(0, "later"), close(1), close(0)]);
    assert_eq!(told[2][0]["index"], 0);
    assert_eq!(told[3].len(), 1);
    assert!(told[4].is_empty());
    assert_eq!(kinds(&told[5]), ["content_block_stop", "content_block_start", "content_block_delta"]);
    assert_eq!(told[6][0], json!({"type": "content_block_stop", "index": 1}));
}

#[test]
fn an_open_text_or_thought_holds_nobody_up() {
    let told = after_each(&[
        START,
        open(0, Opening::Thought),
        text(0, "hm"),
        open(1, Opening::Text),
        text(1, "a"),
        call(2, "c"),
        text(1, "b"),
        close(0),
        close(2),
        close(1),
    ]);
    assert!(told[3].is_empty());
    // The thought ends with its signature, and the text begins.
    assert_eq!(kinds(&told[4])[1..], ["content_block_stop", "content_block_start", "content_block_delta"]);
    assert_eq!(kinds(&told[5]), ["content_block_stop", "content_block_start"]);
    assert!(told[6].is_empty() && told[7].is_empty());
    assert_eq!(kinds(&told[8]), ["content_block_stop", "content_block_start", "content_block_delta"]);
    assert_eq!(
        told[8][2],
        json!({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "b"}})
    );
    assert_eq!(kinds(&told[9]), ["content_block_stop"]);
}

#[test]
fn an_empty_block_is_not_told() {
    let told = all(&[
        START,
        open(0, Opening::Text),
        text(0, ""),
        close(0),
        open(1, Opening::Thought),
        close(1),
        Event::Finish(Finish::Stop),
        Event::Done,
    ]);
    assert_eq!(kinds(&told), ["message_start", "message_delta", "message_stop"]);
}

#[test]
fn what_waits_is_bounded() {
    let piece = "x".repeat(100_000);
    let mut events = vec![START, call(0, "a"), call(1, "b")];
    events.extend((0..12).map(|_| text(1, &piece)));
    events.push(Event::Done);
    let told = all(&events);
    assert_eq!(kinds(&told), ["message_start", "content_block_start", "error"]);
    assert_eq!(told[2]["error"]["type"], "api_error");
}

#[test]
fn a_thought_always_ends_with_a_signature() {
    let seal = |wire, redacted| {
        let seal = Seal { wire, data: Cow::Borrowed("data"), redacted, id: None };
        Event::Delta { block: 0, delta: Delta::Seal(seal) }
    };
    let thought = |events: &[Event<'static>]| {
        let mut every = vec![START, open(0, Opening::Thought)];
        every.extend_from_slice(events);
        every.push(close(0));
        all(&every)[1..].to_vec()
    };
    let signature =
        |told: &[Value]| told.iter().find_map(|event| event["delta"]["signature"].as_str().map(str::to_owned));
    let none = thought(&[text(0, "hm")]);
    assert_eq!(none[0]["content_block"], json!({"type": "thinking", "thinking": "", "signature": ""}));
    assert_eq!(signature(&none).as_deref(), Some("weir-seal:-"));
    assert_eq!(signature(&thought(&[text(0, "hm"), seal(Wire::Messages, false)])).as_deref(), Some("data"));
    assert_eq!(signature(&thought(&[seal(Wire::Gemini, false)])).as_deref(), Some("weir-seal:gemini:p::data"));
    let redacted = thought(&[seal(Wire::Messages, true)]);
    assert_eq!(kinds(&redacted), ["content_block_start", "content_block_stop"]);
    assert_eq!(redacted[0]["content_block"], json!({"type": "redacted_thinking", "data": "data"}));
}

#[test]
fn citations_of_other_vendors_are_told_when_they_name_an_address() {
    let cite = |url: Option<&'static str>| {
        let citation = Citation { url: url.map(Cow::Borrowed), ..Citation::default() };
        Event::Delta { block: 0, delta: Delta::Citation(citation) }
    };
    let told = after_each(&[START, open(0, Opening::Text), text(0, "x"), cite(None), cite(Some("https://e.com"))]);
    assert!(told[3].is_empty());
    let citation = json!({"type": "web_search_result_location", "cited_text": "", "encrypted_index": "",
        "title": null, "url": "https://e.com"});
    assert_eq!(told[4][0]["delta"], json!({"type": "citations_delta", "citation": citation}));
}

#[test]
fn a_refusal_ends_as_one_and_a_stop_sequence_is_named() {
    let refusal =
        [START, open(0, Opening::Refusal), text(0, "No."), close(0), Event::Finish(Finish::Stop), Event::Done];
    let told = all(&refusal);
    assert_eq!(told[4]["delta"]["stop_reason"], "refusal");
    let told = all(&[START, Event::Finish(Finish::StopSequence(Some(Cow::Borrowed("END")))), Event::Done]);
    assert_eq!(told[1]["delta"], json!({"stop_reason": "stop_sequence", "stop_sequence": "END"}));
}

#[test]
fn a_failure_ends_the_stream_without_its_last_word() {
    let failure = Failure {
        kind: FailureKind::Overloaded,
        status: 503,
        message: Cow::Borrowed("busy"),
        code: Some(Cow::Borrowed("upstream_error")),
        param: None,
    };
    let told = all(&[START, Event::Ping, Event::Failure(failure), Event::Done, text(0, "x")]);
    assert_eq!(kinds(&told), ["message_start", "ping", "error"]);
    let error = json!({"type": "overloaded_error", "message": "busy", "code": "upstream_error"});
    assert_eq!(told[2], json!({"type": "error", "error": error, "request_id": null}));
}
