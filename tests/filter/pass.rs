//! Requests that end well: what the provider got, what the client got, what the books say.

use serde_json::json;

use crate::fixture::{
    ALPHA_KEY, ANSWER, Answer, Ask, BOTH, End, Failover, PROMPT, Response, WHOLE_ENDS, two_providers, value,
};
use crate::gate::Gate;

pub fn completion() -> String {
    json!({
        "id": "c1", "object": "chat.completion", "model": "big-a",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    })
    .to_string()
}

/// A stream as a provider sends it when usage was asked for.
pub fn stream_with_usage() -> String {
    let mut text = String::new();
    for word in ANSWER.split(' ') {
        let event =
            json!({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": null}], "usage": null});
        text.push_str(&format!("data: {event}\n\n"));
    }
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": null});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}});
    text.push_str(&format!("data: {last}\n\ndata: {usage}\n\ndata: [DONE]\n\n"));
    text
}

#[test]
fn a_completion_passes_and_is_booked() {
    for failover in BOTH {
        for end in WHOLE_ENDS {
            let mut gate = Gate::open(failover, &two_providers());
            let ask = Ask { end, ..Ask::chat("smart", false) };
            let outcome =
                gate.ask(&ask, &mut |_| Answer::Reply(Response { end, ..Response::json(200, &completion()) }));
            assert_eq!((outcome.status, outcome.text()), (Some(200), completion()), "{failover:?} {end:?}");
            let seen = &outcome.seen[0];
            assert_eq!(seen.cluster, "alpha");
            assert_eq!(seen.header(":path").unwrap(), "/v1/chat/completions");
            assert_eq!(seen.header(":authority").unwrap(), "alpha.example");
            assert_eq!(seen.header("authorization").unwrap(), format!("Bearer {ALPHA_KEY}"));
            assert_eq!(seen.header("content-length").unwrap(), seen.body.len().to_string());
            assert_eq!(seen.model(), "big-a");
            for gone in ["cookie", "x-weir-cluster", "x-envoy-max-retries"] {
                assert_eq!(seen.header(gone), None, "{gone}");
            }
            assert_eq!(seen.header("x-request-id").unwrap(), "42");
            let audit = outcome.audit();
            assert_eq!(audit["outcome"], "ok");
            assert_eq!((&audit["input"], &audit["output"]), (&json!(7), &json!(5)));
            assert_eq!(audit["cost_microusd"], 17);
            assert_eq!(audit["attempts"], json!([{"provider": "alpha", "model": "big-a", "status": 200}]));
            assert!(audit["duration_ms"].as_u64().unwrap() < 60_000);
            assert_eq!(value(&outcome.headers, "x-weir-provider").unwrap(), "alpha");
            assert_eq!(outcome.state["weir.tokens"], b"12");
        }
    }
}

#[test]
fn a_stream_passes_without_the_usage_that_the_client_did_not_ask_for() {
    for end in WHOLE_ENDS {
        let mut gate = Gate::open(Failover::Refresh, &two_providers());
        let reply = Response { end, ..Response::sse(&stream_with_usage()) };
        let outcome = gate.ask(&Ask::chat("smart", true), &mut |seen| {
            assert!(String::from_utf8_lossy(&seen.body).contains("include_usage"));
            Answer::Reply(reply.clone())
        });
        assert!(!outcome.text().contains("usage"), "{}", outcome.text());
        assert!(outcome.text().ends_with("data: [DONE]\n\n"));
        let audit = outcome.audit();
        assert_eq!((&audit["outcome"], &audit["usage"]), (&json!("ok"), &json!("reported")));
        assert_eq!((&audit["input"], &audit["output"]), (&json!(7), &json!(5)));
    }
}

#[test]
fn what_is_not_for_a_model_passes_untouched() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let ask = Ask { end: End::Last, ..Ask::post("/healthz", b"{\"model\": 1}") };
    let outcome = gate.ask(&ask, &mut |_| Answer::Reset);
    assert!(outcome.foreign);
    assert_eq!(outcome.seen[0].body, ask.body());
    assert!(outcome.audits.is_empty());
}

#[test]
fn an_audit_line_for_an_access_log_is_one_line_and_no_secret() {
    let extra = json!({"audit": "filter_state"});
    let mut gate = Gate::open_with(Failover::Refresh, &two_providers(), extra);
    for (model, answer) in [("smart", Answer::Reply(Response::json(200, &completion()))), ("a\nb", Answer::Reset)] {
        let outcome = gate.ask(&Ask::chat(model, false), &mut |_| answer.clone());
        assert!(outcome.audits.is_empty(), "not in the proxy's own log as well");
        let line = String::from_utf8(outcome.state["weir.audit"].clone()).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let audit: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(audit["asked"], model);
        assert!(![ALPHA_KEY, ANSWER, PROMPT].iter().any(|secret| line.contains(secret)), "{line}");
    }
}
