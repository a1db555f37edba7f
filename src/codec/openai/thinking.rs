//! Writes how much a model is to think, in the words of its vendor. Not thoughts themselves.

use crate::chat::capability::Capability;
use crate::chat::feature::Feature;
use crate::chat::request::{Depth, Effort, Reasoning, Tool};
use crate::chat::traits::Trait;
use crate::codec::effort::{as_budget, as_effort};
use crate::codec::openai::model;
use crate::codec::openai::target::Target;
use crate::codec::openai::vendor::Format;
use crate::codec::writer::Writer;

/// What a request says that thinking depends on.
#[derive(Clone, Copy)]
pub(super) struct Wish<'r> {
    pub(super) reasoning: Reasoning,
    pub(super) tools: &'r [Tool<'r>],
    pub(super) stream: bool,
}

/// Writes the members of the target's thinking format.
pub(super) fn write(writer: &mut Writer, wish: Wish<'_>, target: &mut Target<'_>) {
    let Reasoning { depth, shown } = wish.reasoning;
    let calls = wish.tools.iter().any(|tool| matches!(tool, Tool::Function { .. }));
    if calls && model::reasons_or_calls(target.shape) {
        // Functions are refused otherwise, and an effort that is left out counts as one.
        if depth != Some(Depth::Off) {
            target.lose(Feature::ReasoningDepth);
        }
        return writer.key("reasoning_effort").string("none");
    }
    let format = target.vendor.format(target.shape);
    if target.shape.vendor == "groq" && shown == Some(false) {
        writer.key("include_reasoning").bool(false);
    }
    if target.shape.vendor == "minimax" {
        // Thoughts apart from the text, which they would open otherwise.
        writer.key("reasoning_split").bool(true);
    }
    if format == Format::Qwen && !wish.stream && target.shape.model.contains("qwen3") {
        return qwen_unary(writer, depth, target);
    }
    let Some(depth) = depth.filter(|depth| thinks(*depth, target)) else {
        if (format, shown) == (Format::OpenRouter, Some(false)) {
            writer.key("reasoning").object(|writer| writer.key("exclude").bool(true));
        }
        return;
    };
    match format {
        Format::Effort => effort(writer, depth, target),
        Format::OpenRouter => openrouter(writer, depth, shown),
        Format::DeepSeek => {
            switch(writer, depth);
            if !target.shape.is(Trait::NoReasoningEffort) {
                effort_of_some(writer, depth, target);
            }
        }
        Format::Switch => switch(writer, depth),
        Format::Qwen => {
            writer.key("enable_thinking").bool(as_budget(depth) != Some(0));
            if let Some(budget) = as_budget(depth).filter(|budget| *budget > 0) {
                writer.key("thinking_budget").number(budget);
            }
        }
        Format::Together => {
            writer.key("reasoning").object(|writer| writer.key("enabled").bool(as_effort(depth).is_some()));
            if !target.shape.is(Trait::NoReasoningEffort) {
                effort_of_some(writer, depth, target);
            }
        }
        Format::Template => writer.key("chat_template_kwargs").object(|writer| {
            writer.key("enable_thinking").bool(as_effort(depth).is_some());
        }),
    }
}

/// Whether the model thinks at all, as far as is known; a wish for thoughts is lost on one that does not.
fn thinks(depth: Depth, target: &mut Target<'_>) -> bool {
    let lacks = target.shape.lacks(Capability::Reasoning);
    if lacks && as_effort(depth).is_some() {
        target.lose(Feature::ReasoningDepth);
    }
    !lacks
}

fn effort(writer: &mut Writer, depth: Depth, target: &mut Target<'_>) {
    if target.shape.is(Trait::NoReasoningEffort) || target.vendor.refuses(Feature::ReasoningDepth) {
        return target.lose(Feature::ReasoningDepth);
    }
    match as_effort(depth) {
        Some(effort) => writer.key("reasoning_effort").string(model::word_of(effort, target.shape)),
        None => {
            let word = model::word_of_none(target.shape).filter(|_| !target.shape.is(Trait::ThinkingAlwaysOn));
            if word.is_none() {
                target.lose(Feature::ReasoningDepth);
            }
            let least = model::word_of(Effort::Minimal, target.shape);
            writer.key("reasoning_effort").string(word.unwrap_or(least));
        }
    }
}

fn effort_of_some(writer: &mut Writer, depth: Depth, target: &Target<'_>) {
    if let Some(effort) = as_effort(depth) {
        writer.key("reasoning_effort").string(model::word_of(effort, target.shape));
    }
}

fn switch(writer: &mut Writer, depth: Depth) {
    writer.key("thinking").object(|writer| {
        writer.key("type").string(if as_effort(depth).is_some() { "enabled" } else { "disabled" });
    });
}

fn openrouter(writer: &mut Writer, depth: Depth, shown: Option<bool>) {
    writer.key("reasoning").object(|writer| {
        match depth {
            Depth::Off => writer.key("enabled").bool(false),
            Depth::Effort(Effort::Max) => writer.key("effort").string(Effort::XHigh.name()),
            Depth::Effort(effort) => writer.key("effort").string(effort.name()),
            Depth::Budget(0) => writer.key("enabled").bool(false),
            Depth::Budget(budget) => writer.key("max_tokens").number(budget),
            Depth::Adaptive => writer.key("enabled").bool(true),
        }
        if shown == Some(false) {
            writer.key("exclude").bool(true);
        }
    });
}

/// Many Qwen3 models think in streams alone and refuse other requests that do not switch it off.
fn qwen_unary(writer: &mut Writer, depth: Option<Depth>, target: &mut Target<'_>) {
    if depth.and_then(as_effort).is_some() {
        target.lose(Feature::ReasoningDepth);
    }
    if !target.shape.model.contains("thinking") {
        writer.key("enable_thinking").bool(false);
    }
}
