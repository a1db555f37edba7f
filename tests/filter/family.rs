//! A second provider of another API family: what the client gets is its own family's, whole and at every split, whatever
//! the provider sends and however it ends.

use serde_json::{Value, json};

use crate::fixture::{ANSWER, Answer, Ask, BOTH, End, Outcome, Response, Seen, WHOLE_ENDS, two_families, value};
use crate::gate::Gate;

/// A request as Anthropic gets it.
pub fn is_claude(seen: &Seen) -> bool {
    seen.header("anthropic-version").is_some()
}

pub fn claude_message() -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "bigger-model-b",
        "content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "output_tokens": 5}
    })
    .to_string()
}

pub fn claude_stream() -> String {
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "bigger-model-b", "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 9, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

/// The first provider is overloaded; the second answers this.
fn second(gate: &mut Gate, ask: &Ask, response: &Response) -> Outcome {
    gate.ask(ask, &mut |seen| match is_claude(seen) {
        true => Answer::Reply(response.clone()),
        false => Answer::Reply(Response::json(503, "{}")),
    })
}

fn pieces(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_second_provider_of_another_family_answers_in_the_client_s_at_every_split() {
    for failover in BOTH {
        for (stream, text) in [(false, claude_message()), (true, claude_stream())] {
            let mut bodies = Vec::new();
            for (size, end) in [(1, End::Last), (7, End::Last), (64, End::Last), (4096, End::Last)]
                .into_iter()
                .chain(WHOLE_ENDS.map(|end| (100, end)))
            {
                let mut gate = Gate::open(failover, &two_families());
                let shape = if stream { Response::sse("") } else { Response::json(200, &text) };
                let response = Response { chunks: pieces(text.as_bytes(), size), end, ..shape };
                let outcome = second(&mut gate, &Ask::chat("smart", stream), &response);
                assert_eq!(outcome.status, Some(200), "{outcome:?}");
                let request: Value = serde_json::from_slice(&outcome.seen[1].body).unwrap();
                assert!(request["max_tokens"].is_u64() && request.get("stream_options").is_none(), "{request}");
                assert_eq!(outcome.seen[1].header(":path").as_deref(), Some("/openai/v1/messages"));
                assert_eq!(outcome.seen[0].header("anthropic-version"), None);
                let length = value(&outcome.headers, "content-length");
                assert!(length.is_none_or(|length| length == outcome.body.len().to_string()), "{outcome:?}");
                let audit = outcome.audit();
                assert_eq!((&audit["input"], &audit["output"]), (&9.into(), &5.into()), "{audit}");
                assert_eq!((&audit["usage"], &audit["outcome"]), (&"reported".into(), &"ok".into()), "{audit}");
                assert!(outcome.text().contains(ANSWER));
                bodies.push(without_random(&outcome));
            }
            assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
        }
    }
}

/// The body without what differs from request to request.
fn without_random(outcome: &Outcome) -> String {
    let text = outcome.text();
    let (before, after) = text.split_once("\"created\":").unwrap();
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap();
    let created = &after[..digits];
    format!("{before}{}", after.replace(created, "0")).replace(outcome.audit()["id"].as_str().unwrap(), "")
}

#[test]
fn a_stream_of_another_family_that_breaks_off_ends_in_an_error_and_is_booked_so() {
    let whole = claude_stream();
    let first = whole.find("\n\n").unwrap() + 2;
    for failover in BOTH {
        for cut in [first, first + 10, whole.len() / 2] {
            let mut gate = Gate::open(failover, &two_families());
            // It ends politely: what says that it broke off is only what it did not say.
            let response =
                Response { chunks: vec![whole.as_bytes()[..cut].to_vec()], end: End::Last, ..Response::sse("") };
            let outcome = second(&mut gate, &Ask::chat("smart", true), &response);
            assert!(outcome.text().contains("\"error\"") && !outcome.text().contains("[DONE]"), "{}", outcome.text());
            assert_eq!(outcome.audit()["outcome"], "upstream_cut", "{}", outcome.audit());
            assert_eq!(outcome.audit()["usage"], "estimated");
        }
    }
}

#[test]
fn answers_of_another_family_may_hold_any_bytes() {
    let bodies: [&[u8]; 8] = [
        b"",
        b"\xff\xfe\x00",
        b"{",
        b"[]",
        b"null",
        b"data: {\"type\":\"message_start\"}\n\n",
        b"event: error\ndata: {}\n\n",
        b"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}",
    ];
    for failover in BOTH {
        for (index, body) in bodies.into_iter().enumerate() {
            for status in ["200", "400", "404", "500", "529", "301", "0", "what"] {
                for content_type in ["application/json", "text/event-stream", "text/html", ""] {
                    for stream in [false, true] {
                        let mut gate = Gate::open(failover, &two_families());
                        let mut response = Response { chunks: pieces(body, 3), ..Response::sse("") };
                        response.headers.retain(|(name, _)| name != b":status" && name != b"content-type");
                        let response = response.with(":status", status).with("content-type", content_type);
                        let outcome = second(&mut gate, &Ask::chat("smart", stream), &response);
                        let what = format!("{index} {status} {content_type} {stream}");
                        assert!(outcome.status.is_some() || status == "what", "{what}: {outcome:?}");
                        assert_eq!(outcome.audits.len(), 1, "{what}");
                    }
                }
            }
        }
    }
}

/// A body in odd spelling: keys in no order, numbers as nobody writes them, members that nobody knows.
fn odd(model: &str, rest: &str) -> String {
    format!(
        "{{ \"zz_unknown\" : [1.50, 1e2, 12345678901234567890],{model}\n\t{rest} , \"a\":{{\"model\":\"inner\"}}, \"é\":\"\\u00e9\" }}"
    )
}

#[test]
fn a_client_s_own_family_gets_every_byte_but_the_model_s_name() {
    let cases = [
        ("openai", "/v1/chat/completions", r#""messages":[{"content":"hi","role":"user"}]"#),
        ("openai_responses", "/v1/responses", r#""input":[{"content":"hi","role":"user"}]"#),
        ("anthropic", "/v1/messages", r#""max_tokens":1e2,"messages":[{"content":"hi","role":"user"}]"#),
        ("gemini", "/v1beta/models/smart:generateContent", r#""contents":[{"parts":[{"text":"hi"}],"role":"user"}]"#),
    ];
    for failover in BOTH {
        for (api, path, rest) in cases {
            let mut policy = two_families();
            policy["providers"]["alpha"]["api"] = json!(api);
            let mut gate = Gate::open(failover, &policy);
            let in_body = api != "gemini";
            let body = odd(if in_body { "\"model\" : \"smart\"," } else { "" }, rest);
            let mut seen_body = Vec::new();
            let ask = Ask::post(path, body.as_bytes());
            let outcome = gate.ask(&ask, &mut |seen| {
                seen_body = seen.body.clone();
                Answer::Reply(Response::json(200, "{}"))
            });
            assert_eq!(outcome.status, Some(200), "{api}: {outcome:?}");
            let expected = body.replace("\"smart\"", "\"big-a\"");
            assert_eq!(String::from_utf8_lossy(&seen_body), expected, "{api}");
            assert!(outcome.audit()["lost"].is_null(), "{api}: {}", outcome.audit());
        }
    }
}
