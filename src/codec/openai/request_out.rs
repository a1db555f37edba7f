//! Writes chat completion requests: the members around the conversation. Not messages (see `message_out`), tools (see
//! `tool_out`) or thinking (see `thinking`).

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::request::{Depth, Output, Request};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::openai::target::Target;
use crate::codec::openai::thinking::{self, Wish};
use crate::codec::openai::{message_out, model, tool_out};
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

/// Writes a request. See `ProviderWire::encode_request`.
pub(super) fn encode(request: &Request<'_>, shape: &Shape<'_>, writer: &mut Writer) -> Result<Features, Impossible> {
    let mut target = Target::new(shape);
    writer.object(|writer| {
        writer.key("model").string(shape.model);
        message_out::write(writer, request, &mut target);
        if let Some(limit) = request.max_output {
            let limit = shape.max_output.map_or(limit, |most| limit.min(most));
            writer.key(target.vendor.limit(shape)).number(limit);
        }
        write_sampling(writer, request, &mut target);
        tool_out::write(writer, request, &mut target);
        write_output(writer, request, &mut target);
        let wish = Wish { reasoning: request.reasoning, tools: &request.tools, stream: request.stream };
        thinking::write(writer, wish, &mut target);
        write_records(writer, request, &mut target);
        write_foreign(writer, request, &mut target);
        if request.stream {
            writer.key("stream").bool(true);
            if !target.vendor.no_stream_options {
                writer.key("stream_options").object(|writer| writer.key("include_usage").bool(true));
            }
            if matches!(shape.vendor, "zai" | "zhipu") && !request.tools.is_empty() {
                // Arguments would come whole otherwise.
                writer.key("tool_stream").bool(true);
            }
        }
    });
    target.result()
}

fn write_sampling(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    let sampling = &request.sampling;
    // A model that reasons takes none of these, or those that choose words only while it does not.
    let chooses = !target.shape.is(Trait::NoSamplingParams) && model::samples(target.shape, request.reasoning.depth);
    let reasons = target.shape.capabilities.is_some_and(|all| all.has(Capability::Reasoning));
    let of_xai = target.shape.vendor == "xai" && reasons;
    let shapes = !target.shape.is(Trait::NoSamplingParams) && model::generation(target.shape).is_none() && !of_xai;
    let mut number = |name: &str, value: Option<f64>, feature: Feature, allowed: bool| {
        let Some(value) = value else { return };
        if allowed && target.takes(feature) {
            let most = if feature == Feature::Temperature { target.vendor.max_temperature } else { f64::INFINITY };
            writer.key(name).float(value.min(most));
        } else if !(feature == Feature::Temperature && value == 1.0) {
            target.lose(feature);
        }
    };
    number("temperature", sampling.temperature, Feature::Temperature, chooses);
    number("top_p", sampling.top_p, Feature::TopP, chooses);
    number("frequency_penalty", sampling.frequency_penalty, Feature::FrequencyPenalty, shapes);
    number("presence_penalty", sampling.presence_penalty, Feature::PresencePenalty, shapes);
    if let Some(top_k) = sampling.top_k {
        if chooses && target.takes(Feature::TopK) {
            writer.key("top_k").number(top_k);
        } else {
            target.lose(Feature::TopK);
        }
    }
    if let Some(seed) = sampling.seed
        && target.takes(Feature::Seed)
    {
        writer.key(if target.shape.vendor == "mistral" { "random_seed" } else { "seed" }).integer(seed);
    }
    if let Some(choices) = sampling.choices.filter(|choices| *choices > 1) {
        if target.vendor.refuses(Feature::Choices) {
            target.forbid(Feature::Choices, "the vendor gives one answer to a request");
        }
        writer.key("n").number(choices.into());
    }
    write_stop(writer, request, shapes, target);
    if let Some(count) = sampling.logprobs {
        if chooses && target.takes(Feature::Logprobs) {
            writer.key("logprobs").bool(true);
            if count > 0 {
                writer.key("top_logprobs").number(count.into());
            }
        } else {
            target.lose(Feature::Logprobs);
        }
    }
}

/// The most stop sequences that OpenAI takes.
const MAX_STOPS: usize = 4;

fn write_stop(writer: &mut Writer, request: &Request<'_>, allowed: bool, target: &mut Target<'_>) {
    let stop = &request.sampling.stop;
    let most = if matches!(target.shape.vendor, "zai" | "zhipu") { 1 } else { MAX_STOPS };
    if stop.is_empty() {
        return;
    }
    if !allowed || !target.takes(Feature::Stop) {
        return target.lose(Feature::Stop);
    }
    if stop.len() > most {
        target.lose(Feature::Stop);
    }
    match stop.as_slice() {
        [one] if most > 1 => writer.key("stop").prose(one),
        several => writer.key("stop").array(|writer| several.iter().take(most).for_each(|one| writer.prose(one))),
    }
}

fn write_output(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    match &request.output {
        Output::Text => {}
        Output::Schema { .. } if target.vendor.refuses(Feature::JsonSchema) => {
            target.lose(Feature::JsonSchema);
            writer.key("response_format").object(|writer| writer.key("type").string("json_object"));
        }
        Output::Json => writer.key("response_format").object(|writer| writer.key("type").string("json_object")),
        Output::Schema { name, description, schema, strict } => {
            writer.key("response_format").object(|writer| {
                writer.key("type").string("json_schema");
                writer.key("json_schema").object(|writer| {
                    // The name is required here, and other wires have none.
                    writer.key("name").string(name.as_deref().filter(|name| !name.is_empty()).unwrap_or("answer"));
                    if let Some(description) = description {
                        writer.key("description").prose(description);
                    }
                    writer.key("schema").json(schema);
                    if let Some(strict) = strict {
                        writer.key("strict").bool(*strict);
                    }
                });
            });
        }
    }
    if let Some(verbosity) = &request.verbosity
        && target.takes(Feature::Verbosity)
    {
        writer.key("verbosity").string(verbosity);
    }
}

/// What serves records, routing and bills rather than the answer.
fn write_records(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    if let Some(tier) = &request.service_tier
        && target.takes(Feature::ServiceTier)
    {
        match tier_of(tier) {
            Some(tier) => writer.key("service_tier").string(tier),
            None => target.lose(Feature::ServiceTier),
        }
    }
    if let Some(user) = &request.user
        && target.takes(Feature::User)
    {
        writer.key("user").prose(user);
    }
    if let Some(key) = &request.cache_key
        && target.takes(Feature::CacheKey)
    {
        writer.key("prompt_cache_key").prose(key);
    }
    if let Some(metadata) = &request.metadata
        && target.takes(Feature::Metadata)
    {
        writer.key("metadata").json(metadata);
    }
    if let Some(store) = request.store {
        if !target.vendor.refuses(Feature::Store) {
            writer.key("store").bool(store);
        } else if store {
            target.lose(Feature::Store);
        }
    }
}

/// The tier in OpenAI's words; `None` for what no chat vendor knows.
fn tier_of(tier: &str) -> Option<&str> {
    match tier {
        // Anthropic's and Gemini's words for no special treatment.
        "standard_only" | "standard" => Some("default"),
        "auto" | "default" | "flex" | "scale" | "priority" | "fast" | "on_demand" | "performance" => Some(tier),
        _ => None,
    }
}

fn write_foreign(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    for foreign in &request.foreign {
        let feature = foreign.feature;
        if foreign.wire == Wire::Chat {
            let off = request.reasoning.depth == Some(Depth::Off);
            let of_words = matches!(feature, Feature::LogitBias | Feature::Prediction | Feature::AudioOut);
            let refused = of_words && !off && model::generation(target.shape).is_some();
            if refused || target.vendor.refuses(feature) {
                target.lose(feature);
            } else {
                writer.key(&foreign.name).json(&foreign.value);
            }
            continue;
        }
        match feature {
            Feature::Conversation | Feature::PromptTemplate | Feature::Background | Feature::StoredFile => {
                target.forbid(feature, "the vendor keeps no state that could be referred to");
            }
            Feature::AudioOut => {
                target.forbid(feature, "a voice cannot be asked for in another format's words");
            }
            _ => target.lose(feature),
        }
    }
}
