//! Writes content blocks: those that requests and answers share. Not their order.

use std::borrow::Cow;

use crate::chat::part::{CacheMark, Call, Citation, Content, Media, MediaKind, Part, Thought};
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::anthropic::seal;
use crate::codec::json::{Scanner, unescape};
use crate::codec::wire::Frame;
use crate::codec::writer::Writer;

/// A part of an answer; nothing is written of what no Anthropic client could read.
pub(super) fn answer_part(writer: &mut Writer, part: &Part<'_>, index: usize, frame: &Frame) {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) if text.is_empty() => {}
        Content::Text { text, citations } => text_block(writer, text, citations, None),
        Content::Refusal(text) => text_block(writer, text, &[], None),
        Content::Thought(thought) => {
            if !thought.text.is_empty() || thought.seal.is_some() {
                thought_block(writer, thought);
            }
        }
        Content::Call(call) => call_block(writer, call, &call_id(&call.id, index as u64, frame), None),
        Content::Foreign { wire: Wire::Messages, raw, .. } => writer.json(raw),
        Content::Media(media) => text_block(writer, &Prose::plain(placeholder(media)), &[], None),
        Content::Result(_) | Content::Foreign { .. } => {}
    }
}

/// The id of a call; one that the vendor left out is made from the answer's.
pub(super) fn call_id<'a>(id: &'a str, index: u64, frame: &Frame) -> Cow<'a, str> {
    if id.is_empty() { Cow::Owned(format!("toolu_{}_{index}", frame.id)) } else { Cow::Borrowed(id) }
}

/// What stands for a medium that the model made: Anthropic's answers hold none.
fn placeholder(media: &Media<'_>) -> &'static str {
    match media.kind {
        MediaKind::Image => "[image]",
        MediaKind::Document => "[document]",
        MediaKind::Audio => "[audio]",
        MediaKind::Video => "[video]",
    }
}

/// `cache_control`.
pub(super) fn cache_control(writer: &mut Writer, mark: Option<CacheMark>) {
    let Some(mark) = mark else { return };
    writer.key("cache_control").object(|writer| {
        writer.key("type").string("ephemeral");
        if mark == CacheMark::Long {
            writer.key("ttl").string("1h");
        }
    });
}

/// A text block.
pub(super) fn text_block(writer: &mut Writer, text: &Prose<'_>, citations: &[Citation<'_>], mark: Option<CacheMark>) {
    writer.object(|writer| {
        writer.key("type").string("text");
        writer.key("text").prose(text);
        if citations.iter().any(is_writable) {
            writer.key("citations").array(|writer| {
                citations.iter().filter(|one| is_writable(one)).for_each(|one| citation(writer, one));
            });
        }
        cache_control(writer, mark);
    });
}

/// Whether a citation can be said in Anthropic's words: its own, or one that names an address.
pub(super) fn is_writable(citation: &Citation<'_>) -> bool {
    is_own(citation) || citation.url.is_some()
}

/// Whether a citation is Anthropic's own, so that it may be sent back.
pub(super) fn is_own(citation: &Citation<'_>) -> bool {
    matches!(citation.raw, Some((Wire::Messages, _)))
}

/// A citation. One of another vendor has an empty `encrypted_index`, by which it is known when it comes back.
pub(super) fn citation(writer: &mut Writer, citation: &Citation<'_>) {
    if let Some((Wire::Messages, raw)) = &citation.raw {
        writer.json(raw);
        return;
    }
    writer.object(|writer| {
        writer.key("type").string("web_search_result_location");
        writer.key("cited_text").prose(citation.quote.as_ref().unwrap_or(&Prose::EMPTY));
        writer.key("encrypted_index").string("");
        match &citation.title {
            Some(title) => writer.key("title").prose(title),
            None => writer.key("title").null(),
        }
        writer.key("url").string(citation.url.as_deref().unwrap_or_default());
    });
}

/// A thinking block, or a redacted one.
pub(super) fn thought_block(writer: &mut Writer, thought: &Thought<'_>) {
    writer.object(|writer| match &thought.seal {
        Some(seal) if seal.wire == Wire::Messages && seal.redacted => {
            writer.key("type").string("redacted_thinking");
            writer.key("data").string(&seal.data);
        }
        seal => {
            writer.key("type").string("thinking");
            writer.key("thinking").prose(&thought.text);
            writer.key("signature").string(&seal::signature(seal.as_ref()));
        }
    });
}

/// A tool_use block.
pub(super) fn call_block(writer: &mut Writer, call: &Call<'_>, id: &str, mark: Option<CacheMark>) {
    writer.object(|writer| {
        writer.key("type").string("tool_use");
        writer.key("id").string(id);
        writer.key("name").string(&call.name);
        input(writer.key("input"), &call.arguments);
        cache_control(writer, mark);
    });
}

/// A call's arguments as an object: `{}` when there are none, `{"_raw": …}` when they are not one.
fn input(writer: &mut Writer, arguments: &Prose<'_>) {
    if writer.discards() {
        return;
    }
    let text: Cow<'_, str> = match arguments {
        Prose::Escaped(bytes) => Cow::Owned(unescape(bytes)),
        Prose::Plain(text) => Cow::Borrowed(text),
    };
    let text = text.trim();
    if text.is_empty() {
        writer.object(|_| {});
    } else if is_object(text.as_bytes()) {
        writer.raw(text.as_bytes());
    } else {
        writer.object(|writer| writer.key("_raw").string(text));
    }
}

fn is_object(text: &[u8]) -> bool {
    let mut scanner = Scanner::new(text);
    text.first() == Some(&b'{') && scanner.pass().is_ok() && scanner.end().is_ok() && is_sound(text)
}

/// Whether no string of a JSON value holds a bare control character, which the scanner lets through.
fn is_sound(text: &[u8]) -> bool {
    let mut inside = false;
    let mut escaped = false;
    text.iter().all(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            byte if inside && *byte < 0x20 => return false,
            _ => {}
        }
        true
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::input;
    use crate::chat::prose::Prose;
    use crate::codec::writer::Writer;

    #[test]
    fn arguments_are_always_an_object() {
        let rows = [
            ("", "{}"),
            (" \n", "{}"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1"#, r#"{"_raw":"{\"a\":1"}"#),
            ("[1]", r#"{"_raw":"[1]"}"#),
            (r#"{"a":1} {}"#, r#"{"_raw":"{\"a\":1} {}"}"#),
            ("{\"a\":\"\n\"}", r#"{"_raw":"{\"a\":\"\n\"}"}"#),
        ];
        for (text, expected) in rows {
            let mut writer = Writer::with_capacity(64);
            input(&mut writer, &Prose::plain(text));
            assert_eq!(String::from_utf8(writer.into_bytes()).unwrap(), expected, "{text:?}");
        }
    }
}
