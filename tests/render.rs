//! `weir render envoy`: what it writes is accepted by a real Envoy and holds what makes a configuration safe. Whether
//! requests get through is for the end-to-end tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ONE: &str = "
version: 1
anonymous: allow
providers:
  vllm: {api: openai, endpoint: 'http://127.0.0.1:8000/v1'}
";

const MANY: &str = r#"
version: 1
anonymous: allow
providers:
  openai: {api: openai, endpoint: "https://api.openai.com/v1", key: ["${OPENAI_API_KEY}", "${OPENAI_API_KEY_2}"]}
  second: {api: openai, endpoint: "https://llm.example:8443", cluster: "second.cluster", catalogue: openai, headers: {x-extra: "${EXTRA}"}}
  onprem: {api: openai, endpoint: "https://[::1]:9443/v1", catalogue: openai}
  vllm: {api: openai, endpoint: "http://vllm.internal:8000/v1"}
models:
  qwen: {targets: [{provider: vllm, model: "qwen ünïcode \u2028", price: {input: 0.1, output: 0.3}}], context_window: 32768}
"#;

const DESIGNS: [&str; 2] = ["refresh", "loop"];

fn weir(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn render(policy: &str, more: &[&str]) -> String {
    let mut arguments = vec!["render", "envoy", "-"];
    arguments.extend(more);
    let output = weir(&arguments, policy);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn parsed(policy: &str, more: &[&str]) -> Value {
    serde_yaml_ng::from_str(&render(policy, more)).unwrap()
}

fn cluster<'a>(config: &'a Value, name: &str) -> &'a Value {
    let clusters = config["static_resources"]["clusters"].as_array().unwrap();
    clusters.iter().find(|cluster| cluster["name"] == name).unwrap()
}

fn manager(config: &Value, listener: usize) -> &Value {
    &config["static_resources"]["listeners"][listener]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn configuration(filter: &Value) -> Value {
    serde_json::from_str(filter["typed_config"]["config"]["configuration"]["value"].as_str().unwrap()).unwrap()
}

/// Every object anywhere in a document that has a member of that name.
fn with_member<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| with_member(item, name, found)),
        Value::Object(members) => {
            found.extend(members.contains_key(name).then_some(value));
            members.values().for_each(|member| with_member(member, name, found));
        }
        _ => {}
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn envoy() -> PathBuf {
    let path = std::env::var_os("WEIR_ENVOY").map_or_else(|| root().join(".tools/bin/envoy"), PathBuf::from);
    assert!(path.exists(), "no Envoy at {}: run `make setup`, or set WEIR_ENVOY", path.display());
    path
}

fn module() -> String {
    let path = root().join("target/weir.wasm");
    assert!(path.exists(), "no module at {}: run `make build`", path.display());
    path.display().to_string()
}

/// A certificate file for Envoy to read: validating checks the form of the configuration, not who signs.
fn authorities() -> String {
    let candidates = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let found = candidates.into_iter().find(|path| Path::new(path).exists());
    found.expect("no certificate authorities on this machine: install ca-certificates").to_owned()
}

fn validate(name: &str, policy: &str, design: &str) {
    let text = render(policy, &["--wasm", &module(), "--ca", &authorities(), "--failover", design]);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{design}.yaml"));
    std::fs::write(&file, text).unwrap();
    let keys = ["OPENAI_API_KEY", "OPENAI_API_KEY_2", "EXTRA"].map(|name| (name, "x"));
    let output =
        Command::new(envoy()).args(["--mode", "validate", "-l", "warn", "-c"]).arg(&file).envs(keys).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(!log.contains("eprecated"), "{log}");
}

#[test]
fn envoy_accepts_one_plain_provider() {
    DESIGNS.into_iter().for_each(|design| validate("one", ONE, design));
}

#[test]
fn envoy_accepts_many_providers_with_tls() {
    DESIGNS.into_iter().for_each(|design| validate("many", MANY, design));
}

#[test]
fn the_policy_reaches_the_filter_as_it_was_written() {
    let written: Value = serde_yaml_ng::from_str(MANY).unwrap();
    for design in DESIGNS {
        let config = parsed(MANY, &["--failover", design]);
        let given = configuration(&manager(&config, 0)["http_filters"][0]);
        assert_eq!(given["policy"], written);
        assert_eq!((given["role"].as_str(), given["failover"].as_str()), (Some("listener"), Some(design)));
    }
}

#[test]
fn every_filter_shares_one_virtual_machine_and_reloads_after_a_fault() {
    for design in DESIGNS {
        let config = parsed(MANY, &["--failover", design]);
        let mut plugins = Vec::new();
        with_member(&config, "vm_config", &mut plugins);
        assert_eq!(plugins.len(), if design == "refresh" { 5 } else { 2 });
        for plugin in &plugins {
            assert_eq!(plugin["vm_config"], plugins[0]["vm_config"]);
            assert_eq!(plugin["allow_on_headers_stop_iteration"], true);
            assert_eq!(plugin["failure_policy"], "FAIL_RELOAD");
        }
        let keys = &plugins[0]["vm_config"]["environment_variables"]["host_env_keys"];
        assert_eq!(keys, &serde_json::json!(["EXTRA", "OPENAI_API_KEY", "OPENAI_API_KEY_2"]));
    }
    let mut plugins = Vec::new();
    let config = parsed(ONE, &[]);
    with_member(&config, "vm_config", &mut plugins);
    assert!(plugins[0]["vm_config"].get("environment_variables").is_none());
}

#[test]
fn an_https_provider_is_asked_by_name_and_its_certificate_is_checked() {
    let config = parsed(MANY, &["--ca", "/ca.pem"]);
    let tls = |name: &str| cluster(&config, name)["transport_socket"]["typed_config"].clone();
    assert_eq!(tls("openai")["sni"], "api.openai.com");
    let context = tls("openai")["common_tls_context"]["validation_context"].clone();
    assert_eq!(context["trusted_ca"]["filename"], "/ca.pem");
    let names = serde_json::json!([{"san_type": "DNS", "matcher": {"exact": "api.openai.com"}}]);
    assert_eq!(context["match_typed_subject_alt_names"], names);

    let names = &tls("onprem")["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"];
    assert_eq!(names, &serde_json::json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": "::1"}}]));
    assert!(tls("onprem").get("sni").is_none());
    assert!(cluster(&config, "vllm").get("transport_socket").is_none());
}

#[test]
fn a_provider_is_reached_at_its_endpoint_under_its_cluster_name() {
    let config = parsed(MANY, &[]);
    let at = |name: &str| {
        let endpoint = &cluster(&config, name)["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
        endpoint["address"]["socket_address"].clone()
    };
    assert_eq!(at("second.cluster"), serde_json::json!({"address": "llm.example", "port_value": 8443}));
    assert_eq!(at("onprem"), serde_json::json!({"address": "::1", "port_value": 9443}));
    assert_eq!(at("openai"), serde_json::json!({"address": "api.openai.com", "port_value": 443}));
}

#[test]
fn no_key_is_written_when_the_policy_names_environment_variables() {
    for design in DESIGNS {
        let text = render(MANY, &["--failover", design]);
        assert!(text.contains("${OPENAI_API_KEY}"));
        assert!(!text.to_ascii_lowercase().contains("bearer"));
        assert!(!text.to_ascii_lowercase().contains("authorization"));
    }
}

#[test]
fn routes_never_cut_streams_and_serve_the_api_alone() {
    for design in DESIGNS {
        let config = parsed(MANY, &["--failover", design]);
        let routes = manager(&config, 0)["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap();
        let served: Vec<_> = routes.iter().map(|route| route["match"].clone()).collect();
        let expected = serde_json::json!([
            {"prefix": "/v1/"}, {"prefix": "/v1beta/"}, {"path_separated_prefix": "/weir"}, {"path": "/"}
        ]);
        assert_eq!(Value::from(served), expected);
        let told = configuration(&manager(&config, 0)["http_filters"][0]);
        for route in routes {
            assert_eq!(route["route"]["timeout"], "0s");
            assert_eq!(route["route"]["retry_policy"]["num_retries"], told["route_retries"]["retries"]);
        }
        assert_eq!(routes[0]["request_body_buffer_limit"], 8_388_608);
        assert_eq!(routes[1]["request_body_buffer_limit"], 8_388_608);
    }
}

#[test]
fn with_refresh_each_provider_has_its_own_upstream_filter_and_no_choice_goes_nowhere() {
    let config = parsed(MANY, &[]);
    let route = &manager(&config, 0)["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
    assert_eq!(route["retry_policy"]["refresh_cluster_on_retry"], true);
    let matcher = &route["inline_cluster_specifier_plugin"]["extension"]["typed_config"]["cluster_matcher"];
    assert_eq!(matcher["matcher_tree"]["input"]["typed_config"]["key"], "wasm.weir.cluster");
    assert_eq!(matcher["matcher_tree"]["exact_match_map"]["map"].as_object().unwrap().len(), 4);
    assert_eq!(matcher["on_no_match"]["action"]["typed_config"]["cluster"], "weir_no_target");
    assert!(cluster(&config, "weir_no_target")["load_assignment"].get("endpoints").is_none());

    let options = &cluster(&config, "second.cluster")["typed_extension_protocol_options"];
    let filters = options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["http_filters"].as_array().unwrap();
    assert_eq!(configuration(&filters[0]), serde_json::json!({"role": "upstream", "provider": "second"}));
    assert_eq!(filters[1]["name"], "envoy.filters.http.upstream_codec");
}

#[test]
fn with_loop_every_attempt_passes_one_internal_listener() {
    let config = parsed(MANY, &["--failover", "loop"]);
    assert_eq!(config["bootstrap_extensions"][0]["name"], "envoy.bootstrap.internal_listener");
    let outer = &manager(&config, 0)["route_config"]["virtual_hosts"][0];
    assert_eq!(outer["routes"][0]["route"]["cluster"], "weir_loop");
    let inner = &manager(&config, 1)["route_config"]["virtual_hosts"][0];
    assert_eq!(inner["routes"][0]["route"], serde_json::json!({"cluster_header": "x-weir-cluster", "timeout": "0s"}));
    assert_eq!(configuration(&manager(&config, 1)["http_filters"][0]), serde_json::json!({"role": "upstream"}));
}

#[test]
fn every_label_of_a_metric_has_its_tag() {
    let config = parsed(ONE, &[]);
    let tags = config["stats_config"]["stats_tags"].as_array().unwrap();
    let names: Vec<_> = tags.iter().map(|tag| tag["tag_name"].as_str().unwrap()).collect();
    assert_eq!(names, weir::telemetry::metric::LABELS);
    assert_eq!(tags[1]["regex"], "(;model=([^;]+))");
}

#[test]
fn listen_admin_and_output_are_where_they_were_asked_for() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("output.yaml");
    let shown = file.display().to_string();
    let output = weir(&["render", "envoy", "-", "--listen", "[::1]:0", "--admin", "0.0.0.0:9", "-o", &shown], ONE);
    assert!(output.status.success());
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("warning: --admin 0.0.0.0:9 is not loopback"));
    let config: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let listen = &config["static_resources"]["listeners"][0]["address"]["socket_address"];
    assert_eq!(listen, &serde_json::json!({"address": "::1", "port_value": 0}));
    assert_eq!(config["admin"]["address"]["socket_address"]["port_value"], 9);
}

#[test]
fn a_policy_with_problems_is_not_rendered_and_every_problem_is_told() {
    let policy = "{version: 1, anonymous: allow, providers: {a: {api: nonsense, endpoint: 'ftp://x'}}, extra: 1}";
    let output = weir(&["render", "envoy", "-"], policy);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    for path in ["error: providers.a.api:", "error: providers.a.endpoint:", "error: extra:"] {
        assert!(told.contains(path), "{told}");
    }
}

#[test]
fn the_names_of_weirs_own_clusters_are_taken() {
    let output = weir(&["render", "envoy", "-"], &ONE.replace("/v1'", "/v1', cluster: weir_loop"));
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: providers.vllm.cluster:"), "{told}");
}

#[test]
fn a_key_written_into_the_policy_is_warned_about_without_being_shown() {
    let policy = ONE.replace("/v1'", "/v1', key: sk-not-to-be-seen");
    let output = weir(&["render", "envoy", "-"], &policy);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("warning: providers.vllm.key:"), "{told}");
    assert!(!told.contains("sk-not-to-be-seen"));
}
