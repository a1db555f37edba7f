//! End to end: the real Envoy, started with what `weir render envoy` writes, in front of `weir mock` providers. Nothing
//! here looks inside the filter: a scenario says what a client sends and what client, provider and operator then see.
//!
//! Needs `target/weir.wasm` (`make build`) and Envoy, at `$WEIR_ENVOY` or `.tools/bin/envoy` (`make setup`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod client;
mod envoy;
mod fixture;
mod provider;

mod access;
mod accounting;
mod dns;
mod failover;
mod family;
mod hostile;
mod mirror;
mod operator;
mod pass;
mod reload;
mod routing;
mod stream;
mod tls;

/// Makes one test of each failover design out of a scenario that takes the design as its argument.
macro_rules! in_both_designs {
    ($($(#[$note:meta])* fn $name:ident($design:ident) $body:block)*) => { $(
        $(#[$note])*
        fn $name($design: crate::envoy::Failover) $body

        mod $name {
            #[test]
            fn by_refresh() {
                super::$name(crate::envoy::Failover::Refresh);
            }

            #[test]
            fn by_loop() {
                super::$name(crate::envoy::Failover::Loop);
            }
        }
    )* };
}
use in_both_designs;
