//! The filter of the listener: it reads the request, decides, meters the answer. Callbacks in, steps out; no policy here.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::filter::abi::{self, Buffer, Map};
use crate::filter::envoy::{self, Place};
use crate::filter::host::Proxy;
use crate::filter::perform::{Message, perform, send, unavailable};
use crate::filter::registry::{self, Shared};
use crate::gateway::compile::Gateway;
use crate::gateway::exchange::{Exchange, Opening};
use crate::gateway::settle::EndedBy;
use crate::gateway::step::Steps;
use crate::http::Headers;

/// One request on the listener.
pub struct Listener {
    gateway: Rc<Gateway>,
    place: Place,
    exchange: Option<Shared>,
    id: String,
    /// The request was answered here; whatever comes back now is that answer.
    answered: bool,
}

impl Listener {
    pub fn new(gateway: Rc<Gateway>, place: Place) -> Self {
        Self { gateway, place, exchange: None, id: String::new(), answered: false }
    }

    /// Asks the exchange and performs what it says. No exchange, no rule: then the message goes on untouched.
    fn with(&self, message: Message, ask: impl FnOnce(&mut Exchange) -> Steps) -> Action {
        let Some(exchange) = &self.exchange else { return Action::Continue };
        let Ok(mut exchange) = exchange.try_borrow_mut() else { return Action::Continue };
        let steps = ask(&mut exchange);
        drop(exchange);
        perform(steps, message, self.place, &self.id)
    }

    fn refuse(&mut self) -> Action {
        self.answered = true;
        send(&unavailable());
        Action::Pause
    }

    fn request_complete(&mut self) -> Action {
        match abi::whole_buffer(Buffer::RequestBody) {
            Ok(body) => self.with(Message::Request, |exchange| exchange.request_body(&body, &Proxy)),
            // A body that cannot be read cannot be ruled on.
            Err(_) => self.refuse(),
        }
    }

    fn close(&mut self) {
        let Some(exchange) = self.exchange.take() else { return };
        registry::leave(&self.id);
        if let Ok(mut exchange) = exchange.try_borrow_mut() {
            if exchange.is_settled() {
                return;
            }
            let by = if envoy::client_is_gone() { EndedBy::Client } else { EndedBy::Other };
            let steps = exchange.close(by, &Proxy);
            drop(exchange);
            perform(steps, Message::Response, self.place, &self.id);
        }
    }
}

impl Context for Listener {
    fn on_done(&mut self) -> bool {
        self.close();
        true
    }
}

impl HttpContext for Listener {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        if self.exchange.is_some() {
            return Action::Continue;
        }
        let headers = abi::header_pairs(Map::RequestHeaders).ok().and_then(Headers::from_serialized);
        let Some(headers) = headers else { return self.refuse() };
        match Exchange::open(&self.gateway, headers, end, &Proxy) {
            Opening::Foreign => Action::Continue,
            Opening::Answered(reply) => {
                self.answered = true;
                send(&reply);
                Action::Pause
            }
            Opening::Ours(exchange, steps) => {
                self.id = exchange.id().to_owned();
                let shared = Rc::new(RefCell::new(*exchange));
                registry::enter(&self.id, &shared);
                self.exchange = Some(shared);
                perform(steps, Message::Request, self.place, &self.id)
            }
        }
    }

    fn on_http_request_body(&mut self, _size: usize, end: bool) -> Action {
        if self.answered {
            return Action::Pause;
        }
        if self.exchange.is_none() {
            return Action::Continue;
        }
        if end { self.request_complete() } else { Action::Pause }
    }

    /// A body with trailers ends here rather than in the body's callback.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if self.answered {
            return Action::Pause;
        }
        if self.exchange.is_some() { self.request_complete() } else { Action::Continue }
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        if self.exchange.is_none() {
            return Action::Continue;
        }
        let headers =
            abi::header_pairs(Map::ResponseHeaders).ok().and_then(Headers::from_serialized).unwrap_or_default();
        let failed =
            headers.text(":status").and_then(|text| text.parse::<u16>().ok()).is_none_or(|status| status >= 400);
        let from_proxy = failed && envoy::answer_is_the_proxys_own();
        self.with(Message::Response, |exchange| exchange.response_headers(&headers, from_proxy, end, &Proxy))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.with(Message::Response, |exchange| {
            let chunk = if size == 0 || !exchange.reads_answer() {
                Vec::new()
            } else {
                abi::buffer(Buffer::ResponseBody, size).unwrap_or_default()
            };
            exchange.response_body(&chunk, end, &Proxy)
        })
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.with(Message::Response, |exchange| exchange.response_end(&Proxy))
    }

    fn on_log(&mut self) {
        self.close();
    }
}
