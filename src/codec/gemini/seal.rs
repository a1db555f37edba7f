//! `thoughtSignature`, and how another vendor's seal travels in it. Not the thoughts themselves.
//!
//! Clients send a thought back with the signature they got, and their SDKs want base64 there. A seal of another vendor
//! goes as the base64 of `weir-seal:<wire>:<r|p>:<id>:<data>`. Google would refuse such a signature, so a body that is
//! `marked` must not be passed on to it as it is. Calls that no Gemini made bear the mark too.

use std::borrow::Cow;

use crate::chat::part::Seal;
use crate::chat::wire::Wire;
use crate::codec::vector;

const MARK: &str = "weir-seal:";

/// What base64 makes of `MARK`, whatever follows it.
const MARK_IN_BASE64: &str = "d2Vpci1zZWFsO";

/// What stands in place of a signature on a call that no Gemini made: base64 of `weir-seal:-`. A body that holds it back
/// has ids and calls that Google refuses as they are: older models take no id, newer ones no call without a signature.
pub const STRANGER: &str = "d2Vpci1zZWFsOi0=";

/// Whether a signature is none of Google's.
pub fn is_foreign(signature: &str) -> bool {
    signature.starts_with(MARK_IN_BASE64)
}

/// Whether a request's body holds a seal of another vendor, or a call that another vendor's model made.
pub fn marked(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK_IN_BASE64.as_bytes()).is_some()
}

/// The seal that a `thoughtSignature` holds.
pub fn read(signature: Cow<'_, str>) -> Seal<'_> {
    carried(&signature).unwrap_or(Seal { wire: Wire::Gemini, data: signature, redacted: false, id: None })
}

fn carried(signature: &str) -> Option<Seal<'static>> {
    if !is_foreign(signature) {
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

    use super::{STRANGER, is_foreign, marked, read, signature};
    use crate::chat::part::Seal;
    use crate::chat::wire::Wire;

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
        assert!(is_foreign(STRANGER) && marked(STRANGER.as_bytes()));
        let own = Seal { wire: Wire::Gemini, data: Cow::Borrowed("c2VhbA=="), redacted: false, id: None };
        assert_eq!(read(Cow::Borrowed("c2VhbA==")), own);
    }
}
