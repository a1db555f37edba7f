//! The OpenAI responses format: requests, answers, streams and errors, as clients send and as providers answer them. Not
//! its gate-side head scan (see `openai`).

pub mod answer;
pub mod compose;
pub mod compose_item;
pub mod composer;
pub mod failure;
pub mod invented;
pub mod item;
pub mod mark;
pub mod narrate;
pub mod render;
pub mod request;
pub mod setting;
pub mod sides;
pub mod stream;
pub mod tool;
pub mod value;
