//! Reads whole answers. Not streams (see `stream`).

use crate::chat::answer::{Answer, Finish};
use crate::chat::part::{CallKind, Content, Part};
use crate::chat::usage::Usage;
use crate::chat::wire::Wire;
use crate::codec::openai::usage::parse_usage;
use crate::codec::responses::failure::{read_error, read_failed};
use crate::codec::responses::item::{read_call, read_citations, read_thought};
use crate::codec::responses::value::{Members, Value};
use crate::codec::wire::BadAnswer;

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, BadAnswer<'_>> {
    let response = Members::whole(body)?;
    if response.text("status").is_some_and(|status| status.is("failed")) || response.get("error").is_some() {
        return Err(BadAnswer::Failure(read_failed(&response)));
    }
    if !response.get("output").is_some_and(|output| output.is_array()) {
        // Some gateways answer 200 and an error of another shape.
        let failure = read_error(None, &response);
        let malformed = response.malformed("an answer needs its `output`");
        return Err(failure.map_or(BadAnswer::Malformed(malformed), BadAnswer::Failure));
    }
    Ok(read_response(&response))
}

/// Reads a response object that is no error.
pub(super) fn read_response<'a>(response: &Members<'a>) -> Answer<'a> {
    let mut parts = Vec::new();
    response.objects("output").iter().for_each(|(value, item)| read_output(value, item, &mut parts));
    let calls = parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    let refused = parts.iter().any(|part| matches!(part.content, Content::Refusal(_)));
    Answer {
        id: response.word("id"),
        model: response.word("model"),
        finish: read_finish(response, calls, refused),
        parts,
        usage: read_usage(response),
        service_tier: response.word("service_tier"),
    }
}

/// The usage of a response object.
pub(super) fn read_usage(response: &Members<'_>) -> Option<Usage> {
    parse_usage(response.get("usage")?.bytes())
}

/// Why a response ended, given what it held.
pub(super) fn read_finish(response: &Members<'_>, calls: bool, refused: bool) -> Finish<'static> {
    let details = response.object("incomplete_details");
    let reason = details.as_ref().and_then(|details| details.text("reason"));
    let status = response.text("status");
    let is = |word: &str| status.is_some_and(|status| status.is(word));
    match reason {
        Some(reason) if reason.is("content_filter") => Finish::Filtered,
        Some(reason) if reason.is("max_output_tokens") => Finish::Length,
        // `max_messages`, `steered` and whatever comes: the vendor paused the turn.
        Some(_) if !calls => Finish::Paused,
        None if is("incomplete") => Finish::Length,
        _ if is("cancelled") => Finish::Broken,
        _ if calls => Finish::ToolCalls,
        _ if refused => Finish::Refused,
        _ => Finish::Stop,
    }
}

/// Reads one output item. Calls of tools that OpenAI runs stay as they are.
pub(super) fn read_output<'a>(value: &Value<'a>, item: &Members<'a>, parts: &mut Vec<Part<'a>>) {
    let Some(kind) = item.word("type") else { return };
    match kind.as_ref() {
        "message" => {
            let content = item.objects("content");
            parts.extend(content.iter().filter_map(|(_, part)| read_said(part)));
        }
        "reasoning" => {
            let thought = read_thought(item);
            if !thought.text.is_empty() || thought.seal.is_some() {
                parts.push(Content::Thought(thought).into());
            }
        }
        "function_call" => parts.extend(read_call(item, CallKind::Function).map(|call| Content::Call(call).into())),
        "custom_tool_call" => parts.extend(read_call(item, CallKind::Custom).map(|call| Content::Call(call).into())),
        _ => parts.push(Content::Foreign { wire: Wire::Responses, kind, raw: value.json() }.into()),
    }
}

fn read_said<'a>(part: &Members<'a>) -> Option<Part<'a>> {
    let kind = part.text("type")?;
    let content = if kind.is("refusal") {
        Content::Refusal(part.prose("refusal")?)
    } else {
        Content::Text { text: part.prose("text")?, citations: read_citations(part) }
    };
    Some(content.into())
}
