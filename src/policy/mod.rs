//! Pure decisions: compiled rules, facts of a request, principal, snapshot, time and dice in; an answer out.

pub mod catalog;
pub mod price;
