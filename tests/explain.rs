//! `weir explain` as a user runs it: what it prints, how it exits, and what it never shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The key of `growth-web`.
const KEY: &str = "weir-0123456789";

/// What must never be shown: keys and headers written in the policy, the client's key, the environment.
const SECRETS: [&str; 4] = ["sk-written-in-the-file", "header-written-in-the-file", KEY, "sk-in-the-environment"];

const POLICY: &str = r#"
version: 1
providers:
  us:
    api: openai
    endpoint: https://api.us.example/v1
    key: ${US_KEY}
    region: us
    catalogue: openai
  eu:
    api: openai
    endpoint: http://vllm.internal:8000/base
    key: [sk-written-in-the-file, "${EU_KEY}"]
    region: eu
    labels: [zdr]
    headers: {X-Team-Token: header-written-in-the-file}
models:
  big:
    targets: [{provider: us, model: big-1, price: {input: 2, output: 8}}]
    context_window: 100000
    max_output: 4000
    capabilities: [tools, vision]
    quality: 0.9
  small:
    targets: [{provider: eu, model: small-1, price: {input: 0.1, output: 0.4}}]
    context_window: 2000
    max_output: 500
    capabilities: []
    quality: 0.4
  bare:
    targets: [eu/unpriced-1]
routes:
  - {name: residency, match: {header: {x-region: eu}}, require: {regions: [eu]}, models: [big, small]}
  - {name: labelled, match: {model: [labelled]}, require: {labels: [zdr]}, models: [big, small], prefer: cheapest}
  - {name: bar, match: {model: [bar]}, require: {quality: 0.8}, models: [big, small, bare]}
  - {name: thrift, match: {model: [thrift]}, require: {max_cost_per_request: 0.001}, models: [big, small, bare]}
  - name: once
    match: {model: [once]}
    models: [big]
    fallback: {attempts: 1, on: [429, connect], per_try_timeout: 30s}
teams:
  growth: {models: [big, small, us/*]}
  european: {regions: [eu]}
keys:
  - {id: growth-web, sha256: "SHA", team: growth, expires: 2027-06-30}
  - {id: european-web, sha256: "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e", team: european}
  - {id: teamless, sha256: "6e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"}
"#;

fn policy() -> String {
    let hash: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    POLICY.replace("SHA", &hash)
}

/// The policy as a file; tests run at once, so each has its own.
fn policy_file(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("explain-{test}.yaml"));
    std::fs::write(&path, policy()).unwrap();
    path
}

/// Explains a body read from standard input on the first day of 2027, and looks for secrets in whatever is said.
fn explain(test: &str, arguments: &[&str], body: &str) -> Output {
    let policy = policy_file(test);
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("explain")
        .arg(policy)
        .args(["-", "--now", "2027-01-01", "--dice", "2a"])
        .args(arguments)
        .env("US_KEY", "sk-in-the-environment")
        .env("EU_KEY", "sk-in-the-environment")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn document(test: &str, arguments: &[&str], body: &str) -> Value {
    let output = explain(test, &[arguments, &["--json"]].concat(), body);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(output.status.code(), Some(i32::from(document["outcome"] == "refused")), "{document:#}");
    document
}

fn chat(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "hello"}]}).to_string()
}

#[test]
fn an_ordered_route_is_told_attempt_by_attempt() {
    let body = r#"{"model":"once","messages":[{"role":"user","content":"hello"}]}"#;
    let output = explain("ordered", &["--key", KEY, "--header", "X-Trace: 7"], body);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output),
        r#"request    POST /v1/chat/completions, 63 bytes, at 2027-01-01T00:00:00.000Z
principal  key "growth-web", team "growth"
asks for   model "once", about 9 tokens in
route      "once", prefer ordered
draw       000000000000002a
fallback   none, one attempt with 30000 ms to the answer's beginning

candidates in the order in which they are tried
  1  us/big-1  expected $0.003218, at worst $0.032018

attempt 1 at us
     POST https://api.us.example/v1/chat/completions
     content-type: application/json
     content-length: 64
     x-trace: 7
     authorization: Bearer ••••
     the body with 64 bytes, changed
       at byte 10: once became big-1
"#
    );
}

/// The third attempt uses the other key of the pool of `eu`.
#[test]
fn the_cheapest_comes_first_and_a_stream_asks_for_usage() {
    let body = r#"{"stream":true,"model":"auto","messages":[{"role":"user","content":"hello"}]}"#;
    let output = explain("cheapest", &["--as", "growth-web"], body);
    let said = text(&output);
    let after = said.split_once("candidates").unwrap().1;
    assert_eq!(
        after,
        r#" in the order in which they are tried
  1  eu/small-1  expected $0.000161, at worst $0.000201
  2  us/big-1    expected $0.003218, at worst $0.032018

rejected
     eu/unpriced-1  not_allowed: team "growth" may not use it

attempt 1 at eu
     POST http://vllm.internal:8000/base/chat/completions
     content-type: application/json
     content-length: 120
     authorization: Bearer ••••
     x-team-token: ••••
     the body with 120 bytes, changed
       at byte 1: inserted "stream_options":{"include_usage":true},
       at byte 24: auto became small-1

attempt 2 at us, if the one before fails
     POST https://api.us.example/v1/chat/completions
     content-type: application/json
     content-length: 118
     authorization: Bearer ••••
     the body with 118 bytes, changed
       at byte 1: inserted "stream_options":{"include_usage":true},
       at byte 24: auto became big-1

attempt 3 at eu, if the one before fails
     POST http://vllm.internal:8000/base/chat/completions
     content-type: application/json
     content-length: 120
     authorization: Bearer ••••
     x-team-token: ••••
     the body with 120 bytes, changed
       at byte 1: inserted "stream_options":{"include_usage":true},
       at byte 24: auto became small-1
"#
    );
}

#[test]
fn a_residency_route_rejects_what_is_elsewhere() {
    let document = document("residency", &["--as", "growth-web", "--header", "x-region:eu"], &chat("big"));
    assert_eq!(document["decision"]["route"], "residency");
    assert_eq!(
        document["decision"]["rejected"],
        json!([{"target": "us/big-1", "rule": "region", "reason": "region is us, the route requires eu"}])
    );
    let attempts = document["attempts"].as_array().unwrap();
    assert!(attempts.iter().all(|attempt| attempt["provider"] == "eu"), "{attempts:#?}");
}

#[test]
fn every_rule_says_why_a_target_is_out() {
    let needs_vision = r#"{"model":"auto","messages":[{"role":"user","content":[
        {"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]}"#;
    let long = json!({"model": "auto", "messages": [{"role": "user", "content": "word ".repeat(2_000)}]}).to_string();
    let wordy = json!({"model": "auto", "max_tokens": 600, "messages": []}).to_string();
    let cases: [(&str, &str, String, &str, &str); 10] = [
        ("growth-web", "auto", chat("auto"), "not_allowed", "team \"growth\" may not use it"),
        ("european-web", "auto", chat("auto"), "region_not_allowed", "team \"european\" may not use its region (us)"),
        ("growth-web", "eu", chat("auto"), "region", "region is us, the route requires eu"),
        ("growth-web", "labelled", chat("labelled"), "label", "label \"zdr\" is missing"),
        ("teamless", "auto", needs_vision.to_owned(), "capability", "cannot do vision"),
        ("teamless", "auto", long, "context", "context window is 2000 tokens, the request needs about "),
        ("teamless", "auto", wordy, "output", "writes at most 500 tokens, the request asks for 600"),
        ("teamless", "bar", chat("bar"), "quality", "quality is 0.4, the bar is 0.8"),
        ("teamless", "thrift", chat("thrift"), "cost", "may cost $0.032018, the route allows $0.001000"),
        ("teamless", "thrift", chat("thrift"), "unpriced", "its price is not known and the route limits cost"),
    ];
    for (holder, region, body, rule, reason) in cases {
        let region = format!("x-region:{region}");
        let document = document("rules", &["--as", holder, "--header", &region], &body);
        let rejected = document["decision"]["rejected"].as_array().unwrap();
        let is_it = |one: &Value| one["rule"] == rule && one["reason"].as_str().unwrap().starts_with(reason);
        assert!(rejected.iter().any(is_it), "{rule}: {rejected:#?}");
    }
}

#[test]
fn a_refusal_is_the_filters_with_its_code() {
    let only_tools = r#"{"model":"small","messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let cases: [(&[&str], &str, u64, &str); 7] = [
        (&[], "{}", 401, "unauthenticated"),
        (&["--key", "wrong"], "{}", 401, "unauthenticated"),
        (&["--as", "growth-web"], "{\"model\":", 400, "invalid_request"),
        (&["--as", "growth-web"], &chat("bare"), 403, "model_not_allowed"),
        (&["--as", "growth-web"], &chat("nobody"), 404, "unknown_model"),
        (&["--as", "growth-web", "--path", "/v1/messages/batches"], &chat("big"), 404, "unknown_endpoint"),
        (&["--as", "growth-web"], only_tools, 422, "no_eligible_target"),
    ];
    for (arguments, body, status, code) in cases {
        let document = document("refused", arguments, body);
        let refusal = &document["refusal"];
        assert_eq!((&refusal["status"], &refusal["code"]), (&json!(status), &json!(code)), "{document:#}");
        assert!(!refusal["message"].as_str().unwrap().is_empty());
        assert!(document.get("attempts").is_none());
    }
    let output = explain("refused", &[], "{}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("hint: --key KEY"));
    let said = text(&explain("refused", &["--as", "growth-web"], only_tools));
    assert!(said.contains("eu/small-1  capability: cannot do tools"), "{said}");
    assert!(
        said.contains("refused    422 no_eligible_target\n           no target may serve model \"small\""),
        "{said}"
    );
}

#[test]
fn a_key_past_its_day_is_refused_also_for_its_holder() {
    let policy = policy_file("expired");
    let request = policy.with_extension("json");
    std::fs::write(&request, chat("big")).unwrap();
    for (now, status) in [("2027-06-29T23:59:59Z", 0), ("2027-06-30", 1), ("1814313600", 1)] {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("explain")
            .args([&policy, &request])
            .args(["--as", "growth-web", "--now", now])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{now}");
        assert_eq!(text(&output).contains("the key has expired"), status == 1, "{}", text(&output));
    }
}

#[test]
fn the_body_is_kept_byte_for_byte_around_the_model() {
    let odd = "\r\n{ \"x\" : 1.0e+2, \"model\"\t:\"us/gpt-5-mini\" ,\"messages\":[ {\"role\":\"user\",\"content\":\"\\u00e9 é 😀\"}] }  \n";
    let document = document("bytes", &["--as", "teamless"], odd);
    let sent = &document["attempts"][0];
    assert_eq!(sent["body"], odd.replace("us/gpt-5-mini", "gpt-5-mini"));
    assert_eq!(sent["body_bytes"], odd.len() - 3);
    assert_eq!(sent["headers"][1], json!(["content-length", (odd.len() - 3).to_string()]));
    let same = chat("small").replace("small", "eu/small-1");
    let document = self::document("bytes", &["--as", "teamless"], &same);
    assert_eq!(document["attempts"][0]["body_changes"].as_array().unwrap().len(), 1, "{document:#}");
}

#[test]
fn a_foreign_path_passes_and_a_dry_run_says_the_same_decision() {
    let output = explain("foreign", &["--path", "/healthz"], "{}");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("passes through untouched"));
    let arguments = ["--as", "growth-web", "--header", "x-weir-dry-run: 1"];
    let document = document("foreign", &arguments, &chat("auto"));
    assert_eq!(document["outcome"], "answered");
    assert_eq!(document["answer"], json!({"status": 200, "body": document["decision"]}));
}

#[test]
fn what_cannot_be_explained_is_an_error() {
    let missing = explain("wrong", &["--as", "nobody"], "{}");
    assert_eq!(missing.status.code(), Some(1));
    let told = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(told, "error: no key has the id \"nobody\"; the policy has growth-web, european-web, teamless\n");
    assert!(!explain("wrong", &["--header", "no colon"], "{}").status.success());
}
