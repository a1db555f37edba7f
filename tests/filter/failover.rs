//! Attempts after the first: the next provider gets the whole of its own request and nothing of the other's.

use serde_json::json;

use crate::fixture::{
    Answer, Ask, BETA_KEY, BOTH, End, Failover, Outcome, Response, WHOLE_ENDS, key_pool, two_providers, value,
};
use crate::gate::Gate;
use crate::host::host;
use crate::pass::{completion, stream_with_usage};

fn failures() -> Vec<(&'static str, Answer)> {
    vec![
        ("429", Answer::Reply(Response::json(429, "{}"))),
        ("500", Answer::Reply(Response::json(500, "{}"))),
        ("599", Answer::Reply(Response::json(599, "{}"))),
        ("reset", Answer::Reset),
        ("refused", Answer::Refused),
        ("timeout", Answer::Timeout),
    ]
}

/// The first provider fails, the second answers.
fn second_answers(gate: &mut Gate, ask: &Ask, failure: &Answer, good: &Response) -> Outcome {
    let mut tries = 0;
    gate.ask(ask, &mut |_| {
        tries += 1;
        if tries == 1 { failure.clone() } else { Answer::Reply(good.clone()) }
    })
}

#[test]
fn every_failure_moves_on_to_the_second_provider() {
    for failover in BOTH {
        for (name, failure) in failures() {
            for replay in [usize::MAX, 1, 7] {
                let mut gate = Gate::open(failover, &two_providers());
                let ask = Ask { replay, ..Ask::chat("smart", false) };
                let outcome = second_answers(&mut gate, &ask, &failure, &Response::json(200, &completion()));
                let context = format!("{failover:?} {name} {replay}");
                assert_eq!(outcome.status, Some(200), "{context}");
                let clusters: Vec<&str> = outcome.seen.iter().map(|seen| seen.cluster.as_str()).collect();
                assert_eq!(clusters, ["alpha", "beta"], "{context}");
                let second = &outcome.seen[1];
                assert_eq!(second.header(":path").unwrap(), "/openai/v1/chat/completions");
                assert_eq!(second.header("authorization").unwrap(), format!("Bearer {BETA_KEY}"));
                assert_eq!(second.header("content-length").unwrap(), second.body.len().to_string());
                assert_eq!(outcome.audit()["provider"], "beta", "{context}");
                assert_eq!(outcome.audit()["cost_microusd"], 41, "{context}");
                assert_eq!(value(&outcome.headers, "x-weir-attempts").unwrap(), "2");
            }
        }
    }
}

#[test]
fn what_comes_first_can_come_second() {
    let mut policy = two_providers();
    policy["models"]["smart"]["targets"].as_array_mut().unwrap().reverse();
    for failover in BOTH {
        let mut gate = Gate::open(failover, &policy);
        let outcome =
            second_answers(&mut gate, &Ask::chat("smart", false), &Answer::Reset, &Response::json(200, &completion()));
        let clusters: Vec<&str> = outcome.seen.iter().map(|seen| seen.cluster.as_str()).collect();
        assert_eq!(clusters, ["beta", "alpha"], "{failover:?}");
        // What only the first attempt set is gone again (`Seen::check` looks at each of them).
        assert_eq!(outcome.seen[1].header("x-beta-flag"), None);
    }
}

#[test]
fn a_stream_falls_back_before_its_first_byte_and_is_metered() {
    for failover in BOTH {
        for end in WHOLE_ENDS {
            let mut gate = Gate::open(failover, &two_providers());
            let ask = Ask { end, ..Ask::chat("smart", true) };
            let outcome = second_answers(&mut gate, &ask, &Answer::Timeout, &Response::sse(&stream_with_usage()));
            assert!(!outcome.text().contains("usage"));
            assert_eq!(outcome.audit()["output"], 5);
            assert!(String::from_utf8_lossy(&outcome.seen[1].body).contains("include_usage"));
        }
    }
}

#[test]
fn a_body_without_announced_length_keeps_none() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let ask = Ask::chat("smart", false).without("content-length");
        let outcome = second_answers(&mut gate, &ask, &Answer::Refused, &Response::json(200, &completion()));
        assert_eq!(outcome.seen.len(), 2);
        assert!(outcome.seen.iter().all(|seen| seen.header("content-length").is_none()));
    }
}

#[test]
fn when_all_fail_the_client_gets_an_error_of_its_own_family() {
    for failover in BOTH {
        for (failure, status, code) in [
            (Answer::Reset, 502, "upstream_error"),
            (Answer::Refused, 502, "upstream_error"),
            (Answer::Timeout, 504, "upstream_timeout"),
        ] {
            let mut gate = Gate::open(failover, &two_providers());
            let outcome = gate.ask(&Ask::chat("smart", true), &mut |_| failure.clone());
            assert_eq!((outcome.status, outcome.code().as_str()), (Some(status), code), "{failover:?}");
            assert_eq!(value(&outcome.headers, "content-length").unwrap(), outcome.body.len().to_string());
            assert_eq!(outcome.audit()["outcome"], "error");
            assert_eq!(outcome.seen.len(), 2);
        }
    }
}

#[test]
fn a_provider_s_own_error_reaches_the_client_as_it_is() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let body = r#"{"error":{"message":"bad tool","type":"invalid_request_error"}}"#;
        let outcome = gate.ask(&Ask::chat("smart", false), &mut |_| Answer::Reply(Response::json(400, body)));
        assert_eq!((outcome.status, outcome.text().as_str(), outcome.seen.len()), (Some(400), body, 1));
        assert_eq!(outcome.audit()["outcome"], "error");
    }
}

#[test]
fn a_key_that_met_its_limit_rests_and_another_of_the_pool_is_used() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &key_pool());
        let good = Response::json(200, &completion());
        let limited = Response::json(429, "{}").with("retry-after", "60");
        let outcome = second_answers(&mut gate, &Ask::chat("any", false), &Answer::Reply(limited), &good);
        assert_eq!(outcome.status, Some(200), "{failover:?}");
        let spent = outcome.seen[0].header("authorization").unwrap();
        assert_ne!(outcome.seen[1].header("authorization").unwrap(), spent);
        for _ in 0..40 {
            let outcome = gate.ask(&Ask::chat("any", false), &mut |_| Answer::Reply(good.clone()));
            assert_ne!(outcome.seen[0].header("authorization").unwrap(), spent, "it rests");
        }
    }
}

#[test]
fn a_pool_that_is_spent_ends_with_the_last_429() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &key_pool());
        let outcome = gate.ask(&Ask::chat("any", false), &mut |_| Answer::Reply(Response::json(429, "{}")));
        assert_eq!((outcome.status, outcome.seen.len()), (Some(429), 3));
        let mut keys: Vec<_> = outcome.seen.iter().map(|seen| seen.header("authorization")).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 3, "each key once");
    }
}

#[test]
fn conflicts_over_a_resting_key_end() {
    for failover in BOTH {
        for conflicts in [1, 5, u64::MAX] {
            let mut gate = Gate::open(failover, &key_pool());
            host(|host| host.conflicts = conflicts);
            let good = Response::json(200, &completion());
            let limited = Answer::Reply(Response::json(429, "{}"));
            let outcome = second_answers(&mut gate, &Ask::chat("any", false), &limited, &good);
            assert_eq!(outcome.status, Some(200));
            let calls = host(|host| host.calls);
            assert!(calls < 400, "{calls} calls");
            let told = host(|host| host.log.iter().any(|(_, line)| line.contains("could not be noted")));
            assert_eq!(told, conflicts == u64::MAX);
        }
    }
}

#[test]
fn a_policy_that_allows_one_try_makes_one() {
    let mut policy = two_providers();
    policy["routes"] = json!([{"models": ["smart"], "fallback": {"on": [429], "attempts": 1}}]);
    for failover in BOTH {
        let mut gate = Gate::open(failover, &policy);
        let outcome = gate.ask(&Ask::chat("smart", false), &mut |_| Answer::Reply(Response::json(429, "{}")));
        assert_eq!((outcome.status, outcome.seen.len()), (Some(429), 1));
    }
}

#[test]
fn an_attempt_that_nobody_decided_is_refused() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let outcome = gate.ask(&Ask::chat("smart", false), &mut |_| Answer::Reply(Response::json(200, &completion())));
        let id = value(&outcome.headers, "x-weir-decision").unwrap();
        for id in [id.as_str(), "0123456789abcdef", "\u{1}", &"x".repeat(100_000)] {
            let refused = gate.lone_attempt("alpha", id);
            assert_eq!(refused, Some(503), "{failover:?}: the exchange is over, or never was");
        }
    }
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let ask = Ask { end: End::Last, ..Ask::chat("smart", false) };
    assert_eq!(gate.ask(&ask, &mut |_| Answer::Reset).seen.len(), 2);
}

#[test]
fn an_end_that_is_told_late_changes_no_later_attempt() {
    for failover in BOTH {
        for (policy, model) in [(two_providers(), "smart"), (key_pool(), "any")] {
            for (name, failure) in failures() {
                let mut gate = Gate::open(failover, &policy);
                let ask = Ask { late_end: true, ..Ask::chat(model, true) };
                let outcome = second_answers(&mut gate, &ask, &failure, &Response::sse(&stream_with_usage()));
                assert_eq!(outcome.audits.len(), 1);
                let next_is_known = failover == Failover::Loop || matches!(failure, Answer::Reply(_));
                if next_is_known && model == "smart" {
                    assert_eq!(outcome.status, Some(200), "{failover:?} {model} {name}");
                    assert_eq!(outcome.audit()["output"], 5);
                }
            }
        }
    }
}

#[test]
fn a_pool_is_tried_key_by_key_whatever_the_failure() {
    for failover in BOTH {
        for (name, failure) in failures() {
            let mut gate = Gate::open(failover, &key_pool());
            let outcome = gate.ask(&Ask::chat("any", false), &mut |_| failure.clone());
            let mut keys: Vec<_> = outcome.seen.iter().map(|seen| seen.header("authorization")).collect();
            keys.sort();
            keys.dedup();
            assert_eq!((keys.len(), outcome.seen.len(), outcome.refused), (3, 3, 0), "{failover:?} {name}");
            let expected = match &failure {
                Answer::Reply(reply) => value(&reply.headers, ":status").unwrap().parse().unwrap(),
                Answer::Timeout => 504,
                Answer::Reset | Answer::Refused => 502,
            };
            assert_eq!(outcome.status, Some(expected), "{failover:?} {name}");
        }
    }
}

#[test]
fn no_attempt_is_asked_for_that_has_nowhere_to_go() {
    let mut pool = key_pool();
    pool["providers"]["alpha"] = two_providers()["providers"]["alpha"].clone();
    let mixes: [&[&str]; 5] = [
        &["pool/any"],
        &["pool/any", "pool/other"],
        &["alpha/big-a", "pool/any"],
        &["pool/any", "alpha/big-a"],
        &["pool/any", "pool/other", "pool/third", "pool/fourth", "alpha/big-a"],
    ];
    for failover in BOTH {
        for targets in mixes {
            for attempts in 1..=10 {
                let mut policy = pool.clone();
                policy["models"] = json!({"mix": {"targets": targets}});
                let on = json!([429, "5xx", "timeout", "connect"]);
                policy["routes"] = json!([{"models": ["mix"], "fallback": {"on": on, "attempts": attempts}}]);
                for (name, failure) in failures() {
                    let mut gate = Gate::open(failover, &policy);
                    let outcome = gate.ask(&Ask::chat("mix", false), &mut |_| failure.clone());
                    assert_eq!(outcome.refused, 0, "{failover:?} {targets:?} {attempts} {name}");
                    assert!(outcome.seen.len() <= attempts);
                    assert!(outcome.seen.len() >= attempts.min(targets.len()), "{targets:?} {attempts} {name}");
                }
            }
        }
    }
}

#[test]
fn a_third_attempt_says_the_length_of_its_own_body() {
    let mut policy = key_pool();
    policy["providers"]["alpha"] = two_providers()["providers"]["alpha"].clone();
    // The second and the third body are as long as each other, and not as long as the first.
    policy["models"] = json!({"mix": {"targets": ["alpha/big-a", "pool/third", "pool/other", "pool/any"]}});
    policy["routes"] = json!([{"models": ["mix"], "fallback": {"on": ["5xx"], "attempts": 6}}]);
    policy["models"]["mix"]["targets"].as_array_mut().unwrap().rotate_right(1);
    for failover in BOTH {
        let mut gate = Gate::open(failover, &policy);
        let outcome = gate.ask(&Ask::chat("mix", false), &mut |_| Answer::Reply(Response::json(500, "{}")));
        let models: Vec<String> = outcome.seen.iter().map(|seen| seen.model()).collect();
        assert_eq!(models[..4], ["any", "big-a", "third", "other"], "{failover:?}");
        for seen in &outcome.seen {
            assert_eq!(seen.header("content-length").unwrap(), seen.body.len().to_string());
        }
    }
}

#[test]
fn an_error_page_is_replaced_whole_in_any_pieces() {
    for failover in BOTH {
        for end in WHOLE_ENDS {
            for size in [1, 5, 1_000] {
                let mut gate = Gate::open(failover, &two_providers());
                let page = b"<html><h1>not here</h1></html>";
                let mut reply = Response { end, ..Response::json(404, "") };
                reply.headers[1].1 = b"text/html".to_vec();
                reply.chunks = page.chunks(size).map(<[u8]>::to_vec).collect();
                let outcome = gate.ask(&Ask::chat("smart", false), &mut |_| Answer::Reply(reply.clone()));
                assert_eq!(outcome.code(), "upstream_error", "{failover:?} {end:?} {size}");
                assert_eq!(value(&outcome.headers, "content-length").unwrap(), outcome.body.len().to_string());
                assert_eq!(outcome.audits.len(), 1);
            }
        }
    }
}
