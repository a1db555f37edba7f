//! The token counts of Converse, as Weir counts them. Not their prices.

use crate::chat::usage::{Usage, UsageSource};
use crate::codec::json::{Malformed, Scanner};

/// Reads `usage`, whose input excludes what the cache gave and took; `None` when it counts nothing.
pub fn read(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| None);
    }
    let (mut fresh, mut output, mut long) = (None, None, 0_u64);
    let (mut cache_read, mut written) = (0_u64, 0_u64);
    scanner.object(|scanner, key| {
        if key.is("inputTokens") {
            fresh = scanner.whole_or_skip()?;
        } else if key.is("outputTokens") {
            output = scanner.whole_or_skip()?;
        } else if key.is("cacheReadInputTokens") {
            cache_read = scanner.whole_or_skip()?.unwrap_or_default();
        } else if key.is("cacheWriteInputTokens") {
            written = scanner.whole_or_skip()?.unwrap_or_default();
        } else if key.is("cacheDetails") && scanner.peek()? == b'[' {
            scanner.array(|scanner| {
                long = long.saturating_add(read_detail(scanner)?);
                Ok(())
            })?;
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    if fresh.is_none() && output.is_none() {
        return Ok(None);
    }
    let long = long.min(written);
    Ok(Some(Usage {
        input: fresh.unwrap_or_default().saturating_add(cache_read).saturating_add(written),
        cache_read,
        cache_write: written - long,
        cache_write_1h: long,
        output: output.unwrap_or_default(),
        reasoning: 0,
        source: UsageSource::Reported,
    }))
}

/// The tokens of one of `cacheDetails`, if they were written for an hour.
fn read_detail(scanner: &mut Scanner<'_>) -> Result<u64, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| 0);
    }
    let (mut hour, mut tokens) = (false, 0);
    scanner.object(|scanner, key| {
        if key.is("ttl") {
            hour = scanner.string_or_skip()?.is_some_and(|ttl| ttl.is("1h"));
        } else if key.is("inputTokens") {
            tokens = scanner.whole_or_skip()?.unwrap_or_default();
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    Ok(if hour { tokens } else { 0 })
}

/// The thinking tokens of `additionalModelResponseFields`, asked for by `/usage/output_tokens_details`: at whatever depth
/// `thinking_tokens` stands.
pub fn read_thinking(scanner: &mut Scanner<'_>) -> Result<Option<u64>, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| None);
    }
    let mut found = None;
    scanner.object(|scanner, key| {
        if key.is("thinking_tokens") {
            found = scanner.whole_or_skip()?;
        } else if key.is("usage") || key.is("output_tokens_details") || key.raw() == b"/usage/output_tokens_details" {
            found = read_thinking(scanner)?.or(found);
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// With the thinking tokens, which are a part of the output.
pub fn with_thinking(usage: Option<Usage>, thinking: Option<u64>) -> Option<Usage> {
    usage.map(|usage| Usage { reasoning: thinking.unwrap_or_default().min(usage.output), ..usage })
}
