//! Where two bodies differ, if one came from the other by a few short edits. Not a general diff.

use serde_json::{Value, json};

/// After an edit, so many equal bytes show that the bodies run alike again.
const ALIKE: usize = 16;

/// The longest edit that is looked for, in bytes of both sides together; a longer one takes all the rest with it.
const LONGEST: usize = 2_048;

/// One edit.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// Its first byte in the client's body.
    pub at: usize,
    /// What stood there.
    pub was: String,
    /// What stands there.
    pub is: String,
}

impl Change {
    pub fn json(&self) -> Value {
        json!({"at": self.at, "was": self.was, "is": self.is})
    }
}

/// The edits that make `after` of `before`, in order.
pub fn between(before: &[u8], after: &[u8]) -> Vec<Change> {
    let (mut left, mut right) = (before, after);
    let mut changes = Vec::new();
    while left != right {
        let same = left.iter().zip(right).take_while(|(one, other)| one == other).count();
        let (was, is) = edit(skip(left, same), skip(right, same));
        let same = same - slide(left, right, same, (was, is));
        let back = word_begun(left, right, same);
        let (from, to) = (skip(left, same), skip(right, same));
        // The rest of the word belongs to the change as well, or `gpt-5-mini` becoming `gpt-5` reads as `-mini` lost.
        let alike = skip(from, was).iter().zip(skip(to, is));
        let more = alike.take_while(|(one, other)| back > 0 && one == other && is_word(**one)).count();
        let text = |side: &[u8], length: usize| {
            let bytes = side.get(same - back..same + length + more).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        changes.push(Change { at: before.len() - left.len() + same - back, was: text(left, was), is: text(right, is) });
        (left, right) = (skip(from, was + more), skip(to, is + more));
    }
    changes
}

fn skip(side: &[u8], count: usize) -> &[u8] {
    side.get(count..).unwrap_or_default()
}

/// How far an insertion or removal at `at` can stand earlier and come to the same: `"a":1,` put before `"ab":2` also
/// reads as `a":1,"` put behind its first byte.
fn slide(left: &[u8], right: &[u8], at: usize, (was, is): (usize, usize)) -> usize {
    let longer = match (was, is) {
        (0, _) => right,
        (_, 0) => left,
        _ => return 0,
    };
    let length = was.max(is);
    let same = |back: &usize| {
        let byte = |index: usize| index.checked_sub(back + 1).and_then(|index| longer.get(index));
        byte(at).is_some() && byte(at) == byte(at + length)
    };
    (0..at).take_while(same).count()
}

/// How many bytes before `at` belong to a word that goes on, otherwise than it did, on either side.
fn word_begun(left: &[u8], right: &[u8], at: usize) -> usize {
    let goes_on = [left, right].iter().any(|side| side.get(at).copied().is_some_and(is_word));
    if !goes_on {
        return 0;
    }
    left.iter().take(at).rev().take_while(|byte| is_word(**byte)).count()
}

/// The bytes on either side until both run alike again.
fn edit(from: &[u8], to: &[u8]) -> (usize, usize) {
    for length in 1..=LONGEST.min(from.len() + to.len()) {
        for was in 0..=length {
            let is = length - was;
            let (Some(from), Some(to)) = (from.get(was..), to.get(is..)) else { continue };
            let alike = match (from.get(..ALIKE), to.get(..ALIKE)) {
                (Some(one), Some(other)) => one == other,
                _ => from == to,
            };
            if alike {
                return (was, is);
            }
        }
    }
    (from.len(), to.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::{Change, between};

    fn change(at: usize, was: &str, is: &str) -> Change {
        Change { at, was: was.to_owned(), is: is.to_owned() }
    }

    #[test]
    fn edits_are_told_as_whole_words() {
        let cases = [
            (r#"{"model":"a"}"#, r#"{"model":"a"}"#, vec![]),
            (r#"{"model":"gpt-5-mini","n":1}"#, r#"{"model":"gpt-5","n":1}"#, vec![change(10, "gpt-5-mini", "gpt-5")]),
            (r#"{"model":"auto","n":1}"#, r#"{"model":"qwen3-32b","n":1}"#, vec![change(10, "auto", "qwen3-32b")]),
            (
                r#"{"stream":true,"model":"auto","messages":[{"role":"user","content":"hello"}]}"#,
                r#"{"x":{"y":1},"stream":true,"model":"fast","messages":[{"role":"user","content":"hello"}]}"#,
                vec![change(1, "", r#""x":{"y":1},"#), change(24, "auto", "fast")],
            ),
            (
                r#"{"stream":true,"model":"auto"}"#,
                r#"{"stream_options":{"include_usage":true},"stream":true,"model":"auto"}"#,
                vec![change(1, "", r#""stream_options":{"include_usage":true},"#)],
            ),
        ];
        for (before, after, changes) in cases {
            assert_eq!(between(before.as_bytes(), after.as_bytes()), changes, "{after}");
        }
    }

    #[test]
    fn the_edits_make_the_one_body_of_the_other() {
        let bodies = ["", "{}", "abcabcabc", "{\"model\":\"auto\"}", "{\"model\":\"x/y\",\"a\":[1,2,3]}", "zzzz"];
        for before in bodies {
            for after in bodies {
                let mut made = String::new();
                let mut at = 0;
                for change in between(before.as_bytes(), after.as_bytes()) {
                    made.push_str(&before[at..change.at]);
                    made.push_str(&change.is);
                    at = change.at + change.was.len();
                    assert!(before[change.at..].starts_with(&change.was), "{before} {after}");
                }
                made.push_str(&before[at..]);
                assert_eq!(made, after, "{before}");
            }
        }
    }
}
