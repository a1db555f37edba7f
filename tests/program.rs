//! `weir check`, `weir key` and `weir doctor` as a user runs them: what they print and how they exit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const POLICY: &str = r#"
version: 1
anonymous: allow
providers:
  openai: {api: openai, endpoint: "https://api.openai.com/v1", key: "${OPENAI_API_KEY}"}
  vllm: {api: openai, endpoint: "http://127.0.0.1:8000/v1", headers: {x-extra: "${EXTRA}"}}
"#;

fn weir(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its input early closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn rendered(design: &str) -> Value {
    let output = weir(&["render", "envoy", "-", "--access-log", "--failover", design], POLICY.as_bytes());
    assert!(output.status.success(), "{}", told(&output));
    serde_yaml_ng::from_slice(&output.stdout).unwrap()
}

fn file(name: &str, content: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// What the doctor says of a configuration: its exit code and the findings.
fn doctor(name: &str, config: &Value) -> (i32, Vec<Value>) {
    let path = file(&format!("{name}.yaml"), &config.to_string());
    let output = weir(&["doctor", "--json", &path.display().to_string()], b"");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)));
    (output.status.code().unwrap(), said["findings"].as_array().unwrap().clone())
}

/// One way to break a configuration and what the doctor must say of it.
struct Trap {
    design: &'static str,
    /// JSON pointer to what is taken away or changed.
    pointer: &'static str,
    /// What stands there instead; nothing takes it away.
    instead: Option<Value>,
    severity: &'static str,
    /// A part of the line that mends it.
    mend: &'static str,
}

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const INNER: &str = "/static_resources/listeners/1/filter_chains/0/filters/0/typed_config";
const PLUGIN: &str = "/http_filters/0/typed_config/config";
const HOST: &str = "/route_config/virtual_hosts/0";
const UPSTREAM: &str = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const FIRST: &str = "/static_resources/clusters/0";
const TLS: &str = "/transport_socket/typed_config/common_tls_context/validation_context";

fn break_it(config: &mut Value, pointer: &str, instead: Option<&Value>) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    match (parent, instead) {
        (Value::Object(members), Some(value)) => {
            members.insert(member.to_owned(), value.clone());
        }
        (Value::Object(members), None) => {
            members.remove(member).unwrap_or_else(|| panic!("nothing at {pointer}"));
        }
        (Value::Array(items), Some(value)) => items[member.parse::<usize>().unwrap()] = value.clone(),
        (Value::Array(items), None) => {
            items.remove(member.parse().unwrap());
        }
        _ => panic!("nothing to change at {pointer}"),
    }
}

fn check_traps(prefix: &str, traps: &[(&[&str], Trap)]) {
    for (index, (before, trap)) in traps.iter().enumerate() {
        let mut config = rendered(trap.design);
        let pointer = before.concat() + trap.pointer;
        break_it(&mut config, &pointer, trap.instead.as_ref());
        let (code, findings) = doctor(&format!("{prefix}-{index}"), &config);
        let is_it = |finding: &Value| {
            finding["severity"] == trap.severity && finding["mend"].as_str().unwrap().contains(trap.mend)
        };
        assert!(findings.iter().any(is_it), "{pointer}: {findings:#?}");
        assert!(findings.iter().all(|finding| !finding["path"].as_str().unwrap().is_empty()), "{findings:#?}");
        let errors = findings.iter().filter(|finding| finding["severity"] == "error").count();
        assert_eq!(code, i32::from(errors > 0), "{pointer}");
        if trap.severity == "warning" {
            assert_eq!(code, 0, "{pointer}: {findings:#?}");
        }
    }
}

fn error(pointer: &'static str, instead: Option<Value>, mend: &'static str) -> Trap {
    Trap { design: "refresh", pointer, instead, severity: "error", mend }
}

fn warning(pointer: &'static str, instead: Option<Value>, mend: &'static str) -> Trap {
    Trap { severity: "warning", ..error(pointer, instead, mend) }
}

fn looped(trap: Trap) -> Trap {
    Trap { design: "loop", ..trap }
}

#[test]
fn the_doctor_finds_nothing_in_what_weir_renders() {
    for design in ["refresh", "loop"] {
        assert_eq!(doctor(&format!("clean-{design}"), &rendered(design)), (0, Vec::new()));
    }
}

#[test]
fn the_doctor_finds_every_trap_of_a_plugin() {
    let upstream = [FIRST, UPSTREAM, PLUGIN];
    check_traps(
        "plugin",
        &[
            (
                &[MANAGER, PLUGIN],
                error("/allow_on_headers_stop_iteration", None, "allow_on_headers_stop_iteration: true"),
            ),
            (&upstream, error("/allow_on_headers_stop_iteration", None, "allow_on_headers_stop_iteration: true")),
            (&[MANAGER, PLUGIN], error("/failure_policy", None, "FAIL_RELOAD")),
            (&[MANAGER, PLUGIN], error("/failure_policy", Some(json!("FAIL_OPEN")), "FAIL_RELOAD")),
            (&[MANAGER, PLUGIN], error("/fail_open", Some(json!(true)), "FAIL_RELOAD")),
            (&[MANAGER, PLUGIN], error("/configuration/value", Some(json!("not JSON")), "configuration:")),
            (
                &[MANAGER, PLUGIN],
                error("/vm_config/environment_variables", None, "host_env_keys: [EXTRA, OPENAI_API_KEY]"),
            ),
            (&upstream, error("/vm_config/vm_id", Some(json!("other")), "vm_id: weir")),
            (&upstream, error("/vm_config/code", Some(json!({"local": {"filename": "x"}})), "vm_id: weir")),
        ],
    );
}

#[test]
fn the_doctor_finds_every_trap_of_the_refresh_design() {
    let route = [MANAGER, HOST, "/routes/0"];
    let matcher =
        [MANAGER, HOST, "/routes/0/route/inline_cluster_specifier_plugin/extension/typed_config/cluster_matcher"];
    check_traps(
        "refresh",
        &[
            (&route, error("/route/timeout", None, "timeout: 0s")),
            (&route, error("/route/timeout", Some(json!("15s")), "timeout: 0s")),
            (&route, error("/request_body_buffer_limit", None, "request_body_buffer_limit: 8388608")),
            (&route, error("/route/retry_policy/refresh_cluster_on_retry", None, "refresh_cluster_on_retry: true")),
            (&route, error("/route/retry_policy", None, "refresh_cluster_on_retry: true")),
            (
                &route,
                error("/route", Some(json!({"cluster": "vllm", "timeout": "0s"})), "inline_cluster_specifier_plugin"),
            ),
            (&matcher, error("/matcher_tree/input/typed_config/key", Some(json!("wasm.x")), "wasm.weir.cluster")),
            (&matcher, error("/matcher_tree/exact_match_map/map/vllm", None, "vllm")),
            (&matcher, warning("/on_no_match/action/typed_config/cluster", Some(json!("vllm")), "on_no_match")),
            (&[FIRST, UPSTREAM], error("/http_filters", None, "\"role\": \"upstream\"")),
            (&[FIRST, UPSTREAM], error("/http_filters/1", None, "upstream_codec")),
            (
                &[FIRST, UPSTREAM, PLUGIN],
                error("/configuration/value", Some(json!(r#"{"role": "upstream", "provider": "vllm"}"#)), "\"openai\""),
            ),
            (&[FIRST], error("/name", Some(json!("other")), "- name: openai")),
            (&[FIRST], error("/transport_socket", None, "transport_socket")),
            (&[FIRST, TLS], error("/trusted_ca", None, "trusted_ca")),
            (&[FIRST, TLS], error("/match_typed_subject_alt_names", None, "match_typed_subject_alt_names")),
            (&[MANAGER], error("/http_filters/0", None, "weir render envoy")),
        ],
    );
}

#[test]
fn the_doctor_finds_every_trap_of_the_loop_design() {
    check_traps(
        "loop",
        &[
            (&[MANAGER, HOST], looped(error("/routes/0/route/cluster", Some(json!("vllm")), "weir_loop"))),
            (&[MANAGER, HOST], looped(error("/routes/0/route/timeout", None, "timeout: 0s"))),
            (&[INNER, HOST], looped(error("/routes/0/route/retry_policy", Some(json!({})), "retry_policy only"))),
            (
                &[INNER, HOST],
                looped(error(
                    "/routes/0/route/request_mirror_policies",
                    Some(json!([{"cluster": "vllm"}])),
                    "request_mirror_policies only",
                )),
            ),
            (&[INNER, HOST], looped(error("/routes/0/route/timeout", None, "timeout: 0s"))),
            (&[INNER, HOST], looped(error("/routes/0/request_body_buffer_limit", None, "request_body_buffer_limit"))),
            (&[INNER, HOST], looped(error("/routes/0/route/cluster_header", Some(json!("x")), "x-weir-cluster"))),
            (&[INNER], looped(error("/http_filters/0", None, "weir_attempt"))),
            (&[INNER], looped(warning("/stream_idle_timeout", None, "stream_idle_timeout"))),
            (&[INNER, PLUGIN], looped(error("/vm_config/vm_id", Some(json!("other")), "vm_id: weir"))),
            (&[], looped(error("/bootstrap_extensions", None, "internal_listener"))),
        ],
    );
}

#[test]
fn the_doctor_finds_what_is_set_once_for_the_process() {
    check_traps(
        "process",
        &[
            (&[], warning("/stats_config", None, "(;model=([^;]+))")),
            (&[], warning("/stats_config/stats_tags/0", None, "tag_name: route")),
            (&[], warning("/admin/address/socket_address/address", Some(json!("0.0.0.0")), "127.0.0.1")),
            (&[MANAGER], warning("/stream_idle_timeout", None, "stream_idle_timeout")),
            (&[MANAGER], warning("/use_remote_address", None, "use_remote_address: true")),
            (&[MANAGER], warning("/access_log/0", None, "wasm.weir.audit")),
            (
                &[MANAGER],
                warning(
                    "/access_log/1/typed_config/log_format/json_format/path",
                    Some(json!("%REQ(:PATH)%")),
                    "PATH(NQ)",
                ),
            ),
        ],
    );
}

#[test]
fn the_doctor_reads_the_embedded_policy() {
    let mut config = rendered("refresh");
    let pointer = format!("{MANAGER}{PLUGIN}/configuration/value");
    let mut given: Value = serde_json::from_str(config.pointer(&pointer).unwrap().as_str().unwrap()).unwrap();
    given["policy"]["routs"] = json!([]);
    break_it(&mut config, &pointer, Some(&Value::from(given.to_string())));
    let (code, findings) = doctor("embedded", &config);
    assert_eq!(code, 1);
    assert!(findings[0]["what"].as_str().unwrap().contains("routs"), "{findings:#?}");
}

#[test]
fn the_doctor_asks_a_running_envoy() {
    let config = rendered("refresh");
    let resources = &config["static_resources"];
    let dump = json!({"configs": [
        {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": config},
        {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters":
            resources["clusters"].as_array().unwrap().iter().map(|cluster| json!({"cluster": cluster})).collect::<Vec<_>>()},
        {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners":
            [{"name": "weir", "active_state": {"listener": resources["listeners"][0]}}]},
    ]});
    let mut broken = dump.clone();
    break_it(
        &mut broken,
        "/configs/2/dynamic_listeners/0/active_state/listener/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/failure_policy",
        None,
    );
    for (answer, code) in [(dump, 0), (broken, 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /config_dump HTTP/1.1\r\n"));
            let body = answer.to_string();
            let (one, two) = body.split_at(body.len() / 2);
            write!(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            write!(client, "{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len()).unwrap();
        });
        let output = weir(&["doctor", &url], b"");
        server.join().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}{}", String::from_utf8_lossy(&output.stdout), told(&output));
    }
}

#[test]
fn the_hash_in_the_policy_line_is_the_printed_keys() {
    let output = weir(&["key", "new", "--team", "growth"], b"");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let (key, line) = text.trim_end().split_once('\n').unwrap();
    assert!(key.starts_with("weir-") && key.len() >= "weir-".len() + 48, "{}", key.len());
    let row: Value = serde_yaml_ng::from_str(line).unwrap();
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(row[0]["sha256"], hash);
    assert_eq!(row[0]["team"], "growth");
    assert!(!told(&output).contains(key));
}

#[test]
fn a_new_key_fits_into_a_policy() {
    let output = weir(&["key", "new", "--team", "growth", "--id", "web"], b"");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().nth(1).unwrap();
    assert!(line.starts_with("- {id: web, sha256: \""), "{line}");
    let policy = POLICY.replace("anonymous: allow", &format!("teams: {{growth: {{}}}}\nkeys:\n{line}"));
    let output = weir(&["check", "-"], policy.as_bytes());
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn check_accepts_a_good_policy() {
    let output = weir(&["check", "-"], POLICY.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let output = weir(&["check", "--json", "-"], POLICY.as_bytes());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["ok"], &said["problems"]), (&json!(true), &json!([])));
}

#[test]
fn check_tells_every_problem_with_its_path() {
    let policy = "{version: 1, anonymous: allow, providers: {a: {api: nonsense, endpoint: 'ftp://x'}}, routs: []}";
    let output = weir(&["check", "-", "--json"], policy.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["ok"], false);
    let paths: Vec<_> = said["problems"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap()).collect();
    for path in ["providers.a.api", "providers.a.endpoint", "routs"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
    let output = weir(&["check", "-"], policy.as_bytes());
    assert_eq!(told(&output).lines().count(), paths.len());
}

#[test]
fn check_refuses_by_name_what_is_not_built() {
    let policy = format!("{POLICY}\ncache: {{mode: semantic, ttl: 10m}}\n");
    let output = weir(&["check", "-"], policy.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("is not supported yet"), "{}", told(&output));
}

#[test]
fn check_notes_a_key_in_the_file_without_showing_it() {
    let policy = POLICY.replace("${OPENAI_API_KEY}", "sk-not-to-be-seen");
    let output = weir(&["check", "-"], policy.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(text.contains("note: providers.openai.key:") && !text.contains("sk-not-to-be-seen"), "{text}");
}

#[test]
fn check_says_what_one_request_can_cost_a_team_at_most() {
    let policy = r#"
version: 1
providers:
  eu: {api: openai, endpoint: "http://127.0.0.1:1", region: eu}
  us: {api: openai, endpoint: "http://127.0.0.1:2", region: us}
models:
  cheap: {targets: [{provider: eu, model: c, price: {input: 1, output: 2}}], context_window: 1000, max_output: 100}
  dear: {targets: [{provider: us, model: d, price: {input: 10, output: 20}}], context_window: 1000, max_output: 100}
  open: {targets: [{provider: us, model: o}]}
teams: {all: {}, small: {models: [cheap]}, stays: {parent: all, regions: [eu]}}
keys: [{id: a, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", team: small}]
"#;
    let output = weir(&["check", "--json", "-"], policy.as_bytes());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cheap = "one request through `models` costs at most $0.001200 (cheap at eu/c, 1000 tokens in, 100 out)";
    let dear = "one request through `models` costs at most $0.012000 (dear at us/d, 1000 tokens in, 100 out); \
                without price, context window or max_output: us/o";
    let expected = json!([
        {"path": "teams.all", "message": dear},
        {"path": "teams.small", "message": cheap},
        {"path": "teams.stays", "message": cheap},
    ]);
    let of_a_team = |row: &&Value| row["path"].as_str().unwrap().starts_with("teams.");
    let found: Vec<_> = said["findings"].as_array().unwrap().iter().filter(of_a_team).collect();
    assert_eq!(json!(found), expected, "{}", told(&output));
}

#[test]
fn a_file_that_cannot_be_read_is_one_sentence() {
    let cases: [(&[u8], &str); 6] = [
        (b"version: 1\nproviders: [\n", "line 3 column 1"),
        (b"version: 1\nversion: 1\n", "duplicate entry with key \"version\" at line 2 column 1"),
        (b"version: 1\nproviders: {a: {api: openai, api: openai}}\n", "at line 2 column 16"),
        (b"1: x\n", "a key is a text"),
        (b"version: \xff\n", "byte 9 is not"),
        (b"version: .nan\n", "version: not a finite number"),
    ];
    for (policy, expected) in cases {
        let output = weir(&["check", "-"], policy);
        assert_eq!(output.status.code(), Some(1));
        assert!(told(&output).starts_with("error: standard input: "), "{}", told(&output));
        assert!(told(&output).contains(expected), "{}", told(&output));
    }
    let output = weir(&["check", "no-such-file.yaml"], b"");
    assert!(told(&output).starts_with("error: no-such-file.yaml: "));
}

#[test]
fn a_policy_over_the_size_limit_is_refused() {
    let output = weir(&["check", "-"], &vec![b'#'; 4 * 1024 * 1024 + 1]);
    assert!(told(&output).contains("at most 4194304 bytes"), "{}", told(&output));
}

#[test]
fn check_finds_what_is_idle_unpriced_or_about_to_retire() {
    let policy = r#"
version: 1
providers:
  openai: {api: openai, endpoint: "https://api.openai.com/v1", region: us}
  opneai: {api: openai, endpoint: "http://127.0.0.1:1/v1"}
  spare: {api: openai, endpoint: "http://127.0.0.1:2/v1", catalogue: openai, region: eu}
models:
  fast: {targets: [openai/RETIRING, opneai/own-1]}
teams:
  eu: {regions: [eu], models: [fast]}
  growth: {models: [fast]}
keys:
  - {id: lost, sha256: "1e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e", team: growth, models: [openai/gpt-5]}
  - {id: astray, sha256: "2e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e", team: eu}
  - {id: old, sha256: "3e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e", expires: 2026-01-01}
  - {id: fine, sha256: "4e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e", team: growth}
"#;
    let retiring = weir::policy::catalog::all()
        .find(|facts| facts.provider == "openai" && facts.prices.is_some() && facts.retires.is_some())
        .expect("a model with a last day");
    let last = retiring.retires.unwrap().secs();
    let findings = |now: u64| {
        let now = now.to_string();
        let policy = policy.replace("RETIRING", retiring.model);
        let output = weir(&["check", "--json", "--now", &now, "-"], policy.as_bytes());
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &said["problems"]), (Some(0), &json!([])), "{said:#}");
        said["findings"].as_array().unwrap().clone()
    };
    let found = findings(last - 90 * 86_400);
    for (path, words) in [
        ("keys[0]", "\"lost\" may use no model"),
        ("keys[1]", "\"astray\" may use no model"),
        ("keys[2].expires", "\"old\" expired"),
        ("providers.spare", "no model and no route leads here"),
        ("providers.opneai", "write `catalogue: openai`"),
        ("models.fast", "no price is known of opneai/own-1"),
        ("models.fast", "the vendor retires it on "),
    ] {
        let is_it = |row: &&Value| row["path"] == path && row["message"].as_str().unwrap().contains(words);
        // A model may have retired before the key's day.
        if path != "keys[2].expires" || last - 90 * 86_400 > 1_767_225_600 {
            assert_eq!(found.iter().filter(is_it).count(), 1, "{path} {words}: {found:#?}");
        }
    }
    assert!(!found.iter().any(|row| row["path"] == "keys[3]"), "{found:#?}");
    let retires = |row: &Value| row["message"].as_str().unwrap().contains("the vendor retires");
    assert!(!findings(last - 90 * 86_400 - 1).iter().any(retires));
}
