//! Writes tools and tool choices of chat requests. Not calls (see `message_out`).

use std::collections::HashSet;

use crate::chat::capability::Capability;
use crate::chat::feature::Feature;
use crate::chat::part::CacheMark;
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::openai::target::Target;
use crate::codec::openai::vendor::{Documents, Marks};
use crate::codec::writer::Writer;

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`, and the wish for a web search.
pub(super) fn write(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    let choice = request.tool_choice.as_ref();
    let allowed = match choice {
        // Vendors without `allowed_tools` are shown no others.
        Some(choice) if !target.vendor.is_openai() => choice.subset(),
        _ => None,
    };
    let shown = |tool: &Tool<'_>| match (name_of(tool), &allowed) {
        (Some(name), Some(allowed)) => allowed.contains(name),
        _ => true,
    };
    let mut web_search = request.web_search;
    let mut tools: Vec<&Tool<'_>> = Vec::with_capacity(request.tools.len());
    for tool in request.tools.iter().filter(|tool| shown(tool)) {
        match tool {
            Tool::Hosted { web_search: true, .. } if target.shape.lacks(Capability::WebSearch) => web_search = true,
            Tool::Function { .. } | Tool::Custom { .. } | Tool::Hosted { wire: Wire::Chat, .. } => tools.push(tool),
            Tool::Hosted { web_search: true, .. } => web_search = true,
            Tool::Hosted { .. } => {
                target.forbid(Feature::HostedTools, "a tool that another vendor runs cannot be had here");
            }
        }
    }
    write_web_search(writer, web_search, request, target);
    if tools.is_empty() {
        return;
    }
    writer.key("tools").array(|writer| {
        for tool in &tools {
            write_tool(writer, tool, target);
        }
    });
    if let Some(choice) = choice {
        write_choice(writer, choice, &tools, target);
    }
    if let Some(parallel) = request.parallel_calls {
        if !target.vendor.refuses(Feature::ParallelCalls) {
            writer.key("parallel_tool_calls").bool(parallel);
        } else if !parallel {
            target.lose(Feature::ParallelCalls);
        }
    }
}

fn name_of<'t>(tool: &'t Tool<'_>) -> Option<&'t str> {
    match tool {
        Tool::Function { name, .. } | Tool::Custom { name, .. } => Some(name),
        Tool::Hosted { .. } => None,
    }
}

fn write_web_search(writer: &mut Writer, asked: bool, request: &Request<'_>, target: &mut Target<'_>) {
    let said = |foreign: &&crate::chat::request::Foreign<'_>| foreign.name == "web_search_options";
    // Perplexity always searches.
    if !asked || target.shape.vendor == "perplexity" {
        return;
    }
    if target.vendor.refuses(Feature::WebSearch) || target.shape.lacks(Capability::WebSearch) {
        return target.lose(Feature::WebSearch);
    }
    // The client's own options are written with the other members of this wire.
    if !request.foreign.iter().any(|one| said(&one)) {
        writer.key("web_search_options").object(|_| {});
    }
}

fn write_tool(writer: &mut Writer, tool: &Tool<'_>, target: &mut Target<'_>) {
    match tool {
        Tool::Function { name, description, parameters, strict, cache } => {
            let function = Function { name, description: description.as_ref(), strict: *strict };
            function.write(writer, parameters.as_ref(), *cache, target);
        }
        Tool::Custom { name, description, format } if target.vendor.is_openai() => writer.object(|writer| {
            writer.key("type").string("custom");
            writer.key("custom").object(|writer| {
                writer.key("name").string(name);
                if let Some(description) = description {
                    writer.key("description").prose(description);
                }
                if let Some(format) = format {
                    write_format(writer.key("format"), format);
                }
            });
        }),
        Tool::Custom { .. } => {
            target.forbid(Feature::CustomTools, "custom tools are OpenAI's alone");
        }
        Tool::Hosted { raw, .. } => writer.json(raw),
    }
}

/// Writes the format of a custom tool: a grammar stands in a member of its own, not beside its type.
fn write_format(writer: &mut Writer, format: &Json<'_>) {
    let (mut nested, mut members) = (false, Vec::new());
    let read = Scanner::new(format.bytes()).object(|scanner, key| {
        let value = scanner.json()?;
        nested |= key.is("grammar");
        if key.is("syntax") || key.is("definition") {
            members.push((key.text(), value));
        }
        Ok(())
    });
    if read.is_err() || nested || members.is_empty() {
        return writer.json(format);
    }
    writer.object(|writer| {
        writer.key("type").string("grammar");
        writer.key("grammar").object(|writer| members.iter().for_each(|(name, value)| writer.key(name).json(value)));
    });
}

struct Function<'t, 'b> {
    name: &'t str,
    description: Option<&'t Prose<'b>>,
    strict: Option<bool>,
}

impl Function<'_, '_> {
    fn write(
        &self,
        writer: &mut Writer,
        parameters: Option<&Json<'_>>,
        cache: Option<CacheMark>,
        target: &mut Target<'_>,
    ) {
        writer.object(|writer| {
            writer.key("type").string("function");
            writer.key("function").object(|writer| {
                writer.key("name").string(self.name);
                if let Some(description) = self.description {
                    writer.key("description").prose(description);
                }
                write_parameters(writer, parameters, target);
                self.write_strict(writer, target);
            });
            match (cache, target.vendor.marks) {
                (None, _) => {}
                (Some(_), Marks::ByModel) => target.lose(Feature::CacheMark),
                (Some(mark), Marks::CacheControl) => writer.key("cache_control").object(|writer| {
                    writer.key("type").string("ephemeral");
                    if mark == CacheMark::Long {
                        writer.key("ttl").string("1h");
                    }
                }),
            }
        });
    }

    fn write_strict(&self, writer: &mut Writer, target: &mut Target<'_>) {
        match self.strict {
            Some(strict) if !target.vendor.refuses(Feature::StrictTools) => writer.key("strict").bool(strict),
            Some(true) => target.lose(Feature::StrictTools),
            Some(false) | None => {}
        }
    }
}

fn write_parameters(writer: &mut Writer, parameters: Option<&Json<'_>>, target: &Target<'_>) {
    match parameters {
        // Mistral refuses what names a schema.
        Some(schema) if target.vendor.documents == Documents::DocumentUrl => {
            writer.key("parameters").raw(&without(schema.bytes(), &["$schema", "$id"]));
        }
        Some(schema) => writer.key("parameters").json(schema),
        None if target.vendor.is_openai() => {}
        // Others want a schema for functions without arguments too.
        None => writer.key("parameters").raw(br#"{"type":"object","properties":{}}"#),
    }
}

/// An object without its members of those names.
fn without(object: &[u8], names: &[&str]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(object.len());
    let mut scanner = Scanner::new(object);
    let mut scanned: Result<(), Malformed> = Ok(());
    writer.object(|writer| {
        scanned = scanner.object(|scanner, key| {
            let value = scanner.json()?;
            if !names.iter().any(|name| key.is(name)) {
                writer.key(&key.text()).json(&value);
            }
            Ok(())
        });
    });
    if scanned.is_ok() { writer.into_bytes() } else { object.to_vec() }
}

fn write_choice(writer: &mut Writer, choice: &ToolChoice<'_>, tools: &[&Tool<'_>], target: &mut Target<'_>) {
    if target.vendor.refuses(Feature::ToolChoice) {
        if *choice != ToolChoice::Auto {
            target.lose(Feature::ToolChoice);
        }
        return;
    }
    let required = target.vendor.required.filter(|_| target.vendor.forces(target.shape));
    let forced = match choice {
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Some(_) => false,
        ToolChoice::Required | ToolChoice::One(_) | ToolChoice::SomeRequired(_) => true,
    };
    let Some(required) = required.or((!forced).then_some("")) else {
        target.lose(Feature::ToolChoice);
        return writer.key("tool_choice").string("auto");
    };
    let custom: HashSet<&str> = tools.iter().filter_map(|tool| custom_name(tool)).collect();
    match choice {
        ToolChoice::Auto => writer.key("tool_choice").string("auto"),
        ToolChoice::None => writer.key("tool_choice").string("none"),
        ToolChoice::Required => writer.key("tool_choice").string(required),
        ToolChoice::One(name) => {
            writer.key("tool_choice");
            write_named(writer, name, custom.contains(&**name));
        }
        ToolChoice::Some(_) if !target.vendor.is_openai() => writer.key("tool_choice").string("auto"),
        ToolChoice::SomeRequired(_) if !target.vendor.is_openai() => writer.key("tool_choice").string(required),
        ToolChoice::Some(names) | ToolChoice::SomeRequired(names) => writer.key("tool_choice").object(|writer| {
            writer.key("type").string("allowed_tools");
            writer.key("allowed_tools").object(|writer| {
                writer.key("mode").string(if forced { "required" } else { "auto" });
                writer.key("tools").array(|writer| {
                    for name in names {
                        write_named(writer, name, custom.contains(&**name));
                    }
                });
            });
        }),
    }
}

fn custom_name<'t>(tool: &'t Tool<'_>) -> Option<&'t str> {
    match tool {
        Tool::Custom { name, .. } => Some(name),
        Tool::Function { .. } | Tool::Hosted { .. } => None,
    }
}

/// `{type: function, function{name}}`, or the same of a custom tool.
fn write_named(writer: &mut Writer, name: &str, custom: bool) {
    let kind = if custom { "custom" } else { "function" };
    writer.object(|writer| {
        writer.key("type").string(kind);
        writer.key(kind).object(|writer| writer.key("name").string(name));
    });
}
