//! Bedrock Converse, the provider's side: golden requests, and whole answers, streams and errors from fixtures. Not the
//! way from one format to another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answer;
mod request;
mod stream;

use std::path::Path;

use serde_json::Value;
use weir::chat::failure::FailureKind;
use weir::chat::prose::Prose;
use weir::chat::wire::Wire;
use weir::codec::bedrock::sigv4::{SignRequest, sign};
use weir::codec::json::unescape;
use weir::codec::registry::provider;
use weir::codec::wire::ProviderWire;
use weir::http::Headers;

fn converse() -> &'static dyn ProviderWire {
    provider(Wire::Converse)
}

fn fixtures(path: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fixture(kind: &str, name: &str) -> Value {
    let all = fixtures(&format!("wire/converse/{kind}.jsonl"));
    all.into_iter().find(|fixture| fixture["name"] == name).unwrap_or_else(|| panic!("no fixture {name:?}"))
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
        ("a wrong request", FailureKind::InvalidRequest, 400, Some("ValidationException")),
        ("a prompt that is too long", FailureKind::ContextTooLong, 400, Some("ValidationException")),
        ("a prompt beside the output limit", FailureKind::ContextTooLong, 400, Some("ValidationException")),
        ("a model id that is none", FailureKind::NotFound, 404, Some("ValidationException")),
        ("a model that is none", FailureKind::NotFound, 404, Some("ResourceNotFoundException")),
        ("a model that is not allowed", FailureKind::Permission, 403, Some("AccessDeniedException")),
        ("a wrong bearer key", FailureKind::Authentication, 401, Some("AccessDeniedException")),
        ("a wrong access key", FailureKind::Authentication, 401, Some("UnrecognizedClientException")),
        ("a wrong signature", FailureKind::Authentication, 401, Some("InvalidSignatureException")),
        ("an expired token", FailureKind::Authentication, 401, Some("ExpiredTokenException")),
        ("too fast", FailureKind::RateLimit, 429, Some("ThrottlingException")),
        ("a model that warms up", FailureKind::RateLimit, 429, Some("ModelNotReadyException")),
        (
            "a quota, which AWS calls a wrong request",
            FailureKind::RateLimit,
            429,
            Some("ServiceQuotaExceededException"),
        ),
        ("a model that takes too long", FailureKind::Timeout, 408, Some("ModelTimeoutException")),
        ("a model's fault", FailureKind::Server, 500, Some("ModelErrorException")),
        ("a conflict, which AWS calls a wrong request", FailureKind::Conflict, 409, Some("ConflictException")),
        ("the server's fault", FailureKind::Server, 500, Some("InternalServerException")),
        ("too much to do", FailureKind::Overloaded, 503, Some("ServiceUnavailableException")),
        ("a type in the body alone", FailureKind::RateLimit, 429, Some("ThrottlingException")),
        ("a type in the body alone, forbidden", FailureKind::Permission, 403, Some("AccessDeniedException")),
        ("a page of a load balancer", FailureKind::Server, 502, None),
        ("a line of text", FailureKind::Overloaded, 503, None),
        ("nothing", FailureKind::Timeout, 504, None),
    ];
    for (name, kind, status, code) in cases {
        let fixture = fixture("errors", name);
        let body = body_of(&fixture);
        let failure = converse().decode_failure(fixture["status"].as_u64().unwrap() as u16, &headers(&fixture), &body);
        assert_eq!((failure.kind, failure.status, failure.code.as_deref()), (kind, status, code), "{name}");
        let said = fixture["body"]["message"].as_str().or(fixture["body"]["Message"].as_str());
        assert!(said.is_none_or(|said| said == failure.message) && !failure.message.is_empty(), "{name}");
        for at in 0..body.len() {
            let _ = converse().decode_failure(400, &headers(&fixture), &body[..at]);
        }
    }
    assert_eq!(cases.len(), fixtures("wire/converse/errors.jsonl").len());
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
fn signatures_are_those_of_the_fixture() {
    let cases = fixtures("sigv4.jsonl");
    assert!(cases.len() >= 20);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let request = SignRequest {
            method: text("method"),
            path: text("path"),
            query: text("query"),
            host: text("host"),
            content_type: text("content_type"),
            body: text("body").as_bytes(),
            region: text("region"),
            service: text("service"),
            access_key: text("access_key"),
            secret: text("secret"),
            session_token: case["session_token"].as_str(),
            unix_time: case["unix_time"].as_u64().unwrap(),
        };
        let signed: serde_json::Map<String, Value> =
            sign(&request).into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        assert_eq!(Value::Object(signed), case["headers"], "{}", case["name"]);
    }
}
