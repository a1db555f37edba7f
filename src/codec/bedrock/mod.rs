//! AWS Bedrock's Converse: requests, answers, its binary event stream, and the signature that AWS asks for. No policy.

pub mod converse;
pub mod event_stream;
pub mod sigv4;

mod answer;
mod arguments;
mod cache;
mod citation;
mod failure;
mod history;
mod media;
mod model;
mod settings;
mod stream;
mod thinking;
mod tools;
mod usage;
mod write;
