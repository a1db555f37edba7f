//! The module's entry point, which the proxy calls once when it loads the file. What happens then is in `root`.

// `main!` expands to an exported C function.
#![allow(unsafe_code, missing_docs)]

proxy_wasm::main! {{ crate::filter::root::start(); }}
