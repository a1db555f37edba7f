//! Gateway errors in the OpenAI family's shape. Not how providers' errors are read.

use crate::codec::json::write_string;
use crate::error::{ErrorCode, GatewayError};

/// The body of an error answer: `{"error":{"message":…,"type":…,"param":…,"code":…}}`.
pub fn encode_error(error: &GatewayError) -> Vec<u8> {
    let mut out = Vec::with_capacity(error.message.len() + 96);
    out.extend_from_slice(b"{\"error\":{\"message\":");
    write_string(&mut out, &error.message);
    out.extend_from_slice(b",\"type\":");
    write_string(&mut out, kind(error.code));
    out.extend_from_slice(b",\"param\":");
    match error.param {
        Some(param) => write_string(&mut out, param),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"code\":");
    write_string(&mut out, error.code.name());
    out.extend_from_slice(b"}}");
    out
}

/// An error inside a stream that has begun: one event, after which the stream ends without `[DONE]`.
pub fn stream_error(error: &GatewayError) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&encode_error(error));
    out.extend_from_slice(b"\n\n");
    out
}

/// OpenAI's word for the kind of error. Its SDKs choose the exception by status, and callers look at `type` and `code`.
fn kind(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unauthenticated => "authentication_error",
        ErrorCode::ModelNotAllowed => "permission_error",
        ErrorCode::UnknownModel
        | ErrorCode::UnknownEndpoint
        | ErrorCode::NoEligibleTarget
        | ErrorCode::GuardBlocked
        | ErrorCode::InvalidRequest => "invalid_request_error",
        ErrorCode::BodyTooLarge => "request_too_large",
        ErrorCode::BudgetExceeded => "insufficient_quota",
        ErrorCode::RateLimited => "rate_limit_error",
        ErrorCode::UpstreamTimeout => "timeout",
        ErrorCode::UpstreamError | ErrorCode::PolicyUnavailable => "server_error",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use serde_json::{Value, json};

    use super::{encode_error, stream_error};
    use crate::error::{ErrorCode, GatewayError};

    #[test]
    fn every_code_has_the_family_s_shape() {
        for code in ErrorCode::ALL {
            let body = encode_error(&GatewayError::new(code, "a \"rule\"\n\u{1}é"));
            let value: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value["error"]["message"], "a \"rule\"\n\u{1}é");
            assert_eq!(value["error"]["code"], code.name());
            assert_eq!(value["error"]["param"], Value::Null);
            assert!(value["error"]["type"].is_string());
        }
    }

    #[test]
    fn a_stream_error_is_one_event_that_names_the_member() {
        let error = GatewayError::new(ErrorCode::UnknownModel, "no model \"x\"").at("model");
        let event = String::from_utf8(stream_error(&error)).unwrap();
        let data = event.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(data).unwrap(),
            json!({"error": {
                "message": "no model \"x\"", "type": "invalid_request_error", "param": "model", "code": "unknown_model"
            }})
        );
    }
}
