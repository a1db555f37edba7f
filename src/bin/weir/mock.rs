//! `weir mock`: stand-ins for model vendors, with faults on demand. Not a model and not a load generator: every answer is
//! a function of the request's bytes, so that a test can say what must come back and what a book-keeper must have counted.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;

mod ask;
mod book;
mod embedding;
mod family;
mod fault;
mod frame;
mod http;
mod json;
mod place;
mod reply;
mod sample;
mod schema;
mod serve;

use reply::Style;
use serve::Mock;

const FAMILIES: &str = "\
Paths tell the API family: /v1/chat/completions, /v1/embeddings and Azure's, /v1/responses, /v1/messages,
/v1beta/models/M:generateContent and Vertex AI's (Claude too), /model/M/converse, /v2/chat and /v2/embed. Each refuses what
its vendor refuses.

The end of the user's last text steers the answer:
  use the tool [NAME] [with {JSON}]   calls a tool that the request offers; `say so` puts text before it
  two tools [interleaved]             calls two
  think                               thinks first, signed where the family signs
  refuse [the prompt]                 refuses
  long                                ends at the token limit

POST /_mock/faults orders a fault, as {\"status\": 429, \"times\": 1}; GET /_mock/requests shows what was received.";

#[derive(clap::Args)]
#[command(after_long_help = FAMILIES)]
pub struct Args {
    /// Where to listen; may be repeated for independent mocks. `NAME@ADDR` names one; port 0 takes a free one.
    #[arg(long, value_name = "[NAME@]ADDR", default_value = "127.0.0.1:8080")]
    listen: Vec<String>,
    /// The provider's name in its answers; several listeners become NAME-1, NAME-2, ….
    #[arg(long, default_value = "mock")]
    name: String,
    /// Refuse requests that do not carry this key with 401; may be repeated.
    #[arg(long, value_name = "KEY")]
    require_key: Vec<String>,
    /// Content events of a streamed answer.
    #[arg(long, default_value_t = 8)]
    chunks: usize,
    /// Pause before each content event, kept by absolute deadlines so that a slow reader does not shift the rest.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    chunk_delay_ms: u64,
    /// Least length of the answer's text.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    answer_bytes: usize,
    /// How many received requests are kept for `GET /_mock/requests`; the oldest go first.
    #[arg(long, value_name = "COUNT", default_value_t = 2000)]
    keep: usize,
}

pub fn run(args: &Args) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the event loop: {error}"))?;
    runtime.block_on(serve_all(args))
}

async fn serve_all(args: &Args) -> Result<ExitCode, String> {
    let mut tasks = Vec::new();
    for (index, wanted) in args.listen.iter().enumerate() {
        let (name, address) = name_and_address(wanted, &args.name, index, args.listen.len())?;
        let listener =
            TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
        let bound = listener.local_addr().map_err(|error| format!("{address}: {error}"))?;
        println!("listening {name} http://{bound}");
        let style = Style {
            provider: name,
            chunks: args.chunks.max(1),
            chunk_delay_ms: args.chunk_delay_ms,
            answer_bytes: args.answer_bytes,
        };
        let mock = Arc::new(Mock::new(style, args.require_key.clone(), args.keep));
        tasks.push(tokio::spawn(serve::accept(listener, mock)));
    }
    for task in tasks {
        task.await.map_err(|error| format!("a mock stopped: {error}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Splits `NAME@ADDR`; without a name, a lone listener takes the common one and several are numbered from 1.
fn name_and_address(wanted: &str, common: &str, index: usize, count: usize) -> Result<(String, SocketAddr), String> {
    let (name, address) = match wanted.rsplit_once('@') {
        Some((name, address)) => (name.to_owned(), address),
        None if count == 1 => (common.to_owned(), wanted),
        None => (format!("{common}-{}", index.saturating_add(1)), wanted),
    };
    let address = address
        .parse()
        .map_err(|_| format!("--listen takes an address and port such as 127.0.0.1:8080, found {address:?}"))?;
    Ok((name, address))
}
