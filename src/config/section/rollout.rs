//! `routes[].rollout` and `routes[].shadow`: checked in shape, not built yet.

use crate::config::reader::Node;
use crate::config::report::{Kind, Report};

const FIELDS: [&str; 5] = ["candidate", "stages", "every", "revert_when", "min_samples"];
const REVERT_FIELDS: [&str; 4] = ["error_rate", "p95_latency", "invalid_json_rate", "score_below"];

/// Checks a rollout.
pub fn read(node: &Node<'_>, report: &mut Report) {
    let fields = node.fields(&FIELDS, report);
    if let Some(candidate) = fields.need("candidate", "write the model that is to take over", report) {
        mention_model(&candidate, report);
    }
    if let Some(stages) = fields.need("stages", "write the percentages, as `stages: [10, 50, 100]`", report) {
        read_stages(&stages, report);
    }
    if let Some(every) = fields.get("every") {
        every.millis(report);
    }
    if let Some(samples) = fields.get("min_samples") {
        samples.whole(1..=1_000_000_000, report);
    }
    if let Some(revert) = fields.get("revert_when") {
        let revert = revert.fields(&REVERT_FIELDS, report);
        for rate in ["error_rate", "invalid_json_rate", "score_below"] {
            if let Some(rate) = revert.get(rate) {
                rate.number(0.0..=1.0, report);
            }
        }
        if let Some(latency) = revert.get("p95_latency") {
            latency.millis(report);
        }
    }
    report.unsupported(&node.path, "rollout");
}

fn read_stages(node: &Node<'_>, report: &mut Report) {
    let items = node.items(report);
    if items.is_empty() && node.value.is_array() {
        report.problem(&node.path, "must have at least one percentage");
    }
    let stages: Vec<u64> = items.iter().filter_map(|stage| stage.whole(1..=100, report)).collect();
    if !stages.is_sorted_by(|earlier, later| earlier < later) {
        report.problem(&node.path, "each stage must be larger than the one before it");
    }
}

/// Checks a shadow.
pub fn read_shadow(node: &Node<'_>, report: &mut Report) {
    let fields = node.fields(&["model", "percent"], report);
    if let Some(model) = fields.need("model", "write the model that gets the copy", report) {
        mention_model(&model, report);
    }
    if let Some(percent) = fields.need("percent", "write how many of a hundred requests are copied", report) {
        percent.number(0.0..=100.0, report);
    }
    report.unsupported(&node.path, "shadow");
}

fn mention_model(node: &Node<'_>, report: &mut Report) {
    if let Some(name) = node.text(report) {
        report.mention(&node.path, Kind::Model, name);
    }
}
