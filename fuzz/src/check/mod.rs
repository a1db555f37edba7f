//! What holds for every input, one function a target. A function that returns has found nothing.
//!
//! No dependency but `weir` and `serde_json`: the native tests hold the same functions (see `tests/fuzz_findings.rs`).

mod edit;
mod exchange;
mod frame;
mod message;
pub mod rig;
mod stream;

pub use edit::{head, policy, rewrite};
pub use exchange::exchange;
pub use frame::{event_stream, sse};
pub use message::{answer, embedding, failure, request};
pub use stream::{frames, stream};
