//! Single rules of the policy file, as tables: what is taken, what is refused and with which words.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};
use weir::config::parse::{parse, parse_json};
use weir::config::policy::{FallbackOn, KeySource, Policy};
use weir::config::validate::bare_names;

/// A good policy with `section` put in or replaced.
fn with(section: &str, value: Value) -> Value {
    let mut policy = json!({
        "version": 1,
        "anonymous": "allow",
        "providers": {
            "openai": {"api": "openai", "endpoint": "https://api.openai.com/v1", "region": "us"},
            "vllm": {"api": "openai", "endpoint": "http://vllm:8000", "region": "eu", "labels": ["zdr"]},
        },
        "models": {"fast": {"targets": ["openai/gpt-5-mini"]}},
        "teams": {"growth": {}, "eu-one": {"parent": "growth"}},
    });
    policy[section] = value;
    policy
}

/// A good policy whose provider `openai` has one more field.
fn with_provider(field: &str, value: Value) -> Value {
    let mut policy = with("version", json!(1));
    policy["providers"]["openai"][field] = value;
    policy
}

fn read(policy: &Value) -> Policy {
    parse(policy).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The problems told, those apart that say only that something is not built yet.
fn problems(policy: &Value) -> Vec<String> {
    let told =
        parse(policy).map(|_| Vec::new()).unwrap_or_else(|found| found.iter().map(ToString::to_string).collect());
    told.into_iter().filter(|problem: &String| !problem.contains("is not supported yet")).collect()
}

fn unsupported(policy: &Value) -> Vec<String> {
    read(policy).unsupported.iter().map(|part| format!("{}: {}", part.path, part.what)).collect()
}

#[test]
fn one_provider_and_anonymous_is_a_whole_policy() {
    let policy = read(&json!({
        "version": 1,
        "anonymous": "allow",
        "providers": {"p": {"api": "openai", "endpoint": "http://127.0.0.1:9"}},
    }));
    assert_eq!((policy.providers.len(), policy.routes.len(), policy.unsupported.len()), (1, 0, 0));
}

#[test]
fn what_is_no_policy_is_one_problem() {
    assert_eq!(problems(&json!([])), ["expected a map, found a list"]);
    assert_eq!(problems(&Value::Null), ["expected a map, found nothing"]);
    let told = parse_json(b"{\n  \"version\": 1,\n}").unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(told[0].message.contains("line 3 column 1"), "{}", told[0]);
    assert_eq!(parse_json(b"\xff").unwrap_err().len(), 1);
}

#[test]
fn an_empty_policy_is_told_what_it_needs() {
    let told = problems(&json!({}));
    let expected = [
        "version: missing; write `version: 1`",
        "providers: missing; write at least one, as `openai: {api: openai, endpoint: https://api.openai.com/v1}`",
        "anonymous: there are no keys, so nobody could be served: add a key (`weir key new` prints one) or write `anonymous: allow`",
    ];
    assert_eq!(told, expected);
    assert_eq!(problems(&with("version", json!("1"))), ["version: expected the number 1, found a string"]);
    assert_eq!(problems(&with("providers", json!({}))), ["providers: must have at least one provider"]);
}

#[test]
fn somebody_must_be_able_to_ask() {
    assert_eq!(problems(&with("anonymous", json!("deny"))).len(), 1);
    let mut jwt = with("jwt", json!({"team": "t"}));
    jwt["anonymous"] = json!("deny");
    assert_eq!(unsupported(&jwt), ["jwt: `jwt`"]);
    assert_eq!(problems(&with("jwt", json!({}))), ["jwt: must name a claim, as `{team: llm_team, user: sub}`"]);
}

#[test]
fn a_key_is_a_variable_or_the_text_itself_and_never_repeated() {
    for literal in ["sk-abc", "a b", "$5-off", "x$y"] {
        let policy = read(&with_provider("key", json!(literal)));
        assert!(matches!(policy.providers[0].keys[..], [KeySource::Literal(_)]), "{literal}");
    }
    for (text, name) in [("${A}", "A"), ("${_a1}", "_a1")] {
        let keys = read(&with_provider("key", json!(text))).providers[0].keys.clone();
        assert_eq!(keys, [KeySource::Environment(name.to_owned())]);
    }
    let secret = "sk-hidden";
    for bad in ["", "${1A}", "${}", "${A-B}", "x${A}", "${A}y", "$A", " x", "x ", "x\n", "x\0y", "x\r\ny: z"] {
        let text = bad.replace('x', secret);
        let told = problems(&with_provider("key", json!(text)));
        assert_eq!(told.len(), 1, "{text:?}");
        assert!(told[0].starts_with("providers.openai.key: ") && !told[0].contains(secret), "{}", told[0]);
    }
}

#[test]
fn headers_that_weir_owns_are_refused() {
    for name in
        ["authorization", "HOST", "Content-Length", "x-weir-route", "X-Envoy-Retry-On", "x-api-key", ":path", "", "a:b"]
    {
        assert_eq!(problems(&with_provider("headers", json!({name: "v"}))).len(), 1, "{name}");
    }
    let policy = read(&with_provider("headers", json!({"OpenAI-Organization": "org", "anthropic-beta": "${B}"})));
    let names: Vec<&str> = policy.providers[0].headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(names, ["anthropic-beta", "openai-organization"]);
    assert_eq!(problems(&with_provider("headers", json!({"A": "1", "a": "2"}))).len(), 1);
}

#[test]
fn a_target_splits_at_its_first_slash() {
    let policy = read(&with("models", json!({"m": {"targets": "vllm/org/model"}})));
    let target = &policy.models[0].targets[0];
    assert_eq!((target.provider.as_str(), target.model.as_str(), target.weight), ("vllm", "org/model", 1));
    for bad in ["x", "/x", "vllm/", "nobody/x", ""] {
        assert_eq!(problems(&with("models", json!({"m": {"targets": [bad]}}))).len(), 1, "{bad}");
    }
}

#[test]
fn what_is_not_built_is_named_and_what_is_off_is_not() {
    let route = |field: &str, value: Value| with("routes", json!([{field: value}]));
    let cases = [
        (route("prefer", json!("fastest")), vec!["routes[0].prefer: `prefer: fastest`"]),
        (route("prefer", json!("best")), vec!["routes[0].prefer: `prefer: best`"]),
        (
            route("prefer", json!({"cost": 1, "quality": 0.5})),
            vec!["routes[0].prefer: `prefer: {cost, quality, latency}`"],
        ),
        (route("prefer", json!("weighted")), vec![]),
        (route("affinity", json!("none")), vec![]),
        (route("match", json!({"task": "code"})), vec!["routes[0].match.task: `match.task`"]),
        (route("match", json!({"task": []})), vec![]),
        (with("cache", json!({"mode": "off"})), vec![]),
        (with("cache", json!({"mode": "semantic"})), vec!["cache: `cache: semantic`"]),
        (with("observe", json!({"audit": "content"})), vec!["observe.audit: `observe.audit: content`"]),
        (with("observe", json!({"usage_export": true})), vec!["observe.usage_export: `observe.usage_export: true`"]),
        (with("observe", json!({"usage_export": false, "audit": "off"})), vec![]),
        (with("teams", json!({"growth": {"roles": ["chat"]}})), vec!["teams.growth.roles: `roles`"]),
        (with("budgets", json!([])), vec![]),
        (with("guards", json!([])), vec![]),
        (with("tasks", json!({})), vec![]),
        (
            with("models", json!({"m": {"quality": {"default": 0.4, "code": 0.9}, "targets": ["vllm/x"]}})),
            vec!["models.m.quality: `quality per task`"],
        ),
        (with("models", json!({"m": {"quality": {"default": 0.4}, "targets": ["vllm/x"]}})), vec![]),
        (with_provider("api", json!("gemini")), vec![]),
    ];
    for (policy, expected) in cases {
        assert_eq!(unsupported(&policy), expected, "{policy}");
    }
}

#[test]
fn a_fallback_takes_statuses_and_words() {
    let on = |on: Value| {
        let policy = read(&with("routes", json!([{"fallback": {"on": on}}])));
        policy.routes[0].fallback.clone().unwrap().on
    };
    assert_eq!(
        on(json!([429, "529", "5xx", 429])),
        [FallbackOn::Status(429), FallbackOn::Status(529), FallbackOn::ServerError]
    );
    assert_eq!(on(json!("connect")), [FallbackOn::Connect]);
    for bad in
        [json!([399]), json!([600]), json!([-1]), json!([429.5]), json!(["4xx"]), json!([""]), json!({}), json!([[]])]
    {
        assert!(!problems(&with("routes", json!([{"fallback": {"on": bad}}]))).is_empty(), "{bad}");
    }
    let usual = read(&with("routes", json!([{"fallback": {}}]))).routes[0].fallback.clone().unwrap();
    assert_eq!((usual.on.len(), usual.attempts, usual.per_try_timeout_millis), (4, 3, None));
}

#[test]
fn a_route_behind_one_that_takes_everything_is_told() {
    let cases = [
        (json!({}), json!({"model": ["a"]}), true),
        (json!({"model": ["a"]}), json!({}), false),
        (json!({"model": ["*"]}), json!({}), true),
        (json!({"team": ["*"]}), json!({}), false),
        (json!({"team": ["eu-*"]}), json!({"team": ["eu-one"]}), true),
        (json!({"team": ["eu-*"]}), json!({"team": ["eu-one", "growth"]}), false),
        (json!({"model": ["a", "b*"]}), json!({"model": ["bc*", "a"], "stream": true}), true),
        (json!({"model": ["a*c"]}), json!({"model": ["a*"]}), false),
        (json!({"stream": true}), json!({"stream": true}), true),
        (json!({"stream": true}), json!({"stream": false}), false),
        (json!({"stream": true}), json!({}), false),
        (json!({"min_input_tokens": 10}), json!({"min_input_tokens": 20}), true),
        (json!({"min_input_tokens": 20}), json!({"min_input_tokens": 10}), false),
        (json!({"max_input_tokens": 20}), json!({"max_input_tokens": 20}), true),
        (json!({"max_input_tokens": 20}), json!({}), false),
        (json!({"min_input_tokens": 0}), json!({}), true),
        (json!({"header": {"X-A": "e*"}}), json!({"header": {"x-a": "eu", "x-b": "1"}}), true),
        (json!({"header": {"x-a": "eu"}}), json!({"header": {"x-a": "e*"}}), false),
        (json!({"api": ["openai", "gemini"]}), json!({"api": "openai"}), true),
        (json!({"api": ["openai"]}), json!({"api": ["openai", "gemini"]}), false),
        (json!({"task": ["code"]}), json!({}), false),
        (json!({"task": ["code", "chat"]}), json!({"task": ["code"]}), true),
        (json!({"task": ["code"]}), json!({"task": ["chat"]}), false),
    ];
    for (earlier, later, expected) in cases {
        let told = problems(&with("routes", json!([{"match": earlier}, {"match": later}])));
        let shadowed =
            told.iter().any(|problem| problem.starts_with("routes[1]: can never match: routes[0] (\"route-0\")"));
        assert_eq!((shadowed, told.len()), (expected, usize::from(expected)), "{earlier} before {later}: {told:?}");
    }
}

#[test]
fn names_for_the_catalogue_are_listed_by_path() {
    let mut policy =
        with("routes", json!([{"match": {"model": "tiny"}, "models": ["fast", "gpt-5", "openai/x", "tiny"]}]));
    policy["teams"]["growth"]["models"] = json!(["fast", "gpt-*", "auto", "tiny", "claude"]);
    let bare: Vec<String> =
        bare_names(&read(&policy)).iter().map(|bare| format!("{} {}", bare.path, bare.name)).collect();
    assert_eq!(bare, ["routes[0].models[1] gpt-5", "routes[0].models[3] tiny", "teams.growth.models[4] claude"]);
}

#[test]
fn past_a_hundred_problems_the_rest_is_a_number() {
    let fields: serde_json::Map<String, Value> = (0..5000).map(|index| (format!("f{index}"), Value::Null)).collect();
    let told = problems(&Value::Object(fields));
    assert_eq!(told.len(), 101);
    assert_eq!(told[100], "and 4903 more; mend these first");
}

#[test]
fn long_names_are_cut_in_messages() {
    let told = problems(&with("observe", json!({"audit": "x".repeat(100_000), "y".repeat(100_000): 1})));
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|problem| problem.len() < 300), "{told:?}");
}
