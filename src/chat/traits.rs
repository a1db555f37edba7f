//! How a model wants its requests shaped, as one small set. Not what is done about it (see `codec`).
//!
//! The build script reads the same names from here, so the module and the compacted catalogue cannot disagree.

use std::fmt;

/// One peculiarity of a model's requests, by the catalogue's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Trait {
    /// `developer` messages must become `system` messages.
    NoDeveloperRole,
    /// Thinking is asked for in OpenRouter's way: `reasoning{effort|max_tokens|exclude}`.
    ThinkingFormatOpenrouter,
    /// Anthropic's `thinking: {type: adaptive}`.
    AdaptiveThinking,
    /// Temperature, top-p and the like are refused.
    NoSamplingParams,
    /// A trailing assistant turn is refused.
    NoPrefill,
    /// Anthropic's `output_config` is understood.
    OutputConfig,
    /// `system` messages may stand in the middle of a conversation.
    MidConversationSystem,
    /// Thinking cannot be switched off.
    ThinkingAlwaysOn,
    /// The output limit is called `max_tokens`.
    MaxTokensField,
    /// `reasoning_effort` is refused.
    NoReasoningEffort,
    /// A tool cannot be forced.
    NoForcedToolUse,
    /// Assistant turns of the history must carry `reasoning_content`.
    ReplayReasoningContent,
    /// Anthropic's `thinking: {type: enabled, budget_tokens}`.
    BudgetThinking,
    /// Thinking is asked for in OpenAI's way: `reasoning_effort`.
    ThinkingFormatOpenai,
    /// Thinking is asked for in Together's way: `reasoning{enabled}`.
    ThinkingFormatTogether,
    /// System prompts are refused.
    NoSystem,
    /// Thinking is asked for in DeepSeek's way: `thinking{type}` and `reasoning_effort`.
    ThinkingFormatDeepseek,
    /// Thinking is asked for in Z.ai's way: `thinking{type, clear_thinking}`.
    ThinkingFormatZai,
    /// Thinking is asked for in Baseten's way.
    ThinkingFormatBaseten,
    /// Streams are not offered.
    NoStreaming,
    /// Only the responses API serves it. Also set where the catalogue's `endpoints` are `responses` alone.
    ResponsesOnly,
}

impl Trait {
    /// Every trait.
    pub const ALL: [Self; 21] = [
        Self::NoDeveloperRole,
        Self::ThinkingFormatOpenrouter,
        Self::AdaptiveThinking,
        Self::NoSamplingParams,
        Self::NoPrefill,
        Self::OutputConfig,
        Self::MidConversationSystem,
        Self::ThinkingAlwaysOn,
        Self::MaxTokensField,
        Self::NoReasoningEffort,
        Self::NoForcedToolUse,
        Self::ReplayReasoningContent,
        Self::BudgetThinking,
        Self::ThinkingFormatOpenai,
        Self::ThinkingFormatTogether,
        Self::NoSystem,
        Self::ThinkingFormatDeepseek,
        Self::ThinkingFormatZai,
        Self::ThinkingFormatBaseten,
        Self::NoStreaming,
        Self::ResponsesOnly,
    ];

    /// The name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDeveloperRole => "no_developer_role",
            Self::ThinkingFormatOpenrouter => "thinking_format:openrouter",
            Self::AdaptiveThinking => "adaptive_thinking",
            Self::NoSamplingParams => "no_sampling_params",
            Self::NoPrefill => "no_prefill",
            Self::OutputConfig => "output_config",
            Self::MidConversationSystem => "mid_conversation_system",
            Self::ThinkingAlwaysOn => "thinking_always_on",
            Self::MaxTokensField => "max_tokens_field",
            Self::NoReasoningEffort => "no_reasoning_effort",
            Self::NoForcedToolUse => "no_forced_tool_use",
            Self::ReplayReasoningContent => "replay_reasoning_content",
            Self::BudgetThinking => "budget_thinking",
            Self::ThinkingFormatOpenai => "thinking_format:openai",
            Self::ThinkingFormatTogether => "thinking_format:together",
            Self::NoSystem => "no_system",
            Self::ThinkingFormatDeepseek => "thinking_format:deepseek",
            Self::ThinkingFormatZai => "thinking_format:zai",
            Self::ThinkingFormatBaseten => "thinking_format:baseten",
            Self::NoStreaming => "no_streaming",
            Self::ResponsesOnly => "responses_only",
        }
    }

    /// The trait of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Its bit in a set.
    pub const fn bit(self) -> u32 {
        1 << (self as u8)
    }
}

/// A set of traits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Traits(u32);

impl Traits {
    /// The set with nothing in it.
    pub const NONE: Self = Self(0);

    /// The set whose bits are `bits`, bit *n* being the *n*th of `Trait::ALL`.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// This set and one more.
    pub const fn with(self, one: Trait) -> Self {
        Self(self.0 | one.bit())
    }

    /// Whether it is in the set.
    pub const fn has(self, one: Trait) -> bool {
        self.0 & one.bit() != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of `Trait::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Trait> {
        Trait::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

impl fmt::Debug for Traits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter().map(Trait::name)).finish()
    }
}
