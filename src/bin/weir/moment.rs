//! A moment on the command line, and the clock where none is given.

use std::time::{SystemTime, UNIX_EPOCH};

use weir::config::date::parse_seconds;
use weir::host::Timestamp;

/// `2027-06-30T12:00:00Z`, `2027-06-30` or seconds since 1970.
///
/// # Errors
/// How to write it.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    let seconds = text.parse().ok().or_else(|| parse_seconds(text));
    seconds
        .map(Timestamp::from_secs)
        .ok_or_else(|| "write it as 2027-06-30T12:00:00Z or as seconds since 1970".to_owned())
}

/// Now.
///
/// # Errors
/// One sentence when the clock is wrong beyond use.
pub fn clock() -> Result<Timestamp, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock is before 1970; give --now")?;
    Ok(Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)))
}
