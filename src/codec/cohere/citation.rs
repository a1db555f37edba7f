//! A citation of Cohere: words of the answer, and the documents or tool outputs behind them.

use std::borrow::Cow;

use crate::chat::part::Citation;
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner};

/// A citation, and the piece of content that it is about.
pub struct Placed<'a> {
    /// The citation.
    pub citation: Citation<'a>,
    /// The index of the piece, when it is said.
    pub index: Option<u64>,
}

/// Reads `{start, end, text, sources, content_index}`; `None` for what is no object.
pub fn read<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Placed<'a>>, Malformed> {
    let raw = scanner.json()?;
    let Cow::Borrowed(bytes) = raw.0 else { return Ok(None) };
    let mut inner = Scanner::new(bytes);
    if inner.peek()? != b'{' {
        return Ok(None);
    }
    let (mut start, mut end, mut index) = (None, None, None);
    let mut citation = Citation { raw: Some((Wire::Cohere, raw)), ..Citation::default() };
    inner.object(|scanner, key| {
        match key.raw() {
            b"start" => start = scanner.whole_or_skip()?,
            b"end" => end = scanner.whole_or_skip()?,
            b"content_index" => index = scanner.whole_or_skip()?,
            b"sources" if scanner.peek()? == b'[' => {
                scanner.array(|scanner| read_source(scanner, &mut citation))?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    citation.span = start.zip(end);
    Ok(Some(Placed { citation, index }))
}

/// The first source that has a title or an address gives them.
fn read_source<'a>(scanner: &mut Scanner<'a>, citation: &mut Citation<'a>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    scanner.object(|scanner, key| {
        if !(key.is("document") || key.is("tool_output")) || scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            match key.raw() {
                b"url" if citation.url.is_none() => citation.url = scanner.string_or_skip()?.map(|text| text.text()),
                b"title" if citation.title.is_none() => {
                    citation.title = scanner.string_or_skip()?.map(|text| text.prose());
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })
    })
}
