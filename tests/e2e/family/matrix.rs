//! Every client family to every provider family: where the request arrives, what the client gets, what the books say.

use crate::client::Response;
use crate::envoy::Failover;
use crate::family::said::Said;
use crate::family::speak::Client;
use crate::family::stage::{MODELS, Stage, expect_headers, path_at};
use crate::in_both_designs;

/// What the mock says that it took and gave, as its `Usage` counts: input, cached, output.
fn counted(asked: &str, said: &Said) -> (u64, u64, u64) {
    let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap();
    let input = tokens(asked.len());
    (input, input / 4, tokens(said.text.len()))
}

#[track_caller]
fn expect_answer(stage: &Stage, client: Client, name: &str, model: &str, stream: bool) {
    let told = format!("{client:?} to {name}, stream {stream}");
    let (said, decision) = stage.ask(client, name, &client.ask("How deep is the river?"), stream);
    let received = stage.last(name);
    assert!(said.text.contains(&format!("provider {name} model {model} ")), "{told}: {:?}", said.text);
    assert!(said.text.ends_with('.') && said.calls.is_empty() && said.refusal.is_empty(), "{told}: {said:?}");
    let finish = match client {
        Client::Chat => "stop",
        Client::Responses => "completed",
        Client::Messages => "end_turn",
        Client::Gemini => "STOP",
    };
    assert_eq!(said.finish, finish, "{told}");
    if stream {
        // Eight at the mock: an empty one at the end of Gemini's own is none.
        assert!(said.pieces >= 8, "{told}: {} pieces", said.pieces);
    }
    assert_eq!(received.path, path_at(client, name, stream), "{told}");
    assert_eq!(received.headers("host"), [stage.mock(name).address.to_string()], "{told}");
    assert_eq!(received.headers("content-length"), [received.body.len().to_string()], "{told}");
    expect_headers(client, name, &received);

    let (input, cached, output) = counted(&received.body, &said);
    // Who streams chat gets the usage that it asked for, which is none.
    if !(client == Client::Chat && stream) {
        assert_eq!(said.usage, Some((input, cached, output)), "{told}");
    } else {
        assert_eq!(said.usage, None, "{told}");
    }
    let audit = stage.audit_of(&decision);
    for (member, expected) in [("input", input), ("cache_read", cached), ("output", output)] {
        assert_eq!(audit[member], expected, "{told}: {member} in {audit}");
    }
    assert_eq!(audit["cost_microusd"], input + 2 * output, "{told}: {audit}");
    assert_eq!((audit["usage"].as_str(), audit["outcome"].as_str()), (Some("reported"), Some("ok")), "{told}: {audit}");
    assert_eq!(
        (audit["api"].as_str(), audit["provider"].as_str()),
        (Some(client.api()), Some(name)),
        "{told}: {audit}"
    );
    assert_eq!((audit["asked"].as_str(), audit["model"].as_str()), (Some(name), Some(model)), "{told}: {audit}");
    assert_eq!(audit["stream"], stream, "{told}: {audit}");
    assert!(audit["ttft_ms"].is_u64(), "{told}: {audit}");
    assert_eq!(audit.get("lost"), None, "{told}: {audit}");
}

/// No vendor's own headers stand beside an answer in another family's shape.
#[track_caller]
fn expect_no_stranger(client: Client, name: &str, answer: &Response) {
    let strange: Vec<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|header| {
            let amazon = header.starts_with("x-amzn-");
            let anthropic = header.starts_with("anthropic-") && client != Client::Messages;
            let openai = header.starts_with("x-ratelimit-") && !matches!(client, Client::Chat | Client::Responses);
            amazon || anthropic || openai || *header == "anthropic-organization-id"
        })
        .collect();
    assert!(strange.is_empty(), "{client:?} to {name}: {strange:?}");
}

in_both_designs! {
    fn every_family_reaches_every_provider(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            for (name, _, _, model) in MODELS {
                for stream in [false, true] {
                    expect_answer(&stage, client, name, model, stream);
                }
            }
        }
        stage.envoy.expect_no_trap();
    }
}

#[test]
fn answers_carry_no_vendors_own_headers_to_another_family() {
    let stage = Stage::new(Failover::Refresh);
    for client in Client::ALL {
        for (name, ..) in MODELS {
            stage.mock(name).fault(&serde_json::json!({"rate_limits": true}));
            let answer = stage.send(&client.request(name, &client.ask("hi"), false));
            assert_eq!(answer.status, 200, "{client:?} to {name}: {}", answer.text());
            expect_no_stranger(client, name, &answer);
            let openai = matches!(name, "openai" | "compatible" | "responses" | "azure" | "azure-dated");
            match client {
                Client::Chat | Client::Responses if openai => {
                    assert_eq!(answer.header("x-ratelimit-reset-tokens").as_deref(), Some("6m0s"), "{client:?} {name}");
                }
                Client::Chat | Client::Responses if name == "anthropic" => {
                    assert_eq!(answer.header("x-ratelimit-remaining-tokens").as_deref(), Some("199000"));
                    let reset = answer.header("x-ratelimit-reset-tokens").expect("a reset");
                    assert!(reset.ends_with('s') && reset[..reset.len() - 1].parse::<u64>().is_ok(), "{reset}");
                }
                Client::Messages if openai => {
                    assert_eq!(answer.header("anthropic-ratelimit-requests-remaining").as_deref(), Some("999"));
                    let reset = answer.header("anthropic-ratelimit-tokens-reset").expect("a reset");
                    assert!(reset.ends_with('Z') && reset.contains('T'), "{reset}");
                }
                _ => {}
            }
        }
    }
}
