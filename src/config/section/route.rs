//! `routes`: conditions, requirements and order of preference. Not what they come to for a request (see `policy`).

use crate::config::policy::{HeaderMatch, Match, OnLoss, Prefer, Require, Route};
use crate::config::reader::{Fields, Node, check_plain_name, quoted};
use crate::config::report::{Kind, Report};
use crate::config::section::{fallback, model, provider, rollout};

const FIELDS: [&str; 11] = [
    "name",
    "match",
    "require",
    "models",
    "prefer",
    "fallback",
    "on_loss",
    "affinity",
    "rollout",
    "shadow",
    "policy_shadow",
];
const MATCH_FIELDS: [&str; 8] =
    ["team", "model", "task", "api", "header", "stream", "min_input_tokens", "max_input_tokens"];
const REQUIRE_FIELDS: [&str; 5] = ["regions", "labels", "capabilities", "quality", "max_cost_per_request"];
/// Every route is held against every earlier one, so their number is bounded.
const MOST_ROUTES: usize = 2_000;
const MOST_TOKENS: u64 = 1_000_000_000;

/// What `prefer` may say; `None` is well-formed and not built yet.
const PREFERENCES: [(&str, Option<Prefer>); 5] = [
    ("cheapest", Some(Prefer::Cheapest)),
    ("fastest", None),
    ("best", None),
    ("ordered", Some(Prefer::Ordered)),
    ("weighted", Some(Prefer::Weighted)),
];

const ON_LOSS: [(&str, OnLoss); 3] = [("allow", OnLoss::Allow), ("avoid", OnLoss::Avoid), ("reject", OnLoss::Reject)];

/// Reads the section.
pub fn read(section: &Node<'_>, report: &mut Report) -> Vec<Route> {
    let items = section.items(report);
    if items.len() > MOST_ROUTES {
        report.problem(&section.path, format!("must have at most {MOST_ROUTES} entries, has {}", items.len()));
    }
    items.iter().take(MOST_ROUTES).enumerate().map(|(index, node)| read_one(index, node, report)).collect()
}

fn read_one(index: usize, node: &Node<'_>, report: &mut Report) -> Route {
    let fields = node.fields(&FIELDS, report);
    let name = fields
        .get("name")
        .and_then(|name| name.text(report).inspect(|text| check_plain_name(&name.path, text, report)));
    let route = Route {
        name: name.map_or_else(|| format!("route-{index}"), str::to_owned),
        matches: read_match(fields.get("match").as_ref(), report),
        require: fields.get("require").map(|require| read_require(&require, report)).unwrap_or_default(),
        models: fields.get("models").map(|models| models.texts(report)).unwrap_or_default(),
        prefer: fields.get("prefer").map(|prefer| read_prefer(&prefer, report)).unwrap_or_default(),
        fallback: fields.get("fallback").map(|fallback| fallback::read(&fallback, report)),
        on_loss: fields.get("on_loss").and_then(|on_loss| on_loss.choice(&ON_LOSS, report)).unwrap_or_default(),
    };
    read_unbuilt(&fields, report);
    route
}

fn read_unbuilt(fields: &Fields<'_>, report: &mut Report) {
    if let Some(affinity) = fields.get("affinity") {
        match affinity.choice(&[("none", "none"), ("session", "session"), ("prefix", "prefix")], report) {
            None | Some("none") => {}
            Some(kind) => report.unsupported(&affinity.path, format_args!("affinity: {kind}")),
        }
    }
    if let Some(node) = fields.get("rollout") {
        rollout::read(&node, report);
    }
    if let Some(node) = fields.get("shadow") {
        rollout::read_shadow(&node, report);
    }
    if let Some(node) = fields.get("policy_shadow") {
        let shadow = node.fields(&["prefer"], report);
        if let Some(prefer) = shadow.need("prefer", "write the preference to compare with", report) {
            check_prefer(&prefer, report);
        }
        report.unsupported(&node.path, "policy_shadow");
    }
}

fn read_match(node: Option<&Node<'_>>, report: &mut Report) -> Match {
    let Some(node) = node else {
        report.route_tasks.push(Vec::new());
        return Match::default();
    };
    let fields = node.fields(&MATCH_FIELDS, report);
    let tasks = fields.get("task").map(|task| read_tasks(&task, report)).unwrap_or_default();
    report.route_tasks.push(tasks);
    let texts = |field: &str, report: &mut Report| fields.get(field).map(|node| node.texts(report)).unwrap_or_default();
    let tokens =
        |field: &str, report: &mut Report| fields.get(field).and_then(|node| node.whole(0..=MOST_TOKENS, report));
    let api = fields.get("api").map(|api| api.one_or_more(report)).unwrap_or_default();
    let matches = Match {
        team: texts("team", report),
        model: texts("model", report),
        api: api.iter().filter_map(|api| provider::family(api, report)).collect(),
        header: fields.get("header").map(|header| read_header(&header, report)).unwrap_or_default(),
        stream: fields.get("stream").and_then(|stream| stream.flag(report)),
        min_input_tokens: tokens("min_input_tokens", report),
        max_input_tokens: tokens("max_input_tokens", report),
    };
    if let (Some(min), Some(max)) = (matches.min_input_tokens, matches.max_input_tokens)
        && min > max
    {
        let values = format!("min_input_tokens is {min} and max_input_tokens is {max}");
        report.problem(&node.path, format!("no request can match: {values}; swap them or leave one out"));
    }
    matches
}

fn read_tasks(node: &Node<'_>, report: &mut Report) -> Vec<String> {
    let mut tasks = Vec::new();
    for item in node.one_or_more(report) {
        if let Some(task) = item.text(report) {
            report.mention(&item.path, Kind::Task, task);
            tasks.push(task.to_owned());
        }
    }
    if !tasks.is_empty() {
        report.unsupported(&node.path, "match.task");
    }
    tasks
}

fn read_header(node: &Node<'_>, report: &mut Report) -> Vec<HeaderMatch> {
    let mut headers: Vec<HeaderMatch> = Vec::new();
    for (written, node) in node.entries(report) {
        let name = written.to_ascii_lowercase();
        if !provider::is_header_name(&name) {
            report.problem(&node.path, format!("{} is not a header name", quoted(written)));
        } else if headers.iter().any(|header| header.name == name) {
            report.problem(&node.path, "the same header is written twice, in another case");
        }
        let value = node.text(report).unwrap_or_default().to_owned();
        headers.push(HeaderMatch { name, value });
    }
    headers.sort_by(|left, right| left.name.cmp(&right.name));
    headers
}

fn read_require(node: &Node<'_>, report: &mut Report) -> Require {
    let fields = node.fields(&REQUIRE_FIELDS, report);
    let texts = |field: &str, report: &mut Report| fields.get(field).map(|node| node.texts(report)).unwrap_or_default();
    Require {
        regions: texts("regions", report),
        labels: texts("labels", report),
        capabilities: fields.get("capabilities").map(|list| model::capabilities(&list, report)).unwrap_or_default(),
        quality: fields.get("quality").and_then(|quality| model::quality(&quality, report)),
        max_cost: fields.get("max_cost_per_request").and_then(|cost| cost.money(report)),
    }
}

fn read_prefer(node: &Node<'_>, report: &mut Report) -> Prefer {
    let Some(written) = check_prefer(node, report) else {
        return Prefer::default();
    };
    match written {
        Preference::Built(prefer) => return prefer,
        Preference::Named(name) => report.unsupported(&node.path, format_args!("prefer: {name}")),
        Preference::Weights => report.unsupported(&node.path, "prefer: {cost, quality, latency}"),
    }
    Prefer::default()
}

/// A well-formed preference.
enum Preference<'v> {
    /// One that is built.
    Built(Prefer),
    /// A word that is not built yet.
    Named(&'v str),
    /// Weights over cost, quality and latency.
    Weights,
}

fn check_prefer<'v>(node: &Node<'v>, report: &mut Report) -> Option<Preference<'v>> {
    if node.value.is_object() {
        let fields = node.fields(&["cost", "quality", "latency"], report);
        let names = ["cost", "quality", "latency"];
        let weights = names.map(|name| fields.get(name).and_then(|weight| weight.number(0.0..=1e6, report)));
        if !weights.iter().flatten().any(|weight| *weight > 0.0) {
            report.problem(&node.path, "must give a weight above 0 to at least one of cost, quality, latency");
        }
        return Some(Preference::Weights);
    }
    if !node.value.is_string() {
        node.wrong_type("a preference such as \"cheapest\", or a map of weights", report);
        return None;
    }
    let name = node.prose(report)?;
    Some(node.choice(&PREFERENCES, report)?.map_or(Preference::Named(name), Preference::Built))
}
