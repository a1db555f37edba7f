//! Which vendor's door a request knocked at: the family, the work and the model, told by method and path. Not what the
//! request says.

use super::http::Request;

/// The families that a mock speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Chat,
    Responses,
    Anthropic,
    Gemini,
    Converse,
    Cohere,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Answer,
    CountTokens,
    /// Embeddings; the method of a Gemini path, else empty.
    Embed(String),
    Models,
    /// Nothing that a vendor has there.
    Unknown,
}

/// Where a request came in.
#[derive(Clone, Debug)]
pub struct Place {
    pub api: Api,
    pub work: Work,
    /// The model that the path names.
    pub model: Option<String>,
    /// Whether the path asks for a stream.
    pub streams: bool,
    /// Gemini alone: whether the stream is an array in pieces.
    pub array: bool,
    /// Google's cloud: Gemini or Claude.
    pub vertex: bool,
    /// Azure's dated paths.
    pub azure: bool,
}

impl Place {
    /// The place of a request.
    pub fn of(request: &Request) -> Self {
        let path = request.bare_path();
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let place = |api, work| Self {
            api,
            work,
            model: None,
            streams: false,
            array: false,
            vertex: path.contains("/publishers/"),
            azure: false,
        };
        let is_get = request.method == "GET";
        match segments.as_slice() {
            [.., "models"] | [.., "models", _] if is_get => place(models_of(request, path), Work::Models),
            _ if is_get => place(guess(path), Work::Unknown),
            [.., "models", last] if last.contains(':') => google(request, &segments, last, place),
            [.., "model", id, verb] => bedrock(id, verb, place),
            [.., "v2", "chat"] => place(Api::Cohere, Work::Answer),
            [.., "v2", "embed"] => place(Api::Cohere, Work::Embed(String::new())),
            [.., "messages"] => place(Api::Anthropic, Work::Answer),
            [.., "messages", "count_tokens"] => place(Api::Anthropic, Work::CountTokens),
            [.., "deployments", name, "chat", "completions"] => dated(request, name, place(Api::Chat, Work::Answer)),
            [.., "deployments", name, "embeddings"] => {
                dated(request, name, place(Api::Chat, Work::Embed(String::new())))
            }
            [.., "chat", "completions"] => place(Api::Chat, Work::Answer),
            [.., "embeddings"] => place(Api::Chat, Work::Embed(String::new())),
            [.., "responses"] => place(Api::Responses, Work::Answer),
            [.., "responses", "input_tokens"] => place(Api::Responses, Work::CountTokens),
            _ => place(guess(path), Work::Unknown),
        }
    }
}

/// A list of models looks as the asking vendor's clients expect it.
fn models_of(request: &Request, path: &str) -> Api {
    if request.header("anthropic-version").is_some() {
        return Api::Anthropic;
    }
    if path.starts_with("/v1beta") || request.header("x-goog-api-key").is_some() || request.query("key").is_some() {
        return Api::Gemini;
    }
    Api::Chat
}

/// The family whose errors fit a path that no vendor has.
fn guess(path: &str) -> Api {
    if path.contains("/publishers/anthropic/") || path.contains("/messages") {
        Api::Anthropic
    } else if path.contains("/v1beta") || path.contains("/publishers/") || path.contains("/models/") {
        Api::Gemini
    } else if path.contains("/model/") {
        Api::Converse
    } else if path.contains("/v2/") {
        Api::Cohere
    } else {
        Api::Chat
    }
}

fn google(request: &Request, segments: &[&str], last: &str, place: impl Fn(Api, Work) -> Place) -> Place {
    let (model, method) = last.rsplit_once(':').unwrap_or((last, ""));
    let model = Some(decoded(model));
    let publisher = segments.iter().position(|segment| *segment == "publishers").and_then(|at| segments.get(at + 1));
    if publisher == Some(&"anthropic") {
        let work = match method {
            "rawPredict" if model.as_deref() == Some("count-tokens") => Work::CountTokens,
            "rawPredict" | "streamRawPredict" => Work::Answer,
            _ => Work::Unknown,
        };
        return Place { model, streams: method == "streamRawPredict", ..place(Api::Anthropic, work) };
    }
    let work = match method {
        "generateContent" | "streamGenerateContent" => Work::Answer,
        "countTokens" => Work::CountTokens,
        "batchEmbedContents" | "embedContent" | "predict" => Work::Embed(method.to_owned()),
        _ => Work::Unknown,
    };
    let streams = method == "streamGenerateContent";
    let array = streams && request.query("alt") != Some("sse");
    Place { model, streams, array, ..place(Api::Gemini, work) }
}

fn bedrock(id: &str, verb: &str, place: impl Fn(Api, Work) -> Place) -> Place {
    let work = match verb {
        "converse" | "converse-stream" => Work::Answer,
        "count-tokens" => Work::CountTokens,
        "invoke" => Work::Embed(String::new()),
        _ => Work::Unknown,
    };
    Place { model: Some(decoded(id)), streams: verb == "converse-stream", ..place(Api::Converse, work) }
}

/// Azure's dated paths want their date; without it there is nothing there.
fn dated(request: &Request, deployment: &str, place: Place) -> Place {
    let work = if request.query("api-version").is_some_and(|date| !date.is_empty()) {
        place.work.clone()
    } else {
        Work::Unknown
    };
    Place { model: Some(decoded(deployment)), azure: true, work, ..place }
}

/// A path's segment without its percent signs.
fn decoded(segment: &str) -> String {
    let mut out = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Api, Place, Work, decoded};
    use crate::mock::http::Request;

    fn place(method: &str, path: &str) -> Place {
        let (method, path) = (method.to_owned(), path.to_owned());
        Place::of(&Request { method, path, headers: Vec::new(), body: Vec::new(), complete: true })
    }

    #[test]
    fn every_vendors_paths_are_told_apart() {
        let embed = |method: &str| Work::Embed(method.to_owned());
        let google = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro";
        let claude = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1";
        let cases = [
            ("/v1/chat/completions", Api::Chat, Work::Answer, None),
            ("/openai/v1/chat/completions", Api::Chat, Work::Answer, None),
            ("/openai/deployments/d/chat/completions?api-version=2024-10-21", Api::Chat, Work::Answer, Some("d")),
            ("/openai/deployments/d/chat/completions", Api::Chat, Work::Unknown, Some("d")),
            ("/v1/embeddings", Api::Chat, embed(""), None),
            ("/v1/responses", Api::Responses, Work::Answer, None),
            ("/v1/messages?beta=true", Api::Anthropic, Work::Answer, None),
            ("/v1/messages/count_tokens", Api::Anthropic, Work::CountTokens, None),
            ("/v1beta/models/m:generateContent", Api::Gemini, Work::Answer, Some("m")),
            (&format!("{google}:streamGenerateContent?alt=sse"), Api::Gemini, Work::Answer, Some("gemini-2.5-pro")),
            (&format!("{google}:predict"), Api::Gemini, embed("predict"), Some("gemini-2.5-pro")),
            ("/v1/models/e:batchEmbedContents", Api::Gemini, embed("batchEmbedContents"), Some("e")),
            (&format!("{claude}:rawPredict"), Api::Anthropic, Work::Answer, Some("claude-x@1")),
            ("/model/anthropic.x-v1%3A0/converse-stream", Api::Converse, Work::Answer, Some("anthropic.x-v1:0")),
            ("/v2/chat", Api::Cohere, Work::Answer, None),
            ("/v2/embed", Api::Cohere, embed(""), None),
            ("/v1/nothing", Api::Chat, Work::Unknown, None),
        ];
        for (path, api, work, model) in cases {
            let found = place("POST", path);
            assert_eq!((found.api, &found.work, found.model.as_deref()), (api, &work, model), "{path}");
        }
        assert_eq!(place("GET", "/v1beta/models").api, Api::Gemini);
        assert_eq!(place("GET", "/v1/models").work, Work::Models);
    }

    #[test]
    fn percent_signs_are_read_once() {
        assert_eq!(
            (decoded("a%3Ab%2Fc"), decoded("100%"), decoded("%253A")),
            ("a:b/c".into(), "100%".into(), "%3A".into())
        );
    }
}
