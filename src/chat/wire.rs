//! The wire formats of conversations: what a body looks like, whoever serves it. Not their encodings (see `codec`).

use std::fmt;

/// A wire format: one shape of request, answer, stream and error. Several API families may share one: Azure speaks
/// OpenAI's, Vertex speaks Gemini's and Anthropic's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Messages,
    /// Gemini generateContent.
    Gemini,
    /// Bedrock Converse.
    Converse,
    /// Cohere v2 chat.
    Cohere,
}

impl Wire {
    /// Every format.
    pub const ALL: [Self; 6] =
        [Self::Chat, Self::Responses, Self::Messages, Self::Gemini, Self::Converse, Self::Cohere];

    /// Its name in audit lines and fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Converse => "converse",
            Self::Cohere => "cohere",
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
