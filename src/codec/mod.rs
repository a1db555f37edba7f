//! The wire: one file an API family, both directions, and the framings they share. No policy.

pub mod adapt;
pub mod anthropic;
pub mod bedrock;
pub mod cohere;
pub mod effort;
pub mod failure;
pub mod gemini;
pub mod json;
pub mod limits;
pub mod meter;
pub mod openai;
pub mod peek;
pub mod registry;
pub mod responses;
pub mod rewrite;
pub mod sse;
pub mod sse_stream;
pub mod survey;
pub mod token;
pub mod translate;
pub mod vector;
pub mod wire;
pub mod writer;
