//! The next candidate is of another family: every attempt is made anew from what the client sent.

use serde_json::{Value, json};

use crate::client::Response;
use crate::family::said::{error, error_of, read};
use crate::family::speak::Client;
use crate::family::stage::{Stage, expect_headers, path_at};
use crate::in_both_designs;

/// The chains of the policy and the order of their providers.
const CHAINS: [(&str, [&str; 3]); 3] = [
    ("chain", ["openai", "anthropic", "gemini"]),
    ("back", ["gemini", "anthropic", "openai"]),
    ("rest", ["bedrock", "cohere", "responses"]),
];

/// Each of these was asked once, at its own place, with its own headers.
#[track_caller]
fn expect_asked(stage: &Stage, client: Client, names: &[&str], stream: bool) {
    for name in names {
        let received = stage.mock(name).only();
        assert_eq!(received.path, path_at(client, name, stream), "{client:?} at {name}");
        assert_eq!(received.headers("content-length"), [received.body.len().to_string()], "{client:?} at {name}");
        expect_headers(client, name, &received);
    }
}

#[track_caller]
fn expect_attempts(stage: &Stage, answer: &Response, expected: &[(&str, u64)]) {
    let audit = stage.audit(answer);
    let attempts: Vec<(&str, u64)> = audit["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["provider"].as_str().unwrap_or("?"), one["status"].as_u64().unwrap_or_default()))
        .collect();
    assert_eq!(attempts, expected, "{audit}");
}

#[track_caller]
fn expect_told(stage: &Stage, client: Client, answer: &Response, name: &str, stream: bool) {
    assert_eq!(answer.status, 200, "{client:?}: {}", answer.text());
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some(name), "{client:?}: {:?}", answer.headers);
    let said = read(client, answer, stream);
    assert!(said.text.contains(&format!("provider {name} ")), "{client:?}: {said:?}");
    assert!(!stream || said.ended, "{client:?}: {}", answer.text());
    stage.envoy.expect_no_trap();
}

/// What an error of a status is called in each family.
fn kinds(client: Client, status: u16) -> &'static [&'static str] {
    match (client, status) {
        (Client::Chat | Client::Responses, 429) => &["rate_limit_error", "requests", "rate_limit_exceeded"],
        (Client::Chat | Client::Responses, 400) => &["invalid_request_error"],
        (Client::Chat | Client::Responses, _) => &["server_error", "api_error", "overloaded_error"],
        (Client::Messages, 429) => &["rate_limit_error"],
        (Client::Messages, 400) => &["invalid_request_error"],
        (Client::Messages, _) => &["overloaded_error", "api_error"],
        (Client::Gemini, 429) => &["RESOURCE_EXHAUSTED"],
        (Client::Gemini, 400) => &["INVALID_ARGUMENT"],
        (Client::Gemini, _) => &["UNAVAILABLE", "INTERNAL"],
    }
}

in_both_designs! {
    fn failing_families_give_way_to_the_one_that_answers(design) {
        let stage = Stage::new(design);
        for (model, order) in CHAINS {
            for client in Client::ALL {
                for stream in [false, true] {
                    stage.calm();
                    stage.mock(order[0]).fault(&json!({"status": 503}));
                    stage.mock(order[1]).fault(&json!({"status": 529}));
                    let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), stream));
                    expect_told(&stage, client, &answer, order[2], stream);
                    expect_asked(&stage, client, &order, stream);
                    expect_attempts(&stage, &answer, &[(order[0], 503), (order[1], 529), (order[2], 200)]);
                }
            }
        }
    }

    fn a_connection_that_breaks_gives_way_to_another_family(design) {
        let stage = Stage::new(design);
        for (model, order) in CHAINS {
            for client in Client::ALL {
                stage.calm();
                stage.mock(order[0]).fault(&json!({"reset": true}));
                for stream in [false, true] {
                    let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), stream));
                    expect_told(&stage, client, &answer, order[1], stream);
                }
            }
        }
    }

    fn an_error_as_a_streams_first_event_gives_way_to_another_family(design) {
        let stage = Stage::new(design);
        for (model, order) in CHAINS {
            for client in Client::ALL {
                stage.calm();
                stage.mock(order[0]).fault(&json!({"error_event_after": 0}));
                stage.mock(order[1]).fault(&json!({"error_event_after": 0}));
                let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), true));
                expect_told(&stage, client, &answer, order[2], true);
                expect_asked(&stage, client, &order, true);
                let audit = stage.audit(&answer);
                assert_eq!(audit["attempts"].as_array().map(Vec::len), Some(3), "{audit}");
            }
        }
    }

    fn when_every_family_fails_the_client_is_told_in_its_own(design) {
        let stage = Stage::new(design);
        for (model, order) in CHAINS {
            for client in Client::ALL {
                for stream in [false, true] {
                    stage.calm();
                    stage.mock(order[0]).fault(&json!({"status": 503}));
                    stage.mock(order[1]).fault(&json!({"status": 500}));
                    stage.mock(order[2]).fault(&json!({"status": 429, "retry_after": "7", "rate_limits": true}));
                    let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), stream));
                    let told = format!("{client:?} to {model}, stream {stream}: {}", answer.text());
                    let (status, kind, message) = error(client, &answer);
                    assert_eq!(status, 429, "{told}");
                    assert!(kinds(client, 429).contains(&kind.as_str()), "{kind} in {told}");
                    assert!(message.contains("status 429 on demand"), "{told}");
                    assert_eq!(answer.header("retry-after").as_deref(), Some("7"), "{told}");
                    expect_limits(client, order[2], &answer);
                    let audit = stage.audit(&answer);
                    assert_eq!((&audit["status"], &audit["outcome"]), (&json!(429), &json!("error")), "{audit}");
                    assert_eq!(audit["cost_microusd"], 0, "{audit}");

                    stage.calm();
                    order.iter().for_each(|name| stage.mock(name).fault(&json!({"status": 503})));
                    let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), stream));
                    let (status, kind, _) = error(client, &answer);
                    assert!([503, 529].contains(&status), "{client:?} to {model}: {}", answer.text());
                    assert!(kinds(client, 503).contains(&kind.as_str()), "{kind} in {client:?}: {}", answer.text());
                }
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn when_every_stream_begins_with_an_error_the_client_gets_a_status(design) {
        let stage = Stage::new(design);
        for (model, order) in CHAINS {
            for client in Client::ALL {
                stage.calm();
                order.iter().for_each(|name| stage.mock(name).fault(&json!({"error_event_after": 0})));
                let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), true));
                let (status, kind, message) = error(client, &answer);
                assert!((500..=529).contains(&status), "{client:?} to {model}: {}", answer.text());
                assert!(kinds(client, status).contains(&kind.as_str()), "{kind} in {client:?}: {}", answer.text());
                assert!(message.contains("broke off on demand"), "{client:?}: {message}");
                assert!(answer.clean_end);
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn what_is_the_clients_fault_is_told_at_once_in_its_own_family(design) {
        let stage = Stage::new(design);
        for (model, order) in CHAINS {
            for client in Client::ALL {
                for stream in [false, true] {
                    stage.calm();
                    stage.mock(order[0]).fault(&json!({"status": 400}));
                    let answer = stage.send(&client.request(model, &client.ask("How deep is the river?"), stream));
                    let (status, kind, message) = error(client, &answer);
                    assert_eq!(status, 400, "{client:?} to {model}: {}", answer.text());
                    assert!(kinds(client, 400).contains(&kind.as_str()), "{kind} in {client:?}: {}", answer.text());
                    assert!(message.contains("on demand"), "{client:?}: {message}");
                    assert!(stage.mock(order[1]).received().is_empty(), "{client:?} to {model}");
                }
            }
        }
    }

    fn tools_and_their_results_survive_the_change_of_family(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            for (model, order) in CHAINS {
                for stream in [false, true] {
                    stage.calm();
                    let mut body = client.ask_with_tools("Please use two tools");
                    let (said, _) = stage.ask(client, model, &body, stream);
                    assert_eq!(said.calls.len(), 2, "{client:?} to {model}: {said:?}");
                    // The next turn goes elsewhere, with ids that the first vendor made.
                    client.send_results(&mut body, &said);
                    for failing in 1..3 {
                        stage.mock(order[failing - 1]).fault(&json!({"status": 503}));
                        let (answer, _) = stage.ask(client, model, &body, stream);
                        let name = order[failing];
                        assert!(answer.text.contains(&format!("provider {name} ")), "{client:?} to {model}: {answer:?}");
                        for call in &said.calls {
                            let expected = format!("The tool said: {}", call.result());
                            assert!(answer.text.contains(&expected), "{client:?} to {name}: {:?}", answer.text);
                        }
                    }
                }
            }
        }
        stage.envoy.expect_no_trap();
    }
}

/// What a provider says of its limits, in the client's words, and in nobody else's.
#[track_caller]
fn expect_limits(client: Client, name: &str, answer: &Response) {
    let has = |prefix: &str| answer.headers.iter().any(|(header, _)| header.starts_with(prefix));
    let tells = matches!(name, "openai" | "anthropic" | "responses");
    let openai = matches!(client, Client::Chat | Client::Responses);
    assert_eq!(has("x-ratelimit-"), tells && openai, "{client:?} from {name}: {:?}", answer.headers);
    let messages = client == Client::Messages;
    assert_eq!(has("anthropic-ratelimit-"), tells && messages, "{client:?} from {name}: {:?}", answer.headers);
    assert!(!has("anthropic-organization-id"), "{:?}", answer.headers);
    let (_, message) = error_of(client, &serde_json::from_slice::<Value>(&answer.body).unwrap());
    assert!(!message.is_empty());
}
