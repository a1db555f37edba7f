//! The head of a request that was read whole: the facts that policy needs, for wires without a scan of their own.
//!
//! Thinking and the vendor's search are wishes here, not needs: coding agents send both with every request, whatever the
//! model. A target without them loses something, and is avoided or rejected as the route says (`on_loss`).

use crate::chat::capability::Capability;
use crate::chat::head::{Head, UsageRequest};
use crate::chat::part::{Content, MediaKind, Part};
use crate::chat::request::{Output, Request, Tool, ToolChoice};
use crate::codec::json::count;
use crate::codec::meter::count_of;

/// What a decision needs to know of a request.
pub fn survey(request: &Request<'_>) -> Head {
    let mut head = Head {
        model: request.model.as_ref().map(|(name, _)| name.to_string()),
        model_span: request.model.as_ref().map(|(_, span)| span.clone()),
        stream: request.stream,
        usage_request: UsageRequest::Asked,
        max_output: request.max_output,
        choices: request.sampling.choices.unwrap_or(1),
        messages: u32::try_from(request.turns.len()).unwrap_or(u32::MAX),
        tools: u32::try_from(request.tools.len()).unwrap_or(u32::MAX),
        ..Head::default()
    };
    request.turns.iter().flat_map(|turn| &turn.parts).for_each(|part| of_part(part, &mut head));
    request.tools.iter().for_each(|tool| of_tool(tool, &mut head));
    if let Output::Schema { schema, .. } = &request.output {
        head.text = head.text.plus(count(schema.bytes()));
        head.needs.insert(Capability::JsonSchema);
    }
    if matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::One(_) | ToolChoice::SomeRequired(_))) {
        head.needs.insert(Capability::ToolChoice);
    }
    head
}

fn of_part(part: &Part<'_>, head: &mut Head) {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => head.text = head.text.plus(count_of(text)),
        Content::Thought(thought) => head.text = head.text.plus(count_of(&thought.text)),
        Content::Call(call) => {
            head.text = head.text.plus(count(call.name.as_bytes())).plus(count_of(&call.arguments));
        }
        Content::Result(result) => result.parts.iter().for_each(|part| of_part(part, head)),
        Content::Media(media) => match media.kind {
            MediaKind::Image => {
                head.images = head.images.saturating_add(1);
                head.needs.insert(Capability::Vision);
            }
            MediaKind::Document => head.needs.insert(Capability::Pdf),
            MediaKind::Audio => head.needs.insert(Capability::AudioIn),
            MediaKind::Video => head.needs.insert(Capability::VideoIn),
        },
        Content::Foreign { raw, .. } => head.text = head.text.plus(count(raw.bytes())),
    }
}

fn of_tool(tool: &Tool<'_>, head: &mut Head) {
    match tool {
        Tool::Function { name, description, parameters, .. } => {
            head.needs.insert(Capability::Tools);
            head.text = head.text.plus(count(name.as_bytes()));
            if let Some(description) = description {
                head.text = head.text.plus(count_of(description));
            }
            if let Some(parameters) = parameters {
                head.text = head.text.plus(count(parameters.bytes()));
            }
        }
        Tool::Custom { description, .. } => {
            head.needs.insert(Capability::Tools);
            if let Some(description) = description {
                head.text = head.text.plus(count_of(description));
            }
        }
        Tool::Hosted { raw, .. } => head.text = head.text.plus(count(raw.bytes())),
    }
}
