//! The decision: which targets a request may go to, in which order, and why the others may not. Pure: rules, facts,
//! principal, time and dice are arguments, so the same arguments give the same answer anywhere.

use std::rc::Rc;

use crate::config::policy::{Fallback, FallbackOn, Prefer};
use crate::error::{ErrorCode, GatewayError};
use crate::host::Timestamp;
use crate::policy::access::Principal;
use crate::policy::facts::Facts;
use crate::policy::rank::rank;
use crate::policy::require::{Reason, rejection};
use crate::policy::resolve::{AUTO, resolve};
use crate::policy::route;
use crate::policy::rules::{Require, Rules, Target};

/// What was decided.
#[derive(Debug)]
pub struct Decision {
    /// The route's name; empty when none matched.
    pub route: String,
    /// How the targets were ranked.
    pub prefer: Prefer,
    /// Eligible targets, the first to be tried first.
    pub ranked: Vec<Rc<Target>>,
    /// The others, each with the first rule in its way.
    pub rejected: Vec<Rejection>,
    /// What happens when an attempt fails.
    pub fallback: Rc<Fallback>,
}

/// A target that may not serve a request.
#[derive(Debug)]
pub struct Rejection {
    /// The target's name, `provider/model`.
    pub target: String,
    /// Why.
    pub reason: Reason,
}

/// The moment and the chance a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// When it is made: prices and keys have dates.
    pub now: Timestamp,
    /// Random bits for a weighted draw.
    pub dice: u64,
}

/// What holds where a route says nothing: move on whenever an attempt fails before its first byte, three tries in all.
///
/// Why five minutes: a reasoning model may think that long before a plain JSON answer starts.
pub fn default_fallback() -> Fallback {
    Fallback {
        on: vec![FallbackOn::Status(429), FallbackOn::ServerError, FallbackOn::Timeout, FallbackOn::Connect],
        attempts: 3,
        per_try_timeout_millis: Some(300_000),
    }
}

impl Decision {
    /// What the client is told when nothing is eligible: `model_not_allowed` when permissions alone are in the way,
    /// `no_eligible_target` otherwise, with every reason. `model` is the name that the client used.
    pub fn refusal(&self, model: &str) -> Option<GatewayError> {
        if !self.ranked.is_empty() {
            return None;
        }
        let permission = self.rejected.iter().all(|rejection| rejection.reason.is_permission());
        let code = if permission { ErrorCode::ModelNotAllowed } else { ErrorCode::NoEligibleTarget };
        let reasons: Vec<String> =
            self.rejected.iter().map(|rejection| format!("{}: {}", rejection.target, rejection.reason)).collect();
        let message = format!("no target may serve model \"{model}\": {}", reasons.join("; "));
        Some(GatewayError::new(code, message).at("model"))
    }
}

/// Decides a request. The decision may hold no eligible target (see `Decision::refusal`).
///
/// # Errors
/// `unknown_model` when nothing answers to the name.
pub fn decide(rules: &Rules, facts: &Facts<'_>, principal: &Principal, draw: Draw) -> Result<Decision, GatewayError> {
    let route = route::find(&rules.routes, facts, principal);
    let none = Require::default();
    let require = route.map_or(&none, |route| &route.require);
    let targets = match route.and_then(|route| route.targets.clone()) {
        Some(targets) => targets,
        None => resolve(rules, facts.model)?,
    };
    let prefer = match route {
        Some(route) if route.targets.is_some() => route.prefer,
        _ => natural_preference(facts.model, &targets, route.map(|route| route.prefer)),
    };

    let mut decision = Decision {
        route: route.map(|route| route.name.clone()).unwrap_or_default(),
        prefer,
        ranked: Vec::with_capacity(targets.len()),
        rejected: Vec::new(),
        fallback: Rc::clone(route.map_or(&rules.fallback, |route| &route.fallback)),
    };
    for target in targets {
        if decision.ranked.iter().any(|other| other.name == target.name) {
            continue;
        }
        match rejection(&target, require, facts, principal, draw.now) {
            Some(reason) => decision.rejected.push(Rejection { target: target.name.clone(), reason }),
            None => decision.ranked.push(target),
        }
    }
    rank(&mut decision.ranked, prefer, facts, draw.now, draw.dice);
    Ok(decision)
}

/// The ranking where no route lists targets: what the route says, else `auto` is cheapest, weights are drawn, and
/// everything else keeps its order.
fn natural_preference(model: &str, targets: &[Rc<Target>], written: Option<Prefer>) -> Prefer {
    match written {
        Some(Prefer::Ordered) | None if model == AUTO => Prefer::Cheapest,
        Some(Prefer::Ordered) | None if targets.iter().any(|target| target.weight != 1) => Prefer::Weighted,
        Some(prefer) => prefer,
        None => Prefer::Ordered,
    }
}
