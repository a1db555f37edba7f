//! Which wire format is spoken by which code. The one place that knows them all.

use crate::chat::wire::Wire;
use crate::codec::openai::{chat, embedding};
use crate::codec::wire::{ClientWire, EmbeddingClient, EmbeddingProvider, ProviderWire};

/// The client's side of a format; `None` where no client of Weir speaks it.
pub fn client(wire: Wire) -> Option<&'static dyn ClientWire> {
    match wire {
        Wire::Chat => Some(&chat::Chat),
        Wire::Responses => None,
        Wire::Messages => None,
        Wire::Gemini => None,
        Wire::Converse | Wire::Cohere => None,
    }
}

/// The provider's side of a format.
pub fn provider(wire: Wire) -> Option<&'static dyn ProviderWire> {
    match wire {
        Wire::Chat => Some(&chat::Chat),
        Wire::Responses => None,
        Wire::Messages => None,
        Wire::Gemini => None,
        Wire::Converse => None,
        Wire::Cohere => None,
    }
}

/// A format's embeddings for clients, where it has any.
pub fn embedding_client(wire: Wire) -> Option<&'static dyn EmbeddingClient> {
    match wire {
        Wire::Chat => Some(&embedding::Embeddings),
        Wire::Gemini => None,
        Wire::Responses | Wire::Messages | Wire::Converse | Wire::Cohere => None,
    }
}

/// A format's embeddings at providers, where it has any.
pub fn embedding_provider(wire: Wire) -> Option<&'static dyn EmbeddingProvider> {
    match wire {
        Wire::Chat => Some(&embedding::Embeddings),
        Wire::Gemini => None,
        Wire::Cohere => None,
        Wire::Responses | Wire::Messages | Wire::Converse => None,
    }
}
