//! How much the model is to think, in the way the target's model takes it, and the output limit that goes with it.
//!
//! A request without a limit gets the model's own largest output, but no more than 32000 tokens: agents that set none
//! write whole files, which a smaller default would cut. Where nobody knows the model's limit it is 4096, which every
//! model takes.

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::request::{Depth, Effort, Request};
use crate::chat::traits::Trait;
use crate::codec::effort::{as_budget, as_effort, budget_of, effort_of};
use crate::codec::wire::Shape;
use crate::codec::writer::Writer;

/// The output limit where neither the request nor the catalogue names one.
const DEFAULT_LIMIT: u64 = 4_096;

/// The largest output limit that is put into a request that names none.
const LARGEST_DEFAULT_LIMIT: u64 = 32_000;

/// The smallest thinking budget.
const LEAST_BUDGET: u64 = 1_024;

/// `thinking.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing is said.
    Unsaid,
    Disabled,
    Budget(u64),
    Adaptive,
}

/// What is said of thinking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thinking {
    pub(super) mode: Mode,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// `max_tokens`.
    pub(super) limit: u64,
    /// Whether the model will think.
    pub(super) on: bool,
    /// Whether the model will not, by the request's wish or because it had to give way.
    pub(super) off: bool,
    /// Whether a forced choice of a tool has to give way.
    pub(super) unforced: bool,
}

/// Decides.
pub(super) fn decide(request: &Request<'_>, shape: &Shape<'_>, clashes: Clashes, lost: &mut Features) -> Thinking {
    let always = shape.is(Trait::ThinkingAlwaysOn);
    let limit = limit(request, shape);
    let silent = Thinking { mode: Mode::Unsaid, effort: None, limit, on: always, off: false, unforced: false };
    if clashes.raw {
        return Thinking { on: true, ..silent };
    }
    let depth = match request.reasoning.depth {
        Some(Depth::Budget(0)) => Some(Depth::Off),
        depth => depth,
    };
    let Some(depth) = depth else {
        let told = always && request.reasoning.shown.is_some();
        let mode = if told { Mode::Adaptive } else { Mode::Unsaid };
        return give_way(Thinking { mode, ..silent }, always, clashes, lost);
    };
    if depth == Depth::Off {
        if always {
            lost.insert(Feature::ReasoningDepth);
            let least = Thinking { mode: Mode::Adaptive, effort: Some("low"), ..silent };
            return give_way(least, always, clashes, lost);
        }
        let mode = if shape.lacks(Capability::Reasoning) { Mode::Unsaid } else { Mode::Disabled };
        return Thinking { mode, off: true, ..silent };
    }
    if shape.lacks(Capability::Reasoning) && !always {
        lost.insert(Feature::ReasoningDepth);
        return Thinking { off: true, ..silent };
    }
    let exact = matches!(depth, Depth::Budget(_)) && shape.is(Trait::BudgetThinking);
    if (shape.is(Trait::AdaptiveThinking) || always) && !exact {
        let thinking = Thinking { mode: Mode::Adaptive, effort: effort(depth, shape), on: true, ..silent };
        return give_way(thinking, always, clashes, lost);
    }
    let budget = as_budget(depth).unwrap_or(budget_of(Effort::Medium)).max(LEAST_BUDGET);
    let thinking = within(Thinking { on: true, ..silent }, budget, request, shape, lost);
    if matches!(thinking.mode, Mode::Budget(_)) && clashes.thoughtless {
        lost.insert(Feature::ReasoningDepth);
        return Thinking { limit, off: true, on: false, ..silent };
    }
    give_way(thinking, always, clashes, lost)
}

/// What stands in the way of thinking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clashes {
    /// A tool is to be forced.
    pub(super) forced: bool,
    /// The history's last call has no thought before it.
    pub(super) thoughtless: bool,
    /// The request holds a `thinking` of Anthropic's own that is written again as it is.
    pub(super) raw: bool,
}

/// A forced tool and thinking exclude each other. Thinking gives way where it can: programs rely on the forced call.
fn give_way(thinking: Thinking, always: bool, clashes: Clashes, lost: &mut Features) -> Thinking {
    if !clashes.forced || !thinking.on {
        return thinking;
    }
    if always {
        lost.insert(Feature::ToolChoice);
        return Thinking { unforced: true, ..thinking };
    }
    lost.insert(Feature::ReasoningDepth);
    let mode = if thinking.mode == Mode::Adaptive { Mode::Disabled } else { Mode::Unsaid };
    Thinking { mode, effort: None, on: false, off: true, ..thinking }
}

/// `max_tokens`.
fn limit(request: &Request<'_>, shape: &Shape<'_>) -> u64 {
    let largest = shape.max_output.filter(|largest| *largest > 0);
    match request.max_output {
        Some(limit) => limit.min(largest.unwrap_or(u64::MAX)),
        None => largest.map_or(DEFAULT_LIMIT, |largest| largest.min(LARGEST_DEFAULT_LIMIT)),
    }
}

/// A budget below the output limit. The request's own limit stands, so the budget shrinks; a limit that the request does
/// not name grows. Without room for the least budget there is no thinking.
fn within(thinking: Thinking, budget: u64, request: &Request<'_>, shape: &Shape<'_>, lost: &mut Features) -> Thinking {
    let mut limit = thinking.limit;
    if request.max_output.is_none() && budget >= limit {
        limit = budget.saturating_add(DEFAULT_LIMIT).min(shape.max_output.unwrap_or(u64::MAX));
    }
    if limit <= LEAST_BUDGET {
        lost.insert(Feature::ReasoningDepth);
        return Thinking { mode: Mode::Unsaid, on: false, off: true, ..thinking };
    }
    let budget = if budget < limit { budget } else { (limit / 2).max(LEAST_BUDGET) };
    Thinking { mode: Mode::Budget(budget), limit, ..thinking }
}

/// The word for a depth. Models that take both budgets and words know no `xhigh`.
fn effort(depth: Depth, shape: &Shape<'_>) -> Option<&'static str> {
    let effort = match depth {
        Depth::Budget(budget) => Some(effort_of(budget)),
        Depth::Adaptive => None,
        Depth::Off | Depth::Effort(_) => as_effort(depth),
    }?;
    Some(match effort {
        Effort::Minimal => Effort::Low.name(),
        Effort::XHigh if shape.is(Trait::BudgetThinking) => Effort::High.name(),
        effort => effort.name(),
    })
}

/// Writes `thinking`.
pub(super) fn write(writer: &mut Writer, thinking: &Thinking, request: &Request<'_>, shape: &Shape<'_>) {
    if thinking.mode == Mode::Unsaid {
        return;
    }
    writer.key("thinking").object(|writer| {
        match thinking.mode {
            Mode::Unsaid => {}
            Mode::Disabled => return writer.key("type").string("disabled"),
            Mode::Adaptive => writer.key("type").string("adaptive"),
            Mode::Budget(budget) => {
                writer.key("type").string("enabled");
                writer.key("budget_tokens").number(budget);
            }
        }
        // Models without adaptive thinking know no `display` and always show a summary.
        let knows = shape.is(Trait::AdaptiveThinking) || thinking.mode == Mode::Adaptive;
        if let Some(shown) = request.reasoning.shown.filter(|_| knows) {
            writer.key("display").string(if shown { "summarized" } else { "omitted" });
        }
    });
}
