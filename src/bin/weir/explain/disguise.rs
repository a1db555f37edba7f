//! A policy whose secrets are dots before anything else looks at it: what is not there cannot be shown.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What stands where a secret stood.
pub const DOTS: &str = "••••";

/// The key that is presented for `--as`: the policy that is run takes it for the named key.
pub const STAND_IN: &str = "weir-explain-stand-in";

/// The policy with dots for every provider's key and header value. `holder` is the id of a key whose hash becomes that
/// of `STAND_IN`, so that its holder goes through the filter's own admission, the day of expiry included.
///
/// # Errors
/// One sentence when no key has that id.
pub fn disguise(written: &Value, holder: Option<&str>) -> Result<Value, String> {
    let mut policy = written.clone();
    let providers = policy.get_mut("providers").and_then(Value::as_object_mut);
    for provider in providers.into_iter().flat_map(Map::values_mut) {
        for place in ["key", "headers"] {
            provider.get_mut(place).into_iter().for_each(hide);
        }
    }
    if let Some(holder) = holder {
        let keys = policy.get_mut("keys").and_then(Value::as_array_mut);
        let key = keys.into_iter().flatten().find(|key| key.get("id").and_then(Value::as_str) == Some(holder));
        let Some(key) = key.and_then(Value::as_object_mut) else {
            let ids: Vec<&str> = key_ids(written).collect();
            let known = if ids.is_empty() { "has no keys".to_owned() } else { format!("has {}", ids.join(", ")) };
            return Err(format!("no key has the id \"{holder}\"; the policy {known}"));
        };
        let hash: String = Sha256::digest(STAND_IN).iter().map(|byte| format!("{byte:02x}")).collect();
        key.insert("sha256".to_owned(), Value::String(hash));
    }
    Ok(policy)
}

/// The ids of a policy's keys, in the order written.
pub fn key_ids(written: &Value) -> impl Iterator<Item = &str> {
    let keys = written.get("keys").and_then(Value::as_array);
    keys.into_iter().flatten().filter_map(|key| key.get("id").and_then(Value::as_str))
}

fn hide(value: &mut Value) {
    match value {
        Value::String(text) => DOTS.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(members) => members.values_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
