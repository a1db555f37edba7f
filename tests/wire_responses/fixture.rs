//! What the tests read, and how they look at it. No tests.

use serde_json::Value;
use std::path::Path;
use weir::chat::family::ApiFamily;
use weir::chat::feature::Features;
use weir::chat::prose::Prose;
use weir::chat::request::Request;
use weir::chat::traits::Traits;
use weir::codec::json::unescape;
use weir::codec::responses::sides::Responses;
use weir::codec::wire::{Frame, Impossible, ProviderWire, Shape};
use weir::codec::writer::Writer;

pub fn fixtures(kind: &str) -> Vec<(String, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/wire/responses/{kind}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row)).collect()
}

pub fn fixture(kind: &str, name: &str) -> Value {
    fixtures(kind).into_iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no fixture {name:?}")).1
}

pub fn body(kind: &str, name: &str) -> Vec<u8> {
    fixture(kind, name)["body"].to_string().into_bytes()
}

pub fn stream_bytes(row: &Value) -> Vec<u8> {
    let mut out = String::new();
    for event in row["events"].as_array().unwrap() {
        if let Some(comment) = event["comment"].as_str() {
            out += &format!(": {comment}\n\n");
            continue;
        }
        if let Some(name) = event["event"].as_str() {
            out += &format!("event: {name}\n");
        }
        let data = event["data"].as_str().map_or_else(|| event["data"].to_string(), str::to_owned);
        out += &format!("data: {data}\n\n");
    }
    out.into_bytes()
}

pub fn shape() -> Shape<'static> {
    Shape {
        model: "target",
        api: ApiFamily::OpenAiResponses,
        vendor: "openai",
        traits: Traits::NONE,
        capabilities: None,
        max_output: None,
    }
}

pub fn frame() -> Frame {
    Frame {
        id: "00000000000000aa".to_owned(),
        model: "asked-for".to_owned(),
        created: 1_790_000_000,
        input_tokens: 7,
        include_usage: true,
        sse: true,
    }
}

pub fn text(prose: &Prose<'_>) -> String {
    match prose {
        Prose::Plain(text) => text.clone().into_owned(),
        Prose::Escaped(bytes) => unescape(bytes),
    }
}

pub fn encode_with(request: &Request<'_>, shape: &Shape<'_>) -> Result<(Value, Features), Impossible> {
    let mut writer = Writer::with_capacity(256);
    let result = Responses.encode_request(request, shape, &mut writer);
    let mut discarding = Writer::discarding();
    assert_eq!(
        Responses.encode_request(request, shape, &mut discarding),
        result,
        "what is lost does not depend on bytes"
    );
    assert!(discarding.into_bytes().is_empty());
    let bytes = writer.into_bytes();
    result.map(|lost| {
        (serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&bytes))), lost)
    })
}

pub fn encode(request: &Request<'_>) -> (Value, Features) {
    encode_with(request, &shape()).unwrap()
}
