//! Edits of a body in its own format that leave every other byte alone: the model's name, and what Claude on Vertex has
//! instead of one.

use std::ops::Range;

use crate::codec::json::{Malformed, Scanner, write_string};

/// The version that Vertex wants in the body of a request to Claude.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// The body with that model as the value of its `model`; `None` when it names it already, or none at all.
///
/// # Errors
/// The body is no JSON object.
pub fn rename_model(body: &[u8], model: &str) -> Result<Option<Vec<u8>>, Malformed> {
    let Some((_, value)) = member(body, "model")? else { return Ok(None) };
    let mut text = Vec::with_capacity(model.len() + 2);
    write_string(&mut text, model);
    if body.get(value.clone()) == Some(text.as_slice()) {
        return Ok(None);
    }
    Ok(Some(replaced(body, value, &text)))
}

/// An Anthropic request as Vertex wants it: no `model`, which the path names, and a version, which no header does.
///
/// # Errors
/// The body is no JSON object.
pub fn for_vertex(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    match member(body, "model")? {
        Some((whole, _)) if member(body, "anthropic_version")?.is_none() => Ok(replaced(body, whole, &version())),
        Some((whole, _)) => Ok(without(body, whole)),
        None => with_version(body),
    }
}

/// An Anthropic request to count tokens as Vertex wants it: the path names no model, so the body does.
///
/// # Errors
/// The body is no JSON object.
pub fn count_for_vertex(body: &[u8], model: &str) -> Result<Vec<u8>, Malformed> {
    let renamed = rename_model(body, model)?;
    with_version(renamed.as_deref().unwrap_or(body))
}

fn version() -> Vec<u8> {
    let mut version = b"\"anthropic_version\":".to_vec();
    write_string(&mut version, VERTEX_VERSION);
    version
}

fn with_version(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    if member(body, "anthropic_version")?.is_some() {
        return Ok(body.to_vec());
    }
    let mut version = version();
    let open = body.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
    let empty = body.get(open..).unwrap_or_default().trim_ascii_start().starts_with(b"}");
    if !empty {
        version.push(b',');
    }
    Ok(replaced(body, open..open, &version))
}

/// Where a member stands: name and value, and the value alone.
type Place = (Range<usize>, Range<usize>);

/// Where a top-level member stands.
fn member(body: &[u8], name: &str) -> Result<Option<Place>, Malformed> {
    let mut found = None;
    let mut scanner = Scanner::new(body);
    scanner.object(|scanner, key| {
        let start = key.span().start;
        let value = scanner.skip()?;
        if key.is(name) {
            found = Some((start..value.end, value));
        }
        Ok(())
    })?;
    scanner.end()?;
    Ok(found)
}

fn replaced(body: &[u8], span: Range<usize>, bytes: &[u8]) -> Vec<u8> {
    let before = body.get(..span.start).unwrap_or_default();
    let after = body.get(span.end..).unwrap_or_default();
    [before, bytes, after].concat()
}

/// The body without a member, and without the comma that goes with it.
fn without(body: &[u8], member: Range<usize>) -> Vec<u8> {
    let before = body.get(..member.start).unwrap_or_default().trim_ascii_end();
    if before.last() == Some(&b',') {
        return replaced(body, before.len() - 1..member.end, b"");
    }
    let after = body.get(member.end..).unwrap_or_default();
    let space = after.len() - after.trim_ascii_start().len();
    let comma = usize::from(after.get(space) == Some(&b','));
    replaced(body, member.start..member.end + (space + 1) * comma, b"")
}

#[cfg(test)]
mod tests {
    use super::{count_for_vertex, for_vertex, rename_model};

    #[test]
    fn a_new_model_leaves_every_other_byte_alone() {
        let body = br#" { "n" : 1e5, "model" : "a" , "x":{"model":"b"} } "#;
        let renamed = rename_model(body, "c\"d").unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&renamed), r#" { "n" : 1e5, "model" : "c\"d" , "x":{"model":"b"} } "#);
        assert_eq!(rename_model(body, "a").unwrap(), None);
        assert_eq!(rename_model(b"{}", "a").unwrap(), None);
        assert!(rename_model(b"[", "a").is_err());
    }

    #[test]
    fn vertex_gets_a_version_in_the_model_s_place() {
        let version = r#""anthropic_version":"vertex-2023-10-16""#;
        let cases = [
            (r#"{"model":"a","x":1}"#, format!(r#"{{{version},"x":1}}"#)),
            (r#"{"x":1}"#, format!(r#"{{{version},"x":1}}"#)),
            ("{ }", format!("{{{version} }}")),
            (r#"{"x":1, "model":"a","anthropic_version":"v"}"#, r#"{"x":1,"anthropic_version":"v"}"#.to_owned()),
            (r#"{"model":"a", "anthropic_version":"v"}"#, r#"{ "anthropic_version":"v"}"#.to_owned()),
        ];
        for (body, expected) in cases {
            assert_eq!(String::from_utf8_lossy(&for_vertex(body.as_bytes()).unwrap()), expected, "{body}");
        }
        let counted = count_for_vertex(br#"{"model":"a","x":1}"#, "b").unwrap();
        assert_eq!(String::from_utf8_lossy(&counted), format!(r#"{{{version},"model":"b","x":1}}"#));
    }
}
