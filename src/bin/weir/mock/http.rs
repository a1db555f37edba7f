//! The little HTTP/1.1 a mock provider needs, over a plain socket. Not a web framework: faults such as a reset in the
//! middle of an answer, or one-byte writes, need the socket itself.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A head longer than this is refused.
const HEAD_LIMIT: usize = 256 * 1024;
/// A body longer than this is refused.
const BODY_LIMIT: usize = 256 * 1024 * 1024;
/// More header lines than this are refused.
const HEADER_COUNT_LIMIT: usize = 256;

/// One request as it came over the wire.
pub struct Request {
    pub method: String,
    /// Path and query, undecoded.
    pub path: String,
    /// In order, names in lower case, values as bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Without the transfer coding.
    pub body: Vec<u8>,
    /// False when the client went away before the body's end.
    pub complete: bool,
}

impl Request {
    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The path without its query.
    pub fn bare_path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The first value of a parameter of the query, undecoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Whether the client wants the connection closed after the answer.
    pub fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// What ends an answer before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientGone;

/// One client's connection.
pub struct Connection {
    stream: TcpStream,
    /// Received and not yet consumed.
    pending: Vec<u8>,
    /// Bytes written since the last request was read.
    pub sent: u64,
    /// Size of each write to the socket, if writes are to be split.
    pub piece: Option<usize>,
    /// Reused by [`Connection::write_chunk`].
    frame: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        // Each event of a stream is a packet of its own, as vendors send it.
        let _ = stream.set_nodelay(true);
        Self { stream, pending: Vec::with_capacity(4096), sent: 0, piece: None, frame: Vec::new() }
    }

    /// The next request, or `None` when the client closed the connection between requests.
    pub async fn next(&mut self) -> io::Result<Option<Request>> {
        self.sent = 0;
        self.piece = None;
        let mut searched = 0_usize;
        let head_end = loop {
            let from = searched.saturating_sub(3);
            if let Some(found) = memchr::memmem::find(self.pending.get(from..).unwrap_or_default(), b"\r\n\r\n") {
                break from.saturating_add(found).saturating_add(4);
            }
            searched = self.pending.len();
            if searched > HEAD_LIMIT {
                return Err(invalid("the request's head is too long"));
            }
            if self.stream.read_buf(&mut self.pending).await? == 0 {
                return Ok(None);
            }
        };
        let rest = self.pending.split_off(head_end);
        let head = std::mem::replace(&mut self.pending, rest);
        let mut request = parse_head(&head)?;
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length = match request.header("content-length") {
            Some(text) => text.trim().parse().map_err(|_| invalid("content-length is not a number"))?,
            None => 0_usize,
        };
        request.complete = if chunked {
            self.read_chunked(&mut request.body).await?
        } else {
            self.read_exactly(&mut request.body, length).await?
        };
        Ok(Some(request))
    }

    /// Moves `count` bytes to the end of `into`; false when the client went away first.
    async fn read_exactly(&mut self, into: &mut Vec<u8>, count: usize) -> io::Result<bool> {
        if into.len().saturating_add(count) > BODY_LIMIT {
            return Err(invalid("the request's body is too long"));
        }
        self.pending.reserve(count.saturating_sub(self.pending.len()));
        while self.pending.len() < count {
            if self.stream.read_buf(&mut self.pending).await? == 0 {
                into.append(&mut self.pending);
                return Ok(false);
            }
        }
        if into.is_empty() {
            let rest = self.pending.split_off(count);
            *into = std::mem::replace(&mut self.pending, rest);
        } else {
            into.extend(self.pending.drain(..count));
        }
        Ok(true)
    }

    /// Reads a body in chunked transfer coding; false when the client went away before its end.
    async fn read_chunked(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let Some(line) = self.read_line().await? else {
                return Ok(false);
            };
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(digits)
                .ok()
                .and_then(|text| usize::from_str_radix(text.trim(), 16).ok())
                .ok_or_else(|| invalid("a chunk's size is not a hexadecimal number"))?;
            if size == 0 {
                break;
            }
            if !self.read_exactly(into, size).await? {
                return Ok(false);
            }
            if self.read_line().await?.is_none() {
                return Ok(false);
            }
        }
        // Trailers end with an empty line.
        loop {
            match self.read_line().await? {
                None => return Ok(false),
                Some(line) if line.is_empty() => return Ok(true),
                Some(_) => {}
            }
        }
    }

    /// One line without its end, or `None` when the client went away.
    async fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.pending, b"\r\n") {
                let mut line: Vec<u8> = self.pending.drain(..end.saturating_add(2)).collect();
                line.truncate(end);
                return Ok(Some(line));
            }
            if self.stream.read_buf(&mut self.pending).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Writes bytes as they are, in pieces if asked to.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientGone> {
        match self.piece {
            None => self.stream.write_all(bytes).await.map_err(|_| ClientGone)?,
            Some(size) => {
                for piece in bytes.chunks(size.max(1)) {
                    self.stream.write_all(piece).await.map_err(|_| ClientGone)?;
                    // Gives the reader a chance to see the piece alone.
                    tokio::task::yield_now().await;
                }
            }
        }
        self.sent = self.sent.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Writes one chunk of a chunked body.
    pub async fn write_chunk(&mut self, data: &[u8]) -> Result<(), ClientGone> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        match self.piece {
            None => frame_chunk(&mut frame, data),
            Some(size) => data.chunks(size.max(1)).for_each(|piece| frame_chunk(&mut frame, piece)),
        }
        let done = self.write(&frame).await;
        self.frame = frame;
        done
    }

    /// Ends a chunked body.
    pub async fn end_chunks(&mut self) -> Result<(), ClientGone> {
        self.write(b"0\r\n\r\n").await
    }

    /// Waits until the moment, unless the client goes away before.
    pub async fn wait_until(&self, moment: Instant) -> Result<(), ClientGone> {
        tokio::select! {
            () = tokio::time::sleep_until(moment) => Ok(()),
            () = self.gone() => Err(ClientGone),
        }
    }

    /// Waits so many milliseconds, unless the client goes away before.
    pub async fn wait(&self, milliseconds: u64) -> Result<(), ClientGone> {
        if milliseconds == 0 {
            return Ok(());
        }
        self.wait_until(Instant::now() + Duration::from_millis(milliseconds)).await
    }

    /// Returns once the client has closed or reset the connection.
    pub async fn gone(&self) {
        if !self.pending.is_empty() {
            // A pipelined request hides the end of the connection behind it.
            return std::future::pending().await;
        }
        let mut byte = [0_u8; 1];
        match self.stream.peek(&mut byte).await {
            Ok(0) | Err(_) => {}
            Ok(_) => std::future::pending().await,
        }
    }

    /// Closes with a TCP reset rather than a farewell.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// Appends one chunk in transfer coding.
fn frame_chunk(frame: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    frame.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    frame.extend_from_slice(data);
    frame.extend_from_slice(b"\r\n");
}

fn parse_head(head: &[u8]) -> io::Result<Request> {
    let mut lines = [httparse::EMPTY_HEADER; HEADER_COUNT_LIMIT];
    let mut parsed = httparse::Request::new(&mut lines);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(invalid("the request's head is cut")),
        Err(_) => return Err(invalid("the request's head is not HTTP/1.1")),
    }
    Ok(Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed.headers.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec())).collect(),
        body: Vec::new(),
        complete: false,
    })
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A complete answer with a known length.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = head(status, headers);
    out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out
}

/// The head of an answer in chunked transfer coding.
pub fn chunked_head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = head(status, headers);
    out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    out
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        529 => "Overloaded",
        _ => "Status",
    }
}
