//! The sections of a policy file, one reader each. A reader checks shapes; names across sections are `validate`'s.

pub mod fallback;
pub mod guard;
pub mod model;
pub mod money;
pub mod observe;
pub mod provider;
pub mod rollout;
pub mod route;
pub mod task;
pub mod team;
