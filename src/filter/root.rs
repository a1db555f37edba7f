//! The filter's root: reads the plugin's configuration, compiles the policy, and makes a context for each request.
//! A configuration that cannot be used is refused with every problem in the log, and the old one stays in force.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use serde::Deserialize;
use serde_json::Value;

use crate::config::problem::Problem;
use crate::filter::abi::{self, Buffer, Level};
use crate::filter::envoy::{Failover, Place, RouteRetries};
use crate::filter::host::{Proxy, abilities};
use crate::filter::listener::Listener;
use crate::filter::perform::send;
use crate::filter::upstream::Upstream;
use crate::gateway::compile::Gateway;
use crate::gateway::exchange::unavailable;
use crate::ledger::cooldown;

/// What a plugin's configuration makes of this filter.
enum Role {
    /// Not configured: requests pass to a context that refuses them.
    None,
    /// Reads requests and decides.
    Listener(Rc<Gateway>, Place),
    /// Makes attempts, at one provider or at all.
    Upstream(Option<Rc<str>>),
}

/// The root context of one plugin.
struct Root {
    role: Role,
}

/// Registers the filter with the SDK.
pub fn start() {
    proxy_wasm::set_root_context(|_| Box::new(Root { role: Role::None }));
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = abi::buffer(Buffer::PluginConfiguration, size).unwrap_or_default();
        match configure(&bytes) {
            Ok(role) => {
                self.role = role;
                true
            }
            Err(problems) => {
                for problem in problems {
                    abi::log(Level::Error, &format!("weir: the policy is refused: {problem}"));
                }
                false
            }
        }
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.role {
            Role::None => Box::new(Closed),
            Role::Listener(gateway, place) => Box::new(Listener::new(Rc::clone(gateway), *place)),
            Role::Upstream(provider) => Box::new(Upstream::new(provider.clone())),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The plugin's configuration. `weir render envoy` writes it.
#[derive(Deserialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
enum Configuration {
    /// The filter of the listener.
    Listener {
        policy: Value,
        #[serde(default)]
        failover: Failover,
        route_retries: Option<RouteRetries>,
        /// Whether `weir.*` is put into filter state for access logs and other filters.
        #[serde(default = "yes")]
        publish: bool,
        #[serde(default)]
        audit: AuditTo,
    },
    /// The filter of a provider's cluster, or without a provider that of the internal listener.
    Upstream { provider: Option<String> },
}

/// Where audit lines go.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuditTo {
    /// The proxy's own log.
    #[default]
    Log,
    /// Filter state `weir.audit`, for an access log that writes it.
    FilterState,
}

fn yes() -> bool {
    true
}

fn configure(bytes: &[u8]) -> Result<Role, Vec<Problem>> {
    let configuration: Configuration = serde_json::from_slice(bytes).map_err(|error| {
        vec![Problem::new(
            "",
            format!("the plugin's configuration cannot be read: {error}; `weir render envoy` writes it"),
        )]
    })?;
    match configuration {
        Configuration::Upstream { provider } => Ok(Role::Upstream(provider.map(Rc::from))),
        Configuration::Listener { policy, failover, route_retries, publish, audit } => {
            let audits_to_state = audit == AuditTo::FilterState;
            let place = Place { failover, route_retries, publishes: publish, audits_to_state };
            Ok(Role::Listener(Rc::new(compile(&policy)?), place))
        }
    }
}

fn compile(policy: &Value) -> Result<Gateway, Vec<Problem>> {
    let abilities = abilities();
    let gateway = Gateway::compile(policy, &|name| std::env::var(name).ok(), abilities)?;
    let missing = abilities.missing();
    if !missing.is_empty() {
        abi::log(Level::Warn, &format!("weir: this host lacks {}", missing.join(" and ")));
    }
    for provider in gateway.rules.providers.iter().filter(|provider| provider.keys.len() > 1) {
        if cooldown::prepare(&Proxy, &provider.name, provider.keys.len()).is_err() {
            abi::log(Level::Warn, &format!("weir: keys of {} do not rest after a 429 here", provider.name));
        }
    }
    abi::log(Level::Info, &format!("weir: policy {} is in force", gateway.hash));
    Ok(gateway)
}

/// A request to a filter without rules.
struct Closed;

impl Context for Closed {}

impl HttpContext for Closed {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        send(&unavailable());
        Action::Pause
    }

    fn on_http_request_body(&mut self, _size: usize, _end: bool) -> Action {
        Action::Pause
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        Action::Pause
    }
}
