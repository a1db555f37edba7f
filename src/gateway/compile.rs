//! Written policy to compiled rules: every name resolved and every secret read once, or every problem at once.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::chat::capability::Capabilities;
use crate::chat::secret::Secret;
use crate::config::parse::parse;
use crate::config::policy::{self as written, Anonymous, Audit, KeySource, Policy, StoreUnavailable, Unsupported};
use crate::config::problem::Problem;
use crate::config::validate::bare_names;
use crate::gateway::ability::Abilities;
use crate::policy::access::{Access, Key, Team};
use crate::policy::catalog;
use crate::policy::decide::default_fallback;
use crate::policy::resolve::{resolve, serving, target, unknown_name};
use crate::policy::rules::{Aws, Provider, Require, Route, Rules, Target};

/// The gateway: compiled rules and the name of the policy they come from. Immutable.
#[derive(Debug)]
pub struct Gateway {
    /// The rules.
    pub rules: Rules,
    /// The first 16 hex digits of the SHA-256 of the policy's JSON, keys sorted: the same rules have the same hash.
    pub hash: String,
}

/// Where `${NAME}` comes from.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Gateway {
    /// Compiles a policy given as JSON.
    ///
    /// # Errors
    /// Every problem: of form, of names, of what is not supported yet, of what the host or its environment lacks.
    pub fn compile(
        json: &serde_json::Value,
        environment: Environment<'_>,
        host: Abilities,
    ) -> Result<Self, Vec<Problem>> {
        let policy = parse(json)?;
        let mut problems: Vec<Problem> = policy.unsupported.iter().map(Unsupported::problem).collect();
        check_host(&policy, host, &mut problems);
        check_catalogues(&policy, &mut problems);
        let rules = rules(&policy, environment, &mut problems);
        check_bare_names(&policy, &rules, &mut problems);
        if problems.is_empty() { Ok(Self { rules, hash: hash(json) }) } else { Err(problems) }
    }
}

/// serde_json keeps the members of an object sorted, so equal policies serialize to equal bytes.
fn hash(json: &serde_json::Value) -> String {
    let digest = Sha256::digest(json.to_string());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn check_host(policy: &Policy, host: Abilities, problems: &mut Vec<Problem>) {
    let pool = policy.providers.iter().find(|provider| provider.keys.len() > 1);
    if let (false, StoreUnavailable::Closed, Some(provider)) = (host.shared_data, policy.store, pool) {
        let message = "a key pool needs the host's shared data, which is missing; \
                       set `store: {on_unavailable: open}` to let every worker keep its own";
        problems.push(Problem::new(format!("providers.{}.key", provider.name), message));
    }
}

/// A catalogue that is named and does not exist is a slip; a provider whose own name is none of the catalogue's is
/// simply not a known vendor.
fn check_catalogues(policy: &Policy, problems: &mut Vec<Problem>) {
    for provider in policy.providers.iter().filter(|provider| provider.catalogue != provider.name) {
        let written = &provider.catalogue;
        if catalog::has_provider(written) {
            continue;
        }
        let mut message = format!("no provider is called \"{written}\" in the catalogue");
        if let Some(meant) = catalog::nearest_provider(written) {
            message.push_str(&format!(", did you mean \"{meant}\"?"));
        }
        message.push_str("; leave `catalogue` out for models that only the policy describes");
        problems.push(Problem::new(format!("providers.{}.catalogue", provider.name), message));
    }
}

/// Bare names in the lists of keys and teams: one that nothing answers to would bar everything and say nothing. A
/// provider without a catalogue may serve any name. Routes' names have been resolved already.
fn check_bare_names(policy: &Policy, rules: &Rules, problems: &mut Vec<Problem>) {
    let is_target = |name: &str| rules.models.values().flatten().any(|target| target.model == name);
    if rules.providers.iter().any(|provider| !catalog::has_provider(&provider.catalogue)) {
        return;
    }
    for bare in bare_names(policy).into_iter().filter(|bare| !bare.path.starts_with("routes[")) {
        if is_target(&bare.name) || !serving(&rules.providers, &bare.name).is_empty() {
            continue;
        }
        let message = format!(
            "{}; a model that the catalogue does not have is written with its provider, as provider/model",
            unknown_name(rules, &bare.name)
        );
        problems.push(Problem::new(bare.path, message));
    }
}

fn rules(policy: &Policy, environment: Environment<'_>, problems: &mut Vec<Problem>) -> Rules {
    let providers = providers(policy, environment, problems);
    let models = models(policy, &providers);
    let mut model_names: Vec<String> = models.keys().cloned().collect();
    model_names.sort();
    let mut rules = Rules {
        providers,
        models,
        model_names,
        routes: Vec::new(),
        fallback: Rc::new(default_fallback()),
        access: access(policy),
        labels: policy.observe.labels.clone(),
        audit: policy.observe.audit == Audit::Metadata,
        explain: policy.observe.explain,
    };
    rules.routes = routes(policy, &rules, problems);
    rules
}

fn providers(policy: &Policy, environment: Environment<'_>, problems: &mut Vec<Problem>) -> Vec<Rc<Provider>> {
    let mut providers = Vec::with_capacity(policy.providers.len());
    for (index, provider) in policy.providers.iter().enumerate() {
        let path = format!("providers.{}", provider.name);
        let keys = provider.keys.iter().filter_map(|key| secret(key, &format!("{path}.key"), environment, problems));
        let keys: Vec<Secret> = keys.collect();
        let header = |header: &written::Header, problems: &mut Vec<Problem>| {
            let path = format!("{path}.headers.{}", header.name);
            Some((header.name.clone(), secret(&header.value, &path, environment, problems)?))
        };
        let headers = provider.headers.iter().filter_map(|one| header(one, problems)).collect();
        providers.push(Rc::new(Provider {
            index,
            name: provider.name.clone(),
            api: provider.api,
            cluster: provider.cluster.clone(),
            authority: provider.endpoint.authority(),
            base_path: provider.endpoint.path.clone(),
            tls: provider.endpoint.tls,
            keys,
            catalogue: provider.catalogue.clone(),
            region: provider.region.clone(),
            labels: provider.labels.clone(),
            headers,
            api_version: provider.api_version.clone(),
            aws: aws(provider.aws.as_ref(), &path, environment, problems),
        }));
    }
    providers
}

/// What requests to AWS are signed with; nothing when any of it is missing, which is a problem of its own.
fn aws(
    written: Option<&written::Aws>,
    path: &str,
    environment: Environment<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Aws> {
    let written = written?;
    let mut one = |source: &KeySource, name: &str| secret(source, &format!("{path}.aws.{name}"), environment, problems);
    let access_key_id = one(&written.access_key_id, "access_key_id");
    let secret_access_key = one(&written.secret_access_key, "secret_access_key");
    let session_token = written.session_token.as_ref().map(|token| one(token, "session_token"));
    Some(Aws {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: session_token.flatten(),
        region: written.region.clone(),
    })
}

/// A key or header value; a variable that is not set, or holds what no header may, is a problem and not an empty key.
fn secret(source: &KeySource, path: &str, environment: Environment<'_>, problems: &mut Vec<Problem>) -> Option<Secret> {
    let name = match source {
        KeySource::Literal(secret) => return Some(secret.clone()),
        KeySource::Environment(name) => name,
    };
    match environment(name) {
        Some(value) if value.is_empty() || value.chars().any(char::is_control) => {
            let message = format!("the environment variable {name} is empty or holds a control character");
            problems.push(Problem::new(path, message));
            None
        }
        Some(value) => Some(Secret::new(value)),
        None => {
            let message = format!(
                "the environment variable {name} is not set for the proxy; set it where Envoy starts and list it in \
                 the plugin's `vm_config.environment_variables.host_env_keys` (`weir render` does)"
            );
            problems.push(Problem::new(path, message));
            None
        }
    }
}

fn models(policy: &Policy, providers: &[Rc<Provider>]) -> HashMap<String, Vec<Rc<Target>>> {
    let mut models = HashMap::with_capacity(policy.models.len());
    for model in &policy.models {
        let mut targets = Vec::with_capacity(model.targets.len());
        for written in &model.targets {
            // `config` has made sure that the provider exists.
            let Some(provider) = providers.iter().find(|provider| provider.name == written.provider) else { continue };
            let mut target = target(provider, written, &model.name);
            target.quality = model.quality;
            target.context_window = model.context_window.or(target.context_window);
            if model.context_window.is_some() {
                target.max_input = None;
            }
            target.max_output = model.max_output.or(target.max_output);
            if let Some(capabilities) = &model.capabilities {
                target.capabilities = Some(capabilities.iter().copied().collect());
            }
            targets.push(Rc::new(target));
        }
        models.insert(model.name.clone(), targets);
    }
    models
}

fn routes(policy: &Policy, rules: &Rules, problems: &mut Vec<Problem>) -> Vec<Route> {
    let mut routes = Vec::with_capacity(policy.routes.len());
    for (index, route) in policy.routes.iter().enumerate() {
        let mut targets = Vec::new();
        for (position, name) in route.models.iter().enumerate() {
            match resolve(rules, name) {
                Ok(found) => targets.extend(found),
                Err(error) => {
                    problems.push(Problem::new(format!("routes[{index}].models[{position}]"), error.message));
                }
            }
        }
        routes.push(Route {
            name: route.name.clone(),
            matches: route.matches.clone(),
            targets: (!route.models.is_empty()).then_some(targets),
            require: Require {
                regions: route.require.regions.clone(),
                labels: route.require.labels.clone(),
                capabilities: route.require.capabilities.iter().copied().collect::<Capabilities>(),
                quality: route.require.quality,
                max_cost: route.require.max_cost,
            },
            prefer: route.prefer,
            fallback: route.fallback.clone().map_or_else(|| Rc::clone(&rules.fallback), Rc::new),
            on_loss: route.on_loss,
        });
    }
    routes
}

fn access(policy: &Policy) -> Access {
    let positions: BTreeMap<&str, usize> =
        policy.teams.iter().enumerate().map(|(index, team)| (team.name.as_str(), index)).collect();
    let position = |name: &Option<String>| name.as_deref().and_then(|name| positions.get(name).copied());
    let teams: Vec<Team> = policy
        .teams
        .iter()
        .map(|team| Team {
            name: team.name.clone(),
            parent: position(&team.parent),
            models: team.models.clone(),
            regions: team.regions.clone(),
        })
        .collect();
    let keys = policy
        .keys
        .iter()
        .map(|key| Key {
            id: key.id.clone(),
            sha256: key.sha256,
            team: position(&key.team),
            expires_at: key.expires_at,
            models: key.models.clone(),
        })
        .collect();
    Access::new(keys, &teams, policy.anonymous == Anonymous::Allow)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Gateway;
    use crate::gateway::ability::Abilities;

    /// The problems of a policy of one provider with what `more` adds, as text.
    fn problems(provider: Value, more: Value) -> Vec<String> {
        let mut policy = json!({
            "version": 1,
            "providers": {"openai": {"api": "openai", "endpoint": "https://api.openai.com/v1"}},
            "teams": {},
            "anonymous": "allow",
        });
        for (name, value) in provider.as_object().unwrap() {
            policy["providers"][name] = value.clone();
        }
        for (name, value) in more.as_object().unwrap() {
            policy[name] = value.clone();
        }
        let compiled = Gateway::compile(&policy, &|_| None, Abilities::ALL);
        compiled.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bare_name_that_nobody_serves_is_refused_with_the_nearest() {
        let team = |names: Value| json!({"teams": {"growth": {"models": names}}});
        let found = problems(json!({}), team(json!(["gpt-5", "gtp-5-mini", "auto", "gpt-*", "openai/anything"])));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("teams.growth.models[1]: nothing answers to model \"gtp-5-mini\""), "{found:?}");
        assert!(found[0].contains("did you mean \"openai/gpt-5-mini\"?"), "{found:?}");

        let own = json!({"vllm": {"api": "openai", "endpoint": "http://127.0.0.1:8000/v1"}});
        assert_eq!(problems(own, team(json!(["qwen3-32b"]))), [""; 0], "a provider of one's own serves what it likes");
        let entry =
            json!({"models": {"new": {"targets": ["openai/gpt-99"]}}, "teams": {"growth": {"models": ["gpt-99"]}}});
        assert_eq!(problems(json!({}), entry), [""; 0], "a target's own name");
    }

    #[test]
    fn a_misspelt_catalogue_is_refused_and_a_name_of_ones_own_is_not() {
        let provider = |name: &str, catalogue: Option<&str>| {
            let mut provider = json!({"api": "openai", "endpoint": "http://127.0.0.1:8000/v1"});
            if let Some(catalogue) = catalogue {
                provider["catalogue"] = json!(catalogue);
            }
            json!({name: provider})
        };
        let found = problems(provider("eu", Some("opneai")), json!({}));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("providers.eu.catalogue: ") && found[0].contains("did you mean \"openai\"?"));
        assert_eq!(problems(provider("eu", Some("openai")), json!({})), [""; 0]);
        assert_eq!(problems(provider("vllm-eu", None), json!({})), [""; 0]);
    }
}
