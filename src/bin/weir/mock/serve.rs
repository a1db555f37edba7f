//! One mock's life: connections, the control endpoints under `/_mock/`, and how faults are done. Not the wire format of
//! answers: see `openai`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::book::{Book, Ended};
use super::fault::{Fault, Faults};
use super::http::{self, ClientGone, Connection, Request};
use super::openai::{self, Ask, Chat, Shape, Style};

/// One provider behind one listener.
pub struct Mock {
    style: Style,
    require_keys: Vec<String>,
    faults: Mutex<Faults>,
    book: Mutex<Book>,
}

/// What becomes of the connection after an answer.
enum After {
    Keep,
    Reset,
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl Mock {
    pub fn new(style: Style, require_keys: Vec<String>, keep: usize) -> Self {
        Self { style, require_keys, faults: Mutex::new(Faults::default()), book: Mutex::new(Book::new(keep)) }
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes connections until the process ends.
pub async fn accept(listener: TcpListener, mock: Arc<Mock>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(Connection::new(stream), Arc::clone(&mock)));
            }
            // Out of file handles, most likely: connections that end give some back.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(mut connection: Connection, mock: Arc<Mock>) {
    while let Ok(Some(request)) = connection.next().await {
        let done = if request.bare_path().starts_with("/_mock/") {
            control(&mut connection, &mock, &request).await.map(|()| After::Keep)
        } else {
            let number = mock.book().enter(&request);
            let done = if request.complete { provide(&mut connection, &mock, &request).await } else { Err(ClientGone) };
            let ended = if done.is_ok() { Ended::Completed } else { Ended::ClientGone };
            mock.book().close(number, ended, connection.sent);
            done
        };
        match done {
            Ok(After::Keep) if !request.wants_close() => {}
            Ok(After::Keep) | Err(ClientGone) => return,
            Ok(After::Reset) => return connection.reset(),
        }
    }
}

/// Serves `/_mock/faults` and `/_mock/requests`.
async fn control(connection: &mut Connection, mock: &Mock, request: &Request) -> Result<(), ClientGone> {
    let answer = match (request.method.as_str(), request.bare_path()) {
        ("POST", "/_mock/faults") => match serde_json::from_slice::<Fault>(&request.body) {
            Ok(fault) => {
                mock.faults().add(fault);
                http::answer(200, &[JSON], b"{}")
            }
            Err(error) => http::answer(400, &[JSON], openai::error_body(400, &error.to_string()).as_bytes()),
        },
        ("GET", "/_mock/faults") => {
            let body = serde_json::to_vec(mock.faults().waiting()).unwrap_or_default();
            http::answer(200, &[JSON], &body)
        }
        ("DELETE", "/_mock/faults") => {
            mock.faults().clear();
            http::answer(200, &[JSON], b"{}")
        }
        ("GET", "/_mock/requests") => {
            let body = mock.book().to_json();
            http::answer(200, &[JSON], &body)
        }
        ("DELETE", "/_mock/requests") => {
            mock.book().clear();
            http::answer(200, &[JSON], b"{}")
        }
        (method, path) => {
            let message = format!("a mock has faults and requests under /_mock/, found {method} {path}");
            http::answer(404, &[JSON], openai::error_body(404, &message).as_bytes())
        }
    };
    connection.write(&answer).await
}

/// Serves one request as a provider.
async fn provide(connection: &mut Connection, mock: &Mock, request: &Request) -> Result<After, ClientGone> {
    let key = credential(request);
    let ask = Ask::read(&request.body);
    let fault = mock.faults().strike(key, ask.as_ref().ok().map(|ask| ask.model.as_ref()));
    connection.piece = fault.chunk_bytes;
    connection.wait(fault.delay_ms).await?;
    if fault.hang {
        connection.gone().await;
        return Err(ClientGone);
    }
    if fault.reset {
        return Ok(After::Reset);
    }
    if request.method == "HEAD" {
        connection.write(&http::answer(200, &[], b"")).await?;
        return Ok(After::Keep);
    }
    if let Some(body) = &fault.body {
        let content_type = ("content-type", fault.content_type.as_deref().unwrap_or("text/html"));
        let mut headers = vec![content_type, REQUEST_ID];
        headers.extend(fault.retry_after.as_deref().map(|value| ("retry-after", value)));
        connection.write(&http::answer(fault.status.unwrap_or(200), &headers, body.as_bytes())).await?;
        return Ok(After::Keep);
    }
    if let Some(status) = fault.status {
        let message = format!("mock {}: status {status} on demand", mock.style.provider);
        return refuse(connection, status, fault.retry_after.as_deref(), &message).await;
    }
    if !mock.require_keys.is_empty() && !key.is_some_and(|key| mock.require_keys.iter().any(|known| known == key)) {
        return refuse(connection, 401, None, "Incorrect API key provided.").await;
    }
    let path = request.bare_path();
    match request.method.as_str() {
        "GET" if path.ends_with("/models") => {
            let body = br#"{"object":"list","data":[{"id":"mock-1","object":"model","created":1760000000,"owned_by":"mock"}]}"#;
            send_whole(connection, &fault, body).await
        }
        "POST" if path.ends_with("/chat/completions") => match ask {
            Ok(ask) if ask.messages.is_empty() => {
                refuse(connection, 400, None, "Missing required parameter: 'messages'.").await
            }
            Ok(ask) => chat(connection, mock, request, &ask, &fault).await,
            Err(message) => refuse(connection, 400, None, &message).await,
        },
        "POST" if path.ends_with("/embeddings") => match ask.and_then(|ask| openai::embeddings(&ask, &request.body)) {
            Ok(body) => send_whole(connection, &fault, body.as_bytes()).await,
            Err(message) => refuse(connection, 400, None, &message).await,
        },
        method => refuse(connection, 404, None, &format!("Invalid URL ({method} {path})")).await,
    }
}

/// The key of a request, without the scheme.
fn credential(request: &Request) -> Option<&str> {
    match request.header("authorization") {
        Some(value) => Some(value.strip_prefix("Bearer ").unwrap_or(value)),
        None => request.header("x-api-key").or_else(|| request.header("api-key")),
    }
}

async fn chat(
    connection: &mut Connection,
    mock: &Mock,
    request: &Request,
    ask: &Ask<'_>,
    fault: &Fault,
) -> Result<After, ClientGone> {
    let shape = Shape {
        chunks: fault.chunks.unwrap_or(mock.style.chunks).max(1),
        answer_bytes: fault.answer_bytes.unwrap_or(mock.style.answer_bytes),
        no_usage: fault.no_usage,
    };
    let answer = Chat::new(&mock.style.provider, ask, &request.body, &shape);
    if !ask.streams() {
        return send_whole(connection, fault, answer.body().as_bytes()).await;
    }
    let delay = fault.chunk_delay_ms.unwrap_or(mock.style.chunk_delay_ms);
    stream(connection, fault, &answer, Duration::from_millis(delay)).await
}

/// Sends a stream event by event, each at its own absolute moment.
async fn stream(
    connection: &mut Connection,
    fault: &Fault,
    answer: &Chat,
    pause: Duration,
) -> Result<After, ClientGone> {
    let headers = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), REQUEST_ID];
    connection.write(&http::chunked_head(200, &headers)).await?;
    connection.wait(fault.first_byte_delay_ms).await?;
    let mut moment = Instant::now();
    connection.write_chunk(answer.role_event().as_bytes()).await?;
    let mut sent = 0_usize;
    for event in answer.content_events() {
        if let Some(ended) = interrupt(connection, fault, sent).await? {
            return Ok(ended);
        }
        if !pause.is_zero() {
            moment += pause;
            connection.wait_until(moment).await?;
        }
        connection.write_chunk(event.as_bytes()).await?;
        sent = sent.saturating_add(1);
    }
    if let Some(ended) = interrupt(connection, fault, sent).await? {
        return Ok(ended);
    }
    for event in answer.last_events() {
        connection.write_chunk(event.as_bytes()).await?;
    }
    connection.end_chunks().await?;
    Ok(After::Keep)
}

/// Ends a stream early if a fault says so at this point.
async fn interrupt(connection: &mut Connection, fault: &Fault, sent: usize) -> Result<Option<After>, ClientGone> {
    if fault.cut_after_chunks == Some(sent) {
        return Ok(Some(After::Reset));
    }
    if fault.error_event_after == Some(sent) {
        let event = format!("data: {}\n\n", openai::error_body(500, "the mock's model broke off on demand"));
        connection.write_chunk(event.as_bytes()).await?;
        connection.end_chunks().await?;
        return Ok(Some(After::Keep));
    }
    Ok(None)
}

/// Sends a body of known length, or half of it if a fault says so.
async fn send_whole(connection: &mut Connection, fault: &Fault, body: &[u8]) -> Result<After, ClientGone> {
    let whole = http::answer(200, &[JSON, REQUEST_ID], body);
    let (head, body) = whole.split_at(whole.len().saturating_sub(body.len()));
    if fault.cut_body {
        connection.write(head).await?;
        connection.write(body.split_at(body.len() / 2).0).await?;
        return Ok(After::Reset);
    }
    if fault.first_byte_delay_ms == 0 {
        connection.write(&whole).await?;
    } else {
        connection.write(head).await?;
        connection.wait(fault.first_byte_delay_ms).await?;
        connection.write(body).await?;
    }
    Ok(After::Keep)
}

async fn refuse(
    connection: &mut Connection,
    status: u16,
    retry_after: Option<&str>,
    message: &str,
) -> Result<After, ClientGone> {
    let mut headers = vec![JSON, REQUEST_ID];
    headers.extend(retry_after.map(|value| ("retry-after", value)));
    connection.write(&http::answer(status, &headers, openai::error_body(status, message).as_bytes())).await?;
    Ok(After::Keep)
}

/// Vendors number their answers; the same number keeps answers comparable byte for byte.
const REQUEST_ID: (&str, &str) = ("x-request-id", "req_mock");
