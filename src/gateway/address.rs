//! Where at a provider a call goes: the path of each API, and the headers that its credential and its family want.

use crate::chat::family::ApiFamily;
use crate::chat::wire::Wire;
use crate::codec::gemini::embedding::embeds_content;
use crate::gateway::endpoint::{Call, Endpoint};
use crate::policy::rules::{Provider, Target};

/// The version that translated requests to Anthropic are written in (wire-formats: sampling members are refused by later
/// ones).
pub const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Headers of a client that mean something to its own family alone. They go to no other, and come back for a target of
/// the family.
pub const FAMILY_HEADERS: [(&str, Wire); 5] = [
    ("anthropic-version", Wire::Messages),
    ("anthropic-beta", Wire::Messages),
    ("anthropic-dangerous-direct-browser-access", Wire::Messages),
    ("openai-beta", Wire::Chat),
    ("x-goog-api-client", Wire::Gemini),
];

/// Whether a client's family header may go to a target of that format.
pub fn keeps_family_header(family: Wire, target: Wire) -> bool {
    family == target || (family == Wire::Chat && target == Wire::Responses)
}

/// The path of a call at a target that is spoken to in `wire`.
pub fn path(call: &Call, target: &Target, wire: Wire, stream: bool) -> String {
    let provider = &target.provider;
    if call.wire == wire && matches!(wire, Wire::Chat | Wire::Responses) {
        return of_openai(provider, &target.model, &call.rest);
    }
    match (call.endpoint, wire) {
        (Endpoint::Embeddings, Wire::Chat) => of_openai(provider, &target.model, "/embeddings"),
        (_, Wire::Chat) => of_openai(provider, &target.model, "/chat/completions"),
        (_, Wire::Responses) => of_openai(provider, &target.model, "/responses"),
        (_, Wire::Messages) => of_messages(call, target, stream),
        (_, Wire::Gemini) => of_gemini(call, target, stream),
        (_, Wire::Converse) => {
            let method = if stream { "converse-stream" } else { "converse" };
            format!("{}/model/{}/{method}", provider.base_path, segment(&target.model))
        }
        (Endpoint::Embeddings, Wire::Cohere) => below(provider, "/v2", "/embed"),
        (_, Wire::Cohere) => below(provider, "/v2", "/chat"),
    }
}

/// A base path ends in the API's version or does not; people copy both from the vendors' pages.
fn below(provider: &Provider, version: &str, rest: &str) -> String {
    let base = &provider.base_path;
    if base.ends_with(version) { format!("{base}{rest}") } else { format!("{base}{version}{rest}") }
}

/// OpenAI's path, or Azure's: `/openai/v1/…` with the model in the body, or the dated style with the deployment in the path.
fn of_openai(provider: &Provider, model: &str, rest: &str) -> String {
    let base = &provider.base_path;
    if provider.api != ApiFamily::AzureOpenAi {
        return format!("{base}{rest}");
    }
    let base = base.strip_suffix("/v1").unwrap_or(base);
    let base = base.strip_suffix("/openai").unwrap_or(base);
    let Some(version) = &provider.api_version else { return format!("{base}/openai/v1{rest}") };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let more = if query.is_empty() { String::new() } else { format!("&{query}") };
    if rest == "/responses" {
        return format!("{base}/openai/responses?api-version={version}{more}");
    }
    format!("{base}/openai/deployments/{}{rest}?api-version={version}{more}", segment(model))
}

fn of_messages(call: &Call, target: &Target, stream: bool) -> String {
    let provider = &target.provider;
    if provider.api == ApiFamily::Vertex {
        let models = format!("{}/publishers/anthropic/models", provider.base_path);
        if call.endpoint == Endpoint::CountTokens {
            return format!("{models}/count-tokens:rawPredict");
        }
        let method = if stream { "streamRawPredict" } else { "rawPredict" };
        return format!("{models}/{}:{method}", segment(&target.model));
    }
    let rest = if call.wire == Wire::Messages { call.rest.as_str() } else { "/messages" };
    below(provider, "/v1", rest)
}

fn of_gemini(call: &Call, target: &Target, stream: bool) -> String {
    let (provider, model) = (&target.provider, segment(&target.model));
    let vertex = provider.api == ApiFamily::Vertex;
    let method = match (call.endpoint, stream) {
        (Endpoint::Embeddings, _) if vertex && embeds_content(&target.model) => "embedContent",
        (Endpoint::Embeddings, _) if vertex => "predict",

        (Endpoint::Embeddings, _) => "batchEmbedContents",
        (Endpoint::CountTokens, _) => "countTokens",
        (_, true) => "streamGenerateContent",
        (_, false) => "generateContent",
    };
    // The array form of a stream goes to the client as it comes; translation reads server-sent events.
    let sse = stream && call.path.as_ref().is_none_or(|path| path.sse);
    let mut query = call.path.as_ref().map(|path| path.query.clone()).unwrap_or_default();
    if sse {
        query = if query.is_empty() { "alt=sse".to_owned() } else { format!("alt=sse&{query}") };
    }
    let query = if query.is_empty() { query } else { format!("?{query}") };
    let base = &provider.base_path;
    if vertex {
        return format!("{base}/publishers/google/models/{model}:{method}{query}");
    }
    let versioned = base.ends_with("/v1") || base.ends_with("/v1beta");
    let version = if versioned { "" } else { "/v1beta" };
    format!("{base}{version}/models/{model}:{method}{query}")
}

/// A name as one segment of a path (RFC 3986, "unreserved", and `@`, which Vertex's names hold).
fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The header in which an API wants its key, and what stands before the key.
pub fn key_header(api: ApiFamily) -> (&'static str, &'static str) {
    match api {
        ApiFamily::OpenAi | ApiFamily::OpenAiResponses | ApiFamily::Vertex | ApiFamily::Bedrock | ApiFamily::Cohere => {
            ("authorization", "Bearer ")
        }
        ApiFamily::AzureOpenAi => ("api-key", ""),
        ApiFamily::Anthropic => ("x-api-key", ""),
        ApiFamily::Gemini => ("x-goog-api-key", ""),
    }
}
