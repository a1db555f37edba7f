//! The `signature` of a thinking block, and how another vendor's seal travels in it. Not the thoughts themselves.
//!
//! Clients send thinking blocks back as they got them, and their SDKs want a `signature` on each. A seal of another
//! vendor, or none, is therefore written behind a mark of Weir's own: `weir-seal:<wire>:<r|p>:<id>:<data>`, or
//! `weir-seal:-`. Anthropic would refuse such a signature, so a body that holds the mark must not be sent on as it is
//! (`has_foreign_seals`).

use std::borrow::Cow;

use crate::chat::part::Seal;
use crate::chat::wire::Wire;

/// What a signature that is not Anthropic's begins with.
const MARK: &str = "weir-seal:";

/// Whether a request's body holds thoughts whose signatures Weir wrote for another vendor, which Anthropic would refuse:
/// such a body is to be decoded and encoded, which leaves them out, even when nothing else changes.
pub fn has_foreign_seals(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK.as_bytes()).is_some()
}

/// The seal that a `signature` holds; `None` when it is empty or says that there was none.
pub(super) fn read(signature: Cow<'_, str>) -> Option<Seal<'_>> {
    if signature.is_empty() {
        return None;
    }
    let Some(marked) = signature.strip_prefix(MARK) else {
        return Some(Seal { wire: Wire::Messages, data: signature, redacted: false, id: None });
    };
    let mut fields = marked.splitn(4, ':');
    let wire = fields.next()?;
    let wire = Wire::ALL.into_iter().find(|one| one.name() == wire)?;
    let redacted = fields.next()? == "r";
    let id = fields.next()?;
    let data = fields.next()?;
    let id = (!id.is_empty()).then(|| Cow::Owned(id.to_owned()));
    Some(Seal { wire, data: Cow::Owned(data.to_owned()), redacted, id })
}

/// The `signature` that stands for a seal.
pub(super) fn signature<'a>(seal: Option<&'a Seal<'_>>) -> Cow<'a, str> {
    match seal {
        None => Cow::Owned(format!("{MARK}-")),
        Some(seal) if seal.wire == Wire::Messages && !seal.redacted => Cow::Borrowed(&seal.data),
        Some(seal) => {
            let redacted = if seal.redacted { "r" } else { "p" };
            // An id with a colon could not be told from the data; the vendor does without it.
            let id = seal.id.as_deref().filter(|id| !id.contains(':')).unwrap_or_default();
            Cow::Owned(format!("{MARK}{}:{redacted}:{id}:{}", seal.wire.name(), seal.data))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{has_foreign_seals, read, signature};
    use crate::chat::part::Seal;
    use crate::chat::wire::Wire;

    #[test]
    fn another_vendor_s_seal_comes_back_as_it_went() {
        for id in [None, Some("rs_1")] {
            let seal = Seal {
                wire: Wire::Responses,
                data: Cow::Borrowed("gAAA:=="),
                redacted: id.is_none(),
                id: id.map(Cow::Borrowed),
            };
            assert_eq!(read(Cow::Owned(signature(Some(&seal)).into_owned())), Some(seal));
        }
    }

    #[test]
    fn no_seal_and_an_empty_signature_are_no_seal() {
        assert_eq!(read(signature(None)), None);
        assert_eq!(read(Cow::Borrowed("")), None);
        assert_eq!(read(Cow::Borrowed("weir-seal:nobody:p::x")), None);
        assert_eq!(read(Cow::Borrowed("EqQB")).map(|seal| seal.wire), Some(Wire::Messages));
    }

    #[test]
    fn a_body_with_a_signature_of_weir_s_own_is_seen() {
        assert!(has_foreign_seals(br#"{"signature":"weir-seal:-"}"#));
        assert!(!has_foreign_seals(br#"{"signature":"EqQB"}"#));
    }
}
