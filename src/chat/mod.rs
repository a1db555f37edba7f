//! The words every room shares: API families, wire formats, conversations, usage, money, secrets. No behaviour of a wire
//! or a host.

pub mod answer;
pub mod capability;
pub mod embedding;
pub mod event;
pub mod failure;
pub mod family;
pub mod feature;
pub mod head;
pub mod money;
pub mod part;
pub mod prose;
pub mod request;
pub mod secret;
pub mod traits;
pub mod usage;
pub mod wire;
