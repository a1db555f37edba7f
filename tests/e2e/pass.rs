//! Requests that simply pass: what the provider receives and what the client gets back.

use serde_json::json;

use crate::client::Request;
use crate::envoy::Failover;
use crate::fixture::{CLIENT_KEY, KEY_ONE, Stage, ask, ask_stream};
use crate::in_both_designs;

/// A body that a JSON library would not write the same way again: odd order, spaces, escapes, long numbers, unknown members.
const ODD: &str = concat!(
    "{ \"zz_unknown\" : {\"deep\":[1.0e0, 12345678901234567890123456789, -0.0]},\n\t\"temperature\":1.50,",
    "\"messages\":[{\"content\":\"caf\\u00e9 \\ud83c\\udf0a é \\/ \\\"model\\\": \\\"pair\\\"\",\"role\":\"user\"}],",
    "\"model\"  :  \"pair\" ,\"logit_bias\":{\"50256\":-100}, \"metadata\":{\"model\":\"pair\"} }\r\n"
);

in_both_designs! {
    fn the_provider_receives_the_clients_bytes_but_for_the_model(design) {
        let stage = Stage::new(design);
        let answer = stage.chat(ODD);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = stage.one().only();
        assert_eq!(received.body, ODD.replace("\"model\"  :  \"pair\"", "\"model\"  :  \"alpha\""));
        assert_eq!(received.path, "/v1/chat/completions");
        assert_eq!(received.headers("host"), [stage.one().address.to_string()]);
        assert_eq!(received.headers("authorization"), [format!("Bearer {KEY_ONE}")]);
        assert!(!received.header_text().contains(CLIENT_KEY), "{}", received.header_text());
        assert!(stage.two().received().is_empty());
    }

    fn the_client_receives_the_providers_bytes(design) {
        let stage = Stage::new(design);
        let answer = stage.chat(&ask("pair"));
        let own = stage.one().answer_to(&stage.one().only().body);
        assert_eq!(answer.text(), own.text());
        assert!(answer.clean_end);
        assert_eq!(answer.header("content-type"), own.header("content-type"));
        assert_eq!(answer.header("x-request-id"), own.header("x-request-id"));
    }

    fn a_stream_passes_byte_for_byte(design) {
        let stage = Stage::new(design);
        let body = json!({
            "model": "pair",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": true,
            "stream_options": {"include_usage": true}
        });
        let answer = stage.chat(&body.to_string());
        let received = stage.one().only();
        assert_eq!(received.body, body.to_string().replace("\"pair\"", "\"alpha\""));
        assert_eq!(answer.text(), stage.one().answer_to(&received.body).text());
        assert!(answer.clean_end);
        assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"));
    }

    fn a_stream_without_an_ask_for_usage_shows_none_and_is_metered(design) {
        let stage = Stage::new(design);
        let answer = stage.chat(&ask_stream("pair"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = stage.one().only();
        let sent: serde_json::Value = serde_json::from_str(&received.body).unwrap();
        assert_eq!(sent["stream_options"], json!({"include_usage": true}));
        let own = stage.one().answer_to(&received.body).events();
        let (usage, others): (Vec<String>, Vec<String>) =
            own.into_iter().partition(|event| event.contains("\"choices\":[],"));
        assert_eq!(usage.len(), 1);
        // The mark that usage will follow goes with it: the client sees what it would have seen without Weir's ask.
        let others: Vec<String> = others.iter().map(|event| event.replace(",\"usage\":null}", "}")).collect();
        assert_eq!(answer.events(), others);
        assert!(answer.clean_end);
        let usage: serde_json::Value = serde_json::from_str(&usage[0]).unwrap();
        let audit = stage.envoy.audit();
        assert_eq!(audit["input"], usage["usage"]["prompt_tokens"], "{audit}");
        assert_eq!(audit["output"], usage["usage"]["completion_tokens"], "{audit}");
        assert_eq!(audit["usage"], "reported", "{audit}");
    }

    fn each_event_of_a_stream_arrives_when_it_was_sent(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"chunks": 8, "chunk_delay_ms": 250}));
        let mut exchange = Request::chat(ask_stream("pair")).open(stage.envoy.address);
        let first = exchange.next_event().expect("an event").after;
        let mut last = first;
        while let Some(event) = exchange.next_event() {
            last = event.after;
        }
        // Two seconds lie between the first event and the last; an answer held back would have none.
        assert!((last - first).as_millis() >= 1500, "first after {first:?}, last after {last:?}");
        assert!(first.as_millis() < 1500, "first after {first:?}");
    }
}

#[test]
fn a_target_may_be_asked_for_by_provider_and_model() {
    let stage = Stage::new(Failover::Refresh);
    assert_eq!(stage.chat(&ask("two/some/deep-model")).status, 200);
    let received = stage.two().only();
    assert_eq!(received.model(), "some/deep-model");
    assert_eq!(received.path, "/deep/base/v1/chat/completions");
}

#[test]
fn a_model_of_the_catalogue_may_be_asked_for_by_its_bare_name() {
    let stage = Stage::new(Failover::Refresh);
    let answer = stage.chat(&ask("gpt-5-mini"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.one().only().model(), "gpt-5-mini");
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some("one"));
}

#[test]
fn the_root_answers_a_probe() {
    let stage = Stage::new(Failover::Refresh);
    let answer = stage.send(&Request::new("HEAD", "/"));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert!(stage.one().received().is_empty());
}

#[test]
fn a_path_that_nobody_serves_is_not_found() {
    let stage = Stage::new(Failover::Refresh);
    for path in ["/nowhere", "/v1/nowhere", "/v1/chat/completions/more"] {
        assert_eq!(stage.send(&Request::new("GET", path).key(CLIENT_KEY)).status, 404, "{path}");
    }
    assert!(stage.one().received().is_empty());
}

#[test]
fn embeddings_pass_and_are_metered() {
    let stage = Stage::new(Failover::Refresh);
    let body = r#"{"input":["How deep","is the river?"],"model":"pair"}"#;
    let answer = stage.send(&Request::new("POST", "/v1/embeddings").key(CLIENT_KEY).json(body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2);
    let received = stage.one().only();
    assert_eq!((received.path.as_str(), received.model().as_str()), ("/v1/embeddings", "alpha"));
    let audit = stage.envoy.audit();
    assert_eq!(audit["input"], answer.json()["usage"]["prompt_tokens"], "{audit}");
    assert_eq!((&audit["output"], &audit["usage"]), (&json!(0), &json!("reported")), "{audit}");
}

#[test]
fn a_client_that_waits_for_leave_to_send_gets_it() {
    let stage = Stage::new(Failover::Refresh);
    let answer = stage.send(&Request::chat(ask("pair")).header("expect", "100-continue"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_dry_run_tells_the_decision_and_asks_nobody() {
    let stage = Stage::new(Failover::Refresh);
    let answer = stage.send(&Request::chat(ask("pair")).header("x-weir-dry-run", "1"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json().is_object());
    assert!(answer.text().contains("alpha") && answer.text().contains("beta"), "{}", answer.text());
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    assert!(stage.one().received().is_empty() && stage.two().received().is_empty());
}
