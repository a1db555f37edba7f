//! What the host can do, found out at run time and kept in one place.

/// The abilities of a host that a policy may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Shared data with compare-and-set.
    pub shared_data: bool,
    /// Metrics.
    pub metrics: bool,
}

impl Abilities {
    /// A host that can do everything; the native program compiles policies for it.
    pub const ALL: Self = Self { shared_data: true, metrics: true };

    /// The names of what is missing, for the log.
    pub fn missing(self) -> Vec<&'static str> {
        let all = [("shared data", self.shared_data), ("metrics", self.metrics)];
        all.into_iter().filter(|(_, present)| !present).map(|(name, _)| name).collect()
    }
}
