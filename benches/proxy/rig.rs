//! The processes of a bench: the mock provider and one Envoy a variant, all on loopback, all ended with the bench.

use std::fs;
use std::io::{BufRead, BufReader, Error, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::load;
use crate::workload;

/// What stands between client and provider.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Envoy with its router alone.
    Bare,
    /// A filter that does nothing.
    Noop,
    /// Weir with a full policy; the next target by `refresh_cluster_on_retry`.
    Weir,
    /// The same; the next target by the internal listener.
    WeirLoop,
    /// Weir before providers of another API family: OpenAI's clients, Anthropic's format behind.
    WeirCross,
}

impl Variant {
    /// Every variant, in the order of the table.
    pub const ALL: [Self; 5] = [Self::Bare, Self::Noop, Self::Weir, Self::WeirLoop, Self::WeirCross];

    /// Its name in the table and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Noop => "noop",
            Self::Weir => "weir",
            Self::WeirLoop => "weir-loop",
            Self::WeirCross => "weir-cross",
        }
    }
}

/// A process that ends with its owner.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The mock provider.
pub struct Mock {
    _process: Owned,
    port: u16,
}

impl Mock {
    /// Starts one whose streams have `chunks` chunks, 20 a second.
    pub fn start(program: &Path, chunks: usize) -> Result<Self> {
        let mut process = pinned(program, OTHER_CORE)
            .args(["mock", "--listen", "127.0.0.1:0", "--keep", "1", "--chunk-delay-ms", "50", "--chunks"])
            .arg(chunks.to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or_else(|| Error::other("the mock has no output"))?;
        let process = Owned(process);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| Error::other(format!("the mock did not say where it listens: {line:?}")))?;
        Ok(Self { _process: process, port })
    }
}

/// A running Envoy.
pub struct Envoy {
    process: Owned,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Envoy {
    /// Starts the Envoy of a variant, with one worker, and waits until it listens.
    pub fn start(paths: &Paths, variant: Variant, mock: &Mock) -> Result<Self> {
        let address = free_address()?;
        let file = paths.folder.join(format!("{}.yaml", variant.name()));
        match variant {
            Variant::Bare => fs::write(&file, plain(address, mock.port, ""))?,
            Variant::Noop => fs::write(&file, plain(address, mock.port, &noop_filter(&paths.noop)))?,
            Variant::Weir => render(paths, &workload::policy(mock.port), address, "refresh", &file)?,
            Variant::WeirLoop => render(paths, &workload::policy(mock.port), address, "loop", &file)?,
            Variant::WeirCross => render(paths, &workload::cross_policy(mock.port), address, "refresh", &file)?,
        }
        let log = fs::File::create(paths.folder.join(format!("{}.log", variant.name())))?;
        let process = pinned(&paths.envoy, ENVOY_CORE)
            .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"])
            // The audit line is a log line of level info: it is a part of the work.
            .args(["--component-log-level", "wasm:info", "--config-path"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let envoy = Self { process: Owned(process), address };
        load::wait_for(address, Duration::from_secs(20))
            .map_err(|error| Error::other(format!("Envoy does not listen ({error}); see {}", file.display())))?;
        Ok(envoy)
    }

    /// User and system time it has used so far.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.0.id()))?;
        // The name in parentheses may hold anything; the fields that count stand behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        match (ticks(11), ticks(12)) {
            // Linux shows process times in hundredths of a second on every machine that Envoy runs on.
            (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 10)),
            _ => Err(Error::other("the process times cannot be read: is Envoy still there?")),
        }
    }
}

/// Where everything is.
pub struct Paths {
    /// The native program.
    pub program: PathBuf,
    /// Envoy itself, not a wrapper: its process times are what is measured.
    pub envoy: PathBuf,
    /// The module.
    pub module: PathBuf,
    /// The filter that does nothing.
    pub noop: PathBuf,
    /// Where configurations and logs go.
    pub folder: PathBuf,
}

const ENVOY_CORE: &str = "0";
const OTHER_CORE: &str = "1";

/// A command that stays on one core, where the machine has a second one and `taskset`. It is replaced by the program,
/// so the process is the program's own.
fn pinned(program: &Path, core: &str) -> Command {
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}

/// Keeps this process off Envoy's core.
pub fn leave_envoys_core() {
    if can_pin() {
        let own = std::process::id().to_string();
        let _ = Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", OTHER_CORE, &own]).output();
    }
}

fn can_pin() -> bool {
    let both = format!("{ENVOY_CORE},{OTHER_CORE}");
    Command::new("taskset").args(["--cpu-list", &both, "true"]).output().is_ok_and(|output| output.status.success())
}

fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn plain(address: SocketAddr, upstream: u16, filter: &str) -> String {
    include_str!("plain.yaml")
        .replace("FILTER\n", filter)
        .replace("UPSTREAM", &upstream.to_string())
        .replace("port_value: PORT", &format!("port_value: {}", address.port()))
}

fn noop_filter(module: &Path) -> String {
    format!(
        "          - name: noop
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: noop
                allow_on_headers_stop_iteration: true
                failure_policy: FAIL_RELOAD
                vm_config: {{vm_id: noop, runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {:?}}}}}}}
",
        module.display().to_string()
    )
}

fn render(paths: &Paths, written: &str, address: SocketAddr, failover: &str, file: &Path) -> Result<()> {
    let policy = file.with_extension("policy.json");
    fs::write(&policy, written)?;
    let output = Command::new(&paths.program)
        .args(["render", "envoy"])
        .arg(&policy)
        .args(["--listen", &address.to_string(), "--admin", &free_address()?.to_string(), "--failover", failover])
        .arg("--wasm")
        .arg(&paths.module)
        .arg("--output")
        .arg(file)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(Error::other(format!("weir render refused the bench's policy: {said}")))
}
