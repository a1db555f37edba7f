//! `thoughtSignature`, and how another vendor's seal travels in it. Not the thoughts themselves.
//!
//! Clients send a thought back with the signature they got, and their SDKs want base64 there. A seal of another vendor
//! goes as the base64 of `weir-seal:<wire>:<r|p>:<id>:<data>`. Google would refuse such a signature, so a body that is
//! `marked` must not be passed on to it as it is. The same goes for calls that another vendor's model made.

use std::borrow::Cow;

use crate::chat::part::Seal;
use crate::chat::wire::Wire;
use crate::codec::gemini::member::members;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::vector;

const MARK: &str = "weir-seal:";

/// What base64 makes of `MARK`, whatever follows it.
const MARK_IN_BASE64: &str = "d2Vpci1zZWFsO";

/// Whether a request's body holds a seal of another vendor.
pub fn marked(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK_IN_BASE64.as_bytes()).is_some()
}

/// Whether a turn of the conversation holds calls that no Gemini made: they have ids and none of them a signature. Older
/// models refuse the ids, newer ones calls without a signature, so such a body must not be passed on as it is.
pub fn has_foreign_calls(body: &[u8]) -> bool {
    let calls = [&b"functionCall\""[..], b"function_call\""];
    calls.into_iter().any(|name| memchr::memmem::find(body, name).is_some())
        && find_foreign_calls(body).unwrap_or(false)
}

fn find_foreign_calls(body: &[u8]) -> Result<bool, Malformed> {
    let mut found = false;
    members(&mut Scanner::new(body), |scanner, name| {
        if name != "contents" || scanner.peek()? != b'[' {
            return scanner.pass();
        }
        scanner.array(|scanner| {
            let (mut named, mut signed) = (false, false);
            members(scanner, |scanner, name| {
                if name != "parts" || scanner.peek()? != b'[' {
                    return scanner.pass();
                }
                scanner.array(|scanner| {
                    members(scanner, |scanner, name| match name {
                        "functionCall" => members(scanner, |scanner, name| {
                            named |= name == "id";
                            scanner.pass()
                        }),
                        other => {
                            signed |= other == "thoughtSignature";
                            scanner.pass()
                        }
                    })
                })
            })?;
            found |= named && !signed;
            Ok(())
        })
    })?;
    Ok(found)
}

/// The seal that a `thoughtSignature` holds.
pub fn read(signature: Cow<'_, str>) -> Seal<'_> {
    carried(&signature).unwrap_or(Seal { wire: Wire::Gemini, data: signature, redacted: false, id: None })
}

fn carried(signature: &str) -> Option<Seal<'static>> {
    if !signature.starts_with(MARK_IN_BASE64) {
        return None;
    }
    let text = String::from_utf8(vector::decode(signature)?).ok()?;
    let mut fields = text.strip_prefix(MARK)?.splitn(4, ':');
    let wire = fields.next()?;
    let wire = Wire::ALL.into_iter().find(|one| one.name() == wire)?;
    let redacted = fields.next()? == "r";
    let id = fields.next()?;
    let data = fields.next()?;
    let id = (!id.is_empty()).then(|| Cow::Owned(id.to_owned()));
    Some(Seal { wire, data: Cow::Owned(data.to_owned()), redacted, id })
}

/// The `thoughtSignature` that stands for a seal.
pub fn signature<'a>(seal: &'a Seal<'_>) -> Cow<'a, str> {
    if seal.wire == Wire::Gemini {
        return Cow::Borrowed(&seal.data);
    }
    let redacted = if seal.redacted { "r" } else { "p" };
    // An id with a colon could not be told from the data; the vendor does without it.
    let id = seal.id.as_deref().filter(|id| !id.contains(':')).unwrap_or_default();
    let text = format!("{MARK}{}:{redacted}:{id}:{}", seal.wire.name(), seal.data);
    Cow::Owned(vector::encode(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{has_foreign_calls, marked, read, signature};
    use crate::chat::part::Seal;
    use crate::chat::wire::Wire;

    #[test]
    fn calls_that_no_gemini_made_are_told_by_their_ids() {
        let body = |parts: &str| {
            format!(r#"{{"contents":[{{"parts":[{{"text":"a"}}]}},{{"role":"model","parts":[{parts}]}}]}}"#)
        };
        let foreign = [
            r#"{"functionCall":{"name":"f","id":"call_1","args":{}}}"#,
            r#"{"text":"b"},{"function_call":{"id":"call_1","name":"f"}},{"functionCall":{"name":"g","id":"call_2"}}"#,
        ];
        let own = [
            r#"{"text":"functionCall\" id"}"#,
            r#"{"functionCall":{"name":"f","args":{"id":"1"}}}"#,
            r#"{"functionCall":{"name":"f","id":"1"},"thoughtSignature":"c2VhbA=="},{"functionCall":{"name":"g","id":"2"}}"#,
        ];
        assert!(foreign.iter().all(|parts| has_foreign_calls(body(parts).as_bytes())));
        assert!(!own.iter().any(|parts| has_foreign_calls(body(parts).as_bytes())));
        assert!(!has_foreign_calls(b"{\"functionCall\""));
    }

    #[test]
    fn seals_of_all_vendors_come_back_as_they_went() {
        for wire in Wire::ALL {
            for (redacted, id) in [(false, None), (true, Some("rs_1"))] {
                let own = wire == Wire::Gemini;
                let seal = Seal {
                    wire,
                    data: Cow::Borrowed("gAAA:/+=="),
                    redacted: redacted && !own,
                    id: id.filter(|_| !own).map(Cow::Borrowed),
                };
                let written = signature(&seal).into_owned();
                assert_eq!(marked(written.as_bytes()), !own);
                // google-genai writes the alphabet for URLs.
                for given in [written.clone(), written.replace('+', "-").replace('/', "_")] {
                    if !own {
                        assert_eq!(read(Cow::Owned(given)), seal);
                    }
                }
            }
        }
        let own = Seal { wire: Wire::Gemini, data: Cow::Borrowed("c2VhbA=="), redacted: false, id: None };
        assert_eq!(read(Cow::Borrowed("c2VhbA==")), own);
    }
}
