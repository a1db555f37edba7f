//! CPU of one whole exchange inside the gateway, without a proxy: key, 20 routes, decision, splice, answer, books.
//! Not what a request costs in Envoy (see `benches/proxy`).
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use sha2::{Digest, Sha256};
use weir::gateway::ability::Abilities;
use weir::gateway::compile::Gateway;
use weir::gateway::exchange::{Exchange, Opening};
use weir::host::{Host, LogLevel, Series, SharedError, SharedValue, Timestamp};
use weir::http::Headers;

/// A host whose calls cost nothing.
struct Nothing;

impl Host for Nothing {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
    fn random(&self) -> u64 {
        0x1234_5678_9abc_def0
    }
    fn shared(&self, _key: &str) -> Result<Option<SharedValue>, SharedError> {
        Ok(None)
    }
    fn set_shared(&self, _key: &str, _bytes: &[u8], _version: Option<u32>) -> Result<(), SharedError> {
        Ok(())
    }
    fn metric(&self, series: Series<'_>, _value: u64) {
        black_box(series);
    }
    fn log(&self, _level: LogLevel, line: &str) {
        black_box(line);
    }
}

fn gateway() -> Rc<Gateway> {
    let hash: String = Sha256::digest("weir-key").iter().map(|byte| format!("{byte:02x}")).collect();
    let provider = |name: &str| json!({"api": "openai", "endpoint": format!("https://{name}.example/v1"), "key": "sk", "catalogue": "openai"});
    let models: serde_json::Map<String, serde_json::Value> = (0..50)
        .map(|index| {
            (
                format!("model-{index:02}"),
                json!({"targets": ["first/gpt-4o-mini", "second/gpt-4o-mini"], "quality": 0.7}),
            )
        })
        .collect();
    let routes: Vec<serde_json::Value> = (0..20)
        .map(|index| json!({"name": format!("route-{index:02}"), "match": {"team": ["grow*"], "model": [format!("model-{index:02}")]}, "models": [format!("model-{index:02}")]}))
        .collect();
    let policy = json!({
        "version": 1, "providers": {"first": provider("first"), "second": provider("second")}, "models": models,
        "routes": routes, "teams": {"growth": {}}, "keys": [{"id": "web", "sha256": hash, "team": "growth"}],
    });
    Rc::new(Gateway::compile(&policy, &|_| None, Abilities::ALL).unwrap_or_else(|problems| panic!("{problems:?}")))
}

fn exchange(gateway: &Rc<Gateway>, body: &[u8], answer: &[u8]) {
    let headers = Headers::from_pairs([
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        (":authority", "gateway"),
        ("content-type", "application/json"),
        ("content-length", "1900"),
        ("authorization", "Bearer weir-key"),
        ("user-agent", "bench"),
        ("accept", "*/*"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "5d4b1a8e-3f0c-4b6e-9a55-a3d6a5c70b0f"),
    ]);
    let Opening::Ours(mut exchange, steps) = Exchange::open(gateway, headers, false, &Nothing) else {
        panic!("foreign")
    };
    black_box(steps);
    black_box(exchange.request_body(body, &Nothing));
    black_box(exchange.begin_attempt(Some("first")).expect("a target"));
    let headers = Headers::from_pairs([
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-length", "600"),
        ("date", "now"),
    ]);
    black_box(exchange.attempt_answered(1, 200, &headers, true, &Nothing));
    black_box(exchange.response_headers(&headers, false, false, &Nothing));
    black_box(exchange.response_body(answer, true, &Nothing));
}

fn benches(criterion: &mut Criterion) {
    let gateway = gateway();
    let text = "The quick brown fox jumps over the lazy dog and then some more words follow. ".repeat(23);
    let body =
        json!({"model": "model-18", "messages": [{"role": "user", "content": text}], "temperature": 0.3}).to_string();
    let answer = json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Certainly. ".repeat(20)}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 400, "completion_tokens": 60, "total_tokens": 460, "prompt_tokens_details": {"cached_tokens": 0}}}).to_string();
    criterion.bench_function("exchange/2KB", |bencher| {
        bencher.iter(|| exchange(&gateway, black_box(body.as_bytes()), black_box(answer.as_bytes())));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
