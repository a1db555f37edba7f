//! An OpenAI stream as it passes: its usage, how much it said, and the usage event hidden from who did not ask for it.
//! Not a translation.

use std::ops::Range;

use crate::chat::head::TextCount;
use crate::chat::usage::Usage;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::openai::usage::read_usage;
use crate::codec::sse::{self, Events, Piece};

/// What goes on to the client in place of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Emit {
    /// The chunk as it came.
    AsIs,
    /// These bytes; none, when all of the chunk waits or is hidden.
    Replace(Vec<u8>),
}

/// A stream of chat completions (or of responses) on its way to the client.
///
/// Memory is bounded by one event; events over `sse::MAX_EVENT` pass unread.
#[derive(Debug)]
pub struct Stream {
    events: Events,
    hide_usage: bool,
    facts: Facts,
}

impl Stream {
    /// A stream's start. `hide_usage` is for a client that did not ask for usage when the gateway did: the last event,
    /// with `choices: []` and the usage, is taken out, and `"usage": null` is taken out of the others. Without it the
    /// stream is only watched: every chunk goes on as it is.
    pub fn new(hide_usage: bool) -> Self {
        Self { events: Events::new(), hide_usage, facts: Facts::default() }
    }

    /// Reads the next chunk and says what goes on.
    pub fn push(&mut self, chunk: &[u8]) -> Emit {
        let Self { events, hide_usage, facts } = self;
        if !*hide_usage {
            events.push(chunk, |piece| {
                facts.take(piece);
            });
            return Emit::AsIs;
        }
        let mut out = if events.pending().is_empty() { None } else { Some(Vec::with_capacity(chunk.len())) };
        let mut same = 0;
        events.push(chunk, |piece| {
            let raw = piece.raw();
            let edit = facts.take(piece);
            match (&mut out, edit) {
                (None, Edit::Keep) => same += raw.len(),
                (None, edit) => {
                    let mut bytes = Vec::with_capacity(chunk.len());
                    bytes.extend_from_slice(chunk.get(..same).unwrap_or_default());
                    edit.write(&mut bytes, raw);
                    out = Some(bytes);
                }
                (Some(bytes), edit) => edit.write(bytes, raw),
            }
        });
        match out {
            Some(bytes) => Emit::Replace(bytes),
            None if same == chunk.len() => Emit::AsIs,
            None => Emit::Replace(chunk.get(..same).unwrap_or_default().to_vec()),
        }
    }

    /// Ends the stream; gives the bytes that were held, an event that its sender did not complete.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut held = Vec::new();
        let Self { events, hide_usage, facts } = self;
        events.finish(|piece| {
            let edit = facts.take(piece);
            if *hide_usage {
                edit.write(&mut held, piece.raw());
            }
        });
        held
    }

    /// The usage that the stream reported; the last report, where a vendor repeats it.
    pub fn usage(&self) -> Option<Usage> {
        self.facts.usage
    }

    /// The text that was written so far: contents, refusals, tool-call names and arguments, reasoning.
    pub fn output_text(&self) -> TextCount {
        self.facts.text
    }

    /// Whether some of the answer came: text, reasoning, a tool call or audio.
    pub fn started(&self) -> bool {
        self.facts.started
    }

    /// Whether a finish reason came.
    pub fn saw_finish_reason(&self) -> bool {
        self.facts.finish_reason
    }

    /// Whether the stream said that it is complete: `[DONE]`, or the last event of a response.
    pub fn saw_done(&self) -> bool {
        self.facts.done
    }

    /// Whether the provider reported an error inside the stream.
    pub fn saw_error(&self) -> bool {
        self.facts.error
    }

    /// Whether an event was too large to be read; text and usage may be missing then.
    pub fn saw_oversized(&self) -> bool {
        self.events.saw_oversized()
    }
}

/// What becomes of an event when usage is hidden.
#[derive(Debug)]
enum Edit {
    Keep,
    Drop,
    /// Without the bytes of this span.
    Cut(Range<usize>),
}

impl Edit {
    fn write(&self, out: &mut Vec<u8>, event: &[u8]) {
        match self {
            Self::Keep => out.extend_from_slice(event),
            Self::Drop => {}
            Self::Cut(span) => {
                out.extend_from_slice(event.get(..span.start).unwrap_or_default());
                out.extend_from_slice(event.get(span.end..).unwrap_or_default());
            }
        }
    }
}

/// What a stream told so far.
#[derive(Debug, Default)]
struct Facts {
    usage: Option<Usage>,
    text: TextCount,
    started: bool,
    finish_reason: bool,
    done: bool,
    error: bool,
}

impl Facts {
    fn take(&mut self, piece: Piece<'_>) -> Edit {
        let Piece::Event(event) = piece else { return Edit::Keep };
        match sse::data(event) {
            sse::Data::None => Edit::Keep,
            sse::Data::Line(span) => {
                let start = span.start;
                match self.data(event.get(span).unwrap_or_default()) {
                    Edit::Cut(span) => Edit::Cut(start + span.start..start + span.end),
                    edit => edit,
                }
            }
            // A cut would have to be mapped onto lines; no vendor is known to break chunks over lines, and a
            // `"usage": null` left in does no harm.
            sse::Data::Joined(data) => match self.data(&data) {
                Edit::Cut(_) => Edit::Keep,
                edit => edit,
            },
        }
    }

    fn data(&mut self, data: &[u8]) -> Edit {
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return Edit::Keep;
        }
        let Ok(chunk) = Chunk::read(data) else {
            return Edit::Keep;
        };
        self.usage = chunk.usage.or(self.usage);
        self.text = self.text.plus(chunk.text);
        self.started |= chunk.started || chunk.text != TextCount::default();
        self.finish_reason |= chunk.finish_reason;
        self.done |= chunk.done;
        self.error |= chunk.error;
        if chunk.only_usage && chunk.no_choices && !chunk.error {
            return Edit::Drop;
        }
        chunk.null_usage.map_or(Edit::Keep, |span| Edit::Cut(with_comma(data, span)))
    }
}

/// A member's span, and the comma that goes with it.
fn with_comma(data: &[u8], member: Range<usize>) -> Range<usize> {
    let before = data.get(..member.start).unwrap_or_default().trim_ascii_end();
    if before.last() == Some(&b',') {
        return before.len() - 1..member.end;
    }
    let after = data.get(member.end..).unwrap_or_default();
    let space = after.len() - after.trim_ascii_start().len();
    let comma = usize::from(after.get(space) == Some(&b','));
    member.start..member.end + (space + 1) * comma
}

/// What one event tells.
#[derive(Default)]
struct Chunk {
    usage: Option<Usage>,
    /// `usage` stands at the top and is an object that counts.
    only_usage: bool,
    /// The last top-level `"usage": null`, name and value.
    null_usage: Option<Range<usize>>,
    /// `choices` is an empty array.
    no_choices: bool,
    text: TextCount,
    started: bool,
    finish_reason: bool,
    done: bool,
    error: bool,
}

type Read = Result<(), Malformed>;

impl Chunk {
    fn read(data: &[u8]) -> Result<Self, Malformed> {
        let mut chunk = Self::default();
        let mut scanner = Scanner::new(data);
        scanner.object(|scanner, key| match key.bytes().as_ref() {
            b"choices" => chunk.choices(scanner),
            b"usage" => {
                if scanner.null()? {
                    chunk.null_usage = Some(key.span().start..scanner.offset());
                    return Ok(());
                }
                chunk.usage = read_usage(scanner)?;
                chunk.only_usage = chunk.usage.is_some();
                Ok(())
            }
            // Groq's `x_groq`, and the whole `response` in the last event of a response.
            b"x_groq" | b"response" => chunk.nested_usage(scanner),
            b"delta" => chunk.text(scanner),
            b"error" => {
                if scanner.null()? {
                    return Ok(());
                }
                chunk.error = true;
                scanner.pass()
            }
            b"type" | b"object" => chunk.kind(scanner),
            _ => scanner.pass(),
        })?;
        scanner.end()?;
        Ok(chunk)
    }

    fn kind(&mut self, scanner: &mut Scanner<'_>) -> Read {
        let Some(kind) = scanner.string_or_skip()? else {
            return Ok(());
        };
        match kind.bytes().as_ref() {
            b"error" | b"response.failed" => self.error = true,
            b"response.completed" | b"response.incomplete" => self.done = true,
            _ => {}
        }
        Ok(())
    }

    fn nested_usage(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            if key.is("usage") {
                self.usage = read_usage(scanner)?.or(self.usage);
                return Ok(());
            }
            scanner.pass()
        })
    }

    fn choices(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'[' {
            return scanner.pass();
        }
        self.no_choices = true;
        scanner.array(|scanner| {
            self.no_choices = false;
            if scanner.peek()? != b'{' {
                return scanner.pass();
            }
            scanner.object(|scanner, key| match key.bytes().as_ref() {
                b"delta" => self.delta(scanner),
                b"finish_reason" => {
                    self.finish_reason |= scanner.string_or_skip()?.is_some();
                    Ok(())
                }
                // Legacy completions.
                b"text" => self.text(scanner),
                // Moonshot.
                b"usage" => {
                    self.usage = read_usage(scanner)?.or(self.usage);
                    Ok(())
                }
                _ => scanner.pass(),
            })
        })
    }

    fn delta(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        // Some vendors send the same reasoning under two names.
        let mut reasoning = TextCount::default();
        scanner.object(|scanner, key| match key.bytes().as_ref() {
            b"content" => self.content(scanner),
            b"refusal" => self.text(scanner),
            b"reasoning_content" | b"reasoning" => {
                let more = scanner.string_or_skip()?.map(|text| text.count()).unwrap_or_default();
                if more.ascii + more.other > reasoning.ascii + reasoning.other {
                    reasoning = more;
                }
                Ok(())
            }
            b"tool_calls" => {
                if scanner.peek()? != b'[' {
                    return scanner.pass();
                }
                scanner.array(|scanner| self.call(scanner))
            }
            b"function_call" => self.call(scanner),
            b"audio" => {
                self.started |= scanner.peek()? == b'{';
                scanner.pass()
            }
            _ => scanner.pass(),
        })?;
        self.text = self.text.plus(reasoning);
        Ok(())
    }

    /// A string, or Mistral's array of parts.
    fn content(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'[' {
            return self.text(scanner);
        }
        scanner.array(|scanner| {
            if scanner.peek()? != b'{' {
                return scanner.pass();
            }
            scanner.object(|scanner, key| match key.bytes().as_ref() {
                b"text" => self.text(scanner),
                b"thinking" => self.content_of_thinking(scanner),
                _ => scanner.pass(),
            })
        })
    }

    fn content_of_thinking(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'[' {
            return self.text(scanner);
        }
        scanner.array(|scanner| {
            if scanner.peek()? != b'{' {
                return scanner.pass();
            }
            scanner.object(|scanner, key| if key.is("text") { self.text(scanner) } else { scanner.pass() })
        })
    }

    /// A tool call: `{function: {name, arguments}}`, `{custom: {name, input}}`, or the legacy `{name, arguments}`.
    fn call(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| match key.bytes().as_ref() {
            b"name" | b"arguments" => self.text(scanner),
            b"function" | b"custom" if scanner.peek()? == b'{' => {
                scanner.object(|scanner, key| match key.bytes().as_ref() {
                    b"name" | b"arguments" | b"input" => self.text(scanner),
                    _ => scanner.pass(),
                })
            }
            _ => scanner.pass(),
        })
    }

    fn text(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if let Some(text) = scanner.string_or_skip()? {
            self.text = self.text.plus(text.count());
        }
        Ok(())
    }
}
