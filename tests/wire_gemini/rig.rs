//! What the tests of Gemini's wire format share: fixtures, shapes, and ways to print what was read. No test.

use serde_json::Value;
use weir::chat::family::ApiFamily;
use weir::chat::feature::Features;
use weir::chat::part::{Citation, Content, Part};
use weir::chat::prose::Prose;
use weir::chat::request::Request;
use weir::chat::traits::Traits;
use weir::codec::gemini::wire::Gemini;
use weir::codec::json::unescape;
use weir::codec::wire::{ClientWire, Frame, Impossible, ProviderWire, Shape};
use weir::codec::writer::Writer;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/gemini/");

pub fn fixtures(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{FOLDER}{file}.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn name(fixture: &Value) -> &str {
    fixture["name"].as_str().unwrap()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        other => serde_json::to_vec(other).unwrap(),
    }
}

pub fn shape(model: &str, api: ApiFamily) -> Shape<'_> {
    Shape { model, api, vendor: "gemini", traits: Traits::NONE, capabilities: None, max_output: None }
}

pub fn shapes() -> [Shape<'static>; 4] {
    [
        shape("gemini-2.5-flash", ApiFamily::Gemini),
        shape("gemini-3-pro-preview", ApiFamily::Gemini),
        shape("gemini-2.5-flash", ApiFamily::Vertex),
        shape("gemini-3-flash-preview", ApiFamily::Vertex),
    ]
}

pub fn encode(request: &Request<'_>, shape: &Shape<'_>) -> Result<(Value, Features), Impossible> {
    let mut writer = Writer::with_capacity(1024);
    let lost = Gemini.encode_request(request, shape, &mut writer);
    let mut discarding = Writer::discarding();
    assert_eq!(Gemini.encode_request(request, shape, &mut discarding), lost, "a discarding writer says the same");
    assert!(discarding.into_bytes().is_empty());
    let body = writer.into_bytes();
    lost.map(|lost| (serde_json::from_slice(&body).unwrap(), lost))
}

pub fn rewritten(body: &Value, shape: &Shape<'_>) -> (Value, Features) {
    let body = bytes(body);
    let request = Gemini.decode_request(&body).unwrap();
    encode(&request, shape).unwrap()
}

pub fn frame(sse: bool) -> Frame {
    Frame {
        id: "00112233aabbccdd".into(),
        model: "gemini-test".into(),
        created: 1,
        input_tokens: 0,
        include_usage: true,
        sse,
    }
}

pub fn text(prose: &Prose<'_>) -> String {
    match prose {
        Prose::Plain(text) => text.clone().into_owned(),
        Prose::Escaped(bytes) => unescape(bytes),
    }
}

pub fn describe_citation(one: &Citation<'_>) -> String {
    format!("{:?} {:?} {:?}", one.url, one.title.as_ref().map(text), one.span)
}

pub fn describe(part: &Part<'_>) -> String {
    match &part.content {
        Content::Text { text: words, citations } => {
            format!("text {:?} {:?}", text(words), citations.iter().map(describe_citation).collect::<Vec<_>>())
        }
        Content::Thought(thought) => {
            format!("thought {:?} {:?}", text(&thought.text), thought.seal.as_ref().map(|seal| &seal.data))
        }
        Content::Call(call) => {
            format!("call {} {} {:?} {:?}", call.id, call.name, text(&call.arguments), call.signature)
        }
        other => format!("{other:?}"),
    }
}

pub fn sse(fixture: &Value) -> Vec<u8> {
    let mut out = String::new();
    for event in fixture["events"].as_array().unwrap() {
        if let Some(comment) = event.get("comment") {
            out.push_str(&format!(": {}\n\n", comment.as_str().unwrap()));
            continue;
        }
        if let Some(name) = event.get("event") {
            out.push_str(&format!("event: {}\n", name.as_str().unwrap()));
        }
        out.push_str(&format!("data: {}\r\n\r\n", String::from_utf8(bytes(&event["data"])).unwrap()));
    }
    out.into_bytes()
}

/// The same as one JSON array, as streams without `alt=sse` are.
pub fn array(fixture: &Value) -> Vec<u8> {
    let all = fixture["events"].as_array().unwrap().iter().filter_map(|event| event.get("data"));
    let objects: Vec<String> = all
        .flat_map(|data| data.as_array().cloned().unwrap_or_else(|| vec![data.clone()]))
        .filter(Value::is_object)
        .map(|data| serde_json::to_string_pretty(&data).unwrap())
        .collect();
    format!("[{}\n]\n", objects.join("\n,\r\n")).into_bytes()
}

/// What a client of Weir gets for a stream of Gemini's.
pub fn through(stream: &[u8], sse: bool) -> Vec<u8> {
    let mut reader = Gemini.decode_stream();
    let mut writer = Gemini.encode_stream(&frame(sse));
    let mut out = Vec::new();
    reader.push(stream, &mut |event| writer.event(&event, &mut out));
    reader.finish(&mut |event| writer.event(&event, &mut out));
    out
}
