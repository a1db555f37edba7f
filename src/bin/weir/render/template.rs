//! Fills a YAML template: `<<name>>` inside a line is replaced by a value, alone on a line by a block, indented to where
//! it stands. Not a template language: no conditions, no loops.
//!
//! Why text and not a tree: the configuration is read and copied by people, so it keeps its comments and its order. Every
//! value that comes from a user goes through `quote`, so that no value can become structure.

use std::fmt::Write;

/// The template with every `<<name>>` replaced.
///
/// # Errors
/// The placeholder's name when no value is given for it.
pub fn fill(template: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let lookup = |name: &str| {
        values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("template: no value for <<{name}>>"))
    };
    let mut out = String::new();
    for line in template.lines() {
        let bare = line.trim_start();
        let indent = line.get(..line.len() - bare.len()).unwrap_or_default();
        if let Some(name) = bare.strip_prefix("<<").and_then(|rest| rest.strip_suffix(">>"))
            && !name.contains("<<")
        {
            for inserted in lookup(name)?.lines() {
                let _ = if inserted.is_empty() { writeln!(out) } else { writeln!(out, "{indent}{inserted}") };
            }
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("<<") {
            let Some((name, after)) = after.split_once(">>") else {
                break;
            };
            out.push_str(before);
            out.push_str(lookup(name)?);
            rest = after;
        }
        out.push_str(rest);
        out.push('\n');
    }
    Ok(out)
}

/// A text as a YAML scalar in double quotes, ASCII only.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ' '..='~' => out.push(letter),
            // YAML, unlike JSON, has no surrogate pairs.
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    out.push('"');
    out
}

/// JSON text with everything outside printable ASCII escaped, its line breaks kept.
///
/// Why: YAML readers differ in what they take for a line break (U+0085, U+2028); JSON's escapes mean the same to all.
pub fn ascii_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if matches!(letter, ' '..='~' | '\n') {
            out.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// A text for a comment: one line of printable ASCII.
pub fn comment(text: &str) -> String {
    text.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{ascii_json, comment, fill, quote};

    #[test]
    fn a_block_takes_the_indentation_of_its_placeholder() {
        let filled = fill("a:\n  <<block>>\nb: <<value>>\n", &[("block", "x:\n  y: 1"), ("value", "2")]).unwrap();
        assert_eq!(filled, "a:\n  x:\n    y: 1\nb: 2\n");
    }

    #[test]
    fn an_inserted_value_is_not_filled_again() {
        let filled = fill("a: <<one>> <<two>>\n", &[("one", "<<two>>"), ("two", "2")]).unwrap();
        assert_eq!(filled, "a: <<two>> 2\n");
    }

    #[test]
    fn a_placeholder_without_a_value_is_an_error() {
        assert_eq!(fill("a: <<one>>\n", &[]).unwrap_err(), "template: no value for <<one>>");
    }

    #[test]
    fn quoted_text_reads_back_as_itself() {
        for text in ["plain", "a: b # c", "\"\\\n\u{85}\u{2028}\u{7f}", "é😀", "<<name>>", "%FOO%"] {
            let read: String = serde_yaml_ng::from_str(&quote(text)).unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn json_in_ascii_says_the_same() {
        let value = serde_json::json!({"é😀\u{2028}": ["\u{7f}\n"]});
        let written = ascii_json(&format!("{value:#}"));
        assert!(written.is_ascii());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
    }

    #[test]
    fn a_comment_stays_on_its_line() {
        assert_eq!(comment("a\nb\u{85}c"), "a?b?c");
    }
}
