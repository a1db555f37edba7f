//! How a dispatch is said to Envoy: filter state or a header names the cluster, request headers set the retries.
//!
//! Two designs, both rendered by `weir render envoy`. "refresh": Envoy picks the cluster from filter state anew for each
//! attempt (`refresh_cluster_on_retry`, Envoy 1.39 or later), and the cluster's own filter makes the attempt. "loop": an
//! internal listener stands behind the first, and its filter makes the attempt (any Envoy that can pause on headers).

use serde::Deserialize;

use crate::config::policy::FallbackOn;
use crate::filter::abi::{self, Map, Status};
use crate::gateway::step::Dispatch;

/// How an attempt after the first comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failover {
    /// The cluster is chosen anew from filter state.
    #[default]
    Refresh,
    /// An internal listener makes each attempt.
    Loop,
}

/// Filter state that names the cluster of the next attempt; Envoy's key is `wasm.weir.cluster`.
const CLUSTER_STATE: &str = "weir.cluster";

/// Filter state that holds the audit line, its end of line included.
pub const AUDIT_STATE: &str = "weir.audit";

/// Header that names the exchange to the filter of an attempt; the listener's filter removes what clients send under it.
///
/// Why a header and not filter state: it is read and written in half the time. A provider's cluster has one header list
/// for all attempts, so there it stays for the next attempt and the provider sees a random number.
pub const EXCHANGE_HEADER: &str = "x-weir-exchange";

/// Header that names the cluster inside the internal listener.
pub const CLUSTER_HEADER: &str = "x-weir-cluster";

/// Bit of `response.flags` for a client that went away (Envoy's `DownstreamConnectionTermination`).
const CLIENT_GONE: u64 = 0x4000;

/// How this plugin stands in its proxy, by its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How an attempt after the first comes about.
    pub failover: Failover,
    /// What Envoy's route already says of retries, so that most requests need no headers for it: each costs a crossing.
    pub route_retries: Option<RouteRetries>,
    /// Whether anybody reads the filter state `weir.*`: an access log, or a filter after this one.
    pub publishes: bool,
    /// Whether an access log writes the audit line from filter state. It buffers; the proxy's own log does not, and
    /// costs four times as much.
    pub audits_to_state: bool,
}

/// The retry policy of Envoy's route, whose conditions are those of `default_fallback`. `weir render` writes it when no
/// route of the policy has others: Envoy adds a request's conditions to its route's, and a header can take none away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRetries {
    /// `num_retries`.
    pub retries: u32,
    /// `per_try_timeout` in milliseconds; 0 for none.
    pub per_try_timeout_millis: u64,
}

/// Sends a request on its way.
pub fn dispatch(dispatch: &Dispatch, place: Place) -> Result<(), Status> {
    for (name, value) in retry_headers(dispatch, place) {
        abi::set_header(Map::RequestHeaders, name, &value)?;
    }
    abi::set_header(Map::RequestHeaders, EXCHANGE_HEADER, &dispatch.exchange)?;
    next_cluster(&dispatch.cluster, place.failover)
}

/// Names the cluster of the next attempt, where Envoy chooses it.
pub fn next_cluster(cluster: &str, failover: Failover) -> Result<(), Status> {
    match failover {
        Failover::Refresh => abi::set_property(CLUSTER_STATE, cluster),
        Failover::Loop => Ok(()),
    }
}

/// Whether the proxy made up the answer itself, going by `response.code_details`. Asked only for errors: it costs.
pub fn answer_is_the_proxys_own() -> bool {
    abi::property("response\0code_details").is_ok_and(|details| details != b"via_upstream")
}

/// The status that the client got, going by `response.code`.
pub fn answered_status() -> Option<u16> {
    let bytes: [u8; 8] = abi::property("response\0code").ok()?.try_into().ok()?;
    u16::try_from(u64::from_le_bytes(bytes)).ok()
}

/// Whether the client went away, going by `response.flags`.
pub fn client_is_gone() -> bool {
    let flags = abi::property("response\0flags").ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    flags.is_some_and(|bytes| u64::from_le_bytes(bytes) & CLIENT_GONE != 0)
}

/// The request headers that Envoy's router reads its retries from, and removes.
///
/// Envoy's `5xx` covers every status from 500 up and, with `reset` and `connect-failure`, every end without an answer; a
/// time-out counts as one. Where a policy names a part of these, the nearest conditions are used: `timeout` alone also
/// retries on a reset, since Envoy knows one condition for both.
fn retry_headers(dispatch: &Dispatch, place: Place) -> Vec<(&'static str, String)> {
    let fallback = &dispatch.fallback;
    let mut headers = Vec::with_capacity(4);
    let retries = dispatch.attempts.saturating_sub(1);
    let timeout = fallback.per_try_timeout_millis.unwrap_or(0);
    let route = place.route_retries.unwrap_or(RouteRetries { retries: 0, per_try_timeout_millis: 0 });
    if timeout != route.per_try_timeout_millis {
        headers.push(("x-envoy-upstream-rq-per-try-timeout-ms", timeout.to_string()));
    }
    if retries != route.retries {
        headers.push(("x-envoy-max-retries", retries.to_string()));
    }
    if retries == 0 || place.route_retries.is_some() {
        return headers;
    }
    let mut statuses: Vec<String> = Vec::new();
    let mut conditions: Vec<&str> = Vec::new();
    let has = |on: FallbackOn| fallback.on.contains(&on);
    let all_silent_ends = has(FallbackOn::Timeout) && has(FallbackOn::Connect);
    for on in &fallback.on {
        match on {
            FallbackOn::Status(status) => statuses.push(status.to_string()),
            FallbackOn::ServerError if all_silent_ends => conditions.push("5xx"),
            // Envoy's own `5xx` would also retry on what this policy leaves out.
            FallbackOn::ServerError => statuses.extend((500..=599).map(|status: u16| status.to_string())),
            FallbackOn::Timeout => conditions.push("reset"),
            FallbackOn::Connect => conditions.push("connect-failure,refused-stream,reset"),
        }
    }
    if !statuses.is_empty() {
        conditions.push("retriable-status-codes");
        headers.push(("x-envoy-retriable-status-codes", statuses.join(",")));
    }
    headers.push(("x-envoy-retry-on", conditions.join(",")));
    headers
}
