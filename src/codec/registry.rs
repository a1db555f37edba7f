//! Which wire format is spoken by which code. The one place that knows them all.

use crate::chat::wire::Wire;
use crate::codec::anthropic::messages::Messages;
use crate::codec::bedrock::converse::Converse;
use crate::codec::cohere::chat::Cohere;
use crate::codec::gemini::wire::Gemini;
use crate::codec::openai::chat::Chat;
use crate::codec::openai::embedding::Embeddings;
use crate::codec::responses::sides::Responses;
use crate::codec::wire::{ClientWire, EmbeddingClient, EmbeddingProvider, ProviderWire};

/// The client's side of a format; `None` where no client of Weir speaks it.
pub fn client(wire: Wire) -> Option<&'static dyn ClientWire> {
    match wire {
        Wire::Chat => Some(&Chat),
        Wire::Responses => Some(&Responses),
        Wire::Messages => Some(&Messages),
        Wire::Gemini => Some(&Gemini),
        Wire::Converse | Wire::Cohere => None,
    }
}

/// The provider's side of a format.
pub fn provider(wire: Wire) -> &'static dyn ProviderWire {
    match wire {
        Wire::Chat => &Chat,
        Wire::Responses => &Responses,
        Wire::Messages => &Messages,
        Wire::Gemini => &Gemini,
        Wire::Converse => &Converse,
        Wire::Cohere => &Cohere,
    }
}

/// A format's embeddings for clients, where it has any.
pub fn embedding_client(wire: Wire) -> Option<&'static dyn EmbeddingClient> {
    match wire {
        Wire::Chat => Some(&Embeddings),
        Wire::Gemini => Some(&Gemini),
        Wire::Responses | Wire::Messages | Wire::Converse | Wire::Cohere => None,
    }
}

/// A format's embeddings at providers, where it has any.
pub fn embedding_provider(wire: Wire) -> Option<&'static dyn EmbeddingProvider> {
    match wire {
        Wire::Chat => Some(&Embeddings),
        Wire::Gemini => Some(&Gemini),
        Wire::Cohere => Some(&Cohere),
        Wire::Responses | Wire::Messages | Wire::Converse => None,
    }
}
