//! The first thing that a stream says. Not the rest of it.

use crate::chat::event::Event;
use crate::chat::failure::Failure;
use crate::codec::wire::DecodeStream;

/// The first thing that a stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum First {
    /// Nothing yet, or nothing but signs of life.
    Nothing,
    /// An answer begins.
    Answer,
    /// An error.
    Failure(Failure<'static>),
}

/// Looks at the beginning of a stream.
pub fn first(mut decoder: Box<dyn DecodeStream>, beginning: &[u8]) -> First {
    let mut first = First::Nothing;
    decoder.push(beginning, &mut |event| match (&first, event) {
        (First::Nothing, Event::Failure(failure)) => first = First::Failure(failure.into_owned()),
        (First::Nothing, Event::Ping) | (First::Answer | First::Failure(_), _) => {}
        (First::Nothing, _) => first = First::Answer,
    });
    first
}
