//! Reads a policy file, YAML or JSON, into the JSON value that the filter would be given.

use std::path::Path;

/// The file's content as JSON. YAML is a superset of JSON, so one reader serves both.
///
/// # Errors
/// One sentence with the file's name when it cannot be read or is not YAML.
#[allow(dead_code)]
pub fn read(path: &Path) -> Result<serde_json::Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_yaml_ng::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
