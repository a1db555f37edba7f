//! OpenAI responses as OpenAI reads them: unknown members and item types are refused, item ids are checked, and every call
//! has its output.

use serde_json::Value;

use crate::mock::ask::chat::texts;
use crate::mock::ask::{Ask, Choice, Outcome, Output, Refused, Tool, signature, since, steering};
use crate::mock::json::{is_base64, is_name, items, some, stranger, text};
use crate::mock::schema::{self, Rules};

const MEMBERS: [&str; 35] = [
    "access_programs",
    "background",
    "background_options",
    "client_metadata",
    "context_management",
    "conversation",
    "image",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Items that carry nothing the mock looks at.
const OTHER_ITEMS: [&str; 24] = [
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "configuration_update",
    "file_search_call",
    "image_generation_call",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// Tools that are OpenAI's own.
const HOSTED_TOOLS: [&str; 16] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "web_search_preview_2026_02_11",
];

/// Reads a request.
pub fn read(body: &Value) -> Result<Ask, Refused> {
    let members = body.as_object().ok_or_else(|| Refused::bad("We could not parse the JSON body of your request."))?;
    if let Some(name) = stranger(members, &MEMBERS) {
        return Err(Refused::bad(format!("Unknown parameter: '{name}'.")));
    }
    let model = text(body, "model");
    if model.is_empty() {
        return Err(Refused::bad("Missing required parameter: 'model'."));
    }
    if some(body, "max_output_tokens").is_some_and(|most| most.as_u64().is_none_or(|most| most < 16)) {
        let rule = "integer below minimum value. Expected a value >= 16";
        return Err(Refused::bad(format!("Invalid 'max_output_tokens': {rule}.")));
    }
    if some(body, "previous_response_id").is_some_and(|id| !id.as_str().is_some_and(|id| id.starts_with("resp_"))) {
        return Err(Refused::bad("Invalid 'previous_response_id': expected an ID that begins with 'resp_'."));
    }
    let tools = tools(body)?;
    let choice = choice(body, &tools)?;
    let (text, results) = match body.get("input") {
        Some(Value::String(text)) if !text.is_empty() => (text.clone(), Vec::new()),
        Some(Value::Array(items)) if !items.is_empty() => {
            check_items(items, some(body, "previous_response_id").is_some())?;
            last_turn(items)
        }
        _ if ["prompt", "conversation", "previous_response_id"].iter().any(|name| some(body, name).is_some()) => {
            (String::new(), Vec::new())
        }
        _ => return Err(Refused::bad("Missing required parameter: 'input'.")),
    };
    let includes = items(body, "include").iter().any(|item| item.as_str() == Some("reasoning.encrypted_content"));
    Ok(Ask {
        model: model.to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        text,
        results,
        tools,
        choice,
        parallel: body.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        output: output(body)?,
        wants_encrypted: includes,
        ..Ask::default()
    })
}

/// Checks every item, and that each call has its output and each output its call.
fn check_items(items: &[Value], has_history: bool) -> Result<(), Refused> {
    let mut open: Vec<&str> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let usual =
            if some(item, "role").is_none() && some(item, "id").is_some() { "item_reference" } else { "message" };
        let kind = item.get("type").and_then(Value::as_str).unwrap_or(usual);
        let at = format!("input[{index}]");
        match kind {
            "message" => check_message(item, &at)?,
            "function_call" | "custom_tool_call" => {
                check_call(item, kind, &at)?;
                open.push(text(item, "call_id"));
                seen.push(text(item, "call_id"));
            }
            "function_call_output" | "custom_tool_call_output" => {
                let id = text(item, "call_id");
                if !seen.contains(&id) && !has_history {
                    return Err(Refused::bad(format!(
                        "No tool call found for function call output with call_id {id}."
                    )));
                }
                open.retain(|known| *known != id);
                check_output(item, &at)?;
            }
            "reasoning" => check_reasoning(item, &at)?,
            _ if OTHER_ITEMS.contains(&kind) => {}
            _ => {
                let known = "'message', 'function_call', 'function_call_output', 'reasoning', …";
                return Err(Refused::bad(format!(
                    "Invalid value: '{kind}'. Supported values are: {known}. ({at}.type)"
                )));
            }
        }
    }
    match open.first() {
        Some(id) => Err(Refused::bad(format!("No tool output found for function call {id}."))),
        None => Ok(()),
    }
}

/// An item's own id: absent, or with the prefix of its kind.
fn check_id(item: &Value, prefix: &str, at: &str) -> Result<(), Refused> {
    match some(item, "id") {
        None => Ok(()),
        Some(Value::String(id)) if id.starts_with(prefix) && id.len() <= 64 => Ok(()),
        Some(id) => {
            let rule = format!("Expected an ID that begins with '{prefix}' and has at most 64 characters");
            Err(Refused::bad(format!("Invalid '{at}.id': {id}. {rule}.")))
        }
    }
}

fn check_message(item: &Value, at: &str) -> Result<(), Refused> {
    check_id(item, "msg_", at)?;
    let kinds: &[&str] = match text(item, "role") {
        "user" | "system" | "developer" => &["input_text", "input_image", "input_file", "input_audio"],
        "assistant" => &["output_text", "refusal"],
        role => {
            let known = "'assistant', 'system', 'developer', and 'user'";
            return Err(Refused::bad(format!("Invalid value: '{role}'. Supported values are: {known}. ({at}.role)")));
        }
    };
    match item.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => parts.iter().try_for_each(|part| check_part(part, kinds, at)),
        _ => Err(Refused::bad(format!("Missing required parameter: '{at}.content'."))),
    }
}

fn check_part(part: &Value, kinds: &[&str], at: &str) -> Result<(), Refused> {
    let kind = text(part, "type");
    if !kinds.contains(&kind) {
        let known = kinds.join("', '");
        return Err(Refused::bad(format!("Invalid value: '{kind}'. Supported values are: '{known}'. ({at}.content)")));
    }
    let is_right = match kind {
        "input_text" | "output_text" => part.get("text").is_some_and(Value::is_string),
        "refusal" => part.get("refusal").is_some_and(Value::is_string),
        "input_image" => some(part, "file_id").is_some() || is_media(text(part, "image_url")),
        "input_file" => {
            ["file_id", "file_url"].iter().any(|name| some(part, name).is_some()) || is_media(text(part, "file_data"))
        }
        _ => is_base64(part.pointer("/input_audio/data").and_then(Value::as_str).unwrap_or_default()),
    };
    if is_right { Ok(()) } else { Err(Refused::bad(format!("Invalid content part of type '{kind}' in {at}."))) }
}

fn is_media(url: &str) -> bool {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    url.starts_with("https://") || url.starts_with("http://") || inline.is_some_and(|(_, data)| is_base64(data))
}

fn check_call(item: &Value, kind: &str, at: &str) -> Result<(), Refused> {
    let (prefix, input) = if kind == "function_call" { ("fc_", "arguments") } else { ("ctc_", "input") };
    check_id(item, prefix, at)?;
    let id = text(item, "call_id");
    if id.is_empty() || id.len() > 64 {
        return Err(Refused::bad(format!("Invalid '{at}.call_id': expected 1 to 64 characters, found {}.", id.len())));
    }
    if !is_name(text(item, "name"), 64, b"_-") {
        return Err(Refused::bad(format!("Invalid '{at}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.")));
    }
    if !item.get(input).is_some_and(Value::is_string) {
        return Err(Refused::bad(format!("Missing required parameter: '{at}.{input}'.")));
    }
    Ok(())
}

fn check_output(item: &Value, at: &str) -> Result<(), Refused> {
    match item.get("output") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => {
            let kinds = ["input_text", "input_image", "input_file"];
            parts.iter().try_for_each(|part| check_part(part, &kinds, at))
        }
        _ => Err(Refused::bad(format!("Missing required parameter: '{at}.output'."))),
    }
}

fn check_reasoning(item: &Value, at: &str) -> Result<(), Refused> {
    check_id(item, "rs_", at)?;
    let Some(summary) = item.get("summary").and_then(Value::as_array) else {
        return Err(Refused::bad(format!("Missing required parameter: '{at}.summary'.")));
    };
    let said = texts(Some(&Value::Array(summary.clone()))).concat();
    match some(item, "encrypted_content").map(|content| content.as_str().unwrap_or_default()) {
        Some(content) if content != signature("openai", &said) => {
            let rule = "could not be verified. Reason: Encrypted content could not be decrypted or parsed";
            Err(Refused::bad(format!("The encrypted content for item {} {rule}.", text(item, "id"))))
        }
        _ => Ok(()),
    }
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refused> {
    let mut tools = Vec::new();
    for (index, tool) in items(body, "tools").iter().enumerate() {
        read_tool(tool, &format!("tools[{index}]"), &mut tools)?;
    }
    Ok(tools)
}

fn read_tool(tool: &Value, at: &str, tools: &mut Vec<Tool>) -> Result<(), Refused> {
    let kind = text(tool, "type");
    if HOSTED_TOOLS.contains(&kind) {
        return Ok(());
    }
    if kind == "namespace" {
        return items(tool, "tools").iter().try_for_each(|tool| read_tool(tool, at, tools));
    }
    if !["function", "custom"].contains(&kind) {
        return Err(Refused::bad(format!("Invalid value: '{kind}' ({at}.type).")));
    }
    let name = text(tool, "name");
    if !is_name(name, 64, b"_-") {
        return Err(Refused::bad(format!("Missing required parameter: '{at}.name'.")));
    }
    let mut schema = some(tool, "parameters").cloned().unwrap_or_default();
    match tool.get("strict") {
        Some(Value::Bool(true)) => {
            schema::check(&schema, Rules { name: "Invalid schema for function", all_required: true, refused: &[] })?;
        }
        // Strict is what a tool is that does not say: OpenAI then requires every property.
        None => require_all(&mut schema),
        Some(_) => {}
    }
    tools.push(Tool { name: name.to_owned(), schema, takes_text: kind == "custom" });
    Ok(())
}

fn require_all(schema: &mut Value) {
    let names: Vec<Value> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.keys())
        .cloned()
        .map(Value::String)
        .collect();
    if let Some(members) = schema.as_object_mut() {
        members.insert("required".to_owned(), Value::Array(names));
    }
}

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Refused> {
    let Some(choice) = some(body, "tool_choice") else { return Ok(Choice::Auto) };
    match (choice.as_str(), text(choice, "type")) {
        (Some("auto"), _) => Ok(Choice::Auto),
        (Some("none"), _) => Ok(Choice::Never),
        (Some("required"), _) => Ok(Choice::Must),
        (None, "allowed_tools") => Ok(if text(choice, "mode") == "required" { Choice::Must } else { Choice::Auto }),
        (None, "function" | "custom") => {
            let name = text(choice, "name");
            if tools.iter().any(|tool| tool.name == name) {
                return Ok(Choice::Named(name.to_owned()));
            }
            Err(Refused::bad(format!("Tool choice '{name}' not found in 'tools' parameter.")))
        }
        (None, kind) if HOSTED_TOOLS.contains(&kind) => Ok(Choice::Auto),
        _ => Err(Refused::bad("Invalid value for 'tool_choice'.")),
    }
}

fn output(body: &Value) -> Result<Output, Refused> {
    let format = body.pointer("/text/format").unwrap_or(&Value::Null);
    match text(format, "type") {
        "" | "text" => Ok(Output::Text),
        "json_object" => Ok(Output::Json),
        "json_schema" => {
            if !is_name(text(format, "name"), 64, b"_-") {
                return Err(Refused::bad("Missing required parameter: 'text.format.name'."));
            }
            let schema = some(format, "schema").cloned().unwrap_or_default();
            if format.get("strict") == Some(&Value::Bool(true)) {
                let rules = Rules { name: "Invalid schema for response_format", all_required: true, refused: &[] };
                schema::check(&schema, rules)?;
            }
            Ok(Output::Schema(schema))
        }
        kind => Err(Refused::bad(format!("Invalid value: '{kind}' (text.format.type)."))),
    }
}

/// What the user says, and the outputs that tools bring, since the model spoke.
fn last_turn(items: &[Value]) -> (String, Vec<Outcome>) {
    let is_output = |item: &Value| text(item, "type").ends_with("call_output");
    let is_models = |item: &Value| {
        let kind = text(item, "type");
        text(item, "role") == "assistant" || kind == "reasoning" || kind.ends_with("_call")
    };
    let last = since(items, is_models);
    let outcome = |item: &Value| {
        let id = text(item, "call_id");
        let call = items.iter().find(|call| text(call, "call_id") == id && !text(call, "name").is_empty());
        let tool = call.map(|call| text(call, "name")).unwrap_or_default().to_owned();
        Outcome { tool, text: texts(item.get("output")).join("\n"), is_error: false }
    };
    let users = last.iter().filter(|item| text(item, "role") == "user");
    let said = users.flat_map(|item| texts(item.get("content"))).collect();
    (steering(said), last.iter().filter(|item| is_output(item)).map(outcome).collect())
}
