//! Words that this format puts into ids and names so that what it cannot say comes back with the next request: whose a
//! seal is, which items Weir invented, which namespace a tool stood in. Not the ids of calls (see `adapt`).

use std::borrow::Cow;

use crate::chat::part::Seal;
use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::json::write_string;

/// How ids of reasoning items begin that no OpenAI server has seen: it must never be asked for them.
pub(super) const INVENTED_REASONING: &str = "rs_weir";

/// How `encrypted_content` begins that Weir wrote.
const SEALED: &str = "weir.";

/// What stands between a namespace and a tool's name where the format has no namespaces.
///
/// Why a name: the answer's encoder does not see the request, and a call must come back with its `namespace`.
const NAMESPACE: &str = "__ns__";

/// `encrypted_content` that says whose a seal is and to which item it belongs: `weir.<wire>.<id>.<data>`, and `!` behind
/// the wire where the whole thought is in it.
pub(super) fn seal_text(seal: &Seal<'_>) -> String {
    let redacted = if seal.redacted { "!" } else { "" };
    // An id with a dot could not be told from the data; the vendor does without it.
    let id = seal.id.as_deref().filter(|id| !id.contains('.')).unwrap_or_default();
    format!("{SEALED}{}{redacted}.{id}.{}", seal.wire.name(), seal.data)
}

/// The seal in an `encrypted_content`: one that Weir put there, else OpenAI's own, bound to the item's id.
pub(super) fn read_seal<'a>(content: Cow<'a, str>, id: Option<Cow<'a, str>>) -> Seal<'a> {
    let put = || {
        let mut fields = content.strip_prefix(SEALED)?.splitn(3, '.');
        let (name, id, data) = (fields.next()?, fields.next()?, fields.next()?);
        let redacted = name.ends_with('!');
        let wire = Wire::ALL.into_iter().find(|wire| wire.name() == name.trim_end_matches('!'))?;
        let id = (!id.is_empty()).then(|| Cow::Owned(id.to_owned()));
        Some(Seal { wire, data: Cow::Owned(data.to_owned()), redacted, id })
    };
    put().unwrap_or(Seal { wire: Wire::Responses, data: content, redacted: false, id })
}

/// Whether Weir made the id up.
pub(super) fn is_invented(id: &str) -> bool {
    id.starts_with(INVENTED_REASONING)
}

/// The one name of a tool in a namespace.
pub(super) fn join_namespace<'a>(namespace: Option<Cow<'a, str>>, name: Cow<'a, str>) -> Cow<'a, str> {
    match namespace {
        Some(namespace) if !namespace.is_empty() => Cow::Owned(format!("{namespace}{NAMESPACE}{name}")),
        _ => name,
    }
}

/// A tool's namespace and its name there.
pub(super) fn split_namespace(name: &str) -> (Option<&str>, &str) {
    match name.split_once(NAMESPACE) {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => (Some(namespace), name),
        _ => (None, name),
    }
}

/// Texts with `between` between them.
pub(super) fn join<'a>(texts: Vec<Prose<'a>>, between: &str) -> Prose<'a> {
    let mut texts: Vec<Prose<'a>> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    match texts.len() {
        0 => Prose::EMPTY,
        1 => texts.remove(0),
        _ => {
            let mut bytes = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                if index > 0 {
                    push_escaped(&mut bytes, &Prose::plain(between));
                }
                push_escaped(&mut bytes, text);
            }
            Prose::Escaped(Cow::Owned(bytes))
        }
    }
}

/// Appends a text as it stands between the quotes of a JSON string.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &Prose<'_>) {
    match text {
        Prose::Escaped(bytes) => out.extend_from_slice(bytes),
        Prose::Plain(text) => {
            let from = out.len();
            write_string(out, text);
            out.pop();
            out.remove(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{join_namespace, read_seal, seal_text, split_namespace};
    use crate::chat::part::Seal;
    use crate::chat::wire::Wire;

    #[test]
    fn another_vendor_s_seal_comes_back_as_it_went() {
        for wire in Wire::ALL {
            for (redacted, id) in [(false, None), (true, None), (false, Some(Cow::Borrowed("rs_1")))] {
                let seal = Seal { wire, data: Cow::Borrowed("a.b=="), redacted, id };
                assert_eq!(read_seal(Cow::Owned(seal_text(&seal)), Some(Cow::Borrowed("rs_weir1"))), seal);
            }
        }
    }

    #[test]
    fn openai_s_own_seal_keeps_its_item_s_id() {
        let seal = read_seal(Cow::Borrowed("gAAAA.x"), Some(Cow::Borrowed("rs_1")));
        assert_eq!((seal.wire, seal.id.as_deref(), seal.data.as_ref()), (Wire::Responses, Some("rs_1"), "gAAAA.x"));
    }

    #[test]
    fn a_namespace_goes_into_a_name_and_comes_out_of_it() {
        let joined = join_namespace(Some(Cow::Borrowed("mcp__git")), Cow::Borrowed("log"));
        assert_eq!(split_namespace(&joined), (Some("mcp__git"), "log"));
        assert_eq!(split_namespace(&join_namespace(None, Cow::Borrowed("log"))), (None, "log"));
    }
}
