//! `observe` and `store`: what operators see, and what to do without shared data.

use crate::config::policy::{Audit, Explain, Label, Observe, StoreUnavailable};
use crate::config::reader::Node;
use crate::config::report::Report;

/// What `audit` may say; `None` is well-formed and not built yet.
const AUDITS: [(&str, Option<Audit>); 3] =
    [("off", Some(Audit::Off)), ("metadata", Some(Audit::Metadata)), ("content", None)];

/// What `labels` may name; `None` is well-formed and not built yet.
const LABELS: [(&str, Option<Label>); 5] = [
    ("route", Some(Label::Route)),
    ("model", Some(Label::Model)),
    ("provider", Some(Label::Provider)),
    ("task", None),
    ("team", Some(Label::Team)),
];

/// Reads `observe`.
pub fn read(section: &Node<'_>, report: &mut Report) -> Observe {
    let usual = Observe::default();
    let fields = section.fields(&["audit", "explain", "labels", "usage_export"], report);
    if let Some(export) = fields.get("usage_export")
        && export.flag(report) == Some(true)
    {
        report.unsupported(&export.path, "observe.usage_export: true");
    }
    let explain = fields.get("explain");
    let explain = explain.and_then(|node| node.choice(&[("off", Explain::Off), ("header", Explain::Header)], report));
    Observe {
        audit: fields.get("audit").and_then(|audit| read_audit(&audit, report)).unwrap_or(usual.audit),
        explain: explain.unwrap_or(usual.explain),
        labels: fields.get("labels").map_or(usual.labels, |labels| read_labels(&labels, report)),
    }
}

fn read_audit(node: &Node<'_>, report: &mut Report) -> Option<Audit> {
    let audit = node.choice(&AUDITS, report)?;
    if audit.is_none() {
        report.unsupported(&node.path, "observe.audit: content");
    }
    audit
}

fn read_labels(node: &Node<'_>, report: &mut Report) -> Vec<Label> {
    let mut labels = Vec::new();
    for item in node.one_or_more(report) {
        match item.choice(&LABELS, report) {
            Some(Some(label)) if !labels.contains(&label) => labels.push(label),
            Some(Some(_)) | None => {}
            Some(None) => report.unsupported(&item.path, "observe.labels: task"),
        }
    }
    labels
}

/// Reads `store`.
pub fn read_store(section: &Node<'_>, report: &mut Report) -> StoreUnavailable {
    let fields = section.fields(&["on_unavailable"], report);
    let choices = [("closed", StoreUnavailable::Closed), ("open", StoreUnavailable::Open)];
    fields.get("on_unavailable").and_then(|node| node.choice(&choices, report)).unwrap_or_default()
}
