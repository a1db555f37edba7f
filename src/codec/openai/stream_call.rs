//! Tool calls of streamed chat completions, whose fragments may interleave. Not the rest of a stream.

use std::borrow::Cow;

use crate::chat::event::{Delta, Event, Opening};
use crate::chat::part::CallKind;
use crate::chat::prose::Prose;
use crate::codec::json::{Malformed, Scanner, unescape};
use crate::codec::openai::{field, message};

/// The most bytes of arguments that are kept for a call that has no name yet.
const MAX_NAMELESS: usize = 64 * 1024;

/// The longest id of a call; a longer one counts as none.
const MAX_ID: usize = 4096;

/// The most calls of a stream.
const MAX_CALLS: usize = 1024;

/// A fragment of a call.
#[derive(Debug)]
pub(super) struct Fragment<'a> {
    index: Option<u64>,
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    arguments: Prose<'a>,
    kind: CallKind,
    signature: Option<Cow<'a, str>>,
}

impl<'a> Fragment<'a> {
    fn blank() -> Self {
        let (id, name) = (Cow::Borrowed(""), Cow::Borrowed(""));
        Self { index: None, id, name, arguments: Prose::EMPTY, kind: CallKind::Function, signature: None }
    }

    /// An element of `tool_calls`.
    pub(super) fn read(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut fragment = Self::blank();
        field::members_or_skip(scanner, |scanner, key| {
            match key.bytes().as_ref() {
                b"index" => fragment.index = scanner.whole_or_skip()?,
                b"id" => {
                    let id = field::filled(scanner)?.map(|id| id.text());
                    fragment.id = id.filter(|id| id.len() <= MAX_ID).unwrap_or_default();
                }
                b"type" => {
                    if scanner.string_or_skip()?.is_some_and(|kind| kind.is("custom")) {
                        fragment.kind = CallKind::Custom;
                    }
                }
                b"function" | b"custom" => fragment.function(scanner)?,
                b"extra_content" => fragment.signature = message::read_signature(scanner)?,
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        Ok(fragment)
    }

    /// The older `function_call`.
    pub(super) fn read_legacy(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut fragment = Self { index: Some(0), ..Self::blank() };
        fragment.function(scanner)?;
        Ok(fragment)
    }

    fn function(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        field::members_or_skip(scanner, |scanner, key| {
            match key.bytes().as_ref() {
                b"name" => self.name = field::filled(scanner)?.map(|name| name.text()).unwrap_or_default(),
                b"arguments" | b"input" => self.arguments = message::read_arguments(scanner)?,
                _ => scanner.pass()?,
            }
            Ok(())
        })
    }
}

/// The calls of a stream.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Open>,
}

/// A call that is not closed.
#[derive(Debug)]
struct Open {
    index: u64,
    id: String,
    kind: CallKind,
    /// `None` until the call has a name.
    block: Option<u32>,
    /// Arguments that came before the name.
    early: String,
    object: ObjectEnd,
}

impl Calls {
    /// Reads a fragment. A call opens with its name; one whose arguments are complete closes when another opens, so that
    /// wires with one open block at a time need not wait.
    pub(super) fn push(
        &mut self,
        fragment: Fragment<'_>,
        answer_id: &str,
        number: &mut dyn FnMut() -> Option<u32>,
        sink: &mut dyn FnMut(Event<'_>),
    ) {
        let Some(at) = self.find(&fragment) else {
            if self.calls.len() < MAX_CALLS {
                self.close_complete(sink);
                let index = fragment.index.unwrap_or_else(|| self.next_index());
                let (id, kind) = (fragment.id.clone().into_owned(), fragment.kind);
                self.calls.push(Open {
                    index,
                    id,
                    kind,
                    block: None,
                    early: String::new(),
                    object: ObjectEnd::default(),
                });
                let last = self.calls.len() - 1;
                self.go_on(last, fragment, answer_id, number, sink);
            }
            return;
        };
        self.go_on(at, fragment, answer_id, number, sink);
    }

    /// The call that a fragment belongs to. Vendors that leave the index out, or always say 0, tell calls by their ids.
    fn find(&self, fragment: &Fragment<'_>) -> Option<usize> {
        let differs = |call: &Open| !fragment.id.is_empty() && !call.id.is_empty() && fragment.id != call.id;
        let other = |call: &Open| !fragment.name.is_empty() && (differs(call) || call.object.closed);
        let last = match fragment.index {
            Some(index) => self.calls.iter().rposition(|call| call.index == index),
            None if fragment.id.is_empty() && fragment.name.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|call| call.id == fragment.id && !call.id.is_empty()),
        };
        last.filter(|at| self.calls.get(*at).is_some_and(|call| !other(call)))
    }

    fn next_index(&self) -> u64 {
        self.calls.iter().map(|call| call.index + 1).max().unwrap_or(0)
    }

    fn go_on(
        &mut self,
        at: usize,
        fragment: Fragment<'_>,
        answer_id: &str,
        number: &mut dyn FnMut() -> Option<u32>,
        sink: &mut dyn FnMut(Event<'_>),
    ) {
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.id.is_empty() {
            call.id = fragment.id.into_owned();
        }
        if call.object.closed {
            return;
        }
        let Some(block) = call.block else {
            if fragment.name.is_empty() {
                if call.early.len() < MAX_NAMELESS {
                    call.early.push_str(&plain(&fragment.arguments));
                }
                return;
            }
            let Some(block) = number() else { return };
            call.block = Some(block);
            let id = if call.id.is_empty() { invented(answer_id, at) } else { call.id.clone() };
            let (name, kind) = (fragment.name, call.kind);
            let opening = Opening::Call { id: Cow::Owned(id), name, kind, signature: fragment.signature };
            sink(Event::Open { block, opening });
            let early = std::mem::take(&mut call.early);
            call.write(block, Prose::Plain(Cow::Owned(early)), sink);
            call.write(block, fragment.arguments, sink);
            return;
        };
        call.write(block, fragment.arguments, sink);
    }

    fn close_complete(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        for call in &mut self.calls {
            if call.object.complete {
                call.close(sink);
            }
        }
    }

    /// There is no more of any call.
    pub(super) fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        for call in &mut self.calls {
            call.close(sink);
        }
    }
}

impl Open {
    fn write(&mut self, block: u32, arguments: Prose<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if arguments.is_empty() {
            return;
        }
        if self.kind == CallKind::Function {
            self.object.push(&plain(&arguments));
        }
        sink(Event::Delta { block, delta: Delta::Text(arguments) });
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        if let (Some(block), false) = (self.block, self.object.closed) {
            self.object.closed = true;
            sink(Event::Close { block });
        }
    }
}

/// An id for a call of a vendor that gives none: the same for the same answer, another for another.
fn invented(answer_id: &str, at: usize) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = answer_id.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("call_{hash:016x}_{at}")
}

fn plain<'t>(text: &'t Prose<'_>) -> Cow<'t, str> {
    match text {
        Prose::Escaped(bytes) => Cow::Owned(unescape(bytes)),
        Prose::Plain(text) => Cow::Borrowed(text),
    }
}

/// Watches for the end of a JSON object that comes in pieces.
#[derive(Debug, Default)]
struct ObjectEnd {
    depth: u32,
    in_string: bool,
    escaped: bool,
    complete: bool,
    closed: bool,
}

impl ObjectEnd {
    fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.in_string = false,
                (true, _) => {}
                (false, b'"') => self.in_string = true,
                (false, b'{' | b'[') => self.depth = self.depth.saturating_add(1),
                (false, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete |= self.depth == 0;
                }
                (false, _) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ObjectEnd;

    #[test]
    fn the_end_of_an_object_is_seen_in_pieces() {
        for (pieces, complete) in [
            (&["{\"a\":", "\"}\\\"}\"", "}"][..], true),
            (&["{\"a\":{", "}"][..], false),
            (&["{", "}"][..], true),
            (&["", " "][..], false),
        ] {
            let mut end = ObjectEnd::default();
            pieces.iter().for_each(|piece| end.push(piece));
            assert_eq!(end.complete, complete, "{pieces:?}");
        }
    }
}
