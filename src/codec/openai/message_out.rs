//! Writes turns as chat messages. Not what stands in a part (see `part_out`).

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::part::{Call, CallKind, CallResult, Content, Part, Thought};
use crate::chat::prose::Prose;
use crate::chat::request::{Request, Role};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::openai::part_out::{self, Marked, joined};
use crate::codec::openai::target::Target;
use crate::codec::openai::thought;
use crate::codec::openai::vendor::{Format, Prefill};
use crate::codec::writer::Writer;

/// Writes `messages`.
pub(super) fn write(writer: &mut Writer, request: &Request<'_>, target: &mut Target<'_>) {
    let marks = Marked::choose(request, target);
    let messages = plan(request, target);
    let last = messages.len().saturating_sub(1);
    writer.key("messages").array(|writer| {
        for (index, message) in messages.iter().enumerate() {
            match message {
                Message::Result { part, result } => write_result(writer, part, result, &marks, target),
                Message::Said { role: Speaker::Assistant, name, parts, .. } => {
                    let answer = Answer::sort(parts, target);
                    answer.write(writer, *name, index == last, &marks, target);
                }
                Message::Said { role, name, parts, of_results } => {
                    let said = Said { name: *name, parts, of_results: *of_results };
                    said.write(writer, *role, &marks, target);
                }
            }
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    System,
    User,
    Assistant,
}

/// A message to be written.
enum Message<'r, 'b> {
    Said {
        role: Speaker,
        name: Option<&'r Prose<'b>>,
        parts: Vec<&'r Part<'b>>,
        /// The parts are media of the tool results before.
        of_results: bool,
    },
    Result {
        part: &'r Part<'b>,
        result: &'r CallResult<'b>,
    },
}

/// Turns as messages: each result is one of its own, media of results follow in a user's message once all results
/// stand, and turns of one speaker are joined where they must be.
fn plan<'r, 'b>(request: &'r Request<'b>, target: &mut Target<'_>) -> Vec<Message<'r, 'b>> {
    let alternates = target.vendor.alternates(target.shape);
    let mut messages: Vec<Message<'r, 'b>> = Vec::with_capacity(request.turns.len());
    let mut media: Vec<&Part<'_>> = Vec::new();
    for turn in &request.turns {
        if turn.role == Role::Tool {
            for part in &turn.parts {
                if let Content::Result(result) = &part.content {
                    media.extend(result.parts.iter().filter(|part| matches!(part.content, Content::Media(_))));
                    messages.push(Message::Result { part, result });
                }
            }
            continue;
        }
        flush(&mut media, &mut messages, target);
        let late = alternates && messages.iter().any(|message| message.role() != Some(Speaker::System));
        let role = match turn.role {
            Role::System if late || target.shape.is(Trait::NoSystem) => {
                target.lose(Feature::LateSystem);
                Speaker::User
            }
            Role::System => Speaker::System,
            Role::User | Role::Tool => Speaker::User,
            Role::Assistant => Speaker::Assistant,
        };
        match messages.last_mut() {
            Some(Message::Said { role: before, parts, .. }) if alternates && *before == role => {
                parts.extend(&turn.parts);
            }
            _ => {
                let (name, parts) = (turn.name.as_ref(), turn.parts.iter().collect());
                messages.push(Message::Said { role, name, parts, of_results: false });
            }
        }
    }
    flush(&mut media, &mut messages, target);
    messages
}

fn flush<'r, 'b>(media: &mut Vec<&'r Part<'b>>, messages: &mut Vec<Message<'r, 'b>>, target: &mut Target<'_>) {
    if !media.is_empty() {
        target.lose(Feature::MediaInResult);
        let parts = std::mem::take(media);
        messages.push(Message::Said { role: Speaker::User, name: None, parts, of_results: true });
    }
}

impl Message<'_, '_> {
    fn role(&self) -> Option<Speaker> {
        match self {
            Self::Said { role, .. } => Some(*role),
            Self::Result { .. } => None,
        }
    }
}

fn write_name(writer: &mut Writer, name: Option<&Prose<'_>>, target: &mut Target<'_>) {
    if let Some(name) = name.filter(|name| !name.is_empty() && target.takes(Feature::Name)) {
        writer.key("name").prose(name);
    }
}

/// What the operator or the user says.
struct Said<'m, 'r, 'b> {
    name: Option<&'r Prose<'b>>,
    parts: &'m [&'r Part<'b>],
    of_results: bool,
}

/// What is said of the media of tool results when they are moved behind them.
const MOVED: &str = "Returned by the tool:";

/// What stands in a tool result in place of its media.
const ELSEWHERE: &str = "(see the next user message)";

impl Said<'_, '_, '_> {
    fn write(&self, writer: &mut Writer, role: Speaker, marks: &Marked<'_, '_>, target: &mut Target<'_>) {
        let texts: Vec<&Prose<'_>> = self.parts.iter().filter_map(|part| text_of(part)).collect();
        // What says nothing here is reported even where the message becomes a plain string.
        self.parts.iter().for_each(|part| report_silent(part, target));
        let only_text = self.parts.iter().all(|part| is_silent(part) || matches!(part.content, Content::Text { .. }));
        let marked = self.parts.iter().any(|part| marks.of(part).is_some());
        let flat = texts.len() <= 1 || target.vendor.flat_text;
        writer.object(|writer| {
            writer.key("role").string(if role == Speaker::System { "system" } else { "user" });
            if only_text && flat && !marked {
                writer.key("content").prose(&joined(&texts, "\n"));
            } else {
                writer.key("content").array(|writer| {
                    if self.of_results {
                        part_out::write_text(writer, &Prose::plain(MOVED), |_| {});
                    }
                    for part in self.parts {
                        write_part(writer, part, marks, target);
                    }
                });
            }
            write_name(writer, self.name, target);
        });
    }
}

/// A part's text, when there is any.
fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p Prose<'p>> {
    match &part.content {
        Content::Text { text, .. } if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn write_part(writer: &mut Writer, part: &Part<'_>, marks: &Marked<'_, '_>, target: &mut Target<'_>) {
    let mark = |writer: &mut Writer| {
        if let Some(mark) = marks.of(part) {
            marks.write(writer, mark);
        }
    };
    match &part.content {
        Content::Text { text, .. } if text.is_empty() => {}
        Content::Text { text, .. } => part_out::write_text(writer, text, mark),
        Content::Media(media) => part_out::write_media(writer, media, target, mark),
        Content::Refusal(text) => part_out::write_text(writer, text, mark),
        Content::Foreign { wire: Wire::Chat, raw, .. } => writer.json(raw),
        Content::Foreign { .. } | Content::Thought(_) | Content::Call(_) | Content::Result(_) => {}
    }
}

/// Whether a part cannot be said in a message of the operator or the user.
fn is_silent(part: &Part<'_>) -> bool {
    match &part.content {
        Content::Foreign { wire, .. } => *wire != Wire::Chat,
        // Calls are the model's, and results have a turn of their own.
        Content::Thought(_) | Content::Call(_) | Content::Result(_) => true,
        Content::Text { .. } | Content::Media(_) | Content::Refusal(_) => false,
    }
}

fn report_silent(part: &Part<'_>, target: &mut Target<'_>) {
    match &part.content {
        Content::Foreign { wire, kind, .. } if *wire != Wire::Chat => part_out::report_foreign(kind, target),
        Content::Thought(_) => target.lose(Feature::Thoughts),
        _ => {}
    }
}

fn write_result(
    writer: &mut Writer,
    part: &Part<'_>,
    result: &CallResult<'_>,
    marks: &Marked<'_, '_>,
    target: &mut Target<'_>,
) {
    let mut texts: Vec<Prose<'_>> = Vec::new();
    for part in &result.parts {
        match &part.content {
            Content::Text { text, .. } if text.is_empty() => {}
            Content::Text { text, .. } | Content::Refusal(text) => texts.push(text.borrowed()),
            Content::Media(_) => texts.push(Prose::plain(ELSEWHERE)),
            Content::Foreign { wire: Wire::Chat, .. } => target.lose(Feature::Unknown),
            Content::Foreign { kind, .. } => part_out::report_foreign(kind, target),
            Content::Call(_) | Content::Result(_) | Content::Thought(_) => {}
        }
    }
    let prefix = if result.is_error { "Error: " } else { "" };
    if result.is_error {
        target.lose(Feature::FailedResult);
    }
    let mark = marks.of(part);
    let flat = texts.len() <= 1 || target.vendor.flat_text;
    writer.object(|writer| {
        writer.key("role").string("tool");
        writer.key("tool_call_id").string(&call_id(&result.id, target));
        if flat && mark.is_none() {
            let texts: Vec<&Prose<'_>> = texts.iter().collect();
            writer.key("content").prose_after(prefix, &joined(&texts, "\n"));
            return;
        }
        writer.key("content").array(|writer| {
            for (index, text) in texts.iter().enumerate() {
                let prefix = if index == 0 { prefix } else { "" };
                writer.object(|writer| {
                    writer.key("type").string("text");
                    writer.key("text").prose_after(prefix, text);
                    if let Some(mark) = mark.filter(|_| index + 1 == texts.len()) {
                        marks.write(writer, mark);
                    }
                });
            }
        });
    });
}

/// An answer of the model's, by what a chat message keeps apart.
#[derive(Default)]
struct Answer<'r, 'b> {
    thoughts: Vec<&'r Thought<'b>>,
    texts: Vec<&'r Part<'b>>,
    refusals: Vec<&'r Prose<'b>>,
    calls: Vec<&'r Call<'b>>,
}

impl<'r, 'b> Answer<'r, 'b> {
    fn sort(parts: &[&'r Part<'b>], target: &mut Target<'_>) -> Self {
        let mut answer = Self::default();
        for part in parts {
            match &part.content {
                Content::Text { text, citations } => {
                    if !citations.is_empty() {
                        target.lose(Feature::Citations);
                    }
                    if !text.is_empty() {
                        answer.texts.push(part);
                    }
                }
                Content::Thought(thought) => answer.thoughts.push(thought),
                Content::Refusal(text) => answer.refusals.push(text),
                Content::Call(call) => answer.calls.push(call),
                // No model takes back what it drew or said aloud.
                Content::Media(_) => target.lose(Feature::Image),
                Content::Foreign { wire: Wire::Chat, .. } => answer.texts.push(part),
                Content::Foreign { kind, .. } => part_out::report_foreign(kind, target),
                Content::Result(_) => {}
            }
        }
        answer
    }

    fn write(
        &self,
        writer: &mut Writer,
        name: Option<&Prose<'_>>,
        last: bool,
        marks: &Marked<'_, '_>,
        target: &mut Target<'_>,
    ) {
        let prefill = last && self.calls.is_empty();
        if prefill && self.prefill_is_lost(target) {
            return;
        }
        if self.texts.is_empty() && self.refusals.is_empty() && self.calls.is_empty() {
            // A turn of thoughts alone, or of nothing, is refused by most.
            if !self.thoughts.is_empty() {
                target.lose(Feature::Thoughts);
            }
            return;
        }
        writer.object(|writer| {
            writer.key("role").string("assistant");
            self.write_content(writer, marks, target);
            self.write_thoughts(writer, target);
            if let (Some(refusal), true) = (self.refusals.first(), target.vendor.is_openai()) {
                writer.key("refusal").prose(refusal);
            }
            if !self.calls.is_empty() {
                writer.key("tool_calls").array(|writer| {
                    for call in &self.calls {
                        write_call(writer, call, target);
                    }
                });
            }
            write_name(writer, name, target);
            if let (Prefill::Member(member), true) = (target.vendor.prefill, prefill) {
                writer.key(member).bool(true);
            }
        });
    }

    /// Whether the last turn is a beginning that the model refuses to go on with; reports one that it ignores.
    fn prefill_is_lost(&self, target: &mut Target<'_>) -> bool {
        if target.shape.is(Trait::NoPrefill) {
            target.lose(Feature::Prefill);
            return true;
        }
        if target.vendor.prefill == Prefill::Ignored && !self.texts.is_empty() {
            target.lose(Feature::Prefill);
        }
        false
    }

    fn write_content(&self, writer: &mut Writer, marks: &Marked<'_, '_>, target: &Target<'_>) {
        let mut texts: Vec<&Prose<'_>> = self.texts.iter().filter_map(|part| text_of(part)).collect();
        if !target.vendor.is_openai() {
            texts.extend(&self.refusals);
        }
        let marked = self.texts.iter().any(|part| marks.of(part).is_some());
        let foreign = self.texts.iter().any(|part| matches!(part.content, Content::Foreign { .. }));
        if marked || foreign || chunked(target) && self.has_thinking() {
            writer.key("content").array(|writer| {
                if chunked(target) {
                    self.thoughts.iter().for_each(|thought| write_chunk(writer, thought));
                }
                for part in &self.texts {
                    match &part.content {
                        Content::Foreign { raw, .. } => writer.json(raw),
                        _ => part_out::write_text(writer, text_of(part).unwrap_or(&Prose::EMPTY), |writer| {
                            if let Some(mark) = marks.of(part) {
                                marks.write(writer, mark);
                            }
                        }),
                    }
                }
                if !target.vendor.is_openai() {
                    self.refusals.iter().for_each(|text| part_out::write_text(writer, text, |_| {}));
                }
            });
        } else if !texts.is_empty() {
            writer.key("content").prose(&joined(&texts, ""));
        } else if target.vendor.no_nulls {
        } else if target.vendor.is_openai() {
            writer.key("content").null();
        } else {
            // Chat templates of open models stumble over `null`.
            writer.key("content").string("");
        }
    }

    fn has_thinking(&self) -> bool {
        self.thoughts.iter().any(|thought| !thought.text.is_empty())
    }

    /// Earlier thoughts, to those who want them back; others would refuse or ignore them.
    fn write_thoughts(&self, writer: &mut Writer, target: &mut Target<'_>) {
        let texts: Vec<&Prose<'_>> =
            self.thoughts.iter().map(|thought| &thought.text).filter(|text| !text.is_empty()).collect();
        let sealed = self.thoughts.iter().any(|thought| thought.seal.is_some());
        if target.vendor.format(target.shape) == Format::OpenRouter {
            if !texts.is_empty() {
                writer.key("reasoning").prose(&joined(&texts, "\n"));
            }
            if sealed {
                writer.key("reasoning_details");
                thought::write_details(writer, &self.thoughts);
            }
            return;
        }
        if target.shape.is(Trait::ReplayReasoningContent) {
            if sealed {
                target.lose(Feature::Thoughts);
            }
            // A blank stands for thoughts that are not known: the member must be there.
            let blank = Prose::plain(" ");
            let text = if texts.is_empty() { blank } else { joined(&texts, "\n") };
            writer.key("reasoning_content").prose(&text);
        } else if !self.thoughts.is_empty() && (sealed || !chunked(target)) {
            target.lose(Feature::Thoughts);
        }
    }
}

/// Whether thoughts stand in the content: Mistral's models that reason.
fn chunked(target: &Target<'_>) -> bool {
    use crate::chat::capability::Capability;
    let reasons = target.shape.capabilities.is_some_and(|all| all.has(Capability::Reasoning));
    target.shape.vendor == "mistral" && (reasons || target.shape.model.starts_with("magistral"))
}

fn write_chunk(writer: &mut Writer, thought: &Thought<'_>) {
    if thought.text.is_empty() {
        return;
    }
    writer.object(|writer| {
        writer.key("type").string("thinking");
        writer.key("thinking").array(|writer| part_out::write_text(writer, &thought.text, |_| {}));
    });
}

fn write_call(writer: &mut Writer, call: &Call<'_>, target: &mut Target<'_>) {
    writer.object(|writer| {
        writer.key("id").string(&call_id(&call.id, target));
        let (kind, text) = match call.kind {
            CallKind::Function => ("function", "arguments"),
            CallKind::Custom => ("custom", "input"),
        };
        writer.key("type").string(kind);
        writer.key(kind).object(|writer| {
            writer.key("name").string(&call.name);
            if call.kind == CallKind::Function && call.arguments.is_blank() {
                writer.key(text).string("{}");
            } else {
                writer.key(text).prose(&call.arguments);
            }
        });
        if let Some(signature) = &call.signature {
            if !matches!(target.shape.vendor, "gemini" | "vertex") {
                return target.lose(Feature::Thoughts);
            }
            writer.key("extra_content").object(|writer| {
                writer.key("google").object(|writer| writer.key("thought_signature").string(signature));
            });
        }
    });
}

/// A call's id as the vendor takes it; the same id always becomes the same.
pub(super) fn call_id<'i>(id: &'i str, target: &Target<'_>) -> Cow<'i, str> {
    if target.vendor.short_ids { short_id(id) } else { Cow::Borrowed(id) }
}

/// Nine letters and digits: the id itself when it is that, else a hash of it (FNV-1a).
pub(super) fn short_id(id: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let short = (0..9).map(|_| {
        let digit = DIGITS.get((hash % 62) as usize).copied().unwrap_or(b'0');
        hash /= 62;
        char::from(digit)
    });
    Cow::Owned(short.collect())
}
