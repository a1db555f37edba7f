//! A citation of Converse. Its places inside documents stay in its raw form.

use std::borrow::Cow;

use crate::chat::part::Citation;
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner};

/// Reads `{title, source, sourceContent[{text}], location}`; `None` for what is no object.
pub fn read<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Citation<'a>>, Malformed> {
    let raw = scanner.json()?;
    let Cow::Borrowed(bytes) = raw.0 else { return Ok(None) };
    let mut inner = Scanner::new(bytes);
    if inner.peek()? != b'{' {
        return Ok(None);
    }
    let mut citation = Citation { raw: Some((Wire::Converse, raw)), ..Citation::default() };
    inner.object(|scanner, key| {
        if key.is("title") {
            citation.title = scanner.string_or_skip()?.map(|text| text.prose());
        } else if key.is("sourceContent") && scanner.peek()? == b'[' {
            scanner.array(|scanner| {
                let quote = read_text(scanner)?;
                citation.quote = citation.quote.take().or(quote);
                Ok(())
            })?;
        } else if key.is("location") && scanner.peek()? == b'{' {
            citation.url = read_url(scanner)?;
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    Ok(Some(citation))
}

/// The `text` of an object; `None` for what has none.
pub fn read_text<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Prose<'a>>, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| None);
    }
    let mut text = None;
    scanner.object(|scanner, key| {
        if key.is("text") {
            text = scanner.string_or_skip()?.map(|text| text.prose());
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    Ok(text)
}

fn read_url<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    let mut url = None;
    scanner.object(|scanner, key| {
        if key.is("web") && scanner.peek()? == b'{' {
            scanner.object(|scanner, key| {
                if key.is("url") {
                    url = scanner.string_or_skip()?.map(|text| text.text());
                } else {
                    scanner.pass()?;
                }
                Ok(())
            })
        } else {
            scanner.pass()
        }
    })?;
    Ok(url)
}
