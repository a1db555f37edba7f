//! `weir check`: every problem of a policy with its path, then what can be found without traffic. The rules themselves are
//! `weir::config`'s.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use weir::config::parse;
use weir::config::policy::{KeySource, Policy};
use weir::config::problem::Problem;
use weir::gateway::ability::Abilities;
use weir::gateway::compile::Gateway;
use weir::host::Timestamp;

use crate::{moment, policy_file};

mod catalogue;
mod idle;
mod worst;

/// Arguments of `weir check`.
#[derive(clap::Args)]
pub struct Args {
    /// The policy file, YAML or JSON; `-` reads standard input.
    policy: PathBuf,
    /// One JSON document on standard output: `{ok, problems, findings}`.
    #[arg(long)]
    json: bool,
    /// The day for which prices, keys and retirements are looked at, as `2027-06-30`; today when absent.
    #[arg(long, value_parser = moment::parse)]
    now: Option<Timestamp>,
}

/// Runs the command.
///
/// # Errors
/// One sentence when the file cannot be read.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let now = args.now.map_or_else(moment::clock, Ok)?;
    let (problems, findings) = match policy_file::read(&args.policy).map(|written| check(&written)) {
        Ok(Ok(checked)) => (Vec::new(), findings(&checked, now)),
        Ok(Err(problems)) => (problems, Vec::new()),
        Err(message) if args.json => (vec![Problem::new("", message)], Vec::new()),
        Err(message) => return Err(message),
    };
    if args.json {
        println!("{:#}", json!({"ok": problems.is_empty(), "problems": rows(&problems), "findings": rows(&findings)}));
    } else {
        print_problems(&problems);
        for finding in &findings {
            println!("note: {finding}");
        }
        if problems.is_empty() {
            println!("{}: ok", args.policy.display());
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The policy that JSON says, if the filter would take it.
///
/// # Errors
/// Every problem, among them every part of the policy that is well-formed and not supported yet.
pub fn policy(written: &Value) -> Result<Policy, Vec<Problem>> {
    check(written).map(|checked| checked.policy)
}

/// A policy that the filter would take.
struct Checked {
    policy: Policy,
    gateway: Gateway,
}

/// Compiles as the filter does. Every `${NAME}` counts as set: its value is in the proxy's environment, not here.
fn check(written: &Value) -> Result<Checked, Vec<Problem>> {
    let gateway = Gateway::compile(written, &|_| Some("set".to_owned()), Abilities::ALL)?;
    Ok(Checked { policy: parse::parse(written)?, gateway })
}

/// Every problem of a policy; none means that the filter would take it.
pub fn problems(written: &Value) -> Vec<Problem> {
    policy(written).err().unwrap_or_default()
}

/// Prints problems on standard error, one a line.
pub fn print_problems(problems: &[Problem]) {
    for problem in problems {
        eprintln!("error: {problem}");
    }
}

/// What is allowed and worth a second look.
fn findings(checked: &Checked, now: Timestamp) -> Vec<Problem> {
    let policy = &checked.policy;
    let mut findings = Vec::new();
    for provider in &policy.providers {
        let at = |field: &str| format!("providers.{}.{field}", provider.name);
        let written = |source: &KeySource| matches!(source, KeySource::Literal(_));
        // Neither a header nor the id of an access key need be secret.
        let credentials = || {
            let is_key = |path: &str| !path.starts_with("headers.") && path != "aws.access_key_id";
            provider.sources().into_iter().filter(move |(path, _)| is_key(path))
        };
        if let Some((place, _)) = credentials().find(|(_, source)| written(source)) {
            findings.push(Problem::new(
                at(&place),
                "the key itself is in the file; write ${NAME} and set NAME in the proxy's environment",
            ));
        }
        if !provider.endpoint.tls && credentials().next().is_some() && !is_loopback(&provider.endpoint.host) {
            findings.push(Problem::new(at("endpoint"), "http sends the key in clear text; use https"));
        }
    }
    let rules = &checked.gateway.rules;
    findings.extend(idle::findings(policy, rules, now));
    findings.extend(catalogue::findings(rules, now));
    findings.extend(worst::findings(policy, rules, now));
    findings
}

/// Whether a host name or address is this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Problems as JSON.
pub fn rows(problems: &[Problem]) -> Vec<Value> {
    problems.iter().map(|problem| json!({"path": problem.path, "message": problem.message})).collect()
}
