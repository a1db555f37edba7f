//! Errors of Cohere: `{"message": "…"}`, with a status that says the rest.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::codec::json::Scanner;

/// The most of an error page that is shown.
const MAX_PAGE: usize = 200;

/// What messages of a prompt that does not fit have in common, in small letters.
const TOO_LONG: &[&str] =
    &["too many tokens", "context length", "context window", "maximum number of tokens", "too long"];

/// What messages of a prompt that the filter refused have in common.
const BLOCKED: &[&str] = &["blocked", "safety"];

/// Reads an error answer.
pub fn decode(status: u16, body: &[u8]) -> Failure<'_> {
    let message = read(body).or_else(|| page(body));
    let text = message.as_deref().unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let kind = match status {
        400 | 413 | 422 if says(TOO_LONG) => FailureKind::ContextTooLong,
        400 | 422 if says(BLOCKED) => FailureKind::PolicyViolation,
        498 => FailureKind::Authentication,
        499 => FailureKind::Timeout,
        status => FailureKind::of_status(status),
    };
    let keeps = FailureKind::of_status(status).status() == kind.status();
    let status = if keeps { status } else { kind.status() };
    let message = message.unwrap_or_else(|| Cow::Owned(format!("the provider answered with status {status}")));
    Failure { kind, status, message, code: None, param: None }
}

/// An error in place of an answer of status 200: its `message` is a text.
pub fn in_place_of_answer(body: &[u8]) -> Option<Failure<'_>> {
    read(body).map(of_model)
}

/// What the model or its server says went wrong amid an answer.
pub fn of_model(message: Cow<'_, str>) -> Failure<'_> {
    let kind = FailureKind::Server;
    Failure { kind, status: kind.status(), message, code: None, param: None }
}

fn read(body: &[u8]) -> Option<Cow<'_, str>> {
    let mut message = None;
    let _ = Scanner::new(body).object(|scanner, key| {
        match key.raw() {
            b"message" => message = scanner.string_or_skip()?.map(|text| text.text()).or(message.take()),
            b"detail" | b"error" | b"data" if message.is_none() => {
                message = scanner.string_or_skip()?.map(|text| text.text());
            }
            _ => scanner.pass()?,
        }
        Ok(())
    });
    message.filter(|message| !message.trim().is_empty())
}

/// The text of an error page that is no JSON and no HTML.
fn page(body: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_text = !text.is_empty() && text.len() <= MAX_PAGE && !text.starts_with(['<', '{', '[']);
    is_text.then_some(Cow::Borrowed(text))
}
