//! Gemini behind the traits that every wire format has. It holds no rule of its own.

use crate::chat::answer::Answer;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::gemini::{answer_in, answer_out, failure, request_in, request_out, stream_in, stream_out, usage};
use crate::codec::json::Malformed;
use crate::codec::wire::{
    BadAnswer, ClientWire, DecodeStream, EncodeStream, Frame, Grammar, Impossible, ProviderWire, Shape,
};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// Gemini's generateContent and embeddings.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl ClientWire for Gemini {
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<Request<'a>, Malformed> {
        request_in::decode(body)
    }

    fn encode_answer(&self, answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
        answer_out::encode(answer, frame)
    }

    fn encode_stream(&self, frame: &Frame) -> Box<dyn EncodeStream> {
        Box::new(stream_out::Stream::new(frame))
    }

    fn encode_failure(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        failure::encode(failure)
    }
}

impl ProviderWire for Gemini {
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        request_out::encode(request, shape, writer)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        answer_in::decode(body)
    }

    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        Box::new(stream_in::Stream::default())
    }

    fn decode_failure<'a>(&self, status: u16, _headers: &Headers, body: &'a [u8]) -> Failure<'a> {
        failure::decode(status, body)
    }

    fn usage_member(&self) -> &'static str {
        "usageMetadata"
    }

    fn parse_usage(&self, object: &[u8]) -> Option<Usage> {
        usage::parse(object)
    }

    fn grammar(&self) -> Grammar {
        // Newer models take names of 128; the older ones' limit fits both. Ids are free where they are sent at all.
        Grammar { custom_tools: false, tool_name: 64, call_id: 64, dotted_ids: true }
    }
}
