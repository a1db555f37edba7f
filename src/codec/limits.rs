//! What a provider says of its rate limits in headers, said in another family's headers. Never whose account it is.

use crate::chat::wire::Wire;
use crate::http::Headers;

/// What is limited.
const KINDS: [&str; 2] = ["requests", "tokens"];
/// What is said of it.
const FIELDS: [&str; 3] = ["limit", "remaining", "reset"];

/// Headers of limits in a family's words.
fn name(wire: Wire, kind: &str, field: &str) -> Option<String> {
    match wire {
        Wire::Chat | Wire::Responses => Some(format!("x-ratelimit-{field}-{kind}")),
        Wire::Messages => Some(format!("anthropic-ratelimit-{kind}-{field}")),
        // Google, AWS and Cohere say nothing in headers.
        Wire::Gemini | Wire::Converse | Wire::Cohere => None,
    }
}

/// A header to be set, or to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Set.
    Set(String, String),
    /// Remove.
    Remove(String),
}

/// Turns the limits of one family's answer into another's. `now` is in seconds since 1970.
pub fn translate(headers: &Headers, from: Wire, to: Wire, now: u64) -> Vec<Edit> {
    let mut edits = Vec::new();
    // One vendor's two formats: the same words.
    if matches!((from, to), (Wire::Chat | Wire::Responses, Wire::Chat | Wire::Responses)) {
        return edits;
    }
    for (header, _) in headers.iter() {
        let Ok(header) = std::str::from_utf8(header) else { continue };
        if header.starts_with("anthropic-") || header.starts_with("x-ratelimit-") || header.starts_with("x-amzn-") {
            edits.push(Edit::Remove(header.to_owned()));
        }
    }
    for kind in KINDS {
        for field in FIELDS {
            let (Some(source), Some(target)) = (name(from, kind, field), name(to, kind, field)) else { continue };
            let Some(value) = headers.text(&source) else { continue };
            let value = if field == "reset" { reset(value, to, now) } else { Some(value.to_owned()) };
            if let Some(value) = value {
                edits.push(Edit::Set(target, value));
            }
        }
    }
    edits
}

/// The moment at which a limit starts anew, in the target's form: a duration at OpenAI, a date at Anthropic.
fn reset(value: &str, to: Wire, now: u64) -> Option<String> {
    let secs = seconds_of(value, now)?;
    Some(match to {
        Wire::Messages => date_of(now.saturating_add(secs)),
        _ => format!("{secs}s"),
    })
}

/// Seconds from now: of `6m0s`, `2m59.56s`, `1s`, `250ms`, plain seconds, seconds since 1970, or an RFC 3339 date.
fn seconds_of(value: &str, now: u64) -> Option<u64> {
    if let Ok(number) = value.parse::<f64>() {
        let whole = number.max(0.0).ceil() as u64;
        // Nobody's window is thirty years long: such a number is a date.
        return Some(if whole > 1_000_000_000 { whole.saturating_sub(now) } else { whole });
    }
    if value.contains('T') {
        return secs_of_date(value).map(|date| date.saturating_sub(now));
    }
    let mut total = 0.0;
    let mut rest = value;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let number: f64 = number.parse().ok()?;
        let length = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at_checked(length)?;
        total += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = after;
    }
    Some(total.ceil() as u64)
}

/// `2026-11-21T10:00:00Z`, fractions of a second left out, as seconds since 1970.
fn secs_of_date(text: &str) -> Option<u64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    // Days since 1970 by the civil calendar (Howard Hinnant's algorithm).
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    u64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()
}

/// Seconds since 1970 as `2026-11-21T10:00:00Z`.
fn date_of(secs: u64) -> String {
    let days = i64::try_from(secs / 86_400).unwrap_or(0) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let rest = secs % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::{Edit, date_of, seconds_of, secs_of_date, translate};
    use crate::chat::wire::Wire;
    use crate::http::Headers;

    const NOW: u64 = 1_795_255_200;

    #[test]
    fn resets_are_read_in_every_form() {
        for (text, secs) in
            [("6m0s", 360), ("2m59.56s", 180), ("1s", 1), ("250ms", 1), ("12", 12), ("2026-11-21T10:01:00Z", 60)]
        {
            assert_eq!(seconds_of(text, NOW), Some(secs), "{text}");
        }
        assert_eq!(seconds_of(&(NOW + 5).to_string(), NOW), Some(5));
        assert_eq!(seconds_of("soon", NOW), None);
        assert_eq!(secs_of_date(&date_of(NOW)), Some(NOW));
        assert_eq!(date_of(NOW), "2026-11-21T10:00:00Z");
    }

    #[test]
    fn openai_s_limits_become_anthropic_s_and_back() {
        let openai =
            Headers::from_pairs([("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-reset-tokens", "1m0s")]);
        let edits = translate(&openai, Wire::Chat, Wire::Messages, NOW);
        assert!(edits.contains(&Edit::Remove("x-ratelimit-remaining-requests".into())));
        assert!(edits.contains(&Edit::Set("anthropic-ratelimit-requests-remaining".into(), "59".into())));
        assert!(edits.contains(&Edit::Set("anthropic-ratelimit-tokens-reset".into(), "2026-11-21T10:01:00Z".into())));
        let claude = Headers::from_pairs([("anthropic-ratelimit-requests-reset", "2026-11-21T10:00:07Z")]);
        let edits = translate(&claude, Wire::Messages, Wire::Chat, NOW);
        assert!(edits.contains(&Edit::Set("x-ratelimit-reset-requests".into(), "7s".into())));
        assert_eq!(translate(&openai, Wire::Responses, Wire::Chat, NOW), []);
        assert!(
            !translate(&claude, Wire::Messages, Wire::Gemini, NOW).iter().any(|edit| matches!(edit, Edit::Set(..)))
        );
    }
}
