//! The conversation as Cohere takes it: a message a turn, one a tool's result, no blank text, and pictures beside text.

use std::borrow::Cow;

use crate::chat::capability::Capability;
use crate::chat::feature::{Feature, Features};
use crate::chat::part::{CacheMark, Call, CallResult, Content, Media, MediaKind, Part, Source, Thought};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Request, Role, Turn};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::wire::{Impossible, Shape};

/// What stands after an assistant's last turn where the model takes no beginnings of its answer.
const CONTINUE: &str = "Continue.";

/// What stands for the output of a tool that gave none.
const NO_OUTPUT: &str = "(no output)";

/// What stands in a tool's result for a picture that follows it.
const PICTURE: &str = "(the image follows)";

/// One message.
#[derive(Default)]
pub struct Message<'r> {
    /// `system`, `user`, `assistant`, `tool`.
    pub role: &'static str,
    /// The id of the call that a tool's result is for.
    pub call_id: Option<&'r str>,
    /// What is said.
    pub items: Vec<Item<'r>>,
    /// What the model said before its calls.
    pub plan: Vec<&'r Prose<'r>>,
    /// Calls.
    pub calls: Vec<&'r Call<'r>>,
}

/// A piece of content.
pub enum Item<'r> {
    /// Text.
    Text(Prose<'r>),
    /// Text behind a word of ours.
    Marked(&'static str, Prose<'r>),
    /// A picture.
    Image(Image<'r>),
    /// A thought.
    Thought(&'r Prose<'r>),
    /// A piece of this format, as it was written.
    Raw(&'r Json<'r>),
}

/// A picture.
pub enum Image<'r> {
    /// At a URL.
    Url(&'r str),
    /// Here, in base64.
    Data {
        /// Its media type.
        media_type: Cow<'r, str>,
        /// Its bytes.
        data: &'r str,
    },
}

/// Decides what of the conversation is written.
///
/// # Errors
/// Media that Cohere does not take, and references into another vendor's store.
pub fn plan<'r>(
    request: &'r Request<'r>,
    shape: &Shape<'_>,
    lost: &mut Features,
) -> Result<Vec<Message<'r>>, Impossible> {
    let mut planner = Planner { messages: Vec::with_capacity(request.turns.len()), shape, lost };
    for turn in &request.turns {
        planner.turn(turn)?;
    }
    if let Some(mark) = request.cache_all {
        lose_mark(mark, planner.lost);
    }
    let begins_answer = planner.messages.last().is_some_and(|last| last.role == "assistant" && last.calls.is_empty());
    if begins_answer && shape.is(Trait::NoPrefill) {
        planner.lost.insert(Feature::Prefill);
        planner.push("user", vec![Item::Text(Prose::plain(CONTINUE))]);
    }
    Ok(planner.messages)
}

struct Planner<'r, 'p> {
    messages: Vec<Message<'r>>,
    shape: &'p Shape<'p>,
    lost: &'p mut Features,
}

impl<'r> Planner<'r, '_> {
    fn turn(&mut self, turn: &'r Turn<'r>) -> Result<(), Impossible> {
        if turn.name.is_some() {
            self.lost.insert(Feature::Name);
        }
        for mark in turn.parts.iter().filter_map(|part| part.cache) {
            lose_mark(mark, self.lost);
        }
        match turn.role {
            Role::System if self.shape.is(Trait::NoSystem) => {
                self.lost.insert(Feature::LateSystem);
                self.said("user", turn)
            }
            Role::System => self.said("system", turn),
            Role::User => self.said("user", turn),
            Role::Tool => self.results(turn),
            Role::Assistant => self.answered(turn),
        }
    }

    fn push(&mut self, role: &'static str, items: Vec<Item<'r>>) {
        if !items.is_empty() {
            self.messages.push(Message { role, items, ..Message::default() });
        }
    }

    /// What the operator or the user says.
    fn said(&mut self, role: &'static str, turn: &'r Turn<'r>) -> Result<(), Impossible> {
        let mut items = Vec::with_capacity(turn.parts.len());
        for part in &turn.parts {
            items.extend(self.item(part, role == "user")?);
        }
        self.push(role, items);
        Ok(())
    }

    fn item(&mut self, part: &'r Part<'r>, takes_media: bool) -> Result<Option<Item<'r>>, Impossible> {
        Ok(match &part.content {
            Content::Text { text, citations } => {
                if !citations.is_empty() {
                    self.lost.insert(Feature::Citations);
                }
                text_item(text)
            }
            Content::Refusal(text) => text_item(text),
            Content::Media(Media { source: Source::Text(text), .. }) => text_item(text),
            Content::Media(media) if takes_media => Some(self.image(media)?),
            Content::Media(media) => {
                self.lost.insert(feature(media.kind));
                None
            }
            Content::Thought(_) => {
                self.lost.insert(Feature::Thoughts);
                None
            }
            Content::Foreign { wire: Wire::Cohere, raw, .. } => Some(Item::Raw(raw)),
            Content::Foreign { kind, .. } => {
                lose_foreign(kind, self.lost)?;
                None
            }
            // No turn of the user's holds calls, and results have turns of their own.
            Content::Call(_) | Content::Result(_) => None,
        })
    }

    fn image(&mut self, media: &'r Media<'r>) -> Result<Item<'r>, Impossible> {
        let rule = match media.kind {
            MediaKind::Image => None,
            MediaKind::Document => Some("Cohere takes documents as text alone"),
            MediaKind::Audio => Some("Cohere takes no sound"),
            MediaKind::Video => Some("Cohere takes no film"),
        };
        if let Some(rule) = rule {
            return Err(Impossible { feature: feature(media.kind), rule });
        }
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.lost.insert(Feature::ImageDetail);
        }
        match &media.source {
            Source::Url(url) if url.starts_with("https://") || url.starts_with("http://") => {
                Ok(Item::Image(Image::Url(url)))
            }
            Source::Url(_) => {
                Err(Impossible { feature: Feature::RemoteMedia, rule: "Cohere fetches images from web URLs alone" })
            }
            Source::File(_) => {
                Err(Impossible { feature: Feature::StoredFile, rule: "a stored file is known to its vendor alone" })
            }
            Source::Base64(data) => Ok(Item::Image(Image::Data { media_type: media_type(media, data), data })),
            Source::Text(_) => Err(Impossible { feature: Feature::Image, rule: "an image is not text" }),
        }
    }

    /// Results, a message each; their pictures follow in a user's turn.
    fn results(&mut self, turn: &'r Turn<'r>) -> Result<(), Impossible> {
        let mut pictures = Vec::new();
        for part in &turn.parts {
            match &part.content {
                Content::Result(result) => self.result(result, &mut pictures)?,
                _ => {
                    let item = self.item(part, true)?;
                    pictures.extend(item);
                }
            }
        }
        self.push("user", pictures);
        Ok(())
    }

    fn result(&mut self, result: &'r CallResult<'r>, pictures: &mut Vec<Item<'r>>) -> Result<(), Impossible> {
        let mut items = Vec::with_capacity(result.parts.len());
        for part in &result.parts {
            if let Some(mark) = part.cache {
                lose_mark(mark, self.lost);
            }
            match self.item(part, true)? {
                Some(Item::Image(image)) => {
                    self.lost.insert(Feature::MediaInResult);
                    items.push(Item::Text(Prose::plain(PICTURE)));
                    pictures.push(Item::Image(image));
                }
                item => items.extend(item),
            }
        }
        if result.is_error {
            self.lost.insert(Feature::FailedResult);
            say_that_it_failed(&mut items);
        }
        if items.is_empty() {
            items.push(Item::Text(Prose::plain(NO_OUTPUT)));
        }
        self.messages.push(Message { role: "tool", call_id: Some(&result.id), items, ..Message::default() });
        Ok(())
    }

    /// What the model has said. Beside calls, its text is the plan that it made for them.
    fn answered(&mut self, turn: &'r Turn<'r>) -> Result<(), Impossible> {
        let mut message = Message { role: "assistant", ..Message::default() };
        let has_calls = turn.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
        for part in &turn.parts {
            match &part.content {
                Content::Call(call) => {
                    if call.signature.is_some() {
                        self.lost.insert(Feature::Thoughts);
                    }
                    message.calls.push(call);
                }
                Content::Thought(thought) => message.items.extend(self.thought(thought)),
                Content::Text { text, citations } if has_calls && !text.is_blank() => {
                    if !citations.is_empty() {
                        self.lost.insert(Feature::Citations);
                    }
                    message.plan.push(text);
                }
                _ => message.items.extend(self.item(part, false)?),
            }
        }
        if !message.items.is_empty() || has_calls {
            self.messages.push(message);
        }
        Ok(())
    }

    /// Cohere's thoughts bear no seal; those that do are another vendor's.
    fn thought(&mut self, thought: &'r Thought<'r>) -> Option<Item<'r>> {
        if thought.seal.is_some() || self.shape.lacks(Capability::Reasoning) {
            self.lost.insert(Feature::Thoughts);
            return None;
        }
        (!thought.text.is_blank()).then_some(Item::Thought(&thought.text))
    }
}

/// Marks for the prompt cache are lost, and the life that they ask for with them.
pub fn lose_mark(mark: CacheMark, lost: &mut Features) {
    lost.insert(Feature::CacheMark);
    if mark == CacheMark::Long {
        lost.insert(Feature::CacheLong);
    }
}

fn text_item<'r>(text: &'r Prose<'r>) -> Option<Item<'r>> {
    (!text.is_blank()).then(|| Item::Text(text.borrowed()))
}

fn say_that_it_failed(items: &mut Vec<Item<'_>>) {
    match items.first_mut() {
        Some(Item::Text(text)) => {
            let text = std::mem::replace(text, Prose::EMPTY);
            items.splice(..1, [Item::Marked("Error: ", text)]);
        }
        _ => items.insert(0, Item::Text(Prose::plain("Error"))),
    }
}

fn feature(kind: MediaKind) -> Feature {
    match kind {
        MediaKind::Image => Feature::Image,
        MediaKind::Document => Feature::Document,
        MediaKind::Audio => Feature::AudioIn,
        MediaKind::Video => Feature::Video,
    }
}

/// The media type that is said, or the one that the file's first bytes have.
fn media_type<'r>(media: &'r Media<'r>, data: &str) -> Cow<'r, str> {
    if let Some(media_type) = &media.media_type {
        return Cow::Borrowed(media_type);
    }
    let beginnings = [("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    let found = beginnings.iter().find(|(start, _)| data.starts_with(start));
    Cow::Borrowed(found.map_or("image/png", |(_, media_type)| media_type))
}

fn lose_foreign(kind: &str, lost: &mut Features) -> Result<(), Impossible> {
    let feature = match kind {
        "item_reference" => {
            let rule = "an item of a stored conversation is known to its vendor alone";
            return Err(Impossible { feature: Feature::Conversation, rule });
        }
        "container_upload" => {
            let rule = "a stored file is known to its vendor alone";
            return Err(Impossible { feature: Feature::StoredFile, rule });
        }
        "search_result" => Feature::Citations,
        _ if kind.contains("web_search") => Feature::WebSearch,
        _ if kind.contains("tool") || kind.contains("call") || kind.contains("code") => Feature::HostedTools,
        _ => Feature::Unknown,
    };
    lost.insert(feature);
    Ok(())
}
