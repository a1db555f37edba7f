//! The filter of an attempt, in a provider's cluster or in the internal listener: it makes the request fit the target
//! whose turn it is. Callbacks in, steps out; no policy here.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::filter::abi::{self, Buffer, Map};
use crate::filter::envoy::{self, CLUSTER_HEADER, EXCHANGE_HEADER, Failover, Place};
use crate::filter::host::Proxy;
use crate::filter::perform::{Message, perform, send, unavailable};
use crate::filter::registry::{self, Shared};
use crate::gateway::exchange::Exchange;
use crate::gateway::step::Steps;
use crate::http::Headers;

/// One attempt.
pub struct Upstream {
    /// The provider whose cluster this filter stands in; none in the internal listener, which serves them all.
    provider: Option<Rc<str>>,
    exchange: Option<Shared>,
    id: String,
    waiting: bool,
    refused: bool,
}

impl Upstream {
    pub fn new(provider: Option<Rc<str>>) -> Self {
        Self { provider, exchange: None, id: String::new(), waiting: false, refused: false }
    }

    fn failover(&self) -> Failover {
        if self.provider.is_some() { Failover::Refresh } else { Failover::Loop }
    }

    fn place(&self) -> Place {
        Place { failover: self.failover(), route_retries: false, publishes: false }
    }

    fn refuse(&mut self) -> Action {
        self.refused = true;
        send(&unavailable());
        Action::Pause
    }

    fn with(&self, message: Message, ask: impl FnOnce(&mut Exchange) -> Steps) -> Action {
        let Some(exchange) = &self.exchange else { return Action::Continue };
        let Ok(mut exchange) = exchange.try_borrow_mut() else { return Action::Continue };
        let steps = ask(&mut exchange);
        drop(exchange);
        perform(steps, message, self.place(), &self.id)
    }

    fn begin(&mut self) -> Action {
        let Some(exchange) = registry::find(&self.id) else { return self.refuse() };
        let Ok(mut borrowed) = exchange.try_borrow_mut() else { return self.refuse() };
        let begun = borrowed.begin_attempt(self.provider.as_deref());
        let cluster = borrowed.attempt_cluster().map(str::to_owned);
        drop(borrowed);
        let (Ok(steps), Some(cluster)) = (begun, cluster) else { return self.refuse() };
        self.exchange = Some(exchange);
        if self.failover() == Failover::Loop {
            let named = abi::set_header(Map::RequestHeaders, CLUSTER_HEADER, &cluster);
            if named.and_then(|()| abi::remove_header(Map::RequestHeaders, EXCHANGE_HEADER)).is_err() {
                return self.refuse();
            }
        }
        let action = perform(steps, Message::Request, self.place(), &self.id);
        self.waiting = action == Action::Pause;
        action
    }

    fn body_complete(&mut self) -> Action {
        self.waiting = false;
        match abi::whole_buffer(Buffer::RequestBody) {
            Ok(body) => self.with(Message::Request, |exchange| exchange.attempt_body(&body)),
            Err(_) => self.refuse(),
        }
    }
}

impl Context for Upstream {}

impl HttpContext for Upstream {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        if self.exchange.is_some() {
            return Action::Continue;
        }
        let id = abi::header(Map::RequestHeaders, EXCHANGE_HEADER);
        match (id.ok().and_then(|id| String::from_utf8(id).ok()), self.failover()) {
            (Some(id), _) if !id.is_empty() => {
                self.id = id;
                match self.begin() {
                    // A request without a body has nothing to wait for.
                    Action::Pause if end && self.waiting => self.refuse(),
                    action => action,
                }
            }
            // A request of another route of this proxy, to the same cluster: none of ours.
            (_, Failover::Refresh) => Action::Continue,
            (_, Failover::Loop) => self.refuse(),
        }
    }

    fn on_http_request_body(&mut self, _size: usize, end: bool) -> Action {
        match (self.refused, self.waiting, end) {
            (true, _, _) | (false, true, false) => Action::Pause,
            (false, true, true) => self.body_complete(),
            (false, false, _) => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match (self.refused, self.waiting) {
            (true, _) => Action::Pause,
            (false, true) => self.body_complete(),
            (false, false) => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        if self.exchange.is_none() {
            return Action::Continue;
        }
        let status = abi::header(Map::ResponseHeaders, ":status").unwrap_or_default();
        let status = std::str::from_utf8(&status).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        // The other headers matter to a key that met a limit, and only then are they worth a crossing.
        let headers = if status == 429 { abi::header_pairs(Map::ResponseHeaders).ok() } else { None };
        let headers = headers.and_then(Headers::from_serialized).unwrap_or_default();
        // In a cluster every answer is the provider's; the internal listener makes some up itself.
        let made_up = self.failover() == Failover::Loop && status >= 400 && envoy::answer_is_the_proxys_own();
        self.with(Message::Response, |exchange| exchange.attempt_answered(status, &headers, !made_up, &Proxy))
    }
}
