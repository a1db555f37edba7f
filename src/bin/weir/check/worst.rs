//! What one request can cost a team at most, from the policy and the catalogue alone: the longest input and the longest
//! output of the dearest target of `models` that the team may use. Not what a request is expected to cost (see `explain`).

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use weir::chat::money::Money;
use weir::chat::usage::Usage;
use weir::config::policy::{Anonymous, Policy};
use weir::config::problem::Problem;
use weir::host::Timestamp;
use weir::policy::access::{Access, Key, Principal, Team};
use weir::policy::rules::{Rules, Target};

/// One line a team, and one for those without a team where the policy lets them in.
pub fn findings(policy: &Policy, rules: &Rules) -> Vec<Problem> {
    if rules.models.is_empty() {
        return Vec::new();
    }
    let position = |name: &Option<String>| policy.teams.iter().position(|team| Some(&team.name) == name.as_ref());
    let teams: Vec<_> = policy
        .teams
        .iter()
        .map(|team| Team {
            name: team.name.clone(),
            parent: position(&team.parent),
            models: team.models.clone(),
            regions: team.regions.clone(),
        })
        .collect();
    let has_teamless = policy.anonymous == Anonymous::Allow || policy.keys.iter().any(|key| key.team.is_none());
    let everyone = (0..teams.len()).map(Some).chain(has_teamless.then_some(None));
    everyone
        .filter_map(|team| {
            let principal = member(team, &teams)?;
            let path = team.and_then(|index| teams.get(index)).map(|team| format!("teams.{}", team.name));
            Some(Problem::new(path.unwrap_or_else(|| "models".to_owned()), worst(rules, &principal)?))
        })
        .collect()
}

/// Somebody of a team, with a key that exists nowhere else.
fn member(team: Option<usize>, teams: &[Team]) -> Option<std::rc::Rc<Principal>> {
    let name = b"member";
    let key = Key { id: String::new(), sha256: Sha256::digest(name).into(), team, expires_at: None, models: None };
    Access::new(vec![key], teams, false).principal(Some(name), 0).ok()
}

fn worst(rules: &Rules, principal: &Principal) -> Option<String> {
    let is_open = |target: &Target| {
        let region = target.provider.region.as_deref();
        principal.barred_from(&[&target.entry, &target.name, &target.model]).is_none()
            && principal.barred_from_region(region).is_none()
    };
    let targets = rules.model_names.iter().filter_map(|name| rules.models.get(name)).flatten();
    let (known, unknown): (Vec<_>, Vec<_>) = targets
        .filter(|target| is_open(target))
        .map(|target| (target, most(target)))
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

fn most(target: &Target) -> Option<Most> {
    let input = target.max_input.or(target.context_window)?;
    let output = target.max_output?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = Timestamp::from_nanos(u64::try_from(now.as_nanos()).ok()?);
    Some(Most { input, output, cost: target.prices.as_ref()?.cost(&Usage::estimated(input, output), now) })
}
