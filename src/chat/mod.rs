//! The words every room shares: API families, capabilities, usage, money, secrets. No behaviour of a wire or a host.

pub mod capability;
pub mod family;
pub mod head;
pub mod money;
pub mod secret;
pub mod usage;
