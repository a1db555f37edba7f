//! Reads streamed chat completions, of OpenAI and of every vendor that is compatible with it. Not whole answers.

use std::borrow::Cow;

use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::{Citation, Content, Part, Seal};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::answer::{read_annotations, read_content, read_sources};
use crate::codec::openai::finish::{self, Seen};
use crate::codec::openai::inline::{Inline, Words};
use crate::codec::openai::stream_call::{Calls, Fragment};
use crate::codec::openai::usage::read_usage;
use crate::codec::openai::{failure, field, thought};
use crate::codec::sse_stream::DecodeEvent;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// The most blocks of a stream.
const MAX_BLOCKS: u32 = 1024;

/// The most characters of the answer's id that ids of calls are made of.
const MAX_ID: usize = 128;

/// A stream of chunks.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    /// After `[DONE]` or an error nothing is read.
    over: bool,
    finished: bool,
    blocks: u32,
    /// The open block of words: a thought, a text or a refusal follow one another.
    speaking: Option<Speaking>,
    calls: Calls,
    seen: Seen,
    inline: Inline,
    /// Thoughts came in a member of their own.
    thinks_apart: bool,
    answer_id: String,
}

#[derive(Clone, Copy, Debug)]
struct Speaking {
    block: u32,
    kind: Kind,
    /// Its seal came.
    sealed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thought,
    Text,
    Refusal,
}

impl DecodeEvent for Decoder {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8], sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.start(None, None, sink);
            self.end_answer("", sink);
            self.over = true;
            return sink(Event::Done);
        }
        // What does not parse is skipped; a stream that is cut for it lacks its end.
        if let Ok(chunk) = Chunk::read(data) {
            self.chunk(chunk, data, sink);
        }
    }
}

impl Decoder {
    fn chunk(&mut self, chunk: Chunk<'_>, data: &[u8], sink: &mut Sink<'_>) {
        if chunk.failed
            && let Some(failure) = failure::in_answer(data)
        {
            self.over = true;
            return sink(Event::Failure(failure));
        }
        if !chunk.is_chunk {
            return;
        }
        // Azure opens with a chunk about its filters, which has neither id nor model.
        if chunk.choice || chunk.id.is_some() || chunk.usage.is_some() {
            self.start(chunk.id.map(|id| id.text()), chunk.model.map(|model| model.text()), sink);
        }
        if let Some(delta) = chunk.delta
            && !self.finished
        {
            self.delta(delta, sink);
        }
        if let Some(reason) = chunk.finish.filter(|reason| !reason.is_empty()) {
            for source in chunk.sources {
                self.cite(source, sink);
            }
            self.end_answer(&reason.text(), sink);
        }
        if let Some(usage) = chunk.usage {
            sink(Event::Usage(usage));
        }
    }

    fn start(&mut self, id: Option<Cow<'_, str>>, model: Option<Cow<'_, str>>, sink: &mut Sink<'_>) {
        if !self.started {
            self.started = true;
            self.answer_id = id.iter().flat_map(|id| id.chars()).take(MAX_ID).collect();
            sink(Event::Start { id, model });
        }
    }

    fn delta(&mut self, delta: ChunkDelta<'_>, sink: &mut Sink<'_>) {
        let ChunkDelta { reasoning, reasoning_content, thoughts, content, refusal, calls, citations } = delta;
        // The same words stand under several names at some vendors.
        if let Some(text) = reasoning_content.or(reasoning) {
            self.thinks_apart = true;
            self.say(Kind::Thought, text.prose(), sink);
        }
        for part in thoughts {
            self.think(part, sink);
        }
        for part in content {
            match part.content {
                Content::Text { text, .. } => self.text(text, sink),
                Content::Thought(thought) => {
                    self.thinks_apart = true;
                    self.say(Kind::Thought, thought.text, sink);
                }
                _ => {}
            }
        }
        if let Some(text) = refusal {
            self.seen.refusal = true;
            self.say(Kind::Refusal, text.prose(), sink);
        }
        for citation in citations {
            self.cite(citation, sink);
        }
        for fragment in calls {
            self.call(fragment, sink);
        }
    }

    fn text(&mut self, text: Prose<'_>, sink: &mut Sink<'_>) {
        if self.thinks_apart {
            self.inline.off();
        }
        // Decided apart from `self`, whose methods open the blocks.
        let mut words = Vec::new();
        self.inline.push(text, &mut |more| words.push(more));
        self.speak(words, sink);
    }

    fn speak(&mut self, words: Vec<Words<'_>>, sink: &mut Sink<'_>) {
        for word in words {
            match word {
                Words::Thought(text) => self.say(Kind::Thought, text, sink),
                Words::Text(text) => self.say(Kind::Text, text, sink),
            }
        }
    }

    /// Words of a kind: they go on in the open block, or open one.
    fn say(&mut self, kind: Kind, text: Prose<'_>, sink: &mut Sink<'_>) {
        if text.is_empty() {
            return;
        }
        if let Some(block) = self.block(kind, sink) {
            sink(Event::Delta { block, delta: Delta::Text(text) });
        }
    }

    /// The open block of a kind.
    fn block(&mut self, kind: Kind, sink: &mut Sink<'_>) -> Option<u32> {
        if let Some(speaking) = self.speaking
            && speaking.kind == kind
            && !(speaking.sealed && kind == Kind::Thought)
        {
            return Some(speaking.block);
        }
        self.hush(sink);
        let block = self.number()?;
        self.speaking = Some(Speaking { block, kind, sealed: false });
        let opening = match kind {
            Kind::Thought => Opening::Thought,
            Kind::Text => Opening::Text,
            Kind::Refusal => Opening::Refusal,
        };
        sink(Event::Open { block, opening });
        Some(block)
    }

    /// Closes the open block of words.
    fn hush(&mut self, sink: &mut Sink<'_>) {
        if let Some(speaking) = self.speaking.take() {
            sink(Event::Close { block: speaking.block });
        }
    }

    fn number(&mut self) -> Option<u32> {
        let block = self.blocks;
        (block < MAX_BLOCKS).then(|| self.blocks += 1)?;
        Some(block)
    }

    /// A thought of a vendor that repeats it with a seal: the words came already, unless nothing else said them.
    fn think(&mut self, part: Part<'_>, sink: &mut Sink<'_>) {
        let Content::Thought(thought) = part.content else { return };
        if !self.thinks_apart {
            self.say(Kind::Thought, thought.text, sink);
        }
        if let Some(seal) = thought.seal {
            self.seal(seal, sink);
        }
    }

    fn seal(&mut self, seal: Seal<'_>, sink: &mut Sink<'_>) {
        if seal.redacted {
            // Such a thought is nothing but its seal.
            self.hush(sink);
        }
        if let Some(block) = self.block(Kind::Thought, sink) {
            self.speaking = Some(Speaking { block, kind: Kind::Thought, sealed: true });
            sink(Event::Delta { block, delta: Delta::Seal(seal) });
        }
    }

    fn cite(&mut self, citation: Citation<'_>, sink: &mut Sink<'_>) {
        if let Some(block) = self.block(Kind::Text, sink) {
            sink(Event::Delta { block, delta: Delta::Citation(citation) });
        }
    }

    fn call(&mut self, fragment: Fragment<'_>, sink: &mut Sink<'_>) {
        self.seen.calls = true;
        self.end_words(sink);
        self.hush(sink);
        let Self { calls, blocks, answer_id, .. } = self;
        let mut number = || {
            let block = *blocks;
            (block < MAX_BLOCKS).then(|| *blocks += 1)?;
            Some(block)
        };
        calls.push(fragment, answer_id, &mut number, sink);
    }

    /// What was held to tell thoughts from text is all there is.
    fn end_words(&mut self, sink: &mut Sink<'_>) {
        let mut words = Vec::new();
        self.inline.finish(&mut |more| words.push(more));
        self.speak(words, sink);
    }

    /// The answer is complete, for a reason in the vendor's words.
    fn end_answer(&mut self, reason: &str, sink: &mut Sink<'_>) {
        if self.finished {
            return;
        }
        self.finished = true;
        self.end_words(sink);
        self.hush(sink);
        self.calls.close(sink);
        sink(Event::Finish(finish::parse(reason, self.seen)));
    }
}

/// What one event tells.
#[derive(Default)]
struct Chunk<'a> {
    /// It has `choices`, or counts tokens.
    is_chunk: bool,
    /// It has a choice.
    choice: bool,
    failed: bool,
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    delta: Option<ChunkDelta<'a>>,
    finish: Option<Text<'a>>,
    usage: Option<Usage>,
    sources: Vec<Citation<'a>>,
}

#[derive(Default)]
struct ChunkDelta<'a> {
    reasoning: Option<Text<'a>>,
    reasoning_content: Option<Text<'a>>,
    thoughts: Vec<Part<'a>>,
    content: Vec<Part<'a>>,
    refusal: Option<Text<'a>>,
    calls: Vec<Fragment<'a>>,
    citations: Vec<Citation<'a>>,
}

impl<'a> Chunk<'a> {
    fn read(data: &'a [u8]) -> Result<Self, Malformed> {
        let mut chunk = Self::default();
        let mut scanner = Scanner::new(data);
        let mut object_is_error = false;
        scanner.object(|scanner, key| {
            match key.bytes().as_ref() {
                b"id" => chunk.id = field::filled(scanner)?,
                b"model" => chunk.model = field::filled(scanner)?,
                b"choices" => chunk.choices(scanner)?,
                b"usage" => chunk.usage = read_usage(scanner)?.or(chunk.usage),
                b"x_groq" => field::members_or_skip(scanner, |scanner, key| {
                    if !key.is("usage") {
                        return scanner.pass();
                    }
                    chunk.usage = read_usage(scanner)?.or(chunk.usage);
                    Ok(())
                })?,
                b"search_results" => read_sources(scanner, &mut chunk.sources)?,
                b"error" => {
                    let nothing = scanner.null()?;
                    chunk.failed |= !nothing;
                    if !nothing {
                        scanner.pass()?;
                    }
                }
                b"object" | b"type" => {
                    object_is_error |= scanner.string_or_skip()?.is_some_and(|kind| kind.is("error"));
                }
                b"base_resp" => chunk.failed |= failure::read_base_resp(scanner)?.is_some(),
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        scanner.end()?;
        chunk.failed |= object_is_error;
        chunk.is_chunk |= chunk.usage.is_some();
        Ok(chunk)
    }

    /// The first choice; those after it are not asked for when Weir translates.
    fn choices(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        self.is_chunk |= scanner.peek()? == b'[';
        field::each_or_skip(scanner, |scanner| {
            let mut index = 0;
            let mut delta = ChunkDelta::default();
            let mut finish = None;
            field::members_or_skip(scanner, |scanner, key| {
                match key.bytes().as_ref() {
                    b"index" => index = scanner.whole_or_skip()?.unwrap_or(0),
                    b"delta" => field::members_or_skip(scanner, |scanner, key| delta.member(scanner, &key))?,
                    b"finish_reason" => finish = scanner.string_or_skip()?,
                    // Moonshot.
                    b"usage" => self.usage = read_usage(scanner)?.or(self.usage),
                    _ => scanner.pass()?,
                }
                Ok(())
            })?;
            if index == 0 && !self.choice {
                self.choice = true;
                self.delta = Some(delta);
                self.finish = finish;
            }
            Ok(())
        })
    }
}

impl<'a> ChunkDelta<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"content" => self.content(scanner)?,
            b"reasoning_content" => self.reasoning_content = field::filled(scanner)?,
            b"reasoning" => self.reasoning = field::filled(scanner)?,
            b"thinking_blocks" => thought::read_blocks(scanner, &mut self.thoughts)?,
            b"reasoning_details" => thought::read_details(scanner, &mut self.thoughts)?,
            b"refusal" => self.refusal = field::filled(scanner)?,
            b"annotations" => read_annotations(scanner, &mut |citation| self.citations.push(citation))?,
            b"tool_calls" => field::each_or_skip(scanner, |scanner| {
                self.calls.push(Fragment::read(scanner)?);
                Ok(())
            })?,
            b"function_call" if scanner.peek()? == b'{' => self.calls.push(Fragment::read_legacy(scanner)?),
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// A string, or Mistral's list of chunks.
    fn content(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        match scanner.peek()? {
            b'"' => {
                let text = scanner.string()?;
                if !text.is_empty() {
                    self.content.push(Content::text(text.prose()).into());
                }
                Ok(())
            }
            _ => read_content(scanner, &mut self.content),
        }
    }
}
