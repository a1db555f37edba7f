//! The name that a misspelt one was probably meant to be.

/// Longer words are not compared: no name of a policy is that long, and the work grows with the square.
const LONGEST: usize = 64;

/// The candidate closest to `word`, if it is close enough to be meant; the first of equals.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().take(LONGEST + 1).collect();
    if word.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.to_lowercase().chars().take(LONGEST + 1).collect();
        // One slip in three letters, three at most: more is a different word.
        let allowed = (word.len().max(other.len()) / 3).clamp(1, 3);
        if other.len() > LONGEST || word.len().abs_diff(other.len()) > allowed {
            continue;
        }
        let distance = distance(&word, &other);
        if distance <= allowed && distance < other.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The number of letters inserted, left out, changed or swapped with a neighbour.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut left_before = None;
    for (row, &a) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        let mut cell = row + 1;
        current.push(cell);
        let mut right_before = None;
        for (column, &b) in right.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let change = at(&last, column) + usize::from(a != b);
            cell = change.min(at(&last, column + 1) + 1).min(cell + 1);
            if left_before == Some(b) && right_before == Some(a) && column > 0 {
                cell = cell.min(at(&before_last, column - 1) + 1);
            }
            current.push(cell);
            right_before = Some(b);
        }
        before_last = std::mem::replace(&mut last, current);
        left_before = Some(a);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_does_not() {
        let words = ["prefer", "fallback", "require", "match", "models", "on"];
        let cases = [
            ("prefers", Some("prefer")),
            ("perfer", Some("prefer")),
            ("Prefer", Some("prefer")),
            ("fallbacks", Some("fallback")),
            ("requires", Some("require")),
            ("model", Some("models")),
            ("no", Some("on")),
            ("x", None),
            ("weather", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(closest(word, words), expected, "{word}");
        }
        assert_eq!(closest(&"é".repeat(100_000), words), None);
    }
}
