//! Media of chat parts: `data:` URLs, sound formats, file names. Not which target takes what (see `vendor`).

use std::borrow::Cow;

use crate::chat::part::{MediaKind, Source};

/// Where a URL says the bytes are, and of what type: a `data:` URL in base64 holds them.
pub(super) fn source_of(url: Cow<'_, str>) -> (Source<'_>, Option<Cow<'_, str>>) {
    let Some((media_type, data)) = split_data_url(&url) else {
        return (Source::Url(url), None);
    };
    let (media_type, from) = (media_type.len(), url.len() - data);
    match url {
        Cow::Borrowed(url) => {
            let named = url.get("data:".len().."data:".len() + media_type).filter(|name| !name.is_empty());
            (Source::Base64(Cow::Borrowed(url.get(from..).unwrap_or_default())), named.map(Cow::Borrowed))
        }
        Cow::Owned(url) => {
            let named = url.get("data:".len().."data:".len() + media_type).filter(|name| !name.is_empty());
            let named = named.map(|name| Cow::Owned(name.to_owned()));
            (Source::Base64(Cow::Owned(url.get(from..).unwrap_or_default().to_owned())), named)
        }
    }
}

/// The media type of a base64 `data:` URL, without parameters, and how many bytes its data has.
fn split_data_url(url: &str) -> Option<(&str, usize)> {
    let rest = url.strip_prefix("data:")?;
    let (head, data) = rest.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    Some((head.split(';').next().unwrap_or_default(), data.len()))
}

/// What sort of thing a media type is.
pub(super) fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// The media type that a file name's ending stands for.
pub(super) fn type_of_name(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => return None,
    })
}

/// OpenAI's `format` of a sound.
pub(super) fn sound_format(media_type: Option<&str>) -> &str {
    match media_type.and_then(|name| name.strip_prefix("audio/")) {
        Some("mpeg" | "mp3") => "mp3",
        Some("x-wav" | "wave" | "wav" | "vnd.wave") | None => "wav",
        Some("x-flac") => "flac",
        Some("mp4" | "x-m4a") => "m4a",
        Some(other) => other,
    }
}

/// The media type of OpenAI's `format` of a sound.
pub(super) fn sound_type(format: &str) -> String {
    let subtype = if format == "mp3" { "mpeg" } else { format };
    format!("audio/{subtype}")
}

/// What begins a `data:` URL; the base64 follows.
pub(super) fn data_url_head(media_type: &str) -> String {
    format!("data:{media_type};base64,")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{data_url_head, sound_format, sound_type, source_of};
    use crate::chat::part::Source;

    #[test]
    fn data_urls_hold_their_bytes_and_others_are_addresses() {
        let base64 = |text: &'static str| Source::Base64(Cow::Borrowed(text));
        for (url, source, named) in [
            ("data:image/png;base64,aGk=", base64("aGk="), Some("image/png")),
            ("data:text/plain;charset=utf-8;base64,aGk=", base64("aGk="), Some("text/plain")),
            ("data:;base64,", base64(""), None),
            ("data:text/plain,hi", Source::Url(Cow::Borrowed("data:text/plain,hi")), None),
            ("https://x.test/a.png", Source::Url(Cow::Borrowed("https://x.test/a.png")), None),
        ] {
            let expected = (source, named.map(Cow::Borrowed));
            assert_eq!(source_of(Cow::Borrowed(url)), expected, "{url}");
            assert_eq!(source_of(Cow::Owned(url.to_owned())), expected, "{url}, owned");
        }
        assert_eq!(data_url_head("image/png") + "aGk=", "data:image/png;base64,aGk=");
    }

    #[test]
    fn sounds_have_a_format_and_a_type() {
        for (format, name) in [("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("ogg", "audio/ogg")] {
            assert_eq!(sound_type(format), name);
            assert_eq!(sound_format(Some(name)), format);
        }
        assert_eq!((sound_format(None), sound_format(Some("audio/x-wav"))), ("wav", "wav"));
    }
}
