//! The turns of a request as they are written.

use std::collections::{HashMap, HashSet};

use crate::chat::part::{Call, CallResult, Thought};
use crate::codec::gemini::plan::{Entry, Piece, Plan, Target, calls, fits_result, media_of};
use crate::codec::gemini::{media, raw, result};
use crate::codec::writer::Writer;

/// The base64 of `skip_thought_signature_validator`: what Google documents for calls whose signature nobody knows.
pub const SKIP: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// Writes `systemInstruction` and `contents`.
pub fn write(writer: &mut Writer, plan: &Plan<'_>, target: &Target<'_>) {
    if !plan.system.is_empty() {
        writer.key("systemInstruction").object(|writer| {
            writer.key("parts").array(|writer| {
                for text in &plan.system {
                    writer.object(|writer| writer.key("text").prose(text));
                }
            });
        });
    }
    let current = plan.current_turn();
    let mut signatures = Signatures::default();
    let mut names: HashMap<&str, &str> = HashMap::new();
    writer.key("contents").array(|writer| {
        for (index, entry) in plan.entries.iter().enumerate() {
            writer.object(|writer| match entry {
                Entry::User(pieces) => {
                    writer.key("role").string("user");
                    writer.key("parts").array(|writer| pieces_out(writer, pieces, target, &mut signatures, None));
                }
                Entry::Model(pieces) => {
                    names.extend(last_first(entry).map(|call| (call.id.as_ref(), call.name.as_ref())));
                    let skip =
                        (target.generation.is_3() && index >= current && signatures.lacks(entry)).then_some(SKIP);
                    writer.key("role").string("model");
                    writer.key("parts").array(|writer| pieces_out(writer, pieces, target, &mut signatures, skip));
                }
                Entry::Results(results) => {
                    writer.key("role").string("user");
                    writer.key("parts").array(|writer| {
                        results.iter().for_each(|one| result_out(writer, one, name_of(&names, one), target));
                    });
                }
            });
        }
    });
}

/// The calls of an entry, the first of them last: of two with one id, the first is meant.
fn last_first<'r>(entry: &Entry<'r>) -> impl Iterator<Item = &'r Call<'r>> + use<'r> {
    let calls: Vec<&'r Call<'r>> = calls(entry).collect();
    calls.into_iter().rev()
}

/// The name of the call that a result belongs to, of those before it and the nearest.
fn name_of<'n>(names: &HashMap<&str, &'n str>, result: &'n CallResult<'_>) -> &'n str {
    match names.get(result.id.as_ref()) {
        Some(name) => name,
        None => result.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("unknown_tool"),
    }
}

/// Signatures that are written: each copy is billed.
#[derive(Default)]
struct Signatures<'r>(HashSet<&'r str>);

impl<'r> Signatures<'r> {
    /// Whether a step of the model's calls tools and brings no signature that is not written yet.
    fn lacks(&self, entry: &Entry<'_>) -> bool {
        let fresh = |signature: &str| !self.0.contains(signature);
        calls(entry).next().is_some() && !calls(entry).any(|call| call.signature.as_deref().is_some_and(fresh))
    }

    /// Writes the signature unless it is written already, and says whether it did.
    fn write(&mut self, writer: &mut Writer, signature: &'r str) -> bool {
        let fresh = self.0.insert(signature);
        if fresh {
            writer.key("thoughtSignature").string(signature);
        }
        fresh
    }
}

fn pieces_out<'r>(
    writer: &mut Writer,
    pieces: &[Piece<'r>],
    target: &Target<'_>,
    signatures: &mut Signatures<'r>,
    mut skip: Option<&str>,
) {
    let mut rest = pieces;
    while let Some((piece, after)) = rest.split_first() {
        rest = after;
        match piece {
            Piece::Raw(bytes) => writer.raw(bytes),
            Piece::Thought(thought) => writer.object(|writer| {
                writer.key("text").prose(&thought.text);
                if !thought.text.is_empty() {
                    writer.key("thought").bool(true);
                }
                sign(writer, thought, signatures);
            }),
            Piece::Call(call) => writer.object(|writer| {
                call_out(writer, call, target.takes_ids());
                let signed = call.signature.as_ref().is_some_and(|signature| signatures.write(writer, signature));
                if let (false, Some(skip)) = (signed, skip.take()) {
                    writer.key("thoughtSignature").string(skip);
                }
            }),
            Piece::Text(_) | Piece::Media(_) | Piece::Blank => writer.object(|writer| {
                match piece {
                    Piece::Text(text) => writer.key("text").prose(text),
                    Piece::Media(one) => media::write(writer, one),
                    _ => writer.key("text").string(" "),
                }
                // A thought without words is the signature of what stands before it (see `part_in`).
                if let Some((Piece::Thought(thought), after)) = rest.split_first()
                    && thought.text.is_empty()
                {
                    sign(writer, thought, signatures);
                    rest = after;
                }
            }),
        }
    }
}

fn sign<'r>(writer: &mut Writer, thought: &'r Thought<'r>, signatures: &mut Signatures<'r>) {
    if let Some(seal) = &thought.seal {
        signatures.write(writer, &seal.data);
    }
}

/// Writes `functionCall`.
pub fn call_out(writer: &mut Writer, call: &Call<'_>, with_id: bool) {
    writer.key("functionCall").object(|writer| {
        if with_id && !call.id.is_empty() {
            writer.key("id").string(&call.id);
        }
        writer.key("name").string(&call.name);
        raw::write_arguments(writer.key("args"), &call.arguments);
    });
}

fn result_out(writer: &mut Writer, one: &CallResult<'_>, name: &str, target: &Target<'_>) {
    let (inside, outside): (Vec<_>, Vec<_>) = media_of(one).partition(|media| fits_result(media, target));
    let note = (!outside.is_empty()).then_some("[the media of this result follow]");
    writer.object(|writer| {
        writer.key("functionResponse").object(|writer| {
            if target.takes_ids() && !one.id.is_empty() {
                writer.key("id").string(&one.id);
            }
            writer.key("name").string(name);
            result::write(writer.key("response"), one, note);
            if !inside.is_empty() {
                writer.key("parts").array(|writer| {
                    inside.iter().for_each(|one| writer.object(|writer| media::write(writer, one)));
                });
            }
        });
    });
}
