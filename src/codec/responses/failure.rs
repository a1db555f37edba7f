//! Errors: what a provider's body says, and the body that a client gets. Shapes of OpenAI and of those who nearly follow.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::codec::responses::value::{Members, Value};
use crate::codec::writer::Writer;

/// The longest body that is taken for a message when it is no JSON, in bytes.
const LONGEST_PLAIN: usize = 512;

/// Reads an error answer.
pub(super) fn decode(status: u16, body: &[u8]) -> Failure<'_> {
    let read = Members::whole(body).ok().and_then(|members| read_error(Some(status), &members));
    read.unwrap_or_else(|| {
        let plain = std::str::from_utf8(body).map(str::trim).unwrap_or_default();
        let says = !plain.is_empty() && plain.len() <= LONGEST_PLAIN && !plain.starts_with(['<', '{', '[']);
        let message = if says { Cow::Borrowed(plain) } else { silent(status) };
        Failure { kind: FailureKind::of_status(status), status, message, code: None, param: None }
    })
}

fn silent(status: u16) -> Cow<'static, str> {
    Cow::Owned(format!("the provider answered with status {status}"))
}

/// The error that an object holds or is; `None` when it says nothing of one.
///
/// Known shapes: `{"error":{…}}`, `{"error":"…"}`, `{"message":…}`, `{"detail":…}`.
pub(super) fn read_error<'a>(status: Option<u16>, body: &Members<'a>) -> Option<Failure<'a>> {
    match body.get("error") {
        Some(value) if value.is_object() => value.members().ok().map(|error| read_members(status, &error)),
        Some(value) => value.text().map(|text| failure(status, text.text(), None, None, None)),
        None => {
            let message = body.word("message").or_else(|| body.word("detail"))?;
            Some(failure(status, message, body.word("type"), code(body), body.word("param")))
        }
    }
}

/// The error of a response whose status is `failed`.
pub(super) fn read_failed<'a>(response: &Members<'a>) -> Failure<'a> {
    read_error(None, response).unwrap_or_else(|| failure(None, Cow::Borrowed(FAILED), None, None, None))
}

const FAILED: &str = "the provider failed to answer";

/// The error whose own members these are: `{code, message, param, type}`.
pub(super) fn read_members<'a>(status: Option<u16>, error: &Members<'a>) -> Failure<'a> {
    let message = error.word("message").filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| status.map_or(Cow::Borrowed(FAILED), silent));
    failure(status, message, error.word("type"), code(error), error.word("param"))
}

/// `code`, which some write as a number.
fn code<'a>(error: &Members<'a>) -> Option<Cow<'a, str>> {
    let value: Value<'a> = error.get("code")?;
    match value.text() {
        Some(text) => Some(text.text()),
        None => value.whole().map(|number| Cow::Owned(number.to_string())),
    }
}

fn failure<'a>(
    status: Option<u16>,
    message: Cow<'a, str>,
    kind: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    param: Option<Cow<'a, str>>,
) -> Failure<'a> {
    let said = code.as_deref().and_then(kind_of_word).or_else(|| kind.as_deref().and_then(kind_of_word));
    // A code may be the status itself; inside a stream it is the only one.
    let number = code.as_deref().and_then(|code| code.parse::<u16>().ok()).filter(|code| (400..=599).contains(code));
    let usual = status.or(number).map_or(FailureKind::Server, FailureKind::of_status);
    let kind = match said.unwrap_or(usual) {
        FailureKind::InvalidRequest if speaks_of_length(&message) => FailureKind::ContextTooLong,
        // `invalid_request_error` stands beside every status; the status knows better.
        FailureKind::InvalidRequest if status.is_some() && usual != FailureKind::Server => usual,
        kind => kind,
    };
    Failure { kind, status: status.or(number).unwrap_or(kind.status()), message, code, param }
}

/// What a `code` or a `type` says; `None` for words that say nothing sure.
fn kind_of_word(word: &str) -> Option<FailureKind> {
    Some(match word {
        "context_length_exceeded" => FailureKind::ContextTooLong,
        "content_filter"
        | "content_policy_violation"
        | "bio_policy"
        | "cyber_policy"
        | "misalignment_policy_violation"
        | "image_content_policy_violation"
        | "policy_violation" => FailureKind::PolicyViolation,
        "invalid_api_key" | "authentication_error" => FailureKind::Authentication,
        "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => FailureKind::Billing,
        "permission_error" => FailureKind::Permission,
        "model_not_found" | "not_found_error" | "deployment_not_found" | "DeploymentNotFound" => FailureKind::NotFound,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_exceeded" | "rate_limit_error" | "slow_down" => FailureKind::RateLimit,
        "timeout" | "timeout_error" | "vector_store_timeout" => FailureKind::Timeout,
        "server_is_overloaded" | "overloaded" | "overloaded_error" => FailureKind::Overloaded,
        "server_error" | "internal_error" => FailureKind::Server,
        "invalid_prompt" | "invalid_request_error" => FailureKind::InvalidRequest,
        _ => return None,
    })
}

fn speaks_of_length(message: &str) -> bool {
    ["context window", "context length", "maximum context"].iter().any(|words| message.contains(words))
}

/// Writes an error: its status and its body.
pub(super) fn encode(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut writer = Writer::with_capacity(failure.message.len() + 128);
    writer.object(|writer| {
        writer.key("error").object(|writer| {
            writer.key("message").string(&failure.message);
            writer.key("type").string(type_of(failure.kind));
            optional(writer, "param", failure.param.as_deref());
            let code = failure.code.as_deref().or_else(|| code_of(failure.kind));
            optional(writer, "code", code);
        });
    });
    let status = match failure.status {
        // Anthropic's own status for overload, which OpenAI's SDKs do not know.
        529 => 503,
        status @ 400..=599 => status,
        // Some vendors put errors into answers of status 200.
        _ => failure.kind.status(),
    };
    (status, writer.into_bytes())
}

/// A member that is `null` when there is nothing.
pub(super) fn optional(writer: &mut Writer, name: &str, value: Option<&str>) {
    match value {
        Some(value) => writer.key(name).string(value),
        None => writer.key(name).null(),
    }
}

fn type_of(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest
        | FailureKind::ContextTooLong
        | FailureKind::PolicyViolation
        | FailureKind::NotFound => "invalid_request_error",
        FailureKind::Authentication => "authentication_error",
        FailureKind::Billing => "insufficient_quota",
        FailureKind::Permission => "permission_error",
        FailureKind::Conflict => "conflict",
        FailureKind::TooLarge => "request_too_large",
        FailureKind::RateLimit => "rate_limit_error",
        FailureKind::Timeout => "timeout",
        FailureKind::Server | FailureKind::Overloaded => "server_error",
    }
}

fn code_of(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::ContextTooLong => "context_length_exceeded",
        FailureKind::PolicyViolation => "content_policy_violation",
        FailureKind::Authentication => "invalid_api_key",
        FailureKind::Billing => "insufficient_quota",
        FailureKind::NotFound => "model_not_found",
        FailureKind::RateLimit => "rate_limit_exceeded",
        FailureKind::Overloaded => "overloaded",
        _ => return None,
    })
}

/// The `code` of an error inside a response, which has words of its own.
///
/// Three of them are not in the SDK's list: OpenAI sends them all the same, and Codex compacts, stops or waits by them.
pub(super) fn response_code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::ContextTooLong => "context_length_exceeded",
        FailureKind::Billing => "insufficient_quota",
        FailureKind::RateLimit => "rate_limit_exceeded",
        FailureKind::Overloaded => "server_is_overloaded",
        FailureKind::InvalidRequest | FailureKind::PolicyViolation | FailureKind::TooLarge => "invalid_prompt",
        FailureKind::Authentication
        | FailureKind::Permission
        | FailureKind::NotFound
        | FailureKind::Conflict
        | FailureKind::Timeout
        | FailureKind::Server => "server_error",
    }
}
