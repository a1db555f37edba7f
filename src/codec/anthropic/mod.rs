//! The Anthropic messages wire, both sides: requests, answers, streams, errors. Not who serves it, and no policy.

pub mod messages;
pub mod schema;

mod decode_answer;
mod decode_block;
mod decode_request;
mod decode_stream;
mod decode_tool;
mod encode_answer;
mod encode_block;
mod encode_request;
mod encode_stream;
mod encode_thinking;
mod encode_tool;
mod failure;
mod finish;
mod media;
mod plan;
pub mod seal;
mod usage;
