//! Streams as clients get them.

use serde_json::{Value, json};
use weir::chat::answer::Finish;
use weir::chat::event::{Delta, Event, Opening};
use weir::chat::failure::{Failure, FailureKind};
use weir::chat::part::{CallKind, Citation, Seal};
use weir::chat::prose::Prose;
use weir::chat::usage::Usage;
use weir::chat::wire::Wire;
use weir::codec::responses::sides::Responses;
use weir::codec::wire::{ClientWire, ProviderWire};

use crate::fixture::{fixtures, frame, stream_bytes};
use crate::stream::read_stream;

/// What the whole decoder makes of an encoded stream, and its events.
fn write_stream(events: &[Event<'_>]) -> (Vec<u8>, Vec<Value>) {
    let mut stream = Responses.encode_stream(&frame());
    let mut out = Vec::new();
    events.iter().for_each(|event| stream.event(event, &mut out));
    let text = String::from_utf8(out.clone()).unwrap();
    let blocks = text.split("\n\n").filter(|block| block.contains("data: "));
    let values = blocks.map(|block| {
        let (name, data) = block.trim_start_matches("event: ").split_once("\ndata: ").unwrap();
        let value: Value = serde_json::from_str(data).unwrap();
        assert_eq!(value["type"], name);
        value
    });
    (out.clone(), values.collect())
}

/// The brackets of a stream: every item, part and text that opens also closes, in one piece and in order, and the last
/// event repeats it all.
fn check_brackets(name: &str, events: &[Value]) {
    let mut items: Vec<Option<Value>> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index, "{name}");
        let output = event["output_index"].as_u64().unwrap_or(0) as usize;
        if let Some(id) = event.get("item_id") {
            assert!(items[output].is_none(), "{name}: {event} belongs to an item that is done");
            assert!(id.as_str().unwrap().len() <= 64);
        }
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                assert_eq!(output, items.len(), "{name}");
                items.push(None);
            }
            "response.output_item.done" => {
                assert!(items[output].replace(event["item"].clone()).is_none(), "{name}");
            }
            _ => {}
        }
    }
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    let last = events.last().unwrap();
    if last["type"] == "response.failed" {
        return;
    }
    assert_eq!(count("response.content_part.added"), count("response.content_part.done"), "{name}");
    assert_eq!(count("response.reasoning_summary_part.added"), count("response.reasoning_summary_part.done"), "{name}");
    let done: Vec<Value> = items.into_iter().map(Option::unwrap).collect();
    assert_eq!(last["response"]["output"], json!(done), "{name}");
}

#[test]
fn a_stream_that_is_read_and_written_says_the_same() {
    for (name, row) in fixtures("streams") {
        let bytes = stream_bytes(&row);
        let mut decoder = Responses.decode_stream();
        let mut encoder = Responses.encode_stream(&frame());
        let mut out = Vec::new();
        decoder.push(&bytes, &mut |event| encoder.event(&event, &mut out));
        decoder.finish(&mut |event| encoder.event(&event, &mut out));
        let text = String::from_utf8(out.clone()).unwrap();
        let values: Vec<Value> = text
            .split("\n\n")
            .filter_map(|block| block.split_once("data: "))
            .map(|(_, data)| serde_json::from_str(data).unwrap())
            .collect();
        let plain = |bytes: &[u8]| -> Vec<String> {
            let events = read_stream(std::iter::once(bytes));
            events.into_iter().filter(|event| event != "Ping" && !event.starts_with("Start")).collect()
        };
        if name.contains("cut") {
            assert!(!text.contains("response.completed"), "{name}");
            continue;
        }
        check_brackets(&name, &values);
        let blocks_reopen = name.contains("several parts");
        let codes_change = name.contains("error") || name.contains("failure");
        let no_arguments = name.contains("without arguments");
        if !blocks_reopen && !codes_change && !no_arguments {
            let (mut left, mut right) = (plain(&bytes), plain(&out));
            if name.contains("interleave") {
                left.sort();
                right.sort();
            }
            if name.contains("open model") {
                // Its thinking comes as a summary, in an item that has an id of Weir's own.
                left.retain(|event| !event.contains("Seal"));
                right.retain(|event| !event.contains("Seal"));
            }
            assert_eq!(left, right, "{name}");
        }
        let last = values.last().unwrap();
        if name.contains("an error") {
            assert_eq!(last["type"], "response.failed");
            continue;
        }
        if let Some(row) =
            row["events"].as_array().unwrap().iter().rev().find(|event| event["data"].get("response").is_some())
        {
            assert_eq!(last["type"], row["data"]["type"], "{name}");
            assert_eq!(last["response"]["usage"], row["data"]["response"]["usage"], "{name}");
        }
    }
}

#[test]
fn deltas_go_out_at_once() {
    let mut stream = Responses.encode_stream(&frame());
    let mut out = Vec::new();
    stream.event(&Event::Start { id: None, model: Some("m".into()) }, &mut out);
    let opening = Opening::Call { id: "call_1".into(), name: "f".into(), kind: CallKind::Function, signature: None };
    stream.event(&Event::Open { block: 0, opening }, &mut out);
    out.clear();
    stream.event(&Event::Delta { block: 0, delta: Delta::Text(Prose::plain("{\"a\"")) }, &mut out);
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        "event: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\
         \"sequence_number\":3,\"item_id\":\"fc_00000000000000aa_0\",\"output_index\":0,\"delta\":\"{\\\"a\\\"\"}\n\n"
    );
    out.clear();
    stream.event(&Event::Ping, &mut out);
    assert_eq!(out, b": ping\n\n");
}

#[test]
fn another_vendor_s_answer_streams_as_a_whole_response() {
    let usage = Usage { input: 10, cache_read: 4, output: 6, reasoning: 2, ..Usage::default() };
    let seal = Seal { wire: Wire::Messages, data: "EqQB".into(), redacted: false, id: None };
    let citation = Citation { url: Some("https://e.com".into()), span: Some((0, 2)), ..Citation::default() };
    let words = |block, text: &'static str| Event::Delta { block, delta: Delta::Text(Prose::plain(text)) };
    let call = |name: &'static str, kind| Opening::Call { id: "c1".into(), name: name.into(), kind, signature: None };
    let (bytes, events) = write_stream(&[
        Event::Start { id: Some("msg_01".into()), model: Some("claude".into()) },
        Event::Open { block: 0, opening: Opening::Thought },
        words(0, "Hm"),
        words(0, "m."),
        Event::Delta { block: 0, delta: Delta::Seal(seal) },
        Event::Close { block: 0 },
        Event::Open { block: 1, opening: Opening::Text },
        words(1, "One "),
        Event::Close { block: 1 },
        Event::Open { block: 2, opening: Opening::Text },
        words(2, "two\n"),
        Event::Delta { block: 2, delta: Delta::Citation(citation) },
        Event::Close { block: 2 },
        Event::Open { block: 3, opening: call("git__ns__log", CallKind::Function) },
        Event::Close { block: 3 },
        Event::Open { block: 4, opening: call("patch", CallKind::Custom) },
        words(4, "x"),
        Event::Close { block: 4 },
        Event::Finish(Finish::ToolCalls),
        Event::Usage(usage),
        Event::Done,
    ]);
    check_brackets("another vendor's", &events);
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let short: Vec<&str> = kinds.iter().map(|kind| kind.trim_start_matches("response.")).collect();
    assert_eq!(
        short,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
            "completed",
        ]
    );
    let response = &events.last().unwrap()["response"];
    assert_eq!(
        response["output"],
        json!([
            {"id": "rs_weir00000000000000aa_0", "type": "reasoning", "encrypted_content": "weir.messages..EqQB",
                "summary": [{"type": "summary_text", "text": "Hmm."}]},
            {"id": "msg_00000000000000aa_1", "type": "message", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "One ", "annotations": [], "logprobs": []},
                {"type": "output_text", "text": "two\n", "logprobs": [], "annotations": [
                    {"type": "url_citation", "url": "https://e.com", "title": "", "start_index": 0, "end_index": 2}]}]},
            {"id": "fc_00000000000000aa_2", "type": "function_call", "status": "completed", "call_id": "c1", "name": "log",
                "namespace": "git", "arguments": "{}"},
            {"id": "ctc_00000000000000aa_3", "type": "custom_tool_call", "status": "completed", "call_id": "c1",
                "name": "patch", "input": "x"}
        ])
    );
    assert_eq!((&response["id"], &response["model"]), (&json!("resp_00000000000000aa"), &json!("claude")));
    assert_eq!(response["usage"]["total_tokens"], 16);
    assert!(bytes.ends_with(b"\n\n"));
}

#[test]
fn interleaved_blocks_each_keep_their_item() {
    let words = |block, text: &'static str| Event::Delta { block, delta: Delta::Text(Prose::plain(text)) };
    let (_, events) = write_stream(&[
        Event::Open { block: 0, opening: Opening::Text },
        Event::Open { block: 1, opening: Opening::Thought },
        words(0, "a"),
        words(1, "b"),
        Event::Open { block: 2, opening: Opening::Refusal },
        words(2, "no"),
        Event::Close { block: 1 },
        words(0, "c"),
        Event::Close { block: 0 },
        Event::Close { block: 2 },
        Event::Finish(Finish::Length),
        Event::Done,
    ]);
    check_brackets("interleaved", &events);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "ac");
    assert_eq!(last["response"]["output"][2]["status"], "incomplete");
}

#[test]
fn a_failure_in_a_stream_ends_it_as_failed() {
    let failure =
        Failure { kind: FailureKind::ContextTooLong, status: 400, message: "too long".into(), code: None, param: None };
    let (bytes, events) = write_stream(&[Event::Failure(failure), Event::Done]);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["status"], "failed");
    assert_eq!(last["response"]["error"], json!({"code": "context_length_exceeded", "message": "too long"}));
    assert!(!String::from_utf8(bytes).unwrap().contains("response.completed"));
}

#[test]
fn an_answer_beyond_the_limit_fails_instead_of_growing() {
    let mut stream = Responses.encode_stream(&frame());
    let mut out = Vec::new();
    stream.event(&Event::Open { block: 0, opening: Opening::Text }, &mut out);
    let megabyte = "x".repeat(1 << 20);
    for _ in 0..16 {
        out.clear();
        let delta = Delta::Text(Prose::plain(megabyte.as_str()));
        stream.event(&Event::Delta { block: 0, delta }, &mut out);
    }
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(text.contains("event: response.failed") && !text.contains("response.completed"));
    out.clear();
    stream.event(&Event::Done, &mut out);
    assert!(out.is_empty());
}

#[test]
fn every_end_is_told_apart() {
    for (finish, kind, reason) in [
        (Finish::Stop, "response.completed", Value::Null),
        (Finish::StopSequence(Some("x".into())), "response.completed", Value::Null),
        (Finish::ToolCalls, "response.completed", Value::Null),
        (Finish::Length, "response.incomplete", json!("max_output_tokens")),
        (Finish::ContextFull, "response.incomplete", json!("max_output_tokens")),
        (Finish::Paused, "response.incomplete", json!("max_output_tokens")),
        (Finish::Filtered, "response.incomplete", json!("content_filter")),
        (Finish::Refused, "response.incomplete", json!("content_filter")),
        (Finish::Broken, "response.incomplete", Value::Null),
    ] {
        let (_, events) = write_stream(&[Event::Finish(finish.clone()), Event::Done]);
        let last = events.last().unwrap();
        assert_eq!(
            (&last["type"], &last["response"]["incomplete_details"]["reason"]),
            (&json!(kind), &reason),
            "{finish:?}"
        );
        assert_eq!(last["response"]["status"], kind.trim_start_matches("response."));
    }
}
