//! `generationConfig` as it is written.

use crate::chat::feature::Feature;
use crate::chat::prose::Prose;
use crate::chat::request::{Depth, Effort, Output, Request};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::effort::{as_effort, budget_of};
use crate::codec::gemini::config_in::PREFIX;
use crate::codec::gemini::plan::Target;
use crate::codec::gemini::tool_out::Tools;
use crate::codec::writer::Writer;

/// The most stop sequences that Gemini takes.
const MAX_STOPS: usize = 5;

/// Writes `generationConfig`, when there is anything to write.
pub fn write(writer: &mut Writer, request: &Request<'_>, tools: &Tools<'_>, target: &mut Target<'_>) {
    let mut inner = if writer.discards() { Writer::discarding() } else { Writer::with_capacity(256) };
    inner.object(|writer| {
        sampling(writer, request, target);
        limits(writer, request, target);
        output(writer, request, tools, target);
        thinking(writer, request, target);
        for one in &request.foreign {
            if let (Wire::Gemini, Some(name)) = (one.wire, one.name.strip_prefix(PREFIX)) {
                match name.contains('.') {
                    true => target.lost.insert(one.feature),
                    false => writer.key(name).json(&one.value),
                }
            }
        }
    });
    let bytes = inner.into_bytes();
    if bytes.len() > 2 {
        writer.key("generationConfig").raw(&bytes);
    }
}

fn sampling(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    let sampling = &request.sampling;
    let drawn = !target.shape.is(Trait::NoSamplingParams);
    match sampling.temperature {
        Some(temperature) if drawn => writer.key("temperature").float(temperature.clamp(0.0, 2.0)),
        // Their only temperature.
        None | Some(1.0) => {}
        Some(_) => target.lost.insert(Feature::Temperature),
    }
    match sampling.top_p {
        Some(top_p) if drawn => writer.key("topP").float(top_p),
        None => {}
        Some(_) => target.lost.insert(Feature::TopP),
    }
    match sampling.top_k {
        Some(top_k) if drawn => writer.key("topK").number(top_k),
        None => {}
        Some(_) => target.lost.insert(Feature::TopK),
    }
    penalty(writer, "presencePenalty", sampling.presence_penalty, Feature::PresencePenalty, target);
    penalty(writer, "frequencyPenalty", sampling.frequency_penalty, Feature::FrequencyPenalty, target);
    if let Some(seed) = sampling.seed {
        // 32 bits there; the low ones tell seeds apart as well as any.
        writer.key("seed").integer(i32::try_from(seed).map_or(seed & 0x7fff_ffff, i64::from));
    }
    if let Some(count) = sampling.logprobs {
        writer.key("responseLogprobs").bool(true);
        if count > 0 {
            writer.key("logprobs").number(u64::from(count.min(20)));
        }
    }
}

/// Penalties are refused from Gemini 3 on.
fn penalty(writer: &mut Writer, key: &str, value: Option<f64>, feature: Feature, target: &mut Target<'_>) {
    match value {
        Some(value) if !target.generation.is_3() => writer.key(key).float(value),
        None | Some(0.0) => {}
        Some(_) => target.lost.insert(feature),
    }
}

fn limits(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    if let Some(choices) = request.sampling.choices.filter(|choices| *choices > 1) {
        writer.key("candidateCount").number(u64::from(choices));
    }
    if let Some(limit) = request.max_output {
        // 0 only warms a cache elsewhere, and is refused here.
        writer.key("maxOutputTokens").number(limit.min(target.shape.max_output.unwrap_or(limit)).max(1));
    }
    let stops: Vec<&Prose<'_>> = request.sampling.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if stops.len() > MAX_STOPS {
        target.lost.insert(Feature::Stop);
    }
    if !stops.is_empty() {
        let list = writer.key("stopSequences");
        list.array(|list| stops.iter().take(MAX_STOPS).for_each(|stop| list.prose(stop)));
    }
}

fn output(writer: &mut Writer, request: &Request<'_>, tools: &Tools<'_>, target: &mut Target<'_>) {
    // Models before Gemini 3 refuse functions and JSON output together.
    let refused = tools.has_functions() && !target.generation.is_3();
    match &request.output {
        Output::Text => {}
        Output::Json if refused => target.lost.insert(Feature::JsonObject),
        Output::Schema { .. } if refused => target.lost.insert(Feature::JsonSchema),
        Output::Json => writer.key("responseMimeType").string("application/json"),
        Output::Schema { schema, .. } => {
            writer.key("responseMimeType").string("application/json");
            writer.key("responseJsonSchema").json(schema);
        }
    }
}

fn thinking(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    let shown = request.reasoning.shown;
    let Some(depth) = request.reasoning.depth else {
        if let (Some(shown), true) = (shown, target.generation.thinks()) {
            writer.key("thinkingConfig").object(|writer| writer.key("includeThoughts").bool(shown));
        }
        return;
    };
    let level = match how(depth, target) {
        Some(How::AsItLikes) if shown.is_none() => return,
        Some(how) => how,
        None if as_effort(depth).is_none() => return,
        None => return target.lost.insert(Feature::ReasoningDepth),
    };
    writer.key("thinkingConfig").object(|writer| {
        match level {
            How::Level(level) => writer.key("thinkingLevel").string(level),
            How::Budget(budget) => writer.key("thinkingBudget").integer(budget),
            How::AsItLikes => {}
        }
        // What is switched off has nothing to show.
        if let (Some(shown), false) = (shown, matches!(level, How::Budget(0))) {
            writer.key("includeThoughts").bool(shown);
        }
    });
}

enum How {
    Level(&'static str),
    Budget(i64),
    AsItLikes,
}

/// How a depth is said to a model; `None` when it cannot think. Thinking that can only be turned down and not off is
/// reported.
fn how(depth: Depth, target: &mut Target<'_>) -> Option<How> {
    let generation = target.generation;
    if !generation.thinks() || target.shape.lacks(crate::chat::capability::Capability::Reasoning) {
        return None;
    }
    if generation.is_3() {
        if depth == Depth::Adaptive {
            return Some(How::AsItLikes);
        }
        let least = if generation.has_minimal() { "MINIMAL" } else { "LOW" };
        let effort = as_effort(depth);
        if effort.is_none() && !generation.has_minimal() {
            target.lost.insert(Feature::ReasoningDepth);
        }
        return Some(How::Level(match effort {
            None | Some(Effort::Minimal) => least,
            Some(Effort::Low) => "LOW",
            Some(Effort::Medium) => "MEDIUM",
            // No model in the catalogue takes more.
            Some(Effort::High | Effort::XHigh | Effort::Max) => "HIGH",
        }));
    }
    let budgets = generation.budgets();
    let fit = |tokens: u64| i64::try_from(tokens.clamp(*budgets.start(), *budgets.end())).unwrap_or(-1);
    Some(How::Budget(match depth {
        Depth::Adaptive => -1,
        Depth::Effort(effort) => fit(budget_of(effort)),
        Depth::Off | Depth::Budget(0) if generation.can_rest() => 0,
        Depth::Off | Depth::Budget(0) => {
            target.lost.insert(Feature::ReasoningDepth);
            fit(0)
        }
        Depth::Budget(tokens) => fit(tokens),
    }))
}
