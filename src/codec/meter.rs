//! What an answer says of itself as it passes: usage, how much text, how it ended. Keeps no text.

use crate::chat::answer::Answer;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::head::TextCount;
use crate::chat::part::{Content, Part};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::codec::json::count;

/// The sum of what passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// The last usage that was reported.
    pub usage: Option<Usage>,
    /// Text that the model wrote: words, thoughts, refusals, names and arguments of calls.
    pub text: TextCount,
    /// Some of the answer came.
    pub started: bool,
    /// The answer gave the reason of its end.
    pub finished: bool,
    /// The stream's last word came.
    pub done: bool,
    /// An error came instead of the rest.
    pub failed: bool,
}

impl Meter {
    /// Takes in one event of a stream.
    pub fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Open { opening, .. } => {
                if let Opening::Call { name, .. } = opening {
                    self.add(count(name.as_bytes()));
                    self.started = true;
                }
            }
            Event::Delta { delta: Delta::Text(text), .. } => self.add(count_of(text)),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(_) => self.finished = true,
            Event::Failure(_) => self.failed = true,
            Event::Done => self.done = true,
            Event::Delta { .. } | Event::Start { .. } | Event::Close { .. } | Event::Ping => {}
        }
    }

    /// What a whole answer says.
    pub fn of(answer: &Answer<'_>) -> Self {
        let mut meter = Self { usage: answer.usage, started: true, finished: true, done: true, ..Self::default() };
        answer.parts.iter().for_each(|part| meter.part(part));
        meter
    }

    fn part(&mut self, part: &Part<'_>) {
        match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => self.add(count_of(text)),
            Content::Thought(thought) => self.add(count_of(&thought.text)),
            Content::Call(call) => {
                self.add(count(call.name.as_bytes()));
                self.add(count_of(&call.arguments));
            }
            Content::Media(_) | Content::Result(_) | Content::Foreign { .. } => {}
        }
    }

    fn add(&mut self, more: TextCount) {
        self.started |= more != TextCount::default();
        self.text = self.text.plus(more);
    }
}

/// The bytes of a prose by kind; escapes count as they are written.
pub fn count_of(text: &Prose<'_>) -> TextCount {
    match text {
        Prose::Escaped(bytes) => count(bytes),
        Prose::Plain(text) => count(text.as_bytes()),
    }
}
