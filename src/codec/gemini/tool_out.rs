//! The tools of a request and the choice among them, as they are written.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::chat::capability::Capability;
use crate::chat::feature::Feature;
use crate::chat::request::{Foreign, Request, Tool, ToolChoice};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::gemini::plan::Target;
use crate::codec::gemini::tool_in::MODE;
use crate::codec::wire::Impossible;
use crate::codec::writer::Writer;

/// The tools that a request leaves to the model.
#[derive(Debug, Default)]
pub struct Tools<'r> {
    functions: Vec<&'r Tool<'r>>,
    hosted: Vec<&'r [u8]>,
    search: bool,
    mode: Option<&'static str>,
    allowed: Vec<&'r str>,
    foreign: Vec<&'r Foreign<'r>>,
}

impl<'r> Tools<'r> {
    /// Chooses what is written.
    ///
    /// # Errors
    /// Tools that another vendor runs.
    pub fn of(request: &'r Request<'r>, target: &mut Target<'_>) -> Result<Self, Impossible> {
        let mut tools = Self { search: request.web_search, ..Self::default() };
        for tool in &request.tools {
            tools.add(tool, target)?;
        }
        if tools.search && target.shape.lacks(Capability::WebSearch) {
            target.lost.insert(Feature::WebSearch);
            tools.search = false;
        }
        if tools.searches() && !tools.functions.is_empty() && !target.generation.is_3() {
            // Older models refuse the two together.
            target.lost.insert(Feature::WebSearch);
            tools.search = false;
            tools.hosted.clear();
        }
        tools.foreign = request.foreign.iter().filter(|one| is_config(one)).collect();
        tools.choose(request, target);
        if request.parallel_calls == Some(false) && !tools.functions.is_empty() {
            target.lost.insert(Feature::ParallelCalls);
        }
        Ok(tools)
    }

    /// Whether there are functions.
    pub fn has_functions(&self) -> bool {
        !self.functions.is_empty()
    }

    fn searches(&self) -> bool {
        self.search || !self.hosted.is_empty()
    }

    fn add(&mut self, tool: &'r Tool<'r>, target: &mut Target<'_>) -> Result<(), Impossible> {
        match tool {
            Tool::Function { strict, cache, .. } => {
                if *strict == Some(true) {
                    target.lost.insert(Feature::StrictTools);
                }
                target.lose_mark(*cache);
                self.functions.push(tool);
            }
            // `adapt` makes functions of them.
            Tool::Custom { .. } => target.lost.insert(Feature::CustomTools),
            Tool::Hosted { web_search: true, .. } if target.shape.lacks(Capability::WebSearch) => self.search = true,
            Tool::Hosted { wire: Wire::Gemini, raw, .. } => self.hosted.push(raw.bytes()),
            Tool::Hosted { web_search: true, .. } => self.search = true,
            Tool::Hosted { .. } => {
                return Err(Impossible {
                    feature: Feature::HostedTools,
                    rule: "a tool that another vendor runs cannot be had here",
                });
            }
        }
        Ok(())
    }

    fn choose(&mut self, request: &'r Request<'r>, target: &mut Target<'_>) {
        let validated = self.foreign.iter().any(|one| one.name == MODE);
        let Some(choice) = &request.tool_choice else {
            if validated {
                self.mode = Some("VALIDATED");
            }
            return;
        };
        if self.functions.is_empty() {
            return;
        }
        let forced = matches!(choice, ToolChoice::Required | ToolChoice::One(_) | ToolChoice::SomeRequired(_));
        if forced && target.shape.is(Trait::NoForcedToolUse) {
            target.lost.insert(Feature::ToolChoice);
        }
        self.mode = Some(match choice {
            ToolChoice::None => "NONE",
            _ if forced && !target.shape.is(Trait::NoForcedToolUse) => "ANY",
            _ if validated => "VALIDATED",
            _ => "AUTO",
        });
        match choice {
            ToolChoice::One(name) if self.mode == Some("ANY") => self.allowed.push(name),
            ToolChoice::SomeRequired(names) | ToolChoice::Some(names) => {
                let subset = choice.subset().unwrap_or_default();
                if matches!(self.mode, Some("ANY" | "VALIDATED")) {
                    self.allowed.extend(names.iter().map(Cow::as_ref));
                } else {
                    // `AUTO` takes no names: the others are not shown.
                    self.functions.retain(|tool| named(tool, &subset));
                }
            }
            _ => {}
        }
    }

    /// Writes `tools` and `toolConfig`.
    pub fn write(&self, writer: &mut Writer) {
        if self.has_functions() || self.searches() {
            writer.key("tools").array(|writer| {
                if self.has_functions() {
                    writer.object(|writer| {
                        writer.key("functionDeclarations").array(|writer| {
                            self.functions.iter().for_each(|tool| function(writer, tool));
                        });
                    });
                }
                self.hosted.iter().for_each(|raw| writer.raw(raw));
                if self.search && !self.hosted.iter().any(|raw| raw.starts_with(b"{\"googleSearch\"")) {
                    writer.object(|writer| writer.key("googleSearch").object(|_| {}));
                }
            });
        }
        let others = || self.foreign.iter().filter_map(|one| Some((one.name.strip_prefix(CONFIG)?, one)));
        let plain = |name: &str| !name.contains('.');
        if self.mode.is_none() && !others().any(|(name, _)| plain(name)) {
            return;
        }
        writer.key("toolConfig").object(|writer| {
            if let Some(mode) = self.mode {
                writer.key("functionCallingConfig").object(|writer| {
                    writer.key("mode").string(mode);
                    if !self.allowed.is_empty() {
                        let names = writer.key("allowedFunctionNames");
                        names.array(|names| self.allowed.iter().for_each(|name| names.string(name)));
                    }
                });
            }
            for (name, one) in others().filter(|(name, _)| plain(name)) {
                writer.key(name).json(&one.value);
            }
        });
    }
}

const CONFIG: &str = "toolConfig.";

fn is_config(one: &Foreign<'_>) -> bool {
    one.wire == Wire::Gemini && one.name.starts_with(CONFIG)
}

fn named(tool: &Tool<'_>, names: &HashSet<&str>) -> bool {
    matches!(tool, Tool::Function { name, .. } if names.contains(&**name))
}

fn function(writer: &mut Writer, tool: &Tool<'_>) {
    let Tool::Function { name, description, parameters, .. } = tool else { return };
    writer.object(|writer| {
        writer.key("name").string(name);
        if let Some(description) = description {
            writer.key("description").prose(description);
        }
        if let Some(parameters) = parameters {
            writer.key("parametersJsonSchema").json(parameters);
        }
    });
}
