//! The wire: one file an API family, both directions, and the framings they share. No policy.

pub mod json;
pub mod openai;
pub mod sse;
pub mod token;
