//! A stream of Cohere: its server-sent events into events of the form between.

use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::CallKind;
use crate::codec::cohere::answer::{CallText, finish, read_call, with_calls};
use crate::codec::cohere::citation::{Placed, read as read_citation};
use crate::codec::cohere::{failure, usage};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::sse_stream::DecodeEvent;

/// The most blocks that are told apart; those beyond are not shown.
const MAX_BLOCKS: u32 = 1_024;

type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// What is known of the answer so far.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// The blocks that are open.
    open: Vec<Block>,
    /// The number of the block that opens next.
    next: u32,
    calls: bool,
    ended: bool,
}

/// What a block is, and the vendor's index of it: content and calls are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Text(u64),
    Thought(u64),
    Plan,
    Call(u64),
}

#[derive(Clone, Copy, Debug)]
struct Block {
    place: Place,
    number: u32,
}

/// What one event holds.
#[derive(Default)]
struct Said<'a> {
    kind: Option<Text<'a>>,
    id: Option<Text<'a>>,
    index: u64,
    text: Option<Text<'a>>,
    thought: Option<Text<'a>>,
    is_thought: bool,
    plan: Option<Text<'a>>,
    call: Option<CallText<'a>>,
    citation: Option<Placed<'a>>,
    finish: Option<Finish<'static>>,
    usage: Option<crate::chat::usage::Usage>,
    error: Option<Text<'a>>,
}

impl DecodeEvent for Decoder {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) {
        if self.ended {
            return;
        }
        let mut said = Said::default();
        // What cannot be read is skipped: a stream that then lacks its last word has no end.
        if read(data, &mut said).is_err() {
            return;
        }
        let kind = said.kind.map(|text| text.text()).unwrap_or_default();
        match kind.as_ref() {
            "message-start" => self.start(said.id, sink),
            "content-start" | "content-delta" => self.content(said, kind == "content-start", sink),
            "content-end" => {
                self.close(Place::Text(said.index), sink);
                self.close(Place::Thought(said.index), sink);
            }
            "tool-plan-delta" => self.words(Place::Plan, said.plan, sink),
            "tool-call-start" => self.call_start(said, sink),
            "tool-call-delta" => {
                let arguments = said.call.and_then(|call| call.arguments).filter(|text| !text.is_empty());
                if let (Some(arguments), Some(block)) = (arguments, self.find(Place::Call(said.index))) {
                    sink(Event::Delta { block, delta: Delta::Text(arguments.prose()) });
                }
            }
            "tool-call-end" => self.close(Place::Call(said.index), sink),
            "citation-start" => self.citation(said.citation, sink),
            "message-end" => self.message_end(said, sink),
            _ => {}
        }
    }
}

impl Decoder {
    fn start(&mut self, id: Option<Text<'_>>, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.started, true) {
            sink(Event::Start { id: id.map(|text| text.text()), model: None });
        }
    }

    /// A piece of content begins or goes on. Its text may come with its start.
    fn content(&mut self, said: Said<'_>, begins: bool, sink: Sink<'_>) {
        self.close(Place::Plan, sink);
        let index = said.index;
        if begins {
            let place = if said.is_thought { Place::Thought(index) } else { Place::Text(index) };
            self.open(place, sink);
        }
        if said.thought.is_some() {
            self.words(Place::Thought(index), said.thought, sink);
        }
        if said.text.is_some() {
            self.words(Place::Text(index), said.text, sink);
        }
    }

    fn call_start(&mut self, said: Said<'_>, sink: Sink<'_>) {
        self.start(None, sink);
        self.close(Place::Plan, sink);
        let (place, call) = (Place::Call(said.index), said.call.unwrap_or_default());
        self.close(place, sink);
        let Some(block) = self.remember(place) else { return };
        self.calls = true;
        let id = call.id.map(|text| text.text()).unwrap_or_default();
        let name = call.name.map(|text| text.text()).unwrap_or_default();
        let opening = Opening::Call { id, name, kind: CallKind::Function, signature: None };
        sink(Event::Open { block, opening });
        if let Some(arguments) = call.arguments.filter(|text| !text.is_empty()) {
            sink(Event::Delta { block, delta: Delta::Text(arguments.prose()) });
        }
    }

    /// A citation of the text that it names, or of whichever is open.
    fn citation(&mut self, placed: Option<Placed<'_>>, sink: Sink<'_>) {
        let Some(placed) = placed else { return };
        let is_text = |block: &&Block| matches!(block.place, Place::Text(_));
        let named = placed.index.and_then(|index| self.find(Place::Text(index)));
        if let Some(block) = named.or(self.open.iter().rev().find(is_text).map(|block| block.number)) {
            sink(Event::Delta { block, delta: Delta::Citation(placed.citation) });
        }
    }

    fn message_end(&mut self, said: Said<'_>, sink: Sink<'_>) {
        self.ended = true;
        if let Some(error) = said.error.filter(|text| !text.is_empty()) {
            return sink(Event::Failure(failure::of_model(error.text())));
        }
        self.start(None, sink);
        for block in self.open.drain(..) {
            sink(Event::Close { block: block.number });
        }
        if let Some(usage) = said.usage {
            sink(Event::Usage(usage));
        }
        sink(Event::Finish(with_calls(said.finish.unwrap_or_default(), self.calls)));
        sink(Event::Done);
    }

    fn words(&mut self, place: Place, text: Option<Text<'_>>, sink: Sink<'_>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        if let Some(block) = self.open(place, sink) {
            sink(Event::Delta { block, delta: Delta::Text(text.prose()) });
        }
    }

    /// The number of the block at a place, which opens if it is not open.
    fn open(&mut self, place: Place, sink: Sink<'_>) -> Option<u32> {
        self.start(None, sink);
        if let Some(number) = self.find(place) {
            return Some(number);
        }
        let block = self.remember(place)?;
        let opening = if matches!(place, Place::Thought(_)) { Opening::Thought } else { Opening::Text };
        sink(Event::Open { block, opening });
        Some(block)
    }

    fn find(&self, place: Place) -> Option<u32> {
        self.open.iter().find(|block| block.place == place).map(|block| block.number)
    }

    fn close(&mut self, place: Place, sink: Sink<'_>) {
        if let Some(at) = self.open.iter().position(|block| block.place == place) {
            sink(Event::Close { block: self.open.remove(at).number });
        }
    }

    fn remember(&mut self, place: Place) -> Option<u32> {
        if self.next >= MAX_BLOCKS {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.open.push(Block { place, number });
        Some(number)
    }
}

fn read<'a>(data: &'a [u8], said: &mut Said<'a>) -> Result<(), Malformed> {
    Scanner::new(data).object(|scanner, key| {
        match key.raw() {
            b"type" => said.kind = scanner.string_or_skip()?,
            b"id" => said.id = scanner.string_or_skip()?,
            b"index" => said.index = scanner.whole_or_skip()?.unwrap_or_default(),
            b"delta" if scanner.peek()? == b'{' => read_delta(scanner, said)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

fn read_delta<'a>(scanner: &mut Scanner<'a>, said: &mut Said<'a>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        match key.raw() {
            b"message" if scanner.peek()? == b'{' => read_message(scanner, said)?,
            b"finish_reason" => said.finish = Some(finish(scanner.string_or_skip()?)),
            b"usage" => said.usage = usage::read(scanner)?,
            b"error" => said.error = scanner.string_or_skip()?,
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

fn read_message<'a>(scanner: &mut Scanner<'a>, said: &mut Said<'a>) -> Result<(), Malformed> {
    scanner.object(|scanner, key| {
        match key.raw() {
            b"tool_plan" => said.plan = scanner.string_or_skip()?,
            b"content" if scanner.peek()? == b'{' => scanner.object(|scanner, key| {
                match key.raw() {
                    b"text" => said.text = scanner.string_or_skip()?,
                    b"thinking" => {
                        said.thought = scanner.string_or_skip()?;
                        said.is_thought |= said.thought.is_some();
                    }
                    b"type" => said.is_thought |= scanner.string_or_skip()?.is_some_and(|kind| kind.is("thinking")),
                    _ => scanner.pass()?,
                }
                Ok(())
            })?,
            b"tool_calls" if scanner.peek()? == b'{' => said.call = Some(read_call(scanner)?),
            b"citations" if scanner.peek()? == b'{' => said.citation = read_citation(scanner)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })
}
