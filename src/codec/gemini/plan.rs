//! The turns of a request in the order and grouping that Gemini takes, before anything is written. It reports what has no
//! place there.

use std::collections::{HashMap, HashSet};

use crate::chat::family::ApiFamily;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::{CacheMark, Call, CallResult, Content, Media, MediaKind, Part, Source, Thought};
use crate::chat::prose::Prose;
use crate::chat::request::{Request, Role, Turn};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::gemini::generation::Generation;
use crate::codec::gemini::media;
use crate::codec::wire::{Impossible, Shape};

/// The target, and what is lost on the way to it.
#[derive(Debug)]
pub struct Target<'s> {
    /// The target's shape.
    pub shape: &'s Shape<'s>,
    /// The model's generation.
    pub generation: Generation,
    /// What is lost so far.
    pub lost: Features,
}

impl<'s> Target<'s> {
    /// The target of that shape.
    pub fn new(shape: &'s Shape<'s>) -> Self {
        Self { shape, generation: Generation::of(shape.model), lost: Features::NONE }
    }

    /// Whether it is Vertex.
    pub fn is_vertex(&self) -> bool {
        self.shape.api == ApiFamily::Vertex
    }

    /// Whether calls and results may carry ids.
    pub fn takes_ids(&self) -> bool {
        self.generation.is_3() && !self.is_vertex()
    }

    /// What a mark for the prompt cache costs: Gemini caches by itself.
    pub fn lose_mark(&mut self, mark: Option<CacheMark>) {
        if mark.is_some() {
            self.lost.insert(Feature::CacheMark);
        }
        if mark == Some(CacheMark::Long) {
            self.lost.insert(Feature::CacheLong);
        }
    }
}

/// An entry of `contents`.
#[derive(Debug)]
pub enum Entry<'r> {
    /// The user's words.
    User(Vec<Piece<'r>>),
    /// The model's.
    Model(Vec<Piece<'r>>),
    /// Results of calls, which stand alone.
    Results(Vec<&'r CallResult<'r>>),
}

/// A part of an entry.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'r> {
    /// Words.
    Text(&'r Prose<'r>),
    /// A medium.
    Media(&'r Media<'r>),
    /// A call.
    Call(&'r Call<'r>),
    /// A thought with Gemini's seal.
    Thought(&'r Thought<'r>),
    /// A part that only Gemini has.
    Raw(&'r [u8]),
    /// A blank, where Gemini wants words.
    Blank,
}

/// A request's turns as Gemini takes them.
#[derive(Debug, Default)]
pub struct Plan<'r> {
    /// `systemInstruction`.
    pub system: Vec<&'r Prose<'r>>,
    /// `contents`.
    pub entries: Vec<Entry<'r>>,
    /// The last entry of the model's, and the ids of its calls.
    last: Option<(usize, HashSet<&'r str>)>,
}

impl<'r> Plan<'r> {
    /// Plans a request.
    ///
    /// # Errors
    /// Media that the target cannot read.
    pub fn of(request: &'r Request<'r>, target: &mut Target<'_>) -> Result<Self, Impossible> {
        let mut plan = Self::default();
        for turn in &request.turns {
            if turn.name.is_some() {
                target.lost.insert(Feature::Name);
            }
            turn.parts.iter().for_each(|part| target.lose_mark(part.cache));
            match turn.role {
                Role::System => plan.system(turn, target),
                Role::User => plan.say(turn, target, Voice::User)?,
                Role::Assistant => plan.say(turn, target, Voice::Model)?,
                Role::Tool => plan.results(turn, target)?,
            }
        }
        plan.fit(target);
        Ok(plan)
    }

    /// The first entry after the user's last words: there the model's calls need their signatures.
    pub fn current_turn(&self) -> usize {
        self.entries.iter().rposition(|entry| matches!(entry, Entry::User(_))).map_or(0, |last| last + 1)
    }

    fn system(&mut self, turn: &'r Turn<'r>, target: &mut Target<'_>) {
        let late = !self.entries.is_empty();
        if late {
            target.lost.insert(Feature::LateSystem);
        }
        for part in &turn.parts {
            let text = match &part.content {
                Content::Text { text, .. } | Content::Refusal(text) => text,
                Content::Media(Media { source: Source::Text(text), .. }) => text,
                Content::Media(media) => {
                    target.lost.insert(feature_of(media.kind));
                    continue;
                }
                _ => continue,
            };
            if text.is_empty() {
                continue;
            }
            if late || target.shape.is(Trait::NoSystem) {
                self.add(Voice::User, Piece::Text(text));
            } else {
                self.system.push(text);
            }
        }
    }

    fn say(&mut self, turn: &'r Turn<'r>, target: &mut Target<'_>, voice: Voice) -> Result<(), Impossible> {
        for part in &turn.parts {
            if let Content::Result(result) = &part.content {
                // Only of a turn that mixes: decoders make two of it.
                self.result(result, target)?;
            } else if let Some(piece) = piece(part, target)? {
                self.add(voice, piece);
            }
        }
        Ok(())
    }

    fn results(&mut self, turn: &'r Turn<'r>, target: &mut Target<'_>) -> Result<(), Impossible> {
        for part in &turn.parts {
            match &part.content {
                Content::Result(result) => self.result(result, target)?,
                _ => {
                    if let Some(piece) = piece(part, target)? {
                        self.add(Voice::User, piece);
                    }
                }
            }
        }
        // What a result cannot hold follows the results, in the user's name.
        let held = turn.parts.iter().filter_map(|part| match &part.content {
            Content::Result(result) => Some(result),
            _ => None,
        });
        for one in held.flat_map(media_of).filter(|one| !fits_result(one, target)) {
            self.add(Voice::User, Piece::Media(one));
        }
        Ok(())
    }

    fn result(&mut self, result: &'r CallResult<'r>, target: &mut Target<'_>) -> Result<(), Impossible> {
        for part in &result.parts {
            target.lose_mark(part.cache);
            match &part.content {
                Content::Media(one) => {
                    media::check(one, target.shape.api)?;
                    if !fits_result(one, target) {
                        target.lost.insert(Feature::MediaInResult);
                    }
                    lose_detail(one, target);
                }
                Content::Text { citations, .. } if !citations.is_empty() => target.lost.insert(Feature::Citations),
                Content::Foreign { .. } => target.lost.insert(Feature::HostedTools),
                _ => {}
            }
        }
        let at = self.place_of(result);
        match self.entries.get_mut(at) {
            Some(Entry::Results(results)) => results.push(result),
            _ => self.entries.insert(at, Entry::Results(vec![result])),
        }
        Ok(())
    }

    /// Where a result stands: right behind the calls, before anything that was said in between.
    fn place_of(&self, result: &CallResult<'r>) -> usize {
        let end = self.entries.len();
        match &self.last {
            Some((at, ids)) if ids.contains(result.id.as_ref()) => at + 1,
            _ if matches!(self.entries.last(), Some(Entry::Results(_))) => end.saturating_sub(1),
            _ => end,
        }
    }

    /// Roles alternate: what follows its own kind joins it.
    fn add(&mut self, voice: Voice, piece: Piece<'r>) {
        let call = match &piece {
            Piece::Call(call) => Some(call.id.as_ref()),
            _ => None,
        };
        match (voice, self.entries.last_mut()) {
            (Voice::User, Some(Entry::User(pieces))) | (Voice::Model, Some(Entry::Model(pieces))) => pieces.push(piece),
            (Voice::User, _) => self.entries.push(Entry::User(vec![piece])),
            (Voice::Model, _) => {
                self.last = Some((self.entries.len(), HashSet::new()));
                self.entries.push(Entry::Model(vec![piece]));
            }
        }
        if let (Some(id), Some((_, ids))) = (call, &mut self.last) {
            ids.insert(id);
        }
    }

    /// Blanks where Gemini wants words, and results in the order of their calls.
    fn fit(&mut self, target: &mut Target<'_>) {
        if !matches!(self.entries.first(), Some(Entry::User(_))) {
            self.entries.insert(0, Entry::User(vec![Piece::Blank]));
        }
        if target.shape.is(Trait::NoPrefill) && matches!(self.entries.last(), Some(Entry::Model(_))) {
            target.lost.insert(Feature::Prefill);
            self.entries.push(Entry::User(vec![Piece::Blank]));
        }
        for entry in &mut self.entries {
            if let Entry::User(pieces) = entry
                && pieces.iter().all(|piece| matches!(piece, Piece::Media(one) if !is_text(one)))
            {
                pieces.push(Piece::Blank);
            }
        }
        let mut order: HashMap<&str, usize> = HashMap::new();
        for entry in &mut self.entries {
            match entry {
                Entry::Model(_) => {
                    order.clear();
                    for (at, call) in calls(entry).enumerate() {
                        order.entry(call.id.as_ref()).or_insert(at);
                    }
                }
                Entry::Results(results) => {
                    results.sort_by_key(|result| order.get(result.id.as_ref()).copied().unwrap_or(usize::MAX));
                }
                Entry::User(_) => {}
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Voice {
    User,
    Model,
}

fn piece<'r>(part: &'r Part<'r>, target: &mut Target<'_>) -> Result<Option<Piece<'r>>, Impossible> {
    Ok(match &part.content {
        Content::Text { text, citations } => {
            if !citations.is_empty() {
                target.lost.insert(Feature::Citations);
            }
            (!text.is_empty()).then_some(Piece::Text(text))
        }
        Content::Refusal(text) => (!text.is_empty()).then_some(Piece::Text(text)),
        Content::Media(one) => {
            media::check(one, target.shape.api)?;
            lose_detail(one, target);
            let blank = matches!(&one.source, Source::Text(text) if text.is_empty());
            (!blank).then_some(Piece::Media(one))
        }
        Content::Call(call) => Some(Piece::Call(call)),
        Content::Result(_) => None,
        Content::Thought(thought) if thought.seal.as_ref().is_some_and(|seal| seal.wire == Wire::Gemini) => {
            Some(Piece::Thought(thought))
        }
        Content::Thought(_) => {
            target.lost.insert(Feature::Thoughts);
            None
        }
        Content::Foreign { wire: Wire::Gemini, raw, .. } => Some(Piece::Raw(raw.bytes())),
        Content::Foreign { kind, .. } if kind == "item_reference" => {
            return Err(Impossible {
                feature: Feature::Conversation,
                rule: "a reference to an item in the store of another vendor cannot be followed",
            });
        }
        Content::Foreign { .. } => {
            target.lost.insert(Feature::HostedTools);
            None
        }
    })
}

/// The calls of an entry, in order.
pub fn calls<'e, 'r>(entry: &'e Entry<'r>) -> impl Iterator<Item = &'r Call<'r>> + use<'e, 'r> {
    let pieces = match entry {
        Entry::Model(pieces) => pieces.as_slice(),
        Entry::User(_) | Entry::Results(_) => &[],
    };
    pieces.iter().filter_map(|piece| match piece {
        Piece::Call(call) => Some(*call),
        _ => None,
    })
}

/// The media of a result that are not text.
pub fn media_of<'r>(result: &'r CallResult<'r>) -> impl Iterator<Item = &'r Media<'r>> {
    result.parts.iter().filter_map(|part| match &part.content {
        Content::Media(one) if !is_text(one) => Some(one),
        _ => None,
    })
}

/// Whether a result itself can hold a medium: images and documents, from Gemini 3 on.
pub fn fits_result(one: &Media<'_>, target: &Target<'_>) -> bool {
    is_text(one) || (target.generation.is_3() && matches!(one.kind, MediaKind::Image | MediaKind::Document))
}

fn is_text(one: &Media<'_>) -> bool {
    matches!(one.source, Source::Text(_))
}

fn lose_detail(one: &Media<'_>, target: &mut Target<'_>) {
    if one.detail.as_ref().is_some_and(|detail| detail != "auto") {
        target.lost.insert(Feature::ImageDetail);
    }
}

fn feature_of(kind: MediaKind) -> Feature {
    match kind {
        MediaKind::Image => Feature::Image,
        MediaKind::Document => Feature::Document,
        MediaKind::Audio => Feature::AudioIn,
        MediaKind::Video => Feature::Video,
    }
}
