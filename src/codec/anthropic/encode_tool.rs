//! Writes tools and the choice of one. Not the calls.

use std::borrow::Cow;

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::CacheMark;
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::anthropic::encode_block::cache_control;
use crate::codec::anthropic::schema;
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

/// The web search that every platform with one has.
const WEB_SEARCH: &[u8] = br#"{"type":"web_search_20250305","name":"web_search"}"#;

/// Which tool is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice<'r> {
    Auto,
    Any,
    None,
    Tool(&'r str),
}

/// The tools as they are written.
#[derive(Debug)]
pub(super) struct Tools<'r, 'a> {
    pub(super) all: Vec<&'r Tool<'a>>,
    /// Whether Anthropic's web search joins them.
    search: bool,
    pub(super) choice: Option<Choice<'r>>,
    one_at_a_time: bool,
}

impl<'r, 'a> Tools<'r, 'a> {
    /// Decides which tools are written and which is chosen.
    pub(super) fn new(request: &'r Request<'a>, shape: &Shape<'_>, lost: &mut Features) -> Result<Self, Impossible> {
        let subset = request.tool_choice.as_ref().and_then(ToolChoice::subset);
        let (mut all, mut search, mut own_search) = (Vec::new(), request.web_search, false);
        for tool in &request.tools {
            match tool {
                Tool::Function { name, strict, .. } => {
                    if subset.as_ref().is_some_and(|names| !names.contains(&**name)) {
                        continue;
                    }
                    if *strict == Some(true) && !shape.is(Trait::OutputConfig) {
                        lost.insert(Feature::StrictTools);
                    }
                }
                Tool::Custom { name, format, .. } => {
                    if subset.as_ref().is_some_and(|names| !names.contains(&**name)) {
                        continue;
                    }
                    if format.is_some() {
                        lost.insert(Feature::CustomTools);
                    }
                }
                Tool::Hosted { wire: Wire::Messages, web_search, .. }
                    if !(*web_search && shape.lacks(Capability::WebSearch)) =>
                {
                    own_search |= web_search;
                }
                Tool::Hosted { web_search: true, .. } => {
                    search = true;
                    continue;
                }
                Tool::Hosted { .. } => {
                    return Err(Impossible {
                        feature: Feature::HostedTools,
                        rule: "a tool that another vendor runs cannot be called here",
                    });
                }
            }
            all.push(tool);
        }
        if search && shape.lacks(Capability::WebSearch) {
            lost.insert(Feature::WebSearch);
            search = false;
        }
        // A choice of a type that only Anthropic knows is written again as it is.
        let raw_choice =
            request.foreign.iter().any(|foreign| foreign.wire == Wire::Messages && foreign.name == "tool_choice");
        let one_at_a_time = request.parallel_calls == Some(false) && !raw_choice;
        let mut tools = Self { all, search: search && !own_search, choice: None, one_at_a_time };
        tools.choose(request, shape, lost);
        Ok(tools)
    }

    fn choose(&mut self, request: &'r Request<'a>, shape: &Shape<'_>, lost: &mut Features) {
        let choice = match &request.tool_choice {
            None => None,
            Some(ToolChoice::Auto | ToolChoice::Some(_)) => Some(Choice::Auto),
            Some(ToolChoice::None) => Some(Choice::None),
            Some(ToolChoice::Required | ToolChoice::SomeRequired(_)) => Some(Choice::Any),
            Some(ToolChoice::One(name)) => Some(Choice::Tool(name)),
        };
        let forced = matches!(choice, Some(Choice::Any | Choice::Tool(_)));
        if self.is_empty() {
            // A choice without tools is refused.
            if forced {
                lost.insert(Feature::ToolChoice);
            }
            return;
        }
        self.choice = choice;
        if forced && shape.is(Trait::NoForcedToolUse) {
            lost.insert(Feature::ToolChoice);
            self.unforce();
        }
    }

    /// Whether a tool is forced.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.choice, Some(Choice::Any | Choice::Tool(_)))
    }

    /// Leaves the choice to the model.
    pub(super) fn unforce(&mut self) {
        self.choice = Some(Choice::Auto);
    }

    /// Whether none is written.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && !self.search
    }

    /// Writes `tools` and `tool_choice`. `mark` decides on each cache mark.
    pub(super) fn write(
        &self,
        writer: &mut Writer,
        shape: &Shape<'_>,
        mark: &mut dyn FnMut(Option<CacheMark>) -> Option<CacheMark>,
    ) {
        if self.is_empty() {
            return;
        }
        writer.key("tools").array(|writer| {
            for tool in &self.all {
                write_tool(writer, tool, shape, mark);
            }
            if self.search {
                writer.raw(WEB_SEARCH);
            }
        });
        let choice = match &self.choice {
            None if self.one_at_a_time => &Choice::Auto,
            None => return,
            Some(choice) => choice,
        };
        writer.key("tool_choice").object(|writer| {
            let kind = match choice {
                Choice::Auto => "auto",
                Choice::Any => "any",
                Choice::None => "none",
                Choice::Tool(_) => "tool",
            };
            writer.key("type").string(kind);
            if let Choice::Tool(name) = choice {
                writer.key("name").string(name);
            }
            if self.one_at_a_time && *choice != Choice::None {
                writer.key("disable_parallel_tool_use").bool(true);
            }
        });
    }
}

fn write_tool(
    writer: &mut Writer,
    tool: &Tool<'_>,
    shape: &Shape<'_>,
    mark: &mut dyn FnMut(Option<CacheMark>) -> Option<CacheMark>,
) {
    match tool {
        Tool::Function { name, description, parameters, strict, cache } => {
            let strict = strict.filter(|_| shape.is(Trait::OutputConfig));
            let mark = mark(*cache);
            function(writer, name, description.as_ref(), |writer| {
                if !writer.discards() {
                    let schema = schema::of_input(parameters.as_ref(), strict == Some(true));
                    writer.key("input_schema").raw(&schema);
                }
                if let Some(strict) = strict {
                    writer.key("strict").bool(strict);
                }
                cache_control(writer, mark);
            });
        }
        // Only when nobody made a function of it: one string goes in.
        Tool::Custom { name, description, .. } => function(writer, name, description.as_ref(), |writer| {
            const SCHEMA: &[u8] = br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
            writer.key("input_schema").json(&Json(Cow::Borrowed(SCHEMA)));
        }),
        Tool::Hosted { raw, .. } => writer.json(raw),
    }
}

fn function(writer: &mut Writer, name: &str, description: Option<&Prose<'_>>, rest: impl FnOnce(&mut Writer)) {
    writer.object(|writer| {
        writer.key("name").string(name);
        if let Some(description) = description.filter(|text| !text.is_empty()) {
            writer.key("description").prose(description);
        }
        rest(writer);
    });
}
