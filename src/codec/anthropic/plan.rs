//! Which messages a request becomes: who speaks, in which order, and what is left out. Anthropic's order rules live here
//! (wire-formats §4, §15); how a block is written does not.
//!
//! Three repairs are made because a request is refused without them. A conversation that does not begin with the user
//! gets a first user turn of one dot. So does one whose last turn is the model's, where the model cannot be made to go on
//! with it (`Feature::Prefill`). Blank texts, and turns with nothing else in them, are left out.

use crate::chat::feature::{Feature, Features};
use crate::chat::part::{Content, Media, MediaKind, Part};
use crate::chat::request::{Request, Role};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::anthropic::media::refuse;
use crate::codec::wire::{Impossible, Shape};

/// Who speaks, in Anthropic's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    User,
    Assistant,
    System,
}

/// One message. One without parts is a placeholder.
#[derive(Debug)]
pub(super) struct Message<'r, 'a> {
    pub(super) speaker: Speaker,
    pub(super) parts: Vec<&'r Part<'a>>,
}

/// The conversation as it is written.
#[derive(Debug, Default)]
pub(super) struct Plan<'r, 'a> {
    pub(super) system: Vec<&'r Part<'a>>,
    pub(super) messages: Vec<Message<'r, 'a>>,
}

fn is_result(part: &Part<'_>) -> bool {
    matches!(part.content, Content::Result(_))
}

fn is_call(part: &Part<'_>) -> bool {
    matches!(part.content, Content::Call(_))
}

fn is_thought(part: &Part<'_>) -> bool {
    matches!(part.content, Content::Thought(_))
}

impl<'r, 'a> Plan<'r, 'a> {
    /// Plans a conversation.
    pub(super) fn new(request: &'r Request<'a>, shape: &Shape<'_>, lost: &mut Features) -> Result<Self, Impossible> {
        let mut plan = Self::default();
        for turn in &request.turns {
            if turn.name.is_some() {
                lost.insert(Feature::Name);
            }
            let mut parts = Vec::with_capacity(turn.parts.len());
            for part in &turn.parts {
                if keeps(part, turn.role, lost)? {
                    parts.push(part);
                }
            }
            if parts.is_empty() {
                continue;
            }
            match turn.role {
                Role::System if plan.messages.is_empty() => plan.system.append(&mut parts),
                Role::System if shape.is(Trait::MidConversationSystem) => plan.push(Speaker::System, parts),
                Role::System => {
                    lost.insert(Feature::LateSystem);
                    plan.push(Speaker::User, parts);
                }
                Role::User => plan.push(Speaker::User, parts),
                Role::Tool => plan.push_results(parts),
                Role::Assistant => plan.push(Speaker::Assistant, parts),
            }
        }
        for message in &mut plan.messages {
            // Results come first; the sort keeps the order of the others.
            message.parts.sort_by_key(|part| !is_result(part));
        }
        plan.begin_with_user();
        Ok(plan)
    }

    fn push(&mut self, speaker: Speaker, mut parts: Vec<&'r Part<'a>>) {
        match self.messages.last_mut() {
            Some(last) if last.speaker == speaker => last.parts.append(&mut parts),
            _ => self.messages.push(Message { speaker, parts }),
        }
    }

    /// Results follow their calls; a system message that came between goes behind them.
    fn push_results(&mut self, mut parts: Vec<&'r Part<'a>>) {
        let between = matches!(self.messages.last(), Some(last) if last.speaker == Speaker::System);
        if !between {
            self.push(Speaker::User, parts);
            return;
        }
        let at = self.messages.len() - 1;
        match at.checked_sub(1).and_then(|before| self.messages.get_mut(before)) {
            Some(before) if before.speaker == Speaker::User => before.parts.append(&mut parts),
            _ => self.messages.insert(at, Message { speaker: Speaker::User, parts }),
        }
    }

    fn begin_with_user(&mut self) {
        if self.messages.first().is_none_or(|first| first.speaker != Speaker::User) {
            self.messages.insert(0, Message { speaker: Speaker::User, parts: Vec::new() });
        }
    }

    /// Whether the last turn is a beginning of the answer.
    pub(super) fn has_prefill(&self) -> bool {
        let is_prefill =
            |last: &Message<'_, '_>| last.speaker == Speaker::Assistant && !last.parts.iter().any(|part| is_call(part));
        self.messages.last().is_some_and(is_prefill)
    }

    /// Makes the beginning of the answer a turn of the past.
    pub(super) fn end_with_user(&mut self) {
        self.messages.push(Message { speaker: Speaker::User, parts: Vec::new() });
    }

    /// Whether the last turn of the model calls tools and does not begin with a thought: with a thinking budget Anthropic
    /// refuses to go on from there.
    pub(super) fn calls_without_thought(&self) -> bool {
        let last = self.messages.iter().rev().find(|message| message.speaker == Speaker::Assistant);
        last.is_some_and(|last| {
            last.parts.iter().any(|part| is_call(part)) && !last.parts.first().is_some_and(|part| is_thought(part))
        })
    }

    /// Leaves out every thought: without thinking, none may stand in the history.
    pub(super) fn strip_thoughts(&mut self, lost: &mut Features) {
        let any = |message: &Message<'_, '_>| message.parts.iter().any(|part| is_thought(part));
        if !self.messages.iter().any(any) {
            return;
        }
        lost.insert(Feature::Thoughts);
        for message in std::mem::take(&mut self.messages) {
            let placeholder = message.parts.is_empty();
            let parts: Vec<_> = message.parts.into_iter().filter(|part| !is_thought(part)).collect();
            if placeholder || !parts.is_empty() {
                self.push(message.speaker, parts);
            }
        }
        self.begin_with_user();
    }
}

/// Whether a part can be written in a turn of that role.
fn keeps(part: &Part<'_>, role: Role, lost: &mut Features) -> Result<bool, Impossible> {
    let keeps = match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => !text.is_blank(),
        Content::Media(media) => keeps_media(media, role, lost)?,
        Content::Call(_) => role == Role::Assistant,
        Content::Result(result) => {
            for part in &result.parts {
                keeps(part, Role::Tool, lost)?;
                if result.is_error && matches!(part.content, Content::Media(_)) {
                    lost.insert(Feature::MediaInResult);
                }
            }
            role == Role::Tool
        }
        Content::Thought(thought) => {
            let own = thought.seal.as_ref().is_some_and(|seal| seal.wire == Wire::Messages);
            if !own && (thought.seal.is_some() || !thought.text.is_empty()) {
                lost.insert(Feature::Thoughts);
            }
            own && role == Role::Assistant
        }
        Content::Foreign { wire: Wire::Messages, .. } => true,
        Content::Foreign { kind, .. } if kind == "item_reference" => {
            return Err(Impossible {
                feature: Feature::StoredFile,
                rule: "a reference into one vendor's store means nothing to another",
            });
        }
        Content::Foreign { .. } => {
            lost.insert(Feature::HostedTools);
            false
        }
    };
    if part.cache.is_some() && (!keeps || is_thought(part)) {
        lost.insert(Feature::CacheMark);
    }
    Ok(keeps)
}

fn keeps_media(media: &Media<'_>, role: Role, lost: &mut Features) -> Result<bool, Impossible> {
    refuse(media)?;
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        lost.insert(Feature::ImageDetail);
    }
    if matches!(role, Role::System | Role::Assistant) {
        lost.insert(if media.kind == MediaKind::Document { Feature::Document } else { Feature::Image });
        return Ok(false);
    }
    Ok(true)
}
