//! A turn with tools between every two families: calls, arguments piece by piece, results, and the answer that quotes them.

use serde_json::json;

use crate::family::said::Said;
use crate::family::speak::{Client, TOOLS};
use crate::family::stage::{MODELS, Stage};
use crate::in_both_designs;

#[track_caller]
fn expect_calls(client: Client, said: &Said, count: usize, told: &str) {
    let names: Vec<&str> = said.calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, TOOLS.iter().take(count).map(|(name, _)| *name).collect::<Vec<_>>(), "{told}");
    let finish = match client {
        Client::Chat => "tool_calls",
        Client::Responses => "completed",
        Client::Messages => "tool_use",
        Client::Gemini => "STOP",
    };
    assert_eq!(said.finish, finish, "{told}");
    let mut ids: Vec<&str> = said.calls.iter().map(|call| call.id.as_str()).collect();
    if client != Client::Gemini {
        assert!(ids.iter().all(|id| !id.is_empty()), "{told}: {ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), count, "{told}: an id of its own for each call, found {ids:?}");
    }
    for (call, (_, member)) in said.calls.iter().zip(TOOLS) {
        assert!(call.arguments()[member].is_string(), "{told}: {call:?}");
    }
}

/// One turn: `count` calls, their results in the other order, and the answer.
#[track_caller]
fn expect_turn(stage: &Stage, client: Client, name: &str, stream: bool, count: usize) {
    let told = format!("{client:?} to {name}, stream {stream}, {count} calls");
    let mut body = client.ask_with_tools(if count == 1 { "Please use the tool" } else { "Please use two tools" });
    let (said, _) = stage.ask(client, name, &body, stream);
    expect_calls(client, &said, count, &told);
    // Gemini sends and takes calls whole.
    if stream && client != Client::Gemini && !matches!(name, "gemini" | "vertex" | "third") {
        assert!(said.argument_pieces >= 3 * count, "{told}: {} pieces of arguments", said.argument_pieces);
    }
    client.send_results(&mut body, &said);
    let (answer, _) = stage.ask(client, name, &body, stream);
    for call in &said.calls {
        assert!(answer.text.contains(&format!("The tool said: {}", call.result())), "{told}: {:?}", answer.text);
    }
    assert!(answer.calls.is_empty(), "{told}");
}

in_both_designs! {
    fn a_turn_with_tools_goes_between_every_two_families(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            for (name, ..) in MODELS {
                for stream in [false, true] {
                    for count in [1, 2] {
                        expect_turn(&stage, client, name, stream, count);
                    }
                }
            }
            // Its calls are signed, and it refuses them back without.
            for stream in [false, true] {
                for count in [1, 2] {
                    expect_turn(&stage, client, "third", stream, count);
                }
            }
        }
        stage.envoy.expect_no_trap();
    }

    fn interleaved_calls_come_out_in_order_everywhere(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            let body = client.ask_with_tools("Please use two tools interleaved");
            for name in ["openai", "compatible"] {
                let (said, _) = stage.ask(client, name, &body, true);
                expect_calls(client, &said, 2, &format!("{client:?} to {name}"));
            }
        }
    }

    fn a_tool_that_must_be_called_is_called(design) {
        let stage = Stage::new(design);
        for client in Client::ALL {
            let mut body = client.ask_with_tools("How deep is the river?");
            match client {
                Client::Chat => body["tool_choice"] = json!({"type": "function", "function": {"name": "get_time"}}),
                Client::Responses => body["tool_choice"] = json!({"type": "function", "name": "get_time"}),
                Client::Messages => body["tool_choice"] = json!({"type": "tool", "name": "get_time"}),
                Client::Gemini => {
                    body["toolConfig"] = json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}});
                }
            }
            for (name, ..) in MODELS {
                let (said, _) = stage.ask(client, name, &body, false);
                let names: Vec<&str> = said.calls.iter().map(|call| call.name.as_str()).collect();
                assert_eq!(names, ["get_time"], "{client:?} to {name}");
            }
        }
    }
}
