//! Chat completions as OpenAI writes them: whole, as a stream, and their errors.

use std::fmt::Write as _;

use crate::mock::json::{pieces, quoted, sse};
use crate::mock::reply::{Block, Call, Event, FRAGMENTS, Finish, Reply, Usage};

/// What Azure puts beside every answer.
const AZURE_FILTER: &str =
    r#"{"hate":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}"#;

/// The body of an answer in one piece.
pub fn whole(reply: &Reply) -> String {
    let text = reply.text().map_or_else(|| "null".to_owned(), quoted);
    let refusal = reply.refusal().map_or_else(|| "null".to_owned(), quoted);
    let mut message = format!(r#"{{"role":"assistant","content":{text},"refusal":{refusal},"annotations":[]"#);
    if let Some(thinking) = reply.thinking() {
        let _ = write!(message, ",\"reasoning_content\":{}", quoted(thinking));
    }
    let calls: Vec<String> =
        reply.calls().map(|call| format!("{{{}}}", call_members(reply, call, &call.arguments))).collect();
    if !calls.is_empty() {
        let _ = write!(message, ",\"tool_calls\":[{}]", calls.join(","));
    }
    message.push('}');
    let usage = reply.usage.map_or_else(String::new, |usage| format!(",\"usage\":{}", usage_object(&usage)));
    let choice = |index: usize| {
        format!(r#"{{"index":{index},"message":{message},"logprobs":null,"finish_reason":"{}"}}"#, finish(reply.finish))
    };
    let choices: Vec<String> = (0..reply.ask.answers.clamp(1, 8)).map(choice).collect();
    format!(
        concat!(
            r#"{{"id":"{id}","object":"chat.completion","created":{created},"model":{model},"#,
            r#""choices":[{choices}]{usage},"service_tier":"default","system_fingerprint":"fp_mock"}}"#
        ),
        id = id(reply),
        created = reply.created,
        model = quoted(&reply.model),
        choices = choices.join(","),
        usage = usage,
    )
}

/// The events of a stream. Azure begins with what its filter thinks of the prompt.
pub fn stream(reply: &Reply, azure: bool) -> Vec<Event> {
    let mut events = Vec::new();
    if azure {
        let filter = format!(
            r#""choices":[],"prompt_filter_results":[{{"prompt_index":0,"content_filter_results":{AZURE_FILTER}}}]"#
        );
        events.push(Event::frame(sse(None, &format!("{},{filter}}}", start(reply)))));
    }
    let content = if reply.text().is_some() || reply.refusal().is_some() { "\"\"" } else { "null" };
    events.push(Event::frame(delta(
        reply,
        &format!(r#"{{"role":"assistant","content":{content},"refusal":null}}"#),
        "null",
    )));
    let mut add = |data: String| events.push(Event::content(delta(reply, &data, "null")));
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => {
                pieces(text, FRAGMENTS).for_each(|piece| add(format!(r#"{{"reasoning_content":{}}}"#, quoted(piece))));
            }
            Block::Text(text) => {
                pieces(text, reply.chunks).for_each(|piece| add(format!(r#"{{"content":{}}}"#, quoted(piece))));
            }
            Block::Refusal(text) => {
                pieces(text, FRAGMENTS).for_each(|piece| add(format!(r#"{{"refusal":{}}}"#, quoted(piece))));
            }
            Block::Call(_) => {}
        }
    }
    call_deltas(reply).into_iter().for_each(|data| add(format!(r#"{{"tool_calls":[{{{data}}}]}}"#)));
    events.push(Event::frame(delta(reply, "{}", &quoted(finish(reply.finish)))));
    if let (true, Some(usage)) = (reply.ask.wants_usage, &reply.usage) {
        let data = format!("{},\"choices\":[],\"usage\":{}}}", start(reply), usage_object(usage));
        events.push(Event::frame(sse(None, &data)));
    }
    events.push(Event::frame(sse(None, "[DONE]")));
    events
}

/// Each call's start and fragments, one call after the other, or in turn when the user asked for `interleaved` calls.
fn call_deltas(reply: &Reply) -> Vec<String> {
    let mut starts = Vec::new();
    let mut fragments: Vec<(usize, usize, String)> = Vec::new();
    for call in reply.calls() {
        let (index, kind, member) =
            if call.takes_text { (call.index, "custom", "input") } else { (call.index, "function", "arguments") };
        starts.push((index, format!(r#""index":{index},{}"#, call_members(reply, call, ""))));
        for (turn, piece) in pieces(&call.arguments, FRAGMENTS).enumerate() {
            fragments.push((turn, index, format!(r#""index":{index},"{kind}":{{"{member}":{}}}"#, quoted(piece))));
        }
    }
    if reply.ask.says("interleaved") {
        fragments.sort_by_key(|(turn, index, _)| (*turn, *index));
        return starts
            .into_iter()
            .map(|(_, data)| data)
            .chain(fragments.into_iter().map(|(_, _, data)| data))
            .collect();
    }
    let of = |(index, data): (usize, String)| {
        let own = fragments.iter().filter(move |(_, call, _)| *call == index).map(|(_, _, data)| data.clone());
        std::iter::once(data).chain(own).collect::<Vec<_>>()
    };
    starts.into_iter().flat_map(of).collect()
}

/// The error body of a status.
pub fn error(status: u16, message: &str) -> String {
    let (kind, code) = match status {
        400 => ("invalid_request_error", "null"),
        401 => ("invalid_request_error", "\"invalid_api_key\""),
        404 => ("invalid_request_error", "\"unknown_url\""),
        429 => ("requests", "\"rate_limit_exceeded\""),
        529 => ("overloaded_error", "\"overloaded\""),
        _ => ("server_error", "null"),
    };
    format!(r#"{{"error":{{"message":{},"type":"{kind}","param":null,"code":{code}}}}}"#, quoted(message))
}

/// The event that breaks a stream off.
pub fn error_event(message: &str) -> Vec<u8> {
    sse(None, &error(500, message))
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Refusal => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
        Finish::Blocked => "content_filter",
    }
}

fn id(reply: &Reply) -> String {
    format!("chatcmpl-mock{:016x}", reply.hash)
}

/// A call's members with arguments of the moment: all of them, or none yet.
fn call_members(reply: &Reply, call: &Call, arguments: &str) -> String {
    let (kind, member) = if call.takes_text { ("custom", "input") } else { ("function", "arguments") };
    let id = format!("call_{:016x}_{}", reply.hash, call.index);
    let (name, arguments) = (quoted(&call.name), quoted(arguments));
    format!(r#""id":"{id}","type":"{kind}","{kind}":{{"name":{name},"{member}":{arguments}}}"#)
}

fn delta(reply: &Reply, delta: &str, finish: &str) -> Vec<u8> {
    // Vendors put `"usage":null` on every event but the last when usage was asked for.
    let usage = if reply.ask.wants_usage { ",\"usage\":null" } else { "" };
    let choice = format!("{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}");
    sse(None, &format!("{},\"choices\":[{choice}]{usage}}}", start(reply)))
}

fn start(reply: &Reply) -> String {
    format!(
        r#"{{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},"service_tier":"default","system_fingerprint":"fp_mock""#,
        id(reply),
        reply.created,
        quoted(&reply.model),
    )
}

fn usage_object(usage: &Usage) -> String {
    let Usage { prompt, cached, completion, reasoning, .. } = usage;
    format!(
        concat!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},"#,
            r#""prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"#,
            r#""completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"#,
            r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
        ),
        prompt = prompt,
        completion = completion,
        total = usage.total(),
        cached = cached,
        reasoning = reasoning,
    )
}
