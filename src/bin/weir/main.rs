//! The native program `weir`: one file a command. It links the same code as the filter, so what it says is what the
//! filter does.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod doctor;
mod explain;
mod key;
mod mock;
mod models;
mod moment;
mod policy_file;
mod render;

/// Checks, explains and renders a Weir policy, and stands in for model vendors in tests.
#[derive(Parser)]
#[command(name = "weir", version, about)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every problem of a policy with its path and a hint, then what can be found without traffic.
    Check(check::Args),
    /// The decision for one request: every candidate with its cost or the reason of its rejection.
    Explain(explain::Args),
    /// A complete configuration for a proxy.
    Render(render::Args),
    /// A mock provider with faults on demand.
    Mock(mock::Args),
    /// Virtual keys.
    Key(key::Args),
    /// The catalogue with prices and limits.
    Models(models::Args),
    /// Finds what would make the filter hang, fail open, cut streams or refuse large bodies.
    Doctor(doctor::Args),
}

fn main() -> ExitCode {
    let done = match Program::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Mock(args) => mock::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    };
    done.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}
