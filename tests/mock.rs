//! `weir mock` over a socket, in every API family: what it answers, what it refuses, what its faults look like. Its own
//! words are the judge of the gateway's translations, so they are held here by hand-written bodies.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A mock in a process of its own, which ends with this value.
struct Mock {
    child: Child,
    address: String,
}

/// An answer, its transfer coding undone.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// False when the connection ended before the body did.
    whole: bool,
}

impl Mock {
    fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["mock", "--listen", "one@127.0.0.1:0"]).args(options);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        Self { child, address }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}").unwrap();
        let mut bytes = Vec::new();
        // A reset is how a cut ends; what came before it counts.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let rest = &bytes[end + 4..];
        if head.contains("transfer-encoding: chunked") {
            let (body, whole) = dechunk(rest);
            return Answer { status, head, body, whole };
        }
        Answer { status, head, body: rest.to_vec(), whole: true }
    }

    fn fault(&self, fault: &Value) {
        assert_eq!(self.send("POST", "/_mock/faults", &[], &fault.to_string()).status, 200);
    }

    fn ask(&self, family: &Family, body: &Value, stream: bool) -> Answer {
        let mut body = body.clone();
        if family.stream_member && stream {
            body["stream"] = json!(true);
        }
        let path = if stream { family.stream_path } else { family.path };
        self.send("POST", path, &[("anthropic-version", "2023-06-01")], &body.to_string())
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if rest.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
    (body, false)
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The events of a stream as JSON: server-sent data, frames of an event stream, or an array's items.
    fn events(&self) -> Vec<Value> {
        if self.head.contains("vnd.amazon.eventstream") {
            return frames(&self.body);
        }
        if self.head.contains("application/json") {
            return self.json().as_array().unwrap().clone();
        }
        let data = |event: &str| event.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        let text = self.text();
        let events = text.split("\n\n").filter_map(data).filter(|data| data != "[DONE]");
        events.map(|data| serde_json::from_str(&data).unwrap()).collect()
    }
}

/// Frames as `{"<event type>": payload}`.
fn frames(mut bytes: &[u8]) -> Vec<Value> {
    let mut all = Vec::new();
    while bytes.len() >= 16 {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        let names = String::from_utf8_lossy(&bytes[12..12 + headers]).into_owned();
        let kind =
            ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];
        let kind = kind.iter().find(|kind| names.contains(*kind)).copied().unwrap_or("exception");
        let payload: Value = serde_json::from_slice(&bytes[12 + headers..total - 4]).unwrap();
        all.push(json!({ kind: payload }));
        bytes = &bytes[total..];
    }
    all
}

/// How a family is spoken to, and where its answers hold what.
struct Family {
    name: &'static str,
    path: &'static str,
    stream_path: &'static str,
    stream_member: bool,
    /// A request whose user says this.
    request: fn(&str) -> Value,
    /// JSON pointers of a text in a whole answer and in an event.
    text: &'static str,
    delta: &'static str,
    /// JSON pointers of the arguments of a call in a whole answer and in an event.
    arguments: &'static str,
    fragment: &'static str,
    /// JSON pointer of an error's message, in a body and in a stream.
    error: &'static str,
    stream_error: &'static str,
}

const SCHEMA: &str = r#"{"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"], "additionalProperties": false}"#;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn function() -> Value {
    json!({"name": "get_weather", "description": "Tells the weather", "parameters": schema()})
}

fn chat(says: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": says}],
        "tools": [{"type": "function", "function": function()}]})
}

fn responses(says: &str) -> Value {
    json!({"model": "m", "input": says, "include": ["reasoning.encrypted_content"], "tools": [
        {"type": "function", "strict": false, "name": "get_weather", "parameters": schema()}]})
}

fn messages(says: &str) -> Value {
    json!({"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": says}],
        "tools": [{"name": "get_weather", "input_schema": schema()}]})
}

fn vertex_messages(says: &str) -> Value {
    let mut body = messages(says);
    body.as_object_mut().unwrap().remove("model");
    body["anthropic_version"] = json!("vertex-2023-10-16");
    body
}

fn gemini(says: &str) -> Value {
    let declared = json!({"name": "get_weather", "parametersJsonSchema": schema()});
    json!({"contents": [{"role": "user", "parts": [{"text": says}]}], "tools": [{"functionDeclarations": [declared]}]})
}

fn converse(says: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": says}]}], "toolConfig": {"tools": [
        {"toolSpec": {"name": "get_weather", "inputSchema": {"json": schema()}}}]}})
}

fn families() -> Vec<Family> {
    let chat_family = Family {
        name: "chat",
        path: "/v1/chat/completions",
        stream_path: "/v1/chat/completions",
        stream_member: true,
        request: chat,
        text: "/choices/0/message/content",
        delta: "/choices/0/delta/content",
        arguments: "/choices/0/message/tool_calls/0/function/arguments",
        fragment: "/choices/0/delta/tool_calls/0/function/arguments",
        error: "/error/message",
        stream_error: "/error/message",
    };
    let anthropic = Family {
        name: "anthropic",
        path: "/v1/messages",
        stream_path: "/v1/messages",
        request: messages,
        text: "/content/0/text",
        delta: "/delta/text",
        arguments: "/content/0/input",
        fragment: "/delta/partial_json",
        ..chat_family
    };
    let studio = Family {
        name: "gemini",
        path: "/v1beta/models/gemini-2.5-pro:generateContent",
        stream_path: "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        stream_member: false,
        request: gemini,
        text: "/candidates/0/content/parts/0/text",
        delta: "/candidates/0/content/parts/0/text",
        arguments: "/candidates/0/content/parts/0/functionCall/args",
        fragment: "/candidates/0/content/parts/0/functionCall/args",
        ..chat_family
    };
    let vertex = "/v1/projects/p/locations/global/publishers";
    let leak = |path: String| -> &'static str { Box::leak(path.into_boxed_str()) };
    vec![
        Family {
            name: "azure",
            path: "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            stream_path: "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            ..chat_family
        },
        Family {
            name: "responses",
            path: "/v1/responses",
            stream_path: "/v1/responses",
            request: responses,
            text: "/output/0/content/0/text",
            delta: "/delta",
            arguments: "/output/0/arguments",
            fragment: "/delta",
            stream_error: "/response/error/message",
            ..chat_family
        },
        Family {
            name: "vertex claude",
            path: leak(format!("{vertex}/anthropic/models/claude-x@20250929:rawPredict")),
            stream_path: leak(format!("{vertex}/anthropic/models/claude-x@20250929:streamRawPredict")),
            request: vertex_messages,
            ..anthropic
        },
        anthropic,
        Family {
            name: "vertex",
            path: leak(format!("{vertex}/google/models/gemini-2.5-pro:generateContent")),
            stream_path: leak(format!("{vertex}/google/models/gemini-2.5-pro:streamGenerateContent")),
            ..studio
        },
        studio,
        Family {
            name: "converse",
            path: "/model/anthropic.claude-v1%3A0/converse",
            stream_path: "/model/anthropic.claude-v1%3A0/converse-stream",
            stream_member: false,
            request: converse,
            text: "/output/message/content/0/text",
            delta: "/contentBlockDelta/delta/text",
            arguments: "/output/message/content/0/toolUse/input",
            fragment: "/contentBlockDelta/delta/toolUse/input",
            error: "/message",
            stream_error: "/exception/message",
        },
        Family {
            name: "cohere",
            path: "/v2/chat",
            stream_path: "/v2/chat",
            request: chat,
            text: "/message/content/0/text",
            delta: "/delta/message/content/text",
            arguments: "/message/tool_calls/0/function/arguments",
            fragment: "/delta/message/tool_calls/function/arguments",
            error: "/message",
            stream_error: "/delta/error",
            ..chat_family
        },
        chat_family,
    ]
}

/// What the events of a stream spell at a pointer. Responses say everything twice: only deltas count.
fn spelled(events: &[Value], pointer: &str) -> (String, usize) {
    let is_delta = |event: &&Value| {
        event["type"].as_str().is_none_or(|kind| !kind.starts_with("response.") || kind.ends_with(".delta"))
    };
    let found: Vec<String> = events
        .iter()
        .filter(is_delta)
        .filter_map(|event| event.pointer(pointer))
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    (found.concat(), found.iter().filter(|piece| !piece.is_empty()).count())
}

#[test]
fn every_family_names_its_provider_whole_and_in_a_stream() {
    let mock = Mock::start(&[]);
    for family in families() {
        let name = family.name;
        let whole = mock.ask(&family, &(family.request)("How deep is the river?"), false);
        assert_eq!(whole.status, 200, "{name}: {}", whole.text());
        let text = whole.json().pointer(family.text).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert!(text.starts_with("provider one model "), "{name}: {}", whole.text());
        let streamed = mock.ask(&family, &(family.request)("How deep is the river?"), true);
        let (spelled, count) = spelled(&streamed.events(), family.delta);
        assert!(spelled.starts_with("provider one model ") && streamed.whole, "{name}: {spelled:?}");
        assert_eq!(count, 8, "{name}: a content event for each chunk");
    }
}

#[test]
fn every_family_calls_a_tool_with_arguments_that_fit_it() {
    let mock = Mock::start(&[]);
    let expected = json!({"city": "Oslo", "days": 7});
    let read = |value: &Value| match value {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    for family in families() {
        let name = family.name;
        let whole = mock.ask(&family, &(family.request)("Please use the tool."), false);
        let arguments = whole.json().pointer(family.arguments).map(read);
        assert_eq!(arguments.as_ref(), Some(&expected), "{name}: {}", whole.text());
        let streamed = mock.ask(&family, &(family.request)("Please use the tool."), true);
        let (spelled, count) = spelled(&streamed.events(), family.fragment);
        assert_eq!(read(&Value::String(spelled)), expected, "{name}: {}", streamed.text());
        let is_whole = family.name == "gemini" || family.name == "vertex";
        assert_eq!(count, if is_whole { 1 } else { 3 }, "{name}: Google sends calls whole, all others in fragments");
    }
}

#[test]
fn the_arguments_and_the_tool_may_be_given_by_the_user() {
    let mock = Mock::start(&[]);
    let says = r#"now use the tool get_weather with {"city": "Bergen"}, please"#;
    let answer = mock.send("POST", "/v1/messages", &[("anthropic-version", "2023-06-01")], &messages(says).to_string());
    assert_eq!(answer.json()["content"][0]["input"], json!({"city": "Bergen"}));
}

#[test]
fn an_error_of_a_status_has_the_familys_shape() {
    let mock = Mock::start(&[]);
    for family in families() {
        for status in [400, 429, 500, 503] {
            mock.fault(&json!({"status": status, "times": 1, "retry_after": "7"}));
            let answer = mock.ask(&family, &(family.request)("hi"), false);
            let message = answer.json().pointer(family.error).and_then(Value::as_str).map(str::to_owned);
            assert_eq!(
                (answer.status, message.is_some_and(|text| text.contains("on demand"))),
                (status, true),
                "{}",
                family.name
            );
            assert!(answer.head.contains("retry-after: 7"), "{}", answer.head);
        }
    }
}

#[test]
fn an_error_may_be_a_streams_first_event_or_come_later() {
    let mock = Mock::start(&[]);
    for family in families() {
        for after in [0, 3] {
            mock.fault(&json!({"error_event_after": after, "times": 1}));
            let answer = mock.ask(&family, &(family.request)("hi"), true);
            let events = answer.events();
            let told = events.last().unwrap();
            let at_once = [told.pointer("/message"), told.pointer("/0/error/message")];
            let message = told.pointer(family.stream_error).or_else(|| at_once.into_iter().flatten().next());
            assert!(
                message.is_some_and(|text| text.as_str().unwrap().contains("broke off")),
                "{} {after}: {told}",
                family.name
            );
            assert_eq!(spelled(&events, family.delta).1, after, "{}", family.name);
            assert!(events.len() == 1 || after > 0, "{}: nothing comes before the error", family.name);
        }
    }
}

#[test]
fn a_cut_stream_has_no_end() {
    let mock = Mock::start(&[]);
    for family in families() {
        mock.fault(&json!({"cut_after_chunks": 2, "times": 1}));
        assert!(!mock.ask(&family, &(family.request)("hi"), true).whole, "{}", family.name);
    }
}

#[test]
fn tokens_are_the_same_sum_in_every_family() {
    let mock = Mock::start(&[]);
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0) as u64;
    let sums: [(&str, &[&str], &[&str]); 6] = [
        ("chat", &["/usage/prompt_tokens"], &["/usage/completion_tokens"]),
        ("responses", &["/usage/input_tokens"], &["/usage/output_tokens"]),
        (
            "anthropic",
            &["/usage/input_tokens", "/usage/cache_read_input_tokens", "/usage/cache_creation_input_tokens"],
            &["/usage/output_tokens"],
        ),
        (
            "gemini",
            &["/usageMetadata/promptTokenCount"],
            &["/usageMetadata/candidatesTokenCount", "/usageMetadata/thoughtsTokenCount"],
        ),
        ("converse", &["/usage/inputTokens", "/usage/cacheReadInputTokens"], &["/usage/outputTokens"]),
        ("cohere", &["/usage/tokens/input_tokens"], &["/usage/tokens/output_tokens"]),
    ];
    for (name, input, output) in sums {
        let family = families().into_iter().find(|family| family.name == name).unwrap();
        let body = (family.request)("How deep is the river?");
        let answer = mock.ask(&family, &body, false).json();
        let text = answer.pointer(family.text).and_then(Value::as_str).unwrap();
        let total = |pointers: &[&str]| pointers.iter().map(|pointer| number(&answer, pointer)).sum::<u64>();
        let expected = (body.to_string().len().div_ceil(4) as u64, text.len().div_ceil(4) as u64);
        assert_eq!((total(input), total(output)), expected, "{name}: {answer}");
        mock.fault(&json!({"no_usage": true, "times": 1}));
        let bare = mock.ask(&family, &body, false).json();
        assert_eq!(total_of(&bare), 0, "{name}: {bare}");
    }
}

/// The sum of all numbers called tokens.
fn total_of(answer: &Value) -> u64 {
    match answer {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value.as_f64() {
                Some(number) if name.to_lowercase().contains("token") => number as u64,
                _ => total_of(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(total_of).sum(),
        _ => 0,
    }
}

/// A body of a family with one thing changed, and what the vendor says to it.
struct Slip {
    family: &'static str,
    pointer: &'static str,
    value: Value,
    says: &'static str,
}

fn slips() -> Vec<Slip> {
    let slip = |family, pointer, value, says| Slip { family, pointer, value, says };
    let result = json!([{"type": "tool_result", "tool_use_id": "x", "content": "7"}]);
    vec![
        slip("chat", "/system", json!("S"), "Unrecognized request argument"),
        slip("chat", "/messages/0/role", json!("model"), "Supported values"),
        slip("chat", "/messages/0/content", json!([{"type": "input_text", "text": "x"}]), "Supported values"),
        slip("chat", "/messages/0/tool_calls", json!([]), ""),
        slip("chat", "/tool_choice", json!({"type": "tool", "name": "x"}), "tool_choice"),
        slip("chat", "/stream_options", json!({}), "stream_options"),
        slip("chat", "/tools", json!([]), "empty array"),
        slip("responses", "/messages", json!([]), "Unknown parameter"),
        slip("responses", "/input", json!([{"type": "tool_use"}]), "Invalid value: 'tool_use'"),
        slip(
            "responses",
            "/input",
            json!([{"type": "function_call_output", "call_id": "a", "output": "x"}]),
            "No tool call",
        ),
        slip(
            "responses",
            "/input",
            json!([{"type": "function_call", "call_id": "a", "name": "b", "arguments": "{}"}]),
            "No tool output",
        ),
        slip(
            "responses",
            "/input",
            json!([{"type": "message", "id": "x", "role": "user", "content": "a"}]),
            "begins with 'msg_'",
        ),
        slip("responses", "/max_output_tokens", json!(5), ">= 16"),
        slip("anthropic", "/max_tokens", Value::Null, "max_tokens: Field required"),
        slip("anthropic", "/n", json!(1), "n: Extra inputs"),
        slip("anthropic", "/temperature", json!(1.5), "temperature"),
        slip("anthropic", "/messages/0/role", json!("assistant"), "first message"),
        slip("anthropic", "/messages/0/content", json!([{"type": "text", "text": ""}]), "non-empty"),
        slip("anthropic", "/messages/0/content", result, "unexpected `tool_use_id`"),
        slip("anthropic", "/messages/0/content", json!([{"type": "input_text", "text": "x"}]), "Input tag"),
        slip("anthropic", "/thinking", json!({"type": "enabled", "budget_tokens": 10}), "1024"),
        slip("anthropic", "/tool_choice", json!("auto"), "tool_choice"),
        slip("anthropic", "/tools/0/input_schema", json!({}), "Input should be 'object'"),
        slip("anthropic", "/context_management", json!({}), "Extra inputs"),
        slip("gemini", "/stream", json!(true), "Unknown name \"stream\""),
        slip("gemini", "/labels", json!({}), "Unknown name \"labels\""),
        slip("gemini", "/contents", json!([]), "contents is not specified"),
        slip("gemini", "/contents/0/role", json!("assistant"), "valid role"),
        slip("gemini", "/contents/0/parts/0/type", json!("text"), "Unknown name \"type\""),
        slip("gemini", "/generationConfig", json!({"maxTokens": 1}), "generation_config"),
        slip(
            "gemini",
            "/generationConfig",
            json!({"responseSchema": {"type": "OBJECT", "additionalProperties": false}, "responseMimeType": "application/json"}),
            "additionalProperties",
        ),
        slip("vertex", "/store", json!(true), "Unknown name \"store\""),
        slip("converse", "/model", json!("m"), "extraneous key [model]"),
        slip("converse", "/messages/0/role", json!("assistant"), "start with a user message"),
        slip("converse", "/messages/0/content", json!([{"text": " "}]), "blank"),
        slip("converse", "/messages/0/content", json!([{"type": "text", "text": "x"}]), "union"),
        slip("converse", "/inferenceConfig", json!({"temperature": 1.5}), "temperature"),
        slip("converse", "/toolConfig/toolChoice", json!({"none": {}}), "union"),
        slip("cohere", "/tool_choice", json!("auto"), "REQUIRED, NONE"),
        slip("cohere", "/n", json!(2), "not a valid field"),
        slip("cohere", "/response_format", json!({"type": "json_schema"}), "json_object"),
        slip("cohere", "/messages/0/role", json!("developer"), "invalid role"),
        slip("cohere", "/temperature", json!(1.5), "between 0 and 1"),
    ]
}

/// Puts a value at a pointer whose parent exists.
fn put(body: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.insert(member.to_owned(), value)),
        other => panic!("{other} at {parent}"),
    }
}

#[test]
fn each_family_refuses_what_its_vendor_refuses() {
    let mock = Mock::start(&[]);
    for slip in slips() {
        let family = families().into_iter().find(|family| family.name == slip.family).unwrap();
        let mut body = (family.request)("hi");
        put(&mut body, slip.pointer, slip.value.clone());
        let answer = mock.ask(&family, &body, false);
        let place = format!("{} {} {}", slip.family, slip.pointer, slip.value);
        if slip.says.is_empty() {
            assert_eq!(answer.status, 200, "{place}: {}", answer.text());
            continue;
        }
        let message = answer.json().pointer(family.error).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert!([400, 422].contains(&answer.status) && message.contains(slip.says), "{place}: {}", answer.text());
    }
}

#[test]
fn anthropic_versions_differ_in_what_they_take() {
    let mock = Mock::start(&[]);
    let ask = |version: &str, body: &Value| {
        let headers = if version.is_empty() { vec![] } else { vec![("anthropic-version", version)] };
        mock.send("POST", "/v1/messages?beta=true", &headers, &body.to_string()).status
    };
    let mut sampled = messages("hi");
    sampled["temperature"] = json!(1.0);
    let plain = messages("hi");
    let asked = [
        ask("2023-06-01", &sampled),
        ask("2026-10-21", &sampled),
        ask("2026-10-21", &plain),
        ask("", &plain),
        ask("2024-01-01", &plain),
    ];
    assert_eq!(asked, [200, 400, 200, 400, 400]);
}

#[test]
fn a_coding_agents_request_is_taken_as_it_comes() {
    let mock = Mock::start(&[]);
    let body = json!({
        "model": "claude-opus-4-8", "max_tokens": 32000, "stream": true, "thinking": {"type": "adaptive"},
        "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "<reminder>long</reminder>"}, {"type": "text", "text": "use the tool Bash"}]},
            {"role": "system", "content": "late"}],
        "tools": [{"name": "Agent", "input_schema": {"type": "object"}}, {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}}],
        "context_management": {"edits": []}, "output_config": {"effort": "high"}, "metadata": {"user_id": "u"},
    });
    let headers = [("anthropic-version", "2023-06-01"), ("anthropic-beta", "context-management-2025-06-27")];
    let answer = mock.send("POST", "/v1/messages?beta=true", &headers, &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("\"name\":\"Bash\""), "{}", answer.text());
    assert_eq!(mock.send("HEAD", "/", &[], "").status, 200);
}

#[test]
fn a_signature_is_good_at_its_own_vendor_alone() {
    let mock = Mock::start(&[]);
    let answer = mock
        .send("POST", "/v1/messages", &[("anthropic-version", "2023-06-01")], &messages("think").to_string())
        .json();
    let thought = answer["content"][0].clone();
    assert_eq!(thought["type"], "thinking");
    let (said, signature) = (thought["thinking"].clone(), thought["signature"].clone());
    let again = |blocks: Value| {
        let mut body = messages("hi");
        let turns = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": blocks}, {"role": "user", "content": "b"}]);
        body["messages"] = turns;
        mock.send("POST", "/v1/messages", &[("anthropic-version", "2023-06-01")], &body.to_string()).status
    };
    let text = json!({"type": "text", "text": "t"});
    let changed = json!({"type": "thinking", "thinking": "other", "signature": signature});
    assert_eq!(
        [again(json!([thought, text])), again(json!([changed, text])), again(json!([text, thought]))],
        [200, 400, 400]
    );
    let bedrock = |signature: &str| {
        let thought = json!({"reasoningContent": {"reasoningText": {"text": said, "signature": signature}}});
        let body = json!({"messages": [{"role": "user", "content": [{"text": "a"}]},
            {"role": "assistant", "content": [thought, {"text": "t"}]}, {"role": "user", "content": [{"text": "b"}]}]});
        mock.send("POST", "/model/m/converse", &[], &body.to_string()).status
    };
    let signature = signature.as_str().unwrap();
    assert_eq!([bedrock(signature), bedrock("bm90IENsYXVkZSdz")], [200, 400], "Claude's own is good on every platform");
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [{"text": "t", "thoughtSignature": signature}]}, {"role": "user", "parts": [{"text": "b"}]}]});
    assert_eq!(mock.send("POST", "/v1/models/m:generateContent", &[], &gemini.to_string()).status, 400);
}

#[test]
fn a_key_is_read_from_wherever_a_vendor_has_it() {
    let mock = Mock::start(&["--require-key", "k"]);
    let signed = "AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";
    let status = |path: &str, headers: &[(&str, &str)]| mock.send("GET", path, headers, "").status;
    for header in [("authorization", "Bearer k"), ("x-api-key", "k"), ("api-key", "k"), ("x-goog-api-key", "k")] {
        assert_eq!(status("/v1/models", &[header]), 200, "{header:?}");
    }
    assert_eq!(status("/v1/models", &[("authorization", signed), ("x-amz-date", "20261121T100000Z")]), 200);
    assert_eq!(status("/v1/models", &[("authorization", signed)]), 401, "no moment, no signature");
    assert_eq!(status("/v1beta/models?key=k", &[]), 200);
    for family in families() {
        let expected = match family.name {
            "gemini" => 400,
            "converse" => 403,
            _ => 401,
        };
        assert_eq!(mock.ask(&family, &(family.request)("hi"), false).status, expected, "{}", family.name);
    }
}

#[test]
fn rate_limits_are_told_on_demand_in_the_familys_own_headers() {
    let mock = Mock::start(&[]);
    let headers = [
        ("chat", "x-ratelimit-reset-tokens: 6m0s"),
        ("responses", "x-ratelimit-remaining-requests: 999"),
        ("anthropic", "anthropic-ratelimit-tokens-reset: 2026-11-21T10:06:00Z"),
    ];
    for (name, line) in headers {
        let family = families().into_iter().find(|family| family.name == name).unwrap();
        for fault in [json!({"rate_limits": true, "times": 1}), json!({"rate_limits": true, "status": 429, "times": 1})]
        {
            mock.fault(&fault);
            assert!(mock.ask(&family, &(family.request)("hi"), false).head.contains(line), "{name} {fault}");
        }
        assert!(!mock.ask(&family, &(family.request)("hi"), true).head.contains("ratelimit"), "{name}");
    }
}

#[test]
fn google_puts_an_error_into_the_array_it_would_have_streamed() {
    let mock = Mock::start(&[]);
    let path = "/v1beta/models/m:streamGenerateContent";
    let answer = mock.send("POST", path, &[], "{}");
    assert_eq!((answer.status, answer.json()[0]["error"]["status"].as_str()), (400, Some("INVALID_ARGUMENT")));
}

#[test]
fn tool_results_are_quoted_and_a_named_tool_is_called_once() {
    let mock = Mock::start(&[]);
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}});
    let mut body = chat("hi");
    body["tool_choice"] = json!({"type": "function", "function": {"name": "get_weather"}});
    let ask = |body: &Value| mock.send("POST", "/v1/chat/completions", &[], &body.to_string()).json();
    assert_eq!(ask(&body)["choices"][0]["finish_reason"], "tool_calls");
    body["messages"] = json!([{"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "minus 3"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "plus 7"}]}]);
    let text = ask(&body)["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("The tool said: minus 3") && text.contains("The tool said: plus 7"), "{text}");
    body["messages"].as_array_mut().unwrap().pop();
    assert!(ask(&body)["error"]["message"].as_str().unwrap().contains("did not have response messages: a"));
}

#[test]
fn two_calls_may_be_interleaved() {
    let mock = Mock::start(&[]);
    let mut body = chat("two tools interleaved");
    body["tools"].as_array_mut().unwrap().push(json!({"type": "custom", "custom": {"name": "say"}}));
    body["stream"] = json!(true);
    let answer = mock.send("POST", "/v1/chat/completions", &[], &body.to_string());
    let indexes: Vec<u64> = answer
        .events()
        .iter()
        .filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0/index").and_then(Value::as_u64))
        .collect();
    assert_eq!(indexes, [0, 1, 0, 1, 0, 1, 0, 1]);
    body["parallel_tool_calls"] = json!(false);
    let answer = mock.send("POST", "/v1/chat/completions", &[], &body.to_string());
    assert!(!answer.text().contains("\"index\":1"), "{}", answer.text());
}
