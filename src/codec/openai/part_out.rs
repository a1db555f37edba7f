//! Writes the parts of a chat message: texts, media, marks of the prompt cache. Not messages.

use std::borrow::Cow;

use crate::chat::capability::Capability;
use crate::chat::feature::Feature;
use crate::chat::part::{CacheMark, Content, Media, MediaKind, Part, Source};
use crate::chat::prose::Prose;
use crate::chat::request::Request;
use crate::codec::json::write_string;
use crate::codec::openai::target::Target;
use crate::codec::openai::vendor::{Documents, Marks};
use crate::codec::openai::{media, model};
use crate::codec::writer::Writer;

/// The most marks of the prompt cache that vendors take.
const MAX_MARKS: usize = 4;

/// The parts of a request behind which a mark is written.
pub(super) struct Marked<'r, 'b> {
    parts: Vec<(&'r Part<'b>, CacheMark)>,
    pub(super) style: Style,
}

/// How a mark is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    None,
    CacheControl,
    Breakpoint,
}

impl<'r, 'b> Marked<'r, 'b> {
    /// Chooses the marks that are written: of more than four the first, which stands behind what never changes, and the
    /// last ones. The rest is lost, and so is a mark that no text carries.
    pub(super) fn choose(request: &'r Request<'b>, target: &mut Target<'_>) -> Self {
        let style = match target.vendor.marks {
            Marks::CacheControl => Style::CacheControl,
            Marks::ByModel if model::takes_breakpoints(target.shape) => Style::Breakpoint,
            Marks::ByModel => Style::None,
        };
        let carries = |part: &Part<'_>| match &part.content {
            Content::Text { text, .. } => !text.is_empty(),
            Content::Result(result) => result.parts.iter().any(|part| matches!(part.content, Content::Text { .. })),
            Content::Media(media) => style == Style::CacheControl && media.kind != MediaKind::Audio,
            Content::Call(_) | Content::Thought(_) | Content::Refusal(_) | Content::Foreign { .. } => false,
        };
        let all = || request.turns.iter().flat_map(|turn| &turn.parts);
        let mut parts: Vec<(&Part<'_>, CacheMark)> = Vec::new();
        for part in all() {
            if let Some(mark) = part.cache {
                if style != Style::None && carries(part) {
                    parts.push((part, mark));
                } else {
                    target.lose(Feature::CacheMark);
                }
            }
        }
        if let Some(mark) = request.cache_all {
            match all().rfind(|part| carries(part)).filter(|_| style != Style::None) {
                Some(last) if last.cache.is_none() => parts.push((last, mark)),
                Some(_) => {}
                None => target.lose(Feature::CacheMark),
            }
        }
        if parts.len() > MAX_MARKS {
            target.lose(Feature::CacheMark);
            parts.drain(1..parts.len() - (MAX_MARKS - 1));
        }
        Self { parts, style }
    }

    /// The mark behind a part.
    pub(super) fn of(&self, part: &Part<'_>) -> Option<CacheMark> {
        self.parts.iter().find(|(one, _)| std::ptr::eq(*one, part)).map(|(_, mark)| *mark)
    }

    /// Writes a mark as a member.
    pub(super) fn write(&self, writer: &mut Writer, mark: CacheMark) {
        match self.style {
            Style::None => {}
            Style::CacheControl => writer.key("cache_control").object(|writer| {
                writer.key("type").string("ephemeral");
                if mark == CacheMark::Long {
                    writer.key("ttl").string("1h");
                }
            }),
            Style::Breakpoint => writer.key("prompt_cache_breakpoint").object(|writer| {
                writer.key("mode").string("explicit");
                if mark == CacheMark::Long {
                    writer.key("ttl").string("12h");
                }
            }),
        }
    }
}

/// Texts with a line's end between them, or nothing.
pub(super) fn joined<'p>(texts: &[&'p Prose<'p>], between: &str) -> Prose<'p> {
    if let [one] = texts {
        return one.borrowed();
    }
    let mut all = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            escape(&mut all, between);
        }
        append(&mut all, text);
    }
    Prose::Escaped(Cow::Owned(all))
}

/// Appends a text as it stands between the quotes of a JSON string.
pub(super) fn append(out: &mut Vec<u8>, text: &Prose<'_>) {
    match text {
        Prose::Escaped(bytes) => out.extend_from_slice(bytes),
        Prose::Plain(text) => escape(out, text),
    }
}

fn escape(out: &mut Vec<u8>, text: &str) {
    let from = out.len();
    write_string(out, text);
    out.pop();
    out.remove(from);
}

/// `{type: text, text}`.
pub(super) fn write_text(writer: &mut Writer, text: &Prose<'_>, mark: impl FnOnce(&mut Writer)) {
    writer.object(|writer| {
        writer.key("type").string("text");
        writer.key("text").prose(text);
        mark(writer);
    });
}

/// A medium in a user's message.
pub(super) fn write_media(
    writer: &mut Writer,
    media: &Media<'_>,
    target: &mut Target<'_>,
    mark: impl FnOnce(&mut Writer),
) {
    if let Source::Text(text) = &media.source {
        return write_text(writer, text, mark);
    }
    match media.kind {
        MediaKind::Image => write_image(writer, media, target, mark),
        MediaKind::Video => write_video(writer, media, target),
        MediaKind::Audio => write_sound(writer, media, target),
        MediaKind::Document => write_document(writer, media, target),
    }
}

/// A key and a URL; data in base64 becomes a `data:` URL.
fn write_url(writer: &mut Writer, key: &str, media: &Media<'_>, otherwise: &str) {
    let writer = writer.key(key);
    match &media.source {
        Source::Base64(data) => {
            let head = media::data_url_head(media.media_type.as_deref().unwrap_or(otherwise));
            writer.prose_after(&head, &base64(data));
        }
        Source::Url(url) => writer.string(url),
        Source::Text(text) => writer.prose(text),
        Source::File(id) => writer.string(id),
    }
}

/// Base64 has nothing to escape.
fn base64<'d>(data: &'d str) -> Prose<'d> {
    let sound = !data.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    if sound { Prose::Escaped(Cow::Borrowed(data.as_bytes())) } else { Prose::plain(data) }
}

fn write_image(writer: &mut Writer, media: &Media<'_>, target: &mut Target<'_>, mark: impl FnOnce(&mut Writer)) {
    match &media.source {
        Source::File(_) => {
            return target.forbid(Feature::StoredFile, "chat completions take no image from a vendor's store");
        }
        Source::Url(url) if !url.starts_with("http") && !url.starts_with("data:") => {
            return target.forbid(Feature::RemoteMedia, "an image's URL must be http(s)");
        }
        Source::Url(_) if target.vendor.refuses(Feature::RemoteMedia) => {
            return target.forbid(Feature::RemoteMedia, "the vendor does not fetch images");
        }
        Source::Url(_) | Source::Base64(_) | Source::Text(_) => {}
    }
    writer.object(|writer| {
        writer.key("type").string("image_url");
        writer.key("image_url").object(|writer| {
            write_url(writer, "url", media, "image/png");
            if let Some(detail) = &media.detail {
                writer.key("detail").string(detail);
            }
        });
        mark(writer);
    });
}

fn write_video(writer: &mut Writer, media: &Media<'_>, target: &mut Target<'_>) {
    if target.vendor.refuses(Feature::Video) || matches!(media.source, Source::File(_)) {
        return target.forbid(Feature::Video, "the vendor's chat completions take no video");
    }
    writer.object(|writer| {
        writer.key("type").string("video_url");
        writer.key("video_url").object(|writer| write_url(writer, "url", media, "video/mp4"));
    });
}

fn write_sound(writer: &mut Writer, media: &Media<'_>, target: &mut Target<'_>) {
    if target.vendor.refuses(Feature::AudioIn) || target.shape.lacks(Capability::AudioIn) {
        return target.forbid(Feature::AudioIn, "the model takes no sound");
    }
    let Source::Base64(data) = &media.source else {
        return target.forbid(Feature::RemoteMedia, "sound must stand in the request");
    };
    writer.object(|writer| {
        writer.key("type").string("input_audio");
        if target.vendor.documents == Documents::DocumentUrl {
            writer.key("input_audio").prose(&base64(data));
            return;
        }
        writer.key("input_audio").object(|writer| {
            writer.key("data").prose(&base64(data));
            writer.key("format").string(media::sound_format(media.media_type.as_deref()));
        });
    });
}

fn write_document(writer: &mut Writer, media: &Media<'_>, target: &mut Target<'_>) {
    let documents = target.vendor.documents;
    match (&media.source, documents) {
        (_, Documents::None) => {
            return target.forbid(Feature::Document, "the vendor's chat completions take no documents");
        }
        (Source::File(id), _) if !(target.vendor.is_openai() && id.starts_with("file-")) => {
            return target.forbid(Feature::StoredFile, "a stored file is known to its own vendor alone");
        }
        (Source::Url(_), Documents::File) => {
            return target.forbid(Feature::RemoteMedia, "chat completions take no document by its URL");
        }
        (Source::File(_) | Source::Url(_) | Source::Base64(_) | Source::Text(_), _) => {}
    }
    let name = media.name.as_ref();
    if documents == Documents::DocumentUrl {
        return writer.object(|writer| {
            writer.key("type").string("document_url");
            write_url(writer, "document_url", media, "application/pdf");
            if let Some(name) = name {
                writer.key("document_name").prose(name);
            }
        });
    }
    writer.object(|writer| {
        writer.key("type").string("file");
        writer.key("file").object(|writer| {
            if let Source::File(id) = &media.source {
                writer.key("file_id").string(id);
                return;
            }
            write_url(writer, "file_data", media, "application/pdf");
            // OpenAI refuses a file without a name.
            match name {
                Some(name) => writer.key("filename").prose(name),
                None => writer.key("filename").string(name_for(media.media_type.as_deref())),
            }
        });
    });
}

fn name_for(media_type: Option<&str>) -> &'static str {
    match media_type {
        Some("text/plain") => "document.txt",
        Some("text/markdown") => "document.md",
        Some("text/csv") => "document.csv",
        Some("text/html") => "document.html",
        Some("application/json") => "document.json",
        Some(_) | None => "document.pdf",
    }
}

/// A part that another wire alone has: what is lost with it, or that it cannot be.
pub(super) fn report_foreign(kind: &str, target: &mut Target<'_>) {
    match kind {
        "item_reference" => {
            target.forbid(Feature::Conversation, "an item that the vendor stores is known to that vendor alone");
        }
        "container_upload" => {
            target.forbid(Feature::StoredFile, "a stored file is known to its own vendor alone");
        }
        _ => target.lose(Feature::HostedTools),
    }
}
