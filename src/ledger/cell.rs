//! One shared value changed by compare-and-set, with a bounded number of tries. The only writer of shared data.

use crate::host::{Host, SharedError};

/// Tries before an update gives up. Each lost try means that another worker's update went through.
const MAX_TRIES: u32 = 32;

/// Changes the value of `key` to what `change` makes of it; `None` from `change` leaves it.
///
/// # Errors
/// `Unavailable` when the host has no shared data, `Conflict` when others won every try.
pub fn update(
    host: &dyn Host,
    key: &str,
    change: impl Fn(Option<&[u8]>) -> Option<Vec<u8>>,
) -> Result<(), SharedError> {
    for _ in 0..MAX_TRIES {
        let value = host.shared(key)?;
        let Some(next) = change(value.as_ref().map(|value| value.bytes.as_slice())) else { return Ok(()) };
        match host.set_shared(key, &next, value.map(|value| value.version)) {
            Err(SharedError::Conflict) => {}
            done => return done,
        }
    }
    Err(SharedError::Conflict)
}
