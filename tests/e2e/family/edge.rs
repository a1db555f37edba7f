//! Answers that are large, broken or no answers at all, on their way from one family to another.

use serde_json::json;

use crate::envoy::Failover;
use crate::family::said::{error, stream_of, whole};
use crate::family::speak::Client;
use crate::family::stage::{MODELS, Stage};
use crate::in_both_designs;

/// A provider that none of the clients speaks natively, and one that some do.
const SOME: [&str; 4] = ["cohere", "anthropic", "bedrock", "gemini"];

in_both_designs! {
    fn an_answer_of_five_megabytes_is_translated(design) {
        let stage = Stage::new(design);
        for name in SOME {
            stage.mock(name).fault(&json!({"answer_bytes": 5_000_000, "chunks": 200}));
        }
        for client in Client::ALL {
            for name in SOME {
                for stream in [false, true] {
                    let answer = stage.send(&client.request(name, &client.ask("How deep is the river?"), stream));
                    assert_eq!(answer.status, 200, "{client:?} to {name}, stream {stream}: {:.500}", answer.text());
                    let said = if stream { stream_of(client, &answer.text()) } else { whole(client, &answer.json()) };
                    assert!(said.text.len() >= 5_000_000, "{client:?} to {name}: {}", said.text.len());
                    assert!(said.text.ends_with("it only measures."), "{client:?} to {name}");
                    assert!(!stream || said.ended, "{client:?} to {name}");
                    let audit = stage.audit(&answer);
                    assert_eq!(audit["usage"], "reported", "{audit}");
                    assert!(audit["output"].as_u64().is_some_and(|count| count >= 1_250_000), "{audit}");
                }
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn a_request_of_a_megabyte_is_translated(design) {
        // Names that no catalogue has, so that nobody knows how much they take.
        let stage = Stage::with(design, |policy| {
            for name in SOME {
                policy["models"][name] = json!({"targets": [{"provider": name, "model": "house-model"}]});
            }
        });
        let text = format!("{} How deep is the river?", "\u{00e4}\\\"\n".repeat(200_000));
        for client in Client::ALL {
            for name in ["cohere", "gemini"] {
                let (said, _) = stage.ask(client, name, &client.ask(&text), false);
                assert!(said.text.contains(&format!("provider {name} ")), "{client:?} to {name}");
                assert!(stage.last(name).body.len() > 1_000_000, "{client:?} to {name}");
            }
        }
        stage.envoy.expect_no_trap();
    }
}

#[test]
fn a_page_in_place_of_an_answer_is_told_as_an_error() {
    let stage = Stage::new(Failover::Refresh);
    for (name, ..) in MODELS {
        for client in Client::ALL {
            for stream in [false, true] {
                stage.mock(name).heal();
                stage.mock(name).fault(&json!({"status": 502, "body": "<html><h1>Bad gateway</h1></html>"}));
                let answer = stage.send(&client.request(name, &client.ask("hi"), stream));
                let (status, _, message) = error(client, &answer);
                assert_eq!(status, 502, "{client:?} to {name}: {message}");
                assert!(!message.contains("<html>"), "{client:?} to {name}: {message}");
            }
        }
    }
    stage.envoy.expect_no_trap();
}

#[test]
fn what_is_no_answer_of_the_family_s_is_told_as_an_error() {
    let stage = Stage::new(Failover::Refresh);
    // None of the clients speaks Cohere or Converse, so every answer is translated.
    for name in ["cohere", "bedrock"] {
        for client in Client::ALL {
            for (body, kind) in [
                ("<html>Welcome</html>", "text/html"),
                ("", "application/json"),
                ("[]", "application/json"),
                ("{\"id\": \"x\", \"message\": {\"ro", "application/json"),
            ] {
                for stream in [false, true] {
                    stage.mock(name).heal();
                    stage.mock(name).fault(&json!({"body": body, "content_type": kind}));
                    let answer = stage.send(&client.request(name, &client.ask("hi"), stream));
                    assert_eq!(answer.status, 502, "{client:?} to {name}, {body:?}: {}", answer.text());
                    // Where no body came, none can be made.
                    if !body.is_empty() {
                        let (_, _, message) = error(client, &answer);
                        assert!(!message.contains("Welcome"), "{message}");
                    }
                    let audit = stage.audit(&answer);
                    assert_ne!(audit["outcome"], "ok", "{client:?} to {name}, {body:?}: {audit}");
                }
            }
        }
    }
    stage.envoy.expect_no_trap();
}

#[test]
fn a_body_that_breaks_off_is_no_answer() {
    let stage = Stage::new(Failover::Refresh);
    for name in ["cohere", "bedrock", "anthropic"] {
        for client in [Client::Chat, Client::Responses, Client::Gemini] {
            stage.mock(name).heal();
            stage.mock(name).fault(&json!({"cut_body": true}));
            let Some(answer) = client.request(name, &client.ask("hi"), false).try_send(stage.envoy.address) else {
                continue;
            };
            assert!(
                answer.status >= 500 || !answer.clean_end,
                "{client:?} to {name}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    stage.envoy.expect_no_trap();
}

#[test]
fn the_error_body_of_a_streamed_request_is_no_stream() {
    let stage = Stage::new(Failover::Refresh);
    for (name, ..) in MODELS {
        for client in Client::ALL {
            stage.mock(name).heal();
            stage.mock(name).fault(&json!({"status": 429, "retry_after": "9"}));
            let answer = stage.send(&client.request(name, &client.ask("hi"), true));
            assert_eq!(error(client, &answer).0, 429, "{client:?} to {name}: {}", answer.text());
            assert_eq!(answer.header("retry-after").as_deref(), Some("9"), "{client:?} to {name}");
        }
    }
}
