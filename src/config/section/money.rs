//! `budgets`, `limits` and `cluster_limits`: checked in shape, not built yet.

use crate::config::reader::{Fields, Node, check_plain_name, quoted};
use crate::config::report::{Kind, Report};
use crate::config::suggest;

const BUDGET_FIELDS: [&str; 8] = ["name", "for", "per", "usd", "tokens", "requests", "on_exceed", "glide"];
const LIMIT_FIELDS: [&str; 4] = ["for", "requests_per_minute", "tokens_per_minute", "concurrent"];
const PERIODS: [(&str, ()); 5] = [("minute", ()), ("hour", ()), ("day", ()), ("week", ()), ("month", ())];

/// What `for` may begin with, and which names may follow.
const SUBJECTS: [(&str, Option<Kind>); 6] = [
    ("team", Some(Kind::Team)),
    ("key", Some(Kind::Key)),
    ("model", Some(Kind::Model)),
    ("provider", Some(Kind::Provider)),
    ("tag", None),
    ("user", None),
];

/// Checks `budgets`.
pub fn read_budgets(section: &Node<'_>, report: &mut Report) {
    let mut names: Vec<&str> = Vec::new();
    for node in section.items(report) {
        let fields = node.fields(&BUDGET_FIELDS, report);
        if let Some(name) = fields.need("name", "write what metrics and messages shall call it", report)
            && let Some(text) = name.text(report)
        {
            check_plain_name(&name.path, text, report);
            names.push(text);
        }
        read_subject(&fields, report);
        if let Some(per) = fields.need("per", "write one of minute, hour, day, week, month", report) {
            per.choice(&PERIODS, report);
        }
        if fields.lacks_all(&["usd", "tokens", "requests"]) {
            report.problem(&node.path, "must say how much: `usd`, `tokens` or `requests`");
        }
        if let Some(usd) = fields.get("usd") {
            usd.money(report);
        }
        read_counts(&fields, &["tokens", "requests"], report);
        if let Some(on_exceed) = fields.get("on_exceed") {
            on_exceed.choice(&[("reject", ()), ("downgrade", ()), ("warn", ())], report);
        }
        if let Some(glide) = fields.get("glide") {
            glide.flag(report);
        }
    }
    names.sort_unstable();
    for name in names.windows(2).filter_map(|pair| pair.first().filter(|first| pair.last() == Some(first))) {
        report.problem(&section.path, format!("two budgets are called {}; rename one", quoted(name)));
    }
    if !section.is_hollow() {
        report.unsupported(&section.path, "budgets");
    }
}

/// Checks `limits`.
pub fn read_limits(section: &Node<'_>, report: &mut Report) {
    for node in section.items(report) {
        let fields = node.fields(&LIMIT_FIELDS, report);
        read_subject(&fields, report);
        let counts = ["requests_per_minute", "tokens_per_minute", "concurrent"];
        if fields.lacks_all(&counts) {
            report.problem(&node.path, format!("must say how much: one of {}", counts.join(", ")));
        }
        read_counts(&fields, &counts, report);
    }
    if !section.is_hollow() {
        report.unsupported(&section.path, "limits");
    }
}

/// Checks `cluster_limits`.
pub fn read_cluster(section: &Node<'_>, report: &mut Report) {
    let fields = section.fields(&["rate_limit_service", "domain"], report);
    let service = fields.need("rate_limit_service", "write the cluster of Envoy's rate limit service", report);
    for node in [service, fields.get("domain")].into_iter().flatten() {
        node.text(report);
    }
    report.unsupported(&section.path, "cluster_limits");
}

fn read_counts(fields: &Fields<'_>, names: &[&str], report: &mut Report) {
    for node in names.iter().filter_map(|name| fields.get(name)) {
        node.whole(1..=u64::MAX, report);
    }
}

fn read_subject(fields: &Fields<'_>, report: &mut Report) {
    let Some(node) = fields.need("for", "write whom it binds, as \"team:growth\", \"key:*\" or \"all\"", report) else {
        return;
    };
    let Some(text) = node.text(report) else { return };
    if text == "all" {
        return;
    }
    let Some((subject, name)) = text.split_once(':').filter(|(_, name)| !name.is_empty()) else {
        report.problem(
            &node.path,
            format!("must be \"all\" or a kind and a name, as \"team:growth\", found {}", quoted(text)),
        );
        return;
    };
    match SUBJECTS.iter().find(|(known, _)| *known == subject) {
        Some((_, Some(kind))) => report.mention(&node.path, *kind, name),
        Some((_, None)) => {}
        None => {
            let known = SUBJECTS.map(|(known, _)| known);
            let meant = suggest::closest(subject, known).map(|meant| format!("; did you mean \"{meant}\"?"));
            let rule = format!("must begin with one of {}", known.join(", "));
            report.problem(&node.path, format!("{rule}, found {}{}", quoted(subject), meant.unwrap_or_default()));
        }
    }
}
