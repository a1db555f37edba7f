//! The OpenAI wire format of a mock: what it answers, as bytes. Not when and how it is sent: see `serve`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// What a mock's answers look like when no fault says otherwise.
#[derive(Clone, Debug)]
pub struct Style {
    /// The name it gives in its answers.
    pub provider: String,
    /// Content events of a streamed answer.
    pub chunks: usize,
    /// Pause before each content event.
    pub chunk_delay_ms: u64,
    /// Least length of the answer's text.
    pub answer_bytes: usize,
}

/// The part of a chat or embeddings request that the answer depends on.
#[derive(Deserialize)]
pub struct Ask<'a> {
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    #[serde(default)]
    pub messages: Vec<IgnoredAny>,
    #[serde(default)]
    pub stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    input: Option<Input>,
    #[serde(default, borrow)]
    encoding_format: Option<Cow<'a, str>>,
    #[serde(default)]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Many(Vec<IgnoredAny>),
    One(IgnoredAny),
}

impl<'a> Ask<'a> {
    /// Reads a body; the error is the message a vendor would give.
    pub fn read(body: &'a [u8]) -> Result<Self, String> {
        let ask: Self = serde_json::from_slice(body)
            .map_err(|error| format!("We could not parse the JSON body of your request: {error}"))?;
        if ask.model.is_empty() {
            return Err("you must provide a model parameter".to_owned());
        }
        Ok(ask)
    }

    /// Whether the client asked for a stream.
    pub fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether the client asked for the usage event of a stream.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }
}

/// FNV-1a over the request's body, 64 bits: what an answer quotes so that a test sees which bytes arrived.
pub fn fingerprint(body: &[u8]) -> u64 {
    body.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// One chat answer, whole: text, usage, and the pieces of its stream.
pub struct Chat {
    /// Members every body and event of this answer begins with, ready to be followed by a comma.
    id: String,
    created: u64,
    model: String,
    text: String,
    /// Content events of a stream.
    chunks: usize,
    /// The `usage` object, or `None` when a fault withholds it.
    usage: Option<String>,
    wants_usage: bool,
}

/// How the answer to one request is shaped, after faults.
pub struct Shape {
    pub chunks: usize,
    pub answer_bytes: usize,
    pub no_usage: bool,
}

impl Chat {
    /// The answer of `provider` to a request.
    pub fn new(provider: &str, ask: &Ask<'_>, body: &[u8], shape: &Shape) -> Self {
        let hash = fingerprint(body);
        let mut text = format!("provider {provider} model {} request {hash:016x}.", ask.model);
        let wanted = shape.answer_bytes.max(shape.chunks);
        while text.len() < wanted {
            text.push_str(" The river carries no water of its own, it only measures.");
        }
        let usage = (!shape.no_usage).then(|| usage(body.len(), text.len()));
        Self {
            id: format!("chatcmpl-mock{hash:016x}"),
            created: 1_760_000_000 + hash % 1_000_000,
            model: ask.model.clone().into_owned(),
            text,
            chunks: shape.chunks.max(1),
            usage,
            wants_usage: ask.wants_usage(),
        }
    }

    /// The body of an answer in one piece.
    pub fn body(&self) -> String {
        let usage = self.usage.as_ref().map_or_else(String::new, |usage| format!(",\"usage\":{usage}"));
        format!(
            concat!(
                r#"{{"id":"{id}","object":"chat.completion","created":{created},"model":{model},"#,
                r#""choices":[{{"index":0,"message":{{"role":"assistant","content":{text},"refusal":null,"annotations":[]}},"#,
                r#""logprobs":null,"finish_reason":"stop"}}]{usage},"service_tier":"default","system_fingerprint":"fp_mock"}}"#
            ),
            id = self.id,
            created = self.created,
            model = quoted(&self.model),
            text = quoted(&self.text),
            usage = usage,
        )
    }

    /// The first event of a stream, which names the role.
    pub fn role_event(&self) -> String {
        self.event(r#"{"role":"assistant","content":"","refusal":null}"#, "null")
    }

    /// The content events of a stream, in order.
    pub fn content_events(&self) -> impl Iterator<Item = String> + '_ {
        pieces(&self.text, self.chunks).map(|piece| self.event(&format!(r#"{{"content":{}}}"#, quoted(piece)), "null"))
    }

    /// The events after the content: the finish reason, usage if it was asked for, and the end mark.
    pub fn last_events(&self) -> Vec<String> {
        let mut events = vec![self.event("{}", "\"stop\"")];
        if let (true, Some(usage)) = (self.wants_usage, &self.usage) {
            events.push(format!("data: {},\"choices\":[],\"usage\":{usage}}}\n\n", self.event_start()));
        }
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    fn event(&self, delta: &str, finish: &str) -> String {
        // Vendors put `"usage":null` on every event but the last when usage was asked for.
        let usage = if self.wants_usage { ",\"usage\":null" } else { "" };
        format!(
            "data: {start},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n",
            start = self.event_start(),
        )
    }

    fn event_start(&self) -> String {
        format!(
            r#"{{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},"service_tier":"default","system_fingerprint":"fp_mock""#,
            self.id,
            self.created,
            quoted(&self.model),
        )
    }
}

/// The `usage` object: a token for every four bytes, a quarter of the prompt from the cache, an eighth of the answer spent
/// on reasoning.
fn usage(body_bytes: usize, text_bytes: usize) -> String {
    let prompt = body_bytes.div_ceil(4);
    let completion = text_bytes.div_ceil(4);
    format!(
        concat!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},"#,
            r#""prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"#,
            r#""completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"#,
            r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
        ),
        prompt = prompt,
        completion = completion,
        total = prompt.saturating_add(completion),
        cached = prompt / 4,
        reasoning = completion / 8,
    )
}

/// Splits ASCII text into `count` pieces whose lengths differ by at most one.
fn pieces(text: &str, count: usize) -> impl Iterator<Item = &str> {
    let length = text.len();
    let boundary = move |index: usize| {
        let mut at = length.saturating_mul(index) / count.max(1);
        // A model's name may hold letters of several bytes.
        while !text.is_char_boundary(at) {
            at = at.saturating_add(1);
        }
        at
    };
    (0..count).map(move |index| text.get(boundary(index)..boundary(index.saturating_add(1))).unwrap_or_default())
}

/// The answer to an embeddings request: vectors of eight numbers (or as many as asked for) made of the request's hash.
pub fn embeddings(ask: &Ask<'_>, body: &[u8]) -> Result<String, String> {
    let count = match &ask.input {
        None => return Err("you must provide an input parameter".to_owned()),
        Some(Input::One(IgnoredAny)) => 1,
        Some(Input::Many(items)) => items.len(),
    };
    let size = ask.dimensions.unwrap_or(8).min(4096);
    let base64 = ask.encoding_format.as_deref() == Some("base64");
    let mut seed = fingerprint(body);
    let data: Vec<String> = (0..count)
        .map(|index| {
            let numbers: Vec<f32> = (0..size)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // Sixteen bits are exact in a float, so the text form is stable.
                    f32::from(u16::try_from(seed >> 48).unwrap_or_default()) / 65_536.0 - 0.5
                })
                .collect();
            let vector = if base64 {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                quoted(&base64_text(&bytes))
            } else {
                serde_json::to_string(&numbers).unwrap_or_default()
            };
            format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#)
        })
        .collect();
    let tokens = body.len().div_ceil(4);
    Ok(format!(
        r#"{{"object":"list","data":[{}],"model":{},"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#,
        data.join(","),
        quoted(&ask.model),
    ))
}

/// The error body of a status.
pub fn error_body(status: u16, message: &str) -> String {
    let (kind, code) = match status {
        400 => ("invalid_request_error", "null"),
        401 => ("invalid_request_error", "\"invalid_api_key\""),
        404 => ("invalid_request_error", "\"unknown_url\""),
        429 => ("requests", "\"rate_limit_exceeded\""),
        529 => ("overloaded_error", "\"overloaded\""),
        _ => ("server_error", "null"),
    };
    format!(r#"{{"error":{{"message":{},"type":"{kind}","param":null,"code":{code}}}}}"#, quoted(message))
}

/// Text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Base64 with padding (RFC 4648, section 4): SDKs ask for vectors in it.
fn base64_text(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, index| word << 8 | usize::from(group.get(index).copied().unwrap_or(0)));
        for position in 0..4_usize {
            let letter = LETTERS.get(word >> (18 - 6 * position) & 63).copied().unwrap_or(b'=');
            out.push(if position <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::{Ask, Chat, Shape, base64_text, embeddings, pieces};

    const SHAPE: Shape = Shape { chunks: 5, answer_bytes: 0, no_usage: false };

    #[test]
    fn the_events_of_a_stream_spell_the_text_of_the_whole_answer() {
        let body =
            br#"{"model":"gpt-\u00e9\u00e9","messages":[{}],"stream":true,"stream_options":{"include_usage":true}}"#;
        let chat = Chat::new("one", &Ask::read(body).unwrap(), body, &SHAPE);
        let streamed: String = chat
            .content_events()
            .map(|event| {
                let value: serde_json::Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
                value["choices"][0]["delta"]["content"].as_str().unwrap().to_owned()
            })
            .collect();
        let whole: serde_json::Value = serde_json::from_str(&chat.body()).unwrap();
        assert_eq!(whole["choices"][0]["message"]["content"], streamed.as_str());
        assert_eq!(whole["usage"]["prompt_tokens"], body.len().div_ceil(4));
        let last = chat.last_events();
        assert_eq!(last.len(), 3, "finish, usage, end: {last:?}");
    }

    #[test]
    fn pieces_are_as_many_as_asked_for_and_lose_nothing() {
        for count in 1..12 {
            let all: Vec<&str> = pieces("ten letter", count).collect();
            assert_eq!((all.len(), all.concat()), (count, "ten letter".to_owned()));
        }
    }

    #[test]
    fn vectors_come_as_numbers_or_base64() {
        assert_eq!(
            (base64_text(b"any"), base64_text(b"an"), base64_text(b"a")),
            ("YW55".into(), "YW4=".into(), "YQ==".into())
        );
        let body = br#"{"model":"e","input":["a","b"],"dimensions":2}"#;
        let answer: serde_json::Value =
            serde_json::from_str(&embeddings(&Ask::read(body).unwrap(), body).unwrap()).unwrap();
        assert_eq!(answer["data"][1]["embedding"].as_array().unwrap().len(), 2);
    }
}
