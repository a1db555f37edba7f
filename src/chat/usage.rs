//! Tokens of one call, on one convention for all vendors. Not their prices (see `policy::catalog`).

/// Where a count comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageSource {
    /// The provider reported it.
    #[default]
    Reported,
    /// Weir estimated it, because the provider did not say or the exchange was cut short.
    Estimated,
}

/// The tokens of one call.
///
/// `input` holds everything that was read: cached reads and cache writes are parts of it. `output` holds everything
/// that was written: reasoning is a part of it. Vendors differ (wire-formats: Anthropic's input excludes the cache,
/// xAI's output excludes reasoning); each codec converts to this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens.
    pub input: u64,
    /// Of `input`: read from the provider's prompt cache.
    pub cache_read: u64,
    /// Of `input`: written to the provider's prompt cache (5-minute or default lifetime).
    pub cache_write: u64,
    /// Of `input`: written to the provider's prompt cache with a one-hour lifetime.
    pub cache_write_1h: u64,
    /// All output tokens.
    pub output: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
    /// Reported or estimated.
    pub source: UsageSource,
}

impl Usage {
    /// An estimate of whole input and output.
    pub const fn estimated(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            cache_read: 0,
            cache_write: 0,
            cache_write_1h: 0,
            reasoning: 0,
            source: UsageSource::Estimated,
        }
    }
}
