//! Holds the architecture: the floors and their one-way arrows, no circles, the SDK in one room, names, the module's
//! dependencies, and that README points at things that exist. It reads source text; it is no Rust parser.
//!
//! Every rule is a function over text, and is shown to fail on a planted violation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms and their floors. A file may use its own room or a room of a lower floor.
const FLOORS: [(&str, u8); 13] = [
    ("chat", 1),
    ("error", 1),
    ("host", 1),
    ("http", 1),
    ("codec", 2),
    ("config", 2),
    ("policy", 3),
    ("guard", 3),
    ("ledger", 4),
    ("telemetry", 4),
    ("gateway", 5),
    ("filter", 6),
    ("bin", 6),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "common", "helpers", "types", "consts", "manager"];

/// What the module may depend on; each one's size is paid for by every proxy that loads it.
const MODULE_DEPENDENCIES: [&str; 7] = ["proxy-wasm", "log", "memchr", "serde", "serde_json", "sha2", "subtle"];

/// The folders at the top whose paths README may name; `target/` and `.tools/` are made, not kept.
const TOP: [&str; 7] = ["src/", "envoy/", "tests/", "benches/", "fuzz/", ".ci/", "data/"];

/// One source file: its path from the package's root, and its text.
struct Source {
    path: String,
    text: String,
}

/// One path that a file names: `crate::chat::money::Money` is `["chat", "money", "Money"]`.
#[derive(Debug, PartialEq)]
struct Reference {
    path: Vec<String>,
    glob: bool,
    in_test: bool,
}

#[test]
fn files_use_their_own_room_or_a_lower_floor() {
    assert_none(sources().iter().flat_map(upward_arrows));
}

#[test]
fn no_two_files_need_each_other() {
    assert_none(circles(&sources()));
}

#[test]
fn only_the_filter_knows_the_sdk_and_one_file_is_unsafe() {
    assert_none(sources().iter().flat_map(foreign_words));
}

#[test]
fn every_file_says_what_it_is_and_has_a_telling_name() {
    assert_none(sources().iter().flat_map(unnamed));
}

#[test]
fn imports_are_by_name() {
    assert_none(sources().iter().flat_map(globs));
}

#[test]
fn the_module_depends_on_little() {
    assert_none(heavy_dependencies(&read("Cargo.toml")));
}

#[test]
fn every_path_in_readme_exists() {
    assert_none(missing_paths(&read("README.md"), |path| root().join(path).exists()));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn assert_none(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{} violations:\n  {}", violations.len(), violations.join("\n  "));
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<Source>) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a text");
                let path = path.strip_prefix(root()).expect("a path inside").to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 10, "the sources were not found");
    found
}

// ---- the rules ----

fn upward_arrows(source: &Source) -> Vec<String> {
    let Some(room) = room(&source.path) else {
        return Vec::new();
    };
    let Some(floor) = floor_of(room) else {
        return vec![format!("{}: the room \"{room}\" is on no floor", source.path)];
    };
    let mut wrong = Vec::new();
    for reference in references(source) {
        let Some(used) = reference.path.first().filter(|used| *used != room) else {
            continue;
        };
        if floor_of(used).is_some_and(|other| other >= floor) {
            wrong.push(format!(
                "{}: {room} (floor {floor}) uses {} (floor {})",
                source.path,
                reference.path.join("::"),
                floor_of(used).unwrap_or_default()
            ));
        }
    }
    wrong
}

/// Chains of files in which the last uses the first. Tests inside a file do not count, nor arrows within `machine`.
fn circles(sources: &[Source]) -> Vec<String> {
    let by_module: BTreeMap<Vec<String>, &str> =
        sources.iter().map(|source| (module_of(&source.path), source.path.as_str())).collect();
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        for reference in references(source).iter().filter(|reference| !reference.in_test) {
            let file = (1..=reference.path.len()).rev().find_map(|length| by_module.get(&reference.path[..length]));
            if let Some(file) = file.filter(|file| **file != source.path) {
                arrows.entry(&source.path).or_default().insert(file);
            }
        }
    }
    let mut found = Vec::new();
    let mut done = BTreeSet::new();
    for start in arrows.keys() {
        follow(start, &arrows, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn follow<'a>(
    file: &'a str,
    arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    chain: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<String>,
) {
    if let Some(from) = chain.iter().position(|earlier| *earlier == file) {
        found.push(format!("{} -> {file}", chain[from..].join(" -> ")));
        return;
    }
    if !done.insert(file) {
        return;
    }
    chain.push(file);
    for next in arrows.get(file).into_iter().flatten() {
        if chain.contains(next) || !done.contains(next) {
            follow(next, arrows, chain, done, found);
        }
    }
    chain.pop();
}

fn foreign_words(source: &Source) -> Vec<String> {
    let words = tokens(&source.text);
    let in_filter = source.path.starts_with("src/filter/");
    let mut wrong = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let foreign_import = word == "extern" && words.get(index + 1).is_some_and(|next| next == "\"");
        if word == "proxy_wasm" && !in_filter {
            wrong.push(format!("{}: names proxy_wasm outside src/filter/", source.path));
        }
        if foreign_import && !in_filter {
            wrong.push(format!("{}: declares an extern \"C\" outside src/filter/", source.path));
        }
        if word == "unsafe" && source.path != "src/filter/abi.rs" {
            wrong.push(format!("{}: is unsafe, which src/filter/abi.rs alone may be", source.path));
        }
    }
    wrong
}

fn unnamed(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    if !source.text.starts_with("//! ") {
        wrong.push(format!("{}: does not open with //! and what it is", source.path));
    }
    let names = source.path.trim_end_matches(".rs").split('/');
    for name in names.filter(|name| EMPTY_NAMES.contains(name)) {
        wrong.push(format!("{}: \"{name}\" says nothing about what is inside", source.path));
    }
    wrong
}

fn globs(source: &Source) -> Vec<String> {
    let outside_tests = references(source).into_iter().filter(|reference| reference.glob && !reference.in_test);
    outside_tests.map(|reference| format!("{}: imports {}::*", source.path, reference.path.join("::"))).collect()
}

/// What `manifest` gives to the module beyond the allow-list. Tables of other targets must be the native program's.
fn heavy_dependencies(manifest: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut reaches_module = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            let native = line.contains("cfg(not(target_family = \"wasm\"))");
            let single = line.trim_end_matches(']').split_once("dependencies.").map(|(_, name)| name);
            let table = line.ends_with("dependencies]") || single.is_some();
            reaches_module = table && !native && !line.contains("dev-") && !line.contains("build-");
            if let Some(name) = single.filter(|name| reaches_module && !MODULE_DEPENDENCIES.contains(name)) {
                wrong.push(format!("Cargo.toml: \"{name}\" would reach the module"));
            }
            reaches_module &= single.is_none();
        } else if let Some(name) = line.split(['=', '.']).next().map(str::trim).filter(|_| reaches_module) {
            let named = !name.is_empty() && !name.starts_with('#');
            if named && !MODULE_DEPENDENCIES.contains(&name) {
                wrong.push(format!("Cargo.toml: \"{name}\" would reach the module"));
            }
        }
    }
    wrong
}

/// Paths that `text` names, in prose, code or links, and that do not exist.
fn missing_paths(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "._-/#:".contains(character);
    let words = text.split(|character| !is_part(character)).map(|word| word.trim_start_matches("./"));
    let mut links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    links.retain(|link| !link.contains("://") && !link.starts_with('#'));
    let named = words.filter(|word| TOP.iter().any(|top| word.starts_with(top)));
    let mut wrong = BTreeSet::new();
    for path in named.chain(links) {
        let path = path.split(['#', ':']).next().unwrap_or_default().trim_end_matches('.');
        if !exists(path) {
            wrong.insert(format!("README.md names {path}, which does not exist"));
        }
    }
    wrong.into_iter().collect()
}

// ---- reading Rust ----

/// The room of a source file; `None` for `src/lib.rs`, which belongs to all.
fn room(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then_some(room)
}

/// The floor of a room; a path whose first part is no room is an item of the crate's root, which has none.
fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The module path of a file. The native program's files stand under `bin`, its `main.rs` being their root.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let inner = inner.replace("bin/weir/", "bin/");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "main" || last == "lib") {
        parts.pop();
    }
    parts
}

/// Every path of this package that a file names.
fn references(source: &Source) -> Vec<Reference> {
    let words = tokens(&source.text);
    let home = module_of(&source.path);
    let in_program = room(&source.path) == Some("bin");
    let crate_root = if in_program { vec!["bin".to_owned()] } else { Vec::new() };
    let children: BTreeSet<&str> =
        words.windows(3).filter(|three| three[0] == "mod" && three[2] == ";").map(|three| three[1].as_str()).collect();

    let mut found = Vec::new();
    // One entry for each open brace: the inline module it opens, if it does, and whether it is test code.
    let mut scopes: Vec<(Option<String>, bool)> = Vec::new();
    let mut pending: (Option<String>, bool) = (None, false);
    let mut index = 0;
    while index < words.len() {
        let word = words[index].as_str();
        let next = words.get(index + 1).map(String::as_str);
        let starts_path = next == Some("::") && (index == 0 || words[index - 1] != "::");
        match word {
            "mod" => pending.0 = next.map(str::to_owned),
            "cfg" if next == Some("(") => {
                let attribute = words[index..].iter().take_while(|word| *word != "]");
                let attribute: Vec<&str> = attribute.map(String::as_str).collect();
                pending.1 |= attribute.contains(&"test") && !attribute.contains(&"not");
            }
            "{" => scopes.push((pending.0.take(), std::mem::take(&mut pending.1))),
            "}" => drop(scopes.pop()),
            ";" => pending = (None, false),
            _ => {}
        }
        if starts_path {
            let mut here = home.clone();
            here.extend(scopes.iter().filter_map(|(module, _)| module.clone()));
            let base = match word {
                "crate" => Some(crate_root.clone()),
                "self" => Some(here),
                "weir" if in_program => Some(Vec::new()),
                "super" => {
                    here.pop();
                    while words.get(index + 2).is_some_and(|word| word == "super") {
                        here.pop();
                        index += 2;
                    }
                    Some(here)
                }
                child if children.contains(child) => {
                    here.push(child.to_owned());
                    Some(here)
                }
                _ => None,
            };
            if let Some(base) = base {
                let in_test = pending.1 || scopes.iter().any(|(_, test)| *test);
                index = read_path(&words, index + 1, base, in_test, &mut found);
                continue;
            }
        }
        index += 1;
    }
    found
}

/// Reads what follows a path's beginning, from the `::` at `index`; groups become one reference each.
fn read_path(
    words: &[String],
    mut index: usize,
    mut path: Vec<String>,
    in_test: bool,
    found: &mut Vec<Reference>,
) -> usize {
    while words.get(index).is_some_and(|word| word == "::") {
        index += 1;
        match words.get(index).map(String::as_str) {
            Some("{") => {
                index += 1;
                while words.get(index).is_some_and(|word| word != "}") {
                    let first = &words[index];
                    let mut inner = path.clone();
                    match first.as_str() {
                        "*" => found.push(Reference { path: inner.clone(), glob: true, in_test }),
                        "self" | "," => {}
                        name => inner.push(name.to_owned()),
                    }
                    let separator = first == "," || first == "*";
                    index = if separator { index + 1 } else { read_path(words, index + 1, inner, in_test, found) };
                    if words.get(index).is_some_and(|word| word == "as") {
                        index += 2;
                    }
                }
                return index + 1;
            }
            Some("*") => {
                found.push(Reference { path, glob: true, in_test });
                return index + 1;
            }
            Some(name) if is_name(name) => path.push(name.to_owned()),
            _ => break,
        }
        index += 1;
    }
    found.push(Reference { path, glob: false, in_test });
    index
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The words and signs of Rust text without comments; a string or character literal is one `"`.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        let here = chars[index];
        if here == '/' && at(index + 1) == '/' {
            while index < chars.len() && chars[index] != '\n' {
                index += 1;
            }
        } else if here == '/' && at(index + 1) == '*' {
            index = end_of_block_comment(&chars, index);
        } else if let Some(end) = end_of_raw_string(&chars, index) {
            found.push("\"".to_owned());
            index = end;
        } else if here == '"' || (here == 'b' && at(index + 1) == '"') {
            index += if here == 'b' { 2 } else { 1 };
            while index < chars.len() && chars[index] != '"' {
                index += if chars[index] == '\\' { 2 } else { 1 };
            }
            found.push("\"".to_owned());
            index += 1;
        } else if here == '\'' && at(index + 1) == '\\' {
            index += 3;
            while index < chars.len() && chars[index] != '\'' {
                index += 1;
            }
            index += 1;
        } else if here == '\'' && at(index + 2) == '\'' {
            index += 3;
        } else if here.is_alphanumeric() || here == '_' {
            let start = index;
            while at(index).is_alphanumeric() || at(index) == '_' {
                index += 1;
            }
            found.push(chars[start..index].iter().collect());
        } else if here == ':' && at(index + 1) == ':' {
            found.push("::".to_owned());
            index += 2;
        } else {
            if !here.is_whitespace() {
                found.push(here.to_string());
            }
            index += 1;
        }
    }
    found
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0usize;
    let mut index = start;
    while index + 1 < chars.len() {
        match (chars[index], chars[index + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            return index;
        }
    }
    chars.len()
}

/// Where the raw string that begins at `start` ends, if one begins there.
fn end_of_raw_string(chars: &[char], start: usize) -> Option<usize> {
    let before = start.checked_sub(1).map_or(' ', |index| chars[index]);
    let marker = if chars[start] == 'b' { start + 1 } else { start };
    if before.is_alphanumeric() || before == '_' || chars.get(marker) != Some(&'r') {
        return None;
    }
    let hashes = chars[marker + 1..].iter().take_while(|hash| **hash == '#').count();
    let open = marker + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |end: &usize| {
        chars[*end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |end| end + 1 + hashes))
}

// ---- planted violations: each rule can fail ----

fn planted(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn an_upward_arrow_is_found_however_it_is_written() {
    for text in [
        "use crate::gateway::Exchange;",
        "use crate::{chat::money::Money, gateway::{self, Exchange}};",
        "fn f() { crate::gateway::run() }",
        "use super::super::gateway;\nuse super::super::gateway::Exchange;",
        "mod tests { use super::super::super::gateway::Exchange; }",
        "use crate::config::policy::Policy;",
    ] {
        assert!(!upward_arrows(&planted("src/codec/openai.rs", text)).is_empty(), "{text}");
    }
    for text in [
        "use crate::chat::money::Money;",
        "use super::sse::Event;",
        "use crate::codec::sse::Event;",
        "// use crate::gateway::Exchange;",
        "const NAME: &str = \"crate::gateway::Exchange\";",
        "const NAME: &str = r#\"\"crate::gateway::Exchange\"#;",
        "mod tests { use super::super::sse::Event; }",
    ] {
        assert_eq!(upward_arrows(&planted("src/codec/openai.rs", text)), Vec::<String>::new(), "{text}");
    }
    assert!(!upward_arrows(&planted("src/bin/weir/check.rs", "use weir::filter::root;")).is_empty());
    assert!(upward_arrows(&planted("src/bin/weir/check.rs", "use weir::telemetry::metric::ALL;")).is_empty());
    assert!(upward_arrows(&planted("src/bin/weir/check.rs", "use crate::policy_file::read;")).is_empty());
    assert!(!upward_arrows(&planted("src/cellar/wine.rs", "")).is_empty());
}

#[test]
fn a_circle_is_found_and_a_registry_is_none() {
    let knot = [
        planted("src/codec/mod.rs", "mod openai; use openai::decode; pub trait Codec {}"),
        planted("src/codec/openai.rs", "use super::Codec;"),
    ];
    assert_eq!(circles(&knot).len(), 1);
    let ring = [
        planted("src/policy/a.rs", "use super::b::B;"),
        planted("src/policy/b.rs", "use crate::policy::{c::{self, C}};"),
        planted("src/policy/c.rs", "use crate::policy::a::A;"),
    ];
    assert_eq!(circles(&ring).len(), 1);
    let tree = [
        planted("src/codec/mod.rs", "pub mod openai; pub mod registry; pub trait Codec {}"),
        planted("src/codec/openai.rs", "use super::Codec; #[cfg(test)] mod tests { use crate::codec::registry::all; }"),
        planted("src/codec/registry.rs", "use super::{Codec, openai::OpenAi};"),
    ];
    assert_eq!(circles(&tree), Vec::<String>::new());
}

#[test]
fn the_sdk_and_unsafe_are_found_outside_their_place() {
    for (path, text) in [
        ("src/gateway/exchange.rs", "use proxy_wasm::hostcalls;"),
        ("src/gateway/exchange.rs", "extern \"C\" { fn f(); }"),
        ("src/filter/root.rs", "unsafe { f() }"),
    ] {
        assert!(!foreign_words(&planted(path, text)).is_empty(), "{text}");
    }
    assert!(foreign_words(&planted("src/filter/abi.rs", "unsafe extern \"C\" { fn f(); }")).is_empty());
    assert!(foreign_words(&planted("src/host.rs", "/* unsafe /* proxy_wasm */ */ fn f() { '\\''; }")).is_empty());
}

#[test]
fn a_silent_file_an_empty_name_and_a_glob_are_found() {
    assert!(!unnamed(&planted("src/host.rs", "use std::fmt;")).is_empty());
    assert!(!unnamed(&planted("src/codec/utils.rs", "//! Things.")).is_empty());
    assert!(!globs(&planted("src/codec/sse.rs", "use crate::chat::*;")).is_empty());
    assert!(!globs(&planted("src/codec/sse.rs", "use crate::chat::{money::*, head};")).is_empty());
    assert!(globs(&planted("src/codec/sse.rs", "#[cfg(test)] mod tests { use super::*; }")).is_empty());
    assert!(globs(&planted("src/codec/sse.rs", "fn f() -> u8 { self::A * 2 }")).is_empty());
}

#[test]
fn a_heavy_dependency_is_found() {
    for manifest in [
        "[dependencies]\ntokio = \"1\"",
        "[dependencies.tokio]\nversion = \"1\"",
        "[target.'cfg(not(target_os = \"unknown\"))'.dependencies]\ntokio = { version = \"1\" }",
        "[target.'cfg(unix)'.dependencies]\ntokio.version = \"1\"",
    ] {
        assert_eq!(heavy_dependencies(manifest).len(), 1, "{manifest}");
    }
    for manifest in [
        "[dependencies]\n# why\nserde = \"1\"\n\n[features]\ntokio = []",
        "[target.'cfg(not(target_family = \"wasm\"))'.dependencies]\ntokio = \"1\"",
        "[dev-dependencies]\nproptest = \"1\"\n[build-dependencies]\nserde_json = \"1\"",
    ] {
        assert_eq!(heavy_dependencies(manifest), Vec::<String>::new(), "{manifest}");
    }
}

#[test]
fn a_path_that_readme_makes_up_is_found() {
    let text = "See [the bench](benches/proxy.rs), `src/lib.rs`, envoy/gone.yaml. Ask for openai/gpt-5 at \
                [home](https://example.org/src/x) or [below](#below); look at src/lib.rs:12.";
    let wrong = missing_paths(text, |path| path == "src/lib.rs" || path == "benches/proxy.rs");
    assert_eq!(wrong, ["README.md names envoy/gone.yaml, which does not exist"]);
    assert_eq!(missing_paths("[guide](guide.md)", |_| false).len(), 1);
}
