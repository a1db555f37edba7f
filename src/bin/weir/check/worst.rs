//! What one request can cost a team at most, from the policy and the catalogue alone: the longest input and the longest
//! output of the dearest target of `models` that the team may use. Not what a request is expected to cost (see `explain`).

use std::rc::Rc;

use sha2::{Digest, Sha256};
use weir::chat::money::Money;
use weir::chat::usage::Usage;
use weir::config::policy::{self as written, Anonymous, Policy};
use weir::config::problem::Problem;
use weir::host::Timestamp;
use weir::policy::access::{Access, Key, Principal, Team};
use weir::policy::rules::{Rules, Target};

/// One line a team, and one for those without a team where the policy lets them in.
pub fn findings(policy: &Policy, rules: &Rules, now: Timestamp) -> Vec<Problem> {
    if rules.models.is_empty() {
        return Vec::new();
    }
    let teams = teams(policy);
    let has_teamless = policy.anonymous == Anonymous::Allow || policy.keys.iter().any(|key| key.team.is_none());
    let everyone = (0..teams.len()).map(Some).chain(has_teamless.then_some(None));
    everyone
        .filter_map(|team| {
            let principal = holder(team, None, &teams)?;
            let path = team.and_then(|index| teams.get(index)).map(|team| format!("teams.{}", team.name));
            Some(Problem::new(path.unwrap_or_else(|| "models".to_owned()), worst(rules, &principal, now)?))
        })
        .collect()
}

/// The teams of a policy as a principal is made of them.
pub fn teams(policy: &Policy) -> Vec<Team> {
    let of = |team: &written::Team| Team {
        name: team.name.clone(),
        parent: position(policy, &team.parent),
        models: team.models.clone(),
        regions: team.regions.clone(),
    };
    policy.teams.iter().map(of).collect()
}

/// Where a team stands in the list.
pub fn position(policy: &Policy, name: &Option<String>) -> Option<usize> {
    policy.teams.iter().position(|team| Some(&team.name) == name.as_ref())
}

/// Somebody of a team, with a key that exists nowhere else and may use `models`.
pub fn holder(team: Option<usize>, models: Option<Vec<String>>, teams: &[Team]) -> Option<Rc<Principal>> {
    let name = b"member";
    let key = Key { id: String::new(), sha256: Sha256::digest(name).into(), team, expires_at: None, models };
    Access::new(vec![key], teams, false).principal(Some(name), 0).ok()
}

/// Whether somebody's permissions let them use a target.
pub fn is_open(target: &Target, principal: &Principal) -> bool {
    let names = [target.entry.as_str(), target.name.as_str(), target.model.as_str()];
    let names = if target.entry.is_empty() { names.get(1..).unwrap_or_default() } else { &names };
    principal.barred_from(names).is_none() && principal.barred_from_region(target.provider.region.as_deref()).is_none()
}

fn worst(rules: &Rules, principal: &Principal, now: Timestamp) -> Option<String> {
    let targets = rules.model_names.iter().filter_map(|name| rules.models.get(name)).flatten();
    let (known, unknown): (Vec<_>, Vec<_>) = targets
        .filter(|target| is_open(target, principal))
        .map(|target| (target, most(target, now)))
        .partition(|(_, most)| most.is_some());
    let dearest = known.iter().filter_map(|(target, most)| Some((target, (*most)?))).max_by_key(|(_, most)| most.cost);
    let mut said = match dearest {
        Some((target, most)) => format!(
            "one request through `models` costs at most {} ({} at {}, {} tokens in, {} out)",
            most.cost, target.entry, target.name, most.input, most.output
        ),
        None if unknown.is_empty() => "no entry of `models` is open to it".to_owned(),
        None => "what one request can cost is not known".to_owned(),
    };
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.iter().map(|(target, _)| target.name.as_str()).collect();
        said += &format!("; without price, context window or max_output: {}", names.join(", "));
    }
    Some(said)
}

/// The most that one request takes from a target.
#[derive(Clone, Copy)]
struct Most {
    input: u64,
    output: u64,
    cost: Money,
}

fn most(target: &Target, now: Timestamp) -> Option<Most> {
    let input = target.max_input.or(target.context_window)?;
    let output = target.max_output?;
    Some(Most { input, output, cost: target.prices.as_ref()?.cost(&Usage::estimated(input, output), now) })
}
