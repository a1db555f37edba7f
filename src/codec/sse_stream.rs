//! A decoder of server-sent events for formats whose streams are made of them. It does not know what the data means.

use crate::chat::event::Event;
use crate::codec::sse::{Events, Piece, data_bytes, name};
use crate::codec::wire::DecodeStream;

/// Reads one event of a format's streams.
pub trait DecodeEvent {
    /// An event with data. `name` is its `event:` line's.
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], sink: &mut dyn FnMut(Event<'_>));

    /// There is no more.
    fn end(&mut self, _sink: &mut dyn FnMut(Event<'_>)) {}
}

/// A stream of server-sent events on its way into `D`. Events over `sse::MAX_EVENT` are not read.
#[derive(Debug, Default)]
pub struct SseStream<D> {
    events: Events,
    decoder: D,
}

impl<D: DecodeEvent> SseStream<D> {
    /// A stream's start.
    pub fn new(decoder: D) -> Self {
        Self { events: Events::new(), decoder }
    }
}

fn read<D: DecodeEvent>(decoder: &mut D, piece: &Piece<'_>, sink: &mut dyn FnMut(Event<'_>)) {
    let Piece::Event(event) = piece else { return };
    match data_bytes(event) {
        Some(data) => decoder.event(name(event), &data, sink),
        // Comments alone keep a connection alive; empty lines say nothing.
        None if event.contains(&b':') => sink(Event::Ping),
        None => {}
    }
}

impl<D: DecodeEvent> DecodeStream for SseStream<D> {
    fn push(&mut self, chunk: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { events, decoder } = self;
        events.push(chunk, |piece| read(decoder, &piece, sink));
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { events, decoder } = self;
        events.finish(|piece| read(decoder, &piece, sink));
        decoder.end(sink);
    }
}
