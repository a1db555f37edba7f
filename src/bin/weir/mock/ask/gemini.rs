//! Gemini's generateContent as Google reads it, AI Studio and Vertex: no unknown member, roles, own turns for function
//! responses, thought signatures.

use serde_json::{Map, Value};

use crate::mock::ask::gemini_names::{self as names, Known, camel};
use crate::mock::ask::{Ask, Choice, Outcome, Output, Refused, Tool, signature, since, steering};
use crate::mock::json::{base64, is_base64, items, some, text};

/// Members that hold what users wrote: their names are not Google's.
const OPAQUE: [&str; 9] = [
    "args",
    "response",
    "parametersJsonSchema",
    "parameters_json_schema",
    "responseJsonSchema",
    "response_json_schema",
    "labels",
    "properties",
    "partMetadata",
];

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    /// The model in the path.
    pub model: &'a str,
    /// Whether the path is Vertex AI's.
    pub vertex: bool,
    pub streams: bool,
}

/// Reads a request.
pub fn read(body: &Value, door: &Door<'_>) -> Result<Ask, Refused> {
    let body = &google(body);
    let members = body
        .as_object()
        .ok_or_else(|| Refused::bad("Invalid JSON payload received. Root element must be a message."))?;
    let own: &[&str] = if door.vertex { &names::VERTEX } else { &names::STUDIO };
    check_names(members, &names::REQUEST, own)?;
    check_generation(body)?;
    let contents = items(body, "contents");
    check_contents(contents, door.model)?;
    if let Some(system) = some(body, "systemInstruction") {
        check_content(system, door.model)?;
    }
    let tools = tools(body)?;
    let choice = choice(body, &tools)?;
    let (text, results) = last_turn(contents);
    Ok(Ask {
        model: door.model.to_owned(),
        stream: door.streams,
        text,
        results,
        tools,
        choice,
        parallel: true,
        output: output(body),
        ..Ask::default()
    })
}

/// The body with every name of Google's in its camel case; both spellings are accepted.
fn google(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(google).collect()),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let value = if OPAQUE.contains(&name.as_str()) { own_values(name, value) } else { google(value) };
                (camel(name), value)
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

/// Below `properties` the names are the user's and the schemas Google's; elsewhere nothing is Google's.
fn own_values(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) if name == "properties" => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), google(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn check_names(members: &Map<String, Value>, known: &Known, more: &[&str]) -> Result<(), Refused> {
    let fits = |name: &&String| known.names.contains(&name.as_str()) || more.contains(&name.as_str());
    match members.keys().find(|name| !fits(name)) {
        None => Ok(()),
        Some(name) if known.place.is_empty() => {
            Err(Refused::bad(format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")))
        }
        Some(name) => {
            let place = known.place;
            Err(Refused::bad(format!(
                "Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
            )))
        }
    }
}

/// Checks a member that is a message of Google's, if it is there.
fn check_message<'v>(value: Option<&'v Value>, known: &Known) -> Result<Option<&'v Value>, Refused> {
    let Some(value) = value else { return Ok(None) };
    let place = known.place;
    let members =
        value.as_object().ok_or_else(|| Refused::bad(format!("Invalid value at '{place}': expected a message.")))?;
    check_names(members, known, &[])?;
    Ok(Some(value))
}

fn check_generation(body: &Value) -> Result<(), Refused> {
    let Some(config) = check_message(some(body, "generationConfig"), &names::GENERATION)? else { return Ok(()) };
    let thinking = check_message(some(config, "thinkingConfig"), &names::THINKING)?;
    if thinking
        .is_some_and(|thinking| some(thinking, "thinkingBudget").is_some() && some(thinking, "thinkingLevel").is_some())
    {
        return Err(Refused::bad("You can only set one of thinking budget and thinking level."));
    }
    let levels = ["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH", "THINKING_LEVEL_UNSPECIFIED"];
    let level = thinking.and_then(|thinking| some(thinking, "thinkingLevel"));
    if level
        .is_some_and(|level| !level.as_str().is_some_and(|level| levels.contains(&level.to_ascii_uppercase().as_str())))
    {
        return Err(Refused::bad("Invalid value at 'generation_config.thinking_config.thinking_level'."));
    }
    if some(config, "temperature")
        .is_some_and(|value| !value.as_f64().is_some_and(|number| (0.0..=2.0).contains(&number)))
    {
        return Err(Refused::bad("Invalid value for temperature: must be in the range [0.0, 2.0]."));
    }
    if some(config, "maxOutputTokens").is_some_and(|most| most.as_u64().is_none_or(|most| most == 0)) {
        return Err(Refused::bad("max_output_tokens must be a positive integer."));
    }
    if items(config, "stopSequences").len() > 5 {
        return Err(Refused::bad("The number of stop_sequences must be at most 5."));
    }
    let (schema, json) = (some(config, "responseSchema"), some(config, "responseJsonSchema"));
    if schema.is_some() && json.is_some() {
        return Err(Refused::bad("Only one of response_schema and response_json_schema may be set."));
    }
    let is_json = ["application/json", "text/x.enum"].contains(&text(config, "responseMimeType"));
    if (schema.is_some() || json.is_some()) && !is_json {
        return Err(Refused::bad("response_schema requires response_mime_type to be application/json."));
    }
    schema.map_or(Ok(()), |schema| check_schema(schema, "generation_config.response_schema", 0))
}

/// The OpenAPI subset: what is not in it is an unknown name.
fn check_schema(schema: &Value, place: &str, depth: usize) -> Result<(), Refused> {
    let Some(members) = schema.as_object().filter(|_| depth < 32) else {
        return Err(Refused::bad(format!("Invalid value at '{place}': expected a schema.")));
    };
    if let Some(name) = members.keys().find(|name| *name != "type" && !names::SCHEMA.contains(&name.as_str())) {
        return Err(Refused::bad(format!(
            "Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
        )));
    }
    if some(schema, "type").is_some_and(|kind| !kind.is_string()) {
        return Err(Refused::bad(format!("Proto field is not repeating, cannot start list. ({place}.type)")));
    }
    let below = depth.saturating_add(1);
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(Map::values).try_for_each(|schema| check_schema(schema, place, below))?;
    items(schema, "anyOf").iter().try_for_each(|schema| check_schema(schema, place, below))?;
    some(schema, "items").map_or(Ok(()), |schema| check_schema(schema, place, below))
}

fn check_contents(contents: &[Value], model: &str) -> Result<(), Refused> {
    if contents.is_empty() {
        return Err(Refused::bad("* GenerateContentRequest.contents: contents is not specified"));
    }
    for (index, content) in contents.iter().enumerate() {
        check_content(content, model)?;
        let role = text(content, "role");
        if !["user", "model", "function", ""].contains(&role) {
            return Err(Refused::bad("Please use a valid role: user, model."));
        }
        let previous = index.checked_sub(1).and_then(|index| contents.get(index));
        let calls = count(previous, "functionCall");
        let responses = count(Some(content), "functionResponse");
        if responses != calls && (responses > 0 || calls > 0) {
            let rule = "Please ensure that the number of function response parts is equal to the number of function call \
                        parts of the function call turn.";
            return Err(Refused::bad(rule));
        }
        if calls > 0 && role == "model" {
            return Err(Refused::bad(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        let functions = |content: Option<&Value>, member: &str| -> Vec<String> {
            let parts = content.map(|content| items(content, "parts")).unwrap_or_default();
            parts.iter().filter_map(|part| part.get(member)).map(|part| text(part, "name").to_owned()).collect()
        };
        if responses > 0 && functions(previous, "functionCall") != functions(Some(content), "functionResponse") {
            return Err(Refused::bad(
                "Please ensure that function responses come in the order of their function calls.",
            ));
        }
    }
    if text(contents.first().unwrap_or(&Value::Null), "role") == "model" && count(contents.first(), "functionCall") > 0
    {
        return Err(Refused::bad(
            "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
        ));
    }
    if count(contents.last(), "functionCall") > 0 {
        return Err(Refused::bad("Please ensure that function call turns are followed by a function response turn."));
    }
    check_signatures(contents, model)
}

fn count(content: Option<&Value>, member: &str) -> usize {
    let parts = content.map(|content| items(content, "parts")).unwrap_or_default();
    parts.iter().filter(|part| some(part, member).is_some()).count()
}

fn check_content(content: &Value, model: &str) -> Result<(), Refused> {
    check_message(Some(content), &names::CONTENT)?;
    let parts = items(content, "parts");
    if parts.is_empty() {
        return Err(Refused::bad("* GenerateContentRequest.contents.parts: contents.parts must not be empty."));
    }
    for part in parts {
        check_part(part)?;
    }
    if is_third(model)
        && count(Some(content), "functionResponse") > 0
        && count(Some(content), "functionResponse") < parts.len()
    {
        return Err(Refused::bad("Function response parts must not be mixed with other parts."));
    }
    Ok(())
}

/// Gemini from 3 on gives ids to calls and demands signatures.
pub fn is_third(model: &str) -> bool {
    let version = model.split_once("gemini-").and_then(|(_, rest)| rest.split(['.', '-']).next()?.parse::<u32>().ok());
    version.is_some_and(|version| version >= 3)
}

fn check_part(part: &Value) -> Result<(), Refused> {
    check_message(Some(part), &names::PART)?;
    let data = [
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ];
    let held = data.iter().filter(|name| some(part, name).is_some()).count();
    if held != 1 && !(held == 0 && some(part, "thoughtSignature").is_some()) {
        return Err(Refused::bad(
            "* GenerateContentRequest.contents.parts: parts.data: required oneof field 'data' must have one initialized field",
        ));
    }
    let call = check_message(some(part, "functionCall"), &names::CALL)?;
    let response = check_message(some(part, "functionResponse"), &names::RESPONSE)?;
    if call.is_some_and(|call| some(call, "args").is_some_and(|args| !args.is_object())) {
        return Err(Refused::bad("Invalid value at 'contents.parts.function_call.args': expected a Struct."));
    }
    if response.is_some_and(|response| !response.get("response").is_some_and(Value::is_object)) {
        return Err(Refused::bad("Invalid value at 'contents.parts.function_response.response': expected a Struct."));
    }
    let blob = some(part, "inlineData");
    if blob.is_some_and(|blob| text(blob, "mimeType").is_empty() || !is_base64(&standard(text(blob, "data")))) {
        return Err(Refused::bad(
            "Invalid value at 'contents.parts.inline_data': a MIME type and base64 are required.",
        ));
    }
    let file = some(part, "fileData");
    if file.is_some_and(|file| text(file, "fileUri").is_empty()) {
        return Err(Refused::bad("Invalid value at 'contents.parts.file_data.file_uri'."));
    }
    check_signature(part)
}

/// What a part's signature is made of: the call, or nothing in particular.
pub fn signed(call: Option<(&str, &str)>) -> String {
    call.map_or_else(|| "text".to_owned(), |(name, arguments)| format!("{name} {arguments}"))
}

/// Taken where the gateway has no signature to send back.
const SKIP: &str = "skip_thought_signature_validator";

/// Base64 in its usual letters and with its padding: Google takes those of URLs too, and its own SDK writes them.
fn standard(text: &str) -> String {
    let mut text = text.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn check_signature(part: &Value) -> Result<(), Refused> {
    let Some(found) = some(part, "thoughtSignature") else { return Ok(()) };
    let found = &standard(found.as_str().unwrap_or_default());
    let call = some(part, "functionCall").map(|call| {
        let arguments = some(call, "args").map_or_else(|| "{}".to_owned(), Value::to_string);
        (text(call, "name").to_owned(), arguments)
    });
    let expected =
        signature("gemini", &signed(call.as_ref().map(|(name, arguments)| (name.as_str(), arguments.as_str()))));
    let is_known = *found == expected || *found == standard(SKIP) || *found == base64(SKIP.as_bytes());
    if is_known { Ok(()) } else { Err(Refused::bad("Thought signature is not valid.")) }
}

/// From Gemini 3 on the first call of each step of the current turn carries its signature; no signature stands twice.
fn check_signatures(contents: &[Value], model: &str) -> Result<(), Refused> {
    let is_question =
        |content: &Value| text(content, "role") != "model" && count(Some(content), "functionResponse") == 0;
    let from = contents.iter().rposition(is_question).unwrap_or(0);
    for (index, content) in contents.iter().enumerate().skip(from) {
        let first = items(content, "parts").iter().find(|part| some(part, "functionCall").is_some());
        if let Some(call) = first.filter(|part| is_third(model) && some(part, "thoughtSignature").is_none()) {
            let name = text(call.get("functionCall").unwrap_or(&Value::Null), "name");
            let rule =
                "is missing a thought_signature in functionCall parts. This is required for tools to work correctly";
            return Err(Refused::bad(format!("Function call {name} in the {index}. content block {rule}.")));
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refused> {
    let mut tools: Vec<Tool> = Vec::new();
    for tool in items(body, "tools") {
        check_message(Some(tool), &names::TOOL)?;
        for declared in items(tool, "functionDeclarations") {
            check_message(Some(declared), &names::DECLARATION)?;
            let name = text(declared, "name");
            if !is_function_name(name) {
                let rule = "Must start with a letter or an underscore, then letters, digits, underscores, \
                            dots, colons or dashes, at most 128";
                return Err(Refused::bad(format!("Invalid function name {name:?}. {rule}.")));
            }
            if tools.iter().any(|tool| tool.name == name) {
                return Err(Refused::bad(format!("Duplicate function declaration found: {name}")));
            }
            let (subset, whole) = (some(declared, "parameters"), some(declared, "parametersJsonSchema"));
            if subset.is_some() && whole.is_some() {
                return Err(Refused::bad("Only one of parameters and parameters_json_schema may be set."));
            }
            if let Some(schema) = subset {
                check_schema(schema, "tools.function_declarations.parameters", 0)?;
            }
            let schema = subset
                .or(whole)
                .cloned()
                .unwrap_or_else(|| Value::Object(Map::from_iter([("type".to_owned(), "object".into())])));
            tools.push(Tool { name: name.to_owned(), schema, takes_text: false });
        }
    }
    Ok(tools)
}

fn is_function_name(name: &str) -> bool {
    let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    head && name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Refused> {
    let Some(config) = some(body, "toolConfig") else { return Ok(Choice::Auto) };
    let Some(calling) = check_message(some(config, "functionCallingConfig"), &names::CALLING)? else {
        return Ok(Choice::Auto);
    };
    let allowed: Vec<&str> = items(calling, "allowedFunctionNames").iter().filter_map(Value::as_str).collect();
    let mode = text(calling, "mode").to_ascii_uppercase();
    let mode = mode.as_str();
    if !allowed.is_empty() && !["ANY", "VALIDATED"].contains(&mode) {
        return Err(Refused::bad("allowed_function_names should only be set when the mode is ANY or VALIDATED."));
    }
    if let Some(name) = allowed.iter().find(|name| !tools.iter().any(|tool| tool.name == **name)) {
        return Err(Refused::bad(format!("allowed_function_names contains {name}, which is not declared.")));
    }
    match mode {
        "" | "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" => Ok(Choice::Auto),
        "NONE" => Ok(Choice::Never),
        "ANY" => Ok(match allowed.as_slice() {
            [only] => Choice::Named((*only).to_owned()),
            _ => Choice::Must,
        }),
        _ => Err(Refused::bad("Invalid value at 'tool_config.function_calling_config.mode'.")),
    }
}

fn output(body: &Value) -> Output {
    let config = body.get("generationConfig").unwrap_or(&Value::Null);
    let schema = some(config, "responseJsonSchema").or_else(|| some(config, "responseSchema"));
    match schema {
        Some(schema) => Output::Schema(schema.clone()),
        None if text(config, "responseMimeType") == "application/json" => Output::Json,
        None => Output::Text,
    }
}

fn last_turn(contents: &[Value]) -> (String, Vec<Outcome>) {
    let last = since(contents, |content| text(content, "role") == "model");
    let outcome = |part: &Value| {
        let response = some(part, "functionResponse")?;
        let held = response.get("response").unwrap_or(&Value::Null);
        let said = ["output", "result", "error"].iter().find_map(|name| some(held, name)).unwrap_or(held);
        let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
        let is_error = some(held, "error").is_some();
        Some(Outcome { tool: text(response, "name").to_owned(), text: said, is_error })
    };
    let parts = || last.iter().flat_map(|content| items(content, "parts"));
    let spoken = |part: &Value| {
        part.get("text").and_then(Value::as_str).filter(|text| !text.trim().is_empty()).map(str::to_owned)
    };
    (steering(parts().filter_map(spoken).collect()), parts().filter_map(outcome).collect())
}
