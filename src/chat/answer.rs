//! A whole answer of a model in the form between the wire formats. Not a stream (see `event`).

use std::borrow::Cow;

use crate::chat::part::Part;
use crate::chat::usage::Usage;

/// One answer. It borrows from the body it was read from.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    /// The vendor's id.
    pub id: Option<Cow<'a, str>>,
    /// The model, as the vendor names it.
    pub model: Option<Cow<'a, str>>,
    /// What it says, in order: thoughts, text, calls, refusals.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Finish<'a>,
    /// What it took; `None` when the vendor does not say.
    pub usage: Option<Usage>,
    /// The service tier that served it, in the vendor's words.
    pub service_tier: Option<Cow<'a, str>>,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Finish<'a> {
    /// The model was done, or met a stop sequence that the vendor does not tell apart.
    #[default]
    Stop,
    /// It met this stop sequence; `None` when the vendor does not say which.
    StopSequence(Option<Cow<'a, str>>),
    /// The output limit.
    Length,
    /// The context window.
    ContextFull,
    /// It waits for tools. Decoders say so whenever the answer holds a call and the vendor says no worse.
    ToolCalls,
    /// The vendor's filter.
    Filtered,
    /// The model declined.
    Refused,
    /// The vendor paused a long turn of its own tools.
    Paused,
    /// The model broke off: malformed calls, an internal fault.
    Broken,
}
