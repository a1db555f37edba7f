//! A policy as a bootstrap file of stock Envoy, in either failover design. The templates beside this file hold what is
//! fixed and say why; here is what depends on the policy.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use weir::config::policy::{Fallback, FallbackOn, Policy, Provider};
use weir::config::problem::Problem;
use weir::policy::decide::default_fallback;
use weir::telemetry::metric;

use super::template::{ascii_json, comment, fill, quote};
use crate::policy_file;

/// How the next candidate is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Failover {
    /// Envoy chooses the cluster again for every attempt; each provider's cluster has an upstream filter.
    Refresh,
    /// Every attempt passes an internal listener whose filter chooses the cluster.
    Loop,
}

/// Where things are on Envoy's machine.
pub struct Place<'a> {
    /// Where Envoy listens.
    pub listen: SocketAddr,
    /// Where its admin page listens.
    pub admin: SocketAddr,
    /// The module's file.
    pub wasm: &'a str,
    /// The certificate authorities' file.
    pub ca: &'a str,
    /// Whether an access log goes to standard output.
    pub access_log: bool,
    /// The failover design.
    pub failover: Failover,
    /// The command that writes this configuration.
    pub command: &'a str,
}

/// Names of clusters that are Weir's own.
const RESERVED: [&str; 2] = ["weir_no_target", "weir_loop"];

/// The configuration, or what about the policy this proxy cannot do.
///
/// # Errors
/// A fault of a template, which the tests rule out.
pub fn render(written: &Value, policy: &Policy, place: &Place<'_>) -> Result<Result<String, Vec<Problem>>, String> {
    let problems = problems(policy);
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let environment = policy_file::environment(written);
    let plugin = Plugin { wasm: place.wasm, environment: environment.into_iter().collect() };
    let labels: String =
        metric::LABELS.iter().map(|label| format!("- {{tag_name: {label}, regex: '(;{label}=([^;]+))'}}\n")).collect();
    let command: String = comment(place.command);
    let (floor, internal_listener) = match place.failover {
        Failover::Refresh => ("1.39", ""),
        Failover::Loop => ("1.35", include_str!("internal_listener.yaml")),
    };
    let environment = if plugin.environment.is_empty() {
        String::new()
    } else {
        format!(": {}", comment(&plugin.environment.join(", ")))
    };
    let text = fill(
        include_str!("bootstrap.yaml"),
        &[
            ("command", &command),
            ("floor", floor),
            ("environment", &environment),
            ("admin", &address(place.admin)),
            ("internal_listener", internal_listener),
            ("stats_tags", &labels),
            ("listeners", &listeners(written, policy, &plugin, place)?),
            ("clusters", &clusters(policy, &plugin, place)?),
        ],
    )?;
    Ok(Ok(text))
}

/// What is wrong with a policy for Envoy alone.
fn problems(policy: &Policy) -> Vec<Problem> {
    let taken = policy.providers.iter().filter(|provider| RESERVED.contains(&provider.cluster.as_str()));
    taken
        .map(|provider| {
            let message = format!("the name {:?} is taken by Weir's own cluster; choose another", provider.cluster);
            Problem::new(format!("providers.{}.cluster", provider.name), message)
        })
        .collect()
}

fn address(at: SocketAddr) -> String {
    format!("{{socket_address: {{address: {}, port_value: {}}}}}", quote(&at.ip().to_string()), at.port())
}

/// What every filter of the configuration has in common.
struct Plugin<'a> {
    wasm: &'a str,
    environment: Vec<String>,
}

impl Plugin<'_> {
    /// One entry of `http_filters`.
    fn filter(&self, configuration: &Value) -> Result<String, String> {
        let environment = if self.environment.is_empty() {
            String::new()
        } else {
            let names: Vec<_> = self.environment.iter().map(|name| quote(name)).collect();
            format!("environment_variables: {{host_env_keys: [{}]}}", names.join(", "))
        };
        fill(
            include_str!("plugin.yaml"),
            &[
                ("wasm", &quote(self.wasm)),
                ("environment", &environment),
                ("configuration", &ascii_json(&format!("{configuration:#}"))),
            ],
        )
    }
}

fn listeners(written: &Value, policy: &Policy, plugin: &Plugin<'_>, place: &Place<'_>) -> Result<String, String> {
    let failover = match place.failover {
        Failover::Refresh => "refresh",
        Failover::Loop => "loop",
    };
    let shared = shared_fallback(policy);
    let retries = match &shared {
        Some(fallback) => {
            let values = [("retries", retries_of(fallback).to_string()), ("timeout", per_try_timeout(fallback))];
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            fill(include_str!("retries_in_route.yaml"), &values)?
        }
        None => include_str!("retries_by_header.yaml").to_owned(),
    };
    let route = match place.failover {
        Failover::Refresh => {
            let mut matches = String::new();
            for provider in &policy.providers {
                matches += &fill(include_str!("route_match.yaml"), &[("cluster", &quote(&provider.cluster))])?;
            }
            fill(include_str!("route_refresh.yaml"), &[("clusters", &matches), ("retries", &retries)])?
        }
        Failover::Loop => fill(include_str!("route_loop.yaml"), &[("retries", &retries)])?,
    };
    let mut configuration = json!({
        "role": "listener",
        "failover": failover,
        "publish": place.access_log,
        "audit": "filter_state",
        "policy": written,
    });
    if let (Some(members), Some(fallback)) = (configuration.as_object_mut(), &shared) {
        let millis = fallback.per_try_timeout_millis.unwrap_or(0);
        let retries = json!({"retries": retries_of(fallback), "per_try_timeout_millis": millis});
        members.insert("route_retries".to_owned(), retries);
    }
    let filter = plugin.filter(&configuration)?;
    let mut listeners = fill(
        include_str!("listener.yaml"),
        &[
            ("listen", &address(place.listen)),
            ("audit_log", include_str!("audit_log.yaml")),
            ("access_log", if place.access_log { include_str!("access_log.yaml") } else { "" }),
            ("route", &route),
            ("plugin", &filter),
        ],
    )?;
    if place.failover == Failover::Loop {
        let filter = plugin.filter(&json!({"role": "upstream"}))?;
        listeners += &fill(include_str!("attempt.yaml"), &[("plugin", &filter)])?;
    }
    Ok(listeners)
}

/// The fallback that Envoy's route can hold for this policy: that of its first route, if all of them, and the default
/// for requests that no route takes, retry under the same conditions. Attempts and time-outs may differ: a request's
/// headers overrule the route's.
///
/// Why not conditions too: Envoy adds those in a request's headers to those of its route, so a header takes none away.
fn shared_fallback(policy: &Policy) -> Option<Fallback> {
    let default = default_fallback();
    let same = |on: &[FallbackOn]| {
        on.iter().all(|one| default.on.contains(one)) && default.on.iter().all(|one| on.contains(one))
    };
    let written = || policy.routes.iter().filter_map(|route| route.fallback.as_ref());
    if !written().all(|fallback| same(&fallback.on)) {
        return None;
    }
    Some(written().next().cloned().unwrap_or(default))
}

fn retries_of(fallback: &Fallback) -> u32 {
    fallback.attempts.saturating_sub(1)
}

fn per_try_timeout(fallback: &Fallback) -> String {
    let millis = fallback.per_try_timeout_millis.unwrap_or(0);
    format!("{}.{:03}s", millis / 1_000, millis % 1_000)
}

fn clusters(policy: &Policy, plugin: &Plugin<'_>, place: &Place<'_>) -> Result<String, String> {
    let mut clusters = String::new();
    for provider in &policy.providers {
        clusters += &cluster(provider, plugin, place)?;
    }
    clusters += match place.failover {
        Failover::Refresh => include_str!("no_target_cluster.yaml"),
        Failover::Loop => include_str!("loop_cluster.yaml"),
    };
    Ok(clusters)
}

fn cluster(provider: &Provider, plugin: &Plugin<'_>, place: &Place<'_>) -> Result<String, String> {
    let endpoint = &provider.endpoint;
    let is_address = endpoint.host.parse::<IpAddr>().is_ok();
    let discovery = if is_address { "type: STATIC" } else { include_str!("dns.yaml") };
    let (tls, protocol) = if endpoint.tls {
        let host = quote(&endpoint.host);
        let sni = if is_address { String::new() } else { format!("sni: {host}") };
        let san_type = if is_address { "IP_ADDRESS" } else { "DNS" };
        let values = [("sni", sni.as_str()), ("ca", &quote(place.ca)), ("san_type", san_type), ("host", &host)];
        // HTTP/2 where the provider offers it.
        let protocol = "auto_config: {http_protocol_options: {}, http2_protocol_options: {}}";
        (fill(include_str!("tls.yaml"), &values)?, protocol)
    } else {
        (String::new(), "explicit_http_config: {http_protocol_options: {}}")
    };
    let filters = match place.failover {
        Failover::Refresh => {
            let filter = plugin.filter(&json!({"role": "upstream", "provider": provider.name}))?;
            fill(include_str!("upstream_filters.yaml"), &[("plugin", &filter)])?
        }
        Failover::Loop => String::new(),
    };
    fill(
        include_str!("cluster.yaml"),
        &[
            ("cluster", &quote(&provider.cluster)),
            ("discovery", discovery),
            ("host", &quote(&endpoint.host)),
            ("no_address", if is_address { "" } else { include_str!("no_address.yaml") }),
            ("port", &endpoint.port.to_string()),
            ("tls", &tls),
            ("protocol", protocol),
            ("filters", &filters),
        ],
    )
}
