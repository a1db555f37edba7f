//! What is known of one exchange: plain data that the files beside this one change, each in its own part of the request's
//! life. No behaviour.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::chat::capability::Capabilities;
use crate::codec::openai::stream::Stream;
use crate::codec::openai::usage::BodyScan;
use crate::error::ErrorCode;
use crate::gateway::compile::Gateway;
use crate::gateway::endpoint::Call;
use crate::host::Timestamp;
use crate::http::Headers;
use crate::policy::access::Principal;
use crate::policy::decide::Decision;
use crate::policy::rules::Target;

/// One request and its answer.
pub struct Exchange {
    pub(crate) gateway: Rc<Gateway>,
    /// The decision's id: 16 hex digits, random. Clients see it.
    pub(crate) id: String,
    /// The name by which an attempt finds the exchange: random, and never shown to a client, who could otherwise send a
    /// request of its own along with it.
    pub(crate) token: String,
    pub(crate) started: Timestamp,
    pub(crate) call: Call,
    pub(crate) stage: Stage,
    pub(crate) principal: Rc<Principal>,
    pub(crate) headers: Headers,
    pub(crate) request: Request,
    pub(crate) dice: u64,
    pub(crate) decision: Option<Decision>,
    pub(crate) plan: VecDeque<Try>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) upstream: Upstream,
    pub(crate) answer: Answer,
    pub(crate) refusal: Option<ErrorCode>,
}

/// Where in its life an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Headers are here, the body is not.
    Reading,
    /// On its way to a provider.
    Sent,
    /// Weir has answered; nothing went out.
    Refused,
    /// The answer is coming back.
    Answering,
    /// Accounted for.
    Settled,
}

/// What is kept of the client's request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The model that the client named; `None` until the body was understood.
    pub model: Option<String>,
    pub stream: bool,
    pub asked_usage: bool,
    /// Input tokens, by estimate.
    pub input_tokens: u64,
    /// The output limit asked for, in tokens.
    pub max_output: Option<u64>,
    /// Answers asked for.
    pub choices: u64,
    /// What a model must be able to do.
    pub needs: Capabilities,
}

/// The request as the proxy holds it now: the header list is one for all attempts, so each must know what the last left.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    /// The model that the body names.
    pub body_model: String,
    /// The length of the body as the proxy would replay it.
    pub body_length: usize,
    /// The value of `content-length`.
    pub header_length: Option<usize>,
    /// Names of the headers that the last attempt set.
    pub owned: Vec<String>,
    /// The content length that the client announced, if it did.
    pub had_length: bool,
}

/// A target to be tried, with the key of its provider's pool.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub target: Rc<Target>,
    pub key: Option<usize>,
}

/// A target that was tried.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub target: Rc<Target>,
    pub key: Option<usize>,
    /// What it answered with; `None` when it did not.
    pub status: Option<u16>,
    /// Whether that answer is the provider's own rather than one the proxy made up.
    pub from_provider: bool,
}

/// The answer as far as it has come.
#[derive(Default)]
pub(crate) struct Answer {
    /// The status the client gets; 0 while there is none.
    pub status: u16,
    /// When the first byte of its content came.
    pub first_byte: Option<Timestamp>,
    /// Whether Weir asked for a usage event that the client must not see.
    pub hides_usage: bool,
    pub body: Body,
}

/// How the answer's body is read.
#[derive(Default)]
pub(crate) enum Body {
    /// Not at all: an error of the provider, or nothing yet.
    #[default]
    Opaque,
    /// JSON, for its usage.
    Json(Box<BodyScan>),
    /// Server-sent events.
    Stream(Box<Stream>),
    /// It is thrown away and this is sent instead.
    Instead(Vec<u8>),
}
