//! The wire: one file an API family, both directions, and the framings they share. No policy.

pub mod effort;
pub mod failure;
pub mod json;
pub mod openai;
pub mod registry;
pub mod sse;
pub mod sse_stream;
pub mod token;
pub mod vector;
pub mod wire;
pub mod writer;
