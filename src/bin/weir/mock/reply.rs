//! What a mock answers, whatever family it goes out in: blocks, the reason of the end and usage, all a function of the
//! request. Not how a family writes it: see the children.

use serde_json::{Value, json};

use super::ask::{Ask, Choice, Output, Tool, signature};
use super::json::fingerprint;
use super::sample::sample;

pub mod anthropic;
pub mod chat;
pub mod cohere;
pub mod converse;
pub mod gemini;
pub mod responses;

/// What a mock's answers look like when no fault says otherwise.
#[derive(Clone, Debug)]
pub struct Style {
    /// The name it gives in its answers.
    pub provider: String,
    /// Content events of a streamed text.
    pub chunks: usize,
    /// Pause before each content event.
    pub chunk_delay_ms: u64,
    /// Least length of the answer's text.
    pub answer_bytes: usize,
}

/// How the answer to one request is shaped, after faults.
pub struct Shape {
    pub chunks: usize,
    pub answer_bytes: usize,
    pub no_usage: bool,
}

/// One part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Thinking { text: String, signature: String },
    Text(String),
    Refusal(String),
    Call(Call),
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which of the answer's calls it is, from 0.
    pub index: usize,
    pub name: String,
    /// JSON text, or plain text for a tool that takes text.
    pub arguments: String,
    pub takes_text: bool,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    Stop,
    Length,
    Calls,
    Refusal,
    /// The prompt itself was refused, where a family tells that apart.
    Blocked,
}

/// Tokens, on one convention: the prompt includes what was cached and written, the completion includes reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub prompt: usize,
    pub cached: usize,
    pub written: usize,
    pub completion: usize,
    pub reasoning: usize,
}

impl Usage {
    /// A token for every four bytes, a quarter of the prompt from the cache, an eighth of it written to the cache if the
    /// request marks something, an eighth of the answer spent on reasoning.
    pub fn of(body_bytes: usize, answer_bytes: usize, marks_cache: bool) -> Self {
        let prompt = body_bytes.div_ceil(4);
        let completion = answer_bytes.div_ceil(4);
        let written = if marks_cache { prompt / 8 } else { 0 };
        Self { prompt, cached: prompt / 4, written, completion, reasoning: completion / 8 }
    }

    pub fn total(&self) -> usize {
        self.prompt.saturating_add(self.completion)
    }

    /// The prompt without what the cache read and wrote, as Anthropic and Bedrock count it.
    pub fn fresh(&self) -> usize {
        self.prompt.saturating_sub(self.cached).saturating_sub(self.written)
    }
}

/// One answer, whole.
pub struct Reply {
    /// FNV-1a of the request's body.
    pub hash: u64,
    pub created: u64,
    pub model: String,
    pub blocks: Vec<Block>,
    pub finish: Finish,
    /// `None` when a fault withholds it.
    pub usage: Option<Usage>,
    /// Content events of a streamed text.
    pub chunks: usize,
    pub ask: Ask,
    /// The request's body, for families that repeat parts of it.
    pub asked: Value,
}

/// What thinking says.
const THOUGHT: &str = "The question is about water; the answer is to be short and to name its provider.";
/// What a refusal says.
pub const REFUSAL: &str = "I cannot help with that: the mock was asked to refuse.";

impl Reply {
    /// The answer of `provider` to a request. `family` binds the signatures.
    pub fn new(provider: &str, family: &str, ask: Ask, asked: Value, body: &[u8], shape: &Shape) -> Self {
        let hash = fingerprint(body);
        let mut blocks = Vec::new();
        if ask.says("think") {
            blocks.push(Block::Thinking { text: THOUGHT.to_owned(), signature: signature(family, THOUGHT) });
        }
        let said = || said(provider, &ask, hash, shape);
        let finish = if ask.says("refuse") {
            blocks.push(Block::Refusal(REFUSAL.to_owned()));
            if ask.says("refuse the prompt") { Finish::Blocked } else { Finish::Refusal }
        } else {
            let calls = calls(&ask);
            if calls.is_empty() {
                blocks.push(Block::Text(said()));
                if ask.says("long") { Finish::Length } else { Finish::Stop }
            } else {
                if ask.says("say so") {
                    blocks.push(Block::Text(said()));
                }
                blocks.extend(calls.into_iter().map(Block::Call));
                Finish::Calls
            }
        };
        let bytes = blocks.iter().map(Block::size).sum();
        let usage = (!shape.no_usage).then(|| Usage::of(body.len(), bytes, ask.marks_cache));
        let (model, created) = (ask.model.clone(), 1_760_000_000_u64.saturating_add(hash % 1_000_000));
        Self { hash, created, model, blocks, finish, usage, chunks: shape.chunks.max(1), ask, asked }
    }

    /// The calls among the blocks.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.blocks.iter().filter_map(|block| if let Block::Call(call) = block { Some(call) } else { None })
    }

    /// The texts among the blocks, refusals apart.
    pub fn text(&self) -> Option<&str> {
        self.blocks.iter().find_map(|block| if let Block::Text(text) = block { Some(text.as_str()) } else { None })
    }

    /// The refusal among the blocks.
    pub fn refusal(&self) -> Option<&str> {
        self.blocks.iter().find_map(|block| if let Block::Refusal(text) = block { Some(text.as_str()) } else { None })
    }

    /// The thinking among the blocks.
    pub fn thinking(&self) -> Option<&str> {
        self.blocks
            .iter()
            .find_map(|block| if let Block::Thinking { text, .. } = block { Some(text.as_str()) } else { None })
    }
}

impl Block {
    fn size(&self) -> usize {
        match self {
            Self::Thinking { text, .. } | Self::Text(text) | Self::Refusal(text) => text.len(),
            Self::Call(call) => call.arguments.len(),
        }
    }
}

/// Pieces that short parts of an answer are streamed in.
pub const FRAGMENTS: usize = 3;

/// The text of an answer: which provider it is and what arrived, or JSON if that was asked for.
fn said(provider: &str, ask: &Ask, hash: u64, shape: &Shape) -> String {
    match &ask.output {
        Output::Schema(schema) => return sample(schema).to_string(),
        Output::Json => return json!({"provider": provider, "model": ask.model}).to_string(),
        Output::Text => {}
    }
    let mut text = format!("provider {provider} model {} request {hash:016x}.", ask.model);
    for outcome in &ask.results {
        text.push_str(if outcome.is_error { " The tool failed: " } else { " The tool said: " });
        text.push_str(&outcome.text);
    }
    while text.len() < shape.answer_bytes.max(shape.chunks) {
        text.push_str(" The river carries no water of its own, it only measures.");
    }
    text
}

/// The calls that an answer makes.
fn calls(ask: &Ask) -> Vec<Call> {
    let named = |name: &str| ask.tools.iter().find(|tool| tool.name == name);
    let has_result_of = |name: &str| ask.results.iter().any(|result| result.tool == name || result.tool.is_empty());
    let wanted: Vec<&Tool> = match &ask.choice {
        Choice::Never => Vec::new(),
        Choice::Named(name) if has_result_of(name) => Vec::new(),
        Choice::Named(name) => named(name).into_iter().collect(),
        // The one tool there is has not been called yet: an answer in its form is what is wanted.
        Choice::Must if ask.tools.first().is_some_and(|tool| ask.tools.len() == 1 && !has_result_of(&tool.name)) => {
            ask.tools.iter().collect()
        }
        // A model that must call something calls again; a mock that did would keep an agent going for ever.
        Choice::Auto | Choice::Must if !ask.results.is_empty() => Vec::new(),
        Choice::Auto | Choice::Must => asked_for(ask),
    };
    let given = ask.after("use the tool").and_then(given_arguments);
    let call = |(index, tool): (usize, &Tool)| Call {
        index,
        name: tool.name.clone(),
        arguments: match &given {
            Some(arguments) if index == 0 => arguments.clone(),
            _ if tool.takes_text => "Oslo".to_owned(),
            _ => sample(&tool.schema).to_string(),
        },
        takes_text: tool.takes_text,
    };
    wanted.into_iter().enumerate().map(call).collect()
}

/// The tools that the user's text asks for: `two tools`, `use the tool`, `use the tool NAME`.
fn asked_for(ask: &Ask) -> Vec<&Tool> {
    if ask.says("two tools") && ask.parallel {
        return ask.tools.iter().take(2).collect();
    }
    let Some(rest) = ask.after("use the tool") else {
        let must = ask.choice == Choice::Must || ask.says("two tools");
        return ask.tools.iter().take(usize::from(must)).collect();
    };
    let word = rest.split_whitespace().next().unwrap_or_default();
    let word = word.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let named = ask.tools.iter().find(|tool| tool.name == word);
    named.or_else(|| ask.tools.first()).into_iter().collect()
}

/// Arguments that the user's text gives itself: `use the tool NAME with {…}`.
fn given_arguments(rest: &str) -> Option<String> {
    let start = rest.find(" with {")?.saturating_add(" with ".len());
    let mut values = serde_json::Deserializer::from_str(rest.get(start..)?).into_iter::<Value>();
    values.next()?.ok().map(|arguments| arguments.to_string())
}

/// One event of a stream, ready for the wire.
pub struct Event {
    pub bytes: Vec<u8>,
    /// Whether it brings content: such events are counted and paced.
    pub is_content: bool,
}

impl Event {
    pub fn content(bytes: Vec<u8>) -> Self {
        Self { bytes, is_content: true }
    }

    pub fn frame(bytes: Vec<u8>) -> Self {
        Self { bytes, is_content: false }
    }
}
