//! What the writing of a request carries along: for whom, what was lost so far, and which cache marks are kept.

use crate::chat::feature::{Feature, Features};
use crate::chat::part::{CacheMark, Content, Part};
use crate::chat::request::{Foreign, Request, Role};
use crate::chat::wire::Wire;
use crate::codec::wire::{Impossible, Shape};
use crate::codec::writer::Writer;

/// The most breakpoints that OpenAI takes in a request.
const MAX_BREAKPOINTS: usize = 4;

/// A request in the writing.
pub(super) struct Composer<'r, 'a> {
    pub(super) request: &'r Request<'a>,
    pub(super) shape: &'r Shape<'r>,
    pub(super) lost: Features,
    /// How many marks are still to be passed over: the newest are kept.
    spare: usize,
    marks: bool,
}

/// The error of a wish that cannot be left out.
pub(super) fn impossible(feature: Feature, rule: &'static str) -> Impossible {
    Impossible { feature, rule }
}

impl<'r, 'a> Composer<'r, 'a> {
    /// Nothing written, nothing lost.
    pub(super) fn new(request: &'r Request<'a>, shape: &'r Shape<'r>) -> Self {
        let marks = takes_breakpoints(shape);
        let turns = request.turns.iter().filter(|turn| matches!(turn.role, Role::User | Role::System));
        let marked = turns.flat_map(|turn| &turn.parts).filter(|part| part.cache.is_some() && can_mark(part)).count();
        Self { request, shape, lost: Features::NONE, spare: marked.saturating_sub(MAX_BREAKPOINTS), marks }
    }

    /// Notes what is lost.
    pub(super) fn lose(&mut self, feature: Feature) {
        self.lost.insert(feature);
    }

    /// Notes a cache mark where none can be written.
    pub(super) fn lose_mark(&mut self, part: &Part<'_>) {
        if part.cache.is_some() {
            self.lose(Feature::CacheMark);
        }
    }

    /// Whether the part gets a breakpoint; counts it when it does.
    pub(super) fn takes_mark(&mut self, part: &Part<'_>) -> Option<CacheMark> {
        let mark = part.cache?;
        if !self.marks || !can_mark(part) || self.spare > 0 {
            self.spare = self.spare.saturating_sub(usize::from(can_mark(part)));
            self.lose(Feature::CacheMark);
            return None;
        }
        Some(mark)
    }

    /// Whether breakpoints are written at all.
    pub(super) fn marks(&self) -> bool {
        self.marks
    }

    /// Members that only this format has.
    pub(super) fn own(&self) -> impl Iterator<Item = &'r Foreign<'a>> {
        self.request.foreign.iter().filter(|member| member.wire == Wire::Responses)
    }

    /// Whether the request has that member, which only this format has.
    pub(super) fn has_own(&self, name: &str) -> bool {
        self.own().any(|member| member.name == name)
    }
}

/// Writes `prompt_cache_breakpoint`.
pub(super) fn write_mark(writer: &mut Writer, mark: CacheMark) {
    writer.key("prompt_cache_breakpoint").object(|writer| {
        writer.key("mode").string("explicit");
        if mark == CacheMark::Long {
            writer.key("ttl").string("12h");
        }
    });
}

/// Text alone: OpenAI refuses breakpoints on images.
fn can_mark(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Text { text, .. } if !text.is_empty())
}

/// Whether the model takes breakpoints, as GPT 5.6 and later do. Others cache what repeats without being told.
fn takes_breakpoints(shape: &Shape<'_>) -> bool {
    if !matches!(shape.vendor, "openai" | "azure") {
        return false;
    }
    let model = shape.model.rsplit('/').next().unwrap_or_default();
    let Some(version) = model.strip_prefix("gpt-").and_then(|rest| rest.split('-').next()) else { return false };
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major), Ok(minor)) => (major, minor) >= (5, 6),
        _ => false,
    }
}
