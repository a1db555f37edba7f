//! Errors on the chat wire: OpenAI's own, and the many shapes that compatible vendors and the proxies before them answer
//! with. The gateway's own errors on the splice path are `error`'s.

use std::borrow::Cow;

use crate::chat::failure::{Failure, FailureKind};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::field;
use crate::codec::writer::Writer;

/// The longest message that is passed on, in bytes.
const MAX_MESSAGE: usize = 4096;

/// Writes an error: the status that OpenAI's SDKs expect, and the body.
pub(super) fn encode(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut writer = Writer::with_capacity(failure.message.len() + 128);
    write(&mut writer, failure);
    let status = match failure.status {
        // Anthropic's word for overloaded; no status at all comes out of a stream.
        529 => 503,
        status @ 400..=599 => status,
        _ => failure.kind.status(),
    };
    (status, writer.into_bytes())
}

/// Writes `{"error":{message, type, param, code}}`.
pub(super) fn write(writer: &mut Writer, failure: &Failure<'_>) {
    let (kind, code) = words(failure.kind);
    let code = match failure.kind {
        // Programs look for this very code, whatever the vendor's is.
        FailureKind::ContextTooLong => code,
        _ => failure.code.as_deref().or(code),
    };
    writer.object(|writer| {
        writer.key("error").object(|writer| {
            writer.key("message").string(&failure.message);
            writer.key("type").string(kind);
            match &failure.param {
                Some(param) => writer.key("param").string(param),
                None => writer.key("param").null(),
            }
            match code {
                Some(code) => writer.key("code").string(code),
                None => writer.key("code").null(),
            }
        });
    });
}

/// OpenAI's `type`, and the `code` where the vendor has none.
fn words(kind: FailureKind) -> (&'static str, Option<&'static str>) {
    match kind {
        FailureKind::InvalidRequest => ("invalid_request_error", None),
        FailureKind::ContextTooLong => ("invalid_request_error", Some("context_length_exceeded")),
        FailureKind::PolicyViolation => ("invalid_request_error", Some("content_policy_violation")),
        FailureKind::Authentication => ("authentication_error", Some("invalid_api_key")),
        FailureKind::Billing => ("insufficient_quota", Some("insufficient_quota")),
        FailureKind::Permission => ("permission_error", None),
        FailureKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        FailureKind::Conflict => ("conflict_error", None),
        FailureKind::TooLarge => ("request_too_large", None),
        FailureKind::RateLimit => ("rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::Timeout => ("timeout", None),
        FailureKind::Server => ("server_error", None),
        FailureKind::Overloaded => ("server_error", Some("overloaded")),
    }
}

/// Reads an error answer. See `ProviderWire::decode_failure`.
pub(super) fn decode<'a>(status: u16, body: &'a [u8]) -> Failure<'a> {
    if let Some(said) = read_body(body) {
        return said.failure(Some(status));
    }
    let message = match std::str::from_utf8(body).map(str::trim) {
        // A page of a proxy in between is no message.
        Ok(text) if !text.is_empty() && !text.starts_with(['<', '{', '[']) => Cow::Borrowed(cut(text)),
        Ok(_) | Err(_) => Cow::Owned(format!("the provider answered with status {status}")),
    };
    Said { message: Some(message), ..Said::default() }.failure(Some(status))
}

/// The error in a body or an event of status 200; `None` when there is none.
pub(super) fn in_answer(body: &[u8]) -> Option<Failure<'_>> {
    let said = read_body(body)?;
    let status = said.status;
    Some(said.failure(status))
}

/// What an error says.
#[derive(Default)]
struct Said<'a> {
    message: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    param: Option<Cow<'a, str>>,
    /// A status in place of a code, as OpenRouter has it.
    status: Option<u16>,
    /// Something that is an error and nothing else was there.
    certain: bool,
}

fn read_body(body: &[u8]) -> Option<Said<'_>> {
    let mut said = Said::default();
    let mut scanner = Scanner::new(body);
    let scanned = match scanner.peek() {
        Ok(b'{') => scanner.object(|scanner, key| said.outer(scanner, &key)),
        // Google's shim answers with an array of one.
        Ok(b'[') => scanner.array(|scanner| field::members_or_skip(scanner, |scanner, key| said.outer(scanner, &key))),
        Ok(_) | Err(_) => return None,
    };
    let readable = scanned.is_ok() || said.message.is_some();
    (readable && (said.certain || said.message.is_some())).then_some(said)
}

impl<'a> Said<'a> {
    fn outer(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"error" | b"errors" => self.error(scanner),
            b"detail" => self.detail(scanner),
            b"base_resp" => {
                if let Some(trouble) = read_base_resp(scanner)? {
                    self.certain = true;
                    self.code = Some(Cow::Owned(trouble.code.to_string()));
                    self.message = trouble.message.or(self.message.take());
                }
                Ok(())
            }
            b"message" | b"msg" | b"type" | b"code" | b"param" => self.inner(scanner, key),
            _ => scanner.pass(),
        }
    }

    /// `error`: an object, an array of them, or the message alone.
    fn error(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        match scanner.peek()? {
            b'{' => {
                self.certain = true;
                scanner.object(|scanner, key| self.inner(scanner, &key))
            }
            b'[' => scanner.array(|scanner| self.error(scanner)),
            b'"' => {
                self.certain = true;
                let text = scanner.string()?;
                self.message.get_or_insert(text.text());
                Ok(())
            }
            _ => scanner.pass(),
        }
    }

    fn inner(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"message" | b"msg" => match scanner.peek()? {
                // Some put the whole error into its message.
                b'{' => return scanner.object(|scanner, key| self.inner(scanner, &key)),
                _ => self.message = field::filled(scanner)?.map(|text| text.text()).or(self.message.take()),
            },
            b"type" => self.kind = field::filled(scanner)?.map(|text| text.text()),
            b"detail" => return self.detail(scanner),
            b"code" => match scanner.peek()? {
                b'"' => self.code = field::filled(scanner)?.map(|text| text.text()),
                _ => {
                    let number = scanner.whole_or_skip()?;
                    self.status = number.and_then(|number| u16::try_from(number).ok());
                    self.status = self.status.filter(|status| (400..600).contains(status));
                    if self.status.is_none() {
                        self.code = number.map(|number| Cow::Owned(number.to_string()));
                    }
                }
            },
            b"param" => self.param = field::filled(scanner)?.map(|text| text.text()),
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// `detail`: the message, or FastAPI's list of what is wrong where.
    fn detail(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        match scanner.peek()? {
            b'"' => {
                self.certain = true;
                let text = scanner.string()?;
                self.message.get_or_insert(text.text());
                Ok(())
            }
            b'{' => {
                self.certain = true;
                scanner.object(|scanner, key| self.inner(scanner, &key))
            }
            b'[' => scanner.array(|scanner| {
                self.certain = true;
                let (mut place, mut message) = (String::new(), None);
                field::members_or_skip(scanner, |scanner, key| {
                    match key.bytes().as_ref() {
                        b"loc" => field::each_or_skip(scanner, |scanner| {
                            let step = scanner.skip()?;
                            let step = String::from_utf8_lossy(scanner.slice(step));
                            if !place.is_empty() {
                                place.push('.');
                            }
                            place.push_str(step.trim_matches('"'));
                            Ok(())
                        })?,
                        b"msg" => message = field::filled(scanner)?,
                        _ => scanner.pass()?,
                    }
                    Ok(())
                })?;
                if let (Some(message), None) = (message, &self.message) {
                    self.message = Some(message.text());
                    self.param = (!place.is_empty()).then_some(Cow::Owned(place));
                }
                Ok(())
            }),
            _ => scanner.pass(),
        }
    }

    fn failure(self, status: Option<u16>) -> Failure<'a> {
        let message = self.message.unwrap_or(Cow::Borrowed("the provider answered with an error"));
        let words = [self.code.as_deref(), self.kind.as_deref()];
        let by_word = words.into_iter().flatten().find_map(kind_of_word);
        let by_status = status.map(FailureKind::of_status);
        let kind = match (by_word, by_status) {
            (Some(word), _) => word,
            (None, Some(kind)) => kind,
            (None, None) => FailureKind::Server,
        };
        let kind = match kind {
            FailureKind::InvalidRequest | FailureKind::TooLarge | FailureKind::Server if is_too_long(&message) => {
                FailureKind::ContextTooLong
            }
            FailureKind::RateLimit if is_unpaid(&message) => FailureKind::Billing,
            kind => kind,
        };
        Failure {
            kind,
            status: status.unwrap_or_else(|| kind.status()),
            message: match message {
                Cow::Borrowed(text) => Cow::Borrowed(cut(text)),
                Cow::Owned(text) => Cow::Owned(cut(&text).to_owned()),
            },
            code: self.code.or(self.kind.filter(|kind| kind != "error")),
            param: self.param,
        }
    }
}

/// What MiniMax's `base_resp` tells when its code is not zero.
pub(super) struct Trouble<'a> {
    code: u64,
    message: Option<Cow<'a, str>>,
}

/// MiniMax's `base_resp{status_code, status_msg}`; `None` when all is well.
pub(super) fn read_base_resp<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Trouble<'a>>, Malformed> {
    let (mut code, mut message) = (0, None);
    field::members_or_skip(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"status_code" => code = scanner.whole_or_skip()?.unwrap_or(0),
            b"status_msg" => message = field::filled(scanner)?.map(|text| text.text()),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok((code != 0).then_some(Trouble { code, message }))
}

/// What vendors' codes and types mean. A word that only repeats the status says nothing more.
fn kind_of_word(word: &str) -> Option<FailureKind> {
    Some(match word {
        "context_length_exceeded" | "model_context_window_exceeded" | "string_above_max_length" | "1261" => {
            FailureKind::ContextTooLong
        }
        "insufficient_quota"
        | "billing_error"
        | "insufficient_balance"
        | "billing_hard_limit_reached"
        | "exceeded_current_quota_error"
        | "Arrearage"
        | "1113"
        | "1008" => FailureKind::Billing,
        "content_filter"
        | "content_policy_violation"
        | "data_inspection_failed"
        | "DataInspectionFailed"
        | "ResponsibleAIPolicyViolation"
        | "1301"
        | "1026"
        | "1027" => FailureKind::PolicyViolation,
        "invalid_api_key" | "authentication_error" | "invalid_authentication_error" | "InvalidApiKey" | "1004" => {
            FailureKind::Authentication
        }
        "permission_error" | "permission_denied" => FailureKind::Permission,
        "model_not_found" | "not_found_error" | "DeploymentNotFound" | "resource_not_found_error" => {
            FailureKind::NotFound
        }
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limit_reached_error"
        | "Throttling"
        | "1302"
        | "1303"
        | "1002" => FailureKind::RateLimit,
        "overloaded" | "overloaded_error" | "engine_overloaded_error" | "engine_overloaded" | "1305" => {
            FailureKind::Overloaded
        }
        "timeout" | "timeout_error" | "1001" => FailureKind::Timeout,
        "request_too_large" => FailureKind::TooLarge,
        "2013" | "tool_use_failed" => FailureKind::InvalidRequest,
        _ => return None,
    })
}

/// Whether a message says that the prompt is too long, as vendors without a code for it put it.
fn is_too_long(message: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "context length",
        "context window",
        "context_length",
        "prompt is too long",
        "input is too long",
        "too many tokens",
        "exceeds the maximum number of tokens",
        "maximum prompt length",
    ];
    let message = cut(message).to_ascii_lowercase();
    SIGNS.iter().any(|sign| message.contains(sign))
}

fn is_unpaid(message: &str) -> bool {
    let message = cut(message).to_ascii_lowercase();
    message.contains("insufficient balance") || message.contains("exceeded your current quota")
}

/// The message as far as it is passed on.
fn cut(message: &str) -> &str {
    let end = (0..=MAX_MESSAGE).rev().find(|at| message.is_char_boundary(*at));
    end.filter(|end| *end < message.len()).and_then(|end| message.get(..end)).unwrap_or(message)
}
