//! What a request asks of a mock, whatever family it came in. Not how a family writes it: see the children, each as strict
//! as its vendor, so that a bad translation is refused here as it would be there.

use serde_json::Value;

use super::json::{base64, fingerprint};

pub mod anthropic;
pub mod chat;
pub mod cohere;
pub mod converse;
pub mod gemini;
pub mod gemini_names;
pub mod responses;

/// A vendor's refusal; the family writes it in its own shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub message: String,
}

impl Refused {
    /// A request that the vendor does not understand or allow.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }
}

/// The part of a request that the answer depends on.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub model: String,
    pub stream: bool,
    /// Chat completions alone: whether the stream's usage event was asked for.
    pub wants_usage: bool,
    /// The text of the user's last turn that steers the answer (see `steering`); empty where the model spoke last.
    pub text: String,
    /// Texts of the tool results in the last turn.
    pub results: Vec<Outcome>,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// False when the request allows one call a turn.
    pub parallel: bool,
    pub output: Output,
    /// Whether something is marked to be kept in the vendor's cache.
    pub marks_cache: bool,
    /// Responses alone: whether reasoning is to come back encrypted.
    pub wants_encrypted: bool,
    /// How many answers are wanted; 0 is 1.
    pub answers: usize,
}

/// A tool's result in the last turn.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The tool's name, where the request says it.
    pub tool: String,
    pub text: String,
    pub is_error: bool,
}

/// A tool that is offered.
#[derive(Clone, Debug, Default)]
pub struct Tool {
    pub name: String,
    pub schema: Value,
    /// Takes text instead of arguments (OpenAI's custom tools).
    pub takes_text: bool,
}

/// What a request says about calling tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    #[default]
    Auto,
    Never,
    Must,
    Named(String),
}

/// What form of answer is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    #[default]
    Text,
    Json,
    Schema(Value),
}

/// Words that steer an answer count in the end of the last text only: clients wrap a user's words in their own.
const STEERING_BYTES: usize = 1_000;

impl Ask {
    /// Whether the user's text holds a word or phrase, not inside other words.
    pub fn says(&self, phrase: &str) -> bool {
        self.after(phrase).is_some()
    }

    /// The user's text after a phrase.
    pub fn after(&self, phrase: &str) -> Option<&str> {
        after(&self.text, phrase)
    }
}

fn after<'t>(text: &'t str, phrase: &str) -> Option<&'t str> {
    let mut from = text.len().saturating_sub(STEERING_BYTES);
    while !text.is_char_boundary(from) {
        from = from.saturating_add(1);
    }
    let end = text.get(from..)?;
    let is_apart = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    end.match_indices(phrase).find_map(|(at, _)| {
        let rest = end.get(at.saturating_add(phrase.len())..)?;
        let before = end.get(..at)?.chars().next_back();
        (is_apart(before) && is_apart(rest.chars().next())).then_some(rest)
    })
}

/// The text that steers the answer among those of the last turn, given in order: the last that asks for a tool, or else
/// the last.
///
/// Why not simply the last: agents set notes of their own behind the user's words, some in a system message, which a
/// format without such messages has as one more text of the user's.
pub fn steering(mut texts: Vec<String>) -> String {
    let asks = |text: &String| ["use the tool", "two tools"].iter().any(|phrase| after(text, phrase).is_some());
    let at = texts.iter().rposition(asks).unwrap_or(texts.len().saturating_sub(1));
    if at < texts.len() { texts.swap_remove(at) } else { String::new() }
}

/// What follows the model's last turn, where `is_models` tells the model's turns.
pub fn since(turns: &[Value], is_models: impl Fn(&Value) -> bool) -> &[Value] {
    let from = turns.iter().rposition(is_models).map_or(0, |at| at.saturating_add(1));
    turns.get(from..).unwrap_or_default()
}

/// What a mock signs its thinking with: opaque to everybody else, and bound to the family and to what is signed.
pub fn signature(family: &str, content: &str) -> String {
    base64(format!("mock/{family}/{:016x}/??>>", fingerprint(content.as_bytes())).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{Ask, signature, steering};

    #[test]
    fn a_steering_word_stands_alone_and_near_the_end() {
        let says = |text: &str, phrase: &str| Ask { text: text.to_owned(), ..Ask::default() }.says(phrase);
        assert!(says("please use the tool", "use the tool") && says("long: yes", "long"));
        assert!(!says("along the belonging", "long") && !says(&format!("long{}", " x".repeat(900)), "long"));
    }

    #[test]
    fn a_note_behind_the_users_words_does_not_hide_them() {
        let of = |texts: &[&str]| steering(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(of(&["a note", "use the tool Bash", "another long note"]), "use the tool Bash");
        assert_eq!(of(&["two tools", "use the tool Bash"]), "use the tool Bash");
        assert_eq!(of(&["a note", "hello"]), "hello");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn signatures_differ_by_family_and_content() {
        assert_ne!(signature("a", "x"), signature("b", "x"));
        assert_ne!(signature("a", "x"), signature("a", "y"));
    }
}
