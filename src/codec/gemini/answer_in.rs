//! A `GenerateContentResponse` as it is read: a whole answer, or one piece of a stream. Of several candidates the first
//! is read.

use std::borrow::Cow;

use crate::chat::answer::{Answer, Finish};
use crate::chat::failure::Failure;
use crate::chat::part::{Call, CallKind, Content, Part};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::codec::gemini::grounding::{self, Support};
use crate::codec::gemini::part_in::{self, Thing, WirePart, json_text};
use crate::codec::gemini::track::Track;
use crate::codec::gemini::{failure, finish, usage};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::wire::BadAnswer;

/// A response, or a piece of one.
#[derive(Debug, Default)]
pub struct Response<'a> {
    /// `responseId`.
    pub id: Option<Cow<'a, str>>,
    /// `modelVersion`.
    pub model: Option<Cow<'a, str>>,
    /// The parts of the first candidate.
    pub parts: Vec<WirePart<'a>>,
    /// Its `finishReason`.
    pub finish: Option<Cow<'a, str>>,
    /// What it cites.
    pub supports: Vec<Support<'a>>,
    /// Whether `promptFeedback` says why the prompt was blocked.
    pub blocked: bool,
    /// `usageMetadata`.
    pub usage: Option<Usage>,
    /// `error`, in place of all else.
    pub failure: Option<Failure<'a>>,
    /// Whether any member was known.
    pub known: bool,
    /// Whether there is a candidate.
    pub candidate: bool,
}

/// Reads a response.
///
/// # Errors
/// What is no response.
pub fn read<'a>(scanner: &mut Scanner<'a>) -> Result<Response<'a>, Malformed> {
    let mut response = Response::default();
    scanner.object(|scanner, key| {
        match (key.raw(), scanner.peek()?) {
            (b"candidates", b'[') => {
                scanner.array(|scanner| candidate(scanner, &mut response))?;
            }
            (b"promptFeedback", b'{') => scanner.object(|scanner, key| {
                if key.is("blockReason") {
                    response.blocked = scanner.string_or_skip()?.is_some();
                    return Ok(());
                }
                scanner.pass()
            })?,
            (b"usageMetadata", b'{') => response.usage = usage::read(scanner)?,
            (b"responseId", _) => response.id = filled(scanner.string_or_skip()?),
            (b"modelVersion", _) => response.model = filled(scanner.string_or_skip()?),
            (b"error", b'{' | b'"') => response.failure = Some(failure::read(scanner, 200)?),
            _ => return scanner.pass(),
        }
        response.known = true;
        Ok(())
    })?;
    Ok(response)
}

fn filled(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty()).map(|text| text.text())
}

fn candidate<'a>(scanner: &mut Scanner<'a>, response: &mut Response<'a>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    let (mut index, mut found) = (0, Response::default());
    scanner.object(|scanner, key| {
        match (key.raw(), scanner.peek()?) {
            (b"index", _) => index = scanner.whole_or_skip()?.unwrap_or(0),
            (b"finishReason", _) => found.finish = filled(scanner.string_or_skip()?),
            (b"content", b'{') => scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
                (b"parts", b'[') => scanner.array(|scanner| {
                    found.parts.push(part_in::read(scanner)?);
                    Ok(())
                }),
                _ => scanner.pass(),
            })?,
            (b"groundingMetadata", _) => grounding::grounding(scanner, &mut found.supports)?,
            (b"citationMetadata", _) => grounding::citations(scanner, &mut found.supports)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    if index == 0 && !response.candidate {
        response.candidate = true;
        (response.parts, response.finish, response.supports) = (found.parts, found.finish, found.supports);
    }
    Ok(())
}

/// Ids for calls without one: unlike in each answer, alike whenever the same answer is read.
#[derive(Debug, Default)]
pub struct Ids {
    base: String,
    count: u32,
}

impl Ids {
    /// Ids for the answer of that `responseId`.
    pub fn of(response: Option<&str>) -> Self {
        let word = |byte: &char| byte.is_ascii_alphanumeric();
        let mut base: String = response.unwrap_or_default().chars().filter(word).take(20).collect();
        if !base.is_empty() {
            base.push('_');
        }
        Self { base, count: 0 }
    }

    /// The call's own id, or the next.
    pub fn next<'a>(&mut self, own: Option<Cow<'a, str>>) -> Cow<'a, str> {
        self.count += 1;
        own.unwrap_or_else(|| Cow::Owned(format!("call_{}{}", self.base, self.count)))
    }

    /// Whether there was a call.
    pub fn any(&self) -> bool {
        self.count > 0
    }
}

/// Reads a whole answer of status 200.
///
/// # Errors
/// An error in its place, and what is no answer.
pub fn decode(body: &[u8]) -> Result<Answer<'_>, BadAnswer<'_>> {
    let mut scanner = Scanner::new(body);
    if scanner.peek()? == b'[' {
        return Err(match failure::find(body, 200) {
            Some(failure) => BadAnswer::Failure(failure),
            None => BadAnswer::Malformed(scanner.malformed("an object is expected")),
        });
    }
    let response = read(&mut scanner)?;
    scanner.end()?;
    if let Some(failure) = response.failure {
        return Err(BadAnswer::Failure(failure));
    }
    if !response.known {
        return Err(scanner.malformed("neither `candidates` nor `promptFeedback` stands there").into());
    }
    let mut ids = Ids::of(response.id.as_deref());
    let mut parts = Vec::new();
    // Where each part of the wire went, for citations.
    let mut places = Vec::new();
    for part in response.parts {
        places.push(parts.len());
        push(part, &mut ids, &mut parts);
    }
    cite(response.supports, &places, &mut parts);
    let finish = match &response.finish {
        Some(reason) => finish::decode(reason, ids.any()),
        None if response.blocked && !response.candidate => Finish::Filtered,
        None if !response.candidate => Finish::Broken,
        None => finish::decode("", ids.any()),
    };
    let Response { id, model, usage, .. } = response;
    Ok(Answer { id, model, parts, finish, usage, service_tier: None })
}

fn push<'a>(part: WirePart<'a>, ids: &mut Ids, parts: &mut Vec<Part<'a>>) {
    match part.thing {
        Some(Thing::Call { id, name, arguments }) if !name.is_empty() => {
            let id = ids.next(id);
            let arguments = arguments.map_or(Prose::plain("{}"), json_text);
            let signature = part.signature;
            parts.push(Content::Call(Call { id, name, arguments, kind: CallKind::Function, signature }).into());
        }
        other => part_in::push(other, part.thought, part.signature, part.raw, parts),
    }
}

fn cite<'a>(supports: Vec<Support<'a>>, places: &[usize], parts: &mut [Part<'a>]) {
    let mut tracked: Option<(usize, Track)> = None;
    for support in supports {
        let Some(place) = places.get(support.part).copied() else { continue };
        // A thought may stand before the words when no part is named.
        let words = |part: &Part<'_>| matches!(part.content, Content::Text { .. });
        let Some(at) = (place..parts.len()).find(|at| parts.get(*at).is_some_and(words)) else { continue };
        let Some(Content::Text { text, citations }) = parts.get_mut(at).map(|part| &mut part.content) else {
            continue;
        };
        if tracked.as_ref().is_none_or(|(known, _)| *known != at) {
            let mut track = Track::default();
            track.push(text);
            tracked = Some((at, track));
        }
        if let Some((_, track)) = &tracked {
            citations.push(support.citation(track));
        }
    }
}
