//! What a path asks for: an endpoint of an API family, something Weir answers itself, or nothing of ours.

use crate::chat::family::ApiFamily;
use crate::codec::openai::head::Endpoint;

/// What a request line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A call to a model.
    Call(Call),
    /// `HEAD /` or `GET /`: a client looks whether somebody is there.
    Probe,
    /// A path that Weir owns and does not serve with this method.
    Unserved,
    /// Not ours: the request passes through untouched.
    Foreign,
}

/// A call to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The client's family.
    pub api: ApiFamily,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What follows the family's version prefix, with the query: `/chat/completions`.
    pub rest: String,
}

/// Reads a request line.
pub fn asked(method: &str, path: &str) -> Asked {
    let (route, _) = path.split_once('?').unwrap_or((path, ""));
    if route == "/" {
        return if matches!(method, "HEAD" | "GET") { Asked::Probe } else { Asked::Foreign };
    }
    if route == "/weir" || route.starts_with("/weir/") || route.starts_with("/v1beta/") {
        return Asked::Unserved;
    }
    let Some(rest) = path.strip_prefix("/v1/") else { return Asked::Foreign };
    let name = rest.split_once('?').map_or(rest, |(name, _)| name);
    // The messages API is a family of its own; a gateway that forwarded it to an OpenAI provider would only earn a 404.
    let foreign_family = name == "messages" || name.starts_with("messages/") || name.starts_with("models/");
    if method != "POST" || name.is_empty() || foreign_family {
        return Asked::Unserved;
    }
    let endpoint = match name {
        "chat/completions" => Endpoint::ChatCompletions,
        "embeddings" => Endpoint::Embeddings,
        _ => Endpoint::Other,
    };
    Asked::Call(Call { api: ApiFamily::OpenAi, endpoint, rest: format!("/{rest}") })
}

/// An endpoint's name in audit lines.
pub fn name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions => "chat_completions",
        Endpoint::Embeddings => "embeddings",
        Endpoint::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Endpoint, asked};

    #[test]
    fn tells_calls_from_probes_and_foreign_paths() {
        let endpoint = |method: &str, path: &str| match asked(method, path) {
            Asked::Call(call) => Some((call.endpoint, call.rest)),
            _ => None,
        };
        assert_eq!(
            endpoint("POST", "/v1/chat/completions?a=b"),
            Some((Endpoint::ChatCompletions, "/chat/completions?a=b".into()))
        );
        assert_eq!(endpoint("POST", "/v1/embeddings"), Some((Endpoint::Embeddings, "/embeddings".into())));
        assert_eq!(endpoint("POST", "/v1/rerank"), Some((Endpoint::Other, "/rerank".into())));
        assert_eq!(asked("HEAD", "/"), Asked::Probe);
        assert_eq!(asked("GET", "/v1/chat/completions"), Asked::Unserved);
        assert_eq!(asked("POST", "/v1/messages"), Asked::Unserved);
        assert_eq!(asked("GET", "/weir/status"), Asked::Unserved);
        assert_eq!(asked("POST", "/v1"), Asked::Foreign);
        assert_eq!(asked("GET", "/healthz"), Asked::Foreign);
        assert_eq!(asked("GET", "/weirdness"), Asked::Foreign);
    }
}
