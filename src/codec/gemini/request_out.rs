//! A Gemini request as it is written, for AI Studio and Vertex.

use crate::chat::feature::{Feature, Features};
use crate::chat::request::Request;
use crate::chat::wire::Wire;
use crate::codec::gemini::plan::{Plan, Target};
use crate::codec::gemini::tool_out::Tools;
use crate::codec::gemini::{config_out, part_out};
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

/// Writes a request and says what it dropped.
///
/// # Errors
/// What cannot be left out without asking for something else.
pub fn encode(request: &Request<'_>, shape: &Shape<'_>, writer: &mut Writer) -> Result<Features, Impossible> {
    let mut target = Target::new(shape);
    foreign(request, &mut target)?;
    let plan = Plan::of(request, &mut target)?;
    let tools = Tools::of(request, &mut target)?;
    records(request, &mut target);
    writer.object(|writer| {
        part_out::write(writer, &plan, &target);
        tools.write(writer);
        config_out::write(writer, request, &tools, &mut target);
        if let Some(tier) = tier(request, &mut target) {
            writer.key("serviceTier").string(tier);
        }
        if let (Some(store), false) = (request.store, target.is_vertex()) {
            writer.key("store").bool(store);
        }
        for one in request.foreign.iter().filter(|one| one.wire == Wire::Gemini && !one.name.contains('.')) {
            match one.name == "labels" && !target.is_vertex() {
                true => target.lost.insert(one.feature),
                false => writer.key(&one.name).json(&one.value),
            }
        }
    });
    Ok(target.lost)
}

/// What only other formats say.
fn foreign(request: &Request<'_>, target: &mut Target<'_>) -> Result<(), Impossible> {
    for one in &request.foreign {
        let on_a_part = one.name == crate::codec::gemini::content_in::PART || one.name.starts_with("tools.");
        if one.wire == Wire::Gemini && !on_a_part {
            continue;
        }
        let rule = match one.feature {
            Feature::Conversation => "a conversation in the store of another vendor cannot be continued",
            Feature::PromptTemplate => "a prompt in the store of another vendor cannot be read",
            Feature::Background => "an answer in the background cannot be had here",
            Feature::StoredFile => "a file in the store of another vendor cannot be read; send the bytes",
            Feature::AudioOut => "sound cannot be asked for in that form here",
            Feature::HostedTools => "a tool that another vendor runs cannot be had here",
            Feature::TokenInput => "tokens of another vendor's vocabulary mean nothing here",
            lost => {
                target.lost.insert(lost);
                continue;
            }
        };
        return Err(Impossible { feature: one.feature, rule });
    }
    Ok(())
}

/// What Gemini has no member for.
fn records(request: &Request<'_>, target: &mut Target<'_>) {
    target.lose_mark(request.cache_all);
    let vertex = target.is_vertex();
    for (asked, feature) in [
        (request.cache_key.is_some(), Feature::CacheKey),
        (request.user.is_some(), Feature::User),
        (request.metadata.is_some(), Feature::Metadata),
        (request.verbosity.is_some(), Feature::Verbosity),
        // Vertex stores nothing, which is all that `false` asks for.
        (request.store == Some(true) && vertex, Feature::Store),
    ] {
        if asked {
            target.lost.insert(feature);
        }
    }
}

/// The service tier in Gemini's words (`ServiceTier` of google-genai 3.4.0).
fn tier(request: &Request<'_>, target: &mut Target<'_>) -> Option<&'static str> {
    match request.service_tier.as_deref()?.to_ascii_lowercase().as_str() {
        "flex" => Some("flex"),
        "priority" | "fast" => Some("priority"),
        "standard" | "standard_only" => Some("standard"),
        // What comes without a word is the same.
        "auto" | "default" | "unspecified" | "" => None,
        _ => {
            target.lost.insert(Feature::ServiceTier);
            None
        }
    }
}
