//! Parts of a policy that do nothing: keys past their day or without a model, providers that nothing leads to.

use std::rc::Rc;

use weir::config::policy::{Key, Policy};
use weir::config::problem::Problem;
use weir::host::Timestamp;
use weir::policy::catalog;
use weir::policy::resolve::{resolve, split, target_of};
use weir::policy::rules::{Rules, Target};
use weir::telemetry::audit::rfc3339;

use super::worst;

/// Everything, keys first.
pub fn findings(policy: &Policy, rules: &Rules, now: Timestamp) -> Vec<Problem> {
    let mut findings = Vec::new();
    for (index, key) in policy.keys.iter().enumerate() {
        let path = format!("keys[{index}]");
        if let Some(end) = key.expires_at.filter(|end| *end <= now.secs()) {
            let day = rfc3339(Timestamp::from_secs(end).millis());
            let said = format!("key \"{}\" expired at {}; take it out or give it a later day", key.id, day);
            findings.push(Problem::new(format!("{path}.expires"), said));
        }
        if !has_model(key, policy, rules) {
            let said =
                format!("key \"{}\" may use no model: what it and its teams allow has nothing in common", key.id);
            findings.push(Problem::new(path, said));
        }
    }
    findings.extend(unused_providers(rules));
    findings
}

/// Whether something can be asked for that every level of the key's permissions lets through.
fn has_model(key: &Key, policy: &Policy, rules: &Rules) -> bool {
    let teams = worst::teams(policy);
    let team = worst::position(policy, &key.team);
    let Some(principal) = worst::holder(team, key.models.clone(), &teams) else { return true };
    let is_open = |target: &Rc<Target>| worst::is_open(target, &principal);
    rules.models.values().flatten().any(is_open)
        || named(key, policy, rules).iter().any(is_open)
        || rules.providers.iter().any(|provider| {
            let models = catalog::all().filter(|facts| facts.provider == provider.catalogue);
            models.map(|facts| Rc::new(target_of(provider, facts.model))).any(|target| is_open(&target))
        })
}

/// What the lists of keys and teams name beyond `models` and the catalogue; a pattern stands for a model that fits it.
fn named(key: &Key, policy: &Policy, rules: &Rules) -> Vec<Rc<Target>> {
    let lists = policy.teams.iter().map(|team| &team.models).chain([&key.models]);
    let names: Vec<String> = lists.flatten().flatten().map(|name| name.replace('*', "x")).collect();
    let unlisted = rules.providers.iter().filter(|provider| !catalog::has_provider(&provider.catalogue));
    let unlisted: Vec<_> = unlisted.collect();
    let mut targets = Vec::new();
    for name in names.iter().map(String::as_str).chain(["x"]) {
        targets.extend(resolve(rules, name).unwrap_or_default());
        if split(&rules.providers, name).is_none() {
            targets.extend(unlisted.iter().map(|provider| Rc::new(target_of(provider, name))));
        }
    }
    targets
}

fn unused_providers(rules: &Rules) -> Vec<Problem> {
    let routed = rules.routes.iter().filter_map(|route| route.targets.as_ref()).flatten();
    let used: Vec<&Rc<Target>> = rules.models.values().flatten().chain(routed).collect();
    if used.is_empty() {
        // Then every client names its provider or model, and each provider serves.
        return Vec::new();
    }
    let is_idle = |index: usize| used.iter().all(|target| target.provider.index != index);
    let idle = rules.providers.iter().filter(|provider| is_idle(provider.index));
    idle.map(|provider| {
        let said = "no model and no route leads here; only clients that name a model of it are served by it";
        Problem::new(format!("providers.{}", provider.name), said)
    })
    .collect()
}
