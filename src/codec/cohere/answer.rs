//! A whole answer of Cohere. Not its stream.

use crate::chat::answer::{Answer, Finish};
use crate::chat::part::{Call, CallKind, Content, Part, Thought};
use crate::chat::prose::Prose;
use crate::codec::cohere::citation::{Placed, read as read_citation};
use crate::codec::cohere::{failure, usage};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::wire::BadAnswer;

/// A message as it is read: the order in which its members stand says nothing.
#[derive(Default)]
struct Message<'a> {
    plan: Option<Prose<'a>>,
    /// Pieces of content, by their index there.
    pieces: Vec<(u64, Part<'a>)>,
    calls: Vec<Part<'a>>,
    citations: Vec<Placed<'a>>,
}

/// Reads an answer of status 200.
pub fn decode(body: &[u8]) -> Result<Answer<'_>, BadAnswer<'_>> {
    let mut answer = Answer::default();
    let (mut message, mut found) = (Message::default(), false);
    let mut scanner = Scanner::new(body);
    scanner.object(|scanner, key| {
        match key.raw() {
            b"id" => answer.id = scanner.string_or_skip()?.map(|text| text.text()),
            b"finish_reason" => answer.finish = finish(scanner.string_or_skip()?),
            b"usage" => answer.usage = usage::read(scanner)?,
            b"message" if scanner.peek()? == b'{' => {
                found = true;
                read_message(scanner, &mut message)?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    scanner.end()?;
    if !found {
        return Err(match failure::in_place_of_answer(body) {
            Some(failure) => BadAnswer::Failure(failure),
            None => BadAnswer::Malformed(Malformed { offset: 0, what: "an answer has a `message`" }),
        });
    }
    answer.finish = with_calls(answer.finish, !message.calls.is_empty());
    answer.parts = message.into_parts();
    Ok(answer)
}

impl<'a> Message<'a> {
    /// Thoughts and text in their order, the plan before the calls.
    fn into_parts(mut self) -> Vec<Part<'a>> {
        for placed in self.citations {
            let is_cited = |piece: &&mut (u64, Part<'a>)| {
                let is_text = matches!(piece.1.content, Content::Text { .. });
                is_text && placed.index.is_none_or(|index| index == piece.0)
            };
            if let Some((_, Part { content: Content::Text { citations, .. }, .. })) =
                self.pieces.iter_mut().find(is_cited)
            {
                citations.push(placed.citation);
            }
        }
        let plan = self.plan.map(|text| Part::from(Content::text(text)));
        self.pieces.into_iter().map(|(_, part)| part).chain(plan).chain(self.calls).collect()
    }
}

/// Why an answer ended; what nobody knows yet counts as its end.
pub fn finish(reason: Option<Text<'_>>) -> Finish<'static> {
    match reason.as_ref().map(Text::raw).unwrap_or_default() {
        b"STOP_SEQUENCE" => Finish::StopSequence(None),
        b"MAX_TOKENS" => Finish::Length,
        b"TOOL_CALL" => Finish::ToolCalls,
        b"ERROR_TOXIC" => Finish::Filtered,
        b"ERROR_LIMIT" => Finish::ContextFull,
        b"ERROR" | b"TIMEOUT" => Finish::Broken,
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

fn read_message<'a>(scanner: &mut Scanner<'a>, message: &mut Message<'a>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        match key.raw() {
            b"tool_plan" => {
                message.plan = scanner.string_or_skip()?.filter(|text| !text.is_empty()).map(|text| text.prose());
            }
            b"content" => match scanner.peek()? {
                b'[' => {
                    let mut index = 0;
                    scanner.array(|scanner| {
                        let part = read_piece(scanner)?;
                        message.pieces.extend(part.map(|part| (index, part)));
                        index += 1;
                        Ok(())
                    })?;
                }
                b'"' => {
                    let text = scanner.string()?;
                    if !text.is_empty() {
                        message.pieces.push((0, Content::text(text.prose()).into()));
                    }
                }
                _ => scanner.pass()?,
            },
            b"tool_calls" if scanner.peek()? == b'[' => {
                scanner.array(|scanner| {
                    if scanner.peek()? != b'{' {
                        return scanner.pass();
                    }
                    let call = read_call(scanner)?;
                    let arguments = call.arguments.map_or(Prose::EMPTY, |text| text.prose());
                    let id = call.id.map(|text| text.text()).unwrap_or_default();
                    let name = call.name.map(|text| text.text()).unwrap_or_default();
                    let call = Call { id, name, arguments, kind: CallKind::Function, signature: None };
                    message.calls.push(Content::Call(call).into());
                    Ok(())
                })?;
            }
            b"citations" if scanner.peek()? == b'[' => {
                scanner.array(|scanner| read_citation(scanner).map(|placed| message.citations.extend(placed)))?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

fn read_piece<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Part<'a>>, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| None);
    }
    let (mut text, mut thought) = (None, None);
    scanner.object(|scanner, key| {
        match key.raw() {
            b"text" => text = scanner.string_or_skip()?.filter(|text| !text.is_empty()),
            b"thinking" => thought = scanner.string_or_skip()?.filter(|text| !text.is_empty()),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let thought = thought.map(|text| Content::Thought(Thought { text: text.prose(), seal: None }));
    Ok(thought.or(text.map(|text| Content::text(text.prose()))).map(Part::from))
}

/// A call, or a piece of one.
#[derive(Default)]
pub struct CallText<'a> {
    /// Its id.
    pub id: Option<Text<'a>>,
    /// The tool's name.
    pub name: Option<Text<'a>>,
    /// Its arguments.
    pub arguments: Option<Text<'a>>,
}

/// Reads `{id, type, function{name, arguments}}`.
pub fn read_call<'a>(scanner: &mut Scanner<'a>) -> Result<CallText<'a>, Malformed> {
    let mut call = CallText::default();
    scanner.object(|scanner, key| {
        if key.is("id") {
            call.id = scanner.string_or_skip()?;
            Ok(())
        } else if key.is("function") && scanner.peek()? == b'{' {
            scanner.object(|scanner, key| {
                match key.raw() {
                    b"name" => call.name = scanner.string_or_skip()?,
                    b"arguments" => call.arguments = scanner.string_or_skip()?,
                    _ => scanner.pass()?,
                }
                Ok(())
            })
        } else {
            scanner.pass()
        }
    })?;
    Ok(call)
}
