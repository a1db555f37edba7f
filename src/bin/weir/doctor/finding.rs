//! What `weir doctor` says about one place of a configuration.

use std::fmt;

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Requests hang, fail, go unfiltered or to the wrong place.
    Error,
    /// It works, until somebody looks closer.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, as a path into the document.
    pub path: String,
    /// What happens.
    pub what: String,
    /// The line to add or change.
    pub mend: String,
}

impl Finding {
    /// An error.
    pub fn error(path: &str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { severity: Severity::Error, path: path.to_owned(), what: what.into(), mend: mend.into() }
    }

    /// A warning.
    pub fn warning(path: &str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, what, mend) }
    }

    /// The finding as JSON.
    pub fn json(&self) -> Value {
        json!({"severity": self.severity.name(), "path": self.path, "what": self.what, "mend": self.mend})
    }
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
