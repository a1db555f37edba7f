//! Token counts as Anthropic writes them: input without the cache, and one total a stream. Not their prices.

use crate::chat::usage::{Usage, UsageSource};
use crate::codec::json::{Malformed, Scanner};
use crate::codec::writer::Writer;

/// The counts of a `usage` object; what it does not say, or says as `null`, is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    created: Option<u64>,
    read: Option<u64>,
    created_5m: Option<u64>,
    created_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Reads a `usage` object; another value counts nothing.
    pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Self, Malformed> {
        let mut counts = Self::default();
        if scanner.peek()? != b'{' {
            scanner.pass()?;
            return Ok(counts);
        }
        scanner.object(|scanner, key| {
            match key.raw() {
                b"input_tokens" => counts.input = scanner.whole_or_skip()?,
                b"cache_creation_input_tokens" => counts.created = scanner.whole_or_skip()?,
                b"cache_read_input_tokens" => counts.read = scanner.whole_or_skip()?,
                b"output_tokens" => counts.output = scanner.whole_or_skip()?,
                b"cache_creation" if scanner.peek()? == b'{' => scanner.object(|scanner, key| {
                    match key.raw() {
                        b"ephemeral_5m_input_tokens" => counts.created_5m = scanner.whole_or_skip()?,
                        b"ephemeral_1h_input_tokens" => counts.created_1h = scanner.whole_or_skip()?,
                        _ => scanner.pass()?,
                    }
                    Ok(())
                })?,
                b"output_tokens_details" if scanner.peek()? == b'{' => scanner.object(|scanner, key| {
                    match key.raw() {
                        b"thinking_tokens" => counts.thinking = scanner.whole_or_skip()?,
                        _ => scanner.pass()?,
                    }
                    Ok(())
                })?,
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// Takes over what a later object of the same stream says. Its counts are totals: they replace.
    ///
    /// Why input of all zeros is not taken: servers that count it once, in `message_start`, fill the later object up
    /// with zeros.
    pub(super) fn replace(&mut self, later: Self) {
        let input = [later.input, later.created, later.read].into_iter().flatten().sum::<u64>();
        if input > 0 {
            self.input = later.input.or(self.input);
            self.created = later.created.or(self.created);
            self.read = later.read.or(self.read);
            self.created_5m = later.created_5m.or(self.created_5m);
            self.created_1h = later.created_1h.or(self.created_1h);
        }
        self.output = later.output.or(self.output);
        self.thinking = later.thinking.or(self.thinking);
    }

    /// The counts on the convention of `chat::usage`; `None` when nothing was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let long = self.created_1h.unwrap_or(0);
        let created = self.created.unwrap_or_else(|| self.created_5m.unwrap_or(0).saturating_add(long));
        let long = long.min(created);
        let read = self.read.unwrap_or(0);
        let output = self.output.unwrap_or(0);
        Some(Usage {
            input: self.input.unwrap_or(0).saturating_add(created).saturating_add(read),
            cache_read: read,
            cache_write: created - long,
            cache_write_1h: long,
            output,
            reasoning: self.thinking.unwrap_or(0).min(output),
            source: UsageSource::Reported,
        })
    }
}

/// Reads a `usage` object that stands alone.
pub(super) fn parse(object: &[u8]) -> Option<Usage> {
    Counts::read(&mut Scanner::new(object)).ok()?.usage()
}

/// Writes the `usage` object of an answer, or of a stream's start.
pub(super) fn write(writer: &mut Writer, usage: &Usage) {
    write_counts(writer, usage, true);
}

/// Writes the `usage` object of a stream's end, which does not say how long the cache keeps what was written.
pub(super) fn write_end(writer: &mut Writer, usage: &Usage) {
    write_counts(writer, usage, false);
}

fn write_counts(writer: &mut Writer, usage: &Usage, tells_times: bool) {
    let created = usage.cache_write.saturating_add(usage.cache_write_1h);
    let fresh = usage.input.saturating_sub(usage.cache_read).saturating_sub(created);
    writer.object(|writer| {
        writer.key("input_tokens").number(fresh);
        writer.key("cache_creation_input_tokens").number(created);
        writer.key("cache_read_input_tokens").number(usage.cache_read);
        if created > 0 && tells_times {
            writer.key("cache_creation").object(|writer| {
                writer.key("ephemeral_5m_input_tokens").number(usage.cache_write);
                writer.key("ephemeral_1h_input_tokens").number(usage.cache_write_1h);
            });
        }
        writer.key("output_tokens").number(usage.output);
        if usage.reasoning > 0 {
            writer.key("output_tokens_details").object(|writer| {
                writer.key("thinking_tokens").number(usage.reasoning);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Counts, parse, write};
    use crate::chat::usage::Usage;
    use crate::codec::json::Scanner;
    use crate::codec::writer::Writer;

    fn counts(text: &str) -> Counts {
        Counts::read(&mut Scanner::new(text.as_bytes())).unwrap()
    }

    #[test]
    fn the_cache_is_a_part_of_the_input() {
        let usage = parse(
            br#"{"input_tokens":10,"cache_creation_input_tokens":50,"cache_read_input_tokens":100,
                "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
                "output_tokens":7,"output_tokens_details":{"thinking_tokens":3},"service_tier":"standard"}"#,
        );
        let expected = Usage {
            input: 160,
            cache_read: 100,
            cache_write: 20,
            cache_write_1h: 30,
            output: 7,
            reasoning: 3,
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
        let mut writer = Writer::with_capacity(64);
        write(&mut writer, &expected);
        assert_eq!(parse(&writer.into_bytes()), Some(expected));
    }

    #[test]
    fn null_counts_are_no_counts() {
        assert_eq!(parse(b"null"), None);
        assert_eq!(parse(br#"{"input_tokens":null}"#), None);
        assert_eq!(parse(br#"{"input_tokens":3,"cache_creation":null,"output_tokens":null}"#).unwrap().input, 3);
    }

    #[test]
    fn later_totals_replace_and_zeros_do_not_erase_the_input() {
        let mut all = counts(r#"{"input_tokens":40,"cache_read_input_tokens":2,"output_tokens":1}"#);
        all.replace(counts(r#"{"input_tokens":0,"output_tokens":9}"#));
        assert_eq!(all.usage().map(|usage| (usage.input, usage.output)), Some((42, 9)));
        all.replace(counts(r#"{"input_tokens":30,"cache_read_input_tokens":5,"output_tokens":12}"#));
        assert_eq!(all.usage().map(|usage| (usage.input, usage.cache_read, usage.output)), Some((35, 5, 12)));
    }
}
