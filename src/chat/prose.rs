//! Text of a conversation and raw JSON, as they pass from one wire to another. They print as their length: what people
//! and models say belongs in no log.

use std::borrow::Cow;
use std::fmt;

/// A text of the conversation.
///
/// Every wire is JSON, so text that comes escaped from one goes escaped to the next and is not looked at between.
#[derive(Clone, PartialEq, Eq)]
pub enum Prose<'a> {
    /// The bytes between the quotes of a JSON string, escapes as written. Whoever makes one has checked that the string
    /// is well-formed.
    Escaped(Cow<'a, [u8]>),
    /// The text itself.
    Plain(Cow<'a, str>),
}

impl<'a> Prose<'a> {
    /// The empty text.
    pub const EMPTY: Prose<'static> = Prose::Plain(Cow::Borrowed(""));

    /// A text that is at hand.
    pub fn plain(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Plain(text.into())
    }

    /// Whether there is no text. (No escape stands for nothing.)
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its length in bytes, as it is kept.
    pub fn len(&self) -> usize {
        match self {
            Self::Escaped(bytes) => bytes.len(),
            Self::Plain(text) => text.len(),
        }
    }

    /// Whether it is blank: empty, or nothing but white space.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Escaped(bytes) => {
                let escape = |pair: &[u8]| matches!(pair, [b'\\', b'n' | b't' | b'r']);
                let mut rest: &[u8] = bytes;
                loop {
                    rest = rest.trim_ascii_start();
                    match rest.split_at_checked(2) {
                        Some((pair, after)) if escape(pair) => rest = after,
                        _ => return rest.is_empty(),
                    }
                }
            }
            Self::Plain(text) => text.trim().is_empty(),
        }
    }

    /// The same text for as long as one likes.
    pub fn into_owned(self) -> Prose<'static> {
        match self {
            Self::Escaped(bytes) => Prose::Escaped(Cow::Owned(bytes.into_owned())),
            Self::Plain(text) => Prose::Plain(Cow::Owned(text.into_owned())),
        }
    }

    /// The same text, borrowed.
    pub fn borrowed(&self) -> Prose<'_> {
        match self {
            Self::Escaped(bytes) => Prose::Escaped(Cow::Borrowed(bytes)),
            Self::Plain(text) => Prose::Plain(Cow::Borrowed(text)),
        }
    }
}

impl fmt::Debug for Prose<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Prose({} bytes)", self.len())
    }
}

/// One JSON value as it was written: a schema, an argument, whatever is passed on unread. Whoever makes one has checked
/// that it is well-formed.
#[derive(Clone, PartialEq, Eq)]
pub struct Json<'a>(pub Cow<'a, [u8]>);

impl<'a> Json<'a> {
    /// A value that stands in bytes at hand.
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same value for as long as one likes.
    pub fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Json({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::Prose;

    #[test]
    fn blank_text_is_told_from_text_in_both_forms() {
        let escaped = |text: &'static str| Prose::Escaped(Cow::Borrowed(text.as_bytes()));
        for blank in ["", "  ", r"\n", r" \n\t \r"] {
            assert!(escaped(blank).is_blank(), "{blank:?}");
        }
        for text in ["x", r"\n x", r"\\", r"\u0020x"] {
            assert!(!escaped(text).is_blank(), "{text:?}");
        }
        assert!(Prose::plain(" \n").is_blank() && !Prose::plain("a").is_blank());
    }

    #[test]
    fn text_prints_as_its_length() {
        assert_eq!(format!("{:?}", Prose::plain("secret")), "Prose(6 bytes)");
    }
}
