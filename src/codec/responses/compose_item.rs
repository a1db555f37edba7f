//! Writes the conversation of a request as `instructions` and items. Not its settings (see `compose`).

use std::borrow::Cow;

use crate::chat::capability::Capability;
use crate::chat::feature::Feature;
use crate::chat::part::{Call, CallKind, CallResult, Citation, Content, Media, MediaKind, Part, Source, Thought};
use crate::chat::prose::Prose;
use crate::chat::request::{Role, Turn};
use crate::chat::traits::Trait;
use crate::chat::wire::Wire;
use crate::codec::responses::composer::{Composer, impossible, write_mark};
use crate::codec::responses::mark::join;
use crate::codec::wire::Impossible;
use crate::codec::writer::Writer;

/// The first turn where it is a system prompt of nothing but text, and something follows it: `input` may not be empty.
/// `instructions` cannot be marked for the cache.
pub(super) fn leading_instructions<'r, 'a>(composer: &Composer<'r, 'a>) -> Option<&'r Turn<'a>> {
    let (first, rest) = composer.request.turns.split_first()?;
    let plain =
        |part: &Part<'_>| matches!(part.content, Content::Text { .. }) && !(composer.marks() && part.cache.is_some());
    let taken = !composer.shape.is(Trait::NoSystem);
    let leads = first.role == Role::System && taken && !rest.is_empty() && first.parts.iter().all(plain);
    leads.then_some(first)
}

/// Writes `instructions`.
pub(super) fn write_instructions(composer: &mut Composer<'_, '_>, turn: &Turn<'_>, writer: &mut Writer) {
    note_turn(composer, turn);
    let texts = turn.parts.iter().filter_map(|part| {
        composer.lose_mark(part);
        match &part.content {
            Content::Text { text, .. } => Some(text.borrowed()),
            _ => None,
        }
    });
    let text = join(texts.collect(), "\n\n");
    if !text.is_empty() {
        writer.key("instructions").prose(&text);
    }
}

/// Writes `input`: every turn, or those after the first.
pub(super) fn write_input(
    composer: &mut Composer<'_, '_>,
    skip_first: bool,
    writer: &mut Writer,
) -> Result<(), Impossible> {
    let request = composer.request;
    let mut result = Ok(());
    writer.key("input").array(|writer| {
        for turn in request.turns.iter().skip(usize::from(skip_first)) {
            note_turn(composer, turn);
            let written = match turn.role {
                Role::System => write_system(composer, turn, writer),
                Role::User => write_message(composer, "user", turn, writer),
                Role::Assistant => write_answer(composer, turn, writer),
                Role::Tool => write_results(composer, turn, writer),
            };
            if result.is_ok() {
                result = written;
            }
        }
    });
    let speaks = |part: &Part<'_>| matches!(part.content, Content::Text { .. } | Content::Refusal(_));
    let last = request.turns.last().filter(|turn| turn.role == Role::Assistant);
    if last.and_then(|turn| turn.parts.last()).is_some_and(speaks) {
        composer.lose(Feature::Prefill);
    }
    result
}

fn note_turn(composer: &mut Composer<'_, '_>, turn: &Turn<'_>) {
    if turn.name.is_some() {
        composer.lose(Feature::Name);
    }
}

/// Writes a system prompt that is no `instructions`, in the role that the model takes.
fn write_system(composer: &mut Composer<'_, '_>, turn: &Turn<'_>, writer: &mut Writer) -> Result<(), Impossible> {
    let role = if composer.shape.is(Trait::NoSystem) {
        composer.lose(Feature::LateSystem);
        "user"
    } else if composer.shape.is(Trait::NoDeveloperRole) {
        "system"
    } else {
        "developer"
    };
    write_message(composer, role, turn, writer)
}

/// Writes a message of the user or the operator.
fn write_message(
    composer: &mut Composer<'_, '_>,
    role: &str,
    turn: &Turn<'_>,
    writer: &mut Writer,
) -> Result<(), Impossible> {
    let parts: Vec<&Part<'_>> = turn.parts.iter().filter(|part| !is_empty(part)).collect();
    if parts.is_empty() {
        return Ok(());
    }
    let mut result = Ok(());
    writer.object(|writer| {
        writer.key("type").string("message");
        writer.key("role").string(role);
        writer.key("content");
        match parts.as_slice() {
            [part @ Part { content: Content::Text { text, .. }, .. }] if part.cache.is_none() || !composer.marks() => {
                composer.lose_mark(part);
                writer.prose(text);
            }
            parts => writer.array(|writer| {
                for part in parts {
                    let written = write_marked(composer, part, writer);
                    if result.is_ok() {
                        result = written;
                    }
                }
            }),
        }
    });
    result
}

fn is_empty(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Text { text, .. } if text.is_empty())
}

/// Writes a part of a message, with its breakpoint.
fn write_marked(composer: &mut Composer<'_, '_>, part: &Part<'_>, writer: &mut Writer) -> Result<(), Impossible> {
    let (Content::Text { text, .. }, Some(mark)) = (&part.content, composer.takes_mark(part)) else {
        return write_part(composer, part, "", writer);
    };
    writer.object(|writer| {
        writer.key("type").string("input_text");
        writer.key("text").prose(text);
        write_mark(writer, mark);
    });
    Ok(())
}

/// Writes a part of a message or of a tool's result; `prefix` goes before its text.
fn write_part(
    composer: &mut Composer<'_, '_>,
    part: &Part<'_>,
    prefix: &str,
    writer: &mut Writer,
) -> Result<(), Impossible> {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => write_text(prefix, text, writer),
        Content::Media(media) => return write_media(composer, media, writer),
        Content::Foreign { wire: Wire::Responses, raw, .. } => writer.json(raw),
        Content::Foreign { .. } => composer.lose(Feature::Unknown),
        Content::Thought(_) => composer.lose(Feature::Thoughts),
        // Calls and results stand in turns of their own.
        Content::Call(_) | Content::Result(_) => composer.lose(Feature::Unknown),
    }
    Ok(())
}

fn write_text(prefix: &str, text: &Prose<'_>, writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("type").string("input_text");
        writer.key("text").prose_after(prefix, text);
    });
}

fn write_media(composer: &mut Composer<'_, '_>, media: &Media<'_>, writer: &mut Writer) -> Result<(), Impossible> {
    match (media.kind, &media.source) {
        (MediaKind::Video, _) => Err(impossible(Feature::Video, "the responses API takes no moving pictures")),
        (MediaKind::Audio, source) => write_audio(composer, media, source, writer),
        (_, Source::File(id)) if !id.starts_with("file-") && !id.starts_with("assistant-") => {
            Err(impossible(Feature::StoredFile, "a stored file stays with its vendor"))
        }
        (_, Source::Url(url)) if !url.starts_with("https:") && !url.starts_with("http:") => {
            Err(impossible(Feature::RemoteMedia, "the responses API fetches http and https alone"))
        }
        (MediaKind::Document, Source::Text(text)) => {
            write_text("", text, writer);
            Ok(())
        }
        (MediaKind::Image, Source::Text(_)) => Err(impossible(Feature::Image, "an image is no text")),
        (MediaKind::Image, source) => {
            writer.object(|writer| {
                writer.key("type").string("input_image");
                match source {
                    Source::File(id) => writer.key("file_id").string(id),
                    Source::Url(url) => writer.key("image_url").string(url),
                    Source::Base64(data) => {
                        write_data_url(writer.key("image_url"), media, "image/png", data);
                    }
                    Source::Text(_) => {}
                }
                // OpenAI's SDKs want it said; `auto` is what an absent one means.
                writer.key("detail").string(media.detail.as_deref().unwrap_or("auto"));
            });
            Ok(())
        }
        (MediaKind::Document, source) => {
            writer.object(|writer| write_file(media, source, writer));
            Ok(())
        }
    }
}

fn write_file(media: &Media<'_>, source: &Source<'_>, writer: &mut Writer) {
    writer.key("type").string("input_file");
    match source {
        Source::File(id) => writer.key("file_id").string(id),
        Source::Url(url) => writer.key("file_url").string(url),
        Source::Base64(data) => {
            // The API wants a name beside the bytes.
            match &media.name {
                Some(name) => writer.key("filename").prose(name),
                None => writer.key("filename").string("document.pdf"),
            }
            write_data_url(writer.key("file_data"), media, "application/pdf", data);
        }
        Source::Text(_) => {}
    }
}

fn write_audio(
    composer: &Composer<'_, '_>,
    media: &Media<'_>,
    source: &Source<'_>,
    writer: &mut Writer,
) -> Result<(), Impossible> {
    let format = match media.media_type.as_deref() {
        Some("audio/wav" | "audio/x-wav" | "audio/wave") => "wav",
        Some("audio/mp3" | "audio/mpeg") => "mp3",
        _ => return Err(impossible(Feature::AudioIn, "the responses API hears wav and mp3 alone")),
    };
    let Source::Base64(data) = source else {
        return Err(impossible(Feature::AudioIn, "the responses API hears sound in the request alone"));
    };
    if composer.shape.lacks(Capability::AudioIn) {
        return Err(impossible(Feature::AudioIn, "the model does not hear"));
    }
    writer.object(|writer| {
        writer.key("type").string("input_audio");
        writer.key("input_audio").object(|writer| {
            writer.key("data").string(data);
            writer.key("format").string(format);
        });
    });
    Ok(())
}

fn write_data_url(writer: &mut Writer, media: &Media<'_>, usual: &str, data: &str) {
    let prefix = format!("data:{};base64,", media.media_type.as_deref().unwrap_or(usual));
    writer.prose_after(&prefix, &Prose::plain(data));
}

/// Writes the items of one answer: texts that follow each other are one message.
fn write_answer(composer: &mut Composer<'_, '_>, turn: &Turn<'_>, writer: &mut Writer) -> Result<(), Impossible> {
    let parts: Vec<&Part<'_>> = turn.parts.iter().filter(|part| !is_empty(part)).collect();
    let speaks = |part: &Part<'_>| matches!(part.content, Content::Text { .. } | Content::Refusal(_));
    for group in parts.chunk_by(|left, right| speaks(left) && speaks(right)) {
        let Some(first) = group.first() else { continue };
        if speaks(first) {
            write_said(composer, group, writer);
            continue;
        }
        composer.lose_mark(first);
        match &first.content {
            Content::Call(call) => write_call(call, writer),
            Content::Thought(thought) => write_thought(composer, thought, writer),
            Content::Foreign { wire: Wire::Responses, raw, .. } => writer.json(raw),
            Content::Foreign { .. } => composer.lose(Feature::HostedTools),
            Content::Media(media) => composer.lose(match media.kind {
                MediaKind::Image => Feature::Image,
                MediaKind::Document => Feature::Document,
                MediaKind::Audio => Feature::AudioOut,
                MediaKind::Video => Feature::Video,
            }),
            Content::Text { .. } | Content::Refusal(_) | Content::Result(_) => {}
        }
    }
    Ok(())
}

fn write_said(composer: &mut Composer<'_, '_>, group: &[&Part<'_>], writer: &mut Writer) {
    writer.object(|writer| {
        writer.key("type").string("message");
        writer.key("role").string("assistant");
        if let [Part { content: Content::Text { text, citations }, .. }] = group
            && citations.is_empty()
        {
            group.iter().for_each(|part| composer.lose_mark(part));
            // Servers differ on parts of an answer without an id; a string is taken by all.
            return writer.key("content").prose(text);
        }
        writer.key("content").array(|writer| {
            for part in group {
                composer.lose_mark(part);
                writer.object(|writer| match &part.content {
                    Content::Refusal(text) => {
                        writer.key("type").string("refusal");
                        writer.key("refusal").prose(text);
                    }
                    Content::Text { text, citations } => {
                        writer.key("type").string("output_text");
                        writer.key("text").prose(text);
                        let kept = citations.iter().filter(|citation| can_annotate(citation)).count();
                        if kept < citations.len() {
                            composer.lose(Feature::Citations);
                        }
                        if kept > 0 {
                            writer.key("annotations").array(|writer| write_annotations(citations, writer));
                        }
                    }
                    _ => {}
                });
            }
        });
    });
}

/// Whether the format has an annotation for it: its own, or an address with a place in the text.
pub(super) fn can_annotate(citation: &Citation<'_>) -> bool {
    matches!(citation.raw, Some((Wire::Responses, _))) || (citation.url.is_some() && citation.span.is_some())
}

/// Writes those citations that the format has an annotation for.
pub(super) fn write_annotations(citations: &[Citation<'_>], writer: &mut Writer) {
    citations.iter().filter(|citation| can_annotate(citation)).for_each(|citation| write_annotation(citation, writer));
}

/// Writes one annotation.
pub(super) fn write_annotation(citation: &Citation<'_>, writer: &mut Writer) {
    if let Some((Wire::Responses, raw)) = &citation.raw {
        writer.json(raw);
        return;
    }
    let (start, end) = citation.span.unwrap_or_default();
    writer.object(|writer| {
        writer.key("type").string("url_citation");
        writer.key("url").string(citation.url.as_deref().unwrap_or_default());
        writer.key("title").prose(citation.title.as_ref().unwrap_or(&Prose::EMPTY));
        writer.key("start_index").number(start);
        writer.key("end_index").number(end);
    });
}

fn write_call(call: &Call<'_>, writer: &mut Writer) {
    writer.object(|writer| {
        let text = match call.kind {
            CallKind::Function => {
                writer.key("type").string("function_call");
                "arguments"
            }
            CallKind::Custom => {
                writer.key("type").string("custom_tool_call");
                "input"
            }
        };
        writer.key("call_id").string(&call.id);
        writer.key("name").string(&call.name);
        match call.kind {
            CallKind::Function if call.arguments.is_empty() => writer.key(text).string("{}"),
            _ => writer.key(text).prose(&call.arguments),
        }
    });
}

/// Writes a thought that OpenAI sealed; others mean nothing to it, and an item without its seal is looked up in a store
/// where it is not.
fn write_thought(composer: &mut Composer<'_, '_>, thought: &Thought<'_>, writer: &mut Writer) {
    let Some(seal) = thought.seal.as_ref().filter(|seal| seal.wire == Wire::Responses) else {
        composer.lose(Feature::Thoughts);
        return;
    };
    writer.object(|writer| {
        writer.key("type").string("reasoning");
        if let Some(id) = &seal.id {
            writer.key("id").string(id);
        }
        writer.key("summary").array(|writer| {
            if !thought.text.is_empty() {
                writer.object(|writer| {
                    writer.key("type").string("summary_text");
                    writer.key("text").prose(&thought.text);
                });
            }
        });
        if !seal.data.is_empty() {
            writer.key("encrypted_content").string(&seal.data);
        }
    });
}

fn write_results(composer: &mut Composer<'_, '_>, turn: &Turn<'_>, writer: &mut Writer) -> Result<(), Impossible> {
    for part in &turn.parts {
        composer.lose_mark(part);
        match &part.content {
            Content::Result(result) => write_result(composer, result, writer)?,
            Content::Foreign { wire: Wire::Responses, raw, .. } => writer.json(raw),
            _ => composer.lose(Feature::Unknown),
        }
    }
    Ok(())
}

fn write_result(
    composer: &mut Composer<'_, '_>,
    result: &CallResult<'_>,
    writer: &mut Writer,
) -> Result<(), Impossible> {
    let prefix = if result.is_error { "Error: " } else { "" };
    if result.is_error {
        composer.lose(Feature::FailedResult);
    }
    let mut outcome = Ok(());
    writer.object(|writer| {
        writer.key("type").string(match result.kind {
            CallKind::Function => "function_call_output",
            CallKind::Custom => "custom_tool_call_output",
        });
        writer.key("call_id").string(&result.id);
        writer.key("output");
        match result.parts.as_slice() {
            [] => writer.string(prefix.trim_end_matches([':', ' '])),
            [part @ Part { content: Content::Text { text, .. }, .. }] => {
                composer.lose_mark(part);
                writer.prose_after(prefix, text);
            }
            parts => writer.array(|writer| outcome = write_outputs(composer, parts, prefix, writer)),
        }
    });
    outcome
}

fn write_outputs(
    composer: &mut Composer<'_, '_>,
    parts: &[Part<'_>],
    prefix: &str,
    writer: &mut Writer,
) -> Result<(), Impossible> {
    let first = parts.iter().position(|part| matches!(part.content, Content::Text { .. }));
    if first.is_none() && !prefix.is_empty() {
        write_text("", &Prose::Plain(Cow::Borrowed("Error")), writer);
    }
    for (index, part) in parts.iter().enumerate() {
        composer.lose_mark(part);
        write_part(composer, part, if Some(index) == first { prefix } else { "" }, writer)?;
    }
    Ok(())
}
