//! What tests are made of: secrets that are planted, policies, requests, answers, and what became of a request. Nothing
//! here calls the module (see `gate`).
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Once;

use serde_json::{Value, json};

use crate::host::Pairs;

/// Secrets that every test plants; none may ever stand in a log line, an answer of the gateway's own, or a metric.
pub const ALPHA_KEY: &str = "sk-alpha-d41d8cd98f";
pub const BETA_KEY: &str = "sk-beta-00b204e980";
pub const POOL_KEYS: [&str; 3] = ["sk-pool-one-0998ecf8", "sk-pool-two-427e1234", "sk-pool-three-77aa12"];
pub const HEADER_SECRET: &str = "org-secret-5f3759df";
pub const LITERAL_KEY: &str = "sk-literal-cafe1234";
pub const CLIENT_KEY: &str = "client-key-8badf00d";
/// What a client may send to name an exchange: it names none.
pub const CLIENTS_EXCHANGE: &str = "0123456789abcdef";
pub const PROMPT: &str = "why do zebras have stripes";
pub const ANSWER: &str = "nobody knows, flies perhaps";

/// Sets the variables that the policies here name, once for the process.
pub fn environment() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let variables = [
            ("WEIR_TEST_ALPHA", ALPHA_KEY),
            ("WEIR_TEST_BETA", BETA_KEY),
            ("WEIR_TEST_POOL_1", POOL_KEYS[0]),
            ("WEIR_TEST_POOL_2", POOL_KEYS[1]),
            ("WEIR_TEST_POOL_3", POOL_KEYS[2]),
            ("WEIR_TEST_HEADER", HEADER_SECRET),
            ("WEIR_TEST_EMPTY", ""),
        ];
        for (name, value) in variables {
            // SAFETY: the standard library's lock is around every reader in this process; nothing else reads.
            unsafe { std::env::set_var(name, value) };
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    Refresh,
    Loop,
}

pub const BOTH: [Failover; 2] = [Failover::Refresh, Failover::Loop];

/// Two providers, each with a key and one with a header of its own; "smart" tries the first, then the second.
pub fn two_providers() -> Value {
    json!({
        "version": 1,
        "anonymous": "allow",
        "providers": {
            "alpha": {
                "api": "openai", "endpoint": "https://alpha.example/v1", "key": "${WEIR_TEST_ALPHA}",
                "headers": {"OpenAI-Organization": "${WEIR_TEST_HEADER}"}
            },
            "beta": {
                "api": "openai", "endpoint": "http://beta.example:8080/openai/v1", "key": "${WEIR_TEST_BETA}",
                "headers": {"x-beta-flag": "on"}
            }
        },
        "models": {
            "smart": {"targets": [
                {"provider": "alpha", "model": "big-a", "price": {"input": 1.0, "output": 2.0}},
                {"provider": "beta", "model": "bigger-model-b", "price": {"input": 3.0, "output": 4.0}}
            ]}
        }
    })
}

/// The same two, the second of which speaks Anthropic's format.
pub fn two_families() -> Value {
    let mut policy = two_providers();
    policy["providers"]["beta"]["api"] = json!("anthropic");
    policy
}

/// One provider with three keys.
pub fn key_pool() -> Value {
    json!({
        "version": 1,
        "anonymous": "allow",
        "providers": {"pool": {
            "api": "openai", "endpoint": "https://pool.example/v1",
            "key": ["${WEIR_TEST_POOL_1}", "${WEIR_TEST_POOL_2}", "${WEIR_TEST_POOL_3}"]
        }}
    })
}

/// A request as it reached a provider.
#[derive(Clone, Debug)]
pub struct Seen {
    pub cluster: String,
    pub headers: Pairs,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<String> {
        value(&self.headers, name)
    }

    /// What holds for every request that reaches a provider, whatever went wrong on its way: it is the whole of what was
    /// decided for that provider, and nothing of anybody else.
    pub fn check(&self) {
        let (authority, path, keys, models): (_, _, &[&str], &[&str]) = match self.cluster.as_str() {
            "alpha" => ("alpha.example", "/v1", &[ALPHA_KEY], &["big-a"]),
            "beta" => ("beta.example:8080", "/openai/v1", &[BETA_KEY], &["bigger-model-b"]),
            "pool" => ("pool.example", "/v1", &POOL_KEYS, &["any", "other", "third", "fourth"]),
            other => panic!("\"{other}\" is no cluster: {self:?}"),
        };
        assert_eq!(self.header(":authority").as_deref(), Some(authority), "{self:?}");
        assert!(self.header(":path").unwrap().starts_with(&format!("{path}/")), "{self:?}");
        let given = ["authorization", "x-api-key", "x-goog-api-key"].map(|name| self.header(name));
        let given: Vec<String> = given.into_iter().flatten().collect();
        assert_eq!(given.len(), 1, "one credential: {self:?}");
        let key = given[0].strip_prefix("Bearer ").unwrap_or(&given[0]);
        assert!(keys.contains(&key), "{self:?}");
        assert!(models.contains(&self.model().as_str()), "{self:?}");
        if let Some(length) = self.header("content-length") {
            assert_eq!(length, self.body.len().to_string(), "{self:?}");
        }
        let organization = self.header("openai-organization");
        match self.cluster.as_str() {
            "alpha" => assert_eq!(organization.as_deref(), Some(HEADER_SECRET), "{self:?}"),
            "beta" => assert_eq!(organization, None, "{self:?}"),
            _ => assert_ne!(organization.as_deref(), Some(HEADER_SECRET), "{self:?}"),
        }
        assert_eq!(self.header("x-beta-flag").as_deref(), (self.cluster == "beta").then_some("on"), "{self:?}");
        for secret in [ALPHA_KEY, BETA_KEY, CLIENT_KEY].iter().chain(&POOL_KEYS).filter(|secret| **secret != key) {
            let told = self.headers.iter().any(|(_, value)| String::from_utf8_lossy(value).contains(secret));
            assert!(!told, "somebody else's credential: {self:?}");
        }
        for (name, _) in &self.headers {
            let name = String::from_utf8_lossy(name);
            // In a cluster the exchange's name stays for a further attempt: it says nothing.
            let weirs = name.starts_with("x-weir-") && name != "x-weir-exchange";
            assert!(!weirs && !name.starts_with("x-envoy-") && name != "cookie", "{name}");
        }
    }

    /// The model that the body names, or in Gemini's format the path.
    pub fn model(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let path = self.header(":path").unwrap_or_default();
        let in_path = path.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(model, _)| model);
        body["model"].as_str().or(in_path).unwrap().to_owned()
    }
}

pub fn value(pairs: &Pairs, name: &str) -> Option<String> {
    let found = pairs.iter().find(|(candidate, _)| candidate == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

pub fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// How a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its last piece.
    Last,
    /// With an empty piece behind the last.
    Empty,
    /// With trailers.
    Trailers,
    /// It breaks off.
    Cut,
}

pub const WHOLE_ENDS: [End; 3] = [End::Last, End::Empty, End::Trailers];

#[derive(Clone, Debug)]
pub struct Response {
    pub headers: Pairs,
    pub chunks: Vec<Vec<u8>>,
    pub end: End,
}

impl Response {
    pub fn json(status: u16, body: &str) -> Self {
        let length = body.len().to_string();
        let headers =
            [(":status", &*status.to_string()), ("content-type", "application/json"), ("content-length", &length)];
        Self { headers: pairs(&headers), chunks: vec![body.as_bytes().to_vec()], end: End::Last }
    }

    pub fn sse(body: &str) -> Self {
        let headers = pairs(&[(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")]);
        Self { headers, chunks: vec![body.as_bytes().to_vec()], end: End::Last }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        self
    }
}

/// What a provider does.
#[derive(Clone, Debug)]
pub enum Answer {
    Reply(Response),
    Reset,
    Refused,
    Timeout,
}

/// A client's request and what is odd about the transport of it.
#[derive(Clone, Debug)]
pub struct Ask {
    pub headers: Pairs,
    pub chunks: Vec<Vec<u8>>,
    pub end: End,
    /// More bytes than this are not held: the proxy answers 413.
    pub limit: usize,
    /// The size of the pieces in which a body is replayed to an attempt.
    pub replay: usize,
    /// The end of an attempt is told when the next one is over.
    pub late_end: bool,
    /// The client goes away before that many pieces of the answer; 0 is before its headers.
    pub leaves_before: Option<usize>,
}

impl Ask {
    pub fn chat(model: &str, stream: bool) -> Self {
        let content = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": PROMPT}]});
        Self::post("/v1/chat/completions", content.to_string().as_bytes())
    }

    pub fn post(path: &str, body: &[u8]) -> Self {
        let length = body.len().to_string();
        let headers = pairs(&[
            (":method", "POST"),
            (":path", path),
            (":authority", "gateway.example"),
            ("content-type", "application/json"),
            ("content-length", &length),
            ("authorization", &format!("Bearer {CLIENT_KEY}")),
            ("cookie", "session=1"),
            ("x-envoy-max-retries", "99"),
            ("x-weir-cluster", "internal"),
            ("x-weir-exchange", CLIENTS_EXCHANGE),
            ("openai-organization", "the-clients-own"),
            ("x-request-id", "42"),
        ]);
        let chunks = vec![body.to_vec()];
        Self {
            headers,
            chunks,
            end: End::Last,
            limit: 1 << 20,
            replay: usize::MAX,
            late_end: false,
            leaves_before: None,
        }
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(candidate, _)| candidate != name.as_bytes());
        self
    }

    pub fn with(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.as_bytes().to_vec(), value.to_vec()));
        self
    }

    pub fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// What became of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The client's status; `None` when it got none.
    pub status: Option<u16>,
    pub headers: Pairs,
    pub body: Vec<u8>,
    /// Requests that reached a provider, in order.
    pub seen: Vec<Seen>,
    /// The filter answered the request itself, on the listener.
    pub local: bool,
    /// Attempts that the filter of the attempt refused.
    pub refused: usize,
    /// The request is held for ever.
    pub held: bool,
    /// No rule was asked for: it passed through.
    pub foreign: bool,
    pub audits: Vec<Value>,
    /// What the filters published.
    pub state: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    pub fn audit(&self) -> &Value {
        assert_eq!(self.audits.len(), 1, "{self:?}");
        &self.audits[0]
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}
