//! Shared state in the host's shared data, all of it through one compare-and-set loop.

pub mod cell;
pub mod cooldown;
