//! Every metric and label name in one table. A metric's full name is `name;label=value;label=value`, which
//! `weir render` takes apart again with Envoy's `stats_tags`.

use crate::host::MetricKind;

/// Every label a metric may carry; `weir render` writes one `stats_tags` row for each.
pub const LABELS: [&str; 9] =
    ["route", "model", "provider", "team", "code", "outcome", "token_type", "reason", "stream"];

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// What one unit of it is, in a few words.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, help }
}

/// Requests by outcome.
pub const REQUESTS: Metric = counter("weir_requests_total", "requests by outcome");
/// Money spent.
pub const COST: Metric = counter("weir_cost_microusd_total", "cost in micro-dollars");
/// Requests that went past their first candidate.
pub const FALLBACKS: Metric = counter("weir_fallbacks_total", "attempts after the first, by reason");
/// Requests refused by Weir itself.
pub const REJECTED: Metric = counter("weir_rejected_total", "requests refused, by code");
/// Requests whose usage was estimated.
pub const ESTIMATED: Metric = counter("weir_usage_estimated_total", "requests whose usage is an estimate, by reason");
/// Tokens of a call (OpenTelemetry `gen_ai.client.token.usage`).
pub const TOKENS: Metric = histogram("gen_ai_client_token_usage", "tokens of a call by token_type");
/// Milliseconds from request to the end of the answer (OpenTelemetry `gen_ai.client.operation.duration`).
pub const DURATION: Metric = histogram("gen_ai_client_operation_duration", "milliseconds to the end of the answer");
/// Milliseconds to the first byte of the answer (OpenTelemetry `gen_ai.server.time_to_first_token`).
pub const FIRST_TOKEN: Metric = histogram("gen_ai_server_time_to_first_token", "milliseconds to the first token");
/// Microseconds per output token after the first (OpenTelemetry `gen_ai.server.time_per_output_token`).
pub const PER_TOKEN: Metric = histogram("gen_ai_server_time_per_output_token", "microseconds per output token");

/// Every metric Weir writes.
pub const ALL: [Metric; 9] = [REQUESTS, COST, FALLBACKS, REJECTED, ESTIMATED, TOKENS, DURATION, FIRST_TOKEN, PER_TOKEN];
