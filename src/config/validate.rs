//! Rules that hold across sections and need no catalogue: names that exist, circles, what no target can meet.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::policy::{Anonymous, Policy, Provider, Route};
use crate::config::reachable;
use crate::config::reader::{join, quoted};
use crate::config::report::{Kind, Mention, Report};
use crate::config::suggest;
use crate::config::wildcard::matches_pattern;

/// The classes of task that are built in; `tasks` may add to them.
const TASKS: [&str; 10] =
    ["chat", "code", "reasoning", "summarize", "classify", "extract", "translate", "document_qa", "creative", "agent"];

/// A model named in a policy that is neither a `models` entry nor `provider/model`: only the catalogue can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BareName {
    /// Where it stands.
    pub path: String,
    /// The name.
    pub name: String,
}

/// Every model name of `routes`, `teams` and `keys` that only the catalogue can resolve. Patterns are left out, as are
/// names that a route's `match.model` takes, such as `auto`.
pub fn bare_names(policy: &Policy) -> Vec<BareName> {
    let names = Names::of(policy);
    let mut bare = Vec::new();
    for place in model_lists(policy) {
        for (index, name) in place.names.iter().enumerate() {
            let asked = !place.is_route && names.is_asked_for(name);
            if !name.contains('*') && !asked && matches!(names.resolve(name), Model::Bare) {
                bare.push(BareName { path: format!("{}[{index}]", place.path), name: name.clone() });
            }
        }
    }
    bare
}

/// Checks a policy whose sections have been read.
pub(super) fn check(policy: &Policy, report: &mut Report) {
    let names = Names::of(policy);
    check_clusters(policy, report);
    check_targets(policy, &names, report);
    check_duplicates(policy, report);
    check_teams(policy, &names, report);
    check_keys(policy, &names, report);
    check_model_lists(policy, &names, report);
    check_routes(policy, &names, report);
    reachable::check(policy, report);
    check_mentions(&names, report);
    check_someone_may_ask(policy, report);
}

/// The names a policy defines.
struct Names<'p> {
    providers: BTreeMap<&'p str, &'p Provider>,
    models: BTreeSet<&'p str>,
    teams: BTreeMap<&'p str, Option<&'p str>>,
    keys: BTreeSet<&'p str>,
    /// What routes take by its full name.
    asked: BTreeSet<&'p str>,
}

/// What a model's name in a policy stands for.
enum Model<'p> {
    /// An entry of `models`.
    Entry,
    /// `provider/model`.
    At(&'p Provider),
    /// A name of the catalogue or of nothing.
    Bare,
}

impl<'p> Names<'p> {
    fn of(policy: &'p Policy) -> Self {
        let asked = policy.routes.iter().flat_map(|route| &route.matches.model);
        Self {
            providers: policy.providers.iter().map(|provider| (provider.name.as_str(), provider)).collect(),
            models: policy.models.iter().map(|model| model.name.as_str()).collect(),
            teams: policy.teams.iter().map(|team| (team.name.as_str(), team.parent.as_deref())).collect(),
            keys: policy.keys.iter().map(|key| key.id.as_str()).collect(),
            asked: asked.map(String::as_str).filter(|name| !name.contains('*')).collect(),
        }
    }

    fn resolve(&self, name: &str) -> Model<'p> {
        if self.models.contains(name) {
            return Model::Entry;
        }
        let provider = name.split_once('/').and_then(|(provider, _)| self.providers.get(provider));
        provider.map_or(Model::Bare, |provider| Model::At(provider))
    }

    /// Whether a route takes the name as it stands, so that clients may ask for it.
    fn is_asked_for(&self, name: &str) -> bool {
        name == "auto" || self.asked.contains(name)
    }
}

/// Tells that nothing of a kind has a name.
fn unknown<'n>(path: &str, kind: &str, name: &str, known: impl Iterator<Item = &'n str>, report: &mut Report) {
    // Comparing with every name is only worth it while somebody reads the answer.
    let meant = if report.is_full() { None } else { suggest::closest(name, known) };
    let meant = meant.map(|meant| format!(", did you mean \"{meant}\"?"));
    report.problem(path, format!("no {kind} is called {}{}", quoted(name), meant.unwrap_or_default()));
}

fn check_clusters(policy: &Policy, report: &mut Report) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for provider in &policy.providers {
        let Some(owner) = owners.insert(&provider.cluster, &provider.name) else {
            continue;
        };
        let path = join(&join("providers", &provider.name), "cluster");
        let found = format!("cluster {} already belongs to provider {}", quoted(&provider.cluster), quoted(owner));
        report
            .problem(path, format!("{found}; credentials and path are set per cluster, so give each provider its own"));
    }
}

fn check_targets(policy: &Policy, names: &Names<'_>, report: &mut Report) {
    if names.providers.is_empty() {
        return;
    }
    for model in &policy.models {
        let path = join(&join("models", &model.name), "targets");
        for (index, target) in model.targets.iter().enumerate() {
            if !target.provider.is_empty() && !names.providers.contains_key(target.provider.as_str()) {
                let known = names.providers.keys().copied();
                unknown(&format!("{path}[{index}]"), "provider", &target.provider, known, report);
            }
        }
    }
}

fn check_duplicates(policy: &Policy, report: &mut Report) {
    let mut routes: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, route) in policy.routes.iter().enumerate() {
        if let Some(first) = routes.insert(&route.name, index) {
            let found = format!("{} is already the name of routes[{first}]", quoted(&route.name));
            report.problem(format_args!("routes[{index}].name"), format!("{found}; give each route its own"));
        }
    }
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hashes: BTreeMap<&[u8; 32], usize> = BTreeMap::new();
    for (index, key) in policy.keys.iter().enumerate() {
        // An id or hash that could not be read has been told already.
        if let Some(first) = ids.insert(&key.id, index).filter(|_| !key.id.is_empty()) {
            let found = format!("{} is already the id of keys[{first}]", quoted(&key.id));
            report.problem(format_args!("keys[{index}].id"), format!("{found}; give each key its own"));
        }
        if let Some(first) = hashes.insert(&key.sha256, index).filter(|_| key.sha256 != [0; 32]) {
            let found = format!("the same key as keys[{first}]");
            report.problem(format_args!("keys[{index}].sha256"), format!("{found}; one key can be only one principal"));
        }
    }
}

fn check_teams(policy: &Policy, names: &Names<'_>, report: &mut Report) {
    let regions: BTreeSet<&str> = policy.providers.iter().filter_map(|provider| provider.region.as_deref()).collect();
    // Teams whose way up is known to end, or has been told not to.
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    for team in &policy.teams {
        let path = join("teams", &team.name);
        if let Some(parent) = team.parent.as_deref()
            && !names.teams.contains_key(parent)
        {
            unknown(&join(&path, "parent"), "team", parent, names.teams.keys().copied(), report);
        }
        let mut way: Vec<&str> = Vec::new();
        let mut on_way: BTreeSet<&str> = BTreeSet::new();
        let mut next = Some(team.name.as_str());
        while let Some(name) = next.filter(|name| !settled.contains(name)) {
            if !on_way.insert(name) {
                let circle = way.iter().skip_while(|member| **member != name).copied().chain([name]);
                let circle = circle.take(12).collect::<Vec<&str>>().join(" -> ");
                let message = format!("the parents go in a circle: {circle}; one of them must have no parent");
                report.problem(join(&join("teams", name), "parent"), message);
                break;
            }
            way.push(name);
            next = names.teams.get(name).copied().flatten();
        }
        settled.extend(way);
        if let Some(wanted) = team.regions.as_ref().filter(|wanted| !wanted.is_empty())
            && !wanted.iter().any(|region| regions.contains(region.as_str()))
        {
            let found = format!("no provider is in {}", wanted.join(" or "));
            report.problem(join(&path, "regions"), format!("{found}, so the team could never be served"));
        }
    }
}

fn check_keys(policy: &Policy, names: &Names<'_>, report: &mut Report) {
    for (index, key) in policy.keys.iter().enumerate() {
        if let Some(team) = key.team.as_deref().filter(|team| !names.teams.contains_key(team)) {
            unknown(&format!("keys[{index}].team"), "team", team, names.teams.keys().copied(), report);
        }
    }
}

/// A list of model names somewhere in a policy.
struct ModelList<'p> {
    path: String,
    names: &'p [String],
    is_route: bool,
}

fn model_lists(policy: &Policy) -> impl Iterator<Item = ModelList<'_>> {
    let routes = policy.routes.iter().enumerate().map(|(index, route)| ModelList {
        path: format!("routes[{index}].models"),
        names: &route.models,
        is_route: true,
    });
    let teams = policy.teams.iter().map(|team| ModelList {
        path: join(&join("teams", &team.name), "models"),
        names: team.models.as_deref().unwrap_or_default(),
        is_route: false,
    });
    let keys = policy.keys.iter().enumerate().map(|(index, key)| ModelList {
        path: format!("keys[{index}].models"),
        names: key.models.as_deref().unwrap_or_default(),
        is_route: false,
    });
    routes.chain(teams).chain(keys)
}

fn check_model_lists(policy: &Policy, names: &Names<'_>, report: &mut Report) {
    for place in model_lists(policy) {
        for (index, name) in place.names.iter().enumerate() {
            let path = format!("{}[{index}]", place.path);
            if place.is_route && name.contains('*') {
                report.problem(path, format!("a route needs the models' names, found the pattern {}", quoted(name)));
            } else if let Model::At(_) = names.resolve(name)
                && name.ends_with('/')
            {
                report.problem(path, format!("names a provider without a model: {}", quoted(name)));
            }
        }
    }
}

fn check_routes(policy: &Policy, names: &Names<'_>, report: &mut Report) {
    let targets: BTreeMap<&str, Vec<&Provider>> = policy
        .models
        .iter()
        .map(|model| {
            let providers = model.targets.iter().filter_map(|target| names.providers.get(target.provider.as_str()));
            (model.name.as_str(), providers.copied().collect())
        })
        .collect();
    for (index, route) in policy.routes.iter().enumerate() {
        check_route_teams(index, route, names, report);
        check_residency(index, &route_providers(policy, route, names, &targets), route, report);
    }
}

fn check_route_teams(index: usize, route: &Route, names: &Names<'_>, report: &mut Report) {
    if report.jwt {
        // Claims may carry teams that the file does not list.
        return;
    }
    for (place, pattern) in route.matches.team.iter().enumerate() {
        if names.teams.keys().any(|team| matches_pattern(pattern, team)) {
            continue;
        }
        let path = format!("routes[{index}].match.team[{place}]");
        if pattern.contains('*') {
            report.problem(path, format!("no team fits the pattern {}", quoted(pattern)));
        } else {
            unknown(&path, "team", pattern, names.teams.keys().copied(), report);
        }
    }
}

/// The providers a route could send to; none if the catalogue is needed to tell.
fn route_providers<'p>(
    policy: &'p Policy,
    route: &Route,
    names: &Names<'p>,
    targets: &BTreeMap<&str, Vec<&'p Provider>>,
) -> Vec<&'p Provider> {
    if route.models.is_empty() {
        return policy.providers.iter().collect();
    }
    let mut providers = Vec::new();
    for name in &route.models {
        match names.resolve(name) {
            Model::Entry => providers.extend(targets.get(name.as_str()).into_iter().flatten().copied()),
            Model::At(provider) => providers.push(provider),
            Model::Bare => return Vec::new(),
        }
    }
    providers
}

fn check_residency(index: usize, providers: &[&Provider], route: &Route, report: &mut Report) {
    let require = &route.require;
    let in_region = |provider: &Provider| {
        require.regions.is_empty() || provider.region.as_ref().is_some_and(|region| require.regions.contains(region))
    };
    let labelled = |provider: &Provider| require.labels.iter().all(|label| provider.labels.contains(label));
    if providers.is_empty() || providers.iter().any(|provider| in_region(provider) && labelled(provider)) {
        return;
    }
    let path = format!("routes[{index}].require");
    let (regions, labels) = (require.regions.join(" or "), require.labels.join(" and "));
    let way_out = "set `region` and `labels` of the providers, or relax the rule";
    if !providers.iter().any(|provider| in_region(provider)) {
        report.problem(join(&path, "regions"), format!("no target of this route is in {regions}; {way_out}"));
    } else if !providers.iter().any(|provider| labelled(provider)) {
        report.problem(join(&path, "labels"), format!("no target of this route is labelled {labels}; {way_out}"));
    } else {
        report.problem(path, format!("no target of this route is both in {regions} and labelled {labels}; {way_out}"));
    }
}

fn check_mentions(names: &Names<'_>, report: &mut Report) {
    let tasks = std::mem::take(&mut report.tasks);
    for Mention { path, kind, name } in std::mem::take(&mut report.mentions) {
        let known: Vec<&str> = match kind {
            Kind::Task => TASKS.into_iter().chain(tasks.iter().map(String::as_str)).collect(),
            Kind::Team if report.jwt => continue,
            Kind::Team => names.teams.keys().copied().collect(),
            Kind::Key => names.keys.iter().copied().collect(),
            Kind::Provider => names.providers.keys().copied().collect(),
            // The rest of a model's names are the catalogue's to tell, once the part is built.
            Kind::Model => continue,
        };
        let word = match kind {
            Kind::Task => "task",
            Kind::Team => "team",
            Kind::Key => "key",
            Kind::Provider => "provider",
            Kind::Model => "model",
        };
        if name != "*" && !known.iter().any(|known| matches_pattern(&name, known)) {
            unknown(&path, word, &name, known.into_iter(), report);
        }
    }
}

fn check_someone_may_ask(policy: &Policy, report: &mut Report) {
    let allowed = policy.anonymous == Anonymous::Allow || !policy.keys.is_empty() || report.jwt;
    if !allowed {
        let way_out = "add a key (`weir key new` prints one) or write `anonymous: allow`";
        report.problem("anonymous", format!("there are no keys, so nobody could be served: {way_out}"));
    }
}
