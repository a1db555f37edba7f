//! The next candidate, for every way in which the first can fail, in both failover designs, for JSON and for streams.

use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::envoy::Failover;
use crate::fixture::{CLIENT_KEY, KEY_ONE, KEY_TWO, NOBODY, Stage, ask, ask_stream, impatient};
use crate::in_both_designs;
use crate::provider::Received;

/// Fails the first provider in this way and expects the second one's answer, whole and streamed.
#[track_caller]
fn expect_second(design: Failover, fault: &Value) {
    let stage = Stage::with(design, |policy| {
        if fault["hang"] == true {
            impatient(policy);
        }
    });
    stage.one().fault(fault);
    expect_second_on(&stage, 1);
}

/// Expects the second provider's answers; the first has seen `tries` of each request.
#[track_caller]
fn expect_second_on(stage: &Stage, tries: usize) {
    let whole = stage.chat(&ask("pair"));
    assert_eq!(whole.status, 200, "{}", whole.text());
    expect_headers(&whole);
    let streamed = stage.chat(&ask_stream("pair"));
    assert_eq!(streamed.status, 200, "{}", streamed.text());
    expect_headers(&streamed);

    let received = stage.two().received();
    assert_eq!(received.len(), 2, "{received:#?}");
    assert_eq!(whole.text(), stage.two().answer_to(&received[0].body).text());
    assert!(streamed.clean_end && streamed.events().last().is_some_and(|last| last == "[DONE]"), "{}", streamed.text());
    assert!(streamed.text().contains("\"model\":\"beta\""), "{}", streamed.text());
    received.iter().for_each(|received| expect_twos(stage, received));

    let first = stage.one().received();
    assert_eq!(first.len(), 2 * tries, "{first:#?}");
    first.iter().for_each(|received| expect_ones(stage, received));

    for audit in stage.envoy.audited(2) {
        assert_eq!(audit["provider"], "two", "{audit}");
        assert_eq!(audit["model"], "beta", "{audit}");
        assert_eq!(audit["outcome"], "ok", "{audit}");
        let attempts = audit["attempts"].as_array().expect("attempts");
        let providers: Vec<&str> = attempts.iter().map(|one| one["provider"].as_str().unwrap_or("?")).collect();
        assert_eq!(providers, ["one", "two"], "{audit}");
    }
    assert_eq!(stage.envoy.metric("weir_fallbacks_total", &[]), 2.0);
    stage.envoy.expect_no_trap();
}

#[track_caller]
fn expect_headers(answer: &Response) {
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"), "{:?}", answer.headers);
    assert_eq!(answer.header("x-weir-attempts").as_deref(), Some("2"), "{:?}", answer.headers);
}

/// The first provider's own path, authority and credential, and nothing of anybody else's.
#[track_caller]
fn expect_ones(stage: &Stage, received: &Received) {
    assert_eq!(received.path, "/v1/chat/completions");
    assert_eq!(received.model(), "alpha");
    assert_eq!(received.headers("host"), [stage.one().address.to_string()]);
    assert_eq!(received.headers("authorization"), [format!("Bearer {KEY_ONE}")]);
    assert_eq!(received.headers("x-two-only"), [""; 0]);
    expect_clean(received, KEY_TWO);
}

/// The second provider's own path, authority, credential and headers, and nothing of anybody else's.
#[track_caller]
fn expect_twos(stage: &Stage, received: &Received) {
    assert_eq!(received.path, "/deep/base/v1/chat/completions");
    assert_eq!(received.model(), "beta");
    assert_eq!(received.headers("host"), [stage.two().address.to_string()]);
    assert_eq!(received.headers("authorization"), [format!("Bearer {KEY_TWO}")]);
    assert_eq!(received.headers("x-two-only"), ["two"]);
    expect_clean(received, KEY_ONE);
}

#[track_caller]
fn expect_clean(received: &Received, foreign_key: &str) {
    // A random number that the filters of one cluster know the exchange by; it says nothing to a provider.
    let kept = |line: &&str| !line.starts_with("x-weir-exchange: ");
    let headers: String = received.header_text().lines().filter(kept).map(|line| format!("{line}\n")).collect();
    assert!(!headers.contains(foreign_key), "another provider's key in\n{headers}");
    assert!(!headers.contains(CLIENT_KEY), "the client's key in\n{headers}");
    assert!(!headers.contains("x-weir-"), "Weir's own headers in\n{headers}");
    assert!(!headers.contains("x-envoy-"), "Envoy's own headers in\n{headers}");
}

in_both_designs! {
    fn candidates_of_one_provider_are_tried_in_their_order(design) {
        let stage = Stage::with(design, |policy| {
            policy["models"]["pair"]["targets"] = json!([
                {"provider": "one", "model": "alpha"},
                {"provider": "two", "model": "beta"},
                {"provider": "one", "model": "a-model-with-a-longer-name"}
            ]);
        });
        stage.one().fault(&json!({"status": 503, "only_model": "alpha"}));
        stage.two().fault(&json!({"reset": true}));
        for body in [ask("pair"), ask_stream("pair")] {
            let answer = stage.chat(&body);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("x-weir-model").as_deref(), Some("a-model-with-a-longer-name"));
            assert_eq!(answer.header("x-weir-attempts").as_deref(), Some("3"));
        }
        let models: Vec<String> = stage.one().received().iter().map(Received::model).collect();
        let expected = ["alpha", "a-model-with-a-longer-name"];
        assert_eq!(models, [expected, expected].concat());
        stage.one().received().iter().for_each(|received| expect_clean(received, KEY_TWO));
        stage.two().received().iter().for_each(|received| expect_twos(&stage, received));
    }

    fn a_key_that_is_told_to_slow_down_gives_way_to_another_key_of_its_pool(design) {
        let stage = Stage::with(design, |policy| {
            policy["providers"]["one"]["key"] = json!(["${KEY_ONE}", "${KEY_TWO}"]);
        });
        stage.one().fault(&json!({"status": 429, "only_key": KEY_ONE}));
        for _ in 0..6 {
            let answer = stage.chat(&ask("pair"));
            assert_eq!(answer.header("x-weir-provider").as_deref(), Some("one"), "{}", answer.text());
        }
        assert!(stage.two().received().is_empty());
    }

    fn a_providers_error_page_reaches_the_client_in_its_own_shape(design) {
        let stage = Stage::new(design);
        for provider in [stage.one(), stage.two()] {
            provider.fault(&json!({"status": 502, "body": "<html><h1>Bad gateway</h1></html>"}));
        }
        let answer = stage.chat(&ask("pair"));
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{}", answer.text());
        answer.expect_error(502, "upstream_error");
        for provider in [stage.one(), stage.two()] {
            provider.heal();
            provider.fault(&json!({"status": 429, "retry_after": "7", "body": "slow down"}));
        }
        let limited = stage.chat(&ask("pair"));
        limited.expect_error(429, "rate_limited");
        assert_eq!(limited.header("retry-after").as_deref(), Some("7"));
    }

    fn one_connection_serves_one_request_after_the_other(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"status": 503, "times": 1}));
        let mut stream = std::net::TcpStream::connect(stage.envoy.address).unwrap();
        let bodies = [ask("pair"), ask("nobody-knows-this"), ask_stream("pair"), ask("solo"), ask("pair")];
        let mut statuses = Vec::new();
        for body in bodies {
            let (answer, kept) = Request::chat(body).open_on(stream).finish_keeping();
            statuses.push(answer.status);
            stream = kept;
        }
        assert_eq!(statuses, [200, 404, 200, 200, 200]);
        assert_eq!(stage.envoy.audited(5)[0]["provider"], "two");
        stage.envoy.expect_no_trap();
    }

    fn a_429_goes_to_the_next_candidate(design) {
        expect_second(design, &json!({"status": 429, "retry_after": "2"}));
    }

    fn a_500_goes_to_the_next_candidate(design) {
        expect_second(design, &json!({"status": 500}));
    }

    fn a_503_goes_to_the_next_candidate(design) {
        expect_second(design, &json!({"status": 503}));
    }

    fn a_529_goes_to_the_next_candidate(design) {
        expect_second(design, &json!({"status": 529}));
    }

    fn a_reset_goes_to_the_next_candidate(design) {
        expect_second(design, &json!({"reset": true}));
    }

    fn silence_goes_to_the_next_candidate(design) {
        expect_second(design, &json!({"hang": true}));
    }

    fn a_refused_connection_goes_to_the_next_candidate(design) {
        let stage = Stage::with(design, |policy| {
            policy["providers"]["one"]["endpoint"] = json!(format!("http://{NOBODY}/v1"));
        });
        expect_second_on(&stage, 0);
    }

    fn without_a_word_about_fallback_every_failure_goes_to_the_next_candidate(design) {
        let stage = Stage::with(design, |policy| {
            policy["routes"][0].as_object_mut().unwrap().remove("fallback");
        });
        let faults = [json!({"status": 429}), json!({"status": 500}), json!({"status": 529}), json!({"reset": true})];
        for fault in &faults {
            stage.one().fault(fault);
            for body in [ask("pair"), ask_stream("pair")] {
                let answer = stage.chat(&body);
                assert_eq!(answer.status, 200, "{fault} {}", answer.text());
                expect_headers(&answer);
            }
            stage.one().heal();
        }
        stage.one().received().iter().for_each(|received| expect_ones(&stage, received));
        stage.two().received().iter().for_each(|received| expect_twos(&stage, received));
        assert_eq!(stage.two().received().len(), 2 * faults.len());
    }

    fn a_route_that_falls_over_on_429_alone_tells_a_503(design) {
        let stage = Stage::with(design, |policy| {
            policy["routes"][0]["fallback"] = json!({"on": [429], "attempts": 3});
        });
        stage.one().fault(&json!({"status": 503}));
        assert_eq!(stage.chat(&ask("pair")).status, 503);
        assert!(stage.two().received().is_empty());
        stage.one().heal();
        stage.one().fault(&json!({"status": 429}));
        assert_eq!(stage.chat(&ask("pair")).status, 200);
        expect_twos(&stage, &stage.two().only());
    }

    fn a_route_of_one_attempt_does_not_fall_over(design) {
        let stage = Stage::with(design, |policy| {
            policy["routes"][0]["fallback"] = json!({"on": [429, "5xx", "timeout", "connect"], "attempts": 1});
        });
        stage.one().fault(&json!({"status": 429}));
        assert_eq!(stage.chat(&ask("pair")).status, 429);
        assert_eq!(stage.one().received().len(), 1);
        assert!(stage.two().received().is_empty());
    }

    fn what_the_first_attempt_set_is_gone_on_the_second(design) {
        // The other way round: now the provider with more headers of its own is the one that fails.
        let stage = Stage::with(design, |policy| {
            let targets = policy["models"]["pair"]["targets"].as_array_mut().unwrap();
            targets.reverse();
        });
        stage.two().fault(&json!({"status": 503}));
        let answer = stage.chat(&ask("pair"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        expect_twos(&stage, &stage.two().only());
        expect_ones(&stage, &stage.one().only());
    }

    fn an_answer_that_is_nobodys_fault_but_the_clients_is_not_retried(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"status": 400}));
        let answer = stage.chat(&ask("pair"));
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains("on demand"), "{}", answer.text());
        assert!(stage.two().received().is_empty());
        assert_eq!(stage.envoy.audit()["status"], 400);
    }

    fn when_all_candidates_fail_the_last_error_is_told(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"status": 500}));
        stage.two().fault(&json!({"status": 503}));
        let answer = stage.chat(&ask("pair"));
        assert!([502, 503].contains(&answer.status), "{} {}", answer.status, answer.text());
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
        let audit = stage.envoy.audit();
        assert_eq!(audit["outcome"], "error", "{audit}");
        assert_eq!(audit["cost_microusd"], 0, "{audit}");
    }

    fn the_retry_after_of_the_last_candidate_reaches_the_client(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"status": 429, "retry_after": "3"}));
        stage.two().fault(&json!({"status": 429, "retry_after": "7"}));
        let answer = stage.chat(&ask("pair"));
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.header("retry-after").as_deref(), Some("7"), "{:?}", answer.headers);
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
    }

    fn when_no_candidate_takes_the_connection_the_client_is_told_in_its_own_shape(design) {
        let stage = Stage::with(design, |policy| {
            for provider in ["one", "two"] {
                policy["providers"][provider]["endpoint"] = json!(format!("http://{NOBODY}/v1"));
            }
        });
        stage.chat(&ask("pair")).expect_error(502, "upstream_error");
        stage.chat(&ask_stream("pair")).expect_error(502, "upstream_error");
    }

    fn when_no_candidate_answers_in_time_the_client_is_told_in_its_own_shape(design) {
        let stage = Stage::with(design, impatient);
        stage.one().fault(&json!({"hang": true}));
        stage.two().fault(&json!({"hang": true}));
        stage.chat(&ask("pair")).expect_error(504, "upstream_timeout");
        let audit = stage.envoy.audit();
        assert_eq!(audit["status"], 504, "{audit}");
        // The connections to both are given up, not left behind.
        assert_eq!(stage.one().only_ended().ended.as_deref(), Some("client_gone"));
        assert_eq!(stage.two().only_ended().ended.as_deref(), Some("client_gone"));
    }

    fn a_slow_answer_within_the_time_limit_is_waited_for(design) {
        let stage = Stage::with(design, impatient);
        // Headers come in time, the first byte of the body long after the limit for an attempt.
        stage.one().fault(&json!({"delay_ms": 100, "first_byte_delay_ms": 1500}));
        let answer = stage.chat(&ask("pair"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("one"));
        assert!(answer.clean_end);
        assert!(stage.two().received().is_empty());
    }

    fn a_stream_whose_first_event_does_not_come_in_time_fails_over(design) {
        let stage = Stage::with(design, impatient);
        stage.one().fault(&json!({"delay_ms": 100, "first_byte_delay_ms": 5000}));
        let answer = stage.chat(&ask_stream("pair"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"));
        assert!(answer.clean_end);
    }

    fn a_stream_that_begins_with_an_error_fails_over(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"error_event_after": 0}));
        let answer = stage.chat(&ask_stream("pair"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"));
        assert!(!answer.text().contains("broke off"), "{}", answer.text());
        let audit = stage.envoy.audit();
        assert_eq!(audit["attempts"][0]["status"], 500, "{audit}");
    }

    fn an_error_that_every_stream_begins_with_is_an_error_and_no_stream(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"error_event_after": 0}));
        stage.two().fault(&json!({"error_event_after": 0}));
        let answer = stage.chat(&ask_stream("pair"));
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|text| text.contains("broke off")));
    }

    fn a_large_body_is_sent_again_whole(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"status": 503}));
        let text = "x".repeat(3_000_000);
        let body = json!({"model": "pair", "messages": [{"role": "user", "content": text}]}).to_string();
        let answer = stage.chat(&body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(stage.one().only().body == body.replace("\"pair\"", "\"alpha\""), "the first provider got the body");
        assert!(stage.two().only().body == body.replace("\"pair\"", "\"beta\""), "the second provider got the body");
    }
}

#[test]
fn a_model_with_one_target_tells_that_targets_error() {
    let stage = Stage::new(Failover::Refresh);
    stage.one().fault(&json!({"status": 503}));
    let answer = stage.chat(&ask("solo"));
    assert!([502, 503].contains(&answer.status), "{}", answer.text());
    assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
}

#[test]
fn a_provider_recovers() {
    let stage = Stage::new(Failover::Refresh);
    stage.one().fault(&json!({"status": 503, "times": 1}));
    let providers: Vec<Option<String>> =
        (0..2).map(|_| stage.send(&Request::chat(ask("pair"))).header("x-weir-provider")).collect();
    assert_eq!(providers[0].as_deref(), Some("two"));
    crate::fixture::eventually("provider one is used again", || {
        (stage.chat(&ask("pair")).header("x-weir-provider").as_deref() == Some("one")).then_some(())
    });
}
