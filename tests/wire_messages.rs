//! The Anthropic messages wire against its fixtures: every one is read, written again, cut and bent. Not what other
//! formats make of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::expect_fun_call)]

use serde_json::{Value, json};
use weir::chat::answer::Finish;
use weir::chat::event::{Delta, Event};
use weir::chat::failure::FailureKind;
use weir::chat::family::ApiFamily;
use weir::chat::feature::{Feature, Features};
use weir::chat::part::Content;
use weir::chat::request::{Depth, Effort, Role, Tool};
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::anthropic::messages::Messages;
use weir::codec::anthropic::seal::has_foreign_seals;
use weir::codec::wire::{BadAnswer, ClientWire, Frame, ProviderWire, Shape};
use weir::codec::writer::Writer;
use weir::http::Headers;

fn fixtures(kind: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/wire/messages/{kind}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn name(fixture: &Value) -> &str {
    fixture["name"].as_str().unwrap()
}

fn fixture(kind: &str, wanted: &str) -> Value {
    fixtures(kind).into_iter().find(|fixture| name(fixture) == wanted).expect(wanted)
}

fn body(fixture: &Value) -> Vec<u8> {
    match &fixture["body"] {
        Value::String(text) => text.clone().into_bytes(),
        body => body.to_string().into_bytes(),
    }
}

/// The bytes of a stream's fixture.
fn stream(fixture: &Value) -> Vec<u8> {
    let mut out = String::new();
    for event in fixture["events"].as_array().unwrap() {
        if let Some(comment) = event["comment"].as_str() {
            out.push_str(&format!(": {comment}\n\n"));
            continue;
        }
        if let Some(name) = event["event"].as_str() {
            out.push_str(&format!("event: {name}\n"));
        }
        match &event["data"] {
            Value::String(text) => out.push_str(&format!("data: {text}\n\n")),
            data => out.push_str(&format!("data: {data}\n\n")),
        }
    }
    out.into_bytes()
}

/// What a decoder says, as text: prose prints as its length, so its words are added.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut said = Vec::new();
    let mut sink = |event: Event<'_>| {
        let words = match &event {
            Event::Delta { delta: Delta::Text(text), .. } => {
                let mut writer = Writer::with_capacity(16);
                writer.prose(text);
                String::from_utf8(writer.into_bytes()).unwrap()
            }
            _ => String::new(),
        };
        said.push(match &event {
            Event::Delta { block, delta: Delta::Text(_) } => format!("{block}: {words}"),
            _ => format!("{event:?}"),
        });
    };
    let mut decoder = Messages.decode_stream();
    pieces.for_each(|piece| decoder.push(piece, &mut sink));
    decoder.finish(&mut sink);
    said
}

fn frame() -> Frame {
    Frame {
        id: "0123456789abcdef".to_owned(),
        model: "shown".to_owned(),
        created: 0,
        input_tokens: 33,
        include_usage: false,
        sse: true,
    }
}

fn shape<'a>(model: &'a str, traits: &[Trait]) -> Shape<'a> {
    Shape {
        model,
        api: ApiFamily::Anthropic,
        vendor: "anthropic",
        traits: traits.iter().fold(Traits::NONE, |all, one| all.with(*one)),
        capabilities: None,
        max_output: None,
    }
}

fn shape_of(model: &str) -> Shape<'_> {
    match model {
        "claude-opus-4-5" => shape(model, &[Trait::OutputConfig]),
        "claude-opus-4-6" => shape(model, &[Trait::OutputConfig, Trait::AdaptiveThinking, Trait::BudgetThinking]),
        "claude-opus-5" => shape(model, &[Trait::OutputConfig, Trait::AdaptiveThinking, Trait::MidConversationSystem]),
        _ => shape(model, &[]),
    }
}

/// Texts alone and in a list are the same to Anthropic, and so is a result that did not fail and one that says so.
fn canonical(mut value: Value) -> Value {
    fn blocks(content: &mut Value) {
        if let Value::String(text) = content {
            *content = json!([{"type": "text", "text": text}]);
        }
        for block in content.as_array_mut().into_iter().flatten() {
            if block["type"] == "tool_result" && block.get("content").is_some() {
                blocks(&mut block["content"]);
            }
        }
    }
    if value.get("system").is_some() {
        blocks(&mut value["system"]);
    }
    value["messages"].as_array_mut().unwrap().iter_mut().for_each(|message| blocks(&mut message["content"]));
    value
}

/// Requests that do not come back as they were, and why.
const CHANGED: [(&str, &str); 8] = [
    ("a document given as content, with context", "becomes a text; its context has no place"),
    ("thinking of no seal and of another vendor's seal", "is left out"),
    ("a system message between calls and results", "goes behind the results"),
    ("a body for count_tokens", "gets a limit"),
    ("six cache marks", "are four"),
    ("empty texts, empty turns and same roles in a row", "are joined"),
    ("unknown blocks, members and a tool of type custom", "unknown members inside others are lost"),
    ("everything null that may be", "says nothing"),
];

#[test]
fn every_request_comes_back_as_it_was() {
    for fixture in fixtures("requests") {
        let body = body(&fixture);
        let request = Messages.decode_request(&body).unwrap_or_else(|error| panic!("{}: {error}", name(&fixture)));
        let model = request.model.as_ref().unwrap().0.clone();
        let shape = shape_of(&model);
        let mut writer = Writer::with_capacity(1024);
        let lost = Messages.encode_request(&request, &shape, &mut writer).expect(name(&fixture));
        let mut discarding = Writer::discarding();
        assert_eq!(Messages.encode_request(&request, &shape, &mut discarding), Ok(lost), "{}", name(&fixture));
        let written: Value = serde_json::from_slice(&writer.into_bytes()).expect(name(&fixture));
        if CHANGED.iter().all(|(changed, _)| *changed != name(&fixture)) {
            assert_eq!(canonical(written), canonical(fixture["body"].clone()), "{}", name(&fixture));
            assert!(lost.is_empty(), "{}: {lost}", name(&fixture));
        }
    }
}

#[test]
fn what_was_written_once_is_written_so_again() {
    for fixture in fixtures("requests") {
        let write = |body: &[u8]| {
            let request = Messages.decode_request(body).expect(name(&fixture));
            let mut writer = Writer::with_capacity(1024);
            Messages.encode_request(&request, &shape_of("claude-opus-5"), &mut writer).expect(name(&fixture));
            writer.into_bytes()
        };
        let once = write(&body(&fixture));
        let read = |bytes: &[u8]| canonical(serde_json::from_slice(bytes).unwrap());
        assert_eq!(read(&write(&once)), read(&once), "{}", name(&fixture));
    }
}

#[test]
fn requests_of_a_wrong_shape_are_refused_with_their_place() {
    for (body, what) in [
        (r#"{"model":1,"messages":[]}"#, "a string is expected"),
        (r#"{"model":"m"}"#, "`messages` is missing"),
        (r#"{"messages":[],"messages":[]}"#, "a member stands twice"),
        (r#"{"messages":[{"role":"user","content":1}]}"#, "content must be a string or an array of blocks"),
        (r#"{"messages":[{"role":"robot","content":""}]}"#, "`role` must be `user`, `assistant` or `system`"),
        (r#"{"messages":[{"role":"user"}]}"#, "a message needs `content`"),
        (r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#, "a content block needs a `type`"),
        (r#"{"messages":[],"max_tokens":"5"}"#, "`max_tokens` must be a whole number"),
        (r#"{"messages":[],"stream":1}"#, "`stream` must be true or false"),
        (r#"{"messages":[],"tools":[{}]}"#, "a tool needs a `name`"),
        (r#"{"messages":[]} x"#, "something follows the JSON value"),
    ] {
        assert_eq!(Messages.decode_request(body.as_bytes()).unwrap_err().what, what, "{body}");
    }
    let nested =
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{}]}]}]}"#;
    let place = nested.find("{}").unwrap();
    assert_eq!(Messages.decode_request(nested.as_bytes()).unwrap_err().offset, place);
}

#[test]
fn every_answer_comes_back_as_it_was() {
    for fixture in fixtures("answers") {
        let body = body(&fixture);
        let answer = Messages.decode_answer(&body).unwrap_or_else(|error| panic!("{}: {error:?}", name(&fixture)));
        let mut written: Value = serde_json::from_slice(&Messages.encode_answer(&answer, &frame())).unwrap();
        let mut expected = fixture["body"].clone();
        for gone in ["stop_details", "container", "x_future"] {
            expected.as_object_mut().unwrap().remove(gone);
        }
        let usage = expected["usage"].as_object_mut().unwrap();
        ["server_tool_use", "service_tier", "inference_geo"].iter().for_each(|gone| drop(usage.remove(*gone)));
        for block in expected["content"].as_array_mut().unwrap() {
            ["caller", "mood"].iter().for_each(|gone| drop(block.as_object_mut().unwrap().remove(*gone)));
        }
        if name(&fixture).contains("tomorrow") || name(&fixture).contains("end_turn") {
            expected["stop_reason"] = Value::Null;
            written["stop_reason"] = Value::Null;
        }
        let defaults = |value: &mut Value| {
            for count in ["cache_creation_input_tokens", "cache_read_input_tokens"] {
                value["usage"].as_object_mut().unwrap().entry(count).or_insert(json!(0));
            }
        };
        defaults(&mut expected);
        assert_eq!(written, expected, "{}", name(&fixture));
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_told() {
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    match Messages.decode_answer(body) {
        Err(BadAnswer::Failure(failure)) => assert_eq!(failure.kind, FailureKind::Overloaded),
        other => panic!("{other:?}"),
    }
    for body in [&b"{}"[..], b"", b"[1]", b"<html>"] {
        assert!(matches!(Messages.decode_answer(body), Err(BadAnswer::Malformed(_))));
    }
}

#[test]
fn citations_say_where_their_text_stands() {
    let fixture = fixture("answers", "a web search with citations");
    let body = body(&fixture);
    let answer = Messages.decode_answer(&body).unwrap();
    let spans = answer.parts.iter().filter_map(|part| match &part.content {
        Content::Text { citations, .. } => citations.first().and_then(|one| one.span),
        _ => None,
    });
    assert_eq!(spans.collect::<Vec<_>>(), [(3, 9)]);
}

#[test]
fn a_stream_says_the_same_at_every_split() {
    for fixture in fixtures("streams") {
        let bytes = stream(&fixture);
        let whole = decode(std::iter::once(&bytes[..]));
        for at in 0..=bytes.len() {
            let (before, after) = bytes.split_at(at);
            assert_eq!(decode([before, after].into_iter()), whole, "{} at {at}", name(&fixture));
        }
        assert_eq!(decode(bytes.chunks(1)), whole, "{} byte by byte", name(&fixture));
    }
}

/// What `chat::event` promises of every stream.
#[test]
fn every_stream_keeps_the_order_of_events() {
    for fixture in fixtures("streams") {
        let mut open = Vec::new();
        let (mut started, mut next, mut finished, mut over) = (false, 0, false, false);
        let mut sink = |event: Event<'_>| {
            let name = name(&fixture);
            assert!(!over, "{name}: {event:?} after the end");
            match event {
                Event::Start { .. } => {
                    assert!(!started, "{name}");
                    started = true;
                }
                Event::Open { block, .. } => {
                    assert!(started && !finished && block == next, "{name}");
                    next += 1;
                    open.push(block);
                }
                Event::Delta { block, .. } => assert!(open.contains(&block), "{name}"),
                Event::Close { block } => {
                    let at = open.iter().position(|one| *one == block).expect(name);
                    open.remove(at);
                }
                Event::Finish(_) => {
                    assert!(started && !finished && open.is_empty(), "{name}");
                    finished = true;
                }
                Event::Failure(_) | Event::Done => over = true,
                Event::Usage(_) | Event::Ping => {}
            }
        };
        let mut decoder = Messages.decode_stream();
        decoder.push(&stream(&fixture), &mut sink);
        decoder.finish(&mut sink);
        let ends = !name(&fixture).contains("cut");
        assert_eq!(over, ends, "{}", name(&fixture));
    }
}

/// Decodes, encodes, and decodes again: the same is said.
#[test]
fn every_stream_survives_the_way_through() {
    for fixture in fixtures("streams") {
        let bytes = stream(&fixture);
        let mut out = Vec::new();
        let mut encoder = Messages.encode_stream(&frame());
        let mut decoder = Messages.decode_stream();
        let mut sink = |event: Event<'_>| encoder.event(&event, &mut out);
        decoder.push(&bytes, &mut sink);
        decoder.finish(&mut sink);
        // Usage is told at other times, an empty block is not told, and what the vendor left out is filled in.
        let told = |bytes: &[u8]| -> Vec<String> {
            let quiet = |line: &String| !line.starts_with("Usage") && !line.starts_with("Ping");
            decode(std::iter::once(bytes)).into_iter().filter(quiet).collect()
        };
        let (mut before, mut after) = (told(&bytes), told(&out));
        if name(&fixture).starts_with("a server that leaves out") {
            before.remove(0);
            after.remove(0);
        }
        assert_eq!(after, before, "{}", name(&fixture));
    }
}

#[test]
fn the_last_usage_of_a_stream_is_the_whole() {
    for (name, input, output) in [
        ("the cache counted twice", 105, 15),
        ("a web search with citations", 500, 15),
        ("plain text with a ping", 25, 15),
    ] {
        let mut last = None;
        let mut decoder = Messages.decode_stream();
        decoder.push(&stream(&fixture("streams", name)), &mut |event| {
            if let Event::Usage(usage) = event {
                last = Some(usage);
            }
        });
        let last = last.unwrap();
        assert_eq!((last.input, last.output), (input, output), "{name}");
    }
}

#[test]
fn every_error_has_its_kind() {
    let kinds = [
        ("a wrong request", FailureKind::InvalidRequest),
        ("a prompt that is too long", FailureKind::ContextTooLong),
        ("input and limit beyond the window", FailureKind::ContextTooLong),
        ("no credit", FailureKind::Billing),
        ("a wrong key", FailureKind::Authentication),
        ("billing", FailureKind::Billing),
        ("a forbidden resource", FailureKind::Permission),
        ("an unknown model", FailureKind::NotFound),
        ("a body that is too large", FailureKind::TooLarge),
        ("a rate limit", FailureKind::RateLimit),
        ("a fault", FailureKind::Server),
        ("a timeout", FailureKind::Timeout),
        ("overload", FailureKind::Overloaded),
        ("a type of tomorrow", FailureKind::InvalidRequest),
        ("Vertex in Google's words", FailureKind::RateLimit),
        ("Vertex in an array", FailureKind::InvalidRequest),
        ("plain text from a front proxy", FailureKind::Overloaded),
        ("a page of HTML", FailureKind::Server),
        ("an empty body", FailureKind::Server),
    ];
    let all = fixtures("errors");
    assert_eq!(all.len(), kinds.len());
    for fixture in all {
        let pairs = fixture["headers"].as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
        let status = fixture["status"].as_u64().unwrap() as u16;
        let body = body(&fixture);
        let failure = Messages.decode_failure(status, &Headers::from_pairs(pairs), &body);
        let (_, kind) = kinds.iter().find(|(named, _)| *named == name(&fixture)).expect(name(&fixture));
        assert_eq!((failure.kind, failure.status), (*kind, status), "{}", name(&fixture));
        assert!(!failure.message.is_empty(), "{}", name(&fixture));
        let (status, written) = Messages.encode_failure(&failure);
        let again = Messages.decode_failure(status, &Headers::default(), &written);
        assert_eq!((again.kind, &again.message), (failure.kind, &failure.message), "{}", name(&fixture));
        if failure.kind == FailureKind::Overloaded {
            assert_eq!(status, 529);
        }
    }
}

/// Cut anywhere, or with a byte that is another: nothing panics, nothing hangs.
#[test]
fn broken_bytes_are_refused_quietly() {
    let other = |byte: u8| [byte ^ 0x20, b'"', b'{', 0xff];
    for fixture in fixtures("requests") {
        bend(&body(&fixture), &other, &mut |bytes| {
            if let Ok(request) = Messages.decode_request(bytes) {
                let _ = Messages.encode_request(&request, &shape_of("claude-opus-5"), &mut Writer::with_capacity(64));
            }
        });
    }
    for fixture in fixtures("answers") {
        bend(&body(&fixture), &other, &mut |bytes| {
            if let Ok(answer) = Messages.decode_answer(bytes) {
                Messages.encode_answer(&answer, &frame());
            }
        });
    }
    for fixture in fixtures("errors") {
        bend(&body(&fixture), &other, &mut |bytes| drop(Messages.decode_failure(400, &Headers::default(), bytes)));
    }
    for fixture in fixtures("streams") {
        bend(&stream(&fixture), &|byte| [byte ^ 0x20, b'}', b'"', b'\n'], &mut |bytes| {
            let (mut encoder, mut out) = (Messages.encode_stream(&frame()), Vec::new());
            let mut decoder = Messages.decode_stream();
            decoder.push(bytes, &mut |event| encoder.event(&event, &mut out));
            decoder.finish(&mut |event| encoder.event(&event, &mut out));
        });
    }
}

fn bend(bytes: &[u8], other: &dyn Fn(u8) -> [u8; 4], visit: &mut dyn FnMut(&[u8])) {
    for at in 0..bytes.len() {
        visit(&bytes[..at]);
        let mut bent = bytes.to_vec();
        bent[at] = other(bytes[at])[at % 4];
        visit(&bent);
    }
}

/// Thoughts that Weir sealed for another vendor are known by a mark, and go no further than to it.
#[test]
fn seals_of_other_vendors_never_reach_anthropic() {
    for fixture in fixtures("requests") {
        let body = body(&fixture);
        assert_eq!(has_foreign_seals(&body), name(&fixture).contains("another vendor's seal"), "{}", name(&fixture));
        let request = Messages.decode_request(&body).unwrap();
        let mut writer = Writer::with_capacity(1024);
        Messages.encode_request(&request, &shape_of("claude-opus-5"), &mut writer).unwrap();
        assert!(!has_foreign_seals(&writer.into_bytes()), "{}", name(&fixture));
    }
}

/// What a coding agent sends: 24 tools, three system blocks with marks, a system role inside the messages.
fn agent_body() -> Value {
    let mark = json!({"type": "ephemeral"});
    let tools: Vec<Value> = (0..24)
        .map(|index| {
            json!({
                "name": format!("Tool{index}"),
                "description": "A tool. ".repeat(300),
                "input_schema": {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "type": "object",
                    "properties": {"path": {"type": "string", "description": "Where."}, "deep": {"type": "object",
                        "properties": {"tools": {"type": "array", "items": {"type": "string"}}}}},
                    "required": ["path"],
                    "additionalProperties": false,
                },
            })
        })
        .collect();
    json!({
        "model": "claude-opus-5",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nDate: today\n</system-reminder>"},
                {"type": "text", "text": "List the files.", "cache_control": mark},
            ]},
            {"role": "system", "content": [{"type": "text", "text": "The following skills are available."}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "", "signature": "EqQBCkYIARgCKkA"},
                {"type": "tool_use", "id": "toolu_01", "name": "Tool0", "input": {"path": "."}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01", "content": "a\nb", "is_error": false},
            ]},
        ],
        "system": [
            {"type": "text", "text": "x-billing-header: v=1"},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "Rules.\n".repeat(500), "cache_control": mark},
        ],
        "tools": tools,
        "metadata": {"user_id": "user_1_account__session_2"},
        "max_tokens": 64000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "stream": true,
    })
}

#[test]
fn a_coding_agent_s_request_is_read_in_full() {
    let body = agent_body().to_string().into_bytes();
    assert!(body.len() > 60_000);
    let request = Messages.decode_request(&body).unwrap();
    assert_eq!(request.tools.len(), 24);
    assert!(request.tools.iter().all(|tool| matches!(tool, Tool::Function { .. })));
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::System, Role::Assistant, Role::Tool]);
    assert_eq!(request.reasoning.depth, Some(Depth::Effort(Effort::Medium)));
    assert_eq!((request.max_output, request.stream), (Some(64_000), true));
    let kept: Features = request.foreign.iter().map(|foreign| foreign.feature).collect();
    assert_eq!(kept, [Feature::ContextManagement].into_iter().collect());
    assert!(request.foreign.iter().all(|foreign| foreign.wire == Wire::Messages));
    assert_eq!(request.turns[0].parts.iter().filter(|part| part.cache.is_some()).count(), 2);
}

#[test]
fn a_coding_agent_s_request_is_fitted_to_each_model() {
    let body = agent_body().to_string().into_bytes();
    let request = Messages.decode_request(&body).unwrap();
    let write = |shape: &Shape<'_>| {
        let mut writer = Writer::with_capacity(1024);
        let lost = Messages.encode_request(&request, shape, &mut writer).unwrap();
        (lost, serde_json::from_slice::<Value>(&writer.into_bytes()).unwrap())
    };
    let (lost, written) = write(&shape_of("claude-opus-5"));
    assert!(lost.is_empty(), "{lost}");
    let mut expected = canonical(agent_body());
    expected["messages"][3]["content"][0].as_object_mut().unwrap().remove("is_error");
    assert_eq!(canonical(written), expected);

    let mut older = shape("claude-sonnet-4-5", &[]);
    older.max_output = Some(32_000);
    let (lost, written) = write(&older);
    assert_eq!(lost, [Feature::LateSystem].into_iter().collect(), "{lost}");
    assert_eq!(written["max_tokens"], 32_000);
    assert_eq!(written["thinking"], json!({"type": "enabled", "budget_tokens": 2048}));
    assert!(written.get("output_config").is_none());
    assert_eq!(written["messages"][0]["content"].as_array().unwrap().len(), 3);

    let mut vertex = shape_of("claude-opus-5@20260101");
    vertex.api = ApiFamily::Vertex;
    let (_, written) = write(&vertex);
    assert_eq!(written["anthropic_version"], "vertex-2023-10-16");
    assert!(written.get("model").is_none());
}

#[test]
fn a_finish_is_read_from_what_was_seen() {
    let fixture = fixture("answers", "a call that says end_turn");
    let body = body(&fixture);
    assert_eq!(Messages.decode_answer(&body).unwrap().finish, Finish::ToolCalls);
}
