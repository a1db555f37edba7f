//! What the name of a model stands for: a `models` entry, `provider/model`, a bare catalogue name, or `auto`.

use std::rc::Rc;

use crate::config::policy::Target as WrittenTarget;
use crate::error::{ErrorCode, GatewayError};
use crate::policy::catalog;
use crate::policy::price::Prices;
use crate::policy::rules::{Provider, Rules, Target};

/// The name that stands for every `models` entry, the cheapest first.
pub const AUTO: &str = "auto";

/// A client's name longer than this is not looked up: no vendor has one.
pub const MAX_NAME: usize = 256;

/// The targets a name stands for, in the order written.
///
/// # Errors
/// `unknown_model`, saying what is wrong with the name.
pub fn resolve(rules: &Rules, name: &str) -> Result<Vec<Rc<Target>>, GatewayError> {
    let unknown = |message: String| Err(GatewayError::new(ErrorCode::UnknownModel, message).at("model"));
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return unknown(format!("the name of a model has 1 to {MAX_NAME} bytes and no control characters"));
    }
    if let Some(targets) = rules.models.get(name) {
        return Ok(targets.clone());
    }
    if name == AUTO && !rules.models.is_empty() {
        let entries = rules.model_names.iter().filter_map(|entry| rules.models.get(entry));
        return Ok(entries.flatten().map(Rc::clone).collect());
    }
    if let Some((provider, model)) = split(&rules.providers, name) {
        return Ok(vec![Rc::new(target_of(provider, model))]);
    }
    let serving = serving(&rules.providers, name);
    match (serving.as_slice(), rules.providers.as_slice()) {
        ([one], _) => Ok(vec![Rc::new(target_of(one, name))]),
        // A policy of one provider routes every name to it, also one that the catalogue does not have yet.
        ([], [only]) if rules.models.is_empty() => Ok(vec![Rc::new(target_of(only, name))]),
        ([], _) => unknown(unknown_name(rules, name)),
        (several, _) => {
            let names: Vec<String> = several.iter().map(|provider| format!("{}/{name}", provider.name)).collect();
            unknown(format!("model \"{name}\" is served by several providers: name one as {}", names.join(" or ")))
        }
    }
}

/// A name of the form `provider/model` whose provider exists.
pub fn split<'a, 'n>(providers: &'a [Rc<Provider>], name: &'n str) -> Option<(&'a Rc<Provider>, &'n str)> {
    let (first, model) = name.split_once('/').filter(|(_, model)| !model.is_empty())?;
    providers.iter().find(|provider| provider.name == first).map(|provider| (provider, model))
}

/// The providers whose catalogue holds a bare name.
pub fn serving<'a>(providers: &'a [Rc<Provider>], name: &str) -> Vec<&'a Rc<Provider>> {
    providers.iter().filter(|provider| catalog::find(&provider.catalogue, name).is_some()).collect()
}

/// A target that no `models` entry describes; what is known of it comes from the catalogue.
pub fn target_of(provider: &Rc<Provider>, model: &str) -> Target {
    let written = WrittenTarget { provider: provider.name.clone(), model: model.to_owned(), weight: 1, price: None };
    target(provider, &written, "")
}

/// A written target with what the catalogue knows of it. `entry` is the `models` entry it stands in.
pub fn target(provider: &Rc<Provider>, written: &WrittenTarget, entry: &str) -> Target {
    let facts = catalog::find(&provider.catalogue, &written.model);
    let known = facts.is_some() || !entry.is_empty();
    let (mut context_window, mut max_input, mut max_output) = (None, None, None);
    let (mut capabilities, mut prices) = (None, None);
    if let Some(facts) = facts {
        context_window = facts.context_window;
        max_input = facts.max_input;
        max_output = facts.max_output;
        capabilities = Some(facts.capabilities);
        prices = facts.prices;
    }
    Target {
        provider: Rc::clone(provider),
        model: written.model.clone(),
        name: format!("{}/{}", provider.name, written.model),
        entry: entry.to_owned(),
        weight: written.weight,
        quality: None,
        context_window,
        max_input,
        max_output,
        capabilities,
        prices: written.price.as_ref().map(Prices::from_written).or(prices),
        known,
    }
}

fn unknown_name(rules: &Rules, name: &str) -> String {
    let mut message = format!("nothing answers to model \"{name}\"");
    let nearest = rules.providers.iter().find_map(|provider| {
        catalog::nearest(&provider.catalogue, name).map(|nearest| format!("{}/{nearest}", provider.name))
    });
    if let Some(nearest) = nearest {
        message.push_str(&format!("; did you mean \"{nearest}\"?"));
    }
    message
}
