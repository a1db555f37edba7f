//! Reads a request, or the body of `count_tokens`, which is a request without `max_tokens`. Not what it costs.

use crate::chat::feature::Feature;
use crate::chat::part::{Content, Part};
use crate::chat::prose::Json;
use crate::chat::request::{Request, Role, Turn};
use crate::codec::anthropic::decode_block::{Wishes, blocks, cache_mark};
use crate::codec::anthropic::decode_tool::{Thinking, choice, format, tool};
use crate::codec::json::{Malformed, Scanner, Text};

/// Reads a body.
pub(super) fn request(body: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut scanner = Scanner::new(body);
    let mut reader = Reader::default();
    scanner.unique_object(|scanner, key| reader.member(scanner, &key))?;
    scanner.end()?;
    reader.finish()
}

#[derive(Default)]
struct Reader<'a> {
    request: Request<'a>,
    system: Vec<Part<'a>>,
    messages: bool,
    thinking: Thinking<'a>,
    wishes: Wishes<'a>,
}

impl<'a> Reader<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        let Self { request, wishes, .. } = self;
        match key.raw() {
            b"model" => {
                let model = scanner.string()?;
                request.model = Some((model.text(), model.span()));
            }
            b"messages" => {
                self.messages = true;
                scanner.array(|scanner| message(scanner, &mut request.turns, wishes))?;
            }
            b"system" => self.system = blocks(scanner, wishes)?,
            b"tools" => {
                if !scanner.null()? {
                    scanner.array(|scanner| {
                        request.tools.push(tool(scanner, wishes)?);
                        Ok(())
                    })?;
                }
            }
            b"tool_choice" => choice(scanner, request, wishes)?,
            b"thinking" => self.thinking.read(scanner, wishes)?,
            b"output_config" => self.thinking.read_output(scanner, &mut request.output, wishes)?,
            b"output_format" => format(scanner, &mut request.output, wishes)?,
            b"metadata" => metadata(scanner, request, wishes)?,
            b"cache_control" => request.cache_all = cache_mark(scanner)?,
            b"stream" | b"max_tokens" | b"temperature" | b"top_p" | b"top_k" | b"stop_sequences" | b"service_tier" => {
                self.scalar(scanner, key)?;
            }
            // A body for Vertex or Bedrock says its version inside; each target has its own.
            b"anthropic_version" => scanner.pass()?,
            _ => keep(wishes, key, scanner.json()?),
        }
        Ok(())
    }

    fn scalar(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Result<(), Malformed> {
        if scanner.null()? {
            return Ok(());
        }
        let request = &mut self.request;
        scanner.peek()?;
        let start = scanner.offset();
        let malformed = |what| Malformed { offset: start, what };
        match key.raw() {
            b"stream" => request.stream = scanner.bool()?.ok_or(malformed("`stream` must be true or false"))?,
            b"max_tokens" => {
                let limit = scanner.whole_or_skip()?.ok_or(malformed("`max_tokens` must be a whole number"))?;
                request.max_output = Some(limit);
            }
            b"temperature" => {
                let number = scanner.float_or_skip()?.ok_or(malformed("`temperature` must be a number"))?;
                request.sampling.temperature = Some(number);
            }
            b"top_p" => {
                request.sampling.top_p = Some(scanner.float_or_skip()?.ok_or(malformed("`top_p` must be a number"))?);
            }
            b"top_k" => {
                let number = scanner.whole_or_skip()?.ok_or(malformed("`top_k` must be a whole number"))?;
                request.sampling.top_k = Some(number);
            }
            b"stop_sequences" => scanner.array(|scanner| {
                request.sampling.stop.push(scanner.string()?.prose());
                Ok(())
            })?,
            _ => request.service_tier = Some(scanner.string()?.text()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Request<'a>, Malformed> {
        let Self { mut request, system, messages, thinking, mut wishes } = self;
        if !messages {
            return Err(Malformed { offset: 0, what: "`messages` is missing" });
        }
        if !system.is_empty() {
            request.turns.insert(0, Turn { role: Role::System, parts: system, name: None });
        }
        request.reasoning = thinking.reasoning(&mut wishes);
        if wishes.citations {
            wishes.keep(Feature::Citations, "document.citations", Json::borrowed(br#"{"enabled":true}"#));
        }
        request.foreign = wishes.foreign;
        Ok(request)
    }
}

/// Keeps a top-level member that other wires have no word for.
fn keep<'a>(wishes: &mut Wishes<'a>, key: &Text<'a>, value: Json<'a>) {
    if matches!(value.bytes(), b"null" | b"[]") {
        return;
    }
    let feature = match key.raw() {
        b"context_management" => Feature::ContextManagement,
        b"container" | b"mcp_servers" => Feature::HostedTools,
        b"speed" => Feature::ServiceTier,
        b"diagnostics" => Feature::Include,
        b"user_profile_id" | b"workspace_id" => Feature::User,
        _ => Feature::Unknown,
    };
    wishes.keep(feature, key.text(), value);
}

/// Reads `metadata`, of which `user_id` alone is known.
fn metadata<'a>(
    scanner: &mut Scanner<'a>,
    request: &mut Request<'a>,
    wishes: &mut Wishes<'a>,
) -> Result<(), Malformed> {
    if scanner.null()? {
        return Ok(());
    }
    scanner.object(|scanner, key| {
        if key.is("user_id") {
            request.user = scanner.string_or_skip()?.map(|text| text.prose());
        } else {
            wishes.keep(Feature::Metadata, format!("metadata.{}", key.text()), scanner.json()?);
        }
        Ok(())
    })
}

/// Reads one message. Tools' results become a turn of their own, before what the user says.
fn message<'a>(scanner: &mut Scanner<'a>, turns: &mut Vec<Turn<'a>>, wishes: &mut Wishes<'a>) -> Result<(), Malformed> {
    scanner.peek()?;
    let start = scanner.offset();
    let malformed = |what| Malformed { offset: start, what };
    let (mut role, mut parts) = (None, None);
    scanner.object(|scanner, key| {
        match key.raw() {
            b"role" => role = Some(scanner.string()?),
            b"content" => parts = Some(blocks(scanner, wishes)?),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let parts = parts.ok_or(malformed("a message needs `content`"))?;
    let role = match role.ok_or(malformed("a message needs a `role`"))?.text().as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(malformed("`role` must be `user`, `assistant` or `system`")),
    };
    let turn = |role, parts| Turn { role, parts, name: None };
    let is_result = |part: &Part<'_>| matches!(part.content, Content::Result(_));
    if role != Role::User || !parts.iter().any(is_result) {
        turns.push(turn(role, parts));
        return Ok(());
    }
    let (results, words): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_result);
    turns.push(turn(Role::Tool, results));
    if !words.is_empty() {
        turns.push(turn(Role::User, words));
    }
    Ok(())
}
