//! The core on a 32-bit target: what must not depend on the width of a pointer, run under Node. Not the filter, which
//! needs a proxy as its host (see the end-to-end tests).

#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use wasm_bindgen_test::wasm_bindgen_test;
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::family::ApiFamily;
use weir::chat::money::{Money, TokenPrice};
use weir::chat::traits::Traits;
use weir::chat::wire::Wire;
use weir::codec::adapt::undo::Undo;
use weir::codec::openai::head::{Endpoint, decode_head};
use weir::codec::openai::splice::splice;
use weir::codec::openai::stream::{Emit, Stream};
use weir::codec::registry;
use weir::codec::translate::{StreamTranslation, encode};
use weir::codec::wire::{Frame, Shape};
use weir::config::parse::parse_json;
use weir::host::Timestamp;
use weir::policy::catalog;

/// A whole request body and what the native tests hold its head to be.
macro_rules! request {
    ($name:literal) => {
        (
            include_bytes!(concat!("fixtures/openai/requests/", $name, ".json")).as_slice(),
            include_str!(concat!("fixtures/openai/requests/", $name, ".head")),
        )
    };
}

#[wasm_bindgen_test]
fn a_cost_over_four_billion_micro_dollars_is_exact() {
    let price = TokenPrice::from_usd_per_mtok(15.0).expect("a price");
    assert_eq!(price.times(1_000_000_000).rounded_up(), Money::from_micros(15_000_000_000));
    assert_eq!(price.times(u64::MAX).rounded_up(), Money::from_micros(u64::MAX));
}

#[wasm_bindgen_test]
fn a_cost_is_rounded_once_and_up() {
    let price = TokenPrice::from_usd_per_mtok(0.15).expect("a price");
    assert_eq!(price.times(7).plus(price.times(13)).rounded_up(), Money::from_micros(3));
    assert_eq!(Money::from_micros(1_234_567).to_string(), "$1.234567");
}

#[wasm_bindgen_test]
fn a_moment_of_this_century_fits() {
    let moment = Timestamp::from_secs(4_000_000_000);
    assert_eq!(moment.millis(), 4_000_000_000_000);
    assert_eq!(moment.millis_since(Timestamp::from_secs(3_999_999_999)), 1_000);
}

#[wasm_bindgen_test]
fn names_of_families_and_capabilities_are_read_back() {
    for family in ApiFamily::ALL {
        assert_eq!(ApiFamily::parse(family.name()), Some(family));
    }
    let all: Capabilities = Capability::ALL.into_iter().collect();
    assert!(Capability::ALL.into_iter().all(|capability| all.has(capability)));
}

#[wasm_bindgen_test]
fn heads_of_whole_bodies_are_the_same_as_on_64_bits() {
    let requests = [
        request!("chat_plain"),
        request!("chat_tools"),
        request!("chat_vision"),
        request!("chat_escaped_cjk"),
        request!("chat_odd_but_valid"),
        request!("chat_stream_without_usage"),
    ];
    for (body, expected) in requests {
        let head = decode_head(body, Endpoint::ChatCompletions).expect("a head");
        assert_eq!(format!("{head:#?}").trim(), expected.trim());
    }
}

#[wasm_bindgen_test]
fn a_splice_changes_the_model_and_nothing_else() {
    let body = br#"{"model": "fast", "big": 12345678901234567890, "messages": []}"#;
    let head = decode_head(body, Endpoint::ChatCompletions).expect("a head");
    let spliced = splice(body, &head, Some("gpt-5"), false).expect("a change");
    let expected = br#"{"model": "gpt-5", "big": 12345678901234567890, "messages": []}"#;
    assert_eq!(String::from_utf8_lossy(&spliced), String::from_utf8_lossy(expected));
}

#[wasm_bindgen_test]
fn a_stream_comes_out_the_same_at_every_split() {
    let whole = include_bytes!("fixtures/openai/streams/openai_text.sse");
    let hidden = include_bytes!("fixtures/openai/streams/openai_text.hidden.sse");
    for size in [1, 7, 64, whole.len()] {
        let mut stream = Stream::new(true);
        let mut out = Vec::new();
        for chunk in whole.chunks(size) {
            match stream.push(chunk) {
                Emit::AsIs => out.extend_from_slice(chunk),
                Emit::Replace(bytes) => out.extend_from_slice(&bytes),
            }
        }
        out.extend_from_slice(&stream.finish());
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(hidden), "chunks of {size}");
    }
}

/// Anthropic's stream of a call, as OpenAI's clients get it, and OpenAI's request, as Anthropic gets it.
#[wasm_bindgen_test]
fn translation_is_the_same_as_on_64_bits() {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":4000000000,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"call_1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let bytes: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let frame = Frame {
        id: "0123456789abcdef".to_owned(),
        model: "m".to_owned(),
        created: 5_000_000_000,
        input_tokens: 1,
        include_usage: true,
        sse: true,
    };
    let client = registry::client(Wire::Chat).expect("a client");
    for size in [1, 5, bytes.len()] {
        let provider = registry::provider(Wire::Messages);
        let mut translation = StreamTranslation::new(provider, (client, Wire::Chat), Undo::default(), &frame);
        let mut out: Vec<u8> = bytes.as_bytes().chunks(size).flat_map(|chunk| translation.push(chunk)).collect();
        out.extend(translation.finish());
        let text = String::from_utf8(out).expect("text");
        for part in
            ["\"prompt_tokens\":4000000000", "\"created\":5000000000", "\"call_1\"", "tool_calls", "data: [DONE]"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    let body =
        br#"{"model":"x","seed":1,"messages":[{"role":"system","content":"S"},{"role":"user","content":"\u00e9"}]}"#;
    let request = client.decode_request(body).expect("a request");
    let shape = Shape {
        model: "claude-x",
        api: ApiFamily::Anthropic,
        vendor: "anthropic",
        traits: Traits::NONE,
        capabilities: None,
        max_output: None,
    };
    let encoded = encode(&request, Wire::Messages, &shape).expect("a body");
    assert_eq!(encoded.lost.to_string(), "seed");
    let text = String::from_utf8(encoded.body).expect("text");
    assert!(
        text.contains(r#""model":"claude-x""#) && text.contains(r"\u00e9") && text.contains("max_tokens"),
        "{text}"
    );
}

#[wasm_bindgen_test]
fn a_whole_policy_is_read_and_a_broken_one_told_in_full() {
    assert!(parse_json(include_bytes!("fixtures/policy/complete.json")).is_ok());
    let problems = parse_json(include_bytes!("fixtures/policy/broken.json")).expect_err("problems");
    let expected = include_str!("fixtures/policy/broken.problems.txt").lines().count();
    assert_eq!(problems.len(), expected);
}

#[wasm_bindgen_test]
fn every_model_of_the_catalogue_can_be_read() {
    let mut models = 0;
    for facts in catalog::all() {
        assert_eq!(catalog::find(facts.provider, facts.model), Some(facts));
        models += 1;
    }
    assert!(models > 2_000, "{models}");
}
