//! Patterns in which `*` stands for any text, the empty one included. Not regular expressions, no escapes.

/// Whether the whole of `text` fits `pattern`, in time linear in both.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    // Most patterns of a policy fail at their first letter, and a request is held against many.
    let first = pattern.as_bytes().first();
    if first != Some(&b'*') && first != text.as_bytes().first() {
        return false;
    }
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_suffix(last) else {
        return false;
    };
    // The leftmost place of each piece leaves the most room for the ones after it, so nothing is ever taken back.
    for piece in middle.split('*') {
        let Some((_, after)) = text.split_once(piece) else {
            return false;
        };
        text = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn a_star_stands_for_any_text() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "", true),
            ("***", "abc", true),
            ("gpt-5", "gpt-5", true),
            ("gpt-5", "gpt-5-mini", false),
            ("gpt-*", "gpt-5", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "gpt", false),
            ("*-mini", "gpt-5-mini", true),
            ("*-mini", "gpt-5-mini2", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("*b*", "abc", true),
            ("*b*", "ac", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aab", false),
            ("a*bc*c", "abc", false),
            ("a*bc*c", "abcc", true),
            ("*é*", "caféine", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_on_a_long_text_do_not_blow_up() {
        let pattern = "*a".repeat(2_000) + "b";
        assert!(!matches_pattern(&pattern, &"a".repeat(100_000)));
    }
}
