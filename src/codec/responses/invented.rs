//! Takes items out of a body that goes to its own format: those that Weir made up. Every other byte stays. Not the model's
//! name.

use memchr::memmem;

use crate::codec::json::{Malformed, Scanner};
use crate::codec::responses::mark::{INVENTED_REASONING, is_invented};
use crate::codec::responses::value::{Members, Value};

/// The body without reasoning items that Weir made up; `None` when there are none.
///
/// Thoughts of other vendors' models are shown to clients as reasoning items, which come back with the next request.
/// OpenAI would look them up in its store, or try to open their seals, and refuse the request.
pub fn without_invented(body: &[u8]) -> Option<Vec<u8>> {
    memmem::find(body, INVENTED_REASONING.as_bytes())?;
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
    let before = body.get(..input.offset())?;
    let after = body.get(input.offset() + input.bytes().len()..)?;
    Some([before, b"[", &kept.join(&b','), b"]", after].concat())
}

fn is_made_up(item: &Members<'_>) -> bool {
    item.text("type").is_some_and(|kind| kind.is("reasoning")) && item.word("id").is_some_and(|id| is_invented(&id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::without_invented;

    #[test]
    fn reasoning_that_weir_made_up_does_not_reach_openai() {
        let body = br#"{"model":"m","input":[{"role":"user","content":"a, b"}, {"id":"rs_weir01_0","type":"reasoning","summary":[]} ,{"type":"reasoning","id":"rs_1","summary":[]}] }"#;
        let out = without_invented(body).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"model":"m","input":[{"role":"user","content":"a, b"},{"type":"reasoning","id":"rs_1","summary":[]}] }"#
        );
    }

    #[test]
    fn the_words_in_a_prompt_change_nothing() {
        assert_eq!(without_invented(br#"{"model":"m","input":[{"role":"user","content":"rs_weir"}]}"#), None);
        assert_eq!(without_invented(br#"{"input":"rs_weir"}"#), None);
        assert_eq!(without_invented(br#"{"input":["rs_weir""#), None);
    }
}
