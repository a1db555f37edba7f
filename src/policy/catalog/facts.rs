//! What the catalogue knows of one model, and how it is decoded. Not how it is found (see `find`).

use crate::chat::capability::Capabilities;
use crate::chat::money::TokenPrice;
use crate::chat::traits::Traits;
use crate::host::Timestamp;
use crate::policy::catalog::layout;
use crate::policy::catalog::read::Cursor;
use crate::policy::price::{OffPeak, PriceChange, Prices, Rate, Tier, Window};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// Conversations.
    Chat,
    /// Embedding vectors.
    Embedding,
}

/// What the catalogue knows of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFacts {
    /// The provider, by the catalogue's name.
    pub provider: &'static str,
    /// The model's name at that provider; may hold slashes.
    pub model: &'static str,
    /// What it is for.
    pub kind: ModelKind,
    /// The context window in tokens.
    pub context_window: Option<u64>,
    /// The largest prompt in tokens, where it is smaller than the context window.
    pub max_input: Option<u64>,
    /// The largest answer in tokens.
    pub max_output: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What its tokens cost; none when the input or output price is unknown.
    pub prices: Option<Prices>,
    /// How it wants its requests shaped.
    pub traits: Traits,
    /// The start (UTC) of the day on which the vendor retires it.
    pub retires: Option<Timestamp>,
}

impl ModelFacts {
    /// Decodes the rest of a model's record.
    pub(super) fn decode(provider: &'static str, mut record: Cursor) -> Option<Self> {
        let model = record.name()?;
        let mut limits = Cursor::fact(record.fixed(3)?)?;
        let mut prices = Cursor::fact(record.fixed(3)?)?;
        Some(Self {
            provider,
            model,
            kind: match limits.byte()? {
                layout::KIND_CHAT => ModelKind::Chat,
                layout::KIND_EMBEDDING => ModelKind::Embedding,
                _ => return None,
            },
            context_window: limits.optional()?,
            max_input: limits.optional()?,
            max_output: limits.optional()?,
            capabilities: Capabilities::from_bits(u32::try_from(limits.number()?).ok()?),
            traits: Traits::from_bits(u32::try_from(limits.number()?).ok()?),
            retires: limits.optional()?.map(|day| Timestamp::from_secs(day.saturating_mul(86_400))),
            prices: {
                let flags = prices.byte()?;
                decode_if(flags & layout::PRICED, &mut prices, |from| decode_prices(flags, from))?
            },
        })
    }
}

fn decode_prices(flags: u8, from: &mut Cursor) -> Option<Prices> {
    Some(Prices {
        input: decode_price(from)?,
        output: decode_price(from)?,
        cache_read: decode_if(flags & layout::CACHE_READ, from, decode_price)?,
        cache_write: decode_if(flags & layout::CACHE_WRITE, from, decode_price)?,
        cache_write_1h: decode_if(flags & layout::CACHE_WRITE_1H, from, decode_price)?,
        reasoning: decode_if(flags & layout::REASONING, from, decode_price)?,
        tiers: decode_if(flags & layout::TIERS, from, |from| decode_list(from, decode_tier))?.unwrap_or_default(),
        changes: decode_if(flags & layout::CHANGES, from, |from| decode_list(from, decode_change))?.unwrap_or_default(),
        off_peak: decode_if(flags & layout::OFF_PEAK, from, decode_off_peak)?,
    })
}

/// What `decode` reads if the flag is set; the outer `None` is a broken record.
fn decode_if<T>(flag: u8, from: &mut Cursor, decode: impl Fn(&mut Cursor) -> Option<T>) -> Option<Option<T>> {
    if flag == 0 { Some(None) } else { decode(from).map(Some) }
}

fn decode_list<T>(from: &mut Cursor, decode: impl Fn(&mut Cursor) -> Option<T>) -> Option<Vec<T>> {
    let count = from.number()?;
    (0..count).map(|_| decode(from)).collect()
}

fn decode_price(from: &mut Cursor) -> Option<TokenPrice> {
    from.number().map(TokenPrice::from_picos)
}

fn decode_rate(from: &mut Cursor) -> Option<Rate> {
    Some(Rate {
        input: decode_price(from)?,
        output: decode_price(from)?,
        cache_read: from.optional()?.map(TokenPrice::from_picos),
        cache_write: from.optional()?.map(TokenPrice::from_picos),
    })
}

fn decode_tier(from: &mut Cursor) -> Option<Tier> {
    Some(Tier { above_input_tokens: from.number()?, rate: decode_rate(from)? })
}

fn decode_change(from: &mut Cursor) -> Option<PriceChange> {
    Some(PriceChange { from: Timestamp::from_secs(from.number()?), rate: decode_rate(from)? })
}

fn decode_off_peak(from: &mut Cursor) -> Option<OffPeak> {
    Some(OffPeak { rate: decode_rate(from)?, windows: decode_list(from, decode_window)? })
}

fn decode_window(from: &mut Cursor) -> Option<Window> {
    Some(Window {
        days: u8::try_from(from.number()?).ok()?,
        from_minute: u16::try_from(from.number()?).ok()?,
        to_minute: u16::try_from(from.number()?).ok()?,
    })
}
