//! Reads the messages of a chat request into turns. Not what stands in a part (see `part`).

use std::borrow::Cow;
use std::collections::HashSet;

use crate::chat::part::{CacheMark, Call, CallKind, CallResult, Content, Part, Thought};
use crate::chat::prose::Prose;
use crate::chat::request::{Role, Turn};
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::{field, part, thought};

/// The older `function_call`s of a conversation, which have no ids: they are numbered, and a result answers the last.
#[derive(Default)]
pub(super) struct LegacyCalls {
    count: usize,
}

impl LegacyCalls {
    fn begin(&mut self) -> String {
        self.count += 1;
        self.last()
    }

    fn last(&self) -> String {
        format!("call_legacy_{}", self.count)
    }
}

/// One message.
pub(super) fn read<'a>(
    scanner: &mut Scanner<'a>,
    legacy: &mut LegacyCalls,
    turns: &mut Vec<Turn<'a>>,
) -> Result<(), Malformed> {
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("a message is an object"));
    }
    let start = scanner.offset();
    let mut message = Message::default();
    scanner.object(|scanner, key| message.member(scanner, &key))?;
    let Some(role) = message.role else {
        return Err(Malformed { offset: start, what: "a message has a `role`" });
    };
    let role_at = role.span().start;
    let name = message.name.take();
    let (role, parts) = match role.bytes().as_ref() {
        b"system" | b"developer" => (Role::System, message.content()),
        b"user" => (Role::User, message.content()),
        b"assistant" => (Role::Assistant, message.answer(legacy)),
        b"tool" => {
            let id = message.call_id.take();
            let id = id.ok_or(Malformed { offset: start, what: "a tool message has a `tool_call_id`" })?;
            return push_result(turns, message.result(id.text(), name));
        }
        b"function" => {
            let result = message.result(Cow::Owned(legacy.last()), name);
            return push_result(turns, result);
        }
        _ => {
            let what = "a role is `system`, `developer`, `user`, `assistant`, `tool` or `function`";
            return Err(Malformed { offset: role_at, what });
        }
    };
    turns.push(Turn { role, parts, name: name.map(|name| name.prose()) });
    Ok(())
}

fn push_result<'a>(turns: &mut Vec<Turn<'a>>, result: Part<'a>) -> Result<(), Malformed> {
    turns.push(Turn { role: Role::Tool, parts: vec![result], name: None });
    Ok(())
}

/// Tool messages do not say what sort of tool they answer for: their calls do.
pub(super) fn mark_custom_results(turns: &mut [Turn<'_>]) {
    let mut custom: HashSet<Cow<'_, str>> = HashSet::new();
    for part in turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match &mut part.content {
            Content::Call(call) if call.kind == CallKind::Custom => {
                custom.insert(call.id.clone());
            }
            Content::Result(result) if custom.contains(&result.id) => result.kind = CallKind::Custom,
            _ => {}
        }
    }
}

/// The members of a message, whatever its role: it may come last.
#[derive(Default)]
struct Message<'a> {
    role: Option<Text<'a>>,
    parts: Vec<Part<'a>>,
    name: Option<Text<'a>>,
    refusal: Option<Text<'a>>,
    reasoning: Option<Text<'a>>,
    reasoning_content: Option<Text<'a>>,
    thoughts: Vec<Part<'a>>,
    details: Vec<Part<'a>>,
    calls: Vec<Call<'a>>,
    legacy_call: Option<Call<'a>>,
    call_id: Option<Text<'a>>,
    cache: Option<CacheMark>,
}

impl<'a> Message<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        match key.bytes().as_ref() {
            b"role" => self.role = Some(scanner.string()?),
            b"content" => part::read_content(scanner, &mut self.parts)?,
            b"name" => self.name = field::string(scanner, "`name` is a string")?,
            b"refusal" => self.refusal = field::string(scanner, "`refusal` is a string")?,
            // What a vendor thought is not refused for its shape: not every client knows what it sends back here.
            b"reasoning" => self.reasoning = field::filled(scanner)?,
            b"reasoning_content" => self.reasoning_content = field::filled(scanner)?,
            b"thinking_blocks" => thought::read_blocks(scanner, &mut self.thoughts)?,
            b"reasoning_details" => thought::read_details(scanner, &mut self.details)?,
            b"tool_calls" => field::each(scanner, "`tool_calls` is an array", |scanner| {
                let unnamed = scanner.malformed("a tool call names its tool");
                let call = read_call(scanner)?;
                if call.name.is_empty() {
                    return Err(unnamed);
                }
                self.calls.push(call);
                Ok(())
            })?,
            b"function_call" if scanner.peek()? == b'{' => {
                self.legacy_call = Some(read_legacy_call(scanner)?);
            }
            b"tool_call_id" => self.call_id = field::string(scanner, "`tool_call_id` is a string")?,
            b"cache_control" | b"prompt_cache_breakpoint" => self.cache = part::read_mark(scanner)?,
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// The parts, a mark on the whole message standing on the last.
    fn content(&mut self) -> Vec<Part<'a>> {
        let mut parts = std::mem::take(&mut self.parts);
        if let (Some(last), Some(mark)) = (parts.last_mut(), self.cache) {
            last.cache = last.cache.or(Some(mark));
        }
        parts
    }

    fn answer(&mut self, legacy: &mut LegacyCalls) -> Vec<Part<'a>> {
        let mut parts = std::mem::take(&mut self.thoughts);
        if parts.is_empty() {
            parts = std::mem::take(&mut self.details);
        }
        let in_content = |part: &Part<'_>| matches!(part.content, Content::Thought(_));
        if parts.is_empty() && !self.parts.iter().any(in_content) {
            let text = self.reasoning_content.or(self.reasoning);
            let text = text.map(|text| Content::Thought(Thought { text: text.prose(), seal: None }));
            parts.extend(text.map(Part::from));
        }
        let mut content = self.content();
        let refusal = self.refusal.filter(|refusal| !refusal.is_empty());
        let more = !parts.is_empty() || refusal.is_some() || !self.calls.is_empty() || self.legacy_call.is_some();
        if more {
            // `"content": ""` beside something else is no text.
            content.retain(|part| !matches!(&part.content, Content::Text { text, .. } if text.is_empty()));
        }
        parts.append(&mut content);
        parts.extend(refusal.map(|refusal| Part::from(Content::Refusal(refusal.prose()))));
        let legacy_call = self.legacy_call.take().map(|call| Call { id: Cow::Owned(legacy.begin()), ..call });
        let calls = std::mem::take(&mut self.calls).into_iter().chain(legacy_call);
        parts.extend(calls.map(|call| Part::from(Content::Call(call))));
        if let (Some(last), Some(mark)) = (parts.last_mut(), self.cache) {
            last.cache = last.cache.or(Some(mark));
        }
        parts
    }

    fn result(&mut self, id: Cow<'a, str>, name: Option<Text<'a>>) -> Part<'a> {
        let mut parts = std::mem::take(&mut self.parts);
        parts.retain(|part| !matches!(&part.content, Content::Text { text, .. } if text.is_empty()));
        let name = name.map(|name| name.text());
        let result = CallResult { id, name, parts, is_error: false, kind: CallKind::Function };
        Part { content: Content::Result(result), cache: self.cache }
    }
}

fn blank_call<'a>() -> Call<'a> {
    let (id, name) = (Cow::Borrowed(""), Cow::Borrowed(""));
    Call { id, name, arguments: Prose::EMPTY, kind: CallKind::Function, signature: None }
}

/// The older `function_call`, which has no id.
pub(super) fn read_legacy_call<'a>(scanner: &mut Scanner<'a>) -> Result<Call<'a>, Malformed> {
    let mut call = blank_call();
    scanner.object(|scanner, key| call_member(scanner, &key, &mut call))?;
    Ok(call)
}

/// One of `tool_calls`, in a request or in a whole answer.
pub(super) fn read_call<'a>(scanner: &mut Scanner<'a>) -> Result<Call<'a>, Malformed> {
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("a tool call is an object"));
    }
    let mut call = blank_call();
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"id" => call.id = field::text(scanner, "a call's `id` is a string")?.unwrap_or_default(),
            b"function" if scanner.peek()? == b'{' => {
                scanner.object(|scanner, key| call_member(scanner, &key, &mut call))?;
            }
            b"custom" if scanner.peek()? == b'{' => {
                call.kind = CallKind::Custom;
                scanner.object(|scanner, key| call_member(scanner, &key, &mut call))?;
            }
            b"extra_content" => call.signature = read_signature(scanner)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok(call)
}

fn call_member<'a>(scanner: &mut Scanner<'a>, key: &Text<'a>, call: &mut Call<'a>) -> Result<(), Malformed> {
    match key.bytes().as_ref() {
        b"name" => call.name = field::text(scanner, "a call's `name` is a string")?.unwrap_or_default(),
        b"arguments" | b"input" => call.arguments = read_arguments(scanner)?,
        _ => scanner.pass()?,
    }
    Ok(())
}

/// The text of the arguments; some clients and vendors write the object itself.
pub(super) fn read_arguments<'a>(scanner: &mut Scanner<'a>) -> Result<Prose<'a>, Malformed> {
    if scanner.peek()? == b'{' {
        let object = scanner.skip()?;
        return Ok(Prose::Plain(String::from_utf8_lossy(scanner.slice(object))));
    }
    Ok(field::prose(scanner, "a call's `arguments` is a string")?.unwrap_or(Prose::EMPTY))
}

/// Google's place for the signature of a call: `extra_content.google.thought_signature`.
pub(super) fn read_signature<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    let mut signature = None;
    field::members_or_skip(scanner, |scanner, key| {
        if !key.is("google") {
            return scanner.pass();
        }
        field::members_or_skip(scanner, |scanner, key| {
            if !key.is("thought_signature") {
                return scanner.pass();
            }
            signature = field::filled(scanner)?.map(|text| text.text());
            Ok(())
        })
    })?;
    Ok(signature)
}
