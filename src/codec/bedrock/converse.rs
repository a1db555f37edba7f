//! Bedrock Converse as a provider speaks it. Weir has no clients that do.

use crate::chat::answer::Answer;
use crate::chat::failure::Failure;
use crate::chat::feature::Features;
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::bedrock::model::{Maker, maker};
use crate::codec::bedrock::write::{Body, write};
use crate::codec::bedrock::{answer, cache, failure, history, settings, stream, thinking, tools, usage};
use crate::codec::json::Scanner;
use crate::codec::wire::{BadAnswer, DecodeStream, Grammar, Impossible, ProviderWire, Shape};
use crate::codec::writer::Writer;
use crate::http::Headers;

/// Bedrock Converse.
#[derive(Clone, Copy, Debug)]
pub struct Converse;

impl ProviderWire for Converse {
    fn encode_request(
        &self,
        request: &Request<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        let mut lost = Features::NONE;
        let mut tools = tools::plan(request, shape, &mut lost)?;
        let thinking = thinking::plan(request, shape, tools.choice.is_some(), &mut lost);
        let mut history = history::plan(request, shape, thinking.claude_thinks(), &mut lost)?;
        cache::limit(request, shape, &mut tools, &mut history, &mut lost);
        let settings = settings::plan(request, shape, &thinking, &mut lost)?;
        if !writer.discards() {
            let long_marks = history::takes_long(shape);
            let nova = maker(shape) == Maker::Nova;
            write(writer, &Body { history, settings, thinking, tools, output: &request.output, long_marks, nova });
        }
        Ok(lost)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        answer::decode(body)
    }

    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        Box::new(stream::Stream::new())
    }

    fn decode_failure<'a>(&self, status: u16, headers: &Headers, body: &'a [u8]) -> Failure<'a> {
        failure::decode(status, headers, body)
    }

    fn usage_member(&self) -> &'static str {
        "usage"
    }

    fn parse_usage(&self, object: &[u8]) -> Option<Usage> {
        usage::read(&mut Scanner::new(object)).ok().flatten()
    }

    fn grammar(&self) -> Grammar {
        Grammar { custom_tools: false, tool_name: 64, call_id: 64, dotted_ids: true }
    }
}
