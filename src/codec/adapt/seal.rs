//! Gemini's thought signatures carried through clients that have no place for them: in the id of a call, as
//! `<id>__thought__<signature>`. Gateways in the field do the same; the conversation comes back whole without any state.

use std::borrow::Cow;

const MARK: &str = "__thought__";

/// The longest signature that is carried; a client may have to send it back a hundred times.
const MOST: usize = 16 * 1024;

/// Whether a body holds ids with signatures in them. Nobody but Gemini is to get those, and they are longer than ids may be.
pub fn is_carried(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK.as_bytes()).is_some()
}

/// An id with a signature in it. The signature's base64 is written in the alphabet that ids may have.
pub fn join(id: &str, signature: &str) -> String {
    if signature.len() > MOST {
        return id.to_owned();
    }
    let mut joined = format!("{id}{MARK}");
    joined.extend(signature.trim_end_matches('=').chars().map(|c| match c {
        '+' => '-',
        '/' => '_',
        c => c,
    }));
    joined
}

/// The id alone, and the signature that was in it.
pub fn split(id: &str) -> (&str, Option<String>) {
    let Some((id, carried)) = id.split_once(MARK) else { return (id, None) };
    let mut signature: String = carried
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    while !signature.len().is_multiple_of(4) {
        signature.push('=');
    }
    (id, Some(signature))
}

/// The id alone.
pub fn without<'a>(id: &Cow<'a, str>) -> Cow<'a, str> {
    match id.find(MARK) {
        None => id.clone(),
        Some(at) => Cow::Owned(id.get(..at).unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{join, split};

    #[test]
    fn a_signature_comes_back_as_it_went() {
        for signature in ["", "aGk=", "a+/b", "YWJjZA=="] {
            let joined = join("call_1", signature);
            assert!(joined.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
            assert_eq!(split(&joined), ("call_1", Some(signature.to_owned())));
        }
        assert_eq!(split("call_1"), ("call_1", None));
    }
}
