//! What of a request can be lost between two wire formats: the names that clients see in `x-weir-lost`.

use std::fmt;

macro_rules! features {
    ($(($feature:ident, $name:literal, $weight:ident, $doc:literal),)*) => {
        /// One thing that a request asks for and a wire format, or a model, may have no word for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Feature { $(#[doc = $doc] $feature),* }

        impl Feature {
            /// Every feature.
            pub const ALL: &[Self] = &[$(Self::$feature),*];

            /// Its name in `x-weir-lost`, records and errors.
            pub fn name(self) -> &'static str {
                match self { $(Self::$feature => $name),* }
            }

            /// What its loss means.
            pub fn weight(self) -> Weight {
                match self { $(Self::$feature => Weight::$weight),* }
            }
        }
    };
}

/// What the loss of a feature means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The answer, or its price, may be another: such a target is avoided (`on_loss: avoid`) or rejected.
    Answer,
    /// Only somebody's records are poorer: the loss is named and nothing else.
    Record,
}

features! {
    (Temperature, "temperature", Answer, "The model takes no temperature."),
    (TopP, "top_p", Answer, "`top_p`."),
    (TopK, "top_k", Answer, "`top_k`."),
    (FrequencyPenalty, "frequency_penalty", Answer, "`frequency_penalty`."),
    (PresencePenalty, "presence_penalty", Answer, "`presence_penalty`."),
    (Seed, "seed", Answer, "`seed`."),
    (Stop, "stop", Answer, "Stop sequences."),
    (Choices, "n", Answer, "Several answers to one request."),
    (Logprobs, "logprobs", Answer, "Probabilities of tokens."),
    (LogitBias, "logit_bias", Answer, "`logit_bias`."),
    (Prediction, "prediction", Answer, "`prediction`."),
    (Verbosity, "verbosity", Answer, "`verbosity`."),
    (JsonObject, "json_object", Answer, "An answer in JSON."),
    (JsonSchema, "json_schema", Answer, "An answer by a schema."),
    (StrictTools, "strict", Answer, "`strict` on a tool."),
    (ToolChoice, "tool_choice", Answer, "A caller-chosen tool, or the choice of none."),
    (ParallelCalls, "parallel_tool_calls", Answer, "The wish for one call at a time."),
    (CustomTools, "custom_tool", Answer, "The grammar of OpenAI's custom tools."),
    (HostedTools, "hosted_tool", Answer, "Tools that the vendor runs."),
    (WebSearch, "web_search", Answer, "The vendor's web search."),
    (ReasoningDepth, "reasoning", Answer, "How much the model thinks."),
    (Thoughts, "thinking", Answer, "Thoughts of earlier turns, or their seals."),
    (Image, "image", Answer, "Images."),
    (ImageDetail, "image_detail", Answer, "The detail of an image."),
    (RemoteMedia, "media_url", Answer, "A medium behind a URL."),
    (StoredFile, "file_id", Answer, "A file in one vendor's store."),
    (Document, "document", Answer, "Documents."),
    (AudioIn, "audio_in", Answer, "Sound that the model hears."),
    (AudioOut, "audio_out", Answer, "Sound that the model makes."),
    (Video, "video", Answer, "Moving pictures."),
    (MediaInResult, "tool_result_media", Answer, "Images and documents in a tool's result."),
    (FailedResult, "is_error", Answer, "That a tool failed, as more than a word in its text."),
    (LateSystem, "late_system", Answer, "A system turn in the middle: it becomes a user turn."),
    (Prefill, "prefill", Answer, "A beginning of the answer to be continued."),
    (Citations, "citations", Answer, "The wish for citations, or those of earlier turns."),
    (CacheMark, "cache_control", Answer, "Marks for the prompt cache."),
    (CacheLong, "cache_ttl", Answer, "A longer life in the prompt cache."),
    (CacheKey, "prompt_cache_key", Record, "A key that routes to a warm cache."),
    (Conversation, "previous_response_id", Answer, "A conversation that the vendor stores."),
    (PromptTemplate, "prompt", Answer, "A prompt that the vendor stores."),
    (Background, "background", Answer, "An answer in the background."),
    (Truncation, "truncation", Answer, "Cutting the conversation to fit."),
    (ContextManagement, "context_management", Answer, "The vendor's management of the context."),
    (Safety, "safety_settings", Answer, "The vendor's filters."),
    (TokenInput, "token_input", Answer, "An embedding's input as tokens."),
    (EmbeddingTask, "task_type", Answer, "What an embedding is for."),
    (Dimensions, "dimensions", Answer, "The length of an embedding's vectors."),
    (ServiceTier, "service_tier", Record, "The vendor's service tier."),
    (User, "user", Record, "Who asks."),
    (Name, "name", Record, "The names of speakers."),
    (Metadata, "metadata", Record, "Pairs for the vendor's records."),
    (Store, "store", Record, "Whether the vendor stores the exchange."),
    (Include, "include", Record, "Extra output of the vendor's own tools."),
    (Unknown, "unknown_members", Answer, "Members that Weir does not know."),
}

/// A set of features.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u64);

const _: () = assert!(Feature::ALL.len() <= 64, "`Features` keeps one bit each");

impl Features {
    /// The set with nothing in it.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub fn insert(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u8;
    }

    /// Whether it is in the set.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u8) != 0
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of `Feature::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.iter().copied().filter(move |feature| self.has(*feature))
    }

    /// Those whose loss may change the answer.
    pub fn weighty(self) -> Self {
        self.iter().filter(|feature| feature.weight() == Weight::Answer).collect()
    }
}

impl FromIterator<Feature> for Features {
    fn from_iter<I: IntoIterator<Item = Feature>>(members: I) -> Self {
        let mut all = Self::NONE;
        members.into_iter().for_each(|feature| all.insert(feature));
        all
    }
}

/// As in `x-weir-lost`: `seed,cache_control`.
impl fmt::Display for Features {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, feature) in self.iter().enumerate() {
            if index > 0 {
                out.write_str(",")?;
            }
            out.write_str(feature.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{self}]")
    }
}
