//! What every wire format can do, for whoever translates: the client's side of it and the provider's. Not who has which
//! (see `registry`).
//!
//! The form between is `chat::{request, answer, event, failure}`; a format knows that form and itself, never another.

use crate::chat::answer::Answer;
use crate::chat::capability::{Capabilities, Capability};
use crate::chat::embedding::{EmbeddingAnswer, EmbeddingRequest};
use crate::chat::event::Event;
use crate::chat::failure::Failure;
use crate::chat::family::ApiFamily;
use crate::chat::feature::{Feature, Features};
use crate::chat::request::Request;
use crate::chat::traits::{Trait, Traits};
use crate::chat::usage::Usage;
use crate::codec::json::Malformed;
use crate::codec::writer::Writer;
use crate::http::Headers;

/// A wire format that clients speak.
pub trait ClientWire: Sync {
    /// Reads a request.
    ///
    /// Members that it does not know go to `Request::foreign` as `Feature::Unknown`. A shape that the format does not
    /// allow is refused with its place; an unknown `type` of a part, tool or item is kept as foreign.
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<Request<'a>, Malformed>;

    /// Writes a whole answer.
    fn encode_answer(&self, answer: &Answer<'_>, frame: &Frame) -> Vec<u8>;

    /// Begins to write a stream.
    fn encode_stream(&self, frame: &Frame) -> Box<dyn EncodeStream>;

    /// Writes an error: the status and the body.
    fn encode_failure(&self, failure: &Failure<'_>) -> (u16, Vec<u8>);
}

/// A wire format that providers speak.
pub trait ProviderWire: Sync {
    /// Writes a request for the target of that shape, and says what it dropped on the way.
    ///
    /// It has been through `adapt`: names and ids are valid here, and custom tools are functions where the format has no
    /// custom tools. The output is the same whether or not `writer` keeps it; so is what is reported.
    ///
    /// # Errors
    /// What cannot be left out without asking for something else.
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible>;

    /// Reads a whole answer of status 200.
    ///
    /// # Errors
    /// An error in place of an answer, or bytes that are none of this format's.
    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>>;

    /// Begins to read a stream.
    fn decode_stream(&self) -> Box<dyn DecodeStream>;

    /// Reads an error answer. Never fails: a body that says nothing gives the status alone.
    fn decode_failure<'a>(&self, status: u16, headers: &Headers, body: &'a [u8]) -> Failure<'a>;

    /// The top-level member of an answer that counts tokens.
    fn usage_member(&self) -> &'static str;

    /// Reads that member's object; `None` when it counts nothing.
    fn parse_usage(&self, object: &[u8]) -> Option<Usage>;

    /// What of tools and output the format can say; the rest is adapted before `encode_request` sees it.
    fn grammar(&self) -> Grammar;
}

/// A format's embeddings, for clients.
pub trait EmbeddingClient: Sync {
    /// Reads a request.
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<EmbeddingRequest<'a>, Malformed>;

    /// Writes an answer; its vectors have the form that `request_base64` asks for.
    fn encode_answer(&self, answer: &EmbeddingAnswer<'_>, frame: &Frame, request_base64: bool) -> Vec<u8>;
}

/// A format's embeddings, at providers.
pub trait EmbeddingProvider: Sync {
    /// Writes a request for the target of that shape, and says what it dropped on the way.
    ///
    /// # Errors
    /// What cannot be left out without asking for something else.
    fn encode_request(
        &self,
        request: &EmbeddingRequest<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible>;

    /// Reads an answer of status 200.
    ///
    /// # Errors
    /// An error in place of an answer, or bytes that are none of this format's.
    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<EmbeddingAnswer<'a>, BadAnswer<'a>>;
}

/// Why an answer of status 200 is none.
#[derive(Debug)]
pub enum BadAnswer<'a> {
    /// It is an error in place of an answer.
    Failure(Failure<'a>),
    /// It is not this format.
    Malformed(Malformed),
}

impl From<Malformed> for BadAnswer<'_> {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// What a format can say of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar {
    /// Whether it has OpenAI's custom tools.
    pub custom_tools: bool,
    /// The longest name of a tool.
    pub tool_name: usize,
    /// The longest id of a call; 0 where calls have none.
    pub call_id: usize,
    /// Whether an id of a call may hold `.` and `:` beside letters, digits, `_` and `-`.
    pub dotted_ids: bool,
}

/// Reads a stream piece by piece, at every split of its bytes alike, in bounded memory.
pub trait DecodeStream {
    /// Reads the next bytes. See `chat::event` for what `sink` may rely on.
    fn push(&mut self, chunk: &[u8], sink: &mut dyn FnMut(Event<'_>));

    /// There is no more. A stream that ends without its last word gives no `Done`.
    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>));
}

/// Writes a stream event by event.
pub trait EncodeStream {
    /// Writes what the client is to see of an event, at once and not later. After `Done` or `Failure` the stream is
    /// complete.
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>);
}

/// What an encoder needs to know of the target.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// The model's name there.
    pub model: &'a str,
    /// The provider's API.
    pub api: ApiFamily,
    /// Whose catalogue entries apply: `openai`, `mistral`, `groq`, …
    pub vendor: &'a str,
    /// How the model wants its requests shaped.
    pub traits: Traits,
    /// What it can do; `None` when nobody says.
    pub capabilities: Option<Capabilities>,
    /// Its largest output in tokens, when known.
    pub max_output: Option<u64>,
}

impl Shape<'_> {
    /// Whether the model has a trait.
    pub fn is(&self, one: Trait) -> bool {
        self.traits.has(one)
    }

    /// Whether the model is known to lack a capability.
    pub fn lacks(&self, one: Capability) -> bool {
        self.capabilities.is_some_and(|all| !all.has(one))
    }
}

/// What an encoder of answers needs besides the answer.
#[derive(Clone, Debug)]
pub struct Frame {
    /// An id for answers whose vendor gives none: 16 hex digits.
    pub id: String,
    /// The model, for answers that name none.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Input tokens by estimate, for wires that say them before the vendor does.
    pub input_tokens: u64,
    /// Whether the client of a chat stream asked for its usage.
    pub include_usage: bool,
    /// Gemini's streams: server-sent events (`alt=sse`) rather than one JSON array.
    pub sse: bool,
}

/// A request that cannot be put into a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// What is in the way.
    pub feature: Feature,
    /// The rule and the value found; no text of the conversation.
    pub rule: &'static str,
}
