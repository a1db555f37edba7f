//! The decision: which targets a request may go to, in which order, and why the others may not. Pure: rules, facts,
//! principal, time and dice are arguments, so the same arguments give the same answer anywhere.

use std::rc::Rc;

use crate::chat::feature::Features;
use crate::config::policy::{Fallback, FallbackOn, OnLoss, Prefer};
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
    /// What translation loses at those eligible targets where it loses something, by their names.
    pub lost: Vec<(String, Features)>,
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
    let on_loss = route.map_or(OnLoss::default(), |route| route.on_loss);
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
        lost: Vec::new(),
        rejected: Vec::new(),
        fallback: Rc::clone(route.map_or(&rules.fallback, |route| &route.fallback)),
    };
    for target in targets {
        if decision.ranked.iter().any(|other| other.name == target.name) {
            continue;
        }
        let rejection = rejection(&target, require, facts, principal, draw.now)
            .or_else(|| translated(&target, facts, on_loss, &mut decision.lost));
        match rejection {
            // Named through several entries, a target can break one rule by each.
            Some(reason) if decision.rejected.iter().any(|one| one.target == target.name && one.reason == reason) => {}
            Some(reason) => decision.rejected.push(Rejection { target: target.name.clone(), reason }),
            None => decision.ranked.push(target),
        }
    }
    rank(&mut decision.ranked, prefer, facts, draw.now, draw.dice);
    if on_loss == OnLoss::Avoid {
        // A stable sort: among those that lose something the ranking still holds.
        let lost = &decision.lost;
        decision.ranked.sort_by_key(|target| {
            lost.iter().any(|(name, features)| *name == target.name && !features.weighty().is_empty())
        });
    }
    Ok(decision)
}

/// Whether a target is out because of its API; notes what would be lost at one that is not.
fn translated(
    target: &Target,
    facts: &Facts<'_>,
    on_loss: OnLoss,
    lost: &mut Vec<(String, Features)>,
) -> Option<Reason> {
    match facts.losses.of(target) {
        Err(impossible) => Some(Reason::Untranslatable { feature: impossible.feature, rule: impossible.rule }),
        Ok(features) if on_loss == OnLoss::Reject && !features.weighty().is_empty() => {
            Some(Reason::Loss { lost: features.weighty() })
        }
        Ok(features) => {
            if !features.is_empty() {
                lost.push((target.name.clone(), features));
            }
            None
        }
    }
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{Decision, Draw, decide};
    use crate::config::policy::{Match, OnLoss, Prefer};
    use crate::error::ErrorCode;
    use crate::host::Timestamp;
    use crate::http::Headers;
    use crate::policy::access::Principal;
    use crate::policy::rules::sample::{facts, price, provider, rules, target};
    use crate::policy::rules::{Require, Route, Rules, Target};

    const DRAW: Draw = Draw { now: Timestamp::from_secs(0), dice: 0 };

    fn decided(rules: &Rules, model: &str) -> Decision {
        decide(rules, &facts(model, &Headers::default()), &Principal::default(), DRAW).unwrap()
    }

    fn names(decision: &Decision) -> Vec<&str> {
        decision.ranked.iter().map(|target| target.name.as_str()).collect()
    }

    fn route(targets: Option<Vec<Rc<Target>>>, require: Require, prefer: Prefer) -> Route {
        let fallback = Rc::new(super::default_fallback());
        let on_loss = OnLoss::default();
        Route { name: "only".into(), matches: Match::default(), targets, require, prefer, fallback, on_loss }
    }

    fn entries() -> Vec<(&'static str, Vec<Rc<Target>>)> {
        let one = |model: &str, entry: &str, cost| {
            vec![Rc::new(Target {
                prices: price(cost, cost),
                quality: Some(cost / 10.0),
                ..target(provider("p"), model, entry)
            })]
        };
        vec![("dear", one("big", "dear", 9.0)), ("cheap", one("small", "cheap", 1.0))]
    }

    #[test]
    fn a_target_named_twice_is_tried_once() {
        let all: Vec<_> = entries().into_iter().flat_map(|(_, targets)| targets).collect();
        let twice = [all.clone(), all].concat();
        let mut rules = rules(vec![provider("p")], entries());
        rules.routes = vec![route(Some(twice.clone()), Require::default(), Prefer::Ordered)];
        assert_eq!(names(&decided(&rules, "whatever")), ["p/big", "p/small"]);
        rules.routes = vec![route(Some(twice), Require { quality: Some(0.5), ..Require::default() }, Prefer::Ordered)];
        let decision = decided(&rules, "whatever");
        assert_eq!(names(&decision), ["p/big"]);
        assert_eq!(decision.rejected.len(), 1, "{:?}", decision.rejected);
    }

    #[test]
    fn auto_is_the_cheapest_and_other_names_keep_their_order() {
        let mut rules = rules(vec![provider("p")], entries());
        let auto = decided(&rules, "auto");
        assert_eq!((auto.prefer, names(&auto)), (Prefer::Cheapest, vec!["p/small", "p/big"]));
        assert_eq!((decided(&rules, "dear").prefer, auto.route.as_str()), (Prefer::Ordered, ""));
        rules.routes = vec![route(None, Require::default(), Prefer::Weighted)];
        assert_eq!(
            (decided(&rules, "auto").prefer, decided(&rules, "auto").route.as_str()),
            (Prefer::Weighted, "only")
        );
    }

    #[test]
    fn weights_are_drawn_where_nobody_says_otherwise() {
        let weighted = |weight, model: &str| Rc::new(Target { weight, ..target(provider("p"), model, "split") });
        let mut rules = rules(vec![provider("p")], vec![("split", vec![weighted(0, "a"), weighted(1, "b")])]);
        assert_eq!(names(&decided(&rules, "split")), ["p/b", "p/a"]);
        rules.routes = vec![route(Some(rules.models["split"].clone()), Require::default(), Prefer::Ordered)];
        assert_eq!(names(&decided(&rules, "split")), ["p/a", "p/b"], "a route that lists targets says how");
    }

    #[test]
    fn permission_and_eligibility_have_codes_of_their_own() {
        use crate::policy::require::Reason;
        let rejection = |reason| super::Rejection { target: "p/m".into(), reason };
        let barred = || rejection(Reason::NotAllowed { level: "team \"growth\"".into() });
        let unpriced = || rejection(Reason::Unpriced);
        let mut decision = decided(&rules(vec![provider("p")], entries()), "dear");
        assert!(decision.refusal("dear").is_none());
        decision.ranked.clear();
        for (rejected, code) in [
            (vec![barred(), barred()], ErrorCode::ModelNotAllowed),
            (vec![barred(), unpriced()], ErrorCode::NoEligibleTarget),
            (vec![unpriced()], ErrorCode::NoEligibleTarget),
        ] {
            decision.rejected = rejected;
            assert_eq!(decision.refusal("dear").unwrap().code, code);
        }
        let error = decision.refusal("dear").unwrap();
        assert_eq!(
            error.message,
            "no target may serve model \"dear\": p/m: its price is not known and the route limits cost"
        );
    }
}
