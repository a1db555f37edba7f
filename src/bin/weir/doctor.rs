//! `weir doctor`: finds what would make the filter hang, fail open, cut streams or refuse large bodies in a configuration
//! of Envoy, from a file or from a running Envoy. It reads; it changes nothing.

use std::process::ExitCode;

mod envoy;
mod fetch;
mod finding;
mod inspect;
mod node;

use envoy::Envoy;
use finding::{Finding, Severity};

/// Arguments of `weir doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// A bootstrap file of Envoy, or the address of a running Envoy's admin page as `http://127.0.0.1:9901`.
    configuration: String,
    /// One JSON document on standard output: `{ok, findings}`.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// One sentence when the configuration cannot be read.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let document = if args.configuration.starts_with("http://") {
        fetch::config_dump(&args.configuration)?
    } else if args.configuration.starts_with("https://") {
        return Err("Envoy's admin page speaks plain http; write http://HOST:PORT".to_owned());
    } else {
        let text = std::fs::read_to_string(&args.configuration).map_err(|error| unread(&args.configuration, &error))?;
        let mut yaml: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(&text).map_err(|error| format!("{}: {error}", args.configuration))?;
        yaml.apply_merge().map_err(|error| format!("{}: {error}", args.configuration))?;
        serde_json::to_value(yaml).map_err(|error| format!("{}: {error}", args.configuration))?
    };
    let findings = inspect::inspect(&Envoy::read(&document));
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if args.json {
        let rows: Vec<_> = findings.iter().map(Finding::json).collect();
        println!("{:#}", serde_json::json!({"ok": errors == 0, "findings": rows}));
    } else {
        print_grouped(&findings);
        println!("{}: {errors} errors, {} warnings", args.configuration, findings.len() - errors);
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why there is no text, and what was meant if it looks like the address of an admin page.
fn unread(name: &str, error: &std::io::Error) -> String {
    let port = name.rsplit_once(':').map(|(_, port)| port.trim_end_matches('/'));
    match port.is_some_and(|port| port.parse::<u16>().is_ok()) {
        true => format!("{name}: {error}; for a running Envoy write http://{name}"),
        false => format!("{name}: {error}"),
    }
}

/// Prints each finding once, with every place it was made at: a route that YAML repeats by an alias is mended once.
fn print_grouped(findings: &[Finding]) {
    let is_same = |one: &Finding, other: &Finding| one.what == other.what && one.mend == other.mend;
    for (index, finding) in findings.iter().enumerate() {
        if findings.iter().take(index).any(|earlier| is_same(earlier, finding)) {
            continue;
        }
        println!("{}: {}", finding.severity, finding.path);
        for other in findings.iter().skip(index + 1).filter(|other| is_same(finding, other)) {
            println!("  also at {}", other.path);
        }
        println!("  {}\n  mend: {}", finding.what, finding.mend);
    }
}
