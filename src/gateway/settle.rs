//! The books of one exchange: what was used, by the provider's word or by estimate, what it cost, and who is told.
//! Done once, whatever the way the exchange ended.

use crate::chat::money::Money;
use crate::chat::usage::{Usage, UsageSource};
use crate::codec::token;
use crate::config::policy::Label;
use crate::gateway::endpoint::Endpoint;
use crate::gateway::state::{Exchange, Stage};
use crate::gateway::step::{Step, Steps};
use crate::host::{Host, Series, Timestamp, push_label};
use crate::telemetry::audit::{AttemptLine, Audit, rfc3339};
use crate::telemetry::metric::{self, Metric};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered in full.
    Ok,
    /// Answered with an error, the provider's or the proxy's.
    Error,
    /// Refused by Weir.
    Rejected,
    /// The client went away before the end.
    ClientGone,
    /// The provider's answer broke off.
    UpstreamCut,
}

impl Outcome {
    /// Its name in audit lines and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::ClientGone => "client_gone",
            Self::UpstreamCut => "upstream_cut",
        }
    }
}

/// Who ended an exchange that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The client went away.
    Client,
    /// Anybody else.
    Other,
}

impl Exchange {
    /// Whether the books are closed.
    pub fn is_settled(&self) -> bool {
        self.stage == Stage::Settled
    }

    /// The proxy is done with the exchange. Settles it, unless that has happened.
    pub fn close(&mut self, by: EndedBy, host: &dyn Host) -> Steps {
        let mut steps = Steps::default();
        if self.stage != Stage::Settled {
            let outcome = match (self.refusal, by) {
                (Some(_), _) | (None, EndedBy::Other) if self.stage == Stage::Refused => self.whole_outcome(),
                (Some(_), _) => Outcome::Error,
                (None, EndedBy::Client) => Outcome::ClientGone,
                (None, EndedBy::Other) => Outcome::UpstreamCut,
            };
            self.book(outcome, host, &mut steps);
        }
        steps
    }

    /// The answer is complete.
    pub(crate) fn settle(&mut self, host: &dyn Host, steps: &mut Steps) {
        if self.stage != Stage::Settled {
            let outcome = self.whole_outcome();
            self.book(outcome, host, steps);
        }
    }

    fn whole_outcome(&self) -> Outcome {
        let streams = self.answer.body.is_stream();
        let meter = self.answer.body.meter();
        match (meter, self.refusal) {
            (_, Some(_)) if self.attempts.is_empty() => Outcome::Rejected,
            (_, Some(_)) => Outcome::Error,
            (Some(meter), None) if meter.failed => Outcome::Error,
            // A stream that ends without its last word was cut, however politely.
            (Some(meter), None)
                if streams && self.call.endpoint == Endpoint::Conversation && !meter.done && !meter.finished =>
            {
                Outcome::UpstreamCut
            }
            _ if self.answer.status >= 400 => Outcome::Error,
            _ => Outcome::Ok,
        }
    }

    /// The usage of the answer; `None` when nothing was used: no provider began to answer, or it answered with an error.
    fn usage(&self, outcome: Outcome) -> Option<Usage> {
        let Some(meter) = self.answer.body.meter() else {
            // A client that hung up before the answer began may still be billed by the provider for its input.
            let billed = outcome == Outcome::ClientGone && !self.attempts.is_empty() && self.answer.status == 0;
            return billed.then(|| Usage::estimated(self.request.input_tokens, 0));
        };
        let output = if self.call.endpoint == Endpoint::Embeddings { 0 } else { token::estimate(meter.text) };
        Some(match meter.usage {
            // What a stream says of its usage before its end is not the whole.
            Some(usage) if !meter.done && !meter.finished => {
                Usage { output: usage.output.max(output), source: UsageSource::Estimated, ..usage }
            }
            Some(usage) => usage,
            None => Usage::estimated(self.request.input_tokens, output),
        })
    }

    fn book(&mut self, outcome: Outcome, host: &dyn Host, steps: &mut Steps) {
        self.stage = Stage::Settled;
        let now = host.now();
        let usage = self.usage(outcome);
        let prices = self.attempts.last().and_then(|last| last.target.prices.as_ref());
        let cost = match usage {
            Some(usage) => prices.map(|prices| prices.cost(&usage, self.started)),
            None => Some(Money::ZERO),
        };
        if let Some(usage) = usage {
            steps.push(Step::Publish("weir.tokens", (usage.input.saturating_add(usage.output)).to_string()));
        }
        if let Some(cost) = cost {
            steps.push(Step::Publish("weir.cost_microusd", cost.micros().to_string()));
        }
        if let Some(last) = self.attempts.last() {
            steps.push(Step::Publish("weir.model", last.target.model.clone()));
            steps.push(Step::Publish("weir.provider", last.target.provider.name.clone()));
        }
        self.count(outcome, usage, cost, now, host);
        if self.gateway.rules.audit {
            steps.push(Step::Audit(self.audit(outcome, usage, cost, now).line()));
        }
    }

    fn count(&self, outcome: Outcome, usage: Option<Usage>, cost: Option<Money>, now: Timestamp, host: &dyn Host) {
        let labels = self.labels();
        let emit = |metric: Metric, extra: Option<(&'static str, &str)>, value: u64| {
            host.metric(Series { kind: metric.kind, name: metric.name, labels: &labels, extra }, value);
        };
        emit(metric::REQUESTS, Some(("outcome", outcome.name())), 1);
        if let Some(code) = self.refusal {
            emit(metric::REJECTED, Some(("code", code.name())), 1);
        }
        for attempt in self.attempts.iter().rev().skip(1) {
            let reason = attempt.status.map_or("no_answer".to_owned(), |status| status.to_string());
            emit(metric::FALLBACKS, Some(("reason", &reason)), 1);
        }
        let Some(usage) = usage else { return };
        emit(metric::TOKENS, Some(("token_type", "input")), usage.input);
        emit(metric::TOKENS, Some(("token_type", "output")), usage.output);
        if let Some(cost) = cost.filter(|cost| *cost != Money::ZERO) {
            emit(metric::COST, None, cost.micros());
        }
        if usage.source == UsageSource::Estimated {
            emit(metric::ESTIMATED, Some(("reason", outcome.name())), 1);
        }
        emit(metric::DURATION, None, now.millis_since(self.started));
        if let Some(first) = self.answer.first_byte.filter(|_| self.request.stream) {
            emit(metric::FIRST_TOKEN, None, first.millis_since(self.started));
            if usage.output > 1 {
                let micros = now.nanos().saturating_sub(first.nanos()) / 1_000;
                emit(metric::PER_TOKEN, None, micros / (usage.output - 1));
            }
        }
    }

    /// The labels that the policy switched on. A model that neither policy nor catalogue knows is "other": clients
    /// choose its name, and a metric is never freed.
    fn labels(&self) -> String {
        let mut labels = String::with_capacity(96);
        for label in &self.gateway.rules.labels {
            let target = self.attempts.last().map(|last| &last.target);
            let (name, text) = match label {
                Label::Route => ("route", self.decision.as_ref().map(|decision| decision.route.as_str())),
                Label::Model => {
                    ("model", target.map(|target| if target.known { target.model.as_str() } else { "other" }))
                }
                Label::Provider => ("provider", target.map(|target| target.provider.name.as_str())),
                Label::Team => ("team", self.principal.team.as_deref()),
            };
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                push_label(&mut labels, name, text);
            }
        }
        labels
    }

    fn audit(&self, outcome: Outcome, usage: Option<Usage>, cost: Option<Money>, now: Timestamp) -> Audit<'_> {
        let last = self.attempts.last().map(|last| &last.target);
        let counts = usage.unwrap_or_default();
        Audit {
            id: &self.id,
            time: rfc3339(self.started.millis()),
            key: self.principal.key.as_deref(),
            team: self.principal.team.as_deref(),
            route: self.decision.as_ref().map(|decision| decision.route.as_str()).filter(|route| !route.is_empty()),
            api: self.call.api().name(),
            endpoint: self.call.name(),
            asked: self.request.model.as_deref(),
            model: last.map(|target| target.model.as_str()),
            provider: last.map(|target| target.provider.name.as_str()),
            attempts: self
                .attempts
                .iter()
                .map(|attempt| AttemptLine {
                    provider: &attempt.target.provider.name,
                    model: &attempt.target.model,
                    status: attempt.status,
                })
                .collect(),
            status: self.answer.status,
            outcome: outcome.name(),
            code: self.refusal.map(|code| code.name()),
            lost: self.lost().to_string(),
            stream: self.request.stream,
            input: counts.input,
            cache_read: counts.cache_read,
            cache_write: counts.cache_write.saturating_add(counts.cache_write_1h),
            output: counts.output,
            reasoning: counts.reasoning,
            usage: match usage.map(|usage| usage.source) {
                None => "none",
                Some(UsageSource::Reported) => "reported",
                Some(UsageSource::Estimated) => "estimated",
            },
            cost_microusd: cost.map(Money::micros),
            ttft_ms: self.answer.first_byte.map(|first| first.millis_since(self.started)),
            duration_ms: now.millis_since(self.started),
            policy: &self.gateway.hash,
            draw: format!("{:016x}", self.dice),
        }
    }
}
