//! Cohere v2, the provider's side: golden requests, and whole answers, streams, errors and embeddings. Not the way from
//! one format to another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answer;
mod request;
mod stream;

use std::path::Path;

use serde_json::{Value, json};
use weir::chat::embedding::{EmbeddingInput, EmbeddingRequest, EmbeddingTask, Vector};
use weir::chat::failure::FailureKind;
use weir::chat::family::ApiFamily;
use weir::chat::feature::Feature;
use weir::chat::prose::Prose;
use weir::chat::traits::Traits;
use weir::chat::wire::Wire;
use weir::codec::json::unescape;
use weir::codec::registry::{embedding_provider, provider};
use weir::codec::wire::{BadAnswer, ProviderWire, Shape};
use weir::codec::writer::Writer;
use weir::http::Headers;

const MODEL: &str = "command-a-03-2025";

fn shape() -> Shape<'static> {
    let traits = Traits::NONE;
    Shape { model: MODEL, api: ApiFamily::Cohere, vendor: "cohere", traits, capabilities: None, max_output: None }
}

fn cohere() -> &'static dyn ProviderWire {
    provider(Wire::Cohere)
}

fn fixtures(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire/cohere").join(format!("{kind}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fixture(kind: &str, name: &str) -> Value {
    fixtures(kind).into_iter().find(|fixture| fixture["name"] == name).unwrap_or_else(|| panic!("no fixture {name:?}"))
}

fn words(prose: &Prose<'_>) -> String {
    match prose {
        Prose::Plain(text) => text.to_string(),
        Prose::Escaped(bytes) => unescape(bytes),
    }
}

#[test]
fn errors_are_read() {
    let cases = [
        ("a wrong request", FailureKind::InvalidRequest, 400),
        ("a prompt that is too long", FailureKind::ContextTooLong, 400),
        ("a body that does not parse", FailureKind::InvalidRequest, 422),
        ("a wrong key", FailureKind::Authentication, 401),
        ("a key without money", FailureKind::Billing, 402),
        ("forbidden", FailureKind::Permission, 403),
        ("a model that is none", FailureKind::NotFound, 404),
        ("too fast", FailureKind::RateLimit, 429),
        ("an invalid token", FailureKind::Authentication, 401),
        ("a client that went away", FailureKind::Timeout, 504),
        ("the server's fault", FailureKind::Server, 500),
        ("too much to do", FailureKind::Overloaded, 503),
        ("too slow", FailureKind::Timeout, 504),
        ("a page of a load balancer", FailureKind::Server, 502),
        ("a line of text", FailureKind::Overloaded, 503),
        ("nothing", FailureKind::Server, 500),
    ];
    for (name, kind, status) in cases {
        let fixture = fixture("errors", name);
        let body = body_of(&fixture);
        let failure = cohere().decode_failure(fixture["status"].as_u64().unwrap() as u16, &headers(&fixture), &body);
        assert_eq!((failure.kind, failure.status), (kind, status), "{name}");
        let said = fixture["body"]["message"].as_str();
        assert!(said.is_none_or(|said| said == failure.message) && !failure.message.is_empty(), "{name}");
        for at in 0..body.len() {
            let _ = cohere().decode_failure(400, &headers(&fixture), &body[..at]);
        }
    }
    assert_eq!(cases.len(), fixtures("errors").len());
}

fn body_of(fixture: &Value) -> Vec<u8> {
    match &fixture["body"] {
        Value::String(text) => text.clone().into_bytes(),
        body => serde_json::to_vec(body).unwrap(),
    }
}

fn headers(fixture: &Value) -> Headers {
    let pairs = fixture["headers"].as_object().unwrap();
    Headers::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

#[test]
fn embeddings_are_asked_for_by_their_purpose() {
    let encode = |request: &EmbeddingRequest<'_>| {
        let mut writer = Writer::with_capacity(64);
        let lost = embedding_provider(Wire::Cohere).unwrap().encode_request(request, &shape(), &mut writer);
        (lost.map(|lost| lost.to_string()), writer.into_bytes())
    };
    let cases = [
        (None, "search_document", ""),
        (Some(EmbeddingTask::Query), "search_query", ""),
        (Some(EmbeddingTask::Document), "search_document", ""),
        (Some(EmbeddingTask::Classification), "classification", ""),
        (Some(EmbeddingTask::Clustering), "clustering", ""),
        (Some(EmbeddingTask::Similarity), "search_document", "task_type"),
    ];
    for (task, input_type, lost) in cases {
        let inputs = ["a", "b"].map(|text| EmbeddingInput::Text(Prose::plain(text))).into();
        let request = EmbeddingRequest { inputs, task, dimensions: Some(256), base64: true, ..Default::default() };
        let (features, body) = encode(&request);
        assert_eq!(features.as_deref(), Ok(lost));
        let expected = json!({
            "model": MODEL, "texts": ["a", "b"], "input_type": input_type, "embedding_types": ["float"],
            "output_dimension": 256,
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
    let inputs = vec![EmbeddingInput::Tokens(vec![1, 2])];
    let (features, _) = encode(&EmbeddingRequest { inputs, ..Default::default() });
    assert_eq!(features.unwrap_err().feature, Feature::TokenInput);
}

#[test]
fn embeddings_are_read() {
    let cohere = embedding_provider(Wire::Cohere).unwrap();
    let body = br#"{"id":"x","embeddings":{"int8":[[1]],"float":[[0.1,-2e-3],[]],"novelty":{}},"texts":["a","b"],
        "meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":2.0}},"response_type":"embeddings_by_type"}"#;
    let answer = cohere.decode_answer(body).unwrap();
    let vectors: Vec<&[u8]> = answer
        .vectors
        .iter()
        .map(|vector| match vector {
            Vector::Numbers(numbers) => numbers.bytes(),
            Vector::Base64(_) => panic!("numbers were asked for"),
        })
        .collect();
    assert_eq!(vectors, [b"[0.1,-2e-3]".as_slice(), b"[]"]);
    assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((2, 0)));
    assert!(matches!(cohere.decode_answer(br#"{"message":"no"}"#), Err(BadAnswer::Failure(_))));
    assert!(matches!(cohere.decode_answer(br#"{"embeddings":{"float":[1]}}"#), Err(BadAnswer::Malformed(_))));
    for at in 0..body.len() {
        assert!(cohere.decode_answer(&body[..at]).is_err());
    }
}
