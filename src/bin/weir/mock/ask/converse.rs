//! Bedrock's Converse as Bedrock reads it: unions of one member, alternating roles, tools named wherever they are used.

use serde_json::Value;

use crate::mock::ask::{Ask, Choice, Outcome, Output, Refused, Tool, signature, since, steering};
use crate::mock::json::{is_base64, is_name, items, some, stranger, text};

const MEMBERS: [&str; 13] = [
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
    "modelId",
];
const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

/// Reads a request for the model of the path.
pub fn read(body: &Value, model: &str, streams: bool) -> Result<Ask, Refused> {
    let members = body
        .as_object()
        .ok_or_else(|| Refused::bad("Malformed input request, please reformat your input and try again."))?;
    if let Some(name) = stranger(members, &MEMBERS).or(members.contains_key("modelId").then_some("modelId")) {
        return Err(Refused::bad(format!(
            "Malformed input request: #: extraneous key [{name}] is not permitted, please reformat your input \
                and try again."
        )));
    }
    check_settings(body)?;
    check_system(body)?;
    let tools = tools(body)?;
    let choice = choice(body, &tools)?;
    let messages = items(body, "messages");
    check_messages(messages, some(body, "toolConfig").is_some())?;
    check_documents(messages)?;
    let (text, results) = last_turn(messages);
    let serial =
        body.pointer("/additionalModelRequestFields/tool_choice/disable_parallel_tool_use") == Some(&Value::Bool(true));
    Ok(Ask {
        model: model.to_owned(),
        stream: streams,
        text,
        results,
        tools,
        choice,
        parallel: !serial,
        output: output(body)?,
        marks_cache: marks(body),
        ..Ask::default()
    })
}

fn check_known(value: Option<&Value>, known: &[&str], place: &str) -> Result<(), Refused> {
    let Some(value) = value else { return Ok(()) };
    let Some(members) = value.as_object() else {
        return Err(Refused::bad(format!("Malformed input request: {place} must be an object.")));
    };
    match stranger(members, known) {
        Some(name) => {
            Err(Refused::bad(format!("Malformed input request: #/{place}: extraneous key [{name}] is not permitted.")))
        }
        None => Ok(()),
    }
}

/// The one member of a union.
fn only<'v>(union: &'v Value, known: &[&str], place: &str) -> Result<(&'v str, &'v Value), Refused> {
    let members = union.as_object().into_iter().flatten();
    let mut members = members.filter(|(_, value)| !value.is_null());
    match (members.next(), members.next()) {
        (Some((name, value)), None) if known.contains(&name.as_str()) => Ok((name.as_str(), value)),
        _ => Err(Refused::bad(format!("Invalid union at {place}: exactly one of {} is required.", known.join(", ")))),
    }
}

fn check_settings(body: &Value) -> Result<(), Refused> {
    let config = some(body, "inferenceConfig");
    check_known(config, &["maxTokens", "temperature", "topP", "stopSequences"], "inferenceConfig")?;
    check_known(some(body, "outputConfig"), &["textFormat", "effort"], "outputConfig")?;
    check_thinking(body)?;
    let Some(config) = config else { return Ok(()) };
    for name in ["temperature", "topP"] {
        let fits = |value: &Value| value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
        if some(config, name).is_some_and(|value| !fits(value)) {
            return Err(Refused::bad(format!(
                "Value at 'inferenceConfig.{name}' failed to satisfy constraint: Member must be from 0 to 1"
            )));
        }
    }
    if some(config, "maxTokens").is_some_and(|most| most.as_u64().is_none_or(|most| most == 0)) {
        return Err(Refused::bad(
            "Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater \
                than or equal to 1",
        ));
    }
    if items(config, "stopSequences").iter().any(|stop| stop.as_str().is_none_or(str::is_empty)) {
        return Err(Refused::bad(
            "Value at 'inferenceConfig.stopSequences' failed to satisfy constraint: Member must have length \
                greater than or equal to 1",
        ));
    }
    Ok(())
}

/// What Claude says of thinking in the fields that Bedrock hands on to it.
fn check_thinking(body: &Value) -> Result<(), Refused> {
    let thinking = body.pointer("/additionalModelRequestFields/thinking").unwrap_or(&Value::Null);
    if text(thinking, "type") != "enabled" {
        return Ok(());
    }
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
    if budget < 1024 {
        return Err(Refused::bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"));
    }
    let most = body.pointer("/inferenceConfig/maxTokens").and_then(Value::as_u64);
    if most.is_some_and(|most| most <= budget) {
        return Err(Refused::bad("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    let temperature = body.pointer("/inferenceConfig/temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|number| number != 1.0) {
        return Err(Refused::bad("`temperature` may only be set to 1 when thinking is enabled."));
    }
    Ok(())
}

fn check_system(body: &Value) -> Result<(), Refused> {
    for block in items(body, "system") {
        let (kind, value) = only(block, &["text", "guardContent", "cachePoint"], "system")?;
        if kind == "text" && value.as_str().is_none_or(|text| text.trim().is_empty()) {
            return Err(Refused::bad(
                "The text field in the system block is blank. Add text to the text field, and try again.",
            ));
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refused> {
    let Some(config) = some(body, "toolConfig") else { return Ok(Vec::new()) };
    check_known(Some(config), &["tools", "toolChoice"], "toolConfig")?;
    let mut tools: Vec<Tool> = Vec::new();
    for tool in items(config, "tools") {
        let (kind, spec) = only(tool, &["toolSpec", "systemTool", "cachePoint"], "toolConfig.tools")?;
        if kind != "toolSpec" {
            continue;
        }
        check_known(Some(spec), &["name", "description", "inputSchema", "strict"], "toolSpec")?;
        let name = text(spec, "name");
        if !is_name(name, 64, b"_-") {
            return Err(Refused::bad(format!(
                "Value '{name}' at 'toolConfig.tools.toolSpec.name' failed to satisfy constraint: Member must \
                    satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            )));
        }
        if some(spec, "description").is_some_and(|said| said.as_str().is_none_or(str::is_empty)) {
            return Err(Refused::bad(
                "Value at 'toolConfig.tools.toolSpec.description' failed to satisfy constraint: Member must \
                    have length greater than or equal to 1",
            ));
        }
        if tools.iter().any(|tool| tool.name == name) {
            return Err(Refused::bad(format!("The toolConfig contains a duplicate tool name: {name}")));
        }
        let schema = spec.pointer("/inputSchema/json").cloned().unwrap_or_default();
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(Refused::bad(
                "The value at toolConfig.tools.toolSpec.inputSchema.json.type must be one of the following: object.",
            ));
        }
        tools.push(Tool { name: name.to_owned(), schema, takes_text: false });
    }
    if items(config, "tools").is_empty() {
        return Err(Refused::bad(
            "Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or \
                equal to 1",
        ));
    }
    Ok(tools)
}

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Refused> {
    let Some(choice) = body.pointer("/toolConfig/toolChoice").filter(|choice| !choice.is_null()) else {
        return Ok(Choice::Auto);
    };
    let (kind, value) = only(choice, &["auto", "any", "tool"], "toolConfig.toolChoice")?;
    let thinking = body.pointer("/additionalModelRequestFields/thinking/type").and_then(Value::as_str);
    if kind != "auto" && thinking.is_some_and(|kind| kind != "disabled") {
        return Err(Refused::bad("Thinking may not be enabled when tool_choice forces tool use."));
    }
    match kind {
        "auto" => Ok(Choice::Auto),
        "any" => Ok(Choice::Must),
        _ => {
            let name = text(value, "name");
            if tools.iter().any(|tool| tool.name == name) {
                return Ok(Choice::Named(name.to_owned()));
            }
            Err(Refused::bad(format!("The tool {name} in toolChoice is not among the tools.")))
        }
    }
}

fn output(body: &Value) -> Result<Output, Refused> {
    let Some(format) = body.pointer("/outputConfig/textFormat").filter(|format| !format.is_null()) else {
        return Ok(Output::Text);
    };
    let schema = format.pointer("/structure/jsonSchema/schema").and_then(Value::as_str).unwrap_or_default();
    match (text(format, "type"), serde_json::from_str::<Value>(schema)) {
        ("json_schema", Ok(schema)) if schema.is_object() => Ok(Output::Schema(schema)),
        _ => Err(Refused::bad(
            "outputConfig.textFormat must be a json_schema whose schema is the text of a JSON object.",
        )),
    }
}

fn check_messages(messages: &[Value], has_tools: bool) -> Result<(), Refused> {
    if messages.is_empty() {
        return Err(Refused::bad("The messages field is required and must not be empty."));
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        check_known(Some(message), &["role", "content"], "messages")?;
        let role = text(message, "role");
        let expected = if index.is_multiple_of(2) { "user" } else { "assistant" };
        if !["user", "assistant"].contains(&role) {
            return Err(Refused::bad(format!(
                "Value '{role}' at 'messages.role' failed to satisfy constraint: Member must satisfy enum value \
                    set: [user, assistant]"
            )));
        }
        if role != expected && index == 0 {
            return Err(Refused::bad(
                "A conversation must start with a user message. Try again with a conversation that starts with \
                    a user message.",
            ));
        }
        if role != expected {
            return Err(Refused::bad(
                "A conversation must alternate between user and assistant roles. Make sure the conversation \
                    alternates between user and assistant roles and try again.",
            ));
        }
        let blocks = items(message, "content");
        if blocks.is_empty() {
            return Err(Refused::bad(format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock \
                    object to the content field and try again."
            )));
        }
        let answered = check_blocks(blocks, role, index)?;
        let uses: Vec<&str> =
            blocks.iter().filter_map(|block| some(block, "toolUse")).map(|used| text(used, "toolUseId")).collect();
        if (!uses.is_empty() || !answered.is_empty()) && !has_tools {
            return Err(Refused::bad(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        let missing: Vec<&str> = open.iter().filter(|id| !answered.contains(id)).copied().collect();
        if !missing.is_empty() {
            return Err(Refused::bad(format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {}",
                missing.join(", ")
            )));
        }
        if let Some(id) = answered.iter().find(|id| !open.contains(id)) {
            return Err(Refused::bad(format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse \
                    blocks of previous turn. ({id})"
            )));
        }
        open = uses;
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(Refused::bad(format!("Expected toolResult blocks for the following Ids: {}", open.join(", "))))
    }
}

/// Checks a turn's blocks and gives the ids of the uses it answers.
fn check_blocks<'v>(blocks: &'v [Value], role: &str, index: usize) -> Result<Vec<&'v str>, Refused> {
    let mut answered = Vec::new();
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("messages.{index}.content.{place}");
        let (kind, value) = only(block, &BLOCKS, &at)?;
        let is_assistant = role == "assistant";
        match kind {
            "text" if value.as_str().is_none_or(|text| text.trim().is_empty()) => {
                return Err(Refused::bad(format!(
                    "The text field in the ContentBlock object at {at} is blank. Add text to the text field, \
                        and try again."
                )));
            }
            "toolUse" if is_assistant => check_use(value, &at)?,
            "toolResult" if !is_assistant => {
                check_result(value, &at)?;
                answered.push(text(value, "toolUseId"));
            }
            "reasoningContent" if is_assistant => check_reasoning(value, &at)?,
            "toolUse" | "toolResult" | "reasoningContent" => {
                return Err(Refused::bad(format!("{at}: {kind} is not allowed in a turn of role {role}.")));
            }
            "image" => check_media(value, &["png", "jpeg", "gif", "webp"], &at)?,
            "audio" => check_media(
                value,
                &[
                    "mp3", "wav", "flac", "ogg", "opus", "aac", "m4a", "pcm", "webm", "mp4", "mka", "mkv", "mpeg",
                    "mpga", "x-aac",
                ],
                &at,
            )?,
            "document" => check_media(value, &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"], &at)?,
            _ => {}
        }
    }
    Ok(answered)
}

fn check_use(value: &Value, at: &str) -> Result<(), Refused> {
    check_known(Some(value), &["toolUseId", "name", "input", "type"], "toolUse")?;
    if !is_name(text(value, "toolUseId"), 64, b"_.:-") {
        return Err(Refused::bad(format!(
            "Value at '{at}.toolUse.toolUseId' failed to satisfy constraint: Member must satisfy regular \
                expression pattern: [a-zA-Z0-9_.:-]+ and have length at most 64"
        )));
    }
    if !is_name(text(value, "name"), 64, b"_-") {
        return Err(Refused::bad(format!(
            "Value at '{at}.toolUse.name' failed to satisfy constraint: Member must satisfy regular expression \
                pattern: [a-zA-Z0-9_-]+"
        )));
    }
    if !value.get("input").is_some_and(Value::is_object) {
        return Err(Refused::bad(format!(
            "The format of the value at {at}.toolUse.input is invalid. Provide a json object for the field and \
                try again."
        )));
    }
    Ok(())
}

fn check_result(value: &Value, at: &str) -> Result<(), Refused> {
    check_known(Some(value), &["toolUseId", "content", "status", "type"], "toolResult")?;
    if some(value, "status").is_some_and(|status| !["success", "error"].contains(&status.as_str().unwrap_or_default()))
    {
        return Err(Refused::bad(format!(
            "Value at '{at}.toolResult.status' failed to satisfy constraint: Member must satisfy enum value \
                set: [success, error]"
        )));
    }
    if !value.get("content").is_some_and(Value::is_array) {
        return Err(Refused::bad(format!("{at}.toolResult.content is required.")));
    }
    for part in items(value, "content") {
        let (kind, held) = only(part, &["json", "text", "image", "document", "video", "searchResult"], at)?;
        match kind {
            "text" if !held.is_string() => {
                return Err(Refused::bad(format!("{at}.toolResult.content.text must be a string.")));
            }
            "json" if !held.is_object() => {
                return Err(Refused::bad(format!(
                    "The format of the value at {at}.toolResult.content.json is invalid. Provide a json object \
                        for the field and try again."
                )));
            }
            "image" => check_media(held, &["png", "jpeg", "gif", "webp"], at)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_reasoning(value: &Value, at: &str) -> Result<(), Refused> {
    let (kind, held) = only(value, &["reasoningText", "redactedContent"], at)?;
    let said = text(held, "text");
    if kind == "reasoningText" && text(held, "signature") != signature("claude", said) {
        return Err(Refused::bad(format!(
            "The model returned the following errors: {at}: Invalid `signature` in `thinking` block"
        )));
    }
    Ok(())
}

fn check_media(value: &Value, formats: &[&str], at: &str) -> Result<(), Refused> {
    let source = value.get("source").unwrap_or(&Value::Null);
    let (kind, held) = only(source, &["bytes", "s3Location", "text", "content"], &format!("{at}.source"))?;
    if !formats.contains(&text(value, "format")) {
        return Err(Refused::bad(format!(
            "Value at '{at}.format' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            formats.join(", ")
        )));
    }
    if kind == "bytes" && !held.as_str().is_some_and(is_base64) {
        return Err(Refused::bad(format!("{at}.source.bytes is not base64.")));
    }
    Ok(())
}

/// Documents have plain names, each its own, and a text beside them.
fn check_documents(messages: &[Value]) -> Result<(), Refused> {
    let mut names: Vec<&str> = Vec::new();
    for message in messages {
        let blocks = items(message, "content");
        for document in blocks.iter().filter_map(|block| some(block, "document")) {
            let name = text(document, "name");
            if !is_name(name, 200, b" -()[]") || name.contains("  ") {
                return Err(Refused::bad(
                    "The document file name can only contain alphanumeric characters, whitespace characters, \
                        hyphens, parentheses, and square brackets. The name can't contain more than one \
                        consecutive whitespace character.",
                ));
            }
            if names.contains(&name) {
                return Err(Refused::bad(format!("Duplicate document name: {name}")));
            }
            names.push(name);
            if !blocks.iter().any(|block| some(block, "text").is_some()) {
                return Err(Refused::bad("The content field must have a text block when it holds a document."));
            }
        }
    }
    Ok(())
}

/// Cache points anywhere but inside tools' inputs and schemas.
fn marks(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(marks),
        Value::Object(members) => {
            members.contains_key("cachePoint")
                || members
                    .iter()
                    .any(|(name, value)| !["input", "inputSchema"].contains(&name.as_str()) && marks(value))
        }
        _ => false,
    }
}

fn last_turn(messages: &[Value]) -> (String, Vec<Outcome>) {
    let last = since(messages, |message| text(message, "role") == "assistant");
    let blocks = || messages.iter().flat_map(|message| items(message, "content"));
    let outcome = |block: &Value| {
        let result = some(block, "toolResult")?;
        let id = text(result, "toolUseId");
        let used = blocks().filter_map(|block| some(block, "toolUse")).find(|used| text(used, "toolUseId") == id);
        let said = |part: &Value| match part.get("text").and_then(Value::as_str) {
            Some(text) => Some(text.to_owned()),
            None => some(part, "json").map(Value::to_string),
        };
        Some(Outcome {
            tool: used.map(|used| text(used, "name")).unwrap_or_default().to_owned(),
            text: items(result, "content").iter().filter_map(said).collect::<Vec<_>>().join("\n"),
            is_error: text(result, "status") == "error",
        })
    };
    let blocks = || last.iter().flat_map(|message| items(message, "content"));
    let said = blocks().filter_map(|block| block.get("text").and_then(Value::as_str).map(str::to_owned)).collect();
    (steering(said), blocks().filter_map(outcome).collect())
}
