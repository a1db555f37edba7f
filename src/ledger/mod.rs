//! Shared counters in the host's shared data, all through one compare-and-set loop.
