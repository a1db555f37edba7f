//! Which wire format a target is spoken to in, and what an encoder needs to know of it.

use crate::chat::family::ApiFamily;
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::wire::Shape;
use crate::policy::rules::Target;

/// Vendors that serve OpenAI's responses beside chat completions under one base URL.
const RESPONSES_TOO: [&str; 1] = ["openai"];

impl Target {
    /// The format of a request to this target, from a client that speaks `client`: the client's own where the provider
    /// has it, so that nothing need be translated.
    pub fn wire(&self, client: Wire) -> Wire {
        let (usual, other) = self.wires();
        if other == Some(client) { client } else { usual }
    }

    /// The format that the provider speaks, and another that it speaks as well.
    fn wires(&self) -> (Wire, Option<Wire>) {
        match self.provider.api {
            ApiFamily::OpenAi | ApiFamily::AzureOpenAi if self.traits.has(Trait::ResponsesOnly) => {
                (Wire::Responses, None)
            }
            ApiFamily::OpenAi => {
                let both = RESPONSES_TOO.contains(&self.provider.catalogue.as_str());
                (Wire::Chat, both.then_some(Wire::Responses))
            }
            ApiFamily::AzureOpenAi => (Wire::Chat, Some(Wire::Responses)),
            ApiFamily::OpenAiResponses => (Wire::Responses, None),
            ApiFamily::Anthropic => (Wire::Messages, None),
            ApiFamily::Gemini => (Wire::Gemini, None),
            ApiFamily::Vertex if self.model.contains("claude") => (Wire::Messages, None),
            ApiFamily::Vertex => (Wire::Gemini, None),
            ApiFamily::Bedrock => (Wire::Converse, None),
            ApiFamily::Cohere => (Wire::Cohere, None),
        }
    }

    /// The format of an embeddings request to this target; `None` where the provider has none that Weir knows.
    pub fn embedding_wire(&self) -> Option<Wire> {
        match self.provider.api {
            ApiFamily::OpenAi | ApiFamily::AzureOpenAi | ApiFamily::OpenAiResponses => Some(Wire::Chat),
            ApiFamily::Vertex if self.model.contains("claude") => None,
            ApiFamily::Gemini | ApiFamily::Vertex => Some(Wire::Gemini),
            ApiFamily::Cohere => Some(Wire::Cohere),
            ApiFamily::Anthropic | ApiFamily::Bedrock => None,
        }
    }

    /// What an encoder needs to know of it.
    pub fn shape(&self) -> Shape<'_> {
        Shape {
            model: &self.model,
            api: self.provider.api,
            vendor: &self.provider.catalogue,
            traits: self.traits,
            capabilities: self.capabilities,
            max_output: self.max_output,
        }
    }
}
