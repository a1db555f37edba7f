//! The compiled rules: every name resolved, every secret read, every lookup unable to fail. Not how they are compiled
//! (see `gateway::compile`) and not how they are applied (see `decide`).

use std::collections::HashMap;
use std::rc::Rc;

use crate::chat::capability::Capabilities;
use crate::chat::family::ApiFamily;
use crate::chat::money::Money;
use crate::chat::secret::Secret;
use crate::chat::traits::Traits;
use crate::config::policy::{Explain, Fallback, Label, OnLoss, Prefer};
use crate::policy::access::Access;
use crate::policy::price::Prices;

/// Everything a decision needs, immutable after compile.
#[derive(Debug)]
pub struct Rules {
    /// Providers by position.
    pub providers: Vec<Rc<Provider>>,
    /// The targets of each `models` entry, by its name.
    pub models: HashMap<String, Vec<Rc<Target>>>,
    /// The names of `models`, sorted: what `auto` ranges over.
    pub model_names: Vec<String>,
    /// Routes in the order written.
    pub routes: Vec<Route>,
    /// What holds where no route matches.
    pub fallback: Rc<Fallback>,
    /// Who may do what.
    pub access: Access,
    /// Metric labels that are switched on.
    pub labels: Vec<Label>,
    /// Whether an audit line is written.
    pub audit: bool,
    /// Whether the decision is shown in response headers.
    pub explain: Explain,
}

/// A provider, ready to be called.
#[derive(Debug, PartialEq)]
pub struct Provider {
    /// Its position in `Rules::providers`.
    pub index: usize,
    /// Its name in the policy.
    pub name: String,
    /// The family it speaks.
    pub api: ApiFamily,
    /// The upstream cluster.
    pub cluster: String,
    /// What goes into `:authority`.
    pub authority: String,
    /// The base path without a trailing slash.
    pub base_path: String,
    /// Whether the transport is TLS.
    pub tls: bool,
    /// The key pool; empty when the provider wants none.
    pub keys: Vec<Secret>,
    /// Whose catalogue entries apply.
    pub catalogue: String,
    /// Residency.
    pub region: Option<String>,
    /// Compliance labels.
    pub labels: Vec<String>,
    /// Headers set on every request to it; names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// The version in Azure's dated paths.
    pub api_version: Option<String>,
    /// Credentials that sign requests to AWS.
    pub aws: Option<Aws>,
}

/// Credentials that sign requests to AWS.
#[derive(Debug, PartialEq)]
pub struct Aws {
    /// The access key's id.
    pub access_key_id: Secret,
    /// The access key.
    pub secret_access_key: Secret,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
    /// The region that requests are signed for.
    pub region: String,
}

/// A model at a provider.
#[derive(Debug)]
pub struct Target {
    /// The provider.
    pub provider: Rc<Provider>,
    /// The model's name there.
    pub model: String,
    /// `provider/model`, for records and allow-lists.
    pub name: String,
    /// The `models` entry it was found through; empty when the client named the target itself.
    pub entry: String,
    /// Its share in a weighted draw.
    pub weight: u32,
    /// Quality, when the policy says.
    pub quality: Option<f64>,
    /// Context window in tokens, when known.
    pub context_window: Option<u64>,
    /// Largest input in tokens, where that is less than the window.
    pub max_input: Option<u64>,
    /// Largest output in tokens, when known.
    pub max_output: Option<u64>,
    /// What it can do; `None` when nobody says, and then nothing is held against it.
    pub capabilities: Option<Capabilities>,
    /// How it wants its requests shaped.
    pub traits: Traits,
    /// Its price, when known.
    pub prices: Option<Prices>,
    /// Whether policy or catalogue know it, so that its name may label a metric.
    pub known: bool,
}

/// A route, its patterns as written.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// What must hold of the request.
    pub matches: crate::config::policy::Match,
    /// Where the request may go; `None` leaves it to the name the client used.
    pub targets: Option<Vec<Rc<Target>>>,
    /// What a target must be.
    pub require: Require,
    /// How eligible targets are ranked; `None` follows what is natural for the name used.
    pub prefer: Prefer,
    /// What happens when an attempt fails.
    pub fallback: Rc<Fallback>,
    /// What becomes of targets where translation would lose something.
    pub on_loss: OnLoss,
}

/// A route's requirements.
#[derive(Debug, Default)]
pub struct Require {
    /// One of these regions; empty means any.
    pub regions: Vec<String>,
    /// All of these labels.
    pub labels: Vec<String>,
    /// All of these capabilities.
    pub capabilities: Capabilities,
    /// At least this quality.
    pub quality: Option<f64>,
    /// The worst case must not cost more.
    pub max_cost: Option<Money>,
}

/// Rules for the tests of this room, with as little in them as compiles.
#[cfg(test)]
pub(crate) mod sample {
    use std::collections::HashMap;
    use std::rc::Rc;

    use super::{Provider, Rules, Target};
    use crate::chat::capability::Capabilities;
    use crate::chat::family::ApiFamily;
    use crate::chat::money::TokenPrice;
    use crate::chat::traits::Traits;
    use crate::chat::wire::Wire;
    use crate::config::policy::Explain;
    use crate::http::Headers;
    use crate::policy::access::Access;
    use crate::policy::decide::default_fallback;
    use crate::policy::facts::{Facts, Lossless};
    use crate::policy::price::Prices;

    /// A provider whose catalogue is the one of its name.
    pub(crate) fn provider(name: &str) -> Provider {
        Provider {
            index: 0,
            name: name.to_owned(),
            api: ApiFamily::OpenAi,
            cluster: name.to_owned(),
            authority: "127.0.0.1".to_owned(),
            base_path: "/v1".to_owned(),
            tls: false,
            keys: Vec::new(),
            catalogue: name.to_owned(),
            region: None,
            labels: Vec::new(),
            headers: Vec::new(),
            api_version: None,
            aws: None,
        }
    }

    /// A target of `models.<entry>` of which nothing is known.
    pub(crate) fn target(provider: Provider, model: &str, entry: &str) -> Target {
        Target {
            name: format!("{}/{model}", provider.name),
            provider: Rc::new(provider),
            model: model.to_owned(),
            entry: entry.to_owned(),
            weight: 1,
            quality: None,
            context_window: None,
            max_input: None,
            max_output: None,
            capabilities: None,
            traits: Traits::NONE,
            prices: None,
            known: true,
        }
    }

    /// A list price in USD per million tokens.
    pub(crate) fn price(input: f64, output: f64) -> Option<Prices> {
        let usd = |price| TokenPrice::from_usd_per_mtok(price).unwrap();
        Some(Prices { input: usd(input), output: usd(output), ..Prices::default() })
    }

    /// Rules of providers and `models` entries, for anybody.
    pub(crate) fn rules(providers: Vec<Provider>, entries: Vec<(&str, Vec<Rc<Target>>)>) -> Rules {
        let mut model_names: Vec<String> = entries.iter().map(|(name, _)| (*name).to_owned()).collect();
        model_names.sort();
        Rules {
            providers: providers.into_iter().map(Rc::new).collect(),
            models: entries.into_iter().map(|(name, targets)| (name.to_owned(), targets)).collect::<HashMap<_, _>>(),
            model_names,
            routes: Vec::new(),
            fallback: Rc::new(default_fallback()),
            access: Access::default(),
            labels: Vec::new(),
            audit: false,
            explain: Explain::Off,
        }
    }

    /// A request of 1000 tokens that needs nothing special.
    pub(crate) fn facts<'a>(model: &'a str, headers: &'a Headers) -> Facts<'a> {
        Facts {
            api: ApiFamily::OpenAi,
            wire: Wire::Chat,
            model,
            stream: false,
            input_tokens: 1_000,
            max_output: None,
            choices: 1,
            needs: Capabilities::NONE,
            headers,
            losses: &Lossless,
        }
    }
}
