//! Cohere's v2 chat as a provider speaks it. Weir has no clients that do.

use crate::chat::answer::Answer;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::cohere::{answer, failure, history, settings, stream, usage, write};
use crate::codec::json::Scanner;
use crate::codec::sse_stream::SseStream;
use crate::codec::wire::{BadAnswer, DecodeStream, Grammar, Impossible, ProviderWire, Shape};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// Cohere v2.
#[derive(Clone, Copy, Debug)]
pub struct Cohere;

impl ProviderWire for Cohere {
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        let mut lost = Features::NONE;
        let messages = history::plan(request, shape, &mut lost)?;
        let settings = settings::plan(request, shape, &mut lost)?;
        if !writer.discards() {
            write::write(writer, shape.model, request.stream, &messages, &settings);
        }
        Ok(lost)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        answer::decode(body)
    }

    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        Box::new(SseStream::new(stream::Decoder::default()))
    }

    fn decode_failure<'a>(&self, status: u16, _headers: &Headers, body: &'a [u8]) -> Failure<'a> {
        failure::decode(status, body)
    }

    fn usage_member(&self) -> &'static str {
        "usage"
    }

    fn parse_usage(&self, object: &[u8]) -> Option<Usage> {
        usage::read(&mut Scanner::new(object)).ok().flatten()
    }

    fn grammar(&self) -> Grammar {
        Grammar { custom_tools: false, tool_name: 64, call_id: 64, dotted_ids: false }
    }
}
