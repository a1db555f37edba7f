//! The OpenAI family: chat completions and embeddings, unary and streamed. Not the other families' shapes.

pub mod error;
pub mod head;
pub mod splice;
pub mod stream;
pub mod usage;
