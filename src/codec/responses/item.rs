//! Reads items: what the client and the model said, called and thought. The same items stand in requests and in answers.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::part::{
    CacheMark, Call, CallKind, CallResult, Citation, Content, Media, MediaKind, Part, Seal, Source, Thought,
};
use crate::chat::prose::Prose;
use crate::chat::request::{Foreign, Request, Role, Turn};
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Text};
use crate::codec::responses::mark::{is_invented, join, join_namespace, read_seal};
use crate::codec::responses::value::{Members, Value};

/// Reads one item of `input` into the conversation.
pub(super) fn read_item<'a>(value: Value<'a>, item: Members<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let kind = match item.string("type")? {
        Some(kind) => kind.text(),
        // The API takes a message and a reference without a type.
        None if item.get("role").is_some() => Cow::Borrowed("message"),
        None if item.get("id").is_some() => Cow::Borrowed("item_reference"),
        None => return Err(item.malformed("an item needs a `type` or a `role`")),
    };
    match kind.as_ref() {
        "message" => read_message(&item, &mut request.turns),
        "function_call" | "custom_tool_call" => {
            let call = read_call(&item, call_kind(&kind)).ok_or_else(|| {
                item.malformed("a call needs `call_id` and `name`, and its `arguments` or `input` as a string")
            })?;
            say(&mut request.turns, Role::Assistant, Content::Call(call).into());
            Ok(())
        }
        "function_call_output" | "custom_tool_call_output" => {
            let result = read_result(&item, call_kind(&kind))?;
            say(&mut request.turns, Role::Tool, Content::Result(result).into());
            Ok(())
        }
        "reasoning" => {
            say(&mut request.turns, Role::Assistant, Content::Thought(read_thought(&item)).into());
            Ok(())
        }
        _ => {
            // What only OpenAI can look up or open is more than a part that goes missing.
            if matches!(kind.as_ref(), "item_reference" | "compaction") {
                request.foreign.push(Foreign {
                    feature: Feature::Conversation,
                    wire: Wire::Responses,
                    name: Cow::Borrowed(ITEM),
                    value: value.json(),
                });
            }
            let raw = value.json();
            say(&mut request.turns, Role::Assistant, Content::Foreign { wire: Wire::Responses, kind, raw }.into());
            Ok(())
        }
    }
}

/// The name of a foreign member that only says: an item of the conversation is in OpenAI's store. It is not written.
pub(super) const ITEM: &str = "input.item";

fn call_kind(kind: &str) -> CallKind {
    if kind.starts_with("custom_tool") { CallKind::Custom } else { CallKind::Function }
}

/// Adds a part to the last turn when that is the same side's, else in a turn of its own.
fn say<'a>(turns: &mut Vec<Turn<'a>>, role: Role, part: Part<'a>) {
    match turns.last_mut() {
        Some(turn) if turn.role == role => turn.parts.push(part),
        _ => turns.push(Turn { role, parts: vec![part], name: None }),
    }
}

fn read_message<'a>(item: &Members<'a>, turns: &mut Vec<Turn<'a>>) -> Result<(), Malformed> {
    let role = item.need("role", "a message needs a `role`")?;
    let role = match role.text().as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" | "developer" => Role::System,
        _ => return Err(item.malformed("a role is `user`, `assistant`, `system` or `developer`")),
    };
    let parts = match item.get("content") {
        Some(content) => read_parts(&content)?,
        None => return Err(item.malformed("a message needs a `content`")),
    };
    if role == Role::Assistant {
        parts.into_iter().for_each(|part| say(turns, role, part));
    } else if !parts.is_empty() {
        turns.push(Turn { role, parts, name: None });
    }
    Ok(())
}

/// A string, or a list of parts.
fn read_parts<'a>(content: &Value<'a>) -> Result<Vec<Part<'a>>, Malformed> {
    if let Some(text) = content.text() {
        return Ok(vec![Content::text(text.prose()).into()]);
    }
    if !content.is_array() {
        return Err(content.malformed("a string or an array of parts is expected"));
    }
    let mut parts = Vec::new();
    content.each_object(|value, part| {
        parts.push(read_part(&value, &part)?);
        Ok(())
    })?;
    Ok(parts)
}

fn read_part<'a>(value: &Value<'a>, part: &Members<'a>) -> Result<Part<'a>, Malformed> {
    let kind = part.need("type", "a part needs a `type`")?.text();
    let content = match kind.as_ref() {
        "input_text" | "output_text" | "text" | "summary_text" => {
            let text = part.need("text", "a text part needs a `text`")?.prose();
            Content::Text { text, citations: read_citations(part) }
        }
        "refusal" => Content::Refusal(part.need("refusal", "a refusal needs its `refusal`")?.prose()),
        "input_image" => Content::Media(read_image(part)?),
        "input_file" => Content::Media(read_file(part)?),
        "input_audio" => Content::Media(read_audio(part)?),
        _ => Content::Foreign { wire: Wire::Responses, kind, raw: value.json() },
    };
    Ok(Part { content, cache: read_breakpoint(part) })
}

fn read_breakpoint(part: &Members<'_>) -> Option<CacheMark> {
    let mark = part.object("prompt_cache_breakpoint")?;
    Some(if mark.text("ttl").is_some_and(|ttl| ttl.is("12h")) { CacheMark::Long } else { CacheMark::Short })
}

fn read_image<'a>(part: &Members<'a>) -> Result<Media<'a>, Malformed> {
    let (source, media_type) = match (part.string("image_url")?, part.string("file_id")?) {
        (Some(url), _) => read_url(url.text()),
        (None, Some(id)) => (Source::File(id.text()), None),
        (None, None) => return Err(part.malformed("an image needs an `image_url` or a `file_id`")),
    };
    let detail = part.string("detail")?.map(|detail| detail.text());
    Ok(Media { kind: MediaKind::Image, source, media_type, name: None, detail })
}

fn read_file<'a>(part: &Members<'a>) -> Result<Media<'a>, Malformed> {
    let name = part.string("filename")?;
    let (source, media_type) = match (part.string("file_data")?, part.string("file_url")?, part.string("file_id")?) {
        (Some(data), _, _) => match read_url(data.text()) {
            // Bare base64 is taken too.
            (Source::Url(data), _) => (Source::Base64(data), None),
            read => read,
        },
        (None, Some(url), _) => read_url(url.text()),
        (None, None, Some(id)) => (Source::File(id.text()), None),
        (None, None, None) => return Err(part.malformed("a file needs `file_data`, a `file_url` or a `file_id`")),
    };
    let is_pdf = |name: Text<'a>| name.raw().to_ascii_lowercase().ends_with(b".pdf");
    let media_type = media_type.or_else(|| name.is_some_and(is_pdf).then_some(Cow::Borrowed("application/pdf")));
    let name = name.map(|name| name.prose());
    Ok(Media { kind: MediaKind::Document, source, media_type, name, detail: None })
}

fn read_audio<'a>(part: &Members<'a>) -> Result<Media<'a>, Malformed> {
    let Some(audio) = part.object("input_audio") else {
        return Err(part.malformed("sound needs its `input_audio`"));
    };
    let data = audio.need("data", "sound needs its `data`")?.text();
    let media_type = audio.string("format")?.map(|format| Cow::Owned(format!("audio/{}", format.text())));
    let source = match read_url(data) {
        (Source::Url(data), _) => Source::Base64(data),
        (source, _) => source,
    };
    Ok(Media { kind: MediaKind::Audio, source, media_type, name: None, detail: None })
}

/// A `data:` URL's bytes and type; any other URL as it is.
fn read_url(url: Cow<'_, str>) -> (Source<'_>, Option<Cow<'_, str>>) {
    let comma = url.strip_prefix("data:").and_then(|rest| rest.find(";base64,")).map(|at| at + "data:".len());
    let Some(comma) = comma else { return (Source::Url(url), None) };
    let media_type = piece(&url, "data:".len(), Some(comma));
    // A type may carry parameters, which no other wire takes.
    let media_type: Cow<'_, str> = match media_type.split_once(';') {
        Some((plain, _)) => Cow::Owned(plain.to_owned()),
        None => media_type,
    };
    let data = piece(&url, comma + ";base64,".len(), None);
    (Source::Base64(data), (!media_type.is_empty()).then_some(media_type))
}

/// A part of a text, borrowed where the text is.
fn piece<'a>(text: &Cow<'a, str>, from: usize, to: Option<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(from..to.unwrap_or(text.len())).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(from..to.unwrap_or(text.len())).unwrap_or_default().to_owned()),
    }
}

/// The call of a `function_call` or `custom_tool_call` item; `None` when it lacks what makes it one.
pub(super) fn read_call<'a>(item: &Members<'a>, kind: CallKind) -> Option<Call<'a>> {
    let text = match kind {
        CallKind::Function => "arguments",
        CallKind::Custom => "input",
    };
    let arguments = match item.get(text) {
        None => Prose::EMPTY,
        Some(value) => value.text()?.prose(),
    };
    let name = join_namespace(item.word("namespace"), item.word("name")?);
    Some(Call { id: item.word("call_id")?, name, arguments, kind, signature: None })
}

fn read_result<'a>(item: &Members<'a>, kind: CallKind) -> Result<CallResult<'a>, Malformed> {
    let id = item.need("call_id", "a call's output needs the `call_id`")?.text();
    let name = item.word("name").map(|name| join_namespace(item.word("namespace"), name));
    let parts = match item.get("output") {
        Some(output) => read_parts(&output)?,
        None => return Err(item.malformed("a call's output needs its `output`")),
    };
    Ok(CallResult { id, name, parts, is_error: false, kind })
}

/// The thought of a `reasoning` item: its summary, or the thinking itself where only that is shown.
pub(super) fn read_thought<'a>(item: &Members<'a>) -> Thought<'a> {
    let texts = |name: &str| -> Prose<'a> {
        let parts = item.objects(name);
        join(parts.iter().filter_map(|(_, part)| part.prose("text")).collect(), "\n\n")
    };
    let summary = texts("summary");
    let text = if summary.is_empty() { texts("content") } else { summary };
    Thought { text, seal: read_item_seal(item) }
}

/// The seal of a `reasoning` item. An item that OpenAI stores is sealed by its id alone.
pub(super) fn read_item_seal<'a>(item: &Members<'a>) -> Option<Seal<'a>> {
    let id = item.word("id").filter(|id| !id.is_empty() && !is_invented(id));
    match item.word("encrypted_content").filter(|content| !content.is_empty()) {
        Some(content) => Some(read_seal(content, id)),
        None => id.map(|id| read_seal(Cow::Borrowed(""), Some(id))),
    }
}

/// The annotations of a text part.
pub(super) fn read_citations<'a>(part: &Members<'a>) -> Vec<Citation<'a>> {
    part.objects("annotations").iter().map(|(value, annotation)| read_citation(value, annotation)).collect()
}

/// One annotation.
pub(super) fn read_citation<'a>(value: &Value<'a>, annotation: &Members<'a>) -> Citation<'a> {
    let span = annotation.number("start_index").zip(annotation.number("end_index"));
    Citation {
        url: annotation.word("url"),
        title: annotation.prose("title").or_else(|| annotation.prose("filename")),
        quote: None,
        span,
        raw: Some((Wire::Responses, value.json())),
    }
}
