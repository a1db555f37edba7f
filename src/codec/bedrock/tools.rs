//! The tools of a request and the choice among them. Converse wants `toolConfig` whenever the conversation holds calls or
//! results, and has no choice of none.

use std::collections::HashSet;

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::{CacheMark, Content};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::bedrock::model::{Maker, caches, is_nova_2, is_old_claude, maker};
use crate::codec::wire::{Impossible, Shape};

/// The tools, as they are written.
#[derive(Default)]
pub struct Tools<'r> {
    /// Tools and marks, in order.
    pub entries: Vec<Entry<'r>>,
    /// The choice, when it is not the model's.
    pub choice: Option<Choice<'r>>,
    /// Whether calls are to come one at a time, which Claude alone can be told.
    pub serial: bool,
}

/// One element of `tools`.
pub enum Entry<'r> {
    /// A function.
    Function {
        /// Its name.
        name: &'r str,
        /// What it does.
        description: Option<&'r Prose<'r>>,
        /// The schema of its argument.
        parameters: Option<&'r Json<'r>>,
        /// Whether arguments must follow the schema.
        strict: bool,
    },
    /// A tool that AWS runs.
    System(&'static str),
    /// A tool of this format, as it was written.
    Raw(&'r Json<'r>),
    /// A mark behind which the prompt is cached.
    Cache(CacheMark),
}

/// A choice that is not the model's.
#[derive(Clone, Copy)]
pub enum Choice<'r> {
    /// At least one.
    Any,
    /// This one.
    One(&'r str),
}

/// Decides what of the tools is written.
///
/// # Errors
/// A tool that another vendor runs, other than its web search.
pub fn plan<'r>(request: &'r Request<'r>, shape: &Shape<'_>, lost: &mut Features) -> Result<Tools<'r>, Impossible> {
    let mut called = called(request);
    let forbidden = request.tool_choice == Some(ToolChoice::None);
    if forbidden && called.is_empty() {
        return Ok(Tools::default());
    }
    let mut tools = Tools { entries: entries(request, shape, lost)?, ..Tools::default() };
    if tools.entries.is_empty() {
        called.dedup();
        let mut seen: HashSet<&str> = HashSet::new();
        for name in called {
            if seen.insert(name) {
                tools.entries.push(Entry::Function { name, description: None, parameters: None, strict: false });
            }
        }
        return Ok(tools);
    }
    if forbidden {
        lost.insert(Feature::ToolChoice);
    }
    tools.choice = choice(request, shape, lost);
    if request.parallel_calls == Some(false) {
        tools.serial = maker(shape) == Maker::Anthropic;
        if !tools.serial {
            lost.insert(Feature::ParallelCalls);
        }
    }
    Ok(tools)
}

/// The names of the tools that the conversation calls or has results of.
fn called<'r>(request: &'r Request<'r>) -> Vec<&'r str> {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let mut names: Vec<&str> = Vec::new();
    let mut unnamed = false;
    for part in parts {
        match &part.content {
            Content::Call(call) => names.push(&call.name),
            Content::Result(result) => match &result.name {
                Some(name) => names.push(name),
                None => unnamed = true,
            },
            _ => {}
        }
    }
    if names.is_empty() && unnamed {
        names.push("tool");
    }
    names
}

fn entries<'r>(request: &'r Request<'r>, shape: &Shape<'_>, lost: &mut Features) -> Result<Vec<Entry<'r>>, Impossible> {
    let mut entries = Vec::with_capacity(request.tools.len());
    let mut searches = request.web_search;
    let subset = request.tool_choice.as_ref().and_then(ToolChoice::subset);
    let is_allowed = |name: &str| subset.as_ref().is_none_or(|names| names.contains(name));
    for tool in &request.tools {
        match tool {
            Tool::Function { name, .. } | Tool::Custom { name, .. } if !is_allowed(name) => {}
            Tool::Function { name, description, parameters, strict, cache } => {
                entries.push(Entry::Function {
                    name,
                    description: description.as_ref().filter(|text| !text.is_blank()),
                    parameters: parameters.as_ref(),
                    strict: *strict == Some(true) && takes_strict(shape, lost),
                });
                if let Some(mark) = cache {
                    entries.extend(mark_of_tool(*mark, shape, lost));
                }
            }
            Tool::Custom { name, description, .. } => {
                lost.insert(Feature::CustomTools);
                let description = description.as_ref().filter(|text| !text.is_blank());
                entries.push(Entry::Function { name, description, parameters: None, strict: false });
            }
            Tool::Hosted { wire: Wire::Converse, raw, .. } => entries.push(Entry::Raw(raw)),
            Tool::Hosted { web_search: true, .. } => searches = true,
            Tool::Hosted { .. } => {
                let rule = "a tool that another vendor runs cannot be had at Bedrock";
                return Err(Impossible { feature: Feature::HostedTools, rule });
            }
        }
    }
    match (searches, maker(shape)) {
        (true, Maker::Nova) if is_nova_2(shape) || shape.model.contains("nova-premier") => {
            entries.push(Entry::System("nova_grounding"));
        }
        (true, _) => lost.insert(Feature::WebSearch),
        (false, _) => {}
    }
    Ok(entries)
}

fn takes_strict(shape: &Shape<'_>, lost: &mut Features) -> bool {
    let takes = !shape.lacks(Capability::JsonSchema) && !is_old_claude(shape);
    if !takes {
        lost.insert(Feature::StrictTools);
    }
    takes
}

fn mark_of_tool<'r>(mark: CacheMark, shape: &Shape<'_>, lost: &mut Features) -> Option<Entry<'r>> {
    // Nova caches system prompts and messages, not tools.
    if caches(shape) && maker(shape) == Maker::Anthropic {
        return Some(Entry::Cache(mark));
    }
    lost.insert(Feature::CacheMark);
    if mark == CacheMark::Long {
        lost.insert(Feature::CacheLong);
    }
    None
}

fn choice<'r>(request: &'r Request<'r>, shape: &Shape<'_>, lost: &mut Features) -> Option<Choice<'r>> {
    let choice = match request.tool_choice.as_ref()? {
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Some(_) => return None,
        ToolChoice::Required | ToolChoice::SomeRequired(_) => Choice::Any,
        ToolChoice::One(name) => Choice::One(name),
    };
    if shape.is(Trait::NoForcedToolUse) || shape.lacks(Capability::ToolChoice) {
        lost.insert(Feature::ToolChoice);
        return None;
    }
    Some(choice)
}
