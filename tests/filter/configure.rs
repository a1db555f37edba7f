//! A plugin's configuration: what cannot be used is refused with every problem in the log, and the old one stays.

use serde_json::{Value, json};

use crate::fixture::{Answer, Ask, BOTH, Failover, LITERAL_KEY, Response, key_pool, two_providers};
use crate::gate::Gate;
use crate::host::{Fault, USED, host};
use crate::pass::completion;

fn log() -> String {
    host(|host| host.log.iter().map(|(_, line)| format!("{line}\n")).collect())
}

fn good() -> Answer {
    Answer::Reply(Response::json(200, &completion()))
}

fn missing(functions: &[&'static str]) {
    host(|host| host.faults = functions.iter().map(|function| Fault::Always(function, 12)).collect());
}

#[test]
fn what_is_no_configuration_is_refused_and_says_why() {
    let texts: [(&[u8], &str); 9] = [
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"{\"role\":", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{\"role\":\"middle\"}", "middle"),
        (b"{\"role\":\"listener\"}", "missing field `policy`"),
        (b"{\"role\":\"listener\",\"failover\":\"hope\",\"policy\":{}}", "hope"),
        (b"{\"role\":\"listener\",\"policy\":[]}", "weir: the policy is refused"),
        (b"{\"role\":\"listener\",\"policy\":{\"version\":2}}", "version"),
    ];
    for (text, why) in texts {
        let mut gate = Gate::bare();
        assert!(!gate.plugin(text).1, "{why}");
        assert!(log().contains(why), "{why}: {}", log());
    }
}

#[test]
fn every_problem_is_told_and_no_secret() {
    let mut gate = Gate::bare();
    let mut policy = two_providers();
    policy["providers"]["alpha"]["key"] = json!("${WEIR_TEST_NOT_SET}");
    policy["providers"]["beta"]["key"] = json!("${WEIR_TEST_EMPTY}");
    policy["providers"]["gamma"] = json!({"api": "openai", "endpoint": "https://c.example", "key": LITERAL_KEY});
    policy["routes"] = json!([{"models": ["nobody/knows"]}]);
    assert!(!gate.listener(&policy));
    for part in
        ["WEIR_TEST_NOT_SET", "WEIR_TEST_EMPTY", "providers.alpha.key", "providers.beta.key", "routes[0].models[0]"]
    {
        assert!(log().contains(part), "{part}: {}", log());
    }
}

#[test]
fn a_key_in_the_wrong_place_is_not_repeated() {
    let wrong = [
        json!({"key": {"value": LITERAL_KEY}}),
        json!({"key": [LITERAL_KEY, 7]}),
        json!({"key": [LITERAL_KEY, LITERAL_KEY]}),
        json!({"key": format!("{LITERAL_KEY}\n")}),
        json!({"key": format!("${{A}}{LITERAL_KEY}")}),
        json!({"keys": LITERAL_KEY}),
        json!({"key": LITERAL_KEY, "headers": {"x-key": [LITERAL_KEY]}}),
        json!({"headers": {"x-key": format!("{LITERAL_KEY}\r\n")}}),
        json!({"headers": {"authorization": LITERAL_KEY}}),
        json!({"endpoint": format!("https://user:{LITERAL_KEY}@example.com/v1")}),
        json!({"endpoint": format!("https://example.com/v1?key={LITERAL_KEY}")}),
    ];
    for change in wrong {
        let mut gate = Gate::bare();
        let mut policy = two_providers();
        for (name, value) in change.as_object().unwrap() {
            policy["providers"]["alpha"][name] = value.clone();
        }
        // Refused or not, the key is in no line (the gate looks when it goes).
        gate.listener(&policy);
        policy["providers"]["alpha"]["region"] = json!(7);
        assert!(!gate.listener(&policy));
    }
}

#[test]
fn a_refused_update_leaves_the_old_rules_in_force() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        for text in [&b"{"[..], b"{\"role\":\"listener\",\"policy\":{}}", b""] {
            assert!(!gate.configure(gate.root(), text));
        }
        assert_eq!(gate.ask(&Ask::chat("smart", false), &mut |_| good()).status, Some(200));
    }
}

#[test]
fn a_request_to_a_filter_without_rules_is_refused() {
    for broken in [false, true] {
        let mut gate = Gate::bare();
        let (root, taken) = gate.plugin(b"{");
        assert!(!taken);
        gate.set_root(root);
        if broken {
            missing(&["send_local_response"]);
        }
        for path in ["/v1/chat/completions", "/healthz"] {
            let outcome = gate.ask(&Ask::post(path, b"{}"), &mut |_| panic!("it went out"));
            assert!(!outcome.foreign && outcome.seen.is_empty());
            assert_eq!(outcome.status, (!broken).then_some(503));
        }
    }
}

#[test]
fn a_key_pool_needs_shared_data_unless_the_policy_says_otherwise() {
    for functions in [&["get_shared", "set_shared"][..], &["get_shared"], &["set_shared"]] {
        let mut gate = Gate::bare();
        missing(functions);
        assert!(!gate.listener(&key_pool()), "{functions:?}");
        assert!(log().contains("providers.pool.key") && log().contains("shared data"), "{}", log());
        drop(gate);

        let mut policy: Value = key_pool();
        policy["store"] = json!({"on_unavailable": "open"});
        let mut gate = Gate::bare();
        missing(functions);
        assert!(gate.listener(&policy), "{functions:?}: {}", log());
        assert!(log().contains("lacks shared data"), "{}", log());
        gate.upstreams(&policy);
        let mut tries = 0;
        let outcome = gate.ask(&Ask::chat("any", false), &mut |_| {
            tries += 1;
            if tries == 1 { Answer::Reply(Response::json(429, "{}")) } else { good() }
        });
        assert_eq!((outcome.status, outcome.seen.len()), (Some(200), 2));
    }
}

#[test]
fn a_host_without_metrics_serves_and_says_so() {
    for functions in [&["define_metric"][..], &["define_metric", "increment_metric", "record_metric"]] {
        let mut gate = Gate::bare();
        missing(functions);
        assert!(gate.listener(&two_providers()));
        assert!(log().contains("lacks metrics"), "{}", log());
        gate.upstreams(&two_providers());
        assert_eq!(gate.ask(&Ask::chat("smart", false), &mut |_| good()).status, Some(200));
    }
}

#[test]
fn no_status_of_any_function_breaks_a_configuration() {
    for policy in [two_providers(), key_pool()] {
        for function in USED {
            for status in 1..=13 {
                let mut gate = Gate::bare();
                host(|host| host.faults = vec![Fault::Always(function, status)]);
                let taken = gate.listener(&policy);
                host(|host| host.faults.clear());
                assert!(taken || log().contains("weir: the policy is refused"), "{function} {status}");
            }
        }
    }
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    assert_eq!(gate.ask(&Ask::chat("smart", false), &mut |_| good()).status, Some(200));
}
