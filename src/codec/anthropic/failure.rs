//! Errors in Anthropic's shape: `{"type":"error","error":{"type":…,"message":…},"request_id":…}`. Not which of them may
//! be tried again.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// The status and the body of an error answer.
pub(super) fn encode(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut writer = Writer::with_capacity(failure.message.len() + 96);
    write(&mut writer, failure);
    (status(failure), writer.into_bytes())
}

/// Writes an error's body; a stream's `error` event has the same.
pub(super) fn write(writer: &mut Writer, failure: &Failure<'_>) {
    writer.object(|writer| {
        writer.key("type").string("error");
        writer.key("error").object(|writer| {
            writer.key("type").string(word(failure.kind));
            writer.key("message").string(&failure.message);
            if let Some(code) = &failure.code {
                writer.key("code").string(code);
            }
        });
        writer.key("request_id").null();
    });
}

/// The status by which Anthropic's SDKs choose the exception. A status that suits the kind is kept.
fn status(failure: &Failure<'_>) -> u16 {
    let usual = failure.kind.status();
    match failure.kind {
        FailureKind::Overloaded => 529,
        FailureKind::Billing => 402,
        FailureKind::InvalidRequest | FailureKind::ContextTooLong | FailureKind::PolicyViolation => {
            if matches!(failure.status, 400 | 422) { failure.status } else { usual }
        }
        FailureKind::Timeout if failure.status == 408 => 408,
        FailureKind::Server if (500..=599).contains(&failure.status) => failure.status,
        FailureKind::Timeout
        | FailureKind::Server
        | FailureKind::Authentication
        | FailureKind::Permission
        | FailureKind::NotFound
        | FailureKind::Conflict
        | FailureKind::TooLarge
        | FailureKind::RateLimit => usual,
    }
}

/// Anthropic's word for a kind of error.
fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest | FailureKind::ContextTooLong | FailureKind::PolicyViolation => {
            "invalid_request_error"
        }
        FailureKind::Authentication => "authentication_error",
        FailureKind::Billing => "billing_error",
        FailureKind::Permission => "permission_error",
        FailureKind::NotFound => "not_found_error",
        FailureKind::Conflict => "conflict_error",
        FailureKind::TooLarge => "request_too_large",
        FailureKind::RateLimit => "rate_limit_error",
        FailureKind::Timeout => "timeout_error",
        FailureKind::Server => "api_error",
        FailureKind::Overloaded => "overloaded_error",
    }
}

/// The kind that a word says: Anthropic's `type`, or Google's `status`, in which Vertex answers for Claude. `None` for an
/// unknown word.
fn kind(word: &str) -> Option<FailureKind> {
    Some(match word {
        "invalid_request_error" | "INVALID_ARGUMENT" | "FAILED_PRECONDITION" => FailureKind::InvalidRequest,
        "authentication_error" | "UNAUTHENTICATED" => FailureKind::Authentication,
        "billing_error" => FailureKind::Billing,
        "permission_error" | "PERMISSION_DENIED" => FailureKind::Permission,
        "not_found_error" | "NOT_FOUND" => FailureKind::NotFound,
        "conflict_error" | "ABORTED" => FailureKind::Conflict,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_error" | "RESOURCE_EXHAUSTED" => FailureKind::RateLimit,
        "timeout_error" | "DEADLINE_EXCEEDED" => FailureKind::Timeout,
        "api_error" | "INTERNAL" => FailureKind::Server,
        "overloaded_error" | "UNAVAILABLE" => FailureKind::Overloaded,
        _ => return None,
    })
}

/// What an `error` object says.
#[derive(Default)]
pub(super) struct Said<'a> {
    kind: Option<Text<'a>>,
    status: Option<Text<'a>>,
    message: Option<Text<'a>>,
    code: Option<Text<'a>>,
    param: Option<Text<'a>>,
}

impl<'a> Said<'a> {
    /// Reads an `error` object, or a string in its place.
    pub(super) fn read(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut said = Self::default();
        match scanner.peek()? {
            b'{' => scanner.object(|scanner, key| {
                match key.raw() {
                    b"type" => said.kind = scanner.string_or_skip()?,
                    b"status" => said.status = scanner.string_or_skip()?,
                    b"message" => said.message = scanner.string_or_skip()?,
                    b"code" => said.code = scanner.string_or_skip()?,
                    b"param" => said.param = scanner.string_or_skip()?,
                    _ => scanner.pass()?,
                }
                Ok(())
            })?,
            b'"' => said.message = Some(scanner.string()?),
            _ => scanner.pass()?,
        }
        Ok(said)
    }

    /// The error of that status; `None` takes the status from the kind, for an error inside a stream.
    pub(super) fn failure(self, status: Option<u16>) -> Failure<'a> {
        let word = self.kind.or(self.status);
        let told = word.as_ref().and_then(|word| kind(&word.text()));
        let of_status = status.map_or(FailureKind::Server, FailureKind::of_status);
        let message = self.message.map(|text| text.text()).filter(|text| !text.is_empty());
        let mut kind = told.unwrap_or(of_status);
        if kind == FailureKind::InvalidRequest && message.as_deref().is_some_and(is_too_long) {
            kind = FailureKind::ContextTooLong;
        }
        if kind == FailureKind::InvalidRequest && message.as_deref().is_some_and(is_no_money) {
            kind = FailureKind::Billing;
        }
        Failure {
            kind,
            status: status.unwrap_or_else(|| kind.status()),
            message: message.unwrap_or_else(|| silent(status)),
            code: self.code.map(|text| text.text()),
            param: self.param.map(|text| text.text()),
        }
    }
}

/// What is said of an error whose body says nothing.
fn silent(status: Option<u16>) -> Cow<'static, str> {
    match status {
        Some(status) => Cow::Owned(format!("the provider answered with status {status}")),
        None => Cow::Borrowed("the provider ended the stream with an error"),
    }
}

/// Whether a message says that the prompt does not fit. Anthropic has no type for it.
fn is_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["prompt is too long", "exceed context limit", "exceeds the context window", "context window exceeded"]
        .iter()
        .any(|phrase| message.contains(phrase))
}

/// Whether a message says that no money is left, which Anthropic's platform answers with status 400.
fn is_no_money(message: &str) -> bool {
    message.to_ascii_lowercase().contains("credit balance is too low")
}

/// Reads an error answer: Anthropic's, Google's (Vertex), the `{"message":…}` of platforms around them, or plain text.
pub(super) fn decode<'a>(status: u16, headers: &Headers, body: &'a [u8]) -> Failure<'a> {
    let said = scan(&mut Scanner::new(body)).unwrap_or_default().unwrap_or_default();
    let plain = said.message.is_none().then(|| plain_text(headers, body)).flatten();
    let mut failure = said.failure(Some(status));
    if let Some(text) = plain {
        failure.message = text;
    }
    failure
}

/// The error that a body holds, `None` when it holds none.
pub(super) fn scan<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Said<'a>>, Malformed> {
    let mut said = None;
    match scanner.peek()? {
        b'[' => scanner.array(|scanner| {
            if said.is_none() && scanner.peek()? == b'{' { one(scanner, &mut said) } else { scanner.pass() }
        })?,
        b'{' => one(scanner, &mut said)?,
        _ => scanner.pass()?,
    }
    Ok(said)
}

fn one<'a>(scanner: &mut Scanner<'a>, said: &mut Option<Said<'a>>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        match key.raw() {
            b"error" => *said = Some(Said::read(scanner)?),
            b"message" | b"detail" => {
                let message = scanner.string_or_skip()?;
                if said.is_none() && message.is_some() {
                    *said = Some(Said { message, ..Said::default() });
                }
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

/// A short body of plain text; a page of HTML says nothing to people.
fn plain_text<'a>(headers: &Headers, body: &'a [u8]) -> Option<Cow<'a, str>> {
    let kind = headers.text("content-type").unwrap_or_default();
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_plain = !kind.contains("html") && !text.starts_with(['<', '{', '[']);
    (is_plain && !text.is_empty() && text.len() <= 512).then_some(Cow::Borrowed(text))
}
