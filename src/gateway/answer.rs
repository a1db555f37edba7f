//! What comes back: the headers and the body of the answer, on their way to the client and in the client's format.

use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::wire::Wire;
use crate::codec::gemini::failure::retry_delay;
use crate::codec::limits::{self, Edit};
use crate::codec::meter::Meter;
use crate::codec::openai::stream::{Emit, Stream};
use crate::codec::openai::usage::BodyScan;
use crate::codec::registry;
use crate::codec::translate::{StreamTranslation, Translated, answer, answer_as_stream, unreadable};
use crate::codec::wire::{BadAnswer, Frame};
use crate::config::policy::Explain;
use crate::error::{ErrorCode, GatewayError};
use crate::gateway::attempt::is_event_stream;
use crate::gateway::body::{Body, Held, Watch};
use crate::gateway::endpoint::Endpoint;
use crate::gateway::read::is_rewritten;
use crate::gateway::refusal;
use crate::gateway::state::{Attempt, Exchange, Stage};
use crate::gateway::step::{Flow, Step, Steps};
use crate::host::Host;
use crate::http::Headers;

/// Headers of a provider that name its customer; clients have no business with them.
const WITHHELD: [&str; 4] = ["openai-organization", "openai-project", "anthropic-organization-id", "set-cookie"];

/// How much of the answer's body the shell is to hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// None of it.
    Nothing,
    /// Each piece.
    Pieces,
    /// All of it, once it is complete.
    Whole,
}

impl Exchange {
    /// The headers of the answer are here. `from_proxy` says that the proxy made the answer up itself; `end` that no
    /// body follows. `Flow::Wait` holds them until the body is complete.
    pub fn response_headers(&mut self, headers: &Headers, from_proxy: bool, end: bool, host: &dyn Host) -> Steps {
        let mut steps = Steps::default();
        if !matches!(self.stage, Stage::Reading | Stage::Sent) {
            return steps;
        }
        let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.answer.status = status;
        let last = self.attempts.last_mut();
        let failure = last.and_then(|last| last.failure.take());
        let made_up =
            from_proxy || self.attempts.last().is_some_and(|last| last.status.is_some() && !last.from_provider);
        let error = match (&failure, made_up) {
            (Some(_), _) => None,
            (None, true) => self.own_error(status),
            (None, false) => self.foreign_page(status, headers),
        };
        match (error, failure) {
            (Some(error), _) => {
                self.refusal = Some(error.code);
                let answer = refusal::encoded(&error, self.call.wire);
                self.answer_instead(answer, end, &mut steps);
            }
            (None, Some(failure)) => {
                let answer = self.encoded_failure(&failure);
                self.answer_instead(answer, end, &mut steps);
            }
            (None, None) => self.read_answer(status, headers, end, host, &mut steps),
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
        let readable = content_type.windows(4).any(|part| part == b"json") || is_event_stream(content_type);
        if status < 400 || readable || self.stage != Stage::Sent {
            return None;
        }
        let provider = self.attempts.last().map_or("the provider", |last| last.target.provider.name.as_str());
        // A limit stays a limit, for its `retry-after` still holds.
        let code = if status == 429 { ErrorCode::RateLimited } else { ErrorCode::UpstreamError };
        Some(GatewayError::new(code, format!("{provider} answered {status} with a page, not JSON")))
    }

    /// A provider's error in the client's format.
    fn encoded_failure(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        refusal::encoded_failure(failure, self.call.wire)
    }

    fn answer_instead(&mut self, (status, body): (u16, Vec<u8>), end: bool, steps: &mut Steps) {
        self.answer.status = status;
        steps.set(":status", status.to_string());
        if !end {
            steps.set("content-type", "application/json");
            steps.set("content-length", body.len().to_string());
            self.answer.body = Body::Instead(body);
        }
    }

    fn read_answer(&mut self, status: u16, headers: &Headers, end: bool, host: &dyn Host, steps: &mut Steps) {
        for name in WITHHELD {
            if headers.get(name).is_some() {
                steps.remove(name);
            }
        }
        let Some(wire) = self.attempts.last().map(|last| last.wire) else { return };
        if is_rewritten(&self.call, wire, false) {
            return self.read_other_format(wire, status, headers, end, host, steps);
        }
        let counts = self.call.endpoint == Endpoint::CountTokens;
        if !(200..300).contains(&status) || counts {
            return;
        }
        let events = is_event_stream(headers.get("content-type").unwrap_or_default());
        self.answer.body = match (wire, events) {
            (Wire::Chat | Wire::Responses, true) => Body::Stream(Box::new(Stream::new(self.answer.hides_usage))),
            (Wire::Chat | Wire::Responses, false) => Body::Json(Box::default()),
            // Gemini's other form of a stream is a JSON array.
            (_, events) if events || self.request.stream => {
                Body::Watched(Box::new(Watch::new(registry::provider(wire).decode_stream())))
            }
            _ => Body::Json(Box::new(BodyScan::of(registry::provider(wire)))),
        };
        if !self.answer.body.is_stream() {
            self.answer.first_byte = Some(host.now());
        } else if self.answer.hides_usage && headers.get("content-length").is_some() {
            steps.remove("content-length");
        }
    }

    /// An answer of another format than the client's.
    fn read_other_format(
        &mut self,
        wire: Wire,
        status: u16,
        headers: &Headers,
        end: bool,
        host: &dyn Host,
        steps: &mut Steps,
    ) {
        for edit in limits::translate(headers, wire, self.call.wire, host.now().secs()) {
            match edit {
                Edit::Set(name, value) => steps.set(name, value),
                Edit::Remove(name) => steps.remove(name),
            }
        }
        let ok = (200..300).contains(&status);
        if ok && is_event_stream(headers.get("content-type").unwrap_or_default()) {
            return self.begin_translation(wire, headers, steps);
        }
        if end {
            // Not even an error came with it.
            let failure = registry::provider(wire).decode_failure(if ok { 502 } else { status }, headers, b"");
            let answer = self.encoded_failure(&failure);
            return self.answer_instead(answer, end, steps);
        }
        self.answer.body = Body::Whole(if ok { Held::Answer } else { Held::Error(status) });
        self.answer.headers = headers.clone();
        steps.flow = Flow::Wait;
    }

    fn begin_translation(&mut self, wire: Wire, headers: &Headers, steps: &mut Steps) {
        let (Some(client), Some(last)) = (registry::client(self.call.wire), self.attempts.last_mut()) else { return };
        let undo = std::mem::take(&mut last.undo);
        let frame = self.frame();
        let translation = StreamTranslation::new(registry::provider(wire), (client, self.call.wire), undo, &frame);
        self.answer.body = Body::Translated(Box::new(translation));
        steps.set("content-type", self.stream_type());
        if headers.get("content-length").is_some() {
            steps.remove("content-length");
        }
    }

    /// The media type of a stream to the client.
    fn stream_type(&self) -> &'static str {
        if self.frame_is_sse() { "text/event-stream" } else { "application/json" }
    }

    fn frame_is_sse(&self) -> bool {
        self.call.path.as_ref().is_none_or(|path| path.sse)
    }

    /// What an encoder of the client's format needs besides the answer.
    fn frame(&self) -> Frame {
        Frame {
            id: self.id.clone(),
            model: self.attempts.last().map(|last| last.target.model.clone()).unwrap_or_default(),
            created: self.started.secs(),
            input_tokens: self.request.input_tokens,
            include_usage: self.request.asked_usage,
            sse: self.frame_is_sse(),
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
        let lost = self.lost();
        if !lost.is_empty() {
            steps.set("x-weir-lost", lost.to_string());
        }
    }

    /// What translation lost on the way to who answered.
    pub(crate) fn lost(&self) -> Features {
        self.attempts.last().map_or(Features::NONE, |last| last.lost)
    }

    /// A piece of the answer's body; `end` says that it is the last. Where the answer is read whole, the last piece is all
    /// of it, and `Flow::Wait` holds every other.
    pub fn response_body(&mut self, chunk: &[u8], end: bool, host: &dyn Host) -> Steps {
        let mut steps = Steps::default();
        if self.stage != Stage::Answering {
            return steps;
        }
        match &mut self.answer.body {
            Body::Opaque | Body::Passed(_) => {}
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
            Body::Watched(watch) => {
                watch.push(chunk);
                if end {
                    watch.finish();
                }
                if self.answer.first_byte.is_none() && watch.started() {
                    self.answer.first_byte = Some(host.now());
                }
            }
            Body::Translated(translation) => {
                let mut out = translation.push(chunk);
                if end {
                    out.extend_from_slice(&translation.finish());
                }
                if self.answer.first_byte.is_none() && translation.meter().started {
                    self.answer.first_byte = Some(host.now());
                }
                steps.push(Step::ReplaceBody(out));
            }
            Body::Whole(_) if !end => return Steps::wait(),
            Body::Whole(held) => {
                let held = *held;
                self.complete(held, chunk, host, &mut steps);
            }
        }
        if end {
            self.settle(host, &mut steps);
        }
        steps
    }

    /// The whole answer of another format is here, and its headers are still held.
    fn complete(&mut self, held: Held, body: &[u8], host: &dyn Host, steps: &mut Steps) {
        self.answer.first_byte = Some(host.now());
        let translated = match held {
            Held::Error(status) => {
                let headers = std::mem::take(&mut self.answer.headers);
                let wire = self.attempts.last().map_or(self.call.wire, |last| last.wire);
                // Google says in the body what everybody else says in a header.
                if let (Wire::Gemini, None) = (wire, headers.get("retry-after"))
                    && let Some(millis) = retry_delay(body)
                {
                    steps.set("retry-after", millis.div_ceil(1_000).to_string());
                }
                Err(registry::provider(wire).decode_failure(status, &headers, body).into_owned())
            }
            Held::Answer => self.translated(body),
        };
        let (status, content_type, body) = match translated {
            Ok(Translated { body, meter }) => {
                self.answer.body = Body::Passed(meter);
                let streams = self.request.stream && self.call.endpoint == Endpoint::Conversation;
                (None, if streams { self.stream_type() } else { "application/json" }, body)
            }
            Err(failure) => {
                let (status, body) = self.encoded_failure(&failure);
                self.answer.body = Body::Opaque;
                (Some(status), "application/json", body)
            }
        };
        if let Some(status) = status {
            self.answer.status = status;
            steps.set(":status", status.to_string());
        }
        steps.set("content-type", content_type);
        steps.set("content-length", body.len().to_string());
        steps.push(Step::ReplaceBody(body));
    }

    fn translated(&mut self, body: &[u8]) -> Result<Translated, Failure<'static>> {
        let frame = self.frame();
        let (Some(client), Some(last)) = (registry::client(self.call.wire), self.attempts.last()) else {
            return Err(unreadable(None));
        };
        if self.call.endpoint == Endpoint::Embeddings {
            return self.translated_vectors(last, body, &frame);
        }
        let (provider, client) = (registry::provider(last.wire), (client, self.call.wire));
        if self.request.stream {
            return answer_as_stream(provider, client, &last.undo, body, &frame);
        }
        answer(provider, client, &last.undo, body, &frame)
    }

    fn translated_vectors(&self, last: &Attempt, body: &[u8], frame: &Frame) -> Result<Translated, Failure<'static>> {
        let provider = registry::embedding_provider(last.wire).ok_or_else(|| unreadable(None))?;
        let client = registry::embedding_client(self.call.wire).ok_or_else(|| unreadable(None))?;
        let vectors = provider.decode_answer(body).map_err(|bad| match bad {
            BadAnswer::Failure(failure) => failure.into_owned(),
            BadAnswer::Malformed(malformed) => unreadable(Some(malformed)),
        })?;
        let meter = Meter { usage: vectors.usage, started: true, finished: true, done: true, ..Meter::default() };
        Ok(Translated { body: client.encode_answer(&vectors, frame, self.request.base64), meter })
    }

    /// The proxy gave the answer up while it was held, for being over its limit, and answered with this status itself.
    pub fn gave_up(&mut self, status: u16) {
        if status >= 400 && matches!(self.answer.body, Body::Whole(_)) {
            self.answer.status = status;
            self.refusal = Some(ErrorCode::UpstreamError);
        }
    }

    /// How much of the answer's body is looked at; a shell need not fetch the rest.
    pub fn reading(&self) -> Reading {
        match self.answer.body {
            Body::Opaque | Body::Instead(_) | Body::Passed(_) => Reading::Nothing,
            Body::Json(_) | Body::Stream(_) | Body::Watched(_) | Body::Translated(_) => Reading::Pieces,
            Body::Whole(_) => Reading::Whole,
        }
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
