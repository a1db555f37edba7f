//! Reads whole chat completions, of OpenAI and of every vendor that is compatible with it. Not streams.

use std::borrow::Cow;

use crate::chat::answer::Answer;
use crate::chat::part::{Citation, Content, Media, MediaKind, Part, Thought};
use crate::chat::prose::{Json, Prose};
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::finish::{self, Seen};
use crate::codec::openai::usage::read_usage;
use crate::codec::openai::{failure, field, inline, media, message, thought};
use crate::codec::wire::BadAnswer;

/// Reads an answer. See `ProviderWire::decode_answer`.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, BadAnswer<'_>> {
    let mut reader = Reader::default();
    let mut scanner = Scanner::new(body);
    scanner.object(|scanner, key| reader.member(scanner, &key))?;
    scanner.end()?;
    if reader.failed || !reader.answered {
        if let Some(failure) = failure::in_answer(body) {
            return Err(BadAnswer::Failure(failure));
        }
        return Err(scanner.malformed("an answer has `choices`").into());
    }
    Ok(reader.answer())
}

#[derive(Default)]
struct Reader<'a> {
    answer: Answer<'a>,
    message: Message<'a>,
    finish: Option<Text<'a>>,
    sources: Vec<Citation<'a>>,
    answered: bool,
    failed: bool,
}

impl<'a> Reader<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"id" => self.answer.id = field::filled(scanner)?.map(|id| id.text()),
            b"model" => self.answer.model = field::filled(scanner)?.map(|model| model.text()),
            b"service_tier" => self.answer.service_tier = field::filled(scanner)?.map(|tier| tier.text()),
            b"usage" => self.answer.usage = read_usage(scanner)?.or(self.answer.usage),
            b"choices" => return self.choices(scanner),
            b"error" => {
                self.failed |= !scanner.null()?;
                if self.failed {
                    scanner.pass()?;
                }
            }
            b"base_resp" => self.failed |= failure::read_base_resp(scanner)?.is_some(),
            b"search_results" => read_sources(scanner, &mut self.sources)?,
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// The first choice; Weir asks for no more when it translates.
    fn choices(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        field::each_or_skip(scanner, |scanner| {
            if self.answered || scanner.peek()? != b'{' {
                return scanner.pass();
            }
            self.answered = true;
            scanner.object(|scanner, key| {
                match key.bytes().as_ref() {
                    b"message" => field::members_or_skip(scanner, |scanner, key| self.message.member(scanner, &key))?,
                    b"finish_reason" => self.finish = scanner.string_or_skip()?,
                    b"usage" => self.answer.usage = read_usage(scanner)?.or(self.answer.usage),
                    _ => scanner.pass()?,
                }
                Ok(())
            })
        })
    }

    fn answer(self) -> Answer<'a> {
        let Self { mut answer, message, finish, sources, .. } = self;
        answer.parts = message.parts(sources);
        let seen = Seen {
            calls: answer.parts.iter().any(|part| matches!(part.content, Content::Call(_))),
            refusal: answer.parts.iter().any(|part| matches!(part.content, Content::Refusal(_))),
        };
        let reason = finish.map(|reason| reason.text());
        answer.finish = finish::parse(reason.as_deref().unwrap_or_default(), seen);
        answer
    }
}

/// What a message says, by member.
#[derive(Default)]
struct Message<'a> {
    content: Vec<Part<'a>>,
    reasoning: Option<Text<'a>>,
    reasoning_content: Option<Text<'a>>,
    blocks: Vec<Part<'a>>,
    details: Vec<Part<'a>>,
    refusal: Option<Text<'a>>,
    citations: Vec<Citation<'a>>,
    images: Vec<Part<'a>>,
    calls: Vec<Part<'a>>,
}

impl<'a> Message<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"content" => read_content(scanner, &mut self.content)?,
            b"reasoning_content" => self.reasoning_content = field::filled(scanner)?,
            b"reasoning" => self.reasoning = field::filled(scanner)?,
            b"thinking_blocks" => thought::read_blocks(scanner, &mut self.blocks)?,
            b"reasoning_details" => thought::read_details(scanner, &mut self.details)?,
            b"refusal" => self.refusal = field::filled(scanner)?,
            b"annotations" => read_annotations(scanner, &mut |citation| self.citations.push(citation))?,
            b"images" => field::each_or_skip(scanner, |scanner| read_image(scanner, &mut self.images))?,
            b"tool_calls" => field::each_or_skip(scanner, |scanner| {
                let call = message::read_call(scanner)?;
                if !call.name.is_empty() {
                    self.calls.push(Content::Call(call).into());
                }
                Ok(())
            })?,
            b"function_call" if scanner.peek()? == b'{' => {
                let call = message::read_legacy_call(scanner)?;
                self.calls.push(Content::Call(call).into());
            }
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// The parts in order: thoughts, text, refusal, images, calls.
    fn parts(self, sources: Vec<Citation<'a>>) -> Vec<Part<'a>> {
        let mut parts = self.blocks;
        if parts.is_empty() {
            parts = self.details;
        }
        // The same thoughts stand under several names at some vendors.
        if parts.is_empty()
            && let Some(text) = self.reasoning_content.or(self.reasoning)
        {
            parts.push(Content::Thought(Thought { text: text.prose(), seal: None }).into());
        }
        let mut content = self.content;
        let thoughtful = |part: &Part<'_>| matches!(part.content, Content::Thought(_));
        if !parts.iter().chain(&content).any(thoughtful)
            && let Some(Part { content: Content::Text { text, .. }, .. }) = content.first_mut()
            && let Some((thought, rest)) = inline::split(text)
        {
            parts.push(Content::Thought(Thought { text: thought, seal: None }).into());
            *text = rest;
        }
        content.retain(|part| !matches!(&part.content, Content::Text { text, .. } if text.is_empty()));
        let mut citations = if self.citations.is_empty() { sources } else { self.citations };
        for part in content.iter_mut().rev() {
            if let Content::Text { citations: of_text, .. } = &mut part.content {
                of_text.append(&mut citations);
            }
        }
        parts.append(&mut content);
        parts.extend(self.refusal.map(|refusal| Part::from(Content::Refusal(refusal.prose()))));
        parts.extend(self.images);
        parts.extend(self.calls);
        parts
    }
}

/// A string, or Mistral's list of chunks; what else stands there says nothing.
pub(super) fn read_content<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    match scanner.peek()? {
        b'"' => {
            parts.push(Content::text(scanner.string()?.prose()).into());
            Ok(())
        }
        b'[' => scanner.array(|scanner| read_chunk(scanner, parts)),
        _ => scanner.pass(),
    }
}

fn read_chunk<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let (mut text, mut thinks) = (None, false);
    field::members_or_skip(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"text" => text = scanner.string_or_skip()?,
            b"thinking" => {
                thinks = true;
                scanner.pass()?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    if thinks {
        let chunk = scanner.slice(start..scanner.offset());
        return thought::read_block(&mut Scanner::new(chunk), parts);
    }
    parts.extend(text.map(|text| Part::from(Content::text(text.prose()))));
    Ok(())
}

/// OpenRouter's and LiteLLM's place for images that the model draws.
fn read_image<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    field::members_or_skip(scanner, |scanner, key| {
        if !key.is("image_url") {
            return scanner.pass();
        }
        field::members_or_skip(scanner, |scanner, key| {
            if !key.is("url") {
                return scanner.pass();
            }
            if let Some(url) = field::filled(scanner)? {
                let (source, media_type) = media::source_of(url.text());
                let kind = MediaKind::Image;
                let media = Media { kind, source, media_type, name: None, detail: None };
                parts.push(Content::Media(media).into());
            }
            Ok(())
        })
    })
}

/// `annotations`: citations of URLs.
pub(super) fn read_annotations<'a>(
    scanner: &mut Scanner<'a>,
    sink: &mut dyn FnMut(Citation<'a>),
) -> Result<(), Malformed> {
    field::each_or_skip(scanner, |scanner| {
        scanner.peek()?;
        let start = scanner.offset();
        let mut citation = Citation::default();
        let (mut from, mut to) = (None, None);
        field::members_or_skip(scanner, |scanner, key| {
            if !key.is("url_citation") {
                return scanner.pass();
            }
            field::members_or_skip(scanner, |scanner, key| {
                match key.bytes().as_ref() {
                    b"url" => citation.url = field::filled(scanner)?.map(|url| url.text()),
                    b"title" => citation.title = field::filled(scanner)?.map(|title| title.prose()),
                    b"content" => citation.quote = field::filled(scanner)?.map(|quote| quote.prose()),
                    b"start_index" => from = scanner.whole_or_skip()?,
                    b"end_index" => to = scanner.whole_or_skip()?,
                    _ => scanner.pass()?,
                }
                Ok(())
            })
        })?;
        citation.span = from.zip(to);
        citation.raw = Some((Wire::Chat, Json::borrowed(scanner.slice(start..scanner.offset()))));
        if citation.url.is_some() {
            sink(citation);
        }
        Ok(())
    })
}

/// Perplexity's `search_results`.
pub(super) fn read_sources<'a>(scanner: &mut Scanner<'a>, sources: &mut Vec<Citation<'a>>) -> Result<(), Malformed> {
    field::each_or_skip(scanner, |scanner| {
        let (mut url, mut title): (Option<Cow<'a, str>>, Option<Prose<'a>>) = (None, None);
        field::members_or_skip(scanner, |scanner, key| {
            match key.bytes().as_ref() {
                b"url" => url = field::filled(scanner)?.map(|url| url.text()),
                b"title" => title = field::filled(scanner)?.map(|title| title.prose()),
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        if url.is_some() {
            sources.push(Citation { url, title, ..Citation::default() });
        }
        Ok(())
    })
}
