//! The proxy-wasm shell: the only room that knows the SDK and the host's ABI. It turns callbacks into calls on an
//! `Exchange` and performs the `Step`s that come back; it holds no policy.

mod abi;
#[cfg(target_family = "wasm")]
mod entry;
mod envoy;
mod host;
mod listener;
mod perform;
mod registry;
pub mod root;
mod upstream;
