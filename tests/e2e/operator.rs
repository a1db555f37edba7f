//! What operators and curious clients see: response headers, metrics, access log; and what keeps Envoy from starting.

use serde_json::json;

use crate::envoy::{Envoy, Failover, Setup};
use crate::fixture::{self, KEY_ONE, KEY_TWO, Stage, ask, ask_stream};
use crate::in_both_designs;
use crate::provider::Providers;
use crate::reload::edit_policy;

in_both_designs! {
    fn the_response_headers_explain_the_decision(design) {
        let stage = Stage::new(design);
        for body in [ask("pair"), ask_stream("pair")] {
            let answer = stage.chat(&body);
            let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{name} in {:?}", answer.headers));
            assert_eq!(header("x-weir-route"), "main");
            assert_eq!(header("x-weir-model"), "alpha");
            assert_eq!(header("x-weir-provider"), "one");
            assert_eq!(header("x-weir-attempts"), "1");
            assert!(header("x-weir-decision").len() >= 8);
        }
    }

    fn the_metrics_have_their_names_and_labels(design) {
        let stage = Stage::new(design);
        stage.chat(&ask("pair"));
        stage.chat(&ask_stream("pair"));
        stage.chat(&ask("nobody-knows-this")).expect_error(404, "unknown_model");
        stage.envoy.audited(3);
        let here = [("route", "main"), ("model", "alpha"), ("provider", "one")];
        let metric = |name: &str, more: &[(&str, &str)]| stage.envoy.metric(name, &[&here, more].concat());
        assert_eq!(metric("weir_requests_total", &[("outcome", "ok")]), 2.0, "{:#?}", stage.envoy.metrics());
        assert!(metric("weir_cost_microusd_total", &[]) > 0.0);
        assert_eq!(stage.envoy.metric("weir_rejected_total", &[("code", "unknown_model")]), 1.0);
        let expect = |name: &str, more: &[(&str, &str)], value: f64| {
            stage.envoy.expect_metric(name, &[&here, more].concat(), value);
        };
        expect("gen_ai_client_token_usage_count", &[("token_type", "input")], 2.0);
        expect("gen_ai_client_token_usage_count", &[("token_type", "output")], 2.0);
        expect("gen_ai_client_operation_duration_count", &[], 2.0);
        // Of the streamed answer alone.
        expect("gen_ai_server_time_to_first_token_count", &[], 1.0);
        expect("gen_ai_server_time_per_output_token_count", &[], 1.0);
        for sample in stage.envoy.metrics().iter().filter(|one| one.name.starts_with("weir_")) {
            assert_eq!(sample.label("key"), None);
            assert!(!sample.name.contains(';'), "{sample:?}");
        }
    }

    fn the_access_log_has_the_decision(design) {
        let stage = Stage::new(design);
        let usage = stage.chat(&ask("pair")).json()["usage"].clone();
        let line = stage.envoy.access_log(1).remove(0);
        let audit = stage.envoy.audit();
        assert_eq!(line["decision"], audit["id"], "{line}");
        assert_eq!(line["model"], "alpha", "{line}");
        assert_eq!(line["provider"], "one", "{line}");
        let text = |value: &serde_json::Value| value.to_string().trim_matches('"').to_owned();
        assert_eq!(text(&line["tokens"]), usage["total_tokens"].to_string(), "{line}");
        assert_eq!(text(&line["cost_microusd"]), audit["cost_microusd"].to_string(), "{line}");
    }

    fn a_policy_with_a_part_that_is_not_built_yet_keeps_envoy_from_starting(design) {
        let providers = Providers::start(&["one", "two"]);
        let policy = fixture::policy(providers.get("one"), providers.get("two"));
        let refused = Envoy::start(&Setup {
            policy: &policy,
            failover: design,
            workers: 1,
            environment: &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)],
            // `weir render` refuses it as well, so it has to be put in afterwards.
            edit: &|_, text| edit_policy(&text, |policy| policy["routes"][0]["rollout"] = json!({"candidate": "solo"})),
        });
        let log = refused.err().expect("Envoy refuses").log;
        assert!(log.contains("routes[0].rollout"), "{log}");
        assert!(log.contains("not supported yet"), "{log}");
    }

    fn every_problem_of_a_policy_is_told_when_envoy_refuses_it(design) {
        let providers = Providers::start(&["one", "two"]);
        let policy = fixture::policy(providers.get("one"), providers.get("two"));
        let refused = Envoy::start(&Setup {
            policy: &policy,
            failover: design,
            workers: 1,
            environment: &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)],
            edit: &|_, text| edit_policy(&text, |policy| {
                policy["routes"][0]["prefers"] = json!("cheapest");
                policy["models"]["pair"]["targets"][0]["provider"] = json!("nobody");
            }),
        });
        let log = refused.err().expect("Envoy refuses").log;
        assert!(log.contains("prefers") && log.contains("prefer\""), "{log}");
        assert!(log.contains("nobody"), "{log}");
    }

    fn a_key_that_is_not_in_the_environment_keeps_envoy_from_starting(design) {
        let providers = Providers::start(&["one", "two"]);
        let policy = fixture::policy(providers.get("one"), providers.get("two"));
        let refused = Envoy::start(&Setup {
            policy: &policy,
            failover: design,
            workers: 1,
            environment: &[("KEY_ONE", KEY_ONE)],
            edit: &|_, text| text,
        });
        let log = refused.err().expect("Envoy refuses").log;
        assert!(log.contains("KEY_TWO"), "{log}");
        assert!(!log.contains(KEY_ONE), "{log}");
    }
}

#[test]
fn the_response_headers_can_be_switched_off() {
    let stage = Stage::with(Failover::Refresh, |policy| policy["observe"] = json!({"explain": "off", "audit": "off"}));
    let answer = stage.chat(&ask("pair"));
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("x-weir-")), "{:?}", answer.headers);
    stage.envoy.access_log(1);
    assert!(stage.envoy.audits().is_empty());
}
