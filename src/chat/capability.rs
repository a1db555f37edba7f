//! What a model can do and what a request needs, as one small set. Not who has which (see `policy::catalog`).

use std::fmt;

/// One thing a model may be able to do, by the catalogue's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Capability {
    /// Function tools.
    Tools,
    /// Reasoning ("thinking") before the answer.
    Reasoning,
    /// Output that follows a JSON schema.
    JsonSchema,
    /// Image input.
    Vision,
    /// A caller-chosen tool.
    ToolChoice,
    /// Prompt-cache reads at a lower price.
    PromptCaching,
    /// PDF input.
    Pdf,
    /// Several tool calls in one turn.
    ParallelTools,
    /// Search run by the vendor.
    WebSearch,
    /// Computer-use tools.
    ComputerUse,
    /// A trailing assistant turn that the model continues.
    Prefill,
    /// Audio input.
    AudioIn,
    /// Video input.
    VideoIn,
    /// URLs fetched by the vendor.
    UrlContext,
    /// Audio output.
    AudioOut,
    /// Embedding vectors; the catalogue's `mode: embedding`.
    Embedding,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 16] = [
        Self::Tools,
        Self::Reasoning,
        Self::JsonSchema,
        Self::Vision,
        Self::ToolChoice,
        Self::PromptCaching,
        Self::Pdf,
        Self::ParallelTools,
        Self::WebSearch,
        Self::ComputerUse,
        Self::Prefill,
        Self::AudioIn,
        Self::VideoIn,
        Self::UrlContext,
        Self::AudioOut,
        Self::Embedding,
    ];

    /// The name in the catalogue and in a policy file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Reasoning => "reasoning",
            Self::JsonSchema => "json_schema",
            Self::Vision => "vision",
            Self::ToolChoice => "tool_choice",
            Self::PromptCaching => "prompt_caching",
            Self::Pdf => "pdf",
            Self::ParallelTools => "parallel_tools",
            Self::WebSearch => "web_search",
            Self::ComputerUse => "computer_use",
            Self::Prefill => "prefill",
            Self::AudioIn => "audio_in",
            Self::VideoIn => "video_in",
            Self::UrlContext => "url_context",
            Self::AudioOut => "audio_out",
            Self::Embedding => "embedding",
        }
    }

    /// The capability of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }

    const fn bit(self) -> u32 {
        1 << (self as u8)
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// The set with nothing in it.
    pub const NONE: Self = Self(0);

    /// The set whose bits are `bits`, bit *n* being the *n*th of `Capability::ALL`; the catalogue stores sets so.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// This set and one more.
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    /// Adds one.
    pub fn insert(&mut self, capability: Capability) {
        self.0 |= capability.bit();
    }

    /// Whether it is in the set.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is here and not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of `Capability::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(members: I) -> Self {
        members.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, capability) in self.iter().enumerate() {
            if index > 0 {
                out.write_str(", ")?;
            }
            out.write_str(capability.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{self}]")
    }
}
