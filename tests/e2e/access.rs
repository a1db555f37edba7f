//! Who may ask, and for what.

use serde_json::json;

use crate::client::Request;
use crate::envoy::Failover;
use crate::fixture::{CLIENT_KEY, KEY_ONE, Stage, ask, hash};

#[test]
fn a_missing_or_unknown_key_is_refused() {
    let stage = Stage::new(Failover::Refresh);
    let chat = Request::chat(ask("pair")).without("authorization");
    stage.send(&chat).expect_error(401, "unauthenticated");
    for wrong in ["sk-nobody", "", " ", "sk-client-471", "sk-client-47111", &hash(CLIENT_KEY)] {
        let message = stage.send(&chat.clone().key(wrong)).expect_error(401, "unauthenticated");
        assert!(wrong.len() < 8 || !message.contains(wrong), "the key is in {message:?}");
    }
    stage
        .send(&chat.clone().header("authorization", format!("Basic {CLIENT_KEY}")))
        .expect_error(401, "unauthenticated");
    assert!(stage.one().received().is_empty());
    let audits = stage.envoy.audited(8);
    assert!(
        audits.iter().all(|audit| audit["outcome"] == "rejected" && audit["code"] == "unauthenticated"),
        "{audits:#?}"
    );
    let log = stage.envoy.log();
    assert!(!log.contains("sk-nobody") && !log.contains(CLIENT_KEY), "a key is in the log");
}

#[test]
fn a_key_may_come_in_the_header_of_another_family() {
    let stage = Stage::new(Failover::Refresh);
    let chat = Request::chat(ask("pair")).without("authorization");
    for name in ["x-api-key", "x-goog-api-key"] {
        let answer = stage.send(&chat.clone().header(name, CLIENT_KEY));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    for received in stage.one().received() {
        assert!(!received.header_text().contains(CLIENT_KEY), "{}", received.header_text());
        assert_eq!(received.headers("authorization"), [format!("Bearer {KEY_ONE}")]);
    }
}

#[test]
fn an_expired_key_is_refused_and_one_that_is_not_yet_is_served() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["keys"] = json!([
            {"id": "past", "sha256": hash("sk-past-key"), "team": "growth", "expires": "2020-01-01"},
            {"id": "future", "sha256": hash("sk-future-key"), "team": "growth", "expires": "2099-01-01"}
        ]);
    });
    let chat = Request::chat(ask("pair")).without("authorization");
    stage.send(&chat.clone().key("sk-past-key")).expect_error(401, "unauthenticated");
    assert_eq!(stage.send(&chat.key("sk-future-key")).status, 200);
}

#[test]
fn a_key_or_team_may_be_held_to_some_models() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        policy["teams"] = json!({"growth": {}, "small": {"models": ["solo"]}});
        policy["keys"] = json!([
            {"id": "narrow", "sha256": hash("sk-narrow-key"), "team": "growth", "models": ["solo"]},
            {"id": "smalls", "sha256": hash("sk-small-team"), "team": "small"}
        ]);
    });
    for key in ["sk-narrow-key", "sk-small-team"] {
        let ask_for = |model: &str| stage.send(&Request::chat(ask(model)).without("authorization").key(key));
        ask_for("pair").expect_error(403, "model_not_allowed");
        ask_for("two/beta").expect_error(403, "model_not_allowed");
        assert_eq!(ask_for("solo").status, 200);
    }
    assert!(stage.two().received().is_empty());
}

#[test]
fn without_keys_everybody_is_served_if_the_policy_says_so() {
    let stage = Stage::with(Failover::Refresh, |policy| {
        let policy = policy.as_object_mut().unwrap();
        policy.remove("keys");
        policy.remove("teams");
        policy.insert("anonymous".to_owned(), json!("allow"));
    });
    let chat = Request::chat(ask("pair"));
    assert_eq!(stage.send(&chat.clone().without("authorization")).status, 200);
    assert_eq!(stage.send(&chat).status, 200);
    for received in stage.one().received() {
        assert_eq!(received.headers("authorization"), [format!("Bearer {KEY_ONE}")]);
    }
}

#[test]
fn an_unknown_model_is_refused_by_name() {
    let stage = Stage::new(Failover::Refresh);
    for model in ["nobody-knows-this", "nobody/knows-this", ""] {
        let answer = stage.chat(&ask(model));
        if model.is_empty() {
            assert!([400, 404].contains(&answer.status), "{}", answer.text());
        } else {
            let message = answer.expect_error(404, "unknown_model");
            assert!(message.contains(model), "{message:?} names the model");
        }
    }
    assert!(stage.one().received().is_empty());
}

#[test]
fn a_request_without_a_model_is_refused() {
    let stage = Stage::new(Failover::Refresh);
    stage.chat(r#"{"messages":[{"role":"user","content":"hi"}]}"#).expect_error(400, "invalid_request");
}
