//! A decision as JSON, for `weir explain` and for a dry run: the facts, every candidate with its cost or the reason of
//! its rejection. No text of the conversation, no secret.

use serde_json::{Value, json};

use crate::chat::money::Money;
use crate::config::policy::Prefer;
use crate::gateway::compile::Gateway;
use crate::policy::decide::{Decision, Draw};
use crate::policy::facts::Facts;
use crate::policy::rank::{expected_cost, worst_cost};

/// A ranking's name in a policy file.
pub fn prefer_name(prefer: Prefer) -> &'static str {
    match prefer {
        Prefer::Ordered => "ordered",
        Prefer::Cheapest => "cheapest",
        Prefer::Weighted => "weighted",
    }
}

/// The decision as one JSON object.
pub fn decision(gateway: &Gateway, facts: &Facts<'_>, decision: &Decision, draw: Draw) -> Value {
    let micros = |cost: Option<Money>| cost.map(Money::micros);
    let candidates: Vec<Value> = decision
        .ranked
        .iter()
        .map(|target| {
            json!({
                "target": target.name,
                "cluster": target.provider.cluster,
                "expected_cost_microusd": micros(expected_cost(target, facts, draw.now)),
                "worst_cost_microusd": micros(worst_cost(target, facts, draw.now)),
            })
        })
        .collect();
    let rejected: Vec<Value> = decision
        .rejected
        .iter()
        .map(|one| json!({"target": one.target, "rule": one.reason.name(), "reason": one.reason.to_string()}))
        .collect();
    json!({
        "policy": gateway.hash,
        "draw": format!("{:016x}", draw.dice),
        "request": {
            "api": facts.api.name(),
            "model": facts.model,
            "stream": facts.stream,
            "input_tokens_estimate": facts.input_tokens,
            "max_output": facts.max_output,
            "needs": facts.needs.iter().map(|need| need.name()).collect::<Vec<_>>(),
        },
        "route": (!decision.route.is_empty()).then_some(&decision.route),
        "prefer": prefer_name(decision.prefer),
        "candidates": candidates,
        "rejected": rejected,
        "attempts": decision.fallback.attempts,
    })
}
