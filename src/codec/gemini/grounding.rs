//! What an answer cites: `groundingMetadata` and `citationMetadata`, read and written. Gemini counts places in the bytes
//! of a part.

use std::borrow::Cow;

use crate::chat::part::Citation;
use crate::chat::prose::Prose;
use crate::codec::gemini::track::Track;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::writer::Writer;

/// The most sources, and the most places, of one answer.
const MAX_CITATIONS: usize = 256;

/// One source of one place.
#[derive(Clone, Debug)]
pub struct Support<'a> {
    url: Cow<'a, str>,
    title: Option<Prose<'a>>,
    quote: Option<Prose<'a>>,
    /// The part it stands in.
    pub part: usize,
    bytes: Option<(u64, u64)>,
}

impl<'a> Support<'a> {
    /// The citation, its place told in the text of its part.
    pub fn citation(self, text: &Track) -> Citation<'a> {
        let span = self.bytes.and_then(|(start, end)| Some((text.character(start)?, text.character(end)?)));
        Citation { url: Some(self.url), title: self.title, quote: self.quote, span, raw: None }
    }
}

/// Reads `groundingMetadata`: each place with each of its sources whose address is known.
///
/// # Errors
/// What is not JSON.
pub fn grounding<'a>(scanner: &mut Scanner<'a>, into: &mut Vec<Support<'a>>) -> Result<(), Malformed> {
    let mut chunks: Vec<Source<'a>> = Vec::new();
    let mut places: Vec<Place<'a>> = Vec::new();
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
        (b"groundingChunks", b'[') => scanner.array(|scanner| {
            let source = chunk(scanner)?;
            if chunks.len() < MAX_CITATIONS {
                chunks.push(source);
            }
            Ok(())
        }),
        (b"groundingSupports", b'[') => scanner.array(|scanner| {
            let place = place(scanner)?;
            if places.len() < MAX_CITATIONS {
                places.push(place);
            }
            Ok(())
        }),
        _ => scanner.pass(),
    })?;
    for place in places {
        for source in place.chunks.iter().filter_map(|index| chunks.get(*index)) {
            if let (Some(url), true) = (&source.url, into.len() < MAX_CITATIONS) {
                into.push(Support {
                    url: url.clone(),
                    title: source.title.clone(),
                    quote: place.quote.clone(),
                    part: place.part,
                    bytes: place.end.map(|end| (place.start, end)),
                });
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Source<'a> {
    url: Option<Cow<'a, str>>,
    title: Option<Prose<'a>>,
}

/// `{"web": {"uri", "title"}}`; `retrievedContext` and `maps` look alike.
fn chunk<'a>(scanner: &mut Scanner<'a>) -> Result<Source<'a>, Malformed> {
    let mut source = Source::default();
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| source);
    }
    scanner.object(|scanner, _| {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            match key.raw() {
                b"uri" => source.url = scanner.string_or_skip()?.map(|text| text.text()),
                b"title" => source.title = scanner.string_or_skip()?.map(|text| text.prose()),
                _ => scanner.pass()?,
            }
            Ok(())
        })
    })?;
    Ok(source)
}

#[derive(Default)]
struct Place<'a> {
    start: u64,
    end: Option<u64>,
    part: usize,
    quote: Option<Prose<'a>>,
    chunks: Vec<usize>,
}

fn place<'a>(scanner: &mut Scanner<'a>) -> Result<Place<'a>, Malformed> {
    let mut place = Place::default();
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| place);
    }
    scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
        (b"segment", b'{') => scanner.object(|scanner, key| {
            match key.raw() {
                b"startIndex" => place.start = scanner.whole_or_skip()?.unwrap_or(0),
                b"endIndex" => place.end = scanner.whole_or_skip()?,
                b"partIndex" => place.part = scanner.whole_or_skip()?.map_or(0, |part| part as usize),
                b"text" => place.quote = scanner.string_or_skip()?.map(|text| text.prose()),
                _ => scanner.pass()?,
            }
            Ok(())
        }),
        (b"groundingChunkIndices", b'[') => scanner.array(|scanner| {
            let index = scanner.whole_or_skip()?;
            if place.chunks.len() < MAX_CITATIONS {
                place.chunks.extend(index.map(|index| index as usize));
            }
            Ok(())
        }),
        _ => scanner.pass(),
    })?;
    Ok(place)
}

/// Reads `citationMetadata`: `citationSources` at AI Studio, `citations` at Vertex.
///
/// # Errors
/// What is not JSON.
pub fn citations<'a>(scanner: &mut Scanner<'a>, into: &mut Vec<Support<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
        (b"citationSources" | b"citations", b'[') => scanner.array(|scanner| {
            let (mut source, mut start, mut end) = (Source::default(), 0, None);
            if scanner.peek()? != b'{' {
                return scanner.pass();
            }
            scanner.object(|scanner, key| {
                match key.raw() {
                    b"uri" => source.url = scanner.string_or_skip()?.map(|text| text.text()),
                    b"title" => source.title = scanner.string_or_skip()?.map(|text| text.prose()),
                    b"startIndex" => start = scanner.whole_or_skip()?.unwrap_or(0),
                    b"endIndex" => end = scanner.whole_or_skip()?,
                    _ => scanner.pass()?,
                }
                Ok(())
            })?;
            if let (Some(url), true) = (source.url, into.len() < MAX_CITATIONS) {
                let bytes = end.map(|end| (start, end));
                into.push(Support { url, title: source.title, quote: None, part: 0, bytes });
            }
            Ok(())
        }),
        _ => scanner.pass(),
    })
}

/// A citation on its way to a client.
#[derive(Clone, Debug)]
pub struct Cited<'a> {
    url: Cow<'a, str>,
    title: Option<Prose<'a>>,
    quote: Option<Prose<'a>>,
    part: usize,
    bytes: Option<(u64, u64)>,
}

impl<'a> Cited<'a> {
    /// The citation of a text; `None` when it names no address.
    pub fn of(citation: &Citation<'a>, part: usize, text: &Track) -> Option<Self> {
        let bytes = citation.span.and_then(|(start, end)| Some((text.byte(start)?, text.byte(end)?)));
        let url = citation.url.clone()?;
        Some(Self { url, title: citation.title.clone(), quote: citation.quote.clone(), part, bytes })
    }

    /// The same for as long as one likes.
    pub fn into_owned(self) -> Cited<'static> {
        Cited {
            url: Cow::Owned(self.url.into_owned()),
            title: self.title.map(Prose::into_owned),
            quote: self.quote.map(Prose::into_owned),
            part: self.part,
            bytes: self.bytes,
        }
    }
}

/// Writes `groundingMetadata`, when there is anything in it.
pub fn write(writer: &mut Writer, all: &[Cited<'_>]) {
    if all.is_empty() {
        return;
    }
    writer.key("groundingMetadata").object(|writer| {
        writer.key("groundingChunks").array(|writer| {
            for one in all {
                writer.object(|writer| {
                    writer.key("web").object(|writer| {
                        writer.key("uri").string(&one.url);
                        if let Some(title) = &one.title {
                            writer.key("title").prose(title);
                        }
                    });
                });
            }
        });
        writer.key("groundingSupports").array(|writer| {
            for (index, one) in all.iter().enumerate().filter(|(_, one)| one.bytes.is_some() || one.quote.is_some()) {
                writer.object(|writer| {
                    writer.key("segment").object(|writer| segment(writer, one));
                    writer.key("groundingChunkIndices").array(|writer| writer.number(index as u64));
                });
            }
        });
    });
}

fn segment(writer: &mut Writer, one: &Cited<'_>) {
    if one.part > 0 {
        writer.key("partIndex").number(one.part as u64);
    }
    if let Some((start, end)) = one.bytes {
        writer.key("startIndex").number(start);
        writer.key("endIndex").number(end);
    }
    if let Some(quote) = &one.quote {
        writer.key("text").prose(quote);
    }
}
