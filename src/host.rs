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

/// One series of a metric, in parts, so that a host can find it again without writing its name out.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// What kind of metric it is.
    pub kind: MetricKind,
    /// The metric's name.
    pub name: &'static str,
    /// Labels that several series share, as `push_label` writes them.
    pub labels: &'a str,
    /// One label more.
    pub extra: Option<(&'static str, &'a str)>,
}

impl Series<'_> {
    /// The full name, `name;label=value;label=value`: hosts have no labels, and `weir render` takes it apart again.
    pub fn full_name(&self) -> String {
        let mut name = String::with_capacity(self.name.len() + self.labels.len() + 32);
        name.push_str(self.name);
        name.push_str(self.labels);
        if let Some((label, value)) = self.extra {
            push_label(&mut name, label, value);
        }
        name
    }
}

/// Adds a label to the labels of a series. What would end the label is replaced, so that a value cannot forge one.
pub fn push_label(labels: &mut String, label: &str, value: &str) {
    labels.push(';');
    labels.push_str(label);
    labels.push('=');
    if value.bytes().all(|byte| byte > b' ' && !matches!(byte, b';' | b'=' | 0x7f..)) {
        labels.push_str(value);
    } else {
        labels.extend(value.chars().map(|c| if matches!(c, ';' | '=') || c.is_control() { '_' } else { c }));
    }
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
    fn metric(&self, series: Series<'_>, value: u64);

    /// Writes a log line.
    fn log(&self, level: LogLevel, line: &str);
}
