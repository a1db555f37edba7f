//! Images, documents, sound and film as Converse takes them: by format, and as bytes or from S3. It fetches nothing.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::part::{Media, MediaKind, Source};
use crate::chat::prose::Prose;
use crate::codec::wire::Impossible;

/// A medium that can be written.
pub struct Medium<'r> {
    /// What sort of thing.
    pub kind: MediaKind,
    /// Its format.
    pub format: &'static str,
    /// Its bytes.
    pub bytes: Bytes<'r>,
    /// Its file name.
    pub title: Option<&'r Prose<'r>>,
}

/// Where a medium's bytes are.
pub enum Bytes<'r> {
    /// Here, in base64.
    Base64(&'r str),
    /// Here, as text that is yet to be put into base64: every model that reads documents takes their bytes.
    Text(&'r Prose<'r>),
    /// In S3.
    S3(&'r str),
}

const IMAGES: &[(&str, &str)] = &[
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];

const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/x-markdown", "md"),
];

const SOUNDS: &[(&str, &str)] = &[
    ("audio/mp3", "mp3"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/opus", "opus"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/mp4", "mp4"),
    ("audio/m4a", "m4a"),
    ("audio/ogg", "ogg"),
    ("audio/webm", "webm"),
    ("audio/pcm", "pcm"),
];

const FILMS: &[(&str, &str)] = &[
    ("video/x-matroska", "mkv"),
    ("video/quicktime", "mov"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];

/// The first characters, in base64, of files whose media type nobody says.
const BEGINNINGS: &[(MediaKind, &str, &str)] = &[
    (MediaKind::Image, "iVBORw0KGgo", "png"),
    (MediaKind::Image, "/9j/", "jpeg"),
    (MediaKind::Image, "R0lGOD", "gif"),
    (MediaKind::Image, "UklGR", "webp"),
    (MediaKind::Document, "JVBERi", "pdf"),
    (MediaKind::Audio, "UklGR", "wav"),
    (MediaKind::Audio, "SUQz", "mp3"),
];

/// The medium as Converse takes it.
///
/// # Errors
/// It is behind a URL or in a vendor's store, or of a format that Converse has no name for.
pub fn medium<'r>(media: &'r Media<'r>) -> Result<Medium<'r>, Impossible> {
    let bytes = match &media.source {
        Source::Base64(data) => Bytes::Base64(data),
        Source::Text(text) => Bytes::Text(text),
        Source::Url(url) if url.starts_with("s3://") => Bytes::S3(url),
        Source::Url(_) => {
            return Err(Impossible { feature: Feature::RemoteMedia, rule: "Converse fetches no media from URLs" });
        }
        Source::File(_) => {
            return Err(Impossible {
                feature: Feature::StoredFile,
                rule: "a stored file is known to its vendor alone",
            });
        }
    };
    let format = format(media).ok_or_else(|| unknown(media.kind))?;
    Ok(Medium { kind: media.kind, format, bytes, title: media.name.as_ref() })
}

/// The feature that a medium is.
pub fn feature(kind: MediaKind) -> Feature {
    match kind {
        MediaKind::Image => Feature::Image,
        MediaKind::Document => Feature::Document,
        MediaKind::Audio => Feature::AudioIn,
        MediaKind::Video => Feature::Video,
    }
}

/// The media type of a format of an image in an answer.
pub fn image_type(format: &str) -> Option<&'static str> {
    IMAGES.iter().find(|(_, name)| *name == format).map(|(media_type, _)| *media_type)
}

fn unknown(kind: MediaKind) -> Impossible {
    let rule = match kind {
        MediaKind::Image => "Converse takes images as png, jpeg, gif and webp",
        MediaKind::Document => "Converse takes documents as pdf, csv, doc, docx, xls, xlsx, html, txt and md",
        MediaKind::Audio => "Converse has no name for the format of the sound",
        MediaKind::Video => "Converse has no name for the format of the film",
    };
    Impossible { feature: feature(kind), rule }
}

fn format(media: &Media<'_>) -> Option<&'static str> {
    let table = match media.kind {
        MediaKind::Image => IMAGES,
        MediaKind::Document => DOCUMENTS,
        MediaKind::Audio => SOUNDS,
        MediaKind::Video => FILMS,
    };
    let named = media.media_type.as_deref().and_then(|written| {
        let name = written.split(';').next().unwrap_or_default().trim();
        table.iter().find(|(media_type, _)| media_type.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    });
    named.or_else(|| match &media.source {
        Source::Text(_) => (media.kind == MediaKind::Document).then_some("txt"),
        Source::Base64(data) => BEGINNINGS
            .iter()
            .find(|(kind, start, _)| *kind == media.kind && data.starts_with(start))
            .map(|(_, _, format)| *format),
        Source::Url(url) => table
            .iter()
            .map(|(_, format)| *format)
            .find(|format| url.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case(format))),
        Source::File(_) => None,
    })
}

/// Base64 (the standard alphabet, padded).
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) as usize & 63;
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// The bytes of base64; what is none of its letters is passed over.
pub fn from_base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

/// A name for a document that says nothing to the model.
pub fn document_name(number: usize) -> Cow<'static, str> {
    Cow::Owned(format!("document {number}"))
}

#[cfg(test)]
mod tests {
    use super::{base64, from_base64};

    #[test]
    fn base64_follows_rfc_4648() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (text, code) in cases {
            assert_eq!(base64(text.as_bytes()), code);
            assert_eq!(from_base64(code.as_bytes()), text.as_bytes());
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
