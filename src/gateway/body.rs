//! How the body of an answer is read on its way: watched as it passes, or translated. Bytes in, bytes out; no books.

use std::fmt;

use crate::codec::meter::Meter;
use crate::codec::openai::stream::Stream;
use crate::codec::openai::usage::BodyScan;
use crate::codec::translate::StreamTranslation;
use crate::codec::wire::DecodeStream;

/// How an answer's body is read.
#[derive(Default)]
pub(crate) enum Body {
    /// Not at all: an error of the provider, or nothing yet.
    #[default]
    Opaque,
    /// JSON of the client's own format, for its usage.
    Json(Box<BodyScan>),
    /// Server-sent events of the client's own format, OpenAI's.
    Stream(Box<Stream>),
    /// A stream of the client's own format, any other.
    Watched(Box<Watch>),
    /// An answer of another format, held until it is whole.
    Whole(Held),
    /// A stream of another format.
    Translated(Box<StreamTranslation>),
    /// It is thrown away and this is sent instead.
    Instead(Vec<u8>),
    /// It was whole and went on, and this is what it said.
    Passed(Meter),
}

/// What a held answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// An answer.
    Answer,
    /// An error of this status.
    Error(u16),
}

impl Body {
    /// What the body said so far; `None` for one that is no model's.
    pub fn meter(&self) -> Option<Meter> {
        match self {
            Self::Json(scan) => {
                let (usage, text) = (scan.usage(), scan.output_text());
                Some(Meter { usage, text, started: true, finished: true, done: true, failed: false })
            }
            Self::Stream(stream) => Some(Meter {
                usage: stream.usage(),
                text: stream.output_text(),
                started: stream.started(),
                finished: stream.saw_finish_reason(),
                done: stream.saw_done(),
                failed: stream.saw_error(),
            }),
            Self::Watched(watch) => Some(watch.meter),
            Self::Translated(translation) => Some(*translation.meter()),
            Self::Passed(meter) => Some(*meter),
            // It broke off before it was whole.
            Self::Whole(Held::Answer) => Some(Meter::default()),
            Self::Opaque | Self::Whole(Held::Error(_)) | Self::Instead(_) => None,
        }
    }

    /// Whether it is a stream.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Watched(_) | Self::Translated(_))
    }
}

/// A stream that passes as it is, and what it says.
pub(crate) struct Watch {
    decoder: Box<dyn DecodeStream>,
    meter: Meter,
}

impl Watch {
    pub fn new(decoder: Box<dyn DecodeStream>) -> Self {
        Self { decoder, meter: Meter::default() }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        let Self { decoder, meter } = self;
        decoder.push(chunk, &mut |event| meter.take(&event));
    }

    pub fn finish(&mut self) {
        let Self { decoder, meter } = self;
        decoder.finish(&mut |event| meter.take(&event));
    }

    pub fn started(&self) -> bool {
        self.meter.started
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Watch").field("meter", &self.meter).finish_non_exhaustive()
    }
}
