//! What a model says beside an answer that it was made to give as a tool's argument: words that are no part of it, and
//! the answer itself where the model called no tool after all.

use crate::chat::event::{Delta, Event, Opening};
use crate::chat::prose::Prose;
use crate::codec::json::unescape;

/// The most of it that is held, in bytes.
const MOST: usize = 1024 * 1024;

/// The text blocks of a stream, held until it is known whether they count. The others are numbered anew, for blocks are
/// counted without a gap.
#[derive(Debug, Default)]
pub struct Chatter {
    blocks: Vec<(u32, String)>,
    /// The numbers that the blocks had which went on, by the ones that they have now.
    told: Vec<u32>,
    bytes: usize,
}

impl Chatter {
    fn number(&self, block: u32) -> u32 {
        let index = self.told.iter().position(|told| *told == block).unwrap_or(self.told.len());
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Takes an event of a text block; gives back any other.
    pub fn take<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        let held = |block: u32| self.blocks.iter().position(|(held, _)| *held == block);
        match event {
            Event::Open { block, opening: Opening::Text } => {
                self.blocks.push((block, String::new()));
                None
            }
            Event::Open { block, opening } => {
                self.told.push(block);
                Some(Event::Open { block: self.number(block), opening })
            }
            Event::Delta { block, delta } => {
                let Some(index) = held(block) else { return Some(Event::Delta { block: self.number(block), delta }) };
                if let (Delta::Text(text), Some((_, words))) = (&delta, self.blocks.get_mut(index)) {
                    let before = words.len();
                    match text {
                        Prose::Plain(text) => words.push_str(text),
                        Prose::Escaped(bytes) => words.push_str(&unescape(bytes)),
                    }
                    self.bytes += words.len() - before;
                }
                None
            }
            Event::Close { block } => held(block).is_none().then(|| Event::Close { block: self.number(block) }),
            event => Some(event),
        }
    }

    /// Whether more came than is held.
    pub fn is_over(&self) -> bool {
        self.bytes > MOST
    }

    /// There is no other answer: these words are it.
    pub fn tell(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        for (block, words) in std::mem::take(&mut self.blocks) {
            self.told.push(block);
            let block = self.number(block);
            sink(Event::Open { block, opening: Opening::Text });
            sink(Event::Delta { block, delta: Delta::Text(Prose::plain(words)) });
            sink(Event::Close { block });
        }
    }
}
