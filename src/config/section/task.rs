//! `tasks` and `prompts`: checked in shape, not built yet.

use crate::config::reader::{Fields, Node, check_free_name, check_plain_name};
use crate::config::report::Report;
use crate::config::section::model;

/// Checks `tasks`.
pub fn read(section: &Node<'_>, report: &mut Report) {
    for (name, node) in section.entries(report) {
        check_plain_name(&node.path, name, report);
        let fields = node.fields(&["phrases", "quality"], report);
        if let Some(phrases) = fields.get("phrases") {
            phrases.texts(report);
        }
        if let Some(quality) = fields.get("quality") {
            model::quality(&quality, report);
        }
        report.tasks.push(name.to_owned());
    }
    if !section.is_hollow() {
        report.unsupported(&section.path, "tasks");
    }
}

/// Checks `prompts`.
pub fn read_prompts(section: &Node<'_>, report: &mut Report) {
    for (name, node) in section.entries(report) {
        check_plain_name(&node.path, name, report);
        let fields = node.fields(&["version", "system", "variants", "position"], report);
        if let Some(version) = fields.get("version") {
            version.whole(1..=u64::MAX, report);
        }
        read_system(&fields, report);
        for (pattern, variant) in fields.get("variants").map(|variants| variants.entries(report)).unwrap_or_default() {
            // A variant is named by the models it is for, which may be a pattern.
            check_free_name(&variant.path, &pattern.replace('*', "x"), report);
            let fields = variant.fields(&["system"], report);
            read_system(&fields, report);
        }
        if let Some(position) = fields.get("position") {
            position.choice(&[("prepend", ()), ("append", ()), ("replace", ())], report);
        }
    }
    if !section.is_hollow() {
        report.unsupported(&section.path, "prompts");
    }
}

fn read_system(fields: &Fields<'_>, report: &mut Report) {
    if let Some(system) = fields.need("system", "write the prompt's text", report)
        && system.prose(report).is_some_and(str::is_empty)
    {
        report.problem(&system.path, "must not be empty");
    }
}
