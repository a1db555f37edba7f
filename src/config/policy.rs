//! The policy file as structs, section by section, version 1. What is written, not what it means.
//!
//! Every field of the contract has a place here, built or not: what is not built yet is refused by name when the policy
//! is compiled, so that nothing a user writes is silently ignored.

use crate::chat::capability::Capability;
use crate::chat::family::ApiFamily;
use crate::chat::money::{Money, TokenPrice};
use crate::chat::secret::Secret;
use crate::config::problem::Problem;

/// A whole policy file. Sections that are maps in the file are lists here, sorted by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// `providers`.
    pub providers: Vec<Provider>,
    /// `models`.
    pub models: Vec<Model>,
    /// `routes`, in the order written.
    pub routes: Vec<Route>,
    /// `teams`.
    pub teams: Vec<Team>,
    /// `keys`.
    pub keys: Vec<Key>,
    /// `anonymous: allow`.
    pub anonymous: Anonymous,
    /// `observe`.
    pub observe: Observe,
    /// `store.on_unavailable`.
    pub store: StoreUnavailable,
    /// Sections and fields that are well-formed and not built yet, each by path; compiling refuses them by name.
    pub unsupported: Vec<Unsupported>,
}

/// A well-formed part of a policy that this version of Weir does not act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Where it stands, as `routes[1].rollout`.
    pub path: String,
    /// Its name as a user would say it, as "`rollout`" or "`prefer: fastest`".
    pub what: String,
}

impl Unsupported {
    /// The refusal of the part, by name.
    pub fn problem(&self) -> Problem {
        Problem::new(self.path.clone(), format!("{} is not supported yet; remove it to use this version", self.what))
    }
}

/// `anonymous`: whether a request without a key is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// Not written. A policy with neither keys nor `anonymous: allow` is refused.
    #[default]
    Unset,
    /// `deny`.
    Deny,
    /// `allow`.
    Allow,
}

/// One entry of `providers`.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// The entry's name.
    pub name: String,
    /// `api`.
    pub api: ApiFamily,
    /// `endpoint`.
    pub endpoint: Endpoint,
    /// `cluster`; the name when absent.
    pub cluster: String,
    /// `key`: one or a pool; empty when the provider wants none.
    pub keys: Vec<KeySource>,
    /// `catalogue`; the name when absent.
    pub catalogue: String,
    /// `region`.
    pub region: Option<String>,
    /// `labels`.
    pub labels: Vec<String>,
    /// `headers`, sorted by name in lower case.
    pub headers: Vec<Header>,
    /// `api_version`, only with `api: azure_openai`: the dated path style; the versionless one when absent.
    pub api_version: Option<String>,
    /// `aws`, only with `api: bedrock`: requests are signed instead of carrying a key.
    pub aws: Option<Aws>,
}

impl Provider {
    /// Every key, credential and header value of the provider, with its path below the provider's own.
    pub fn sources(&self) -> Vec<(String, &KeySource)> {
        let mut sources: Vec<(String, &KeySource)> = self.keys.iter().map(|key| ("key".to_owned(), key)).collect();
        if let Some(aws) = &self.aws {
            sources.push(("aws.access_key_id".to_owned(), &aws.access_key_id));
            sources.push(("aws.secret_access_key".to_owned(), &aws.secret_access_key));
            sources.extend(aws.session_token.as_ref().map(|token| ("aws.session_token".to_owned(), token)));
        }
        sources.extend(self.headers.iter().map(|header| (format!("headers.{}", header.name), &header.value)));
        sources
    }
}

/// `providers.*.aws`: what requests to Bedrock are signed with (AWS Signature Version 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// `access_key_id`.
    pub access_key_id: KeySource,
    /// `secret_access_key`.
    pub secret_access_key: KeySource,
    /// `session_token`, for temporary credentials.
    pub session_token: Option<KeySource>,
    /// `region`; the one in the endpoint's host when absent.
    pub region: String,
}

/// A header a policy sets on requests to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name in lower case.
    pub name: String,
    /// The value, possibly `${NAME}`.
    pub value: KeySource,
}

/// A key or header value as written: the text itself or the name of an environment variable of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `${NAME}`.
    Environment(String),
    /// The text itself.
    Literal(Secret),
}

/// A provider's `endpoint`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether the transport is TLS (`https`).
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// The port, 443 or 80 when not written.
    pub port: u16,
    /// The base path without a trailing slash, as `/v1`; empty when none.
    pub path: String,
}

impl Endpoint {
    /// What goes into `:authority`: the host, in brackets if it is an IPv6 address, and the port if it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// One entry of `models`: a name clients may ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The entry's name.
    pub name: String,
    /// `quality` as one number or as the `default` of a map; per-task numbers are in `Policy::unsupported`.
    pub quality: Option<f64>,
    /// `targets`, at least one.
    pub targets: Vec<Target>,
    /// `context_window` in tokens, instead of the catalogue's.
    pub context_window: Option<u64>,
    /// `max_output` in tokens, instead of the catalogue's.
    pub max_output: Option<u64>,
    /// `capabilities` instead of the catalogue's.
    pub capabilities: Option<Vec<Capability>>,
}

/// One entry of a model's `targets`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// The provider's name.
    pub provider: String,
    /// The model's name at that provider; may hold slashes.
    pub model: String,
    /// `weight`, 1 when absent.
    pub weight: u32,
    /// `price` instead of the catalogue's.
    pub price: Option<WrittenPrice>,
}

/// A price written in the policy, in USD per million tokens there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenPrice {
    /// `input`.
    pub input: TokenPrice,
    /// `output`.
    pub output: TokenPrice,
    /// `cache_read`; the input price when absent.
    pub cache_read: Option<TokenPrice>,
    /// `cache_write`; the input price when absent.
    pub cache_write: Option<TokenPrice>,
}

/// One entry of `routes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// `name`; `route-<index>` when absent.
    pub name: String,
    /// `match`.
    pub matches: Match,
    /// `require`.
    pub require: Require,
    /// `models`: names of `models` entries, `provider/model` or catalogue names; empty means what the client named.
    pub models: Vec<String>,
    /// `prefer`.
    pub prefer: Prefer,
    /// `fallback`.
    pub fallback: Option<Fallback>,
    /// `on_loss`.
    pub on_loss: OnLoss,
}

/// `routes[].match`: every condition that is written must hold. Texts may hold `*` wildcards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// `team`.
    pub team: Vec<String>,
    /// `model`: the name that the client asked for.
    pub model: Vec<String>,
    /// `api`: the client's family.
    pub api: Vec<ApiFamily>,
    /// `header`: each named header has this value; the name is in lower case.
    pub header: Vec<HeaderMatch>,
    /// `stream`.
    pub stream: Option<bool>,
    /// `min_input_tokens`, by estimate.
    pub min_input_tokens: Option<u64>,
    /// `max_input_tokens`, by estimate.
    pub max_input_tokens: Option<u64>,
}

/// One condition on a request header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMatch {
    /// The name in lower case.
    pub name: String,
    /// The value, which may hold `*`.
    pub value: String,
}

/// `routes[].require`: what a target must be to be eligible.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Require {
    /// `regions`: one of them; empty means any.
    pub regions: Vec<String>,
    /// `labels`: all of them.
    pub labels: Vec<String>,
    /// `capabilities`: all of them.
    pub capabilities: Vec<Capability>,
    /// `quality`: at least this.
    pub quality: Option<f64>,
    /// `max_cost_per_request`: the worst case must not cost more.
    pub max_cost: Option<Money>,
}

/// `routes[].prefer`: how eligible targets are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// In the order written.
    #[default]
    Ordered,
    /// By expected cost.
    Cheapest,
    /// By a draw over the weights.
    Weighted,
}

/// `routes[].on_loss`: what a target is worth whose API cannot say everything the request says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// As much as any other.
    Allow,
    /// Less than every target that loses nothing.
    #[default]
    Avoid,
    /// Nothing: it is not eligible.
    Reject,
}

/// `routes[].fallback`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// `on`.
    pub on: Vec<FallbackOn>,
    /// `attempts`: tries in all, the first included; 1 to 10.
    pub attempts: u32,
    /// `per_try_timeout` in milliseconds; none when absent.
    pub per_try_timeout_millis: Option<u64>,
}

/// What makes the next candidate be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FallbackOn {
    /// A status, as `429`.
    Status(u16),
    /// `5xx`.
    ServerError,
    /// `timeout`: no first byte within `per_try_timeout`.
    Timeout,
    /// `connect`: refused, reset or unreachable.
    Connect,
}

/// One entry of `teams`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Team {
    /// The entry's name.
    pub name: String,
    /// `parent`.
    pub parent: Option<String>,
    /// `models` the team may use; none means what the parent may.
    pub models: Option<Vec<String>>,
    /// `regions` the team's requests may go to; none means what the parent's may.
    pub regions: Option<Vec<String>>,
}

/// One entry of `keys`. Only the key's hash is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// `id`: how the key is called in audit lines.
    pub id: String,
    /// `sha256` of the key.
    pub sha256: [u8; 32],
    /// `team`.
    pub team: Option<String>,
    /// `expires`: the first second, since the Unix epoch, at which the key is no longer good (00:00 UTC of the day written).
    pub expires_at: Option<u64>,
    /// `models` the key may use; none means what its team may.
    pub models: Option<Vec<String>>,
}

/// `observe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observe {
    /// `audit: metadata` (default) rather than `off`.
    pub audit: Audit,
    /// `explain: header` (default) rather than `off`.
    pub explain: Explain,
    /// `labels` of metrics.
    pub labels: Vec<Label>,
}

impl Default for Observe {
    fn default() -> Self {
        Self {
            audit: Audit::Metadata,
            explain: Explain::Header,
            labels: vec![Label::Route, Label::Model, Label::Provider, Label::Team],
        }
    }
}

/// `observe.audit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// No audit line.
    Off,
    /// One line a request, without content.
    Metadata,
}

/// `observe.explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// No `x-weir-*` response headers.
    Off,
    /// The decision in `x-weir-*` response headers.
    Header,
}

/// A metric label that a policy may switch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// The route's name.
    Route,
    /// The target's model.
    Model,
    /// The target's provider.
    Provider,
    /// The principal's team.
    Team,
}

/// `store.on_unavailable`: what to do when the host has no shared data and the policy needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreUnavailable {
    /// Refuse the policy.
    #[default]
    Closed,
    /// Keep state inside each worker.
    Open,
}
