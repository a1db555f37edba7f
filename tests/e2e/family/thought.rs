//! Thoughts and their seals: back to the vendor that made them through a client of any family, and to no other.

use serde_json::Value;

use crate::family::said::Said;
use crate::family::speak::Client;
use crate::family::stage::Stage;
use crate::in_both_designs;

/// Whose seals Claude takes, wherever it runs.
const CLAUDES: [&str; 3] = ["anthropic", "vertex-claude", "bedrock"];

/// What a provider was sent as a seal of thoughts or calls.
fn seals(body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("signature" | "thoughtSignature" | "encrypted_content" | "data", Value::String(text)) => {
                        found.push(text.clone())
                    }
                    _ => seals(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| seals(item, found)),
        _ => {}
    }
}

fn seals_of(stage: &Stage, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    seals(&serde_json::from_str(&stage.last(name).body).expect("JSON"), &mut found);
    found
}

#[track_caller]
fn thinks(stage: &Stage, client: Client, name: &str, says: &str, stream: bool) -> (Value, Said) {
    let mut body = client.ask_with_tools(says);
    client.think(&mut body);
    let (said, _) = stage.ask(client, name, &body, stream);
    assert!(said.thought.contains("about water"), "{client:?} to {name}, stream {stream}: {said:?}");
    (body, said)
}

in_both_designs! {
    fn claude_s_thoughts_come_back_to_claude_with_their_signature(design) {
        let stage = Stage::new(design);
        for client in [Client::Messages, Client::Chat, Client::Responses, Client::Gemini] {
            for name in CLAUDES {
                for stream in [false, true] {
                    let (body, said) = thinks(&stage, client, name, "think, then use the tool", stream);
                    assert_eq!(said.calls.len(), 1, "{client:?} to {name}: {said:?}");
                    let mut next = body.clone();
                    client.send_results(&mut next, &said);
                    // The mock refuses every signature that is not its own, and thinking on without thoughts.
                    let (answer, _) = stage.ask(client, name, &next, stream);
                    assert!(answer.text.contains("The tool said"), "{client:?} to {name}: {answer:?}");
                    let found = seals_of(&stage, name);
                    assert_eq!(found.len(), 1, "{client:?} to {name}, stream {stream}: {found:?} of {:?}", said.native);
                }
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn gemini_s_signatures_come_back_to_gemini(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            for stream in [false, true] {
                for says in ["think, then use the tool", "think, then use two tools"] {
                    let (body, said) = thinks(&stage, client, "third", says, stream);
                    let mut next = body.clone();
                    client.send_results(&mut next, &said);
                    let (answer, _) = stage.ask(client, "third", &next, stream);
                    assert!(answer.text.contains("The tool said"), "{client:?}: {answer:?}");
                    let found = seals_of(&stage, "gemini");
                    let own = found.iter().filter(|seal| seal.as_str() != "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=").count();
                    assert_eq!(own, 1, "{client:?}, stream {stream}: {found:?}");
                }
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn a_seal_never_goes_to_another_vendor(design) {
        let stage = Stage::with(design, |policy| {
            policy["models"]["responses"]["targets"][0]["model"] = serde_json::json!("gpt-5");
            policy["models"]["cohere"]["targets"][0]["model"] = serde_json::json!("command-a-plus-05-2026");
        });
        // Whom the first answer comes from, and who gets the conversation then.
        let vendors = ["anthropic", "bedrock", "gemini", "third", "responses", "compatible", "cohere"];
        let claude = |name: &str| matches!(name, "anthropic" | "bedrock");
        let google = |name: &str| matches!(name, "gemini" | "third");
        for client in Client::ALL {
            for from in vendors {
                for stream in [false, true] {
                    let (body, said) = thinks(&stage, client, from, "think, then use the tool", stream);
                    for to in vendors {
                        let mut next = body.clone();
                        client.send_results(&mut next, &said);
                        let (answer, _) = stage.ask(client, to, &next, stream);
                        let told = format!("{client:?} from {from} to {to}, stream {stream}");
                        assert!(answer.text.contains("The tool said"), "{told}: {answer:?}");
                        let kin = from == to || claude(from) && claude(to) || google(from) && google(to);
                        if !kin {
                            let mock = if to == "third" { "gemini" } else { to };
                            let mut found = seals_of(&stage, mock);
                            found.retain(|seal| seal != "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=");
                            assert!(found.is_empty(), "{told}: {found:?}");
                            assert!(!stage.last(mock).body.contains("__thought__"), "{told}");
                        }
                    }
                }
            }
        }
        stage.envoy.expect_no_trap();
    }
}
