//! A host whose functions fail: any function, any status, one call or all. Nothing panics, and nothing goes to a provider
//! that was not decided in full (`Seen::check` looks at each request that arrives there).

use serde_json::Value;

use crate::family::{claude_message, claude_stream, is_claude};
use crate::fixture::{Answer, Ask, BOTH, Failover, Outcome, Response, key_pool, two_families, two_providers};
use crate::gate::Gate;
use crate::host::{Dice, Fault, USED, host};
use crate::pass::{completion, stream_with_usage};

/// A request whose first attempt fails, so that every part of the filter has its turn.
fn bumpy(gate: &mut Gate, stream: bool, model: &str) -> Outcome {
    let mut tries = 0;
    let outcome = gate.ask(&Ask::chat(model, stream), &mut |seen| {
        tries += 1;
        Answer::Reply(match (tries, stream) {
            (1, _) => Response::json(429, "{}").with("retry-after", "1"),
            (_, true) if is_claude(seen) => Response::sse(&claude_stream()),
            (_, false) if is_claude(seen) => Response::json(200, &claude_message()),
            (_, true) => Response::sse(&stream_with_usage()),
            (_, false) => Response::json(200, &completion()),
        })
    });
    assert!(!outcome.foreign, "it went on unruled: {outcome:?}");
    outcome
}

fn policies() -> [(Value, &'static str); 3] {
    [(two_providers(), "smart"), (key_pool(), "any"), (two_families(), "smart")]
}

fn heal() {
    host(|host| host.faults.clear());
}

fn failures(function: &'static str) -> u64 {
    host(|host| host.failed.get(function).copied().unwrap_or(0))
}

#[test]
fn no_status_of_any_function_does_harm() {
    for failover in BOTH {
        for (policy, model) in policies() {
            for function in USED {
                for status in (1..=13).chain([255, u32::MAX]) {
                    let mut gate = Gate::open(failover, &policy);
                    host(|host| host.faults = vec![Fault::Always(function, status)]);
                    for stream in [false, true] {
                        let outcome = bumpy(&mut gate, stream, model);
                        assert!(outcome.held || outcome.status.is_some());
                        assert!(!outcome.held || function == "send_local_response", "{function} {status}");
                    }
                    heal();
                    assert_eq!(bumpy(&mut gate, true, model).status, Some(200), "{function} {status}: it recovers");
                }
            }
        }
    }
}

#[test]
fn a_step_of_the_decision_that_fails_stops_the_request_with_503() {
    let steps = ["get_pairs", "get_buffer", "set_buffer", "replace_header", "remove_header"];
    for failover in BOTH {
        let chooses = (failover == Failover::Refresh).then_some("set_property");
        for function in steps.into_iter().chain(chooses) {
            for status in 1..=13 {
                let mut gate = Gate::open(failover, &two_providers());
                host(|host| host.faults = vec![Fault::Always(function, status)]);
                let outcome = gate.ask(&Ask::chat("smart", true), &mut |_| panic!("{function} {status} went out"));
                assert_eq!(outcome.status, Some(503), "{failover:?} {function} {status}: {outcome:?}");
                assert_eq!(outcome.code(), "policy_unavailable");
                assert!(failures(function) > 0);
                if function != "get_pairs" {
                    assert_eq!(outcome.audit()["code"], "policy_unavailable", "{function}");
                    assert_eq!(outcome.audit()["status"], 503);
                }
            }
        }
    }
}

#[test]
fn an_attempt_whose_decision_cannot_be_read_is_refused() {
    for failover in BOTH {
        let function = "get_header";
        for status in 1..=13 {
            let mut gate = Gate::open(failover, &two_providers());
            host(|host| host.faults = vec![Fault::Always(function, status)]);
            let outcome = gate.ask(&Ask::chat("smart", false), &mut |_| panic!("{function} {status} went out"));
            assert_eq!((outcome.status, outcome.code().as_str()), (Some(503), "policy_unavailable"), "{status}");
        }
    }
}

#[test]
fn any_one_call_may_fail() {
    for failover in BOTH {
        for (policy, model) in policies() {
            for stream in [false, true] {
                let mut gate = Gate::open(failover, &policy);
                let before = host(|host| host.calls);
                bumpy(&mut gate, stream, model);
                let calls = host(|host| host.calls) - before;
                for number in 1..=calls + 5 {
                    for status in 1..=13 {
                        host(|host| host.faults = vec![Fault::Call(host.calls + number, status)]);
                        let outcome = bumpy(&mut gate, stream, model);
                        assert!(outcome.held || outcome.status.is_some(), "{number} {status}");
                    }
                }
                heal();
                assert_eq!(bumpy(&mut gate, stream, model).status, Some(200));
            }
        }
    }
}

#[test]
fn calls_may_fail_by_chance() {
    let mut dice = Dice(20_261_121);
    for failover in BOTH {
        for (policy, model) in policies() {
            let mut gate = Gate::open(failover, &policy);
            for one_in in [2, 5, 20, 60] {
                for _ in 0..400 {
                    let seed = dice.roll();
                    crate::vm::note(|| format!("seed {seed}, one in {one_in}"));
                    host(|host| host.faults = vec![Fault::Chance { seed, one_in }]);
                    let outcome = bumpy(&mut gate, seed.is_multiple_of(2), model);
                    assert!(outcome.held || outcome.status.is_some());
                }
            }
        }
    }
}

#[test]
fn a_host_that_hands_over_nonsense_does_no_harm() {
    let mut wild = vec![0xff; 64];
    wild.extend(b"\xff\xfe\x00{}");
    let lies: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        vec![0; 4],
        vec![1, 0, 0, 0],
        vec![0xff; 4],
        vec![2, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0],
        wild,
        b"{\"model\": \"smart\", \"model\": \"other\"}".to_vec(),
        b"{\"model\": \"sm".to_vec(),
        vec![b'['; 100_000],
    ];
    for failover in BOTH {
        for (policy, model) in policies() {
            for function in ["get_buffer", "get_pairs", "get_header", "get_property", "get_shared"] {
                let faults = lies.iter().map(|bytes| Fault::Lie(function, bytes.clone()));
                for fault in
                    faults.chain([Fault::Null(function, 0), Fault::Null(function, 1), Fault::Null(function, 1 << 40)])
                {
                    let mut gate = Gate::open(failover, &policy);
                    host(|host| host.faults = vec![fault.clone()]);
                    for stream in [false, true] {
                        let outcome = bumpy(&mut gate, stream, model);
                        assert!(outcome.status.is_some(), "{fault:?}");
                    }
                }
            }
        }
    }
}
