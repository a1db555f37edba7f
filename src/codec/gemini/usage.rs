//! Gemini's `usageMetadata`, both directions.

use crate::chat::usage::{Usage, UsageSource};
use crate::codec::json::{Malformed, Scanner};
use crate::codec::writer::Writer;

/// Reads the object; `None` when it counts nothing.
pub fn parse(object: &[u8]) -> Option<Usage> {
    read(&mut Scanner::new(object)).ok().flatten()
}

/// Reads the object that stands next.
///
/// # Errors
/// What is no object.
pub fn read(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, Malformed> {
    let mut counts = Counts::default();
    scanner.object(|scanner, key| {
        let slot = match key.raw() {
            b"promptTokenCount" => &mut counts.prompt,
            b"cachedContentTokenCount" => &mut counts.cached,
            b"candidatesTokenCount" => &mut counts.candidates,
            b"thoughtsTokenCount" => &mut counts.thoughts,
            b"toolUsePromptTokenCount" => &mut counts.tools,
            b"totalTokenCount" => &mut counts.total,
            _ => return scanner.pass(),
        };
        *slot = scanner.whole_or_skip()?;
        Ok(())
    })?;
    Ok(counts.usage())
}

#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    cached: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    tools: Option<u64>,
    total: Option<u64>,
}

impl Counts {
    fn usage(&self) -> Option<Usage> {
        self.prompt.or(self.candidates).or(self.thoughts)?;
        let input = self.prompt.unwrap_or(0).saturating_add(self.tools.unwrap_or(0));
        let candidates = self.candidates.unwrap_or(0);
        let thoughts = self.thoughts.unwrap_or(0);
        // Thoughts come on top of the candidates, unless the sum says that they are inside (wire-formats, 5 and 10).
        let inside = thoughts <= candidates && self.total == Some(input.saturating_add(candidates));
        Some(Usage {
            input,
            cache_read: self.cached.unwrap_or(0).min(input),
            cache_write: 0,
            cache_write_1h: 0,
            output: if inside { candidates } else { candidates.saturating_add(thoughts) },
            reasoning: thoughts,
            source: UsageSource::Reported,
        })
    }
}

/// Writes the object.
pub fn write(writer: &mut Writer, usage: &Usage) {
    writer.object(|writer| {
        writer.key("promptTokenCount").number(usage.input);
        if usage.cache_read > 0 {
            writer.key("cachedContentTokenCount").number(usage.cache_read);
        }
        writer.key("candidatesTokenCount").number(usage.output.saturating_sub(usage.reasoning));
        if usage.reasoning > 0 {
            writer.key("thoughtsTokenCount").number(usage.reasoning);
        }
        writer.key("totalTokenCount").number(usage.input.saturating_add(usage.output));
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{parse, write};
    use crate::codec::writer::Writer;

    #[test]
    fn thoughts_are_counted_once() {
        for (object, input, cached, output, reasoning) in [
            (r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}"#, 10, 0, 5, 0),
            (
                r#"{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22}"#,
                10,
                0,
                12,
                7,
            ),
            (
                r#"{"promptTokenCount":10,"candidatesTokenCount":12,"thoughtsTokenCount":7,"totalTokenCount":22}"#,
                10,
                0,
                12,
                7,
            ),
            (
                r#"{"promptTokenCount":10,"toolUsePromptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":15}"#,
                13,
                0,
                2,
                0,
            ),
            (
                r#"{"promptTokenCount":10,"cachedContentTokenCount":8,"thoughtsTokenCount":4,"totalTokenCount":14}"#,
                10,
                8,
                4,
                4,
            ),
        ] {
            let usage = parse(object.as_bytes()).unwrap();
            let found = (usage.input, usage.cache_read, usage.output, usage.reasoning);
            assert_eq!(found, (input, cached, output, reasoning), "{object}");
            let mut writer = Writer::with_capacity(64);
            write(&mut writer, &usage);
            assert_eq!(parse(&writer.into_bytes()), Some(usage), "{object}");
        }
        assert_eq!(parse(br#"{"trafficType":"ON_DEMAND"}"#), None);
        assert_eq!(parse(b"[]"), None);
    }
}
