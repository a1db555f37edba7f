//! A whole answer of Converse. Not its stream.

use std::borrow::Cow;

use crate::chat::answer::{Answer, Finish};
use crate::chat::part::{Call, CallKind, Content, Media, MediaKind, Part, Seal, Source, Thought};
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::bedrock::arguments::plain;
use crate::codec::bedrock::citation::{read as read_citation, read_text};
use crate::codec::bedrock::media::image_type;
use crate::codec::bedrock::{failure, usage};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::wire::BadAnswer;

/// Reads an answer of status 200.
pub fn decode(body: &[u8]) -> Result<Answer<'_>, BadAnswer<'_>> {
    let mut answer = Answer::default();
    let (mut found, mut thinking) = (false, None);
    let mut scanner = Scanner::new(body);
    scanner.object(|scanner, key| {
        if key.is("output") && scanner.peek()? == b'{' {
            found = true;
            read_output(scanner, &mut answer.parts)
        } else if key.is("stopReason") {
            answer.finish = finish(scanner.string_or_skip()?);
            Ok(())
        } else if key.is("usage") {
            answer.usage = usage::read(scanner)?;
            Ok(())
        } else if key.is("additionalModelResponseFields") {
            thinking = usage::read_thinking(scanner)?;
            Ok(())
        } else if key.is("serviceTier") && scanner.peek()? == b'{' {
            scanner.object(|scanner, key| {
                if key.is("type") {
                    answer.service_tier = scanner.string_or_skip()?.map(|text| text.text());
                    return Ok(());
                }
                scanner.pass()
            })
        } else {
            scanner.pass()
        }
    })?;
    scanner.end()?;
    if !found {
        return Err(match failure::in_place_of_answer(body) {
            Some(failure) => BadAnswer::Failure(failure),
            None => BadAnswer::Malformed(Malformed { offset: 0, what: "an answer has an `output`" }),
        });
    }
    answer.usage = usage::with_thinking(answer.usage, thinking);
    let calls = answer.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    answer.finish = with_calls(answer.finish, calls);
    Ok(answer)
}

/// Why an answer ended; what nobody knows yet counts as its end.
pub fn finish(reason: Option<Text<'_>>) -> Finish<'static> {
    match reason.as_ref().map(Text::raw).unwrap_or_default() {
        b"tool_use" => Finish::ToolCalls,
        b"max_tokens" => Finish::Length,
        b"stop_sequence" => Finish::StopSequence(None),
        b"guardrail_intervened" | b"content_filtered" => Finish::Filtered,
        b"refusal" => Finish::Refused,
        b"pause_turn" => Finish::Paused,
        b"malformed_model_output" | b"malformed_tool_use" => Finish::Broken,
        b"model_context_window_exceeded" => Finish::ContextFull,
        _ => Finish::Stop,
    }
}

/// The same, where an answer with calls has come to its natural end.
pub fn with_calls(finish: Finish<'_>, calls: bool) -> Finish<'_> {
    match finish {
        Finish::Stop | Finish::StopSequence(_) if calls => Finish::ToolCalls,
        finish => finish,
    }
}

/// Whether a tool use is one of a tool that AWS runs.
pub fn is_server_use(kind: Option<&Text<'_>>) -> bool {
    kind.is_some_and(|kind| kind.is("server_tool_use"))
}

/// A seal on a thought. A signature is Anthropic's, and good at Bedrock and at Anthropic alike; a thought that is hidden
/// whole may be of Claude or of OpenAI's models, and nobody but Bedrock knows it in this form.
pub fn seal(data: Cow<'_, str>, redacted: bool) -> Seal<'_> {
    Seal { wire: if redacted { Wire::Converse } else { Wire::Messages }, data, redacted, id: None }
}

fn read_output<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        if !key.is("message") || scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            if !key.is("content") || scanner.peek()? != b'[' {
                return scanner.pass();
            }
            scanner.array(|scanner| read_block(scanner, parts))
        })
    })
}

fn read_block<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass();
    }
    scanner.object(|scanner, key| {
        if key.is("text") {
            if let Some(text) = scanner.string_or_skip()?.filter(|text| !text.is_empty()) {
                parts.push(Content::text(text.prose()).into());
            }
            return Ok(());
        }
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        let content = match key.raw() {
            b"toolUse" => read_call(scanner)?,
            b"reasoningContent" => read_thought(scanner)?,
            b"citationsContent" => read_cited(scanner)?,
            b"image" => read_image(scanner)?,
            _ => {
                let (kind, raw) = (key.text(), scanner.json()?);
                Some(Content::Foreign { wire: Wire::Converse, kind, raw })
            }
        };
        parts.extend(content.map(Part::from));
        Ok(())
    })
}

fn read_call<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Content<'a>>, Malformed> {
    let raw = scanner.json()?;
    let Cow::Borrowed(bytes) = raw.0 else { return Ok(None) };
    let (mut id, mut name, mut kind, mut arguments) = (None, None, None, None);
    Scanner::new(bytes).object(|scanner, key| {
        match key.raw() {
            b"toolUseId" => id = scanner.string_or_skip()?,
            b"name" => name = scanner.string_or_skip()?,
            b"type" => kind = scanner.string_or_skip()?,
            b"input" => arguments = Some(scanner.skip().map(|span| scanner.slice(span))?),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    if is_server_use(kind.as_ref()) {
        let kind = Cow::Borrowed("server_tool_use");
        return Ok(Some(Content::Foreign { wire: Wire::Converse, kind, raw }));
    }
    let arguments = arguments.filter(|bytes| *bytes != b"null").unwrap_or(b"{}");
    Ok(Some(Content::Call(Call {
        id: id.map(|text| text.text()).unwrap_or_default(),
        name: name.map(|text| text.text()).unwrap_or_default(),
        arguments: Prose::Plain(String::from_utf8_lossy(arguments)),
        kind: CallKind::Function,
        signature: None,
    })))
}

fn read_thought<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Content<'a>>, Malformed> {
    let (mut text, mut signature, mut redacted) = (None, None, None);
    scanner.object(|scanner, key| {
        if key.is("reasoningText") && scanner.peek()? == b'{' {
            scanner.object(|scanner, key| {
                match key.raw() {
                    b"text" => text = scanner.string_or_skip()?,
                    b"signature" => signature = scanner.string_or_skip()?.filter(|text| !text.is_empty()),
                    _ => scanner.pass()?,
                }
                Ok(())
            })
        } else if key.is("redactedContent") {
            redacted = scanner.string_or_skip()?;
            Ok(())
        } else {
            scanner.pass()
        }
    })?;
    let sealed = redacted.map(|data| seal(data.text(), true)).or(signature.map(|data| seal(data.text(), false)));
    if text.is_none() && sealed.is_none() {
        return Ok(None);
    }
    let text = text.map_or(Prose::EMPTY, |text| text.prose());
    Ok(Some(Content::Thought(Thought { text, seal: sealed })))
}

/// Text that names its sources. Its pieces are usually one.
fn read_cited<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Content<'a>>, Malformed> {
    let (mut texts, mut citations): (Vec<Prose<'a>>, _) = (Vec::new(), Vec::new());
    scanner.object(|scanner, key| {
        if key.is("content") && scanner.peek()? == b'[' {
            scanner.array(|scanner| read_text(scanner).map(|text| texts.extend(text)))
        } else if key.is("citations") && scanner.peek()? == b'[' {
            scanner.array(|scanner| read_citation(scanner).map(|citation| citations.extend(citation)))
        } else {
            scanner.pass()
        }
    })?;
    Ok(join(texts).map(|text| Content::Text { text, citations }))
}

fn join(mut texts: Vec<Prose<'_>>) -> Option<Prose<'_>> {
    if texts.len() < 2 {
        return texts.pop();
    }
    let all: String = texts.iter().map(|text| plain(text).into_owned()).collect();
    Some(Prose::plain(all))
}

fn read_image<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Content<'a>>, Malformed> {
    let (mut format, mut bytes) = (None, None);
    scanner.object(|scanner, key| {
        if key.is("format") {
            format = scanner.string_or_skip()?;
            Ok(())
        } else if key.is("source") && scanner.peek()? == b'{' {
            scanner.object(|scanner, key| {
                if key.is("bytes") {
                    bytes = scanner.string_or_skip()?;
                    return Ok(());
                }
                scanner.pass()
            })
        } else {
            scanner.pass()
        }
    })?;
    Ok(bytes.map(|bytes| {
        Content::Media(Media {
            kind: MediaKind::Image,
            source: Source::Base64(bytes.text()),
            media_type: format.and_then(|format| image_type(&format.text())).map(Cow::Borrowed),
            name: None,
            detail: None,
        })
    }))
}
