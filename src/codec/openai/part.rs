//! Reads the parts of a chat message: text, images, sounds, files, and the marks of the prompt cache. Not messages.

use std::borrow::Cow;

use crate::chat::part::{CacheMark, Content, Media, MediaKind, Part, Source};
use crate::chat::prose::{Json, Prose};
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::{field, media, thought};

/// A message's `content`: a string, an array of parts, or `null`.
pub(super) fn read_content<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? == b'"' {
        parts.push(Content::text(scanner.string()?.prose()).into());
        return Ok(());
    }
    field::each(scanner, "`content` is a string or an array of parts", |scanner| read(scanner, parts))
}

/// `cache_control{type, ttl}` or `prompt_cache_breakpoint{mode, ttl}`.
pub(super) fn read_mark(scanner: &mut Scanner<'_>) -> Result<Option<CacheMark>, Malformed> {
    let mut mark = CacheMark::Short;
    let is_object = field::members(scanner, "a cache mark is an object", |scanner, key| {
        if !key.is("ttl") {
            return scanner.pass();
        }
        if let Some(ttl) = scanner.string_or_skip()? {
            mark = if ttl.bytes().ends_with(b"h") { CacheMark::Long } else { CacheMark::Short };
        }
        Ok(())
    })?;
    Ok(is_object.then_some(mark))
}

/// One part; Mistral's and LiteLLM's thinking chunks may be several.
fn read<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("a part is an object"));
    }
    let start = scanner.offset();
    let mut raw = Members::default();
    scanner.object(|scanner, key| raw.member(scanner, &key))?;
    let whole = scanner.slice(start..scanner.offset());
    let cache = raw.cache;
    let Some(kind) = raw.kind else {
        return Err(Malformed { offset: start, what: "a part has a `type`" });
    };
    let incomplete = |what| Malformed { offset: start, what };
    let content = match kind.bytes().as_ref() {
        b"text" | b"input_text" | b"output_text" => {
            Content::text(raw.text.ok_or(incomplete("a text part has a `text`"))?.prose())
        }
        b"image_url" => raw.media(MediaKind::Image).ok_or(incomplete("an image part has an `image_url`"))?,
        b"video_url" => raw.media(MediaKind::Video).ok_or(incomplete("a video part has a `video_url`"))?,
        b"document_url" => raw.media(MediaKind::Document).ok_or(incomplete("a document part has a `document_url`"))?,
        b"input_audio" => raw.sound().ok_or(incomplete("an audio part has `input_audio` data"))?,
        b"file" => raw.file().ok_or(incomplete("a file part has `file_data` or a `file_id`"))?,
        b"refusal" => Content::Refusal(raw.refusal.ok_or(incomplete("a refusal part has a `refusal`"))?.prose()),
        b"thinking" | b"redacted_thinking" => {
            thought::read_block(&mut Scanner::new(whole), parts)?;
            return Ok(());
        }
        _ => Content::Foreign { wire: Wire::Chat, kind: kind.text(), raw: Json::borrowed(whole) },
    };
    parts.push(Part { content, cache });
    Ok(())
}

/// The members of a part, whatever its type: it may come last.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    refusal: Option<Text<'a>>,
    url: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    format: Option<Cow<'a, str>>,
    file_id: Option<Cow<'a, str>>,
    name: Option<Text<'a>>,
    cache: Option<CacheMark>,
}

impl<'a> Members<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"type" => self.kind = Some(scanner.string()?),
            b"text" => self.text = field::string(scanner, "`text` is a string")?,
            b"refusal" => self.refusal = field::string(scanner, "`refusal` is a string")?,
            b"image_url" | b"video_url" | b"document_url" | b"input_audio" | b"file" => {
                // Mistral writes bare strings.
                if scanner.peek()? == b'"' {
                    let value = Some(scanner.string()?.text());
                    *(if key.is("input_audio") { &mut self.data } else { &mut self.url }) = value;
                } else if scanner.peek()? == b'{' {
                    scanner.object(|scanner, key| self.inner(scanner, &key))?;
                } else {
                    return Err(scanner.malformed("a medium is an object"));
                }
            }
            b"document_name" => self.name = field::string(scanner, "`document_name` is a string")?,
            b"cache_control" | b"prompt_cache_breakpoint" => self.cache = read_mark(scanner)?.or(self.cache),
            _ => scanner.pass()?,
        }
        Ok(())
    }

    fn inner(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"url" => self.url = field::text(scanner, "`url` is a string")?,
            b"detail" => self.detail = field::text(scanner, "`detail` is a string")?,
            b"data" | b"file_data" => self.data = field::text(scanner, "the data of a medium is a string")?,
            b"format" => self.format = field::text(scanner, "`format` is a string")?,
            b"file_id" => self.file_id = field::text(scanner, "`file_id` is a string")?,
            b"filename" => self.name = field::string(scanner, "`filename` is a string")?,
            _ => scanner.pass()?,
        }
        Ok(())
    }

    fn media(&mut self, kind: MediaKind) -> Option<Content<'a>> {
        let (source, media_type) = media::source_of(self.url.take()?);
        let (name, detail) = (self.name.map(|name| name.prose()), self.detail.take());
        Some(Content::Media(Media { kind, source, media_type, name, detail }))
    }

    fn sound(&mut self) -> Option<Content<'a>> {
        let format = self.format.take();
        let media_type = format.map(|format| Cow::Owned(media::sound_type(&format)));
        let (source, named) = media::source_of(self.data.take()?);
        let source = match source {
            Source::Url(text) if !text.contains(':') => Source::Base64(text),
            source => source,
        };
        let kind = MediaKind::Audio;
        Some(Content::Media(Media { kind, source, media_type: media_type.or(named), name: None, detail: None }))
    }

    fn file(&mut self) -> Option<Content<'a>> {
        let by_name = self.name.and_then(|name| media::type_of_name(&name.text()));
        let (source, media_type) = match (self.data.take().or(self.url.take()), self.file_id.take()) {
            (Some(data), _) => match media::source_of(data) {
                // OpenAI takes bare base64 too.
                (Source::Url(text), named) if !text.contains(':') => (Source::Base64(text), named),
                of_url => of_url,
            },
            (None, Some(id)) => (Source::File(id), None),
            (None, None) => return None,
        };
        let media_type = media_type.or(by_name.map(Cow::Borrowed));
        let kind = media_type.as_deref().map_or(MediaKind::Document, media::kind_of);
        let name: Option<Prose<'a>> = self.name.map(|name| name.prose());
        Some(Content::Media(Media { kind, source, media_type, name, detail: None }))
    }
}
