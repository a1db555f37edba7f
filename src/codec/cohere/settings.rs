//! What stands beside the conversation in a request to Cohere: tools, the form of the answer, sampling, thinking.

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Depth, Foreign, Output, Request, Tool, ToolChoice};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::cohere::history::lose_mark;
use crate::codec::effort::as_budget;
use crate::codec::wire::{Impossible, Shape};

/// The most stop sequences.
const STOPS: usize = 5;

/// The settings, as they are written.
#[derive(Default)]
pub struct Settings<'r> {
    /// Tools.
    pub tools: Vec<Function<'r>>,
    /// `REQUIRED` or `NONE`.
    pub choice: Option<&'static str>,
    /// Whether arguments must follow their schemas.
    pub strict: bool,
    /// Whether the answer is to be JSON.
    pub json: bool,
    /// The schema of the answer.
    pub schema: Option<&'r Json<'r>>,
    /// The output limit.
    pub max_tokens: Option<u64>,
    /// Texts at which the answer ends.
    pub stop: Vec<&'r Prose<'r>>,
    /// 0 to 1.
    pub temperature: Option<f64>,
    /// 0.01 to 0.99.
    pub p: Option<f64>,
    /// 0 to 500.
    pub k: Option<u64>,
    /// Not negative.
    pub seed: Option<u64>,
    /// 0 to 1.
    pub frequency_penalty: Option<f64>,
    /// 0 to 1.
    pub presence_penalty: Option<f64>,
    /// Whether and how much the model thinks.
    pub thinking: Option<Thinking>,
    /// Members of this format, to be written again.
    pub own: Vec<&'r Foreign<'r>>,
}

/// Whether and how much the model thinks.
pub enum Thinking {
    /// Not at all.
    Disabled,
    /// So many tokens at most, or as much as it finds right.
    Enabled(Option<u64>),
}

/// A tool.
pub enum Function<'r> {
    /// A function.
    Function {
        /// Its name.
        name: &'r str,
        /// What it does.
        description: Option<&'r Prose<'r>>,
        /// The schema of its argument.
        parameters: Option<&'r Json<'r>>,
    },
    /// A tool of this format, as it was written.
    Raw(&'r Json<'r>),
}

/// Decides what of the settings is written.
///
/// # Errors
/// Several answers, tools that another vendor runs, and whatever lives in another vendor's store.
pub fn plan<'r>(request: &'r Request<'r>, shape: &Shape<'_>, lost: &mut Features) -> Result<Settings<'r>, Impossible> {
    if request.sampling.choices.is_some_and(|choices| choices > 1) {
        return Err(Impossible { feature: Feature::Choices, rule: "Cohere gives one answer to a request" });
    }
    let mut settings = Settings::default();
    plan_tools(request, &mut settings, lost)?;
    plan_choice(request, shape, &mut settings, lost);
    plan_output(request, &mut settings, lost);
    plan_sampling(request, shape, &mut settings, lost);
    plan_thinking(request, shape, &mut settings, lost);
    note_absent(request, lost);
    for foreign in &request.foreign {
        if foreign.wire == Wire::Cohere {
            settings.own.push(foreign);
        } else {
            lose(foreign.feature, lost)?;
        }
    }
    Ok(settings)
}

fn plan_tools<'r>(
    request: &'r Request<'r>,
    settings: &mut Settings<'r>,
    lost: &mut Features,
) -> Result<(), Impossible> {
    let subset = request.tool_choice.as_ref().and_then(ToolChoice::subset);
    let allowed = |name: &str| match &request.tool_choice {
        Some(ToolChoice::Some(_) | ToolChoice::SomeRequired(_)) => {
            subset.as_ref().is_some_and(|names| names.contains(name))
        }
        // There is no choice of one: it is alone instead.
        Some(ToolChoice::One(one)) => one == name,
        Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Required) | None => true,
    };
    let (mut strict, mut loose) = (false, false);
    if request.web_search {
        lost.insert(Feature::WebSearch);
    }
    for tool in &request.tools {
        match tool {
            Tool::Function { name, .. } | Tool::Custom { name, .. } if !allowed(name) => {}
            Tool::Function { name, description, parameters, strict: is_strict, cache } => {
                if let Some(mark) = cache {
                    lose_mark(*mark, lost);
                }
                let is_strict = *is_strict == Some(true);
                (strict, loose) = (strict || is_strict, loose || !is_strict);
                let description = description.as_ref().filter(|text| !text.is_blank());
                settings.tools.push(Function::Function { name, description, parameters: parameters.as_ref() });
            }
            Tool::Custom { name, description, .. } => {
                lost.insert(Feature::CustomTools);
                loose = true;
                let description = description.as_ref().filter(|text| !text.is_blank());
                settings.tools.push(Function::Function { name, description, parameters: None });
            }
            Tool::Hosted { wire: Wire::Cohere, raw, .. } => settings.tools.push(Function::Raw(raw)),
            Tool::Hosted { web_search: true, .. } => lost.insert(Feature::WebSearch),
            Tool::Hosted { .. } => {
                let rule = "a tool that another vendor runs cannot be had at Cohere";
                return Err(Impossible { feature: Feature::HostedTools, rule });
            }
        }
    }
    // One switch for all tools: it must not bind those that were not to be bound.
    settings.strict = strict && !loose;
    if strict && loose {
        lost.insert(Feature::StrictTools);
    }
    Ok(())
}

fn plan_choice(request: &Request<'_>, shape: &Shape<'_>, settings: &mut Settings<'_>, lost: &mut Features) {
    if settings.tools.is_empty() {
        if !matches!(request.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Some(_))) {
            lost.insert(Feature::ToolChoice);
        }
        return;
    }
    if request.parallel_calls == Some(false) {
        lost.insert(Feature::ParallelCalls);
    }
    settings.choice = match &request.tool_choice {
        None | Some(ToolChoice::Auto | ToolChoice::Some(_)) => None,
        Some(ToolChoice::None) => Some("NONE"),
        Some(ToolChoice::Required | ToolChoice::One(_) | ToolChoice::SomeRequired(_)) => Some("REQUIRED"),
    };
    let forced = settings.choice == Some("REQUIRED");
    if settings.choice.is_some()
        && (shape.lacks(Capability::ToolChoice) || (forced && shape.is(Trait::NoForcedToolUse)))
    {
        lost.insert(Feature::ToolChoice);
        settings.choice = None;
    }
}

/// Cohere refuses a form of the answer beside tools.
fn plan_output<'r>(request: &'r Request<'r>, settings: &mut Settings<'r>, lost: &mut Features) {
    let (feature, schema) = match &request.output {
        Output::Text => return,
        Output::Json => (Feature::JsonObject, None),
        Output::Schema { schema, .. } => (Feature::JsonSchema, Some(schema)),
    };
    if settings.tools.is_empty() {
        (settings.json, settings.schema) = (true, schema);
    } else {
        lost.insert(feature);
    }
}

fn plan_sampling<'r>(request: &'r Request<'r>, shape: &Shape<'_>, settings: &mut Settings<'r>, lost: &mut Features) {
    let sampling = &request.sampling;
    settings.max_tokens = request.max_output.map(|limit| limit.min(shape.max_output.unwrap_or(u64::MAX)));
    settings.stop = sampling.stop.iter().filter(|stop| !stop.is_empty()).take(STOPS).collect();
    if sampling.stop.iter().filter(|stop| !stop.is_empty()).count() > STOPS {
        lost.insert(Feature::Stop);
    }
    settings.seed = sampling.seed.and_then(|seed| u64::try_from(seed).ok());
    if settings.seed.is_none() && sampling.seed.is_some() {
        lost.insert(Feature::Seed);
    }
    let mut penalty = |value: Option<f64>, feature| match value {
        Some(value) if value < 0.0 => {
            lost.insert(feature);
            None
        }
        value => value.map(|value| value.min(1.0)),
    };
    settings.frequency_penalty = penalty(sampling.frequency_penalty, Feature::FrequencyPenalty);
    settings.presence_penalty = penalty(sampling.presence_penalty, Feature::PresencePenalty);
    if shape.is(Trait::NoSamplingParams) {
        let asked = [
            (Feature::Temperature, sampling.temperature.is_some_and(|value| value != 1.0)),
            (Feature::TopP, sampling.top_p.is_some_and(|value| value != 1.0)),
            (Feature::TopK, sampling.top_k.is_some()),
        ];
        asked.into_iter().filter(|(_, asked)| *asked).for_each(|(feature, _)| lost.insert(feature));
        return;
    }
    settings.temperature = sampling.temperature.map(|value| value.clamp(0.0, 1.0));
    settings.p = sampling.top_p.map(|value| value.clamp(0.01, 0.99));
    settings.k = sampling.top_k.map(|value| value.min(500));
}

fn plan_thinking(request: &Request<'_>, shape: &Shape<'_>, settings: &mut Settings<'_>, lost: &mut Features) {
    let Some(depth) = request.reasoning.depth else { return };
    if shape.lacks(Capability::Reasoning) {
        if !matches!(depth, Depth::Off | Depth::Budget(0)) {
            lost.insert(Feature::ReasoningDepth);
        }
        return;
    }
    settings.thinking = Some(match as_budget(depth) {
        Some(0) => Thinking::Disabled,
        // The limit counts thoughts as well: some of it is left for the answer.
        Some(budget) => {
            Thinking::Enabled(Some(budget.min(settings.max_tokens.map_or(u64::MAX, |limit| limit.saturating_sub(1)))))
        }
        None => Thinking::Enabled(None),
    });
}

/// What Cohere has no word for at all.
fn note_absent(request: &Request<'_>, lost: &mut Features) {
    let tier = request.service_tier.as_deref();
    let absent = [
        (Feature::Logprobs, request.sampling.logprobs.is_some()),
        (Feature::CacheKey, request.cache_key.is_some()),
        (Feature::Store, request.store == Some(true)),
        (Feature::User, request.user.is_some()),
        (Feature::Metadata, request.metadata.as_ref().is_some_and(|json| !matches!(json.bytes(), b"{}" | b"null"))),
        (Feature::Verbosity, request.verbosity.as_deref().is_some_and(|verbosity| verbosity != "medium")),
        (Feature::ServiceTier, tier.is_some_and(|tier| !matches!(tier, "auto" | "default" | "standard"))),
    ];
    absent.into_iter().filter(|(_, asked)| *asked).for_each(|(feature, _)| lost.insert(feature));
}

/// A member of another format is lost, or is in the way.
fn lose(feature: Feature, lost: &mut Features) -> Result<(), Impossible> {
    let rule = match feature {
        Feature::StoredFile => "a stored file is known to its vendor alone",
        Feature::Conversation => "a stored conversation is known to its vendor alone",
        Feature::PromptTemplate => "a stored prompt is known to its vendor alone",
        Feature::Background => "Cohere answers at once or not at all",
        Feature::AudioOut => "Cohere answers without sound",
        Feature::HostedTools => "a tool that another vendor runs cannot be had at Cohere",
        Feature::TokenInput => "tokens mean nothing to another vendor",
        _ => {
            lost.insert(feature);
            return Ok(());
        }
    };
    Err(Impossible { feature, rule })
}
