//! The audit line: who asked what, where it went, what it cost. Never a word of the conversation, never a secret.

use serde::Serialize;

/// What stands before an audit line in a log that holds other lines too.
pub const MARK: &str = "weir.audit ";

/// One finished request.
#[derive(Debug, Default, Serialize)]
pub struct Audit<'a> {
    /// The decision's id, as in `x-weir-decision`.
    pub id: &'a str,
    /// When the request came, RFC 3339, UTC, milliseconds.
    pub time: String,
    /// The key's id; null for somebody anonymous.
    pub key: Option<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The route; null when none matched or nothing was decided.
    pub route: Option<&'a str>,
    /// The client's API family.
    pub api: &'a str,
    /// The endpoint.
    pub endpoint: &'a str,
    /// The model the client asked for; null when the body was never understood.
    pub asked: Option<&'a str>,
    /// The model that answered, or was tried last.
    pub model: Option<&'a str>,
    /// Its provider.
    pub provider: Option<&'a str>,
    /// Every attempt in order.
    pub attempts: Vec<AttemptLine<'a>>,
    /// The status the client got; 0 when it got none.
    pub status: u16,
    /// How it ended.
    pub outcome: &'static str,
    /// The stable error code, where Weir answered.
    pub code: Option<&'static str>,
    /// What translation lost, as in `x-weir-lost`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lost: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Of them read from the provider's cache.
    pub cache_read: u64,
    /// Of them written to the provider's cache.
    pub cache_write: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Of them reasoning.
    pub reasoning: u64,
    /// `reported`, `estimated` or `none`.
    pub usage: &'static str,
    /// The cost; null when nobody knows the price.
    pub cost_microusd: Option<u64>,
    /// Milliseconds to the first byte of the answer's content; null when none came.
    pub ttft_ms: Option<u64>,
    /// Milliseconds to the end.
    pub duration_ms: u64,
    /// The policy's hash.
    pub policy: &'a str,
    /// The random bits of the decision, in hexadecimal.
    pub draw: String,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptLine<'a> {
    /// The provider.
    pub provider: &'a str,
    /// The model.
    pub model: &'a str,
    /// The status it answered with; null when it did not.
    pub status: Option<u16>,
}

impl Audit<'_> {
    /// The line, one JSON object, without an end of line.
    pub fn line(&self) -> String {
        // Serializing a struct of numbers and strings cannot fail; were it ever to, the id still shows that it happened.
        let mut line = Vec::with_capacity(768);
        let written = serde_json::to_writer(&mut line, self).is_ok();
        String::from_utf8(line).ok().filter(|_| written).unwrap_or_else(|| format!("{{\"id\":\"{}\"}}", self.id))
    }
}

/// A moment as RFC 3339 in UTC with milliseconds. Days to civil date by Howard Hinnant's `civil_from_days`.
pub fn rfc3339(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    let mut text = String::with_capacity(24);
    let parts = [(year, 4, "-"), (month, 2, "-"), (day, 2, "T"), (hour, 2, ":"), (minute, 2, ":"), (second, 2, ".")];
    for (value, digits, after) in parts.into_iter().chain([(rest % 1_000, 3, "Z")]) {
        // By hand: one of these is written for every request, and the formatting machinery takes ten times as long.
        for place in (0..digits).rev() {
            text.push(char::from(b'0' + u8::try_from(value / 10_u64.pow(place) % 10).unwrap_or(0)));
        }
        text.push_str(after);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn writes_dates_of_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(1_795_305_599_999), "2026-11-21T23:59:59.999Z");
    }
}
