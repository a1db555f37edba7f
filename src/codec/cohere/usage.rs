//! The token counts of Cohere, as Weir counts them. Not their prices.

use crate::chat::usage::{Usage, UsageSource};
use crate::codec::json::{Malformed, Scanner};

/// Two counts.
#[derive(Clone, Copy, Default)]
struct Pair {
    input: Option<u64>,
    output: Option<u64>,
}

/// Reads `usage` (or `meta` of embeddings); `None` when it counts nothing.
///
/// What is billed comes first, for these counts are priced: `tokens` holds Cohere's own preambles besides.
pub fn read(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, Malformed> {
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| None);
    }
    let (mut billed, mut all, mut cached) = (Pair::default(), Pair::default(), 0);
    scanner.object(|scanner, key| {
        if key.is("billed_units") {
            billed = read_pair(scanner)?;
        } else if key.is("tokens") {
            all = read_pair(scanner)?;
        } else if key.is("cached_tokens") {
            cached = count(scanner)?.unwrap_or_default();
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    let (input, output) = (billed.input.or(all.input), billed.output.or(all.output));
    if input.is_none() && output.is_none() {
        return Ok(None);
    }
    let input = input.unwrap_or_default();
    Ok(Some(Usage {
        input,
        cache_read: cached.min(input),
        cache_write: 0,
        cache_write_1h: 0,
        output: output.unwrap_or_default(),
        reasoning: 0,
        source: UsageSource::Reported,
    }))
}

fn read_pair(scanner: &mut Scanner<'_>) -> Result<Pair, Malformed> {
    let mut pair = Pair::default();
    if scanner.peek()? != b'{' {
        return scanner.pass().map(|()| pair);
    }
    scanner.object(|scanner, key| {
        if key.is("input_tokens") {
            pair.input = count(scanner)?;
        } else if key.is("output_tokens") {
            pair.output = count(scanner)?;
        } else {
            scanner.pass()?;
        }
        Ok(())
    })?;
    Ok(pair)
}

/// A count, which Cohere writes as a float. A part of a token is one.
fn count(scanner: &mut Scanner<'_>) -> Result<Option<u64>, Malformed> {
    Ok(scanner.float_or_skip()?.filter(|count| *count >= 0.0).map(|count| count.ceil() as u64))
}
