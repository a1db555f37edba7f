//! Writes response objects: the whole answer, and the same object in a stream's events. Not the events (see `narrate`).

use std::borrow::Cow;

use crate::chat::answer::{Answer, Finish};
use crate::chat::failure::Failure;
use crate::chat::part::{CallKind, Content, MediaKind, Part, Seal, Source};
use crate::chat::prose::Prose;
use crate::chat::usage::Usage;
use crate::chat::wire::Wire;
use crate::codec::responses::compose_item::{can_annotate, write_annotation};
use crate::codec::responses::failure::{optional, response_code};
use crate::codec::responses::mark::{INVENTED_REASONING, push_escaped, seal_text, split_namespace};
use crate::codec::wire::Frame;
use crate::codec::writer::Writer;

/// What a response says of itself.
#[derive(Debug)]
pub(super) struct Head {
    id: String,
    created: u64,
    model: String,
    service_tier: Option<String>,
}

impl Head {
    /// The head of an answer whose vendor says so much of it.
    pub(super) fn new(frame: &Frame, id: Option<&str>, model: Option<&str>, service_tier: Option<&str>) -> Self {
        // The ids of other formats are no response ids, and clients check how they begin.
        let own = id.filter(|id| id.starts_with("resp_"));
        Self {
            id: own.map_or_else(|| format!("resp_{}", frame.id), str::to_owned),
            created: frame.created,
            model: model.unwrap_or(&frame.model).to_owned(),
            service_tier: service_tier.map(str::to_owned),
        }
    }
}

/// How a response stands.
#[derive(Debug, Default)]
pub(super) struct Standing<'a> {
    pub(super) status: &'static str,
    pub(super) incomplete: Option<&'static str>,
    pub(super) error: Option<(&'static str, Cow<'a, str>)>,
    pub(super) usage: Option<Usage>,
}

impl<'a> Standing<'a> {
    /// A response that is being written.
    pub(super) fn in_progress() -> Self {
        Self { status: "in_progress", ..Self::default() }
    }

    /// A response that ended so. `refused` says that a refusal stands in it.
    pub(super) fn ended(finish: &Finish<'_>, refused: bool, usage: Option<Usage>) -> Self {
        let incomplete = match finish {
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => None,
            Finish::Refused if refused => None,
            Finish::Length | Finish::ContextFull | Finish::Paused => Some("max_output_tokens"),
            Finish::Filtered | Finish::Refused => Some("content_filter"),
            // The format has a word for why only where the model could not help it.
            Finish::Broken => return Self { status: "incomplete", incomplete: None, error: None, usage },
        };
        let status = if incomplete.is_some() { "incomplete" } else { "completed" };
        Self { status, incomplete, error: None, usage }
    }

    /// A response that an error ended.
    pub(super) fn failed(failure: &'a Failure<'_>, usage: Option<Usage>) -> Self {
        let error = Some((response_code(failure.kind), Cow::Borrowed(failure.message.as_ref())));
        Self { status: "failed", incomplete: None, error, usage }
    }

    /// The status of an item that the answer ended with.
    pub(super) fn of_item(&self) -> &'static str {
        if self.status == "completed" { "completed" } else { "incomplete" }
    }
}

/// One output item, with its text as it stands between the quotes of a JSON string.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: ItemKind,
    pub(super) status: &'static str,
}

/// What an item is.
#[derive(Debug)]
pub(super) enum ItemKind {
    Message(Vec<Said>),
    Thought {
        text: Vec<u8>,
        seal: Option<String>,
    },
    Call {
        kind: CallKind,
        id: String,
        name: String,
        arguments: Vec<u8>,
    },
    Image(String),
    /// An item of this format as it was written.
    Raw(Vec<u8>),
}

/// A part of a message.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) refusal: bool,
    pub(super) text: Vec<u8>,
    /// Annotations as JSON.
    pub(super) annotations: Vec<Vec<u8>>,
    pub(super) open: bool,
}

impl Item {
    /// An item with an id of Weir's own.
    pub(super) fn new(frame: &str, index: usize, kind: ItemKind) -> Self {
        let prefix = match &kind {
            ItemKind::Message(_) => "msg_",
            ItemKind::Thought { .. } => INVENTED_REASONING,
            ItemKind::Call { kind: CallKind::Function, .. } => "fc_",
            ItemKind::Call { kind: CallKind::Custom, .. } => "ctc_",
            ItemKind::Image(_) => "ig_",
            ItemKind::Raw(_) => "",
        };
        Self { id: format!("{prefix}{frame}_{index}"), kind, status: "in_progress" }
    }

    /// Takes a seal. OpenAI's own is bound to the id of its item; one whose item is known to the client under another id
    /// says so.
    pub(super) fn seal(&mut self, seal: &Seal<'_>, id_is_known: bool) {
        let ItemKind::Thought { seal: place, .. } = &mut self.kind else { return };
        if seal.wire != Wire::Responses || id_is_known {
            *place = Some(seal_text(seal));
            return;
        }
        *place = (!seal.data.is_empty()).then(|| seal.data.clone().into_owned());
        if let Some(id) = &seal.id {
            self.id = id.clone().into_owned();
        }
    }
}

/// Bytes between quotes as prose.
pub(super) fn escaped(text: &[u8]) -> Prose<'_> {
    Prose::Escaped(Cow::Borrowed(text))
}

/// Writes a whole answer.
pub(super) fn encode(answer: &Answer<'_>, frame: &Frame) -> Vec<u8> {
    let mut items = Vec::new();
    answer.parts.iter().for_each(|part| add_part(&mut items, part, frame));
    let refused = answer.parts.iter().any(|part| matches!(part.content, Content::Refusal(_)));
    let head = Head::new(frame, answer.id.as_deref(), answer.model.as_deref(), answer.service_tier.as_deref());
    let standing = Standing::ended(&answer.finish, refused, answer.usage);
    items.iter_mut().for_each(|item| item.status = "completed");
    items.iter_mut().next_back().into_iter().for_each(|item| item.status = standing.of_item());
    let mut writer = Writer::with_capacity(2_048);
    write_response(&mut writer, &head, &standing, &items);
    writer.into_bytes()
}

fn add_part(items: &mut Vec<Item>, part: &Part<'_>, frame: &Frame) {
    let kind = match &part.content {
        Content::Text { text, .. } if text.is_empty() => return,
        Content::Text { text, citations } => {
            let annotations = citations.iter().filter(|citation| can_annotate(citation)).map(|citation| {
                let mut writer = Writer::with_capacity(128);
                write_annotation(citation, &mut writer);
                writer.into_bytes()
            });
            let said = Said { refusal: false, text: own(text), annotations: annotations.collect(), open: false };
            return add_said(items, said, frame);
        }
        Content::Refusal(text) => {
            let said = Said { refusal: true, text: own(text), annotations: Vec::new(), open: false };
            return add_said(items, said, frame);
        }
        Content::Thought(thought) => {
            let mut item =
                Item::new(&frame.id, items.len(), ItemKind::Thought { text: own(&thought.text), seal: None });
            thought.seal.iter().for_each(|seal| item.seal(seal, false));
            items.push(item);
            return;
        }
        Content::Call(call) => {
            let arguments = match call.kind {
                CallKind::Function if call.arguments.is_empty() => b"{}".to_vec(),
                _ => own(&call.arguments),
            };
            let (id, name) = (call.id.clone().into_owned(), call.name.clone().into_owned());
            ItemKind::Call { kind: call.kind, id, name, arguments }
        }
        Content::Media(media) => match (&media.kind, &media.source) {
            (MediaKind::Image, Source::Base64(data)) => ItemKind::Image(data.clone().into_owned()),
            _ => return,
        },
        Content::Foreign { wire: Wire::Responses, raw, .. } => ItemKind::Raw(raw.bytes().to_vec()),
        Content::Foreign { .. } | Content::Result(_) => return,
    };
    items.push(Item::new(&frame.id, items.len(), kind));
}

fn own(text: &Prose<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    push_escaped(&mut bytes, text);
    bytes
}

/// Texts that follow each other are parts of one message.
fn add_said(items: &mut Vec<Item>, said: Said, frame: &Frame) {
    if let Some(Item { kind: ItemKind::Message(parts), .. }) = items.last_mut() {
        parts.push(said);
        return;
    }
    items.push(Item::new(&frame.id, items.len(), ItemKind::Message(vec![said])));
}

/// Writes a response object with every member that OpenAI's SDKs require.
pub(super) fn write_response(writer: &mut Writer, head: &Head, standing: &Standing<'_>, items: &[Item]) {
    writer.object(|writer| {
        writer.key("id").string(&head.id);
        writer.key("object").string("response");
        writer.key("created_at").number(head.created);
        writer.key("status").string(standing.status);
        match &standing.error {
            Some((code, message)) => writer.key("error").object(|writer| {
                writer.key("code").string(code);
                writer.key("message").string(message);
            }),
            None => writer.key("error").null(),
        }
        match standing.incomplete {
            Some(reason) => {
                writer.key("incomplete_details").object(|writer| writer.key("reason").string(reason));
            }
            None => writer.key("incomplete_details").null(),
        }
        writer.key("instructions").null();
        writer.key("max_output_tokens").null();
        writer.key("model").string(&head.model);
        writer.key("output").array(|writer| items.iter().for_each(|item| write_item(writer, item)));
        writer.key("parallel_tool_calls").bool(true);
        writer.key("previous_response_id").null();
        writer.key("reasoning").raw(br#"{"effort":null,"summary":null}"#);
        optional(writer, "service_tier", head.service_tier.as_deref());
        writer.key("store").bool(false);
        writer.key("temperature").null();
        writer.key("text").raw(br#"{"format":{"type":"text"}}"#);
        writer.key("tool_choice").string("auto");
        writer.key("tools").array(|_| {});
        writer.key("top_p").null();
        writer.key("truncation").string("disabled");
        match &standing.usage {
            Some(usage) => write_usage(writer.key("usage"), usage),
            None => writer.key("usage").null(),
        }
        writer.key("user").null();
        writer.key("metadata").object(|_| {});
    });
}

fn write_usage(writer: &mut Writer, usage: &Usage) {
    writer.object(|writer| {
        writer.key("input_tokens").number(usage.input);
        writer.key("input_tokens_details").object(|writer| {
            writer.key("cached_tokens").number(usage.cache_read);
            writer.key("cache_write_tokens").number(usage.cache_write.saturating_add(usage.cache_write_1h));
        });
        writer.key("output_tokens").number(usage.output);
        writer.key("output_tokens_details").object(|writer| writer.key("reasoning_tokens").number(usage.reasoning));
        writer.key("total_tokens").number(usage.input.saturating_add(usage.output));
    });
}

/// Writes one item.
pub(super) fn write_item(writer: &mut Writer, item: &Item) {
    if let ItemKind::Raw(raw) = &item.kind {
        writer.raw(raw);
        return;
    }
    writer.object(|writer| {
        writer.key("id").string(&item.id);
        match &item.kind {
            ItemKind::Message(parts) => {
                writer.key("type").string("message");
                writer.key("status").string(item.status);
                writer.key("role").string("assistant");
                writer.key("content").array(|writer| parts.iter().for_each(|said| write_said(writer, said)));
            }
            ItemKind::Thought { text, seal } => {
                writer.key("type").string("reasoning");
                writer.key("summary").array(|writer| {
                    if !text.is_empty() {
                        write_summary(writer, text);
                    }
                });
                if let Some(seal) = seal {
                    writer.key("encrypted_content").string(seal);
                }
            }
            ItemKind::Call { kind, id, name, arguments } => {
                let (kind, member) = match kind {
                    CallKind::Function => ("function_call", "arguments"),
                    CallKind::Custom => ("custom_tool_call", "input"),
                };
                let (namespace, name) = split_namespace(name);
                writer.key("type").string(kind);
                writer.key("status").string(item.status);
                writer.key("call_id").string(id);
                writer.key("name").string(name);
                if let Some(namespace) = namespace {
                    writer.key("namespace").string(namespace);
                }
                writer.key(member).prose(&escaped(arguments));
            }
            ItemKind::Image(data) => {
                writer.key("type").string("image_generation_call");
                writer.key("status").string("completed");
                writer.key("result").string(data);
            }
            ItemKind::Raw(_) => {}
        }
    });
}

/// Writes the summary of a thought.
pub(super) fn write_summary(writer: &mut Writer, text: &[u8]) {
    writer.object(|writer| {
        writer.key("type").string("summary_text");
        writer.key("text").prose(&escaped(text));
    });
}

/// Writes a part of a message.
pub(super) fn write_said(writer: &mut Writer, said: &Said) {
    writer.object(|writer| {
        if said.refusal {
            writer.key("type").string("refusal");
            writer.key("refusal").prose(&escaped(&said.text));
            return;
        }
        writer.key("type").string("output_text");
        writer.key("text").prose(&escaped(&said.text));
        writer.key("annotations").array(|writer| said.annotations.iter().for_each(|one| writer.raw(one)));
        writer.key("logprobs").array(|_| {});
    });
}
