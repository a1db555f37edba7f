//! Answers by a schema, images and prompt-cache marks between every two families.

use serde_json::{Value, json};

use crate::family::speak::Client;
use crate::family::stage::{MODELS, Stage};
use crate::in_both_designs;

/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Asks for an answer by a schema in the client's words.
fn by_schema(client: Client, body: &mut Value) {
    let schema = json!({
        "type": "object", "properties": {"river": {"type": "string"}, "depth": {"type": "number"}},
        "required": ["river", "depth"], "additionalProperties": false
    });
    match client {
        Client::Chat => {
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "river", "schema": schema, "strict": true}});
        }
        Client::Responses => {
            body["text"] =
                json!({"format": {"type": "json_schema", "name": "river", "schema": schema, "strict": true}});
        }
        Client::Messages => body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}}),
        Client::Gemini => {
            body["generationConfig"]["responseMimeType"] = json!("application/json");
            body["generationConfig"]["responseJsonSchema"] = schema;
        }
    }
}

/// Shows an image beside the question.
fn show(client: Client, body: &mut Value) {
    match client {
        Client::Chat => {
            let image = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}});
            let text = body["messages"][1]["content"].take();
            body["messages"][1]["content"] = json!([image, {"type": "text", "text": text}]);
        }
        Client::Responses => {
            let image =
                json!({"type": "input_image", "image_url": format!("data:image/png;base64,{PIXEL}"), "detail": "auto"});
            body["input"][0]["content"].as_array_mut().expect("parts").insert(0, image);
        }
        Client::Messages => {
            let source = json!({"type": "base64", "media_type": "image/png", "data": PIXEL});
            let image = json!({"type": "image", "source": source});
            body["messages"][0]["content"].as_array_mut().expect("blocks").insert(0, image);
        }
        Client::Gemini => {
            let image = json!({"inlineData": {"mimeType": "image/png", "data": PIXEL}});
            body["contents"][0]["parts"].as_array_mut().expect("parts").insert(0, image);
        }
    }
}

in_both_designs! {
    fn an_answer_by_a_schema_comes_as_text_from_every_family(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            let mut body = client.ask("How deep is the river?");
            by_schema(client, &mut body);
            for (name, ..) in MODELS {
                for stream in [false, true] {
                    let (said, _) = stage.ask(client, name, &body, stream);
                    let told = format!("{client:?} to {name}, stream {stream}: {said:?}");
                    let answer: Value = serde_json::from_str(&said.text).unwrap_or_else(|error| panic!("{error}: {told}"));
                    assert!(answer["river"].is_string() && answer["depth"].is_number(), "{told}");
                    assert!(said.calls.is_empty(), "{told}");
                    let finish = match client {
                        Client::Chat => "stop",
                        Client::Responses => "completed",
                        Client::Messages => "end_turn",
                        Client::Gemini => "STOP",
                    };
                    assert_eq!(said.finish, finish, "{told}");
                }
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn an_image_reaches_every_family(design) {
        let stage = Stage::with(design, |policy| {
            policy["models"]["cohere"]["targets"][0]["model"] = json!("command-a-vision-07-2025");
        });
        for client in Client::ALL {
            let mut body = client.ask("What is this?");
            show(client, &mut body);
            for (name, ..) in MODELS {
                let (said, decision) = stage.ask(client, name, &body, false);
                assert!(said.text.contains(&format!("provider {name} ")), "{client:?} to {name}: {said:?}");
                assert!(stage.last(name).body.contains(PIXEL), "{client:?} to {name}: {}", stage.last(name).body);
                assert_eq!(stage.audit_of(&decision).get("lost"), None, "{client:?} to {name}");
            }
        }
        stage.envoy.expect_no_trap();
    }
}
