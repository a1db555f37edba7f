//! A streamed answer as it is read, in both forms: server-sent events, and one JSON array written piece by piece. There
//! is no last word in either: the piece that names a finish reason is it, and usage may follow.

use std::borrow::Cow;

use crate::chat::answer::Finish;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::CallKind;
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::codec::gemini::answer_in::{Ids, Response, read};
use crate::codec::gemini::elements::Elements;
use crate::codec::gemini::finish;
use crate::codec::gemini::part_in::{Thing, WirePart, json_text};
use crate::codec::gemini::seal;
use crate::codec::gemini::track::Track;
use crate::codec::json::Scanner;
use crate::codec::sse_stream::{DecodeEvent, SseStream};
use crate::codec::wire::DecodeStream;

/// A stream whose form shows with its first byte.
#[derive(Debug, Default)]
pub struct Stream {
    form: Form,
}

#[derive(Debug, Default)]
enum Form {
    #[default]
    Unknown,
    Events(SseStream<Reader>),
    Array(Elements, Reader),
}

impl DecodeStream for Stream {
    fn push(&mut self, chunk: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let mut chunk = chunk;
        if matches!(self.form, Form::Unknown) {
            chunk = chunk.trim_ascii_start();
            match chunk.first() {
                None => return,
                // A bare error is an array without its brackets.
                Some(b'[' | b'{') => self.form = Form::Array(Elements::default(), Reader::default()),
                Some(_) => self.form = Form::Events(SseStream::new(Reader::default())),
            }
        }
        match &mut self.form {
            Form::Unknown => {}
            Form::Events(events) => events.push(chunk, sink),
            Form::Array(elements, reader) => elements.push(chunk, |element| reader.event(None, element, sink)),
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        match &mut self.form {
            Form::Unknown => {}
            Form::Events(events) => events.finish(sink),
            Form::Array(_, reader) => reader.end(sink),
        }
    }
}

/// What is known of a stream so far.
#[derive(Debug, Default)]
struct Reader {
    started: bool,
    ids: Ids,
    /// The open block.
    open: Option<Kind>,
    /// The number of the next block.
    next: u32,
    /// The text so far, for the places of citations.
    text: Track,
    usage: Option<Usage>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Finished,
    Closed,
}

impl DecodeEvent for Reader {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let mut scanner = Scanner::new(data);
        // Errors may come in an array.
        let read = match scanner.peek() {
            Ok(b'[') => {
                let mut first = None;
                let walk = scanner.array(|scanner| {
                    let response = read(scanner)?;
                    first.get_or_insert(response);
                    Ok(())
                });
                walk.ok().and(first)
            }
            _ => read(&mut scanner).ok(),
        };
        if let Some(response) = read.filter(|response| response.known) {
            self.response(response, sink);
        }
    }

    fn end(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        if self.end == End::Finished {
            sink(Event::Done);
        }
        self.end = End::Closed;
    }
}

impl Reader {
    fn response(&mut self, response: Response<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.end == End::Closed {
            return;
        }
        if let Some(failure) = response.failure {
            self.end = End::Closed;
            return sink(Event::Failure(failure));
        }
        if !self.started {
            self.started = true;
            self.ids = Ids::of(response.id.as_deref());
            sink(Event::Start { id: response.id, model: response.model });
        }
        let open = self.end == End::Open;
        if open {
            response.parts.into_iter().for_each(|part| self.part(part, sink));
            if self.open == Some(Kind::Text) {
                for support in response.supports {
                    let delta = Delta::Citation(support.citation(&self.text));
                    sink(Event::Delta { block: self.block(), delta });
                }
            }
        }
        if let Some(usage) = response.usage.filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            sink(Event::Usage(usage));
        }
        if !open {
            return;
        }
        let finish = match response.finish {
            Some(reason) => finish::decode(&reason, self.ids.any()),
            None if response.blocked && !response.candidate => Finish::Filtered,
            None => return,
        };
        self.close(sink);
        self.end = End::Finished;
        sink(Event::Finish(finish));
    }

    fn part(&mut self, part: WirePart<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let WirePart { thing, thought, signature, .. } = part;
        match thing {
            Some(Thing::Text(text)) if thought => {
                self.words(Kind::Thought, text.prose(), sink);
                if let Some(signature) = signature {
                    self.seal(signature, sink);
                }
            }
            Some(Thing::Text(text)) => {
                let text = text.prose();
                self.text.push(&text);
                self.words(Kind::Text, text, sink);
                if let Some(signature) = signature {
                    self.close(sink);
                    self.seal(signature, sink);
                }
            }
            Some(Thing::Call { id, name, arguments }) if !name.is_empty() => {
                self.close(sink);
                let id = self.ids.next(id);
                let opening = Opening::Call { id, name, kind: CallKind::Function, signature };
                let block = self.next;
                self.next += 1;
                sink(Event::Open { block, opening });
                if let Some(arguments) = arguments {
                    sink(Event::Delta { block, delta: Delta::Text(json_text(arguments)) });
                }
                sink(Event::Close { block });
            }
            // A stream's blocks are words and calls.
            Some(Thing::Media(_) | Thing::Other(_) | Thing::Call { .. } | Thing::Response { .. }) | None => {
                if let Some(signature) = signature {
                    self.close(sink);
                    self.seal(signature, sink);
                }
            }
        }
    }

    fn words(&mut self, kind: Kind, text: Prose<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if !text.is_empty() {
            let block = self.enter(kind, sink);
            sink(Event::Delta { block, delta: Delta::Text(text) });
        }
    }

    /// The seal of the open thought, or of one without words. It is a thought's last word.
    fn seal(&mut self, signature: Cow<'_, str>, sink: &mut dyn FnMut(Event<'_>)) {
        let block = self.enter(Kind::Thought, sink);
        sink(Event::Delta { block, delta: Delta::Seal(seal::read(signature)) });
        self.close(sink);
    }

    /// The open block of that kind.
    fn enter(&mut self, kind: Kind, sink: &mut dyn FnMut(Event<'_>)) -> u32 {
        if self.open != Some(kind) {
            self.close(sink);
            self.open = Some(kind);
            let opening = match kind {
                Kind::Text => Opening::Text,
                Kind::Thought => Opening::Thought,
            };
            sink(Event::Open { block: self.next, opening });
            self.next += 1;
        }
        self.block()
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        if self.open.take().is_some() {
            sink(Event::Close { block: self.block() });
        }
    }

    /// The number of the latest block.
    fn block(&self) -> u32 {
        self.next.saturating_sub(1)
    }
}
