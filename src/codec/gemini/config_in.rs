//! `generationConfig` as it is read.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::prose::Json;
use crate::chat::request::{Depth, Effort, Foreign, Output, Request};
use crate::chat::wire::Wire;
use crate::codec::gemini::member::{boolean, float, integer, members, whole};
use crate::codec::gemini::schema;
use crate::codec::json::{Malformed, Scanner};

/// What its names begin with among the foreign members.
pub const PREFIX: &str = "generationConfig.";

#[derive(Default)]
struct Form<'a> {
    /// `responseMimeType`, and where it stands.
    media_type: Option<(Cow<'a, str>, Json<'a>)>,
    /// `responseSchema` or `responseJsonSchema`.
    schema: Option<Json<'a>>,
    asks_logprobs: bool,
    logprobs: Option<u32>,
}

/// Reads `generationConfig`.
///
/// # Errors
/// Members of a wrong type.
pub fn read<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let mut form = Form::default();
    members(scanner, |scanner, member| {
        let sampling = &mut request.sampling;
        match member {
            "temperature" => sampling.temperature = Some(float(scanner)?),
            "topP" => sampling.top_p = Some(float(scanner)?),
            // Vertex writes it as a float.
            "topK" => sampling.top_k = Some(float(scanner)?.max(0.0) as u64),
            "candidateCount" => sampling.choices = Some(whole(scanner)?.try_into().unwrap_or(u32::MAX)),
            "maxOutputTokens" => request.max_output = Some(whole(scanner)?),
            "stopSequences" => scanner.array(|scanner| {
                sampling.stop.push(scanner.string()?.prose());
                Ok(())
            })?,
            "seed" => sampling.seed = Some(integer(scanner)?),
            "presencePenalty" => sampling.presence_penalty = Some(float(scanner)?),
            "frequencyPenalty" => sampling.frequency_penalty = Some(float(scanner)?),
            "responseLogprobs" => form.asks_logprobs = boolean(scanner)?,
            "logprobs" => form.logprobs = Some(whole(scanner)?.try_into().unwrap_or(u32::MAX)),
            "responseMimeType" => {
                let text = scanner.string()?;
                form.media_type = Some((text.text(), Json::borrowed(scanner.slice(text.span()))));
            }
            "responseSchema" => form.schema = Some(schema::read(scanner)?),
            "responseJsonSchema" | "_responseJsonSchema" => form.schema = Some(scanner.json()?),
            "thinkingConfig" => thinking(scanner, request)?,
            "responseModalities" => modalities(scanner, &mut request.foreign)?,
            other => request.foreign.push(foreign(feature_of(other), other, scanner.json()?)),
        }
        Ok(())
    })?;
    if form.asks_logprobs {
        request.sampling.logprobs = Some(form.logprobs.unwrap_or(0));
    }
    output(form.media_type, form.schema, request);
    Ok(())
}

fn output<'a>(media_type: Option<(Cow<'a, str>, Json<'a>)>, schema: Option<Json<'a>>, request: &mut Request<'a>) {
    let word = media_type.as_ref().map_or("", |(word, _)| word.as_ref());
    match (word, schema) {
        // One of the schema's words, without quotes: no other format has that.
        ("text/x.enum", schema) => {
            if let Some((_, raw)) = media_type {
                request.foreign.push(foreign(Feature::JsonSchema, "responseMimeType", raw));
            }
            if let Some(schema) = schema {
                request.foreign.push(foreign(Feature::JsonSchema, "responseJsonSchema", schema));
            }
        }
        (_, Some(schema)) => request.output = Output::Schema { name: None, description: None, schema, strict: None },
        ("application/json", None) => request.output = Output::Json,
        ("" | "text/plain", None) => {}
        (_, None) => {
            if let Some((_, raw)) = media_type {
                request.foreign.push(foreign(Feature::Unknown, "responseMimeType", raw));
            }
        }
    }
}

fn thinking<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    members(scanner, |scanner, member| {
        let reasoning = &mut request.reasoning;
        match member {
            "includeThoughts" => reasoning.shown = Some(boolean(scanner)?),
            "thinkingBudget" => {
                reasoning.depth = Some(match integer(scanner)? {
                    0 => Depth::Off,
                    budget => u64::try_from(budget).map_or(Depth::Adaptive, Depth::Budget),
                });
            }
            "thinkingLevel" => {
                let level = scanner.string()?.text().to_ascii_lowercase();
                if let Some(effort) = Effort::parse(&level) {
                    reasoning.depth = Some(Depth::Effort(effort));
                }
            }
            other => {
                let name = format!("thinkingConfig.{other}");
                request.foreign.push(foreign(Feature::Unknown, &name, scanner.json()?));
            }
        }
        Ok(())
    })
}

/// Text alone is what every answer is made of.
fn modalities<'a>(scanner: &mut Scanner<'a>, into: &mut Vec<Foreign<'a>>) -> Result<(), Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let mut lost = None;
    scanner.array(|scanner| {
        match scanner.string()?.text().to_ascii_uppercase().as_str() {
            "TEXT" | "MODALITY_UNSPECIFIED" => {}
            "AUDIO" => lost = Some(Feature::AudioOut),
            "IMAGE" => lost = lost.or(Some(Feature::Image)),
            "VIDEO" => lost = lost.or(Some(Feature::Video)),
            _ => lost = lost.or(Some(Feature::Unknown)),
        }
        Ok(())
    })?;
    if let Some(feature) = lost {
        let value = Json::borrowed(scanner.slice(start..scanner.offset()));
        into.push(foreign(feature, "responseModalities", value));
    }
    Ok(())
}

fn feature_of(member: &str) -> Feature {
    match member {
        "mediaResolution" => Feature::ImageDetail,
        "speechConfig" => Feature::AudioOut,
        "imageConfig" => Feature::Image,
        "audioTimestamp" => Feature::AudioIn,
        _ => Feature::Unknown,
    }
}

fn foreign<'a>(feature: Feature, name: &str, value: Json<'a>) -> Foreign<'a> {
    Foreign { feature, wire: Wire::Gemini, name: Cow::Owned(format!("{PREFIX}{name}")), value }
}
