//! Writes a request's settings and tools. The conversation is written beside it (see `compose_item`).

use std::borrow::Cow;
use std::collections::HashSet;

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::Content;
use crate::chat::prose::Json;
use crate::chat::request::{Depth, Foreign, Output, Request, Tool, ToolChoice};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::effort::effort_of;
use crate::codec::responses::compose_item::{leading_instructions, write_input, write_instructions};
use crate::codec::responses::composer::{Composer, impossible};
use crate::codec::responses::setting::ENCRYPTED;
use crate::codec::responses::value::Members;
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

/// The smallest `max_output_tokens` that OpenAI takes.
const LEAST_OUTPUT: u64 = 16;

/// Writes a request.
pub(super) fn encode(request: &Request<'_>, shape: &Shape<'_>, writer: &mut Writer) -> Result<Features, Impossible> {
    let mut composer = Composer::new(request, shape);
    composer.foreign_features()?;
    let mut result = Ok(());
    writer.object(|writer| result = composer.members(writer));
    result.map(|()| composer.lost)
}

/// Tools that are written as they are, and whether the vendor's web search joins them.
type ShownTools<'r, 'a> = (Vec<&'r Tool<'a>>, bool);

impl<'r, 'a> Composer<'r, 'a> {
    fn members(&mut self, writer: &mut Writer) -> Result<(), Impossible> {
        let request = self.request;
        writer.key("model").string(self.shape.model);
        let instructions = leading_instructions(self);
        if let Some(turn) = instructions {
            write_instructions(self, turn, writer);
        }
        write_input(self, instructions.is_some(), writer)?;
        let has_tools = self.tools(writer)?;
        self.tool_choice(has_tools, writer);
        self.sampling(writer)?;
        self.reasoning(writer);
        self.text(writer);
        self.storing(writer);
        self.records(writer);
        if request.stream {
            writer.key("stream").bool(true);
        }
        for member in self.own().filter(|member| !member.name.contains('.')) {
            writer.key(&member.name).json(&member.value);
        }
        Ok(())
    }

    /// Members of other formats: lost, or in the way.
    fn foreign_features(&mut self) -> Result<(), Impossible> {
        for member in self.request.foreign.iter().filter(|member| member.wire != Wire::Responses) {
            let rule = match member.feature {
                Feature::Conversation => "a stored conversation stays with its vendor",
                Feature::PromptTemplate => "a stored prompt stays with its vendor",
                Feature::StoredFile => "a stored file stays with its vendor",
                Feature::Background => "an answer in the background stays with its vendor",
                Feature::HostedTools => "a tool that one vendor runs is not run by another",
                Feature::AudioOut => "the responses API makes no sound",
                Feature::TokenInput => "the responses API takes no token input",
                feature => {
                    self.lose(feature);
                    continue;
                }
            };
            return Err(impossible(member.feature, rule));
        }
        Ok(())
    }

    /// Writes `tools`; whether there are any.
    fn tools(&mut self, writer: &mut Writer) -> Result<bool, Impossible> {
        let (tools, searches) = self.shown_tools()?;
        if tools.is_empty() && !searches {
            return Ok(false);
        }
        writer.key("tools").array(|writer| {
            for tool in tools {
                match tool {
                    Tool::Hosted { raw, .. } => writer.json(raw),
                    Tool::Function { .. } | Tool::Custom { .. } => self.tool(tool, writer),
                }
            }
            if searches {
                writer.object(|writer| writer.key("type").string("web_search"));
            }
        });
        Ok(true)
    }

    /// The tools that are written as they are, and whether the vendor's web search joins them.
    fn shown_tools(&mut self) -> Result<ShownTools<'r, 'a>, Impossible> {
        let (mut searches, mut own_search) = (self.request.web_search, false);
        let lacks_search = self.shape.lacks(Capability::WebSearch);
        let mut tools = Vec::with_capacity(self.request.tools.len());
        for tool in &self.request.tools {
            match tool {
                Tool::Hosted { wire, web_search: true, .. } => {
                    searches = true;
                    if *wire == Wire::Responses && !lacks_search {
                        own_search = true;
                        tools.push(tool);
                    }
                }
                Tool::Hosted { wire: Wire::Responses, .. } | Tool::Function { .. } | Tool::Custom { .. } => {
                    tools.push(tool);
                }
                Tool::Hosted { .. } => {
                    let rule = "a tool that one vendor runs is not run by another";
                    return Err(impossible(Feature::HostedTools, rule));
                }
            }
        }
        if searches && lacks_search {
            self.lose(Feature::WebSearch);
        }
        Ok((tools, searches && !lacks_search && !own_search))
    }

    fn tool(&mut self, tool: &Tool<'_>, writer: &mut Writer) {
        writer.object(|writer| match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                if cache.is_some() {
                    self.lose(Feature::CacheMark);
                }
                writer.key("type").string("function");
                writer.key("name").string(name);
                if let Some(description) = description {
                    writer.key("description").prose(description);
                }
                match parameters {
                    Some(schema) => writer.key("parameters").json(schema),
                    None => writer.key("parameters").raw(br#"{"type":"object","properties":{}}"#),
                }
                // OpenAI takes an absent `strict` for true and then rewrites the schema.
                writer.key("strict").bool(strict.unwrap_or(false));
            }
            Tool::Custom { name, description, format } => {
                writer.key("type").string("custom");
                writer.key("name").string(name);
                if let Some(description) = description {
                    writer.key("description").prose(description);
                }
                if let Some(format) = format {
                    write_format(writer.key("format"), format);
                }
            }
            Tool::Hosted { .. } => {}
        });
    }

    fn tool_choice(&mut self, has_tools: bool, writer: &mut Writer) {
        let request = self.request;
        if !has_tools {
            match request.tool_choice {
                None | Some(ToolChoice::Auto | ToolChoice::None) => {}
                Some(_) => self.lose(Feature::ToolChoice),
            }
            return;
        }
        if let Some(parallel) = request.parallel_calls {
            writer.key("parallel_tool_calls").bool(parallel);
        }
        let Some(choice) = request.tool_choice.as_ref().filter(|_| !self.has_own("tool_choice")) else { return };
        let forced = matches!(choice, ToolChoice::Required | ToolChoice::One(_) | ToolChoice::SomeRequired(_));
        if forced && self.shape.is(Trait::NoForcedToolUse) {
            self.lose(Feature::ToolChoice);
            return;
        }
        let custom: HashSet<&str> = self.request.tools.iter().filter_map(custom_name).collect();
        writer.key("tool_choice");
        match choice {
            ToolChoice::Auto => writer.string("auto"),
            ToolChoice::None => writer.string("none"),
            ToolChoice::Required => writer.string("required"),
            ToolChoice::One(name) => named(name, &custom, writer),
            ToolChoice::Some(names) => allowed("auto", names, &custom, writer),
            ToolChoice::SomeRequired(names) => allowed("required", names, &custom, writer),
        }
    }

    fn sampling(&mut self, writer: &mut Writer) -> Result<(), Impossible> {
        let request = self.request;
        let sampling = &request.sampling;
        if sampling.choices.is_some_and(|choices| choices > 1) {
            return Err(impossible(Feature::Choices, "the responses API gives one answer"));
        }
        if let Some(most) = request.max_output {
            let most = self.shape.max_output.map_or(most, |limit| most.min(limit));
            writer.key("max_output_tokens").number(most.max(LEAST_OUTPUT));
        }
        let fixed = self.shape.is(Trait::NoSamplingParams);
        match sampling.temperature {
            // One is what such models do anyway.
            Some(temperature) if fixed && temperature != 1.0 => self.lose(Feature::Temperature),
            Some(temperature) if !fixed => writer.key("temperature").float(temperature.clamp(0.0, 2.0)),
            _ => {}
        }
        match sampling.top_p {
            Some(top_p) if fixed && top_p != 1.0 => self.lose(Feature::TopP),
            Some(top_p) if !fixed => writer.key("top_p").float(top_p),
            _ => {}
        }
        let asked = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
        let absent = [
            (sampling.top_k.is_some(), Feature::TopK),
            (asked(sampling.frequency_penalty), Feature::FrequencyPenalty),
            (asked(sampling.presence_penalty), Feature::PresencePenalty),
            (sampling.seed.is_some(), Feature::Seed),
            (!sampling.stop.is_empty(), Feature::Stop),
            // The form between the formats has no place for probabilities in answers, so asking would be for nothing.
            (sampling.logprobs.is_some(), Feature::Logprobs),
            (request.cache_all.is_some(), Feature::CacheMark),
        ];
        absent.into_iter().filter(|(asked, _)| *asked).for_each(|(_, feature)| self.lose(feature));
        Ok(())
    }

    /// The effort's word; `None` leaves it to the model.
    fn effort(&mut self) -> Option<&'static str> {
        let depth = self.request.reasoning.depth?;
        let effort = match depth {
            Depth::Off | Depth::Budget(0) => None,
            Depth::Effort(effort) => Some(effort),
            Depth::Budget(budget) => Some(effort_of(budget)),
            Depth::Adaptive => {
                if self.shape.lacks(Capability::Reasoning) {
                    self.lose(Feature::ReasoningDepth);
                }
                return None;
            }
        };
        if self.shape.lacks(Capability::Reasoning) || self.shape.is(Trait::NoReasoningEffort) {
            // A model that does not think need not be told so.
            if effort.is_some() || !self.shape.lacks(Capability::Reasoning) {
                self.lose(Feature::ReasoningDepth);
            }
            return None;
        }
        if effort.is_none() && self.shape.is(Trait::ThinkingAlwaysOn) {
            self.lose(Feature::ReasoningDepth);
            return Some("low");
        }
        Some(effort.map_or("none", |effort| effort.name()))
    }

    fn reasoning(&mut self, writer: &mut Writer) {
        let effort = self.effort();
        let shown = self.request.reasoning.shown == Some(true) && !self.shape.lacks(Capability::Reasoning);
        let own = |member: &&Foreign<'a>| member.name.starts_with("reasoning.");
        if effort.is_none() && !shown && !self.own().any(|member| own(&member)) {
            return;
        }
        writer.key("reasoning").object(|writer| {
            if let Some(effort) = effort {
                writer.key("effort").string(effort);
            }
            if shown {
                writer.key("summary").string("auto");
            }
            for member in self.own().filter(own) {
                writer.key(member.name.trim_start_matches("reasoning.")).json(&member.value);
            }
        });
    }

    fn text(&mut self, writer: &mut Writer) {
        let request = self.request;
        let own = self.own().find(|member| member.name == "text.format").map(|member| &member.value);
        if matches!(request.output, Output::Text) && request.verbosity.is_none() && own.is_none() {
            return;
        }
        writer.key("text").object(|writer| {
            match (&request.output, own) {
                (_, Some(format)) => writer.key("format").json(format),
                (Output::Text, None) => {}
                (Output::Json, None) => writer.key("format").raw(br#"{"type":"json_object"}"#),
                (Output::Schema { name, description, schema, strict }, None) => {
                    writer.key("format").object(|writer| {
                        writer.key("type").string("json_schema");
                        // The API wants a name and other formats have none.
                        writer.key("name").string(name.as_deref().unwrap_or("answer"));
                        writer.key("schema").json(schema);
                        if let Some(description) = description {
                            writer.key("description").prose(description);
                        }
                        if let Some(strict) = strict {
                            writer.key("strict").bool(*strict);
                        }
                    });
                }
            }
            if let Some(verbosity) = &request.verbosity {
                writer.key("verbosity").string(verbosity);
            }
        });
    }

    /// `store` and `include`: what Weir sends for other formats' clients is not stored, so that thoughts must come sealed.
    fn storing(&mut self, writer: &mut Writer) {
        writer.key("store").bool(self.request.store.unwrap_or(false));
        if self.thinks() && !self.has_own("include") {
            writer.key("include").array(|writer| writer.string(ENCRYPTED));
        }
    }

    /// Whether the target thinks as far as anybody knows: others refuse to be asked for sealed thoughts.
    fn thinks(&self) -> bool {
        let depth = self.request.reasoning.depth;
        if matches!(depth, Some(Depth::Off | Depth::Budget(0))) {
            return false;
        }
        let sealed = || {
            let parts = self.request.turns.iter().flat_map(|turn| &turn.parts);
            let seals = parts.filter_map(|part| match &part.content {
                Content::Thought(thought) => thought.seal.as_ref(),
                _ => None,
            });
            seals.into_iter().any(|seal| seal.wire == Wire::Responses)
        };
        match self.shape.capabilities {
            Some(capabilities) => capabilities.has(Capability::Reasoning),
            None => depth.is_some() || sealed(),
        }
    }

    fn records(&mut self, writer: &mut Writer) {
        let request = self.request;
        if let Some(user) = &request.user {
            let openai = matches!(self.shape.vendor, "" | "openai" | "azure");
            writer.key(if openai { "safety_identifier" } else { "user" }).prose(user);
        }
        if let Some(key) = &request.cache_key {
            writer.key("prompt_cache_key").prose(key);
        }
        if let Some(metadata) = &request.metadata {
            writer.key("metadata").json(metadata);
        }
        match request.service_tier.as_deref() {
            None => {}
            Some(tier @ ("auto" | "default" | "flex" | "scale" | "priority" | "fast")) => {
                writer.key("service_tier").string(tier);
            }
            Some("standard" | "standard_only") => writer.key("service_tier").string("default"),
            Some(_) => self.lose(Feature::ServiceTier),
        }
    }
}

/// Writes the format of a custom tool: a grammar's members stand beside its type, not in a `grammar` of their own.
fn write_format(writer: &mut Writer, format: &Json<'_>) {
    let nested = Members::whole(format.bytes()).ok().and_then(|format| format.object("grammar"));
    let Some(grammar) = nested else { return writer.json(format) };
    writer.object(|writer| {
        writer.key("type").string("grammar");
        for name in ["syntax", "definition"] {
            if let Some(value) = grammar.get(name) {
                writer.key(name).json(&value.json());
            }
        }
    });
}

fn allowed(mode: &str, names: &[Cow<'_, str>], custom: &HashSet<&str>, writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("type").string("allowed_tools");
        writer.key("mode").string(mode);
        writer.key("tools").array(|writer| names.iter().for_each(|name| named(name, custom, writer)));
    });
}

fn named(wanted: &str, custom: &HashSet<&str>, writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("type").string(if custom.contains(wanted) { "custom" } else { "function" });
        writer.key("name").string(wanted);
    });
}

fn custom_name<'t>(tool: &'t Tool<'_>) -> Option<&'t str> {
    match tool {
        Tool::Custom { name, .. } => Some(name),
        Tool::Function { .. } | Tool::Hosted { .. } => None,
    }
}
