//! Reads tools and tool choices of chat requests. Not calls and their results (see `message`).

use std::borrow::Cow;

use crate::chat::prose::Json;
use crate::chat::request::{Tool, ToolChoice};
use crate::chat::wire::Wire;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::openai::{field, part};

/// One element of `tools`.
pub(super) fn read<'a>(scanner: &mut Scanner<'a>) -> Result<Tool<'a>, Malformed> {
    let (mut kind, mut function, mut custom, mut cache) = (None, None, None, None);
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("a tool is an object"));
    }
    let start = scanner.offset();
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"type" => kind = Some(scanner.string()?.text()),
            b"function" if scanner.peek()? == b'{' => function = Some(read_function(scanner)?),
            b"custom" if scanner.peek()? == b'{' => custom = Some(read_custom(scanner)?),
            b"cache_control" => cache = part::read_mark(scanner)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let raw = || Json::borrowed(scanner.slice(start..scanner.offset()));
    Ok(match (kind.as_deref(), function, custom) {
        // Some clients leave the type out.
        (Some("function") | None, Some(Tool::Function { name, description, parameters, strict, cache: inner }), _) => {
            Tool::Function { name, description, parameters, strict, cache: cache.or(inner) }
        }
        (Some("custom"), _, Some(tool)) => tool,
        (Some("function" | "custom"), _, _) | (None, _, _) => {
            return Err(Malformed { offset: start, what: "a tool has a `function` or a `custom` object" });
        }
        (Some(name), _, _) => {
            let web_search = name.starts_with("web_search") || name.ends_with(":web_search");
            Tool::Hosted { wire: Wire::Chat, raw: raw(), web_search, kind: kind.unwrap_or_default() }
        }
    })
}

/// A function: the `function` of a tool, or an element of the older `functions`.
pub(super) fn read_function<'a>(scanner: &mut Scanner<'a>) -> Result<Tool<'a>, Malformed> {
    let (mut name, mut description, mut parameters, mut strict, mut cache) = (None, None, None, None, None);
    if scanner.peek()? != b'{' {
        return Err(scanner.malformed("a function is an object"));
    }
    let start = scanner.offset();
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"name" => name = field::text(scanner, "a function's `name` is a string")?,
            b"description" => description = field::prose(scanner, "a `description` is a string")?,
            b"parameters" => parameters = field::object(scanner, "`parameters` is an object")?,
            b"strict" => strict = field::boolean(scanner, "`strict` is a boolean")?,
            b"cache_control" => cache = part::read_mark(scanner)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let name = name.ok_or(Malformed { offset: start, what: "a function has a `name`" })?;
    Ok(Tool::Function { name, description, parameters, strict, cache })
}

fn read_custom<'a>(scanner: &mut Scanner<'a>) -> Result<Tool<'a>, Malformed> {
    let (mut name, mut description, mut format) = (None, None, None);
    let start = scanner.offset();
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"name" => name = field::text(scanner, "a custom tool's `name` is a string")?,
            b"description" => description = field::prose(scanner, "a `description` is a string")?,
            b"format" => format = field::object(scanner, "a custom tool's `format` is an object")?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let name = name.ok_or(Malformed { offset: start, what: "a custom tool has a `name`" })?;
    Ok(Tool::Custom { name, description, format })
}

/// `tool_choice`, or the older `function_call`.
pub(super) fn read_choice<'a>(scanner: &mut Scanner<'a>) -> Result<Option<ToolChoice<'a>>, Malformed> {
    const WHAT: &str = "a tool choice is `none`, `auto`, `required`, or an object that names tools";
    let wrong = scanner.malformed(WHAT);
    match scanner.peek()? {
        b'"' => match scanner.string()?.bytes().as_ref() {
            b"auto" => Ok(Some(ToolChoice::Auto)),
            b"none" => Ok(Some(ToolChoice::None)),
            // `any` is Mistral's.
            b"required" | b"any" => Ok(Some(ToolChoice::Required)),
            _ => Err(wrong),
        },
        b'{' => {
            let (mut name, mut allowed) = (None, None);
            scanner.object(|scanner, key| {
                match key.bytes().as_ref() {
                    b"name" => name = Some(scanner.string()?.text()),
                    b"function" | b"custom" if scanner.peek()? == b'{' => name = read_name(scanner)?.or(name.take()),
                    b"allowed_tools" if scanner.peek()? == b'{' => allowed = Some(read_allowed(scanner)?),
                    _ => scanner.pass()?,
                }
                Ok(())
            })?;
            allowed.or(name.map(ToolChoice::One)).map(Some).ok_or(wrong)
        }
        _ if scanner.null()? => Ok(None),
        _ => Err(wrong),
    }
}

fn read_allowed<'a>(scanner: &mut Scanner<'a>) -> Result<ToolChoice<'a>, Malformed> {
    let (mut required, mut names) = (false, Vec::new());
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"mode" => required = scanner.string()?.is("required"),
            b"tools" => field::each(scanner, "`tools` is an array", |scanner| {
                let mut name = None;
                scanner.object(|scanner, key| {
                    match key.bytes().as_ref() {
                        b"name" => name = Some(scanner.string()?.text()),
                        b"function" | b"custom" if scanner.peek()? == b'{' => name = read_name(scanner)?,
                        _ => scanner.pass()?,
                    }
                    Ok(())
                })?;
                names.extend(name);
                Ok(())
            })?,
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    Ok(if required { ToolChoice::SomeRequired(names) } else { ToolChoice::Some(names) })
}

fn read_name<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    let mut name = None;
    scanner.object(|scanner, key| {
        if !key.is("name") {
            return scanner.pass();
        }
        name = Some(scanner.string()?.text());
        Ok(())
    })?;
    Ok(name)
}
