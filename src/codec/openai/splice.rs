//! Edits of a request body that leave every other byte alone. Not a re-encoding.

use std::ops::Range;

use crate::chat::head::{Head, UsageRequest};
use crate::codec::json::{Malformed, Scanner, write_string};

/// The body with another model, or with an ask for usage, or both; `None` when it stays as it is.
///
/// `model` replaces the body's model, or becomes the first member when the body names none. `ask_usage` makes a
/// streamed request (and no other: providers refuse `stream_options` elsewhere) ask for the final usage event.
/// `head` must be the head of this very body.
pub fn splice(body: &[u8], head: &Head, model: Option<&str>, ask_usage: bool) -> Option<Vec<u8>> {
    let model = model.filter(|model| head.model.as_deref() != Some(*model));
    let mut first = Vec::new();
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    if let Some(model) = model {
        let mut text = Vec::with_capacity(model.len() + 2);
        write_string(&mut text, model);
        match &head.model_span {
            Some(span) => edits.push((span.clone(), text)),
            None => {
                first.extend_from_slice(b"\"model\":");
                first.extend_from_slice(&text);
            }
        }
    }
    if ask_usage && head.stream {
        match &head.usage_request {
            UsageRequest::Absent => {
                if !first.is_empty() {
                    first.push(b',');
                }
                first.extend_from_slice(b"\"stream_options\":{\"include_usage\":true}");
            }
            UsageRequest::Without(span) => edits.push((span.clone(), asking(body.get(span.clone())?)?)),
            UsageRequest::Asked => {}
        }
    }
    if !first.is_empty() {
        let open = memchr::memchr(b'{', body)? + 1;
        let next = body.get(open..)?.iter().find(|byte| !byte.is_ascii_whitespace());
        if next != Some(&b'}') {
            first.push(b',');
        }
        edits.push((open..open, first));
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|(span, _)| span.start);
    apply(body, &edits)
}

/// `stream_options` with a true `include_usage` and its other members as they stand.
fn asking(options: &[u8]) -> Option<Vec<u8>> {
    if options == b"null" {
        return Some(b"{\"include_usage\":true}".to_vec());
    }
    let mut members = 0;
    let mut value = None;
    let mut scanner = Scanner::new(options);
    let scanned: Result<(), Malformed> = scanner.object(|scanner, key| {
        members += 1;
        let span = scanner.skip()?;
        if key.is("include_usage") {
            value = Some(span);
        }
        Ok(())
    });
    scanned.ok()?;
    let edit = match value {
        Some(span) => (span, b"true".to_vec()),
        None if members == 0 => (1..1, b"\"include_usage\":true".to_vec()),
        None => (1..1, b"\"include_usage\":true,".to_vec()),
    };
    apply(options, &[edit])
}

/// The body with each span, in rising order, replaced by its bytes; `None` when spans overlap or are out of range.
fn apply(body: &[u8], edits: &[(Range<usize>, Vec<u8>)]) -> Option<Vec<u8>> {
    let more: usize = edits.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut out = Vec::with_capacity(body.len() + more);
    let mut at = 0;
    for (span, bytes) in edits {
        out.extend_from_slice(body.get(at..span.start)?);
        out.extend_from_slice(bytes);
        at = span.end;
    }
    out.extend_from_slice(body.get(at..)?);
    Some(out)
}
