//! One mock's life: connections, the control endpoints under `/_mock/`, and how faults are done. Not the wire formats:
//! see `family`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::ask::Refused;
use super::book::{self, Book};
use super::fault::{Fault, Faults};
use super::http::{self, ClientGone, Connection, Request};
use super::place::{Api, Place, Work};
use super::reply::{Event, Reply, Shape, Style, chat};
use super::{family, json};

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
            let ended = if done.is_ok() { book::Ended::Completed } else { book::Ended::ClientGone };
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
            Err(error) => http::answer(400, &[JSON], chat::error(400, &error.to_string()).as_bytes()),
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
            http::answer(404, &[JSON], chat::error(404, &message).as_bytes())
        }
    };
    connection.write(&answer).await
}

/// Serves one request as a provider.
async fn provide(connection: &mut Connection, mock: &Mock, request: &Request) -> Result<After, ClientGone> {
    let key = credential(request);
    let place = Place::of(request);
    let body = serde_json::from_slice::<Value>(&request.body);
    let named = body.as_ref().ok().map(|body| json::text(body, "model")).filter(|name| !name.is_empty());
    let fault = mock.faults().strike(key, place.model.as_deref().or(named));
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
        let mut headers = vec![content_type, family::request_id(place.api)];
        headers.extend(fault.retry_after.as_deref().map(|value| ("retry-after", value)));
        connection.write(&http::answer(fault.status.unwrap_or(200), &headers, body.as_bytes())).await?;
        return Ok(After::Keep);
    }
    if let Some(status) = fault.status {
        let message = format!("mock {}: status {status} on demand", mock.style.provider);
        return refuse(connection, &place, &fault, &Refused { status, message }).await;
    }
    if !mock.require_keys.is_empty() && !key.is_some_and(|key| mock.require_keys.iter().any(|known| known == key)) {
        return refuse(connection, &place, &fault, &family::bad_key(&place)).await;
    }
    if place.work == Work::Models {
        return send_whole(connection, place.api, &fault, family::models(place.api).as_bytes()).await;
    }
    if request.method != "POST" || place.work == Work::Unknown {
        let message = format!("Invalid URL ({} {})", request.method, request.bare_path());
        return refuse(connection, &place, &fault, &Refused { status: 404, message }).await;
    }
    match body {
        Ok(body) => match work(connection, mock, request, &place, body, &fault).await {
            Err(Ended::Refused(refused)) => refuse(connection, &place, &fault, &refused).await,
            Err(Ended::Gone) => Err(ClientGone),
            Ok(after) => Ok(after),
        },
        Err(error) => {
            let message = format!("We could not parse the JSON body of your request: {error}");
            refuse(connection, &place, &fault, &Refused::bad(message)).await
        }
    }
}

/// What keeps an answer from being given.
enum Ended {
    Refused(Refused),
    Gone,
}

impl From<Refused> for Ended {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<ClientGone> for Ended {
    fn from(_: ClientGone) -> Self {
        Self::Gone
    }
}

/// Does what a request asks for.
async fn work(
    connection: &mut Connection,
    mock: &Mock,
    request: &Request,
    place: &Place,
    body: Value,
    fault: &Fault,
) -> Result<After, Ended> {
    if let Work::Embed(method) = &place.work {
        let answer = family::embed(place, method, &body, &request.body)?;
        return Ok(send_whole(connection, place.api, fault, answer.as_bytes()).await?);
    }
    if place.work == Work::CountTokens {
        // A count is asked for in a form of its own by Gemini and Bedrock; Anthropic's is a request like any other.
        if place.api == Api::Anthropic {
            family::read(place, request, &body)?;
        }
        let answer = family::count(place.api, request.body.len().div_ceil(4));
        return Ok(send_whole(connection, place.api, fault, answer.as_bytes()).await?);
    }
    let ask = family::read(place, request, &body)?;
    let shape = Shape {
        chunks: fault.chunks.unwrap_or(mock.style.chunks).max(1),
        answer_bytes: fault.answer_bytes.unwrap_or(mock.style.answer_bytes),
        no_usage: fault.no_usage,
    };
    let streams = ask.stream;
    let answer = Reply::new(&mock.style.provider, family::signer(place.api), ask, body, &request.body, &shape);
    if !streams {
        return Ok(send_whole(connection, place.api, fault, family::whole(place, &answer).as_bytes()).await?);
    }
    let pause = Duration::from_millis(fault.chunk_delay_ms.unwrap_or(mock.style.chunk_delay_ms));
    let events = family::stream(place, &answer);
    Ok(stream(connection, place, fault, &events, pause).await?)
}

/// The key of a request, without the scheme; of a signed one the id of its access key.
fn credential(request: &Request) -> Option<&str> {
    let Some(value) = request.header("authorization") else {
        let headers = ["x-api-key", "api-key", "x-goog-api-key"];
        return headers.iter().find_map(|name| request.header(name)).or_else(|| request.query("key"));
    };
    if let Some(signed) = value.strip_prefix("AWS4-HMAC-SHA256 ") {
        let scope = signed.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
        // A signature covers the moment of the request, so a request without it cannot have been signed.
        request.header("x-amz-date")?;
        return scope.split('/').next();
    }
    Some(value.strip_prefix("Bearer ").unwrap_or(value))
}

/// Sends a stream event by event, each content event at its own absolute moment.
async fn stream(
    connection: &mut Connection,
    place: &Place,
    fault: &Fault,
    events: &[Event],
    pause: Duration,
) -> Result<After, ClientGone> {
    let headers =
        [("content-type", family::stream_type(place)), ("cache-control", "no-cache"), family::request_id(place.api)];
    connection.write(&http::chunked_head(200, &headers)).await?;
    connection.wait(fault.first_byte_delay_ms).await?;
    let mut moment = Instant::now();
    let mut sent = 0_usize;
    for event in events {
        if let Some(ended) = interrupt(connection, place, fault, sent, event.is_content || sent > 0).await? {
            return Ok(ended);
        }
        if event.is_content && !pause.is_zero() {
            moment += pause;
            connection.wait_until(moment).await?;
        }
        connection.write_chunk(&event.bytes).await?;
        sent = sent.saturating_add(usize::from(event.is_content));
    }
    connection.end_chunks().await?;
    Ok(After::Keep)
}

/// Ends a stream early if a fault says so at this point. An error may be the very first event; a cut comes after what a
/// stream begins with.
async fn interrupt(
    connection: &mut Connection,
    place: &Place,
    fault: &Fault,
    sent: usize,
    may_break: bool,
) -> Result<Option<After>, ClientGone> {
    if fault.error_event_after == Some(sent) {
        let event = family::error_event(place, sent, "the mock's model broke off on demand");
        connection.write_chunk(&event).await?;
        connection.end_chunks().await?;
        return Ok(Some(After::Keep));
    }
    Ok((may_break && fault.cut_after_chunks == Some(sent)).then_some(After::Reset))
}

/// The headers of any answer.
fn headers_of(api: Api, content_type: &'static str, fault: &Fault) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![("content-type", content_type), family::request_id(api)];
    if fault.rate_limits {
        headers.extend_from_slice(family::rate_limits(api));
    }
    headers
}

/// Sends a body of known length, or half of it if a fault says so.
async fn send_whole(connection: &mut Connection, api: Api, fault: &Fault, body: &[u8]) -> Result<After, ClientGone> {
    let whole = http::answer(200, &headers_of(api, "application/json", fault), body);
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
    place: &Place,
    fault: &Fault,
    refused: &Refused,
) -> Result<After, ClientGone> {
    let told = family::error(place, refused.status, &refused.message);
    let mut headers = headers_of(place.api, "application/json", fault);
    headers.extend(fault.retry_after.as_deref().filter(|_| fault.status.is_some()).map(|value| ("retry-after", value)));
    headers.extend(told.header);
    connection.write(&http::answer(refused.status, &headers, told.body.as_bytes())).await?;
    Ok(After::Keep)
}
