//! Who is let in, and requests beside each other: an update while one is under way, several at once in one VM.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fixture::{Answer, Ask, BOTH, CLIENT_KEY, Failover, Response, two_providers, value};
use crate::gate::{Gate, call};
use crate::host::{Stream, host, stream};
use crate::pass::{completion, stream_with_usage};
use crate::vm::Callback;

fn good() -> Answer {
    Answer::Reply(Response::json(200, &completion()))
}

fn with_key(expires: &str) -> Value {
    let hash: String = Sha256::digest(CLIENT_KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut policy = two_providers();
    policy["anonymous"] = json!("deny");
    policy["teams"] = json!({"growth": {}});
    policy["keys"] = json!([{"id": "web", "sha256": hash, "team": "growth", "expires": expires}]);
    policy
}

#[test]
fn only_a_key_that_is_known_and_good_is_let_in() {
    for failover in BOTH {
        for (expires, header, status) in [
            ("2999-01-01", Some(format!("Bearer {CLIENT_KEY}")), 200),
            ("2001-01-01", Some(format!("Bearer {CLIENT_KEY}")), 401),
            ("2999-01-01", Some("Bearer another".to_owned()), 401),
            ("2999-01-01", Some(String::new()), 401),
            ("2999-01-01", None, 401),
        ] {
            let mut gate = Gate::open(failover, &with_key(expires));
            let mut ask = Ask::chat("smart", false).without("authorization");
            if let Some(header) = &header {
                ask = ask.with("authorization", header.as_bytes());
            }
            let outcome = gate.ask(&ask, &mut |_| good());
            assert_eq!(outcome.status, Some(status), "{expires} {header:?}");
            assert_eq!(outcome.seen.is_empty(), status == 401);
            let audit = outcome.audit();
            assert_eq!(audit["key"], if status == 200 { json!("web") } else { Value::Null });
            assert_eq!(audit["code"], if status == 200 { Value::Null } else { json!("unauthenticated") });
        }
    }
}

#[test]
fn retries_that_the_route_holds_do_the_same() {
    for failover in BOTH {
        for retries in [0, 1, 2, 5] {
            let extra = json!({"publish": false, "route_retries": {"retries": retries, "per_try_timeout_millis": 1}});
            let mut gate = Gate::open_with(failover, &two_providers(), extra);
            for failure in [Answer::Reply(Response::json(429, "{}")), Answer::Reset, Answer::Refused, Answer::Timeout] {
                let mut tries = 0;
                let outcome = gate.ask(&Ask::chat("smart", true), &mut |_| {
                    tries += 1;
                    if tries == 1 { failure.clone() } else { Answer::Reply(Response::sse(&stream_with_usage())) }
                });
                assert_eq!((outcome.status, outcome.seen.len()), (Some(200), 2), "{failover:?} {retries} {failure:?}");
                assert!(!outcome.state.contains_key("weir.tokens"), "nobody reads it");
            }
        }
    }
}

#[test]
fn a_request_under_way_goes_by_the_rules_it_came_under() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let ask = Ask::chat("smart", false);
    let view = Stream { request_open: true, request_body: Some(ask.body()), ..Stream::default() };
    view.request_headers.borrow_mut().extend(ask.headers.clone());
    let id = gate.context(gate.root(), view);
    assert!(!call(id, Callback::RequestHeaders { count: 9, end: false }));
    let mut other = two_providers();
    other["models"] = json!({});
    assert!(gate.configure(gate.root(), json!({"role": "listener", "policy": other}).to_string().as_bytes()));
    assert!(call(id, Callback::RequestBody { size: 9, end: true }));
    stream(id, |stream| assert_eq!(stream.state.borrow()["weir.cluster"], b"alpha"));
    let outcome = gate.ask(&ask, &mut |_| good());
    assert_eq!((outcome.status, outcome.code().as_str()), (Some(404), "unknown_model"));
}

#[test]
fn a_thousand_requests_at_once_do_not_meet() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let mut ids = Vec::new();
    for number in 0..1_000 {
        let ask = Ask::chat(if number % 2 == 0 { "smart" } else { "beta/bigger-model-b" }, false);
        let view = Stream { request_open: true, request_body: Some(ask.body()), ..Stream::default() };
        view.request_headers.borrow_mut().extend(ask.headers.clone());
        let id = gate.context(gate.root(), view);
        assert!(!call(id, Callback::RequestHeaders { count: 9, end: false }));
        ids.push(id);
    }
    for (number, id) in ids.iter().enumerate() {
        assert!(call(*id, Callback::RequestBody { size: 9, end: true }));
        let cluster = stream(*id, |stream| stream.state.borrow()["weir.cluster"].clone());
        assert_eq!(cluster, if number % 2 == 0 { &b"alpha"[..] } else { b"beta" });
    }
    // The attempts come in another order than the requests.
    for (number, id) in ids.iter().enumerate().rev() {
        let (headers, state) = stream(*id, |stream| (stream.request_headers.clone(), stream.state.clone()));
        let cluster = if number % 2 == 0 { "alpha" } else { "beta" };
        let view = Stream { request_headers: headers.clone(), state, request_open: true, ..Stream::default() };
        let attempt = gate.context(gate.attempt_root(cluster).unwrap(), view);
        assert!(call(attempt, Callback::RequestHeaders { count: 9, end: false }), "{number}");
        let authority = value(&headers.borrow(), ":authority").unwrap();
        assert!(authority.starts_with(cluster), "{number} {authority}");
        call(attempt, Callback::Done);
        crate::vm::delete(attempt);
        call(*id, Callback::Log);
        call(*id, Callback::Done);
        crate::vm::delete(*id);
    }
    let audits = gate.audits();
    assert_eq!(audits.len(), 1_000);
    host(|host| host.streams.clear());
}
