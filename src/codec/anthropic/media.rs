//! Which media Anthropic takes, and in which form. Not where in a conversation they may stand.

use crate::chat::feature::Feature;
use crate::chat::part::{Media, MediaKind, Source};
use crate::chat::prose::Prose;
use crate::codec::wire::Impossible;
use crate::codec::writer::Writer;

/// Refuses what Anthropic can read in no form: leaving it out would ask another question.
pub(super) fn refuse(media: &Media<'_>) -> Result<(), Impossible> {
    let impossible = |feature, rule| Err(Impossible { feature, rule });
    match (media.kind, &media.source) {
        (MediaKind::Audio, _) => impossible(Feature::AudioIn, "Anthropic models hear no audio"),
        (MediaKind::Video, _) => impossible(Feature::Video, "Anthropic models see no video"),
        // OpenAI's ids begin with `file-`, Anthropic's with `file_`.
        (_, Source::File(id)) if !id.starts_with("file_") => {
            impossible(Feature::StoredFile, "a file in another vendor's store cannot be read")
        }
        (_, Source::Url(url)) if !url.starts_with("http") => {
            impossible(Feature::RemoteMedia, "Anthropic fetches media from http and https URLs only")
        }
        (MediaKind::Image, Source::Base64(_)) if image_type(media).is_none() => {
            impossible(Feature::Image, "Anthropic takes images as JPEG, PNG, GIF and WebP only")
        }
        (MediaKind::Document, Source::Base64(data)) if !is_pdf(media) && document_text(media, data).is_none() => {
            impossible(Feature::Document, "Anthropic takes documents as PDF and as text only")
        }
        _ => Ok(()),
    }
}

/// Writes the members of a `source`.
pub(super) fn write_source(writer: &mut Writer, media: &Media<'_>) {
    match &media.source {
        Source::Base64(data) => match document_text(media, data) {
            Some(text) => write_text(writer, &Prose::plain(text)),
            None => {
                let image = image_type(media).unwrap_or("image/png");
                writer.key("type").string("base64");
                let document = media.kind == MediaKind::Document;
                writer.key("media_type").string(if document { "application/pdf" } else { image });
                writer.key("data").string(data);
            }
        },
        Source::Text(text) => write_text(writer, text),
        Source::Url(url) => {
            writer.key("type").string("url");
            writer.key("url").string(url);
        }
        Source::File(id) => {
            writer.key("type").string("file");
            writer.key("file_id").string(id);
        }
    }
}

fn write_text(writer: &mut Writer, text: &Prose<'_>) {
    writer.key("type").string("text");
    writer.key("media_type").string("text/plain");
    writer.key("data").prose(text);
}

/// The media type of an image in Anthropic's spelling; `None` for one that it does not take.
fn image_type(media: &Media<'_>) -> Option<&'static str> {
    let Some(given) = media.media_type.as_deref() else { return Some("image/png") };
    let given = given.to_ascii_lowercase();
    if given == "image/jpg" {
        return Some("image/jpeg");
    }
    ["image/jpeg", "image/png", "image/gif", "image/webp"].into_iter().find(|known| given == *known)
}

fn is_pdf(media: &Media<'_>) -> bool {
    media.media_type.as_deref().is_none_or(|given| given.eq_ignore_ascii_case("application/pdf"))
}

/// The text of a document that is given in base64 and is text: Anthropic takes it only as text.
fn document_text(media: &Media<'_>, data: &str) -> Option<String> {
    let given = media.media_type.as_deref()?.to_ascii_lowercase();
    let is_text = given.starts_with("text/")
        || ["application/json", "application/xml", "application/x-yaml"].iter().any(|known| given.starts_with(known));
    if media.kind != MediaKind::Document || !is_text {
        return None;
    }
    String::from_utf8(from_base64(data)?).ok()
}

/// The bytes that base64 stands for; `None` when it is none.
fn from_base64(data: &str) -> Option<Vec<u8>> {
    let digits = data.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for group in digits.as_bytes().chunks(4) {
        let mut word = 0_u32;
        for digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            word = word << 6 | u32::from(value);
        }
        let count = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        word <<= 6 * (4 - group.len());
        bytes.extend(word.to_be_bytes().into_iter().skip(1).take(count));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::from_base64;

    #[test]
    fn base64_is_read_with_every_padding() {
        for (data, text) in [("", ""), ("SGk=", "Hi"), ("SGkh", "Hi!"), ("SA==", "H"), ("w6k=", "é")] {
            assert_eq!(from_base64(data).as_deref(), Some(text.as_bytes()), "{data}");
        }
        assert_eq!(from_base64("S"), None);
        assert_eq!(from_base64("S-_="), None);
    }
}
