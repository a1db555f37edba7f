//! Errors of Bedrock: in place of an answer, and amid a stream.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::codec::json::Scanner;
use crate::http::Headers;

/// The most of an error page that is shown.
const MAX_PAGE: usize = 200;

/// What messages of a prompt that does not fit have in common, in small letters. Vendors word it as they like.
const TOO_LONG: &[&str] = &[
    "input is too long",
    "prompt is too long",
    "too many input tokens",
    "input tokens exceed",
    "context length",
    "context window",
    "context limit",
    "maximum number of input tokens",
    "exceeds the maximum number of tokens",
    "exceeds the model's maximum",
    "input token count exceeds",
];

/// What messages of a wrong model's id have in common.
const NO_MODEL: &[&str] = &["model identifier is invalid", "model isn't found", "model id is invalid", "no such model"];

/// What messages of a wrong key have in common, where the type is AWS's word for everything that is forbidden.
const NO_KEY: &[&str] = &["security token", "api key", "bearer token", "authentication failed", "signature"];

/// What an error says.
#[derive(Default)]
struct Said<'a> {
    name: Option<Cow<'a, str>>,
    message: Option<Cow<'a, str>>,
    original_status: Option<u16>,
    original_message: Option<Cow<'a, str>>,
    is_json: bool,
}

/// Reads an error answer.
pub fn decode<'a>(status: u16, headers: &Headers, body: &'a [u8]) -> Failure<'a> {
    let mut said = read(body);
    // `Name`, `Name:http://…` or `com.amazon…#Name`.
    let header = headers.text("x-amzn-errortype").map(|text| Cow::Owned(short_name(text).to_owned()));
    said.name = header.or(said.name);
    failure(Some(status), said, body)
}

/// Reads the payload of an exception of a stream.
pub fn decode_exception<'a>(name: &str, payload: &'a [u8]) -> Failure<'a> {
    let said = Said { name: Some(Cow::Owned(short_name(name).to_owned())), ..read(payload) };
    failure(None, said, payload)
}

/// An error in place of an answer of status 200, which has a message and no output.
pub fn in_place_of_answer(body: &[u8]) -> Option<Failure<'_>> {
    let said = read(body);
    let is_error = said.message.is_some() || said.name.is_some();
    is_error.then(|| failure(None, said, body))
}

/// A stream that is none, or whose bytes are damaged.
pub fn broken_stream() -> Failure<'static> {
    Failure {
        kind: FailureKind::Server,
        status: 502,
        message: Cow::Borrowed("the provider's event stream is damaged"),
        code: None,
        param: None,
    }
}

/// An error message of the event stream itself.
pub fn stream_error<'a>(code: &str, message: &str) -> Failure<'a> {
    let said = Said {
        name: Some(Cow::Owned(short_name(code).to_owned())),
        message: Some(Cow::Owned(message.to_owned())),
        ..Said::default()
    };
    failure(None, said, b"")
}

fn failure<'a>(status: Option<u16>, said: Said<'a>, body: &'a [u8]) -> Failure<'a> {
    let message = said.original_message.or(said.message).or_else(|| page(said.is_json, body));
    let name = said.name.as_deref().unwrap_or_default();
    let kind = kind(name, message.as_deref().unwrap_or_default(), said.original_status)
        .unwrap_or_else(|| FailureKind::of_status(status.unwrap_or(500)));
    // A quota is a 400 at AWS, a model's fault a 424: where the status says something else, the kind's own is better.
    let status = status.filter(|status| FailureKind::of_status(*status).status() == kind.status());
    let status = status.unwrap_or_else(|| kind.status());
    let message = message.unwrap_or_else(|| Cow::Owned(format!("the provider answered with status {status}")));
    Failure { kind, status, message, code: said.name, param: None }
}

fn kind(name: &str, message: &str, original_status: Option<u16>) -> Option<FailureKind> {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let is = |ending: &str| name.get(..ending.len()).is_some_and(|start| start.eq_ignore_ascii_case(ending));
    Some(if is("Validation") {
        match () {
            () if says(TOO_LONG) => FailureKind::ContextTooLong,
            () if says(NO_MODEL) => FailureKind::NotFound,
            () => FailureKind::InvalidRequest,
        }
    } else if is("AccessDenied") {
        if says(NO_KEY) { FailureKind::Authentication } else { FailureKind::Permission }
    } else if ["UnrecognizedClient", "InvalidSignature", "ExpiredToken", "MissingAuthentication", "InvalidClientToken"]
        .into_iter()
        .chain(["IncompleteSignature", "SignatureDoesNotMatch", "NotAuthorized"])
        .any(is)
    {
        FailureKind::Authentication
    } else if is("ResourceNotFound") || is("UnknownOperation") {
        FailureKind::NotFound
    } else if ["Throttling", "ModelNotReady", "ServiceQuotaExceeded", "TooManyRequests", "LimitExceeded"]
        .into_iter()
        .any(is)
    {
        FailureKind::RateLimit
    } else if is("ModelTimeout") || is("RequestTimeout") {
        FailureKind::Timeout
    } else if is("Conflict") {
        FailureKind::Conflict
    } else if is("RequestEntityTooLarge") || is("PayloadTooLarge") {
        FailureKind::TooLarge
    } else if is("ServiceUnavailable") {
        FailureKind::Overloaded
    } else if is("ModelError") || is("ModelStreamError") {
        original_status
            .map(FailureKind::of_status)
            .filter(|kind| !is_request_fault(*kind))
            .unwrap_or(FailureKind::Server)
    } else if is("Internal") {
        FailureKind::Server
    } else {
        return None;
    })
}

/// Whether a fault is the request's: what a model behind Bedrock says of it is no fault of the client's.
fn is_request_fault(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::InvalidRequest | FailureKind::NotFound | FailureKind::Permission)
}

fn short_name(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit_once('#').map_or(name, |(_, short)| short).trim()
}

fn read(body: &[u8]) -> Said<'_> {
    let mut said = Said::default();
    let mut scanner = Scanner::new(body);
    let read = scanner.object(|scanner, key| {
        match key.raw() {
            b"message" | b"Message" | b"errorMessage" => {
                said.message = said.message.take().or(scanner.string_or_skip()?.map(|text| text.text()));
            }
            b"__type" => {
                said.name = scanner.string_or_skip()?.map(|text| Cow::Owned(short_name(&text.text()).to_owned()));
            }
            b"originalStatusCode" => {
                said.original_status = scanner.whole_or_skip()?.and_then(|status| u16::try_from(status).ok());
            }
            b"originalMessage" => {
                said.original_message = scanner.string_or_skip()?.map(|text| text.text());
            }
            _ => scanner.pass()?,
        }
        Ok(())
    });
    said.is_json = read.is_ok();
    said.message = said.message.filter(|message| !message.trim().is_empty());
    said.original_message = said.original_message.filter(|message| !message.trim().is_empty());
    said
}

/// The text of an error page that is no JSON and no HTML.
fn page(is_json: bool, body: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_text = !is_json && !text.is_empty() && text.len() <= MAX_PAGE && !text.starts_with(['<', '{', '[']);
    is_text.then_some(Cow::Borrowed(text))
}
