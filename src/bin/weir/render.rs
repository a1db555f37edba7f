//! `weir render`: a policy as a complete configuration for a proxy. One file a proxy below `render/`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use weir::config::policy::{KeySource, Policy};

use crate::{check, policy_file};

mod envoy;
mod template;

/// Arguments of `weir render`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    host: Host,
}

#[derive(clap::Subcommand)]
enum Host {
    /// A complete configuration that stock Envoy accepts.
    Envoy(EnvoyArgs),
}

#[derive(clap::Args)]
struct EnvoyArgs {
    /// The policy file, YAML or JSON; `-` reads standard input.
    policy: PathBuf,
    /// Where Envoy listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:10000")]
    listen: SocketAddr,
    /// Where Envoy's admin page listens; keep it on loopback.
    #[arg(long, default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// The module, as Envoy's machine sees it.
    #[arg(long, default_value = "target/weir.wasm")]
    wasm: String,
    /// How the next provider is tried: `refresh` (Envoy 1.39 or newer) or `loop` (1.35 or newer, one hop more).
    #[arg(long, value_enum, default_value_t = envoy::Failover::Refresh)]
    failover: envoy::Failover,
    /// The certificate authorities that providers' certificates are checked against, as Envoy's machine sees the file.
    #[arg(long, default_value = "/etc/ssl/certs/ca-certificates.crt")]
    ca: String,
    /// Also write an access log of all requests to standard output, beside the audit lines that are always there.
    #[arg(long)]
    access_log: bool,
    /// Where to write; standard output when absent.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// One sentence when a file cannot be read or written.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    match &args.host {
        Host::Envoy(args) => run_envoy(args),
    }
}

fn run_envoy(args: &EnvoyArgs) -> Result<ExitCode, String> {
    let written = policy_file::read(&args.policy)?;
    let policy = match check::policy(&written) {
        Ok(policy) => policy,
        Err(problems) => {
            check::print_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    let place = envoy::Place {
        listen: args.listen,
        admin: args.admin,
        wasm: &args.wasm,
        ca: &args.ca,
        access_log: args.access_log,
        failover: args.failover,
        command: &command(args),
    };
    let text = match envoy::render(&written, &policy, &place)? {
        Ok(text) => text,
        Err(problems) => {
            check::print_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    warn(args, &policy);
    write(args.output.as_deref(), &text)?;
    Ok(ExitCode::SUCCESS)
}

fn warn(args: &EnvoyArgs, policy: &Policy) {
    if !args.admin.ip().is_loopback() {
        eprintln!(
            "warning: --admin {} is not loopback: whoever reaches it can stop the proxy and read its configuration",
            args.admin
        );
    }
    let literal = |source: &KeySource| matches!(source, KeySource::Literal(_));
    for provider in &policy.providers {
        let sources = provider.sources();
        let is_key = |(path, source): &&(String, &KeySource)| {
            !path.starts_with("headers.") && path != "aws.access_key_id" && literal(source)
        };
        let Some((place, _)) = sources.iter().find(is_key) else { continue };
        eprintln!(
            "warning: providers.{}.{place}: the key itself goes into the configuration; write ${{NAME}} and set NAME in Envoy's environment",
            provider.name
        );
    }
}

/// The command line that writes the same again, for the first line of the file.
fn command(args: &EnvoyArgs) -> String {
    let failover = match args.failover {
        envoy::Failover::Refresh => "refresh",
        envoy::Failover::Loop => "loop",
    };
    format!(
        "weir render envoy {} --listen {} --admin {} --wasm {} --failover {failover}",
        args.policy.display(),
        args.listen,
        args.admin,
        args.wasm
    )
}

fn write(output: Option<&Path>, text: &str) -> Result<(), String> {
    use std::io::Write;
    match output {
        Some(path) => std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display())),
        None => std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}")),
    }
}
