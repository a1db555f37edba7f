//! The books: what was counted, in the audit lines, the metrics and the access log, against what the providers said.

use serde_json::{Value, json};

use crate::client::Request;
use crate::envoy::Failover;
use crate::fixture::{CLIENT_KEY, KEY_ONE, Stage, ask, ask_stream};
use crate::in_both_designs;

in_both_designs! {
    fn the_audit_line_says_who_asked_for_what_and_what_it_cost(design) {
        let stage = Stage::new(design);
        let answer = stage.chat(&ask("pair"));
        let audit = stage.envoy.audit();
        let usage = &answer.json()["usage"];
        let expected = json!({
            "key": "web",
            "team": "growth",
            "route": "main",
            "api": "openai",
            "asked": "pair",
            "model": "alpha",
            "provider": "one",
            "status": 200,
            "outcome": "ok",
            "stream": false,
            "input": usage["prompt_tokens"],
            "cache_read": usage["prompt_tokens_details"]["cached_tokens"],
            "cache_write": 0,
            "output": usage["completion_tokens"],
            "reasoning": usage["completion_tokens_details"]["reasoning_tokens"],
            "usage": "reported",
            // 1 and 2 micro-dollars a token.
            "cost_microusd": usage["prompt_tokens"].as_u64().unwrap() + 2 * usage["completion_tokens"].as_u64().unwrap()
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&audit[name], value, "{name} in {audit}");
        }
        for name in ["id", "time", "endpoint", "ttft_ms", "duration_ms", "policy", "code", "attempts"] {
            assert!(audit.get(name).is_some(), "{name} in {audit}");
        }
        assert_eq!(audit["attempts"][0]["provider"], "one", "{audit}");
        assert_eq!(audit["attempts"][0]["status"], 200, "{audit}");
        assert_eq!(Some(audit["id"].as_str().unwrap().to_owned()), answer.header("x-weir-decision"));
    }

    fn nothing_of_the_conversation_and_no_key_is_written_down(design) {
        let stage = Stage::new(design);
        assert_eq!(stage.chat(&ask("pair")).status, 200);
        stage.chat(&ask("nobody-knows-this"));
        stage.chat(r#"{"model":"pair","messages":[{"content":"How deep is the river?""#);
        stage.envoy.audited(3);
        let log = stage.envoy.log();
        let access = stage.envoy.access_log(3);
        let told = format!("{log}{access:?}{:?}", stage.envoy.metrics());
        for secret in ["How deep is the river", "provider one model alpha", CLIENT_KEY, KEY_ONE] {
            assert!(!told.contains(secret), "{secret:?} was written down");
        }
    }

    fn the_books_of_two_workers_under_parallel_load_are_equal(design) {
        let stage = Stage::workers(design, 2, |_| {});
        let address = stage.envoy.address;
        stage.one().fault(&json!({"status": 503, "times": 20}));
        let threads: Vec<_> = (0..20)
            .map(|thread| {
                std::thread::spawn(move || {
                    for number in 0..10 {
                        let model = if number % 2 == 0 { "pair" } else { "solo" };
                        let body = if (thread + number) % 3 == 0 { ask_stream(model) } else { ask(model) };
                        let answer = Request::chat(body).send(address);
                        assert!(answer.clean_end && [200, 502, 503].contains(&answer.status), "{}", answer.text());
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("every request is answered"));
        let audits = stage.envoy.audited(200);
        let sum = |name: &str| audits.iter().map(|audit| audit[name].as_u64().unwrap()).sum::<u64>() as f64;
        let metric = |name: &str| stage.envoy.metric(name, &[]);
        let used = audits.iter().filter(|audit| audit["usage"] != "none").count();
        assert_eq!(metric("weir_requests_total"), 200.0);
        assert_eq!(metric("weir_cost_microusd_total"), sum("cost_microusd"));
        stage.envoy.expect_metric("gen_ai_client_token_usage_count", &[], 2.0 * used as f64);
        let ok = audits.iter().filter(|audit| audit["outcome"] == "ok").count();
        assert_eq!(stage.envoy.metric("weir_requests_total", &[("outcome", "ok")]), ok as f64);
        let retried: usize =
            audits.iter().map(|audit| audit["attempts"].as_array().unwrap().len().saturating_sub(1)).sum();
        assert_eq!(metric("weir_fallbacks_total"), retried as f64);
        let mut ids: Vec<&Value> = audits.iter().map(|audit| &audit["id"]).collect();
        ids.sort_by_key(|id| id.to_string());
        ids.dedup();
        assert_eq!(ids.len(), 200, "every decision has an id of its own");
        // What the providers said is what was booked.
        let asked = stage.one().received().len() + stage.two().received().len();
        let attempts: usize = audits.iter().map(|audit| audit["attempts"].as_array().unwrap().len()).sum();
        assert_eq!(asked, attempts);
        stage.envoy.expect_no_trap();
    }
}

#[test]
fn the_cost_of_a_fallback_is_that_of_the_target_that_answered() {
    let stage = Stage::new(Failover::Refresh);
    stage.one().fault(&json!({"status": 503}));
    let usage = stage.chat(&ask("pair")).json()["usage"].clone();
    let cost = 3 * usage["prompt_tokens"].as_u64().unwrap() + 4 * usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(stage.envoy.audit()["cost_microusd"], cost);
    assert_eq!(stage.envoy.metric("weir_cost_microusd_total", &[("provider", "two")]), cost as f64);
    assert_eq!(stage.envoy.metric("weir_cost_microusd_total", &[("provider", "one")]), 0.0);
}

#[test]
fn cached_input_is_booked_at_its_own_price() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["models"]["solo"]["targets"][0]["price"] = json!({"input": 10, "output": 20, "cache_read": 1});
    });
    let usage = stage.chat(&ask("solo")).json()["usage"].clone();
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    let fresh = usage["prompt_tokens"].as_u64().unwrap() - cached;
    let written = usage["completion_tokens"].as_u64().unwrap();
    assert!(cached > 0);
    assert_eq!(stage.envoy.audit()["cost_microusd"], 10 * fresh + cached + 20 * written);
}
