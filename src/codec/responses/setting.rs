//! Reads the members of a request that hold settings in an object: `reasoning`, `text`, `include`. Not the conversation.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::request::{Depth, Effort, Foreign, Output, Request};
use crate::chat::wire::Wire;
use crate::codec::json::Malformed;
use crate::codec::responses::value::Value;

/// The element of `include` that asks for sealed thoughts, which cross-format traffic always asks for.
pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Keeps a member that other formats have no word for.
pub(super) fn keep<'a>(request: &mut Request<'a>, feature: Feature, name: Cow<'a, str>, value: &Value<'a>) {
    request.foreign.push(Foreign { feature, wire: Wire::Responses, name, value: value.json() });
}

/// Reads `reasoning`.
pub(super) fn read_reasoning<'a>(value: &Value<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let reasoning = value.members()?;
    if let Some(effort) = reasoning.string("effort")? {
        match effort.text().as_ref() {
            "none" => request.reasoning.depth = Some(Depth::Off),
            word => match Effort::parse(word) {
                Some(effort) => request.reasoning.depth = Some(Depth::Effort(effort)),
                None => keep_in(request, Feature::ReasoningDepth, "reasoning.effort", reasoning.get("effort")),
            },
        }
    }
    if reasoning.get("summary").or_else(|| reasoning.get("generate_summary")).is_some() {
        request.reasoning.shown = Some(true);
    }
    // `auto` and `standard` are what happens anyway.
    let beyond =
        |name: &str, usual: &str| reasoning.get(name).filter(|value| !value.text().is_some_and(|text| text.is(usual)));
    keep_in(request, Feature::Thoughts, "reasoning.context", beyond("context", "auto"));
    keep_in(request, Feature::ReasoningDepth, "reasoning.mode", beyond("mode", "standard"));
    Ok(())
}

fn keep_in<'a>(request: &mut Request<'a>, feature: Feature, name: &'static str, value: Option<Value<'a>>) {
    if let Some(value) = value {
        keep(request, feature, Cow::Borrowed(name), &value);
    }
}

/// Reads `text`.
pub(super) fn read_text<'a>(value: &Value<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let text = value.members()?;
    request.verbosity = text.string("verbosity")?.map(|word| word.text());
    let Some(written) = text.get("format") else { return Ok(()) };
    let format = written.members()?;
    let kind = format.need("type", "a text format needs a `type`")?;
    match kind.text().as_ref() {
        "text" => {}
        "json_object" => request.output = Output::Json,
        "json_schema" => {
            let schema = format.get("schema").filter(Value::is_object);
            let schema = schema.ok_or_else(|| format.malformed("a `json_schema` format needs a `schema`"))?;
            request.output = Output::Schema {
                name: format.string("name")?.map(|name| name.text()),
                description: format.string("description")?.map(|text| text.prose()),
                schema: schema.json(),
                strict: format.get("strict").and_then(|strict| strict.bool()),
            };
        }
        _ => keep(request, Feature::JsonSchema, Cow::Borrowed("text.format"), &written),
    }
    Ok(())
}

/// Reads `include`. Sealed thoughts are no wish of their own; everything else is.
pub(super) fn read_include<'a>(value: &Value<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let mut others = false;
    value.each(|element| {
        let word = element.text().ok_or_else(|| element.malformed("a string is expected"))?;
        if word.is("message.output_text.logprobs") {
            request.sampling.logprobs.get_or_insert(0);
        } else if !word.is(ENCRYPTED) {
            others = true;
        }
        Ok(())
    })?;
    if others {
        keep(request, Feature::Include, Cow::Borrowed("include"), value);
    }
    Ok(())
}
