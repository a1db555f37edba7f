//! The one place where a mock's families are told apart: who reads a request, who writes its answer and its errors. Not how.

use serde_json::Value;

use super::ask::{self, Ask, Refused};
use super::http::Request;
use super::place::{Api, Place, Work};
use super::reply::{self, Event, Reply};
use super::{embedding, json};

/// Reads the request of a place.
pub fn read(place: &Place, request: &Request, body: &Value) -> Result<Ask, Refused> {
    let model = place.model.as_deref().unwrap_or_default();
    match place.api {
        Api::Chat => ask::chat::read(body, place.model.as_deref()),
        Api::Responses => ask::responses::read(body),
        Api::Anthropic => {
            let door = ask::anthropic::Door {
                version: request.header("anthropic-version"),
                beta: request.header("anthropic-beta"),
                vertex: place.model.as_deref(),
                counts: place.work == Work::CountTokens,
            };
            ask::anthropic::read(body, &door).map(|ask| Ask { stream: ask.stream || place.streams, ..ask })
        }
        Api::Gemini => {
            let door = ask::gemini::Door { model, vertex: place.vertex, streams: place.streams };
            ask::gemini::read(body, &door)
        }
        Api::Converse => ask::converse::read(body, model, place.streams),
        Api::Cohere => ask::cohere::read(body),
    }
}

/// The name that a family's signatures are bound to.
pub fn signer(api: Api) -> &'static str {
    match api {
        Api::Chat | Api::Responses => "openai",
        // What Claude signs on one platform is good on the others.
        Api::Anthropic | Api::Converse => "claude",
        Api::Gemini => "gemini",
        Api::Cohere => "cohere",
    }
}

/// The body of an answer in one piece.
pub fn whole(place: &Place, answer: &Reply) -> String {
    match place.api {
        Api::Chat => reply::chat::whole(answer),
        Api::Responses => reply::responses::whole(answer),
        Api::Anthropic => reply::anthropic::whole(answer),
        Api::Gemini => reply::gemini::whole(answer),
        Api::Converse => reply::converse::whole(answer),
        Api::Cohere => reply::cohere::whole(answer),
    }
}

/// The events of a stream.
pub fn stream(place: &Place, answer: &Reply) -> Vec<Event> {
    match place.api {
        Api::Chat => reply::chat::stream(answer, place.azure),
        Api::Responses => reply::responses::stream(answer),
        Api::Anthropic => reply::anthropic::stream(answer),
        Api::Gemini => reply::gemini::stream(answer, place.array),
        Api::Converse => reply::converse::stream(answer),
        Api::Cohere => reply::cohere::stream(answer),
    }
}

/// The media type of a stream.
pub fn stream_type(place: &Place) -> &'static str {
    match place.api {
        Api::Gemini if place.array => "application/json; charset=UTF-8",
        Api::Gemini => "text/event-stream",
        Api::Converse => "application/vnd.amazon.eventstream",
        Api::Chat | Api::Responses | Api::Anthropic | Api::Cohere => "text/event-stream; charset=utf-8",
    }
}

/// What breaks a stream off after `sent` content events.
pub fn error_event(place: &Place, sent: usize, message: &str) -> Vec<u8> {
    match place.api {
        Api::Chat => reply::chat::error_event(message),
        Api::Responses => reply::responses::error_event(sent, message),
        Api::Anthropic => reply::anthropic::error_event(message),
        Api::Gemini => reply::gemini::error_event(sent, place.array, message),
        Api::Converse => reply::converse::error_event(message),
        Api::Cohere => reply::cohere::error_event(message),
    }
}

/// An error as the family tells it: its body, and a header of its own where it has one.
pub struct Told {
    pub body: String,
    pub header: Option<(&'static str, &'static str)>,
}

/// The error of a status. Google puts it into the array that it would have streamed.
pub fn error(place: &Place, status: u16, message: &str) -> Told {
    let plain = |body| Told { body, header: None };
    match place.api {
        Api::Gemini if place.array => plain(json::list(&[reply::gemini::error(status, message)])),
        Api::Chat | Api::Responses => plain(reply::chat::error(status, message)),
        Api::Anthropic => plain(reply::anthropic::error(status, message)),
        Api::Gemini => plain(reply::gemini::error(status, message)),
        Api::Converse => {
            let (name, body) = reply::converse::error(status, message);
            Told { body, header: Some(("x-amzn-errortype", name)) }
        }
        Api::Cohere => plain(reply::cohere::error(message)),
    }
}

/// The refusal of a key that is missing or wrong.
pub fn bad_key(place: &Place) -> Refused {
    let told = |status, message: &str| Refused { status, message: message.to_owned() };
    match place.api {
        Api::Chat | Api::Responses => told(401, "Incorrect API key provided."),
        Api::Anthropic => told(401, "invalid x-api-key"),
        Api::Gemini if place.vertex => told(401, "Request had invalid authentication credentials."),
        Api::Gemini => told(400, "API key not valid. Please pass a valid API key."),
        Api::Converse => told(403, "The security token included in the request is invalid."),
        Api::Cohere => told(401, "invalid api token"),
    }
}

/// The header that numbers an answer.
pub fn request_id(api: Api) -> (&'static str, &'static str) {
    match api {
        Api::Chat | Api::Responses | Api::Gemini => ("x-request-id", "req_mock"),
        Api::Anthropic => ("request-id", "req_mock"),
        Api::Converse => ("x-amzn-requestid", "req_mock"),
        Api::Cohere => ("x-debug-trace-id", "req_mock"),
    }
}

/// What is left of the rate limits. Google, Bedrock and Cohere do not tell.
pub fn rate_limits(api: Api) -> &'static [(&'static str, &'static str)] {
    match api {
        Api::Chat | Api::Responses => &[
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-requests", "999"),
            ("x-ratelimit-remaining-tokens", "199000"),
            ("x-ratelimit-reset-requests", "60ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
        Api::Anthropic => &[
            ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-remaining", "999"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T10:01:00Z"),
            ("anthropic-ratelimit-tokens-limit", "200000"),
            ("anthropic-ratelimit-tokens-remaining", "199000"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-21T10:06:00Z"),
            ("anthropic-organization-id", "org-mock"),
        ],
        Api::Gemini | Api::Converse | Api::Cohere => &[],
    }
}

/// The answer to a request that only wants its tokens counted.
pub fn count(api: Api, tokens: usize) -> String {
    match api {
        Api::Anthropic | Api::Cohere => reply::anthropic::count(tokens),
        Api::Gemini => reply::gemini::count(tokens),
        Api::Converse => reply::converse::count(tokens),
        Api::Chat | Api::Responses => {
            json::object(&[("object", &"\"response.input_tokens\""), ("input_tokens", &tokens)])
        }
    }
}

/// The answer to a request for embeddings.
pub fn embed(place: &Place, method: &str, body: &Value, bytes: &[u8]) -> Result<String, Refused> {
    let model = place.model.as_deref();
    match place.api {
        Api::Chat | Api::Responses | Api::Anthropic => embedding::openai(body, bytes, model),
        Api::Gemini => embedding::gemini(method, model.unwrap_or_default(), body, bytes),
        Api::Converse => embedding::titan(body, bytes),
        Api::Cohere => embedding::cohere(body, bytes),
    }
}

/// The list of models.
pub fn models(api: Api) -> &'static str {
    match api {
        Api::Anthropic => concat!(
            r#"{"data":[{"type":"model","id":"mock-1","display_name":"Mock 1","created_at":"2025-10-09T08:53:20Z"}],"#,
            r#""has_more":false,"first_id":"mock-1","last_id":"mock-1"}"#
        ),
        Api::Gemini => concat!(
            r#"{"models":[{"name":"models/mock-1","version":"1","displayName":"Mock 1","inputTokenLimit":1048576,"#,
            r#""outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]}]}"#
        ),
        Api::Chat | Api::Responses | Api::Converse | Api::Cohere => {
            r#"{"object":"list","data":[{"id":"mock-1","object":"model","created":1760000000,"owned_by":"mock"}]}"#
        }
    }
}
