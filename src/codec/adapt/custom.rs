//! Calls of OpenAI's custom tools as calls of functions, and back: their text is the `input` of the arguments. Not the
//! tools themselves (see `fit`).

use crate::chat::prose::Prose;
use crate::chat::wire::Wire;
use crate::codec::json::{Scanner, unescape, write_string};

/// What stands before the text in a function's arguments.
pub const HEAD: &str = r#"{"input":""#;

/// What stands behind it.
pub const TAIL: &str = r#""}"#;

/// Whether clients of a wire know calls of custom tools.
pub fn is_known_to(client: Wire) -> bool {
    match client {
        Wire::Chat | Wire::Responses => true,
        Wire::Messages | Wire::Gemini | Wire::Converse | Wire::Cohere => false,
    }
}

/// A piece of the text as it stands between `HEAD` and `TAIL`. Pieces follow each other as they come.
pub fn inside(text: &Prose<'_>) -> Prose<'static> {
    let bytes = match text {
        Prose::Escaped(bytes) => bytes.to_vec(),
        Prose::Plain(text) => {
            let mut quoted = Vec::with_capacity(text.len().saturating_add(2));
            write_string(&mut quoted, text);
            quoted.pop();
            quoted.drain(..1);
            quoted
        }
    };
    // Whoever makes prose has checked that it is a JSON string, and so UTF-8.
    Prose::plain(String::from_utf8(bytes).unwrap_or_default())
}

/// The arguments of the function that stands for a call with that text.
pub fn arguments(text: &Prose<'_>) -> Prose<'static> {
    let Prose::Plain(inside) = inside(text) else { return Prose::EMPTY };
    Prose::plain(format!("{HEAD}{inside}{TAIL}"))
}

/// The text of a call that went as a function; the arguments themselves when they have no `input`.
pub fn input(arguments: &Prose<'_>) -> Prose<'static> {
    let text = match arguments {
        Prose::Plain(text) => text.to_string(),
        Prose::Escaped(bytes) => unescape(bytes),
    };
    let mut input = None;
    let read = Scanner::new(text.as_bytes()).object(|scanner, key| {
        if key.is("input") {
            input = scanner.string_or_skip()?.map(|text| text.prose().into_owned());
            return Ok(());
        }
        scanner.pass()
    });
    match (read, input) {
        (Ok(()), Some(input)) => input,
        _ => Prose::plain(text),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{HEAD, TAIL, arguments, input, inside};
    use crate::chat::prose::Prose;

    fn plain(prose: &Prose<'_>) -> String {
        match prose {
            Prose::Plain(text) => text.to_string(),
            Prose::Escaped(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    #[test]
    fn a_text_comes_back_out_of_the_arguments_it_was_put_into() {
        for text in ["", "ls -l", "a \"quoted\" word\n", "{\"input\":\"x\"}", "☃ \\ \u{1}"] {
            let there = arguments(&Prose::plain(text));
            let value: serde_json::Value = serde_json::from_str(&plain(&there)).unwrap();
            assert_eq!(value, serde_json::json!({"input": text}));
            let Prose::Escaped(back) = input(&there) else { panic!("{text:?}") };
            assert_eq!(crate::codec::json::unescape(&back), text);
        }
        assert_eq!(plain(&input(&Prose::plain("no JSON"))), "no JSON");
    }

    #[test]
    fn pieces_make_the_same_arguments_as_the_whole() {
        let escaped = |text: &'static str| Prose::Escaped(Cow::Borrowed(text.as_bytes()));
        let pieces = [escaped(r"\ud83d"), escaped(r#"\ude00 \"a\""#), Prose::plain("\"b\"\n")];
        let all: String = pieces.iter().map(|piece| plain(&inside(piece))).collect();
        let value: serde_json::Value = serde_json::from_str(&format!("{HEAD}{all}{TAIL}")).unwrap();
        assert_eq!(value, serde_json::json!({"input": "😀 \"a\"\"b\"\n"}));
    }
}
