//! The filter of the listener: it reads the request, decides, meters the answer. Callbacks in, steps out; no policy here.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::filter::abi::{self, Buffer, Map};
use crate::filter::envoy::{self, Place};
use crate::filter::host::Proxy;
use crate::filter::perform::{Message, Performed, perform, send};
use crate::filter::registry::{self, Shared};
use crate::gateway::answer::Reading;
use crate::gateway::compile::Gateway;
use crate::gateway::exchange::{Exchange, Opening, unavailable};
use crate::gateway::settle::EndedBy;
use crate::gateway::step::Steps;
use crate::http::Headers;

/// One request on the listener.
pub struct Listener {
    gateway: Rc<Gateway>,
    place: Place,
    exchange: Option<Shared>,
    id: String,
    token: String,
    request: Request,
}

/// How far the request is, as long as its callbacks come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Nothing came yet.
    Unseen,
    /// It is ours, and held until it is complete.
    Held,
    /// It was answered here; whatever comes back now is that answer.
    Answered,
    /// It was decided and went on, or it is none of ours.
    Gone,
}

impl Listener {
    pub fn new(gateway: Rc<Gateway>, place: Place) -> Self {
        Self { gateway, place, exchange: None, id: String::new(), token: String::new(), request: Request::Unseen }
    }

    /// Asks the exchange and performs what it says. `None` where there is no exchange.
    fn ask(&self, message: Message, ask: impl FnOnce(&mut Exchange) -> Steps) -> Option<Performed> {
        let steps = ask(&mut *self.exchange.as_ref()?.try_borrow_mut().ok()?);
        Some(perform(steps, message, self.place, &self.id))
    }

    /// An answer goes on whatever becomes of it here, unless it is held for the rest of it.
    fn answer(&self, ask: impl FnOnce(&mut Exchange) -> Steps) -> Action {
        match self.ask(Message::Response, ask) {
            Some(Performed::Held) => Action::Pause,
            Some(Performed::GoesOn | Performed::Failed) | None => Action::Continue,
        }
    }

    /// A request goes on when all that was decided is done.
    fn settle(&mut self, performed: Option<Performed>) -> Action {
        match performed {
            Some(Performed::GoesOn) => {
                self.request = Request::Gone;
                Action::Continue
            }
            Some(Performed::Held) => {
                self.request = Request::Held;
                Action::Pause
            }
            Some(Performed::Failed) | None => self.refuse(),
        }
    }

    fn refuse(&mut self) -> Action {
        self.request = Request::Answered;
        if self.ask(Message::Request, Exchange::lose).is_none() {
            send(&unavailable());
        }
        Action::Pause
    }

    fn request_complete(&mut self) -> Action {
        match abi::whole_buffer(Buffer::RequestBody) {
            Ok(body) => {
                let performed = self.ask(Message::Request, |exchange| exchange.request_body(&body, &Proxy));
                self.settle(performed)
            }
            // A body that cannot be read cannot be ruled on.
            Err(_) => self.refuse(),
        }
    }

    /// A further part of the request; `complete` says that it is the last.
    fn more(&mut self, complete: bool) -> Action {
        match self.request {
            Request::Gone => Action::Continue,
            Request::Answered => Action::Pause,
            Request::Held if !complete => Action::Pause,
            Request::Held => self.request_complete(),
            // Without its headers nobody can tell what it asks for.
            Request::Unseen => self.refuse(),
        }
    }

    fn close(&mut self) {
        let Some(exchange) = self.exchange.take() else { return };
        registry::leave(&self.token);
        if let Ok(mut exchange) = exchange.try_borrow_mut() {
            if exchange.is_settled() {
                return;
            }
            if exchange.reading() == Reading::Whole {
                exchange.gave_up(envoy::answered_status().unwrap_or(0));
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
        match self.request {
            Request::Unseen => {}
            Request::Gone => return Action::Continue,
            Request::Held | Request::Answered => return Action::Pause,
        }
        let headers = abi::header_pairs(Map::RequestHeaders).ok().and_then(Headers::from_serialized);
        let Some(headers) = headers else { return self.refuse() };
        match Exchange::open(&self.gateway, headers, end, &Proxy) {
            Opening::Foreign(steps) => {
                let performed = perform(steps, Message::Request, self.place, "");
                self.settle(Some(performed))
            }
            Opening::Answered(reply) => {
                self.request = Request::Answered;
                send(&reply);
                Action::Pause
            }
            Opening::Ours(exchange, steps) => {
                self.id = exchange.id().to_owned();
                self.token = exchange.token().to_owned();
                let shared = Rc::new(RefCell::new(*exchange));
                registry::enter(&self.token, &shared);
                self.exchange = Some(shared);
                let performed = perform(steps, Message::Request, self.place, &self.id);
                self.settle(Some(performed))
            }
        }
    }

    fn on_http_request_body(&mut self, _size: usize, end: bool) -> Action {
        self.more(end)
    }

    /// A body with trailers ends here rather than in the body's callback.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.more(true)
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
        self.answer(|exchange| exchange.response_headers(&headers, from_proxy, end, &Proxy))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.answer(|exchange| {
            let wanted = match exchange.reading() {
                Reading::Nothing => false,
                Reading::Pieces => true,
                // Held pieces are handed over together.
                Reading::Whole => end,
            };
            let chunk = if size == 0 || !wanted {
                Vec::new()
            } else {
                abi::buffer(Buffer::ResponseBody, size).unwrap_or_default()
            };
            exchange.response_body(&chunk, end, &Proxy)
        })
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.answer(|exchange| {
            if exchange.reading() == Reading::Whole {
                let body = abi::whole_buffer(Buffer::ResponseBody).unwrap_or_default();
                return exchange.response_body(&body, true, &Proxy);
            }
            exchange.response_end(&Proxy)
        })
    }

    fn on_log(&mut self) {
        self.close();
    }
}
