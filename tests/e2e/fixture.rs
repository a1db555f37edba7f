//! What most scenarios begin with: two mock providers, a policy that knows both and one client, and an Envoy. Not a
//! scenario.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Request, Response};
use crate::envoy::{Envoy, Failover, Refused, Setup};
use crate::provider::{Provider, Providers};

/// The key that the policies know as `web` of team `growth`.
pub const CLIENT_KEY: &str = "sk-client-4711";
/// The key of provider `one`, in Envoy's environment as `KEY_ONE`.
pub const KEY_ONE: &str = "sk-provider-one-secret";
/// The key of provider `two`, in Envoy's environment as `KEY_TWO`.
pub const KEY_TWO: &str = "sk-provider-two-secret";
/// An address that nobody listens on.
pub const NOBODY: &str = "127.0.0.1:1";

/// Two providers, an Envoy between them and the test.
pub struct Stage {
    pub envoy: Envoy,
    pub providers: Providers,
}

impl Stage {
    /// With the common policy.
    pub fn new(failover: Failover) -> Self {
        Self::with(failover, |_| {})
    }

    /// With the common policy after a change.
    pub fn with(failover: Failover, change: impl FnOnce(&mut Value)) -> Self {
        Self::workers(failover, 1, change)
    }

    /// With so many workers.
    pub fn workers(failover: Failover, workers: u32, change: impl FnOnce(&mut Value)) -> Self {
        let providers = Providers::start(&["one", "two"]);
        let mut policy = policy(providers.get("one"), providers.get("two"));
        change(&mut policy);
        let envoy = start(&policy, failover, workers).unwrap_or_else(|refused| panic!("refused:\n{}", refused.log));
        Self { envoy, providers }
    }

    pub fn one(&self) -> &Provider {
        self.providers.get("one")
    }

    pub fn two(&self) -> &Provider {
        self.providers.get("two")
    }

    /// Sends a request through Envoy.
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.envoy.address)
    }

    /// Sends a chat request with the client's key.
    pub fn chat(&self, body: &str) -> Response {
        self.send(&Request::chat(body))
    }
}

/// Starts Envoy with a policy and the keys of both providers in its environment.
pub fn start(policy: &Value, failover: Failover, workers: u32) -> Result<Envoy, Refused> {
    Envoy::start(&Setup {
        policy,
        failover,
        workers,
        environment: &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)],
        edit: &|_, text| text,
    })
}

/// The common policy: `pair` is `one/alpha`, then `two/beta`; `solo` is `one/alpha` alone. Prices are whole micro-dollars
/// a token, so that costs can be added up in the head.
pub fn policy(one: &Provider, two: &Provider) -> Value {
    json!({
        "version": 1,
        "providers": {
            "one": {"api": "openai", "endpoint": format!("http://{}/v1", one.address), "key": "${KEY_ONE}", "catalogue": "openai"},
            "two": {
                "api": "openai",
                "endpoint": format!("http://{}/deep/base/v1", two.address),
                "key": "${KEY_TWO}",
                "headers": {"x-two-only": "two"}
            }
        },
        "models": {
            "pair": {"targets": [
                {"provider": "one", "model": "alpha", "price": {"input": 1, "output": 2}},
                {"provider": "two", "model": "beta", "price": {"input": 3, "output": 4}}
            ]},
            "solo": {"targets": [{"provider": "one", "model": "alpha", "price": {"input": 1, "output": 2}}]}
        },
        "routes": [{
            "name": "main",
            "match": {"model": ["pair"]},
            "models": ["pair"],
            "prefer": "ordered",
            "fallback": {"on": [429, "5xx", "timeout", "connect"], "attempts": 3, "per_try_timeout": "20s"}
        }],
        "teams": {"growth": {}},
        "keys": [{"id": "web", "sha256": hash(CLIENT_KEY), "team": "growth"}]
    })
}

/// Makes route `main` of the common policy give up an attempt after a second of silence. The others wait long, so that a
/// busy machine is not taken for a silent provider.
pub fn impatient(policy: &mut Value) {
    policy["routes"][0]["fallback"]["per_try_timeout"] = json!("1s");
}

/// A key's hash as the policy wants it.
pub fn hash(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A chat request for a model.
pub fn ask(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "How deep is the river?"}]}).to_string()
}

/// A streamed chat request for a model, without an ask for usage.
pub fn ask_stream(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "How deep is the river?"}], "stream": true})
        .to_string()
}

/// Waits until there is something, and fails the test when it takes too long.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
