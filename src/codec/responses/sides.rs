//! Both sides of the format behind the traits of `codec::wire`. What they do stands in the files beside it.

use crate::chat::answer::Answer;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::json::Malformed;
use crate::codec::openai::usage::parse_usage;
use crate::codec::responses::narrate::Narrator;
use crate::codec::responses::stream::ResponsesEvents;
use crate::codec::responses::{answer, compose, failure, render, request};
use crate::codec::sse_stream::SseStream;
use crate::codec::wire::{
    BadAnswer, ClientWire, DecodeStream, EncodeStream, Frame, Grammar, Impossible, ProviderWire, Shape,
};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// OpenAI's responses API.
#[derive(Clone, Copy, Debug)]
pub struct Responses;

impl ClientWire for Responses {
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<Request<'a>, Malformed> {
        request::decode(body)
    }

    fn encode_answer(&self, answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
        render::encode(answer, frame)
    }

    fn encode_stream(&self, frame: &Frame) -> Box<dyn EncodeStream> {
        Box::new(Narrator::new(frame))
    }

    fn encode_failure(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        failure::encode(failure)
    }
}

impl ProviderWire for Responses {
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        compose::encode(request, shape, writer)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        answer::decode(body)
    }

    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        Box::new(SseStream::new(ResponsesEvents::default()))
    }

    fn decode_failure<'a>(&self, status: u16, _headers: &Headers, body: &'a [u8]) -> Failure<'a> {
        failure::decode(status, body)
    }

    fn usage_member(&self) -> &'static str {
        "usage"
    }

    fn parse_usage(&self, object: &[u8]) -> Option<Usage> {
        parse_usage(object)
    }

    fn grammar(&self) -> Grammar {
        Grammar { custom_tools: true, tool_name: 64, call_id: 64, dotted_ids: false }
    }
}
