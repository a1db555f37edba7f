//! The text of an answer so far, to tell bytes from characters: Gemini counts its citations in bytes, the form between
//! in characters.

use crate::chat::prose::Prose;
use crate::codec::gemini::raw;

/// The longest text in which places are told, in bytes.
const MAX_TEXT: usize = 256 * 1024;

/// A text that grows.
#[derive(Clone, Debug, Default)]
pub struct Track {
    text: String,
    lost: bool,
}

impl Track {
    /// More of the text.
    pub fn push(&mut self, more: &Prose<'_>) {
        if self.lost {
            return;
        }
        if self.text.len() + more.len() > MAX_TEXT {
            self.lost = true;
            self.text = String::new();
            return;
        }
        self.text.push_str(&raw::text(more));
    }

    /// The characters before a byte.
    pub fn character(&self, byte: u64) -> Option<u64> {
        let head = self.text.get(..usize::try_from(byte).ok()?)?;
        (!self.lost).then(|| head.chars().count() as u64)
    }

    /// The bytes before a character.
    pub fn byte(&self, character: u64) -> Option<u64> {
        if self.lost {
            return None;
        }
        let ends = std::iter::once(self.text.len());
        let mut starts = self.text.char_indices().map(|(at, _)| at).chain(ends);
        starts.nth(usize::try_from(character).ok()?).map(|at| at as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Track;
    use crate::chat::prose::Prose;

    #[test]
    fn bytes_and_characters_are_told_apart() {
        let mut track = Track::default();
        track.push(&Prose::plain("Ærø "));
        track.push(&Prose::plain("7°C"));
        assert_eq!((track.character(6), track.byte(4)), (Some(4), Some(6)));
        assert_eq!((track.character(10), track.byte(7)), (Some(7), Some(10)));
        assert_eq!((track.character(1), track.byte(8)), (None, None));
    }
}
