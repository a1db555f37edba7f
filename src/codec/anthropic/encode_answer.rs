//! Writes a whole answer in the shape that Anthropic's SDKs accept. Not a stream.

use crate::chat::answer::Answer;
use crate::chat::part::Content;
use crate::chat::usage::Usage;
use crate::codec::anthropic::encode_block;
use crate::codec::anthropic::finish;
use crate::codec::anthropic::usage;
use crate::codec::wire::Frame;
use crate::codec::writer::Writer;

/// The body of a 200.
pub(super) fn answer(answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
    let mut writer = Writer::with_capacity(1_024);
    let called = answer.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    let refused = answer.parts.iter().any(|part| matches!(part.content, Content::Refusal(_)));
    writer.object(|writer| {
        writer.key("id").string(&id(answer.id.as_deref(), frame));
        writer.key("type").string("message");
        writer.key("role").string("assistant");
        writer.key("model").string(answer.model.as_deref().unwrap_or(&frame.model));
        writer.key("content").array(|writer| {
            for (index, part) in answer.parts.iter().enumerate() {
                encode_block::answer_part(writer, part, index, frame);
            }
        });
        writer.key("stop_reason").string(finish::reason(&answer.finish, called, refused));
        match finish::sequence(&answer.finish) {
            Some(sequence) => writer.key("stop_sequence").string(sequence),
            None => writer.key("stop_sequence").null(),
        }
        let estimate = Usage::estimated(frame.input_tokens, 0);
        usage::write(writer.key("usage"), answer.usage.as_ref().unwrap_or(&estimate));
    });
    writer.into_bytes()
}

/// The vendor's id, or one like Anthropic's.
pub(super) fn id(id: Option<&str>, frame: &Frame) -> String {
    match id {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("msg_{}", frame.id),
    }
}
