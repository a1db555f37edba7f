//! What stands beside the conversation: sampling, tier, metadata, and the members of other formats.

use crate::chat::feature::{Feature, Features};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Foreign, Output, Request};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::bedrock::arguments::plain;
use crate::codec::bedrock::model::{Maker, maker};
use crate::codec::bedrock::thinking::{Plan, Thinking};
use crate::codec::json::Scanner;
use crate::codec::wire::{Impossible, Shape};

/// The most pairs of `requestMetadata`, and the longest name or value.
const MAX_PAIRS: usize = 16;
const MAX_PAIR: usize = 256;

/// The settings, as they are written.
pub struct Settings<'r> {
    /// 0 to 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// The number of likeliest tokens, where the maker's models have it.
    pub top_k: Option<u64>,
    /// Texts at which the answer ends.
    pub stop: Vec<&'r Prose<'r>>,
    /// The tier, in Bedrock's words.
    pub tier: Option<&'static str>,
    /// Pairs for the records.
    pub metadata: Vec<(String, String)>,
    /// Members of this format, to be written again.
    pub own: Vec<&'r Foreign<'r>>,
}

/// Decides what of the settings is written.
///
/// # Errors
/// Several answers, and whatever lives in another vendor's store.
pub fn plan<'r>(
    request: &'r Request<'r>,
    shape: &Shape<'_>,
    thinking: &Plan,
    lost: &mut Features,
) -> Result<Settings<'r>, Impossible> {
    if request.sampling.choices.is_some_and(|choices| choices > 1) {
        return Err(Impossible { feature: Feature::Choices, rule: "Converse gives one answer to a request" });
    }
    note_absent(request, lost);
    let mut settings = Settings {
        temperature: request.sampling.temperature.map(|value| value.clamp(0.0, 1.0)),
        top_p: request.sampling.top_p.map(|value| value.clamp(0.0, 1.0)),
        top_k: request.sampling.top_k,
        stop: request.sampling.stop.iter().filter(|stop| !stop.is_blank()).collect(),
        tier: tier(request, lost),
        metadata: Vec::new(),
        own: Vec::new(),
    };
    fit_sampling(&mut settings, shape, thinking, lost);
    read_metadata(request, &mut settings.metadata, lost);
    for foreign in &request.foreign {
        if foreign.wire == Wire::Converse {
            settings.own.push(foreign);
        } else {
            lose(foreign.feature, lost)?;
        }
    }
    Ok(settings)
}

/// What Converse has no word for at all.
fn note_absent(request: &Request<'_>, lost: &mut Features) {
    let sampling = &request.sampling;
    let says = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
    let absent = [
        (Feature::FrequencyPenalty, says(sampling.frequency_penalty)),
        (Feature::PresencePenalty, says(sampling.presence_penalty)),
        (Feature::Seed, sampling.seed.is_some()),
        (Feature::Logprobs, sampling.logprobs.is_some()),
        (Feature::CacheKey, request.cache_key.is_some()),
        (Feature::Store, request.store == Some(true)),
        (Feature::Verbosity, request.verbosity.as_deref().is_some_and(|verbosity| verbosity != "medium")),
        (Feature::JsonObject, matches!(request.output, Output::Json)),
    ];
    absent.into_iter().filter(|(_, asked)| *asked).for_each(|(feature, _)| lost.insert(feature));
}

fn fit_sampling(settings: &mut Settings<'_>, shape: &Shape<'_>, thinking: &Plan, lost: &mut Features) {
    let claude = maker(shape) == Maker::Anthropic;
    let thinks = thinking.claude_thinks();
    let refused = shape.is(Trait::NoSamplingParams) || thinking.thinking == Thinking::Nova(Some("high"));
    // Thinking wants the temperature at 1 and top-p near it; 1 is what both are anyway.
    let drops_temperature = refused || thinks;
    if drops_temperature && settings.temperature.take().is_some_and(|value| value != 1.0) {
        lost.insert(Feature::Temperature);
    }
    let drops_top_p = |value: f64| refused || (thinks && value < 0.95) || (claude && value == 1.0);
    if let Some(value) = settings.top_p.take_if(|value| drops_top_p(*value)).filter(|value| *value != 1.0) {
        debug_assert!(value < 1.0);
        lost.insert(Feature::TopP);
    }
    let takes_top_k = !refused
        && match maker(shape) {
            Maker::Anthropic => !thinks,
            Maker::Nova => true,
            Maker::OpenAi | Maker::Other => false,
        };
    if !takes_top_k && settings.top_k.take().is_some() {
        lost.insert(Feature::TopK);
    }
}

/// The tier in Bedrock's words, from those of any vendor.
fn tier(request: &Request<'_>, lost: &mut Features) -> Option<&'static str> {
    match request.service_tier.as_deref()? {
        "auto" | "default" | "standard" | "standard_only" => Some("default"),
        "flex" => Some("flex"),
        "priority" => Some("priority"),
        "reserved" => Some("reserved"),
        _ => {
            lost.insert(Feature::ServiceTier);
            None
        }
    }
}

fn read_metadata(request: &Request<'_>, pairs: &mut Vec<(String, String)>, lost: &mut Features) {
    let mut push = |name: String, value: String| {
        let fits = is_pair(&name, 1) && is_pair(&value, 0) && pairs.len() < MAX_PAIRS;
        if fits {
            pairs.push((name, value));
        }
        fits
    };
    if let Some(user) = &request.user
        && !push("user".to_owned(), plain(user).into_owned())
    {
        lost.insert(Feature::User);
    }
    let Some(Json(bytes)) = &request.metadata else { return };
    let read = Scanner::new(bytes).object(|scanner, key| {
        let value = scanner.string_or_skip()?;
        if !value.is_some_and(|value| push(key.to_text(), value.to_text())) {
            lost.insert(Feature::Metadata);
        }
        Ok(())
    });
    if read.is_err() && Json::borrowed(bytes).bytes() != b"null" {
        lost.insert(Feature::Metadata);
    }
}

fn is_pair(text: &str, least: usize) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b" :_@$#=/+,-.".contains(&byte);
    (least..=MAX_PAIR).contains(&text.len()) && text.bytes().all(is_taken)
}

/// A member of another format is lost, or is in the way.
fn lose(feature: Feature, lost: &mut Features) -> Result<(), Impossible> {
    let rule = match feature {
        Feature::StoredFile => "a stored file is known to its vendor alone",
        Feature::Conversation => "a stored conversation is known to its vendor alone",
        Feature::PromptTemplate => "a stored prompt is known to its vendor alone",
        Feature::Background => "Converse answers at once or not at all",
        Feature::AudioOut => "Converse answers without sound",
        Feature::HostedTools => "a tool that another vendor runs cannot be had at Bedrock",
        Feature::TokenInput => "tokens mean nothing to another vendor",
        _ => {
            lost.insert(feature);
            return Ok(());
        }
    };
    Err(Impossible { feature, rule })
}
