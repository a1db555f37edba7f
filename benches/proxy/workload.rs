//! What is sent: chat bodies of realistic shape, the same bytes in every run; and the policy that Weir decides by.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The key that every request carries.
pub const KEY: &str = "sk-weir-bench-0123456789abcdef0123456789abcdef";

/// The model that every request names.
const MODEL: &str = "model-25";

/// One kind of request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// A body of 2 KB, answered at once.
    Small,
    /// A body of 100 KB, answered at once.
    Large,
    /// A body of 2 KB, answered by a stream of chunks, 20 a second.
    Stream,
}

impl Workload {
    /// Every workload, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Stream];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "2 KB",
            Self::Large => "100 KB",
            Self::Stream => "stream",
        }
    }

    /// How many times bare Envoy's CPU time Weir may take when it translates.
    pub fn cross_target(self) -> f64 {
        match self {
            Self::Small => 2.5,
            Self::Large => 6.0,
            Self::Stream => 2.0,
        }
    }

    /// How many times bare Envoy's CPU time Weir may take.
    pub fn target(self) -> f64 {
        match self {
            Self::Small => 2.0,
            Self::Large => 2.5,
            Self::Stream => 1.5,
        }
    }

    /// The whole HTTP/1.1 request.
    pub fn request(self) -> Vec<u8> {
        let body = match self {
            Self::Small => chat(2_000, false),
            Self::Large => chat(100_000, false),
            Self::Stream => chat(2_000, true),
        };
        let mut request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\naccept: application/json\r\nuser-agent: bench\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body.as_bytes());
        request
    }
}

/// A conversation of about `size` bytes: a system prompt, two tools, and turns of prose with some code in it.
fn chat(size: usize, stream: bool) -> String {
    let mut messages = vec![json!({"role": "system", "content": prose(1, 300)})];
    let tools = json!([tool("search", "Finds documents by words"), tool("weather", "Tells the weather of a place")]);
    let mut body = Value::Null;
    for turn in 0u64.. {
        body = json!({
            "model": MODEL, "messages": &messages, "tools": &tools, "temperature": 0.2, "max_tokens": 512,
            "stream": stream, "user": "bench",
        });
        let missing = size.saturating_sub(body.to_string().len() + 40);
        if missing < 40 {
            break;
        }
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": prose(turn + 2, missing.min(1_500))}));
    }
    body.to_string()
}

fn tool(name: &str, description: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": description, "parameters": {
        "type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}})
}

/// Text of at most `length` bytes: words, some of them not ASCII, lines of code, quotes and line ends to be escaped.
fn prose(seed: u64, length: usize) -> String {
    const WORDS: [&str; 16] = [
        "the",
        "river",
        "measures",
        "flow",
        "and",
        "“steers”",
        "it",
        "über",
        "a",
        "\"weir\"",
        "of",
        "stone",
        "fn main() {\n",
        "return x;\n}",
        "carries",
        "no water.",
    ];
    let mut text = String::new();
    let mut state = seed;
    loop {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = WORDS[(state >> 60) as usize];
        if text.len() + word.len() + 1 > length {
            return text;
        }
        text.push_str(word);
        text.push(' ');
    }
}

/// The same policy before providers that speak Anthropic's format.
pub fn cross_policy(upstream: u16) -> String {
    full_policy("claude-sonnet-4-5", |name| {
        json!({"api": "anthropic", "endpoint": format!("http://127.0.0.1:{upstream}"), "key": format!("sk-{name}"),
            "catalogue": "anthropic", "region": "us"})
    })
}

/// A full policy before providers that speak OpenAI's format.
pub fn policy(upstream: u16) -> String {
    full_policy("gpt-4o-mini", |name| {
        json!({"api": "openai", "endpoint": format!("http://127.0.0.1:{upstream}/v1"), "key": format!("sk-{name}"),
            "catalogue": "openai", "region": "us"})
    })
}

/// A key, 50 models, 20 routes, teams, fallback, decision headers and audit lines.
fn full_policy(model: &str, provider: impl Fn(&str) -> Value) -> String {
    let hash = Sha256::digest(KEY.as_bytes()).iter().fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    });
    let models: serde_json::Map<String, Value> = (0..50)
        .map(|index| {
            let target = |provider: &str| json!({"provider": provider, "model": model});
            (format!("model-{index:02}"), json!({"targets": [target("first"), target("second")], "quality": 0.7}))
        })
        .collect();
    let routes: Vec<Value> = (0..20)
        .map(|index| {
            // The requests' model is matched by the last route but one, so that most of the list is walked.
            let first = if index == 18 { MODEL.to_owned() } else { format!("model-{index:02}") };
            json!({
                "name": format!("route-{index:02}"),
                "match": {"team": ["grow*"], "model": [first]},
                "models": [format!("model-{index:02}"), MODEL],
                "prefer": "ordered",
                "fallback": {"on": [429, "5xx", "timeout", "connect"], "attempts": 2, "per_try_timeout": "30s"},
            })
        })
        .collect();
    json!({
        "version": 1,
        "providers": {"first": provider("first"), "second": provider("second")},
        "models": models,
        "routes": routes,
        "teams": {"growth": {}},
        "keys": [{"id": "growth-web", "sha256": hash, "team": "growth"}],
        "observe": {"audit": "metadata", "explain": "header", "labels": ["route", "model", "provider", "team"]},
    })
    .to_string()
}
