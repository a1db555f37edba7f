//! An answer in JSON, for models that have no word for it: one forced tool whose argument is the answer, or an instruction
//! in the system prompt where a tool cannot be forced.

use std::borrow::Cow;

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::{Content, Part};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Depth, Output, Request, Role, Tool, ToolChoice, Turn};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::adapt::name::fit_name;
use crate::codec::wire::Shape;

/// The forced tool's name where the request names no schema.
const NAME: &str = "json_answer";

/// Whether the model takes a schema as such.
fn is_native(wire: Wire, shape: &Shape<'_>) -> bool {
    match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini | Wire::Cohere => !shape.lacks(Capability::JsonSchema),
        // Older Claudes, and what Converse has besides Claude, refuse it.
        Wire::Messages | Wire::Converse => {
            shape.is(Trait::OutputConfig) || shape.capabilities.is_some_and(|all| all.has(Capability::JsonSchema))
        }
    }
}

/// Whether the wire has a word for "any JSON".
fn has_json_mode(wire: Wire) -> bool {
    match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini | Wire::Cohere => true,
        Wire::Messages | Wire::Converse => false,
    }
}

/// Whether the form of the answer must be said in another way.
pub fn must_emulate(request: &Request<'_>, wire: Wire, shape: &Shape<'_>) -> bool {
    match request.output {
        Output::Text => false,
        Output::Json => !has_json_mode(wire),
        Output::Schema { .. } => !is_native(wire, shape),
    }
}

/// Says the form of the answer in another way. Gives the name of the tool that was added, if one was.
pub fn emulate(request: &mut Request<'_>, shape: &Shape<'_>, lost: &mut Features) -> Option<String> {
    let output = std::mem::take(&mut request.output);
    let Output::Schema { name, description, schema, strict } = output else {
        lost.insert(Feature::JsonObject);
        instruct(request, "Answer with one JSON object and nothing else.".to_owned());
        return None;
    };
    let thinks = !matches!(request.reasoning.depth, None | Some(Depth::Off)) || shape.is(Trait::ThinkingAlwaysOn);
    let forcible = request.tools.is_empty()
        && !thinks
        && !shape.is(Trait::NoForcedToolUse)
        && !shape.lacks(Capability::Tools)
        && !shape.lacks(Capability::ToolChoice);
    if !forcible {
        lost.insert(Feature::JsonSchema);
        let schema = String::from_utf8_lossy(schema.bytes()).into_owned();
        instruct(
            request,
            format!("Answer with one JSON value and nothing else. It must follow this JSON schema: {schema}"),
        );
        return None;
    }
    let name = name.unwrap_or(Cow::Borrowed(NAME));
    let name = fit_name(&name, 64).into_owned();
    let description = description.unwrap_or(Prose::plain("The answer."));
    request.tools.push(Tool::Function {
        name: Cow::Owned(name.clone()),
        description: Some(description),
        parameters: Some(schema),
        strict: strict.filter(|_| shape.is(Trait::OutputConfig)),
        cache: None,
    });
    request.tool_choice = Some(ToolChoice::One(Cow::Owned(name.clone())));
    Some(name)
}

/// Adds a sentence to the end of the system prompt.
fn instruct(request: &mut Request<'_>, sentence: String) {
    let part = Part::from(Content::text(Prose::plain(sentence)));
    let leading = request.turns.iter().take_while(|turn| turn.role == Role::System).count();
    match leading.checked_sub(1).and_then(|last| request.turns.get_mut(last)) {
        Some(turn) => turn.parts.push(part),
        None => request.turns.insert(0, Turn { role: Role::System, parts: vec![part], name: None }),
    }
}

/// The schema of a function that stands for a custom tool.
pub fn free_text() -> Json<'static> {
    Json::borrowed(
        br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#,
    )
}
