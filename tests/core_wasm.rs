//! The core on a 32-bit target: what must not depend on the width of a pointer, run under Node. Not the filter, which
//! needs a proxy as its host (see the end-to-end tests).

#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use wasm_bindgen_test::wasm_bindgen_test;
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::family::ApiFamily;
use weir::chat::money::{Money, TokenPrice};
use weir::host::Timestamp;

#[wasm_bindgen_test]
fn a_cost_over_four_billion_micro_dollars_is_exact() {
    let price = TokenPrice::from_usd_per_mtok(15.0).expect("a price");
    assert_eq!(price.times(1_000_000_000).rounded_up(), Money::from_micros(15_000_000_000));
    assert_eq!(price.times(u64::MAX).rounded_up(), Money::from_micros(u64::MAX));
}

#[wasm_bindgen_test]
fn a_cost_is_rounded_once_and_up() {
    let price = TokenPrice::from_usd_per_mtok(0.15).expect("a price");
    assert_eq!(price.times(7).plus(price.times(13)).rounded_up(), Money::from_micros(3));
    assert_eq!(Money::from_micros(1_234_567).to_string(), "$1.234567");
}

#[wasm_bindgen_test]
fn a_moment_of_this_century_fits() {
    let moment = Timestamp::from_secs(4_000_000_000);
    assert_eq!(moment.millis(), 4_000_000_000_000);
    assert_eq!(moment.millis_since(Timestamp::from_secs(3_999_999_999)), 1_000);
}

#[wasm_bindgen_test]
fn names_of_families_and_capabilities_are_read_back() {
    for family in ApiFamily::ALL {
        assert_eq!(ApiFamily::parse(family.name()), Some(family));
    }
    let all: Capabilities = Capability::ALL.into_iter().collect();
    assert!(Capability::ALL.into_iter().all(|capability| all.has(capability)));
}
