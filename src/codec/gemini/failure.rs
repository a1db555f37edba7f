//! Gemini's errors, both directions: `{"error": {"code", "message", "status", "details"}}`, sometimes inside an array.
//!
//! Source: google.rpc.Status, ErrorInfo, BadRequest and RetryInfo.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::codec::json::{Malformed, Scanner};
use crate::codec::writer::Writer;

/// The longest plain text of a front proxy that is passed on, in bytes.
const MAX_TEXT: usize = 500;

/// Reads an error answer.
pub fn decode(status: u16, body: &[u8]) -> Failure<'_> {
    if let Some(failure) = find(body, status) {
        return failure;
    }
    let text = std::str::from_utf8(body).map(str::trim).unwrap_or_default();
    let says = !text.is_empty() && text.len() <= MAX_TEXT && !text.starts_with(['<', '{', '[']);
    let message = match says {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("the provider answered with status {status}")),
    };
    Failure { kind: FailureKind::of_status(status), status, message, code: None, param: None }
}

/// The error that a body holds.
pub fn find(body: &[u8], status: u16) -> Option<Failure<'_>> {
    let mut scanner = Scanner::new(body);
    let mut found = None;
    let walk = if scanner.peek().ok()? == b'[' {
        scanner.array(|scanner| holder(scanner, status, &mut found))
    } else {
        holder(&mut scanner, status, &mut found)
    };
    walk.ok().and(found)
}

fn holder<'a>(scanner: &mut Scanner<'a>, status: u16, found: &mut Option<Failure<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
        (b"error", b'{' | b'"') if found.is_none() => {
            *found = Some(read(scanner, status)?);
            Ok(())
        }
        _ => scanner.pass(),
    })
}

/// Reads the value of `error`. Under a status of 200, its `code` is the status.
///
/// # Errors
/// What is no JSON.
pub fn read<'a>(scanner: &mut Scanner<'a>, status: u16) -> Result<Failure<'a>, Malformed> {
    let mut error = Error::default();
    if scanner.peek()? == b'"' {
        // OAuth's form.
        error.message = Some(scanner.string()?.text());
        return Ok(error.failure(status));
    }
    scanner.object(|scanner, key| {
        match (key.raw(), scanner.peek()?) {
            (b"code", _) => error.code = scanner.whole_or_skip()?.and_then(|code| u16::try_from(code).ok()),
            (b"message", _) => error.message = scanner.string_or_skip()?.map(|text| text.text()),
            (b"status", _) => error.word = scanner.string_or_skip()?.map(|text| text.text()),
            (b"details", b'[') => scanner.array(|scanner| detail(scanner, &mut error))?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok(error.failure(status))
}

#[derive(Default)]
struct Error<'a> {
    code: Option<u16>,
    message: Option<Cow<'a, str>>,
    word: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
    field: Option<Cow<'a, str>>,
    retry_millis: Option<u64>,
}

/// ErrorInfo's `reason`, BadRequest's first `field`, RetryInfo's `retryDelay`.
fn detail<'a>(scanner: &mut Scanner<'a>, error: &mut Error<'a>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    scanner.object(|scanner, key| {
        match (key.raw(), scanner.peek()?) {
            (b"reason", _) => error.reason = scanner.string_or_skip()?.map(|text| text.text()),
            (b"retryDelay", _) => {
                let delay = scanner.string_or_skip()?;
                error.retry_millis = delay.and_then(|text| millis(&text.text()));
            }
            (b"fieldViolations", b'[') => scanner.array(|scanner| {
                if scanner.peek()? != b'{' {
                    return scanner.pass();
                }
                scanner.object(|scanner, key| {
                    if key.is("field") && error.field.is_none() {
                        error.field = scanner.string_or_skip()?.map(|text| text.text());
                        return Ok(());
                    }
                    scanner.pass()
                })
            })?,
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

/// A duration in the JSON of protocol buffers: `34s`, `1.500s`.
fn millis(duration: &str) -> Option<u64> {
    let seconds: f64 = duration.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).ceil() as u64)
}

/// How long the vendor asks to wait, in milliseconds: RetryInfo's `retryDelay`. Google sends no `retry-after`.
pub fn retry_delay(body: &[u8]) -> Option<u64> {
    let mut scanner = Scanner::new(body);
    let mut error = Error::default();
    let mut holder = |scanner: &mut Scanner<'_>| {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
            (b"error", b'{') => scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
                (b"details", b'[') => scanner.array(|scanner| {
                    let span = scanner.skip()?;
                    let mut one = Error::default();
                    detail(&mut Scanner::new(scanner.slice(span)), &mut one)?;
                    error.retry_millis = error.retry_millis.or(one.retry_millis);
                    Ok(())
                }),
                _ => scanner.pass(),
            }),
            _ => scanner.pass(),
        })
    };
    let walk = if scanner.peek().ok()? == b'[' { scanner.array(holder) } else { holder(&mut scanner) };
    walk.ok()?;
    error.retry_millis
}

impl<'a> Error<'a> {
    fn failure(self, status: u16) -> Failure<'a> {
        let told = self.code.filter(|code| (400..600).contains(code));
        let status = if status < 400 { told.unwrap_or(500) } else { status };
        let kind = self.kind(status);
        let message = match self.message.filter(|message| !message.is_empty()) {
            Some(message) => message,
            None => Cow::Owned(format!("the provider answered with status {status}")),
        };
        Failure { kind, status, message, code: self.reason.or(self.word), param: self.field }
    }

    fn kind(&self, status: u16) -> FailureKind {
        let message = self.message.as_deref().unwrap_or_default();
        // A wrong key is a 400 at AI Studio.
        if self.reason.as_deref().is_some_and(|reason| reason.starts_with("API_KEY_")) {
            return FailureKind::Authentication;
        }
        let too_long = message.contains("exceeds the maximum number of tokens") || message.contains("token count");
        match self.word.as_deref() {
            _ if status == 402 => FailureKind::Billing,
            Some("INVALID_ARGUMENT") if too_long && message.contains("exceeds") => FailureKind::ContextTooLong,
            Some("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE") if status == 413 => FailureKind::TooLarge,
            Some("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE") => FailureKind::InvalidRequest,
            Some("UNAUTHENTICATED") => FailureKind::Authentication,
            Some("PERMISSION_DENIED") => FailureKind::Permission,
            Some("NOT_FOUND") => FailureKind::NotFound,
            Some("ABORTED" | "ALREADY_EXISTS") => FailureKind::Conflict,
            Some("RESOURCE_EXHAUSTED") => FailureKind::RateLimit,
            Some("DEADLINE_EXCEEDED" | "CANCELLED") => FailureKind::Timeout,
            Some("INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "UNIMPLEMENTED") => FailureKind::Server,
            Some("UNAVAILABLE") => FailureKind::Overloaded,
            _ => FailureKind::of_status(status),
        }
    }
}

/// Writes an error: the status and the body.
pub fn encode(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut writer = Writer::with_capacity(256);
    write(&mut writer, failure);
    (code(failure), writer.into_bytes())
}

/// Writes the error object.
pub fn write(writer: &mut Writer, failure: &Failure<'_>) {
    writer.object(|writer| {
        writer.key("error").object(|writer| {
            writer.key("code").number(u64::from(code(failure)));
            writer.key("message").string(&failure.message);
            writer.key("status").string(word(failure.kind));
            if failure.code.is_some() || failure.param.is_some() {
                writer.key("details").array(|writer| details(writer, failure));
            }
        });
    });
}

fn details(writer: &mut Writer, failure: &Failure<'_>) {
    if let Some(code) = &failure.code {
        writer.object(|writer| {
            writer.key("@type").string("type.googleapis.com/google.rpc.ErrorInfo");
            writer.key("reason").string(code);
        });
    }
    if let Some(param) = &failure.param {
        writer.object(|writer| {
            writer.key("@type").string("type.googleapis.com/google.rpc.BadRequest");
            writer.key("fieldViolations").array(|writer| {
                writer.object(|writer| writer.key("field").string(param));
            });
        });
    }
}

/// Google knows no 529.
fn code(failure: &Failure<'_>) -> u16 {
    match failure.status {
        529 => 503,
        400..=599 => failure.status,
        _ => failure.kind.status(),
    }
}

fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest
        | FailureKind::ContextTooLong
        | FailureKind::PolicyViolation
        | FailureKind::TooLarge => "INVALID_ARGUMENT",
        FailureKind::Authentication => "UNAUTHENTICATED",
        FailureKind::Billing | FailureKind::RateLimit => "RESOURCE_EXHAUSTED",
        FailureKind::Permission => "PERMISSION_DENIED",
        FailureKind::NotFound => "NOT_FOUND",
        FailureKind::Conflict => "ABORTED",
        FailureKind::Timeout => "DEADLINE_EXCEEDED",
        FailureKind::Server => "INTERNAL",
        FailureKind::Overloaded => "UNAVAILABLE",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::borrow::Cow;

    use super::{decode, encode, retry_delay};
    use crate::chat::failure::{Failure, FailureKind};

    #[test]
    fn every_kind_goes_out_and_comes_back() {
        for kind in FailureKind::ALL {
            let failure = Failure {
                kind,
                status: kind.status(),
                message: Cow::Borrowed("no"),
                code: None,
                param: Some(Cow::Borrowed("contents")),
            };
            let (status, body) = encode(&failure);
            let back = decode(status, &body);
            let same = match kind {
                FailureKind::ContextTooLong | FailureKind::PolicyViolation => FailureKind::InvalidRequest,
                other => other,
            };
            assert_eq!((back.kind, back.status, back.message.as_ref()), (same, kind.status(), "no"));
            assert_eq!(back.param.as_deref(), Some("contents"));
        }
    }

    #[test]
    fn the_delay_is_read_in_both_forms() {
        let details = r#"{"error":{"code":429,"details":[{"@type":"QuotaFailure"},{"retryDelay":"34.5s"}]}}"#;
        assert_eq!(retry_delay(details.as_bytes()), Some(34_500));
        assert_eq!(retry_delay(format!("[{details}]").as_bytes()), Some(34_500));
        assert_eq!(retry_delay(b"slow down"), None);
        assert_eq!(retry_delay(b"{}"), None);
    }
}
