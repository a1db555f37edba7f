//! One try at one target: path, authority, credentials, body. Every attempt sets or removes every header that any
//! attempt may own, because the proxy keeps one header list for all of them.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::codec::openai::head::decode_head;
use crate::codec::openai::splice::splice;
use crate::error::{ErrorCode, GatewayError};
use crate::gateway::state::{Attempt, Exchange, Stage, Try};
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

    /// Begins the next attempt, made by the filter of `provider`'s cluster, or by one that serves every provider.
    /// `Flow::Wait` in the answer asks for the request body, to be handed to `attempt_body`.
    ///
    /// # Errors
    /// `policy_unavailable` when the request is not under way, or the plan holds no target of that provider: the request must
    /// not go there.
    pub fn begin_attempt(&mut self, provider: Option<&str>) -> Result<Steps, GatewayError> {
        if self.stage != Stage::Sent {
            let message = "the request is not under way";
            return Err(GatewayError::new(ErrorCode::PolicyUnavailable, message));
        }
        let wanted = |one: &Try| provider.is_none_or(|name| one.target.provider.name == name);
        let Some(next) = self.plan.iter().position(wanted).and_then(|index| self.plan.remove(index)) else {
            let message = "the proxy chose a cluster that the decision does not hold";
            return Err(GatewayError::new(ErrorCode::PolicyUnavailable, message));
        };
        if provider.is_none() {
            // The internal listener gets the headers anew each time, as the listener left them.
            self.upstream.header_length = self.upstream.had_length.then_some(self.upstream.body_length);
            self.upstream.owned.clear();
        }
        let mut steps = Steps::default();
        self.set_headers(&next, &mut steps);
        if next.target.model == self.upstream.body_model {
            self.set_length(self.upstream.body_length, &mut steps);
        } else {
            steps.flow = Flow::Wait;
        }
        let Try { target, key } = next;
        self.attempts.push(Attempt { target, key, status: None, from_provider: false });
        Ok(steps)
    }

    /// The cluster of the attempt that is under way.
    pub fn attempt_cluster(&self) -> Option<&str> {
        self.attempts.last().map(|attempt| attempt.target.provider.cluster.as_str())
    }

    fn set_headers(&mut self, one: &Try, steps: &mut Steps) {
        let provider = &one.target.provider;
        steps.set(":path", format!("{}{}", provider.base_path, self.call.rest));
        steps.set(":authority", provider.authority.clone());
        let mut owned: Vec<String> = Vec::with_capacity(1 + provider.headers.len());
        if let Some(key) = one.key.and_then(|key| provider.keys.get(key)) {
            steps.set("authorization", format!("Bearer {}", key.reveal()));
            owned.push("authorization".to_owned());
        }
        for (name, value) in &provider.headers {
            steps.set(name.clone(), value.reveal());
            owned.push(name.clone());
        }
        let stale = std::mem::take(&mut self.upstream.owned);
        for name in stale.into_iter().filter(|name| !owned.contains(name)) {
            steps.remove(name);
        }
        self.upstream.owned = owned;
    }

    fn set_length(&mut self, length: usize, steps: &mut Steps) {
        if self.upstream.had_length && self.upstream.header_length != Some(length) {
            steps.set("content-length", length.to_string());
            self.upstream.header_length = Some(length);
        }
    }

    /// The replayed request body for the attempt that is under way: the same bytes with this target's model.
    ///
    /// # Errors
    /// `policy_unavailable` when these are not the bytes that were decided on: those could be read.
    pub fn attempt_body(&mut self, body: &[u8]) -> Result<Steps, GatewayError> {
        let mut steps = Steps::default();
        let model = self.attempts.last().map(|attempt| attempt.target.model.clone());
        let (Some(model), Ok(head)) = (model, decode_head(body, self.call.endpoint)) else {
            return Err(GatewayError::new(
                ErrorCode::PolicyUnavailable,
                "the proxy replays another body than was sent",
            ));
        };
        match splice(body, &head, Some(&model), false) {
            Some(spliced) => {
                self.set_length(spliced.len(), &mut steps);
                steps.push(Step::ReplaceBody(spliced));
            }
            None => self.set_length(body.len(), &mut steps),
        }
        Ok(steps)
    }

    /// Which attempt is under way, the first being 1; 0 before it.
    pub fn attempt_number(&self) -> usize {
        self.attempts.len()
    }

    /// The attempt of that number has answered; one that is no longer under way is not heard. `from_provider` tells the
    /// provider's word from the proxy's own. A key that met a limit rests, and the next attempt uses another key of the same pool if there is one.
    pub fn attempt_answered(
        &mut self,
        number: usize,
        status: u16,
        headers: &Headers,
        from_provider: bool,
        host: &dyn Host,
    ) -> Steps {
        let under_way = number == self.attempt_number();
        let Some(attempt) = self.attempts.last_mut().filter(|_| under_way) else { return Steps::default() };
        (attempt.status, attempt.from_provider) = (Some(status), from_provider);
        if status == 429 {
            self.rest_key(headers, host);
        }
        if status < 400 { Steps::default() } else { self.next_cluster(host) }
    }

    /// The attempt of that number is over. If it never answered, the next one goes elsewhere.
    pub fn attempt_lost(&mut self, number: usize, host: &dyn Host) -> Steps {
        let under_way = number == self.attempt_number();
        let unanswered = under_way && self.attempts.last().is_some_and(|attempt| attempt.status.is_none());
        if unanswered { self.next_cluster(host) } else { Steps::default() }
    }

    /// Where the proxy's next attempt goes. Said when an attempt has failed and not before: most never do.
    /// After the last of the plan, the tries that are left go to keys of a pool that were not used.
    fn next_cluster(&mut self, host: &dyn Host) -> Steps {
        if self.plan.is_empty() {
            let further = |attempt: &Attempt| self.other_key(&attempt.target, host);
            self.plan = self.attempts.iter().find_map(further).into_iter().collect();
        }
        let next = self.plan.front().map(|next| Step::NextCluster(next.target.provider.cluster.clone()));
        Steps { flow: Flow::Continue, list: next.into_iter().collect() }
    }

    fn rest_key(&mut self, headers: &Headers, host: &dyn Host) {
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
