//! What is known of one exchange: plain data that the files beside this one change, each in its own part of the request's
//! life. No behaviour.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::chat::capability::Capabilities;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::wire::Wire;
use crate::codec::adapt::undo::Undo;
use crate::error::ErrorCode;
use crate::gateway::body::Body;
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
    /// Whether vectors are wanted in base64.
    pub base64: bool,
    /// Whether the conversation holds thoughts that another vendor sealed: its own format has no place for them, and a
    /// provider would refuse the body as it is.
    pub foreign_seals: bool,
    /// Whether it holds items of OpenAI's responses that stand for other vendors' thoughts, which OpenAI never made.
    pub invented_items: bool,
}

/// The request as the proxy holds it now: the header list is one for all attempts, so each must know what the last left.
/// The body is the client's own, in the client's format, whatever an attempt makes of it.
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
    /// Names of the client's family headers that the last attempt took away.
    pub withheld: Vec<&'static str>,
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
    /// The format that it was spoken to in.
    pub wire: Wire,
    /// Whether it was asked for a stream.
    pub stream: bool,
    /// What translation lost.
    pub lost: Features,
    /// How the answer is put back.
    pub undo: Undo,
    /// What it answered with; `None` when it did not.
    pub status: Option<u16>,
    /// Whether that answer is the provider's own rather than one the proxy made up.
    pub from_provider: bool,
    /// Whether its answer is held until the first event of the stream has come.
    pub peeks: bool,
    /// The error that the stream began with.
    pub failure: Option<Failure<'static>>,
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
    /// The headers of an answer that is held until it is whole.
    pub headers: Headers,
    pub body: Body,
}
