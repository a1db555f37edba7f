//! Writes a request for Anthropic, for Claude on Vertex, or for a server that speaks like them. What it leaves out, it
//! reports. Which messages there are is planned in `plan`.

use crate::chat::family::ApiFamily;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::{CacheMark, CallResult, Content, Media, MediaKind, Part};
use crate::chat::prose::Prose;
use crate::chat::request::{Foreign, Output, Request, Tool};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::anthropic::encode_block::{self, cache_control, is_own};
use crate::codec::anthropic::encode_thinking::{self, Clashes, Thinking, decide};
use crate::codec::anthropic::encode_tool::Tools;
use crate::codec::anthropic::media::write_source;
use crate::codec::anthropic::plan::{Message, Plan, Speaker};
use crate::codec::anthropic::schema;
use crate::codec::json::unescape;
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

/// The version that Vertex wants inside the body.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// The most cache marks in a request.
const MAX_MARKS: usize = 4;

/// What a turn says that had to be there and had nothing to say.
const PLACEHOLDER: &str = ".";

/// Writes a request.
pub(super) fn request(request: &Request<'_>, shape: &Shape<'_>, writer: &mut Writer) -> Result<Features, Impossible> {
    let mut lost = Features::NONE;
    refuse(request)?;
    let mut plan = Plan::new(request, shape, &mut lost)?;
    let mut tools = Tools::new(request, shape, &mut lost)?;
    let own = |name: &str| request.foreign.iter().any(|one| one.wire == Wire::Messages && one.name == name);
    let clashes =
        Clashes { forced: tools.is_forced(), thoughtless: plan.calls_without_thought(), raw: own("thinking") };
    let thinking = decide(request, shape, clashes, &mut lost);
    if thinking.unforced {
        tools.unforce();
    }
    if thinking.off {
        plan.strip_thoughts(&mut lost);
    }
    if plan.has_prefill() && (thinking.on || shape.is(Trait::NoPrefill)) {
        lost.insert(Feature::Prefill);
        plan.end_with_user();
    }
    report_citations(&plan, &mut lost);
    report_foreign(request, shape, &thinking, &mut lost);
    report_plain(request, &mut lost);
    let sampling = Sampling::fit(request, shape, &thinking, &mut lost);
    let mut marks = Marks::new(request, &plan, &tools, &mut lost);
    let body = Body { request, shape, plan: &plan, tools: &tools, thinking: &thinking, sampling: &sampling };
    writer.object(|writer| body.write(writer, &mut marks));
    Ok(lost)
}

/// Refuses what cannot be left out.
fn refuse(request: &Request<'_>) -> Result<(), Impossible> {
    if request.sampling.choices.is_some_and(|choices| choices > 1) {
        return Err(Impossible { feature: Feature::Choices, rule: "Anthropic gives one answer to a request" });
    }
    for foreign in request.foreign.iter().filter(|foreign| foreign.wire != Wire::Messages) {
        let rule = match foreign.feature {
            Feature::Conversation => "a conversation that one vendor stores cannot go on at another",
            Feature::PromptTemplate => "a prompt that one vendor stores cannot be used at another",
            Feature::Background => "Anthropic answers no request in the background",
            Feature::StoredFile => "a file in another vendor's store cannot be read",
            Feature::HostedTools => "a tool that another vendor runs cannot be called here",
            Feature::AudioOut => "Anthropic models make no sound",
            Feature::TokenInput => "Anthropic takes no tokens as input",
            Feature::Choices => "Anthropic gives one answer to a request",
            _ => continue,
        };
        return Err(Impossible { feature: foreign.feature, rule });
    }
    Ok(())
}

/// Members of other wires are lost; Anthropic's own are written again, but for those that stood inside another member and
/// have no place of their own.
fn report_foreign(request: &Request<'_>, shape: &Shape<'_>, thinking: &Thinking, lost: &mut Features) {
    for foreign in &request.foreign {
        if !is_written(foreign, shape, thinking) {
            lost.insert(foreign.feature);
        }
    }
}

fn is_written(foreign: &Foreign<'_>, shape: &Shape<'_>, thinking: &Thinking) -> bool {
    foreign.wire == Wire::Messages
        && match foreign.name.as_ref() {
            "document.citations" => true,
            "output_config.effort" => writes_effort(shape) && thinking.effort.is_none(),
            name => !name.contains('.'),
        }
}

fn writes_effort(shape: &Shape<'_>) -> bool {
    shape.is(Trait::OutputConfig) || shape.is(Trait::AdaptiveThinking)
}

/// Citations of earlier answers are carried when they are Anthropic's own.
fn report_citations(plan: &Plan<'_, '_>, lost: &mut Features) {
    for message in &plan.messages {
        for part in &message.parts {
            let Content::Text { citations, .. } = &part.content else { continue };
            if citations.iter().any(|citation| !is_own(citation) || message.speaker != Speaker::Assistant) {
                lost.insert(Feature::Citations);
            }
        }
    }
}

/// Members that Anthropic has no word for.
fn report_plain(request: &Request<'_>, lost: &mut Features) {
    let sampling = &request.sampling;
    let rows = [
        (Feature::FrequencyPenalty, sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0)),
        (Feature::PresencePenalty, sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0)),
        (Feature::Seed, sampling.seed.is_some()),
        (Feature::Logprobs, sampling.logprobs.is_some()),
        (Feature::CacheKey, request.cache_key.is_some()),
        (Feature::Metadata, request.metadata.is_some()),
        (Feature::Store, request.store == Some(true)),
        (Feature::Verbosity, request.verbosity.is_some()),
        (Feature::JsonObject, matches!(request.output, Output::Json)),
        (Feature::User, request.user.is_some() && user(request).is_none()),
        (Feature::ServiceTier, request.service_tier.is_some() && tier(request).is_none()),
        (Feature::Stop, sampling.stop.iter().any(Prose::is_blank)),
    ];
    rows.into_iter().filter(|(_, dropped)| *dropped).for_each(|(feature, _)| lost.insert(feature));
}

/// The user, unless it is an e-mail address, which Anthropic refuses.
fn user<'r, 'a>(request: &'r Request<'a>) -> Option<&'r Prose<'a>> {
    request.user.as_ref().filter(|user| {
        let bytes = match user {
            Prose::Escaped(bytes) => bytes.as_ref(),
            Prose::Plain(text) => text.as_bytes(),
        };
        !bytes.is_empty() && !bytes.contains(&b'@')
    })
}

/// The service tier in Anthropic's words.
fn tier(request: &Request<'_>) -> Option<&'static str> {
    match request.service_tier.as_deref()? {
        "auto" => Some("auto"),
        "standard_only" | "default" | "standard" => Some("standard_only"),
        _ => None,
    }
}

/// How words are drawn, as far as the model lets one say.
#[derive(Debug, Default)]
struct Sampling {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
}

impl Sampling {
    /// Why a `top_p` beside a temperature goes: newer models refuse the two together. Why `top_p` 1 is no loss: it says
    /// nothing.
    fn fit(request: &Request<'_>, shape: &Shape<'_>, thinking: &Thinking, lost: &mut Features) -> Self {
        let asked = &request.sampling;
        let fixed = thinking.on || shape.is(Trait::NoSamplingParams);
        let mut fitted = Self::default();
        if let Some(temperature) = asked.temperature {
            let within = temperature.clamp(0.0, 1.0);
            // 1 is what a model that takes no temperature has.
            if within != temperature || (fixed && temperature != 1.0) {
                lost.insert(Feature::Temperature);
            }
            fitted.temperature = (!fixed).then_some(within);
        }
        if let Some(top_p) = asked.top_p.filter(|top_p| *top_p != 1.0) {
            if fixed || fitted.temperature.is_some() {
                lost.insert(Feature::TopP);
            } else {
                fitted.top_p = Some(top_p.clamp(0.0, 1.0));
            }
        }
        if asked.top_k.is_some() {
            if fixed {
                lost.insert(Feature::TopK);
            } else {
                fitted.top_k = asked.top_k;
            }
        }
        fitted
    }
}

/// Which cache marks are written: the first of tools and system, and the newest of the messages.
#[derive(Debug)]
struct Marks {
    at: usize,
    front: usize,
    back: usize,
}

impl Marks {
    fn new(request: &Request<'_>, plan: &Plan<'_, '_>, tools: &Tools<'_, '_>, lost: &mut Features) -> Self {
        let marked = |part: &&&Part<'_>| part.cache.is_some() && !matches!(part.content, Content::Thought(_));
        let inner = |part: &&Part<'_>| match &part.content {
            Content::Result(result) => result.parts.iter().filter(|part| part.cache.is_some()).count(),
            _ => 0,
        };
        let tool_mark = |tool: &&&Tool<'_>| matches!(tool, Tool::Function { cache: Some(_), .. });
        let before = tools.all.iter().filter(tool_mark).count() + plan.system.iter().filter(marked).count();
        let within = plan.messages.iter().flat_map(|message| &message.parts);
        let behind = within.clone().filter(marked).count() + within.map(inner).sum::<usize>();
        let most = MAX_MARKS - usize::from(request.cache_all.is_some());
        let total = before + behind;
        if total <= most {
            return Self { at: 0, front: total, back: 0 };
        }
        lost.insert(Feature::CacheMark);
        let front = before.min(most - behind.min(2));
        Self { at: 0, front, back: total - (most - front).min(behind) }
    }

    fn take(&mut self, mark: Option<CacheMark>) -> Option<CacheMark> {
        let mark = mark?;
        let at = self.at;
        self.at += 1;
        let kept = at < self.front || (self.back > 0 && at >= self.back);
        kept.then_some(mark)
    }
}

/// Everything that is written.
struct Body<'b, 'r, 'a> {
    request: &'r Request<'a>,
    shape: &'b Shape<'b>,
    plan: &'b Plan<'r, 'a>,
    tools: &'b Tools<'r, 'a>,
    thinking: &'b Thinking,
    sampling: &'b Sampling,
}

impl Body<'_, '_, '_> {
    fn write(&self, writer: &mut Writer, marks: &mut Marks) {
        let Self { request, shape, thinking, sampling, .. } = self;
        if shape.api == ApiFamily::Vertex {
            writer.key("anthropic_version").string(VERTEX_VERSION);
        } else {
            writer.key("model").string(shape.model);
        }
        writer.key("max_tokens").number(thinking.limit);
        if request.stream {
            writer.key("stream").bool(true);
        }
        self.tools.write(writer, shape, &mut |mark| marks.take(mark));
        self.write_system(writer, marks);
        let last = self.plan.messages.len().saturating_sub(1);
        writer.key("messages").array(|writer| {
            for (index, message) in self.plan.messages.iter().enumerate() {
                self.write_message(writer, message, index == last, marks);
            }
        });
        encode_thinking::write(writer, thinking, request, shape);
        self.write_output(writer);
        let number = |writer: &mut Writer, name: &str, value: Option<f64>| {
            if let Some(value) = value {
                writer.key(name).float(value);
            }
        };
        number(writer, "temperature", sampling.temperature);
        number(writer, "top_p", sampling.top_p);
        if let Some(top_k) = sampling.top_k {
            writer.key("top_k").number(top_k);
        }
        if request.sampling.stop.iter().any(|stop| !stop.is_blank()) {
            writer.key("stop_sequences").array(|writer| {
                request.sampling.stop.iter().filter(|stop| !stop.is_blank()).for_each(|stop| writer.prose(stop));
            });
        }
        if let Some(user) = user(request) {
            writer.key("metadata").object(|writer| writer.key("user_id").prose(user));
        }
        if let Some(tier) = tier(request) {
            writer.key("service_tier").string(tier);
        }
        cache_control(writer, request.cache_all);
        for foreign in request.foreign.iter().filter(|one| one.wire == Wire::Messages && !one.name.contains('.')) {
            writer.key(&foreign.name).json(&foreign.value);
        }
    }

    fn write_system(&self, writer: &mut Writer, marks: &mut Marks) {
        match self.plan.system.as_slice() {
            [] => {}
            [part] if is_plain(part) => {
                if let Some(text) = text_of(part) {
                    writer.key("system").prose(text);
                }
            }
            parts => writer.key("system").array(|writer| {
                for part in parts {
                    self.write_part(writer, part, Speaker::System, false, marks);
                }
            }),
        }
    }

    fn write_message(&self, writer: &mut Writer, message: &Message<'_, '_>, last: bool, marks: &mut Marks) {
        let role = match message.speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
            Speaker::System => "system",
        };
        // A beginning of the answer may not end in white space.
        let trims = last && message.speaker == Speaker::Assistant;
        writer.object(|writer| {
            writer.key("role").string(role);
            match message.parts.as_slice() {
                [] => writer.key("content").string(PLACEHOLDER),
                [part] if is_plain(part) => {
                    if let Some(text) = text_of(part) {
                        writer.key("content").prose(&trimmed(text, trims));
                    }
                }
                parts => {
                    let end = parts.len() - 1;
                    writer.key("content").array(|writer| {
                        for (index, part) in parts.iter().enumerate() {
                            self.write_part(writer, part, message.speaker, trims && index == end, marks);
                        }
                    });
                }
            }
        });
    }

    fn write_part(&self, writer: &mut Writer, part: &Part<'_>, speaker: Speaker, trims: bool, marks: &mut Marks) {
        match &part.content {
            Content::Text { text, citations } => {
                // Only the model's own words may cite, and only what Anthropic itself cited.
                let own: Vec<_> =
                    citations.iter().filter(|one| speaker == Speaker::Assistant && is_own(one)).cloned().collect();
                encode_block::text_block(writer, &trimmed(text, trims), &own, marks.take(part.cache));
            }
            Content::Refusal(text) => {
                encode_block::text_block(writer, &trimmed(text, trims), &[], marks.take(part.cache));
            }
            Content::Media(media) => self.write_media(writer, media, marks.take(part.cache)),
            Content::Call(call) => encode_block::call_block(writer, call, &call.id, marks.take(part.cache)),
            Content::Thought(thought) => encode_block::thought_block(writer, thought),
            Content::Result(result) => {
                writer.object(|writer| {
                    writer.key("type").string("tool_result");
                    writer.key("tool_use_id").string(&result.id);
                    self.write_result(writer, result, marks);
                    if result.is_error {
                        writer.key("is_error").bool(true);
                    }
                    cache_control(writer, marks.take(part.cache));
                });
            }
            Content::Foreign { wire: Wire::Messages, raw, .. } => {
                marks.take(part.cache);
                writer.json(raw);
            }
            Content::Foreign { .. } => {}
        }
    }

    /// The `content` of a result; one without any is left out. A failed one may hold text only.
    fn write_result(&self, writer: &mut Writer, result: &CallResult<'_>, marks: &mut Marks) {
        let written = |part: &&Part<'_>| match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => !text.is_blank(),
            Content::Media(_) => !result.is_error,
            Content::Foreign { wire, .. } => *wire == Wire::Messages,
            Content::Call(_) | Content::Result(_) | Content::Thought(_) => false,
        };
        let parts: Vec<&Part<'_>> = result.parts.iter().filter(written).collect();
        match parts.as_slice() {
            [] => {}
            [part] if is_plain(part) => {
                if let Some(text) = text_of(part) {
                    writer.key("content").prose(text);
                }
            }
            parts => writer.key("content").array(|writer| {
                for part in parts {
                    self.write_part(writer, part, Speaker::User, false, marks);
                }
            }),
        }
    }

    fn write_media(&self, writer: &mut Writer, media: &Media<'_>, mark: Option<CacheMark>) {
        let document = media.kind == MediaKind::Document;
        let kind = if document { "document" } else { "image" };
        writer.object(|writer| {
            writer.key("type").string(kind);
            writer.key("source").object(|writer| write_source(writer, media));
            if let Some(name) = media.name.as_ref().filter(|_| document) {
                writer.key("title").prose(name);
            }
            let cites = |one: &Foreign<'_>| one.wire == Wire::Messages && one.name == "document.citations";
            if document && self.request.foreign.iter().any(cites) {
                writer.key("citations").object(|writer| writer.key("enabled").bool(true));
            }
            cache_control(writer, mark);
        });
    }

    fn write_output(&self, writer: &mut Writer) {
        let own = |name: &str| self.request.foreign.iter().find(|one| one.wire == Wire::Messages && one.name == name);
        let effort = self.thinking.effort.filter(|_| writes_effort(self.shape));
        let kept = own("output_config.effort").filter(|_| writes_effort(self.shape));
        let schema = match &self.request.output {
            Output::Schema { schema, .. } => Some(schema),
            Output::Text | Output::Json => None,
        };
        if effort.is_none() && kept.is_none() && schema.is_none() {
            return;
        }
        writer.key("output_config").object(|writer| {
            match (effort, kept) {
                (Some(effort), _) => writer.key("effort").string(effort),
                (None, Some(kept)) => writer.key("effort").json(&kept.value),
                (None, None) => {}
            }
            if let Some(schema) = schema.filter(|_| !writer.discards()) {
                writer.key("format").object(|writer| {
                    writer.key("type").string("json_schema");
                    writer.key("schema").raw(&schema::of_output(schema));
                });
            }
        });
    }
}

/// Whether a part is nothing but text, so that a string can stand for it.
fn is_plain(part: &Part<'_>) -> bool {
    part.cache.is_none()
        && match &part.content {
            Content::Text { citations, .. } => citations.is_empty(),
            Content::Refusal(_) => true,
            _ => false,
        }
}

fn text_of<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Prose<'a>> {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => Some(text),
        _ => None,
    }
}

/// The text, without the white space at its end when it `trims`.
fn trimmed<'p>(text: &'p Prose<'_>, trims: bool) -> Prose<'p> {
    if !trims {
        return text.borrowed();
    }
    match text {
        Prose::Escaped(bytes) => Prose::plain(unescape(bytes).trim_end().to_owned()),
        Prose::Plain(text) => Prose::plain(text.trim_end()),
    }
}

#[cfg(test)]
mod tests;
