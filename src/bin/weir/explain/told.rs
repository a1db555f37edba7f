//! What there is to tell of one request. Not how it is found out, nor how it is printed.

use serde_json::Value;
use weir::gateway::step::Reply;
use weir::host::Timestamp;

use super::stage::Sent;

/// What became of the request.
pub enum End {
    /// The path is none of Weir's.
    Untouched,
    /// Weir answers: an error, or what it serves itself.
    Answered(Reply),
    /// It goes out, and so do the further attempts, each if the one before fails.
    Sent(Vec<Sent>),
}

/// Everything that is told.
pub struct Told {
    pub method: &'static str,
    pub path: String,
    pub bytes: usize,
    pub now: Timestamp,
    /// `Exchange::explained`; null where there was no exchange.
    pub decision: Value,
    pub end: End,
}
