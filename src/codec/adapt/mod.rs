//! Between two wire formats: a request fitted to what the target can say, and the answer put back. Whatever is not one
//! format's own business stands here, once for all of them.

pub mod chatter;
pub mod custom;
pub mod fit;
pub mod name;
pub mod order;
pub mod schema;
pub mod seal;
pub mod undo;
