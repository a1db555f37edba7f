//! Feeds `check::rewrite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::check::rewrite(data));
