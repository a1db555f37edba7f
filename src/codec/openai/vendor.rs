//! What vendors of OpenAI-compatible APIs want differently, as one table. Facts only; who writes and edits requests acts
//! on them.
//!
//! A model's traits (`Trait`) come before its vendor's row.

use crate::chat::feature::Feature;
use crate::chat::traits::Trait;
use crate::codec::wire::Shape;

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `reasoning_effort`.
    Effort,
    /// `reasoning{effort|max_tokens|enabled, exclude}`.
    OpenRouter,
    /// `thinking{type}`, and `reasoning_effort`.
    DeepSeek,
    /// `thinking{type}`.
    Switch,
    /// `enable_thinking`, `thinking_budget`.
    Qwen,
    /// `reasoning{enabled}`, and `reasoning_effort`.
    Together,
    /// `chat_template_kwargs{enable_thinking}`.
    Template,
}

/// How cache marks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// They are not, or only as OpenAI's newest models take them.
    ByModel,
    /// `cache_control` on a part.
    CacheControl,
}

/// What becomes of an assistant turn at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefill {
    /// The model takes it for an answer of its own and begins anew.
    Ignored,
    /// The model goes on with it.
    Continued,
    /// The model goes on with it when this member is true.
    Member(&'static str),
}

/// How documents are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Documents {
    /// Not at all.
    None,
    /// `file{file_data}`.
    File,
    /// `file{file_data}`, which may be a URL.
    FileOrUrl,
    /// `document_url`.
    DocumentUrl,
}

/// One vendor's ways.
#[derive(Debug)]
pub(super) struct Vendor {
    /// Its names in the catalogue.
    names: &'static [&'static str],
    /// The output limit is `max_completion_tokens`.
    new_limit: bool,
    /// Features whose members are refused there, or mean nothing.
    refuses: &'static [Feature],
    pub(super) format: Format,
    pub(super) marks: Marks,
    pub(super) prefill: Prefill,
    pub(super) documents: Documents,
    /// `stream_options` is refused, or usage comes unasked.
    pub(super) no_stream_options: bool,
    /// Members that it does not know are refused, not ignored.
    strict: bool,
    /// Contents of text alone must be strings.
    pub(super) flat_text: bool,
    /// Turns must alternate between user and assistant.
    alternates: bool,
    /// Call ids are nine letters and digits.
    pub(super) short_ids: bool,
    /// `null` members of messages are refused.
    pub(super) no_nulls: bool,
    /// The word for "at least one tool"; `None` where it is refused.
    pub(super) required: Option<&'static str>,
    /// The highest temperature.
    pub(super) max_temperature: f64,
}

const OPENAI: Vendor = Vendor {
    names: &["openai", "azure", "azure_ai"],
    new_limit: true,
    refuses: &[Feature::TopK, Feature::Video],
    format: Format::Effort,
    marks: Marks::ByModel,
    prefill: Prefill::Ignored,
    documents: Documents::File,
    no_stream_options: false,
    strict: false,
    flat_text: false,
    alternates: false,
    short_ids: false,
    no_nulls: false,
    required: Some("required"),
    max_temperature: 2.0,
};

/// Vendors of whom nothing is known: what OpenAI alone has is left out.
const OTHERS: Vendor = Vendor {
    names: &[],
    new_limit: false,
    refuses: &[
        Feature::Verbosity,
        Feature::Store,
        Feature::Metadata,
        Feature::ServiceTier,
        Feature::CacheKey,
        Feature::WebSearch,
        Feature::Video,
    ],
    prefill: Prefill::Ignored,
    documents: Documents::File,
    flat_text: true,
    ..OPENAI
};

const VENDORS: &[Vendor] = &[
    OPENAI,
    Vendor {
        names: &["mistral"],
        refuses: &[
            Feature::LogitBias,
            Feature::Logprobs,
            Feature::Verbosity,
            Feature::Store,
            Feature::User,
            Feature::Name,
            Feature::StrictTools,
            Feature::WebSearch,
            Feature::Video,
        ],
        prefill: Prefill::Member("prefix"),
        documents: Documents::DocumentUrl,
        no_stream_options: true,
        strict: true,
        flat_text: false,
        short_ids: true,
        max_temperature: 1.5,
        ..OTHERS
    },
    Vendor {
        names: &["groq"],
        new_limit: true,
        refuses: &[
            Feature::LogitBias,
            Feature::Logprobs,
            Feature::Choices,
            Feature::TopK,
            Feature::Verbosity,
            Feature::Store,
            Feature::Metadata,
            Feature::CacheKey,
            Feature::WebSearch,
            Feature::Document,
            Feature::Video,
        ],
        prefill: Prefill::Continued,
        documents: Documents::None,
        strict: true,
        no_nulls: true,
        ..OTHERS
    },
    Vendor {
        names: &["xai"],
        new_limit: true,
        refuses: &[
            Feature::LogitBias,
            Feature::TopK,
            Feature::StrictTools,
            Feature::Name,
            Feature::Verbosity,
            Feature::Store,
            Feature::Metadata,
            Feature::CacheKey,
            Feature::WebSearch,
            Feature::Video,
        ],
        ..OTHERS
    },
    Vendor {
        names: &["openrouter"],
        refuses: &[Feature::Store, Feature::CacheKey],
        format: Format::OpenRouter,
        marks: Marks::CacheControl,
        prefill: Prefill::Continued,
        documents: Documents::FileOrUrl,
        flat_text: false,
        ..OTHERS
    },
    Vendor { names: &["deepseek"], format: Format::DeepSeek, refuses: DEEPSEEK, documents: Documents::None, ..OTHERS },
    Vendor {
        names: &["moonshot"],
        format: Format::Switch,
        refuses: MOONSHOT,
        prefill: Prefill::Member("partial"),
        documents: Documents::None,
        required: None,
        max_temperature: 1.0,
        ..OTHERS
    },
    Vendor {
        names: &["fireworks"],
        documents: Documents::None,
        prefill: Prefill::Continued,
        required: Some("any"),
        ..OTHERS
    },
    Vendor {
        names: &["together"],
        format: Format::Together,
        refuses: NO_STRICT,
        documents: Documents::None,
        prefill: Prefill::Continued,
        ..OTHERS
    },
    Vendor {
        names: &["dashscope"],
        format: Format::Qwen,
        marks: Marks::CacheControl,
        refuses: TAKES_VIDEO,
        documents: Documents::None,
        flat_text: true,
        ..OTHERS
    },
    Vendor {
        names: &["zai", "zhipu"],
        format: Format::Switch,
        refuses: ZAI,
        documents: Documents::None,
        max_temperature: 1.0,
        ..OTHERS
    },
    Vendor { names: &["minimax"], format: Format::Switch, documents: Documents::None, max_temperature: 1.0, ..OTHERS },
    Vendor {
        names: &["nvidia_nim"],
        format: Format::Template,
        strict: true,
        refuses: NO_STRICT,
        documents: Documents::None,
        ..OTHERS
    },
    Vendor { names: &["baseten"], format: Format::Template, documents: Documents::None, ..OTHERS },
    Vendor {
        names: &["cerebras"],
        new_limit: true,
        strict: true,
        refuses: CEREBRAS,
        documents: Documents::None,
        ..OTHERS
    },
    Vendor { names: &["sambanova"], refuses: SAMBANOVA, documents: Documents::None, ..OTHERS },
    Vendor { names: &["ollama"], refuses: OLLAMA, documents: Documents::None, ..OTHERS },
    Vendor {
        names: &["perplexity"],
        refuses: PERPLEXITY,
        no_stream_options: true,
        alternates: true,
        documents: Documents::None,
        ..OTHERS
    },
    Vendor {
        names: &["cohere"],
        refuses: COHERE,
        no_stream_options: true,
        documents: Documents::None,
        max_temperature: 1.0,
        ..OTHERS
    },
    Vendor { names: &["gemini", "vertex"], refuses: GEMINI, ..OTHERS },
    Vendor { names: &["cloudflare", "huggingface", "databricks"], documents: Documents::None, ..OTHERS },
];

macro_rules! refusals {
    ($($name:ident = [$($feature:ident),*];)*) => {
        $(const $name: &[Feature] = &[
            Feature::Verbosity,
            Feature::Store,
            Feature::Metadata,
            Feature::ServiceTier,
            Feature::CacheKey,
            Feature::WebSearch,
            $(Feature::$feature),*
        ];)*
    };
}

// What each refuses beyond what OpenAI alone has.
refusals! {
    DEEPSEEK = [Seed, Choices, LogitBias, Prediction, TopK, JsonSchema, AudioIn, Video];
    MOONSHOT = [Seed, LogitBias, Prediction, TopK, Logprobs, RemoteMedia];
    NO_STRICT = [StrictTools, Prediction, Video];
    TAKES_VIDEO = [LogitBias, Prediction];
    ZAI = [Seed, Choices, LogitBias, Prediction, Logprobs, FrequencyPenalty, PresencePenalty, TopK];
    CEREBRAS = [FrequencyPenalty, PresencePenalty, LogitBias, Choices, TopK, Prediction, Video];
    SAMBANOVA = [Seed, FrequencyPenalty, PresencePenalty, Logprobs, Choices, LogitBias, Prediction, Video];
    OLLAMA = [LogitBias, Logprobs, Choices, User, ToolChoice, RemoteMedia, Prediction, TopK, Video];
    PERPLEXITY = [Seed, Stop, Logprobs, LogitBias, Choices, User, Name, Prediction, AudioIn, Video];
    COHERE = [Choices, LogitBias, User, Name, TopK, ParallelCalls, Prediction, AudioIn, Video];
    GEMINI = [LogitBias, User, Prediction, StrictTools, TopK];
}

/// The ways of a target's vendor.
pub(super) fn of(shape: &Shape<'_>) -> &'static Vendor {
    VENDORS.iter().find(|vendor| vendor.names.contains(&shape.vendor)).unwrap_or(&OTHERS)
}

impl Vendor {
    /// Whether the member of a feature is refused there, or means nothing.
    pub(super) fn refuses(&self, feature: Feature) -> bool {
        self.refuses.contains(&feature)
    }

    /// Whether a client's own request must do without the member of a feature. Members that OpenAI alone has are ignored
    /// by most.
    pub(super) fn cannot_stand(&self, feature: Feature) -> bool {
        const OPENAI_ALONE: [Feature; 5] =
            [Feature::Verbosity, Feature::Store, Feature::Metadata, Feature::ServiceTier, Feature::CacheKey];
        self.refuses(feature) && (self.strict || !OPENAI_ALONE.contains(&feature))
    }

    /// Whether it has a row of its own.
    pub(super) fn is_known(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether it is OpenAI, or Azure, whose API is OpenAI's.
    pub(super) fn is_openai(&self) -> bool {
        self.names == OPENAI.names
    }

    /// The name of the output limit.
    pub(super) fn limit(&self, shape: &Shape<'_>) -> &'static str {
        if self.new_limit && !shape.is(Trait::MaxTokensField) { "max_completion_tokens" } else { "max_tokens" }
    }

    /// How the model is told to think.
    pub(super) fn format(&self, shape: &Shape<'_>) -> Format {
        let by_trait = [
            (Trait::ThinkingFormatOpenai, Format::Effort),
            (Trait::ThinkingFormatOpenrouter, Format::OpenRouter),
            (Trait::ThinkingFormatDeepseek, Format::DeepSeek),
            (Trait::ThinkingFormatZai, Format::Switch),
            (Trait::ThinkingFormatTogether, Format::Together),
            (Trait::ThinkingFormatBaseten, Format::Template),
        ];
        by_trait.into_iter().find(|(one, _)| shape.is(*one)).map_or(self.format, |(_, format)| format)
    }

    /// Whether turns of the same speaker must be joined: where turns must alternate, and where the operator's words
    /// become the user's.
    pub(super) fn alternates(&self, shape: &Shape<'_>) -> bool {
        self.alternates || shape.is(Trait::NoSystem)
    }

    /// Whether a tool can be forced.
    pub(super) fn forces(&self, shape: &Shape<'_>) -> bool {
        self.required.is_some() && !shape.is(Trait::NoForcedToolUse)
    }
}

#[cfg(test)]
mod tests {
    use super::{OTHERS, VENDORS, of};
    use crate::chat::family::ApiFamily;
    use crate::chat::traits::{Trait, Traits};
    use crate::codec::wire::Shape;

    #[test]
    fn every_vendor_stands_once() {
        let mut names: Vec<&str> = VENDORS.iter().flat_map(|vendor| vendor.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_limit_has_the_name_that_vendor_and_model_want() {
        for (vendor, traits, name) in [
            ("openai", Traits::NONE, "max_completion_tokens"),
            ("openai", Traits::NONE.with(Trait::MaxTokensField), "max_tokens"),
            ("mistral", Traits::NONE, "max_tokens"),
            ("groq", Traits::NONE, "max_completion_tokens"),
            ("somebody", Traits::NONE, "max_tokens"),
        ] {
            let api = ApiFamily::OpenAi;
            let shape = Shape { model: "m", api, vendor, traits, capabilities: None, max_output: None };
            assert_eq!(of(&shape).limit(&shape), name, "{vendor}");
        }
        assert!(!OTHERS.is_openai());
    }
}
