//! The written policy: its text read into plain structs, every problem named with its path. No resolving of names
//! across sections beyond existence, no prices, no decisions (see `gateway::compile` and `policy`).

pub mod duration;
pub mod parse;
pub mod policy;
pub mod problem;
pub mod wildcard;
