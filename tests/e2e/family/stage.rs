//! One Envoy in front of a mock of every provider family, and what each of those must have received. Not a scenario.

use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::envoy::{Envoy, Failover, Setup};
use crate::family::said::{Said, read};
use crate::family::speak::Client;
use crate::fixture::{CLIENT_KEY, eventually, hash};
use crate::provider::{Provider, Providers, Received};

/// Every model of the policy's, called as its provider: mock, family, base path, upstream model.
pub const MODELS: [(&str, &str, &str, &str); 12] = [
    ("openai", "openai", "/v1", "gpt-4o"),
    ("compatible", "openai", "/some/where/v1", "house-model"),
    ("responses", "openai_responses", "/v1", "gpt-4.1"),
    ("azure", "azure_openai", "", "my-deployment"),
    ("azure-dated", "azure_openai", "", "old-deployment"),
    ("anthropic", "anthropic", "", "claude-sonnet-4-5"),
    ("gemini", "gemini", "", "gemini-2.5-flash"),
    ("vertex", "vertex", "/v1/projects/p/locations/global", "gemini-2.5-flash-preview-09-2025"),
    ("vertex-claude", "vertex", "/v1/projects/p/locations/global", "claude-sonnet-4-5@20250929"),
    ("bedrock", "bedrock", "", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("bedrock-aws", "bedrock", "", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("cohere", "cohere", "", "command-a-03-2025"),
];

/// Models that speak another family and call tools with signatures.
pub const GEMINI_3: &str = "gemini-3-pro-preview";

/// The date of Azure's dated paths.
const DATE: &str = "2024-10-21";

/// The key of a provider.
fn key_of(provider: &str) -> String {
    format!("sk-secret-of-{provider}")
}

/// The Envoy and its providers.
pub struct Stage {
    pub envoy: Envoy,
    pub providers: Providers,
}

impl Stage {
    pub fn new(design: Failover) -> Self {
        Self::with(design, |_| {})
    }

    /// With the common policy after a change.
    pub fn with(design: Failover, change: impl FnOnce(&mut Value)) -> Self {
        let names = MODELS.map(|(name, ..)| name);
        let providers = Providers::start(&names);
        let mut policy = policy(&providers);
        change(&mut policy);
        let keys: Vec<(String, String)> = names.iter().map(|name| (variable(name), key_of(name))).collect();
        let environment: Vec<(&str, &str)> = keys.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
        let setup =
            Setup { policy: &policy, failover: design, workers: 1, environment: &environment, edit: &|_, text| text };
        let envoy = Envoy::start(&setup).unwrap_or_else(|refused| panic!("refused:\n{}", refused.log));
        Self { envoy, providers }
    }

    pub fn mock(&self, name: &str) -> &Provider {
        self.providers.get(name)
    }

    pub fn send(&self, request: &Request) -> Response {
        request.send(self.envoy.address)
    }

    /// Asks a model and reads the answer; says what the decision was called, too.
    #[track_caller]
    pub fn ask(&self, client: Client, model: &str, body: &Value, stream: bool) -> (Said, String) {
        let answer = self.send(&client.request(model, body, stream));
        assert_eq!(answer.status, 200, "{client:?} to {model}, stream {stream}: {}", answer.text());
        let said = read(client, &answer, stream);
        if stream {
            assert!(said.ended, "{client:?} to {model} has no end: {}", answer.text());
        }
        (said, answer.header("x-weir-decision").expect("a decision"))
    }

    /// The audit line of a decision.
    #[track_caller]
    pub fn audit_of(&self, decision: &str) -> Value {
        eventually(&format!("the audit line of {decision}"), || {
            self.envoy.audits().into_iter().find(|audit| audit["id"] == decision)
        })
    }

    /// The audit line of an answer.
    #[track_caller]
    pub fn audit(&self, answer: &Response) -> Value {
        self.audit_of(&answer.header("x-weir-decision").expect("a decision"))
    }

    /// Heals every provider and clears its book.
    pub fn calm(&self) {
        for (name, ..) in MODELS {
            self.mock(name).heal();
            self.mock(name).forget();
        }
    }

    /// The last request that a provider received.
    #[track_caller]
    pub fn last(&self, name: &str) -> Received {
        self.mock(name).received().pop().unwrap_or_else(|| panic!("{name} received nothing"))
    }
}

/// The environment's name of a provider's key.
fn variable(provider: &str) -> String {
    format!("KEY_{}", provider.to_uppercase().replace('-', "_"))
}

/// Every provider with a model of its name, priced so that costs can be added up in the head; `chain` goes from OpenAI
/// over Anthropic to Gemini, `back` the other way, `rest` over the others.
fn policy(providers: &Providers) -> Value {
    let (mut entries, mut models) = (json!({}), json!({}));
    let price = json!({"input": 1, "output": 2, "cache_read": 1, "cache_write": 1});
    for (name, api, base, model) in MODELS {
        let mut entry = json!({
            "api": api,
            "endpoint": format!("http://{}{base}", providers.get(name).address),
            "key": format!("${{{}}}", variable(name))
        });
        match name {
            "azure-dated" => entry["api_version"] = json!(DATE),
            "bedrock-aws" => {
                entry.as_object_mut().unwrap().remove("key");
                entry["aws"] = json!({
                    "access_key_id": "${KEY_BEDROCK_AWS}",
                    "secret_access_key": "${KEY_BEDROCK_AWS}",
                    "region": "us-east-1"
                });
            }
            _ => {}
        }
        let catalogue = match name {
            "vertex-claude" => "vertex",
            "bedrock-aws" => "bedrock",
            "responses" => "openai",
            other => other,
        };
        entry["catalogue"] = json!(catalogue);
        entries[name] = entry;
        models[name] = json!({"targets": [{"provider": name, "model": model, "price": price}]});
    }
    models["third"] = json!({"targets": [{"provider": "gemini", "model": GEMINI_3, "price": price}]});
    let target = |name: &str| {
        let (_, _, _, model) = MODELS.into_iter().find(|(known, ..)| *known == name).unwrap();
        json!({"provider": name, "model": model, "price": price})
    };
    let (chain, back) = (["openai", "anthropic", "gemini"].map(target), ["gemini", "anthropic", "openai"].map(target));
    models["chain"] = json!({"targets": chain});
    models["back"] = json!({"targets": back});
    let rest = ["bedrock", "cohere", "responses"].map(target);
    models["rest"] = json!({"targets": rest});
    let fallback = json!({"on": [429, "5xx", "timeout", "connect"], "attempts": 3, "per_try_timeout": "20s"});
    json!({
        "version": 1,
        "providers": entries,
        "models": models,
        "routes": [
            {"name": "chain", "match": {"model": ["chain"]}, "models": ["chain"], "prefer": "ordered", "fallback": fallback},
            {"name": "back", "match": {"model": ["back"]}, "models": ["back"], "prefer": "ordered", "fallback": fallback},
            {"name": "rest", "match": {"model": ["rest"]}, "models": ["rest"], "prefer": "ordered", "fallback": fallback}
        ],
        "teams": {"growth": {}},
        "keys": [{"id": "web", "sha256": hash(CLIENT_KEY), "team": "growth"}]
    })
}

/// The path at which a provider must have been asked.
pub fn path_at(client: Client, name: &str, stream: bool) -> String {
    let (_, _, base, model) = MODELS.into_iter().find(|(known, ..)| *known == name).unwrap();
    let gemini = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    match name {
        "openai" if client == Client::Responses => "/v1/responses".to_owned(),
        "openai" | "compatible" => format!("{base}/chat/completions"),
        "responses" => "/v1/responses".to_owned(),
        "azure" if client == Client::Responses => "/openai/v1/responses".to_owned(),
        "azure" => "/openai/v1/chat/completions".to_owned(),
        "azure-dated" if client == Client::Responses => format!("/openai/responses?api-version={DATE}"),
        "azure-dated" => format!("/openai/deployments/{model}/chat/completions?api-version={DATE}"),
        "anthropic" => "/v1/messages".to_owned(),
        "gemini" => format!("/v1beta/models/{model}:{gemini}"),
        "vertex" => format!("{base}/publishers/google/models/{model}:{gemini}"),
        "vertex-claude" => {
            let method = if stream { "streamRawPredict" } else { "rawPredict" };
            format!("{base}/publishers/anthropic/models/{model}:{method}")
        }
        "bedrock" | "bedrock-aws" => {
            let method = if stream { "converse-stream" } else { "converse" };
            format!("/model/{}/{method}", model.replace(':', "%3A"))
        }
        "cohere" => "/v2/chat".to_owned(),
        other => panic!("where is {other}?"),
    }
}

/// A provider has its own credential where its family wants it, and no other; no word of Weir's, of the client's key or of
/// another family's headers.
#[track_caller]
pub fn expect_headers(client: Client, name: &str, received: &Received) {
    let headers = received.header_text();
    let key = key_of(name);
    let (header, value) = match name {
        "azure" | "azure-dated" => ("api-key", key.clone()),
        "anthropic" => ("x-api-key", key.clone()),
        "gemini" => ("x-goog-api-key", key.clone()),
        _ => ("authorization", format!("Bearer {key}")),
    };
    if name == "bedrock-aws" {
        let values = received.headers("authorization");
        assert_eq!(values.len(), 1, "{headers}");
        assert!(values[0].starts_with(&format!("AWS4-HMAC-SHA256 Credential={key}/")), "{headers}");
        assert!(values[0].contains("/us-east-1/bedrock/aws4_request"), "{headers}");
        assert_eq!(received.headers("x-amz-date").len(), 1, "{headers}");
    } else {
        assert_eq!(received.headers(header), [value], "{name}: {headers}");
        assert_eq!(received.headers("x-amz-date"), [""; 0], "{headers}");
    }
    for other in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
        let own = other == header || (name == "bedrock-aws" && other == "authorization");
        assert!(own || received.headers(other).is_empty(), "{name} got {other}:\n{headers}");
    }
    assert!(!headers.contains(CLIENT_KEY), "the client's key in\n{headers}");
    for (other, ..) in MODELS {
        let foreign = key_of(other);
        assert!(other == name || !headers.contains(&format!("{foreign}\n")), "{other}'s key at {name}:\n{headers}");
    }
    let versions = usize::from(name == "anthropic");
    assert_eq!(received.headers("anthropic-version").len(), versions, "{name}: {headers}");
    for sender in Client::ALL {
        let (own, value) = sender.own_header();
        let fits = match sender {
            Client::Chat | Client::Responses => {
                matches!(name, "openai" | "compatible" | "responses" | "azure" | "azure-dated")
                    && matches!(client, Client::Chat | Client::Responses)
            }
            Client::Messages => name == "anthropic" && client == sender,
            Client::Gemini => matches!(name, "gemini" | "vertex") && client == sender,
        };
        let expected: &[&str] = if fits { &[value] } else { &[] };
        // On Google's cloud the header of its own SDK is nobody's concern.
        if !(name == "vertex" && own == "x-goog-api-client") {
            assert_eq!(received.headers(own), expected, "{own} of {client:?} at {name}:\n{headers}");
        }
    }
    let told = |line: &&str| line.starts_with("x-weir-") && !line.starts_with("x-weir-exchange: ");
    assert_eq!(headers.lines().find(told), None, "Weir's own headers in\n{headers}");
}
