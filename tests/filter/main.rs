//! The filter under the SDK's real dispatcher, natively: this program defines the host's functions that the module
//! imports and calls what the module exports, as a proxy does. No WebAssembly and no proxy here (see `tests/e2e`).
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod access;
mod chunk;
mod configure;
mod failover;
mod family;
mod fixture;
mod gate;
mod host;
mod hostile;
mod memory;
mod order;
mod pass;
mod status;
mod vm;
