//! An answer put back into the words of the request it answers: names of tools, custom tools, an answer that came as the
//! argument of a forced tool, signatures that the client cannot hold.

use std::borrow::Cow;

use crate::chat::answer::{Answer, Finish};
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::part::{Call, CallKind, Content, Part};
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::adapt::chatter::Chatter;
use crate::codec::adapt::{custom, seal};
use crate::codec::json::unescape;

/// The most text of a custom tool's call that is held until it can be unwrapped, in bytes.
const MOST_HELD: usize = 1024 * 1024;

/// What was changed on the way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// Names of tools: as the provider knows them, and as the client does.
    pub names: Vec<(String, String)>,
    /// Custom tools that went as functions, by the provider's names.
    pub custom: Vec<String>,
    /// The tool whose argument is the answer.
    pub schema_tool: Option<String>,
}

impl Undo {
    fn own_name<'a>(&self, name: Cow<'a, str>) -> Cow<'a, str> {
        match self.names.iter().find(|(fit, _)| **fit == *name) {
            Some((_, own)) => Cow::Owned(own.clone()),
            None => name,
        }
    }

    fn is_custom(&self, name: &str) -> bool {
        self.custom.iter().any(|custom| custom == name)
    }

    fn is_answer(&self, name: &str) -> bool {
        self.schema_tool.as_deref() == Some(name)
    }

    /// Puts a whole answer back. `client` is the wire it goes to.
    pub fn answer(&self, answer: &mut Answer<'_>, client: Wire) {
        let mut unwrapped = false;
        let answers = |part: &Part<'_>| matches!(&part.content, Content::Call(call) if self.is_answer(&call.name));
        if answer.parts.iter().any(answers) {
            // Words around it are no part of it.
            answer.parts.retain(|part| !matches!(part.content, Content::Text { .. }));
        }
        for part in &mut answer.parts {
            let Content::Call(call) = &mut part.content else { continue };
            if self.is_answer(&call.name) {
                unwrapped = true;
                let text = std::mem::replace(&mut call.arguments, Prose::EMPTY);
                *part = Part::from(Content::text(text));
                continue;
            }
            self.call(call, client);
        }
        let calls = answer.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
        if unwrapped && !calls && answer.finish == Finish::ToolCalls {
            answer.finish = Finish::Stop;
        }
    }

    fn call(&self, call: &mut Call<'_>, client: Wire) {
        if let (Some(signature), true) = (&call.signature, client != Wire::Gemini) {
            call.id = Cow::Owned(seal::join(&call.id, signature));
        }
        if self.is_custom(&call.name) {
            call.kind = CallKind::Custom;
            call.arguments = custom::input(&call.arguments);
        }
        if call.kind == CallKind::Custom && !custom::is_known_to(client) {
            call.kind = CallKind::Function;
            call.arguments = custom::arguments(&call.arguments);
        }
        let name = std::mem::take(&mut call.name);
        call.name = self.own_name(name);
    }
}

/// Puts the events of a stream back.
#[derive(Debug)]
pub struct UndoStream {
    undo: Undo,
    client: Wire,
    /// The block of the answer that comes as a tool's argument.
    answer: Option<u32>,
    /// What is said beside it.
    chatter: Chatter,
    /// Whether a call was seen that is none of ours.
    calls: bool,
    /// Custom calls whose arguments are held.
    held: Vec<(u32, String)>,
    /// Custom calls that go to the client as functions.
    wrapped: Vec<u32>,
    /// Too much came to be held.
    failed: bool,
}

impl UndoStream {
    /// A stream's start. `client` is the wire it goes to.
    pub fn new(undo: Undo, client: Wire) -> Self {
        Self {
            undo,
            client,
            answer: None,
            chatter: Chatter::default(),
            calls: false,
            held: Vec::new(),
            wrapped: Vec::new(),
            failed: false,
        }
    }

    /// Puts one event back.
    pub fn event(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.failed {
            return;
        }
        let Some(event) = self.beside(event, sink) else { return };
        match event {
            Event::Open { block, opening: Opening::Call { id, name, kind, signature } } => {
                if self.undo.is_answer(&name) {
                    self.answer = Some(block);
                    return sink(Event::Open { block, opening: Opening::Text });
                }
                self.calls = true;
                let mut kind = kind;
                let is_wrapped = kind == CallKind::Custom && !custom::is_known_to(self.client);
                if is_wrapped {
                    kind = CallKind::Function;
                    self.wrapped.push(block);
                } else if self.undo.is_custom(&name) {
                    kind = CallKind::Custom;
                    self.held.push((block, String::new()));
                }
                let id = match &signature {
                    Some(signature) if self.client != Wire::Gemini => Cow::Owned(seal::join(&id, signature)),
                    _ => id,
                };
                let name = self.undo.own_name(name);
                sink(Event::Open { block, opening: Opening::Call { id, name, kind, signature } });
                if is_wrapped {
                    sink(Event::Delta { block, delta: Delta::Text(Prose::plain(custom::HEAD)) });
                }
            }
            Event::Delta { block, delta: Delta::Text(text) } => self.text(block, text, sink),
            Event::Close { block } => {
                if let Some(index) = self.wrapped.iter().position(|wrapped| *wrapped == block) {
                    self.wrapped.swap_remove(index);
                    sink(Event::Delta { block, delta: Delta::Text(Prose::plain(custom::TAIL)) });
                }
                if let Some(index) = self.held.iter().position(|(held, _)| *held == block) {
                    let (_, arguments) = self.held.swap_remove(index);
                    sink(Event::Delta { block, delta: Delta::Text(custom::input(&Prose::plain(arguments))) });
                }
                sink(Event::Close { block });
            }
            Event::Finish(Finish::ToolCalls) if self.answer.is_some() && !self.calls => {
                sink(Event::Finish(Finish::Stop));
            }
            event => sink(event),
        }
    }

    /// Holds what is said beside an answer that is to come as a tool's argument; gives back what is none of it.
    fn beside<'a>(&mut self, event: Event<'a>, sink: &mut dyn FnMut(Event<'_>)) -> Option<Event<'a>> {
        if self.undo.schema_tool.is_none() {
            return Some(event);
        }
        let event = self.chatter.take(event);
        if self.chatter.is_over() {
            self.fail("what was said beside the answer is over 1 MiB", sink);
            return None;
        }
        let ends = matches!(event, Some(Event::Finish(_) | Event::Failure(_) | Event::Done));
        if ends && self.answer.is_none() {
            self.chatter.tell(sink);
        }
        event
    }

    fn fail(&mut self, message: &'static str, sink: &mut dyn FnMut(Event<'_>)) {
        self.failed = true;
        sink(Event::Failure(Failure {
            kind: FailureKind::Server,
            status: 502,
            message: Cow::Borrowed(message),
            code: Some(Cow::Borrowed("upstream_error")),
            param: None,
        }));
    }

    fn text(&mut self, block: u32, text: Prose<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.wrapped.contains(&block) {
            return sink(Event::Delta { block, delta: Delta::Text(custom::inside(&text)) });
        }
        let Some((_, held)) = self.held.iter_mut().find(|(held, _)| *held == block) else {
            return sink(Event::Delta { block, delta: Delta::Text(text) });
        };
        match &text {
            Prose::Plain(text) => held.push_str(text),
            Prose::Escaped(bytes) => held.push_str(&unescape(bytes)),
        }
        if self.held.iter().map(|(_, text)| text.len()).sum::<usize>() > MOST_HELD {
            self.fail("the call of a custom tool is over 1 MiB", sink);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use std::borrow::Cow;

    use super::{Undo, UndoStream};
    use crate::chat::answer::Finish;
    use crate::chat::event::{Delta, Event, Opening};
    use crate::chat::part::CallKind;
    use crate::chat::prose::Prose;
    use crate::chat::wire::Wire;

    fn events(calls: bool) -> Vec<Event<'static>> {
        let text = |block, text: &'static str| Event::Delta { block, delta: Delta::Text(Prose::plain(text)) };
        let mut all = vec![Event::Open { block: 0, opening: Opening::Text }, text(0, "I will "), text(0, "use it.")];
        if calls {
            let (id, name) = (Cow::Borrowed("c"), Cow::Borrowed("answer"));
            let opening = Opening::Call { id, name, kind: CallKind::Function, signature: None };
            all.extend([Event::Open { block: 1, opening }, text(1, "{}"), Event::Close { block: 1 }]);
        }
        all.extend([Event::Close { block: 0 }, Event::Finish(if calls { Finish::ToolCalls } else { Finish::Stop })]);
        all.push(Event::Done);
        all
    }

    fn said(calls: bool) -> (String, bool) {
        let undo = Undo { schema_tool: Some("answer".to_owned()), ..Undo::default() };
        let mut stream = UndoStream::new(undo, Wire::Chat);
        let (mut words, mut stops) = (String::new(), false);
        for event in events(calls) {
            stream.event(event, &mut |event| match event {
                Event::Open { block, .. } => assert_eq!(block, 0, "blocks are counted without a gap"),
                Event::Delta { delta: Delta::Text(Prose::Plain(text)), .. } => words.push_str(&text),
                Event::Finish(finish) => stops = finish == Finish::Stop,
                _ => {}
            });
        }
        (words, stops)
    }

    #[test]
    fn words_beside_an_answer_are_no_part_of_it() {
        assert_eq!(said(true), ("{}".to_owned(), true));
        assert_eq!(said(false), ("I will use it.".to_owned(), true));
    }
}
