//! A Gemini request as it is read. The model and whether it streams stand in the path, not here.

use std::borrow::Cow;

use crate::chat::feature::Feature;
use crate::chat::request::{Foreign, Request, Role, Turn};
use crate::chat::wire::Wire;
use crate::codec::gemini::content_in::{Conversation, system};
use crate::codec::gemini::member::{boolean, members};
use crate::codec::gemini::{config_in, tool_in};
use crate::codec::json::{Malformed, Scanner};

/// Reads a request.
///
/// # Errors
/// A shape that Gemini refuses, with its place.
pub fn decode(body: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut scanner = Scanner::new(body);
    let mut request = Request::default();
    let mut conversation = Conversation::default();
    let mut prompt = Vec::new();
    members(&mut scanner, |scanner, member| {
        match member {
            "contents" => conversation.read(scanner)?,
            "systemInstruction" => prompt = system(scanner)?,
            "tools" => tool_in::tools(scanner, &mut request)?,
            "toolConfig" => tool_in::config(scanner, &mut request)?,
            "generationConfig" => config_in::read(scanner, &mut request)?,
            "serviceTier" => request.service_tier = Some(scanner.string()?.text()),
            "store" => request.store = Some(boolean(scanner)?),
            // The path names it.
            "model" => scanner.pass()?,
            other => {
                let (feature, name) = (feature_of(other), Cow::Owned(other.to_owned()));
                request.foreign.push(Foreign { feature, wire: Wire::Gemini, name, value: scanner.json()? });
            }
        }
        Ok(())
    })?;
    scanner.end()?;
    if conversation.turns.is_empty() {
        return Err(scanner.malformed("`contents` has no turn"));
    }
    if !prompt.is_empty() {
        request.turns.push(Turn { role: Role::System, parts: prompt, name: None });
    }
    request.turns.append(&mut conversation.turns);
    request.foreign.append(&mut conversation.foreign);
    Ok(request)
}

fn feature_of(member: &str) -> Feature {
    match member {
        "safetySettings" => Feature::Safety,
        // The start of the prompt stands in the vendor's store.
        "cachedContent" => Feature::PromptTemplate,
        "labels" => Feature::Metadata,
        _ => Feature::Unknown,
    }
}
