//! Thoughts with their seals as compatible vendors and gateways write them in chat bodies: LiteLLM's `thinking_blocks`,
//! Mistral's thinking chunks, OpenRouter's `reasoning_details`. Not plain `reasoning_content`.

use std::borrow::Cow;

use crate::chat::part::{Content, Part, Seal, Thought};
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::field;
use crate::codec::writer::Writer;

/// `thinking_blocks`: an array of blocks; another kind of value is skipped.
pub(super) fn read_blocks<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    field::each_or_skip(scanner, |scanner| read_block(scanner, parts))
}

/// `{type: thinking, thinking, signature}`, `{type: redacted_thinking, data}`, or Mistral's
/// `{type: thinking, thinking: [{type: text, text}]}`.
pub(super) fn read_block<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    let (mut texts, mut signature, mut data) = (Vec::new(), None, None);
    field::members_or_skip(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"thinking" if scanner.peek()? == b'"' => texts.push(scanner.string()?),
            b"thinking" => field::each_or_skip(scanner, |scanner| {
                field::members_or_skip(scanner, |scanner, key| {
                    if !key.is("text") {
                        return scanner.pass();
                    }
                    texts.extend(scanner.string_or_skip()?);
                    Ok(())
                })
            })?,
            b"signature" => signature = field::filled(scanner)?,
            b"data" => data = field::filled(scanner)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let redacted = data.is_some();
    let seal = data.or(signature).map(|text| Seal { wire: Wire::Messages, data: text.text(), redacted, id: None });
    let text = join(&texts);
    if !text.is_empty() || seal.is_some() {
        parts.push(Content::Thought(Thought { text, seal }).into());
    }
    Ok(())
}

fn join<'a>(texts: &[Text<'a>]) -> Prose<'a> {
    match texts {
        [] => Prose::EMPTY,
        [one] => one.prose(),
        several => Prose::Plain(Cow::Owned(several.iter().map(Text::to_text).collect())),
    }
}

/// OpenRouter's `reasoning_details`; another kind of value is skipped.
pub(super) fn read_details<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
    field::each_or_skip(scanner, |scanner| {
        let (mut text, mut signature, mut data, mut id, mut format) = (None, None, None, None, None);
        field::members_or_skip(scanner, |scanner, key| {
            match key.bytes().as_ref() {
                b"text" | b"summary" => text = field::filled(scanner)?,
                b"signature" => signature = field::filled(scanner)?,
                b"data" => data = field::filled(scanner)?,
                b"id" => id = field::filled(scanner)?,
                b"format" => format = field::filled(scanner)?,
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        let wire = format.map_or(Wire::Chat, |format| wire_of(&format.text()));
        let redacted = data.is_some();
        let seal = data.or(signature).map(|data| Seal {
            wire,
            data: data.text(),
            // OpenAI's blob is a seal beside a summary; at the others the blob is the thought.
            redacted: redacted && wire == Wire::Messages,
            id: id.filter(|_| wire == Wire::Responses).map(|id| id.text()),
        });
        let text = text.map_or(Prose::EMPTY, |text| text.prose());
        if !text.is_empty() || seal.is_some() {
            parts.push(Content::Thought(Thought { text, seal }).into());
        }
        Ok(())
    })
}

/// Writes `reasoning_details` of the thoughts that have text or a seal.
pub(super) fn write_details(writer: &mut Writer, thoughts: &[&Thought<'_>]) {
    writer.array(|writer| {
        for thought in thoughts {
            write_detail(writer, thought);
        }
    });
}

fn write_detail(writer: &mut Writer, thought: &Thought<'_>) {
    let sealed = thought.seal.as_ref().filter(|seal| seal.redacted || seal.wire != Wire::Messages);
    let format = thought.seal.as_ref().map_or("unknown", |seal| format_of(seal.wire));
    if !thought.text.is_empty() || sealed.is_none() {
        writer.object(|writer| {
            let summary = format == format_of(Wire::Responses);
            writer.key("type").string(if summary { "reasoning.summary" } else { "reasoning.text" });
            writer.key(if summary { "summary" } else { "text" }).prose(&thought.text);
            if let (Some(seal), None) = (&thought.seal, sealed) {
                writer.key("signature").string(&seal.data);
            }
            writer.key("format").string(format);
        });
    }
    if let Some(seal) = sealed {
        writer.object(|writer| {
            writer.key("type").string("reasoning.encrypted");
            writer.key("data").string(&seal.data);
            if let Some(id) = &seal.id {
                writer.key("id").string(id);
            }
            writer.key("format").string(format);
        });
    }
}

/// OpenRouter's names of the wires that seal thoughts.
fn format_of(wire: Wire) -> &'static str {
    match wire {
        Wire::Messages | Wire::Converse => "anthropic-claude-v1",
        Wire::Responses => "openai-responses-v1",
        Wire::Gemini => "google-gemini-v1",
        Wire::Chat | Wire::Cohere => "unknown",
    }
}

fn wire_of(format: &str) -> Wire {
    match format.split('-').next() {
        Some("anthropic") => Wire::Messages,
        Some("openai" | "xai" | "azure") => Wire::Responses,
        Some("google") => Wire::Gemini,
        Some(_) | None => Wire::Chat,
    }
}

/// Writes one of `thinking_blocks`.
pub(super) fn write_block(writer: &mut Writer, text: &Prose<'_>, seal: &Seal<'_>) {
    writer.object(|writer| {
        if seal.redacted {
            writer.key("type").string("redacted_thinking");
            writer.key("data").string(&seal.data);
        } else {
            writer.key("type").string("thinking");
            writer.key("thinking").prose(text);
            writer.key("signature").string(&seal.data);
        }
    });
}
