//! Cohere's v2 chat as Cohere reads it.

use serde_json::Value;

use crate::mock::ask::chat::texts;
use crate::mock::ask::{Ask, Choice, Outcome, Output, Refused, Tool, since, steering};
use crate::mock::json::{items, some, stranger, text};

const MEMBERS: [&str; 22] = [
    "model",
    "messages",
    "tools",
    "strict_tools",
    "tool_choice",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "thinking",
    "priority",
    "stream",
    "raw_prompting",
];

/// Reads a request.
pub fn read(body: &Value) -> Result<Ask, Refused> {
    let members = body.as_object().ok_or_else(|| Refused::bad("invalid request: body must be a JSON object"))?;
    if let Some(name) = stranger(members, &MEMBERS) {
        return Err(Refused {
            status: 422,
            message: format!("unknown field: parameter '{name}' is not a valid field"),
        });
    }
    let model = text(body, "model");
    if model.is_empty() {
        return Err(Refused::bad("invalid request: model is required"));
    }
    check_settings(body)?;
    let tools = tools(body)?;
    let choice = match some(body, "tool_choice").map(|choice| choice.as_str().unwrap_or_default()) {
        None => Choice::Auto,
        Some("REQUIRED") if !tools.is_empty() => Choice::Must,
        Some("NONE") if !tools.is_empty() => Choice::Never,
        Some("REQUIRED" | "NONE") => return Err(Refused::bad("invalid request: tool_choice requires tools")),
        Some(_) => return Err(Refused::bad("invalid request: tool_choice must be one of REQUIRED, NONE")),
    };
    let messages = items(body, "messages");
    check_messages(messages)?;
    let (text, results) = last_turn(messages);
    Ok(Ask {
        model: model.to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        text,
        results,
        tools,
        choice,
        parallel: true,
        output: output(body)?,
        ..Ask::default()
    })
}

fn check_settings(body: &Value) -> Result<(), Refused> {
    let bounds = [
        ("temperature", 0.0, 1.0),
        ("p", 0.0, 0.99),
        ("k", 0.0, 500.0),
        ("frequency_penalty", 0.0, 1.0),
        ("presence_penalty", 0.0, 1.0),
    ];
    for (name, least, most) in bounds {
        let fits = |value: &Value| value.as_f64().is_some_and(|number| (least..=most).contains(&number));
        if some(body, name).is_some_and(|value| !fits(value)) {
            return Err(Refused::bad(format!("invalid request: {name} must be between {least} and {most} inclusive")));
        }
    }
    if items(body, "stop_sequences").len() > 5 {
        return Err(Refused::bad("invalid request: a maximum of 5 stop_sequences is allowed"));
    }
    if some(body, "max_tokens").is_some_and(|most| most.as_u64().is_none()) {
        return Err(Refused::bad("invalid request: max_tokens must be a whole number"));
    }
    if some(body, "logprobs").is_some_and(|flag| !flag.is_boolean()) {
        return Err(Refused::bad("invalid request: logprobs must be a boolean"));
    }
    if some(body, "thinking").is_some_and(|thinking| !["enabled", "disabled"].contains(&text(thinking, "type"))) {
        return Err(Refused::bad("invalid request: thinking.type must be one of enabled, disabled"));
    }
    Ok(())
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refused> {
    let mut tools = Vec::new();
    for tool in items(body, "tools") {
        let function = tool.get("function").unwrap_or(&Value::Null);
        let name = text(function, "name");
        if text(tool, "type") != "function" || name.is_empty() {
            return Err(Refused::bad("invalid request: all tools must be of type 'function' and have a name"));
        }
        if !function.get("parameters").is_some_and(Value::is_object) {
            return Err(Refused::bad(format!("invalid request: tool {name} must have parameters")));
        }
        if let Some(extra) =
            function.as_object().and_then(|function| stranger(function, &["name", "description", "parameters"]))
        {
            return Err(Refused {
                status: 422,
                message: format!("unknown field: parameter '{extra}' is not a valid field of a function"),
            });
        }
        tools.push(Tool {
            name: name.to_owned(),
            schema: function.get("parameters").cloned().unwrap_or_default(),
            takes_text: false,
        });
    }
    Ok(tools)
}

fn output(body: &Value) -> Result<Output, Refused> {
    let Some(format) = some(body, "response_format") else { return Ok(Output::Text) };
    match (text(format, "type"), some(format, "json_schema").or_else(|| some(format, "schema"))) {
        ("text", None) => Ok(Output::Text),
        ("json_object", None) => Ok(Output::Json),
        ("json_object", Some(schema)) if text(schema, "type") == "object" => Ok(Output::Schema(schema.clone())),
        _ => Err(Refused::bad(
            "invalid request: response_format must be of type text or json_object, with a json_schema of type object",
        )),
    }
}

fn check_messages(messages: &[Value]) -> Result<(), Refused> {
    if messages.is_empty() {
        return Err(Refused::bad("invalid request: messages must not be empty"));
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        if role == "tool" {
            let id = text(message, "tool_call_id");
            if !open.contains(&id) {
                return Err(Refused::bad(format!(
                    "invalid request: cannot specify tool message with unknown tool_call_id {id:?}"
                )));
            }
            open.retain(|known| *known != id);
        } else if !open.is_empty() {
            return Err(Refused::bad(format!(
                "invalid request: missing tool results for tool calls {}",
                open.join(", ")
            )));
        }
        check_content(message, role, index)?;
        for call in items(message, "tool_calls") {
            if text(call, "type") != "function" || !call.pointer("/function/arguments").is_some_and(Value::is_string) {
                return Err(Refused::bad(format!("invalid request: message {index} has an invalid tool call")));
            }
            open.push(text(call, "id"));
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(Refused::bad(format!("invalid request: missing tool results for tool calls {}", open.join(", "))))
    }
}

fn check_content(message: &Value, role: &str, index: usize) -> Result<(), Refused> {
    let (members, kinds): (&[&str], &[&str]) = match role {
        "user" => (&["role", "content"], &["text", "image_url"]),
        "system" => (&["role", "content"], &["text"]),
        "assistant" => (&["role", "content", "tool_calls", "tool_plan", "citations"], &["text", "thinking"]),
        "tool" => (&["role", "content", "tool_call_id"], &["text", "document"]),
        _ => {
            return Err(Refused::bad(format!(
                "invalid request: message {index} has invalid role {role:?}: must be one of user, assistant, system, tool"
            )));
        }
    };
    if let Some(name) = message.as_object().and_then(|message| stranger(message, members)) {
        return Err(Refused {
            status: 422,
            message: format!("unknown field: parameter '{name}' is not a valid field of message {index}"),
        });
    }
    let calls = !items(message, "tool_calls").is_empty();
    match message.get("content") {
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            match parts.iter().find(|part| !kinds.contains(&text(part, "type"))) {
                Some(part) => Err(Refused::bad(format!(
                    "invalid request: message {index} has invalid content type {:?}",
                    text(part, "type")
                ))),
                None => Ok(()),
            }
        }
        None | Some(Value::Null) if role == "assistant" && calls => Ok(()),
        _ => Err(Refused::bad(format!("invalid request: message {index} must have non-empty content or tool calls"))),
    }
}

fn last_turn(messages: &[Value]) -> (String, Vec<Outcome>) {
    let last = since(messages, |message| text(message, "role") == "assistant");
    let of = |role: &'static str| last.iter().filter(move |message| text(message, "role") == role);
    let calls: Vec<&Value> = messages.iter().flat_map(|message| items(message, "tool_calls")).collect();
    let said = |message: &Value| {
        let documents = items(message, "content").iter().filter_map(|part| part.pointer("/document/data"));
        let documents = documents.map(|data| data.as_str().map_or_else(|| data.to_string(), str::to_owned));
        texts(message.get("content")).into_iter().chain(documents).collect::<Vec<_>>().join("\n")
    };
    let outcome = |message: &Value| {
        let call = calls.iter().find(|call| text(call, "id") == text(message, "tool_call_id"));
        let tool = call.and_then(|call| call.pointer("/function/name")).and_then(Value::as_str);
        Outcome { tool: tool.unwrap_or_default().to_owned(), text: said(message), is_error: false }
    };
    let spoken = of("user").flat_map(|message| texts(message.get("content"))).collect();
    (steering(spoken), of("tool").map(outcome).collect())
}
