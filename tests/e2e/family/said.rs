//! What a client of each family reads out of an answer, as its SDK puts it together: whole, from a stream, an error. It
//! is strict about the shape. Not what was asked: see `speak`.

use serde_json::{Value, json};

use crate::client::Response;
use crate::family::speak::Client;

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub text: String,
    pub thought: String,
    pub refusal: String,
    pub calls: Vec<Called>,
    pub finish: String,
    /// Input with what was cached, of it cached, output with reasoning.
    pub usage: Option<(u64, u64, u64)>,
    /// What a client puts into the next request's history.
    pub native: Vec<Value>,
    /// Pieces of text and of arguments in a stream.
    pub pieces: usize,
    pub argument_pieces: usize,
    /// Whether a stream ended as the family ends one.
    pub ended: bool,
    /// The error that a stream ended in.
    pub error: Option<Value>,
}

/// One call.
#[derive(Clone, Debug, Default)]
pub struct Called {
    pub id: String,
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

impl Called {
    pub fn arguments(&self) -> Value {
        serde_json::from_str(&self.arguments).unwrap_or_else(|error| panic!("{error} in {:?}", self.arguments))
    }

    /// What the tool says: its name and its one argument.
    pub fn result(&self) -> String {
        let arguments = self.arguments();
        let value = arguments.as_object().and_then(|members| members.values().next()).cloned().unwrap_or_default();
        format!("{} of {}", self.name, value.as_str().unwrap_or("nothing"))
    }
}

/// Reads an answer of status 200.
#[track_caller]
pub fn read(client: Client, answer: &Response, stream: bool) -> Said {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type").unwrap_or_default();
    if !stream {
        assert!(kind.starts_with("application/json"), "{kind}: {}", answer.text());
        assert!(answer.clean_end, "{}", answer.text());
        return whole(client, &answer.json());
    }
    assert!(kind.starts_with("text/event-stream"), "{kind}: {}", answer.text());
    stream_of(client, &answer.text())
}

/// Reads an answer's body.
pub fn whole(client: Client, body: &Value) -> Said {
    match client {
        Client::Chat => chat(body),
        Client::Responses => responses(body),
        Client::Messages => messages(body),
        Client::Gemini => gemini(std::slice::from_ref(body)),
    }
}

/// The events of a stream: name and data, comments left out.
pub fn events(text: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for event in text.replace("\r\n", "\n").split("\n\n").filter(|event| !event.trim().is_empty()) {
        let (mut name, mut data) = (String::new(), None);
        // A blank line is how Gemini's clients are told that somebody is still there.
        for line in event.trim_start_matches('\n').lines() {
            if let Some(value) = line.strip_prefix("event: ") {
                name = value.to_owned();
            } else if let Some(value) = line.strip_prefix("data: ") {
                assert!(data.is_none(), "two lines of data in {event:?}");
                data = Some(value);
            } else {
                assert!(line.starts_with(':'), "a strange line in {event:?}");
            }
        }
        let Some(data) = data else { continue };
        let value = if data == "[DONE]" {
            json!("[DONE]")
        } else {
            serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in {data:?} of\n{text}"))
        };
        all.push((name, value));
    }
    all
}

/// Reads a stream.
pub fn stream_of(client: Client, text: &str) -> Said {
    let events = events(text);
    match client {
        Client::Chat => chat_stream(&events),
        Client::Responses => responses_stream(&events),
        Client::Messages => messages_stream(&events),
        Client::Gemini => gemini_stream(&events),
    }
}

/// Status, kind and message of an error in the family's shape.
#[track_caller]
pub fn error(client: Client, answer: &Response) -> (u16, String, String) {
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{}", answer.text());
    let body = answer.json();
    let (kind, message) = error_of(client, &body);
    if client == Client::Gemini {
        assert_eq!(body["error"]["code"], answer.status, "{body}");
    }
    (answer.status, kind, message)
}

/// Kind and message of an error's body.
#[track_caller]
pub fn error_of(client: Client, body: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {body}")).to_owned();
    let error = &body["error"];
    match client {
        Client::Chat | Client::Responses => {
            assert!(error.get("code").is_some() && error.get("param").is_some(), "{body}");
            (text(&error["type"]), text(&error["message"]))
        }
        Client::Messages => {
            assert_eq!(body["type"], "error", "{body}");
            (text(&error["type"]), text(&error["message"]))
        }
        Client::Gemini => (text(&error["status"]), text(&error["message"])),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// Every name must be there.
#[track_caller]
fn has(value: &Value, names: &[&str]) {
    for name in names {
        assert!(value.get(name).is_some(), "no {name} in {value}");
    }
}

fn chat_usage(usage: &Value) -> Option<(u64, u64, u64)> {
    let cached = number(&usage["prompt_tokens_details"]["cached_tokens"]);
    usage.is_object().then(|| (number(&usage["prompt_tokens"]), cached, number(&usage["completion_tokens"])))
}

fn chat(body: &Value) -> Said {
    has(body, &["id", "object", "created", "model", "choices", "usage"]);
    assert_eq!(body["object"], "chat.completion");
    let choice = &body["choices"][0];
    let message = &choice["message"];
    has(message, &["role", "content"]);
    let mut said = Said {
        text: text(&message["content"]),
        thought: text(&message["reasoning_content"]),
        refusal: text(&message["refusal"]),
        finish: text(&choice["finish_reason"]),
        usage: chat_usage(&body["usage"]),
        native: vec![message.clone()],
        ..Said::default()
    };
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        assert_eq!(call["type"], "function", "{call}");
        let function = &call["function"];
        said.calls.push(Called {
            id: text(&call["id"]),
            name: text(&function["name"]),
            arguments: text(&function["arguments"]),
        });
    }
    said
}

fn chat_stream(events: &[(String, Value)]) -> Said {
    let mut said = Said::default();
    let mut blocks: Vec<Value> = Vec::new();
    for (name, data) in events {
        assert!(name.is_empty(), "chat's events have no names, found {name}");
        assert!(!said.ended && said.error.is_none(), "{data} after the end");
        if data == "[DONE]" {
            said.ended = true;
            continue;
        }
        if data.get("error").is_some() {
            said.error = Some(data.clone());
            continue;
        }
        assert_eq!(data["object"], "chat.completion.chunk", "{data}");
        has(data, &["id", "created", "model", "choices"]);
        if let Some(usage) = chat_usage(&data["usage"]) {
            said.usage = Some(usage);
        }
        let Some(choice) = data["choices"].get(0) else { continue };
        let delta = &choice["delta"];
        if let Some(piece) = delta["content"].as_str().filter(|piece| !piece.is_empty()) {
            said.text.push_str(piece);
            said.pieces += 1;
        }
        said.thought.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        said.refusal.push_str(delta["refusal"].as_str().unwrap_or_default());
        blocks.extend(delta["thinking_blocks"].as_array().into_iter().flatten().cloned());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().expect("an index")).unwrap();
            if index == said.calls.len() {
                said.calls.push(Called {
                    id: text(&call["id"]),
                    name: text(&call["function"]["name"]),
                    arguments: String::new(),
                });
            }
            let piece = call["function"]["arguments"].as_str().unwrap_or_default();
            said.calls[index].arguments.push_str(piece);
            said.argument_pieces += usize::from(!piece.is_empty());
        }
        if let Some(finish) = choice["finish_reason"].as_str() {
            said.finish = finish.to_owned();
        }
    }
    let calls: Vec<Value> = said.calls.iter().map(|call| {
        json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
    }).collect();
    let mut message = json!({"role": "assistant", "content": said.text});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    if !blocks.is_empty() {
        message["thinking_blocks"] = json!(blocks);
    }
    said.native = vec![message];
    said
}

fn responses(body: &Value) -> Said {
    has(
        body,
        &[
            "id",
            "object",
            "created_at",
            "status",
            "model",
            "output",
            "usage",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
        ],
    );
    assert_eq!(body["object"], "response");
    let usage = &body["usage"];
    let mut said = Said {
        finish: text(&body["status"]),
        usage: usage.is_object().then(|| {
            let cached = number(&usage["input_tokens_details"]["cached_tokens"]);
            (number(&usage["input_tokens"]), cached, number(&usage["output_tokens"]))
        }),
        native: body["output"].as_array().expect("an output").clone(),
        ..Said::default()
    };
    for item in &said.native {
        match item["type"].as_str() {
            Some("message") => {
                for part in item["content"].as_array().expect("parts") {
                    said.text.push_str(part["text"].as_str().unwrap_or_default());
                    said.refusal.push_str(part["refusal"].as_str().unwrap_or_default());
                }
            }
            Some("reasoning") => {
                for part in item["summary"].as_array().expect("a summary") {
                    said.thought.push_str(part["text"].as_str().expect("a text"));
                }
            }
            Some("function_call") => said.calls.push(Called {
                id: text(&item["call_id"]),
                name: text(&item["name"]),
                arguments: text(&item["arguments"]),
            }),
            other => panic!("a strange item {other:?}"),
        }
    }
    said
}

fn responses_stream(events: &[(String, Value)]) -> Said {
    let (mut live, mut said) = (Said::default(), Said::default());
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!(data["type"], name.as_str(), "{data}");
        assert!(!said.ended && said.error.is_none(), "{data} after the end");
        // An error comes when it comes, and not every vendor numbers it.
        if name != "error" && name != "response.failed" {
            assert_eq!(data["sequence_number"], number, "{data}");
        }
        let delta = data["delta"].as_str().unwrap_or_default();
        match name.as_str() {
            "response.created" => has(&data["response"], &["id", "object", "status", "model", "output"]),
            "response.output_text.delta" => {
                live.text.push_str(delta);
                live.pieces += 1;
            }
            "response.refusal.delta" => live.refusal.push_str(delta),
            "response.reasoning_summary_text.delta" => live.thought.push_str(delta),
            "response.function_call_arguments.delta" => live.argument_pieces += 1,
            "response.completed" | "response.incomplete" => {
                said = responses(&data["response"]);
                said.ended = true;
            }
            "response.failed" => said.error = Some(json!({"error": data["response"]["error"]})),
            "error" => said.error = Some(data.clone()),
            _ => {}
        }
    }
    if said.ended {
        assert_eq!(
            (&said.text, &said.refusal, &said.thought),
            (&live.text, &live.refusal, &live.thought),
            "told and summed up"
        );
    } else {
        let error = said.error.take();
        said = Said { error, ..live.clone() };
    }
    Said { pieces: live.pieces, argument_pieces: live.argument_pieces, ..said }
}

fn messages_usage(usage: &Value) -> Option<(u64, u64, u64)> {
    let cached = number(&usage["cache_read_input_tokens"]);
    let input = number(&usage["input_tokens"]) + cached + number(&usage["cache_creation_input_tokens"]);
    usage.is_object().then(|| (input, cached, number(&usage["output_tokens"])))
}

fn messages(body: &Value) -> Said {
    has(body, &["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"]);
    assert_eq!((&body["type"], &body["role"]), (&json!("message"), &json!("assistant")));
    let content = &body["content"];
    let mut said = Said {
        finish: text(&body["stop_reason"]),
        usage: messages_usage(&body["usage"]),
        native: vec![json!({"role": "assistant", "content": content})],
        ..Said::default()
    };
    for block in content.as_array().expect("blocks") {
        match block["type"].as_str() {
            Some("text") => said.text.push_str(block["text"].as_str().expect("a text")),
            Some("thinking") => {
                has(block, &["signature"]);
                said.thought.push_str(block["thinking"].as_str().expect("a thought"));
            }
            Some("redacted_thinking") => has(block, &["data"]),
            Some("tool_use") => {
                assert!(block["input"].is_object(), "{block}");
                said.calls.push(Called {
                    id: text(&block["id"]),
                    name: text(&block["name"]),
                    arguments: block["input"].to_string(),
                });
            }
            other => panic!("a strange block {other:?}"),
        }
    }
    said
}

/// Adds a delta to its block; says whether it is one of text.
fn grow(block: &mut Value, delta: &Value) -> bool {
    let kind = delta["type"].as_str().unwrap_or_default();
    let member = match kind {
        "text_delta" => "text",
        "thinking_delta" => "thinking",
        "signature_delta" => "signature",
        other => panic!("a strange delta {other:?}"),
    };
    let piece = delta[member].as_str().unwrap_or_else(|| panic!("no {member} in {delta}"));
    block[member] = json!(format!("{}{piece}", block[member].as_str().unwrap_or_default()));
    member == "text"
}

fn messages_stream(events: &[(String, Value)]) -> Said {
    let mut body = Value::Null;
    let mut open: Option<(u64, String)> = None;
    let (mut ended, mut error, mut pieces, mut argument_pieces) = (false, None, 0, 0);
    for (name, data) in events {
        assert_eq!(data["type"], name.as_str(), "{data}");
        assert!(!ended && error.is_none(), "{data} after the end");
        let index = data["index"].as_u64();
        match name.as_str() {
            "message_start" => body = data["message"].clone(),
            "content_block_start" => {
                assert!(open.is_none(), "two blocks are open: {data}");
                let blocks = body["content"].as_array_mut().expect("blocks");
                assert_eq!(index, u64::try_from(blocks.len()).ok(), "{data}");
                blocks.push(data["content_block"].clone());
                open = Some((index.unwrap(), String::new()));
            }
            "content_block_delta" => {
                let (at, arguments) = open.as_mut().unwrap_or_else(|| panic!("no block is open: {data}"));
                assert_eq!(index, Some(*at), "{data}");
                let block = body["content"].as_array_mut().unwrap().last_mut().unwrap();
                match data["delta"]["partial_json"].as_str() {
                    Some(piece) => {
                        arguments.push_str(piece);
                        argument_pieces += usize::from(!piece.is_empty());
                    }
                    None => pieces += usize::from(grow(block, &data["delta"])),
                }
            }
            "content_block_stop" => {
                let (at, arguments) = open.take().unwrap_or_else(|| panic!("no block is open: {data}"));
                assert_eq!(index, Some(at), "{data}");
                if !arguments.is_empty() {
                    let block = body["content"].as_array_mut().unwrap().last_mut().unwrap();
                    block["input"] = serde_json::from_str(&arguments).expect("JSON arguments");
                }
            }
            "message_delta" => {
                assert!(open.is_none(), "a block is open: {data}");
                for (member, value) in data["delta"].as_object().expect("a delta") {
                    body[member] = value.clone();
                }
                for (member, value) in data["usage"].as_object().expect("a usage") {
                    body["usage"][member] = value.clone();
                }
            }
            "message_stop" => ended = true,
            "error" => error = Some(data.clone()),
            "ping" => {}
            other => panic!("a strange event {other}"),
        }
    }
    let said = if body.is_null() { Said::default() } else { messages(&body) };
    Said { ended, error, pieces, argument_pieces, ..said }
}

fn gemini_usage(usage: &Value) -> Option<(u64, u64, u64)> {
    let output = number(&usage["candidatesTokenCount"]) + number(&usage["thoughtsTokenCount"]);
    usage.is_object().then(|| (number(&usage["promptTokenCount"]), number(&usage["cachedContentTokenCount"]), output))
}

/// Reads a body, or all chunks of a stream.
pub fn gemini(chunks: &[Value]) -> Said {
    let mut said = Said::default();
    let mut parts: Vec<Value> = Vec::new();
    for chunk in chunks {
        has(chunk, &["candidates", "modelVersion", "responseId"]);
        if let Some(usage) = gemini_usage(&chunk["usageMetadata"]) {
            said.usage = Some(usage);
        }
        let candidate = &chunk["candidates"][0];
        parts.extend(candidate["content"]["parts"].as_array().into_iter().flatten().cloned());
        if let Some(finish) = candidate["finishReason"].as_str() {
            said.finish = finish.to_owned();
        }
    }
    for part in &parts {
        if let Some(call) = part.get("functionCall") {
            let arguments = call["args"].as_object().map_or_else(|| "{}".to_owned(), |args| json!(args).to_string());
            said.calls.push(Called { id: text(&call["id"]), name: text(&call["name"]), arguments });
            said.argument_pieces += 1;
        } else if part["thought"] == true {
            said.thought.push_str(part["text"].as_str().expect("a thought"));
        } else {
            said.text.push_str(part["text"].as_str().unwrap_or_else(|| panic!("a strange part {part}")));
            said.pieces += 1;
        }
    }
    said.native = vec![json!({"role": "model", "parts": parts})];
    said
}

fn gemini_stream(events: &[(String, Value)]) -> Said {
    let mut chunks = Vec::new();
    let mut error = None;
    for (name, data) in events {
        assert!(name.is_empty(), "Gemini's events have no names, found {name}");
        assert!(error.is_none(), "{data} after the end");
        if data.get("error").is_some() {
            error = Some(data.clone());
        } else {
            chunks.push(data.clone());
        }
    }
    let said = gemini(&chunks);
    Said { ended: !said.finish.is_empty() && error.is_none(), error, ..said }
}
