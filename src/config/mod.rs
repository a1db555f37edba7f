//! The written policy: its text read into plain structs, every problem named with its path. No resolving of names
//! across sections beyond existence, no prices, no decisions (see `gateway::compile` and `policy`).

pub mod date;
pub mod duration;
mod endpoint;
pub mod parse;
pub mod policy;
pub mod problem;
mod reachable;
mod reader;
mod report;
mod section;
mod suggest;
pub mod validate;
pub mod wildcard;
