//! The `Host` port over the proxy's ABI, and what this host turns out to be able to do.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::filter::abi::{self, Status};
use crate::gateway::ability::Abilities;
use crate::host::{Host, LogLevel, MetricKind, Series, SharedError, SharedValue, Timestamp};

/// Different metric names this worker defines at most: a host never frees one.
const MAX_METRICS: usize = 8_192;

/// The shared key that shows whether there is shared data at all, to read and to write.
const PROBE: &str = "weir.probe";

thread_local! {
    static METRICS: RefCell<Metrics> = RefCell::default();
}

/// Metric ids of this worker. Why kept: defining a name anew costs more than counting it. Why by labels first: one
/// request counts several series with the same labels, and they are found by one comparison.
#[derive(Default)]
struct Metrics {
    groups: HashMap<Box<str>, usize>,
    series: Vec<Vec<Known>>,
    count: usize,
    last: Option<(Box<str>, usize)>,
}

/// A series that was defined; `None` where the host refused it.
struct Known {
    name: &'static str,
    extra: Box<str>,
    id: Option<u32>,
}

impl Metrics {
    fn id(&mut self, series: Series<'_>) -> Option<u32> {
        let group = self.group(series.labels)?;
        let extra = series.extra.map_or("", |(_, value)| value);
        let known = self.series.get_mut(group)?;
        if let Some(one) = known.iter().find(|one| one.name == series.name && *one.extra == *extra) {
            return one.id;
        }
        if self.count >= MAX_METRICS {
            return None;
        }
        let id = define(series.kind, &series.full_name());
        known.push(Known { name: series.name, extra: extra.into(), id });
        self.count += 1;
        if self.count == MAX_METRICS {
            abi::log(abi::Level::Warn, "weir: metric names are at their limit; further label values are not counted");
        }
        id
    }

    fn group(&mut self, labels: &str) -> Option<usize> {
        if let Some((last, group)) = &self.last
            && **last == *labels
        {
            return Some(*group);
        }
        let group = match self.groups.get(labels) {
            Some(group) => *group,
            None if self.series.len() >= MAX_METRICS => return None,
            None => {
                let next = self.series.len();
                self.groups.insert(labels.into(), next);
                self.series.push(Vec::new());
                next
            }
        };
        self.last = Some((labels.into(), group));
        Some(group)
    }
}

/// The proxy that this module runs in.
pub struct Proxy;

impl Host for Proxy {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Every `RandomState` has keys of its own, drawn from the host's randomness; its hash of nothing is 64 bits of it.
    fn random(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }

    fn shared(&self, key: &str) -> Result<Option<SharedValue>, SharedError> {
        match abi::shared(key) {
            Ok((bytes, version)) => Ok(Some(SharedValue { bytes, version })),
            Err(Status::NOT_FOUND) => Ok(None),
            Err(_) => Err(SharedError::Unavailable),
        }
    }

    fn set_shared(&self, key: &str, bytes: &[u8], version: Option<u32>) -> Result<(), SharedError> {
        abi::set_shared(key, bytes, version.unwrap_or(0)).map_err(|status| match status {
            Status::CAS_MISMATCH => SharedError::Conflict,
            _ => SharedError::Unavailable,
        })
    }

    fn metric(&self, series: Series<'_>, value: u64) {
        let id = METRICS.with(|metrics| metrics.try_borrow_mut().ok()?.id(series));
        let Some(id) = id else { return };
        // A count that the host does not take cannot be reported by counting; the audit line still has it.
        let _ = match series.kind {
            MetricKind::Counter => abi::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX)),
            MetricKind::Gauge | MetricKind::Histogram => abi::record_metric(id, value),
        };
    }

    fn log(&self, level: LogLevel, line: &str) {
        let level = match level {
            LogLevel::Info => abi::Level::Info,
            LogLevel::Warn => abi::Level::Warn,
            LogLevel::Error => abi::Level::Error,
        };
        abi::log(level, line);
    }
}

fn define(kind: MetricKind, name: &str) -> Option<u32> {
    let kind = match kind {
        MetricKind::Counter => abi::Metric::Counter,
        MetricKind::Gauge => abi::Metric::Gauge,
        MetricKind::Histogram => abi::Metric::Histogram,
    };
    abi::define_metric(kind, name).ok()
}

/// Tries out what the host can do.
pub fn abilities() -> Abilities {
    Abilities {
        shared_data: Proxy.shared(PROBE).is_ok() && Proxy.set_shared(PROBE, b"1", None).is_ok(),
        metrics: define(MetricKind::Counter, crate::telemetry::metric::REQUESTS.name).is_some(),
    }
}
