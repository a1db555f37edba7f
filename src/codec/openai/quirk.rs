//! Edits of a chat request for a target of the same wire that wants some members otherwise. Every byte that no rule is
//! about stays as it is; a request that has nothing of the kind is not touched. Not a translation (see `request_out`).

use std::ops::Range;

use crate::chat::feature::{Feature, Features};
use crate::chat::request::{Depth, Effort, Reasoning};
use crate::chat::traits::Trait;
use crate::codec::json::{Malformed, Scanner, Text, write_string};
use crate::codec::openai::target::Target;
use crate::codec::openai::thinking::{self, Wish};
use crate::codec::openai::vendor::{self, Format, Vendor};
use crate::codec::openai::{message_out, model};
use crate::codec::wire::Shape;
use crate::codec::writer::Writer;

/// A request as a target wants it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// The body; `None` when it stays as it is.
    pub body: Option<Vec<u8>>,
    /// What was taken out.
    pub lost: Features,
}

/// Whether requests for a target may need edits at all: without it nobody need look.
pub fn applies(shape: &Shape<'_>) -> bool {
    const TRAITS: [Trait; 6] = [
        Trait::NoDeveloperRole,
        Trait::MaxTokensField,
        Trait::NoSamplingParams,
        Trait::NoReasoningEffort,
        Trait::NoForcedToolUse,
        Trait::ReplayReasoningContent,
    ];
    let vendor = vendor::of(shape);
    if vendor.is_openai() {
        // OpenAI's own requests are right for its models, but for the older name of the limit.
        return model::generation(shape).is_some() || TRAITS.into_iter().any(|one| shape.is(one));
    }
    vendor.is_known() || vendor.format(shape) != Format::Effort || TRAITS.into_iter().any(|one| shape.is(one))
}

/// The body of a chat request as the target wants it.
///
/// # Errors
/// What is not JSON, or too deep.
pub fn edits(body: &[u8], shape: &Shape<'_>) -> Result<Edited, Malformed> {
    let older_limit = || memchr::memmem::find(body, b"\"max_tokens\"").is_some();
    if !applies(shape) || vendor::of(shape).is_openai() && shape.traits.is_empty() && !older_limit() {
        return Ok(Edited::default());
    }
    let mut editor = Editor::new(shape);
    let mut scanner = Scanner::new(body);
    editor.request(&mut scanner)?;
    scanner.end()?;
    let lost = editor.lost;
    Ok(Edited { body: editor.changes.apply(body), lost })
}

/// Members of the top that are taken out where their feature is refused.
const REFUSABLE: &[(&str, Feature)] = &[
    ("logit_bias", Feature::LogitBias),
    ("prediction", Feature::Prediction),
    ("verbosity", Feature::Verbosity),
    ("store", Feature::Store),
    ("metadata", Feature::Metadata),
    ("service_tier", Feature::ServiceTier),
    ("prompt_cache_key", Feature::CacheKey),
    ("user", Feature::User),
    ("seed", Feature::Seed),
    ("stop", Feature::Stop),
    ("logprobs", Feature::Logprobs),
    ("top_logprobs", Feature::Logprobs),
    ("frequency_penalty", Feature::FrequencyPenalty),
    ("presence_penalty", Feature::PresencePenalty),
    ("parallel_tool_calls", Feature::ParallelCalls),
    ("top_k", Feature::TopK),
];

/// Members that models without sampling refuse.
const SAMPLING: &[(&str, Feature)] = &[
    ("temperature", Feature::Temperature),
    ("top_p", Feature::TopP),
    ("top_k", Feature::TopK),
    ("frequency_penalty", Feature::FrequencyPenalty),
    ("presence_penalty", Feature::PresencePenalty),
];

struct Editor<'s> {
    shape: &'s Shape<'s>,
    vendor: &'static Vendor,
    replays: bool,
    changes: Changes,
    lost: Features,
}

type Read = Result<(), Malformed>;

impl<'s> Editor<'s> {
    fn new(shape: &'s Shape<'s>) -> Self {
        let replays = shape.is(Trait::ReplayReasoningContent);
        Self { shape, vendor: vendor::of(shape), replays, changes: Changes::default(), lost: Features::NONE }
    }

    fn request(&mut self, scanner: &mut Scanner<'_>) -> Read {
        let mut members = Members::default();
        let mut stream = false;
        let mut effort = None;
        let mut native = false;
        scanner.object(|scanner, key| {
            let index = members.add(&key);
            let name = key.bytes();
            match name.as_ref() {
                b"messages" if scanner.peek()? == b'[' => scanner.array(|scanner| self.message(scanner))?,
                b"tools" if scanner.peek()? == b'[' => scanner.array(|scanner| self.tool(scanner))?,
                b"stream" => stream = scanner.bool()?.map_or_else(|| scanner.pass().map(|()| false), Ok)?,
                b"reasoning_effort" if scanner.peek()? == b'"' => {
                    effort = Some((index, scanner.string()?));
                }
                b"reasoning" | b"thinking" | b"enable_thinking" | b"chat_template_kwargs" => {
                    native = true;
                    scanner.pass()?;
                }
                _ => self.top(scanner, &key, index, &mut members)?,
            }
            members.end(scanner.offset());
            Ok(())
        })?;
        if let (Some((index, word)), false) = (effort, native) {
            self.effort(&word, index, stream, &mut members);
        }
        members.apply(&mut self.changes);
        Ok(())
    }

    /// A member of the top that may be renamed, changed or taken out.
    fn top(&mut self, scanner: &mut Scanner<'_>, key: &Text<'_>, index: usize, members: &mut Members) -> Read {
        let name = key.bytes();
        let first = scanner.peek()?;
        let value = if matches!(name.as_ref(), b"tool_choice") { self.choice(scanner)? } else { scanner.skip()? };
        let says_nothing = first == b'n';
        let mut remove = |editor: &mut Self, feature: Option<Feature>| {
            members.remove(index);
            if let (Some(feature), false) = (feature, says_nothing) {
                editor.lost.insert(feature);
            }
        };
        match name.as_ref() {
            b"max_completion_tokens" | b"max_tokens" => {
                let wanted = self.vendor.limit(self.shape);
                let newer = name.as_ref() == b"max_completion_tokens";
                // OpenAI's older models take both names, and vendors of the newer name the older too.
                let wrong = if newer { wanted == "max_tokens" } else { model::generation(self.shape).is_some() };
                if wrong && self.vendor_is_sure() {
                    self.changes.replace(key.span(), quoted(if newer { wanted } else { "max_completion_tokens" }));
                }
            }
            b"stream_options" if self.vendor.no_stream_options => remove(self, None),
            b"seed" if self.shape.vendor == "mistral" => self.changes.replace(key.span(), quoted("random_seed")),
            other => {
                let named = |row: &&(&str, Feature)| row.0.as_bytes() == other;
                let sampling = SAMPLING.iter().find(named).filter(|_| self.shape.is(Trait::NoSamplingParams));
                let refused = REFUSABLE.iter().find(named).filter(|(_, feature)| self.vendor.cannot_stand(*feature));
                if let Some((name, feature)) = sampling.or(refused) {
                    // A temperature of 1 is what a model without one draws with.
                    let default = *name == "temperature" && matches!(scanner.slice(value), b"1" | b"1.0");
                    let default = default || *name == "top_logprobs";
                    remove(self, (!default).then_some(*feature));
                }
            }
        }
        Ok(())
    }

    /// Whether the name of the limit is known: vendors of whom nothing is known are not corrected.
    fn vendor_is_sure(&self) -> bool {
        self.vendor.is_known() || self.shape.is(Trait::MaxTokensField)
    }

    /// `tool_choice`, which is left to models that cannot be forced.
    fn choice(&mut self, scanner: &mut Scanner<'_>) -> Result<Range<usize>, Malformed> {
        let forced = match scanner.peek()? {
            b'"' => {
                let start = scanner.offset();
                let word = scanner.string()?;
                let forced = word.is("required") || word.is("any");
                if forced
                    && self.vendor.forces(self.shape)
                    && let Some(required) = self.vendor.required
                    && !word.is(required)
                {
                    self.changes.replace(word.span(), quoted(required));
                }
                (forced, start..scanner.offset())
            }
            b'{' => (true, scanner.skip()?),
            _ => (false, scanner.skip()?),
        };
        let (forced, span) = forced;
        if forced && !self.vendor.forces(self.shape) {
            self.changes.replace(span.clone(), quoted("auto"));
            self.lost.insert(Feature::ToolChoice);
        }
        Ok(span)
    }

    /// `reasoning_effort` in the target's words.
    fn effort(&mut self, word: &Text<'_>, index: usize, stream: bool, members: &mut Members) {
        let word = word.text();
        let depth = if word == "none" { Some(Depth::Off) } else { Effort::parse(&word).map(Depth::Effort) };
        let refused = self.shape.is(Trait::NoReasoningEffort);
        let format = self.vendor.format(self.shape);
        if format == Format::Effort && !refused {
            return;
        }
        // A vendor's own word stays, unless the member is refused.
        let Some(depth) = depth else {
            if refused {
                members.remove(index);
                self.lost.insert(Feature::ReasoningDepth);
            }
            return;
        };
        let mut target = Target::new(self.shape);
        let mut writer = Writer::with_capacity(64);
        let reasoning = Reasoning { depth: Some(depth), shown: None };
        writer.object(|writer| thinking::write(writer, Wish { reasoning, tools: &[], stream }, &mut target));
        let written = writer.into_bytes();
        let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
        if inner.is_empty() {
            members.remove(index);
        } else if let Some(span) = members.span(index) {
            self.changes.replace(span, inner.to_vec());
        }
        if let Ok(lost) = target.result() {
            lost.iter().for_each(|feature| self.lost.insert(feature));
        }
    }

    fn message(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        let open = scanner.offset() + 1;
        let mut members = Members::default();
        let (mut assistant, mut reasoning) = (false, None);
        scanner.object(|scanner, key| {
            let index = members.add(&key);
            match key.bytes().as_ref() {
                b"role" if scanner.peek()? == b'"' => {
                    let role = scanner.string()?;
                    assistant |= role.is("assistant");
                    if role.is("developer") && self.shape.is(Trait::NoDeveloperRole) {
                        self.changes.replace(role.span(), quoted("system"));
                    }
                }
                b"name" if self.vendor.refuses(Feature::Name) => {
                    if !scanner.null()? {
                        self.lost.insert(Feature::Name);
                        scanner.pass()?;
                    }
                    members.remove(index);
                }
                b"tool_calls" if self.vendor.short_ids && scanner.peek()? == b'[' => {
                    scanner.array(|scanner| self.ids(scanner))?;
                }
                b"tool_call_id" if self.vendor.short_ids => self.id(scanner)?,
                b"reasoning_content" => {
                    reasoning = Some(true);
                    scanner.pass()?;
                }
                b"reasoning" if self.replays && reasoning.is_none() && scanner.peek()? == b'"' => {
                    reasoning = Some(false);
                    self.changes.later(key.span(), quoted("reasoning_content"));
                    scanner.pass()?;
                }
                _ if self.vendor.no_nulls && scanner.null()? => members.remove(index),
                _ => scanner.pass()?,
            }
            members.end(scanner.offset());
            Ok(())
        })?;
        // Two members of one name would be worse than a blank thought.
        self.changes.settle(self.replays && assistant && reasoning == Some(false));
        if self.replays && assistant && reasoning.is_none() && !members.is_empty() {
            self.changes.insert(open, br#""reasoning_content":" ","#.to_vec());
        }
        members.apply(&mut self.changes);
        Ok(())
    }

    /// The ids of calls.
    fn ids(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| if key.is("id") { self.id(scanner) } else { scanner.pass() })
    }

    fn id(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if let Some(id) = scanner.string_or_skip()? {
            let text = id.text();
            let short = message_out::short_id(&text);
            if short != text {
                self.changes.replace(id.span(), quoted(&short));
            }
        }
        Ok(())
    }

    /// A tool, whose `strict` some vendors refuse.
    fn tool(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' || !self.vendor.refuses(Feature::StrictTools) {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            if !key.is("function") || scanner.peek()? != b'{' {
                return scanner.pass();
            }
            let mut members = Members::default();
            scanner.object(|scanner, key| {
                let index = members.add(&key);
                if key.is("strict") {
                    members.remove(index);
                    if scanner.bool()? == Some(true) {
                        self.lost.insert(Feature::StrictTools);
                    } else if scanner.peek()? != b',' && scanner.peek()? != b'}' {
                        scanner.pass()?;
                    }
                } else {
                    scanner.pass()?;
                }
                members.end(scanner.offset());
                Ok(())
            })?;
            members.apply(&mut self.changes);
            Ok(())
        })
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// The members of an object, from name to value, and which of them go.
#[derive(Default)]
struct Members {
    spans: Vec<Range<usize>>,
    removed: Vec<usize>,
}

impl Members {
    fn add(&mut self, key: &Text<'_>) -> usize {
        self.spans.push(key.span());
        self.spans.len() - 1
    }

    /// The present member ends.
    fn end(&mut self, at: usize) {
        if let Some(last) = self.spans.last_mut() {
            last.end = at;
        }
    }

    fn remove(&mut self, index: usize) {
        self.removed.push(index);
    }

    fn span(&self, index: usize) -> Option<Range<usize>> {
        self.spans.get(index).cloned()
    }

    fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Takes members out, each with the comma that goes with it.
    fn apply(&mut self, changes: &mut Changes) {
        self.removed.sort_unstable();
        self.removed.dedup();
        let mut kept_before = false;
        let mut removed = self.removed.iter().peekable();
        for (index, span) in self.spans.iter().enumerate() {
            if removed.next_if_eq(&&index).is_none() {
                kept_before = true;
                continue;
            }
            let before = index.checked_sub(1).and_then(|before| self.spans.get(before));
            let cut = match (kept_before, before, self.spans.get(index + 1)) {
                (true, Some(before), _) => before.end..span.end,
                (_, _, Some(next)) => span.start..next.start,
                (_, _, None) => span.clone(),
            };
            changes.remove(cut);
        }
    }
}

/// Changes of a body, in any order.
#[derive(Default)]
struct Changes {
    edits: Vec<(Range<usize>, Vec<u8>)>,
    waiting: Vec<(Range<usize>, Vec<u8>)>,
}

impl Changes {
    fn replace(&mut self, span: Range<usize>, bytes: Vec<u8>) {
        self.edits.push((span, bytes));
    }

    fn insert(&mut self, at: usize, bytes: Vec<u8>) {
        self.edits.push((at..at, bytes));
    }

    fn remove(&mut self, span: Range<usize>) {
        self.edits.push((span, Vec::new()));
    }

    /// A change that is made or forgotten when the present message has been read.
    fn later(&mut self, span: Range<usize>, bytes: Vec<u8>) {
        self.waiting.push((span, bytes));
    }

    fn settle(&mut self, make: bool) {
        let waiting = std::mem::take(&mut self.waiting);
        if make {
            self.edits.extend(waiting);
        }
    }

    /// The body with every change; `None` when there is none. A change inside a member that is taken out goes with it.
    fn apply(mut self, body: &[u8]) -> Option<Vec<u8>> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let more: usize = self.edits.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut out = Vec::with_capacity(body.len() + more);
        let mut at = 0;
        for (span, bytes) in &self.edits {
            if span.start < at {
                continue;
            }
            out.extend_from_slice(body.get(at..span.start)?);
            out.extend_from_slice(bytes);
            at = span.end;
        }
        out.extend_from_slice(body.get(at..)?);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{applies, edits};
    use crate::chat::family::ApiFamily;
    use crate::chat::traits::{Trait, Traits};
    use crate::codec::wire::Shape;

    fn shape<'a>(vendor: &'a str, model: &'a str, traits: &[Trait]) -> Shape<'a> {
        let traits = traits.iter().fold(Traits::NONE, |all, one| all.with(*one));
        Shape { model, api: ApiFamily::OpenAi, vendor, traits, capabilities: None, max_output: None }
    }

    fn edited(body: &str, vendor: &str, traits: &[Trait]) -> (String, String) {
        let edited = edits(body.as_bytes(), &shape(vendor, "m", traits)).unwrap();
        let bytes = edited.body.unwrap_or_else(|| body.as_bytes().to_vec());
        (String::from_utf8(bytes).unwrap(), edited.lost.to_string())
    }

    #[test]
    fn nothing_is_touched_where_nothing_is_asked_for() {
        let body = br#"{"max_tokens":5,"temperature":1,"x":[{"role":"developer"}]}"#;
        for (vendor, model) in [("openai", "gpt-4o"), ("", "m"), ("vllm", "m")] {
            assert!(!applies(&shape(vendor, model, &[])));
            assert_eq!(edits(body, &shape(vendor, model, &[])).unwrap().body, None);
        }
        let plain = br#"{ "model" : "m", "messages":[{"role":"user","content":"x"}], "odd": 1.0 }"#;
        for vendor in ["groq", "mistral", "xai", "deepseek", "perplexity"] {
            assert_eq!(edits(plain, &shape(vendor, "m", &[Trait::NoDeveloperRole])).unwrap().body, None, "{vendor}");
        }
    }

    #[test]
    fn members_change_and_every_other_byte_stays() {
        use Trait::{MaxTokensField, NoDeveloperRole, NoForcedToolUse, NoReasoningEffort, NoSamplingParams};
        for (vendor, traits, before, after, lost) in [
            ("", &[MaxTokensField][..], r#"{ "max_completion_tokens" : 5 }"#, r#"{ "max_tokens" : 5 }"#, ""),
            (
                "",
                &[NoDeveloperRole],
                r#"{"messages":[{"role": "developer","content":"développeur"},{"role":"user"}]}"#,
                r#"{"messages":[{"role": "system","content":"développeur"},{"role":"user"}]}"#,
                "",
            ),
            (
                "",
                &[NoSamplingParams],
                r#"{"temperature":0.5, "top_p":1,"model":"m" ,"presence_penalty":null }"#,
                r#"{"model":"m" }"#,
                "temperature,top_p",
            ),
            ("", &[NoSamplingParams], r#"{"a":1, "temperature":1}"#, r#"{"a":1}"#, ""),
            ("", &[NoSamplingParams], r#"{ "temperature":0 }"#, "{  }", "temperature"),
            ("", &[NoReasoningEffort], r#"{"a":1,"reasoning_effort":"low","b":2}"#, r#"{"a":1,"b":2}"#, "reasoning"),
            ("", &[NoForcedToolUse], r#"{"tool_choice":"required"}"#, r#"{"tool_choice":"auto"}"#, "tool_choice"),
            (
                "",
                &[NoForcedToolUse],
                r#"{"tool_choice":{"type":"function","function":{"name":"a"}},"z":0}"#,
                r#"{"tool_choice":"auto","z":0}"#,
                "tool_choice",
            ),
            ("fireworks", &[], r#"{"tool_choice":"required"}"#, r#"{"tool_choice":"any"}"#, ""),
            (
                "mistral",
                &[],
                r#"{"seed":1,"stream_options":{},"stream":true}"#,
                r#"{"random_seed":1,"stream":true}"#,
                "",
            ),
            ("groq", &[], r#"{"logit_bias":{"1":2},"n":1}"#, r#"{"n":1}"#, "logit_bias"),
            (
                "groq",
                &[],
                r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}"#,
                r#"{"messages":[{"role":"assistant","tool_calls":[]}]}"#,
                "",
            ),
            (
                "xai",
                &[],
                r#"{"messages":[{"role":"user","name":"a","content":"x"}],"tools":[{"function":{"name":"f","strict":true}}]}"#,
                r#"{"messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f"}}]}"#,
                "strict,name",
            ),
            (
                "deepseek",
                &[],
                r#"{"reasoning_effort":"high","model":"m"}"#,
                r#"{"thinking":{"type":"enabled"},"reasoning_effort":"high","model":"m"}"#,
                "",
            ),
            ("openrouter", &[], r#"{"store":true}"#, r#"{"store":true}"#, ""),
            ("mistral", &[], r#"{"store":true}"#, "{}", "store"),
            ("zai", &[], r#"{"reasoning_effort": "none"}"#, r#"{"thinking":{"type":"disabled"}}"#, ""),
            (
                "zai",
                &[],
                r#"{"reasoning_effort":"low","thinking":{}}"#,
                r#"{"reasoning_effort":"low","thinking":{}}"#,
                "",
            ),
            ("openrouter", &[], r#"{"reasoning_effort":"max"}"#, r#"{"reasoning":{"effort":"xhigh"}}"#, ""),
        ] {
            assert_eq!(edited(before, vendor, traits), (after.to_owned(), lost.to_owned()), "{vendor} {traits:?}");
        }
    }

    #[test]
    fn earlier_answers_carry_their_reasoning() {
        let (after, _) = edited(
            r#"{"messages":[{"role":"assistant","content":"a"},{"role":"assistant","reasoning":"r"},{ "role":"assistant","reasoning_content":"c","reasoning":"r"},{"role":"user","content":"u"}]}"#,
            "",
            &[Trait::ReplayReasoningContent],
        );
        assert_eq!(
            after,
            r#"{"messages":[{"reasoning_content":" ","role":"assistant","content":"a"},{"role":"assistant","reasoning_content":"r"},{ "role":"assistant","reasoning_content":"c","reasoning":"r"},{"role":"user","content":"u"}]}"#
        );
    }

    #[test]
    fn the_older_limit_is_renamed_where_it_is_refused() {
        let body = br#"{"max_tokens":5}"#;
        let edited = |vendor, model| edits(body, &shape(vendor, model, &[])).unwrap().body;
        assert_eq!(edited("openai", "gpt-5").unwrap(), br#"{"max_completion_tokens":5}"#);
        assert_eq!(edited("openai", "gpt-4o"), None);
        assert_eq!(edited("groq", "gpt-oss"), None);
    }

    #[test]
    fn ids_of_calls_are_short_and_still_pair() {
        let body = r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"call_1234567890"},{"id":"abcdefghi"}]},{"role":"tool","tool_call_id":"call_1234567890"}]}"#;
        let (after, _) = edited(body, "mistral", &[]);
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        let id = value.pointer("/messages/0/tool_calls/0/id").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 9);
        assert_eq!(value.pointer("/messages/1/tool_call_id"), Some(id));
        assert_eq!(value.pointer("/messages/0/tool_calls/1/id").unwrap(), "abcdefghi");
    }

    #[test]
    fn broken_bodies_are_refused_and_never_harm() {
        let body = r#"{"messages":[{"role":"developer","name":null,"content":"x"}],"tools":[{"function":{"strict":null}}],"temperature":1,"reasoning_effort":"low"}"#;
        let all = [Trait::NoDeveloperRole, Trait::NoSamplingParams, Trait::ReplayReasoningContent];
        for vendor in ["xai", "groq", "mistral", "openrouter"] {
            assert!(edits(body.as_bytes(), &shape(vendor, "m", &all)).unwrap().body.is_some());
            for at in 0..body.len() {
                assert!(edits(body.as_bytes().get(..at).unwrap(), &shape(vendor, "m", &all)).is_err());
            }
        }
    }
}
