//! Chat completions as OpenAI reads them. Members that are merely unknown pass, since compatible vendors take many; members
//! that belong to another family do not.

use serde_json::{Map, Value};

use crate::mock::ask::{Ask, Choice, Outcome, Output, Refused, Tool, since, steering};
use crate::mock::json::{is_base64, is_name, items, some, text};
use crate::mock::schema::{self, Rules};

/// Members of other families' requests; in a chat request they are a bad translation.
const FOREIGN: [&str; 19] = [
    "system",
    "contents",
    "input",
    "instructions",
    "max_output_tokens",
    "stop_sequences",
    "generationConfig",
    "generation_config",
    "systemInstruction",
    "inferenceConfig",
    "toolConfig",
    "output_config",
    "anthropic_version",
    "text",
    "include",
    "previous_response_id",
    "truncation",
    "cache_control",
    "additionalModelRequestFields",
];

/// Reads a request. `deployment` is the model of a path that names one.
pub fn read(body: &Value, deployment: Option<&str>) -> Result<Ask, Refused> {
    let members = body.as_object().ok_or_else(|| Refused::bad("We could not parse the JSON body of your request."))?;
    if let Some(name) = FOREIGN.iter().find(|name| members.contains_key(**name)) {
        return Err(Refused::bad(format!("Unrecognized request argument supplied: {name}")));
    }
    let model = deployment.unwrap_or_else(|| text(body, "model"));
    if model.is_empty() {
        return Err(Refused::bad("you must provide a model parameter"));
    }
    let messages = items(body, "messages");
    if messages.is_empty() {
        return Err(Refused::bad("Missing required parameter: 'messages'."));
    }
    check_settings(body, members, model)?;
    check_messages(messages)?;
    let tools = tools(body)?;
    let choice = choice(body, &tools)?;
    let (text, results) = last_turn(messages);
    Ok(Ask {
        model: model.to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        wants_usage: body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        text,
        results,
        tools,
        choice,
        parallel: body.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        output: output(body)?,
        answers: body.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        ..Ask::default()
    })
}

fn check_settings(body: &Value, members: &Map<String, Value>, model: &str) -> Result<(), Refused> {
    let streams = body.get("stream") == Some(&Value::Bool(true));
    if some(body, "stream_options").is_some() && !streams {
        return Err(Refused::bad("The 'stream_options' parameter is only allowed when 'stream' is enabled."));
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        if some(body, name).is_some_and(|value| value.as_u64().is_none_or(|count| count == 0)) {
            return Err(Refused::bad(format!("Invalid '{name}': expected an integer of at least 1.")));
        }
    }
    if some(body, "max_tokens").is_some() && some(body, "max_completion_tokens").is_some() {
        let rule = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Refused::bad(rule));
    }
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|prefix| model.starts_with(prefix));
    if reasons && some(body, "max_tokens").is_some() {
        let rule = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                    'max_completion_tokens' instead.";
        return Err(Refused::bad(rule));
    }
    let bounds = [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
    ];
    for (name, least, most) in bounds {
        let fits = |value: &Value| value.as_f64().is_some_and(|number| (least..=most).contains(&number));
        if some(body, name).is_some_and(|value| !fits(value)) {
            return Err(Refused::bad(format!("Invalid '{name}': expected a number from {least} to {most}.")));
        }
    }
    match some(body, "stop") {
        None | Some(Value::String(_)) => {}
        Some(Value::Array(stops)) if stops.len() <= 4 && stops.iter().all(Value::is_string) => {}
        Some(_) => return Err(Refused::bad("Invalid 'stop': expected a string or an array of at most 4 strings.")),
    }
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    if some(body, "reasoning_effort").is_some_and(|effort| !effort.as_str().is_some_and(|word| efforts.contains(&word)))
    {
        return Err(Refused::bad("Invalid value for 'reasoning_effort'."));
    }
    let tools = members.get("tools").and_then(Value::as_array);
    if tools.is_some_and(Vec::is_empty) {
        return Err(Refused::bad("Invalid 'tools': empty array. Expected an array with minimum length 1."));
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if some(body, name).is_some() && tools.is_none() {
            return Err(Refused::bad(format!("'{name}' is only allowed when 'tools' are specified.")));
        }
    }
    Ok(())
}

/// Checks every turn, and that each call is answered right after it.
fn check_messages(messages: &[Value]) -> Result<(), Refused> {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let role = text(message, "role");
        if role == "tool" {
            let id = text(message, "tool_call_id");
            let Some(position) = open.iter().position(|known| *known == id) else {
                let rule = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
                return Err(Refused::bad(format!("Invalid parameter: {rule} ({at}, id {id:?})")));
            };
            open.remove(position);
        } else if !open.is_empty() {
            return Err(unanswered(&open));
        }
        check_content(message, role, &at)?;
        if role == "assistant" {
            open = check_calls(message, &at)?;
        }
    }
    if open.is_empty() { Ok(()) } else { Err(unanswered(&open)) }
}

fn unanswered(open: &[&str]) -> Refused {
    let rule =
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.";
    Refused::bad(format!("{rule} The following tool_call_ids did not have response messages: {}", open.join(", ")))
}

fn check_content(message: &Value, role: &str, at: &str) -> Result<(), Refused> {
    let kinds: &[&str] = match role {
        "user" => &["text", "image_url", "input_audio", "file"],
        "assistant" => &["text", "refusal"],
        "system" | "developer" | "tool" | "function" => &["text"],
        _ => {
            let known = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";
            return Err(Refused::bad(format!("Invalid value: '{role}'. Supported values are: {known}. ({at}.role)")));
        }
    };
    match message.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) if !parts.is_empty() => parts.iter().try_for_each(|part| check_part(part, kinds, at)),
        None | Some(Value::Null) if role == "assistant" => {
            let says =
                ["tool_calls", "function_call", "refusal", "audio"].iter().any(|name| some(message, name).is_some());
            if says {
                Ok(())
            } else {
                Err(Refused::bad(format!("Invalid value for 'content': expected a string, got null. ({at})")))
            }
        }
        _ => Err(Refused::bad(format!("Invalid type for '{at}.content': expected a string or an array of objects."))),
    }
}

fn check_part(part: &Value, kinds: &[&str], at: &str) -> Result<(), Refused> {
    let kind = text(part, "type");
    if !kinds.contains(&kind) {
        let known = kinds.join("', '");
        return Err(Refused::bad(format!("Invalid value: '{kind}'. Supported values are: '{known}'. ({at}.content)")));
    }
    let is_right = match kind {
        "text" => part.get("text").is_some_and(Value::is_string),
        "refusal" => part.get("refusal").is_some_and(Value::is_string),
        "image_url" => {
            let url = part.pointer("/image_url/url").and_then(Value::as_str).unwrap_or_default();
            let inline = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"));
            url.starts_with("https://") || url.starts_with("http://") || inline.is_some_and(|(_, data)| is_base64(data))
        }
        "input_audio" => {
            let audio = part.get("input_audio").unwrap_or(&Value::Null);
            is_base64(text(audio, "data")) && ["wav", "mp3"].contains(&text(audio, "format"))
        }
        _ => {
            let file = part.get("file").unwrap_or(&Value::Null);
            let inline = text(file, "file_data").strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            !text(file, "file_id").is_empty() || inline.is_some_and(|(_, data)| is_base64(data))
        }
    };
    if is_right { Ok(()) } else { Err(Refused::bad(format!("Invalid content part of type '{kind}' in {at}."))) }
}

/// The ids of a turn's calls.
fn check_calls<'v>(message: &'v Value, at: &str) -> Result<Vec<&'v str>, Refused> {
    let Some(calls) = some(message, "tool_calls") else { return Ok(Vec::new()) };
    let calls = calls.as_array().filter(|calls| !calls.is_empty());
    let calls = calls.ok_or_else(|| Refused::bad(format!("Invalid '{at}.tool_calls': empty array.")))?;
    let mut ids = Vec::with_capacity(calls.len());
    for call in calls {
        let id = text(call, "id");
        let (name, input) = match text(call, "type") {
            "function" => (call.pointer("/function/name"), call.pointer("/function/arguments")),
            "custom" => (call.pointer("/custom/name"), call.pointer("/custom/input")),
            kind => return Err(Refused::bad(format!("Invalid value: '{kind}' ({at}.tool_calls)."))),
        };
        if id.is_empty() || id.len() > 40 {
            let rule = "expected a string with maximum length 40";
            return Err(Refused::bad(format!("Invalid '{at}.tool_calls.id': {rule}, found {}.", id.len())));
        }
        if ids.contains(&id) {
            return Err(Refused::bad(format!("Duplicate id {id:?} in {at}.tool_calls.")));
        }
        if !name.and_then(Value::as_str).is_some_and(|name| is_name(name, 64, b"_-")) {
            return Err(Refused::bad(format!(
                "Invalid '{at}.tool_calls.function.name': string does not match pattern."
            )));
        }
        if !input.is_some_and(Value::is_string) {
            return Err(Refused::bad(format!(
                "Invalid type for '{at}.tool_calls.function.arguments': expected a string."
            )));
        }
        ids.push(id);
    }
    Ok(ids)
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refused> {
    let mut tools = Vec::new();
    for (index, tool) in items(body, "tools").iter().enumerate() {
        let kind = text(tool, "type");
        let (function, takes_text) = match kind {
            "function" => (tool.get("function"), false),
            "custom" => (tool.get("custom"), true),
            _ => {
                return Err(Refused::bad(format!(
                    "Invalid value: '{kind}'. Supported values are: 'function' and 'custom'. (tools[{index}].type)"
                )));
            }
        };
        let function = function.unwrap_or(&Value::Null);
        let name = text(function, "name");
        if !is_name(name, 64, b"_-") {
            let rule =
                "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]{1,64}$'";
            return Err(Refused::bad(format!("Invalid 'tools[{index}].function.name': {rule}.")));
        }
        let schema = some(function, "parameters").cloned().unwrap_or_default();
        if !schema.is_null() && schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(Refused::bad(format!(
                "Invalid schema for function '{name}': schema must be of type 'object'."
            )));
        }
        if function.get("strict") == Some(&Value::Bool(true)) {
            schema::check(&schema, Rules { name: "Invalid schema for function", all_required: true, refused: &[] })?;
        }
        tools.push(Tool { name: name.to_owned(), schema, takes_text });
    }
    Ok(tools)
}

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Refused> {
    let Some(choice) = some(body, "tool_choice") else { return Ok(Choice::Auto) };
    let name = match (choice.as_str(), text(choice, "type")) {
        (Some("auto"), _) => return Ok(Choice::Auto),
        (Some("none"), _) => return Ok(Choice::Never),
        (Some("required"), _) => return Ok(Choice::Must),
        (None, "allowed_tools") => {
            let must = choice.pointer("/allowed_tools/mode").and_then(Value::as_str) == Some("required");
            return Ok(if must { Choice::Must } else { Choice::Auto });
        }
        (None, "function") => choice.pointer("/function/name"),
        (None, "custom") => choice.pointer("/custom/name"),
        _ => return Err(Refused::bad("Invalid value for 'tool_choice'.")),
    };
    let name = name.and_then(Value::as_str).unwrap_or_default();
    if !tools.iter().any(|tool| tool.name == name) {
        return Err(Refused::bad(format!("Tool choice '{name}' not found in 'tools' parameter.")));
    }
    Ok(Choice::Named(name.to_owned()))
}

fn output(body: &Value) -> Result<Output, Refused> {
    let Some(format) = some(body, "response_format") else { return Ok(Output::Text) };
    match text(format, "type") {
        "text" => Ok(Output::Text),
        "json_object" => Ok(Output::Json),
        "json_schema" => {
            let described = format.get("json_schema").unwrap_or(&Value::Null);
            if !is_name(text(described, "name"), 64, b"_-") {
                return Err(Refused::bad("Missing required parameter: 'response_format.json_schema.name'."));
            }
            let schema = some(described, "schema").cloned().unwrap_or_default();
            if described.get("strict") == Some(&Value::Bool(true)) {
                let rules = Rules { name: "Invalid schema for response_format", all_required: true, refused: &[] };
                schema::check(&schema, rules)?;
            }
            Ok(Output::Schema(schema))
        }
        kind => Err(Refused::bad(format!("Invalid value: '{kind}' (response_format.type)."))),
    }
}

/// What the user says, and the results that tools bring, since the model spoke.
fn last_turn(messages: &[Value]) -> (String, Vec<Outcome>) {
    let last = since(messages, |message| text(message, "role") == "assistant");
    let of = |role: &'static str| last.iter().filter(move |message| text(message, "role") == role);
    let calls: Vec<&Value> = messages.iter().flat_map(|message| items(message, "tool_calls")).collect();
    let outcome = |message: &Value| {
        let id = text(message, "tool_call_id");
        let call = calls.iter().find(|call| text(call, "id") == id);
        let name = call.and_then(|call| call.pointer("/function/name").or_else(|| call.pointer("/custom/name")));
        let tool = name.and_then(Value::as_str).unwrap_or_default().to_owned();
        Outcome { tool, text: texts(message.get("content")).join("\n"), is_error: false }
    };
    let said = of("user").flat_map(|message| texts(message.get("content"))).collect();
    (steering(said), of("tool").map(outcome).collect())
}

/// The texts of a content that is text or a list of parts.
pub fn texts(content: Option<&Value>) -> Vec<String> {
    match content {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(parts)) => {
            let of = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
            parts.iter().filter_map(of).collect()
        }
        _ => Vec::new(),
    }
}
