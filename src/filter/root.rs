//! The filter's root: reads the plugin's configuration, compiles the policy, and makes a context for each request.
//! A configuration that cannot be used is refused with every problem in the log, and the old one stays in force.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
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
    /// `{"role": "listener", "failover": "refresh" | "loop", "route_retries": {…}, "publish": false,
    /// "policy": {…}}`.
    Listener(Rc<Gateway>, Place),
    /// `{"role": "upstream", "provider": "openai"}`, or without a provider in the internal listener.
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

fn configure(bytes: &[u8]) -> Result<Role, Vec<Problem>> {
    let one = |path: &str, message: String| vec![Problem::new(path, message)];
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| one("", format!("the plugin's configuration is not JSON: {error}")))?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    match text("role") {
        Some("upstream") => Ok(Role::Upstream(text("provider").map(Rc::from))),
        Some("listener") => {
            let failover = text("failover").unwrap_or("refresh");
            let failover = Failover::parse(failover).ok_or_else(|| {
                one("failover", format!("\"{failover}\" is not a failover design; use \"refresh\" or \"loop\""))
            })?;
            let policy = value.get("policy").ok_or_else(|| one("policy", "the policy is missing".to_owned()))?;
            let publishes = value.get("publish").and_then(Value::as_bool).unwrap_or(true);
            let route_retries = value.get("route_retries").map(route_retries);
            Ok(Role::Listener(Rc::new(compile(policy)?), Place { failover, route_retries, publishes }))
        }
        _ => Err(one("role", "use \"listener\" or \"upstream\"; `weir render envoy` writes both".to_owned())),
    }
}

fn route_retries(value: &Value) -> RouteRetries {
    let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    RouteRetries {
        retries: u32::try_from(number("retries")).unwrap_or(u32::MAX),
        per_try_timeout_millis: number("per_try_timeout_millis"),
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
