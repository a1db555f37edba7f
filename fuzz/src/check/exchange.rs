//! A whole exchange, driven by callbacks in any order: what a proxy, a client and a provider of any family may do.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Value, json};
use weir::gateway::ability::Abilities;
use weir::gateway::answer::Reading;
use weir::gateway::compile::Gateway;
use weir::gateway::exchange::{Exchange, Opening};
use weir::gateway::settle::EndedBy;
use weir::gateway::step::{Step, Steps};
use weir::host::{Host, LogLevel, Series, SharedError, SharedValue, Timestamp};
use weir::http::Headers;

use super::rig::{is_json, pieces};
use super::stream::frames;

/// How many bytes stand before the bodies: see `Plan`.
const HEAD: usize = 20;

/// A host whose clock runs and whose shared data is always in somebody else's hand.
struct Restless(Cell<u64>);

impl Host for Restless {
    fn now(&self) -> Timestamp {
        self.0.set(self.0.get() + 1_000_000);
        Timestamp::from_nanos(self.0.get())
    }
    fn random(&self) -> u64 {
        self.0.get().wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, SharedError> {
        assert!(!key.is_empty());
        Ok(Some(SharedValue { bytes: self.0.get().to_le_bytes().to_vec(), version: 1 }))
    }
    fn set_shared(&self, _key: &str, _bytes: &[u8], _version: Option<u32>) -> Result<(), SharedError> {
        Err(SharedError::Conflict)
    }
    fn metric(&self, series: Series<'_>, _value: u64) {
        assert!(!series.full_name().contains(['\n', '\0']));
    }
    fn log(&self, _level: LogLevel, line: &str) {
        assert!(!line.contains('\n'), "{line}");
    }
}

/// A provider of each family, and a model for each of them and for all of them in both orders.
fn policy() -> Value {
    const PROVIDERS: [(&str, &str, &str, &str); 9] = [
        ("chat", "openai", "https://api.openai.com/v1", "gpt-4.1"),
        ("mistral", "openai", "https://api.mistral.ai/v1", "mistral-large-latest"),
        ("responses", "openai_responses", "https://api.openai.com/v1", "gpt-5-mini"),
        ("claude", "anthropic", "https://api.anthropic.com", "claude-sonnet-4-5"),
        ("gemini", "gemini", "https://generativelanguage.googleapis.com", "gemini-2.5-flash"),
        (
            "bedrock",
            "bedrock",
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("cohere", "cohere", "https://api.cohere.com", "command-a-03-2025"),
        ("azure", "azure_openai", "https://res.openai.azure.com", "gpt-4.1"),
        ("vertex", "vertex", "https://aiplatform.googleapis.com/v1/projects/p/locations/global", "claude-sonnet-4-5"),
    ];
    let mut providers = serde_json::Map::new();
    let mut models = serde_json::Map::new();
    let mut all = Vec::new();
    for (name, api, endpoint, model) in PROVIDERS {
        let mut provider = json!({"api": api, "endpoint": endpoint, "key": format!("key of {name}")});
        if name == "bedrock" {
            provider = json!({"api": api, "endpoint": endpoint, "aws": {
                "access_key_id": "${ID}", "secret_access_key": "${SECRET}", "region": "us-east-1"}});
        }
        providers.insert(name.to_owned(), provider);
        let target = json!({"provider": name, "model": model, "price": {"input": 1.0, "output": 2.0}});
        models.insert(format!("to-{name}"), json!({"targets": [target.clone()]}));
        all.push(target);
    }
    models.insert("any".to_owned(), json!({"targets": all.clone()}));
    all.reverse();
    models.insert("yna".to_owned(), json!({"targets": all}));
    json!({"version": 1, "anonymous": "allow", "providers": providers, "models": models})
}

thread_local! {
    static GATEWAY: Rc<Gateway> = {
        let environment = |name: &str| Some(format!("value-of-{name}"));
        match Gateway::compile(&policy(), &environment, Abilities::ALL) {
            Ok(gateway) => Rc::new(gateway),
            Err(problems) => panic!("{problems:?}"),
        }
    };
}

const PATHS: [&str; 12] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages?beta=true",
    "/v1beta/models/any:generateContent",
    "/v1beta/models/yna:streamGenerateContent?alt=sse",
    "/v1/models/to-bedrock:streamGenerateContent",
    "/v1/embeddings",
    "/v1/messages/count_tokens",
    "/v1beta/models/to-gemini:countTokens",
    "/v1beta/models/to-gemini:batchEmbedContents",
    "/v1/rerank",
    "/v1/models",
];

const TYPES: [&str; 5] =
    ["application/json", "text/event-stream; charset=utf-8", "application/vnd.amazon.eventstream", "text/html", ""];

const STATUSES: [&str; 8] = ["200", "201", "400", "429", "500", "529", "99", "x"];

/// What the first bytes say. All zero: a request to chat completions, answered with JSON at once, each callback once and in
/// its order.
struct Plan<'d> {
    path: &'static str,
    status: &'static str,
    content_type: &'static str,
    seed: u8,
    /// Bit 0: an attempt goes by its cluster's filter; 1: no `content-length`; 2: dry run; 3: the proxy answers;
    /// 4: the answer is made of lines (see `frames`).
    flags: u8,
    /// Callbacks out of turn; 0 is the next one in turn.
    turns: &'d [u8],
    request: &'d [u8],
    answer: Vec<u8>,
}

impl<'d> Plan<'d> {
    fn read(data: &'d [u8]) -> Option<Self> {
        let (head, rest) = data.split_at_checked(HEAD)?;
        let [path, status, kind, seed, flags, _, high, low, turns @ ..] = head else { return None };
        let middle = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (request, answer) = rest.split_at(middle);
        Some(Self {
            path: PATHS[usize::from(*path) % PATHS.len()],
            status: STATUSES[usize::from(*status) % STATUSES.len()],
            content_type: TYPES[usize::from(*kind) % TYPES.len()],
            seed: *seed,
            flags: *flags,
            turns,
            request,
            answer: if flags & 16 == 0 { answer.to_vec() } else { frames(answer) },
        })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags >> flag & 1 == 1
    }
}

/// Twenty bytes of plan (see `Plan`), the request's body, the answer's.
pub fn exchange(data: &[u8]) {
    let Some(plan) = Plan::read(data) else { return };
    let host = Restless(Cell::new(1_795_255_200_000_000_000));
    GATEWAY.with(|gateway| drive(gateway, &plan, &host));
}

fn drive(gateway: &Rc<Gateway>, plan: &Plan<'_>, host: &Restless) {
    let length = plan.request.len().to_string();
    let mut headers = vec![
        (":method", if plan.path == "/v1/models" { "GET" } else { "POST" }),
        (":path", plan.path),
        (":authority", "gateway"),
        ("content-type", "application/json"),
        ("anthropic-version", "2023-06-01"),
    ];
    if !plan.has(1) {
        headers.push(("content-length", &length));
    }
    if plan.has(2) {
        headers.push(("x-weir-dry-run", "1"));
    }
    let (mut exchange, steps) =
        match Exchange::open(gateway, Headers::from_pairs(headers), plan.request.is_empty(), host) {
            Opening::Ours(exchange, steps) => (exchange, steps),
            Opening::Answered(reply) => {
                assert!(reply.body.is_empty() || is_json(&reply.body), "{}", String::from_utf8_lossy(&reply.body));
                return;
            }
            Opening::Foreign(_) => panic!("a path of Weir's own"),
        };
    let mut run = Run { plan, host, exchange: &mut exchange, audits: 0, held: Vec::new(), json: false };
    run.look(&steps, Side::Client);
    for turn in 0..9 {
        // Out of turn first, then in turn.
        let stray = plan.turns.get(turn).copied().unwrap_or(0);
        if stray != 0 {
            run.call(stray);
        }
        run.call(turn as u8 + 1);
    }
    let by = if plan.seed.is_multiple_of(2) { EndedBy::Other } else { EndedBy::Client };
    let steps = run.exchange.close(by, host);
    run.look(&steps, Side::Client);
    let steps = run.exchange.close(EndedBy::Client, host);
    run.look(&steps, Side::Client);
    assert!(run.exchange.is_settled() && run.audits == 1, "{} audit lines", run.audits);
}

/// Whose message a callback was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Provider,
}

struct Run<'r> {
    plan: &'r Plan<'r>,
    host: &'r Restless,
    exchange: &'r mut Exchange,
    audits: usize,
    /// What the shell holds of an answer that is read whole.
    held: Vec<u8>,
    /// The client was promised JSON.
    json: bool,
}

impl Run<'_> {
    fn call(&mut self, which: u8) {
        let (plan, host) = (self.plan, self.host);
        let number = self.exchange.attempt_number();
        let headers = Headers::from_pairs([
            (":status", plan.status),
            ("content-type", plan.content_type),
            ("content-length", "5"),
            ("retry-after", "7"),
            ("x-amzn-errortype", "ThrottlingException:http://x"),
            ("x-ratelimit-reset-requests", "6m0s"),
        ]);
        let status = plan.status.parse().unwrap_or(0);
        let (steps, side) = match which % 12 {
            1 => (self.exchange.request_body(plan.request, host), Side::Provider),
            2 => {
                let provider = plan.has(0).then(|| self.exchange.attempt_cluster().unwrap_or("chat").to_owned());
                (self.exchange.begin_attempt(provider.as_deref()).unwrap_or_default(), Side::Provider)
            }
            3 => (self.exchange.attempt_body(plan.request, host).unwrap_or_default(), Side::Provider),
            4 => (self.exchange.attempt_answered(number, status, &headers, !plan.has(3), host), Side::Provider),
            5 => {
                let half = plan.answer.len() / 2;
                let steps = self.exchange.attempt_piece(number, &plan.answer[..half], false, host);
                self.look(&steps, Side::Client);
                (self.exchange.attempt_piece(number, &plan.answer, true, host), Side::Client)
            }
            6 => (self.exchange.response_headers(&headers, plan.has(3), plan.answer.is_empty(), host), Side::Client),
            7 => {
                self.body();
                return;
            }
            8 => (self.exchange.response_end(host), Side::Client),
            10 => (self.exchange.attempt_lost(number, host), Side::Provider),
            11 => (self.exchange.lose(), Side::Client),
            // An attempt that is no longer, or not yet.
            _ => (self.exchange.attempt_piece(number + 1, &plan.answer, true, host), Side::Client),
        };
        self.look(&steps, side);
    }

    /// The answer's body as a shell hands it over.
    fn body(&mut self) {
        let pieces = pieces(&self.plan.answer, self.plan.seed);
        for (index, piece) in pieces.iter().enumerate() {
            let end = index + 1 == pieces.len();
            let steps = if self.exchange.reading() == Reading::Whole {
                self.held.extend_from_slice(piece);
                let held = std::mem::take(&mut self.held);
                let steps = self.exchange.response_body(if end { &held } else { piece }, end, self.host);
                self.held = held;
                steps
            } else {
                self.exchange.response_body(piece, end, self.host)
            };
            self.look(&steps, Side::Client);
        }
    }

    fn look(&mut self, steps: &Steps, side: Side) {
        let sound = |text: &str| !text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        for step in &steps.list {
            match step {
                Step::SetHeader(name, value) => {
                    assert!(!name.is_empty() && sound(name) && sound(value), "{name}: {value:?}");
                    if side == Side::Client && name == "content-type" {
                        self.json = value == "application/json";
                    }
                }
                Step::RemoveHeader(name) => assert!(!name.is_empty()),
                Step::ReplaceBody(body) => {
                    let json = match side {
                        // As sound as what came, if it stays in its format; sound in any case if it changes it.
                        Side::Provider => is_json(self.plan.request),
                        Side::Client => self.json,
                    };
                    let pieces = side == Side::Client && self.exchange.reading() == Reading::Pieces;
                    assert!(!json || pieces || body.is_empty() || is_json(body), "{}", String::from_utf8_lossy(body));
                }
                Step::Audit(line) => {
                    self.audits += 1;
                    assert!(is_json(line.as_bytes()) && sound(line), "{line}");
                }
                Step::Publish(name, value) => assert!(!name.is_empty() && sound(value), "{name}: {value:?}"),
                Step::Dispatch(dispatch) => assert!(dispatch.attempts > 0),
                Step::NextCluster(cluster) => assert!(!cluster.is_empty()),
                Step::Reply(reply) => {
                    assert!(reply.body.is_empty() || is_json(&reply.body), "{}", String::from_utf8_lossy(&reply.body));
                }
            }
        }
    }
}
