//! The port to whatever hosts the gateway: clock, dice, shared data, metrics, log. No SDK; the filter implements it.

/// A moment, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// That many nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// That many seconds since the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the Unix epoch.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Whole milliseconds from `earlier` to here; zero where the clock went back.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For operators, in the normal course.
    Info,
    /// Something an operator should look at.
    Warn,
    /// Something is broken.
    Error,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Is set.
    Gauge,
    /// Is a distribution.
    Histogram,
}

/// A value of the shared data and the version that a later write must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedValue {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The version for compare-and-set.
    pub version: u32,
}

/// Why a write to the shared data did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedError {
    /// Somebody else wrote since the version that was named.
    Conflict,
    /// The host has no shared data, or refuses it.
    Unavailable,
}

/// What the gateway asks of its host. One thread; every call returns at once and never panics.
pub trait Host {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// 64 random bits.
    fn random(&self) -> u64;

    /// The value of a shared key; `Ok(None)` when nobody wrote it.
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, SharedError>;

    /// Writes a shared key if its version still is `version`; `None` writes in any case.
    fn set_shared(&self, key: &str, bytes: &[u8], version: Option<u32>) -> Result<(), SharedError>;

    /// Adds to a counter, sets a gauge, or records in a histogram. A host without metrics does nothing.
    fn metric(&self, kind: MetricKind, name: &str, value: u64);

    /// Writes a log line.
    fn log(&self, level: LogLevel, line: &str);
}
