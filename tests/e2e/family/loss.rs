//! What is lost on the way to another family is known before anything is sent: named, avoided or rejected.

use serde_json::{Value, json};

use crate::client::Response;
use crate::family::said::error;
use crate::family::speak::Client;
use crate::family::stage::Stage;
use crate::in_both_designs;

/// Models of two targets, Anthropic's first, on routes that differ in what a loss is worth.
fn stage(design: crate::envoy::Failover) -> Stage {
    Stage::with(design, |policy| {
        let either = json!([
            {"provider": "anthropic", "model": "claude-sonnet-4-5"},
            {"provider": "openai", "model": "gpt-4o"}
        ]);
        for on_loss in ["allow", "avoid", "reject"] {
            policy["models"][on_loss] = json!({"targets": either});
            let route = json!({
                "name": on_loss, "match": {"model": [on_loss]}, "models": [on_loss], "prefer": "ordered", "on_loss": on_loss
            });
            policy["routes"].as_array_mut().unwrap().push(route);
        }
        policy["models"]["strict"] = json!({"targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}]});
        let strict =
            json!({"name": "strict", "match": {"model": ["strict"]}, "models": ["strict"], "on_loss": "reject"});
        policy["routes"].as_array_mut().unwrap().push(strict);
    })
}

fn send(stage: &Stage, client: Client, model: &str, change: impl FnOnce(&mut Value), stream: bool) -> Response {
    let mut body = client.ask("How deep is the river?");
    change(&mut body);
    stage.send(&client.request(model, &body, stream))
}

#[track_caller]
fn expect(stage: &Stage, answer: &Response, provider: &str, lost: Option<&str>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some(provider), "{:?}", answer.headers);
    assert_eq!(answer.header("x-weir-lost").as_deref(), lost, "{:?}", answer.headers);
    assert_eq!(stage.audit(answer).get("lost").and_then(Value::as_str), lost);
}

in_both_designs! {
    fn what_was_lost_is_named_to_the_client_and_in_the_books(design) {
        let stage = stage(design);
        let seed = |body: &mut Value| body["seed"] = json!(7);
        for stream in [false, true] {
            expect(&stage, &send(&stage, Client::Chat, "anthropic", seed, stream), "anthropic", Some("seed"));
            expect(&stage, &send(&stage, Client::Chat, "openai", seed, stream), "openai", None);
            expect(&stage, &send(&stage, Client::Chat, "gemini", seed, stream), "gemini", None);
            let both = |body: &mut Value| {
                seed(body);
                body["logit_bias"] = json!({"50256": -100});
                body["user"] = json!("somebody");
            };
            let answer = send(&stage, Client::Chat, "bedrock", both, stream);
            let lost = answer.header("x-weir-lost").unwrap_or_default();
            for feature in ["seed", "logit_bias"] {
                assert!(lost.split(',').any(|name| name == feature), "{feature} in {lost:?}");
            }
            let top_k = |body: &mut Value| body["top_k"] = json!(40);
            expect(&stage, &send(&stage, Client::Messages, "openai", top_k, stream), "openai", Some("top_k"));
            expect(&stage, &send(&stage, Client::Messages, "anthropic", top_k, stream), "anthropic", None);
        }
        stage.envoy.expect_no_trap();
    }

    fn a_loss_is_allowed_avoided_or_rejected_as_the_route_says(design) {
        let stage = stage(design);
        let seed = |body: &mut Value| body["seed"] = json!(7);
        for stream in [false, true] {
            expect(&stage, &send(&stage, Client::Chat, "allow", seed, stream), "anthropic", Some("seed"));
            expect(&stage, &send(&stage, Client::Chat, "avoid", seed, stream), "openai", None);
            expect(&stage, &send(&stage, Client::Chat, "reject", seed, stream), "openai", None);
            for model in ["allow", "avoid", "reject"] {
                expect(&stage, &send(&stage, Client::Chat, model, |_| {}, stream), "anthropic", None);
            }
            // Somebody's records are poorer, and nothing else: such a target is as good as any.
            let store = |body: &mut Value| body["store"] = json!(true);
            expect(&stage, &send(&stage, Client::Chat, "reject", store, stream), "anthropic", Some("store"));
        }
        let before = stage.mock("anthropic").received().len();
        let answer = send(&stage, Client::Chat, "strict", seed, false);
        let message = answer.expect_error(422, "no_eligible_target");
        assert!(message.contains("seed"), "{message}");
        assert_eq!(stage.mock("anthropic").received().len(), before);
        stage.envoy.expect_no_trap();
    }

    fn what_cannot_be_left_out_is_refused_with_its_name(design) {
        let stage = stage(design);
        let two = |body: &mut Value| body["n"] = json!(2);
        for model in ["anthropic", "bedrock", "cohere", "responses"] {
            let answer = send(&stage, Client::Chat, model, two, false);
            let message = answer.expect_error(422, "no_eligible_target");
            assert!(message.contains("n ") || message.contains("`n`"), "{model}: {message}");
            assert!(stage.mock(model).received().is_empty(), "{model}");
        }
        // Where there is a target that can, it gets the request.
        expect(&stage, &send(&stage, Client::Chat, "allow", two, false), "openai", None);
        let stored = |body: &mut Value| body["previous_response_id"] = json!("resp_123");
        let answer = send(&stage, Client::Responses, "anthropic", stored, false);
        let (status, _, message) = error(Client::Responses, &answer);
        assert_eq!(status, 422, "{message}");
        assert!(message.contains("previous_response_id"), "{message}");
        let candidates = |body: &mut Value| body["generationConfig"]["candidateCount"] = json!(3);
        let answer = send(&stage, Client::Gemini, "anthropic", candidates, false);
        assert_eq!(error(Client::Gemini, &answer).0, 422, "{}", answer.text());
    }
}
