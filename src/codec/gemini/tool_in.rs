//! The tools of a Gemini request and the choice among them.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::prose::Json;
use crate::chat::request::{Foreign, Request, Tool, ToolChoice};
use crate::chat::wire::Wire;
use crate::codec::gemini::member::members;
use crate::codec::gemini::schema;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::writer::Writer;

/// The foreign member that keeps `VALIDATED`: calls by the schema to the letter.
pub const MODE: &str = "toolConfig.functionCallingConfig.mode";

/// Reads `tools`.
///
/// # Errors
/// What is no list of tools.
pub fn tools<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    if scanner.peek()? == b'{' {
        return tool(scanner, request);
    }
    scanner.array(|scanner| tool(scanner, request))
}

/// One object may hold functions and tools of the vendor's beside each other.
fn tool<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    members(scanner, |scanner, member| {
        if member == "functionDeclarations" {
            return scanner.array(|scanner| {
                let function = function(scanner, &mut request.foreign)?;
                request.tools.push(function);
                Ok(())
            });
        }
        let value = scanner.json()?;
        let mut raw = Writer::with_capacity(value.bytes().len() + member.len() + 5);
        raw.object(|raw| raw.key(member).json(&value));
        request.tools.push(Tool::Hosted {
            wire: Wire::Gemini,
            kind: Cow::Owned(member.to_owned()),
            raw: Json(Cow::Owned(raw.into_bytes())),
            web_search: matches!(member, "googleSearch" | "googleSearchRetrieval"),
        });
        Ok(())
    })
}

fn function<'a>(scanner: &mut Scanner<'a>, foreign: &mut Vec<Foreign<'a>>) -> Result<Tool<'a>, Malformed> {
    let (mut name, mut description, mut parameters) = (None, None, None);
    members(scanner, |scanner, member| {
        match member {
            "name" => name = Some(scanner.string()?.text()),
            "description" => description = Some(scanner.string()?.prose()),
            "parameters" => parameters = Some(schema::read(scanner)?),
            "parametersJsonSchema" => parameters = Some(scanner.json()?),
            "response" | "responseJsonSchema" => scanner.pass()?,
            _ => foreign.push(Foreign {
                feature: Feature::Unknown,
                wire: Wire::Gemini,
                name: Cow::Borrowed("tools.functionDeclarations"),
                value: scanner.json()?,
            }),
        }
        Ok(())
    })?;
    let name = name.ok_or_else(|| scanner.malformed("`name` is missing"))?;
    Ok(Tool::Function { name, description, parameters, strict: None, cache: None })
}

/// Reads `toolConfig`.
///
/// # Errors
/// What is no object, and a mode that is not known.
pub fn config<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    members(scanner, |scanner, member| {
        if member == "functionCallingConfig" {
            return calling(scanner, request);
        }
        request.foreign.push(Foreign {
            feature: Feature::Unknown,
            wire: Wire::Gemini,
            name: Cow::Owned(format!("toolConfig.{member}")),
            value: scanner.json()?,
        });
        Ok(())
    })
}

fn calling<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<(), Malformed> {
    let (mut mode, mut allowed) = (None, Vec::new());
    members(scanner, |scanner, member| {
        match member {
            "mode" => mode = Some(scanner.string()?),
            "allowedFunctionNames" => scanner.array(|scanner| {
                allowed.push(scanner.string()?.text());
                Ok(())
            })?,
            // It changes how calls arrive, not what they say: streams come without it.
            "streamFunctionCallArguments" => scanner.pass()?,
            _ => request.foreign.push(Foreign {
                feature: Feature::Unknown,
                wire: Wire::Gemini,
                name: Cow::Owned(format!("toolConfig.functionCallingConfig.{member}")),
                value: scanner.json()?,
            }),
        }
        Ok(())
    })?;
    let Some(mode) = mode else {
        if !allowed.is_empty() {
            request.tool_choice = Some(ToolChoice::Some(allowed));
        }
        return Ok(());
    };
    let choice =
        |allowed: Vec<Cow<'a, str>>| if allowed.is_empty() { ToolChoice::Auto } else { ToolChoice::Some(allowed) };
    request.tool_choice = Some(match mode.text().to_ascii_uppercase().as_str() {
        "AUTO" | "MODE_UNSPECIFIED" => choice(allowed),
        "NONE" => ToolChoice::None,
        "ANY" => match (allowed.pop(), allowed.is_empty()) {
            (None, _) => ToolChoice::Required,
            (Some(only), true) => ToolChoice::One(only),
            (Some(last), false) => {
                allowed.push(last);
                ToolChoice::SomeRequired(allowed)
            }
        },
        "VALIDATED" => {
            request.foreign.push(Foreign {
                feature: Feature::StrictTools,
                wire: Wire::Gemini,
                name: Cow::Borrowed(MODE),
                value: Json::borrowed(b"\"VALIDATED\""),
            });
            choice(allowed)
        }
        _ => {
            let what = "a mode is `AUTO`, `ANY`, `NONE` or `VALIDATED`";
            return Err(Malformed { offset: mode.span().start, what });
        }
    });
    Ok(())
}
