//! A real Envoy with a rendered configuration: start, ports, logs, statistics, end. Not what it should do: see the
//! scenarios.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Request, Response};
use crate::fixture::eventually;

/// How an audit line begins; the access log stands on the same standard output.
const AUDIT_LINE: &str = "{\"id\":";

/// How the next candidate is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    Refresh,
    Loop,
}

/// What an Envoy is started with.
pub struct Setup<'a> {
    pub policy: &'a Value,
    pub failover: Failover,
    pub workers: u32,
    pub environment: &'a [(&'a str, &'a str)],
    /// Changes the rendered configuration before Envoy reads it.
    pub edit: &'a dyn Fn(&Path, String) -> String,
}

/// A running Envoy, which ends with this value.
pub struct Envoy {
    pub address: SocketAddr,
    admin: SocketAddr,
    process: Process,
    directory: Directory,
    _slot: Option<Slot>,
}

/// An Envoy that did not start.
#[derive(Debug)]
pub struct Refused {
    pub log: String,
}

impl Envoy {
    /// Renders, starts and waits until it listens; `Err` when Envoy ends instead.
    pub fn start(setup: &Setup<'_>) -> Result<Self, Refused> {
        let slot = Slot::take();
        let directory = Directory::new();
        let configuration = setup.render(&directory);
        Self::run(directory, &configuration, setup.workers, setup.environment, Some(slot))
    }

    /// Starts an Envoy that has nothing to do with Weir; its listener must be called `weir` all the same. It counts for
    /// nothing beside one that compiles the module, so it takes no slot: a scenario that holds one may start it.
    pub fn bare(configuration: &Value) -> Self {
        let directory = Directory::new();
        let file = directory.path.join("envoy.yaml");
        std::fs::write(&file, configuration.to_string()).expect("writes the configuration");
        Self::run(directory, &file, 1, &[], None).unwrap_or_else(|refused| panic!("refused:\n{}", refused.log))
    }

    fn run(
        directory: Directory,
        configuration: &Path,
        workers: u32,
        environment: &[(&str, &str)],
        slot: Option<Slot>,
    ) -> Result<Self, Refused> {
        let admin_file = directory.path.join("admin");
        let mut command = Command::new(binary());
        command
            .arg("--config-path")
            .arg(configuration)
            .arg("--admin-address-path")
            .arg(&admin_file)
            .args(["--concurrency", &workers.to_string()])
            .args(["--file-flush-interval-msec", "20"])
            .args(["--disable-hot-restart", "--log-level", "warning", "--component-log-level", "wasm:info"])
            .current_dir(&directory.path)
            .envs(environment.iter().copied());
        let mut process = Process::start(command);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut admin: Option<SocketAddr> = None;
        loop {
            if process.child.try_wait().expect("its state").is_some() {
                return Err(Refused { log: process.last_words() });
            }
            assert!(Instant::now() < deadline, "Envoy is not ready after a minute:\n{}", process.stderr.text());
            if admin.is_none() {
                admin = std::fs::read_to_string(&admin_file).ok().and_then(|text| text.trim().parse().ok());
            }
            if let Some(admin) = admin
                && page(admin, "/ready").is_some()
                && let Some(address) = listener_address(admin)
            {
                return Ok(Self { address, admin, process, directory, _slot: slot });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The directory of its files.
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// Everything on its standard error so far.
    pub fn log(&self) -> String {
        self.process.stderr.text()
    }

    /// The access log's lines so far, once there are as many as asked for.
    #[track_caller]
    pub fn access_log(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} access log lines"), || {
            let lines: Vec<Value> = self
                .process
                .stdout
                .lines()
                .iter()
                .filter(|line| !line.starts_with(AUDIT_LINE))
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// The audit lines so far.
    pub fn audits(&self) -> Vec<Value> {
        self.process
            .stdout
            .lines()
            .iter()
            .filter(|line| line.starts_with(AUDIT_LINE))
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
            .collect()
    }

    /// The audit lines, once there are as many as asked for; fails if there are more.
    #[track_caller]
    pub fn audited(&self, count: usize) -> Vec<Value> {
        let found =
            eventually(&format!("{count} audit lines"), || Some(self.audits()).filter(|audits| audits.len() >= count));
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }

    /// The only audit line.
    #[track_caller]
    pub fn audit(&self) -> Value {
        self.audited(1).remove(0)
    }

    /// Every sample of `/stats/prometheus`.
    pub fn metrics(&self) -> Vec<Sample> {
        let text = Request::new("GET", "/stats/prometheus").send(self.admin).text();
        text.lines().filter(|line| !line.starts_with('#')).filter_map(Sample::parse).collect()
    }

    /// The sum of all samples of one name that carry these labels.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().iter().filter(|sample| sample.name == name && sample.carries(labels)).map(|one| one.value).sum()
    }

    /// Waits until the sum of a metric's samples is this.
    #[track_caller]
    pub fn expect_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        eventually(&format!("{name} {labels:?} is {value}, now {}", self.metric(name, labels)), || {
            (self.metric(name, labels) == value).then_some(())
        });
    }

    /// The sum of Envoy's own counters and gauges whose names end like this.
    pub fn stat_ending(&self, end: &str) -> u64 {
        let text = Request::new("GET", "/stats").send(self.admin).text();
        text.lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.ends_with(end))
            .map(|(_, value)| value.parse::<u64>().unwrap_or_default())
            .sum()
    }

    /// Fails if the module trapped or Envoy complained about it.
    #[track_caller]
    pub fn expect_no_trap(&self) {
        let log = self.log();
        for sign in ["panicked at", "wasm trap", "Function: proxy_", "unreachable"] {
            assert!(!log.contains(sign), "{sign:?} in Envoy's log:\n{log}");
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Envoy's log\n{}\n--- end of Envoy's log", self.log());
        }
    }
}

impl Setup<'_> {
    /// Writes the configuration file and returns where it is.
    fn render(&self, directory: &Directory) -> PathBuf {
        let policy = directory.path.join("policy.json");
        std::fs::write(&policy, self.policy.to_string()).expect("writes the policy");
        // Histograms show up with the next flush, every five seconds by default.
        let text = format!("{}\nstats_flush_interval: 0.2s\n", render(&policy, self.failover));
        let configuration = directory.path.join("envoy.yaml");
        std::fs::write(&configuration, (self.edit)(&directory.path, text)).expect("writes the configuration");
        configuration
    }
}

/// What `weir render envoy` writes for a policy file.
pub fn render(policy: &Path, failover: Failover) -> String {
    let rendered = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["render", "envoy"])
        .arg(policy)
        .args(["--access-log", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--wasm"])
        .arg(module())
        .args(["--failover", if failover == Failover::Refresh { "refresh" } else { "loop" }])
        .output()
        .expect("weir render runs");
    assert!(rendered.status.success(), "weir render: {}", String::from_utf8_lossy(&rendered.stderr));
    String::from_utf8(rendered.stdout).expect("text")
}

/// One sample of `/stats/prometheus`.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels
            .trim_end_matches('}')
            .split("\",")
            .filter_map(|label| label.split_once("=\""))
            .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
            .collect();
        Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
    }

    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn carries(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.label(name) == Some(value))
    }
}

/// An admin page; `None` while Envoy does not answer.
fn page(admin: SocketAddr, path: &str) -> Option<Response> {
    Request::new("GET", path).try_send(admin).filter(|answer| answer.status == 200 && answer.clean_end)
}

/// Where the listener called `weir` listens.
fn listener_address(admin: SocketAddr) -> Option<SocketAddr> {
    let listeners: Value = serde_json::from_slice(&page(admin, "/listeners?format=json")?.body).ok()?;
    let found = listeners["listener_statuses"].as_array()?.iter().find(|one| one["name"] == "weir")?;
    let socket = &found["local_address"]["socket_address"];
    format!("{}:{}", socket["address"].as_str()?, socket["port_value"]).parse().ok()
}

/// Envoy's binary.
fn binary() -> PathBuf {
    let path = std::env::var_os("WEIR_ENVOY").map_or_else(|| root().join(".tools/bin/envoy"), PathBuf::from);
    assert!(path.exists(), "there is no Envoy at {}: run `make setup`, or set WEIR_ENVOY", path.display());
    path
}

/// The built module.
fn module() -> PathBuf {
    let path = std::env::var_os("WEIR_WASM").map_or_else(|| root().join("target/weir.wasm"), PathBuf::from);
    assert!(path.exists(), "there is no module at {}: run `make build`", path.display());
    path
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The process with its collected output; killed when dropped.
struct Process {
    child: Child,
    stderr: Lines,
    stdout: Lines,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("Envoy does not start: {error}"));
        let (stderr, stdout) = (Lines::default(), Lines::default());
        let readers = vec![
            stderr.collect(child.stderr.take().expect("its standard error")),
            stdout.collect(child.stdout.take().expect("its standard output")),
        ];
        Self { child, stderr, stdout, readers }
    }

    /// All it said, once it has ended.
    fn last_words(&mut self) -> String {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        self.stderr.text()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines that a thread collects.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn collect(&self, from: impl Read + Send + 'static) -> std::thread::JoinHandle<()> {
        let lines = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                lock(&lines.0).push(String::from_utf8_lossy(&line).into_owned());
            }
        })
    }

    fn lines(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    fn text(&self) -> String {
        lock(&self.0).join("\n")
    }
}

/// A temporary directory, removed with this value.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("weir-e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self { path }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The right to have one Envoy running: more at once than the machine has cores for makes time limits lie.
struct Slot;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();
const MOST_AT_ONCE: usize = 4;

impl Slot {
    fn take() -> Self {
        let mut running = FREED
            .wait_while(lock(&RUNNING), |running| *running >= MOST_AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *lock(&RUNNING) -= 1;
        FREED.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
