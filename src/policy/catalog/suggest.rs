//! "Did you mean": the catalogue's name nearest to one that it does not have. For error messages alone; it reads every name.

use crate::policy::catalog::find::{Provider, providers};

/// Longer names than any in the catalogue are not compared.
const LONGEST: usize = 96;

/// The model of `provider` whose name is a slip of the pen away from `model`, if there is one.
pub fn nearest(provider: &str, model: &str) -> Option<&'static str> {
    nearest_of(Provider::named(provider)?.models(), model)
}

/// The provider whose name is a slip of the pen away from `provider`, if there is one.
pub fn nearest_provider(provider: &str) -> Option<&'static str> {
    nearest_of(providers(), provider)
}

/// The first of the nearest names; none when even that one is far off.
fn nearest_of(names: impl Iterator<Item = &'static str>, written: &str) -> Option<&'static str> {
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    // A quarter of the name may be wrong, one letter and three at most in any case.
    let allowed = (written.len() / 4).clamp(1, 3);
    names
        .filter(|name| name.len().abs_diff(written.len()) <= allowed)
        .map(|name| (distance(name.as_bytes(), written.as_bytes()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The letters to insert, remove or replace, whatever their case, to make one name the other; two swapped neighbours
/// are one slip.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (row, letter) in one.iter().map(u8::to_ascii_lowercase).enumerate() {
        let mut current = Vec::with_capacity(last.len());
        let mut left = row + 1;
        current.push(left);
        let mut previous_other = None;
        for (column, (other_letter, steps)) in other.iter().map(u8::to_ascii_lowercase).zip(last.windows(2)).enumerate()
        {
            let &[diagonal, above] = steps else { continue };
            left = (diagonal + usize::from(letter != other_letter)).min(above + 1).min(left + 1);
            if previous == Some(other_letter) && previous_other == Some(letter) {
                let swapped = column.checked_sub(1).and_then(|column| before_last.get(column));
                left = swapped.map_or(left, |steps| left.min(steps + 1));
            }
            current.push(left);
            previous_other = Some(other_letter);
        }
        previous = Some(letter);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, nearest_provider};

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        for (written, meant) in [
            ("gtp-5-mini", Some("gpt-5-mini")),
            ("GPT-5-mini", Some("gpt-5-mini")),
            ("gpt-5-minni", Some("gpt-5-mini")),
            ("gpt5-mini", Some("gpt-5-mini")),
            ("something else entirely", None),
            ("", None),
        ] {
            assert_eq!(nearest("openai", written), meant, "{written}");
        }
        assert_eq!(nearest("nobody", "gpt-5-mini"), None);
        assert_eq!(nearest("openai", &"g".repeat(10_000)), None);
        assert_eq!(nearest_provider("antropic"), Some("anthropic"));
        assert_eq!(nearest_provider("opneai"), Some("openai"));
    }

    #[test]
    fn distance_counts_slips() {
        for (one, other, slips) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abd", 1), ("abc", "acb", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), slips, "{one} {other}");
        }
    }
}
