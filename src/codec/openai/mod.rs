//! The OpenAI family: chat completions and embeddings, unary and streamed. Not the other families' shapes.

pub mod chat;
pub mod embedding;
pub mod error;
pub mod head;
pub mod quirk;
pub mod splice;
pub mod stream;
pub mod usage;

mod answer;
mod answer_out;
mod decode_stream;
mod encode_stream;
mod failure;
mod field;
mod finish;
mod inline;
mod media;
mod message;
mod message_out;
mod model;
mod part;
mod part_out;
mod request;
mod request_out;
mod stream_call;
mod target;
mod thinking;
mod thought;
mod tool;
mod tool_out;
mod vendor;
