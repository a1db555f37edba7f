//! Holds README.md and the quick start to the truth: commands print what is shown, files are what `weir render` writes,
//! snippets are parts of it. Not whether the prose reads well.
//!
//! In what README shows, `…` stands for any text within a line, and a line of its own for any number of lines.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

const ANY: &str = "…";
const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// A command that a document shows, and the lines that follow it.
#[derive(Debug)]
struct Shown {
    command: String,
    output: Vec<String>,
}

#[test]
fn commands_print_what_readme_shows() {
    let shown: Vec<Shown> = commands("README.md").into_iter().filter(|one| !needs_the_demo(one)).collect();
    assert!(shown.len() >= 8, "{} commands were found", shown.len());
    for one in shown.iter().filter(|one| one.command != "make test") {
        assert_shows(one, &run(&one.command));
    }
}

/// `make run` is the demo after a build; here the demo alone, with the program and the module under test.
#[test]
fn make_run_shows_its_samples_and_answers_the_commands_after_it() {
    let shown: Vec<Shown> = commands("README.md").into_iter().filter(needs_the_demo).collect();
    assert!(shown.len() >= 4 && shown[0].command == "make run", "{shown:#?}");
    let mut demo = Demo::start();
    let said = demo.read_until("Ctrl-C ends it.");
    assert_shows(&shown[0], &said);
    for one in &shown[1..] {
        assert_shows(one, &run(&demo.moved(&one.command)));
    }
    assert!(demo.interrupt().success());
}

#[test]
fn the_quick_start_configuration_is_what_weir_renders() {
    let rendered = run("weir render envoy envoy/policy.yaml");
    let written = lines(&read("envoy/envoy.yaml"));
    assert!(rendered == written, "envoy/envoy.yaml is stale: weir render envoy envoy/policy.yaml -o envoy/envoy.yaml");
}

#[test]
fn the_quick_start_holds_no_key_of_a_provider() {
    let policy: serde_json::Value = serde_yaml_ng::from_str(&read("envoy/policy.yaml")).unwrap();
    for provider in policy["providers"].as_object().unwrap().values() {
        assert!(provider["key"].as_str().unwrap().starts_with("${"), "{provider}");
        assert!(provider["endpoint"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{provider}");
    }
}

#[test]
fn the_policy_in_readme_is_the_quick_starts() {
    let shown = blocks(&read("README.md"), "yaml").remove(0);
    assert_matches("README.md", &bare(&shown), &bare(&lines(&read("envoy/policy.yaml"))));
}

#[test]
fn snippets_are_parts_of_what_weir_renders() {
    let designs = ["refresh", "loop"]
        .map(|design| bare(&run(&format!("weir render envoy envoy/policy.yaml --failover {design}"))));
    let snippets = blocks(&read("envoy/README.md"), "yaml");
    let rendered: Vec<_> = snippets.iter().filter(|snippet| snippet[0] != "# yours").collect();
    assert!(rendered.len() >= 4, "{} snippets were found", rendered.len());
    for snippet in rendered {
        let mut part = vec![ANY.to_owned()];
        part.extend(bare(snippet).iter().map(|line| line.trim().to_owned()));
        part.push(ANY.to_owned());
        let is_part = |whole: &Vec<String>| {
            let whole: Vec<String> = whole.iter().map(|line| line.trim().to_owned()).collect();
            matches(&part, &whole)
        };
        assert!(designs.iter().any(is_part), "no design has this:\n{}", snippet.join("\n"));
    }
}

#[test]
fn every_path_of_the_guide_exists() {
    let text = read("envoy/README.md");
    let inside = text.split('`').skip(1).step_by(2);
    for path in inside.filter(|word| word.ends_with(".yaml") && !word.contains([' ', '/'])) {
        assert!(root().join("envoy").join(path).exists(), "{path}");
    }
}

#[test]
fn a_changed_line_is_noticed_and_a_wildcard_is_not() {
    let said = lines("one\ntwo 17 three\nfour\nfive\n");
    for shown in ["one\ntwo … three\nfour\nfive", "…\nfive", "one\n…", "…", "one\n…\nfo…r\n…\nfive"] {
        assert!(matches(&lines(shown), &said), "{shown}");
    }
    for shown in ["one\nfour\nfive", "one\n…\nfour", "two … three\nfour\nfive", "one\ntwo … tree\nfour\nfive", ""]
    {
        assert!(!matches(&lines(shown), &said), "{shown}");
    }
}

// ---- what documents show ----

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<Vec<String>> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| lines(rest.split("\n```").next().unwrap())).collect()
}

fn commands(path: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for block in blocks(&read(path), "console") {
        assert!(block[0].starts_with("$ "), "{path}: a console block begins with {:?}", block[0]);
        for line in block {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(Shown { command: command.to_owned(), output: Vec::new() }),
                None => found.last_mut().unwrap().output.push(line),
            }
        }
    }
    found
}

fn needs_the_demo(shown: &Shown) -> bool {
    shown.command == "make run" || ["localhost:", "target/demo/"].iter().any(|word| shown.command.contains(word))
}

/// YAML without comments and empty lines.
fn bare(yaml: &[String]) -> Vec<String> {
    let code = yaml.iter().map(|line| line.split(" # ").next().unwrap().trim_end().to_owned());
    code.filter(|line| !line.is_empty() && !line.trim_start().starts_with('#')).collect()
}

// ---- comparing ----

fn assert_shows(shown: &Shown, said: &[String]) {
    assert_matches(&format!("$ {}", shown.command), &shown.output, said);
}

fn assert_matches(what: &str, shown: &[String], said: &[String]) {
    assert!(matches(shown, said), "{what}\n--- shown:\n{}\n--- said:\n{}\n", shown.join("\n"), said.join("\n"));
}

fn matches(shown: &[String], said: &[String]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((first, rest)) if first == ANY => (0..=said.len()).any(|skipped| matches(rest, &said[skipped..])),
        Some((first, rest)) => {
            said.split_first().is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others))
        }
    }
}

fn line_matches(shown: &str, said: &str) -> bool {
    let pieces: Vec<&str> = shown.split(ANY).collect();
    let (Some((first, others)), true) = (pieces.split_first(), pieces.len() > 1) else { return shown == said };
    let (last, middle) = others.split_last().unwrap();
    let Some(mut left) = said.strip_prefix(first) else { return false };
    for piece in middle {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

// ---- running ----

/// What a command prints, both streams, with the program under test found as `weir`.
fn run(command: &str) -> Vec<String> {
    let folder = Path::new(WEIR).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(root())
        .env("PATH", path)
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .expect("bash runs");
    lines(&String::from_utf8(output.stdout).unwrap())
}

/// A demo that stays up, on ports and in a folder of its own.
struct Demo {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    port: u16,
    admin: u16,
    folder: PathBuf,
}

impl Demo {
    fn start() -> Self {
        let wanted =
            [("WEIR_ENVOY", ".tools/bin/envoy", "make setup"), ("WEIR_WASM", "target/weir.wasm", "make build")];
        for (variable, usual, mend) in wanted {
            let path = std::env::var_os(variable).map_or_else(|| root().join(usual), PathBuf::from);
            assert!(path.exists(), "{} is missing; make it: {mend}", path.display());
        }
        let [port, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()).map(free_port);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme-demo");
        let mut process = Command::new("python3")
            .args([".ci/demo.py", "--stay"])
            .current_dir(root())
            .env("WEIR_PROGRAM", WEIR)
            .env("WEIR_PORT", port.to_string())
            .env("WEIR_ADMIN_PORT", admin.to_string())
            .env("WEIR_WORK", &folder)
            .env_remove("WEIR_POLICY")
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output, port, admin, folder }
    }

    /// What it says up to and with a line, as if its ports and folder were the usual ones.
    fn read_until(&mut self, end: &str) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the demo ended early:\n{}", said.join("\n"));
            let line = line
                .trim_end()
                .replace(&format!("127.0.0.1:{}", self.port), "127.0.0.1:10000")
                .replace(&self.folder_as_told(), "target/demo");
            said.push(line);
            if said.last().is_some_and(|line| line == end) {
                return said;
            }
        }
    }

    /// A command of README for this demo.
    fn moved(&self, command: &str) -> String {
        command
            .replace("localhost:10000", &format!("localhost:{}", self.port))
            .replace("localhost:9901", &format!("localhost:{}", self.admin))
            .replace("target/demo", &self.folder.display().to_string())
    }

    fn folder_as_told(&self) -> String {
        self.folder.strip_prefix(root()).unwrap_or(&self.folder).display().to_string()
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(&mut self) -> ExitStatus {
        self.signal("-INT");
        self.process.wait().unwrap()
    }

    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A process that has been waited for has no number any more: only one that still runs may be signalled.
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("-TERM");
            let _ = self.process.wait();
        }
    }
}

fn free_port(listener: TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}
