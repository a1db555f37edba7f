//! Gemini's wire format over its fixtures: reading, writing, streams at every split, and bytes that are broken. The
//! tables of single rules stand in the modules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answer;
mod broken;
mod request;
mod rig;
mod stream;
