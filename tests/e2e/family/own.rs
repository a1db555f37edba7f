//! What Weir answers itself, in the shape of whoever asks: lists of models, counts of tokens, signs of life, refusals.

use serde_json::{Value, json};

use crate::client::Request;
use crate::envoy::Failover;
use crate::family::said::error;
use crate::family::speak::Client;
use crate::family::stage::{MODELS, Stage, expect_headers};
use crate::fixture::{CLIENT_KEY, hash};
use crate::in_both_designs;

/// A key that may use two models.
const NARROW_KEY: &str = "sk-narrow-0815";

fn stage(design: Failover) -> Stage {
    Stage::with(design, |policy| {
        let key =
            json!({"id": "narrow", "sha256": hash(NARROW_KEY), "team": "growth", "models": ["anthropic", "gemini"]});
        policy["keys"].as_array_mut().unwrap().push(key);
    })
}

fn get(client: Client, path: &str, key: &str) -> Request {
    let request = Request::new("GET", path);
    match client {
        Client::Chat | Client::Responses => request.key(key),
        Client::Messages => request.header("x-api-key", key).header("anthropic-version", "2023-06-01"),
        Client::Gemini => request.header("x-goog-api-key", key),
    }
}

/// The names in a list of models, in the shape of the client's family.
#[track_caller]
fn names(client: Client, list: &Value) -> Vec<String> {
    let (member, name) = if client == Client::Gemini { ("models", "name") } else { ("data", "id") };
    let lines = list[member].as_array().unwrap_or_else(|| panic!("no {member} in {list}"));
    lines.iter().map(|line| line[name].as_str().expect("a name").trim_start_matches("models/").to_owned()).collect()
}

in_both_designs! {
    fn each_family_is_told_the_models_that_its_key_may_use(design) {
        let stage = stage(design);
        for (client, path) in [
            (Client::Chat, "/v1/models"),
            (Client::Messages, "/v1/models?limit=1000"),
            (Client::Gemini, "/v1beta/models?pageSize=50"),
            (Client::Gemini, "/v1/models"),
        ] {
            let answer = stage.send(&get(client, path, CLIENT_KEY));
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
            let list = answer.json();
            let all = names(client, &list);
            for (name, ..) in MODELS {
                assert!(all.iter().any(|known| known == name), "{name} in {list}");
            }
            let first = |member: &str| {
                let rows = list[member].as_array().unwrap();
                rows.iter().find(|row| row.to_string().contains("\"anthropic\"") || row["name"] == "models/anthropic").unwrap().clone()
            };
            match client {
                Client::Messages => {
                    assert_eq!((&list["has_more"], &list["first_id"]), (&json!(false), &json!(all[0])), "{list}");
                    let row = first("data");
                    assert_eq!((&row["type"], &row["display_name"]), (&json!("model"), &json!("anthropic")), "{row}");
                    assert!(row["context_window"].is_u64() && row["created_at"].is_string(), "{row}");
                }
                Client::Gemini => {
                    let row = first("models");
                    assert!(row["inputTokenLimit"].is_u64() && row["supportedGenerationMethods"].is_array(), "{row}");
                }
                Client::Chat | Client::Responses => {
                    assert_eq!(list["object"], "list");
                    let row = first("data");
                    assert_eq!((&row["object"], &row["owned_by"]), (&json!("model"), &json!("anthropic")), "{row}");
                    assert_eq!(row["price_usd_per_mtok"]["output"].as_f64(), Some(2.0), "{row}");
                }
            }
            let narrow = stage.send(&get(client, path, NARROW_KEY));
            let mut few = names(client, &narrow.json());
            few.sort();
            assert_eq!(few, ["anthropic", "auto", "gemini"], "{client:?} {path}");
            let stranger = stage.send(&get(client, path, "sk-nobody"));
            assert_eq!(error(client, &stranger).0, 401, "{}", stranger.text());
        }
        assert!(MODELS.iter().all(|(name, ..)| stage.mock(name).received().is_empty()));
    }

    fn tokens_are_counted_by_the_vendor_or_estimated(design) {
        let stage = stage(design);
        for (name, ..) in MODELS {
            let mut body = Client::Messages.ask_with_tools("How deep is the river?");
            body.as_object_mut().unwrap().remove("max_tokens");
            body["model"] = json!(name);
            let answer = stage.send(&Client::Messages.to("/v1/messages/count_tokens", &body));
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let told = answer.json();
            assert!(told["input_tokens"].as_u64().is_some_and(|count| count > 10), "{name}: {told}");
            let native = matches!(name, "anthropic" | "vertex-claude");
            assert_eq!(told.get("estimated").is_some(), !native, "{name}: {told}");
            let received = stage.mock(name).received();
            assert_eq!(received.len(), usize::from(native), "{name}");
            if let Some(received) = received.first() {
                let path = if name == "anthropic" { "/v1/messages/count_tokens" } else {
                    "/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict"
                };
                assert_eq!(received.path, path);
                expect_headers(Client::Messages, name, received);
            }
            let audit = stage.audit(&answer);
            assert_eq!((&audit["endpoint"], &audit["cost_microusd"]), (&json!("count_tokens"), &json!(0)), "{audit}");

            stage.mock(name).forget();
            let mut body = Client::Gemini.ask("How deep is the river?");
            body.as_object_mut().unwrap().remove("generationConfig");
            let answer = stage.send(&Client::Gemini.to(&format!("/v1beta/models/{name}:countTokens"), &body));
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let told = answer.json();
            assert!(told["totalTokens"].as_u64().is_some_and(|count| count > 5), "{name}: {told}");
            assert_eq!(told.get("estimated").is_some(), !matches!(name, "gemini" | "vertex"), "{name}: {told}");
        }
        stage.envoy.expect_no_trap();
    }

    fn a_gemini_client_may_send_its_key_in_the_query(design) {
        let stage = stage(design);
        let body = Client::Gemini.ask("How deep is the river?").to_string();
        for (name, _, _, model) in MODELS {
            for (method, alt) in [("generateContent", ""), ("streamGenerateContent", "alt=sse&")] {
                let path = format!("/v1beta/models/{name}:{method}?{alt}key={CLIENT_KEY}");
                let (own, value) = Client::Gemini.own_header();
                let answer = stage.send(&Request::new("POST", &path).json(body.as_str()).header(own, value));
                assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                assert!(answer.text().contains(model), "{name}: {}", answer.text());
                let received = stage.last(name);
                assert!(!received.path.contains("key=") && !received.path.contains(CLIENT_KEY), "{}", received.path);
                expect_headers(Client::Gemini, name, &received);
            }
        }
        let wrong = stage.send(&Request::new("POST", "/v1beta/models/openai:generateContent?key=sk-nobody").json(body.as_str()));
        assert_eq!(error(Client::Gemini, &wrong).0, 401, "{}", wrong.text());
        // What the log of the proxy says must not be a key.
        assert!(!format!("{:?}", stage.envoy.audits()).contains(CLIENT_KEY));
    }

    fn a_look_whether_somebody_is_there_is_answered(design) {
        let stage = stage(design);
        for method in ["HEAD", "GET"] {
            let answer = stage.send(&Request::new(method, "/"));
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{method}");
        }
        assert!(MODELS.iter().all(|(name, ..)| stage.mock(name).received().is_empty()));
    }

    fn refusals_have_the_shape_of_the_family_that_asks(design) {
        let stage = stage(design);
        for client in Client::ALL {
            let body = client.ask("hi");
            let path = client.path("openai", false);
            let keyless = stage.send(&Request::new("POST", &path).json(body.to_string()));
            assert_eq!(error(client, &keyless).0, 401, "{client:?}: {}", keyless.text());
            let unknown = stage.send(&client.request("nobody-has-this", &body, true));
            let (status, _, message) = error(client, &unknown);
            assert_eq!(status, 404, "{client:?}: {message}");
            assert!(message.contains("nobody-has-this"), "{client:?}: {message}");
        }
        for (client, method, path) in [
            (Client::Messages, "POST", "/v1/messages/batches"),
            (Client::Messages, "GET", "/v1/messages"),
            (Client::Gemini, "POST", "/v1beta/files"),
            (Client::Gemini, "POST", "/v1beta/models/gemini:tune"),
            (Client::Chat, "GET", "/v1/chat/completions"),
            (Client::Chat, "GET", "/v1/threads/t1"),
        ] {
            let answer = stage.send(&Request::new(method, path).key(CLIENT_KEY).json("{}"));
            let (status, _, message) = error(client, &answer);
            assert!([404, 405].contains(&status), "{method} {path}: {status} {message}");
        }
    }

    fn a_body_that_is_none_is_refused_with_the_place(design) {
        let stage = stage(design);
        for client in Client::ALL {
            let path = client.path("anthropic", false);
            let send = |text: &str| stage.send(&client.to(&path, &json!({})).json_again(text));
            let mut sound = client.ask("hi");
            if client != Client::Gemini {
                sound["model"] = json!("anthropic");
            }
            let sound = sound.to_string();
            let places: Vec<(String, usize)> = vec![
                (sound[..sound.len() - 1].to_owned(), sound.len() - 1),
                (format!("{sound}]"), sound.len()),
                (sound.replacen('{', "{!", 1), 1),
            ];
            for (broken, place) in places {
                let (status, _, message) = error(client, &send(&broken));
                assert_eq!(status, 400, "{client:?}: {message}");
                assert!(message.contains(&format!("byte {place}")), "{client:?}: {message:?} says {place} of {broken}");
            }
            // Sound JSON of the wrong shape.
            let turns = match client {
                Client::Chat | Client::Messages => "messages",
                Client::Responses => "input",
                Client::Gemini => "contents",
            };
            let wrong = json!({"model": "anthropic", "max_tokens": 5, turns: [{"role": 7}]});
            let wrong = if client == Client::Gemini { json!({turns: [{"role": "user", "parts": 7}]}) } else { wrong };
            let (status, _, message) = error(client, &send(&wrong.to_string()));
            assert_eq!(status, 400, "{client:?}: {message}");
            assert!(message.contains("byte "), "{client:?}: {message}");
            for body in ["", "[]", "7", "null", "\"x\""] {
                assert_eq!(error(client, &send(body)).0, 400, "{client:?} {body:?}");
            }
            let deep = format!("{{\"{turns}\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
            assert_eq!(error(client, &send(&deep)).0, 400, "{client:?}");
        }
        assert!(MODELS.iter().all(|(name, ..)| stage.mock(name).received().is_empty()));
        stage.envoy.expect_no_trap();
    }
}
