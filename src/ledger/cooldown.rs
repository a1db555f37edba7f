//! Keys of a provider's pool that rest after a 429, known to every worker.
//!
//! One shared value a key, created when the policy is configured and never more: shared data has no delete, and two
//! workers that create a key at once lose an update.

use crate::host::{Host, SharedError, Timestamp};
use crate::ledger::cell;

/// How long a key rests when the provider does not say.
pub const DEFAULT_REST_SECS: u64 = 10;

/// The longest rest that a provider's word is taken for.
pub const MAX_REST_SECS: u64 = 3_600;

/// Creates the value of each key of a pool, where it is not there yet.
///
/// # Errors
/// `Unavailable` when the host has no shared data.
pub fn prepare(host: &dyn Host, provider: &str, keys: usize) -> Result<(), SharedError> {
    for key in 0..keys {
        cell::update(host, &name(provider, key), |value| value.is_none().then(|| vec![0; 8]))?;
    }
    Ok(())
}

/// Whether a key rests at that moment. A host without shared data has no resting keys.
pub fn rests(host: &dyn Host, provider: &str, key: usize, now: Timestamp) -> bool {
    let value = host.shared(&name(provider, key)).ok().flatten();
    value.and_then(|value| until(&value.bytes)).is_some_and(|until| now.secs() < until)
}

/// Lets a key rest from now on; a longer rest that is already noted stays.
///
/// # Errors
/// As `cell::update`.
pub fn rest(host: &dyn Host, provider: &str, key: usize, now: Timestamp, secs: Option<u64>) -> Result<(), SharedError> {
    let end = now.secs().saturating_add(secs.unwrap_or(DEFAULT_REST_SECS).min(MAX_REST_SECS));
    cell::update(host, &name(provider, key), |value| {
        (value.and_then(until).unwrap_or(0) < end).then(|| end.to_le_bytes().to_vec())
    })
}

fn name(provider: &str, key: usize) -> String {
    format!("weir.cooldown.{provider}.{key}")
}

fn until(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;

    use super::{prepare, rest, rests};
    use crate::host::{Host, LogLevel, Series, SharedError, SharedValue, Timestamp};

    /// A host whose every second write loses to another worker.
    #[derive(Default)]
    struct Contended {
        values: RefCell<HashMap<String, SharedValue>>,
        writes: Cell<u32>,
        always_lose: bool,
    }

    impl Host for Contended {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(0)
        }
        fn random(&self) -> u64 {
            0
        }
        fn shared(&self, key: &str) -> Result<Option<SharedValue>, SharedError> {
            Ok(self.values.borrow().get(key).cloned())
        }
        fn set_shared(&self, key: &str, bytes: &[u8], version: Option<u32>) -> Result<(), SharedError> {
            self.writes.set(self.writes.get() + 1);
            let mut values = self.values.borrow_mut();
            let current = values.get(key).map(|value| value.version);
            if let (Some(current), true) = (current, self.always_lose || self.writes.get().is_multiple_of(2)) {
                values.get_mut(key).unwrap().version = current + 1;
            }
            let current = values.get(key).map(|value| value.version);
            if version.is_some() && version != current {
                return Err(SharedError::Conflict);
            }
            let version = current.unwrap_or(0) + 1;
            values.insert(key.to_owned(), SharedValue { bytes: bytes.to_vec(), version });
            Ok(())
        }
        fn metric(&self, _series: Series<'_>, _value: u64) {}
        fn log(&self, _level: LogLevel, _line: &str) {}
    }

    #[test]
    fn a_key_rests_as_long_as_the_longest_word() {
        let host = Contended::default();
        let at = Timestamp::from_secs;
        prepare(&host, "openai", 2).unwrap();
        rest(&host, "openai", 0, at(100), Some(30)).unwrap();
        rest(&host, "openai", 0, at(100), Some(5)).unwrap();
        assert!(rests(&host, "openai", 0, at(129)));
        assert!(!rests(&host, "openai", 0, at(130)));
        assert!(!rests(&host, "openai", 1, at(100)));
        rest(&host, "openai", 1, at(0), Some(u64::MAX)).unwrap();
        assert!(!rests(&host, "openai", 1, at(3_600)));
    }

    #[test]
    fn preparing_again_forgets_nothing() {
        let host = Contended::default();
        prepare(&host, "openai", 1).unwrap();
        rest(&host, "openai", 0, Timestamp::from_secs(100), None).unwrap();
        prepare(&host, "openai", 1).unwrap();
        assert!(rests(&host, "openai", 0, Timestamp::from_secs(105)));
    }

    #[test]
    fn an_update_that_always_loses_ends() {
        let host = Contended { always_lose: true, ..Contended::default() };
        prepare(&host, "openai", 1).unwrap();
        assert_eq!(rest(&host, "openai", 0, Timestamp::from_secs(100), None), Err(SharedError::Conflict));
    }
}
