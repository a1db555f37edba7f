//! Which target a request goes to.

use serde_json::{Value, json};

use crate::client::Request;
use crate::envoy::Failover;
use crate::fixture::{KEY_ONE, KEY_TWO, Stage, ask};

#[test]
fn the_cheapest_target_is_taken_when_the_route_prefers_it() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["routes"][0]["prefer"] = json!("cheapest");
        policy["models"]["pair"]["targets"] = json!([
            {"provider": "one", "model": "alpha", "price": {"input": 9, "output": 9}},
            {"provider": "two", "model": "beta", "price": {"input": 1, "output": 1}}
        ]);
    });
    let answer = stage.chat(&ask("pair"));
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"), "{}", answer.text());
    stage.two().fault(&json!({"status": 503}));
    let answer = stage.chat(&ask("pair"));
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some("one"), "{}", answer.text());
}

#[test]
fn weights_split_the_requests() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["routes"][0]["prefer"] = json!("weighted");
        policy["models"]["pair"]["targets"][0]["weight"] = json!(70);
        policy["models"]["pair"]["targets"][1]["weight"] = json!(30);
    });
    for _ in 0..120 {
        assert_eq!(stage.chat(&ask("pair")).status, 200);
    }
    let (one, two) = (stage.one().received().len(), stage.two().received().len());
    assert_eq!(one + two, 120);
    // Five standard deviations around 36.
    assert!((11..=61).contains(&two), "{one} to the target of weight 70, {two} to the one of weight 30");
}

#[test]
fn a_target_of_weight_zero_is_only_a_fallback() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["routes"][0]["prefer"] = json!("weighted");
        policy["models"]["pair"]["targets"][0]["weight"] = json!(1);
        policy["models"]["pair"]["targets"][1]["weight"] = json!(0);
    });
    for _ in 0..20 {
        assert_eq!(stage.chat(&ask("pair")).status, 200);
    }
    assert!(stage.two().received().is_empty());
}

/// A model whose one provider has two keys.
fn with_pool(policy: &mut Value) {
    policy["providers"]["one"]["key"] = json!(["${KEY_ONE}", "${KEY_TWO}"]);
}

/// How often provider `one` saw each key.
fn uses(stage: &Stage) -> (usize, usize) {
    let received = stage.one().received();
    let count =
        |key: &str| received.iter().filter(|one| one.headers("authorization") == [format!("Bearer {key}")]).count();
    let (first, second) = (count(KEY_ONE), count(KEY_TWO));
    assert_eq!(first + second, received.len(), "every request has exactly one key of the pool");
    (first, second)
}

#[test]
fn the_keys_of_a_pool_take_turns() {
    let stage = Stage::with(Failover::Refresh, with_pool);
    for _ in 0..40 {
        assert_eq!(stage.chat(&ask("solo")).status, 200);
    }
    let (first, second) = uses(&stage);
    // By fair chance, fewer than five of forty come once in ten million runs.
    assert!(first >= 5 && second >= 5, "{first} with the first key, {second} with the second");
}

#[test]
fn a_key_that_is_told_to_slow_down_rests_while_others_work() {
    let stage = Stage::with(Failover::Refresh, with_pool);
    stage.one().fault(&json!({"status": 429, "retry_after": "30", "only_key": KEY_ONE}));
    for _ in 0..12 {
        stage.chat(&ask("solo"));
    }
    let (first, second) = uses(&stage);
    assert!(first <= 2 && second >= 10, "{first} with the resting key, {second} with the other");
}

#[test]
fn the_first_route_that_matches_is_taken() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["routes"] = json!([
            {"name": "by-header", "match": {"header": {"x-region": "eu"}}, "models": ["two/beta"]},
            {"name": "by-stream", "match": {"stream": true, "model": ["pa*"]}, "models": ["two/gamma"]},
            {"name": "by-team", "match": {"team": ["gro*"], "model": ["solo"]}, "models": ["two/delta"]},
            {"name": "rest", "match": {"model": ["*"]}, "models": ["solo"]}
        ]);
    });
    let route_and_model = |request: &Request| {
        let answer = stage.send(request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.header("x-weir-route").unwrap(), answer.header("x-weir-model").unwrap())
    };
    let expect = |request: &Request, route: &str, model: &str| {
        assert_eq!(route_and_model(request), (route.to_owned(), model.to_owned()));
    };
    expect(&Request::chat(ask("solo")).header("x-region", "eu"), "by-header", "beta");
    expect(&Request::chat(crate::fixture::ask_stream("pair")), "by-stream", "gamma");
    expect(&Request::chat(ask("solo")), "by-team", "delta");
    expect(&Request::chat(ask("pair")), "rest", "alpha");
}

#[test]
fn a_request_that_no_target_may_serve_is_refused_with_the_reasons() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["models"]["pair"]["context_window"] = json!(100);
    });
    let long = json!({"model": "pair", "messages": [{"role": "user", "content": "water ".repeat(2000)}]});
    let message = stage.chat(&long.to_string()).expect_error(422, "no_eligible_target");
    assert!(message.contains("100"), "{message:?} says the rule");
    assert!(stage.one().received().is_empty());
}
