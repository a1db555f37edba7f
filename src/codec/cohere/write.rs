//! Writes the body of a Cohere request from what was decided. It decides nothing and cannot fail.

use crate::chat::part::Call;
use crate::chat::prose::Prose;
use crate::codec::cohere::history::{Image, Item, Message};
use crate::codec::cohere::settings::{Function, Settings, Thinking};
use crate::codec::json::{Scanner, unescape};
use crate::codec::writer::Writer;

const NO_ARGUMENTS: &[u8] = br#"{"type":"object","properties":{}}"#;

/// Writes the body.
pub fn write(writer: &mut Writer, model: &str, stream: bool, messages: &[Message<'_>], settings: &Settings<'_>) {
    writer.object(|writer| {
        writer.key("model").string(model);
        writer.key("messages").array(|writer| messages.iter().for_each(|message| write_message(writer, message)));
        write_tools(writer, settings);
        write_settings(writer, settings);
        for own in &settings.own {
            writer.key(&own.name).json(&own.value);
        }
        if stream {
            writer.key("stream").bool(true);
        }
    });
}

fn write_message(writer: &mut Writer, message: &Message<'_>) {
    writer.object(|writer| {
        writer.key("role").string(message.role);
        if let Some(id) = message.call_id {
            writer.key("tool_call_id").string(id);
        }
        match message.items.as_slice() {
            [] => {}
            [Item::Text(text)] => writer.key("content").prose(text),
            [Item::Marked(mark, text)] => writer.key("content").prose_after(mark, text),
            items => writer.key("content").array(|writer| items.iter().for_each(|item| write_item(writer, item))),
        }
        match message.plan.as_slice() {
            [] => {}
            [plan] => writer.key("tool_plan").prose(plan),
            several => writer.key("tool_plan").string(&join(several)),
        }
        if !message.calls.is_empty() {
            writer.key("tool_calls").array(|writer| message.calls.iter().for_each(|call| write_call(writer, call)));
        }
    });
}

fn write_item(writer: &mut Writer, item: &Item<'_>) {
    if let Item::Raw(raw) = item {
        return writer.json(raw);
    }
    writer.object(|writer| match item {
        Item::Text(text) => {
            writer.key("type").string("text");
            writer.key("text").prose(text);
        }
        Item::Marked(mark, text) => {
            writer.key("type").string("text");
            writer.key("text").prose_after(mark, text);
        }
        Item::Thought(text) => {
            writer.key("type").string("thinking");
            writer.key("thinking").prose(text);
        }
        Item::Image(image) => {
            writer.key("type").string("image_url");
            writer.key("image_url").object(|writer| match image {
                Image::Url(url) => writer.key("url").string(url),
                Image::Data { media_type, data } => {
                    writer.key("url").prose_after(&format!("data:{media_type};base64,"), &Prose::plain(*data));
                }
            });
        }
        Item::Raw(_) => {}
    });
}

fn write_call(writer: &mut Writer, call: &Call<'_>) {
    writer.object(|writer| {
        writer.key("id").string(&call.id);
        writer.key("type").string("function");
        writer.key("function").object(|writer| {
            writer.key("name").string(&call.name);
            writer.key("arguments");
            if call.arguments.is_blank() {
                writer.string("{}");
            } else {
                writer.prose(&call.arguments);
            }
        });
    });
}

fn write_tools(writer: &mut Writer, settings: &Settings<'_>) {
    if settings.tools.is_empty() {
        return;
    }
    writer.key("tools").array(|writer| {
        for tool in &settings.tools {
            match tool {
                Function::Raw(raw) => writer.json(raw),
                Function::Function { name, description, parameters } => writer.object(|writer| {
                    writer.key("type").string("function");
                    writer.key("function").object(|writer| {
                        writer.key("name").string(name);
                        if let Some(description) = description {
                            writer.key("description").prose(description);
                        }
                        let schema = parameters.map_or(NO_ARGUMENTS, |schema| schema.bytes());
                        let is_object = Scanner::new(schema).peek() == Ok(b'{');
                        writer.key("parameters").raw(if is_object { schema } else { NO_ARGUMENTS });
                    });
                }),
            }
        }
    });
    if settings.strict {
        writer.key("strict_tools").bool(true);
    }
    if let Some(choice) = settings.choice {
        writer.key("tool_choice").string(choice);
    }
}

fn write_settings(writer: &mut Writer, settings: &Settings<'_>) {
    if settings.json {
        writer.key("response_format").object(|writer| {
            writer.key("type").string("json_object");
            if let Some(schema) = settings.schema {
                writer.key("json_schema").json(schema);
            }
        });
    }
    if let Some(limit) = settings.max_tokens {
        writer.key("max_tokens").number(limit);
    }
    if !settings.stop.is_empty() {
        writer.key("stop_sequences").array(|writer| settings.stop.iter().for_each(|stop| writer.prose(stop)));
    }
    let floats = [
        ("temperature", settings.temperature),
        ("p", settings.p),
        ("frequency_penalty", settings.frequency_penalty),
        ("presence_penalty", settings.presence_penalty),
    ];
    for (name, value) in floats {
        if let Some(value) = value {
            writer.key(name).float(value);
        }
    }
    for (name, value) in [("k", settings.k), ("seed", settings.seed)] {
        if let Some(value) = value {
            writer.key(name).number(value);
        }
    }
    match settings.thinking {
        None => {}
        Some(Thinking::Disabled) => {
            writer.key("thinking").object(|writer| writer.key("type").string("disabled"));
        }
        Some(Thinking::Enabled(budget)) => writer.key("thinking").object(|writer| {
            writer.key("type").string("enabled");
            if let Some(budget) = budget {
                writer.key("token_budget").number(budget);
            }
        }),
    }
}

fn join(several: &[&Prose<'_>]) -> String {
    let text = |prose: &Prose<'_>| match prose {
        Prose::Plain(text) => text.clone().into_owned(),
        Prose::Escaped(bytes) => unescape(bytes),
    };
    several.iter().map(|prose| text(prose)).collect::<Vec<_>>().join("\n\n")
}
