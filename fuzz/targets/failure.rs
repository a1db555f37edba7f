//! Feeds `check::failure`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::check::failure(data));
