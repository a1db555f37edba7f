//! Feeds `check::answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::check::answer(data));
