//! Edits of a body that goes to its own format: the model, and items that Weir made up. Every other byte stays.

use std::ops::Range;

use memchr::memmem;

use crate::codec::json::{Malformed, Scanner, write_string};
use crate::codec::responses::mark::{INVENTED_REASONING, is_invented};
use crate::codec::responses::value::{Members, Value};

/// The body with another model; `None` when it stays as it is.
///
/// Thoughts of other vendors' models, which Weir showed as reasoning items of its own making, are taken out: OpenAI
/// would look them up in its store.
pub fn splice(body: &[u8], model_span: Range<usize>, model: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(model.len() + 2);
    write_string(&mut text, model);
    let mut edits = Vec::new();
    if body.get(model_span.clone())? != text {
        edits.push((model_span, text));
    }
    if memmem::find(body, INVENTED_REASONING.as_bytes()).is_some() {
        edits.extend(without_invented(body));
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut out = Vec::with_capacity(body.len() + model.len());
    let mut at = 0;
    for (span, bytes) in &edits {
        out.extend_from_slice(body.get(at..span.start)?);
        out.extend_from_slice(bytes);
        at = span.end;
    }
    out.extend_from_slice(body.get(at..)?);
    Some(out)
}

/// The span of `input` and its elements without invented ones; `None` when there are none.
fn without_invented(body: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
    let mut found = None;
    let mut scanner = Scanner::new(body);
    let scanned: Result<(), Malformed> = scanner.object(|scanner, key| {
        let value = Value::read(scanner, 0)?;
        if key.is("input") && value.is_array() {
            found = Some(value);
        }
        Ok(())
    });
    scanned.ok()?;
    let input = found?;
    let mut kept = Vec::new();
    let mut dropped = false;
    let read = input.each(|item| {
        if item.is_object() && is_made_up(&item.members()?) {
            dropped = true;
        } else {
            kept.push(item.bytes());
        }
        Ok(())
    });
    read.ok().filter(|()| dropped)?;
    let mut text = b"[".to_vec();
    text.extend_from_slice(&kept.join(&b','));
    text.push(b']');
    Some((input.offset()..input.offset() + input.bytes().len(), text))
}

fn is_made_up(item: &Members<'_>) -> bool {
    item.text("type").is_some_and(|kind| kind.is("reasoning")) && item.word("id").is_some_and(|id| is_invented(&id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::splice;

    #[test]
    fn only_the_model_s_string_changes() {
        let body = br#"{ "x":1e2, "model" : "a\"b" ,"input":"hi"}"#;
        let out = splice(body, 21..27, "gpt-5").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"{ "x":1e2, "model" : "gpt-5" ,"input":"hi"}"#);
        assert_eq!(splice(br#"{"model":"m"}"#, 9..12, "m"), None);
        assert_eq!(splice(b"{}", 9..12, "m"), None);
    }

    #[test]
    fn reasoning_that_weir_made_up_does_not_reach_openai() {
        let body = br#"{"model":"m","input":[{"role":"user","content":"a, b"}, {"id":"rs_weir01_0","type":"reasoning","summary":[]} ,{"type":"reasoning","id":"rs_1","summary":[]}]}"#;
        let out = splice(body, 9..12, "m").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"model":"m","input":[{"role":"user","content":"a, b"},{"type":"reasoning","id":"rs_1","summary":[]}]}"#
        );
    }

    #[test]
    fn the_words_in_a_prompt_change_nothing() {
        let body = br#"{"model":"m","input":[{"role":"user","content":"rs_weir"}]}"#;
        assert_eq!(splice(body, 9..12, "m"), None);
    }
}
