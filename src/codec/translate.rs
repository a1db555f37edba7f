//! From one wire format to another: the decoder of one, what stands between, the encoder of the other. It knows no format.

use std::borrow::Cow;

use crate::chat::answer::Answer;
use crate::chat::event::{Delta, Event, Opening};
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::feature::{Feature, Features};
use crate::chat::part::Content;
use crate::chat::request::Request;
use crate::chat::wire::Wire;
use crate::codec::adapt::fit::{fit, size_hint};
use crate::codec::adapt::undo::{Undo, UndoStream};
use crate::codec::json::Malformed;
use crate::codec::meter::Meter;
use crate::codec::registry;
use crate::codec::wire::{BadAnswer, ClientWire, DecodeStream, EncodeStream, Frame, Impossible, ProviderWire, Shape};
use crate::codec::writer::Writer;

/// A request as a provider is to get it.
#[derive(Debug)]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// What was lost.
    pub lost: Features,
    /// How the answer is put back.
    pub undo: Undo,
}

/// Writes a request for a target.
///
/// # Errors
/// What cannot be left out without asking for something else.
pub fn encode(request: &Request<'_>, wire: Wire, shape: &Shape<'_>) -> Result<Encoded, Impossible> {
    let mut writer = Writer::with_capacity(size_hint(request));
    let (lost, undo) = write(request, wire, shape, &mut writer)?;
    Ok(Encoded { body: writer.into_bytes(), lost, undo })
}

/// What a request would lose at a target.
///
/// # Errors
/// What cannot be left out without asking for something else.
pub fn losses(request: &Request<'_>, wire: Wire, shape: &Shape<'_>) -> Result<Features, Impossible> {
    write(request, wire, shape, &mut Writer::discarding()).map(|(lost, _)| lost)
}

fn write(
    request: &Request<'_>,
    wire: Wire,
    shape: &Shape<'_>,
    writer: &mut Writer,
) -> Result<(Features, Undo), Impossible> {
    if request.max_output == Some(0) && wire != Wire::Messages {
        let rule = "an output limit of 0 tokens asks for a warm cache alone, which is Anthropic's";
        return Err(Impossible { feature: Feature::CacheMark, rule });
    }
    // An answer between the formats is one answer: the client would pay for several and see the first.
    if request.sampling.choices.is_some_and(|choices| choices > 1) {
        let rule = "several answers to one request cannot be translated; ask for one, or for a model of your own API";
        return Err(Impossible { feature: Feature::Choices, rule });
    }
    let provider = registry::provider(wire);
    let fitted = fit(request, wire, provider.grammar(), shape);
    let mut lost = provider.encode_request(&fitted.request, shape, writer)?;
    fitted.lost.iter().for_each(|feature| lost.insert(feature));
    Ok((lost, fitted.undo))
}

/// A whole answer as the client is to get it.
#[derive(Debug)]
pub struct Translated {
    /// The body.
    pub body: Vec<u8>,
    /// What it said of itself.
    pub meter: Meter,
}

/// Translates a whole answer of status 200.
///
/// # Errors
/// The provider's error in place of an answer, or an answer that is none of its format's.
pub fn answer(
    provider: &dyn ProviderWire,
    client: (&dyn ClientWire, Wire),
    undo: &Undo,
    body: &[u8],
    frame: &Frame,
) -> Result<Translated, Failure<'static>> {
    let (answer, meter) = read_answer(provider, client.1, undo, body)?;
    Ok(Translated { body: client.0.encode_answer(&answer, frame), meter })
}

/// Translates a whole answer of status 200 into the stream that a client asked for.
///
/// # Errors
/// As `answer`.
pub fn answer_as_stream(
    provider: &dyn ProviderWire,
    client: (&dyn ClientWire, Wire),
    undo: &Undo,
    body: &[u8],
    frame: &Frame,
) -> Result<Translated, Failure<'static>> {
    let (answer, meter) = read_answer(provider, client.1, undo, body)?;
    let mut encoder = client.0.encode_stream(frame);
    let mut out = Vec::with_capacity(body.len());
    replay(&answer, &mut |event| encoder.event(&event, &mut out));
    Ok(Translated { body: out, meter })
}

fn read_answer<'b>(
    provider: &dyn ProviderWire,
    client: Wire,
    undo: &Undo,
    body: &'b [u8],
) -> Result<(Answer<'b>, Meter), Failure<'static>> {
    let mut answer = provider.decode_answer(body).map_err(|bad| match bad {
        BadAnswer::Failure(failure) => failure.into_owned(),
        BadAnswer::Malformed(malformed) => unreadable(Some(malformed)),
    })?;
    let meter = Meter::of(&answer);
    undo.answer(&mut answer, client);
    Ok((answer, meter))
}

/// The events of a stream that says what a whole answer does.
pub fn replay(answer: &Answer<'_>, sink: &mut dyn FnMut(Event<'_>)) {
    sink(Event::Start { id: answer.id.clone(), model: answer.model.clone() });
    let mut block = 0;
    for part in &answer.parts {
        let (opening, deltas) = match &part.content {
            Content::Text { text, citations } => {
                let mut deltas = vec![Delta::Text(text.borrowed())];
                deltas.extend(citations.iter().cloned().map(Delta::Citation));
                (Opening::Text, deltas)
            }
            Content::Refusal(text) => (Opening::Refusal, vec![Delta::Text(text.borrowed())]),
            Content::Thought(thought) => {
                let mut deltas = vec![Delta::Text(thought.text.borrowed())];
                deltas.extend(thought.seal.clone().map(Delta::Seal));
                (Opening::Thought, deltas)
            }
            Content::Call(call) => {
                let (id, name, signature) = (call.id.clone(), call.name.clone(), call.signature.clone());
                let opening = Opening::Call { id, name, kind: call.kind, signature };
                (opening, vec![Delta::Text(call.arguments.borrowed())])
            }
            // No stream has a word for these.
            Content::Media(_) | Content::Result(_) | Content::Foreign { .. } => continue,
        };
        sink(Event::Open { block, opening });
        deltas.into_iter().for_each(|delta| sink(Event::Delta { block, delta }));
        sink(Event::Close { block });
        block += 1;
    }
    sink(Event::Finish(answer.finish.clone()));
    answer.usage.into_iter().for_each(|usage| sink(Event::Usage(usage)));
    sink(Event::Done);
}

/// An answer that is none: where it breaks off being one, and nothing of what it says.
pub fn unreadable(malformed: Option<Malformed>) -> Failure<'static> {
    let message = match malformed {
        Some(malformed) => Cow::Owned(format!("the provider's answer could not be read: {malformed}")),
        None => Cow::Borrowed("the provider's answer could not be read"),
    };
    own_failure(FailureKind::Server, 502, message)
}

fn own_failure(kind: FailureKind, status: u16, message: Cow<'static, str>) -> Failure<'static> {
    Failure { kind, status, message, code: Some(Cow::Borrowed("upstream_error")), param: None }
}

/// A stream on its way from one format to another.
pub struct StreamTranslation {
    decoder: Box<dyn DecodeStream>,
    rest: Rest,
}

/// What stands behind the decoder.
struct Rest {
    undo: UndoStream,
    encoder: Box<dyn EncodeStream>,
    meter: Meter,
}

impl Rest {
    fn take(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        // Nothing follows the last word.
        if self.meter.done || self.meter.failed {
            return;
        }
        self.meter.take(&event);
        let Self { undo, encoder, meter } = self;
        undo.event(event, &mut |event| {
            if matches!(event, Event::Failure(_)) {
                meter.failed = true;
            }
            encoder.event(&event, out);
        });
    }
}

impl StreamTranslation {
    /// A stream's start.
    pub fn new(provider: &dyn ProviderWire, client: (&dyn ClientWire, Wire), undo: Undo, frame: &Frame) -> Self {
        let rest = Rest {
            undo: UndoStream::new(undo, client.1),
            encoder: client.0.encode_stream(frame),
            meter: Meter::default(),
        };
        Self { decoder: provider.decode_stream(), rest }
    }

    /// Reads the next bytes and gives what the client is to get of them.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(chunk.len());
        let Self { decoder, rest } = self;
        decoder.push(chunk, &mut |event| rest.take(event, &mut out));
        out
    }

    /// There is no more, by the sender's own word. A stream that did not say why it ended broke off, and ends in an error,
    /// never in a clean end. One that said so and left out its last word is complete: some vendors have none.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let Self { decoder, rest } = self;
        decoder.finish(&mut |event| rest.take(event, &mut out));
        if rest.meter.done || rest.meter.failed {
            return out;
        }
        if rest.meter.finished {
            rest.take(Event::Done, &mut out);
        } else {
            let cut = own_failure(FailureKind::Server, 502, Cow::Borrowed("the provider's answer broke off"));
            rest.encoder.event(&Event::Failure(cut), &mut out);
        }
        out
    }

    /// What passed so far.
    pub fn meter(&self) -> &Meter {
        &self.rest.meter
    }
}

impl std::fmt::Debug for StreamTranslation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("StreamTranslation").field("meter", &self.rest.meter).finish_non_exhaustive()
    }
}
