//! The conversation as Converse takes it: system prompts, and turns of user and assistant that alternate, hold no blank
//! text, and keep all results of a turn together at its front.

use crate::chat::feature::{Feature, Features};
use crate::chat::part::{CacheMark, Call, CallResult, Content, MediaKind, Part, Seal, Thought};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Request, Role, Turn};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::bedrock::arguments::plain;
use crate::codec::bedrock::media::{Medium, document_name, feature, medium};
use crate::codec::bedrock::model::{Maker, caches, is_old_claude, maker};
use crate::codec::wire::{Impossible, Shape};

/// What stands before an assistant's first turn, and after its last where the model takes no beginnings of its answer.
const BEGIN: &str = "Begin.";
const CONTINUE: &str = "Continue.";

/// What stands for the output of a tool that gave none.
const NO_OUTPUT: &str = "(no output)";

/// One block, as it is written.
pub enum Block<'r> {
    /// Text.
    Text(Prose<'r>),
    /// Text behind a word of ours.
    Marked(&'static str, Prose<'r>),
    /// An image, a document, a sound, a film; documents have a number.
    Medium(Medium<'r>, usize),
    /// A call.
    Call(&'r Call<'r>),
    /// What a tool gave back.
    Result {
        /// The call's id.
        id: &'r str,
        /// What it gave.
        content: Vec<Block<'r>>,
        /// Whether it is to be marked as failed.
        failed: bool,
    },
    /// A thought that Claude has signed.
    Thought(&'r Prose<'r>, &'r str),
    /// A thought that is hidden whole.
    Redacted(&'r str),
    /// A mark behind which the prompt is cached.
    Cache(CacheMark),
    /// A block of this format, as it was written.
    Raw(&'r Json<'r>),
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The user's, and what tools gave back.
    User,
    /// The model's.
    Assistant,
}

/// One turn.
pub struct Message<'r> {
    /// Whose.
    pub side: Side,
    /// What is said; never empty.
    pub blocks: Vec<Block<'r>>,
    /// How many of the blocks, at the front, are results and their marks.
    results: usize,
}

/// The conversation.
pub struct History<'r> {
    /// System prompts.
    pub system: Vec<Block<'r>>,
    /// Turns.
    pub messages: Vec<Message<'r>>,
}

/// Decides what of the conversation is written. `thinks` is whether a Claude will think.
///
/// # Errors
/// Media that Converse does not take, and references into another vendor's store.
pub fn plan<'r>(
    request: &'r Request<'r>,
    shape: &Shape<'_>,
    thinks: bool,
    lost: &mut Features,
) -> Result<History<'r>, Impossible> {
    let history = History { system: Vec::new(), messages: Vec::new() };
    let mut planner = Planner { history, shape, thinks, documents: 0, lost };
    for turn in &request.turns {
        planner.turn(turn)?;
    }
    if let Some(mark) = request.cache_all {
        planner.mark_last(mark);
    }
    planner.mend();
    Ok(planner.history)
}

struct Planner<'r, 'p> {
    history: History<'r>,
    shape: &'p Shape<'p>,
    thinks: bool,
    documents: usize,
    lost: &'p mut Features,
}

impl<'r> Planner<'r, '_> {
    fn turn(&mut self, turn: &'r Turn<'r>) -> Result<(), Impossible> {
        if turn.name.is_some() {
            self.lost.insert(Feature::Name);
        }
        let leads = self.history.messages.is_empty() && !self.shape.is(Trait::NoSystem);
        if turn.role == Role::System && !leads && !turn.parts.is_empty() {
            self.lost.insert(Feature::LateSystem);
        }
        for part in &turn.parts {
            match turn.role {
                Role::System if leads => self.system(part)?,
                Role::System | Role::User | Role::Tool => self.said(Side::User, part)?,
                Role::Assistant => self.said(Side::Assistant, part)?,
            }
        }
        Ok(())
    }

    fn system(&mut self, part: &'r Part<'r>) -> Result<(), Impossible> {
        let block = match &part.content {
            Content::Text { text, .. } if text.is_blank() => None,
            Content::Text { text, .. } => Some(Block::Text(text.borrowed())),
            Content::Foreign { wire: Wire::Converse, raw, .. } => Some(Block::Raw(raw)),
            Content::Foreign { kind, .. } => self.foreign(kind)?,
            Content::Media(media) => {
                self.lost.insert(feature(media.kind));
                None
            }
            Content::Call(_) | Content::Result(_) | Content::Thought(_) | Content::Refusal(_) => None,
        };
        self.history.system.extend(block);
        if let Some(mark) = part.cache {
            let mark = self.mark(mark, self.history.system.last());
            self.history.system.extend(mark);
        }
        Ok(())
    }

    fn said(&mut self, side: Side, part: &'r Part<'r>) -> Result<(), Impossible> {
        let is_result = matches!(part.content, Content::Result(_));
        let block = match &part.content {
            Content::Text { text, citations } => {
                if !citations.is_empty() {
                    self.lost.insert(Feature::Citations);
                }
                (!text.is_blank()).then(|| Block::Text(text.borrowed()))
            }
            Content::Refusal(text) => (!text.is_blank()).then(|| Block::Text(text.borrowed())),
            Content::Media(media) if side == Side::Assistant => {
                self.lost.insert(feature(media.kind));
                None
            }
            Content::Media(_) => Some(self.medium(part)?),
            Content::Call(call) => {
                if call.signature.is_some() {
                    self.lost.insert(Feature::Thoughts);
                }
                Some(Block::Call(call))
            }
            Content::Result(result) => Some(self.result(result)?),
            Content::Thought(thought) => self.thought(thought),
            Content::Foreign { wire: Wire::Converse, raw, .. } => Some(Block::Raw(raw)),
            Content::Foreign { kind, .. } => self.foreign(kind)?,
        };
        if let Some(block) = block {
            self.push(side, block, is_result);
        }
        let inner = match &part.content {
            Content::Result(result) => result.parts.iter().find_map(|part| part.cache),
            _ => None,
        };
        if let Some(mark) = part.cache.or(inner) {
            let last = self.history.messages.last().filter(|message| message.side == side);
            let before = last.and_then(|message| match is_result {
                true => message.blocks.get(..message.results).and_then(<[Block<'r>]>::last),
                false => message.blocks.last(),
            });
            if let Some(block) = self.mark(mark, before) {
                self.push(side, block, is_result);
            }
        }
        Ok(())
    }

    /// Adds a block to the turn that is open or opens one. Results go before what is said beside them, as Claude wants.
    fn push(&mut self, side: Side, block: Block<'r>, is_result: bool) {
        let messages = &mut self.history.messages;
        if messages.last().is_none_or(|last| last.side != side) {
            messages.push(Message { side, blocks: Vec::new(), results: 0 });
        }
        let Some(last) = messages.last_mut() else { return };
        if is_result {
            last.blocks.insert(last.results, block);
            last.results += 1;
        } else {
            last.blocks.push(block);
        }
    }

    fn medium(&mut self, part: &'r Part<'r>) -> Result<Block<'r>, Impossible> {
        let Content::Media(media) = &part.content else {
            return Ok(Block::Text(Prose::EMPTY));
        };
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.lost.insert(Feature::ImageDetail);
        }
        self.documents += usize::from(media.kind == MediaKind::Document);
        Ok(Block::Medium(medium(media)?, self.documents))
    }

    fn result(&mut self, result: &'r CallResult<'r>) -> Result<Block<'r>, Impossible> {
        let mut content = Vec::with_capacity(result.parts.len());
        let mut has_media = false;
        for part in &result.parts {
            match &part.content {
                Content::Text { text, .. } | Content::Refusal(text) if text.is_blank() => {}
                Content::Text { text, .. } | Content::Refusal(text) => content.push(Block::Text(text.borrowed())),
                Content::Media(media) if media.kind == MediaKind::Audio => self.lost.insert(Feature::MediaInResult),
                Content::Media(_) => {
                    has_media = true;
                    content.push(self.medium(part)?);
                }
                Content::Foreign { wire: Wire::Converse, raw, .. } => content.push(Block::Raw(raw)),
                Content::Foreign { kind, .. } => content.extend(self.foreign(kind)?),
                Content::Call(_) | Content::Result(_) | Content::Thought(_) => {}
            }
        }
        // Only Claude and Nova know the mark, and Claude takes no media beside it.
        let failed = result.is_error
            && match maker(self.shape) {
                Maker::Anthropic => !has_media,
                Maker::Nova => true,
                Maker::OpenAi | Maker::Other => false,
            };
        if result.is_error && !failed {
            self.lost.insert(Feature::FailedResult);
            content = say_that_it_failed(content);
        }
        if content.is_empty() {
            content.push(Block::Text(Prose::plain(NO_OUTPUT)));
        }
        Ok(Block::Result { id: &result.id, content, failed })
    }

    /// A thought that Claude has signed goes to a Claude that thinks, one that OpenAI's models have hidden to them; all
    /// others are refused.
    fn thought(&mut self, thought: &'r Thought<'r>) -> Option<Block<'r>> {
        let seal = thought.seal.as_ref().filter(|seal| !seal.data.is_empty());
        match (maker(self.shape), seal) {
            (Maker::Anthropic, Some(Seal { wire: Wire::Messages | Wire::Converse, data, redacted, .. }))
                if self.thinks =>
            {
                Some(if *redacted { Block::Redacted(data) } else { Block::Thought(&thought.text, data) })
            }
            (Maker::OpenAi, Some(Seal { wire: Wire::Converse, data, redacted: true, .. })) => {
                Some(Block::Redacted(data))
            }
            _ => {
                self.lost.insert(Feature::Thoughts);
                None
            }
        }
    }

    fn foreign(&mut self, kind: &str) -> Result<Option<Block<'r>>, Impossible> {
        let feature = match kind {
            "item_reference" => {
                let rule = "an item of a stored conversation is known to its vendor alone";
                return Err(Impossible { feature: Feature::Conversation, rule });
            }
            "container_upload" => {
                let rule = "a stored file is known to its vendor alone";
                return Err(Impossible { feature: Feature::StoredFile, rule });
            }
            "search_result" => Feature::Citations,
            _ if kind.contains("web_search") => Feature::WebSearch,
            _ if kind.contains("tool") || kind.contains("call") || kind.contains("code") => Feature::HostedTools,
            _ => Feature::Unknown,
        };
        self.lost.insert(feature);
        Ok(None)
    }

    /// The mark's block, where the model knows it and something stands before it that can be cached.
    fn mark(&self, mark: CacheMark, before: Option<&Block<'r>>) -> Option<Block<'r>> {
        let can = match before {
            None | Some(Block::Thought(..) | Block::Redacted(_) | Block::Cache(_)) => false,
            Some(_) => caches(self.shape),
        };
        can.then_some(Block::Cache(mark))
    }

    fn mark_last(&mut self, mark: CacheMark) {
        let last = self.history.messages.last();
        if matches!(last.and_then(|message| message.blocks.last()), Some(Block::Cache(_))) {
            return;
        }
        let block = self.mark(mark, last.and_then(|message| message.blocks.last()));
        if let (Some(block), Some(message)) = (block, self.history.messages.last_mut()) {
            message.blocks.push(block);
        }
    }

    /// What a conversation must have besides: a user's turn in front, a text beside documents, and an end that the model
    /// can go on from.
    fn mend(&mut self) {
        if self.history.messages.is_empty() && !self.history.system.is_empty() {
            self.lost.insert(Feature::LateSystem);
            let blocks = std::mem::take(&mut self.history.system);
            self.history.messages.push(Message { side: Side::User, blocks, results: 0 });
        }
        if self.history.messages.first().is_some_and(|first| first.side == Side::Assistant) {
            let blocks = vec![Block::Text(Prose::plain(BEGIN))];
            self.history.messages.insert(0, Message { side: Side::User, blocks, results: 0 });
        }
        self.history.messages.iter_mut().for_each(name_documents);
        let ends_with_answer = self.history.messages.last().is_some_and(|last| {
            last.side == Side::Assistant && !last.blocks.iter().any(|block| matches!(block, Block::Call(_)))
        });
        if ends_with_answer && (self.thinks || self.shape.is(Trait::NoPrefill)) {
            self.lost.insert(Feature::Prefill);
            self.push(Side::User, Block::Text(Prose::plain(CONTINUE)), false);
        } else if let Some(last) = self.history.messages.last_mut().filter(|last| last.side == Side::Assistant) {
            trim_end(last);
        }
    }
}

/// The text of a failed result begins with a word that says so.
fn say_that_it_failed(content: Vec<Block<'_>>) -> Vec<Block<'_>> {
    let mut said = false;
    let mut blocks: Vec<Block<'_>> = content
        .into_iter()
        .map(|block| match block {
            Block::Text(text) if !std::mem::replace(&mut said, true) => Block::Marked("Error: ", text),
            block => block,
        })
        .collect();
    if !said {
        blocks.insert(0, Block::Text(Prose::plain("Error")));
    }
    blocks
}

/// A document wants a text beside it: its file name, or the name that is made for it.
fn name_documents(message: &mut Message<'_>) {
    let has_text = message.blocks.iter().any(|block| matches!(block, Block::Text(_) | Block::Marked(..)));
    let document = message.blocks.iter().enumerate().find_map(|(at, block)| match block {
        Block::Medium(medium, number) if medium.kind == MediaKind::Document => Some((at, medium.title, *number)),
        _ => None,
    });
    let Some((at, title, number)) = document.filter(|_| !has_text) else { return };
    let text = match title {
        Some(title) if !title.is_blank() => title.borrowed(),
        _ => Prose::Plain(document_name(number)),
    };
    message.blocks.insert(at, Block::Text(text));
}

/// A beginning of an answer may not end in white space.
fn trim_end(message: &mut Message<'_>) {
    let Some(Block::Text(text)) = message.blocks.iter_mut().rfind(|block| !is_mark(block)) else { return };
    let whole = plain(text);
    let kept = whole.trim_end();
    if kept.len() < whole.len() {
        *text = Prose::plain(kept.to_owned());
    }
}

/// Where a mark may stand, for whoever counts them: in messages.
pub fn is_mark(block: &Block<'_>) -> bool {
    matches!(block, Block::Cache(_))
}

/// The marks as the model knows them: Claude of today has the longer life, others have not.
pub fn takes_long(shape: &Shape<'_>) -> bool {
    maker(shape) == Maker::Anthropic && !is_old_claude(shape)
}
