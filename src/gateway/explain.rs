//! A decision as JSON, for `weir explain` and for a dry run: the facts, every candidate with its cost or the reason of
//! its rejection. No text of the conversation, no secret.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::chat::feature::Feature;
use crate::chat::money::Money;
use crate::config::policy::{FallbackOn, Prefer};
use crate::gateway::state::Exchange;
use crate::policy::rank::{expected_cost, worst_cost};
use crate::policy::rules::Target;

/// A ranking's name in a policy file.
pub fn prefer_name(prefer: Prefer) -> &'static str {
    match prefer {
        Prefer::Ordered => "ordered",
        Prefer::Cheapest => "cheapest",
        Prefer::Weighted => "weighted",
    }
}

/// A cause of a further attempt as a policy file writes it.
fn on_name(on: FallbackOn) -> String {
    match on {
        FallbackOn::Status(status) => status.to_string(),
        FallbackOn::ServerError => "5xx".to_owned(),
        FallbackOn::Timeout => "timeout".to_owned(),
        FallbackOn::Connect => "connect".to_owned(),
    }
}

impl Exchange {
    /// What is known so far, as one JSON object. What is not known yet, because the request was refused before, is null.
    pub fn explained(&self) -> Value {
        json!({
            "policy": self.gateway.hash,
            "draw": format!("{:016x}", self.dice),
            "principal": {"key": self.principal.key, "team": self.principal.team},
            "request": self.explained_request(),
            "route": self.decision.as_ref().map(|decision| &decision.route).filter(|route| !route.is_empty()),
            "prefer": self.decision.as_ref().map(|decision| prefer_name(decision.prefer)),
            "candidates": self.explained_candidates(),
            "rejected": self.explained_rejections(),
            "fallback": self.decision.as_ref().map(|decision| json!({
                "attempts": decision.fallback.attempts,
                "on": decision.fallback.on.iter().copied().map(on_name).collect::<Vec<_>>(),
                "per_try_timeout_ms": decision.fallback.per_try_timeout_millis,
            })),
        })
    }

    fn explained_request(&self) -> Option<Value> {
        let facts = self.facts();
        self.request.model.as_ref().map(|model| {
            json!({
                "api": facts.api.name(),
                "model": model,
                "stream": facts.stream,
                "input_tokens_estimate": facts.input_tokens,
                "max_output": facts.max_output,
                "choices": facts.choices,
                "needs": facts.needs.iter().map(|need| need.name()).collect::<Vec<_>>(),
            })
        })
    }

    fn explained_candidates(&self) -> Vec<Value> {
        let (facts, now) = (self.facts(), self.started);
        let micros = |cost: Option<Money>| cost.map(Money::micros);
        let ranked = self.decision.as_ref().map(|decision| decision.ranked.as_slice()).unwrap_or_default();
        let one = |target: &Rc<Target>| {
            json!({
                "target": target.name,
                "cluster": target.provider.cluster,
                "expected_cost_microusd": micros(expected_cost(target, &facts, now)),
                "worst_cost_microusd": micros(worst_cost(target, &facts, now)),
                "api": target.provider.api.name(),
                "loses": self.lost_at(&target.name),
            })
        };
        ranked.iter().map(one).collect()
    }

    /// What translation would lose at a target, by name.
    fn lost_at(&self, target: &str) -> Vec<&'static str> {
        let lost = self.decision.iter().flat_map(|decision| &decision.lost).find(|(name, _)| name == target);
        lost.map(|(_, features)| features.iter().map(Feature::name).collect()).unwrap_or_default()
    }

    fn explained_rejections(&self) -> Vec<Value> {
        let rejected = self.decision.as_ref().map(|decision| decision.rejected.as_slice()).unwrap_or_default();
        rejected
            .iter()
            .map(|one| json!({"target": one.target, "rule": one.reason.name(), "reason": one.reason.to_string()}))
            .collect()
    }
}
