//! CPU time per request of bare Envoy, a filter that does nothing, and Weir with a full policy. Not requests per second:
//! on a shared machine that says more about the neighbours than about the proxy.
//!
//! Each variant has an Envoy of its own with one worker, all alive at once; rounds take the variants in turn, so that
//! a noisy minute meets all of them. Streams are paced: a saturated proxy reads several chunks at once and looks
//! cheaper than it is. The number is user plus system time of the Envoy process over answered requests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::env;
use std::fs;
use std::io::{Error, Result};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

mod load;
mod rig;
mod workload;

use rig::{Envoy, Mock, Paths, Variant};
use workload::Workload;

const HELP: &str = "\
CPU microseconds per request of Envoy, in variants that run in turn.

  --quick             one short round: shows that it works, not how fast it is
  --rounds N          rounds (default 5)
  --variants A,B      of bare, noop, weir, weir-loop, weir-cross (default: all)
  --workloads A,B     of 2 KB, 100 KB, stream (default: all)
  --streams N         concurrent streams (default 150)";

const CONNECTIONS: usize = 8;

struct Plan {
    rounds: usize,
    warm_up: Duration,
    span: Duration,
    streams: usize,
    chunks: usize,
    variants: Vec<Variant>,
    workloads: Vec<Workload>,
}

/// One measurement.
struct Sample {
    round: usize,
    variant: Variant,
    workload: Workload,
    micros: f64,
    pieces: f64,
}

fn main() -> ExitCode {
    // Asked before this process ties itself to one of them.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = match plan(env::args().skip(1)) {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    match run(&plan) {
        Ok(samples) => {
            print_table(&plan, &samples, cores);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plan(mut words: impl Iterator<Item = String>) -> std::result::Result<Plan, String> {
    let mut plan = Plan {
        rounds: 5,
        warm_up: Duration::from_secs(1),
        span: Duration::from_secs(4),
        streams: 150,
        chunks: 200,
        variants: Variant::ALL.to_vec(),
        workloads: Workload::ALL.to_vec(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("error: {word} needs a value\n\n{HELP}"));
        match word.as_str() {
            "--quick" => {
                plan.rounds = 1;
                plan.warm_up = Duration::from_millis(500);
                plan.span = Duration::from_secs(2);
                plan.streams = 100;
                plan.chunks = 40;
            }
            "--rounds" => plan.rounds = number(&value()?)?,
            "--streams" => plan.streams = number(&value()?)?,
            "--variants" => {
                let names = value()?;
                plan.variants.retain(|variant| names.split(',').any(|name| name == variant.name()));
            }
            "--workloads" => {
                let names = value()?;
                plan.workloads.retain(|workload| names.split(',').any(|name| name == workload.name()));
            }
            // Cargo says so to every bench.
            "--bench" => {}
            _ => return Err(HELP.to_owned()),
        }
    }
    if plan.variants.is_empty() || plan.workloads.is_empty() {
        return Err(format!("error: --variants or --workloads names nothing that exists\n\n{HELP}"));
    }
    Ok(plan)
}

fn number(word: &str) -> std::result::Result<usize, String> {
    word.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("error: {word:?} is no positive number"))
}

fn run(plan: &Plan) -> Result<Vec<Sample>> {
    let paths = paths()?;
    rig::leave_envoys_core();
    let mock = Mock::start(&paths.program, plan.chunks)?;
    let mut envoys = Vec::new();
    for variant in &plan.variants {
        envoys.push((*variant, Envoy::start(&paths, *variant, &mock)?));
    }
    let started = Instant::now();
    let mut samples = Vec::new();
    for round in 0..plan.rounds {
        for workload in &plan.workloads {
            for (variant, envoy) in &envoys {
                samples.push(measure(plan, round, *variant, envoy, *workload)?);
            }
        }
        // Nobody always goes first.
        envoys.rotate_left(1);
        eprintln!("round {} of {} done after {} s", round + 1, plan.rounds, started.elapsed().as_secs());
    }
    Ok(samples)
}

fn measure(plan: &Plan, round: usize, variant: Variant, envoy: &Envoy, workload: Workload) -> Result<Sample> {
    let failed = |error: Error| Error::other(format!("{}, {}: {error}", variant.name(), workload.name()));
    let request = Arc::new(workload.request());
    let mut times = Vec::new();
    let measured = || times.push(envoy.cpu());
    let tally = match workload {
        Workload::Small | Workload::Large => {
            load::steady(envoy.address, &request, CONNECTIONS, plan.warm_up, plan.span, measured)
        }
        Workload::Stream => {
            // Starts spread over one pause between chunks: else all streams would have their chunks at one moment.
            let warm = Arc::new(Workload::Small.request());
            load::streams(envoy.address, &warm, &request, plan.streams, Duration::from_millis(50), measured)
        }
    }
    .map_err(failed)?;
    let mut times = times.into_iter();
    let (Some(before), Some(after)) = (times.next(), times.next()) else {
        return Err(Error::other("the load was not measured"));
    };
    let used = after?.saturating_sub(before?);
    if tally.answered == 0 {
        return Err(failed(Error::other("no request was answered")));
    }
    let micros = used.as_secs_f64() * 1e6 / tally.answered as f64;
    Ok(Sample { round, variant, workload, micros, pieces: tally.pieces })
}

fn paths() -> Result<Paths> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/bench");
    fs::create_dir_all(&folder)?;
    let envoy = env::var_os("WEIR_ENVOY").map_or_else(|| root.join(".tools/bin/envoy"), PathBuf::from);
    let paths = Paths {
        program: PathBuf::from(env!("CARGO_BIN_EXE_weir")),
        // Resolved, so that the process is Envoy whatever links lead to it.
        envoy: envoy.canonicalize().map_err(|_| Error::other("there is no Envoy here: make setup"))?,
        module: root.join("target/weir.wasm"),
        noop: root.join("target/noop.wasm"),
        folder,
    };
    Ok(paths)
}

fn print_table(plan: &Plan, samples: &[Sample], cores: usize) {
    println!(
        "CPU time of Envoy per request in microseconds, rounds: {}; cores: {cores}, Envoy workers: 1",
        plan.rounds
    );
    println!("| request | variant | µs | spread | times bare | to reach | reads |");
    println!("|---|---|---|---|---|---|---|");
    for workload in &plan.workloads {
        for variant in &plan.variants {
            println!("{}", row(samples, *workload, *variant));
        }
    }
}

fn row(samples: &[Sample], workload: Workload, variant: Variant) -> String {
    let of = |variant: Variant| samples.iter().filter(move |s| s.workload == workload && s.variant == variant);
    let mut micros: Vec<f64> = of(variant).map(|sample| sample.micros).collect();
    micros.sort_by(f64::total_cmp);
    // Each against the bare one of its own round: a slow minute slows both.
    let mut ratios: Vec<f64> = of(variant)
        .filter_map(|sample| Some(sample.micros / of(Variant::Bare).find(|bare| bare.round == sample.round)?.micros))
        .collect();
    ratios.sort_by(f64::total_cmp);
    let pieces = of(variant).map(|sample| sample.pieces).sum::<f64>() / micros.len().max(1) as f64;
    let ratio = median(&ratios);
    let target = match variant {
        Variant::Weir => Some(workload.target()),
        Variant::WeirCross => Some(workload.cross_target()),
        Variant::Bare | Variant::Noop | Variant::WeirLoop => None,
    };
    let reach = match target.filter(|_| ratio.is_finite()) {
        Some(target) if ratio <= target => format!("≤ {target:.1}: reached"),
        Some(target) => format!("≤ {target:.1}: MISSED"),
        None => String::new(),
    };
    format!(
        "| {} | {} | {:.0} | {:.0} to {:.0} | {ratio:.2} | {reach} | {pieces:.0} |",
        workload.name(),
        variant.name(),
        median(&micros),
        micros.first().copied().unwrap_or(f64::NAN),
        micros.last().copied().unwrap_or(f64::NAN),
    )
}

fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}
