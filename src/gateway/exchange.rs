//! One request's life, from its headers to the decision: `Exchange` is told what arrived and answers with `Steps`.
//!
//! What is known of it is in `state`; the rest of its life in `attempt` (one try at one target), `answer` (what comes
//! back) and `settle` (the books).
//! It makes no host calls but clock, dice, shared data, metrics and log, so it runs the same in a proxy and in a test.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use crate::chat::head::{Head, UsageRequest};
use crate::chat::wire::Wire;
use crate::codec::openai::splice::splice;
use crate::codec::token::estimate_request;
use crate::error::{ErrorCode, GatewayError};
use crate::gateway::compile::Gateway;
use crate::gateway::credential::{is_withheld, principal};
use crate::gateway::endpoint::{Asked, Endpoint, asked};
use crate::gateway::models;
use crate::gateway::read::{Read, read, wire_at};
use crate::gateway::refusal::reply_to;
pub use crate::gateway::state::Exchange;
use crate::gateway::state::{Answer, Request, Stage, Upstream};
use crate::gateway::step::{Dispatch, Reply, Step, Steps};
use crate::host::Host;
use crate::http::Headers;
use crate::policy::decide::{Draw, decide};
use crate::policy::facts::{Facts, Lossless};
use crate::policy::resolve::MAX_NAME;

/// What becomes of a request, judged by its headers.
pub enum Opening {
    /// Not ours: do this, let it through and forget it.
    Foreign(Steps),
    /// Answered at once, without an exchange.
    Answered(Reply),
    /// Ours: an exchange, and what to do now.
    Ours(Box<Exchange>, Steps),
}

impl Exchange {
    /// Opens an exchange from request headers. `end` says that no body follows.
    pub fn open(gateway: &Rc<Gateway>, headers: Headers, end: bool, host: &dyn Host) -> Opening {
        let method = headers.text(":method").unwrap_or("");
        // Only a tunnel has no path. A list without one was lost on its way here, and what it asks for is not known.
        let Some(raw) = headers.get(":path").or((method == "CONNECT").then_some(b"")) else {
            return Opening::Answered(unavailable());
        };
        let path = &*String::from_utf8_lossy(raw);
        let asked = match asked(method, path) {
            Asked::Call(call) if path.as_bytes() != raw => Asked::Unserved(call.wire),
            asked => asked,
        };
        let call = match asked {
            Asked::Foreign => return Opening::Foreign(without_control(&headers)),
            Asked::Probe => return Opening::Answered(Reply { status: 200, headers: Vec::new(), body: Vec::new() }),
            Asked::Models(wire) => return Opening::Answered(models::answer(gateway, &headers, wire, host)),
            Asked::Unserved(wire) => {
                let place = path.split('?').next().unwrap_or("");
                let shown: String = place.chars().filter(|c| !c.is_control()).take(128).collect();
                let error =
                    GatewayError::new(ErrorCode::UnknownEndpoint, format!("{method} {shown} is not served here"));
                return Opening::Answered(reply_to(&error, wire, None));
            }
            Asked::Call(call) => call,
        };
        let mut exchange = Box::new(Self {
            gateway: Rc::clone(gateway),
            id: format!("{:016x}", host.random()),
            token: format!("{:016x}", host.random()),
            started: host.now(),
            call,
            stage: Stage::Reading,
            principal: Rc::default(),
            headers,
            request: Request::default(),
            dice: 0,
            decision: None,
            plan: VecDeque::new(),
            attempts: Vec::new(),
            upstream: Upstream::default(),
            answer: Answer::default(),
            refusal: None,
        });
        let steps = match exchange.admit(end) {
            Ok(()) => Steps::wait(),
            Err(error) => exchange.refuse(&error),
        };
        Opening::Ours(exchange, steps)
    }

    fn admit(&mut self, end: bool) -> Result<(), GatewayError> {
        self.principal = principal(&self.gateway, &self.headers, self.started)?;
        if end {
            return Err(GatewayError::new(ErrorCode::InvalidRequest, "the request has no body; send a JSON object"));
        }
        Ok(())
    }

    /// The whole request body is here: decide, and say how the request leaves. Asked again, it stays held.
    pub fn request_body(&mut self, body: &[u8], host: &dyn Host) -> Steps {
        if self.stage != Stage::Reading {
            return Steps::wait();
        }
        match self.decide(body, host) {
            Ok(steps) => steps,
            Err(error) => self.refuse(&error),
        }
    }

    fn decide(&mut self, body: &[u8], host: &dyn Host) -> Result<Steps, GatewayError> {
        let call = self.call.clone();
        let read = read(&call, body)?;
        self.request = self.request_of(&read)?;
        self.dice = host.random();
        let draw = Draw { now: self.started, dice: self.dice };
        let facts = Facts { losses: &read, ..self.facts() };
        let decision = decide(&self.gateway.rules, &facts, &self.principal, draw)?;
        let refusal = decision.refusal(self.request.model.as_deref().unwrap_or(""));
        if refusal.is_none() {
            self.plan = self.plan_of(&decision, host);
        }
        // Kept even when it refuses: the books then name the route.
        self.decision = Some(decision);
        match refusal {
            // What no decoder can read is the client's fault and nobody's rule.
            Some(error) => Err(read.malformed().unwrap_or(error)),
            None if self.headers.get("x-weir-dry-run") == Some(b"1") => {
                let body = self.explained().to_string().into_bytes();
                Ok(self.answer_itself(200, body))
            }
            None if self.counts_itself() => {
                let body = models::token_count(self.call.wire, self.request.input_tokens);
                Ok(self.answer_itself(200, body))
            }
            None => self.send(body, &read.head),
        }
    }

    /// What is kept of a request.
    fn request_of(&self, read: &Read<'_>) -> Result<Request, GatewayError> {
        let head = &read.head;
        let Some(model) = head.model.clone() else {
            return Err(GatewayError::new(ErrorCode::InvalidRequest, "`model` is missing").at("model"));
        };
        // A name that no policy can hold is not worth a place in the books either.
        if model.len() > MAX_NAME {
            let message = format!("the name of a model has at most {MAX_NAME} bytes, this one has {}", model.len());
            return Err(GatewayError::new(ErrorCode::UnknownModel, message).at("model"));
        }
        Ok(Request {
            model: Some(model),
            stream: head.stream,
            asked_usage: head.usage_request == UsageRequest::Asked,
            input_tokens: estimate_request(head),
            max_output: head.max_output,
            choices: u64::from(head.choices),
            needs: head.needs,
            base64: read.wants_base64(),
            foreign_seals: read.has_foreign_seals(),
            invented_items: read.has_invented_items(),
        })
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            api: self.call.api(),
            wire: self.call.wire,
            model: self.request.model.as_deref().unwrap_or(""),
            stream: self.request.stream,
            input_tokens: self.request.input_tokens,
            max_output: self.request.max_output,
            choices: self.request.choices,
            needs: self.request.needs,
            headers: &self.headers,
            losses: &Lossless,
        }
    }

    /// Whether tokens are asked to be counted for a target that cannot be asked in the client's format.
    fn counts_itself(&self) -> bool {
        if self.call.endpoint != Endpoint::CountTokens {
            return false;
        }
        let first = self.plan.front().and_then(|first| wire_at(&self.call, &first.target));
        // A conversation that would have to be written anew is near enough to be counted here.
        first != Some(self.call.wire) || self.request.foreign_seals
    }

    /// The client's body, with the first target's model where that target speaks the client's format, and without the
    /// headers that no provider may see, on to the first cluster.
    fn send(&mut self, body: &[u8], head: &Head) -> Result<Steps, GatewayError> {
        let (Some(first), Some(decision)) = (self.plan.front(), &self.decision) else {
            return Err(GatewayError::new(ErrorCode::NoEligibleTarget, "no target is left to try"));
        };
        let mut steps = Steps::default();
        let mut withheld: HashSet<&str> = HashSet::new();
        for (name, _) in self.headers.iter() {
            let Ok(name) = std::str::from_utf8(name) else { continue };
            let overruled = self.plan.iter().any(|one| one.target.provider.headers.iter().any(|(set, _)| set == name));
            if (overruled || is_withheld(name)) && withheld.insert(name) {
                steps.remove(name.to_owned());
            }
        }

        let chat = self.call.wire == Wire::Chat && self.call.endpoint == Endpoint::Conversation;
        let ask_usage = chat && head.stream && !self.request.asked_usage;
        let own = wire_at(&self.call, &first.target) == Some(self.call.wire);
        let model = Some(first.target.model.as_str()).filter(|_| own && self.call.path.is_none());
        let spliced = splice(body, head, model, ask_usage);
        self.answer.hides_usage = ask_usage;
        let named = model.map(str::to_owned).or_else(|| self.request.model.clone());
        self.upstream = Upstream {
            body_model: named.unwrap_or_default(),
            body_length: spliced.as_ref().map_or(body.len(), Vec::len),
            had_length: self.headers.get("content-length").is_some(),
            ..Upstream::default()
        };
        self.upstream.header_length = self.upstream.had_length.then_some(self.upstream.body_length);
        if let Some(spliced) = spliced {
            if self.upstream.had_length {
                steps.set("content-length", spliced.len().to_string());
            }
            steps.push(Step::ReplaceBody(spliced));
        }

        steps.push(Step::Publish("weir.decision", self.id.clone()));
        let attempts = self.possible_attempts(decision);
        let cluster = first.target.provider.cluster.clone();
        let exchange = self.token.clone();
        steps.push(Step::Dispatch(Dispatch { exchange, cluster, fallback: Rc::clone(&decision.fallback), attempts }));
        self.stage = Stage::Sent;
        Ok(steps)
    }

    /// Answers the client with an error; nothing goes out.
    pub(crate) fn refuse(&mut self, error: &GatewayError) -> Steps {
        self.refusal = Some(error.code);
        self.answer.status = error.code.status();
        self.stage = Stage::Refused;
        Steps::reply(reply_to(error, self.call.wire, Some(&self.id)))
    }

    /// The proxy cannot do what was decided, or cannot show the request: nothing goes out, and the client is told.
    pub fn lose(&mut self) -> Steps {
        match self.stage {
            Stage::Reading | Stage::Sent => self.refuse(&lost()),
            Stage::Refused | Stage::Answering | Stage::Settled => Steps::wait(),
        }
    }

    fn answer_itself(&mut self, status: u16, body: Vec<u8>) -> Steps {
        self.answer.status = status;
        self.stage = Stage::Refused;
        let headers = vec![("content-type", "application/json".to_owned()), ("x-weir-decision", self.id.clone())];
        Steps::reply(Reply { status, headers, body })
    }

    /// The name by which an attempt finds the exchange.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The decision's id, as in `x-weir-decision`.
    pub fn id(&self) -> &str {
        &self.id
    }
}

fn lost() -> GatewayError {
    GatewayError::new(ErrorCode::PolicyUnavailable, "the gateway lost the state of this request; send it again")
}

/// The answer when the gateway's own state is not there: nothing goes out unruled.
pub fn unavailable() -> Reply {
    reply_to(&lost(), Wire::Chat, None)
}

/// Takes Weir's control headers off a request that Weir does not rule on: behind this filter stand others that obey them.
fn without_control(headers: &Headers) -> Steps {
    let mut steps = Steps::default();
    for (name, _) in headers.iter() {
        if let Ok(name) = std::str::from_utf8(name)
            && name.starts_with("x-weir-")
        {
            steps.remove(name.to_owned());
        }
    }
    steps
}
