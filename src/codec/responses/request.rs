//! Reads a request's body. Its items, tools and settings are read beside it.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::part::Content;
use crate::chat::prose::Prose;
use crate::chat::request::{Request, Role, Turn};
use crate::codec::json::{Malformed, Scanner};
use crate::codec::responses::item::read_item;
use crate::codec::responses::setting::{keep, read_include, read_reasoning, read_text};
use crate::codec::responses::tool::{read_choice, read_tools};
use crate::codec::responses::value::Value;

/// Reads a request.
pub(super) fn decode(body: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut request = Request::default();
    let mut instructions = None;
    let mut scanner = Scanner::new(body);
    scanner.unique_object(|scanner, key| {
        let name = key.text();
        if name == "input" && scanner.peek()? == b'[' {
            return scanner.array(|scanner| {
                let (value, item) = Value::read_object(scanner, 0)?;
                read_item(value, item, &mut request)
            });
        }
        let value = Value::read(scanner, 0)?;
        if value.is_null() {
            return Ok(());
        }
        match name.as_ref() {
            "model" => {
                let model = value.text().ok_or_else(|| value.malformed("`model` is a string"))?;
                request.model = Some((model.text(), model.span()));
            }
            "input" => match value.text() {
                Some(text) => request.turns.push(turn(Role::User, text.prose())),
                None => return Err(value.malformed("`input` is a string or an array of items")),
            },
            "instructions" => {
                instructions = Some(value.text().ok_or_else(|| value.malformed("`instructions` is a string"))?)
            }
            "tools" => read_tools(&value, &mut request.tools)?,
            "tool_choice" => read_choice(&value, &mut request)?,
            "reasoning" => read_reasoning(&value, &mut request)?,
            "text" => read_text(&value, &mut request)?,
            "include" => read_include(&value, &mut request)?,
            _ => read_plain(name, &value, &mut request)?,
        }
        Ok(())
    })?;
    scanner.end()?;
    if let Some(text) = instructions.filter(|text| !text.is_empty()) {
        request.turns.insert(0, turn(Role::System, text.prose()));
    }
    settle_user(&mut request);
    Ok(request)
}

fn turn(role: Role, text: Prose<'_>) -> Turn<'_> {
    Turn { role, parts: vec![Content::text(text).into()], name: None }
}

/// The members that hold one plain value, and those that mean nothing elsewhere.
fn read_plain<'a>(name: Cow<'a, str>, value: &Value<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let string = || value.text().ok_or_else(|| value.malformed("a string is expected"));
    let truth = || value.bool().ok_or_else(|| value.malformed("`true` or `false` is expected"));
    let number = || value.float().ok_or_else(|| value.malformed("a number is expected"));
    let whole = || value.whole().ok_or_else(|| value.malformed("a whole number is expected"));
    match name.as_ref() {
        "stream" => request.stream = truth()?,
        "store" => request.store = Some(truth()?),
        "parallel_tool_calls" => request.parallel_calls = Some(truth()?),
        "max_output_tokens" => request.max_output = Some(whole()?),
        "temperature" => request.sampling.temperature = Some(number()?),
        "top_p" => request.sampling.top_p = Some(number()?),
        "top_logprobs" => request.sampling.logprobs = Some(u32::try_from(whole()?).unwrap_or(u32::MAX)),
        "service_tier" => request.service_tier = Some(string()?.text()),
        "prompt_cache_key" => request.cache_key = Some(string()?.prose()),
        "safety_identifier" => request.user = Some(string()?.prose()),
        "metadata" if value.is_object() => request.metadata = Some(value.json()),
        "metadata" => return Err(value.malformed("`metadata` is an object")),
        // Padding of the transport: nothing of the answer.
        "stream_options" => {}
        "background" if value.bool() == Some(false) => {}
        "truncation" if value.text().is_some_and(|text| text.is("disabled")) => {}
        _ => {
            let feature = feature_of(&name, value);
            keep(request, feature, name, value);
        }
    }
    Ok(())
}

/// What is lost with a member that other formats have no word for.
fn feature_of(name: &str, value: &Value<'_>) -> Feature {
    match name {
        "previous_response_id" | "conversation" => Feature::Conversation,
        "prompt" => Feature::PromptTemplate,
        "background" | "background_options" => Feature::Background,
        "truncation" => Feature::Truncation,
        "context_management" => Feature::ContextManagement,
        "user" => Feature::User,
        "moderation" => Feature::Safety,
        "prompt_cache_options" => Feature::CacheMark,
        "prompt_cache_retention" if value.text().is_some_and(|text| text.is("24h")) => Feature::CacheLong,
        "prompt_cache_retention" => Feature::CacheKey,
        _ => Feature::Unknown,
    }
}

/// `safety_identifier` says who asks, and the older `user` where that is absent.
fn settle_user<'a>(request: &mut Request<'a>) {
    let Some(at) = request.foreign.iter().position(|member| member.feature == Feature::User) else { return };
    let Some(Cow::Borrowed(bytes)) = request.foreign.get(at).map(|member| member.value.0.clone()) else { return };
    if let (None, Ok(user)) = (&request.user, Scanner::new(bytes).string()) {
        request.user = Some(user.prose());
        request.foreign.remove(at);
    }
}
