//! Cohere v2: chat and embeddings, as a provider speaks them. No policy.

pub mod chat;
pub mod embed;

mod answer;
mod citation;
mod failure;
mod history;
mod settings;
mod stream;
mod usage;
mod write;
