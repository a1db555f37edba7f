//! What holds for every input, for the fuzz targets. Not the findings (see `tests/fuzz_findings.rs`).

pub mod check;
