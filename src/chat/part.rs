//! What a turn of a conversation is made of. One form that can hold what every wire format says.

use std::borrow::Cow;

use crate::chat::prose::{Json, Prose};
use crate::chat::wire::Wire;

/// One part of a turn or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// What it is.
    pub content: Content<'a>,
    /// A mark behind which the vendor is to cache the prompt.
    pub cache: Option<CacheMark>,
}

impl<'a> From<Content<'a>> for Part<'a> {
    fn from(content: Content<'a>) -> Self {
        Self { content, cache: None }
    }
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content<'a> {
    /// Text, with what it cites (answers and their history only).
    Text {
        /// The text.
        text: Prose<'a>,
        /// What it cites.
        citations: Vec<Citation<'a>>,
    },
    /// An image, a document, a sound.
    Media(Media<'a>),
    /// The model calls a tool.
    Call(Call<'a>),
    /// What a tool gave back.
    Result(CallResult<'a>),
    /// What the model thought before it spoke.
    Thought(Thought<'a>),
    /// The model declines.
    Refusal(Prose<'a>),
    /// Something that no other format has: a call of a tool that the vendor runs, a reference into the vendor's store.
    Foreign {
        /// Whose it is; encoders of this format write `raw`, all others report it lost.
        wire: Wire,
        /// Its `type`.
        kind: Cow<'a, str>,
        /// The whole part as it was written.
        raw: Json<'a>,
    },
}

impl<'a> Content<'a> {
    /// Text without citations.
    pub fn text(text: Prose<'a>) -> Self {
        Self::Text { text, citations: Vec::new() }
    }
}

/// How long the vendor is asked to keep what stands before a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMark {
    /// The vendor's usual time, five minutes where it says so.
    Short,
    /// An hour or more.
    Long,
}

/// What sort of thing a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A PDF or another file to be read.
    Document,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
}

/// An image, a document, a sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Media<'a> {
    /// What sort of thing.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: Source<'a>,
    /// As `image/png`, when it is known. Audio of OpenAI's `format: wav` is `audio/wav`.
    pub media_type: Option<Cow<'a, str>>,
    /// A file name or title.
    pub name: Option<Prose<'a>>,
    /// OpenAI's `detail` of an image.
    pub detail: Option<Cow<'a, str>>,
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source<'a> {
    /// Here, in base64 (the standard alphabet, padded).
    Base64(Cow<'a, str>),
    /// Here, as text (Anthropic's plain-text documents).
    Text(Prose<'a>),
    /// At an http(s), `gs:` or `s3:` URL. (A `data:` URL is `Base64`.)
    Url(Cow<'a, str>),
    /// In the store of one vendor.
    File(Cow<'a, str>),
}

/// The model calls a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    /// Pairs the call with its result; empty where the wire has none.
    pub id: Cow<'a, str>,
    /// The tool.
    pub name: Cow<'a, str>,
    /// The text of the arguments: a JSON object for functions (to be checked before it is written as one; empty stands for
    /// `{}`), free text for `CallKind::Custom`.
    pub arguments: Prose<'a>,
    /// What sort of tool.
    pub kind: CallKind,
    /// Gemini's `thoughtSignature` on the call.
    pub signature: Option<Cow<'a, str>>,
}

/// What sort of tool is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// A function with a JSON object.
    #[default]
    Function,
    /// OpenAI's custom tool, with free text.
    Custom,
}

/// What a tool gave back.
#[derive(Clone, Debug, PartialEq)]
pub struct CallResult<'a> {
    /// The call's id; empty where the wire has none.
    pub id: Cow<'a, str>,
    /// The tool's name, where the wire says it.
    pub name: Option<Cow<'a, str>>,
    /// Text, images, documents.
    pub parts: Vec<Part<'a>>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// What sort of tool.
    pub kind: CallKind,
}

/// What the model thought.
#[derive(Clone, Debug, PartialEq)]
pub struct Thought<'a> {
    /// The thinking, or its summary; empty when it is hidden.
    pub text: Prose<'a>,
    /// The vendor's seal: Anthropic's `signature` or `redacted_thinking` data, Gemini's `thoughtSignature`, OpenAI's
    /// `encrypted_content`. Means nothing to another vendor.
    pub seal: Option<Seal<'a>>,
}

/// A vendor's seal on a thought.
#[derive(Clone, Debug, PartialEq)]
pub struct Seal<'a> {
    /// Whose it is.
    pub wire: Wire,
    /// The blob.
    pub data: Cow<'a, str>,
    /// The whole thought is in the blob (Anthropic's `redacted_thinking`, Converse's `redactedContent`).
    pub redacted: bool,
    /// The id of the item (OpenAI's `rs_…`).
    pub id: Option<Cow<'a, str>>,
}

/// A source that a text names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation<'a> {
    /// Its address.
    pub url: Option<Cow<'a, str>>,
    /// Its title.
    pub title: Option<Prose<'a>>,
    /// The cited words.
    pub quote: Option<Prose<'a>>,
    /// Where in the answer's text the citing words begin and end, in characters.
    pub span: Option<(u64, u64)>,
    /// The citation as it was written, for its own wire.
    pub raw: Option<(Wire, Json<'a>)>,
}
