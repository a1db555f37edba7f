//! The responses format against whole bodies and streams, and as properties over all of them. Not the other formats.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answer;
mod compose;
mod failure;
mod fixture;
mod narrate;
mod request;
mod stream;
