//! Images, documents and sounds as Gemini says them: kinds by media type, guesses where a type is missing, and which
//! addresses the vendor fetches.

use std::borrow::Cow;

use crate::chat::family::ApiFamily;
use crate::chat::feature::Feature;
use crate::chat::part::{Media, MediaKind, Source};
use crate::codec::wire::Impossible;
use crate::codec::writer::Writer;

/// What sort of thing a media type is.
pub fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// What sort of thing stands at an address.
pub fn kind_of_address(address: &str) -> MediaKind {
    if is_youtube(address) { MediaKind::Video } else { by_extension(address).map_or(MediaKind::Document, kind_of) }
}

/// Where the bytes of a `fileUri` are.
pub fn source_of(address: Cow<'_, str>) -> Source<'_> {
    if is_stored(&address) { Source::File(address) } else { Source::Url(address) }
}

/// Base64 in the standard alphabet, padded. Google takes and google-genai sends the alphabet for URLs too.
pub fn standard_base64(data: Cow<'_, str>) -> Cow<'_, str> {
    let padding = (4 - data.len() % 4) % 4;
    if padding == 0 && !data.bytes().any(|byte| matches!(byte, b'-' | b'_')) {
        return data;
    }
    let mut out = data.replace('-', "+").replace('_', "/");
    out.extend(std::iter::repeat_n('=', if padding == 3 { 0 } else { padding }));
    Cow::Owned(out)
}

/// Whether the vendor's side takes the medium where it is.
///
/// # Errors
/// An address that it does not fetch, a file in another vendor's store.
pub fn check(media: &Media<'_>, api: ApiFamily) -> Result<(), Impossible> {
    let vertex = api == ApiFamily::Vertex;
    match &media.source {
        Source::Base64(_) | Source::Text(_) => Ok(()),
        Source::Url(address) if is_stored(address) && !vertex => Ok(()),
        Source::Url(address) if is_youtube(address) => Ok(()),
        Source::Url(address) if vertex && has_scheme(address, &["gs://", "http://", "https://"]) => Ok(()),
        Source::Url(_) => Err(Impossible {
            feature: Feature::RemoteMedia,
            rule: "the provider fetches no media from that address; send the bytes",
        }),
        Source::File(address) if is_stored(address) && !vertex => Ok(()),
        Source::File(_) => Err(Impossible {
            feature: Feature::StoredFile,
            rule: "a file in the store of another vendor cannot be read; send the bytes",
        }),
    }
}

/// Writes the members of a part that hold a medium which `check` let through.
pub fn write(writer: &mut Writer, media: &Media<'_>) {
    match &media.source {
        Source::Text(text) => writer.key("text").prose(text),
        Source::Base64(data) => writer.key("inlineData").object(|writer| {
            writer.key("mimeType").string(&media_type(media));
            writer.key("data").string(data);
        }),
        Source::Url(address) | Source::File(address) => writer.key("fileData").object(|writer| {
            // The Files API and YouTube know the type themselves.
            if media.media_type.is_some() || !(is_stored(address) || is_youtube(address)) {
                writer.key("mimeType").string(&media_type(media));
            }
            writer.key("fileUri").string(address);
        }),
    }
}

/// The media type, by a guess where nobody says.
pub fn media_type<'m>(media: &'m Media<'_>) -> Cow<'m, str> {
    if let Some(known) = &media.media_type {
        return Cow::Borrowed(known);
    }
    let guess = match &media.source {
        Source::Base64(data) => by_first_bytes(data),
        Source::Url(address) | Source::File(address) => by_extension(address),
        Source::Text(_) => Some("text/plain"),
    };
    Cow::Borrowed(guess.unwrap_or(match media.kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Document => "application/pdf",
        MediaKind::Audio => "audio/mpeg",
        MediaKind::Video => "video/mp4",
    }))
}

/// A file that AI Studio's Files API keeps.
fn is_stored(address: &str) -> bool {
    address.starts_with("files/")
        || (has_scheme(address, &["https://generativelanguage.googleapis.com/"]) && address.contains("/files/"))
}

fn is_youtube(address: &str) -> bool {
    has_scheme(address, &["https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/"])
}

fn has_scheme(address: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))
}

fn by_first_bytes(base64: &str) -> Option<&'static str> {
    const HEADS: [(&str, &str); 6] = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi0", "application/pdf"),
        ("SUQz", "audio/mpeg"),
    ];
    HEADS.iter().find(|(head, _)| base64.starts_with(head)).map(|(_, media_type)| *media_type)
}

fn by_extension(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let file = path.rsplit('/').next().unwrap_or(path);
    let (_, extension) = file.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{check, kind_of_address, media_type, source_of, standard_base64};
    use crate::chat::family::ApiFamily;
    use crate::chat::part::{Media, MediaKind, Source};

    #[test]
    fn base64_is_brought_to_the_standard_alphabet() {
        for (given, standard) in [("+/8=", "+/8="), ("-_8=", "+/8="), ("-_8", "+/8="), ("QQ", "QQ=="), ("", "")] {
            assert_eq!(standard_base64(Cow::Borrowed(given)), standard);
        }
    }

    #[test]
    fn each_side_fetches_what_it_can() {
        let media = |source| Media { kind: MediaKind::Image, source, media_type: None, name: None, detail: None };
        let stored = "https://generativelanguage.googleapis.com/v1beta/files/abc";
        for (address, studio, vertex) in [
            (stored, true, false),
            ("https://www.youtube.com/watch?v=1", true, true),
            ("https://example.com/a.png", false, true),
            ("gs://bucket/a.png", false, true),
            ("s3://bucket/a.png", false, false),
            ("file-abc123", false, false),
        ] {
            let media = media(source_of(Cow::Borrowed(address)));
            assert_eq!(check(&media, ApiFamily::Gemini).is_ok(), studio, "{address} at AI Studio");
            assert_eq!(check(&media, ApiFamily::Vertex).is_ok(), vertex, "{address} at Vertex");
        }
        assert!(check(&media(Source::File(Cow::Borrowed("file-abc123"))), ApiFamily::Gemini).is_err());
    }

    #[test]
    fn missing_types_are_guessed() {
        let media = |kind, source| Media { kind, source, media_type: None, name: None, detail: None };
        for (kind, source, expected) in [
            (MediaKind::Image, Source::Base64(Cow::Borrowed("iVBORw0KGgoAAAA")), "image/png"),
            (MediaKind::Image, Source::Url(Cow::Borrowed("https://example.com/a.WEBP?x=1.png")), "image/webp"),
            (MediaKind::Document, Source::Url(Cow::Borrowed("https://example.com/a")), "application/pdf"),
        ] {
            assert_eq!(media_type(&media(kind, source)), expected);
        }
        assert_eq!(kind_of_address("https://youtu.be/x"), MediaKind::Video);
        assert_eq!(kind_of_address("gs://bucket/a.jpeg"), MediaKind::Image);
    }
}
