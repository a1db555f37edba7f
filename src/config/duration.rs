//! Durations and sizes as people write them: `30s`, `10m`, `64KiB`. Not points in time (see `date`).

/// The units of a duration with their milliseconds.
const DURATION_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The units of a size with their bytes. Decimal units are refused: a reader cannot know which one was meant.
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// The milliseconds of `300ms`, `30s`, `10m`, `1h` or `30d`; `None` for anything else.
pub fn parse_millis(text: &str) -> Option<u64> {
    parse_unit(text, &DURATION_UNITS)
}

/// The bytes of `512`, `512B`, `64KiB`, `8MiB` or `1GiB`; `None` for anything else.
pub fn parse_bytes(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { parse_unit(text, &SIZE_UNITS) }
}

fn parse_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::{parse_bytes, parse_millis};

    #[test]
    fn durations_are_a_whole_number_and_a_unit() {
        let cases = [
            ("300ms", Some(300)),
            ("30s", Some(30_000)),
            ("10m", Some(600_000)),
            ("1h", Some(3_600_000)),
            ("30d", Some(2_592_000_000)),
            ("0s", Some(0)),
            ("30", None),
            ("", None),
            ("s", None),
            ("1.5h", None),
            ("-1s", None),
            ("+1s", None),
            ("1 s", None),
            ("1H", None),
            ("１s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_millis(text), millis, "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_binary_units() {
        let cases = [
            ("64KiB", Some(65_536)),
            ("8MiB", Some(8_388_608)),
            ("1GiB", Some(1 << 30)),
            ("12B", Some(12)),
            ("512", Some(512)),
            ("64KB", None),
            ("64kib", None),
            ("", None),
            ("KiB", None),
            ("18446744073709551615KiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }
}
