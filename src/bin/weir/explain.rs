//! `weir explain`: what the filter does with one request, found out by running the filter's own code on it, attempt by
//! attempt. Nothing is sent, and no secret is needed or shown.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use serde_json::{Value, json};
use weir::gateway::ability::Abilities;
use weir::gateway::compile::Gateway;
use weir::gateway::exchange::{Exchange, Opening};
use weir::gateway::step::Flow;
use weir::host::Timestamp;
use weir::http::Headers;

use crate::{check, moment, policy_file};

use disguise::{STAND_IN, disguise};
use stage::{Message, Sent, Still};
use told::{End, Told};

mod change;
mod disguise;
mod show;
mod stage;
mod told;

/// The most bytes a request may have; a proxy that takes more is not known.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Arguments of `weir explain`.
#[derive(clap::Args)]
pub struct Args {
    /// The policy file, YAML or JSON; `-` reads standard input.
    policy: PathBuf,
    /// The request body as the client sends it; `-` reads standard input.
    request: PathBuf,
    /// The path that is asked. It tells the client's API: `/v1/responses`, `/v1/messages`,
    /// `/v1beta/models/MODEL:generateContent`, `/v1/embeddings`, …
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// The key that the client presents.
    #[arg(long, conflicts_with = "holder")]
    key: Option<String>,
    /// Explain for the holder of the key of this id, whose text nobody has but them.
    #[arg(long = "as", value_name = "KEY_ID")]
    holder: Option<String>,
    /// A header of the request, as `x-region: eu`; may be given several times.
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The time of the request, as `2027-06-30T12:00:00Z`, `2027-06-30` or seconds since 1970; now when absent.
    #[arg(long, value_parser = moment::parse)]
    now: Option<Timestamp>,
    /// The random bits of the decision, in hexadecimal, as `draw` in an audit line; drawn when absent.
    #[arg(long, value_name = "HEX", value_parser = dice)]
    dice: Option<u64>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// One sentence when a file cannot be read or an argument makes no sense.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    if is_stdin(&args.policy) && is_stdin(&args.request) {
        return Err("standard input can be the policy or the request, not both".to_owned());
    }
    let written = policy_file::read(&args.policy)?;
    // The policy as it is written must be one that the filter takes, and gives the hash.
    let hash = match compile(&written) {
        Ok(gateway) => gateway.hash,
        Err(problems) if args.json => {
            println!("{:#}", json!({"problems": check::rows(&problems)}));
            return Ok(ExitCode::FAILURE);
        }
        Err(problems) => {
            check::print_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    let disguised = disguise(&written, args.holder.as_deref())?;
    let gateway = compile(&disguised).map_err(|_| "the policy cannot be read with its secrets hidden".to_owned())?;
    let told = explain(args, &Rc::new(Gateway { hash, ..gateway }), body(&args.request)?)?;
    if args.json {
        println!("{:#}", show::document(&told));
    } else {
        print!("{}", show::text(&told));
    }
    Ok(match &told.end {
        End::Answered(reply) if reply.status >= 400 => {
            if reply.status == 401 {
                hint(args, &written);
            }
            ExitCode::FAILURE
        }
        End::Answered(_) | End::Sent(_) | End::Untouched => ExitCode::SUCCESS,
    })
}

/// Compiles as the filter does; what an environment variable holds is in the proxy's environment and is not needed here.
fn compile(written: &Value) -> Result<Gateway, Vec<weir::config::problem::Problem>> {
    Gateway::compile(written, &|_| Some(disguise::DOTS.to_owned()), Abilities::ALL)
}

fn explain(args: &Args, gateway: &Rc<Gateway>, body: Vec<u8>) -> Result<Told, String> {
    let host = Still { now: args.now.map_or_else(moment::clock, Ok)?, dice: args.dice.map_or_else(throw, Ok)? };
    let mut message = Message::new(request_headers(args, body.len()), body.clone());
    let told = |decision: Value, end: End| Told {
        method: "POST",
        path: args.path.clone(),
        bytes: body.len(),
        now: host.now,
        decision,
        end,
    };
    let headers = Headers::from_pairs(message.headers.iter().map(|(name, value)| (name, value)));
    let (mut exchange, steps) = match Exchange::open(gateway, headers, body.is_empty(), &host) {
        Opening::Foreign(_) => return Ok(told(Value::Null, End::Untouched)),
        Opening::Answered(reply) => return Ok(told(Value::Null, End::Answered(reply))),
        Opening::Ours(exchange, steps) => (exchange, steps),
    };
    message.perform(steps);
    if message.reply.is_none() {
        message.perform(exchange.request_body(&body, &host));
    }
    let decision = exchange.explained();
    match message.reply.take() {
        Some(reply) => Ok(told(decision, End::Answered(reply))),
        None => Ok(told(decision, End::Sent(attempts(&mut exchange, gateway, &host, message, &body)?))),
    }
}

/// Every attempt, as if each failed without an answer.
fn attempts(
    exchange: &mut Exchange,
    gateway: &Gateway,
    host: &Still,
    mut message: Message,
    asked: &[u8],
) -> Result<Vec<Sent>, String> {
    let most = message.dispatch.as_ref().map_or(1, |dispatch| dispatch.attempts);
    let mut sent = Vec::new();
    // The proxy replays the body as the listener's filter left it.
    let replayed = message.body.clone();
    for number in 1..=usize::try_from(most).unwrap_or(1) {
        let Some(cluster) = message.cluster.take() else { break };
        let provider = gateway.rules.providers.iter().find(|provider| provider.cluster == cluster);
        let provider = provider.ok_or_else(|| format!("the decision names no provider's cluster: {cluster}"))?;
        let steps = exchange.begin_attempt(Some(&provider.name)).map_err(|error| error.to_string())?;
        message.body.clone_from(&replayed);
        if message.perform(steps) == Flow::Wait {
            let steps = exchange.attempt_body(&replayed, host).map_err(|error| error.to_string())?;
            message.perform(steps);
        }
        let scheme = if provider.tls { "https" } else { "http" };
        let comparable = Some(asked).filter(|_| !exchange.attempt_translates());
        sent.push(message.sent(number, &provider.name, scheme, comparable));
        let lost = exchange.attempt_lost(number, host);
        message.perform(lost);
    }
    Ok(sent)
}

/// The headers of a plain client, with what the arguments add.
fn request_headers(args: &Args, length: usize) -> Vec<(String, String)> {
    let mut headers = vec![
        (":method".to_owned(), "POST".to_owned()),
        (":scheme".to_owned(), "http".to_owned()),
        (":authority".to_owned(), "localhost".to_owned()),
        (":path".to_owned(), args.path.clone()),
    ];
    let is_given = |name: &str| args.headers.iter().any(|(given, _)| given == name);
    if !is_given("content-type") {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    headers.push(("content-length".to_owned(), length.to_string()));
    if let Some(key) = args.key.as_deref().or(args.holder.as_ref().map(|_| STAND_IN)) {
        headers.push(("authorization".to_owned(), format!("Bearer {key}")));
    }
    headers.extend(args.headers.iter().filter(|(name, _)| name != "content-length").cloned());
    headers
}

/// Says how to be somebody whom the policy lets in.
fn hint(args: &Args, written: &Value) {
    let ids: Vec<&str> = disguise::key_ids(written).collect();
    if !ids.is_empty() && args.key.is_none() && args.holder.is_none() {
        eprintln!("hint: --key KEY presents a key; --as ID explains for its holder, ID being {}", ids.join(", "));
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as NAME:VALUE")?;
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() || value.chars().any(char::is_control) {
        return Err("a header has a name, and no control characters in its value".to_owned());
    }
    Ok((name, value.trim().to_owned()))
}

fn dice(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| "write up to 16 hexadecimal digits".to_owned())
}

fn throw() -> Result<u64, String> {
    getrandom::u64().map_err(|error| format!("the system gives no random bytes ({error}); give --dice"))
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The request, byte for byte.
fn body(path: &Path) -> Result<Vec<u8>, String> {
    let named = |error: io::Error| format!("{}: {error}", path.display());
    let source: Box<dyn Read> =
        if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(named)?) };
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("{}: a request has at most {MOST_BYTES} bytes here, this has more", path.display()));
    }
    Ok(bytes)
}
