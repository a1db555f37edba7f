//! OpenAI chat completions as a wire format, for clients and at providers. What each direction does stands in the files
//! beside this one.

use crate::chat::answer::Answer;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::json::Malformed;
use crate::codec::openai::decode_stream::Decoder;
use crate::codec::openai::encode_stream::Encoder;
use crate::codec::openai::{answer, answer_out, failure, request, request_out, usage};
use crate::codec::sse_stream::SseStream;
use crate::codec::wire::{
    BadAnswer, ClientWire, DecodeStream, EncodeStream, Frame, Grammar, Impossible, ProviderWire, Shape,
};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// OpenAI chat completions, spoken by most providers.
#[derive(Clone, Copy, Debug)]
pub struct Chat;

impl ClientWire for Chat {
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<Request<'a>, Malformed> {
        request::decode(body)
    }

    fn encode_answer(&self, answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
        answer_out::encode(answer, frame)
    }

    fn encode_stream(&self, frame: &Frame) -> Box<dyn EncodeStream> {
        Box::new(Encoder::new(frame))
    }

    fn encode_failure(&self, failure: &Failure<'_>) -> (u16, Vec<u8>) {
        failure::encode(failure)
    }
}

impl ProviderWire for Chat {
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        request_out::encode(request, shape, writer)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        answer::decode(body)
    }

    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        Box::new(SseStream::new(Decoder::default()))
    }

    fn decode_failure<'a>(&self, status: u16, _headers: &Headers, body: &'a [u8]) -> Failure<'a> {
        failure::decode(status, body)
    }

    fn usage_member(&self) -> &'static str {
        "usage"
    }

    fn parse_usage(&self, object: &[u8]) -> Option<Usage> {
        usage::parse_usage(object)
    }

    /// Custom tools are OpenAI's and Azure's alone among the vendors of this wire, so they are adapted here; a client of
    /// this very wire reaches OpenAI with its bytes as they are.
    fn grammar(&self) -> Grammar {
        Grammar { custom_tools: false, tool_name: 64, call_id: 40, dotted_ids: true }
    }
}
