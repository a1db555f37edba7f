//! `guards` and `cache`: checked in shape, not built yet. Patterns are not compiled here.

use crate::config::reader::{Fields, Node, check_plain_name};
use crate::config::report::Report;

const FIELDS: [&str; 8] = ["name", "on", "pii", "secrets", "injection", "patterns", "call", "action"];
const FINDERS: [&str; 5] = ["pii", "secrets", "injection", "patterns", "call"];
const PII: [(&str, ()); 6] = [("email", ()), ("phone", ()), ("credit_card", ()), ("iban", ()), ("ssn", ()), ("ip", ())];
const ACTIONS: [(&str, ()); 4] = [("block", ()), ("redact", ()), ("restore", ()), ("watch", ())];

/// Checks `guards`.
pub fn read(section: &Node<'_>, report: &mut Report) {
    for node in section.items(report) {
        read_one(&node, report);
    }
    if !section.is_hollow() {
        report.unsupported(&section.path, "guards");
    }
}

fn read_one(node: &Node<'_>, report: &mut Report) {
    let fields = node.fields(&FIELDS, report);
    if let Some(name) = fields.need("name", "write what findings shall be counted under", report)
        && let Some(text) = name.text(report)
    {
        check_plain_name(&name.path, text, report);
    }
    if let Some(on) = fields.need("on", "write `[request]`, `[response]` or both", report) {
        read_words(&on, &[("request", ()), ("response", ())], report);
    }
    if let Some(action) = fields.need("action", "write one of block, redact, restore, watch", report) {
        action.choice(&ACTIONS, report);
    }
    if fields.lacks_all(&FINDERS) {
        report.problem(&node.path, format!("must say what to look for: one of {}", FINDERS.join(", ")));
    }
    read_finders(&fields, report);
}

fn read_finders(fields: &Fields<'_>, report: &mut Report) {
    if let Some(pii) = fields.get("pii") {
        read_words(&pii, &PII, report);
    }
    for flag in ["secrets", "injection"].iter().filter_map(|name| fields.get(name)) {
        flag.flag(report);
    }
    if let Some(patterns) = fields.get("patterns") {
        let written = patterns.texts(report);
        if written.is_empty() && patterns.is_hollow() {
            report.problem(&patterns.path, "must have at least one pattern");
        }
    }
    if let Some(call) = fields.get("call") {
        read_call(&call, report);
    }
}

fn read_words(node: &Node<'_>, words: &[(&str, ())], report: &mut Report) {
    let items = node.one_or_more(report);
    if items.is_empty() && node.value.is_array() {
        let known: Vec<&str> = words.iter().map(|(word, ())| *word).collect();
        report.problem(&node.path, format!("must have at least one of {}", known.join(", ")));
    }
    for item in items {
        item.choice(words, report);
    }
}

fn read_call(node: &Node<'_>, report: &mut Report) {
    let fields = node.fields(&["cluster", "path", "timeout", "on_error"], report);
    if let Some(cluster) = fields.need("cluster", "write the upstream cluster to ask", report) {
        cluster.text(report);
    }
    if let Some(path) = fields.get("path")
        && path.text(report).is_some_and(|text| !text.starts_with('/'))
    {
        report.problem(&path.path, "must begin with a slash");
    }
    if let Some(timeout) = fields.get("timeout") {
        timeout.millis(report);
    }
    if let Some(on_error) = fields.get("on_error") {
        on_error.choice(&[("allow", ()), ("block", ())], report);
    }
}

/// Checks `cache`.
pub fn read_cache(section: &Node<'_>, report: &mut Report) {
    let fields = section.fields(&["mode", "ttl", "entries", "max_entry", "scope"], report);
    let mode = fields.need("mode", "write one of off, exact, semantic", report);
    let mode =
        mode.and_then(|mode| mode.choice(&[("off", "off"), ("exact", "exact"), ("semantic", "semantic")], report));
    if let Some(ttl) = fields.get("ttl") {
        ttl.millis(report);
    }
    if let Some(entries) = fields.get("entries") {
        entries.whole(1..=1_000_000_000, report);
    }
    if let Some(largest) = fields.get("max_entry") {
        largest.bytes(report);
    }
    if let Some(scope) = fields.get("scope") {
        scope.choice(&[("team", ()), ("key", ()), ("all", ())], report);
    }
    match mode {
        None | Some("off") => {}
        Some(mode) => report.unsupported(&section.path, format_args!("cache: {mode}")),
    }
}
