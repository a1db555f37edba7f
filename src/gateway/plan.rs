//! Which targets are tried, in which order and with which keys. Not how one try is made (see `attempt`).

use std::collections::VecDeque;
use std::rc::Rc;

use crate::gateway::state::{Attempt, Exchange, Try};
use crate::gateway::step::{Flow, Step, Steps};
use crate::host::{Host, LogLevel};
use crate::http::Headers;
use crate::ledger::cooldown;
use crate::policy::decide::Decision;
use crate::policy::rules::{Provider, Target};

/// What a provider's answer says about a key: from its headers.
fn retry_after_secs(headers: &Headers) -> Option<u64> {
    headers
        .text("retry-after")
        .and_then(|value| value.trim().parse::<f64>().ok())
        .map(|secs| secs.ceil().max(0.0) as u64)
}

impl Exchange {
    /// Targets in the order in which they will be tried, as many as the route allows, each with a key that does not rest.
    pub(crate) fn plan_of(&self, decision: &Decision, host: &dyn Host) -> VecDeque<Try> {
        let most = usize::try_from(decision.fallback.attempts).unwrap_or(1).max(1);
        let one = |target: &Rc<Target>| {
            let key = self.pick_key(&target.provider, &[], host);
            Try { target: Rc::clone(target), key }
        };
        decision.ranked.iter().take(most).map(one).collect()
    }

    /// A key of a provider's pool, by chance among those that do not rest; one that rests when all do.
    fn pick_key(&self, provider: &Provider, spent: &[usize], host: &dyn Host) -> Option<usize> {
        let count = provider.keys.len();
        if count <= 1 {
            return (0..count).find(|key| !spent.contains(key));
        }
        let start = usize::try_from(host.random() % count as u64).unwrap_or(0);
        let order = (0..count).map(|step| (start + step) % count).filter(|key| !spent.contains(key));
        let awake = |key: &usize| !cooldown::rests(host, &provider.name, *key, self.started);
        order.clone().find(awake).or_else(|| order.clone().next())
    }

    /// Attempts that have somewhere to go: the plan, and the keys of the planned providers' pools that it leaves over.
    pub(crate) fn possible_attempts(&self, decision: &Decision) -> u32 {
        let mut planned: Vec<(usize, usize)> =
            self.plan.iter().filter_map(|one| Some((one.target.provider.index, one.key?))).collect();
        planned.sort_unstable();
        planned.dedup();
        let mut pools: Vec<&Rc<Provider>> = self.plan.iter().map(|one| &one.target.provider).collect();
        pools.sort_unstable_by_key(|provider| provider.index);
        pools.dedup_by_key(|provider| provider.index);
        let keys: usize = pools.iter().map(|provider| provider.keys.len()).sum();
        let all = self.plan.len() + keys.saturating_sub(planned.len());
        u32::try_from(all).unwrap_or(u32::MAX).min(decision.fallback.attempts.max(1))
    }

    /// Where the proxy's next attempt goes. Said when an attempt has failed and not before: most never do.
    /// After the last of the plan, the tries that are left go to keys of a pool that were not used.
    pub(crate) fn next_cluster(&mut self, host: &dyn Host) -> Steps {
        if self.plan.is_empty() {
            let further = |attempt: &Attempt| self.other_key(&attempt.target, host);
            self.plan = self.attempts.iter().find_map(further).into_iter().collect();
        }
        let next = self.plan.front().map(|next| Step::NextCluster(next.target.provider.cluster.clone()));
        Steps { flow: Flow::Continue, list: next.into_iter().collect() }
    }

    pub(crate) fn rest_key(&mut self, headers: &Headers, host: &dyn Host) {
        let Some(attempt) = self.attempts.last() else { return };
        let (target, Some(key)) = (Rc::clone(&attempt.target), attempt.key) else { return };
        let provider = &target.provider;
        if provider.keys.len() < 2 {
            return;
        }
        if cooldown::rest(host, &provider.name, key, host.now(), retry_after_secs(headers)).is_err() {
            host.log(LogLevel::Warn, &format!("the rest of a key of {} could not be noted", provider.name));
        }
        if let Some(next) = self.other_key(&target, host) {
            self.plan.push_front(next);
        }
    }

    /// The same target with a key of its pool that no attempt has used.
    fn other_key(&self, target: &Rc<Target>, host: &dyn Host) -> Option<Try> {
        let provider = &target.provider;
        let of_pool = |other: &Attempt| (other.target.provider.index == provider.index).then_some(other.key).flatten();
        let spent: Vec<usize> = self.attempts.iter().filter_map(of_pool).collect();
        let key = self.pick_key(provider, &spent, host)?;
        Some(Try { target: Rc::clone(target), key: Some(key) })
    }
}
