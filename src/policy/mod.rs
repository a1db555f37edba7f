//! Pure decisions: compiled rules, facts of a request, principal, time and dice in; an answer with reasons out.

pub mod access;
pub mod catalog;
pub mod decide;
pub mod facts;
pub mod price;
pub mod rank;
pub mod require;
pub mod resolve;
pub mod route;
pub mod rules;
pub mod speech;
