//! A request body, read as far as the decision needs it: its head always, all of it where some target speaks another
//! format.

use std::cell::OnceCell;
use std::fmt;

use crate::chat::embedding::{EmbeddingInput, EmbeddingRequest};
use crate::chat::feature::{Feature, Features};
use crate::chat::head::Head;
use crate::chat::request::Request;
use crate::chat::wire::Wire;
use crate::codec::json::Malformed;
use crate::codec::meter::count_of;
use crate::codec::openai::head::{Endpoint as OpenAiEndpoint, decode_head};
use crate::codec::responses::invented::without_invented;
use crate::codec::survey::survey;
use crate::codec::translate::losses;
use crate::codec::wire::Impossible;
use crate::codec::writer::Writer;
use crate::codec::{anthropic, gemini, registry};
use crate::error::{ErrorCode, GatewayError};
use crate::gateway::endpoint::{Call, Endpoint};
use crate::policy::facts::Losses;
use crate::policy::rules::Target;

/// A body that was read.
pub(crate) struct Read<'b> {
    pub head: Head,
    call: &'b Call,
    body: &'b [u8],
    request: OnceCell<Result<Request<'b>, Malformed>>,
    embedding: OnceCell<Result<EmbeddingRequest<'b>, Malformed>>,
}

/// Reads a body of a call.
///
/// # Errors
/// `invalid_request` with the rule that the body breaks and the byte where it does.
pub(crate) fn read<'b>(call: &'b Call, body: &'b [u8]) -> Result<Read<'b>, GatewayError> {
    let mut read = Read { head: Head::default(), call, body, request: OnceCell::new(), embedding: OnceCell::new() };
    read.head = read.scan().map_err(|malformed| invalid(&malformed))?;
    if let Some(path) = &call.path {
        read.head.model = Some(path.model.clone());
        read.head.stream = path.stream;
    }
    Ok(read)
}

fn invalid(malformed: &Malformed) -> GatewayError {
    let message = format!("the body is not a valid request: {} at byte {}", malformed.what, malformed.offset);
    GatewayError::new(ErrorCode::InvalidRequest, message)
}

/// The format that a call is made in at a target; `None` when the target has no such endpoint.
pub(crate) fn wire_at(call: &Call, target: &Target) -> Option<Wire> {
    match call.endpoint {
        Endpoint::Conversation | Endpoint::CountTokens => Some(target.wire(call.wire)),
        Endpoint::Embeddings => target.embedding_wire(),
        Endpoint::Other => Some(target.wire(call.wire)).filter(|wire| *wire == call.wire),
    }
}

/// Whether a call's body must be written anew for a target, be it in the client's own format: what is passed on byte for
/// byte is the rule, and these are its exceptions.
pub(crate) fn is_rewritten(call: &Call, wire: Wire, foreign_seals: bool) -> bool {
    // Gemini's embeddings name the model inside each request, and have another form on Vertex.
    wire != call.wire || foreign_seals || (call.endpoint == Endpoint::Embeddings && wire == Wire::Gemini)
}

impl<'b> Read<'b> {
    fn scan(&self) -> Result<Head, Malformed> {
        match (self.call.wire, self.call.endpoint) {
            (Wire::Chat, Endpoint::Conversation) => decode_head(self.body, OpenAiEndpoint::ChatCompletions),
            (Wire::Chat, Endpoint::Embeddings) => decode_head(self.body, OpenAiEndpoint::Embeddings),
            (_, Endpoint::Other) => decode_head(self.body, OpenAiEndpoint::Other),
            (_, Endpoint::Conversation | Endpoint::CountTokens) => self.request().map(survey),
            (_, Endpoint::Embeddings) => self.embedding().map(survey_embedding),
        }
    }

    /// All of a conversation.
    fn request(&self) -> Result<&Request<'b>, Malformed> {
        let decode = || match registry::client(self.call.wire) {
            Some(client) => client.decode_request(self.body),
            None => Err(Malformed { offset: 0, what: "no client speaks this format" }),
        };
        self.request.get_or_init(decode).as_ref().map_err(|malformed| *malformed)
    }

    fn embedding(&self) -> Result<&EmbeddingRequest<'b>, Malformed> {
        let decode = || match registry::embedding_client(self.call.wire) {
            Some(client) => client.decode_request(self.body),
            None => Err(Malformed { offset: 0, what: "no client asks for embeddings in this format" }),
        };
        self.embedding.get_or_init(decode).as_ref().map_err(|malformed| *malformed)
    }

    /// Whether the conversation holds thoughts that another vendor sealed, or calls that it is known by.
    pub fn has_foreign_seals(&self) -> bool {
        match self.call.wire {
            Wire::Messages => anthropic::seal::has_foreign_seals(self.body),
            Wire::Gemini => gemini::seal::marked(self.body) || gemini::seal::has_foreign_calls(self.body),
            Wire::Chat | Wire::Responses | Wire::Converse | Wire::Cohere => false,
        }
    }

    /// Whether the conversation holds items that Weir made up for OpenAI's responses.
    pub fn has_invented_items(&self) -> bool {
        self.call.wire == Wire::Responses && without_invented(self.body).is_some()
    }

    /// Whether vectors are wanted in base64.
    pub fn wants_base64(&self) -> bool {
        self.call.endpoint == Endpoint::Embeddings && self.embedding().is_ok_and(|request| request.base64)
    }

    /// The error of a body whose head is sound and whose rest is not, if translation met it.
    pub fn malformed(&self) -> Option<GatewayError> {
        let request = self.request.get().and_then(|read| read.as_ref().err());
        let embedding = self.embedding.get().and_then(|read| read.as_ref().err());
        request.or(embedding).map(invalid)
    }
}

/// What a decision needs to know of an embeddings request.
fn survey_embedding(request: &EmbeddingRequest<'_>) -> Head {
    let mut head = Head { choices: 1, ..Head::default() };
    head.needs.insert(crate::chat::capability::Capability::Embedding);
    for input in &request.inputs {
        head.messages = head.messages.saturating_add(1);
        if let EmbeddingInput::Text(text) = input {
            head.text = head.text.plus(count_of(text));
        }
    }
    head
}

impl Losses for Read<'_> {
    fn of(&self, target: &Target) -> Result<Features, Impossible> {
        let Some(wire) = wire_at(self.call, target) else {
            let rule = "its provider has no such endpoint";
            return Err(Impossible { feature: Feature::Unknown, rule });
        };
        // A count for another format is our own estimate.
        if !is_rewritten(self.call, wire, false) || self.call.endpoint == Endpoint::CountTokens {
            return Ok(Features::NONE);
        }
        let unreadable = |malformed: Malformed| Impossible { feature: Feature::Unknown, rule: malformed.what };
        if self.call.endpoint == Endpoint::Embeddings {
            let request = self.embedding().map_err(unreadable)?;
            let Some(provider) = registry::embedding_provider(wire) else {
                return Err(Impossible { feature: Feature::Unknown, rule: "its provider has no such endpoint" });
            };
            return provider.encode_request(request, &target.shape(), &mut Writer::discarding());
        }
        losses(self.request().map_err(unreadable)?, wire, &target.shape())
    }
}

impl fmt::Debug for Read<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Read").field("head", &self.head).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}
