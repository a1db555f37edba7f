//! What comes back: the answer's headers and body pass through, are read for usage, and an error that the proxy made up
//! is put into the client's own shape.

use crate::codec::openai::error::encode_error;
use crate::codec::openai::stream::{Emit, Stream};
use crate::config::policy::Explain;
use crate::error::{ErrorCode, GatewayError};
use crate::gateway::state::{Body, Exchange, Stage};
use crate::gateway::step::{Step, Steps};
use crate::host::Host;
use crate::http::Headers;

/// Headers of a provider that name its customer; clients have no business with them.
const WITHHELD: [&str; 4] = ["openai-organization", "openai-project", "anthropic-organization-id", "set-cookie"];

impl Exchange {
    /// The headers of the answer are here. `from_proxy` says that the proxy made the answer up itself; `end` that no
    /// body follows.
    pub fn response_headers(&mut self, headers: &Headers, from_proxy: bool, end: bool, host: &dyn Host) -> Steps {
        let mut steps = Steps::default();
        if !matches!(self.stage, Stage::Reading | Stage::Sent) {
            return steps;
        }
        let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.answer.status = status;
        let made_up =
            from_proxy || self.attempts.last().is_some_and(|last| last.status.is_some() && !last.from_provider);
        let error = if made_up { self.own_error(status) } else { self.foreign_page(status, headers) };
        match error {
            Some(error) => self.answer_instead(&error, end, &mut steps),
            None => self.read_answer(status, headers, host, &mut steps),
        }
        self.explain(&mut steps);
        self.stage = Stage::Answering;
        if end {
            self.settle(host, &mut steps);
        }
        steps
    }

    /// What an answer that the proxy made up means. `None` leaves it as it is.
    fn own_error(&self, status: u16) -> Option<GatewayError> {
        let error = |code, message: &str| Some(GatewayError::new(code, message));
        let tried = self.attempts.len();
        match (status, self.stage) {
            (413, Stage::Reading) => error(ErrorCode::BodyTooLarge, "the body is over the proxy's limit for a request"),
            (_, Stage::Reading) => None,
            (408 | 504, _) => {
                error(ErrorCode::UpstreamTimeout, &format!("no provider answered in time, {tried} tried"))
            }
            _ => error(ErrorCode::UpstreamError, &format!("no provider could be reached, {tried} tried")),
        }
    }

    /// An error of a provider in no API family's shape: a page of whatever stands before its models. No client can read it.
    fn foreign_page(&self, status: u16, headers: &Headers) -> Option<GatewayError> {
        let content_type = headers.get("content-type").unwrap_or_default();
        let readable =
            content_type.windows(4).any(|part| part == b"json") || content_type.starts_with(b"text/event-stream");
        if status < 400 || readable || self.stage != Stage::Sent {
            return None;
        }
        let provider = self.attempts.last().map_or("the provider", |last| last.target.provider.name.as_str());
        // A limit stays a limit, for its `retry-after` still holds.
        let code = if status == 429 { ErrorCode::RateLimited } else { ErrorCode::UpstreamError };
        Some(GatewayError::new(code, format!("{provider} answered {status} with a page, not JSON")))
    }

    fn answer_instead(&mut self, error: &GatewayError, end: bool, steps: &mut Steps) {
        self.refusal = Some(error.code);
        self.answer.status = error.code.status();
        let body = encode_error(error);
        steps.set(":status", error.code.status().to_string());
        if !end {
            steps.set("content-type", "application/json");
            steps.set("content-length", body.len().to_string());
            self.answer.body = Body::Instead(body);
        }
    }

    fn read_answer(&mut self, status: u16, headers: &Headers, host: &dyn Host, steps: &mut Steps) {
        for name in WITHHELD {
            if headers.get(name).is_some() {
                steps.remove(name);
            }
        }
        if !(200..300).contains(&status) {
            return;
        }
        let content_type = headers.get("content-type").unwrap_or_default();
        if content_type.starts_with(b"text/event-stream") {
            self.answer.body = Body::Stream(Box::new(Stream::new(self.answer.hides_usage)));
            if self.answer.hides_usage && headers.get("content-length").is_some() {
                steps.remove("content-length");
            }
        } else {
            self.answer.first_byte = Some(host.now());
            self.answer.body = Body::Json(Box::default());
        }
    }

    /// The `x-weir-*` headers of the answer.
    fn explain(&self, steps: &mut Steps) {
        if self.gateway.rules.explain == Explain::Off {
            return;
        }
        steps.set("x-weir-decision", self.id.clone());
        let Some(decision) = &self.decision else { return };
        if !decision.route.is_empty() {
            steps.set("x-weir-route", decision.route.clone());
        }
        if let Some(last) = self.attempts.last() {
            steps.set("x-weir-model", last.target.model.clone());
            steps.set("x-weir-provider", last.target.provider.name.clone());
        }
        steps.set("x-weir-attempts", self.attempts.len().to_string());
    }

    /// A piece of the answer's body; `end` says that it is the last.
    pub fn response_body(&mut self, chunk: &[u8], end: bool, host: &dyn Host) -> Steps {
        let mut steps = Steps::default();
        if self.stage != Stage::Answering {
            return steps;
        }
        match &mut self.answer.body {
            Body::Opaque => {}
            Body::Json(scan) => scan.push(chunk),
            Body::Instead(body) => {
                // All of it with the first piece: trailers may follow the last, and nothing can be added there.
                steps.push(Step::ReplaceBody(std::mem::take(body)));
            }
            Body::Stream(stream) => {
                let emitted = stream.push(chunk);
                if self.answer.first_byte.is_none() && stream.started() {
                    self.answer.first_byte = Some(host.now());
                }
                let tail = if end { stream.finish() } else { Vec::new() };
                match emitted {
                    Emit::AsIs if tail.is_empty() => {}
                    Emit::AsIs => steps.push(Step::ReplaceBody([chunk, &tail].concat())),
                    Emit::Replace(mut bytes) => {
                        bytes.extend_from_slice(&tail);
                        steps.push(Step::ReplaceBody(bytes));
                    }
                }
            }
        }
        if end {
            self.settle(host, &mut steps);
        }
        steps
    }

    /// Whether the answer's bytes are looked at; a shell need not fetch them otherwise.
    pub fn reads_answer(&self) -> bool {
        matches!(self.answer.body, Body::Json(_) | Body::Stream(_))
    }

    /// The answer ended without a last piece of body: trailers followed.
    pub fn response_end(&mut self, host: &dyn Host) -> Steps {
        let mut steps = Steps::default();
        if self.stage == Stage::Answering {
            self.settle(host, &mut steps);
        }
        steps
    }
}
