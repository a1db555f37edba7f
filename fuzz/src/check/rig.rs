//! What the checks share: formats, targets, and what JSON is.

use serde::de::IgnoredAny;
use weir::chat::capability::{Capabilities, Capability};
use weir::chat::family::ApiFamily;
use weir::chat::traits::{Trait, Traits};
use weir::chat::wire::Wire;
use weir::codec::adapt::undo::Undo;
use weir::codec::json::Scanner;
use weir::codec::registry;
use weir::codec::wire::{ClientWire, Frame, Shape};

/// The formats that clients speak.
pub const CLIENTS: [Wire; 4] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Gemini];

/// A client's side of a format.
pub fn client(pick: u8) -> (&'static dyn ClientWire, Wire) {
    let wire = CLIENTS[usize::from(pick) % CLIENTS.len()];
    (registry::client(wire).expect("clients speak it"), wire)
}

/// Every client's side.
pub fn clients() -> impl Iterator<Item = (&'static dyn ClientWire, Wire)> {
    (0..4).map(client)
}

/// A provider's format.
pub fn provider(pick: u8) -> Wire {
    Wire::ALL[usize::from(pick) % Wire::ALL.len()]
}

/// Three targets: API, vendor, model.
type Three = [(ApiFamily, &'static str, &'static str); 3];

/// The API and a vendor and a model for each of three targets of a format.
const TARGETS: [(Wire, Three); 6] = [
    (
        Wire::Chat,
        [
            (ApiFamily::OpenAi, "openai", "gpt-4.1"),
            (ApiFamily::OpenAi, "mistral", "mistral-large"),
            (ApiFamily::OpenAi, "deepseek", "deepseek-reasoner"),
        ],
    ),
    (
        Wire::Responses,
        [
            (ApiFamily::OpenAiResponses, "openai", "gpt-5-mini"),
            (ApiFamily::AzureOpenAi, "azure", "gpt-4.1"),
            (ApiFamily::OpenAiResponses, "xai", "grok-4"),
        ],
    ),
    (
        Wire::Messages,
        [
            (ApiFamily::Anthropic, "anthropic", "claude-sonnet-4-5"),
            (ApiFamily::Vertex, "vertex", "claude-opus-4-6"),
            (ApiFamily::Anthropic, "anthropic", "claude-3-haiku-20240307"),
        ],
    ),
    (
        Wire::Gemini,
        [
            (ApiFamily::Gemini, "gemini", "gemini-2.5-flash"),
            (ApiFamily::Vertex, "vertex", "gemini-3-pro-preview"),
            (ApiFamily::Gemini, "gemini", "gemini-1.5-pro"),
        ],
    ),
    (
        Wire::Converse,
        [
            (ApiFamily::Bedrock, "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
            (ApiFamily::Bedrock, "bedrock", "amazon.nova-pro-v1:0"),
            (ApiFamily::Bedrock, "bedrock", "mistral.mistral-large-2402-v1:0"),
        ],
    ),
    (
        Wire::Cohere,
        [
            (ApiFamily::Cohere, "cohere", "command-a-03-2025"),
            (ApiFamily::Cohere, "cohere", "command-a-reasoning-08-2025"),
            (ApiFamily::Cohere, "cohere", "command-r"),
        ],
    ),
];

/// A target of a format. What it is said to be able to do changes with the pick, whatever the model really can.
pub fn shape(wire: Wire, pick: u8) -> Shape<'static> {
    let (_, targets) = TARGETS.iter().find(|(other, _)| *other == wire).expect("every format has targets");
    let (api, vendor, model) = targets[usize::from(pick) % 3];
    let every = Trait::ALL.into_iter().enumerate();
    let chosen = every.filter(|(index, _)| pick.wrapping_mul(37).rotate_left(*index as u32) & 0b11 == 0b10);
    let traits = chosen.fold(Traits::NONE, |all, (_, one)| all.with(one));
    let mut capabilities = Capabilities::NONE;
    for (index, one) in [
        Capability::Tools,
        Capability::ToolChoice,
        Capability::JsonSchema,
        Capability::Vision,
        Capability::Pdf,
        Capability::AudioIn,
        Capability::Reasoning,
        Capability::WebSearch,
    ]
    .into_iter()
    .enumerate()
    {
        if pick >> index & 1 == 0 {
            capabilities.insert(one);
        }
    }
    let known = !pick.is_multiple_of(5);
    Shape {
        model,
        api,
        vendor,
        traits,
        capabilities: known.then_some(capabilities),
        max_output: known.then_some(4_096),
    }
}

/// What an encoder of answers is told.
pub fn frame(pick: u8) -> Frame {
    Frame {
        id: "0123456789abcdef".to_owned(),
        model: "some-model".to_owned(),
        created: 1_795_255_200,
        input_tokens: 12,
        include_usage: pick & 1 == 0,
        sse: pick & 2 == 0,
    }
}

/// What an answer is put back by: nothing, or something of each kind, by the names of the fixtures.
pub fn undo(pick: u8) -> Undo {
    if pick & 4 == 0 {
        return Undo::default();
    }
    let name = |name: &str| name.to_owned();
    Undo {
        names: vec![(name("get_weather"), name("weather/get \"it\"")), (name("f"), name("g"))],
        custom: vec![name("run"), name("lookup"), name("a")],
        schema_tool: Some(name("json_answer")),
    }
}

/// Whether bytes are one JSON value by RFC 8259: UTF-8, no control character in a string.
///
/// Why serde_json's own value is not built: it also refuses half of a surrogate pair, which the grammar allows and which
/// vendors split over two deltas, and numbers and depths that it has no room for.
pub fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Holds that bytes are JSON.
pub fn assert_json(bytes: &[u8], what: &dyn std::fmt::Display) {
    assert!(is_json(bytes), "{what}: no JSON: {}", String::from_utf8_lossy(bytes));
}

/// Whether Weir's own scanner reads the bytes as one value.
pub fn scans(bytes: &[u8]) -> bool {
    let mut scanner = Scanner::new(bytes);
    scanner.pass().is_ok() && scanner.end().is_ok()
}

/// Cuts bytes into pieces whose sizes come from a seed, empty ones among them.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed).wrapping_mul(0x9E37_79B9) | 1;
    let most = [1, 2, 7, 64, 1024][usize::from(seed) % 5];
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let (piece, after) = rest.split_at((state as usize % (most + 1)).min(rest.len()));
        pieces.push(piece);
        rest = after;
        // Many empty pieces in a row say nothing new.
        if piece.is_empty() {
            let (piece, after) = rest.split_at(1);
            pieces.push(piece);
            rest = after;
        }
    }
    pieces
}
