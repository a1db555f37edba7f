//! Feeds `check::event_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::check::event_stream(data));
