//! Thoughts that open a text between `<think>` and `</think>`, as models without a reasoning parser write them. A tag
//! further in is text.

use std::borrow::Cow;

use crate::chat::prose::Prose;
use crate::codec::json::unescape;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// The most white space that is held in wait for a tag.
const MAX_BLANK: usize = 1024;

/// The thought that a whole text opens with, and what follows it; `None` when it opens with none.
pub(super) fn split<'a>(text: &Prose<'a>) -> Option<(Prose<'a>, Prose<'a>)> {
    if !may_open(text) {
        return None;
    }
    let text = plain(text);
    let rest = text.trim_start().strip_prefix(OPEN)?;
    // A thought that was cut off is all there is.
    let (thought, after) = rest.split_once(CLOSE).unwrap_or((rest, ""));
    let own = |text: &str| Prose::Plain(Cow::Owned(text.trim_start_matches('\n').to_owned()));
    Some((own(thought.trim_end_matches('\n')), own(after)))
}

fn plain<'t>(text: &'t Prose<'_>) -> Cow<'t, str> {
    match text {
        Prose::Escaped(bytes) => Cow::Owned(unescape(bytes)),
        Prose::Plain(text) => Cow::Borrowed(text),
    }
}

/// Whether the first character that is not white space may open a tag; `\u003c` is how some servers write it.
fn may_open(text: &Prose<'_>) -> bool {
    let bytes = match text {
        Prose::Escaped(bytes) => bytes.as_ref(),
        Prose::Plain(text) => text.as_bytes(),
    };
    let mut rest = bytes.trim_ascii_start();
    while let Some(after) = rest.strip_prefix(b"\\n") {
        rest = after.trim_ascii_start();
    }
    rest.starts_with(b"<") || rest.get(..6).is_some_and(|six| six.eq_ignore_ascii_case(b"\\u003c"))
}

/// Words of a thought or of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Words<'a> {
    Thought(Prose<'a>),
    Text(Prose<'a>),
}

/// Tells thoughts from text in a stream of text, at every split of it alike.
#[derive(Debug, Default)]
pub(super) struct Inline {
    place: Place,
    /// Bytes that may be the beginning of a tag.
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing but white space and the beginning of a tag came.
    #[default]
    Start,
    /// Right behind the opening tag; line ends that follow it are no thought.
    Lead,
    Thought,
    /// After a thought; line ends that follow it are no text.
    Gap,
    Text,
}

impl Inline {
    /// There are no thoughts in the text: they come elsewhere.
    pub(super) fn off(&mut self) {
        if self.place == Place::Start && self.held.is_empty() {
            self.place = Place::Text;
        }
    }

    /// Reads more of the text.
    pub(super) fn push<'a>(&mut self, text: Prose<'a>, sink: &mut dyn FnMut(Words<'a>)) {
        if self.place == Place::Text || self.place == Place::Start && self.held.is_empty() && !could_open(&text) {
            if !text.is_empty() {
                self.place = Place::Text;
                sink(Words::Text(text));
            }
            return;
        }
        self.held.push_str(&plain(&text));
        self.go_on(sink);
    }

    /// There is no more text.
    pub(super) fn finish<'a>(&mut self, sink: &mut dyn FnMut(Words<'a>)) {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return;
        }
        let held = Prose::Plain(Cow::Owned(held));
        sink(if self.place == Place::Thought { Words::Thought(held) } else { Words::Text(held) });
    }

    fn go_on<'a>(&mut self, sink: &mut dyn FnMut(Words<'a>)) {
        if self.place == Place::Start {
            let begun = self.held.trim_start();
            if let Some(rest) = begun.strip_prefix(OPEN) {
                self.held = rest.to_owned();
                self.place = Place::Lead;
            } else if OPEN.starts_with(begun) && self.held.len() < MAX_BLANK {
                return;
            } else {
                self.place = Place::Text;
            }
        }
        if self.place == Place::Lead {
            self.held = self.held.trim_start_matches('\n').to_owned();
            if !self.held.is_empty() {
                self.place = Place::Thought;
            }
        }
        if self.place == Place::Thought {
            if let Some((thought, after)) = self.held.split_once(CLOSE) {
                let thought = thought.to_owned();
                self.held = after.to_owned();
                self.place = Place::Gap;
                emit(Words::Thought, thought, sink);
            } else {
                let sure = self.held.len() - held_back(&self.held);
                let rest = self.held.split_off(sure);
                emit(Words::Thought, std::mem::replace(&mut self.held, rest), sink);
            }
        }
        if self.place == Place::Gap {
            self.held = self.held.trim_start_matches('\n').to_owned();
            if !self.held.is_empty() {
                self.place = Place::Text;
            }
        }
        if self.place == Place::Text {
            emit(Words::Text, std::mem::take(&mut self.held), sink);
        }
    }
}

fn emit<'a>(words: fn(Prose<'a>) -> Words<'a>, text: String, sink: &mut dyn FnMut(Words<'a>)) {
    if !text.is_empty() {
        sink(words(Prose::Plain(Cow::Owned(text))));
    }
}

/// Whether a text is blank or may open with a tag.
fn could_open(text: &Prose<'_>) -> bool {
    !text.is_empty() && (text.is_blank() || may_open(text))
}

/// How many bytes at the end may be the beginning of the closing tag.
fn held_back(text: &str) -> usize {
    (1..CLOSE.len()).rev().find(|length| CLOSE.get(..*length).is_some_and(|start| text.ends_with(start))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::{Inline, Words, split};
    use crate::chat::prose::Prose;

    fn stream(pieces: &[&str]) -> (String, String) {
        let (mut thought, mut text) = (String::new(), String::new());
        let mut inline = Inline::default();
        let mut sink = |words: Words<'_>| {
            let (to, words) = match words {
                Words::Thought(words) => (&mut thought, words),
                Words::Text(words) => (&mut text, words),
            };
            to.push_str(&super::plain(&words));
        };
        for piece in pieces {
            inline.push(Prose::plain((*piece).to_owned()), &mut sink);
        }
        inline.finish(&mut sink);
        (thought, text)
    }

    #[test]
    fn a_thought_at_the_start_is_told_from_text_at_every_split() {
        for (whole, thought, text) in [
            ("<think>a < b</think>\n\nyes", "a < b", "yes"),
            ("\n<think>\nhm</think>no", "hm", "no"),
            ("<think>cut </thi", "cut </thi", ""),
            ("<think></think>x", "", "x"),
            ("plain <think>a</think>", "", "plain <think>a</think>"),
            ("<thin ice", "", "<thin ice"),
            ("  ", "", "  "),
        ] {
            let expected = (thought.to_owned(), text.to_owned());
            assert_eq!(stream(&[whole]), expected, "{whole:?}");
            for at in 0..=whole.len() {
                assert_eq!(stream(&[&whole[..at], &whole[at..]]), expected, "{whole:?} split at {at}");
            }
            let bytes: Vec<&str> = (0..whole.len()).map(|at| &whole[at..=at]).collect();
            assert_eq!(stream(&bytes), expected, "{whole:?} by bytes");
        }
    }

    #[test]
    fn white_space_is_not_held_for_ever() {
        let mut inline = Inline::default();
        let mut said = 0;
        for _ in 0..100 {
            inline.push(Prose::plain(" ".repeat(100)), &mut |words| {
                assert!(matches!(words, Words::Text(_)));
                said += 1;
            });
        }
        assert!(said > 80 && inline.held.is_empty());
    }

    #[test]
    fn a_whole_text_is_split_once() {
        let (thought, text) = split(&Prose::plain("<think>\na\n</think>\nb</think>")).unwrap();
        assert_eq!((thought, text), (Prose::plain("a"), Prose::plain("b</think>")));
        let escaped = Prose::Escaped(br"\n\u003cthink\u003ea\u003c/think\u003eb".as_slice().into());
        assert_eq!(split(&escaped).unwrap(), (Prose::plain("a"), Prose::plain("b")));
        assert!(split(&Prose::plain("b <think>a</think>")).is_none());
    }
}
