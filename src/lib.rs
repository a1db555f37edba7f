//! Weir: one WebAssembly file that turns a proxy into an LLM gateway.
//!
//! The story of a request, floor by floor (a file may use only its own room or a lower floor):
//!
//! 1. `filter` (floor 6) is the proxy-wasm shell: it turns the proxy's callbacks into calls on an `Exchange` and performs
//!    the `Step`s that come back. It is the only room that knows the SDK.
//! 2. `gateway` (floor 5) is one request's life as a state machine: `Exchange` decides and meters, `attempt` prepares one
//!    try at one target.
//! 3. `ledger` and `telemetry` (floor 4) keep shared counters and say what operators see.
//! 4. `policy` (floor 3) holds pure decisions: rules and facts in, ranked candidates with reasons out.
//! 5. `codec` and `config` (floor 2) read and write the wire and the policy file. A request to a provider of the client's own
//!    API family passes byte for byte; to any other it goes through the form in `chat`, and so does the answer
//!    (`codec::translate`).
//! 6. `chat`, `error`, `host` and `http` (floor 1) are the words everybody shares.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod chat;
pub mod codec;
pub mod config;
pub mod error;
pub mod gateway;
pub mod host;
pub mod http;
pub mod ledger;
pub mod policy;
pub mod telemetry;

#[cfg(not(target_os = "unknown"))]
pub mod filter;
