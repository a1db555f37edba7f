//! The filter of an attempt, in a provider's cluster or in the internal listener: it makes the request fit the target
//! whose turn it is. Callbacks in, steps out; no policy here.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::filter::abi::{self, Buffer, Map, Status};
use crate::filter::envoy::{self, CLUSTER_HEADER, EXCHANGE_HEADER, Failover, Place};
use crate::filter::host::Proxy;
use crate::filter::perform::{Message, Performed, perform, send};
use crate::filter::registry::{self, Shared};
use crate::gateway::exchange::{Exchange, unavailable};
use crate::gateway::step::Steps;
use crate::http::Headers;

/// One attempt.
pub struct Upstream {
    /// The provider whose cluster this filter stands in; none in the internal listener, which serves them all.
    provider: Option<Rc<str>>,
    exchange: Option<Shared>,
    /// The name of the exchange. Only the proxy knows it, so no log shows it.
    token: String,
    /// Which attempt of the exchange this is, the first being 1.
    number: usize,
    request: Request,
    /// Whether the answer is held until its first event has come.
    holds: bool,
}

/// How far the attempt's request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Nothing came yet.
    Unseen,
    /// Held until its body is complete.
    Held,
    /// It was answered here and goes nowhere.
    Refused,
    /// It went on: fitted to its target, or none of ours.
    Gone,
}

impl Upstream {
    pub fn new(provider: Option<Rc<str>>) -> Self {
        Self { provider, exchange: None, token: String::new(), number: 0, request: Request::Unseen, holds: false }
    }

    fn failover(&self) -> Failover {
        if self.provider.is_some() { Failover::Refresh } else { Failover::Loop }
    }

    fn place(&self) -> Place {
        Place { failover: self.failover(), route_retries: None, publishes: false, audits_to_state: false }
    }

    fn refuse(&mut self) -> Action {
        self.request = Request::Refused;
        send(&unavailable());
        Action::Pause
    }

    fn settle(&mut self, performed: Performed) -> Action {
        match performed {
            Performed::GoesOn => {
                self.request = Request::Gone;
                Action::Continue
            }
            Performed::Held => {
                self.request = Request::Held;
                Action::Pause
            }
            Performed::Failed => self.refuse(),
        }
    }

    fn begin(&mut self) -> Action {
        let Some(exchange) = registry::find(&self.token) else { return self.refuse() };
        let Ok(mut borrowed) = exchange.try_borrow_mut() else { return self.refuse() };
        let begun = borrowed.begin_attempt(self.provider.as_deref());
        let cluster = borrowed.attempt_cluster().map(str::to_owned);
        self.number = borrowed.attempt_number();
        drop(borrowed);
        let (Ok(steps), Some(cluster)) = (begun, cluster) else { return self.refuse() };
        self.exchange = Some(exchange);
        if self.failover() == Failover::Loop {
            let named = abi::set_header(Map::RequestHeaders, CLUSTER_HEADER, &cluster);
            if named.and_then(|()| abi::remove_header(Map::RequestHeaders, EXCHANGE_HEADER)).is_err() {
                return self.refuse();
            }
        }
        let performed = perform(steps, Message::Request, self.place(), "");
        self.settle(performed)
    }

    fn body_complete(&mut self) -> Action {
        let Ok(body) = abi::whole_buffer(Buffer::RequestBody) else { return self.refuse() };
        let exchange = self.exchange.as_ref().and_then(|exchange| exchange.try_borrow_mut().ok());
        // Once another attempt has begun, the target is no longer this one's.
        let exchange = exchange.filter(|exchange| exchange.attempt_number() == self.number);
        let steps = exchange.and_then(|mut exchange| exchange.attempt_body(&body, &Proxy).ok());
        let Some(steps) = steps else { return self.refuse() };
        let performed = perform(steps, Message::Request, self.place(), "");
        self.settle(performed)
    }

    /// Tells the exchange how the attempt goes; says whether its answer is held.
    fn tell(&self, news: impl FnOnce(&mut Exchange) -> Steps) -> Performed {
        let exchange = self.exchange.as_ref().and_then(|exchange| exchange.try_borrow_mut().ok());
        match exchange.map(|mut exchange| news(&mut exchange)) {
            Some(steps) => perform(steps, Message::Response, self.place(), ""),
            None => Performed::GoesOn,
        }
    }

    /// Holds an answer as it was told, but never one that is complete: nothing would let it go.
    fn hold(&mut self, told: Performed, end: bool) -> Action {
        self.holds = told == Performed::Held && !end;
        if self.holds { Action::Pause } else { Action::Continue }
    }

    /// A further part of the request; `complete` says that it is the last.
    fn more(&mut self, complete: bool) -> Action {
        match self.request {
            Request::Gone => Action::Continue,
            Request::Refused => Action::Pause,
            Request::Held if !complete => Action::Pause,
            Request::Held => self.body_complete(),
            // Without its headers nobody can tell whose request it is.
            Request::Unseen => self.refuse(),
        }
    }
}

impl Context for Upstream {
    /// Envoy tells the end of an attempt before it chooses where the next one goes.
    fn on_done(&mut self) -> bool {
        let number = self.number;
        self.tell(|exchange| exchange.attempt_lost(number, &Proxy));
        self.exchange = None;
        true
    }
}

impl HttpContext for Upstream {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        match self.request {
            Request::Unseen => {}
            Request::Gone => return Action::Continue,
            Request::Held | Request::Refused => return Action::Pause,
        }
        let id = abi::header(Map::RequestHeaders, EXCHANGE_HEADER);
        // A request of another route of this proxy, to the same cluster: none of ours.
        if (self.failover(), &id) == (Failover::Refresh, &Err(Status::NOT_FOUND)) {
            return self.settle(Performed::GoesOn);
        }
        let Some(id) = id.ok().and_then(|id| String::from_utf8(id).ok()) else { return self.refuse() };
        self.token = id;
        let action = self.begin();
        // A request without a body has nothing to wait for.
        if end && self.request == Request::Held { self.refuse() } else { action }
    }

    fn on_http_request_body(&mut self, _size: usize, end: bool) -> Action {
        self.more(end)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.more(true)
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        if self.exchange.is_none() {
            return Action::Continue;
        }
        if self.request == Request::Refused {
            // The answer to what was refused here is nobody's word on the target.
            let number = self.number;
            self.tell(|exchange| exchange.attempt_lost(number, &Proxy));
            return Action::Continue;
        }
        let status = abi::header(Map::ResponseHeaders, ":status").unwrap_or_default();
        let status = std::str::from_utf8(&status).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        // The other headers matter to a key that met a limit, and to a stream that may begin with an error; only then are
        // they worth a crossing.
        let streams = |exchange: &Shared| exchange.try_borrow().is_ok_and(|exchange| exchange.attempt_streams());
        let matter = status == 429 || self.exchange.as_ref().is_some_and(streams);
        let headers = if matter { abi::header_pairs(Map::ResponseHeaders).ok() } else { None };
        let headers = headers.and_then(Headers::from_serialized).unwrap_or_default();
        // In a cluster every answer is the provider's; the internal listener makes some up itself.
        let made_up = self.failover() == Failover::Loop && status >= 400 && envoy::answer_is_the_proxys_own();
        let number = self.number;
        let told = self.tell(|exchange| exchange.attempt_answered(number, status, &headers, !made_up, &Proxy));
        self.hold(told, end)
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if !self.holds {
            return Action::Continue;
        }
        let so_far = abi::buffer(Buffer::ResponseBody, size).unwrap_or_default();
        let number = self.number;
        let told = self.tell(|exchange| exchange.attempt_piece(number, &so_far, end, &Proxy));
        self.hold(told, end)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if std::mem::take(&mut self.holds) {
            let so_far = abi::whole_buffer(Buffer::ResponseBody).unwrap_or_default();
            let number = self.number;
            self.tell(|exchange| exchange.attempt_piece(number, &so_far, true, &Proxy));
        }
        Action::Continue
    }
}
