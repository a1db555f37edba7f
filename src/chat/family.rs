//! The API families clients and providers speak, and the endpoints of a family. Not their encodings (see `codec`).

use std::fmt;

/// An API family: a set of request, response, stream and error shapes that vendors share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiFamily {
    /// OpenAI chat completions and embeddings, and every vendor compatible with them.
    OpenAi,
    /// OpenAI responses.
    OpenAiResponses,
    /// Anthropic messages.
    Anthropic,
    /// Google Gemini, AI Studio.
    Gemini,
    /// AWS Bedrock Converse.
    Bedrock,
    /// Cohere v2.
    Cohere,
    /// Azure OpenAI, both path styles.
    AzureOpenAi,
    /// Google Vertex AI (Gemini and Claude).
    Vertex,
}

impl ApiFamily {
    /// Every family, in the order of the policy documentation.
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Cohere,
        Self::AzureOpenAi,
        Self::Vertex,
    ];

    /// The family's name in a policy file.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::AzureOpenAi => "azure_openai",
            Self::Vertex => "vertex",
        }
    }

    /// The family of that policy name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

impl fmt::Display for ApiFamily {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
