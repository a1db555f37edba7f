//! Writes a stream event by event. Anthropic allows one open block at a time: a text or a thought is divided when another
//! block has something to say; what comes beside an open call waits, within bounds. Nothing else is held back, except the
//! end's own event, which holds the usage.

use std::borrow::Cow;

use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::part::{Citation, Seal};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::chat::wire::Wire;
use crate::codec::anthropic::encode_answer::id;
use crate::codec::anthropic::encode_block::{call_id, citation, is_writable};
use crate::codec::anthropic::failure;
use crate::codec::anthropic::finish;
use crate::codec::anthropic::seal::signature;
use crate::codec::anthropic::usage;
use crate::codec::wire::{EncodeStream, Frame};
use crate::codec::writer::{Writer, sse_event};

/// The most bytes that wait for a block to close.
const MAX_WAITING: usize = 1024 * 1024;

/// The most blocks that may be open at once.
const MAX_OPEN: usize = 1_024;

/// What a block becomes.
#[derive(Debug)]
enum Kind {
    Text,
    Thought { sealed: bool },
    Call { id: String, name: String },
}

/// A block that has opened and not closed, or that waits to be written.
#[derive(Debug)]
struct Block {
    /// The number in the form between.
    number: u32,
    kind: Kind,
    /// Its index on the wire, once it has one. A text or a thought opens with its first word: an empty block would be
    /// refused when the client sends it back.
    index: Option<u64>,
    waiting: Vec<Delta<'static>>,
    closed: bool,
}

impl Block {
    fn wants_to_open(&self) -> bool {
        self.index.is_none() && (!self.waiting.is_empty() || matches!(self.kind, Kind::Call { .. }))
    }
}

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    frame: Frame,
    started: bool,
    over: bool,
    blocks: Vec<Block>,
    waiting: usize,
    next: u64,
    called: bool,
    refused: bool,
    finish: Option<Finish<'static>>,
    usage: Option<Usage>,
    ended: bool,
}

impl Encoder {
    /// A stream's start.
    pub(super) fn new(frame: &Frame) -> Self {
        Self {
            frame: frame.clone(),
            started: false,
            over: false,
            blocks: Vec::new(),
            waiting: 0,
            next: 0,
            called: false,
            refused: false,
            finish: None,
            usage: None,
            ended: false,
        }
    }
}

impl EncodeStream for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => self.start(id.as_deref(), model.as_deref(), out),
            Event::Open { block, opening } => self.open(*block, opening, out),
            Event::Delta { block, delta } => self.delta(*block, delta, out),
            Event::Close { block } => self.close(*block, out),
            Event::Finish(finish) => {
                self.finish = Some(own(finish));
                self.close_all(out);
            }
            Event::Usage(usage) => {
                self.usage = Some(*usage);
                if self.finish.is_some() {
                    self.end(out);
                }
            }
            Event::Failure(failure) => self.fail(failure, out),
            Event::Ping => sse_event(out, "ping", |writer| {
                writer.object(|writer| writer.key("type").string("ping"));
            }),
            Event::Done => self.done(out),
        }
    }
}

/// One event: its name is also its `type`.
fn put(out: &mut Vec<u8>, name: &'static str, members: impl FnOnce(&mut Writer)) {
    sse_event(out, name, |writer| {
        writer.object(|writer| {
            writer.key("type").string(name);
            members(writer);
        });
    });
}

impl Encoder {
    fn start(&mut self, given: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        let frame = &self.frame;
        put(out, "message_start", |writer| {
            writer.key("message").object(|writer| {
                writer.key("id").string(&id(given, frame));
                writer.key("type").string("message");
                writer.key("role").string("assistant");
                writer.key("model").string(model.unwrap_or(&frame.model));
                writer.key("content").array(|_| {});
                writer.key("stop_reason").null();
                writer.key("stop_sequence").null();
                usage::write(writer.key("usage"), &Usage::estimated(frame.input_tokens, 0));
            });
        });
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.start(None, None, out);
    }

    fn live(&self) -> Option<u32> {
        self.blocks.iter().find(|block| block.index.is_some()).map(|block| block.number)
    }

    fn open(&mut self, number: u32, opening: &Opening<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        if self.blocks.len() == MAX_OPEN {
            self.give_up(out);
            return;
        }
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Refusal => {
                self.refused = true;
                Kind::Text
            }
            Opening::Thought => Kind::Thought { sealed: false },
            Opening::Call { id, name, .. } => {
                self.called = true;
                Kind::Call { id: id.clone().into_owned(), name: name.clone().into_owned() }
            }
        };
        if matches!(kind, Kind::Call { .. }) {
            self.interrupt(out);
        }
        self.blocks.push(Block { number, kind, index: None, waiting: Vec::new(), closed: false });
        self.advance(out);
    }

    /// Ends an open text or thought, so that another block need not wait for it; what it still has to say goes into a
    /// block of its own. A call cannot be divided.
    fn interrupt(&mut self, out: &mut Vec<u8>) {
        let Some(block) = self.blocks.iter_mut().find(|block| block.index.is_some()) else { return };
        if matches!(block.kind, Kind::Call { .. }) {
            return;
        }
        block_stop(block, out);
        block.index = None;
        if let Kind::Thought { sealed } = &mut block.kind {
            *sealed = false;
        }
    }

    fn delta(&mut self, number: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let is_open = self.blocks.iter().any(|block| block.number == number);
        if is_open && self.live() != Some(number) && !says_nothing(delta) {
            self.interrupt(out);
        }
        let live = self.live();
        let Some(block) = self.blocks.iter_mut().find(|block| block.number == number) else { return };
        if live == Some(number) {
            block_delta(block, delta, out);
            return;
        }
        if says_nothing(delta) {
            return;
        }
        if live.is_none() {
            block_start(block, Some(delta), &mut self.next, &self.frame, out);
            block_delta(block, delta, out);
            return;
        }
        let Some(waiting) = self.waiting.checked_add(weight(delta)).filter(|bytes| *bytes <= MAX_WAITING) else {
            self.give_up(out);
            return;
        };
        self.waiting = waiting;
        block.waiting.push(own_delta(delta));
    }

    fn close(&mut self, number: u32, out: &mut Vec<u8>) {
        let Some(at) = self.blocks.iter().position(|block| block.number == number) else { return };
        let Some(block) = self.blocks.get_mut(at) else { return };
        if block.wants_to_open() {
            block.closed = true;
            return;
        }
        block_stop(block, out);
        self.blocks.remove(at);
        self.advance(out);
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        let numbers: Vec<u32> = self.blocks.iter().map(|block| block.number).collect();
        numbers.into_iter().for_each(|number| self.close(number, out));
        self.advance(out);
    }

    /// While no block is open: opens the first that waits, and writes what it has.
    fn advance(&mut self, out: &mut Vec<u8>) {
        while self.live().is_none() {
            let Some(at) = self.blocks.iter().position(Block::wants_to_open) else { return };
            let Some(block) = self.blocks.get_mut(at) else { return };
            let waiting = std::mem::take(&mut block.waiting);
            block_start(block, waiting.first(), &mut self.next, &self.frame, out);
            for delta in &waiting {
                self.waiting = self.waiting.saturating_sub(weight(delta));
                block_delta(block, delta, out);
            }
            if block.closed {
                block_stop(block, out);
                self.blocks.remove(at);
            }
        }
    }

    /// Why the answer ended, and what it took. Comes once: a usage that comes later still is not told.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        self.ended = true;
        let finish = self.finish.clone().unwrap_or_default();
        let usage = self.usage.unwrap_or(Usage::estimated(self.frame.input_tokens, 0));
        let reason = finish::reason(&finish, self.called, self.refused);
        put(out, "message_delta", |writer| {
            writer.key("delta").object(|writer| {
                writer.key("stop_reason").string(reason);
                match finish::sequence(&finish) {
                    Some(sequence) => writer.key("stop_sequence").string(sequence),
                    None => writer.key("stop_sequence").null(),
                }
            });
            usage::write_end(writer.key("usage"), &usage);
        });
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close_all(out);
        self.end(out);
        put(out, "message_stop", |_| {});
        self.over = true;
    }

    fn fail(&mut self, failure: &Failure<'_>, out: &mut Vec<u8>) {
        self.over = true;
        sse_event(out, "error", |writer| failure::write(writer, failure));
    }

    fn give_up(&mut self, out: &mut Vec<u8>) {
        self.fail(
            &Failure {
                kind: FailureKind::Server,
                status: FailureKind::Server.status(),
                message: Cow::Borrowed(
                    "blocks that wait for an open one may hold 1048576 bytes; the provider sent more",
                ),
                code: None,
                param: None,
            },
            out,
        );
    }
}

/// `content_block_start`. `first` is the block's first delta: a redacted thought comes whole with its start.
fn block_start(block: &mut Block, first: Option<&Delta<'_>>, next: &mut u64, frame: &Frame, out: &mut Vec<u8>) {
    let index = *next;
    *next += 1;
    block.index = Some(index);
    let redacted = match first {
        Some(Delta::Seal(seal)) if is_redacted(seal) => Some(seal),
        _ => None,
    };
    put(out, "content_block_start", |writer| {
        writer.key("index").number(index);
        writer.key("content_block").object(|writer| match (&mut block.kind, redacted) {
            (Kind::Text, _) => {
                writer.key("type").string("text");
                writer.key("text").string("");
            }
            (Kind::Thought { sealed }, Some(seal)) => {
                *sealed = true;
                writer.key("type").string("redacted_thinking");
                writer.key("data").string(&seal.data);
            }
            (Kind::Thought { .. }, None) => {
                writer.key("type").string("thinking");
                writer.key("thinking").string("");
                writer.key("signature").string("");
            }
            (Kind::Call { id, name }, _) => {
                writer.key("type").string("tool_use");
                writer.key("id").string(&call_id(id, index, frame));
                writer.key("name").string(name);
                writer.key("input").object(|_| {});
            }
        });
    });
}

/// `content_block_delta`.
fn block_delta(block: &mut Block, delta: &Delta<'_>, out: &mut Vec<u8>) {
    let Some(index) = block.index else { return };
    let mut write = |kind: &'static str, member: &'static str, value: &mut dyn FnMut(&mut Writer)| {
        put(out, "content_block_delta", |writer| {
            writer.key("index").number(index);
            writer.key("delta").object(|writer| {
                writer.key("type").string(kind);
                value(writer.key(member));
            });
        });
    };
    match (&mut block.kind, delta) {
        (_, Delta::Text(text)) if text.is_empty() => {}
        (Kind::Text, Delta::Text(text)) => write("text_delta", "text", &mut |writer| writer.prose(text)),
        (Kind::Thought { .. }, Delta::Text(text)) => {
            write("thinking_delta", "thinking", &mut |writer| writer.prose(text));
        }
        (Kind::Call { .. }, Delta::Text(text)) => {
            write("input_json_delta", "partial_json", &mut |writer| writer.prose(text));
        }
        (Kind::Thought { sealed }, Delta::Seal(seal)) if !*sealed => {
            *sealed = true;
            write("signature_delta", "signature", &mut |writer| writer.string(&signature(Some(seal))));
        }
        (Kind::Text, Delta::Citation(one)) if is_writable(one) => {
            write("citations_delta", "citation", &mut |writer| citation(writer, one));
        }
        _ => {}
    }
}

/// `content_block_stop`; a thought without a seal gets the signature that says so, which SDKs want.
fn block_stop(block: &mut Block, out: &mut Vec<u8>) {
    let Some(index) = block.index else { return };
    if let Kind::Thought { sealed: sealed @ false } = &mut block.kind {
        *sealed = true;
        put(out, "content_block_delta", |writer| {
            writer.key("index").number(index);
            writer.key("delta").object(|writer| {
                writer.key("type").string("signature_delta");
                writer.key("signature").string(&signature(None));
            });
        });
    }
    put(out, "content_block_stop", |writer| writer.key("index").number(index));
}

fn is_redacted(seal: &Seal<'_>) -> bool {
    seal.wire == Wire::Messages && seal.redacted
}

fn says_nothing(delta: &Delta<'_>) -> bool {
    match delta {
        Delta::Text(text) => text.is_empty(),
        Delta::Seal(_) => false,
        Delta::Citation(citation) => !is_writable(citation),
    }
}

/// The bytes that a delta keeps while it waits.
fn weight(delta: &Delta<'_>) -> usize {
    const OVERHEAD: usize = 64;
    OVERHEAD
        + match delta {
            Delta::Text(text) => text.len(),
            Delta::Seal(seal) => seal.data.len(),
            Delta::Citation(citation) => {
                citation.raw.as_ref().map_or(0, |(_, raw)| raw.bytes().len())
                    + citation.quote.as_ref().map_or(0, Prose::len)
                    + citation.title.as_ref().map_or(0, Prose::len)
                    + citation.url.as_ref().map_or(0, |url| url.len())
            }
        }
}

fn own_text(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

fn own(finish: &Finish<'_>) -> Finish<'static> {
    match finish {
        Finish::Stop => Finish::Stop,
        Finish::StopSequence(sequence) => Finish::StopSequence(sequence.as_deref().map(own_text)),
        Finish::Length => Finish::Length,
        Finish::ContextFull => Finish::ContextFull,
        Finish::ToolCalls => Finish::ToolCalls,
        Finish::Filtered => Finish::Filtered,
        Finish::Refused => Finish::Refused,
        Finish::Paused => Finish::Paused,
        Finish::Broken => Finish::Broken,
    }
}

fn own_delta(delta: &Delta<'_>) -> Delta<'static> {
    match delta {
        Delta::Text(text) => Delta::Text(text.clone().into_owned()),
        Delta::Seal(seal) => Delta::Seal(Seal {
            wire: seal.wire,
            data: own_text(&seal.data),
            redacted: seal.redacted,
            id: seal.id.as_deref().map(own_text),
        }),
        Delta::Citation(citation) => Delta::Citation(Citation {
            url: citation.url.as_deref().map(own_text),
            title: citation.title.clone().map(Prose::into_owned),
            quote: citation.quote.clone().map(Prose::into_owned),
            span: citation.span,
            raw: citation.raw.clone().map(|(wire, raw)| (wire, raw.into_owned())),
        }),
    }
}

#[cfg(test)]
mod tests;
