//! What a tool gave back, in Gemini's `functionResponse.response`, both directions. It must be an object there, and is
//! text with most others.

use std::borrow::Cow;

use crate::chat::part::{CallResult, Content, Part, Source};
use crate::chat::prose::{Json, Prose};
use crate::codec::gemini::part_in::json_text;
use crate::codec::gemini::raw;
use crate::codec::json::Scanner;
use crate::codec::writer::Writer;

/// The parts of a result, and whether it failed. `{"output": "…"}` and `{"result": "…"}` are text, `{"error": …}` is a
/// failure, any other object is its own JSON text.
pub fn decode<'a>(response: Option<&Json<'a>>) -> (Vec<Part<'a>>, bool) {
    let Some(response) = response else { return (Vec::new(), false) };
    let bytes: &'a [u8] = match &response.0 {
        Cow::Borrowed(bytes) => bytes,
        // `decode_request` only borrows.
        Cow::Owned(_) => return (Vec::new(), false),
    };
    let (mut count, mut failed, mut said) = (0, false, None);
    let mut scanner = Scanner::new(bytes);
    let read = scanner.object(|scanner, key| {
        count += 1;
        let word = key.is("output") || key.is("result");
        failed = key.is("error");
        said = match scanner.peek()? {
            b'"' if word || failed => Some(scanner.string()?.prose()),
            _ if failed => Some(json_text(scanner.json()?)),
            _ => {
                scanner.pass()?;
                None
            }
        };
        Ok(())
    });
    let (text, failed) = match (read, count, said) {
        (Ok(()), 1, Some(said)) => (said, failed),
        _ => (json_text(Json::borrowed(bytes)), false),
    };
    let parts = if text.is_empty() { Vec::new() } else { vec![Content::text(text).into()] };
    (parts, failed)
}

/// Writes the response object of a result. Media are left to the caller, except that `note` says where they are.
pub fn write(writer: &mut Writer, result: &CallResult<'_>, note: Option<&str>) {
    let key = if result.is_error { "error" } else { "output" };
    let mut texts = result.parts.iter().filter_map(words);
    let first = texts.next();
    let second = texts.next();
    match (first, second, note) {
        (None, _, None) => writer.object(|writer| writer.key(key).string("")),
        (None, _, Some(note)) => writer.object(|writer| writer.key(key).string(note)),
        (Some(only), None, None) => write_one(writer, key, only),
        (Some(first), second, note) => {
            let mut all = raw::text(first).into_owned();
            for more in second.into_iter().chain(texts).map(raw::text).chain(note.map(Cow::Borrowed)) {
                all.push('\n');
                all.push_str(&more);
            }
            writer.object(|writer| writer.key(key).string(&all));
        }
    }
}

/// A text that is a JSON object is written as one, unless it would then mean something else: `error` says that the tool
/// failed, `$ref` points to a part.
fn write_one(writer: &mut Writer, key: &str, text: &Prose<'_>) {
    if key == "output" && looks_like_object(text) && !writer.discards() {
        let text = raw::text(text);
        if let Some(object) = raw::object(&text).filter(|_| !text.contains("\"$ref\"") && !names_error(&text)) {
            return writer.raw(&object);
        }
    }
    writer.object(|writer| writer.key(key).prose(text));
}

fn looks_like_object(text: &Prose<'_>) -> bool {
    let bytes = match text {
        Prose::Plain(text) => text.as_bytes(),
        Prose::Escaped(bytes) => bytes,
    };
    bytes.trim_ascii_start().starts_with(b"{")
}

fn names_error(object: &str) -> bool {
    let (mut count, mut named) = (0, false);
    let read = Scanner::new(object.as_bytes()).object(|scanner, key| {
        count += 1;
        named |= key.is("error") || key.is("output") || key.is("result");
        scanner.pass()
    });
    read.is_err() || (named && count == 1)
}

fn words<'p>(part: &'p Part<'_>) -> Option<&'p Prose<'p>> {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) if !text.is_empty() => Some(text),
        Content::Media(media) => match &media.source {
            Source::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::borrow::Cow;

    use super::{decode, write};
    use crate::chat::part::{CallKind, CallResult, Content, Part};
    use crate::chat::prose::{Json, Prose};
    use crate::codec::gemini::raw;
    use crate::codec::writer::Writer;

    #[test]
    fn responses_are_text_or_an_error() {
        for (response, text, failed) in [
            (r#"{"output":"7C"}"#, "7C", false),
            (r#"{"result":"7C"}"#, "7C", false),
            (r#"{"output":{"t":7}}"#, r#"{"output":{"t":7}}"#, false),
            (r#"{"error":"no such city"}"#, "no such city", true),
            (r#"{"error":{"code":3}}"#, r#"{"code":3}"#, true),
            (r#"{"t":7,"error":"x"}"#, r#"{"t":7,"error":"x"}"#, false),
            (r#"{}"#, "{}", false),
        ] {
            let json = Json::borrowed(response.as_bytes());
            let (parts, is_error) = decode(Some(&json));
            let Some(Content::Text { text: found, .. }) = parts.first().map(|part| &part.content) else { panic!() };
            assert_eq!((raw::text(found).as_ref(), is_error), (text, failed), "{response}");
        }
    }

    fn written(texts: &[&str], is_error: bool, note: Option<&str>) -> String {
        let parts: Vec<Part<'_>> = texts.iter().map(|text| Content::text(Prose::plain(*text)).into()).collect();
        let result = CallResult { id: Cow::Borrowed(""), name: None, parts, is_error, kind: CallKind::Function };
        let mut writer = Writer::with_capacity(64);
        write(&mut writer, &result, note);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn results_are_objects() {
        assert_eq!(written(&["7C"], false, None), r#"{"output":"7C"}"#);
        assert_eq!(written(&[r#"{"t":7}"#], false, None), r#"{"t":7}"#);
        assert_eq!(written(&[r#"{"error":"x"}"#], false, None), r#"{"output":"{\"error\":\"x\"}"}"#);
        assert_eq!(written(&[r#"{"$ref":"x"}"#], false, None), r#"{"output":"{\"$ref\":\"x\"}"}"#);
        assert_eq!(written(&["[1]"], false, None), r#"{"output":"[1]"}"#);
        assert_eq!(written(&["no"], true, None), r#"{"error":"no"}"#);
        assert_eq!(written(&[r#"{"a":1}"#], true, None), r#"{"error":"{\"a\":1}"}"#);
        assert_eq!(written(&["a", "b"], false, Some("c")), r#"{"output":"a\nb\nc"}"#);
        assert_eq!(written(&[], false, None), r#"{"output":""}"#);
    }
}
