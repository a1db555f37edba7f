//! An answer as a Gemini client is to see it. Not a stream (see `stream_out`).

use crate::chat::answer::Answer;
use crate::chat::part::{Content, Part};
use crate::chat::wire::Wire;
use crate::codec::gemini::grounding::{self, Cited};
use crate::codec::gemini::track::Track;
use crate::codec::gemini::{finish, media, part_out, seal, usage};
use crate::codec::wire::Frame;
use crate::codec::writer::Writer;

/// Writes a whole answer.
pub fn encode(answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
    let mut writer = Writer::with_capacity(1024);
    writer.object(|writer| {
        let mut cited = Vec::new();
        writer.key("candidates").array(|writer| {
            writer.object(|writer| {
                writer.key("content").object(|writer| {
                    writer.key("parts").array(|writer| parts(writer, &answer.parts, &mut cited));
                    writer.key("role").string("model");
                });
                writer.key("finishReason").string(finish::encode(&answer.finish));
                grounding::write(writer, &cited);
                writer.key("index").number(0);
            });
        });
        if let Some(usage) = &answer.usage {
            usage::write(writer.key("usageMetadata"), usage);
        }
        writer.key("modelVersion").string(answer.model.as_deref().unwrap_or(&frame.model));
        writer.key("responseId").string(answer.id.as_deref().unwrap_or(&frame.id));
    });
    writer.into_bytes()
}

fn parts<'a>(writer: &mut Writer, all: &[Part<'a>], cited: &mut Vec<Cited<'a>>) {
    let mut rest = all;
    let mut written = 0;
    while let Some((part, after)) = rest.split_first() {
        rest = after;
        // A thought without words is the signature of what stands before it (see `part_in`).
        let mut signature = || match rest.split_first().map(|(next, after)| (&next.content, after)) {
            Some((Content::Thought(thought), after)) if thought.text.is_empty() => {
                let seal = thought.seal.as_ref().filter(|seal| seal.wire == Wire::Gemini)?;
                rest = after;
                Some(seal.data.as_ref())
            }
            _ => None,
        };
        match &part.content {
            Content::Text { text, citations } if !text.is_empty() => {
                if !citations.is_empty() {
                    let mut track = Track::default();
                    track.push(text);
                    cited.extend(citations.iter().filter_map(|one| Cited::of(one, written, &track)));
                }
                writer.object(|writer| {
                    writer.key("text").prose(text);
                    sign(writer, signature());
                });
            }
            Content::Refusal(text) if !text.is_empty() => writer.object(|writer| writer.key("text").prose(text)),
            Content::Media(one) => writer.object(|writer| {
                media::write(writer, one);
                sign(writer, signature());
            }),
            Content::Call(call) => writer.object(|writer| {
                part_out::call_out(writer, call, true);
                sign(writer, call.signature.as_deref());
            }),
            Content::Thought(thought) => {
                let seal = thought.seal.as_ref().map(seal::signature);
                if thought.text.is_empty() && seal.is_none() {
                    continue;
                }
                writer.object(|writer| {
                    writer.key("text").prose(&thought.text);
                    writer.key("thought").bool(true);
                    sign(writer, seal.as_deref());
                });
            }
            Content::Foreign { wire: Wire::Gemini, raw: bytes, .. } => writer.raw(bytes.bytes()),
            Content::Text { .. } | Content::Refusal(_) | Content::Result(_) | Content::Foreign { .. } => continue,
        }
        written += 1;
    }
}

fn sign(writer: &mut Writer, signature: Option<&str>) {
    if let Some(signature) = signature {
        writer.key("thoughtSignature").string(signature);
    }
}
