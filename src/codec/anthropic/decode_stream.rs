//! Reads the events of a stream. Not their framing (see `codec::sse_stream`).

use std::borrow::Cow;

use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::CallKind;
use crate::chat::prose::Prose;
use crate::codec::anthropic::decode_block::{arguments, citation, redacted};
use crate::codec::anthropic::failure::{Said, scan};
use crate::codec::anthropic::finish;
use crate::codec::anthropic::seal;
use crate::codec::anthropic::usage::Counts;
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::sse_stream::DecodeEvent;

/// The most blocks that may be open at once; what opens beyond is not read.
const MAX_OPEN: usize = 1_024;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// What sort of block is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    /// A call; `whole` when its arguments came with its opening.
    Call {
        whole: bool,
    },
    /// A block of the vendor's own tools, which goes by unread.
    Foreign,
}

#[derive(Debug)]
struct Block {
    /// Anthropic's number.
    index: u64,
    /// The number in the form between.
    number: u32,
    kind: Kind,
}

/// The state of one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    over: bool,
    open: Vec<Block>,
    next: u32,
    called: bool,
    finished: bool,
    counts: Counts,
}

/// The members of an event's data, whatever its type.
#[derive(Default)]
struct Data<'a> {
    kind: Option<Text<'a>>,
    index: Option<u64>,
    delta: Option<&'a [u8]>,
    block: Option<&'a [u8]>,
    message: Option<&'a [u8]>,
    usage: Option<&'a [u8]>,
}

impl<'a> Data<'a> {
    fn read(data: &'a [u8]) -> Result<Self, Malformed> {
        let mut all = Self::default();
        Scanner::new(data).object(|scanner, key| {
            match key.raw() {
                b"type" => all.kind = scanner.string_or_skip()?,
                b"index" => all.index = scanner.whole_or_skip()?,
                name => {
                    let span = scanner.skip()?;
                    let value = Some(scanner.slice(span));
                    match name {
                        b"delta" => all.delta = value,
                        b"content_block" => all.block = value,
                        b"message" => all.message = value,
                        b"usage" => all.usage = value,
                        _ => {}
                    }
                }
            }
            Ok(())
        })?;
        Ok(all)
    }
}

impl DecodeEvent for Decoder {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        // What cannot be read says nothing: a stream that so lacks its last word gives no `Done`.
        let Ok(members) = Data::read(data) else { return };
        let name = name.unwrap_or_default();
        let kind = members.kind.map_or(Cow::Borrowed(name), |kind| kind.bytes());
        match kind.as_ref() {
            b"message_start" => self.start(members.message, sink),
            b"content_block_start" => self.open(&members, sink),
            b"content_block_delta" => self.delta(&members, sink),
            b"content_block_stop" => self.close(members.index, sink),
            b"message_delta" => self.message_delta(&members, sink),
            b"message_stop" => self.stop(sink),
            b"ping" => sink(Event::Ping),
            b"error" => self.fail(data, sink),
            _ => {}
        }
    }
}

impl Decoder {
    fn begin(&mut self, sink: &mut Sink<'_>) {
        if !self.started {
            self.started = true;
            sink(Event::Start { id: None, model: None });
        }
    }

    fn start(&mut self, message: Option<&[u8]>, sink: &mut Sink<'_>) {
        if self.started {
            return;
        }
        let (mut id, mut model, mut counts) = (None, None, Counts::default());
        let read = Scanner::new(message.unwrap_or_default()).object(|scanner, key| {
            match key.raw() {
                b"id" => id = scanner.string_or_skip()?,
                b"model" => model = scanner.string_or_skip()?,
                b"usage" => counts = Counts::read(scanner)?,
                _ => scanner.pass()?,
            }
            Ok(())
        });
        self.started = true;
        let text = |text: Option<Text<'_>>| text.map(|text| text.to_text()).filter(|text| !text.is_empty());
        sink(Event::Start { id: text(id).map(Cow::Owned), model: text(model).map(Cow::Owned) });
        if read.is_ok() {
            self.counts = counts;
            self.tell_usage(sink);
        }
    }

    fn tell_usage(&self, sink: &mut Sink<'_>) {
        if let Some(usage) = self.counts.usage() {
            sink(Event::Usage(usage));
        }
    }

    fn open(&mut self, members: &Data<'_>, sink: &mut Sink<'_>) {
        if self.finished {
            return;
        }
        let Some(block) = members.block.and_then(|block| BlockStart::read(block).ok()) else { return };
        self.begin(sink);
        let index = members.index.unwrap_or(u64::from(self.next));
        if self.open.iter().any(|open| open.index == index) {
            self.close(Some(index), sink);
        }
        self.close_words(sink);
        if self.open.len() == MAX_OPEN {
            return;
        }
        let kind = block.kind.map(|kind| kind.text()).unwrap_or_default();
        match kind.as_ref() {
            "text" => self.open_text(index, &block, sink),
            "thinking" | "redacted_thinking" => self.open_thought(index, &block, sink),
            "tool_use" => self.open_call(index, &block, sink),
            _ => self.open.push(Block { index, number: u32::MAX, kind: Kind::Foreign }),
        }
    }

    fn push(&mut self, index: u64, kind: Kind, opening: Opening<'_>, sink: &mut Sink<'_>) -> u32 {
        let number = self.next;
        self.next += 1;
        self.open.push(Block { index, number, kind });
        sink(Event::Open { block: number, opening });
        number
    }

    fn open_text(&mut self, index: u64, block: &BlockStart<'_>, sink: &mut Sink<'_>) {
        let number = self.push(index, Kind::Text, Opening::Text, sink);
        say(number, block.text.as_ref(), sink);
    }

    fn open_thought(&mut self, index: u64, block: &BlockStart<'_>, sink: &mut Sink<'_>) {
        let number = self.push(index, Kind::Thought, Opening::Thought, sink);
        say(number, block.thinking.as_ref(), sink);
        let signature = block.signature.and_then(|text| seal::read(text.text()));
        let seal = signature.or(block.data.map(|data| redacted(data.text())));
        if let Some(seal) = seal {
            sink(Event::Delta { block: number, delta: Delta::Seal(seal) });
        }
    }

    fn open_call(&mut self, index: u64, block: &BlockStart<'_>, sink: &mut Sink<'_>) {
        let text = |text: Option<Text<'_>>| Cow::Owned(text.map(|text| text.to_text()).unwrap_or_default());
        let opening =
            Opening::Call { id: text(block.id), name: text(block.name), kind: CallKind::Function, signature: None };
        // Some servers send the whole input here and no fragments.
        let input = block.input.filter(|input| !is_empty_object(input));
        self.called = true;
        let number = self.push(index, Kind::Call { whole: input.is_some() }, opening, sink);
        if let Some(input) = input {
            let text = arguments(crate::chat::prose::Json::borrowed(input));
            sink(Event::Delta { block: number, delta: Delta::Text(text) });
        }
    }

    fn delta(&mut self, members: &Data<'_>, sink: &mut Sink<'_>) {
        if self.finished {
            return;
        }
        let Some(delta) = members.delta.and_then(|delta| BlockDelta::read(delta).ok()) else { return };
        let kind = delta.kind.map(|kind| kind.text()).unwrap_or_default();
        let found = match members.index {
            Some(index) => self.open.iter().find(|block| block.index == index),
            None => self.open.last(),
        };
        let (number, block) = match found {
            Some(block) => (block.number, block.kind),
            None => match self.open_unasked(members.index, &kind, sink) {
                Some(opened) => opened,
                None => return,
            },
        };
        match (kind.as_ref(), block) {
            ("text_delta", Kind::Text) => say(number, delta.text.as_ref(), sink),
            ("thinking_delta", Kind::Thought) => say(number, delta.thinking.as_ref(), sink),
            ("input_json_delta", Kind::Call { whole: false }) => say(number, delta.partial_json.as_ref(), sink),
            ("signature_delta", Kind::Thought) => {
                if let Some(seal) = delta.signature.and_then(|text| seal::read(text.text())) {
                    sink(Event::Delta { block: number, delta: Delta::Seal(seal) });
                }
            }
            ("citations_delta", Kind::Text) => {
                if let Some(Ok(citation)) = delta.citation.map(|bytes| citation(&mut Scanner::new(bytes))) {
                    sink(Event::Delta { block: number, delta: Delta::Citation(citation) });
                }
            }
            _ => {}
        }
    }

    /// Some servers leave out the opening of a text or a thought.
    fn open_unasked(&mut self, index: Option<u64>, kind: &str, sink: &mut Sink<'_>) -> Option<(u32, Kind)> {
        let (kind, opening) = match kind {
            "text_delta" => (Kind::Text, Opening::Text),
            "thinking_delta" => (Kind::Thought, Opening::Thought),
            _ => return None,
        };
        if self.open.len() == MAX_OPEN {
            return None;
        }
        self.begin(sink);
        let number = self.push(index.unwrap_or(u64::from(self.next)), kind, opening, sink);
        Some((number, kind))
    }

    fn close(&mut self, index: Option<u64>, sink: &mut Sink<'_>) {
        let found = match index {
            Some(index) => self.open.iter().position(|block| block.index == index),
            None => self.open.len().checked_sub(1),
        };
        let Some(found) = found else { return };
        let block = self.open.remove(found);
        if block.kind != Kind::Foreign {
            sink(Event::Close { block: block.number });
        }
    }

    /// Anthropic has one block open at a time; a server that leaves out the stop of a text or a thought ends it by opening
    /// the next.
    fn close_words(&mut self, sink: &mut Sink<'_>) {
        self.open.retain(|block| {
            let words = matches!(block.kind, Kind::Text | Kind::Thought);
            if words {
                sink(Event::Close { block: block.number });
            }
            !words
        });
    }

    fn close_all(&mut self, sink: &mut Sink<'_>) {
        for block in self.open.drain(..) {
            if block.kind != Kind::Foreign {
                sink(Event::Close { block: block.number });
            }
        }
    }

    fn message_delta(&mut self, members: &Data<'_>, sink: &mut Sink<'_>) {
        self.begin(sink);
        let (mut reason, mut sequence) = (None, None);
        // An unreadable delta says no reason.
        let _ = Scanner::new(members.delta.unwrap_or_default()).object(|scanner, key| {
            match key.raw() {
                b"stop_reason" => reason = scanner.string_or_skip()?,
                b"stop_sequence" => sequence = scanner.string_or_skip()?,
                _ => scanner.pass()?,
            }
            Ok(())
        });
        if let Some(reason) = reason {
            self.end(&reason.text(), sequence.map(|text: Text<'_>| text.text()), sink);
        }
        if let Some(Ok(counts)) = members.usage.map(|usage| Counts::read(&mut Scanner::new(usage))) {
            self.counts.replace(counts);
            self.tell_usage(sink);
        }
    }

    fn end(&mut self, reason: &str, sequence: Option<Cow<'_, str>>, sink: &mut Sink<'_>) {
        if self.finished {
            return;
        }
        self.close_all(sink);
        self.finished = true;
        sink(Event::Finish(finish::read(reason, sequence, self.called)));
    }

    fn stop(&mut self, sink: &mut Sink<'_>) {
        self.begin(sink);
        self.end("", None, sink);
        self.over = true;
        sink(Event::Done);
    }

    fn fail(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        self.over = true;
        let said: Said<'_> = scan(&mut Scanner::new(data)).unwrap_or_default().unwrap_or_default();
        sink(Event::Failure(said.failure(None)));
    }
}

/// More words of a block, unless there are none.
fn say(number: u32, text: Option<&Text<'_>>, sink: &mut Sink<'_>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let text: Prose<'_> = text.prose();
        sink(Event::Delta { block: number, delta: Delta::Text(text) });
    }
}

fn is_empty_object(input: &[u8]) -> bool {
    let mut members = 0;
    let read = Scanner::new(input).object(|scanner, _| {
        members += 1;
        scanner.pass()
    });
    // What is no object is no input.
    read.is_err() || members == 0
}

/// A `content_block`.
#[derive(Default)]
struct BlockStart<'a> {
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    thinking: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    data: Option<Text<'a>>,
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    input: Option<&'a [u8]>,
}

impl<'a> BlockStart<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut block = Self::default();
        Scanner::new(bytes).object(|scanner, key| {
            match key.raw() {
                b"type" => block.kind = scanner.string_or_skip()?,
                b"text" => block.text = scanner.string_or_skip()?,
                b"thinking" => block.thinking = scanner.string_or_skip()?,
                b"signature" => block.signature = scanner.string_or_skip()?,
                b"data" => block.data = scanner.string_or_skip()?,
                b"id" => block.id = scanner.string_or_skip()?,
                b"name" => block.name = scanner.string_or_skip()?,
                b"input" => {
                    let span = scanner.skip()?;
                    block.input = Some(scanner.slice(span));
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        Ok(block)
    }
}

/// The `delta` of a block.
#[derive(Default)]
struct BlockDelta<'a> {
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    thinking: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    partial_json: Option<Text<'a>>,
    citation: Option<&'a [u8]>,
}

impl<'a> BlockDelta<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut delta = Self::default();
        Scanner::new(bytes).object(|scanner, key| {
            match key.raw() {
                b"type" => delta.kind = scanner.string_or_skip()?,
                b"text" => delta.text = scanner.string_or_skip()?,
                b"thinking" => delta.thinking = scanner.string_or_skip()?,
                b"signature" => delta.signature = scanner.string_or_skip()?,
                b"partial_json" => delta.partial_json = scanner.string_or_skip()?,
                b"citation" => {
                    let span = scanner.skip()?;
                    delta.citation = Some(scanner.slice(span));
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        Ok(delta)
    }
}
