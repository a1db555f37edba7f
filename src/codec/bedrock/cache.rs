//! Marks for the prompt cache: no more than four, and only those that the model knows.

use crate::chat::feature::{Feature, Features};
use crate::chat::part::CacheMark;
use crate::chat::request::{Request, Tool};
use crate::codec::bedrock::history::{Block, History, is_mark, takes_long};
use crate::codec::bedrock::tools::{Entry, Tools};
use crate::codec::wire::Shape;

/// The most marks of a request.
const MARKS: usize = 4;

/// Drops the marks that are too many, and says what became of those that the request asked for. The first ones of tools
/// and system prompts stay, and the newest of the conversation.
pub fn limit(
    request: &Request<'_>,
    shape: &Shape<'_>,
    tools: &mut Tools<'_>,
    history: &mut History<'_>,
    lost: &mut Features,
) {
    let in_tools = tools.entries.iter().filter(|entry| matches!(entry, Entry::Cache(_))).count();
    let in_system = history.system.iter().filter(|block| is_mark(block)).count();
    let in_messages: usize = history.messages.iter().map(|message| marks(&message.blocks)).sum();
    let head = (in_tools + in_system).min(if in_messages > 0 { MARKS - 1 } else { MARKS });
    let mut left = head;
    tools.entries.retain(|entry| !matches!(entry, Entry::Cache(_)) || spend(&mut left));
    history.system.retain(|block| !is_mark(block) || spend(&mut left));
    let mut left = MARKS - head;
    for message in history.messages.iter_mut().rev() {
        // Backwards, so that the newest are kept.
        let mut first_kept = marks(&message.blocks).saturating_sub(left);
        left -= marks(&message.blocks).min(left);
        message.blocks.retain(|block| !is_mark(block) || !spend(&mut first_kept));
    }
    let kept = head + in_messages.min(MARKS - head);
    let wanted = wanted(request);
    if wanted.0 > kept {
        lost.insert(Feature::CacheMark);
    }
    if wanted.1 && (kept == 0 || !takes_long(shape)) {
        lost.insert(Feature::CacheLong);
    }
}

/// How many marks the request has, and whether one of them asks for the longer life.
fn wanted(request: &Request<'_>) -> (usize, bool) {
    let tools = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function { cache, .. } => *cache,
        Tool::Custom { .. } | Tool::Hosted { .. } => None,
    });
    let parts = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| part.cache);
    let all: Vec<CacheMark> = tools.chain(parts).collect();
    let alone = request.cache_all.filter(|_| all.is_empty());
    let long = all.iter().chain(&request.cache_all).any(|mark| *mark == CacheMark::Long);
    (all.len() + usize::from(alone.is_some()), long)
}

fn marks(blocks: &[Block<'_>]) -> usize {
    blocks.iter().filter(|block| is_mark(block)).count()
}

/// Takes one of what is left, if any is.
fn spend(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}
