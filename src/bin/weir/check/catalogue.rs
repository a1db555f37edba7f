//! What the catalogue says, or does not say, of a policy's providers and models: prices that nobody knows, days on which
//! a vendor retires a model.

use std::collections::BTreeSet;
use std::rc::Rc;

use weir::config::problem::Problem;
use weir::host::Timestamp;
use weir::policy::catalog;
use weir::policy::rules::{Rules, Target};
use weir::telemetry::audit::rfc3339;

/// How long before its retirement a model is worth a line.
const NOTICE_SECS: u64 = 90 * 86_400;

/// Everything, providers first.
pub fn findings(rules: &Rules, now: Timestamp) -> Vec<Problem> {
    let mut findings = Vec::new();
    let targets = targets(rules);
    let is_described = |index: usize| {
        let mut own = targets.iter().filter(|(_, target)| target.provider.index == index).peekable();
        own.peek().is_some() && own.all(|(_, target)| target.prices.is_some())
    };
    for provider in &rules.providers {
        if catalog::has_provider(&provider.catalogue) || is_described(provider.index) {
            continue;
        }
        let name = &provider.catalogue;
        let mut said = format!(
            "no catalogue entry for provider \"{name}\": prices and limits are unknown unless the policy gives them"
        );
        if let Some(meant) = catalog::nearest_provider(name) {
            said += &format!("; if it is {meant}, write `catalogue: {meant}`");
        }
        findings.push(Problem::new(format!("providers.{}", provider.name), said));
    }
    for (path, target) in targets {
        if target.prices.is_none() {
            let said = format!(
                "no price is known of {}: its cost is not counted, and `prefer: cheapest` ranks it last; write `price`",
                target.name
            );
            findings.push(Problem::new(path.clone(), said));
        }
        let facts = catalog::find(&target.provider.catalogue, &target.model);
        let Some(day) = facts.and_then(|facts| facts.retires) else { continue };
        if day.secs() <= now.secs().saturating_add(NOTICE_SECS) {
            let verb = if day <= now { "retired it" } else { "retires it" };
            let date = rfc3339(day.millis());
            let date = date.split('T').next().unwrap_or_default();
            findings.push(Problem::new(path, format!("{}: the vendor {verb} on {date}", target.name)));
        }
    }
    findings
}

/// The targets that the policy names, once each, with the place of the first mention.
fn targets(rules: &Rules) -> Vec<(String, Rc<Target>)> {
    let entries = rules.model_names.iter().filter_map(|name| Some((format!("models.{name}"), rules.models.get(name)?)));
    let routes = rules.routes.iter().enumerate();
    let routes = routes.filter_map(|(index, route)| Some((format!("routes[{index}].models"), route.targets.as_ref()?)));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (path, targets) in entries.chain(routes) {
        for target in targets {
            if seen.insert(target.name.clone()) {
                found.push((path.clone(), Rc::clone(target)));
            }
        }
    }
    found
}
