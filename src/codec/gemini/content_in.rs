//! The turns of a Gemini request. Pairs results with calls, which Gemini does by name and order where ids are missing.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use crate::chat::feature::Feature;
use crate::chat::part::{Call, CallKind, CallResult, Content, Part};
use crate::chat::prose::{Json, Prose};
use crate::chat::request::{Foreign, Role, Turn};
use crate::chat::wire::Wire;
use crate::codec::gemini::member::members;
use crate::codec::gemini::part_in::{Thing, WirePart, join, json_text, push, read};
use crate::codec::gemini::result;
use crate::codec::json::{Malformed, Scanner};

/// The most calls of one request: each result is sought among them.
const MAX_CALLS: usize = 4096;

/// A conversation as it is read.
#[derive(Debug, Default)]
pub struct Conversation<'a> {
    /// The turns so far.
    pub turns: Vec<Turn<'a>>,
    /// Members of parts that other formats have no word for.
    pub foreign: Vec<Foreign<'a>>,
    calls: Calls<'a>,
    invented: usize,
}

/// The calls, and which of them have no result yet.
#[derive(Debug, Default)]
struct Calls<'a> {
    /// Ids; `None` once a result has come.
    open: Vec<Option<Cow<'a, str>>>,
    /// Which calls have an id or a name, in order; some of them may have their result.
    by_id: HashMap<Cow<'a, str>, VecDeque<usize>>,
    by_name: HashMap<Cow<'a, str>, VecDeque<usize>>,
}

impl<'a> Calls<'a> {
    fn add(&mut self, id: Cow<'a, str>, name: Cow<'a, str>) {
        let index = self.open.len();
        self.by_id.entry(id.clone()).or_default().push_back(index);
        self.by_name.entry(name).or_default().push_back(index);
        self.open.push(Some(id));
    }

    fn knows(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The id of the first call of that id, or else of that name, that has no result; from now on it has one.
    fn answer(&mut self, id: Option<&str>, name: &str) -> Option<Cow<'a, str>> {
        let candidates = match id {
            Some(id) => self.by_id.get_mut(id),
            None => self.by_name.get_mut(name),
        }?;
        while let Some(index) = candidates.pop_front() {
            if let Some(id) = self.open.get_mut(index).and_then(Option::take) {
                return Some(id);
            }
        }
        None
    }
}

impl<'a> Conversation<'a> {
    /// Reads `contents`: a list of turns, or one.
    ///
    /// # Errors
    /// What is no list of turns.
    pub fn read(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        if scanner.peek()? == b'{' {
            return self.turn(scanner);
        }
        scanner.array(|scanner| self.turn(scanner))
    }

    fn turn(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        let mut role = Role::User;
        let mut parts = Vec::new();
        members(scanner, |scanner, member| {
            match member {
                "role" => {
                    let text = scanner.string()?;
                    role = match text.text().as_ref() {
                        "user" | "function" | "" => Role::User,
                        "model" => Role::Assistant,
                        _ => {
                            let what = "a role is `user` or `model`";
                            return Err(Malformed { offset: text.span().start, what });
                        }
                    };
                }
                "parts" => read_parts(scanner, &mut parts)?,
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        let calls = parts.iter().filter(|part| matches!(part.thing, Some(Thing::Call { .. }))).count();
        if self.calls.open.len() + calls > MAX_CALLS {
            return Err(scanner.malformed("the conversation has more than 4096 calls"));
        }
        self.take(role, parts);
        Ok(())
    }

    /// Results and words of one Gemini turn are two turns here, results first.
    fn take(&mut self, role: Role, parts: Vec<WirePart<'a>>) {
        let (mut said, mut results) = (Vec::new(), Vec::new());
        for part in parts {
            let WirePart { thing, thought, signature, extras, raw } = part;
            self.foreign.extend(extras.into_iter().map(|(name, value)| extra(name, value)));
            match thing {
                Some(Thing::Call { id, name, arguments }) => {
                    let id = self.call(id, name.clone());
                    let arguments = arguments.map_or(Prose::plain("{}"), json_text);
                    let call = Call { id, name, arguments, kind: CallKind::Function, signature };
                    said.push(Content::Call(call).into());
                }
                Some(Thing::Response { id, name, response, media }) => {
                    let id = self.answer(id, &name);
                    let (mut parts, is_error) = result::decode(response.as_ref());
                    parts.extend(media.into_iter().map(|one| Part::from(Content::Media(one))));
                    let name = Some(name);
                    let result = CallResult { id, name, parts, is_error, kind: CallKind::Function };
                    results.push(Content::Result(result).into());
                }
                other => push(other, thought, signature, raw, &mut said),
            }
        }
        for (role, parts) in [(Role::Tool, results), (role, said)] {
            match self.turns.last_mut() {
                _ if parts.is_empty() => {}
                Some(last) if role == Role::Assistant && last.role == role => go_on(&mut last.parts, parts),
                _ => self.turns.push(Turn { role, parts, name: None }),
            }
        }
    }

    fn call(&mut self, id: Option<Cow<'a, str>>, name: Cow<'a, str>) -> Cow<'a, str> {
        let id = id.unwrap_or_else(|| self.invent());
        self.calls.add(id.clone(), name);
        id
    }

    /// The id of the call that a result belongs to: by its own id, else the first call of that name without a result.
    fn answer(&mut self, id: Option<Cow<'a, str>>, name: &str) -> Cow<'a, str> {
        match self.calls.answer(id.as_deref(), name) {
            Some(id) => id,
            None => id.unwrap_or_else(|| self.invent()),
        }
    }

    fn invent(&mut self) -> Cow<'a, str> {
        loop {
            self.invented += 1;
            let id = format!("call_{}", self.invented);
            if !self.calls.knows(&id) {
                return Cow::Owned(id);
            }
        }
    }
}

/// Two turns of the model in a row are pieces of one answer, as clients keep a stream: its text goes on where it broke
/// off.
fn go_on<'a>(parts: &mut Vec<Part<'a>>, more: Vec<Part<'a>>) {
    let mut more = more.into_iter();
    if let Some(first) = more.next() {
        match (parts.last_mut().map(|part| &mut part.content), first.content) {
            (Some(Content::Text { text, .. }), Content::Text { text: rest, .. }) => join(text, rest),
            (Some(Content::Thought(thought)), Content::Thought(rest)) if thought.seal.is_none() => {
                join(&mut thought.text, rest.text);
                thought.seal = rest.seal;
            }
            (_, content) => parts.push(content.into()),
        }
    }
    parts.extend(more);
}

/// Reads `systemInstruction`: a turn, a part, a list of parts, or a string.
///
/// # Errors
/// Anything else.
pub fn system<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<Part<'a>>, Malformed> {
    let mut parts = Vec::new();
    match scanner.peek()? {
        b'"' => {
            let text = scanner.string()?;
            if !text.is_empty() {
                parts.push(Content::text(text.prose()).into());
            }
            return Ok(parts);
        }
        b'[' => {
            let mut read = Vec::new();
            read_parts(scanner, &mut read)?;
            read.into_iter().for_each(|part| push(part.thing, false, None, part.raw, &mut parts));
            return Ok(parts);
        }
        _ => {}
    }
    let mut read = Vec::new();
    members(scanner, |scanner, member| match member {
        "parts" => read_parts(scanner, &mut read),
        "text" => {
            let text = scanner.string()?;
            if !text.is_empty() {
                parts.push(Content::text(text.prose()).into());
            }
            Ok(())
        }
        _ => scanner.pass(),
    })?;
    read.into_iter().for_each(|part| push(part.thing, false, None, part.raw, &mut parts));
    Ok(parts)
}

fn read_parts<'a>(scanner: &mut Scanner<'a>, parts: &mut Vec<WirePart<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? == b'{' {
        parts.push(read(scanner)?);
        return Ok(());
    }
    scanner.array(|scanner| {
        parts.push(read(scanner)?);
        Ok(())
    })
}

fn extra<'a>(name: &'static str, value: Json<'a>) -> Foreign<'a> {
    let feature = match name {
        "mediaResolution" => Feature::ImageDetail,
        "videoMetadata" => Feature::Video,
        _ => Feature::Unknown,
    };
    Foreign { feature, wire: Wire::Gemini, name: Cow::Borrowed(PART), value }
}

/// The name of foreign members that stood on a part, where they cannot be put again.
pub const PART: &str = "contents.parts";
