//! A stream of Converse: frames into events. Text and thoughts begin without a word, and usage follows the stop.

use std::borrow::Cow;

use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::CallKind;
use crate::codec::bedrock::answer::{finish, is_server_use, seal, with_calls};
use crate::codec::bedrock::citation;
use crate::codec::bedrock::event_stream::{Frames, Message};
use crate::codec::bedrock::media::{base64, from_base64};
use crate::codec::bedrock::{failure, usage};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::wire::DecodeStream;

/// The most blocks that are told apart; those beyond are not shown.
const MAX_BLOCKS: usize = 1_024;

/// The longest seal in bytes; what exceeds it is not shown, and the vendor will not know it again.
const MAX_SEAL: usize = 1024 * 1024;

type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// A stream's state.
#[derive(Debug, Default)]
pub struct Stream {
    frames: Frames,
    state: State,
}

/// What is known of the answer so far.
#[derive(Debug, Default)]
struct State {
    started: bool,
    /// The blocks that are open, by the vendor's index. One index may have several after another.
    blocks: Vec<Block>,
    /// The number of the block that opens next.
    next: u32,
    calls: bool,
    stopped: bool,
    counted: bool,
    thinking: Option<u64>,
    ended: bool,
}

#[derive(Debug)]
struct Block {
    index: u64,
    number: u32,
    kind: Kind,
    seal: Option<SealSoFar>,
}

/// A seal may come in pieces; it goes on whole, when its block ends.
#[derive(Debug)]
enum SealSoFar {
    Signature(String),
    Redacted(Vec<u8>),
}

impl SealSoFar {
    fn len(&self) -> usize {
        match self {
            Self::Signature(text) => text.len(),
            Self::Redacted(bytes) => bytes.len(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Call,
    /// What no client sees: tools that AWS runs, images.
    Hidden,
}

/// What one delta holds.
#[derive(Default)]
struct Piece<'a> {
    text: Option<Text<'a>>,
    arguments: Option<Text<'a>>,
    thought: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    redacted: Option<Text<'a>>,
    citation: Option<crate::chat::part::Citation<'a>>,
}

/// What a block's start says of a call.
#[derive(Default)]
struct Start<'a> {
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    kind: Option<Text<'a>>,
    is_call: bool,
}

impl Stream {
    /// A stream's start.
    pub fn new() -> Self {
        Self::default()
    }
}

impl DecodeStream for Stream {
    fn push(&mut self, chunk: &[u8], sink: Sink<'_>) {
        let Self { frames, state } = self;
        if state.ended {
            return;
        }
        let result = frames.push(chunk, |message| state.message(message, sink));
        if result.is_err() && !state.ended {
            state.fail(failure::broken_stream(), sink);
        }
    }

    fn finish(&mut self, sink: Sink<'_>) {
        let Self { frames, state } = self;
        if state.stopped && !state.ended && !frames.is_cut() {
            state.end(sink);
        }
    }
}

impl State {
    fn message(&mut self, message: &Message<'_>, sink: Sink<'_>) {
        if self.ended {
            return;
        }
        let text = |name: &str| message.text(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
        match text(":message-type") {
            Some("exception") => {
                let name = text(":exception-type").unwrap_or_default();
                self.fail(failure::decode_exception(name, message.payload), sink);
            }
            Some("error") => {
                let code = text(":error-code").unwrap_or_default();
                self.fail(failure::stream_error(code, text(":error-message").unwrap_or(code)), sink);
            }
            // What cannot be read is skipped: a stream that then lacks its last word has no end.
            _ => {
                let _ = self.event(text(":event-type").unwrap_or_default(), message.payload, sink);
            }
        }
    }

    fn event(&mut self, name: &str, payload: &[u8], sink: Sink<'_>) -> Result<(), Malformed> {
        // A stop is the end of the answer; only its counts may follow.
        match name {
            "metadata" => self.metadata(payload, sink),
            _ if self.stopped => Ok(()),
            "messageStart" => {
                self.start(sink);
                Ok(())
            }
            "contentBlockStart" => self.block_start(payload, sink),
            "contentBlockDelta" => self.block_delta(payload, sink),
            "contentBlockStop" => self.block_stop(payload, sink),
            "messageStop" => self.message_stop(payload, sink),
            _ => Ok(()),
        }
    }

    fn start(&mut self, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.started, true) {
            sink(Event::Start { id: None, model: None });
        }
    }

    fn fail(&mut self, failure: crate::chat::failure::Failure<'_>, sink: Sink<'_>) {
        self.ended = true;
        sink(Event::Failure(failure));
    }

    fn end(&mut self, sink: Sink<'_>) {
        self.ended = true;
        sink(Event::Done);
    }

    fn block_start(&mut self, payload: &[u8], sink: Sink<'_>) -> Result<(), Malformed> {
        let (mut index, mut start) = (0, Start::default());
        Scanner::new(payload).object(|scanner, key| {
            if key.is("contentBlockIndex") {
                index = scanner.whole_or_skip()?.unwrap_or_default();
                Ok(())
            } else if key.is("start") && scanner.peek()? == b'{' {
                scanner.object(|scanner, key| {
                    if key.is("toolUse") && scanner.peek()? == b'{' {
                        start.is_call = true;
                        return read_start(scanner, &mut start);
                    }
                    scanner.pass()
                })
            } else {
                scanner.pass()
            }
        })?;
        self.start(sink);
        self.close(index, sink);
        if !start.is_call || is_server_use(start.kind.as_ref()) {
            // A start of nothing known may still be one of text.
            if start.is_call {
                self.remember(index, Kind::Hidden);
            }
            return Ok(());
        }
        if let Some(block) = self.remember(index, Kind::Call) {
            self.calls = true;
            let id = start.id.map(|text| text.text()).unwrap_or_default();
            let name = start.name.map(|text| text.text()).unwrap_or_default();
            let opening = Opening::Call { id, name, kind: CallKind::Function, signature: None };
            sink(Event::Open { block, opening });
        }
        Ok(())
    }

    fn block_delta(&mut self, payload: &[u8], sink: Sink<'_>) -> Result<(), Malformed> {
        let (mut index, mut piece) = (0, Piece::default());
        Scanner::new(payload).object(|scanner, key| {
            if key.is("contentBlockIndex") {
                index = scanner.whole_or_skip()?.unwrap_or_default();
                Ok(())
            } else if key.is("delta") && scanner.peek()? == b'{' {
                read_delta(scanner, &mut piece)
            } else {
                scanner.pass()
            }
        })?;
        self.start(sink);
        let words = |text: Text<'_>| !text.is_empty();
        if let Some(text) = piece.thought.filter(|text| words(*text)) {
            self.words(index, Kind::Thought, Delta::Text(text.prose()), sink);
        }
        if let Some(signature) = piece.signature.filter(|text| words(*text)) {
            self.seal(index, SealSoFar::Signature(signature.to_text()), sink);
        }
        if let Some(data) = piece.redacted.filter(|text| words(*text)) {
            self.seal(index, SealSoFar::Redacted(from_base64(data.raw())), sink);
        }
        if let Some(text) = piece.text.filter(|text| words(*text)) {
            self.words(index, Kind::Text, Delta::Text(text.prose()), sink);
        }
        if let Some(citation) = piece.citation {
            self.words(index, Kind::Text, Delta::Citation(citation), sink);
        }
        if let Some(arguments) = piece.arguments.filter(|text| words(*text))
            && let Some((block, Kind::Call)) = self.open(index)
        {
            sink(Event::Delta { block, delta: Delta::Text(arguments.prose()) });
        }
        Ok(())
    }

    /// Words of a text or a thought, whose block opens with them.
    fn words(&mut self, index: u64, kind: Kind, delta: Delta<'_>, sink: Sink<'_>) {
        if let Some(block) = self.open_as(index, kind, sink) {
            sink(Event::Delta { block, delta });
        }
    }

    /// A piece of a seal, whose thought opens with it when it has no words.
    fn seal(&mut self, index: u64, piece: SealSoFar, sink: Sink<'_>) {
        let Some(number) = self.open_as(index, Kind::Thought, sink) else { return };
        let is_it = |block: &&mut Block| block.number == number && block.kind == Kind::Thought;
        let Some(block) = self.blocks.iter_mut().find(is_it) else { return };
        match (&mut block.seal, piece) {
            (Some(so_far), piece) if so_far.len() + piece.len() > MAX_SEAL => {}
            (Some(SealSoFar::Signature(so_far)), SealSoFar::Signature(piece)) => so_far.push_str(&piece),
            (Some(SealSoFar::Redacted(so_far)), SealSoFar::Redacted(piece)) => so_far.extend_from_slice(&piece),
            (Some(_), _) => {}
            (none, piece) => *none = Some(piece),
        }
    }

    /// The number of the open block of that kind at an index. Another kind of block that is open there ends, but for what
    /// is hidden or a call: those have had a start, and whatever else comes is none of theirs.
    fn open_as(&mut self, index: u64, kind: Kind, sink: Sink<'_>) -> Option<u32> {
        match self.open(index) {
            Some((number, open)) if open == kind => return Some(number),
            Some((_, Kind::Hidden | Kind::Call)) => return None,
            Some(_) => self.close(index, sink),
            None => {}
        }
        let number = self.remember(index, kind)?;
        let opening = if kind == Kind::Thought { Opening::Thought } else { Opening::Text };
        sink(Event::Open { block: number, opening });
        Some(number)
    }

    fn block_stop(&mut self, payload: &[u8], sink: Sink<'_>) -> Result<(), Malformed> {
        let mut index = 0;
        Scanner::new(payload).object(|scanner, key| {
            if key.is("contentBlockIndex") {
                index = scanner.whole_or_skip()?.unwrap_or_default();
                return Ok(());
            }
            scanner.pass()
        })?;
        self.close(index, sink);
        Ok(())
    }

    fn message_stop(&mut self, payload: &[u8], sink: Sink<'_>) -> Result<(), Malformed> {
        let (mut why, mut thinking) = (Finish::Stop, None);
        Scanner::new(payload).object(|scanner, key| {
            if key.is("stopReason") {
                why = finish(scanner.string_or_skip()?);
            } else if key.is("additionalModelResponseFields") {
                thinking = usage::read_thinking(scanner)?;
            } else {
                scanner.pass()?;
            }
            Ok(())
        })?;
        self.start(sink);
        for block in self.blocks.drain(..) {
            close(&block, sink);
        }
        self.stopped = true;
        self.thinking = thinking;
        sink(Event::Finish(with_calls(why, self.calls)));
        if self.counted {
            self.end(sink);
        }
        Ok(())
    }

    fn metadata(&mut self, payload: &[u8], sink: Sink<'_>) -> Result<(), Malformed> {
        let mut counts = None;
        Scanner::new(payload).object(|scanner, key| {
            if key.is("usage") {
                counts = usage::read(scanner)?;
                return Ok(());
            }
            scanner.pass()
        })?;
        self.start(sink);
        if let Some(usage) = usage::with_thinking(counts, self.thinking) {
            sink(Event::Usage(usage));
        }
        self.counted = true;
        if self.stopped {
            self.end(sink);
        }
        Ok(())
    }

    /// The number and kind of the block that is open at an index.
    fn open(&self, index: u64) -> Option<(u32, Kind)> {
        self.blocks.iter().find(|block| block.index == index).map(|block| (block.number, block.kind))
    }

    fn close(&mut self, index: u64, sink: Sink<'_>) {
        if let Some(at) = self.blocks.iter().position(|block| block.index == index) {
            close(&self.blocks.remove(at), sink);
        }
    }

    /// Remembers a block that opens, and gives its number; `None` when there are too many.
    fn remember(&mut self, index: u64, kind: Kind) -> Option<u32> {
        if self.blocks.len() >= MAX_BLOCKS || self.next as usize >= MAX_BLOCKS {
            return None;
        }
        let number = self.next;
        self.next += u32::from(kind != Kind::Hidden);
        self.blocks.push(Block { index, number, kind, seal: None });
        Some(number)
    }
}

/// The end of a block, before it the seal that a thought has come to have.
fn close(block: &Block, sink: Sink<'_>) {
    let number = block.number;
    let sealed = block.seal.as_ref().map(|so_far| match so_far {
        SealSoFar::Signature(text) => seal(Cow::Borrowed(text), false),
        SealSoFar::Redacted(bytes) => seal(Cow::Owned(base64(bytes)), true),
    });
    if let Some(seal) = sealed {
        sink(Event::Delta { block: number, delta: Delta::Seal(seal) });
    }
    if block.kind != Kind::Hidden {
        sink(Event::Close { block: number });
    }
}

fn read_start<'a>(scanner: &mut Scanner<'a>, start: &mut Start<'a>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        match key.raw() {
            b"toolUseId" => start.id = scanner.string_or_skip()?,
            b"name" => start.name = scanner.string_or_skip()?,
            b"type" => start.kind = scanner.string_or_skip()?,
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

fn read_delta<'a>(scanner: &mut Scanner<'a>, piece: &mut Piece<'a>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        if key.is("text") {
            piece.text = scanner.string_or_skip()?;
            return Ok(());
        }
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        match key.raw() {
            b"toolUse" => scanner.object(|scanner, key| {
                if key.is("input") {
                    piece.arguments = scanner.string_or_skip()?;
                    return Ok(());
                }
                scanner.pass()
            }),
            b"reasoningContent" => scanner.object(|scanner, key| {
                match key.raw() {
                    b"text" => piece.thought = scanner.string_or_skip()?,
                    b"signature" => piece.signature = scanner.string_or_skip()?,
                    b"redactedContent" => piece.redacted = scanner.string_or_skip()?,
                    _ => scanner.pass()?,
                }
                Ok(())
            }),
            b"citation" => {
                piece.citation = citation::read(scanner)?;
                Ok(())
            }
            _ => scanner.pass(),
        }
    })
}
