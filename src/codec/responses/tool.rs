//! Reads tools and the choice among them. Not calls of them (see `item`).

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::request::{Foreign, Request, Tool, ToolChoice};
use crate::chat::wire::Wire;
use crate::codec::json::Malformed;
use crate::codec::responses::mark::join_namespace;
use crate::codec::responses::value::{Members, Value};

/// Reads `tools`.
pub(super) fn read_tools<'a>(value: &Value<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Malformed> {
    value.each_object(|value, tool| {
        let kind = tool.need("type", "a tool needs a `type`")?.text();
        match kind.as_ref() {
            "function" | "custom" => tools.push(read_own(&tool, &kind, None)?),
            "namespace" => match read_namespace(&tool) {
                Some(mut lifted) => tools.append(&mut lifted),
                None => tools.push(hosted(&value, kind)),
            },
            _ => tools.push(hosted(&value, kind)),
        }
        Ok(())
    })
}

fn hosted<'a>(value: &Value<'a>, kind: Cow<'a, str>) -> Tool<'a> {
    let web_search = kind.starts_with("web_search");
    Tool::Hosted { wire: Wire::Responses, kind, raw: value.json(), web_search }
}

/// The tools of a namespace under joined names; `None` when it holds anything but the client's own tools.
///
/// Why lifted: Codex puts its MCP servers into namespaces, which no other format has. Calls get their `namespace` back
/// from the joined name.
fn read_namespace<'a>(tool: &Members<'a>) -> Option<Vec<Tool<'a>>> {
    let namespace = tool.word("name").filter(|name| !name.is_empty())?;
    let inner = tool.get("tools").filter(Value::is_array)?;
    let mut lifted = Vec::new();
    let read = inner.each_object(|_, tool| {
        let kind = tool.need("type", "a tool needs a `type`")?.text();
        if !matches!(kind.as_ref(), "function" | "custom") {
            return Err(tool.malformed("a hosted tool in a namespace"));
        }
        lifted.push(read_own(&tool, &kind, Some(namespace.clone()))?);
        Ok(())
    });
    read.is_ok().then_some(lifted)
}

/// A tool that the client runs.
///
/// An absent `strict` stays unsaid although OpenAI then tries to be strict: it mends schemas for that, which nobody else
/// does, and a default that nobody typed is no wish.
fn read_own<'a>(tool: &Members<'a>, kind: &str, namespace: Option<Cow<'a, str>>) -> Result<Tool<'a>, Malformed> {
    let name = join_namespace(namespace, tool.need("name", "a tool needs a `name`")?.text());
    let description = tool.string("description")?.map(|text| text.prose());
    if kind == "custom" {
        return Ok(Tool::Custom { name, description, format: tool.get("format").map(|format| format.json()) });
    }
    let parameters = match tool.get("parameters") {
        Some(schema) if !schema.is_object() => return Err(schema.malformed("`parameters` is an object")),
        schema => schema.map(|schema| schema.json()),
    };
    let strict = tool.get("strict").and_then(|strict| strict.bool());
    Ok(Tool::Function { name, description, parameters, strict, cache: None })
}

/// Reads `tool_choice`. A choice of tools that OpenAI runs is kept as it is written.
pub(super) fn read_choice<'a>(value: &Value<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    request.tool_choice = match value.text() {
        Some(word) if word.is("auto") => Some(ToolChoice::Auto),
        Some(word) if word.is("none") => Some(ToolChoice::None),
        Some(word) if word.is("required") => Some(ToolChoice::Required),
        Some(_) => return Err(value.malformed("`tool_choice` is `none`, `auto`, `required` or an object")),
        None => read_named(&value.members()?)?,
    };
    if request.tool_choice.is_none() {
        let name = Cow::Borrowed("tool_choice");
        let (feature, wire) = (Feature::ToolChoice, Wire::Responses);
        request.foreign.push(Foreign { feature, wire, name, value: value.json() });
    }
    Ok(())
}

fn read_named<'a>(choice: &Members<'a>) -> Result<Option<ToolChoice<'a>>, Malformed> {
    let kind = choice.need("type", "a `tool_choice` object needs a `type`")?.text();
    Ok(match kind.as_ref() {
        "function" | "custom" => {
            let name = choice.need("name", "a named `tool_choice` needs a `name`")?.text();
            Some(ToolChoice::One(join_namespace(choice.word("namespace"), name)))
        }
        "allowed_tools" => {
            let list = choice.objects("tools");
            let own = |tool: &Members<'a>| {
                let own = tool.text("type").is_some_and(|kind| kind.is("function") || kind.is("custom"));
                let name = tool.word("name").filter(|_| own)?;
                Some(join_namespace(tool.word("namespace"), name))
            };
            let names: Option<Vec<Cow<'a, str>>> = list.iter().map(|(_, tool)| own(tool)).collect();
            let required = choice.text("mode").is_some_and(|mode| mode.is("required"));
            names.map(|names| if required { ToolChoice::SomeRequired(names) } else { ToolChoice::Some(names) })
        }
        _ => None,
    })
}
