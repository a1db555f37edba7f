//! One try at one target: path, authority, credentials, body. Every attempt sets or removes every header that any
//! attempt may own, because the proxy keeps one header list for all of them; and every attempt makes its own body of the
//! client's, which the proxy holds.

use std::rc::Rc;

use crate::chat::family::ApiFamily;
use crate::chat::feature::Features;
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::adapt::undo::Undo;
use crate::codec::bedrock::sigv4::{SignRequest, sign};
use crate::codec::openai::quirk;
use crate::codec::peek::{First, first};
use crate::codec::registry;
use crate::codec::responses::invented::without_invented;
use crate::codec::rewrite::{count_for_vertex, for_vertex, rename_model};
use crate::codec::translate::encode;
use crate::codec::wire::Impossible;
use crate::codec::writer::Writer;
use crate::error::{ErrorCode, GatewayError};
use crate::gateway::address::{ANTHROPIC_VERSION, FAMILY_HEADERS, keeps_family_header, key_header, path};
use crate::gateway::endpoint::Endpoint;
use crate::gateway::read::{is_rewritten, wire_at};
use crate::gateway::state::{Attempt, Exchange, Stage, Try};
use crate::gateway::step::{Flow, Step, Steps};
use crate::host::Host;
use crate::http::Headers;
use crate::policy::rules::Target;

/// The most of a stream that is held until its first event is complete, in bytes.
const MOST_HELD: usize = 64 * 1024;

/// The request that was decided on is not the one that the proxy holds.
fn another_body() -> GatewayError {
    GatewayError::new(ErrorCode::PolicyUnavailable, "the proxy replays another body than was sent")
}

impl Exchange {
    /// Begins the next attempt, made by the filter of `provider`'s cluster, or by one that serves every provider.
    /// `Flow::Wait` in the answer asks for the request body, to be handed to `attempt_body`.
    ///
    /// # Errors
    /// `policy_unavailable` when the request is not under way, or the plan holds no target of that provider: the request must
    /// not go there.
    pub fn begin_attempt(&mut self, provider: Option<&str>) -> Result<Steps, GatewayError> {
        if self.stage != Stage::Sent {
            let message = "the request is not under way";
            return Err(GatewayError::new(ErrorCode::PolicyUnavailable, message));
        }
        let wanted = |one: &Try| provider.is_none_or(|name| one.target.provider.name == name);
        let next = self.plan.iter().position(wanted).and_then(|index| self.plan.remove(index));
        let next = next.and_then(|next| Some((wire_at(&self.call, &next.target)?, next)));
        let Some((wire, next)) = next else {
            let message = "the proxy chose a cluster that the decision does not hold";
            return Err(GatewayError::new(ErrorCode::PolicyUnavailable, message));
        };
        if provider.is_none() {
            // The internal listener gets the headers anew each time, as the listener left them.
            self.upstream.header_length = self.upstream.had_length.then_some(self.upstream.body_length);
            self.upstream.owned.clear();
            self.upstream.withheld.clear();
        }
        // What cannot stream is asked for the whole, and its answer streamed to the client.
        let whole = wire != self.call.wire && next.target.traits.has(Trait::NoStreaming);
        let stream = self.request.stream && !whole;
        let mut steps = Steps::default();
        self.set_headers(&next, wire, stream, &mut steps);
        if self.changes_body(&next.target, wire) {
            steps.flow = Flow::Wait;
        } else {
            self.set_length(self.upstream.body_length, &mut steps);
        }
        let Try { target, key } = next;
        self.attempts.push(Attempt {
            target,
            key,
            wire,
            stream,
            lost: Features::NONE,
            undo: Undo::default(),
            status: None,
            from_provider: false,
            peeks: false,
            failure: None,
        });
        Ok(steps)
    }

    /// The cluster of the attempt that is under way.
    pub fn attempt_cluster(&self) -> Option<&str> {
        self.attempts.last().map(|attempt| attempt.target.provider.cluster.as_str())
    }

    fn rewrites(&self, wire: Wire) -> bool {
        is_rewritten(&self.call, wire, self.request.foreign_seals)
    }

    /// Whether a target wants another body than the proxy holds, or must see it to sign it.
    fn changes_body(&self, target: &Target, wire: Wire) -> bool {
        if self.rewrites(wire) || target.provider.aws.is_some() {
            return true;
        }
        match wire {
            Wire::Gemini => false,
            Wire::Messages if target.provider.api == ApiFamily::Vertex => true,
            Wire::Chat if self.call.endpoint == Endpoint::Conversation && quirk::applies(&target.shape()) => true,
            Wire::Responses if self.request.invented_items => true,
            Wire::Chat | Wire::Responses | Wire::Messages | Wire::Converse | Wire::Cohere => {
                target.model != self.upstream.body_model
            }
        }
    }

    fn set_headers(&mut self, one: &Try, wire: Wire, stream: bool, steps: &mut Steps) {
        let provider = &one.target.provider;
        steps.set(":path", path(&self.call, &one.target, wire, stream));
        steps.set(":authority", provider.authority.clone());
        let mut owned: Vec<String> = Vec::with_capacity(2 + provider.headers.len());
        if let Some(key) = one.key.and_then(|key| provider.keys.get(key)) {
            let (name, scheme) = key_header(provider.api);
            steps.set(name, format!("{scheme}{}", key.reveal()));
            owned.push(name.to_owned());
        }
        let versioned = wire == Wire::Messages && provider.api == ApiFamily::Anthropic;
        if versioned && (self.call.wire != Wire::Messages || self.headers.get("anthropic-version").is_none()) {
            steps.set("anthropic-version", ANTHROPIC_VERSION);
            owned.push("anthropic-version".to_owned());
        }
        for (name, value) in &provider.headers {
            steps.set(name.clone(), value.reveal());
            owned.push(name.clone());
        }
        if provider.aws.is_some() {
            // Set when the body is there to be signed; named here so that they go when another target's turn comes.
            owned.extend(["authorization", "x-amz-date", "x-amz-security-token"].map(str::to_owned));
        }
        let stale = std::mem::take(&mut self.upstream.owned);
        for name in stale.into_iter().filter(|name| !owned.contains(name)) {
            steps.remove(name);
        }
        self.upstream.owned = owned;
        self.set_family_headers(wire, provider.api, steps);
    }

    /// Headers of the client's family: taken away from a target of another, given back to one of its own.
    fn set_family_headers(&mut self, wire: Wire, api: ApiFamily, steps: &mut Steps) {
        for (name, family) in FAMILY_HEADERS {
            let Some(value) = self.headers.text(name) else { continue };
            let owned = self.upstream.owned.iter().any(|owned| owned == name);
            let keeps = keeps_family_header(family, wire) && api != ApiFamily::Vertex;
            let withheld = self.upstream.withheld.iter().position(|other| *other == name);
            match (keeps, withheld) {
                (false, None) => {
                    if !owned {
                        steps.remove(name);
                    }
                    self.upstream.withheld.push(name);
                }
                (true, Some(index)) => {
                    steps.set(name, value);
                    self.upstream.withheld.swap_remove(index);
                }
                (true, None) | (false, Some(_)) => {}
            }
        }
    }

    fn set_length(&mut self, length: usize, steps: &mut Steps) {
        if self.upstream.had_length && self.upstream.header_length != Some(length) {
            steps.set("content-length", length.to_string());
            self.upstream.header_length = Some(length);
        }
    }

    /// The replayed request body for the attempt that is under way: the client's bytes with this target's model, or all
    /// that they say in the target's own format.
    ///
    /// # Errors
    /// `policy_unavailable` when these are not the bytes that were decided on: those could be read.
    pub fn attempt_body(&mut self, body: &[u8], host: &dyn Host) -> Result<Steps, GatewayError> {
        let mut steps = Steps::default();
        let attempt = self.attempts.last().ok_or_else(another_body)?;
        let (target, wire) = (Rc::clone(&attempt.target), attempt.wire);
        let fitted = if self.rewrites(wire) {
            Some(self.other_format(body, &target, wire)?)
        } else {
            self.own_format(body, &target, wire)?
        };
        self.set_length(fitted.as_ref().map_or(body.len(), Vec::len), &mut steps);
        self.sign(fitted.as_deref().unwrap_or(body), host, &mut steps);
        if let Some(fitted) = fitted {
            steps.push(Step::ReplaceBody(fitted));
        }
        Ok(steps)
    }

    /// The same bytes but for what this target must have otherwise.
    fn own_format(&mut self, body: &[u8], target: &Target, wire: Wire) -> Result<Option<Vec<u8>>, GatewayError> {
        if wire == Wire::Gemini {
            return Ok(None);
        }
        if wire == Wire::Messages && target.provider.api == ApiFamily::Vertex {
            let counts = self.call.endpoint == Endpoint::CountTokens;
            let fitted = if counts { count_for_vertex(body, &target.model) } else { for_vertex(body) };
            return fitted.map(Some).map_err(|_| another_body());
        }
        let renamed = rename_model(body, &target.model).map_err(|_| another_body())?;
        if wire == Wire::Responses && self.request.invented_items {
            return Ok(without_invented(renamed.as_deref().unwrap_or(body)).or(renamed));
        }
        if wire != Wire::Chat || self.call.endpoint != Endpoint::Conversation || !quirk::applies(&target.shape()) {
            return Ok(renamed);
        }
        let edited = quirk::edits(renamed.as_deref().unwrap_or(body), &target.shape()).map_err(|_| another_body())?;
        self.note(edited.lost, Undo::default());
        Ok(edited.body.or(renamed))
    }

    /// What the body says, in the target's format.
    fn other_format(&mut self, body: &[u8], target: &Target, wire: Wire) -> Result<Vec<u8>, GatewayError> {
        let impossible = |_: Impossible| another_body();
        if self.call.endpoint == Endpoint::Embeddings {
            let client = registry::embedding_client(self.call.wire).ok_or_else(another_body)?;
            let provider = registry::embedding_provider(wire).ok_or_else(another_body)?;
            let request = client.decode_request(body).map_err(|_| another_body())?;
            let mut writer = Writer::with_capacity(body.len());
            let lost = provider.encode_request(&request, &target.shape(), &mut writer).map_err(impossible)?;
            self.note(lost, Undo::default());
            return Ok(writer.into_bytes());
        }
        let client = registry::client(self.call.wire).ok_or_else(another_body)?;
        let mut request = client.decode_request(body).map_err(|_| another_body())?;
        request.stream = self.attempts.last().is_some_and(|attempt| attempt.stream);
        let encoded = encode(&request, wire, &target.shape()).map_err(impossible)?;
        self.note(encoded.lost, encoded.undo);
        Ok(encoded.body)
    }

    fn note(&mut self, lost: Features, undo: Undo) {
        if let Some(attempt) = self.attempts.last_mut() {
            (attempt.lost, attempt.undo) = (lost, undo);
        }
    }

    /// Signs the request as AWS wants it, last of all: the signature covers path, host and body.
    fn sign(&self, body: &[u8], host: &dyn Host, steps: &mut Steps) {
        let Some(attempt) = self.attempts.last() else { return };
        let provider = &attempt.target.provider;
        let Some(aws) = &provider.aws else { return };
        let signed = sign(&SignRequest {
            method: "POST",
            path: &path(&self.call, &attempt.target, attempt.wire, attempt.stream),
            query: "",
            host: &provider.authority,
            content_type: "application/json",
            body,
            region: &aws.region,
            service: "bedrock",
            access_key: aws.access_key_id.reveal(),
            secret: aws.secret_access_key.reveal(),
            session_token: aws.session_token.as_ref().map(|token| token.reveal()),
            unix_time: host.now().secs(),
        });
        steps.set("content-type", "application/json");
        for (name, value) in signed {
            steps.set(name, value);
        }
    }

    /// Which attempt is under way, the first being 1; 0 before it.
    pub fn attempt_number(&self) -> usize {
        self.attempts.len()
    }

    /// Whether the attempt under way asks in another format than the client's.
    pub fn attempt_translates(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.wire != self.call.wire)
    }

    /// Whether the attempt under way may be answered by a stream, whose first event is worth waiting for.
    pub fn attempt_streams(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.stream) && self.call.endpoint == Endpoint::Conversation
    }

    /// The attempt of that number has answered; one that is no longer under way is not heard. `from_provider` tells the
    /// provider's word from the proxy's own. A key that met a limit rests, and the next attempt uses another key of the same pool if there is one.
    ///
    /// `Flow::Wait` in the answer asks for the body as far as it has come, to be handed to `attempt_piece`: an error may
    /// be the first thing that a stream says, and then another target can still answer.
    pub fn attempt_answered(
        &mut self,
        number: usize,
        status: u16,
        headers: &Headers,
        from_provider: bool,
        host: &dyn Host,
    ) -> Steps {
        let under_way = number == self.attempt_number();
        let streams = self.attempt_streams();
        let Some(attempt) = self.attempts.last_mut().filter(|_| under_way) else { return Steps::default() };
        (attempt.status, attempt.from_provider) = (Some(status), from_provider);
        if status == 429 {
            self.rest_key(headers, host);
            return self.next_cluster(host);
        }
        if status >= 400 {
            return self.next_cluster(host);
        }
        let content_type = headers.get("content-type").unwrap_or_default();
        attempt.peeks = streams && is_event_stream(content_type);
        if attempt.peeks { Steps::wait() } else { Steps::default() }
    }

    /// All that has come of the answer's body to the attempt of that number. Says whether headers and body are still to
    /// be held; an error in place of an answer becomes the status that it should have had.
    pub fn attempt_piece(&mut self, number: usize, so_far: &[u8], end: bool, host: &dyn Host) -> Steps {
        let under_way = number == self.attempt_number();
        let Some(attempt) = self.attempts.last_mut().filter(|attempt| under_way && attempt.peeks) else {
            return Steps::default();
        };
        match first(registry::provider(attempt.wire).decode_stream(), so_far) {
            First::Nothing if so_far.len() < MOST_HELD && !end => Steps::wait(),
            First::Nothing | First::Answer => {
                attempt.peeks = false;
                Steps::default()
            }
            First::Failure(failure) => {
                attempt.peeks = false;
                attempt.status = Some(failure.status);
                let status = failure.status;
                attempt.failure = Some(failure);
                if status == 429 {
                    self.rest_key(&Headers::default(), host);
                }
                let mut steps = self.next_cluster(host);
                steps.set(":status", status.to_string());
                steps
            }
        }
    }

    /// The attempt of that number is over. If it never answered, the next one goes elsewhere.
    pub fn attempt_lost(&mut self, number: usize, host: &dyn Host) -> Steps {
        let under_way = number == self.attempt_number();
        let Some(attempt) = self.attempts.last_mut().filter(|_| under_way) else { return Steps::default() };
        // Headers alone, which nobody saw, are no answer.
        if std::mem::take(&mut attempt.peeks) {
            attempt.status = None;
        }
        if attempt.status.is_none() { self.next_cluster(host) } else { Steps::default() }
    }
}

/// Whether a body is a stream of events, server-sent or AWS's.
pub(crate) fn is_event_stream(content_type: &[u8]) -> bool {
    content_type.starts_with(b"text/event-stream") || content_type.starts_with(b"application/vnd.amazon.eventstream")
}
