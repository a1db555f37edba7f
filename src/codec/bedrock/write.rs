//! Writes the body of a Converse request from what was decided. It decides nothing and cannot fail.

use crate::chat::part::{CacheMark, MediaKind};
use crate::chat::request::Output;
use crate::codec::bedrock::arguments::{plain, write_arguments, write_schema};
use crate::codec::bedrock::history::{Block, History, Message, Side};
use crate::codec::bedrock::media::{Bytes, Medium, base64, document_name};
use crate::codec::bedrock::settings::Settings;
use crate::codec::bedrock::thinking::{Plan, Thinking};
use crate::codec::bedrock::tools::{Choice, Entry, Tools};
use crate::codec::writer::Writer;

/// Everything that is written.
pub struct Body<'r> {
    /// The conversation.
    pub history: History<'r>,
    /// Sampling, tier, metadata.
    pub settings: Settings<'r>,
    /// Thinking and the output limit.
    pub thinking: Plan,
    /// Tools.
    pub tools: Tools<'r>,
    /// The form of the answer.
    pub output: &'r Output<'r>,
    /// Whether marks of the longer life say so.
    pub long_marks: bool,
    /// Whether `top_k` has Nova's place.
    pub nova: bool,
}

/// Writes the body.
pub fn write(writer: &mut Writer, body: &Body<'_>) {
    writer.object(|writer| {
        if !body.history.system.is_empty() {
            writer.key("system");
            write_blocks(writer, &body.history.system, body.long_marks);
        }
        writer.key("messages").array(|writer| {
            body.history.messages.iter().for_each(|message| write_message(writer, message, body.long_marks));
        });
        write_inference(writer, body);
        if !body.tools.entries.is_empty() {
            writer.key("toolConfig").object(|writer| write_tools(writer, &body.tools, body.long_marks));
        }
        write_output(writer, body);
        write_additional(writer, body);
        if let Some(tier) = body.settings.tier {
            writer.key("serviceTier").object(|writer| writer.key("type").string(tier));
        }
        if !body.settings.metadata.is_empty() {
            writer.key("requestMetadata").object(|writer| {
                body.settings.metadata.iter().for_each(|(name, value)| writer.key(name).string(value));
            });
        }
        for own in &body.settings.own {
            writer.key(&own.name).json(&own.value);
        }
    });
}

fn write_message(writer: &mut Writer, message: &Message<'_>, long_marks: bool) {
    writer.object(|writer| {
        writer.key("role").string(match message.side {
            Side::User => "user",
            Side::Assistant => "assistant",
        });
        writer.key("content");
        write_blocks(writer, &message.blocks, long_marks);
    });
}

fn write_blocks(writer: &mut Writer, blocks: &[Block<'_>], long_marks: bool) {
    writer.array(|writer| blocks.iter().for_each(|block| write_block(writer, block, long_marks)));
}

fn write_block(writer: &mut Writer, block: &Block<'_>, long_marks: bool) {
    if let Block::Raw(raw) = block {
        return writer.json(raw);
    }
    writer.object(|writer| match block {
        Block::Text(text) => writer.key("text").prose(text),
        Block::Marked(mark, text) => writer.key("text").prose_after(mark, text),
        Block::Medium(medium, number) => write_medium(writer, medium, *number),
        Block::Call(call) => writer.key("toolUse").object(|writer| {
            writer.key("toolUseId").string(&call.id);
            writer.key("name").string(&call.name);
            writer.key("input");
            write_arguments(writer, &call.arguments);
        }),
        Block::Result { id, content, failed } => writer.key("toolResult").object(|writer| {
            writer.key("toolUseId").string(id);
            writer.key("content");
            write_blocks(writer, content, long_marks);
            if *failed {
                writer.key("status").string("error");
            }
        }),
        Block::Thought(text, signature) => writer.key("reasoningContent").object(|writer| {
            writer.key("reasoningText").object(|writer| {
                writer.key("text").prose(text);
                writer.key("signature").string(signature);
            });
        }),
        Block::Redacted(data) => writer.key("reasoningContent").object(|writer| {
            writer.key("redactedContent").string(data);
        }),
        Block::Cache(mark) => write_mark(writer, *mark, long_marks),
        Block::Raw(_) => {}
    });
}

fn write_mark(writer: &mut Writer, mark: CacheMark, long_marks: bool) {
    writer.key("cachePoint").object(|writer| {
        writer.key("type").string("default");
        if mark == CacheMark::Long && long_marks {
            writer.key("ttl").string("1h");
        }
    });
}

fn write_medium(writer: &mut Writer, medium: &Medium<'_>, number: usize) {
    let member = match medium.kind {
        MediaKind::Image => "image",
        MediaKind::Document => "document",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    writer.key(member).object(|writer| {
        writer.key("format").string(medium.format);
        if medium.kind == MediaKind::Document {
            writer.key("name").string(&document_name(number));
        }
        writer.key("source").object(|writer| match &medium.bytes {
            Bytes::Base64(data) => writer.key("bytes").string(data),
            Bytes::Text(text) => writer.key("bytes").string(&base64(plain(text).as_bytes())),
            Bytes::S3(uri) => writer.key("s3Location").object(|writer| writer.key("uri").string(uri)),
        });
    });
}

fn write_inference(writer: &mut Writer, body: &Body<'_>) {
    let settings = &body.settings;
    let says_nothing = body.thinking.max_tokens.is_none()
        && settings.temperature.is_none()
        && settings.top_p.is_none()
        && settings.stop.is_empty();
    if says_nothing {
        return;
    }
    writer.key("inferenceConfig").object(|writer| {
        if let Some(limit) = body.thinking.max_tokens {
            writer.key("maxTokens").number(limit);
        }
        if let Some(temperature) = settings.temperature {
            writer.key("temperature").float(temperature);
        }
        if let Some(top_p) = settings.top_p {
            writer.key("topP").float(top_p);
        }
        if !settings.stop.is_empty() {
            writer.key("stopSequences").array(|writer| settings.stop.iter().for_each(|stop| writer.prose(stop)));
        }
    });
}

fn write_tools(writer: &mut Writer, tools: &Tools<'_>, long_marks: bool) {
    writer.key("tools").array(|writer| {
        for entry in &tools.entries {
            match entry {
                Entry::Raw(raw) => writer.json(raw),
                Entry::Cache(mark) => writer.object(|writer| write_mark(writer, *mark, long_marks)),
                Entry::System(name) => writer.object(|writer| {
                    writer.key("systemTool").object(|writer| writer.key("name").string(name));
                }),
                Entry::Function { .. } => writer.object(|writer| write_function(writer, entry)),
            }
        }
    });
    match tools.choice {
        None => {}
        Some(Choice::Any) => {
            writer.key("toolChoice").object(|writer| writer.key("any").object(|_| {}));
        }
        Some(Choice::One(name)) => writer.key("toolChoice").object(|writer| {
            writer.key("tool").object(|writer| writer.key("name").string(name));
        }),
    }
}

fn write_function(writer: &mut Writer, entry: &Entry<'_>) {
    let Entry::Function { name, description, parameters, strict } = entry else { return };
    writer.key("toolSpec").object(|writer| {
        writer.key("name").string(name);
        if let Some(description) = description {
            writer.key("description").prose(description);
        }
        writer.key("inputSchema").object(|writer| {
            writer.key("json");
            write_schema(writer, *parameters);
        });
        if *strict {
            writer.key("strict").bool(true);
        }
    });
}

/// `outputConfig`: a schema, as a string.
fn write_output(writer: &mut Writer, body: &Body<'_>) {
    let Output::Schema { name, description, schema, .. } = body.output else { return };
    writer.key("outputConfig").object(|writer| {
        writer.key("textFormat").object(|writer| {
            writer.key("type").string("json_schema");
            writer.key("structure").object(|writer| {
                writer.key("jsonSchema").object(|writer| {
                    writer.key("schema").string(&String::from_utf8_lossy(schema.bytes()));
                    if let Some(name) = name.as_ref().filter(|name| !name.is_empty()) {
                        writer.key("name").string(name);
                    }
                    if let Some(description) = description.as_ref().filter(|text| !text.is_blank()) {
                        writer.key("description").prose(description);
                    }
                });
            });
        });
    });
}

/// `additionalModelRequestFields`: what only one maker's models have; and where Claude's thinking is counted.
fn write_additional(writer: &mut Writer, body: &Body<'_>) {
    let thinking = &body.thinking;
    let always_shown = thinking.thinking == Thinking::Always && thinking.shown.is_some();
    let says_thinking = !matches!(thinking.thinking, Thinking::Unsaid | Thinking::Always) || always_shown;
    if !says_thinking && thinking.effort.is_none() && body.settings.top_k.is_none() && !body.tools.serial {
        return;
    }
    writer.key("additionalModelRequestFields").object(|writer| {
        if let Some(top_k) = body.settings.top_k {
            if body.nova {
                writer.key("inferenceConfig").object(|writer| writer.key("topK").number(top_k));
            } else {
                writer.key("top_k").number(top_k);
            }
        }
        if says_thinking {
            write_thinking(writer, thinking);
        }
        // Not in `outputConfig`, which has had its own `effort` for a short time only.
        if let Some(effort) = thinking.effort {
            writer.key("output_config").object(|writer| writer.key("effort").string(effort.name()));
        }
        if body.tools.serial {
            writer.key("tool_choice").object(|writer| writer.key("disable_parallel_tool_use").bool(true));
        }
    });
    if matches!(thinking.thinking, Thinking::Budget(_) | Thinking::Adaptive) {
        writer.key("additionalModelResponseFieldPaths").array(|writer| writer.string("/usage/output_tokens_details"));
    }
}

fn write_thinking(writer: &mut Writer, plan: &Plan) {
    match plan.thinking {
        Thinking::Unsaid => {}
        Thinking::Disabled => {
            writer.key("thinking").object(|writer| writer.key("type").string("disabled"));
        }
        Thinking::Budget(budget) => writer.key("thinking").object(|writer| {
            writer.key("type").string("enabled");
            writer.key("budget_tokens").number(budget);
        }),
        Thinking::Adaptive | Thinking::Always => writer.key("thinking").object(|writer| {
            writer.key("type").string("adaptive");
            match plan.shown {
                Some(true) => writer.key("display").string("summarized"),
                Some(false) => writer.key("display").string("omitted"),
                None => {}
            }
        }),
        Thinking::Nova(effort) => writer.key("reasoningConfig").object(|writer| {
            writer.key("type").string(if effort.is_some() { "enabled" } else { "disabled" });
            if let Some(effort) = effort {
                writer.key("maxReasoningEffort").string(effort);
            }
        }),
        Thinking::OpenAi(effort) => writer.key("reasoning_effort").string(effort),
    }
}
