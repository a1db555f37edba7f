//! One request's life: compiled rules, the exchange as a state machine, an attempt at one target, the books at the end.

pub mod ability;
pub mod address;
pub mod answer;
pub mod attempt;
pub mod body;
pub mod compile;
pub mod credential;
pub mod endpoint;
pub mod exchange;
pub mod explain;
pub mod models;
pub mod plan;
pub mod read;
pub mod refusal;
pub mod settle;
pub mod state;
pub mod step;
