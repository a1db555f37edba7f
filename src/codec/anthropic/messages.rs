//! The Anthropic messages wire, as whoever translates sees it. The work is done in the files beside this one.

use crate::chat::answer::Answer;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::anthropic::decode_stream::Decoder;
use crate::codec::anthropic::encode_stream::Encoder;
use crate::codec::anthropic::{decode_answer, decode_request, encode_answer, encode_request, failure, usage};
use crate::codec::json::Malformed;
use crate::codec::sse_stream::SseStream;
use crate::codec::wire::{
    BadAnswer, ClientWire, DecodeStream, EncodeStream, Frame, Grammar, Impossible, ProviderWire, Shape,
};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// Anthropic messages, both sides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages;

impl ClientWire for Messages {
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<Request<'a>, Malformed> {
        decode_request::request(body)
    }

    fn encode_answer(&self, answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
        encode_answer::answer(answer, frame)
    }

    fn encode_stream(&self, frame: &Frame) -> Box<dyn EncodeStream> {
        Box::new(Encoder::new(frame))
    }

    fn encode_failure(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        failure::encode(failure)
    }
}

impl ProviderWire for Messages {
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        encode_request::request(request, shape, writer)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        decode_answer::answer(body)
    }

    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        Box::new(SseStream::new(Decoder::default()))
    }

    fn decode_failure<'a>(&self, status: u16, headers: &Headers, body: &'a [u8]) -> Failure<'a> {
        failure::decode(status, headers, body)
    }

    fn usage_member(&self) -> &'static str {
        "usage"
    }

    fn parse_usage(&self, object: &[u8]) -> Option<Usage> {
        usage::parse(object)
    }

    /// Anthropic names no longest call id; ids of over 256 bytes are another vendor's blobs.
    fn grammar(&self) -> Grammar {
        Grammar { custom_tools: false, tool_name: 128, call_id: 256, dotted_ids: false }
    }
}
