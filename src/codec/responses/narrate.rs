//! Writes streams: every event at once, and the whole response once more at the end. That the end repeats everything is
//! why the answer is kept, up to a limit.

use std::mem;

use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::part::{CallKind, Citation, Seal};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::codec::responses::compose_item::{can_annotate, write_annotation};
use crate::codec::responses::mark::push_escaped;
use crate::codec::responses::render::{
    Head, Item, ItemKind, Said, Standing, escaped, write_item, write_response, write_said, write_summary,
};
use crate::codec::wire::{EncodeStream, Frame};
use crate::codec::writer::{Writer, sse_event};

/// The most that is kept of an answer, in bytes.
const MAX_KEPT: usize = 16 * 1024 * 1024;

/// What is counted for a block beside its text, in bytes.
const BLOCK_COST: usize = 256;

/// A stream on its way to a client.
#[derive(Debug)]
pub(super) struct Narrator {
    frame: Frame,
    head: Option<Head>,
    /// The number of the next event.
    sequence: u64,
    items: Vec<Item>,
    /// Where each block's words go, by its number.
    blocks: Vec<Place>,
    /// The message that takes the next text.
    message: Option<usize>,
    kept: usize,
    refused: bool,
    finish: Option<Finish<'static>>,
    usage: Option<Usage>,
    ended: bool,
}

/// An item, and a part of it where it is a message.
#[derive(Clone, Copy, Debug)]
struct Place {
    item: usize,
    part: usize,
    open: bool,
}

impl Narrator {
    /// A stream's start.
    pub(super) fn new(frame: &Frame) -> Self {
        Self {
            frame: frame.clone(),
            head: None,
            sequence: 0,
            items: Vec::new(),
            blocks: Vec::new(),
            message: None,
            kept: 0,
            refused: false,
            finish: None,
            usage: None,
            ended: false,
        }
    }
}

impl EncodeStream for Narrator {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Start { id, model } => self.start(id.as_deref(), model.as_deref(), out),
            Event::Open { block, opening } => {
                self.start(None, None, out);
                self.open(*block, opening, out);
            }
            Event::Delta { block, delta } => self.delta(*block, delta, out),
            Event::Close { block } => self.close(*block, out),
            Event::Finish(finish) => self.finish = Some(without_text(finish)),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failure(failure) => self.fail(failure, out),
            Event::Done => self.end(out),
        }
        if self.kept > MAX_KEPT && !self.ended {
            self.items.clear();
            let message = "the answer is longer than the 16 MiB that a stream of this format can repeat at its end";
            let kind = FailureKind::Server;
            self.fail(&Failure { kind, status: kind.status(), message: message.into(), code: None, param: None }, out);
        }
    }
}

/// The same reason, for as long as one likes.
fn without_text(finish: &Finish<'_>) -> Finish<'static> {
    match finish {
        Finish::Stop | Finish::StopSequence(_) => Finish::Stop,
        Finish::Length => Finish::Length,
        Finish::ContextFull => Finish::ContextFull,
        Finish::ToolCalls => Finish::ToolCalls,
        Finish::Filtered => Finish::Filtered,
        Finish::Refused => Finish::Refused,
        Finish::Paused => Finish::Paused,
        Finish::Broken => Finish::Broken,
    }
}

impl Narrator {
    /// One event: its type, its number, and what `members` adds.
    fn emit(sequence: &mut u64, out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut Writer)) {
        sse_event(out, kind, |writer| {
            writer.object(|writer| {
                writer.key("type").string(kind);
                writer.key("sequence_number").number(*sequence);
                members(writer);
            });
        });
        *sequence += 1;
    }

    /// One event of an item: also its id and its place.
    fn emit_in(&mut self, out: &mut Vec<u8>, kind: &str, item: usize, members: impl FnOnce(&mut Writer, &Item)) {
        let Some(held) = self.items.get(item) else { return };
        Self::emit(&mut self.sequence, out, kind, |writer| {
            writer.key("item_id").string(&held.id);
            writer.key("output_index").number(item as u64);
            members(writer, held);
        });
    }

    fn emit_item(&mut self, out: &mut Vec<u8>, kind: &str, item: usize) {
        let Some(held) = self.items.get(item) else { return };
        Self::emit(&mut self.sequence, out, kind, |writer| {
            writer.key("output_index").number(item as u64);
            write_item(writer.key("item"), held);
        });
    }

    fn emit_response(&mut self, out: &mut Vec<u8>, kind: &str, standing: &Standing<'_>) {
        let Some(head) = &self.head else { return };
        let items = &self.items;
        Self::emit(&mut self.sequence, out, kind, |writer| {
            write_response(writer.key("response"), head, standing, items);
        });
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if self.head.is_none() {
            self.head = Some(Head::new(&self.frame, id, model, None));
            self.emit_response(out, "response.created", &Standing::in_progress());
            self.emit_response(out, "response.in_progress", &Standing::in_progress());
        }
    }

    fn open(&mut self, block: u32, opening: &Opening<'_>, out: &mut Vec<u8>) {
        if block as usize != self.blocks.len() {
            return;
        }
        self.kept += BLOCK_COST;
        let (item, part) = match opening {
            Opening::Text => self.open_said(false, out),
            Opening::Refusal => self.open_said(true, out),
            Opening::Thought => (self.add(ItemKind::Thought { text: Vec::new(), seal: None }, out), 0),
            Opening::Call { id, name, kind, .. } => {
                self.kept += id.len() + name.len();
                let (id, name) = (id.clone().into_owned(), name.clone().into_owned());
                (self.add(ItemKind::Call { kind: *kind, id, name, arguments: Vec::new() }, out), 0)
            }
        };
        self.blocks.push(Place { item, part, open: true });
    }

    /// Adds an item. A message before it is complete unless words of it are still to come.
    fn add(&mut self, kind: ItemKind, out: &mut Vec<u8>) -> usize {
        if let Some(message) = self.message.take() {
            self.item_done_if_whole(message, out);
        }
        let item = self.items.len();
        self.items.push(Item::new(&self.frame.id, item, kind));
        self.emit_item(out, "response.output_item.added", item);
        item
    }

    fn open_said(&mut self, refusal: bool, out: &mut Vec<u8>) -> (usize, usize) {
        self.refused |= refusal;
        let item = match self.message {
            Some(item) => item,
            None => self.add(ItemKind::Message(Vec::new()), out),
        };
        self.message = Some(item);
        let mut part = 0;
        if let Some(Item { kind: ItemKind::Message(parts), .. }) = self.items.get_mut(item) {
            part = parts.len();
            parts.push(Said { refusal, text: Vec::new(), annotations: Vec::new(), open: true });
        }
        self.emit_part(out, "response.content_part.added", item, part);
        (item, part)
    }

    fn emit_part(&mut self, out: &mut Vec<u8>, kind: &str, item: usize, part: usize) {
        self.emit_in(out, kind, item, |writer, held| {
            writer.key("content_index").number(part as u64);
            if let Some(said) = said(held, part) {
                write_said(writer.key("part"), said);
            }
        });
    }

    fn place(&self, block: u32) -> Option<Place> {
        self.blocks.get(block as usize).copied().filter(|place| place.open)
    }

    fn delta(&mut self, block: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let Some(place) = self.place(block) else { return };
        match delta {
            Delta::Text(text) if text.is_empty() => {}
            Delta::Text(text) => self.text(place, text, out),
            Delta::Seal(seal) => self.seal(place, seal),
            Delta::Citation(citation) => self.cite(place, citation, out),
        }
    }

    fn text(&mut self, place: Place, text: &Prose<'_>, out: &mut Vec<u8>) {
        self.kept += text.len();
        let Some(item) = self.items.get_mut(place.item) else { return };
        let (kind, first) = match &mut item.kind {
            ItemKind::Message(parts) => {
                let Some(said) = parts.get_mut(place.part) else { return };
                push_escaped(&mut said.text, text);
                (if said.refusal { "response.refusal.delta" } else { "response.output_text.delta" }, false)
            }
            ItemKind::Thought { text: whole, .. } => {
                let first = whole.is_empty();
                push_escaped(whole, text);
                ("response.reasoning_summary_text.delta", first)
            }
            ItemKind::Call { arguments, kind, .. } => {
                push_escaped(arguments, text);
                (arguments_event(*kind, "response.function_call_arguments.delta"), false)
            }
            ItemKind::Image(_) | ItemKind::Raw(_) => return,
        };
        if first {
            self.emit_summary(out, "response.reasoning_summary_part.added", place.item, b"");
        }
        self.emit_in(out, kind, place.item, |writer, held| {
            write_part_index(writer, held, place.part);
            writer.key("delta").prose(text);
            if kind == "response.output_text.delta" {
                writer.key("logprobs").array(|_| {});
            }
        });
    }

    fn emit_summary(&mut self, out: &mut Vec<u8>, kind: &str, item: usize, text: &[u8]) {
        self.emit_in(out, kind, item, |writer, _| {
            writer.key("summary_index").number(0);
            write_summary(writer.key("part"), text);
        });
    }

    fn seal(&mut self, place: Place, seal: &Seal<'_>) {
        self.kept += seal.data.len();
        if let Some(item) = self.items.get_mut(place.item) {
            item.seal(seal, true);
        }
    }

    fn cite(&mut self, place: Place, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if !can_annotate(citation) {
            return;
        }
        let mut writer = Writer::with_capacity(128);
        write_annotation(citation, &mut writer);
        let annotation = writer.into_bytes();
        self.kept += annotation.len();
        let Some(Item { kind: ItemKind::Message(parts), .. }) = self.items.get_mut(place.item) else { return };
        let Some(said) = parts.get_mut(place.part).filter(|said| !said.refusal) else { return };
        let index = said.annotations.len();
        said.annotations.push(annotation.clone());
        self.emit_in(out, "response.output_text.annotation.added", place.item, |writer, _| {
            writer.key("content_index").number(place.part as u64);
            writer.key("annotation_index").number(index as u64);
            writer.key("annotation").raw(&annotation);
        });
    }

    fn close(&mut self, block: u32, out: &mut Vec<u8>) {
        let Some(place) = self.place(block) else { return };
        if let Some(held) = self.blocks.get_mut(block as usize) {
            held.open = false;
        }
        let Some(item) = self.items.get_mut(place.item) else { return };
        match &mut item.kind {
            ItemKind::Message(parts) => {
                let Some(said) = parts.get_mut(place.part) else { return };
                said.open = false;
                self.close_said(place, out);
                if self.message != Some(place.item) {
                    self.item_done_if_whole(place.item, out);
                }
            }
            ItemKind::Thought { text, .. } => {
                let text = mem::take(text);
                self.close_thought(place.item, text, out);
                self.item_done(place.item, "completed", out);
            }
            ItemKind::Call { kind, arguments, .. } => {
                let kind = *kind;
                if arguments.is_empty() && kind == CallKind::Function {
                    self.text(place, &Prose::plain("{}"), out);
                }
                self.close_call(place.item, kind, out);
                self.item_done(place.item, "completed", out);
            }
            ItemKind::Image(_) | ItemKind::Raw(_) => {}
        }
    }

    fn close_said(&mut self, place: Place, out: &mut Vec<u8>) {
        let refusal =
            self.items.get(place.item).and_then(|item| said(item, place.part)).is_some_and(|said| said.refusal);
        let kind = if refusal { "response.refusal.done" } else { "response.output_text.done" };
        self.emit_in(out, kind, place.item, |writer, held| {
            writer.key("content_index").number(place.part as u64);
            let Some(said) = said(held, place.part) else { return };
            writer.key(if refusal { "refusal" } else { "text" }).prose(&escaped(&said.text));
            if !refusal {
                writer.key("logprobs").array(|_| {});
            }
        });
        self.emit_part(out, "response.content_part.done", place.item, place.part);
    }

    fn close_thought(&mut self, item: usize, whole: Vec<u8>, out: &mut Vec<u8>) {
        if !whole.is_empty() {
            self.emit_in(out, "response.reasoning_summary_text.done", item, |writer, _| {
                writer.key("summary_index").number(0);
                writer.key("text").prose(&escaped(&whole));
            });
            self.emit_summary(out, "response.reasoning_summary_part.done", item, &whole);
        }
        if let Some(Item { kind: ItemKind::Thought { text, .. }, .. }) = self.items.get_mut(item) {
            *text = whole;
        }
    }

    fn close_call(&mut self, item: usize, kind: CallKind, out: &mut Vec<u8>) {
        let event = arguments_event(kind, "response.function_call_arguments.done");
        self.emit_in(out, event, item, |writer, held| {
            let ItemKind::Call { arguments, .. } = &held.kind else { return };
            let member = match kind {
                CallKind::Function => "arguments",
                CallKind::Custom => "input",
            };
            writer.key(member).prose(&escaped(arguments));
        });
    }

    fn item_done_if_whole(&mut self, item: usize, out: &mut Vec<u8>) {
        let whole = match self.items.get(item).map(|item| &item.kind) {
            Some(ItemKind::Message(parts)) => parts.iter().all(|said| !said.open),
            _ => false,
        };
        if whole {
            self.item_done(item, "completed", out);
        }
    }

    fn item_done(&mut self, item: usize, status: &'static str, out: &mut Vec<u8>) {
        let Some(held) = self.items.get_mut(item).filter(|held| held.status == "in_progress") else { return };
        held.status = status;
        self.emit_item(out, "response.output_item.done", item);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(None, None, out);
        self.ended = true;
        let finish = self.finish.take().unwrap_or_default();
        let standing = Standing::ended(&finish, self.refused, self.usage);
        let last = self.items.len().saturating_sub(1);
        for item in 0..self.items.len() {
            self.item_done(item, if item == last { standing.of_item() } else { "completed" }, out);
        }
        let kind = if standing.status == "completed" { "response.completed" } else { "response.incomplete" };
        self.emit_response(out, kind, &standing);
    }

    fn fail(&mut self, failure: &Failure<'_>, out: &mut Vec<u8>) {
        self.start(None, None, out);
        self.ended = true;
        let open = self.items.iter_mut().filter(|item| item.status == "in_progress");
        open.for_each(|item| item.status = "incomplete");
        self.emit_response(out, "response.failed", &Standing::failed(failure, self.usage));
    }
}

/// The event of a call's text: that of functions, or its like for custom tools.
fn arguments_event(kind: CallKind, function: &'static str) -> &'static str {
    match (kind, function) {
        (CallKind::Function, _) => function,
        (CallKind::Custom, "response.function_call_arguments.done") => "response.custom_tool_call_input.done",
        (CallKind::Custom, _) => "response.custom_tool_call_input.delta",
    }
}

fn said(item: &Item, part: usize) -> Option<&Said> {
    match &item.kind {
        ItemKind::Message(parts) => parts.get(part),
        _ => None,
    }
}

fn write_part_index(writer: &mut Writer, item: &Item, part: usize) {
    match &item.kind {
        ItemKind::Message(_) => writer.key("content_index").number(part as u64),
        ItemKind::Thought { .. } => writer.key("summary_index").number(0),
        _ => {}
    }
}
