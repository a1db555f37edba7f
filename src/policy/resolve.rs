//! What the name of a model stands for: a `models` entry, `provider/model`, a bare catalogue name, or `auto`.

use std::rc::Rc;

use crate::chat::traits::Traits;
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
    let (mut capabilities, mut prices, mut traits) = (None, None, Traits::NONE);
    if let Some(facts) = facts {
        context_window = facts.context_window;
        max_input = facts.max_input;
        max_output = facts.max_output;
        capabilities = Some(facts.capabilities);
        prices = facts.prices;
        traits = facts.traits;
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
        traits,
        prices: written.price.as_ref().map(Prices::from_written).or(prices),
        known,
    }
}

/// What is said of a name that nothing answers to, with the nearest one that something does.
pub fn unknown_name(rules: &Rules, name: &str) -> String {
    let mut message = format!("nothing answers to model \"{name}\"");
    let nearest = rules.providers.iter().find_map(|provider| {
        catalog::nearest(&provider.catalogue, name).map(|nearest| format!("{}/{nearest}", provider.name))
    });
    if let Some(nearest) = nearest {
        message.push_str(&format!("; did you mean \"{nearest}\"?"));
    }
    message
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{AUTO, resolve};
    use crate::error::ErrorCode;
    use crate::policy::rules::sample::{provider, rules, target};
    use crate::policy::rules::{Provider, Rules};

    fn found(rules: &Rules, name: &str) -> Vec<String> {
        resolve(rules, name).unwrap().iter().map(|target| format!("{} of {:?}", target.name, target.entry)).collect()
    }

    fn refusal(rules: &Rules, name: &str) -> String {
        let error = resolve(rules, name).unwrap_err();
        assert_eq!((error.code, error.param), (ErrorCode::UnknownModel, Some("model")));
        error.message
    }

    fn two() -> Rules {
        let own = || Provider { index: 1, ..provider("vllm") };
        let entry = |model: &str, name: &str| vec![Rc::new(target(own(), model, name))];
        let entries = vec![("smart", entry("big", "smart")), ("fast", entry("small", "fast"))];
        rules(vec![provider("openai"), own()], entries)
    }

    #[test]
    fn a_name_is_an_entry_then_a_providers_then_the_catalogues() {
        let rules = two();
        assert_eq!(found(&rules, "fast"), [r#"vllm/small of "fast""#]);
        assert_eq!(found(&rules, AUTO), [r#"vllm/small of "fast""#, r#"vllm/big of "smart""#]);
        assert_eq!(found(&rules, "vllm/org/any-model"), [r#"vllm/org/any-model of """#]);
        assert_eq!(found(&rules, "gpt-5-mini"), [r#"openai/gpt-5-mini of """#]);
        assert!(!resolve(&rules, "vllm/unheard-of").unwrap()[0].known, "it may not label a metric");
    }

    #[test]
    fn a_name_that_nothing_answers_to_is_refused_with_a_way_out() {
        let rules = two();
        assert_eq!(
            refusal(&rules, "gtp-5-mini"),
            r#"nothing answers to model "gtp-5-mini"; did you mean "openai/gpt-5-mini"?"#
        );
        assert_eq!(refusal(&rules, "vllm/"), r#"nothing answers to model "vllm/""#);
        for name in ["", "a\nb", &"x".repeat(257)] {
            assert_eq!(refusal(&rules, name), "the name of a model has 1 to 256 bytes and no control characters");
        }
    }

    #[test]
    fn a_bare_name_of_several_providers_is_ambiguous() {
        let eu = Provider { index: 1, catalogue: "openai".into(), ..provider("openai-eu") };
        let rules = rules(vec![provider("openai"), eu], vec![]);
        assert_eq!(
            refusal(&rules, "gpt-5-mini"),
            r#"model "gpt-5-mini" is served by several providers: name one as openai/gpt-5-mini or openai-eu/gpt-5-mini"#
        );
    }

    #[test]
    fn a_policy_of_one_provider_and_nothing_else_routes_any_name() {
        let alone = rules(vec![provider("vllm")], vec![]);
        assert_eq!(found(&alone, "anything"), [r#"vllm/anything of """#]);
        assert_eq!(found(&alone, AUTO), [r#"vllm/auto of """#]);
        let entry = vec![Rc::new(target(provider("vllm"), "small", "fast"))];
        let described = rules(vec![provider("vllm")], vec![("fast", entry)]);
        assert_eq!(refusal(&described, "anything"), r#"nothing answers to model "anything""#);
    }
}
