//! Anthropic messages as Anthropic reads them: both live versions, the order of turns and blocks, and signed thinking.

use serde_json::{Map, Value};

use crate::mock::ask::chat::texts;
use crate::mock::ask::{Ask, Choice, Outcome, Output, Refused, Tool, signature, since, steering};
use crate::mock::json::{is_base64, is_name, items, some, stranger, text};
use crate::mock::schema::{self, ANTHROPIC_REFUSED, Rules};

/// Where a request came in, as far as its form depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Door<'a> {
    /// `anthropic-version`.
    pub version: Option<&'a str>,
    /// `anthropic-beta`.
    pub beta: Option<&'a str>,
    /// The model of a Vertex path, where the version stands in the body.
    pub vertex: Option<&'a str>,
    /// Whether the tokens are only to be counted.
    pub counts: bool,
}

const MEMBERS: [&str; 20] = [
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "thinking",
    "tool_choice",
    "tools",
    "user_profile_id",
    "workspace_id",
    "fallbacks",
];
/// Members that only stand beside an `anthropic-beta` header.
const BETA_MEMBERS: [&str; 8] = [
    "billing_policy",
    "compaction",
    "context_management",
    "fallback_credit_token",
    "mcp_servers",
    "output_format",
    "thread",
    "betas",
];
const SAMPLING: [&str; 3] = ["temperature", "top_k", "top_p"];
const OLD: &str = "2023-06-01";
const NEW: &str = "2026-10-21";

/// Reads a request.
pub fn read(body: &Value, door: &Door<'_>) -> Result<Ask, Refused> {
    let members = body.as_object().ok_or_else(|| Refused::bad("Input should be a valid dictionary"))?;
    let version = version(body, door)?;
    check_members(members, version, door)?;
    let model = door.vertex.filter(|name| *name != "count-tokens").unwrap_or_else(|| text(body, "model"));
    if model.is_empty() {
        return Err(Refused::bad("model: Field required"));
    }
    if !door.counts && body.get("max_tokens").and_then(Value::as_u64).is_none() {
        return Err(Refused::bad("max_tokens: Field required"));
    }
    let thinks = check_settings(body, model)?;
    let tools = tools(body)?;
    let choice = choice(body, &tools, thinks)?;
    check_system(body)?;
    let messages = items(body, "messages");
    check_messages(messages, version)?;
    check_last_thinking(body, messages)?;
    if count_marks(body) > 4 {
        let rule = "A maximum of 4 blocks with cache_control may be provided";
        return Err(Refused::bad(format!("{rule}. Found {}.", count_marks(body))));
    }
    let (text, results) = last_turn(messages);
    let serial = body.pointer("/tool_choice/disable_parallel_tool_use") == Some(&Value::Bool(true));
    Ok(Ask {
        model: model.to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        text,
        results,
        tools,
        choice,
        parallel: !serial,
        output: output(body)?,
        marks_cache: count_marks(body) > 0,
        ..Ask::default()
    })
}

fn version<'v>(body: &'v Value, door: &Door<'v>) -> Result<&'v str, Refused> {
    if door.vertex.is_some() {
        return match text(body, "anthropic_version") {
            "vertex-2023-10-16" => Ok(OLD),
            NEW => Ok(NEW),
            "" => Err(Refused::bad("anthropic_version: Field required")),
            other => Err(Refused::bad(format!("anthropic_version: \"{other}\" is not a valid version"))),
        };
    }
    match door.version {
        None => Err(Refused::bad("anthropic-version: header is required")),
        Some(version) if [OLD, NEW].contains(&version) => Ok(version),
        Some(other) => Err(Refused::bad(format!("anthropic-version: \"{other}\" is not a valid version"))),
    }
}

fn check_members(members: &Map<String, Value>, version: &str, door: &Door<'_>) -> Result<(), Refused> {
    let mut known = MEMBERS.to_vec();
    if version == OLD {
        known.extend(SAMPLING);
    }
    if door.beta.is_some_and(|beta| !beta.is_empty()) {
        known.extend(BETA_MEMBERS);
    }
    if door.vertex.is_some() {
        known.retain(|name| *name != "model" || door.counts);
        known.extend(["anthropic_version", "anthropic_beta"]);
    }
    if door.counts {
        known.retain(|name| !["max_tokens", "stream", "stop_sequences", "metadata"].contains(name));
    }
    match stranger(members, &known) {
        Some(name) if SAMPLING.contains(&name) => {
            Err(Refused::bad(format!("{name}: sampling parameters are not supported since anthropic-version {NEW}")))
        }
        Some(name) => Err(Refused::bad(format!("{name}: Extra inputs are not permitted"))),
        None => Ok(()),
    }
}

/// Checks what steers the model; true when it is to think.
fn check_settings(body: &Value, model: &str) -> Result<bool, Refused> {
    let thinking = text(body.get("thinking").unwrap_or(&Value::Null), "type");
    let thinks = ["enabled", "adaptive", "between_tools"].contains(&thinking);
    if some(body, "thinking").is_some() && !thinks && thinking != "disabled" {
        let known = "'adaptive', 'between_tools', 'disabled', 'enabled'";
        return Err(Refused::bad(format!(
            "thinking: Input tag '{thinking}' does not match any of the expected tags: {known}"
        )));
    }
    for name in ["temperature", "top_p"] {
        let fits = |value: &Value| value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
        if some(body, name).is_some_and(|value| !fits(value)) {
            return Err(Refused::bad(format!("{name}: range: 0..1")));
        }
    }
    let temperature = some(body, "temperature").and_then(Value::as_f64);
    if thinks && (temperature.is_some_and(|number| number != 1.0) || some(body, "top_k").is_some()) {
        return Err(Refused::bad(
            "`temperature` may only be set to 1 and `top_k` must be unset when thinking is enabled.",
        ));
    }
    let sampled = temperature.is_some_and(|number| number != 1.0)
        || ["top_p", "top_k"].iter().any(|name| some(body, name).is_some());
    if sampled && takes_no_sampling(model) {
        return Err(Refused::bad("`temperature`, `top_p` and `top_k` are not supported by this model."));
    }
    if thinking == "enabled" {
        let budget = body.pointer("/thinking/budget_tokens").and_then(Value::as_u64).unwrap_or(0);
        if budget < 1024 {
            return Err(Refused::bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"));
        }
        if body.get("max_tokens").and_then(Value::as_u64).is_some_and(|most| most <= budget) {
            return Err(Refused::bad("`max_tokens` must be greater than `thinking.budget_tokens`."));
        }
    }
    let stops = items(body, "stop_sequences");
    if stops.iter().any(|stop| stop.as_str().is_none_or(|stop| stop.trim().is_empty())) {
        return Err(Refused::bad("stop_sequences: each stop sequence must contain non-whitespace"));
    }
    Ok(thinks)
}

/// Claude from 4.7 on refuses sampling: `claude-opus-4-8`, `claude-5-…`, `claude-sonnet-5`.
fn takes_no_sampling(model: &str) -> bool {
    let Some((_, name)) = model.split_once("claude-") else { return false };
    let mut numbers =
        name.split(['-', '.', '@']).filter_map(|part| part.parse::<u32>().ok()).filter(|number| *number < 1_000);
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (4, 7)
}

/// How the types of Anthropic's own tools begin.
const SERVER_TOOLS: [&str; 9] = [
    "web_search_",
    "web_fetch_",
    "code_execution_",
    "bash_",
    "text_editor_",
    "memory_",
    "tool_search_tool_",
    "computer_",
    "browser_",
];
/// Members of a tool that the client runs.
const TOOL_MEMBERS: [&str; 10] = [
    "allowed_callers",
    "cache_control",
    "defer_loading",
    "description",
    "eager_input_streaming",
    "input_examples",
    "input_schema",
    "name",
    "strict",
    "type",
];

fn tools(body: &Value) -> Result<Vec<Tool>, Refused> {
    let mut tools: Vec<Tool> = Vec::new();
    for (index, tool) in items(body, "tools").iter().enumerate() {
        let at = format!("tools.{index}");
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
        if kind != "custom" {
            if SERVER_TOOLS.iter().any(|prefix| kind.starts_with(prefix)) || kind == "mcp_toolset" {
                continue;
            }
            return Err(Refused::bad(format!(
                "{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )));
        }
        if let Some(name) = tool.as_object().and_then(|tool| stranger(tool, &TOOL_MEMBERS)) {
            return Err(Refused::bad(format!("{at}.custom.{name}: Extra inputs are not permitted")));
        }
        let name = text(tool, "name");
        if !is_name(name, 128, b"_-") {
            return Err(Refused::bad(format!(
                "{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )));
        }
        if tools.iter().any(|tool| tool.name == name) {
            return Err(Refused::bad("tools: Tool names must be unique."));
        }
        let schema = tool.get("input_schema").cloned().unwrap_or_default();
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(Refused::bad(format!("{at}.custom.input_schema.type: Input should be 'object'")));
        }
        if ["anyOf", "oneOf", "allOf"].iter().any(|keyword| schema.get(*keyword).is_some()) {
            return Err(Refused::bad(format!(
                "{at}.custom.input_schema: does not support oneOf, allOf, or anyOf at the top level"
            )));
        }
        if tool.get("strict") == Some(&Value::Bool(true)) {
            schema::check(
                &schema,
                Rules { name: "tools.custom.input_schema", all_required: false, refused: &ANTHROPIC_REFUSED },
            )?;
        }
        tools.push(Tool { name: name.to_owned(), schema, takes_text: false });
    }
    Ok(tools)
}

fn choice(body: &Value, tools: &[Tool], thinks: bool) -> Result<Choice, Refused> {
    let Some(choice) = some(body, "tool_choice") else { return Ok(Choice::Auto) };
    let kind = text(choice, "type");
    if items(body, "tools").is_empty() {
        return Err(Refused::bad("tool_choice may only be specified while providing tools."));
    }
    if thinks && ["any", "tool"].contains(&kind) {
        return Err(Refused::bad("Thinking may not be enabled when tool_choice forces tool use."));
    }
    match kind {
        "auto" => Ok(Choice::Auto),
        "any" => Ok(Choice::Must),
        "none" => Ok(Choice::Never),
        "tool" => {
            let name = text(choice, "name");
            if tools.iter().any(|tool| tool.name == name) {
                return Ok(Choice::Named(name.to_owned()));
            }
            Err(Refused::bad(format!("Tool '{name}' not found in provided tools")))
        }
        _ => Err(Refused::bad(format!(
            "tool_choice: Input tag '{kind}' does not match any of the expected tags: 'any', 'auto', 'none', 'tool'"
        ))),
    }
}

fn output(body: &Value) -> Result<Output, Refused> {
    let config = body.get("output_config").unwrap_or(&Value::Null);
    if let Some(name) = config.as_object().and_then(|config| stranger(config, &["effort", "format", "task_budget"])) {
        return Err(Refused::bad(format!("output_config.{name}: Extra inputs are not permitted")));
    }
    let efforts = ["low", "medium", "high", "xhigh", "max"];
    if some(config, "effort").is_some_and(|effort| !effort.as_str().is_some_and(|word| efforts.contains(&word))) {
        return Err(Refused::bad("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"));
    }
    let Some(format) = some(config, "format").or_else(|| some(body, "output_format")) else { return Ok(Output::Text) };
    if text(format, "type") != "json_schema" {
        return Err(Refused::bad(
            "output_config.format: Input tag does not match any of the expected tags: 'json_schema'",
        ));
    }
    let schema = some(format, "schema").cloned().unwrap_or_default();
    schema::check(
        &schema,
        Rules { name: "output_config.format.schema", all_required: false, refused: &ANTHROPIC_REFUSED },
    )?;
    Ok(Output::Schema(schema))
}

fn check_system(body: &Value) -> Result<(), Refused> {
    match body.get("system") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().try_for_each(|block| {
            if text(block, "type") != "text" {
                return Err(Refused::bad("system: Input tag does not match any of the expected tags: 'text'"));
            }
            check_text(block, "system")
        }),
        Some(_) => Err(Refused::bad("system: Input should be a valid string or list")),
    }
}

fn check_text(block: &Value, at: &str) -> Result<(), Refused> {
    if text(block, "text").is_empty() {
        return Err(Refused::bad(format!("{at}: text content blocks must be non-empty")));
    }
    Ok(())
}

/// Checks every turn, and that each tool's use is answered in the very next one.
fn check_messages(messages: &[Value], version: &str) -> Result<(), Refused> {
    match messages.first().map(|first| text(first, "role")) {
        None => return Err(Refused::bad("messages: at least one message is required")),
        Some("user") => {}
        Some(_) => return Err(Refused::bad("messages: first message must use the \"user\" role")),
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages.{index}");
        let role = text(message, "role");
        if !["user", "assistant", "system"].contains(&role) {
            return Err(Refused::bad(format!("{at}.role: Input should be 'user' or 'assistant'")));
        }
        let blocks = match message.get("content") {
            Some(Value::Array(blocks)) => blocks.as_slice(),
            Some(Value::String(text)) if !text.is_empty() || index + 1 == messages.len() && role == "assistant" => &[],
            Some(Value::String(_)) => {
                return Err(Refused::bad(format!("{at}: all messages must have non-empty content")));
            }
            _ => return Err(Refused::bad(format!("{at}.content: Field required"))),
        };
        if message.get("content").is_some_and(Value::is_array) && blocks.is_empty() {
            return Err(Refused::bad(format!("{at}: all messages must have non-empty content")));
        }
        check_answers(blocks, role, &open, &at)?;
        open = if role == "assistant" { uses(blocks) } else { Vec::new() };
        for (place, block) in blocks.iter().enumerate() {
            check_block(block, role, version, &format!("{at}.content.{place}"))?;
        }
        check_thinking_order(blocks, role, &at)?;
    }
    if open.is_empty() { Ok(()) } else { Err(unanswered(&open, messages.len())) }
}

fn uses(blocks: &[Value]) -> Vec<&str> {
    blocks.iter().filter(|block| text(block, "type") == "tool_use").map(|block| text(block, "id")).collect()
}

fn unanswered(open: &[&str], index: usize) -> Refused {
    let rule = "Each `tool_use` block must have a corresponding `tool_result` block in the next message.";
    let ids = open.join(", ");
    Refused::bad(format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. {rule}"
    ))
}

/// The results of a user's turn: first in it, each for a use of the turn before, none missing.
fn check_answers(blocks: &[Value], role: &str, open: &[&str], at: &str) -> Result<(), Refused> {
    let is_result = |block: &&Value| text(block, "type") == "tool_result";
    let results: Vec<&str> = blocks.iter().filter(is_result).map(|block| text(block, "tool_use_id")).collect();
    if let Some(id) = results.iter().find(|id| !open.contains(id)) {
        let rule = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.";
        return Err(Refused::bad(format!(
            "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. {rule}"
        )));
    }
    let missing: Vec<&str> = open.iter().filter(|id| !results.contains(id)).copied().collect();
    if !missing.is_empty() {
        return Err(Refused::bad(format!(
            "{at}: {}",
            unanswered(&missing, 0).message.trim_start_matches("messages.0: ")
        )));
    }
    if !results.is_empty()
        && (role != "user" || blocks.iter().take(results.len()).filter(is_result).count() < results.len())
    {
        return Err(Refused::bad(format!("{at}: `tool_result` blocks must come first in a user message")));
    }
    Ok(())
}

fn check_block(block: &Value, role: &str, version: &str, at: &str) -> Result<(), Refused> {
    let kind = text(block, "type");
    let is_assistant = role == "assistant";
    match kind {
        "text" => {
            check_text(block, at)?;
            if version == NEW && !is_assistant && !items(block, "citations").is_empty() {
                return Err(Refused::bad(format!("{at}.citations: not permitted in a user message")));
            }
        }
        "image" if !is_assistant => check_source(block, &["image/jpeg", "image/png", "image/gif", "image/webp"], at)?,
        "document" if version == NEW && is_assistant => {
            return Err(Refused::bad(format!("{at}: document blocks are not permitted in an assistant message")));
        }
        "document" => check_source(block, &["application/pdf", "text/plain"], at)?,
        "tool_use" if is_assistant => {
            if !is_name(text(block, "id"), 256, b"_-") {
                return Err(Refused::bad(format!("{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")));
            }
            if !is_name(text(block, "name"), 200, b"_-") {
                return Err(Refused::bad(format!(
                    "{at}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
                )));
            }
            if !block.get("input").is_some_and(Value::is_object) {
                return Err(Refused::bad(format!("{at}.tool_use.input: Input should be a valid dictionary")));
            }
        }
        "tool_result" if !is_assistant => check_result(block, version, at)?,
        "thinking" if is_assistant => {
            if text(block, "signature") != signature("claude", text(block, "thinking")) {
                return Err(Refused::bad(format!("{at}: Invalid `signature` in `thinking` block")));
            }
        }
        "redacted_thinking" if is_assistant => {
            if text(block, "data") != signature("claude", "redacted") {
                return Err(Refused::bad(format!("{at}: Invalid `data` in `redacted_thinking` block")));
            }
        }
        "search_result" | "container_upload" | "tool_reference" => {}
        _ if kind == "server_tool_use"
            || kind.ends_with("_tool_result") && kind != "tool_result"
            || kind.starts_with("mcp_") => {}
        _ => {
            return Err(Refused::bad(format!(
                "{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )));
        }
    }
    Ok(())
}

fn check_source(block: &Value, media: &[&str], at: &str) -> Result<(), Refused> {
    let source = block.get("source").unwrap_or(&Value::Null);
    let is_right = match text(source, "type") {
        "base64" => media.contains(&text(source, "media_type")) && is_base64(text(source, "data")),
        "url" => text(source, "url").starts_with("https://") || text(source, "url").starts_with("http://"),
        "text" => text(source, "media_type") == "text/plain" && source.get("data").is_some_and(Value::is_string),
        "file" => !text(source, "file_id").is_empty(),
        "content" => source.get("content").is_some(),
        _ => false,
    };
    if is_right { Ok(()) } else { Err(Refused::bad(format!("{at}.source: Input should be a valid source"))) }
}

fn check_result(block: &Value, version: &str, at: &str) -> Result<(), Refused> {
    let at = format!("{at}.tool_result.content");
    for part in items(block, "content") {
        let kind = text(part, "type");
        if !["text", "image", "document", "search_result", "tool_reference"].contains(&kind) {
            return Err(Refused::bad(format!("{at}: Input tag '{kind}' does not match any of the expected tags")));
        }
        if block.get("is_error") == Some(&Value::Bool(true)) && kind != "text" {
            return Err(Refused::bad(format!("{at}: all content must be type \"text\" if `is_error` is true")));
        }
        check_block(part, "user", version, &at)?;
    }
    match block.get("content") {
        None | Some(Value::String(_) | Value::Array(_)) => Ok(()),
        Some(_) => Err(Refused::bad(format!("{at}: Input should be a valid string or list"))),
    }
}

fn check_thinking_order(blocks: &[Value], role: &str, at: &str) -> Result<(), Refused> {
    let is_thought = |block: &Value| text(block, "type").ends_with("thinking");
    let first_other = blocks.iter().position(|block| !is_thought(block) && text(block, "type") == "text");
    let late = first_other.is_some_and(|first| blocks.iter().skip(first).any(is_thought));
    if role == "assistant" && late {
        return Err(Refused::bad(format!("{at}.content: `thinking` blocks must come before `text` blocks")));
    }
    Ok(())
}

/// With a budget for thinking, the turn whose tools are being answered must begin with its thinking.
fn check_last_thinking(body: &Value, messages: &[Value]) -> Result<(), Refused> {
    let last = messages.iter().rposition(|message| text(message, "role") == "assistant");
    let Some((index, message)) = last.and_then(|index| Some((index, messages.get(index)?))) else { return Ok(()) };
    let blocks = items(message, "content");
    let starts = blocks.first().is_some_and(|block| text(block, "type").ends_with("thinking"));
    let budgets = body.pointer("/thinking/type").and_then(Value::as_str) == Some("enabled");
    if budgets && !starts && !uses(blocks).is_empty() {
        return Err(Refused::bad(format!(
            "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`"
        )));
    }
    Ok(())
}

/// Marks anywhere but inside tools' schemas and inputs.
fn count_marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_marks).sum(),
        Value::Object(members) => {
            let own = usize::from(members.get("cache_control").is_some_and(Value::is_object));
            let below =
                members.iter().filter(|(name, _)| !["input", "input_schema", "cache_control"].contains(&name.as_str()));
            own.saturating_add(below.map(|(_, value)| count_marks(value)).sum())
        }
        _ => 0,
    }
}

/// The last text of a user's turn, or the results it brings. What a client adds after its last words does not count.
fn last_turn(messages: &[Value]) -> (String, Vec<Outcome>) {
    let last = since(messages, |message| text(message, "role") == "assistant");
    let of_user = || last.iter().filter(|message| text(message, "role") == "user");
    let calls: Vec<&Value> = messages.iter().flat_map(|message| items(message, "content")).collect();
    let outcome = |block: &Value| {
        let id = text(block, "tool_use_id");
        let call = calls.iter().find(|call| text(call, "type") == "tool_use" && text(call, "id") == id);
        Outcome {
            tool: call.map(|call| text(call, "name")).unwrap_or_default().to_owned(),
            text: texts(block.get("content")).join("\n"),
            is_error: block.get("is_error") == Some(&Value::Bool(true)),
        }
    };
    let results = of_user()
        .flat_map(|message| items(message, "content"))
        .filter(|block| text(block, "type") == "tool_result")
        .map(outcome)
        .collect();
    (steering(of_user().flat_map(|message| texts(message.get("content"))).collect()), results)
}
