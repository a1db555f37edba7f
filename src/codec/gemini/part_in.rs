//! One part as Gemini writes it, of a request or of an answer. Calls and results are named by whoever knows the turns
//! before.

use std::borrow::Cow;

use crate::chat::part::{Content, Media, Part, Seal, Source, Thought};
use crate::chat::prose::{Json, Prose};
use crate::chat::wire::Wire;
use crate::codec::gemini::media::{kind_of, kind_of_address, source_of, standard_base64};
use crate::codec::gemini::member::{boolean, members};
use crate::codec::gemini::raw;
use crate::codec::gemini::seal;
use crate::codec::json::{Malformed, Scanner, Text, one_line};

/// A part as it stands in the body.
#[derive(Debug)]
pub struct WirePart<'a> {
    /// What it is; `None` for a part that is only a mark.
    pub thing: Option<Thing<'a>>,
    /// Whether it is a thought.
    pub thought: bool,
    /// `thoughtSignature`.
    pub signature: Option<Cow<'a, str>>,
    /// Members beside the thing itself, as `videoMetadata`.
    pub extras: Vec<(&'static str, Json<'a>)>,
    /// The whole part as it was written.
    pub raw: Json<'a>,
}

/// What a part is.
#[derive(Debug)]
pub enum Thing<'a> {
    /// `text`.
    Text(Text<'a>),
    /// `inlineData` and `fileData`.
    Media(Media<'a>),
    /// `functionCall`.
    Call {
        /// `id`.
        id: Option<Cow<'a, str>>,
        /// `name`; empty in the later pieces of a call that Vertex streams.
        name: Cow<'a, str>,
        /// `args`.
        arguments: Option<Json<'a>>,
    },
    /// `functionResponse`.
    Response {
        /// `id`.
        id: Option<Cow<'a, str>>,
        /// `name`.
        name: Cow<'a, str>,
        /// `response`.
        response: Option<Json<'a>>,
        /// `parts`.
        media: Vec<Media<'a>>,
    },
    /// A part that no other format has.
    Other(Cow<'static, str>),
}

/// Reads a part.
///
/// # Errors
/// What is no part, and a part that is two things.
pub fn read<'a>(scanner: &mut Scanner<'a>) -> Result<WirePart<'a>, Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let (mut thing, mut thought, mut signature, mut extras) = (None, false, None, Vec::new());
    let mut unknown = None;
    members(scanner, |scanner, name| {
        let found = match name {
            "thought" => {
                thought = boolean(scanner)?;
                return Ok(());
            }
            "thoughtSignature" => {
                signature = Some(scanner.string()?.text());
                return Ok(());
            }
            "videoMetadata" => {
                extras.push(("videoMetadata", scanner.json()?));
                return Ok(());
            }
            "mediaResolution" => {
                extras.push(("mediaResolution", scanner.json()?));
                return Ok(());
            }
            "text" => Thing::Text(scanner.string()?),
            "inlineData" | "fileData" => Thing::Media(media(scanner)?),
            "functionCall" => call(scanner)?,
            "functionResponse" => response(scanner)?,
            "partMetadata" | "mediaProcessing" | "speechMetadata" | "documentMetadata" => return scanner.pass(),
            other => {
                unknown.get_or_insert_with(|| other.to_owned());
                extras.push(("", scanner.json()?));
                return Ok(());
            }
        };
        if thing.replace(found).is_some() {
            return Err(Malformed { offset: start, what: "a part is more than one thing" });
        }
        Ok(())
    })?;
    let raw = Json::borrowed(scanner.slice(start..scanner.offset()));
    if let (None, Some(name)) = (&thing, unknown) {
        // The whole part is kept, so nothing of it stands beside it.
        extras.clear();
        thing = Some(Thing::Other(Cow::Owned(name)));
    }
    Ok(WirePart { thing, thought, signature, extras, raw })
}

fn media<'a>(scanner: &mut Scanner<'a>) -> Result<Media<'a>, Malformed> {
    let (mut source, mut media_type, mut name) = (None, None, None);
    members(scanner, |scanner, member| {
        match member {
            "data" => source = Some(Source::Base64(standard_base64(scanner.string()?.text()))),
            "fileUri" => source = Some(source_of(scanner.string()?.text())),
            "mimeType" => media_type = Some(scanner.string()?.text()),
            "displayName" => name = Some(scanner.string()?.prose()),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let Some(source) = source else {
        return Err(scanner.malformed("`data` or `fileUri` is missing"));
    };
    let kind = match (&media_type, &source) {
        (Some(media_type), _) => kind_of(media_type),
        (None, Source::Url(address)) => kind_of_address(address),
        (None, _) => kind_of(""),
    };
    Ok(Media { kind, source, media_type, name, detail: None })
}

fn call<'a>(scanner: &mut Scanner<'a>) -> Result<Thing<'a>, Malformed> {
    let (mut id, mut name, mut arguments) = (None, Cow::Borrowed(""), None);
    members(scanner, |scanner, member| {
        match member {
            "id" => id = filled(scanner.string()?),
            "name" => name = scanner.string()?.text(),
            "args" => arguments = Some(object(scanner)?),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok(Thing::Call { id, name, arguments })
}

fn response<'a>(scanner: &mut Scanner<'a>) -> Result<Thing<'a>, Malformed> {
    let (mut id, mut name, mut response, mut held) = (None, Cow::Borrowed(""), None, Vec::new());
    members(scanner, |scanner, member| {
        match member {
            "id" => id = filled(scanner.string()?),
            "name" => name = scanner.string()?.text(),
            "response" => response = Some(object(scanner)?),
            "parts" => scanner.array(|scanner| {
                members(scanner, |scanner, member| match member {
                    "inlineData" | "fileData" => {
                        held.push(media(scanner)?);
                        Ok(())
                    }
                    _ => scanner.pass(),
                })
            })?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok(Thing::Response { id, name, response, media: held })
}

fn filled(text: Text<'_>) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then(|| text.text())
}

fn object<'a>(scanner: &mut Scanner<'a>) -> Result<Json<'a>, Malformed> {
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("an object is expected"));
    }
    scanner.json()
}

/// The text of a JSON value, as prose.
pub fn json_text(json: Json<'_>) -> Prose<'_> {
    match json.0 {
        Cow::Borrowed(bytes) => match one_line(bytes) {
            Cow::Borrowed(bytes) => Prose::Plain(String::from_utf8_lossy(bytes)),
            Cow::Owned(bytes) => Prose::Plain(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())),
        },
        Cow::Owned(bytes) => Prose::Plain(Cow::Owned(String::from_utf8_lossy(&one_line(&bytes)).into_owned())),
    }
}

/// Pushes what is neither call nor result. A signature on words or a medium becomes a thought without words behind
/// them: they themselves have no place for it, and a client must give it back.
pub fn push<'a>(
    thing: Option<Thing<'a>>,
    thought: bool,
    signature: Option<Cow<'a, str>>,
    whole: Json<'a>,
    parts: &mut Vec<Part<'a>>,
) {
    let seal = signature.map(seal::read);
    match thing {
        Some(Thing::Text(text)) if thought => return think(text.prose(), seal, parts),
        Some(Thing::Text(text)) if text.is_empty() => {}
        Some(Thing::Text(text)) => parts.push(Content::text(text.prose()).into()),
        Some(Thing::Media(media)) => parts.push(Content::Media(media).into()),
        Some(Thing::Other(kind)) => {
            // Its signature stands in the whole.
            parts.push(Content::Foreign { wire: Wire::Gemini, kind, raw: whole }.into());
            return;
        }
        Some(Thing::Call { .. } | Thing::Response { .. }) | None => {}
    }
    if seal.is_some() {
        parts.push(Content::Thought(Thought { text: Prose::EMPTY, seal }).into());
    }
}

/// A thought. In the history of a stream it stands in pieces, and its seal comes with the last one.
fn think<'a>(text: Prose<'a>, seal: Option<Seal<'a>>, parts: &mut Vec<Part<'a>>) {
    match parts.last_mut().map(|part| &mut part.content) {
        Some(Content::Thought(before)) if before.seal.is_none() => {
            join(&mut before.text, text);
            before.seal = seal;
        }
        _ => parts.push(Content::Thought(Thought { text, seal }).into()),
    }
}

/// Puts a text behind another.
pub fn join<'a>(text: &mut Prose<'a>, more: Prose<'a>) {
    match (&mut *text, more) {
        (_, more) if more.is_empty() => {}
        (Prose::Escaped(bytes), Prose::Escaped(more)) => bytes.to_mut().extend_from_slice(&more),
        (Prose::Plain(text), more) => text.to_mut().push_str(&raw::text(&more)),
        (Prose::Escaped(_), more) => *text = Prose::plain(format!("{}{}", raw::text(text), raw::text(&more))),
    }
}
