//! Reads tools, the choice of one, and how much the model is to think. Not what is called.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::prose::Json;
use crate::chat::request::{Depth, Effort, Output, Reasoning, Request, Tool, ToolChoice};
use crate::chat::wire::Wire;
use crate::codec::anthropic::decode_block::{Wishes, cache_mark};
use crate::codec::json::{Malformed, Scanner};

/// Reads one tool: the client's own, or one that the vendor runs.
pub(super) fn tool<'a>(scanner: &mut Scanner<'a>, wishes: &mut Wishes<'a>) -> Result<Tool<'a>, Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let (mut kind, mut name, mut description, mut parameters) = (None, None, None, None);
    let (mut strict, mut cache, mut extra) = (None, None, Vec::new());
    scanner.object(|scanner, key| {
        match key.raw() {
            b"type" => kind = scanner.string_or_skip()?,
            b"name" => name = scanner.string_or_skip()?,
            b"description" => description = scanner.string_or_skip()?,
            b"input_schema" => parameters = Some(scanner.json()?),
            b"strict" => match scanner.bool()? {
                Some(value) => strict = Some(value),
                None => scanner.pass()?,
            },
            b"cache_control" => cache = cache_mark(scanner)?,
            // How finely the arguments are streamed, and that the model calls the tool itself, which is usual.
            b"eager_input_streaming" | b"allowed_callers" => scanner.pass()?,
            _ => {
                let value = scanner.json()?;
                if !matches!(value.bytes(), b"null" | b"false" | b"[]") {
                    extra.push((key.text(), value));
                }
            }
        }
        Ok(())
    })?;
    let raw = Json::borrowed(scanner.slice(start..scanner.offset()));
    if let Some(kind) = kind.filter(|kind| !kind.is("custom")) {
        let kind = kind.text();
        let web_search = kind.starts_with("web_search");
        return Ok(Tool::Hosted { wire: Wire::Messages, kind, raw, web_search });
    }
    let Some(name) = name else {
        return Err(Malformed { offset: start, what: "a tool needs a `name`" });
    };
    for (member, value) in extra {
        wishes.keep(Feature::Unknown, format!("tools.{member}"), value);
    }
    Ok(Tool::Function {
        name: name.text(),
        description: description.map(|text| text.prose()),
        parameters,
        strict,
        cache,
    })
}

/// Reads `tool_choice`.
pub(super) fn choice<'a>(
    scanner: &mut Scanner<'a>,
    request: &mut Request<'a>,
    wishes: &mut Wishes<'a>,
) -> Result<(), Malformed> {
    if scanner.null()? {
        return Ok(());
    }
    scanner.peek()?;
    let start = scanner.offset();
    let (mut kind, mut name) = (None, None);
    scanner.object(|scanner, key| {
        match key.raw() {
            b"type" => kind = Some(scanner.string()?),
            b"name" => name = Some(scanner.string()?),
            b"disable_parallel_tool_use" => match scanner.bool()? {
                Some(disabled) => request.parallel_calls = Some(!disabled),
                None => scanner.pass()?,
            },
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let malformed = |what| Malformed { offset: start, what };
    let kind = kind.ok_or(malformed("`tool_choice` needs a `type`"))?.text();
    request.tool_choice = match kind.as_ref() {
        "auto" => Some(ToolChoice::Auto),
        "any" => Some(ToolChoice::Required),
        "none" => Some(ToolChoice::None),
        "tool" => Some(ToolChoice::One(name.ok_or(malformed("`tool_choice` of type `tool` needs a `name`"))?.text())),
        _ => {
            let raw = Json::borrowed(scanner.slice(start..scanner.offset()));
            wishes.keep(Feature::ToolChoice, "tool_choice", raw);
            None
        }
    };
    Ok(())
}

/// `thinking` and `output_config.effort`, which together say how much the model thinks.
#[derive(Default)]
pub(super) struct Thinking<'a> {
    depth: Option<Depth>,
    shown: Option<bool>,
    effort: Option<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Thinking<'a> {
    /// Reads `thinking`.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'a>, wishes: &mut Wishes<'a>) -> Result<(), Malformed> {
        if scanner.null()? {
            return Ok(());
        }
        scanner.peek()?;
        let start = scanner.offset();
        let (mut kind, mut budget) = (None, None);
        scanner.object(|scanner, key| {
            match key.raw() {
                b"type" => kind = Some(scanner.string()?),
                b"budget_tokens" => budget = scanner.whole_or_skip()?,
                b"display" => {
                    self.shown = scanner.string_or_skip()?.and_then(|display| match display.text().as_ref() {
                        "summarized" => Some(true),
                        "omitted" => Some(false),
                        _ => None,
                    });
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        let malformed = |what| Malformed { offset: start, what };
        let kind = kind.ok_or(malformed("`thinking` needs a `type`"))?.text();
        match kind.as_ref() {
            "enabled" => {
                let budget = budget.ok_or(malformed("`thinking` of type `enabled` needs `budget_tokens`"))?;
                self.depth = Some(Depth::Budget(budget));
            }
            "adaptive" => self.depth = Some(Depth::Adaptive),
            "disabled" => self.depth = Some(Depth::Off),
            _ => {
                let raw = Json::borrowed(scanner.slice(start..scanner.offset()));
                wishes.keep(Feature::ReasoningDepth, "thinking", raw);
            }
        }
        Ok(())
    }

    /// Reads `output_config`: the effort and the form of the answer.
    pub(super) fn read_output(
        &mut self,
        scanner: &mut Scanner<'a>,
        output: &mut Output<'a>,
        wishes: &mut Wishes<'a>,
    ) -> Result<(), Malformed> {
        if scanner.null()? {
            return Ok(());
        }
        scanner.object(|scanner, key| {
            match key.raw() {
                b"effort" => {
                    scanner.peek()?;
                    let start = scanner.offset();
                    if let Some(effort) = scanner.string_or_skip()? {
                        let raw = scanner.slice(start..scanner.offset());
                        self.effort = Some((effort.text(), Json::borrowed(raw)));
                    }
                }
                b"format" => format(scanner, output, wishes)?,
                _ => wishes.keep(Feature::Unknown, format!("output_config.{}", key.text()), scanner.json()?),
            }
            Ok(())
        })
    }

    /// Both together. An effort beside a budget or beside no thinking at all is kept for Anthropic's own models, where it
    /// also says how many words are spent on the answer.
    pub(super) fn reasoning(self, wishes: &mut Wishes<'a>) -> Reasoning {
        let mut depth = self.depth;
        if let Some((name, raw)) = self.effort {
            match (Effort::parse(&name), depth) {
                (Some(effort), None | Some(Depth::Adaptive)) => depth = Some(Depth::Effort(effort)),
                _ => wishes.keep(Feature::ReasoningDepth, "output_config.effort", raw),
            }
        }
        Reasoning { depth, shown: self.shown }
    }
}

/// Reads `output_config.format`, or the `output_format` of an older beta.
pub(super) fn format<'a>(
    scanner: &mut Scanner<'a>,
    output: &mut Output<'a>,
    wishes: &mut Wishes<'a>,
) -> Result<(), Malformed> {
    if scanner.null()? {
        return Ok(());
    }
    scanner.peek()?;
    let start = scanner.offset();
    let (mut kind, mut schema) = (None, None);
    scanner.object(|scanner, key| {
        match key.raw() {
            b"type" => kind = scanner.string_or_skip()?,
            b"schema" => schema = Some(scanner.json()?),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    match (kind, schema) {
        (Some(kind), Some(schema)) if kind.is("json_schema") => {
            *output = Output::Schema { name: None, description: None, schema, strict: Some(true) };
        }
        _ => {
            let raw = Json::borrowed(scanner.slice(start..scanner.offset()));
            wishes.keep(Feature::JsonSchema, "output_config.format", raw);
        }
    }
    Ok(())
}
