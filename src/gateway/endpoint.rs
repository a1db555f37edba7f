//! What a request line asks for: a call to a model in some API family, something Weir answers itself, or nothing of ours.

use crate::chat::family::ApiFamily;
use crate::chat::wire::Wire;

/// What a request line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A call to a model.
    Call(Call),
    /// The list of models, in the shape of the family whose path it is; OpenAI's and Anthropic's is one path.
    Models(Wire),
    /// `HEAD /` or `GET /`: a client looks whether somebody is there.
    Probe,
    /// A path that Weir owns and does not serve with this method; the answer has this family's shape.
    Unserved(Wire),
    /// Not ours: the request passes through untouched.
    Foreign,
}

/// A call to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The format that the client speaks.
    pub wire: Wire,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What follows the family's version prefix, with the query: `/chat/completions`.
    pub rest: String,
    /// What Gemini's path says and other families' bodies do.
    pub path: Option<PathCall>,
}

/// The endpoint of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An answer to a conversation.
    Conversation,
    /// Vectors.
    Embeddings,
    /// How many tokens a conversation is.
    CountTokens,
    /// Any other endpoint of OpenAI's that takes a JSON object with a `model`.
    Other,
}

/// What Gemini's path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCall {
    /// The model.
    pub model: String,
    /// The method after the colon.
    pub method: &'static str,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether the stream is one of server-sent events (`alt=sse`) rather than a JSON array.
    pub sse: bool,
    /// The query, without `alt` and `key`; empty when there is none.
    pub query: String,
}

impl Call {
    /// The client's API family.
    pub fn api(&self) -> ApiFamily {
        match self.wire {
            Wire::Chat => ApiFamily::OpenAi,
            Wire::Responses => ApiFamily::OpenAiResponses,
            Wire::Messages => ApiFamily::Anthropic,
            Wire::Gemini => ApiFamily::Gemini,
            Wire::Converse => ApiFamily::Bedrock,
            Wire::Cohere => ApiFamily::Cohere,
        }
    }

    /// The endpoint's name in audit lines.
    pub fn name(&self) -> &'static str {
        match (self.endpoint, self.wire) {
            (Endpoint::Conversation, Wire::Chat) => "chat_completions",
            (Endpoint::Conversation, Wire::Gemini) => "generate_content",
            (Endpoint::Conversation, wire) => wire.name(),
            (Endpoint::Embeddings, _) => "embeddings",
            (Endpoint::CountTokens, _) => "count_tokens",
            (Endpoint::Other, _) => "other",
        }
    }

    fn new(wire: Wire, endpoint: Endpoint, rest: &str) -> Self {
        Self { wire, endpoint, rest: format!("/{rest}"), path: None }
    }
}

/// Gemini's methods that take a body and name a model.
const METHODS: [(&str, Endpoint, bool); 5] = [
    ("generateContent", Endpoint::Conversation, false),
    ("streamGenerateContent", Endpoint::Conversation, true),
    ("countTokens", Endpoint::CountTokens, false),
    ("batchEmbedContents", Endpoint::Embeddings, false),
    ("embedContent", Endpoint::Embeddings, false),
];

/// Reads a request line.
pub fn asked(method: &str, path: &str) -> Asked {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    if route == "/" {
        return if matches!(method, "HEAD" | "GET") { Asked::Probe } else { Asked::Foreign };
    }
    if route == "/weir" || route.starts_with("/weir/") {
        return Asked::Unserved(Wire::Chat);
    }
    if let Some(name) = route.strip_prefix("/v1beta/") {
        return of_gemini(method, name, query).unwrap_or(Asked::Unserved(Wire::Gemini));
    }
    let Some(rest) = path.strip_prefix("/v1/") else { return Asked::Foreign };
    let name = route.strip_prefix("/v1/").unwrap_or_default();
    if name == "models" && method == "GET" {
        return Asked::Models(Wire::Chat);
    }
    if let Some(asked) = of_gemini(method, name, query) {
        return asked;
    }
    let messages = name == "messages" || name.starts_with("messages/");
    let wire = if messages { Wire::Messages } else { Wire::Chat };
    if method != "POST" || name.is_empty() || name.starts_with("models/") {
        return Asked::Unserved(wire);
    }
    Asked::Call(match name {
        "chat/completions" => Call::new(Wire::Chat, Endpoint::Conversation, rest),
        "responses" => Call::new(Wire::Responses, Endpoint::Conversation, rest),
        "messages" => Call::new(Wire::Messages, Endpoint::Conversation, rest),
        "messages/count_tokens" => Call::new(Wire::Messages, Endpoint::CountTokens, rest),
        "embeddings" => Call::new(Wire::Chat, Endpoint::Embeddings, rest),
        _ if messages => return Asked::Unserved(wire),
        _ => Call::new(Wire::Chat, Endpoint::Other, rest),
    })
}

/// A path of Gemini's behind its version: `models` or `models/{model}:{method}`. Its SDKs use `v1` as well as `v1beta`.
fn of_gemini(method: &str, name: &str, query: &str) -> Option<Asked> {
    if name == "models" {
        return (method == "GET").then_some(Asked::Models(Wire::Gemini));
    }
    let (model, action) = name.strip_prefix("models/")?.rsplit_once(':')?;
    let (action, endpoint, stream) = METHODS.into_iter().find(|(known, ..)| *known == action)?;
    if method != "POST" || model.is_empty() {
        return Some(Asked::Unserved(Wire::Gemini));
    }
    let kept = |pair: &&str| !pair.is_empty() && !pair.starts_with("key=") && !pair.starts_with("alt=");
    let query_kept: Vec<&str> = query.split('&').filter(kept).collect();
    Some(Asked::Call(Call {
        path: Some(PathCall {
            model: unescaped(model),
            method: action,
            stream,
            sse: query.split('&').any(|pair| pair == "alt=sse"),
            query: query_kept.join("&"),
        }),
        ..Call::new(Wire::Gemini, endpoint, name)
    }))
}

/// Percent-encoded bytes as they are meant; what is no encoding stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of `key` in a Gemini request's query: a client may send its key there.
pub fn key_in_query(path: &str) -> Option<&str> {
    let (route, query) = path.split_once('?')?;
    let gemini = route.starts_with("/v1beta/") || route.starts_with("/v1/models/");
    query.split('&').find_map(|pair| pair.strip_prefix("key=")).filter(|_| gemini)
}

#[cfg(test)]
mod tests {
    use super::{Asked, Endpoint, asked, key_in_query};
    use crate::chat::wire::Wire;

    #[test]
    fn tells_calls_from_probes_and_foreign_paths() {
        let call = |method: &str, path: &str| match asked(method, path) {
            Asked::Call(call) => Some((call.wire, call.endpoint, call.rest)),
            _ => None,
        };
        let expected = [
            ("/v1/chat/completions?a=b", Wire::Chat, Endpoint::Conversation, "/chat/completions?a=b"),
            ("/v1/embeddings", Wire::Chat, Endpoint::Embeddings, "/embeddings"),
            ("/v1/rerank", Wire::Chat, Endpoint::Other, "/rerank"),
            ("/v1/responses", Wire::Responses, Endpoint::Conversation, "/responses"),
            ("/v1/messages?beta=true", Wire::Messages, Endpoint::Conversation, "/messages?beta=true"),
            ("/v1/messages/count_tokens", Wire::Messages, Endpoint::CountTokens, "/messages/count_tokens"),
        ];
        for (path, wire, endpoint, rest) in expected {
            assert_eq!(call("POST", path), Some((wire, endpoint, rest.into())), "{path}");
        }
        assert_eq!(asked("HEAD", "/"), Asked::Probe);
        assert_eq!(asked("GET", "/v1/models"), Asked::Models(Wire::Chat));
        assert_eq!(asked("GET", "/v1beta/models?pageSize=5"), Asked::Models(Wire::Gemini));
        assert_eq!(asked("GET", "/v1/chat/completions"), Asked::Unserved(Wire::Chat));
        assert_eq!(asked("GET", "/v1/messages"), Asked::Unserved(Wire::Messages));
        assert_eq!(asked("POST", "/v1/messages/batches"), Asked::Unserved(Wire::Messages));
        assert_eq!(asked("POST", "/v1beta/files"), Asked::Unserved(Wire::Gemini));
        assert_eq!(asked("GET", "/weir/status"), Asked::Unserved(Wire::Chat));
        assert_eq!(asked("POST", "/v1"), Asked::Foreign);
        assert_eq!(asked("GET", "/healthz"), Asked::Foreign);
        assert_eq!(asked("GET", "/weirdness"), Asked::Foreign);
    }

    #[test]
    fn gemini_s_paths_say_what_other_bodies_do() {
        for version in ["v1", "v1beta"] {
            let path = format!("/{version}/models/org%2Ffast:streamGenerateContent?alt=sse&key=k&x=1");
            let Asked::Call(call) = asked("POST", &path) else { panic!("{path}") };
            let path = call.path.expect("a path");
            assert_eq!((call.wire, call.endpoint), (Wire::Gemini, Endpoint::Conversation));
            assert_eq!(
                (path.model.as_str(), path.stream, path.sse, path.query.as_str()),
                ("org/fast", true, true, "x=1")
            );
        }
        let Asked::Call(call) = asked("POST", "/v1beta/models/fast:generateContent") else { panic!("a call") };
        assert_eq!(call.path.map(|path| (path.stream, path.sse)), Some((false, false)));
        assert_eq!(asked("GET", "/v1beta/models/fast:generateContent"), Asked::Unserved(Wire::Gemini));
        assert_eq!(asked("POST", "/v1beta/models/fast:tune"), Asked::Unserved(Wire::Gemini));
        assert_eq!(key_in_query("/v1beta/models/m:generateContent?key=abc"), Some("abc"));
        assert_eq!(key_in_query("/v1/chat/completions?key=abc"), None);
    }
}
