//! A small Envoy around the filter: a listener, its retries, the filters of the clusters or of the internal listener,
//! and providers that a test plays. Whole requests in microseconds, held to what Envoy was measured to do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::fixture::{
    ALPHA_KEY, ANSWER, Answer, Ask, BETA_KEY, CLIENT_KEY, End, Failover, HEADER_SECRET, LITERAL_KEY, Outcome,
    POOL_KEYS, PROMPT, Response, Seen, environment, pairs, value,
};
use crate::host::{self, host, stream};
use crate::vm::{self, Callback};

/// How far a message got.
enum Passage {
    Local,
    Held,
    TooLarge,
    Through(Vec<u8>),
}

/// The proxy: one VM on the test's thread.
pub struct Gate {
    failover: Failover,
    /// Further members of the listener's configuration.
    extra: Value,
    /// The listener's root.
    root: u32,
    roots: Vec<u32>,
    /// The root of each cluster's filter, or of the internal listener under "".
    attempts: BTreeMap<String, u32>,
    /// An attempt that is over and has not been told so.
    ended: Option<u32>,
    last_audit: usize,
}

thread_local! {
    /// Context ids are unique in a VM, and a thread is a VM for all of its gates.
    static NEXT: Cell<u32> = const { Cell::new(1) };
}

impl Gate {
    /// A VM without any plugin.
    pub fn bare() -> Self {
        environment();
        vm::watch();
        host(|host| *host = host::Host::default());
        weir::filter::root::start();
        Self {
            failover: Failover::Refresh,
            extra: json!({}),
            root: 0,
            roots: Vec::new(),
            attempts: BTreeMap::new(),
            ended: None,
            last_audit: 0,
        }
    }

    /// A VM with a listener and the filters of its attempts.
    pub fn open(failover: Failover, policy: &Value) -> Self {
        Self::open_with(failover, policy, json!({}))
    }

    /// The same with further members of the listener's configuration.
    pub fn open_with(failover: Failover, policy: &Value, extra: Value) -> Self {
        let mut gate = Self::bare();
        (gate.failover, gate.extra) = (failover, extra);
        assert!(gate.listener(policy), "{:?}", host(|host| host.log.clone()));
        gate.upstreams(policy);
        gate
    }

    /// Configures the listener's plugin; whether it was taken.
    pub fn listener(&mut self, policy: &Value) -> bool {
        let failover = if self.failover == Failover::Loop { "loop" } else { "refresh" };
        let mut text = json!({"role": "listener", "failover": failover, "policy": policy});
        text.as_object_mut().unwrap().extend(self.extra.as_object().unwrap().clone());
        let (root, taken) = self.plugin(text.to_string().as_bytes());
        self.root = root;
        taken
    }

    pub fn upstreams(&mut self, policy: &Value) {
        if self.failover == Failover::Loop {
            let (root, taken) = self.plugin(br#"{"role":"upstream"}"#);
            assert!(taken);
            self.attempts.insert(String::new(), root);
            return;
        }
        for (name, provider) in policy["providers"].as_object().unwrap() {
            let (root, taken) = self.plugin(json!({"role": "upstream", "provider": name}).to_string().as_bytes());
            assert!(taken);
            let cluster = provider["cluster"].as_str().unwrap_or(name);
            self.attempts.insert(cluster.to_owned(), root);
        }
    }

    /// A root context with that configuration, and whether the module took it.
    pub fn plugin(&mut self, configuration: &[u8]) -> (u32, bool) {
        let root = next();
        self.roots.push(root);
        vm::create(root, 0);
        (root, self.configure(root, configuration))
    }

    pub fn configure(&mut self, root: u32, configuration: &[u8]) -> bool {
        host(|host| {
            host.configuration = configuration.to_vec();
            host.current = root;
        });
        vm::configure(root, configuration.len())
    }

    /// A context of a plugin, with its stream.
    pub fn context(&self, root: u32, stream: host::Stream) -> u32 {
        let id = next();
        host(|host| host.streams.insert(id, stream));
        vm::create(id, root);
        id
    }

    /// The listener's root.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// Makes another plugin the listener's.
    pub fn set_root(&mut self, root: u32) {
        self.root = root;
    }

    /// The host's log was emptied.
    pub fn forget_log(&mut self) {
        self.last_audit = 0;
    }

    /// The listener's filter alone sees the request; nothing is sent.
    pub fn listener_alone(&mut self, ask: &Ask) {
        let headers = Rc::new(RefCell::new(ask.headers.clone()));
        let view = host::Stream { request_headers: headers, ..host::Stream::default() };
        let context = self.context(self.root, view);
        request(context, &ask.chunks, ask.end, ask.limit);
        self.close(context, false, &mut Outcome::default());
    }

    pub fn attempt_root(&self, cluster: &str) -> Option<u32> {
        self.attempts.get(if self.failover == Failover::Loop { "" } else { cluster }).copied()
    }

    /// Audit lines since the last call.
    pub fn audits(&mut self) -> Vec<Value> {
        let (audits, seen) = host(|host| {
            let fresh = host.log.iter().skip(self.last_audit);
            let audits = fresh.filter_map(|(_, line)| line.strip_prefix("weir.audit "));
            (audits.map(|json| serde_json::from_str(json).unwrap()).collect(), host.log.len())
        });
        self.last_audit = seen;
        audits
    }

    /// Sends a request through everything.
    pub fn ask(&mut self, ask: &Ask, provider: &mut dyn FnMut(&Seen) -> Answer) -> Outcome {
        // Envoy removes its own headers from what comes from outside.
        let mut headers = ask.headers.clone();
        headers.retain(|(name, _)| !name.starts_with(b"x-envoy-"));
        let context = self.context(
            self.root,
            host::Stream { request_headers: Rc::new(RefCell::new(headers)), ..host::Stream::default() },
        );
        let mut outcome = Outcome::default();
        let gone = |outcome: &Outcome| ask.leaves_before == Some(0) && outcome.status.is_none();
        match request(context, &ask.chunks, ask.end, ask.limit) {
            Passage::Held => outcome.held = true,
            Passage::Local => {
                outcome.local = true;
                let local = stream(context, |stream| stream.local.clone()).unwrap();
                self.answer(context, ask, &local_response(&local), "", &mut outcome);
            }
            Passage::TooLarge => {
                let response = proxys_own(413, "Payload Too Large");
                self.answer(context, ask, &response, "request_payload_too_large", &mut outcome);
            }
            Passage::Through(_) if gone(&outcome) => {}
            Passage::Through(body) => {
                if self.cluster(context).is_none() {
                    outcome.foreign = true;
                    let headers = stream(context, |stream| stream.request_headers.borrow().clone());
                    outcome.seen.push(Seen { cluster: "foreign".to_owned(), headers, body });
                } else {
                    let (response, details) = self.route(context, ask, body, provider, &mut outcome);
                    self.answer(context, ask, &response, details, &mut outcome);
                }
            }
        }
        self.close(context, ask.leaves_before.is_some(), &mut outcome);
        outcome
    }

    fn cluster(&self, context: u32) -> Option<String> {
        stream(context, |stream| match self.failover {
            Failover::Refresh => {
                let state = stream.state.borrow();
                state.get("weir.cluster").map(|name| String::from_utf8_lossy(name).into_owned())
            }
            Failover::Loop => value(&stream.request_headers.borrow(), "x-weir-exchange").map(|_| String::new()),
        })
    }

    /// The router: attempts until one is good enough.
    fn route(
        &mut self,
        context: u32,
        ask: &Ask,
        body: Vec<u8>,
        provider: &mut dyn FnMut(&Seen) -> Answer,
        outcome: &mut Outcome,
    ) -> (Response, &'static str) {
        let (retry_on, statuses, mut retries) = stream(context, |stream| {
            let mut headers = stream.request_headers.borrow_mut();
            let header = |name: &str| value(&headers, name).unwrap_or_default();
            // A request's conditions are added to those of the route; its number of tries overrules the route's.
            let route = self.extra.get("route_retries").map(|route| route["retries"].as_u64().unwrap());
            let (conditions, codes) =
                if route.is_some() { (",5xx,reset,connect-failure,retriable-status-codes", ",429") } else { ("", "") };
            let retry_on = header("x-envoy-retry-on") + conditions;
            let statuses = header("x-envoy-retriable-status-codes") + codes;
            let retries = header("x-envoy-max-retries").parse::<u64>().ok().or(route).unwrap_or(1);
            headers.retain(|(name, _)| !name.starts_with(b"x-envoy-"));
            (retry_on, statuses, retries)
        });
        let on = |condition: &str| retry_on.split(',').any(|one| one == condition);
        loop {
            let cluster = self.cluster(context).unwrap_or_default();
            let answer = self.attempt(context, &cluster, ask, &body, provider, outcome);
            let (again, failure) = match &answer {
                Answer::Reply(response) => {
                    let status = value(&response.headers, ":status").unwrap_or_default();
                    let server = status.parse::<u16>().is_ok_and(|status| status >= 500);
                    let listed = on("retriable-status-codes") && statuses.split(',').any(|one| one == status);
                    ((server && on("5xx")) || listed, None)
                }
                Answer::Reset => (on("5xx") || on("reset"), Some((503, "upstream_reset_before_response_started"))),
                Answer::Refused => {
                    (on("5xx") || on("connect-failure"), Some((503, "upstream_reset_connection_failure")))
                }
                Answer::Timeout => (on("5xx") || on("reset"), Some((504, "upstream_per_try_timeout"))),
            };
            if again && retries > 0 {
                retries -= 1;
                continue;
            }
            return match (answer, failure) {
                (Answer::Reply(response), _) => (response, "via_upstream"),
                (_, Some((status, details))) => (proxys_own(status, "upstream request failed"), details),
                (_, None) => unreachable!("every failure has a status"),
            };
        }
    }

    /// One attempt, through the filter that makes it.
    fn attempt(
        &mut self,
        listener: u32,
        cluster: &str,
        ask: &Ask,
        body: &[u8],
        provider: &mut dyn FnMut(&Seen) -> Answer,
        outcome: &mut Outcome,
    ) -> Answer {
        // A cluster that nobody configured: the router answers 503 itself.
        let Some(root) = self.attempt_root(cluster) else { return Answer::Refused };
        let inner = self.failover == Failover::Loop;
        let seen_by = stream(listener, |stream| host::Stream {
            request_headers: if inner {
                Rc::new(RefCell::new(stream.request_headers.borrow().clone()))
            } else {
                Rc::clone(&stream.request_headers)
            },
            state: if inner { Rc::default() } else { Rc::clone(&stream.state) },
            ..host::Stream::default()
        });
        let context = self.context(root, seen_by);
        let chunks: Vec<Vec<u8>> = body.chunks(ask.replay).map(<[u8]>::to_vec).collect();
        let answer = match request(context, &chunks, ask.end, usize::MAX) {
            Passage::Held | Passage::TooLarge => Answer::Timeout,
            Passage::Local => {
                outcome.refused += 1;
                let local = stream(context, |stream| stream.local.clone()).unwrap();
                Answer::Reply(local_response(&local))
            }
            Passage::Through(body) => {
                let mut headers = stream(context, |stream| stream.request_headers.borrow().clone());
                let target = if inner { value(&headers, "x-weir-cluster") } else { Some(cluster.to_owned()) };
                if inner {
                    headers.retain(|(name, _)| name != b"x-weir-cluster" && name != b"x-weir-exchange");
                }
                let seen = Seen { cluster: target.unwrap_or_default(), headers, body };
                seen.check();
                let answer = provider(&seen);
                outcome.seen.push(seen);
                answer
            }
        };
        let answer = match answer {
            // What broke off before its headers left is to the router a reset.
            Answer::Reply(response) => passed(context, response, "via_upstream").map_or(Answer::Reset, Answer::Reply),
            // An internal listener answers for the provider that did not; a cluster's filter hears nothing.
            Answer::Timeout if inner => Answer::Timeout,
            Answer::Reset | Answer::Refused if inner => {
                let own = proxys_own(503, "upstream connect error");
                let passed = passed(context, own, "upstream_reset_before_response_started");
                passed.map_or(Answer::Reset, Answer::Reply)
            }
            silent => silent,
        };
        let before = self.ended.replace(context);
        self.end_attempt(if ask.late_end { before } else { Some(context) });
        if !ask.late_end {
            self.ended = None;
        }
        answer
    }

    fn end_attempt(&self, context: Option<u32>) {
        let Some(context) = context else { return };
        if self.failover == Failover::Loop {
            call(context, Callback::Log);
        }
        call(context, Callback::Done);
        vm::delete(context);
        host(|host| host.streams.remove(&context));
    }

    /// The answer on its way to the client.
    fn answer(&mut self, context: u32, ask: &Ask, response: &Response, details: &str, outcome: &mut Outcome) {
        if ask.leaves_before == Some(0) {
            return;
        }
        let mut response = response.clone();
        if let Some(left) = ask.leaves_before
            && left <= response.chunks.len()
        {
            response.chunks.truncate(left - 1);
            response.end = End::Cut;
        }
        let Some(passed) = passed(context, response, details) else { return };
        outcome.status = value(&passed.headers, ":status").and_then(|status| status.parse().ok());
        outcome.headers = passed.headers;
        outcome.body = passed.chunks.concat();
    }

    /// An attempt that no request of the listener stands behind; the status of the filter's own answer.
    pub fn lone_attempt(&self, cluster: &str, decision: &str) -> Option<u32> {
        let root = self.attempt_root(cluster).unwrap();
        let headers = pairs(&[(":method", "POST"), (":path", "/v1/chat/completions"), ("x-weir-exchange", decision)]);
        let state = BTreeMap::from([("weir.decision".to_owned(), decision.as_bytes().to_vec())]);
        let context = self.context(
            root,
            host::Stream {
                request_headers: Rc::new(RefCell::new(headers)),
                state: Rc::new(RefCell::new(state)),
                ..host::Stream::default()
            },
        );
        let passage = request(context, &[b"{}".to_vec()], End::Last, usize::MAX);
        assert!(matches!(passage, Passage::Local), "an attempt that nobody decided went on");
        call(context, Callback::Done);
        vm::delete(context);
        host(|host| host.streams.remove(&context)).unwrap().local.map(|local| local.status)
    }

    fn close(&mut self, context: u32, gone: bool, outcome: &mut Outcome) {
        if gone {
            stream(context, |stream| {
                stream.properties.insert("response\0flags".to_owned(), 0x4000_u64.to_le_bytes().to_vec());
            });
        }
        let attempt = self.ended.take();
        self.end_attempt(attempt);
        call(context, Callback::Log);
        call(context, Callback::Done);
        vm::delete(context);
        let stream = host(|host| host.streams.remove(&context)).unwrap();
        outcome.state = stream.state.borrow().clone();
        outcome.audits = self.audits();
        assert!(outcome.audits.len() <= 1, "one audit line a request: {outcome:?}");
    }
}

fn next() -> u32 {
    NEXT.with(|next| next.replace(next.get() + 1))
}

/// Calls a context as the one that is at work.
pub fn call(context: u32, callback: Callback) -> bool {
    host(|host| host.current = context);
    vm::call(context, callback)
}

fn request(context: u32, chunks: &[Vec<u8>], end: End, limit: usize) -> Passage {
    let count = stream(context, |stream| {
        stream.request_open = true;
        stream.request_headers.borrow().len()
    });
    let local = || stream(context, |stream| stream.local.is_some());
    let empty = chunks.is_empty() && end == End::Last;
    let mut going = call(context, Callback::RequestHeaders { count, end: empty });
    if local() {
        return Passage::Local;
    }
    let (mut held, mut out) = (Vec::new(), Vec::new());
    let mut pieces: Vec<(&[u8], bool)> = chunks.iter().map(|chunk| (chunk.as_slice(), false)).collect();
    match (end, pieces.last_mut()) {
        (End::Last, Some(last)) => last.1 = true,
        (End::Empty, _) => pieces.push((&[], true)),
        _ => {}
    }
    for (piece, last) in pieces {
        stream(context, |stream| stream.request_open = !going);
        held.extend_from_slice(piece);
        if !going && held.len() > limit {
            return Passage::TooLarge;
        }
        let size = held.len();
        stream(context, |stream| stream.request_body = Some(std::mem::take(&mut held)));
        let go = call(context, Callback::RequestBody { size, end: last });
        held = stream(context, |stream| stream.request_body.take()).unwrap_or_default();
        if local() {
            return Passage::Local;
        }
        if go {
            going = true;
            out.append(&mut held);
        }
    }
    if end == End::Trailers {
        stream(context, |stream| {
            stream.request_open = !going;
            stream.request_body = Some(std::mem::take(&mut held));
        });
        let go = call(context, Callback::RequestTrailers { count: 1 });
        held = stream(context, |stream| stream.request_body.take()).unwrap_or_default();
        if local() {
            return Passage::Local;
        }
        if go {
            going = true;
            out.append(&mut held);
        }
    }
    stream(context, |stream| stream.request_open = false);
    if going && held.is_empty() { Passage::Through(out) } else { Passage::Held }
}

/// A response as it leaves a context; `None` when it broke off before anything of it left. What a context holds is handed
/// to it again with what follows, as Envoy does, and what is complete must not be held.
fn passed(context: u32, response: Response, details: &str) -> Option<Response> {
    let headers = Rc::new(RefCell::new(response.headers));
    let count = headers.borrow().len();
    stream(context, |stream| {
        stream.response_open = true;
        stream.response_headers = Rc::clone(&headers);
        if !details.is_empty() {
            stream.properties.insert("response\0code_details".to_owned(), details.as_bytes().to_vec());
        }
    });
    let no_body = response.chunks.is_empty() && response.end == End::Last;
    let mut going = call(context, Callback::ResponseHeaders { count, end: no_body });
    assert!(going || !no_body, "a complete answer is never held");
    let (mut held, mut chunks) = (Vec::new(), Vec::new());
    let mut pieces: Vec<(Vec<u8>, bool)> = response.chunks.into_iter().map(|chunk| (chunk, false)).collect();
    match (response.end, pieces.last_mut()) {
        (End::Last, Some(last)) => last.1 = true,
        (End::Empty, _) => pieces.push((Vec::new(), true)),
        _ => {}
    }
    for (piece, end) in pieces {
        held.extend_from_slice(&piece);
        let size = held.len();
        stream(context, |stream| {
            stream.response_open = !going;
            stream.response_body = Some(std::mem::take(&mut held));
        });
        let go = call(context, Callback::ResponseBody { size, end });
        assert!(go || !end, "a complete answer is never held");
        assert!(go || !going, "an answer that has begun to leave is never held");
        held = stream(context, |stream| stream.response_body.take()).unwrap_or_default();
        going |= go;
        if go {
            chunks.push(std::mem::take(&mut held));
        }
    }
    if response.end == End::Trailers {
        stream(context, |stream| {
            stream.response_open = !going;
            stream.response_body = Some(std::mem::take(&mut held));
        });
        assert!(call(context, Callback::ResponseTrailers { count: 1 }), "a complete answer is never held");
        let rest = stream(context, |stream| stream.response_body.take()).unwrap_or_default();
        if !rest.is_empty() {
            chunks.push(rest);
        }
        going = true;
    }
    stream(context, |stream| stream.response_open = false);
    let headers = headers.borrow().clone();
    going.then_some(Response { headers, chunks, end: response.end })
}

fn local_response(local: &host::Local) -> Response {
    let mut headers =
        pairs(&[(":status", &local.status.to_string()), ("content-length", &local.body.len().to_string())]);
    headers.extend(local.headers.iter().cloned());
    let chunks = if local.body.is_empty() { Vec::new() } else { vec![local.body.clone()] };
    Response { headers, chunks, end: End::Last }
}

fn proxys_own(status: u16, body: &str) -> Response {
    let headers = [
        (":status", &*status.to_string()),
        ("content-type", "text/plain"),
        ("content-length", &*body.len().to_string()),
    ];
    Response { headers: pairs(&headers), chunks: vec![body.as_bytes().to_vec()], end: End::Last }
}

/// What holds for every test: nothing that must stay secret was said, and only the known imports were called.
impl Drop for Gate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for root in &self.roots {
            vm::delete(*root);
        }
        let host = host(std::mem::take);
        let secrets = [ALPHA_KEY, BETA_KEY, HEADER_SECRET, LITERAL_KEY, CLIENT_KEY, PROMPT, ANSWER];
        let said = host.log.iter().map(|(_, line)| line.clone());
        let said = said.chain(host.locals.iter().map(|local| {
            let headers: String =
                local.headers.iter().map(|(n, v)| format!("{n:?}{}", String::from_utf8_lossy(v))).collect();
            format!("{} {headers}", String::from_utf8_lossy(&local.body))
        }));
        for line in said.chain(host.metrics.iter().cloned()) {
            for secret in secrets.iter().chain(&POOL_KEYS) {
                assert!(!line.contains(secret), "\"{secret}\" was said: {line}");
            }
            assert!(!line.starts_with("unexpected import"), "{line}");
        }
    }
}
