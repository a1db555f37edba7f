//! Whole policy files, good and bad, read by `config::parse`. Not what the policies do.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use weir::chat::capability::Capability;
use weir::chat::family::ApiFamily;
use weir::chat::money::{Money, TokenPrice};
use weir::config::parse::{parse, parse_json};
use weir::config::policy::{FallbackOn, KeySource, Label, Policy, Prefer};

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
        "providers.claude.api: `api: anthropic`",
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
    assert_eq!(names, ["claude", "openai", "vllm-eu"]);
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

    let route = &policy.routes[0];
    assert_eq!(route.prefer, Prefer::Cheapest);
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
