//! A streamed answer as a Gemini client is to see it: events or one JSON array. Words go out as they come; a call waits
//! for its last argument, because Gemini's calls are whole; the finish reason waits for the last word, to stand with the
//! usage.

use std::borrow::Cow;

use crate::chat::event::{Delta, Event, Opening};
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::part::{Call, CallKind};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::codec::gemini::grounding::{self, Cited};
use crate::codec::gemini::track::Track;
use crate::codec::gemini::{failure, finish, part_out, seal, usage};
use crate::codec::json::write_string;
use crate::codec::wire::{EncodeStream, Frame};
use crate::codec::writer::{Writer, sse_event};

/// The most that is held back, in bytes: arguments of calls, and citations.
const MAX_HELD: usize = 1024 * 1024;

/// The most blocks that are open at once.
const MAX_OPEN: usize = 1024;

/// The most citations of one answer.
const MAX_CITATIONS: usize = 256;

/// A stream in the making.
#[derive(Debug)]
pub struct Stream {
    framing: Framing,
    id: String,
    model: String,
    open: Vec<(u32, Block)>,
    text: Track,
    cited: Vec<Cited<'static>>,
    /// Their bytes.
    cited_bytes: usize,
    finish: Option<&'static str>,
    usage: Option<Usage>,
    complete: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Events,
    /// An array of which nothing, or something, is written.
    Array {
        begun: bool,
    },
}

#[derive(Debug)]
enum Block {
    Text,
    Thought,
    Call {
        id: String,
        name: String,
        kind: CallKind,
        signature: Option<String>,
        /// Escaped, as between the quotes of a JSON string: a fragment may end inside a surrogate pair.
        arguments: Vec<u8>,
    },
}

impl Block {
    fn of(opening: &Opening<'_>) -> Self {
        match opening {
            Opening::Text | Opening::Refusal => Self::Text,
            Opening::Thought => Self::Thought,
            Opening::Call { id, name, kind, signature } => Self::Call {
                id: id.as_ref().to_owned(),
                name: name.as_ref().to_owned(),
                kind: *kind,
                signature: signature.as_ref().map(|signature| signature.as_ref().to_owned()),
                arguments: Vec::new(),
            },
        }
    }
}

impl Stream {
    /// The start of a stream.
    pub fn new(frame: &Frame) -> Self {
        Self {
            framing: if frame.sse { Framing::Events } else { Framing::Array { begun: false } },
            id: frame.id.clone(),
            model: frame.model.clone(),
            open: Vec::new(),
            text: Track::default(),
            cited: Vec::new(),
            cited_bytes: 0,
            finish: None,
            usage: None,
            complete: false,
        }
    }

    fn delta(&mut self, block: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let Some((_, block)) = self.open.iter_mut().find(|(number, _)| *number == block) else { return };
        match (block, delta) {
            (Block::Call { arguments, .. }, Delta::Text(text)) => append(arguments, text),
            (Block::Text, Delta::Text(text)) if !text.is_empty() => {
                self.text.push(text);
                self.chunk(out, |writer| writer.key("text").prose(text));
            }
            (Block::Thought, Delta::Text(text)) if !text.is_empty() => self.chunk(out, |writer| {
                writer.key("text").prose(text);
                writer.key("thought").bool(true);
            }),
            (Block::Thought, Delta::Seal(seal)) => self.chunk(out, |writer| {
                writer.key("text").string("");
                writer.key("thought").bool(true);
                writer.key("thoughtSignature").string(&seal::signature(seal));
            }),
            (Block::Text, Delta::Citation(citation)) if self.cited.len() < MAX_CITATIONS => {
                if let Some(one) = Cited::of(citation, 0, &self.text) {
                    let texts = [&citation.title, &citation.quote].into_iter().flatten().map(Prose::len);
                    self.cited_bytes += citation.url.as_ref().map_or(0, |url| url.len()) + texts.sum::<usize>();
                    self.cited.push(one.into_owned());
                }
            }
            _ => {}
        }
    }

    /// The bytes that are held back.
    fn held(&self) -> usize {
        let block = |(_, block): &(u32, Block)| match block {
            Block::Text | Block::Thought => 0,
            Block::Call { id, name, signature, arguments, .. } => {
                id.len() + name.len() + signature.as_ref().map_or(0, String::len) + arguments.len()
            }
        };
        self.cited_bytes + self.open.iter().map(block).sum::<usize>()
    }

    fn close(&mut self, block: u32, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().position(|(number, _)| *number == block) else { return };
        let (_, block) = self.open.swap_remove(at);
        let Block::Call { id, name, kind, signature, arguments } = block else { return };
        let arguments = Prose::Escaped(Cow::Owned(arguments));
        let call = Call { id: Cow::Owned(id), name: Cow::Owned(name), arguments, kind, signature: None };
        self.chunk(out, |writer| {
            part_out::call_out(writer, &call, true);
            if let Some(signature) = &signature {
                writer.key("thoughtSignature").string(signature);
            }
        });
    }

    /// A piece with one part.
    fn chunk(&mut self, out: &mut Vec<u8>, part: impl FnOnce(&mut Writer)) {
        let framing = &mut self.framing;
        let (id, model) = (&self.id, &self.model);
        frame(framing, out, |writer| {
            writer.object(|writer| {
                writer.key("candidates").array(|writer| {
                    writer.object(|writer| {
                        writer.key("content").object(|writer| {
                            writer.key("parts").array(|writer| writer.object(part));
                            writer.key("role").string("model");
                        });
                        writer.key("index").number(0);
                    });
                });
                writer.key("modelVersion").string(model);
                writer.key("responseId").string(id);
            });
        });
    }

    /// The last piece.
    fn done(&mut self, out: &mut Vec<u8>) {
        while let Some((block, _)) = self.open.first() {
            self.close(*block, out);
        }
        let Self { framing, id, model, cited, finish, usage, .. } = self;
        frame(framing, out, |writer| {
            writer.object(|writer| {
                writer.key("candidates").array(|writer| {
                    writer.object(|writer| {
                        writer.key("content").object(|writer| {
                            writer.key("parts").array(|_| {});
                            writer.key("role").string("model");
                        });
                        writer.key("finishReason").string(finish.unwrap_or("STOP"));
                        grounding::write(writer, cited);
                        writer.key("index").number(0);
                    });
                });
                if let Some(usage) = usage {
                    usage::write(writer.key("usageMetadata"), usage);
                }
                writer.key("modelVersion").string(model);
                writer.key("responseId").string(id);
            });
        });
        self.end(out);
    }

    fn fail(&mut self, failure: &Failure<'_>, out: &mut Vec<u8>) {
        frame(&mut self.framing, out, |writer| failure::write(writer, failure));
        self.end(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        // An array is closed after an error too, or nobody could read the error: what says that an answer is whole is its
        // finish reason.
        if self.framing != Framing::Events {
            out.extend_from_slice(b"]\n");
        }
        self.complete = true;
        self.open = Vec::new();
    }
}

impl EncodeStream for Stream {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.complete {
            return;
        }
        match event {
            Event::Start { id, model } => {
                if let Some(id) = id {
                    self.id = id.as_ref().to_owned();
                }
                if let Some(model) = model {
                    self.model = model.as_ref().to_owned();
                }
            }
            Event::Open { block, opening } => self.open.push((*block, Block::of(opening))),
            Event::Delta { block, delta } => self.delta(*block, delta, out),
            Event::Close { block } => self.close(*block, out),
            Event::Finish(finish) => self.finish = Some(finish::encode(finish)),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failure(failure) => self.fail(failure, out),
            // An empty line: Gemini's clients read no comments, and all of them pass over empty lines.
            Event::Ping => out.push(b'\n'),
            Event::Done => self.done(out),
        }
        if !self.complete && (self.held() > MAX_HELD || self.open.len() > MAX_OPEN) {
            let failure = Failure {
                kind: FailureKind::Server,
                status: 502,
                message: Cow::Borrowed("the provider's tool calls are larger than 1 MiB"),
                code: Some(Cow::Borrowed("upstream_error")),
                param: None,
            };
            self.fail(&failure, out);
        }
    }
}

fn frame(framing: &mut Framing, out: &mut Vec<u8>, value: impl FnOnce(&mut Writer)) {
    let Framing::Array { begun } = framing else {
        return sse_event(out, "", value);
    };
    out.extend_from_slice(if *begun { b"," } else { b"[" });
    *begun = true;
    let mut writer = Writer::with_capacity(256);
    value(&mut writer);
    out.extend_from_slice(&writer.into_bytes());
    out.push(b'\n');
}

fn append(arguments: &mut Vec<u8>, text: &Prose<'_>) {
    match text {
        Prose::Escaped(bytes) => arguments.extend_from_slice(bytes),
        Prose::Plain(text) => {
            let mut quoted = Vec::with_capacity(text.len() + 2);
            write_string(&mut quoted, text);
            arguments.extend_from_slice(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
        }
    }
}
