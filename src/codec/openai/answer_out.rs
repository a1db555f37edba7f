//! Writes whole chat completions as OpenAI does, with what others add for thoughts. Not streams.

use crate::chat::answer::Answer;
use crate::chat::part::{Call, CallKind, Citation, Content, Media, Source, Thought};
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::openai::finish::{self, Seen};
use crate::codec::openai::part_out::joined;
use crate::codec::openai::{media, thought};
use crate::codec::wire::Frame;
use crate::codec::writer::Writer;

/// Writes an answer. See `ClientWire::encode_answer`.
pub(super) fn encode(answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
    let message = Message::sort(answer);
    let seen = Seen { calls: !message.calls.is_empty(), refusal: !message.refusals.is_empty() };
    let mut writer = Writer::with_capacity(1024);
    writer.object(|writer| {
        writer.key("id").string(&id_of(answer.id.as_deref(), frame));
        writer.key("object").string("chat.completion");
        writer.key("created").number(frame.created);
        writer.key("model").string(answer.model.as_deref().unwrap_or(&frame.model));
        writer.key("choices").array(|writer| {
            writer.object(|writer| {
                writer.key("index").number(0);
                writer.key("message").object(|writer| message.write(writer));
                writer.key("logprobs").null();
                writer.key("finish_reason").string(finish::name(&answer.finish, seen));
            });
        });
        if let Some(usage) = &answer.usage {
            writer.key("usage");
            finish::write_usage(writer, usage);
        }
        if let Some(tier) = answer.service_tier.as_deref().and_then(tier_of) {
            writer.key("service_tier").string(tier);
        }
    });
    writer.into_bytes()
}

/// The vendor's id when it is one of this wire, else the gateway's.
pub(super) fn id_of(id: Option<&str>, frame: &Frame) -> String {
    match id {
        Some(id) if id.starts_with("chatcmpl") => id.to_owned(),
        Some(_) | None => format!("chatcmpl-{}", frame.id),
    }
}

/// A tier in OpenAI's words; clients' types know no others.
fn tier_of(tier: &str) -> Option<&str> {
    match tier {
        "standard" | "on_demand" => Some("default"),
        "auto" | "default" | "flex" | "scale" | "priority" => Some(tier),
        _ => None,
    }
}

/// An answer by what a message keeps apart.
#[derive(Default)]
struct Message<'r, 'b> {
    texts: Vec<&'r Prose<'b>>,
    citations: Vec<&'r Citation<'b>>,
    thoughts: Vec<&'r Thought<'b>>,
    refusals: Vec<&'r Prose<'b>>,
    images: Vec<&'r Media<'b>>,
    calls: Vec<&'r Call<'b>>,
}

impl<'r, 'b> Message<'r, 'b> {
    fn sort(answer: &'r Answer<'b>) -> Self {
        let mut message = Self::default();
        for part in &answer.parts {
            match &part.content {
                Content::Text { text, citations } => {
                    if !text.is_empty() {
                        message.texts.push(text);
                    }
                    message.citations.extend(citations);
                }
                Content::Thought(thought) => message.thoughts.push(thought),
                Content::Refusal(text) => message.refusals.push(text),
                Content::Call(call) => message.calls.push(call),
                Content::Media(media) => message.images.push(media),
                // What vendors' own tools did has no place in a chat completion.
                Content::Foreign { .. } | Content::Result(_) => {}
            }
        }
        message
    }

    fn write(&self, writer: &mut Writer) {
        writer.key("role").string("assistant");
        let writer_key = writer.key("content");
        if self.texts.is_empty() {
            writer_key.null()
        } else {
            writer_key.prose(&joined(&self.texts, ""))
        }
        let refusal = writer.key("refusal");
        if self.refusals.is_empty() {
            refusal.null()
        } else {
            refusal.prose(&joined(&self.refusals, ""))
        }
        self.write_thoughts(writer);
        if !self.calls.is_empty() {
            writer.key("tool_calls").array(|writer| self.calls.iter().for_each(|call| write_call(writer, call)));
        }
        let citations: Vec<&Citation<'_>> =
            self.citations.iter().copied().filter(|citation| can_be_written(citation)).collect();
        if !citations.is_empty() {
            writer.key("annotations").array(|writer| {
                citations.iter().for_each(|citation| write_citation(writer, citation));
            });
        }
        if !self.images.is_empty() {
            writer.key("images").array(|writer| self.images.iter().for_each(|media| write_image(writer, media)));
        }
    }

    fn write_thoughts(&self, writer: &mut Writer) {
        let texts: Vec<&Prose<'_>> =
            self.thoughts.iter().map(|thought| &thought.text).filter(|text| !text.is_empty()).collect();
        if !texts.is_empty() {
            writer.key("reasoning_content").prose(&joined(&texts, "\n"));
        }
        let sealed = |thought: &&Thought<'_>| thought.seal.as_ref().is_some_and(|seal| seal.wire == Wire::Messages);
        if self.thoughts.iter().any(sealed) {
            writer.key("thinking_blocks").array(|writer| {
                for thought in &self.thoughts {
                    if let Some(seal) = thought.seal.as_ref().filter(|seal| seal.wire == Wire::Messages) {
                        thought::write_block(writer, &thought.text, seal);
                    }
                }
            });
        }
    }
}

fn write_call(writer: &mut Writer, call: &Call<'_>) {
    let (kind, text) = match call.kind {
        CallKind::Function => ("function", "arguments"),
        CallKind::Custom => ("custom", "input"),
    };
    writer.object(|writer| {
        writer.key("id").string(&call.id);
        writer.key("type").string(kind);
        writer.key(kind).object(|writer| {
            writer.key("name").string(&call.name);
            if call.kind == CallKind::Function && call.arguments.is_blank() {
                writer.key(text).string("{}");
            } else {
                writer.key(text).prose(&call.arguments);
            }
        });
    });
}

/// Whether a citation can be an annotation: one without an address cannot.
pub(super) fn can_be_written(citation: &Citation<'_>) -> bool {
    citation.url.is_some() || matches!(citation.raw, Some((Wire::Chat, _)))
}

/// `{type: url_citation, url_citation{…}}`.
pub(super) fn write_citation(writer: &mut Writer, citation: &Citation<'_>) {
    if let Some((Wire::Chat, raw)) = &citation.raw {
        return writer.json(raw);
    }
    let url = citation.url.as_deref().unwrap_or_default();
    writer.object(|writer| {
        writer.key("type").string("url_citation");
        writer.key("url_citation").object(|writer| {
            // The span is required; a citation of the whole text has an empty one.
            let (from, to) = citation.span.unwrap_or((0, 0));
            writer.key("start_index").number(from);
            writer.key("end_index").number(to);
            writer.key("title").prose(citation.title.as_ref().unwrap_or(&Prose::plain(url)));
            writer.key("url").string(url);
        });
    });
}

fn write_image(writer: &mut Writer, image: &Media<'_>) {
    let url = match &image.source {
        Source::Url(url) => url.to_string(),
        Source::Base64(data) => {
            let mut url = media::data_url_head(image.media_type.as_deref().unwrap_or("image/png"));
            url.push_str(data);
            url
        }
        Source::Text(_) | Source::File(_) => return,
    };
    writer.object(|writer| {
        writer.key("type").string("image_url");
        writer.key("image_url").object(|writer| writer.key("url").string(&url));
    });
}
