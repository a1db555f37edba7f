//! The traps of running Weir in Envoy, each looked for in a configuration. Every rule here was seen to bite; why a line is
//! needed is said in the finding.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;
use weir::telemetry::metric;

use super::envoy::{Chain, Cluster, Envoy, Plugin};
use super::finding::Finding;
use super::node::Node;
use crate::{check, policy_file};

/// The body limit that `weir render` writes.
const BODY_LIMIT: &str = "request_body_buffer_limit: 8388608";
/// Envoy's limit for a buffered body when nothing is written.
const DEFAULT_LIMIT: u64 = 1024 * 1024;

/// Everything found, errors first.
pub fn inspect(envoy: &Envoy<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let deciding: Vec<_> = envoy
        .chains
        .iter()
        .flat_map(|chain| chain.plugins.iter().map(move |plugin| (chain, plugin)))
        .filter(|(_, plugin)| plugin.text("role") != "upstream")
        .collect();
    if deciding.is_empty() {
        found.push(Finding::error(
            "static_resources.listeners",
            "no listener has Weir's filter with the role `listener`: requests pass without keys, policy or metering",
            "the filter that `weir render envoy POLICY` writes, before envoy.filters.http.router",
        ));
    }
    for plugin in plugins(envoy) {
        settings(plugin, &mut found);
    }
    for (chain, plugin) in &deciding {
        listener(envoy, chain, plugin, &mut found);
    }
    for chain in
        envoy.chains.iter().filter(|chain| chain.plugins.iter().any(|plugin| plugin.text("role") == "upstream"))
    {
        attempts(chain, &mut found);
    }
    if let Some(bootstrap) = &envoy.bootstrap {
        process(bootstrap, &mut found);
    }
    found.sort_by_key(|finding| finding.severity);
    found.dedup();
    found
}

fn plugins<'e, 'a>(envoy: &'e Envoy<'a>) -> impl Iterator<Item = &'e Plugin<'a>> {
    let listeners = envoy.chains.iter().flat_map(|chain| &chain.plugins);
    listeners.chain(envoy.clusters.iter().flat_map(|cluster| &cluster.plugins))
}

/// What every one of Weir's filters needs.
fn settings(plugin: &Plugin<'_>, found: &mut Vec<Finding>) {
    let config = &plugin.config;
    if !config.is_true("allow_on_headers_stop_iteration") {
        found.push(Finding::error(
            &config.path,
            "without allow_on_headers_stop_iteration every request with a body hangs",
            "allow_on_headers_stop_iteration: true",
        ));
    }
    let policy = config.text("failure_policy");
    if policy != "FAIL_RELOAD" {
        let happens = match policy {
            "FAIL_OPEN" => {
                "after a fault of the filter requests go through unfiltered: no key is asked for, no policy holds"
            }
            _ => "after a fault of the filter its worker answers 503 for ever",
        };
        found.push(Finding::error(&config.path, happens, "failure_policy: FAIL_RELOAD"));
    }
    if config.is_true("fail_open") {
        found.push(Finding::error(
            &config.path,
            "fail_open lets requests through unfiltered after a fault",
            "failure_policy: FAIL_RELOAD (and no fail_open)",
        ));
    }
    if !matches!(plugin.text("role"), "listener" | "upstream") {
        found.push(Finding::error(
            &format!("{}.configuration", config.path),
            "the filter is configured with JSON that has the role `listener` or `upstream`; this is neither",
            r#"configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: '{"role": "upstream"}'}"#,
        ));
    }
}

/// The listener that decides: its filter, its policy, its routes and what they reach.
fn listener(envoy: &Envoy<'_>, chain: &Chain<'_>, plugin: &Plugin<'_>, found: &mut Vec<Finding>) {
    let policy = plugin.configuration.get("policy").cloned().unwrap_or_default();
    let policy_path = format!("{}.configuration.policy", plugin.config.path);
    for problem in check::problems(&policy) {
        found.push(Finding::error(
            &policy_path,
            format!("the embedded policy: {problem}"),
            "mend the policy file and render again; Envoy refuses this one",
        ));
    }
    environment(envoy, &policy, found);
    sharing(envoy, plugin, found);
    manager(chain, found);
    audit(chain, plugin, found);
    providers(envoy, &policy, found);
    for (_, route) in routes(chain) {
        match plugin.text("failover") {
            "loop" => loop_route(envoy, &route, found),
            _ => refresh_route(envoy, &policy, &route, found),
        }
        transport(chain, &route, found);
    }
    if plugin.text("failover") != "loop" {
        for provider in providers_of(&policy) {
            if let Some(cluster) = envoy.cluster(&provider.cluster) {
                upstream_filters(cluster, &provider.name, found);
            }
        }
    }
}

/// The environment variables that the policy's keys are read from.
fn environment(envoy: &Envoy<'_>, policy: &Value, found: &mut Vec<Finding>) {
    let needed = policy_file::environment(policy);
    if needed.is_empty() {
        return;
    }
    for plugin in plugins(envoy) {
        let keys = plugin.config.at(&["vm_config", "environment_variables", "host_env_keys"]);
        let passed: BTreeSet<String> = keys
            .and_then(|keys| keys.value.as_array())
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let missing: Vec<_> = needed.difference(&passed).map(String::as_str).collect();
        if !missing.is_empty() {
            let all: Vec<_> = needed.iter().map(String::as_str).collect();
            found.push(Finding::error(
                &format!("{}.vm_config", plugin.config.path),
                format!(
                    "the policy reads {}, and Envoy does not pass it to the filter: providers answer 401",
                    missing.join(", ")
                ),
                format!("environment_variables: {{host_env_keys: [{}]}}", all.join(", ")),
            ));
        }
    }
}

/// Whether all filters share one instance.
fn sharing(envoy: &Envoy<'_>, plugin: &Plugin<'_>, found: &mut Vec<Finding>) {
    let Some(own) = plugin.config.get("vm_config") else {
        return;
    };
    for other in plugins(envoy).filter(|other| other.config.path != plugin.config.path) {
        let theirs = other.config.get("vm_config");
        if theirs.as_ref().map(|theirs| theirs.value) == Some(own.value) {
            continue;
        }
        let differ: Vec<_> = ["vm_id", "runtime", "code", "configuration", "environment_variables"]
            .into_iter()
            .filter(|name| {
                theirs.as_ref().and_then(|theirs| theirs.get(name)).map(|node| node.value)
                    != own.get(name).map(|node| node.value)
            })
            .collect();
        found.push(Finding::error(
            &format!("{}.vm_config", other.config.path),
            format!(
                "{} differs from the listener's filter at {}: they do not share one instance, so this one has no rules and no counters",
                if differ.is_empty() { "vm_config".to_owned() } else { differ.join(", ") },
                own.path
            ),
            format!("the same vm_config as at {}, vm_id: {}", own.path, own.text("vm_id")),
        ));
    }
}

/// The connection manager in front of the filter.
fn manager(chain: &Chain<'_>, found: &mut Vec<Finding>) {
    let manager = &chain.manager;
    if manager.get("stream_idle_timeout").is_none() {
        found.push(Finding::warning(
            &manager.path,
            "a model that thinks for 5 minutes without a byte is cut off (Envoy's default stream_idle_timeout)",
            "stream_idle_timeout: 1800s",
        ));
    }
    if !manager.is_true("use_remote_address") {
        found.push(Finding::warning(
            &manager.path,
            "clients may set x-envoy-* headers, which steer timeouts and retries",
            "use_remote_address: true",
        ));
    }
    let names: Vec<_> = manager.items("http_filters").iter().map(|filter| filter.text("name").to_owned()).collect();
    if chain.hosts.is_empty() {
        found.push(Finding::warning(
            &manager.path,
            "the routes of this listener are not in this document, so they were not looked at",
            "weir doctor http://ADMIN, which asks the running Envoy",
        ));
    }
    if names.iter().any(|name| name == "envoy.filters.http.buffer") {
        found.push(Finding::warning(
            &format!("{}.http_filters", manager.path),
            "the buffer filter holds whole bodies a second time; Weir holds what it needs",
            "remove envoy.filters.http.buffer",
        ));
    }
    for log in manager.items("access_log") {
        let text = log.value.to_string();
        let shows =
            ["REQ(:PATH)", "REQ(X-ENVOY-ORIGINAL-PATH", "REQ(AUTHORIZATION", "REQ(X-API-KEY", "REQ(X-GOOG-API-KEY"];
        if let Some(shown) = shows.iter().find(|shown| text.to_ascii_uppercase().contains(*shown)) {
            found.push(Finding::warning(
                &log.path,
                format!("the access log shows %{shown}…%: clients' keys end up in it (Gemini clients send theirs in the query)"),
                "path: \"%PATH(NQ)%\"",
            ));
        }
    }
}

/// The audit lines' way out.
fn audit(chain: &Chain<'_>, plugin: &Plugin<'_>, found: &mut Vec<Finding>) {
    let logs = chain.manager.items("access_log");
    let is_written = logs.iter().any(|log| log.value.to_string().contains("wasm.weir.audit"));
    if plugin.text("audit") == "filter_state" && !is_written {
        found.push(Finding::warning(
            &chain.manager.path,
            "the filter leaves its audit lines in filter state and no access log writes them: nobody can say who asked what",
            "access_log: one with text_format_source: {inline_string: \"%FILTER_STATE(wasm.weir.audit:PLAIN)%\"}",
        ));
    }
}

/// A provider as far as the doctor needs it.
struct Provider {
    name: String,
    cluster: String,
    is_tls: bool,
}

fn providers_of(policy: &Value) -> Vec<Provider> {
    let providers = policy.get("providers").and_then(Value::as_object).into_iter().flatten();
    providers
        .map(|(name, provider)| {
            let text = |field: &str| provider.get(field).and_then(Value::as_str);
            Provider {
                name: name.clone(),
                cluster: text("cluster").unwrap_or(name).to_owned(),
                is_tls: text("endpoint").is_some_and(|endpoint| endpoint.starts_with("https:")),
            }
        })
        .collect()
}

/// The clusters that the policy's providers need.
fn providers(envoy: &Envoy<'_>, policy: &Value, found: &mut Vec<Finding>) {
    for provider in providers_of(policy) {
        let Some(cluster) = envoy.cluster(&provider.cluster) else {
            found.push(Finding::error(
                "static_resources.clusters",
                format!(
                    "provider {:?} needs the cluster {:?}, which is not there: its requests get 503",
                    provider.name, provider.cluster
                ),
                format!("- name: {}", provider.cluster),
            ));
            continue;
        };
        if !provider.is_tls {
            continue;
        }
        let tls =
            cluster.node.at(&["transport_socket", "typed_config"]).filter(|tls| tls.is_type("UpstreamTlsContext"));
        let Some(tls) = tls else {
            found.push(Finding::error(
                &cluster.node.path,
                format!(
                    "provider {:?} has an https endpoint and the cluster no TLS: the key would leave in clear text",
                    provider.name
                ),
                "transport_socket: {name: envoy.transport_sockets.tls, …} as `weir render envoy` writes it",
            ));
            continue;
        };
        tls_context(&tls, found);
    }
}

fn tls_context(tls: &Node<'_>, found: &mut Vec<Finding>) {
    let common = tls.get("common_tls_context");
    let validation = common.as_ref().and_then(|common| {
        let combined = common.at(&["combined_validation_context", "default_validation_context"]);
        common.get("validation_context").or(combined)
    });
    let by_name = ["validation_context_sds_secret_config", "combined_validation_context"];
    let is_elsewhere = common.as_ref().is_some_and(|common| by_name.iter().any(|name| common.get(name).is_some()));
    let has = |name: &str| validation.as_ref().is_some_and(|context| context.get(name).is_some());
    if !is_elsewhere && !has("trusted_ca") && !has("ca_certificate_provider_instance") {
        found.push(Finding::error(
            &tls.path,
            "no trusted_ca: Envoy takes any certificate, so whoever answers gets the provider's key",
            "common_tls_context: {validation_context: {trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}}}",
        ));
    } else if !is_elsewhere && !has("match_typed_subject_alt_names") && !tls.is_true("auto_sni_san_validation") {
        found.push(Finding::error(
            &tls.path,
            "the certificate's name is not compared with the host: any valid certificate gets the provider's key",
            "match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: HOST}}]",
        ));
    }
}

/// The routes of a chain with their virtual hosts.
fn routes<'a>(chain: &Chain<'a>) -> Vec<(Node<'a>, Node<'a>)> {
    let hosts = chain.hosts.iter();
    let routes = hosts.flat_map(|host| host.items("routes").into_iter().map(move |route| (host.clone(), route)));
    routes.filter(|(_, route)| route.get("route").is_some()).collect()
}

/// What a route to a model needs, whichever way the next candidate is tried.
fn transport(chain: &Chain<'_>, route: &Node<'_>, found: &mut Vec<Finding>) {
    let Some(action) = route.get("route") else { return };
    if !is_zero(&action, "timeout") {
        found.push(Finding::error(
            &action.path,
            "without `timeout: 0s` Envoy cuts every answer, streams too, after 15 s (or after what is written)",
            "timeout: 0s",
        ));
    }
    let is_api = route.get("match").is_none_or(|matched| {
        matched.text("path") != "/"
            && !matched.text("path_separated_prefix").starts_with("/weir")
            && !matched.text("prefix").starts_with("/weir")
    });
    let size = |node: Option<Node<'_>>| node.and_then(|node| number(node.value)).unwrap_or_default();
    let connection = size(chain.listener.get("per_connection_buffer_limit_bytes"));
    if is_api && size(route.get("request_body_buffer_limit")) <= DEFAULT_LIMIT && connection <= DEFAULT_LIMIT {
        found.push(Finding::error(
            &route.path,
            "requests over 1 MiB (long contexts, images) are answered with 413",
            format!("{BODY_LIMIT} (beside `match`, not inside `route`)"),
        ));
    }
}

/// A route of the design in which Envoy chooses the cluster again for every attempt.
fn refresh_route(envoy: &Envoy<'_>, policy: &Value, route: &Node<'_>, found: &mut Vec<Finding>) {
    let Some(action) = route.get("route") else { return };
    if !action.get("retry_policy").is_some_and(|retry| retry.is_true("refresh_cluster_on_retry")) {
        found.push(Finding::error(
            &action.path,
            "without refresh_cluster_on_retry every retry goes to the provider that has just failed",
            "retry_policy: {num_retries: 0, refresh_cluster_on_retry: true}",
        ));
    }
    let specifier = action.at(&["inline_cluster_specifier_plugin", "extension", "typed_config", "cluster_matcher"]);
    let Some(matcher) = specifier else {
        found.push(Finding::error(
            &action.path,
            "only the matcher cluster specifier is read again for a retry; `cluster` and `cluster_header` stay at the first provider",
            "inline_cluster_specifier_plugin as `weir render envoy` writes it",
        ));
        return;
    };
    let key = matcher.at(&["matcher_tree", "input", "typed_config"]).map(|input| input.text("key")).unwrap_or_default();
    if key != "wasm.weir.cluster" {
        found.push(Finding::error(
            &matcher.path,
            format!("the filter writes its choice into the filter state wasm.weir.cluster, this reads {key:?}"),
            "key: wasm.weir.cluster",
        ));
    }
    let map = matcher.at(&["matcher_tree", "exact_match_map", "map"]);
    let entries = map.map(|map| map.members()).unwrap_or_default();
    for provider in providers_of(policy) {
        let entry = entries.iter().find(|(name, _)| *name == provider.cluster);
        let target = entry.and_then(|(_, entry)| entry.at(&["action", "typed_config"]));
        if target.map(|target| target.text("cluster")) != Some(provider.cluster.as_str()) {
            found.push(Finding::error(
                &matcher.path,
                format!("the cluster {:?} of provider {:?} cannot be chosen", provider.cluster, provider.name),
                format!("exact_match_map entry {0:?} with the cluster {0:?}", provider.cluster),
            ));
        }
    }
    let fallthrough = matcher.at(&["on_no_match", "action", "typed_config"]).map(|target| target.text("cluster"));
    let has_hosts = |name: &str| {
        envoy
            .cluster(name)
            .and_then(|cluster| cluster.node.get("load_assignment"))
            .is_some_and(|load| !load.items("endpoints").is_empty())
    };
    if let Some(name) = fallthrough.filter(|name| has_hosts(name)) {
        found.push(Finding::warning(
            &matcher.path,
            format!("a request for which the filter chose nothing goes to {name:?}"),
            "on_no_match: a cluster without endpoints, so that it fails",
        ));
    }
}

/// The upstream filters of a provider's cluster.
fn upstream_filters(cluster: &Cluster<'_>, provider: &str, found: &mut Vec<Finding>) {
    let path = &cluster.node.path;
    match cluster.plugins.first() {
        None => found.push(Finding::error(
            path,
            "no upstream filter of Weir: requests reach this provider with the client's key, path and body",
            format!(r#"http_filters: Weir's with {{"role": "upstream", "provider": {provider:?}}}, then envoy.filters.http.upstream_codec"#),
        )),
        Some(plugin) if plugin.text("provider") != provider => found.push(Finding::error(
            &plugin.config.path,
            format!("this filter prepares requests for {:?}, the cluster belongs to {provider:?}: one provider's key would go to the other", plugin.text("provider")),
            format!(r#"configuration {{"role": "upstream", "provider": {provider:?}}}"#),
        )),
        Some(_) => {}
    }
    let is_codec = |filter: &Node<'_>| {
        filter.get("typed_config").is_some_and(|config| config.is_type("upstream_codec.v3.UpstreamCodec"))
    };
    if !cluster.filters.is_empty() && !cluster.filters.last().is_some_and(is_codec) {
        found.push(Finding::error(
            path,
            "the last upstream filter must be the codec; Envoy refuses the cluster",
            "- {name: envoy.filters.http.upstream_codec, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}}",
        ));
    }
}

/// A route of the design in which every attempt passes an internal listener.
fn loop_route(envoy: &Envoy<'_>, route: &Node<'_>, found: &mut Vec<Finding>) {
    let Some(action) = route.get("route") else { return };
    let name = action.text("cluster");
    let endpoint = envoy.cluster(name).and_then(|cluster| {
        let endpoints = cluster.node.get("load_assignment")?.items("endpoints");
        let hosts: Vec<_> = endpoints.iter().flat_map(|group| group.items("lb_endpoints")).collect();
        hosts.iter().find_map(|host| host.at(&["endpoint", "address", "envoy_internal_address"]))
    });
    let inner = endpoint.map(|address| address.text("server_listener_name")).unwrap_or_default();
    let chain = envoy.chains.iter().find(|chain| chain.is_internal() && chain.listener.text("name") == inner);
    if !chain.is_some_and(|chain| chain.plugins.iter().any(|plugin| plugin.text("role") == "upstream")) {
        found.push(Finding::error(
            &action.path,
            format!("the cluster {name:?} does not lead to an internal listener with Weir's upstream filter: requests reach nobody, or unprepared"),
            "cluster: weir_loop, with the listener weir_attempt, as `weir render envoy --failover loop` writes them",
        ));
    }
    let extensions = envoy.bootstrap.as_ref().map(|bootstrap| bootstrap.items("bootstrap_extensions"));
    let is_there = |extension: &Node<'_>| {
        extension.get("typed_config").is_some_and(|config| config.is_type("internal_listener.v3.InternalListener"))
    };
    if extensions.is_some_and(|extensions| !extensions.iter().any(is_there)) {
        found.push(Finding::error(
            "bootstrap_extensions",
            "Envoy has no internal listeners without this extension",
            "- {name: envoy.bootstrap.internal_listener, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}}",
        ));
    }
}

/// The internal listener behind the loop: one attempt.
fn attempts(chain: &Chain<'_>, found: &mut Vec<Finding>) {
    if chain.manager.get("stream_idle_timeout").is_none() {
        found.push(Finding::warning(
            &chain.manager.path,
            "a model that thinks for 5 minutes without a byte is cut off (Envoy's default stream_idle_timeout)",
            "stream_idle_timeout: 1800s",
        ));
    }
    for host in &chain.hosts {
        if let Some(retry) = host.get("retry_policy") {
            found.push(inner_retry(&retry.path));
        }
    }
    for (_, route) in routes(chain) {
        transport(chain, &route, found);
        let Some(action) = route.get("route") else { continue };
        if let Some(retry) = action.get("retry_policy") {
            found.push(inner_retry(&retry.path));
        }
        if let Some(mirror) = action.get("request_mirror_policies") {
            found.push(Finding::error(
                &mirror.path,
                "a mirror of an attempt gets a copy of the request with the provider's key in it",
                "request_mirror_policies only in the listener that clients reach",
            ));
        }
        if action.text("cluster_header") != "x-weir-cluster" {
            found.push(Finding::error(
                &action.path,
                "the filter names the provider's cluster in the header x-weir-cluster, and this route does not read it",
                "cluster_header: x-weir-cluster",
            ));
        }
    }
}

fn inner_retry(path: &str) -> Finding {
    Finding::error(
        path,
        "a retry here asks the same provider again, out of the policy's sight",
        "retry_policy only in the listener that clients reach",
    )
}

/// What is set once for the whole process.
fn process(bootstrap: &Node<'_>, found: &mut Vec<Finding>) {
    let address = bootstrap.at(&["admin", "address", "socket_address"]);
    if let Some(address) = address.filter(|address| !check::is_loopback(address.text("address"))) {
        let host = address.text("address");
        let shown = host.parse::<IpAddr>().map_or_else(|_| format!("{host:?}"), |address| address.to_string());
        found.push(Finding::warning(
            &address.path,
            format!("the admin page listens on {shown}: whoever reaches it can stop Envoy and read its configuration"),
            "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}",
        ));
    }
    let tags = bootstrap.get("stats_config").map(|stats| stats.items("stats_tags")).unwrap_or_default();
    let known: BTreeSet<_> = tags.iter().map(|tag| tag.text("tag_name")).collect();
    let missing: Vec<_> = metric::LABELS.into_iter().filter(|label| !known.contains(label)).collect();
    if !missing.is_empty() {
        let rows: Vec<_> =
            missing.iter().map(|label| format!("{{tag_name: {label}, regex: '(;{label}=([^;]+))'}}")).collect();
        found.push(Finding::warning(
            "stats_config.stats_tags",
            format!("without tags the labels {} become part of the metrics' names", missing.join(", ")),
            format!("stats_config: {{stats_tags: [{}]}}", rows.join(", ")),
        ));
    }
}

/// Whether a duration is written and is zero.
fn is_zero(node: &Node<'_>, name: &str) -> bool {
    let seconds = node.text(name).strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
    seconds.is_some_and(|seconds| seconds == 0.0)
}

/// A number as YAML or as `/config_dump` writes it, which puts 64-bit numbers in quotes.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}
