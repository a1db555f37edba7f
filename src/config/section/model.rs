//! `models`: names clients may ask for, their targets and what is said of them. Not whether a provider has the model.

use crate::chat::capability::Capability;
use crate::config::policy::{Model, Target, WrittenPrice};
use crate::config::reader::{Node, check_free_name, quoted};
use crate::config::report::{Kind, Report};

const FIELDS: [&str; 5] = ["quality", "targets", "context_window", "max_output", "capabilities"];
const MOST_TOKENS: u64 = 1_000_000_000;
const HEAVIEST: u64 = 1_000_000;

/// Reads the section.
pub fn read(section: &Node<'_>, report: &mut Report) -> Vec<Model> {
    section.entries(report).iter().map(|(name, node)| read_one(name, node, report)).collect()
}

fn read_one(name: &str, node: &Node<'_>, report: &mut Report) -> Model {
    check_free_name(&node.path, name, report);
    let fields = node.fields(&FIELDS, report);
    let tokens =
        |field: &str, report: &mut Report| fields.get(field).and_then(|node| node.whole(1..=MOST_TOKENS, report));
    let targets = fields.need("targets", "write at least one, as `targets: [provider/model]`", report);
    Model {
        name: name.to_owned(),
        quality: fields.get("quality").and_then(|quality| read_quality(&quality, report)),
        targets: targets.map(|targets| read_targets(&targets, report)).unwrap_or_default(),
        context_window: tokens("context_window", report),
        max_output: tokens("max_output", report),
        capabilities: fields.get("capabilities").map(|list| capabilities(&list, report)),
    }
}

fn read_quality(node: &Node<'_>, report: &mut Report) -> Option<f64> {
    if node.value.is_number() {
        return quality(node, report);
    }
    if !node.value.is_object() {
        node.wrong_type("a number from 0 to 1, or a map of one per task", report);
        return None;
    }
    let mut default = None;
    let mut tasks = 0;
    for (task, value) in node.entries(report) {
        let number = quality(&value, report);
        if task == "default" {
            default = number;
        } else {
            tasks += 1;
            report.mention(&value.path, Kind::Task, task);
        }
    }
    if tasks > 0 {
        report.unsupported(&node.path, "quality per task");
    }
    default
}

/// Reads a quality: a number from 0 to 1.
pub fn quality(node: &Node<'_>, report: &mut Report) -> Option<f64> {
    node.number(0.0..=1.0, report)
}

/// Reads a list of capabilities.
pub fn capabilities(node: &Node<'_>, report: &mut Report) -> Vec<Capability> {
    let choices = Capability::ALL.map(|capability| (capability.name(), capability));
    let items = node.one_or_more(report);
    items.iter().filter_map(|item| item.choice(&choices, report)).collect()
}

fn read_targets(node: &Node<'_>, report: &mut Report) -> Vec<Target> {
    let items = node.one_or_more(report);
    let targets: Vec<Target> = items.iter().map(|item| read_target(item, report)).collect();
    if node.value.as_array().is_some_and(Vec::is_empty) {
        report.problem(&node.path, "must have at least one target, as `provider/model`");
    } else if !targets.is_empty() && targets.iter().all(|target| target.weight == 0) {
        report.problem(&node.path, "every weight is 0, so no target could ever be drawn; give one a weight above 0");
    }
    targets
}

fn read_target(node: &Node<'_>, report: &mut Report) -> Target {
    let plain = Target { weight: 1, ..Target::default() };
    if node.value.is_string() {
        let Some(text) = node.text(report) else { return plain };
        let Some((provider, model)) =
            text.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
        else {
            report.problem(&node.path, format!("must be `provider/model`, found {}", quoted(text)));
            return plain;
        };
        return Target { provider: provider.to_owned(), model: model.to_owned(), ..plain };
    }
    if !node.value.is_object() {
        node.wrong_type("`provider/model` or a map with `provider` and `model`", report);
        return plain;
    }
    let fields = node.fields(&["provider", "model", "weight", "price"], report);
    let mut name = |field: &str, way_out: &str| {
        let node = fields.need(field, way_out, report)?;
        node.text(report).map(str::to_owned)
    };
    let provider = name("provider", "write the name of an entry of `providers`").unwrap_or_default();
    let model = name("model", "write the model's name at that provider").unwrap_or_default();
    let weight = fields.get("weight").and_then(|weight| weight.whole(0..=HEAVIEST, report));
    Target {
        provider,
        model,
        weight: weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1),
        price: fields.get("price").map(|price| read_price(&price, report)),
    }
}

fn read_price(node: &Node<'_>, report: &mut Report) -> WrittenPrice {
    let fields = node.fields(&["input", "output", "cache_read", "cache_write"], report);
    let mut needed = |field: &str| {
        let node = fields.need(field, "write USD per million tokens, 0 if it is free", report)?;
        node.price(report)
    };
    let (input, output) = (needed("input").unwrap_or_default(), needed("output").unwrap_or_default());
    let optional = |field: &str, report: &mut Report| fields.get(field).and_then(|price| price.price(report));
    WrittenPrice {
        input,
        output,
        cache_read: optional("cache_read", report),
        cache_write: optional("cache_write", report),
    }
}
