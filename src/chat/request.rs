//! A request to a model in the form between the wire formats. It borrows from the body it was read from.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use crate::chat::part::{CacheMark, Part};
use crate::chat::prose::{Json, Prose};
use crate::chat::wire::Wire;

/// A request for one answer.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The model that the body names, and where its JSON string stands; `None` where the path names it.
    pub model: Option<(Cow<'a, str>, Range<usize>)>,
    /// Whether the body asks for a stream (in Gemini the path does).
    pub stream: bool,
    /// The conversation, system prompts included, in the order written.
    pub turns: Vec<Turn<'a>>,
    /// Tools the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Which of them.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls may stand in one answer; `None` when the request does not say.
    pub parallel_calls: Option<bool>,
    /// The form of the answer.
    pub output: Output<'a>,
    /// The longest answer in tokens, reasoning included.
    pub max_output: Option<u64>,
    /// How words are drawn.
    pub sampling: Sampling<'a>,
    /// How much the model thinks.
    pub reasoning: Reasoning,
    /// Anthropic's top-level `cache_control`: mark the last block that can be cached.
    pub cache_all: Option<CacheMark>,
    /// A key that routes like prompts to a warm cache.
    pub cache_key: Option<Prose<'a>>,
    /// Who asks, as the client names its own user.
    pub user: Option<Prose<'a>>,
    /// The vendor's service tier, in the words of the wire it came from.
    pub service_tier: Option<Cow<'a, str>>,
    /// Pairs for the vendor's own records: a JSON object.
    pub metadata: Option<Json<'a>>,
    /// Whether the vendor is to store the exchange, where the request says so.
    pub store: Option<bool>,
    /// How wordy the answer is: `low`, `medium`, `high`.
    pub verbosity: Option<Cow<'a, str>>,
    /// Whether the vendor may search the web.
    pub web_search: bool,
    /// Members that mean nothing to other wires. Each names the feature that is lost.
    pub foreign: Vec<Foreign<'a>>,
}

/// A member that other wires have no word for.
#[derive(Clone, Debug)]
pub struct Foreign<'a> {
    /// What is lost with it.
    pub feature: crate::chat::feature::Feature,
    /// Whose it is: encoders of this wire may write it again.
    pub wire: Wire,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: Json<'a>,
}

/// One turn.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// Whose.
    pub role: Role,
    /// What is said; never empty after `decode`, except where the wire itself has an empty turn.
    pub parts: Vec<Part<'a>>,
    /// The speaker's name, where the wire has one.
    pub name: Option<Prose<'a>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator: system prompts, and OpenAI's `developer`.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Tools: the turn holds `Content::Result` parts and nothing else. Decoders of wires that mix results with the
    /// user's words make two turns of it, results first; encoders of such wires join what follows each other.
    Tool,
}

/// A tool.
#[derive(Clone, Debug)]
pub enum Tool<'a> {
    /// A function of the client's.
    Function {
        /// Its name.
        name: Cow<'a, str>,
        /// What it does.
        description: Option<Prose<'a>>,
        /// The JSON schema of its argument; `None` when it takes none.
        parameters: Option<Json<'a>>,
        /// Whether arguments must follow the schema; `None` when the request does not say.
        strict: Option<bool>,
        /// A mark behind which the vendor is to cache the prompt.
        cache: Option<CacheMark>,
    },
    /// OpenAI's custom tool: free text in.
    Custom {
        /// Its name.
        name: Cow<'a, str>,
        /// What it does.
        description: Option<Prose<'a>>,
        /// `format`, as written.
        format: Option<Json<'a>>,
    },
    /// A tool that the vendor runs, or one in a shape that only this wire has.
    Hosted {
        /// Whose.
        wire: Wire,
        /// Its `type`.
        kind: Cow<'a, str>,
        /// The whole tool as it was written.
        raw: Json<'a>,
        /// Whether it is a web search, which most vendors have.
        web_search: bool,
    },
}

/// Which tools the model may call.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice<'a> {
    /// Its choice.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    One(Cow<'a, str>),
    /// These, as it likes.
    Some(Vec<Cow<'a, str>>),
    /// At least one of these.
    SomeRequired(Vec<Cow<'a, str>>),
}

impl ToolChoice<'_> {
    /// The tools that the model may choose among, where some are named.
    pub fn subset(&self) -> Option<HashSet<&str>> {
        match self {
            Self::Some(names) | Self::SomeRequired(names) => Some(names.iter().map(AsRef::as_ref).collect()),
            Self::Auto | Self::None | Self::Required | Self::One(_) => None,
        }
    }
}

/// The form of the answer.
#[derive(Clone, Debug, Default)]
pub enum Output<'a> {
    /// Text.
    #[default]
    Text,
    /// Any JSON.
    Json,
    /// JSON by a schema.
    Schema {
        /// The schema's name, where the wire has one.
        name: Option<Cow<'a, str>>,
        /// What it is.
        description: Option<Prose<'a>>,
        /// The schema.
        schema: Json<'a>,
        /// Whether it must be followed to the letter.
        strict: Option<bool>,
    },
}

/// How words are drawn. Ranges are those of the wire that was read; encoders fit them to theirs.
#[derive(Clone, Debug, Default)]
pub struct Sampling<'a> {
    /// 0 to 2 at OpenAI and Gemini, 0 to 1 elsewhere.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// The number of likeliest tokens.
    pub top_k: Option<u64>,
    /// −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// −2 to 2.
    pub presence_penalty: Option<f64>,
    /// For answers that can be had again.
    pub seed: Option<i64>,
    /// Texts at which the answer ends.
    pub stop: Vec<Prose<'a>>,
    /// Answers asked for; `None` is one.
    pub choices: Option<u32>,
    /// Whether probabilities are asked for, and of how many tokens at each place.
    pub logprobs: Option<u32>,
}

/// How much the model thinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How much; `None` leaves it to the model.
    pub depth: Option<Depth>,
    /// Whether the thoughts (or their summary) are to be shown; `None` leaves it to the vendor.
    pub shown: Option<bool>,
}

/// How much a model thinks. At most one kind is said; wires that have the other convert (see `codec::effort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Not at all.
    Off,
    /// In words.
    Effort(Effort),
    /// In tokens.
    Budget(u64),
    /// As much as it finds right (Anthropic's `adaptive`, Gemini's −1).
    Adaptive,
}

/// How much a model thinks, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Usually.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as it can.
    Max,
}

impl Effort {
    /// Every effort, the least first.
    pub const ALL: [Self; 6] = [Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// Its name at OpenAI and Anthropic.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }
}
