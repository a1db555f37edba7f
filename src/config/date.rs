//! Days and moments as a policy writes them: `2027-06-30`, `2027-06-30T12:00:00Z`. No clock and no time zones but UTC.

/// The seconds since the Unix epoch of a day's 00:00 UTC or of a moment in UTC; `None` for anything else and before 1970.
pub fn parse_seconds(text: &str) -> Option<u64> {
    let day = text.get(..10)?;
    let seconds = match text.get(10..)? {
        "" => 0,
        clock => parse_clock(clock.strip_prefix('T')?.strip_suffix('Z')?)?,
    };
    Some(parse_day(day)?.checked_mul(86_400)? + seconds)
}

/// The days since the Unix epoch of `YYYY-MM-DD`.
fn parse_day(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let valid = parts.next().is_none() && year >= 1970 && (1..=12).contains(&month) && day >= 1;
    (valid && day <= days_in_month(year, month)).then(|| days_before(year, month) + day - 1)
}

/// The seconds of `hh:mm:ss`, whose fraction is dropped.
fn parse_clock(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let valid = parts.next().is_none() && fraction && hour < 24 && minute < 60 && second < 60;
    valid.then_some(hour * 3600 + minute * 60 + second)
}

fn digits(text: &str, length: usize) -> Option<u64> {
    let valid = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to the first of that month. Years run from March in the count, so that a leap day comes last.
fn days_before(year: u64, month: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    let in_year = (153 * shifted + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse_seconds;

    #[test]
    fn days_and_moments_become_seconds() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1970-03-01", Some(59 * 86_400)),
            ("2000-02-29", Some(951_782_400)),
            ("2000-03-01", Some(951_868_800)),
            ("2024-12-31", Some(1_735_603_200)),
            ("2027-06-30", Some(1_814_313_600)),
            ("2027-06-30T12:00:00Z", Some(1_814_356_800)),
            ("2027-06-30T12:00:00.250Z", Some(1_814_356_800)),
            ("9999-12-31", Some(253_402_214_400)),
            ("2027-02-29", None),
            ("2100-02-29", None),
            ("2027-13-01", None),
            ("2027-00-01", None),
            ("2027-01-00", None),
            ("2027-6-30", None),
            ("1969-12-31", None),
            ("2027-06-30T12:00:00", None),
            ("2027-06-30T24:00:00Z", None),
            ("2027-06-30T12:00:00+02:00", None),
            ("2027-06-30T12:00:00.Z", None),
            ("2027-06-30 ", None),
            ("", None),
            ("202７-06-30", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_seconds(text), seconds, "{text}");
        }
    }
}
