//! The built-in catalogue: what 2,511 models of 40 providers cost, hold and can do, read in place from the module's own
//! data. Not what a policy says of its own targets (see `gateway`).
//!
//! The source is `catalogue.json` (its `provenance` says whence); `build.rs` compacts it into what `layout` describes.

pub mod facts;
pub mod find;
mod layout;
mod read;
pub mod suggest;

pub use facts::{ModelFacts, ModelKind};
pub use find::{all, find, has_provider, providers, providers_of};
pub use suggest::{nearest, nearest_provider};
