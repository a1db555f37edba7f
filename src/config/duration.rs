//! Durations and sizes as people write them: `30s`, `10m`, `64KiB`.
