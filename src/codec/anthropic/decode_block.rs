//! Reads content blocks: those of requests and those of answers, which are nearly the same. Not their order.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::part::Seal;
use crate::chat::part::{
    CacheMark, Call, CallKind, CallResult, Citation, Content, Media, MediaKind, Part, Source, Thought,
};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::Foreign;
use crate::chat::wire::Wire;
use crate::codec::anthropic::seal;
use crate::codec::json::{Malformed, Scanner, Text};

/// Wishes that a block holds for the whole request, and that no part has room for.
#[derive(Debug, Default)]
pub(super) struct Wishes<'a> {
    /// `citations.enabled` of a document.
    pub(super) citations: bool,
    /// Members without a word in the form between.
    pub(super) foreign: Vec<Foreign<'a>>,
}

impl<'a> Wishes<'a> {
    /// Keeps a member that other wires have no word for.
    pub(super) fn keep(&mut self, feature: Feature, name: impl Into<Cow<'a, str>>, value: Json<'a>) {
        self.foreign.push(Foreign { feature, wire: Wire::Messages, name: name.into(), value });
    }
}

/// The members of a block, whatever its type: `type` may stand behind the others.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    source: Option<Json<'a>>,
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    input: Option<Json<'a>>,
    tool_use_id: Option<Text<'a>>,
    content: Option<(usize, Json<'a>)>,
    is_error: bool,
    thinking: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    data: Option<Text<'a>>,
    title: Option<Text<'a>>,
    context: Option<Json<'a>>,
    citations: Option<Json<'a>>,
    cache: Option<CacheMark>,
}

impl<'a> Members<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut members = Self::default();
        scanner.object(|scanner, key| {
            match key.raw() {
                b"type" => members.kind = Some(scanner.string()?),
                b"text" => members.text = text_or_null(scanner)?,
                b"source" => members.source = Some(scanner.json()?),
                b"id" => members.id = scanner.string_or_skip()?,
                b"name" => members.name = scanner.string_or_skip()?,
                b"input" => members.input = Some(scanner.json()?),
                b"tool_use_id" => members.tool_use_id = scanner.string_or_skip()?,
                b"content" => {
                    scanner.peek()?;
                    members.content = Some((scanner.offset(), scanner.json()?));
                }
                b"is_error" => match scanner.bool()? {
                    Some(is_error) => members.is_error = is_error,
                    None => scanner.pass()?,
                },
                b"thinking" => members.thinking = text_or_null(scanner)?,
                b"signature" => members.signature = text_or_null(scanner)?,
                b"data" => members.data = scanner.string_or_skip()?,
                b"title" => members.title = text_or_null(scanner)?,
                b"context" => members.context = Some(scanner.json()?),
                b"citations" => members.citations = Some(scanner.json()?),
                b"cache_control" => members.cache = cache_mark(scanner)?,
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        Ok(members)
    }
}

fn text_or_null<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Text<'a>>, Malformed> {
    if scanner.null()? { Ok(None) } else { scanner.string().map(Some) }
}

/// `cache_control`: `{"type":"ephemeral","ttl":"5m"|"1h"}` or null.
pub(super) fn cache_mark(scanner: &mut Scanner<'_>) -> Result<Option<CacheMark>, Malformed> {
    if scanner.null()? {
        return Ok(None);
    }
    let mut mark = CacheMark::Short;
    scanner.object(|scanner, key| {
        match key.raw() {
            b"ttl" => {
                if scanner.string_or_skip()?.is_some_and(|ttl| ttl.is("1h")) {
                    mark = CacheMark::Long;
                }
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok(Some(mark))
}

/// Reads one content block.
pub(super) fn block<'a>(scanner: &mut Scanner<'a>, wishes: &mut Wishes<'a>) -> Result<Part<'a>, Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let members = Members::read(scanner)?;
    let cache = members.cache;
    let raw = scanner.slice(start..scanner.offset());
    let content = content(members, start, raw, wishes)?;
    Ok(Part { content, cache })
}

fn content<'a>(
    members: Members<'a>,
    start: usize,
    raw: &'a [u8],
    wishes: &mut Wishes<'a>,
) -> Result<Content<'a>, Malformed> {
    let malformed = |what| Malformed { offset: start, what };
    let Some(kind) = members.kind else {
        return Err(malformed("a content block needs a `type`"));
    };
    let kind = kind.text();
    Ok(match kind.as_ref() {
        "text" => {
            let text = members.text.ok_or(malformed("a text block needs a `text`"))?.prose();
            Content::Text { text, citations: members.citations.map(citations).unwrap_or_default() }
        }
        "thinking" => {
            let text = members.thinking.ok_or(malformed("a thinking block needs `thinking`"))?.prose();
            Content::Thought(Thought { text, seal: members.signature.and_then(|text| seal::read(text.text())) })
        }
        "redacted_thinking" => {
            let data = members.data.ok_or(malformed("a redacted_thinking block needs `data`"))?;
            Content::Thought(Thought { text: Prose::EMPTY, seal: Some(redacted(data.text())) })
        }
        "tool_use" => Content::Call(Call {
            id: members.id.ok_or(malformed("a tool_use block needs an `id`"))?.text(),
            name: members.name.ok_or(malformed("a tool_use block needs a `name`"))?.text(),
            arguments: members.input.map_or(Prose::EMPTY, arguments),
            kind: CallKind::Function,
            signature: None,
        }),
        "tool_result" => Content::Result(CallResult {
            id: members.tool_use_id.ok_or(malformed("a tool_result block needs a `tool_use_id`"))?.text(),
            name: None,
            parts: members.content.map_or(Ok(Vec::new()), |(at, value)| nested(at, value, wishes))?,
            is_error: members.is_error,
            kind: CallKind::Function,
        }),
        "image" | "document" => match media(&kind, &members, wishes) {
            Some(media) => Content::Media(media),
            None => foreign(kind, raw),
        },
        _ => foreign(kind, raw),
    })
}

fn foreign<'a>(kind: Cow<'a, str>, raw: &'a [u8]) -> Content<'a> {
    Content::Foreign { wire: Wire::Messages, kind, raw: Json::borrowed(raw) }
}

/// The seal of a thought that is wholly hidden.
pub(super) fn redacted(data: Cow<'_, str>) -> Seal<'_> {
    Seal { wire: Wire::Messages, data, redacted: true, id: None }
}

/// A tool's `input` as the text of its arguments.
pub(super) fn arguments(input: Json<'_>) -> Prose<'_> {
    match input.0 {
        Cow::Borrowed(bytes) => Prose::Plain(String::from_utf8_lossy(bytes)),
        Cow::Owned(bytes) => Prose::Plain(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())),
    }
}

/// The `content` of a tool's result, a string or blocks, which stands at byte `at` of the body.
fn nested<'a>(at: usize, value: Json<'a>, wishes: &mut Wishes<'a>) -> Result<Vec<Part<'a>>, Malformed> {
    let Cow::Borrowed(bytes) = value.0 else { return Ok(Vec::new()) };
    let shift = |malformed: Malformed| Malformed { offset: malformed.offset + at, ..malformed };
    blocks(&mut Scanner::new(bytes), wishes).map_err(shift)
}

/// Content that is a string, an array of blocks, or null.
pub(super) fn blocks<'a>(scanner: &mut Scanner<'a>, wishes: &mut Wishes<'a>) -> Result<Vec<Part<'a>>, Malformed> {
    let mut parts = Vec::new();
    match scanner.peek()? {
        b'"' => parts.push(Content::text(scanner.string()?.prose()).into()),
        b'[' => scanner.array(|scanner| {
            parts.push(block(scanner, wishes)?);
            Ok(())
        })?,
        b'n' => scanner.pass()?,
        _ => return Err(scanner.malformed("content must be a string or an array of blocks")),
    }
    Ok(parts)
}

/// An image or a document; `None` when its source is of no known type.
fn media<'a>(kind: &str, members: &Members<'a>, wishes: &mut Wishes<'a>) -> Option<Media<'a>> {
    let Some(Json(Cow::Borrowed(source))) = &members.source else { return None };
    let (source, media_type) = source_of(source)?;
    let kind = if kind == "image" { MediaKind::Image } else { MediaKind::Document };
    if members.citations.as_ref().is_some_and(is_enabled) {
        wishes.citations = true;
    }
    if let Some(context) = members.context.as_ref().filter(|context| context.bytes() != b"null") {
        wishes.keep(Feature::Unknown, "document.context", context.clone());
    }
    Some(Media { kind, source, media_type, name: members.title.as_ref().map(Text::prose), detail: None })
}

fn source_of(source: &[u8]) -> Option<(Source<'_>, Option<Cow<'_, str>>)> {
    let mut scanner = Scanner::new(source);
    let (mut kind, mut media_type, mut data, mut url, mut file, mut content) = (None, None, None, None, None, None);
    let read = scanner.object(|scanner, key| {
        match key.raw() {
            b"type" => kind = scanner.string_or_skip()?,
            b"media_type" => media_type = scanner.string_or_skip()?,
            b"data" => data = scanner.string_or_skip()?,
            b"url" => url = scanner.string_or_skip()?,
            b"file_id" => file = scanner.string_or_skip()?,
            b"content" => content = Some(scanner.json()?),
            _ => scanner.pass()?,
        }
        Ok(())
    });
    read.ok()?;
    let media_type = media_type.map(|text: Text<'_>| text.text());
    let source = match kind?.text().as_ref() {
        "base64" => Source::Base64(data?.text()),
        "text" => Source::Text(data?.prose()),
        "url" => Source::Url(url?.text()),
        "file" => Source::File(file?.text()),
        "content" => Source::Text(only_text(content?)?),
        _ => return None,
    };
    Some((source, media_type))
}

/// The text of a document that is given as content: a string, or blocks of which none is anything but text.
fn only_text(content: Json<'_>) -> Option<Prose<'_>> {
    let Cow::Borrowed(bytes) = content.0 else { return None };
    let parts = blocks(&mut Scanner::new(bytes), &mut Wishes::default()).ok()?;
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts {
        match part.content {
            Content::Text { text, .. } => texts.push(text),
            _ => return None,
        }
    }
    if texts.len() < 2 {
        return Some(texts.pop().unwrap_or(Prose::EMPTY));
    }
    let plain = |text: &Prose<'_>| match text {
        Prose::Escaped(bytes) => crate::codec::json::unescape(bytes),
        Prose::Plain(text) => text.clone().into_owned(),
    };
    Some(Prose::plain(texts.iter().map(plain).collect::<Vec<_>>().join("\n")))
}

/// Whether a `citations` object says `enabled: true`.
fn is_enabled(citations: &Json<'_>) -> bool {
    let mut enabled = false;
    let read = Scanner::new(citations.bytes()).object(|scanner, key| match (key.raw(), scanner.bool()?) {
        (b"enabled", Some(value)) => {
            enabled = value;
            Ok(())
        }
        (_, Some(_)) => Ok(()),
        (_, None) => scanner.pass(),
    });
    read.is_ok() && enabled
}

/// The citations of a text; anything but an array of them is none.
fn citations(value: Json<'_>) -> Vec<Citation<'_>> {
    let Cow::Borrowed(bytes) = value.0 else { return Vec::new() };
    let mut all = Vec::new();
    let mut scanner = Scanner::new(bytes);
    if matches!(scanner.peek(), Ok(b'[')) {
        // What stands behind a broken element is left out: the span was checked when it was skipped.
        let _ = scanner.array(|scanner| {
            all.push(citation(scanner)?);
            Ok(())
        });
    }
    all
}

/// Reads one citation.
pub(super) fn citation<'a>(scanner: &mut Scanner<'a>) -> Result<Citation<'a>, Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let mut citation = Citation::default();
    let mut replayable = true;
    scanner.object(|scanner, key| {
        match key.raw() {
            b"url" => citation.url = scanner.string_or_skip()?.map(|text| text.text()),
            b"source" => {
                let source = scanner.string_or_skip()?.map(|text| text.text());
                citation.url = citation.url.take().or(source.filter(|source| source.starts_with("http")));
            }
            b"title" | b"document_title" => citation.title = scanner.string_or_skip()?.map(|text| text.prose()),
            b"cited_text" => citation.quote = scanner.string_or_skip()?.map(|text| text.prose()),
            // Empty where Weir wrote a citation of another vendor (see `encode_block`).
            b"encrypted_index" => replayable = scanner.string_or_skip()?.is_some_and(|index| !index.is_empty()),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    if replayable {
        citation.raw = Some((Wire::Messages, Json::borrowed(scanner.slice(start..scanner.offset()))));
    }
    Ok(citation)
}
