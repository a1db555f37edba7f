//! What may go wrong on demand, and for how many requests. Not how it is done: see `serve`.

use serde::{Deserialize, Serialize};

/// One fault, as `POST /_mock/faults` takes it. Every member is optional; members combine.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// How many requests it strikes; for ever when absent.
    pub times: Option<u64>,
    /// Strikes only requests whose credential is this.
    pub only_key: Option<String>,
    /// Strikes only requests for this model.
    pub only_model: Option<String>,
    /// Answers with this status and an error body.
    pub status: Option<u16>,
    /// The value of `retry-after` beside `status`.
    pub retry_after: Option<String>,
    /// Answers with this body instead of one of its own; its status is `status`, or 200.
    pub body: Option<String>,
    /// The media type of `body`; `text/html` when absent.
    pub content_type: Option<String>,
    /// Waits before the status line.
    pub delay_ms: u64,
    /// Waits between the headers and the body's first byte.
    pub first_byte_delay_ms: u64,
    /// Resets the connection after so many content events of a stream.
    pub cut_after_chunks: Option<usize>,
    /// Resets the connection in the middle of a body of known length.
    pub cut_body: bool,
    /// Takes the request and never answers.
    pub hang: bool,
    /// Resets the connection before any byte of an answer.
    pub reset: bool,
    /// Leaves usage out, asked for or not.
    pub no_usage: bool,
    /// Content events of a stream.
    pub chunks: Option<usize>,
    /// Pause before each content event.
    pub chunk_delay_ms: Option<u64>,
    /// Least length of the answer's text.
    pub answer_bytes: Option<usize>,
    /// Splits every write into pieces of so many bytes, each in a chunk of its own.
    pub chunk_bytes: Option<usize>,
    /// Tells what is left of the rate limits, in the family's own headers.
    pub rate_limits: bool,
    /// Sends an error event after so many content events of a stream, and ends it.
    pub error_event_after: Option<usize>,
}

/// The faults in waiting: the first that fits a request strikes it.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    pub fn waiting(&self) -> &[Fault] {
        &self.waiting
    }

    /// The fault for a request, counted down; the fault that does nothing when none fits.
    pub fn strike(&mut self, key: Option<&str>, model: Option<&str>) -> Fault {
        let fits = |fault: &Fault| {
            fault.times != Some(0)
                && fault.only_key.as_deref().is_none_or(|wanted| key == Some(wanted))
                && fault.only_model.as_deref().is_none_or(|wanted| model == Some(wanted))
        };
        let Some(fault) = self.waiting.iter_mut().find(|fault| fits(fault)) else {
            return Fault::default();
        };
        let struck = fault.clone();
        if let Some(times) = fault.times.as_mut() {
            *times = times.saturating_sub(1);
        }
        self.waiting.retain(|fault| fault.times != Some(0));
        struck
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::{Fault, Faults};

    #[test]
    fn a_fault_strikes_as_often_as_it_says_and_then_the_next_one_does() {
        let mut faults = Faults::default();
        faults.add(Fault { status: Some(429), times: Some(2), ..Fault::default() });
        faults.add(Fault { status: Some(503), ..Fault::default() });
        let statuses: Vec<_> = (0..4).map(|_| faults.strike(None, None).status).collect();
        assert_eq!(statuses, [Some(429), Some(429), Some(503), Some(503)]);
    }

    #[test]
    fn a_fault_for_one_key_leaves_the_others_alone() {
        let mut faults = Faults::default();
        faults.add(Fault { status: Some(429), only_key: Some("a".to_owned()), ..Fault::default() });
        assert_eq!(faults.strike(Some("b"), None).status, None);
        assert_eq!(faults.strike(Some("a"), None).status, Some(429));
    }
}
