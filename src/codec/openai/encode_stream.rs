//! Writes streamed chat completions as OpenAI does, with what others add for thoughts. Not whole answers.

use std::borrow::Cow;

use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::{CallKind, Seal};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::chat::wire::Wire;
use crate::codec::json::Scanner;
use crate::codec::openai::answer_out::{can_be_written, id_of, write_citation};
use crate::codec::openai::finish::{self, Seen};
use crate::codec::openai::part_out::append;
use crate::codec::openai::{failure, thought};
use crate::codec::wire::{EncodeStream, Frame};
use crate::codec::writer::{Writer, sse_event};

/// The most bytes of thoughts that are kept for their seals.
const MAX_THOUGHTS: usize = 1024 * 1024;

/// A stream of chunks in the making.
#[derive(Debug)]
pub(super) struct Encoder {
    frame: Frame,
    id: String,
    model: String,
    blocks: Vec<Block>,
    calls: u64,
    citations: u64,
    sealed: u64,
    /// Bytes of thoughts that are kept.
    kept: usize,
    seen: Seen,
    usage: Option<Usage>,
    over: bool,
}

/// An open block.
#[derive(Debug)]
struct Block {
    number: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text,
    Refusal,
    /// A thought, and its words, escaped, as long as they are kept: its seal is worth nothing without them.
    Thought(Option<Vec<u8>>),
    Call {
        index: u64,
        kind: CallKind,
        empty: bool,
    },
}

impl Encoder {
    pub(super) fn new(frame: &Frame) -> Self {
        Self {
            frame: frame.clone(),
            id: id_of(None, frame),
            model: frame.model.clone(),
            blocks: Vec::new(),
            calls: 0,
            citations: 0,
            sealed: 0,
            kept: 0,
            seen: Seen::default(),
            usage: None,
            over: false,
        }
    }

    /// A chunk with one choice.
    fn chunk(&self, out: &mut Vec<u8>, finish: Option<&str>, delta: impl FnOnce(&mut Writer)) {
        self.write(out, |writer| {
            writer.key("choices").array(|writer| {
                writer.object(|writer| {
                    writer.key("index").number(0);
                    writer.key("delta").object(delta);
                    writer.key("logprobs").null();
                    match finish {
                        Some(reason) => writer.key("finish_reason").string(reason),
                        None => writer.key("finish_reason").null(),
                    }
                });
            });
            if self.frame.include_usage {
                writer.key("usage").null();
            }
        });
    }

    fn write(&self, out: &mut Vec<u8>, rest: impl FnOnce(&mut Writer)) {
        sse_event(out, "", |writer| {
            writer.object(|writer| {
                writer.key("id").string(&self.id);
                writer.key("object").string("chat.completion.chunk");
                writer.key("created").number(self.frame.created);
                writer.key("model").string(&self.model);
                rest(writer);
            });
        });
    }

    fn open(&mut self, number: u32, opening: &Opening<'_>, out: &mut Vec<u8>) {
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Thought => Kind::Thought(Some(Vec::new())),
            Opening::Refusal => Kind::Refusal,
            Opening::Call { id, name, kind, .. } => {
                let index = self.calls;
                self.calls += 1;
                self.seen.calls = true;
                let (member, text) = members(*kind);
                self.chunk(out, None, |writer| {
                    writer.key("tool_calls").array(|writer| {
                        writer.object(|writer| {
                            writer.key("index").number(index);
                            writer.key("id").string(id);
                            writer.key("type").string(member);
                            writer.key(member).object(|writer| {
                                writer.key("name").string(name);
                                writer.key(text).string("");
                            });
                        });
                    });
                });
                Kind::Call { index, kind: *kind, empty: true }
            }
        };
        self.blocks.push(Block { number, kind });
    }

    fn delta(&mut self, number: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let Some(at) = self.blocks.iter().position(|block| block.number == number) else { return };
        match delta {
            Delta::Text(text) if text.is_empty() => {}
            Delta::Text(text) => self.words(at, text, out),
            Delta::Seal(seal) => self.seal(at, seal, out),
            Delta::Citation(citation) => {
                if can_be_written(citation) {
                    let index = self.citations;
                    self.citations += 1;
                    self.entry(out, "annotations", index, |writer| write_citation(writer, citation));
                }
            }
        }
    }

    fn words(&mut self, at: usize, text: &Prose<'_>, out: &mut Vec<u8>) {
        let Self { blocks, kept, seen, .. } = self;
        let Some(block) = blocks.get_mut(at) else { return };
        let member = match &mut block.kind {
            Kind::Text => "content",
            Kind::Refusal => {
                seen.refusal = true;
                "refusal"
            }
            Kind::Thought(words) => {
                *kept += text.len();
                if *kept > MAX_THOUGHTS {
                    *words = None;
                }
                if let Some(words) = words {
                    append(words, text);
                }
                "reasoning_content"
            }
            Kind::Call { index, kind, empty } => {
                *empty = false;
                let (index, kind) = (*index, *kind);
                return self.arguments(index, kind, text, out);
            }
        };
        self.chunk(out, None, |writer| writer.key(member).prose(text));
    }

    fn arguments(&self, index: u64, kind: CallKind, text: &Prose<'_>, out: &mut Vec<u8>) {
        let (member, name) = members(kind);
        self.chunk(out, None, |writer| {
            writer.key("tool_calls").array(|writer| {
                writer.object(|writer| {
                    writer.key("index").number(index);
                    writer.key(member).object(|writer| writer.key(name).prose(text));
                });
            });
        });
    }

    /// A delta's list with one entry. It says which of the list's entries it is: OpenAI's own clients put together what
    /// comes with the same `index`, and break off at an entry that has none.
    fn entry(&self, out: &mut Vec<u8>, list: &str, index: u64, write: impl FnOnce(&mut Writer)) {
        let mut entry = Writer::with_capacity(128);
        write(&mut entry);
        let entry = entry.into_bytes();
        self.chunk(out, None, |writer| {
            writer.key(list).array(|writer| {
                writer.object(|writer| {
                    writer.key("index").number(index);
                    let rest = Scanner::new(&entry).object(|scanner, key| {
                        let value = scanner.json()?;
                        if !key.is("index") {
                            writer.key(&key.text()).json(&value);
                        }
                        Ok(())
                    });
                    debug_assert!(rest.is_ok(), "an entry is an object");
                });
            });
        });
    }

    /// The whole thought with its seal, in LiteLLM's way; seals of other wires mean nothing to chat clients.
    fn seal(&mut self, at: usize, seal: &Seal<'_>, out: &mut Vec<u8>) {
        let Some(Kind::Thought(Some(words))) = self.blocks.get(at).map(|block| &block.kind) else { return };
        if seal.wire != Wire::Messages {
            return;
        }
        let text = Prose::Escaped(Cow::Borrowed(words.as_slice()));
        self.entry(out, "thinking_blocks", self.sealed, |writer| thought::write_block(writer, &text, seal));
        self.sealed += 1;
    }

    fn close(&mut self, number: u32, out: &mut Vec<u8>) {
        let Some(at) = self.blocks.iter().position(|block| block.number == number) else { return };
        let block = self.blocks.swap_remove(at);
        // Clients parse the arguments, and an empty text is no JSON.
        if let Kind::Call { index, kind: kind @ CallKind::Function, empty: true } = block.kind {
            self.arguments(index, kind, &Prose::plain("{}"), out);
        }
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        if let (Some(usage), true) = (&self.usage, self.frame.include_usage) {
            self.write(out, |writer| {
                writer.key("choices").array(|_| {});
                writer.key("usage");
                finish::write_usage(writer, usage);
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }
}

/// The member that a call stands in, and its member for what is given to the tool.
fn members(kind: CallKind) -> (&'static str, &'static str) {
    match kind {
        CallKind::Function => ("function", "arguments"),
        CallKind::Custom => ("custom", "input"),
    }
}

impl EncodeStream for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => {
                self.id = id_of(id.as_deref(), &self.frame);
                if let Some(model) = model {
                    self.model = model.clone().into_owned();
                }
                self.chunk(out, None, |writer| {
                    writer.key("role").string("assistant");
                    writer.key("content").string("");
                    writer.key("refusal").null();
                });
            }
            Event::Open { block, opening } => self.open(*block, opening, out),
            Event::Delta { block, delta } => self.delta(*block, delta, out),
            Event::Close { block } => self.close(*block, out),
            Event::Finish(finish) => {
                let reason = finish::name(finish, self.seen);
                self.chunk(out, Some(reason), |_| {});
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failure(failure) => {
                sse_event(out, "", |writer| failure::write(writer, failure));
                self.over = true;
            }
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Done => self.done(out),
        }
    }
}
