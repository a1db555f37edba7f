//! How much the model is to think, in the words of its maker: Converse itself has none. Facts: wire-formats, sections 4, 6
//! and 9.

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::Content;
use crate::chat::request::{Depth, Effort, Request, Role};
use crate::chat::traits::Trait;
use crate::codec::bedrock::model::{Maker, is_nova_2, maker};
use crate::codec::effort::{as_budget, as_effort, budget_of, effort_of};
use crate::codec::wire::Shape;

/// The smallest budget that Anthropic takes, in tokens.
const MIN_BUDGET: u64 = 1_024;

/// Room for the answer beside a budget, in tokens, where the request names no limit.
const ANSWER_ROOM: u64 = 4_096;

/// What is said of thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// Nothing.
    Unsaid,
    /// Claude: not at all.
    Disabled,
    /// Claude: so many tokens at most.
    Budget(u64),
    /// Claude: as much as it finds right.
    Adaptive,
    /// Claude that always thinks: only how much.
    Always,
    /// Nova: an effort, or not at all.
    Nova(Option<&'static str>),
    /// OpenAI's models: an effort.
    OpenAi(&'static str),
}

/// What is said of thinking, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What is said.
    pub thinking: Thinking,
    /// Claude's effort.
    pub effort: Option<Effort>,
    /// Whether thoughts are shown, where the model can be told.
    pub shown: Option<bool>,
    /// The output limit: Claude's budget needs one above it.
    pub max_tokens: Option<u64>,
}

impl Plan {
    /// Whether a Claude will think: then, and only then, it takes thoughts of earlier turns.
    pub fn claude_thinks(&self) -> bool {
        match self.thinking {
            Thinking::Budget(_) | Thinking::Adaptive | Thinking::Always => true,
            Thinking::Unsaid | Thinking::Disabled | Thinking::Nova(_) | Thinking::OpenAi(_) => false,
        }
    }
}

/// Decides. `forced` is whether a tool will be forced on the model, which clashes with Claude's thinking.
pub fn plan(request: &Request<'_>, shape: &Shape<'_>, forced: bool, lost: &mut Features) -> Plan {
    let limit = request.max_output.map(|limit| limit.min(shape.max_output.unwrap_or(u64::MAX)).max(1));
    let mut plan = Plan { thinking: Thinking::Unsaid, effort: None, shown: request.reasoning.shown, max_tokens: limit };
    let always = shape.is(Trait::ThinkingAlwaysOn);
    let depth = match request.reasoning.depth {
        Some(Depth::Budget(0)) => Some(Depth::Off),
        depth => depth,
    };
    match (maker(shape), depth) {
        (Maker::Anthropic, depth) if always => plan_always(&mut plan, depth, forced, lost),
        (_, None) => {}
        // Who takes budgets does not think unless it is told to; who decides itself may.
        (Maker::Anthropic, Some(Depth::Off)) if !shape.is(Trait::AdaptiveThinking) => {}
        (Maker::Anthropic, Some(Depth::Off)) => plan.thinking = Thinking::Disabled,
        (Maker::Anthropic, Some(depth)) => {
            let adaptive = shape.is(Trait::AdaptiveThinking)
                && !(matches!(depth, Depth::Budget(_)) && shape.is(Trait::BudgetThinking));
            if forced || shape.lacks(Capability::Reasoning) {
                lost.insert(Feature::ReasoningDepth);
            } else if adaptive {
                plan.thinking = Thinking::Adaptive;
                plan.effort = claude_effort(depth, shape);
            } else if drops_its_thoughts(request) || !plan_budget(&mut plan, depth, shape) {
                lost.insert(Feature::ReasoningDepth);
            }
        }
        (Maker::Nova, Some(depth)) if is_nova_2(shape) => plan_nova(&mut plan, depth, lost),
        (Maker::OpenAi, Some(depth)) if !shape.lacks(Capability::Reasoning) => {
            plan_openai(&mut plan, depth, shape, lost)
        }
        (_, Some(Depth::Off)) if shape.capabilities.is_none() || shape.lacks(Capability::Reasoning) => {}
        (_, Some(_)) => lost.insert(Feature::ReasoningDepth),
    }
    plan
}

fn plan_always(plan: &mut Plan, depth: Option<Depth>, forced: bool, lost: &mut Features) {
    plan.thinking = Thinking::Always;
    // Where a tool may be forced on it all the same, it may not be told to think besides.
    plan.shown = plan.shown.filter(|_| !forced);
    plan.effort = match depth {
        None | Some(Depth::Adaptive) => None,
        Some(Depth::Off) => {
            lost.insert(Feature::ReasoningDepth);
            Some(Effort::Low)
        }
        Some(depth) => as_effort(depth).map(|effort| effort.max(Effort::Low)),
    };
}

/// The effort of a Claude that decides itself how much to think; it has no `minimal`, and the first of the kind, which
/// also takes budgets, has no `xhigh`.
fn claude_effort(depth: Depth, shape: &Shape<'_>) -> Option<Effort> {
    let effort = match depth {
        Depth::Adaptive | Depth::Off => return None,
        Depth::Effort(effort) => effort,
        Depth::Budget(budget) => effort_of(budget),
    };
    if effort == Effort::XHigh && shape.is(Trait::BudgetThinking) {
        return Some(Effort::High);
    }
    Some(effort.max(Effort::Low))
}

/// Whether a budget fits; it must be at least `MIN_BUDGET` and leave room under the output limit.
fn plan_budget(plan: &mut Plan, depth: Depth, shape: &Shape<'_>) -> bool {
    let budget = as_budget(depth).unwrap_or(budget_of(Effort::Medium)).max(MIN_BUDGET);
    let limit = match plan.max_tokens {
        Some(limit) => limit,
        None => budget.saturating_add(ANSWER_ROOM).min(shape.max_output.unwrap_or(u64::MAX)),
    };
    if limit <= MIN_BUDGET {
        return false;
    }
    plan.thinking = Thinking::Budget(budget.min(limit - 1));
    plan.max_tokens = Some(limit);
    true
}

/// Whether the conversation is amid tool calls whose thoughts the client has dropped: a Claude with a budget refuses to
/// go on from there with thinking.
fn drops_its_thoughts(request: &Request<'_>) -> bool {
    let mut turns = request.turns.iter().rev().skip_while(|turn| turn.role == Role::Tool).peekable();
    let amid_calls = request.turns.last().is_some_and(|turn| turn.role == Role::Tool);
    let assistant = turns.peek().filter(|turn| turn.role == Role::Assistant);
    amid_calls
        && assistant.is_some_and(|turn| {
            !turn.parts.iter().any(|part| matches!(&part.content, Content::Thought(thought) if thought.seal.is_some()))
        })
}

fn plan_nova(plan: &mut Plan, depth: Depth, lost: &mut Features) {
    let effort = match as_effort(depth) {
        None => None,
        Some(Effort::Minimal | Effort::Low) => Some("low"),
        Some(Effort::Medium) => Some("medium"),
        // Nova refuses `high` beside an output limit.
        Some(Effort::High | Effort::XHigh | Effort::Max) if plan.max_tokens.is_some() => {
            lost.insert(Feature::ReasoningDepth);
            Some("medium")
        }
        Some(Effort::High | Effort::XHigh | Effort::Max) => Some("high"),
    };
    plan.thinking = Thinking::Nova(effort);
}

fn plan_openai(plan: &mut Plan, depth: Depth, shape: &Shape<'_>, lost: &mut Features) {
    let open_weights = shape.model.contains("gpt-oss");
    if shape.is(Trait::NoReasoningEffort) {
        return lost.insert(Feature::ReasoningDepth);
    }
    plan.thinking = Thinking::OpenAi(match as_effort(depth) {
        None if open_weights => {
            lost.insert(Feature::ReasoningDepth);
            "low"
        }
        None => "none",
        Some(Effort::Minimal) if open_weights => "low",
        Some(Effort::XHigh | Effort::Max) if open_weights => "high",
        Some(effort) => effort.name(),
    });
}
