//! Errors, read and written.

use serde_json::Value;
use weir::chat::failure::{Failure, FailureKind};
use weir::codec::responses::sides::Responses;
use weir::codec::wire::{ClientWire, ProviderWire};
use weir::http::Headers;

use crate::fixture::fixtures;

#[test]
fn every_error_is_told_by_its_kind() {
    use FailureKind::{
        Authentication, Billing, ContextTooLong, InvalidRequest, NotFound, Overloaded, Permission, PolicyViolation,
        RateLimit, Server, Timeout,
    };
    let kinds = [
        ("a wrong request", InvalidRequest),
        ("a prompt that is too long", ContextTooLong),
        ("a prompt that is too long, in words alone", ContextTooLong),
        ("a wrong key", Authentication),
        ("no money left", Billing),
        ("a rate limit", RateLimit),
        ("an unknown model", NotFound),
        ("no permission", Permission),
        ("Azure's filter", PolicyViolation),
        ("a server's fault", Server),
        ("overload", Overloaded),
        ("a number for a code", Billing),
        ("an error that is a string", InvalidRequest),
        ("a detail", InvalidRequest),
        ("a page of a front proxy", Server),
        ("plain words", Timeout),
        ("nothing", Overloaded),
    ];
    let rows = fixtures("errors");
    assert_eq!(rows.len(), kinds.len());
    for (name, row) in rows {
        let body = row["body"].as_str().map_or_else(|| row["body"].to_string(), str::to_owned);
        let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
        let failure = Responses.decode_failure(status, &Headers::default(), body.as_bytes());
        let expected = kinds.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!((failure.kind, failure.status), (expected, status), "{name}");
        assert!(!failure.message.is_empty() && !failure.message.contains('<'), "{name}");
        let (status, written) = Responses.encode_failure(&failure);
        assert_ne!(status, 529);
        let value: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(value["error"]["message"], failure.message.as_ref(), "{name}");
        assert!(value["error"]["type"].is_string() && value["error"].get("param").is_some(), "{name}");
        let again = Responses.decode_failure(status, &Headers::default(), &written);
        assert_eq!(again.kind, failure.kind, "{name}");
        for end in 0..body.len() {
            if body.is_char_boundary(end) {
                let _ = Responses.decode_failure(400, &Headers::default(), &body.as_bytes()[..end]);
            }
        }
    }
}

#[test]
fn every_kind_of_failure_has_openai_s_shape() {
    for kind in FailureKind::ALL {
        let failure = Failure { kind, status: kind.status(), message: "m".into(), code: None, param: Some("p".into()) };
        let (status, written) = Responses.encode_failure(&failure);
        let value: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(value["error"]["param"], "p");
        assert_eq!(Responses.decode_failure(status, &Headers::default(), &written).kind, kind);
    }
}

#[test]
fn an_error_of_status_200_gets_the_status_of_its_kind() {
    let failure = Responses.decode_failure(200, &Headers::default(), br#"{"error":{"code":"rate_limit_exceeded"}}"#);
    assert_eq!(Responses.encode_failure(&failure).0, 429);
}
