//! Callbacks in any order, from a seeded generator: repeated, missing, before their time, after the end, with bodies of
//! any bytes. No panic, at most one audit line a request, and nothing that goes on without a decision.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::fixture::{
    ALPHA_KEY, Ask, BETA_KEY, BOTH, CLIENT_KEY, CLIENTS_EXCHANGE, Failover, pairs, two_providers, value,
};
use crate::gate::{Gate, call};
use crate::host::{Dice, Fault, Pairs, Stream, host, stream};
use crate::pass::{completion, stream_with_usage};
use crate::vm::{self, Callback};

/// A context of the chaos.
struct Actor {
    id: u32,
    listener: bool,
    /// Whether its request's headers were shown to it.
    begun: bool,
    done: bool,
}

fn some_headers(dice: &mut Dice) -> Pairs {
    let chat = Ask::chat("smart", true).headers;
    match dice.below(8) {
        0 => Vec::new(),
        1 => pairs(&[(":method", "POST"), (":path", "/healthz")]),
        2 => pairs(&[(":method", "POST"), (":path", "/v1/messages")]),
        3 => pairs(&[(":method", "HEAD"), (":path", "/")]),
        4 => vec![(b":path".to_vec(), vec![0xff, 0]), (vec![0xfe], b"\r\n".to_vec()), (Vec::new(), Vec::new())],
        5 => Ask::chat("smart", true).with("x-api-key", &[0xc3, 0x28]).headers,
        _ => chat,
    }
}

thread_local! {
    static BODIES: [Vec<u8>; 8] = [
        Ask::chat("smart", true).body(),
        Ask::chat("beta/other", false).body(),
        Ask::chat("unknown", false).body(),
        Vec::new(),
        vec![0; 17],
        b"{\"model\": \"smart\"".to_vec(),
        completion().into_bytes(),
        stream_with_usage().into_bytes(),
    ];
}

fn some_body(dice: &mut Dice) -> Vec<u8> {
    let mut body = BODIES.with(|bodies| dice.pick(bodies).clone());
    if dice.below(6) == 0 && !body.is_empty() {
        let at = usize::try_from(dice.below(body.len() as u64)).unwrap();
        body[at] = u8::try_from(dice.below(256)).unwrap();
    }
    body
}

fn some_answer(dice: &mut Dice) -> Pairs {
    let status = *dice.pick(&["200", "200", "200", "429", "503", "404", "0", "99999", "", "abc"]);
    let kind = *dice.pick(&["application/json", "text/event-stream", "", "text/html"]);
    let after = *dice.pick(&["1", "NaN", "inf", "-5", "1e308", "soon", "99999999999999999999"]);
    pairs(&[(":status", status), ("content-type", kind), ("retry-after", after), ("content-length", "12")])
}

fn some_callback(dice: &mut Dice) -> Callback {
    let size = usize::try_from(dice.below(400)).unwrap();
    let end = dice.below(2) == 0;
    match dice.below(20) {
        0..=3 => Callback::RequestHeaders { count: size, end: dice.below(8) == 0 },
        4..=8 => Callback::RequestBody { size, end },
        9 => Callback::RequestTrailers { count: size },
        10..=12 => Callback::ResponseHeaders { count: size, end: dice.below(8) == 0 },
        13..=16 => Callback::ResponseBody { size, end },
        17 => Callback::ResponseTrailers { count: size },
        18 => Callback::Log,
        _ => Callback::Done,
    }
}

/// What the proxy would let a callback touch, or more than that.
fn set_the_stage(dice: &mut Dice, id: u32, callback: Callback) {
    let strict = dice.below(4) != 0;
    let body = some_body(dice);
    let answer = some_answer(dice);
    let details = *dice.pick(&["via_upstream", "upstream_response_timeout", ""]);
    let flags = dice.roll().to_le_bytes();
    let bad_flags = dice.below(3) == 0;
    stream(id, |stream| {
        use Callback::{RequestBody, RequestHeaders, RequestTrailers, ResponseBody, ResponseHeaders};
        let request = matches!(callback, RequestHeaders { .. } | RequestBody { .. } | RequestTrailers { .. });
        stream.request_open = !strict || request;
        stream.response_open = !strict || matches!(callback, ResponseHeaders { .. });
        stream.request_body =
            (!strict || matches!(callback, RequestBody { .. } | RequestTrailers { .. })).then(|| body.clone());
        stream.response_body = (!strict || matches!(callback, ResponseBody { .. })).then_some(body);
        if matches!(callback, ResponseHeaders { .. }) {
            stream.response_headers = Rc::new(RefCell::new(answer));
            stream.properties.insert("response\0code_details".to_owned(), details.as_bytes().to_vec());
        }
        let flags = if bad_flags { flags[..3].to_vec() } else { flags.to_vec() };
        stream.properties.insert("response\0flags".to_owned(), flags);
    });
}

/// What must hold when a callback of a request lets it go on.
fn went_on(failover: Failover, actor: &Actor) {
    let (headers, state) =
        stream(actor.id, |stream| (stream.request_headers.borrow().clone(), stream.state.borrow().clone()));
    let path = value(&headers, ":path").unwrap_or_default();
    if !actor.begun || !path.contains("/v1/") || path.contains("messages") {
        return;
    }
    if actor.listener {
        let decided = match failover {
            Failover::Refresh => state.contains_key("weir.cluster"),
            Failover::Loop => value(&headers, "x-weir-exchange").is_some_and(|id| id != CLIENTS_EXCHANGE),
        };
        assert!(decided, "a request went on undecided: {headers:?} {state:?}");
    } else if failover == Failover::Loop || value(&headers, "x-weir-exchange").is_some() {
        let key = value(&headers, "authorization").unwrap_or_default();
        assert!(key.contains(ALPHA_KEY) || key.contains(BETA_KEY), "an attempt went on undecided: {headers:?}");
    }
    assert!(!headers.iter().any(|(_, value)| String::from_utf8_lossy(value).contains(CLIENT_KEY)), "{headers:?}");
}

fn sequence(gate: &mut Gate, failover: Failover, listener_root: u32, seed: u64) {
    let mut dice = Dice(seed);
    vm::note(|| format!("seed {seed}"));
    let faults = if dice.below(3) == 0 { vec![Fault::Chance { seed: dice.roll(), one_in: 12 }] } else { Vec::new() };
    host(|host| host.faults = faults);
    let mut actors: Vec<Actor> = Vec::new();
    for _ in 0..dice.below(40) {
        if actors.is_empty() || dice.below(6) == 0 {
            let listener = actors.is_empty() || dice.below(2) == 0;
            let root = if listener {
                listener_root
            } else {
                gate.attempt_root(["alpha", "beta"][(dice.roll() & 1) as usize]).unwrap()
            };
            let mut view =
                Stream { request_headers: Rc::new(RefCell::new(some_headers(&mut dice))), ..Stream::default() };
            if !listener {
                // The attempt of a request that is there, as the router makes it.
                let other = dice.pick(&actors).id;
                stream(other, |stream| {
                    view.state = Rc::clone(&stream.state);
                    view.request_headers = Rc::new(RefCell::new(stream.request_headers.borrow().clone()));
                });
            }
            actors.push(Actor { id: gate.context(root, view), listener, begun: false, done: false });
        }
        let at = usize::try_from(dice.below(actors.len() as u64)).unwrap();
        let callback = some_callback(&mut dice);
        let actor = &mut actors[at];
        set_the_stage(&mut dice, actor.id, callback);
        let request = matches!(
            callback,
            Callback::RequestHeaders { .. } | Callback::RequestBody { .. } | Callback::RequestTrailers { .. }
        );
        actor.begun |= matches!(callback, Callback::RequestHeaders { .. });
        actor.done |= matches!(callback, Callback::Done | Callback::Log);
        let went = call(actor.id, callback);
        if went && request && !actor.done {
            went_on(failover, actor);
        }
        if dice.below(12) == 0 {
            let gone = actors.swap_remove(at);
            finish(&gone);
        }
    }
    for actor in &actors {
        finish(actor);
    }
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for audit in gate.audits() {
        *seen.entry(audit["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
}

fn finish(actor: &Actor) {
    if actor.listener {
        call(actor.id, Callback::Log);
    }
    call(actor.id, Callback::Done);
    vm::delete(actor.id);
    host(|host| host.streams.remove(&actor.id));
}

#[test]
fn no_order_of_callbacks_does_harm() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let root = gate.root();
        for seed in 0..4_000 {
            sequence(&mut gate, failover, root, seed);
        }
    }
}

/// A context of the listener that has been shown its headers and holds them.
fn held(gate: &Gate) -> u32 {
    let ask = Ask::chat("smart", false);
    let headers = Rc::new(RefCell::new(ask.headers.clone()));
    let body = Some(ask.body());
    let view = Stream { request_headers: headers, request_open: true, request_body: body, ..Stream::default() };
    let id = gate.context(gate.root(), view);
    assert!(!call(id, Callback::RequestHeaders { count: 9, end: false }));
    id
}

#[test]
fn headers_shown_twice_do_not_let_an_undecided_request_on() {
    let gate = Gate::open(Failover::Refresh, &two_providers());
    let id = held(&gate);
    assert!(!call(id, Callback::RequestHeaders { count: 9, end: false }));
    assert!(call(id, Callback::RequestBody { size: 1, end: true }));
    assert!(call(id, Callback::RequestHeaders { count: 9, end: false }));
}

#[test]
fn an_answer_before_the_request_s_end_does_not_let_it_on() {
    let gate = Gate::open(Failover::Refresh, &two_providers());
    let id = held(&gate);
    stream(id, |stream| {
        stream.response_open = true;
        stream.response_headers = Rc::new(RefCell::new(pairs(&[(":status", "408")])));
    });
    assert!(call(id, Callback::ResponseHeaders { count: 1, end: true }));
    assert!(!call(id, Callback::RequestBody { size: 1, end: true }));
    assert!(!call(id, Callback::RequestTrailers { count: 1 }));
}

#[test]
fn a_request_that_could_not_be_rewritten_stays_where_it_is() {
    for function in ["replace_header", "set_buffer", "set_property"] {
        let gate = Gate::open(Failover::Refresh, &two_providers());
        let id = held(&gate);
        host(|host| host.faults = vec![Fault::Always(function, 2)]);
        assert!(!call(id, Callback::RequestBody { size: 1, end: true }), "{function}");
        host(|host| host.faults.clear());
        assert!(!call(id, Callback::RequestBody { size: 1, end: true }), "{function}");
        assert!(!call(id, Callback::RequestTrailers { count: 1 }), "{function}");
        assert!(!call(id, Callback::RequestHeaders { count: 1, end: false }), "{function}");
    }
}

#[test]
fn the_end_is_booked_once_whichever_callback_tells_it() {
    for callbacks in [
        &[Callback::Log, Callback::Done][..],
        &[Callback::Done],
        &[Callback::Log, Callback::Log],
        &[Callback::Done, Callback::Log, Callback::Done],
    ] {
        let mut gate = Gate::open(Failover::Refresh, &two_providers());
        let id = held(&gate);
        for callback in callbacks {
            call(id, *callback);
        }
        assert_eq!(gate.audits().len(), 1, "{callbacks:?}");
    }
}
