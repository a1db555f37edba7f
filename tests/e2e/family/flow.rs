//! Streams between families: nothing held back, cuts and errors told, the same at every split of the bytes.

use std::time::Duration;

use serde_json::json;

use crate::client::{Request, Response};
use crate::envoy::Failover;
use crate::family::said::{Said, error_of, events, stream_of};
use crate::family::speak::Client;
use crate::family::stage::{MODELS, Stage};
use crate::in_both_designs;

/// Pause between the pieces of a paced stream.
const PAUSE: Duration = Duration::from_millis(120);

/// Does something with every client, each in a thread of its own.
fn for_each_client(stage: &Stage, work: impl Fn(&Stage, Client) + Sync) {
    std::thread::scope(|scope| {
        let threads: Vec<_> = Client::ALL.iter().map(|client| scope.spawn(|| work(stage, *client))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it holds for this client"));
    });
}

/// Whether the client's format is the provider's, so that the stream passes as it is.
fn passes(client: Client, name: &str) -> bool {
    match client {
        Client::Chat => matches!(name, "openai" | "compatible" | "azure" | "azure-dated"),
        Client::Responses => matches!(name, "openai" | "responses" | "azure" | "azure-dated"),
        Client::Messages => matches!(name, "anthropic" | "vertex-claude"),
        Client::Gemini => matches!(name, "gemini" | "vertex"),
    }
}

/// What a stream that ended too early has told.
#[track_caller]
fn expect_broken(stage: &Stage, client: Client, name: &str, answer: &Response) -> Said {
    let told = format!("{client:?} to {name}: {}", answer.text());
    assert_eq!(answer.status, 200, "{told}");
    // A cut may come in the middle of an event.
    let text = answer.text();
    let said = stream_of(client, text.rfind("\n\n").map_or("", |end| &text[..end]));
    assert!(!said.ended, "{told}");
    let audit = stage.audit(answer);
    assert_ne!(audit["outcome"], "ok", "{told}\n{audit}");
    said
}

in_both_designs! {
    fn a_connection_that_is_cut_never_looks_like_an_end(design) {
        let stage = Stage::new(design);
        for (name, ..) in MODELS {
            stage.mock(name).fault(&json!({"cut_after_chunks": 3}));
        }
        for client in Client::ALL {
            for (name, ..) in MODELS {
                let answer = stage.send(&client.request(name, &client.ask("How deep is the river?"), true));
                let said = expect_broken(&stage, client, name, &answer);
                assert!(said.error.is_some() || !answer.clean_end, "{client:?} to {name}: {}", answer.text());
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn an_error_in_the_middle_is_told_as_the_client_s_family_tells_it(design) {
        let stage = Stage::new(design);
        for (name, ..) in MODELS {
            stage.mock(name).fault(&json!({"error_event_after": 3}));
        }
        for client in Client::ALL {
            for (name, ..) in MODELS {
                let answer = stage.send(&client.request(name, &client.ask("How deep is the river?"), true));
                let said = expect_broken(&stage, client, name, &answer);
                assert!(answer.clean_end, "{client:?} to {name}");
                let error = said.error.unwrap_or_else(|| panic!("{client:?} to {name}: {}", answer.text()));
                let message = if client == Client::Responses && error["error"].is_null() {
                    error["message"].as_str().unwrap_or_default().to_owned()
                } else if client == Client::Responses {
                    error["error"]["message"].as_str().unwrap_or_default().to_owned()
                } else {
                    error_of(client, &error).1
                };
                assert!(message.contains("broke off on demand"), "{client:?} to {name}: {error}");
                assert_eq!(said.pieces, 3, "{client:?} to {name}: {}", answer.text());
            }
        }
        stage.envoy.expect_no_trap();
    }
}

#[test]
fn a_stream_that_just_ends_is_told_as_an_error() {
    let stage = Stage::new(Failover::Refresh);
    for (name, ..) in MODELS.into_iter().filter(|(name, ..)| !name.starts_with("bedrock")) {
        for client in Client::ALL.into_iter().filter(|client| !passes(*client, name)) {
            stage.calm();
            stage.ask(client, name, &client.ask("How deep is the river?"), true);
            // The mock's own stream for this very request, without its last third.
            let received = stage.last(name);
            let again = Request::new("POST", &received.path)
                .header("anthropic-version", "2023-06-01")
                .json(received.body.as_str());
            let own = again.send(stage.mock(name).address).text();
            let cut = own[..own.len() * 2 / 3].rfind("\n\n").unwrap() + 2;
            stage.mock(name).fault(&json!({"body": &own[..cut], "content_type": "text/event-stream"}));
            let answer = stage.send(&client.request(name, &client.ask("How deep is the river?"), true));
            let said = expect_broken(&stage, client, name, &answer);
            assert!(said.error.is_some() && answer.clean_end, "{client:?} to {name}: {}", answer.text());
        }
    }
    stage.envoy.expect_no_trap();
}

#[test]
fn a_stream_is_the_same_in_pieces_of_every_size() {
    let stage = Stage::new(Failover::Refresh);
    for says in ["How deep is the river?", "Please use two tools, say so"] {
        for (name, ..) in MODELS {
            for client in Client::ALL {
                let request = client.request(name, &client.ask_with_tools(says), true);
                let plain = stage.send(&request);
                let plain = stream_of(client, &plain.text());
                assert!(plain.ended, "{client:?} to {name}");
                for size in [1, 2, 7] {
                    stage.mock(name).heal();
                    stage.mock(name).fault(&json!({"chunk_bytes": size}));
                    let answer = stage.send(&request);
                    let said = stream_of(client, &answer.text());
                    let parts = |said: &Said| {
                        (said.text.clone(), said.finish.clone(), said.pieces, format!("{:?}", said.calls))
                    };
                    assert_eq!(parts(&said), parts(&plain), "{client:?} to {name} in pieces of {size}");
                    assert!(said.ended, "{client:?} to {name} in pieces of {size}");
                }
                stage.mock(name).heal();
            }
        }
    }
    stage.envoy.expect_no_trap();
}

#[test]
fn no_event_waits_for_the_next() {
    let stage = Stage::new(Failover::Refresh);
    let pause = u64::try_from(PAUSE.as_millis()).unwrap();
    for (name, ..) in MODELS {
        stage.mock(name).fault(&json!({"chunks": 5, "chunk_delay_ms": pause}));
    }
    for_each_client(&stage, |stage, client| {
        for (name, ..) in MODELS {
            for says in ["How deep is the river?", "Please use the tool"] {
                let tools = says.contains("tool");
                if tools && (client == Client::Gemini || matches!(name, "gemini" | "vertex")) {
                    // Its calls come whole.
                    continue;
                }
                let body = client.ask_with_tools(says);
                let mut exchange = client.request(name, &body, true).open(stage.envoy.address);
                let mut moments: Vec<Duration> = Vec::new();
                while let Some((after, block)) = exchange.next_block() {
                    let said = if client == Client::Messages || client == Client::Responses {
                        usize::from(events(&block).iter().any(|(_, data)| {
                            data["type"].as_str().is_some_and(|kind| kind.ends_with("delta"))
                                && (client == Client::Responses
                                    || data["delta"]["text"]
                                        .as_str()
                                        .or(data["delta"]["partial_json"].as_str())
                                        .is_some_and(|piece| !piece.is_empty()))
                        }))
                    } else if block.contains("[DONE]") || block.starts_with(':') || block.trim().is_empty() {
                        0
                    } else {
                        let said = stream_of(client, &block);
                        said.pieces + said.argument_pieces
                    };
                    if said > 0 {
                        moments.push(after);
                    }
                }
                let told = format!("{client:?} to {name}, {says:?}: {moments:?}");
                let pieces = if tools { 3 } else { 5 };
                assert!(moments.len() >= pieces, "{told}");
                let spread = moments[pieces - 1].saturating_sub(moments[0]);
                let expected = PAUSE * u32::try_from(pieces - 1).unwrap();
                assert!(spread >= expected * 8 / 10, "{told}");
                // One after the other, not in two lumps.
                let steps = moments.windows(2).filter(|pair| pair[1] - pair[0] >= PAUSE / 3).count();
                assert!(steps + 1 >= pieces - 1, "{told}");
            }
        }
    });
    stage.envoy.expect_no_trap();
}

#[test]
fn signs_of_life_reach_every_family() {
    let stage = Stage::new(Failover::Refresh);
    for client in Client::ALL {
        let answer = stage.send(&client.request("anthropic", &client.ask("hi"), true));
        let sign = match client {
            Client::Chat | Client::Responses => "\n: ping\n\n",
            Client::Messages => "event: ping\n",
            Client::Gemini => "\n\n\ndata: ",
        };
        // The sign may be the first thing of all.
        assert!(format!("\n\n{}", answer.text()).contains(sign), "{client:?}: {}", answer.text());
    }
}

#[test]
fn a_client_that_asks_chat_for_usage_gets_it_from_every_family() {
    let stage = Stage::new(Failover::Refresh);
    for (name, ..) in MODELS {
        let mut body = Client::Chat.ask("How deep is the river?");
        body["stream_options"] = json!({"include_usage": true});
        let (said, decision) = stage.ask(Client::Chat, name, &body, true);
        let audit = stage.audit_of(&decision);
        let (input, cached, output) = said.usage.expect("a usage");
        assert_eq!(
            (&audit["input"], &audit["cache_read"], &audit["output"]),
            (&json!(input), &json!(cached), &json!(output)),
            "{name}"
        );
    }
}

#[test]
fn refusals_and_limits_are_told_by_their_names() {
    let stage = Stage::new(Failover::Refresh);
    for client in Client::ALL {
        for (name, ..) in MODELS {
            for stream in [false, true] {
                let told = format!("{client:?} to {name}, stream {stream}");
                let (said, _) = stage.ask(client, name, &client.ask("long"), stream);
                let finish = match client {
                    Client::Chat => "length",
                    Client::Responses => "incomplete",
                    Client::Messages => "max_tokens",
                    Client::Gemini => "MAX_TOKENS",
                };
                assert_eq!(said.finish, finish, "{told}");
                let (said, _) = stage.ask(client, name, &client.ask("refuse"), stream);
                let words = format!("{}{}", said.text, said.refusal);
                assert!(words.contains("cannot help"), "{told}: {said:?}");
            }
        }
    }
}

#[test]
fn an_array_stream_of_gemini_s_comes_from_every_family() {
    let stage = Stage::new(Failover::Refresh);
    for (name, ..) in MODELS {
        let path = format!("/v1beta/models/{name}:streamGenerateContent");
        let answer = stage.send(&Client::Gemini.to(&path, &Client::Gemini.ask("How deep is the river?")));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{name}");
        let chunks = answer.json();
        let chunks = chunks.as_array().unwrap_or_else(|| panic!("{name}: {}", answer.text()));
        assert!(chunks.len() >= 8, "{name}: {}", answer.text());
        let said = crate::family::said::gemini(chunks);
        assert!(said.text.contains(&format!("provider {name} ")) && said.finish == "STOP", "{name}: {said:?}");
        let audit = stage.audit(&answer);
        assert_eq!(
            (audit["usage"].as_str(), audit["outcome"].as_str()),
            (Some("reported"), Some("ok")),
            "{name}: {audit}"
        );
        // Broken off in the middle, it is still an array, and ends in an error.
        if !passes(Client::Gemini, name) {
            stage.mock(name).fault(&json!({"error_event_after": 2, "times": 1}));
            let answer = stage.send(&Client::Gemini.to(&path, &Client::Gemini.ask("How deep is the river?")));
            let last = answer.json().as_array().and_then(|chunks| chunks.last().cloned()).expect("a last chunk");
            assert!(last["error"]["message"].is_string(), "{name}: {}", answer.text());
        }
    }
}
