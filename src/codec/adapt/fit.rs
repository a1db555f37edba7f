//! A request fitted to a target, before its wire writes it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::chat::feature::{Feature, Features};
use crate::chat::part::{Call, CallKind, CallResult, Content, Part};
use crate::chat::prose::Prose;
use crate::chat::request::{Request, Tool, ToolChoice};
use crate::chat::wire::Wire;
use crate::codec::adapt::name::{IdRule, fit_id, fit_name};
use crate::codec::adapt::undo::Undo;
use crate::codec::adapt::{custom, order, schema, seal};
use crate::codec::meter::count_of;
use crate::codec::wire::{Grammar, Shape};

/// A fitted request, and what the answer must be put back by.
pub struct Fitted<'r, 'a> {
    /// The request; the same one where nothing had to change.
    pub request: Cow<'r, Request<'a>>,
    /// How the answer is put back.
    pub undo: Undo,
    /// What was lost.
    pub lost: Features,
}

/// Fits a request to a wire and a target.
pub fn fit<'r, 'a>(request: &'r Request<'a>, wire: Wire, grammar: Grammar, shape: &Shape<'_>) -> Fitted<'r, 'a> {
    // OpenAI's own chat completions have custom tools; those of its many imitators do not.
    let own = wire == Wire::Chat && matches!(shape.vendor, "openai" | "azure");
    let grammar = Grammar { custom_tools: grammar.custom_tools || own, ..grammar };
    let rules = Rules { wire, grammar, ids: IdRule::of(grammar, shape.vendor) };
    let emulates = schema::must_emulate(request, wire, shape);
    let mut fitted = Fitted { request: Cow::Borrowed(request), undo: Undo::default(), lost: Features::NONE };
    let disordered = order::must_mend(request);
    let probabilities = request.sampling.logprobs.is_some();
    if !emulates && !disordered && !probabilities && !rules.touch(request) {
        return fitted;
    }
    let mut owned = request.clone();
    if disordered {
        order::mend(&mut owned);
    }
    if probabilities {
        // Each vendor has a shape of its own for them, and none is translated.
        owned.sampling.logprobs = None;
        fitted.lost.insert(Feature::Logprobs);
    }
    if emulates {
        fitted.undo.schema_tool = schema::emulate(&mut owned, shape, &mut fitted.lost);
    }
    rules.tools(&mut owned, &mut fitted);
    let names = by_own(&fitted.undo);
    for part in owned.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        rules.part(part, &names);
    }
    fitted.request = Cow::Owned(owned);
    fitted
}

/// Changed names of tools, by the client's own.
type Names<'u> = HashMap<&'u str, &'u str>;

fn by_own(undo: &Undo) -> Names<'_> {
    undo.names.iter().map(|(fit, own)| (own.as_str(), fit.as_str())).collect()
}

struct Rules {
    wire: Wire,
    grammar: Grammar,
    ids: IdRule,
}

impl Rules {
    /// Whether anything of a request has to change.
    fn touch(&self, request: &Request<'_>) -> bool {
        let tool = |tool: &Tool<'_>| match tool {
            Tool::Function { name, .. } => *fit_name(name, self.grammar.tool_name) != **name,
            Tool::Custom { .. } => !self.grammar.custom_tools,
            Tool::Hosted { .. } => false,
        };
        let part = |part: &Part<'_>| match &part.content {
            Content::Call(call) => {
                self.id(&call.id) != call.id
                    || seal::split(&call.id).1.is_some()
                    || *fit_name(&call.name, self.grammar.tool_name) != *call.name
                    || (call.kind == CallKind::Custom && !self.grammar.custom_tools)
            }
            Content::Result(result) => {
                self.id(&result.id) != result.id || (result.kind == CallKind::Custom && !self.grammar.custom_tools)
            }
            Content::Text { .. }
            | Content::Media(_)
            | Content::Thought(_)
            | Content::Refusal(_)
            | Content::Foreign { .. } => false,
        };
        request.tools.iter().any(tool) || request.turns.iter().flat_map(|turn| &turn.parts).any(part)
    }

    fn id<'a>(&self, id: &Cow<'a, str>) -> Cow<'a, str> {
        fit_id(&seal::without(id), self.ids)
    }

    /// Tools and the choice among them; notes what the answer's names and custom calls must be put back to.
    fn tools(&self, request: &mut Request<'_>, fitted: &mut Fitted<'_, '_>) {
        let rename = |name: &mut Cow<'_, str>, undo: &mut Undo| {
            let fit = fit_name(name, self.grammar.tool_name).into_owned();
            if fit != **name {
                undo.names.push((fit.clone(), name.to_string()));
                *name = Cow::Owned(fit);
            }
        };
        for tool in &mut request.tools {
            match tool {
                Tool::Function { name, .. } => rename(name, &mut fitted.undo),
                Tool::Custom { name, description, format } if !self.grammar.custom_tools => {
                    rename(name, &mut fitted.undo);
                    if format.is_some() {
                        fitted.lost.insert(Feature::CustomTools);
                    }
                    fitted.undo.custom.push(name.to_string());
                    *tool = Tool::Function {
                        name: std::mem::take(name),
                        description: description.take(),
                        parameters: Some(schema::free_text()),
                        strict: None,
                        cache: None,
                    };
                }
                Tool::Custom { name, .. } => rename(name, &mut fitted.undo),
                Tool::Hosted { .. } => {}
            }
        }
        let names = &by_own(&fitted.undo);
        match &mut request.tool_choice {
            Some(ToolChoice::One(name)) => renamed(name, names),
            Some(ToolChoice::Some(all) | ToolChoice::SomeRequired(all)) => {
                all.iter_mut().for_each(|name| renamed(name, names));
            }
            Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Required) | None => {}
        }
    }

    fn part(&self, part: &mut Part<'_>, names: &Names<'_>) {
        match &mut part.content {
            Content::Call(call) => self.call(call, names),
            Content::Result(result) => self.result(result, names),
            Content::Text { .. }
            | Content::Media(_)
            | Content::Thought(_)
            | Content::Refusal(_)
            | Content::Foreign { .. } => {}
        }
    }

    fn call(&self, call: &mut Call<'_>, names: &Names<'_>) {
        if self.wire == Wire::Gemini && call.signature.is_none() {
            call.signature = seal::split(&call.id).1.map(Cow::Owned);
        }
        call.id = self.id(&call.id);
        renamed(&mut call.name, names);
        call.name = fit_name(&call.name, self.grammar.tool_name);
        if call.kind == CallKind::Custom && !self.grammar.custom_tools {
            call.kind = CallKind::Function;
            call.arguments = custom::arguments(&call.arguments);
        }
    }

    fn result(&self, result: &mut CallResult<'_>, names: &Names<'_>) {
        result.id = self.id(&result.id);
        if let Some(name) = &mut result.name {
            renamed(name, names);
        }
        if !self.grammar.custom_tools {
            result.kind = CallKind::Function;
        }
    }
}

fn renamed(name: &mut Cow<'_, str>, names: &Names<'_>) {
    if let Some(fit) = names.get(&**name) {
        *name = Cow::Owned((*fit).to_owned());
    }
}

/// About how many bytes the text of a request is, so that its encoding needs no second allocation.
pub fn size_hint(request: &Request<'_>) -> usize {
    let of_part = |part: &Part<'_>| match &part.content {
        Content::Text { text, .. } => text.len(),
        Content::Call(call) => call.arguments.len() * 2,
        Content::Result(result) => {
            let texts = result.parts.iter().map(|part| match &part.content {
                Content::Text { text, .. } => text.len(),
                _ => 0,
            });
            texts.sum()
        }
        Content::Thought(thought) => thought.text.len(),
        Content::Refusal(text) => usize::try_from(count_of(text).ascii).unwrap_or(0),
        Content::Media(_) | Content::Foreign { .. } => 0,
    };
    let turns: usize = request.turns.iter().flat_map(|turn| &turn.parts).map(|part| of_part(part) + 64).sum();
    let of_tool = |tool: &Tool<'_>| match tool {
        Tool::Function { parameters, description, .. } => {
            parameters.as_ref().map_or(0, |json| json.bytes().len()) + description.as_ref().map_or(0, Prose::len) + 96
        }
        Tool::Custom { .. } | Tool::Hosted { .. } => 256,
    };
    turns + request.tools.iter().map(of_tool).sum::<usize>() + 256
}
