//! The numbers that the build script and the reader of the compacted catalogue must agree on. No code of either.
//!
//! Four sections come out of the build: `names` (one text, names being slices of it), `providers` and `models` (fixed
//! records, sorted by name so that a lookup is two binary searches) and `facts` (variable records, each kept once).
//!
//! A provider: name offset (3 bytes), name length (1), first model (2), count of models (2). A model: name offset (3),
//! name length (1), offset of its limits in `facts` (3), offset of its prices in `facts` (3). All little-endian.
//!
//! Limits: kind (1 byte), then as LEB128 context window, largest input, largest output (each plus one, zero being
//! "unknown"), capability bits, trait bits, day of retirement (plus one). Prices: flags (1 byte), then as LEB128 pico-
//! dollars a token what the flags name, in the order of the flags. A rate: input, output, then cache read and cache
//! write (each plus one).

/// Bytes of a provider's record.
pub const PROVIDER_BYTES: usize = 8;
/// Bytes of a model's record.
pub const MODEL_BYTES: usize = 10;

/// The kind of a chat model.
pub const KIND_CHAT: u8 = 0;
/// The kind of an embedding model.
pub const KIND_EMBEDDING: u8 = 1;

/// Input and output price are known.
pub const PRICED: u8 = 1;
/// There is a price for cache reads.
pub const CACHE_READ: u8 = 2;
/// There is a price for cache writes.
pub const CACHE_WRITE: u8 = 4;
/// There is a price for one-hour cache writes.
pub const CACHE_WRITE_1H: u8 = 8;
/// There is a price for reasoning.
pub const REASONING: u8 = 16;
/// There are tiers: their count, then threshold and rate of each.
pub const TIERS: u8 = 32;
/// There are dated changes: their count, then second and rate of each.
pub const CHANGES: u8 = 64;
/// There are off-peak prices: the rate, the count of windows, then days, first minute and minute after the last of each.
pub const OFF_PEAK: u8 = 128;
