//! The head of an OpenAI request body, from one borrowed pass. It decides nothing and keeps no text.
//!
//! A member that the head reads may stand only once: parsers differ on which of two wins, and a rule that was checked
//! on one of them would not hold for the other. Source of the members: OpenAI's API reference, and for
//! `Endpoint::Other` its responses API.

use crate::chat::capability::Capability;
use crate::chat::head::{Head, TextCount, UsageRequest};
use crate::codec::json::{Malformed, Scanner, Text, count};

/// The endpoint that a body was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// Any other endpoint that takes a JSON object with a `model`. Members other than `model`, `stream` and
    /// `stream_options` are read where they have the shape of chat completions or responses, and let be elsewhere.
    Other,
}

/// Reads the head of `body`, or says what is wrong with it and where.
pub fn decode_head(body: &[u8], endpoint: Endpoint) -> Result<Head, Malformed> {
    let mut scanner = Scanner::new(body);
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("the body must be a JSON object"));
    }
    let mut reader = Reader { head: Head { choices: 1, ..Head::default() }, endpoint, completion_limit: false };
    let mut seen = 0_u32;
    scanner.object(|scanner, key| {
        let name = key.bytes();
        let Some(member) = Member::parse(&name) else {
            if name.eq_ignore_ascii_case(b"model") {
                let what =
                    "a member differs from \"model\" in case alone, and some parsers would take it for the model";
                return Err(Malformed { offset: key.span().start, what });
            }
            return scanner.pass();
        };
        let bit = 1 << member as u32;
        if seen & bit != 0 {
            return Err(Malformed { offset: key.span().start, what: member.duplicate() });
        }
        seen |= bit;
        reader.member(scanner, member)
    })?;
    scanner.end()?;
    if endpoint == Endpoint::Embeddings {
        reader.head.needs.insert(Capability::Embedding);
    }
    Ok(reader.head)
}

macro_rules! members {
    ($(($member:ident, $name:literal, $shape:literal),)*) => {
        /// A top-level member that the head reads.
        #[derive(Clone, Copy)]
        #[repr(u32)]
        enum Member { $($member),* }

        impl Member {
            fn parse(name: &[u8]) -> Option<Self> {
                match std::str::from_utf8(name).ok()? { $($name => Some(Self::$member),)* _ => None }
            }

            fn duplicate(self) -> &'static str {
                match self { $(Self::$member => concat!("duplicate member \"", $name, "\""),)* }
            }

            fn misshapen(self) -> &'static str {
                match self { $(Self::$member => concat!("`", $name, "` must be ", $shape),)* }
            }
        }
    };
}

members! {
    (Model, "model", "a string"),
    (Messages, "messages", "an array of objects"),
    (Stream, "stream", "a boolean"),
    (StreamOptions, "stream_options", "an object, with a boolean `include_usage`"),
    (MaxCompletionTokens, "max_completion_tokens", "a whole number"),
    (MaxTokens, "max_tokens", "a whole number"),
    (MaxOutputTokens, "max_output_tokens", "a whole number"),
    (Choices, "n", "a whole number from 1 to 4294967295"),
    (Tools, "tools", "an array of objects"),
    (Functions, "functions", "an array of objects"),
    (ToolChoice, "tool_choice", "a string or an object"),
    (FunctionCall, "function_call", "a string or an object"),
    (ResponseFormat, "response_format", "an object"),
    (TextOptions, "text", "an object"),
    (Modalities, "modalities", "an array of strings"),
    (ReasoningEffort, "reasoning_effort", "a string"),
    (Reasoning, "reasoning", "an object"),
    (WebSearchOptions, "web_search_options", "an object"),
    (Input, "input", "a string, or an array of strings or of tokens"),
    (Instructions, "instructions", "a string"),
    (Prompt, "prompt", "a string or an array of strings"),
}

struct Reader {
    head: Head,
    endpoint: Endpoint,
    /// Whether `max_output` is from a member that wins over `max_tokens`.
    completion_limit: bool,
}

type Read = Result<(), Malformed>;

impl Reader {
    fn member(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        match member {
            Member::Model => self.model(scanner, member),
            Member::Stream => self.stream(scanner, member),
            Member::StreamOptions => self.stream_options(scanner, member),
            Member::MaxCompletionTokens | Member::MaxOutputTokens | Member::MaxTokens => self.limit(scanner, member),
            Member::Choices => self.choices(scanner, member),
            Member::Messages => self.messages(scanner, member),
            Member::Tools | Member::Functions => self.tools(scanner, member),
            Member::ToolChoice | Member::FunctionCall => self.tool_choice(scanner, member),
            Member::ResponseFormat => self.response_format(scanner, member),
            Member::TextOptions => self.text_options(scanner),
            Member::Modalities => self.modalities(scanner, member),
            Member::ReasoningEffort => self.reasoning_effort(scanner, member),
            Member::Reasoning => self.reasoning(scanner),
            Member::WebSearchOptions => self.web_search(scanner, member),
            Member::Input => self.input(scanner, member),
            Member::Instructions | Member::Prompt => self.plain_text(scanner),
        }
    }

    /// A value of the wrong shape: refused where the shape is known, skipped at endpoints that are not modelled.
    fn misshapen(&self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if self.endpoint == Endpoint::Other { scanner.pass() } else { Err(scanner.malformed(member.misshapen())) }
    }

    fn model(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.peek()? != b'"' {
            return Err(scanner.malformed(member.misshapen()));
        }
        let model = scanner.string()?;
        self.head.model = Some(model.to_text());
        self.head.model_span = Some(model.span());
        Ok(())
    }

    fn stream(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        match scanner.bool()? {
            Some(stream) => self.head.stream = stream,
            None if scanner.null()? => {}
            None => return Err(scanner.malformed(member.misshapen())),
        }
        Ok(())
    }

    fn stream_options(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        let first = scanner.peek()?;
        let start = scanner.offset();
        let mut seen = false;
        let mut asked = false;
        match first {
            b'n' => scanner.pass()?,
            b'{' => scanner.object(|scanner, key| {
                if !key.is("include_usage") {
                    return scanner.pass();
                }
                if seen {
                    return Err(Malformed { offset: key.span().start, what: "duplicate member \"include_usage\"" });
                }
                seen = true;
                match scanner.bool()? {
                    Some(include) => asked = include,
                    None if scanner.null()? => {}
                    None => return Err(scanner.malformed(member.misshapen())),
                }
                Ok(())
            })?,
            _ => return Err(scanner.malformed(member.misshapen())),
        }
        self.head.usage_request =
            if asked { UsageRequest::Asked } else { UsageRequest::Without(start..scanner.offset()) };
        Ok(())
    }

    fn limit(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.null()? {
            return Ok(());
        }
        let at = scanner.malformed(member.misshapen());
        match scanner.whole_or_skip()? {
            Some(limit) if !matches!(member, Member::MaxTokens) => {
                self.head.max_output = Some(limit);
                self.completion_limit = true;
            }
            Some(limit) if !self.completion_limit => self.head.max_output = Some(limit),
            Some(_) => {}
            None if self.endpoint == Endpoint::Other => {}
            None => return Err(at),
        }
        Ok(())
    }

    fn choices(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.null()? {
            return Ok(());
        }
        let at = scanner.malformed(member.misshapen());
        match scanner.whole_or_skip()?.and_then(|choices| u32::try_from(choices).ok()) {
            Some(choices @ 1..) => self.head.choices = choices,
            Some(0) | None if self.endpoint == Endpoint::Other => {}
            Some(0) | None => return Err(at),
        }
        Ok(())
    }

    fn messages(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.peek()? != b'[' {
            return self.misshapen(scanner, member);
        }
        scanner.array(|scanner| {
            if scanner.peek()? != b'{' {
                return self.misshapen(scanner, member);
            }
            self.message(scanner)
        })
    }

    fn message(&mut self, scanner: &mut Scanner<'_>) -> Read {
        self.head.messages = self.head.messages.saturating_add(1);
        let mut part = PartKind::default();
        scanner.object(|scanner, key| match key.bytes().as_ref() {
            b"content" => self.content(scanner),
            b"reasoning_content" | b"reasoning" | b"refusal" | b"name" | b"output" | b"arguments" => {
                self.plain_text(scanner)
            }
            b"tool_calls" | b"function_call" => self.whole_value(scanner),
            b"type" => {
                part.name(scanner.string_or_skip()?);
                Ok(())
            }
            _ => scanner.pass(),
        })?;
        // Items of the responses API may be parts that stand where a message would.
        self.part_kind(&part);
        Ok(())
    }

    /// A message's content: a string, or an array of parts.
    fn content(&mut self, scanner: &mut Scanner<'_>) -> Read {
        match scanner.peek()? {
            b'"' => self.plain_text(scanner),
            b'[' => scanner.array(|scanner| match scanner.peek()? {
                b'{' => self.part(scanner),
                b'"' => self.plain_text(scanner),
                _ => scanner.pass(),
            }),
            _ => scanner.pass(),
        }
    }

    /// A content part. Its kind shows in `type` and in the member it carries; some clients leave `type` out.
    fn part(&mut self, scanner: &mut Scanner<'_>) -> Read {
        let mut kind = PartKind::default();
        scanner.object(|scanner, key| {
            match key.bytes().as_ref() {
                b"text" | b"refusal" => return self.plain_text(scanner),
                b"type" => {
                    kind.name(scanner.string_or_skip()?);
                    return Ok(());
                }
                b"image_url" => kind.image = true,
                b"input_audio" => kind.audio = true,
                b"file" => kind.file = true,
                b"video_url" => kind.video = true,
                _ => {}
            }
            scanner.pass()
        })?;
        self.part_kind(&kind);
        Ok(())
    }

    fn part_kind(&mut self, kind: &PartKind) {
        let needs = &mut self.head.needs;
        if kind.image {
            needs.insert(Capability::Vision);
            self.head.images = self.head.images.saturating_add(1);
        }
        if kind.audio {
            needs.insert(Capability::AudioIn);
        }
        if kind.file {
            needs.insert(Capability::Pdf);
        }
        if kind.video {
            needs.insert(Capability::VideoIn);
        }
    }

    fn tools(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.null()? {
            return Ok(());
        }
        if scanner.peek()? != b'[' {
            return self.misshapen(scanner, member);
        }
        let start = scanner.offset();
        scanner.array(|scanner| {
            if scanner.peek()? != b'{' {
                return self.misshapen(scanner, member);
            }
            self.tool(scanner)
        })?;
        self.add(count(scanner.slice(start..scanner.offset())));
        Ok(())
    }

    fn tool(&mut self, scanner: &mut Scanner<'_>) -> Read {
        self.head.tools = self.head.tools.saturating_add(1);
        let mut need = Capability::Tools;
        scanner.object(|scanner, key| {
            if !key.is("type") {
                return scanner.pass();
            }
            if let Some(kind) = scanner.string_or_skip()? {
                let kind = kind.bytes();
                if kind.starts_with(b"web_search") {
                    need = Capability::WebSearch;
                } else if kind.starts_with(b"computer") {
                    need = Capability::ComputerUse;
                }
            }
            Ok(())
        })?;
        self.head.needs.insert(need);
        Ok(())
    }

    fn tool_choice(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        match scanner.peek()? {
            b'"' => {
                let choice = scanner.string()?;
                if !choice.is("auto") && !choice.is("none") {
                    self.head.needs.insert(Capability::ToolChoice);
                }
                Ok(())
            }
            b'{' => {
                self.head.needs.insert(Capability::ToolChoice);
                scanner.pass()
            }
            b'n' => scanner.pass(),
            _ => self.misshapen(scanner, member),
        }
    }

    fn response_format(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.null()? {
            return Ok(());
        }
        if scanner.peek()? != b'{' {
            return self.misshapen(scanner, member);
        }
        self.format(scanner)
    }

    /// An output format; its schema is text that the model reads.
    fn format(&mut self, scanner: &mut Scanner<'_>) -> Read {
        scanner.peek()?;
        let start = scanner.offset();
        scanner.object(|scanner, key| {
            if key.is("type") {
                if scanner.string_or_skip()?.is_some_and(|kind| kind.is("json_schema")) {
                    self.head.needs.insert(Capability::JsonSchema);
                }
                return Ok(());
            }
            scanner.pass()
        })?;
        self.add(count(scanner.slice(start..scanner.offset())));
        Ok(())
    }

    /// The responses API's `text`, which holds an output format.
    fn text_options(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if self.endpoint != Endpoint::Other || scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            if key.is("format") && scanner.peek()? == b'{' {
                return self.format(scanner);
            }
            scanner.pass()
        })
    }

    fn modalities(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        if scanner.null()? {
            return Ok(());
        }
        if scanner.peek()? != b'[' {
            return self.misshapen(scanner, member);
        }
        scanner.array(|scanner| {
            if scanner.peek()? != b'"' {
                return self.misshapen(scanner, member);
            }
            if scanner.string()?.is("audio") {
                self.head.needs.insert(Capability::AudioOut);
            }
            Ok(())
        })
    }

    fn reasoning_effort(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        match scanner.peek()? {
            b'"' => {
                if !scanner.string()?.is("none") {
                    self.head.needs.insert(Capability::Reasoning);
                }
                Ok(())
            }
            b'n' => scanner.pass(),
            _ => self.misshapen(scanner, member),
        }
    }

    /// The `reasoning` object of the responses API and of OpenRouter's chat completions.
    fn reasoning(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? != b'{' {
            return scanner.pass();
        }
        scanner.object(|scanner, key| {
            if !key.is("effort") {
                return scanner.pass();
            }
            if scanner.string_or_skip()?.is_some_and(|effort| !effort.is("none")) {
                self.head.needs.insert(Capability::Reasoning);
            }
            Ok(())
        })
    }

    fn web_search(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        match scanner.peek()? {
            b'{' => {
                self.head.needs.insert(Capability::WebSearch);
                scanner.pass()
            }
            b'n' => scanner.pass(),
            _ => self.misshapen(scanner, member),
        }
    }

    /// `input`: texts or tokens of an embeddings request, items of a responses request.
    fn input(&mut self, scanner: &mut Scanner<'_>, member: Member) -> Read {
        match scanner.peek()? {
            b'"' => {
                self.head.messages = self.head.messages.saturating_add(1);
                self.plain_text(scanner)
            }
            b'[' => {
                let mut tokens = false;
                scanner.array(|scanner| match scanner.peek()? {
                    b'0'..=b'9' => {
                        tokens = true;
                        self.token(scanner)
                    }
                    b'"' => {
                        self.head.messages = self.head.messages.saturating_add(1);
                        self.plain_text(scanner)
                    }
                    b'[' => {
                        self.head.messages = self.head.messages.saturating_add(1);
                        scanner.array(|scanner| match scanner.peek()? {
                            b'0'..=b'9' => self.token(scanner),
                            _ => self.misshapen(scanner, member),
                        })
                    }
                    b'{' if self.endpoint == Endpoint::Other => self.message(scanner),
                    _ => self.misshapen(scanner, member),
                })?;
                if tokens {
                    self.head.messages = self.head.messages.saturating_add(1);
                }
                Ok(())
            }
            _ if self.endpoint == Endpoint::Embeddings => self.misshapen(scanner, member),
            _ => scanner.pass(),
        }
    }

    /// A token stands for four bytes of ASCII, as in the token estimate.
    fn token(&mut self, scanner: &mut Scanner<'_>) -> Read {
        scanner.skip()?;
        self.add(TextCount { ascii: 4, other: 0 });
        Ok(())
    }

    /// Counts a string, or the strings of an array; lets everything else be.
    fn plain_text(&mut self, scanner: &mut Scanner<'_>) -> Read {
        if scanner.peek()? == b'[' {
            return scanner.array(|scanner| {
                let text = scanner.string_or_skip()?;
                self.add_text(text);
                Ok(())
            });
        }
        let text = scanner.string_or_skip()?;
        self.add_text(text);
        Ok(())
    }

    /// Counts a value's JSON bytes.
    fn whole_value(&mut self, scanner: &mut Scanner<'_>) -> Read {
        let span = scanner.skip()?;
        let bytes = scanner.slice(span);
        if bytes != b"null" {
            self.add(count(bytes));
        }
        Ok(())
    }

    fn add_text(&mut self, text: Option<Text<'_>>) {
        if let Some(text) = text {
            self.add(text.count());
        }
    }

    fn add(&mut self, more: TextCount) {
        self.head.text = self.head.text.plus(more);
    }
}

/// What a content part is, as far as a model must be able to read it.
#[derive(Default)]
struct PartKind {
    image: bool,
    audio: bool,
    file: bool,
    video: bool,
}

impl PartKind {
    fn name(&mut self, kind: Option<Text<'_>>) {
        let Some(kind) = kind else { return };
        match kind.bytes().as_ref() {
            b"image_url" | b"input_image" | b"image" => self.image = true,
            b"input_audio" => self.audio = true,
            b"file" | b"input_file" => self.file = true,
            b"video_url" | b"video" => self.video = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use super::{Endpoint, decode_head};
    use crate::chat::capability::{Capabilities, Capability};
    use crate::chat::head::{Head, TextCount, UsageRequest};

    fn chat(body: &str) -> Head {
        decode_head(body.as_bytes(), Endpoint::ChatCompletions).unwrap()
    }

    #[test]
    fn reads_a_plain_chat_request() {
        let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi \u4e2d\n"}],"stream":true}"#;
        let head = chat(body);
        assert_eq!(head.model.as_deref(), Some("gpt-4o"));
        assert_eq!(&body[head.model_span.unwrap()], "\"gpt-4o\"");
        assert!(head.stream);
        assert_eq!(head.usage_request, UsageRequest::Absent);
        assert_eq!(head.text, TextCount { ascii: 4, other: 3 });
        assert_eq!((head.messages, head.choices), (1, 1));
        assert_eq!(head.needs, Capabilities::NONE);
    }

    #[test]
    fn what_a_request_needs_shows_in_its_members() {
        let table = [
            (r#""tools":[{"type":"function","function":{"name":"f"}}]"#, Capability::Tools),
            (r#""functions":[{"name":"f"}]"#, Capability::Tools),
            (r#""tool_choice":"required""#, Capability::ToolChoice),
            (r#""tool_choice":{"type":"function"}"#, Capability::ToolChoice),
            (r#""response_format":{"type":"json_schema","json_schema":{}}"#, Capability::JsonSchema),
            (r#""messages":[{"content":[{"image_url":{"url":"data:"},"type":"image_url"}]}]"#, Capability::Vision),
            (r#""messages":[{"content":[{"type":"input_audio","input_audio":{}}]}]"#, Capability::AudioIn),
            (r#""messages":[{"content":[{"type":"file","file":{"file_id":"x"}}]}]"#, Capability::Pdf),
            (r#""modalities":["text","audio"]"#, Capability::AudioOut),
            (r#""reasoning_effort":"low""#, Capability::Reasoning),
            (r#""web_search_options":{}"#, Capability::WebSearch),
        ];
        for (member, need) in table {
            let head = chat(&format!("{{{member}}}"));
            assert_eq!(head.needs, Capabilities::NONE.with(need), "{member}");
        }
        for member in [
            r#""tools":[]"#,
            r#""tools":null"#,
            r#""tool_choice":"auto""#,
            r#""tool_choice":"none""#,
            r#""response_format":{"type":"json_object"}"#,
            r#""modalities":["text"]"#,
            r#""reasoning_effort":"none""#,
            r#""reasoning_effort":null"#,
            r#""web_search_options":null"#,
        ] {
            assert_eq!(chat(&format!("{{{member}}}")).needs, Capabilities::NONE, "{member}");
        }
    }

    #[test]
    fn malformed_bodies_are_refused_with_their_position() {
        let table = [
            ("", 0, "the JSON ends too early"),
            ("[]", 0, "the body must be a JSON object"),
            (r#"{"model":"a"} x"#, 14, "something follows the JSON value"),
            (r#"{"model":"a","model":"b"}"#, 13, "duplicate member \"model\""),
            (r#"{"model":"a","mod\u0065l":"b"}"#, 13, "duplicate member \"model\""),
            (r#"{"stream":true,"stream":false}"#, 15, "duplicate member \"stream\""),
            (r#"{"model":7}"#, 9, "`model` must be a string"),
            (r#"{"stream":"yes"}"#, 10, "`stream` must be a boolean"),
            (r#"{"max_tokens":-1}"#, 14, "`max_tokens` must be a whole number"),
            (r#"{"max_tokens":1.5}"#, 14, "`max_tokens` must be a whole number"),
            (r#"{"n":0}"#, 5, "`n` must be a whole number from 1 to 4294967295"),
            (r#"{"messages":{}}"#, 12, "`messages` must be an array of objects"),
            (r#"{"messages":["a"]}"#, 13, "`messages` must be an array of objects"),
            (r#"{"a":"b}"#, 5, "a string is not closed"),
            (r#"{"a":01}"#, 6, "`,` or `}` is expected"),
            (r#"{"a":1,}"#, 7, "a member name is expected"),
            (r#"{"a":[1,]}"#, 8, "a value is expected"),
            (r#"{"a":"\x"}"#, 6, "an unknown escape"),
            (r#"{"a":"\u12g4"}"#, 6, "`\\u` needs four hexadecimal digits"),
            (r#"{"a":nul}"#, 5, "a value is expected"),
        ];
        for (body, offset, what) in table {
            let malformed = decode_head(body.as_bytes(), Endpoint::ChatCompletions).unwrap_err();
            assert_eq!((malformed.offset, malformed.what), (offset, what), "{body}");
        }
    }

    #[test]
    fn a_model_in_another_case_is_refused() {
        assert!(decode_head(br#"{"model":"a","Model":"b"}"#, Endpoint::Other).is_err());
    }

    #[test]
    fn max_completion_tokens_wins_wherever_it_stands() {
        assert_eq!(chat(r#"{"max_tokens":5,"max_completion_tokens":9}"#).max_output, Some(9));
        assert_eq!(chat(r#"{"max_completion_tokens":9,"max_tokens":5}"#).max_output, Some(9));
        assert_eq!(chat(r#"{"max_completion_tokens":null,"max_tokens":5}"#).max_output, Some(5));
    }

    #[test]
    fn embeddings_count_texts_and_tokens() {
        let read = |input: &str| {
            let body = format!(r#"{{"model":"e","input":{input}}}"#);
            let head = decode_head(body.as_bytes(), Endpoint::Embeddings).unwrap();
            assert!(head.needs.has(Capability::Embedding));
            (head.messages, head.text.ascii)
        };
        assert_eq!(read(r#""abc""#), (1, 3));
        assert_eq!(read(r#"["abc","de"]"#), (2, 5));
        assert_eq!(read("[1,2,3]"), (1, 12));
        assert_eq!(read("[[1,2],[3]]"), (2, 12));
        assert!(decode_head(br#"{"input":{}}"#, Endpoint::Embeddings).is_err());
    }
}
