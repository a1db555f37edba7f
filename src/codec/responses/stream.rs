//! Reads streams. Hosted tools' progress and whatever else other formats have no word for is passed over.

use std::borrow::Cow;

use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::{CallKind, Content, Seal};
use crate::chat::prose::Prose;
use crate::codec::responses::answer::{read_finish, read_response, read_usage};
use crate::codec::responses::failure::{read_error, read_failed, read_members};
use crate::codec::responses::item::{read_call, read_citation, read_item_seal};
use crate::codec::responses::value::{Members, Value};
use crate::codec::sse_stream::DecodeEvent;

/// The most blocks of a stream; what opens beyond is passed over.
const MAX_BLOCKS: usize = 1_024;

/// Where events go.
type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// A stream of the responses API on its way into events.
#[derive(Debug, Default)]
pub(super) struct ResponsesEvents {
    started: bool,
    ended: bool,
    blocks: Vec<Block>,
    refused: bool,
}

/// One part of the answer as the vendor numbers it.
#[derive(Debug)]
struct Block {
    /// The item's place.
    output: u64,
    /// The part's place in a message; 0 elsewhere.
    content: u64,
    kind: Kind,
    open: bool,
    /// Whether anything of its text came.
    began: bool,
    /// Of a thought: the place of the summary's part that came last, and whether summaries or the thinking itself come.
    part: u64,
    summary: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Thought,
    Call,
}

impl DecodeEvent for ResponsesEvents {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        if self.ended {
            return;
        }
        let Ok(event) = Members::whole(data) else { return };
        let named = name.map(String::from_utf8_lossy);
        let kind = match event.word("type").or(named) {
            Some(kind) => kind,
            // A front proxy's error has no type.
            None if event.get("error").is_some() => Cow::Borrowed("error"),
            None => return,
        };
        if kind == "error" {
            self.ended = true;
            let failure = if event.get("error").is_some() { read_error(None, &event) } else { None };
            sink(Event::Failure(failure.unwrap_or_else(|| read_members(None, &event))));
            return;
        }
        let Some(kind) = kind.strip_prefix("response.") else { return };
        let response = event.object("response");
        self.start(response.as_ref(), sink);
        match (kind, response) {
            ("completed" | "incomplete", Some(response)) => self.complete(&response, sink),
            ("failed" | "cancelled", Some(response)) => {
                self.ended = true;
                sink(Event::Failure(read_failed(&response)));
            }
            (kind, _) => self.progress(kind, &event, sink),
        }
    }
}

impl ResponsesEvents {
    fn start(&mut self, response: Option<&Members<'_>>, sink: &mut Sink<'_>) {
        if !self.started {
            self.started = true;
            let word = |name: &str| response.and_then(|response| response.word(name));
            sink(Event::Start { id: word("id"), model: word("model") });
        }
    }

    fn progress(&mut self, kind: &str, event: &Members<'_>, sink: &mut Sink<'_>) {
        let output = event.number("output_index").unwrap_or(0);
        let content = event.number("content_index").unwrap_or(0);
        match kind {
            "output_item.added" => self.item_added(output, event, sink),
            "output_item.done" => self.item_done(output, event, sink),
            "output_text.delta" => self.say(output, content, Kind::Text, event.prose("delta"), sink),
            "refusal.delta" => self.say(output, content, Kind::Refusal, event.prose("delta"), sink),
            "output_text.done" => self.say_whole(output, content, Kind::Text, event.prose("text"), sink),
            "refusal.done" => self.say_whole(output, content, Kind::Refusal, event.prose("refusal"), sink),
            "output_text.annotation.added" => self.cite(output, content, event, sink),
            "content_part.done" => self.close_where(sink, |block| {
                block.output == output && block.content == content && matches!(block.kind, Kind::Text | Kind::Refusal)
            }),
            "reasoning_summary_text.delta" => {
                let part = event.number("summary_index").unwrap_or(0);
                self.think(output, part, true, event.prose("delta"), sink);
            }
            "reasoning_text.delta" => self.think(output, content, false, event.prose("delta"), sink),
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
                self.argue(output, event.prose("delta"), sink);
            }
            "function_call_arguments.done" => self.argue_whole(output, event.prose("arguments"), sink),
            "custom_tool_call_input.done" => self.argue_whole(output, event.prose("input"), sink),
            _ => {}
        }
    }

    fn find(&mut self, output: u64, content: u64, kind: Kind) -> Option<(u32, &mut Block)> {
        let found =
            |(_, block): &(usize, &mut Block)| block.output == output && block.content == content && block.kind == kind;
        let (number, block) = self.blocks.iter_mut().enumerate().find(found)?;
        Some((u32::try_from(number).ok()?, block))
    }

    /// The block, opened if it has not been; `None` when it was closed, or when there are too many.
    fn ensure(
        &mut self,
        output: u64,
        content: u64,
        kind: Kind,
        opening: Opening<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<(u32, &mut Block)> {
        if self.find(output, content, kind).is_none() {
            if self.blocks.len() == MAX_BLOCKS {
                return None;
            }
            let number = u32::try_from(self.blocks.len()).ok()?;
            self.blocks.push(Block { output, content, kind, open: true, began: false, part: 0, summary: None });
            sink(Event::Open { block: number, opening });
        }
        self.find(output, content, kind).filter(|(_, block)| block.open)
    }

    fn say(&mut self, output: u64, content: u64, kind: Kind, text: Option<Prose<'_>>, sink: &mut Sink<'_>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let opening = if kind == Kind::Refusal { Opening::Refusal } else { Opening::Text };
        self.refused |= kind == Kind::Refusal;
        if let Some((block, state)) = self.ensure(output, content, kind, opening, sink) {
            state.began = true;
            sink(Event::Delta { block, delta: Delta::Text(text) });
        }
    }

    /// The whole text, for vendors that send no pieces.
    fn say_whole(&mut self, output: u64, content: u64, kind: Kind, text: Option<Prose<'_>>, sink: &mut Sink<'_>) {
        if !self.find(output, content, kind).is_some_and(|(_, block)| block.began) {
            self.say(output, content, kind, text, sink);
        }
    }

    fn cite(&mut self, output: u64, content: u64, event: &Members<'_>, sink: &mut Sink<'_>) {
        let annotation = event.get("annotation").filter(Value::is_object);
        let Some((value, members)) = annotation.and_then(|value| Some((value, value.members().ok()?))) else { return };
        if let Some((block, _)) = self.find(output, content, Kind::Text).filter(|(_, block)| block.open) {
            sink(Event::Delta { block, delta: Delta::Citation(read_citation(&value, &members)) });
        }
    }

    fn think(&mut self, output: u64, part: u64, summary: bool, text: Option<Prose<'_>>, sink: &mut Sink<'_>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let Some((block, state)) = self.ensure(output, 0, Kind::Thought, Opening::Thought, sink) else { return };
        // The thinking and its summary say the same.
        if *state.summary.get_or_insert(summary) != summary {
            return;
        }
        if state.began && state.part != part {
            sink(Event::Delta { block, delta: Delta::Text(Prose::plain("\n\n")) });
        }
        (state.began, state.part) = (true, part);
        sink(Event::Delta { block, delta: Delta::Text(text) });
    }

    fn argue(&mut self, output: u64, text: Option<Prose<'_>>, sink: &mut Sink<'_>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        if let Some((block, state)) = self.find(output, 0, Kind::Call).filter(|(_, state)| state.open) {
            state.began = true;
            sink(Event::Delta { block, delta: Delta::Text(text) });
        }
    }

    fn argue_whole(&mut self, output: u64, text: Option<Prose<'_>>, sink: &mut Sink<'_>) {
        if !self.find(output, 0, Kind::Call).is_some_and(|(_, state)| state.began) {
            self.argue(output, text, sink);
        }
    }

    fn item_added(&mut self, output: u64, event: &Members<'_>, sink: &mut Sink<'_>) {
        let Some(item) = event.object("item") else { return };
        if let Some(kind) = call_kind(&item) {
            self.open_call(output, kind, &item, sink);
        }
    }

    fn open_call(&mut self, output: u64, kind: CallKind, item: &Members<'_>, sink: &mut Sink<'_>) {
        let Some(call) = read_call(item, kind) else { return };
        let opening = Opening::Call { id: call.id, name: call.name, kind, signature: None };
        self.ensure(output, 0, Kind::Call, opening, sink);
    }

    /// An item is complete: what of it did not come in pieces is said now, and its blocks close.
    fn item_done(&mut self, output: u64, event: &Members<'_>, sink: &mut Sink<'_>) {
        let Some(item) = event.object("item") else { return };
        if let Some(kind) = call_kind(&item) {
            self.open_call(output, kind, &item, sink);
            let text = read_call(&item, kind).map(|call| call.arguments);
            self.argue_whole(output, text, sink);
        } else if item.text("type").is_some_and(|kind| kind.is("reasoning")) {
            self.thought_done(output, &item, sink);
        } else if item.text("type").is_some_and(|kind| kind.is("message")) {
            for (content, (_, part)) in (0..).zip(item.objects("content")) {
                match part.text("type") {
                    Some(kind) if kind.is("refusal") => {
                        self.say_whole(output, content, Kind::Refusal, part.prose("refusal"), sink);
                    }
                    _ => self.say_whole(output, content, Kind::Text, part.prose("text"), sink),
                }
            }
        }
        self.close_where(sink, |block| block.output == output);
    }

    fn thought_done(&mut self, output: u64, item: &Members<'_>, sink: &mut Sink<'_>) {
        if !self.find(output, 0, Kind::Thought).is_some_and(|(_, state)| state.began) {
            let summary = !item.objects("summary").is_empty();
            let parts = item.objects(if summary { "summary" } else { "content" });
            for (index, (_, part)) in (0..).zip(parts) {
                self.think(output, index, summary, part.prose("text"), sink);
            }
        }
        // Only now: an earlier `encrypted_content` may be a part of it.
        self.seal(output, read_item_seal(item), sink);
    }

    fn seal(&mut self, output: u64, seal: Option<Seal<'_>>, sink: &mut Sink<'_>) {
        let Some(seal) = seal else { return };
        if let Some((block, _)) = self.ensure(output, 0, Kind::Thought, Opening::Thought, sink) {
            sink(Event::Delta { block, delta: Delta::Seal(seal) });
        }
    }

    fn close_where(&mut self, sink: &mut Sink<'_>, which: impl Fn(&Block) -> bool) {
        for (number, block) in (0..).zip(&mut self.blocks) {
            if block.open && which(block) {
                block.open = false;
                sink(Event::Close { block: number });
            }
        }
    }

    fn complete(&mut self, response: &Members<'_>, sink: &mut Sink<'_>) {
        self.ended = true;
        if self.blocks.is_empty() {
            self.replay(response, sink);
        }
        self.close_where(sink, |_| true);
        let calls = self.blocks.iter().any(|block| block.kind == Kind::Call);
        let finish: Finish<'static> = read_finish(response, calls, self.refused);
        sink(Event::Finish(finish));
        if let Some(usage) = read_usage(response) {
            sink(Event::Usage(usage));
        }
        sink(Event::Done);
    }

    /// An answer that came in its last event alone.
    fn replay(&mut self, response: &Members<'_>, sink: &mut Sink<'_>) {
        for (output, part) in (0..).zip(read_response(response).parts) {
            match part.content {
                Content::Text { text, citations } => {
                    self.say(output, 0, Kind::Text, Some(text), sink);
                    let block = self.find(output, 0, Kind::Text).map(|(block, _)| block);
                    for (block, citation) in
                        block.into_iter().flat_map(|block| citations.iter().map(move |c| (block, c)))
                    {
                        sink(Event::Delta { block, delta: Delta::Citation(citation.clone()) });
                    }
                }
                Content::Refusal(text) => self.say(output, 0, Kind::Refusal, Some(text), sink),
                Content::Thought(thought) => {
                    self.think(output, 0, true, Some(thought.text), sink);
                    self.seal(output, thought.seal, sink);
                }
                Content::Call(call) => {
                    let (id, name, kind) = (call.id, call.name, call.kind);
                    let opening = Opening::Call { id, name, kind, signature: None };
                    self.ensure(output, 0, Kind::Call, opening, sink);
                    self.argue(output, Some(call.arguments), sink);
                }
                Content::Media(_) | Content::Result(_) | Content::Foreign { .. } => {}
            }
            self.close_where(sink, |block| block.output == output);
        }
    }
}

fn call_kind(item: &Members<'_>) -> Option<CallKind> {
    match item.word("type")?.as_ref() {
        "function_call" => Some(CallKind::Function),
        "custom_tool_call" => Some(CallKind::Custom),
        _ => None,
    }
}
