//! What a decision needs to know of a request body, from one borrowed pass. Never its text.

use std::ops::Range;

use super::capability::Capabilities;

/// The head of a request: facts for policy and the places where a splice may write.
///
/// Spans are byte ranges in the body that was scanned. Holds no prompt text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The model that the client named, unescaped.
    pub model: Option<String>,
    /// The JSON string of `model`, quotes included.
    pub model_span: Option<Range<usize>>,
    /// `stream: true`.
    pub stream: bool,
    /// Whether and where the body asks for usage in a stream.
    pub usage_request: UsageRequest,
    /// The output limit asked for, in tokens.
    pub max_output: Option<u64>,
    /// What the request itself needs a model to be able to do.
    pub needs: Capabilities,
    /// The text that the model will read, counted.
    pub text: TextCount,
    /// Entries of `messages` (or of `input`, for embeddings).
    pub messages: u32,
    /// Entries of `tools`.
    pub tools: u32,
    /// Image parts.
    pub images: u32,
    /// Answers asked for (`n`); 1 when absent.
    pub choices: u32,
}

/// Whether a streamed request asks the provider for a usage event, and where the ask can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UsageRequest {
    /// No `stream_options`: the member is to be added after the body's opening brace.
    #[default]
    Absent,
    /// `stream_options` stands at this span without a true `include_usage`: the whole value is to be rewritten.
    Without(Range<usize>),
    /// The client asked for usage itself.
    Asked,
}

/// Text by kind of character, for a token estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextCount {
    /// Bytes below 0x80.
    pub ascii: u64,
    /// Bytes at or above 0x80.
    pub other: u64,
}

impl TextCount {
    /// Both counts together.
    pub const fn plus(self, more: Self) -> Self {
        Self { ascii: self.ascii + more.ascii, other: self.other + more.other }
    }
}
