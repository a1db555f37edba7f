//! A streamed answer in the form between the wire formats.
//!
//! What every decoder keeps to and every encoder may rely on: `Start` comes first and once. Blocks are numbered from 0 in
//! the order in which they open; a delta belongs to an open block; several blocks may be open at once. `Finish` comes once,
//! after every block was closed. `Usage` may come anywhere and repeatedly: the last is the whole. `Done` is the wire's own
//! last word, and says that nothing was cut off. After `Done` or `Failure` comes nothing.

use std::borrow::Cow;

use crate::chat::answer::Finish;
use crate::chat::failure::Failure;
use crate::chat::part::{CallKind, Citation, Seal};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;

/// One thing that a stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins.
    Start {
        /// The vendor's id.
        id: Option<Cow<'a, str>>,
        /// The model, as the vendor names it.
        model: Option<Cow<'a, str>>,
    },
    /// A block begins.
    Open {
        /// Its number.
        block: u32,
        /// What it is.
        opening: Opening<'a>,
    },
    /// More of a block.
    Delta {
        /// Its number.
        block: u32,
        /// What comes.
        delta: Delta<'a>,
    },
    /// A block is complete.
    Close {
        /// Its number.
        block: u32,
    },
    /// Why the answer ended.
    Finish(Finish<'a>),
    /// What it took so far, or in all.
    Usage(Usage),
    /// An error instead of the rest.
    Failure(Failure<'a>),
    /// A sign of life: a ping or a comment.
    Ping,
    /// The wire's last word.
    Done,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub enum Opening<'a> {
    /// Text.
    Text,
    /// A thought.
    Thought,
    /// A refusal.
    Refusal,
    /// A call of a tool.
    Call {
        /// Pairs the call with its result; empty where the wire has none.
        id: Cow<'a, str>,
        /// The tool.
        name: Cow<'a, str>,
        /// What sort of tool.
        kind: CallKind,
        /// Gemini's `thoughtSignature` on the call.
        signature: Option<Cow<'a, str>>,
    },
}

/// More of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta<'a> {
    /// Words of a text, a thought or a refusal; a fragment of a call's arguments.
    Text(Prose<'a>),
    /// The seal of a thought. Comes once.
    Seal(Seal<'a>),
    /// A citation of a text.
    Citation(Citation<'a>),
}
