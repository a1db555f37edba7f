//! Whole policy files, good and bad, read by `config::parse`. Not what the policies do.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use weir::chat::capability::Capability;
use weir::chat::family::ApiFamily;
use weir::chat::money::{Money, TokenPrice};
use weir::config::parse::{parse, parse_json};
use weir::config::policy::{FallbackOn, KeySource, Label, OnLoss, Policy, Prefer};

const COMPLETE: &str = include_str!("fixtures/policy/complete.json");
/// Wrong in shape, field by field.
const BROKEN: &str = include_str!("fixtures/policy/broken.json");
const BROKEN_PROBLEMS: &str = include_str!("fixtures/policy/broken.problems.txt");
/// Wrong in shape in the parts that are not built yet.
const UNBUILT: &str = include_str!("fixtures/policy/unbuilt.json");
const UNBUILT_PROBLEMS: &str = include_str!("fixtures/policy/unbuilt.problems.txt");
/// Well-formed, and wrong across sections.
const ASTRAY: &str = include_str!("fixtures/policy/astray.json");
const ASTRAY_PROBLEMS: &str = include_str!("fixtures/policy/astray.problems.txt");

fn complete() -> Policy {
    parse_json(COMPLETE.as_bytes()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn the_complete_policy_has_no_problem_and_names_all_that_is_not_built() {
    let found: Vec<String> =
        complete().unsupported.iter().map(|part| format!("{}: {}", part.path, part.what)).collect();
    let expected = [
        "tasks: `tasks`",
        "routes[0].fallback.on[4]: `fallback.on: context_overflow`",
        "routes[0].affinity: `affinity: session`",
        "routes[1].rollout: `rollout`",
        "routes[1].shadow: `shadow`",
        "routes[1].policy_shadow: `policy_shadow`",
        "prompts: `prompts`",
        "teams.growth.roles: `roles`",
        "jwt: `jwt`",
        "budgets: `budgets`",
        "limits: `limits`",
        "guards: `guards`",
        "cache: `cache: exact`",
        "observe.labels[3]: `observe.labels: task`",
        "cluster_limits: `cluster_limits`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_complete_policy_is_read_field_by_field() {
    let policy = complete();
    let names: Vec<&str> = policy.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["claude", "openai", "vllm-eu", "x-azure", "x-bedrock"]);
    let openai = &policy.providers[1];
    assert_eq!(openai.api, ApiFamily::OpenAi);
    assert_eq!(openai.endpoint.authority(), "api.openai.com");
    assert_eq!(openai.endpoint.path, "/v1");
    assert_eq!(openai.keys, [KeySource::Environment("OPENAI_API_KEY".to_owned())]);
    assert_eq!(openai.headers[0].name, "openai-organization");
    assert_eq!(policy.providers[2].cluster, "vllm-eu");
    assert_eq!(policy.providers[2].catalogue, "vllm-eu");

    let qwen = &policy.models[1];
    assert_eq!((qwen.name.as_str(), qwen.context_window, qwen.quality), ("qwen", Some(32768), Some(0.7)));
    assert_eq!(qwen.capabilities, Some(vec![Capability::Tools, Capability::JsonSchema]));
    let price = qwen.targets[0].price.unwrap();
    assert_eq!(
        (price.input, price.cache_read),
        (TokenPrice::from_picos(100_000), Some(TokenPrice::from_picos(20_000)))
    );
    assert_eq!((policy.models[0].targets[0].provider.as_str(), policy.models[0].targets[0].weight), ("openai", 1));
    assert_eq!(policy.models[0].targets[0].model, "gpt-5-mini");

    let (azure, bedrock) = (&policy.providers[3], &policy.providers[4]);
    assert_eq!((azure.api, azure.api_version.as_deref()), (ApiFamily::AzureOpenAi, Some("2024-10-21")));
    assert_eq!((bedrock.api, bedrock.aws.as_ref().unwrap().region.as_str()), (ApiFamily::Bedrock, "eu-central-1"));
    let sources: Vec<String> = bedrock.sources().into_iter().map(|(path, _)| path).collect();
    assert_eq!(sources, ["aws.access_key_id", "aws.secret_access_key", "aws.session_token"]);

    let route = &policy.routes[0];
    assert_eq!((route.prefer, route.on_loss), (Prefer::Cheapest, OnLoss::Reject));
    assert_eq!(policy.routes[1].on_loss, OnLoss::Avoid);
    assert_eq!(route.require.max_cost, Some(Money::from_micros(500_000)));
    let fallback = route.fallback.as_ref().unwrap();
    let usual = [FallbackOn::Status(429), FallbackOn::ServerError, FallbackOn::Timeout, FallbackOn::Connect];
    assert_eq!(fallback.on, usual);
    assert_eq!((fallback.attempts, fallback.per_try_timeout_millis), (3, Some(30_000)));
    assert_eq!(policy.routes[1].matches.model, ["auto"]);

    assert_eq!(policy.teams[0].parent.as_deref(), Some("org"));
    assert_eq!(policy.keys[0].sha256, [0x5e; 32]);
    assert_eq!(policy.keys[0].expires_at, Some(1_814_313_600));
    assert_eq!(policy.observe.labels, [Label::Route, Label::Model, Label::Provider, Label::Team]);
}

/// Holds the complete list of problems against the file that says it, a line each.
fn assert_told(policy: &str, expected: &str) {
    let problems = parse_json(policy.as_bytes()).expect_err("the policy was accepted");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told.iter().eq(expected.lines()), "told:\n{}\n", told.join("\n"));
}

#[test]
fn a_misshapen_policy_tells_every_problem_at_once() {
    assert_told(BROKEN, BROKEN_PROBLEMS);
}

#[test]
fn parts_that_are_not_built_are_checked_and_named_all_the_same() {
    assert_told(UNBUILT, UNBUILT_PROBLEMS);
}

#[test]
fn a_policy_whose_names_go_astray_tells_every_problem_at_once() {
    assert_told(ASTRAY, ASTRAY_PROBLEMS);
}

#[test]
fn yaml_as_people_write_it_gives_the_same_policy() {
    let yaml = "
version: 1
anonymous: allow
providers:
  openai: {api: openai, endpoint: https://api.openai.com/v1, key: [\"${A}\", sk-literal]}
routes:
  - name: auto
    match: {model: auto}
    fallback: {on: [429, 5xx, timeout], attempts: 2}
teams: {growth: {}}
keys:
  - {id: k, sha256: 5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e, team: growth, expires: 2027-06-30}
";
    let policy = parse(&serde_yaml_ng::from_str(yaml).unwrap()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(policy.routes[0].matches.model, ["auto"]);
    let on = &policy.routes[0].fallback.as_ref().unwrap().on;
    assert_eq!(on, &[FallbackOn::Status(429), FallbackOn::ServerError, FallbackOn::Timeout]);
    assert_eq!(policy.keys[0].expires_at, Some(1_814_313_600));
    assert_eq!(policy.providers[0].keys.len(), 2);
    assert!(!format!("{policy:?}").contains("sk-literal"));
}

/// The problems of a policy whose one provider is this.
fn told_of_provider(fields: &str) -> Vec<String> {
    let policy = format!(r#"{{"version": 1, "anonymous": "allow", "providers": {{"p": {{{fields}}}}}}}"#);
    parse_json(policy.as_bytes()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn every_family_is_taken_with_what_it_alone_needs() {
    for family in ApiFamily::ALL.map(ApiFamily::name) {
        let key = r#""endpoint": "https://h", "key": "${K}""#;
        assert_eq!(told_of_provider(&format!(r#""api": "{family}", {key}"#)), [""; 0], "{family}");
    }
    let bedrock = |host: &str, aws: &str| {
        told_of_provider(&format!(r#""api": "bedrock", "endpoint": "https://{host}", "aws": {{{aws}}}"#))
    };
    let pair = r#""access_key_id": "${I}", "secret_access_key": "${S}""#;
    for host in [
        "bedrock-runtime.us-east-1.amazonaws.com",
        "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
        "bedrock-runtime.cn-north-1.amazonaws.com.cn",
        "vpce-1a.bedrock-runtime.eu-west-1.vpce.amazonaws.com",
    ] {
        assert_eq!(bedrock(host, pair), [""; 0], "{host}");
    }
    assert_eq!(bedrock("proxy.internal", &format!(r#"{pair}, "region": "us-east-1""#)), [""; 0]);
}

#[test]
fn what_only_one_family_has_is_refused_elsewhere_with_the_way_out() {
    let https = r#""endpoint": "https://h""#;
    let pair = r#""access_key_id": "${I}", "secret_access_key": "${S}""#;
    let cases = [
        (
            format!(r#""api": "openai", {https}, "api_version": "2024-10-21""#),
            "providers.p.api_version: only `api: azure_openai` has dated paths, found `api: openai`; leave `api_version` out",
        ),
        (
            format!(r#""api": "azure_openai", {https}, "api_version": "v1""#),
            "providers.p.api_version: must be a date, as 2024-10-21 or 2025-04-01-preview; leave it out for the paths \
             under /openai/v1, found \"v1\"",
        ),
        (
            format!(r#""api": "anthropic", {https}, "aws": {{{pair}}}"#),
            "providers.p.aws: only `api: bedrock` signs its requests, found `api: anthropic`; put the credential under `key`",
        ),
        (
            format!(r#""api": "bedrock", {https}"#),
            "providers.p: Bedrock answers nobody without a credential; write `aws: {access_key_id, secret_access_key}` \
             to sign requests, or `key` for a Bedrock API key",
        ),
        (
            format!(r#""api": "bedrock", {https}, "key": "${{K}}", "aws": {{{pair}, "region": "us-east-1"}}"#),
            "providers.p: `key` and `aws` are both written, and a request carries one credential; leave out `key` to \
             sign with `aws`, or `aws` to send the Bedrock API key",
        ),
        (
            format!(r#""api": "bedrock", {https}, "aws": {{{pair}}}"#),
            "providers.p.aws.region: missing, and the endpoint's host names none, as \
             bedrock-runtime.us-east-1.amazonaws.com does, found \"h\"; write the region to sign for",
        ),
        (
            format!(r#""api": "bedrock", {https}, "aws": {{{pair}, "region": "US East"}}"#),
            "providers.p.aws.region: must be an AWS region, as us-east-1, found \"US East\"",
        ),
        (
            format!(r#""api": "bedrock", {https}, "aws": {{"access_key_id": "${{I}}", "region": "us-east-1"}}"#),
            "providers.p.aws.secret_access_key: missing; write it as `${AWS_SECRET_ACCESS_KEY}`",
        ),
        (
            format!(r#""api": "openai", {https}, "headers": {{"Anthropic-Version": "2023-06-01"}}"#),
            "providers.p.headers.Anthropic-Version: `anthropic-version` is set by Weir or the proxy; leave it out; a \
             credential belongs under the provider's `key`",
        ),
        (
            format!(r#""api": "openai", {https}, "headers": {{"api-key": "k"}}"#),
            "providers.p.headers.api-key: `api-key` is set by Weir or the proxy; leave it out; a credential belongs \
             under the provider's `key`",
        ),
    ];
    for (fields, problem) in cases {
        assert_eq!(told_of_provider(&fields), [problem], "{fields}");
    }
}

#[test]
fn the_word_for_a_loss_is_one_of_three() {
    let policy = r#"{"version": 1, "anonymous": "allow", "providers": {"p": {"api": "openai", "endpoint": "http://h"}},
        "routes": [{"on_loss": "ignore"}]}"#;
    assert_told(policy, "routes[0].on_loss: must be one of allow, avoid, reject, found \"ignore\"");
}
