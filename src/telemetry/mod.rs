//! What operators see: every metric name in one table, the audit line.

pub mod audit;
pub mod metric;
