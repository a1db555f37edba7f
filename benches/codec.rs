//! How fast the OpenAI codec is, natively. Not a test: the numbers are for a reader.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use weir::codec::openai::head::{Endpoint, decode_head};
use weir::codec::openai::splice::splice;
use weir::codec::openai::stream::Stream;
use weir::codec::openai::usage::BodyScan;

/// A chat of about `size` bytes: prose with line breaks and quotes, as prompts have.
fn chat(size: usize) -> Vec<u8> {
    let prose = "The gateway reads each request once, and \"no\" byte of it twice.\nIt forwards the rest as it came. ";
    let turn = prose.repeat(10);
    let turns: Vec<_> = (0..size.div_ceil(turn.len() + 60))
        .map(|index| json!({"role": if index % 2 == 0 { "user" } else { "assistant" }, "content": turn}))
        .collect();
    let body = json!({"messages": turns, "model": "gpt-4o", "stream": true, "temperature": 0.2});
    serde_json::to_vec(&body).unwrap()
}

/// A request that is mostly structure: tool definitions and embedded JSON text.
fn tools(size: usize) -> Vec<u8> {
    let tool = json!({"type": "function", "function": {"name": "get_weather", "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}});
    let text = serde_json::to_string(&tool).unwrap();
    let message = json!({"role": "tool", "content": text});
    let half = size / 2 / text.len();
    let body = json!({"model": "gpt-4o", "tools": vec![tool; half], "messages": vec![message; half]});
    serde_json::to_vec(&body).unwrap()
}

fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head");
    for (name, body) in [
        ("chat_2k", chat(2_000)),
        ("chat_100k", chat(100_000)),
        ("tools_2k", tools(2_000)),
        ("tools_100k", tools(100_000)),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| decode_head(black_box(&body), Endpoint::ChatCompletions).unwrap());
        });
    }
    group.finish();
}

fn splices(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splice");
    for (name, body) in [("chat_2k", chat(2_000)), ("chat_100k", chat(100_000))] {
        let head = decode_head(&body, Endpoint::ChatCompletions).unwrap();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| splice(black_box(&body), &head, Some("gpt-4o-mini"), true).unwrap());
        });
    }
    group.finish();
}

fn streams(criterion: &mut Criterion) {
    let event = "data: {\"id\":\"chatcmpl-BcZ\",\"object\":\"chat.completion.chunk\",\"created\":1748000000,\"model\":\
        \"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_76\",\"choices\":[{\"index\":0,\
        \"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(1));
    for (name, hide) in [("event_watched", false), ("event_stripped", true)] {
        let mut stream = Stream::new(hide);
        group.bench_function(name, |bench| bench.iter(|| stream.push(black_box(event.as_bytes()))));
    }
    let body = chat(100_000);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("unary_100k_in_16k_chunks", |bench| {
        bench.iter(|| {
            let mut scan = BodyScan::new();
            body.chunks(16_384).for_each(|chunk| scan.push(black_box(chunk)));
            scan.output_text()
        });
    });
    group.finish();
}

criterion_group!(benches, heads, splices, streams);
criterion_main!(benches);
