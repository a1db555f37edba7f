//! Reads a whole answer. Not a stream.

use crate::chat::answer::Answer;
use crate::chat::part::{Content, Part};
use crate::chat::prose::Prose;
use crate::codec::anthropic::decode_block::{Wishes, block};
use crate::codec::anthropic::failure::Said;
use crate::codec::anthropic::finish;
use crate::codec::anthropic::usage::Counts;
use crate::codec::json::{Malformed, Scanner, Text, unescape};
use crate::codec::wire::BadAnswer;

/// What an answer's members are, in whatever order they stand.
#[derive(Default)]
struct Members<'a> {
    answer: Answer<'a>,
    message: bool,
    counts: Counts,
    tier: Option<Text<'a>>,
    reason: Option<Text<'a>>,
    sequence: Option<Text<'a>>,
    error: Option<Said<'a>>,
}

/// Reads the body of a 200.
pub(super) fn answer(body: &[u8]) -> Result<Answer<'_>, BadAnswer<'_>> {
    let mut scanner = Scanner::new(body);
    let mut members = Members::default();
    scanner.object(|scanner, key| member(scanner, &key, &mut members))?;
    scanner.end()?;
    if let Some(error) = members.error {
        return Err(BadAnswer::Failure(error.failure(None)));
    }
    if !members.message {
        return Err(Malformed { offset: 0, what: "an answer needs `content`" }.into());
    }
    let mut answer = members.answer;
    let called = answer.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    let reason = members.reason.map(|text| text.text()).unwrap_or_default();
    answer.finish = finish::read(&reason, members.sequence.map(|text| text.text()), called);
    answer.usage = members.counts.usage();
    answer.service_tier = members.tier.map(|text| text.text());
    span_citations(&mut answer.parts);
    Ok(answer)
}

fn member<'a>(scanner: &mut Scanner<'a>, key: &Text<'a>, members: &mut Members<'a>) -> Result<(), Malformed> {
    match key.raw() {
        b"id" => members.answer.id = scanner.string_or_skip()?.map(|text| text.text()),
        b"model" => members.answer.model = scanner.string_or_skip()?.map(|text| text.text()),
        b"content" => {
            members.message = true;
            if scanner.null()? {
                return Ok(());
            }
            let mut wishes = Wishes::default();
            scanner.array(|scanner| {
                let part = block(scanner, &mut wishes)?;
                if !is_empty_text(&part) {
                    members.answer.parts.push(part);
                }
                Ok(())
            })?;
        }
        b"stop_reason" => members.reason = scanner.string_or_skip()?,
        b"stop_sequence" => members.sequence = scanner.string_or_skip()?,
        b"usage" => {
            let span = scanner.skip()?;
            let usage = scanner.slice(span);
            members.counts = Counts::read(&mut Scanner::new(usage))?;
            members.tier = tier(usage)?;
        }
        b"error" => {
            if !scanner.null()? {
                members.error = Some(Said::read(scanner)?);
            }
        }
        _ => scanner.pass()?,
    }
    Ok(())
}

fn is_empty_text(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Text { text, .. } if text.is_empty())
}

/// `usage.service_tier`.
fn tier(usage: &[u8]) -> Result<Option<Text<'_>>, Malformed> {
    let mut scanner = Scanner::new(usage);
    let mut tier = None;
    if scanner.peek()? == b'{' {
        scanner.object(|scanner, key| {
            if key.is("service_tier") {
                tier = scanner.string_or_skip()?;
                return Ok(());
            }
            scanner.pass()
        })?;
    }
    Ok(tier)
}

/// Says of every citation where the text that cites stands in the whole answer: Anthropic cites by block.
fn span_citations(parts: &mut [Part<'_>]) {
    let cites = |part: &Part<'_>| matches!(&part.content, Content::Text { citations, .. } if !citations.is_empty());
    if !parts.iter().any(cites) {
        return;
    }
    let mut at = 0;
    for part in parts {
        let Content::Text { text, citations } = &mut part.content else { continue };
        let end = at + characters(text);
        citations.iter_mut().for_each(|citation| citation.span = Some((at, end)));
        at = end;
    }
}

fn characters(text: &Prose<'_>) -> u64 {
    match text {
        Prose::Escaped(bytes) => unescape(bytes).chars().count() as u64,
        Prose::Plain(text) => text.chars().count() as u64,
    }
}
