//! The proxy-wasm shell: the only room that knows the SDK and the host's ABI. It holds no policy.
