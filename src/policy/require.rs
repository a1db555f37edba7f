//! What a target must be for a request, and what is said when it is not. Filtering only; ranking comes after.

use std::fmt;

use crate::chat::capability::{Capabilities, Capability};
use crate::chat::feature::{Feature, Features};
use crate::chat::money::Money;
use crate::host::Timestamp;
use crate::policy::access::Principal;
use crate::policy::facts::Facts;
use crate::policy::rank::worst_cost;
use crate::policy::rules::{Require, Target};

/// Why a target is not eligible. Carries the rule and the value found.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// A level of the principal's permissions does not name the target.
    NotAllowed {
        /// The level, as `team "growth"`.
        level: String,
    },
    /// A level of the principal's permissions does not name the region.
    RegionNotAllowed {
        /// The level, as `team "growth"`.
        level: String,
        /// The target's region.
        region: Option<String>,
    },
    /// The route's regions do not hold the target's.
    Region {
        /// The target's region.
        region: Option<String>,
        /// What the route asks for.
        wanted: Vec<String>,
    },
    /// A label that the route asks for is missing.
    Label {
        /// The missing label.
        missing: String,
    },
    /// Capabilities that the request or the route needs are missing.
    Capability {
        /// The missing ones.
        missing: Capabilities,
    },
    /// The context window is too small.
    Context {
        /// The window in tokens.
        window: u64,
        /// The estimate of input and asked-for output in tokens.
        needed: u64,
    },
    /// The output limit asked for is over the model's.
    Output {
        /// The model's largest output in tokens.
        largest: u64,
        /// What was asked for.
        asked: u64,
    },
    /// The quality is under the bar, or not stated.
    Quality {
        /// The target's quality.
        quality: Option<f64>,
        /// The bar.
        bar: f64,
    },
    /// The worst case costs too much.
    Cost {
        /// The worst case of this request.
        worst: Money,
        /// The route's limit.
        limit: Money,
    },
    /// The route limits cost and nobody knows the price.
    Unpriced,
    /// The route rejects what translation would lose.
    Loss {
        /// What would be lost.
        lost: Features,
    },
    /// The target's format cannot say what the request asks for.
    Untranslatable {
        /// What is in the way.
        feature: Feature,
        /// The rule.
        rule: &'static str,
    },
}

impl Reason {
    /// A stable name for records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "not_allowed",
            Self::RegionNotAllowed { .. } => "region_not_allowed",
            Self::Region { .. } => "region",
            Self::Label { .. } => "label",
            Self::Capability { .. } => "capability",
            Self::Context { .. } => "context",
            Self::Output { .. } => "output",
            Self::Quality { .. } => "quality",
            Self::Cost { .. } => "cost",
            Self::Unpriced => "unpriced",
            Self::Loss { .. } => "loss",
            Self::Untranslatable { .. } => "untranslatable",
        }
    }

    /// Whether the principal's permissions are what is in the way.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::NotAllowed { .. } | Self::RegionNotAllowed { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |region: &Option<String>| region.clone().unwrap_or_else(|| "not stated".to_owned());
        match self {
            Self::NotAllowed { level } => write!(out, "{level} may not use it"),
            Self::RegionNotAllowed { level, region } => {
                write!(out, "{level} may not use its region ({})", named(region))
            }
            Self::Region { region, wanted } => {
                write!(out, "region is {}, the route requires {}", named(region), wanted.join(" or "))
            }
            Self::Label { missing } => write!(out, "label \"{missing}\" is missing"),
            Self::Capability { missing } => write!(out, "cannot do {missing}"),
            Self::Context { window, needed } => {
                write!(out, "context window is {window} tokens, the request needs about {needed}")
            }
            Self::Output { largest, asked } => {
                write!(out, "writes at most {largest} tokens, the request asks for {asked}")
            }
            Self::Quality { quality: Some(quality), bar } => write!(out, "quality is {quality}, the bar is {bar}"),
            Self::Quality { quality: None, bar } => write!(out, "quality is not stated, the bar is {bar}"),
            Self::Cost { worst, limit } => write!(out, "may cost {worst}, the route allows {limit}"),
            Self::Unpriced => out.write_str("its price is not known and the route limits cost"),
            Self::Loss { lost } => write!(out, "its API would lose {lost}, the route rejects that (`on_loss`)"),
            Self::Untranslatable { feature, rule } => write!(out, "its API cannot take `{}`: {rule}", feature.name()),
        }
    }
}

/// The first rule that keeps a target from serving a request.
pub fn rejection(
    target: &Target,
    require: &Require,
    facts: &Facts<'_>,
    principal: &Principal,
    now: Timestamp,
) -> Option<Reason> {
    permission(target, principal)
        .or_else(|| residency(target, require))
        .or_else(|| ability(target, require, facts))
        .or_else(|| room(target, facts))
        .or_else(|| quality(target, require))
        .or_else(|| cost(target, require, facts, now))
}

fn permission(target: &Target, principal: &Principal) -> Option<Reason> {
    let names = [target.entry.as_str(), target.name.as_str(), target.model.as_str()];
    let names = if target.entry.is_empty() { names.get(1..).unwrap_or_default() } else { &names };
    if let Some(level) = principal.barred_from(names) {
        return Some(Reason::NotAllowed { level: level.to_owned() });
    }
    let region = target.provider.region.as_deref();
    let level = principal.barred_from_region(region)?.to_owned();
    Some(Reason::RegionNotAllowed { level, region: region.map(str::to_owned) })
}

fn residency(target: &Target, require: &Require) -> Option<Reason> {
    let region = &target.provider.region;
    let inside = region.as_ref().is_some_and(|region| require.regions.contains(region));
    if !require.regions.is_empty() && !inside {
        return Some(Reason::Region { region: region.clone(), wanted: require.regions.clone() });
    }
    let missing = require.labels.iter().find(|label| !target.provider.labels.contains(label))?;
    Some(Reason::Label { missing: missing.clone() })
}

fn ability(target: &Target, require: &Require, facts: &Facts<'_>) -> Option<Reason> {
    let has = target.capabilities?;
    let mut needs = facts.needs;
    // Translation can say a schema as a forced tool.
    if target.wire(facts.wire) != facts.wire && has.has(Capability::Tools) {
        needs = needs.without(Capabilities::NONE.with(Capability::JsonSchema));
    }
    let missing = needs.union(require.capabilities).without(has);
    (!missing.is_empty()).then_some(Reason::Capability { missing })
}

fn room(target: &Target, facts: &Facts<'_>) -> Option<Reason> {
    let asked = facts.max_output.unwrap_or(0);
    if let Some(largest) = target.max_output.filter(|largest| asked > *largest) {
        return Some(Reason::Output { largest, asked });
    }
    if let Some(window) = target.max_input.filter(|most| facts.input_tokens > *most) {
        return Some(Reason::Context { window, needed: facts.input_tokens });
    }
    let needed = facts.input_tokens.saturating_add(asked);
    let window = target.context_window.filter(|window| needed > *window)?;
    Some(Reason::Context { window, needed })
}

fn quality(target: &Target, require: &Require) -> Option<Reason> {
    let bar = require.quality?;
    let reached = target.quality.is_some_and(|quality| quality >= bar);
    (!reached).then_some(Reason::Quality { quality: target.quality, bar })
}

fn cost(target: &Target, require: &Require, facts: &Facts<'_>, now: Timestamp) -> Option<Reason> {
    let limit = require.max_cost?;
    let Some(worst) = worst_cost(target, facts, now) else { return Some(Reason::Unpriced) };
    (worst > limit).then_some(Reason::Cost { worst, limit })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::rejection;
    use crate::chat::capability::{Capabilities, Capability};
    use crate::chat::money::Money;
    use crate::host::Timestamp;
    use crate::http::Headers;
    use crate::policy::access::{Access, Key, Principal, Team};
    use crate::policy::facts::Facts;
    use crate::policy::rules::sample::{facts, price, provider, target};
    use crate::policy::rules::{Provider, Require, Target};

    /// What a target is refused for: the rule's name and the sentence.
    fn said(target: &Target, require: &Require, facts: &Facts<'_>, principal: &Principal) -> Option<String> {
        let reason = rejection(target, require, facts, principal, Timestamp::default())?;
        Some(format!("{}: {reason}", reason.name()))
    }

    fn plain() -> Target {
        target(provider("p"), "m", "entry")
    }

    #[test]
    fn each_rule_says_the_rule_and_the_value_found() {
        let headers = Headers::default();
        let asks = || facts("m", &headers);
        let anybody = Principal::default();
        let free = Require::default;
        let vision = Capabilities::NONE.with(Capability::Vision);
        let in_us = || target(Provider { region: Some("us".into()), ..provider("p") }, "m", "entry");
        let limited = |usd| Require { max_cost: Money::from_usd(usd), ..free() };
        let priced = || Target { prices: price(1.0, 1.0), max_output: Some(1_000), ..plain() };
        let cases: Vec<(Target, Require, Facts<'_>, Option<&str>)> = vec![
            (plain(), free(), asks(), None),
            (
                in_us(),
                Require { regions: vec!["eu".into(), "uk".into()], ..free() },
                asks(),
                Some("region: region is us, the route requires eu or uk"),
            ),
            (
                plain(),
                Require { regions: vec!["eu".into()], ..free() },
                asks(),
                Some("region: region is not stated, the route requires eu"),
            ),
            (
                in_us(),
                Require { labels: vec!["zdr".into()], ..free() },
                asks(),
                Some("label: label \"zdr\" is missing"),
            ),
            (
                Target { capabilities: Some(Capabilities::NONE), ..plain() },
                free(),
                Facts { needs: vision, ..asks() },
                Some("capability: cannot do vision"),
            ),
            (
                Target { capabilities: Some(vision), ..plain() },
                Require { capabilities: Capabilities::NONE.with(Capability::Tools), ..free() },
                Facts { needs: vision, ..asks() },
                Some("capability: cannot do tools"),
            ),
            (plain(), free(), Facts { needs: vision, ..asks() }, None),
            (
                Target { max_output: Some(10), ..plain() },
                free(),
                Facts { max_output: Some(11), ..asks() },
                Some("output: writes at most 10 tokens, the request asks for 11"),
            ),
            (
                Target { context_window: Some(1_099), ..plain() },
                free(),
                Facts { max_output: Some(100), ..asks() },
                Some("context: context window is 1099 tokens, the request needs about 1100"),
            ),
            (
                Target { context_window: Some(1_100), ..plain() },
                free(),
                Facts { max_output: Some(100), ..asks() },
                None,
            ),
            (
                Target { max_input: Some(999), context_window: Some(9_999), ..plain() },
                free(),
                asks(),
                Some("context: context window is 999 tokens, the request needs about 1000"),
            ),
            (
                Target { quality: Some(0.5), ..plain() },
                Require { quality: Some(0.7), ..free() },
                asks(),
                Some("quality: quality is 0.5, the bar is 0.7"),
            ),
            (
                plain(),
                Require { quality: Some(0.7), ..free() },
                asks(),
                Some("quality: quality is not stated, the bar is 0.7"),
            ),
            (priced(), limited(0.002), asks(), None),
            (priced(), limited(0.001999), asks(), Some("cost: may cost $0.002000, the route allows $0.001999")),
            (plain(), limited(1.0), asks(), Some("unpriced: its price is not known and the route limits cost")),
        ];
        for (target, require, facts, expected) in cases {
            assert_eq!(said(&target, &require, &facts, &anybody).as_deref(), expected);
        }
    }

    #[test]
    fn permissions_name_the_level_that_is_in_the_way() {
        let headers = Headers::default();
        let list = |item: &str| Some(vec![item.to_owned()]);
        let principal = |models: Option<Vec<String>>, regions: Option<Vec<String>>| {
            let teams = [Team { name: "growth".into(), parent: None, models, regions }];
            let key = Key {
                id: "k".into(),
                sha256: Sha256::digest("k").into(),
                team: Some(0),
                expires_at: None,
                models: None,
            };
            Access::new(vec![key], &teams, false).principal(Some(b"k"), 0).unwrap()
        };
        let said = |principal: &Principal| said(&plain(), &Require::default(), &facts("m", &headers), principal);
        for allowed in ["entry", "p/m", "m", "p/*", "*"] {
            assert_eq!(said(&principal(list(allowed), None)), None, "{allowed}");
        }
        let barred = principal(list("other"), list("eu"));
        assert_eq!(said(&barred).as_deref(), Some("not_allowed: team \"growth\" may not use it"));
        let elsewhere = principal(None, list("eu"));
        let expected = "region_not_allowed: team \"growth\" may not use its region (not stated)";
        assert_eq!(said(&elsewhere).as_deref(), Some(expected));
    }
}
