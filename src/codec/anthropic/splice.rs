//! Edits of a request that stays Anthropic's: the model's name, or for Claude on Vertex the version in its place. Every
//! other byte is left alone. Not a re-encoding.

use std::ops::Range;

use crate::chat::family::ApiFamily;
use crate::codec::anthropic::encode_request::VERTEX_VERSION;
use crate::codec::anthropic::seal::MARK;
use crate::codec::json::{Malformed, Scanner, write_string};

/// The body for another model; `None` when it stays as it is.
///
/// `span` is where the JSON string of `model` stands in this very body (`Request::model`, `Head::model_span`); without
/// one, the model becomes the first member. For `ApiFamily::Vertex`, whose path names the model, the member `model` becomes
/// `anthropic_version` (or goes, when the body has one).
pub fn splice(body: &[u8], span: Option<&Range<usize>>, model: &str, api: ApiFamily) -> Option<Vec<u8>> {
    if api == ApiFamily::Vertex {
        return splice_vertex(body);
    }
    let mut text = Vec::with_capacity(model.len() + 2);
    write_string(&mut text, model);
    match span {
        Some(span) if body.get(span.clone())? == text => None,
        Some(span) => replace(body, span, &text),
        None => insert(body, "model", &text),
    }
}

/// Whether a body holds thoughts whose signatures Weir wrote for another vendor, which Anthropic would refuse: such a
/// body is to be decoded and encoded, which leaves them out, and not spliced.
pub fn has_foreign_seals(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK.as_bytes()).is_some()
}

fn splice_vertex(body: &[u8]) -> Option<Vec<u8>> {
    let mut version = false;
    let mut model = None;
    let scanned: Result<(), Malformed> = Scanner::new(body).object(|scanner, key| {
        let value = scanner.skip()?;
        if key.is("anthropic_version") {
            version = true;
        } else if key.is("model") {
            model = Some(key.span().start..value.end);
        }
        Ok(())
    });
    scanned.ok()?;
    let mut text = Vec::with_capacity(24);
    write_string(&mut text, VERTEX_VERSION);
    match (model, version) {
        (None, true) => None,
        (None, false) => insert(body, "anthropic_version", &text),
        (Some(member), true) => replace(body, &with_comma(body, member)?, b""),
        (Some(member), false) => {
            let mut named = b"\"anthropic_version\":".to_vec();
            named.extend_from_slice(&text);
            replace(body, &member, &named)
        }
    }
}

/// A member and the comma that goes with it.
fn with_comma(body: &[u8], member: Range<usize>) -> Option<Range<usize>> {
    let after = body.get(member.end..)?;
    let space = after.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if after.get(space) == Some(&b',') {
        return Some(member.start..member.end + space + 1);
    }
    let before = body.get(..member.start)?;
    match before.iter().rposition(|byte| !byte.is_ascii_whitespace()) {
        Some(comma) if before.get(comma) == Some(&b',') => Some(comma..member.end),
        _ => Some(member),
    }
}

fn replace(body: &[u8], span: &Range<usize>, bytes: &[u8]) -> Option<Vec<u8>> {
    let (before, after) = (body.get(..span.start)?, body.get(span.end..)?);
    Some([before, bytes, after].concat())
}

/// The body with one more member, at its beginning.
fn insert(body: &[u8], name: &str, value: &[u8]) -> Option<Vec<u8>> {
    let open = memchr::memchr(b'{', body)? + 1;
    let next = body.get(open..)?.iter().find(|byte| !byte.is_ascii_whitespace());
    let comma: &[u8] = if next == Some(&b'}') { b"" } else { b"," };
    let mut member = Vec::with_capacity(name.len() + value.len() + 4);
    write_string(&mut member, name);
    member.push(b':');
    member.extend_from_slice(value);
    member.extend_from_slice(comma);
    replace(body, &(open..open), &member)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{has_foreign_seals, splice};
    use crate::chat::family::ApiFamily;

    fn spliced(body: &str, span: Option<std::ops::Range<usize>>, api: ApiFamily) -> Option<String> {
        splice(body.as_bytes(), span.as_ref(), "m2", api).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn only_the_model_s_name_changes() {
        let body = "{ \"max_tokens\" : 1.0e1,\n\"model\": \"m\", \"x\":\"\\u0041\" }";
        let at = body.find("\"m\"").unwrap();
        let expected = "{ \"max_tokens\" : 1.0e1,\n\"model\": \"m2\", \"x\":\"\\u0041\" }";
        assert_eq!(spliced(body, Some(at..at + 3), ApiFamily::Anthropic).unwrap(), expected);
        let at = expected.find("\"m2\"").unwrap();
        assert_eq!(spliced(expected, Some(at..at + 4), ApiFamily::Anthropic), None);
        assert_eq!(spliced("{}", None, ApiFamily::Anthropic).unwrap(), r#"{"model":"m2"}"#);
        assert_eq!(spliced(r#"{ "a":1}"#, None, ApiFamily::Anthropic).unwrap(), r#"{"model":"m2", "a":1}"#);
    }

    #[test]
    fn vertex_gets_the_version_in_the_model_s_place() {
        let version = r#""anthropic_version":"vertex-2023-10-16""#;
        let rows = [
            (r#"{"model": "m", "a":1.0}"#, format!("{{{version}, \"a\":1.0}}")),
            (r#"{"a":{"model":"x"},"model":"m"}"#, format!("{{\"a\":{{\"model\":\"x\"}},{version}}}")),
            (r#"{"a":1}"#, format!("{{{version},\"a\":1}}")),
            (r#"{"anthropic_version":"v","model":"m" , "a":1}"#, r#"{"anthropic_version":"v", "a":1}"#.to_owned()),
            (r#"{"anthropic_version":"v" , "model":"m"}"#, r#"{"anthropic_version":"v" }"#.to_owned()),
        ];
        for (body, expected) in rows {
            assert_eq!(spliced(body, None, ApiFamily::Vertex).unwrap(), expected, "{body}");
        }
        assert_eq!(spliced(r#"{"anthropic_version":"v"}"#, None, ApiFamily::Vertex), None);
    }

    #[test]
    fn a_signature_of_weir_s_own_is_seen() {
        assert!(has_foreign_seals(br#"{"signature":"weir-seal:-"}"#));
        assert!(!has_foreign_seals(br#"{"signature":"EqQB"}"#));
    }
}
