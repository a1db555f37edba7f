//! JSON into a `Policy`, or every problem at once. The rules of each section are in `section`, across them in `validate`.

use serde_json::Value;

use crate::config::policy::{Policy, Unsupported};
use crate::config::problem::Problem;
use crate::config::reader::{Fields, Node};
use crate::config::report::Report;
use crate::config::section::{guard, model, money, observe, provider, route, task, team};
use crate::config::validate;

const FIELDS: [&str; 17] = [
    "version",
    "providers",
    "models",
    "tasks",
    "routes",
    "prompts",
    "teams",
    "keys",
    "jwt",
    "anonymous",
    "budgets",
    "limits",
    "guards",
    "cache",
    "observe",
    "cluster_limits",
    "store",
];

/// Reads a policy from a JSON text.
///
/// # Errors
/// Every problem found; a text that is not JSON is one problem with its line and column.
///
/// # Examples
/// ```
/// let policy = weir::config::parse::parse_json(br#"{
///     "version": 1,
///     "anonymous": "allow",
///     "providers": {"openai": {"api": "openai", "endpoint": "https://api.openai.com/v1", "key": "${OPENAI_API_KEY}"}}
/// }"#).expect("a policy");
/// assert_eq!(policy.providers.len(), 1);
/// ```
pub fn parse_json(bytes: &[u8]) -> Result<Policy, Vec<Problem>> {
    match serde_json::from_slice(bytes) {
        Ok(value) => parse(&value),
        Err(error) => Err(vec![Problem::new("", format!("the policy is not JSON: {error}"))]),
    }
}

/// Reads a policy from a JSON value, as YAML also becomes one.
///
/// # Errors
/// Every problem found, up to a hundred and the number of the others. What is not built yet is among them only if there
/// are others; alone it is left in `Policy::unsupported`.
pub fn parse(value: &Value) -> Result<Policy, Vec<Problem>> {
    let mut report = Report::default();
    let root = Node { value, path: String::new() };
    let fields = root.fields(&FIELDS, &mut report);
    if !value.is_object() {
        return Err(report.into_problems());
    }
    read_version(&fields, &mut report);
    let mut policy = read_sections(&fields, &mut report);
    validate::check(&policy, &mut report);
    policy.unsupported = std::mem::take(&mut report.unsupported);
    if report.is_clean() {
        return Ok(policy);
    }
    // Compiling would refuse these by name; it is not reached, and all problems are told at once.
    for Problem { path, message } in policy.unsupported.iter().map(Unsupported::problem) {
        report.problem(path, message);
    }
    Err(report.into_problems())
}

fn read_version(fields: &Fields<'_>, report: &mut Report) {
    let Some(version) = fields.need("version", "write `version: 1`", report) else {
        return;
    };
    if !version.value.is_number() {
        version.wrong_type("the number 1", report);
    } else if version.value.as_f64() != Some(1.0) {
        report.problem(&version.path, format!("must be 1, the only version there is, found {}", version.value));
    }
}

fn read_sections(fields: &Fields<'_>, report: &mut Report) -> Policy {
    let way_out = "write at least one, as `openai: {api: openai, endpoint: https://api.openai.com/v1}`";
    let providers = fields.need("providers", way_out, report);
    let mut policy = Policy {
        providers: providers.map(|node| provider::read(&node, report)).unwrap_or_default(),
        models: section(fields, "models", model::read, report).unwrap_or_default(),
        ..Policy::default()
    };
    section(fields, "tasks", task::read, report);
    policy.routes = section(fields, "routes", route::read, report).unwrap_or_default();
    section(fields, "prompts", task::read_prompts, report);
    policy.teams = section(fields, "teams", team::read, report).unwrap_or_default();
    policy.keys = section(fields, "keys", team::read_keys, report).unwrap_or_default();
    section(fields, "jwt", team::read_jwt, report);
    policy.anonymous = section(fields, "anonymous", team::read_anonymous, report).unwrap_or_default();
    section(fields, "budgets", money::read_budgets, report);
    section(fields, "limits", money::read_limits, report);
    section(fields, "guards", guard::read, report);
    section(fields, "cache", guard::read_cache, report);
    policy.observe = section(fields, "observe", observe::read, report).unwrap_or_default();
    section(fields, "cluster_limits", money::read_cluster, report);
    policy.store = section(fields, "store", observe::read_store, report).unwrap_or_default();
    policy
}

fn section<T>(
    fields: &Fields<'_>,
    name: &str,
    read: impl FnOnce(&Node<'_>, &mut Report) -> T,
    report: &mut Report,
) -> Option<T> {
    fields.get(name).map(|node| read(&node, report))
}
