//! Reads chat completion requests: the members around the conversation. Not the conversation (see `message`), nor tools
//! (see `tool`).

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Depth, Effort, Foreign, Output, Request};
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner, Text};
use crate::codec::openai::part;
use crate::codec::openai::{field, message, tool};

/// Reads a request. See `ClientWire::decode_request`.
pub(super) fn decode<'a>(body: &'a [u8]) -> Result<Request<'a>, Malformed> {
    let mut reader = Reader::default();
    let mut scanner = Scanner::new(body);
    scanner.unique_object(|scanner, key| reader.member(scanner, &key))?;
    scanner.end()?;
    Ok(reader.request())
}

#[derive(Default)]
struct Reader<'a> {
    request: Request<'a>,
    calls: message::LegacyCalls,
    limit: Option<u64>,
    old_limit: Option<u64>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    safety_identifier: Option<Json<'a>>,
    thinking: Thinking,
}

/// The several ways in which clients of compatible vendors ask for thinking.
#[derive(Default)]
struct Thinking {
    /// `reasoning_effort`, or `reasoning.effort`.
    effort: Option<Depth>,
    /// Switched on or off.
    on: Option<bool>,
    budget: Option<u64>,
    shown: Option<bool>,
}

impl Thinking {
    fn depth(&self) -> Option<Depth> {
        match (self.on, self.effort, self.budget) {
            (Some(false), _, _) => Some(Depth::Off),
            (_, Some(effort), _) => Some(effort),
            (_, None, Some(0)) => Some(Depth::Off),
            (_, None, Some(budget)) => Some(Depth::Budget(budget)),
            (Some(true), None, None) => Some(Depth::Adaptive),
            (None, None, None) => None,
        }
    }
}

type Read = Result<(), Malformed>;

impl<'a> Reader<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Read {
        let request = &mut self.request;
        match key.bytes().as_ref() {
            b"model" => {
                let model = scanner.string()?;
                request.model = Some((model.text(), model.span()));
            }
            b"messages" => {
                let wrong = scanner.malformed("`messages` is an array");
                if scanner.peek()? != b'[' {
                    return Err(wrong);
                }
                scanner.array(|scanner| message::read(scanner, &mut self.calls, &mut request.turns))?;
            }
            b"stream" => request.stream = field::boolean(scanner, "`stream` is a boolean")?.unwrap_or(false),
            // Whether usage is asked for is known from the request's head; obfuscation is the provider's own affair.
            b"stream_options" => scanner.pass()?,
            b"max_completion_tokens" => {
                self.limit = field::whole(scanner, "`max_completion_tokens` is a whole number")?;
            }
            b"max_tokens" => self.old_limit = field::whole(scanner, "`max_tokens` is a whole number")?,
            b"tools" => {
                field::each(scanner, "`tools` is an array", |scanner| {
                    request.tools.push(tool::read(scanner)?);
                    Ok(())
                })?;
            }
            b"functions" => {
                field::each(scanner, "`functions` is an array", |scanner| {
                    request.tools.push(tool::read_function(scanner)?);
                    Ok(())
                })?;
            }
            b"tool_choice" | b"function_call" => {
                request.tool_choice = tool::read_choice(scanner)?.or(request.tool_choice.take());
            }
            b"parallel_tool_calls" => {
                request.parallel_calls = field::boolean(scanner, "`parallel_tool_calls` is a boolean")?;
            }
            b"response_format" => self.response_format(scanner)?,
            b"verbosity" => request.verbosity = field::text(scanner, "`verbosity` is a string")?,
            b"service_tier" => request.service_tier = field::text(scanner, "`service_tier` is a string")?,
            b"store" => request.store = field::boolean(scanner, "`store` is a boolean")?,
            b"metadata" => request.metadata = field::object(scanner, "`metadata` is an object")?,
            b"user" => request.user = field::prose(scanner, "`user` is a string")?,
            b"prompt_cache_key" => request.cache_key = field::prose(scanner, "`prompt_cache_key` is a string")?,
            b"cache_control" => request.cache_all = part::read_mark(scanner)?,
            _ => return self.rarer_member(scanner, key),
        }
        Ok(())
    }

    fn rarer_member(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Read {
        let sampling = &mut self.request.sampling;
        match key.bytes().as_ref() {
            b"temperature" => sampling.temperature = field::number(scanner, "`temperature` is a number")?,
            b"top_p" => sampling.top_p = field::number(scanner, "`top_p` is a number")?,
            b"frequency_penalty" => {
                sampling.frequency_penalty = field::number(scanner, "`frequency_penalty` is a number")?;
            }
            b"presence_penalty" => {
                sampling.presence_penalty = field::number(scanner, "`presence_penalty` is a number")?;
            }
            b"top_k" => {
                // vLLM's −1 is "all".
                let top_k = field::integer(scanner, "`top_k` is a whole number")?;
                sampling.top_k = top_k.and_then(|top_k| u64::try_from(top_k).ok());
            }
            b"seed" | b"random_seed" => sampling.seed = field::integer(scanner, "`seed` is a whole number")?,
            b"stop" => return self.stop(scanner),
            b"n" => {
                let wrong = scanner.malformed("`n` is a whole number from 1 to 4294967295");
                let choices = field::whole(scanner, wrong.what)?;
                let choices = choices.map(|count| u32::try_from(count).ok().filter(|count| *count > 0).ok_or(wrong));
                sampling.choices = choices.transpose()?.filter(|count| *count > 1);
            }
            b"logprobs" => self.logprobs = field::boolean(scanner, "`logprobs` is a boolean")?,
            b"top_logprobs" => {
                let count = field::whole(scanner, "`top_logprobs` is a whole number")?;
                self.top_logprobs = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            }
            b"web_search_options" => return self.web_search(scanner, key),
            b"reasoning_effort" => return self.effort(scanner, key),
            b"reasoning" | b"thinking" => return self.thinking(scanner, key),
            b"enable_thinking" => self.thinking.on = field::boolean(scanner, "`enable_thinking` is a boolean")?,
            b"thinking_budget" | b"thinking_token_budget" | b"thinking_budget_tokens" => {
                self.thinking.budget = field::whole(scanner, "a thinking budget is a whole number")?;
            }
            b"include_reasoning" => {
                self.thinking.shown = field::boolean(scanner, "`include_reasoning` is a boolean")?;
            }
            b"safety_identifier" => self.safety_identifier = Some(scanner.json()?),
            _ => return self.foreign(scanner, key),
        }
        Ok(())
    }

    /// A member that other wires have no word for. `null` says nothing.
    fn foreign(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Read {
        let value = scanner.json()?;
        let feature = match key.bytes().as_ref() {
            b"logit_bias" => Feature::LogitBias,
            b"prediction" => Feature::Prediction,
            b"audio" => Feature::AudioOut,
            b"modalities" if names(&value, "audio") => Feature::AudioOut,
            // Text alone is what everybody answers with.
            b"modalities" if !names(&value, "image") => return Ok(()),
            b"moderation" | b"safe_prompt" | b"guardrails" => Feature::Safety,
            b"prompt_cache_options" => Feature::CacheMark,
            b"prompt_cache_retention" => Feature::CacheLong,
            _ => Feature::Unknown,
        };
        if value.bytes() != b"null" {
            self.request.foreign.push(Foreign { feature, wire: Wire::Chat, name: key.text(), value });
        }
        Ok(())
    }

    fn stop(&mut self, scanner: &mut Scanner<'a>) -> Read {
        let stop = &mut self.request.sampling.stop;
        if scanner.peek()? == b'"' {
            stop.push(scanner.string()?.prose());
            return Ok(());
        }
        field::each(scanner, "`stop` is a string or an array of strings", |scanner| {
            stop.push(scanner.string()?.prose());
            Ok(())
        })
    }

    fn web_search(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Read {
        let mut options = 0;
        scanner.peek()?;
        let start = scanner.offset();
        let asked = field::members(scanner, "`web_search_options` is an object", |scanner, _| {
            options += 1;
            scanner.pass()
        })?;
        self.request.web_search |= asked;
        if options > 0 {
            let value = Json::borrowed(scanner.slice(start..scanner.offset()));
            let feature = Feature::WebSearch;
            self.request.foreign.push(Foreign { feature, wire: Wire::Chat, name: key.text(), value });
        }
        Ok(())
    }

    fn effort(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Read {
        let Some(effort) = field::string(scanner, "`reasoning_effort` is a string")? else {
            return Ok(());
        };
        let name = effort.text();
        match effort_of(&name) {
            Some(depth) => self.thinking.effort = Some(depth),
            // A vendor's own word, as Groq's `default`.
            None => {
                let (feature, value) = (Feature::ReasoningDepth, Json(Cow::Owned(quoted(&effort))));
                self.request.foreign.push(Foreign { feature, wire: Wire::Chat, name: key.text(), value });
            }
        }
        Ok(())
    }

    /// OpenRouter's `reasoning`, and `thinking` as DeepSeek, Z.ai and Anthropic write it.
    fn thinking(&mut self, scanner: &mut Scanner<'a>, key: &Text<'a>) -> Read {
        let thinking = &mut self.thinking;
        let what = if key.is("thinking") { "`thinking` is an object" } else { "`reasoning` is an object" };
        field::members(scanner, what, |scanner, key| {
            match key.bytes().as_ref() {
                b"effort" => {
                    let effort = scanner.string_or_skip()?.and_then(|effort| effort_of(&effort.text()));
                    thinking.effort = effort.or(thinking.effort);
                }
                b"max_tokens" | b"budget_tokens" => thinking.budget = scanner.whole_or_skip()?,
                b"enabled" => thinking.on = field::boolean(scanner, "`enabled` is a boolean")?,
                b"exclude" => {
                    let hidden = field::boolean(scanner, "`exclude` is a boolean")?;
                    thinking.shown = hidden.map(|hidden| !hidden);
                }
                b"type" => {
                    thinking.on = match scanner.string_or_skip()? {
                        Some(kind) if kind.is("disabled") => Some(false),
                        Some(_) => Some(true),
                        None => None,
                    };
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        Ok(())
    }

    fn response_format(&mut self, scanner: &mut Scanner<'a>) -> Read {
        scanner.peek()?;
        let start = scanner.offset();
        let mut kind = None;
        let mut schema = None;
        field::members(scanner, "`response_format` is an object", |scanner, key| {
            match key.bytes().as_ref() {
                b"type" => kind = Some(scanner.string()?),
                b"json_schema" => schema = read_schema(scanner)?,
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        let Some(kind) = kind else { return Ok(()) };
        self.request.output = match kind.bytes().as_ref() {
            b"text" => Output::Text,
            b"json_object" => Output::Json,
            b"json_schema" => schema.ok_or_else(|| scanner.malformed("`json_schema` is missing"))?,
            _ => {
                let (feature, name) = (Feature::Unknown, Cow::Borrowed("response_format"));
                let value = Json::borrowed(scanner.slice(start..scanner.offset()));
                self.request.foreign.push(Foreign { feature, wire: Wire::Chat, name, value });
                Output::Text
            }
        };
        Ok(())
    }

    fn request(mut self) -> Request<'a> {
        let request = &mut self.request;
        message::mark_custom_results(&mut request.turns);
        request.max_output = self.limit.or(self.old_limit);
        request.reasoning.depth = self.thinking.depth();
        request.reasoning.shown = self.thinking.shown;
        if self.logprobs == Some(true) {
            request.sampling.logprobs = Some(self.top_logprobs.unwrap_or(0));
        }
        match self.safety_identifier {
            Some(Json(value)) if request.user.is_none() => {
                request.user = within_quotes(value).map(Prose::Escaped);
            }
            Some(value) if value.bytes() != b"null" => {
                let (feature, name) = (Feature::User, Cow::Borrowed("safety_identifier"));
                request.foreign.push(Foreign { feature, wire: Wire::Chat, name, value });
            }
            Some(_) | None => {}
        }
        self.request
    }
}

fn effort_of(name: &str) -> Option<Depth> {
    if name == "none" { Some(Depth::Off) } else { Effort::parse(name).map(Depth::Effort) }
}

fn quoted(text: &Text<'_>) -> Vec<u8> {
    [b"\"", text.raw(), b"\""].concat()
}

/// What stands between the quotes of a JSON string; `None` for other values, and for what no wire would take as text.
fn within_quotes(value: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let prose = Scanner::new(&value).string().ok()?.prose().into_owned();
    match prose {
        Prose::Escaped(bytes) => Some(Cow::Owned(bytes.into_owned())),
        Prose::Plain(_) => None,
    }
}

/// Whether an array of strings holds one.
fn names(array: &Json<'_>, name: &str) -> bool {
    let mut found = false;
    let scanned: Read = Scanner::new(array.bytes()).array(|scanner| {
        found |= scanner.string_or_skip()?.is_some_and(|text| text.is(name));
        Ok(())
    });
    scanned.is_ok() && found
}

fn read_schema<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Output<'a>>, Malformed> {
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    let is_object = field::members(scanner, "`json_schema` is an object", |scanner, key| {
        match key.bytes().as_ref() {
            b"name" => name = field::text(scanner, "a schema's `name` is a string")?,
            b"description" => description = field::prose(scanner, "a `description` is a string")?,
            b"schema" => schema = field::object(scanner, "a `schema` is an object")?,
            b"strict" => strict = field::boolean(scanner, "`strict` is a boolean")?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    // A schema that is left out allows everything.
    let schema = schema.unwrap_or(Json::borrowed(b"{}"));
    Ok(is_object.then_some(Output::Schema { name, description, schema, strict }))
}
