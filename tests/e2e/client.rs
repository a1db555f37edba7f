//! An HTTP/1.1 client that can misbehave: raw header bytes, bodies in tiny chunks, hanging up in the middle. Not a
//! general client: one request a connection.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer silence than this fails a test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    chunk_size: Option<usize>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![(b"host".to_vec(), b"gateway.test".to_vec())],
            body: Vec::new(),
            chunk_size: None,
        }
    }

    /// A chat request with the key that the fixture's policies know.
    pub fn chat(body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", "/v1/chat/completions").key(crate::fixture::CLIENT_KEY).json(body)
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }.header("content-type", "application/json")
    }

    /// Another body instead of the one it has.
    pub fn json_again(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Adds a header; the bytes go out as they are.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Leaves a header out that was added before.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| found != name.as_bytes());
        self
    }

    /// Sends the body in chunks of this size, each in a packet of its own.
    pub fn in_chunks_of(self, size: usize) -> Self {
        Self { chunk_size: Some(size), ..self }
    }

    /// Sends the request and reads the whole answer.
    pub fn send(&self, to: SocketAddr) -> Response {
        self.open(to).finish()
    }

    /// Sends the request on a connection of its own and reads the answer's head.
    pub fn open(&self, to: SocketAddr) -> Exchange {
        self.open_on(connect(to))
    }

    /// Sends the request on a connection and reads the answer's head.
    pub fn open_on(&self, stream: TcpStream) -> Exchange {
        self.try_open_on(stream).expect("an answer")
    }

    /// Sends the request and reads the whole answer; `None` when nobody answers.
    pub fn try_send(&self, to: SocketAddr) -> Option<Response> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).ok()?;
        prepare(&stream);
        Some(self.try_open_on(stream)?.finish())
    }

    fn try_open_on(&self, mut stream: TcpStream) -> Option<Exchange> {
        let sent = Instant::now();
        // A server may answer and close before it has read everything: then the answer counts, not the failed write.
        let _ = self.write(&mut stream);
        Exchange::read_head(stream, sent, self.method == "HEAD")
    }

    /// Sends the head and this much of the body, and leaves the rest unsent.
    pub fn send_partly(&self, to: SocketAddr, length: usize) -> TcpStream {
        let mut stream = connect(to);
        let mut bytes = self.head();
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend(&self.body[..length]);
        stream.write_all(&bytes).expect("writes");
        stream
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            head.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
        }
        head
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut head = self.head();
        match self.chunk_size {
            None => {
                if !self.body.is_empty() || self.method == "POST" {
                    head.extend(format!("content-length: {}\r\n", self.body.len()).as_bytes());
                }
                head.extend(b"\r\n");
                stream.write_all(&head)?;
                stream.write_all(&self.body)
            }
            Some(size) => {
                head.extend(b"transfer-encoding: chunked\r\n\r\n");
                stream.write_all(&head)?;
                for piece in self.body.chunks(size) {
                    stream.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())?;
                }
                stream.write_all(b"0\r\n\r\n")
            }
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// In order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Whether the body ended as its framing says, rather than by a lost connection.
    pub clean_end: bool,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<String> {
        find_header(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in answer {} {:?}", self.status, self.text()))
    }

    /// The `data:` of every event.
    pub fn events(&self) -> Vec<String> {
        events_of(&self.text())
    }

    /// Fails unless this is an error in OpenAI's shape with this status and code; returns its message.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{self:?}\n{}", self.text());
        assert_eq!(self.header("content-type").as_deref(), Some("application/json"), "{}", self.text());
        let body = self.json();
        let error = &body["error"];
        assert_eq!(error["code"], code, "{body}");
        assert!(error["type"].is_string(), "{body}");
        assert!(error.get("param").is_some(), "{body}");
        error["message"].as_str().expect("a message").to_owned()
    }
}

/// The `data:` of every event in a stream's text.
pub fn events_of(text: &str) -> Vec<String> {
    text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
}

/// An answer that is still arriving. Dropping it hangs up.
pub struct Exchange {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    stream: TcpStream,
    sent: Instant,
    /// Received and not yet taken apart.
    raw: Vec<u8>,
    framing: Framing,
    /// Body bytes that are not yet part of a returned event.
    held: String,
}

/// How the body's end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    /// Bytes left of the chunk at hand; `None` between chunks.
    Chunked(Option<usize>),
    UntilClose,
    Done,
}

/// What the body gave next.
enum Piece {
    Data(Vec<u8>),
    CleanEnd,
    Broken,
}

/// An event with the moment it arrived, counted from the request.
#[derive(Clone, Debug)]
pub struct Event {
    pub after: Duration,
    pub data: String,
}

impl Exchange {
    fn read_head(mut stream: TcpStream, sent: Instant, bodiless: bool) -> Option<Self> {
        let mut raw = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
                    break at + 4;
                }
                if !fill(&mut stream, &mut raw) {
                    return None;
                }
            };
            let rest = raw.split_off(end);
            let head = std::mem::replace(&mut raw, rest);
            let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            let status_line = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
            let status: u16 = status_line.split(' ').nth(1).expect("a status line").parse().expect("a status");
            let headers: Vec<(String, Vec<u8>)> = lines
                .filter_map(|line| {
                    let colon = line.iter().position(|byte| *byte == b':')?;
                    let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
                    Some((name, line[colon + 1..].trim_ascii().to_vec()))
                })
                .collect();
            if status == 100 {
                continue;
            }
            let framing = match find_header(&headers, "content-length") {
                _ if bodiless || status == 204 => Framing::Length(0),
                Some(length) => Framing::Length(length.parse().expect("a length")),
                None if find_header(&headers, "transfer-encoding").is_some() => Framing::Chunked(None),
                None => Framing::UntilClose,
            };
            return Some(Self { status, headers, stream, sent, raw, framing, held: String::new() });
        }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        find_header(&self.headers, name)
    }

    /// The next event of a stream, or `None` at its end; fails the test if the end is not clean.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.held.find("\n\n") {
                let rest = self.held.split_off(end + 2);
                let event = std::mem::replace(&mut self.held, rest);
                let data = event.trim_end().strip_prefix("data: ").expect("a data line").to_owned();
                return Some(Event { after: self.sent.elapsed(), data });
            }
            match self.next_piece() {
                Piece::Data(data) => self.held.push_str(std::str::from_utf8(&data).expect("UTF-8")),
                Piece::CleanEnd => return None,
                Piece::Broken => panic!("the stream broke off after {:?}", self.held),
            }
        }
    }

    /// The next event of a stream as it stands, and when it came; `None` at its end, clean or not.
    pub fn next_block(&mut self) -> Option<(Duration, String)> {
        loop {
            if let Some(end) = self.held.find("\n\n") {
                let rest = self.held.split_off(end + 2);
                return Some((self.sent.elapsed(), std::mem::replace(&mut self.held, rest)));
            }
            match self.next_piece() {
                Piece::Data(data) => self.held.push_str(std::str::from_utf8(&data).expect("UTF-8")),
                Piece::CleanEnd | Piece::Broken => return None,
            }
        }
    }

    /// Reads the rest.
    pub fn finish(self) -> Response {
        self.finish_keeping().0
    }

    /// Reads the rest and gives the connection back.
    pub fn finish_keeping(mut self) -> (Response, TcpStream) {
        let mut body = std::mem::take(&mut self.held).into_bytes();
        let clean_end = loop {
            match self.next_piece() {
                Piece::Data(data) => body.extend(data),
                Piece::CleanEnd => break true,
                Piece::Broken => break false,
            }
        };
        (Response { status: self.status, headers: self.headers, body, clean_end }, self.stream)
    }

    fn next_piece(&mut self) -> Piece {
        loop {
            match self.framing {
                Framing::Done | Framing::Length(0) => return Piece::CleanEnd,
                Framing::Length(left) if !self.raw.is_empty() => {
                    let data: Vec<u8> = self.raw.drain(..left.min(self.raw.len())).collect();
                    self.framing = Framing::Length(left - data.len());
                    return Piece::Data(data);
                }
                Framing::UntilClose if !self.raw.is_empty() => return Piece::Data(std::mem::take(&mut self.raw)),
                Framing::Chunked(Some(left)) if self.raw.len() >= left + 2 => {
                    let data: Vec<u8> = self.raw.drain(..left + 2).take(left).collect();
                    self.framing = if left == 0 { Framing::Done } else { Framing::Chunked(None) };
                    if left > 0 {
                        return Piece::Data(data);
                    }
                    continue;
                }
                Framing::Chunked(None) => {
                    if let Some(end) = self.raw.windows(2).position(|window| window == b"\r\n") {
                        let line: Vec<u8> = self.raw.drain(..end + 2).take(end).collect();
                        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
                        self.framing = Framing::Chunked(Some(size));
                        continue;
                    }
                }
                Framing::Length(_) | Framing::UntilClose | Framing::Chunked(Some(_)) => {}
            }
            if !fill(&mut self.stream, &mut self.raw) {
                return if self.framing == Framing::UntilClose { Piece::CleanEnd } else { Piece::Broken };
            }
        }
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).expect("connects");
    prepare(&stream);
    stream
}

fn prepare(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_nodelay(true).expect("no delay");
}

/// Reads more; false when the connection has ended or was reset.
fn fill(stream: &mut TcpStream, raw: &mut Vec<u8>) -> bool {
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                raw.extend(&buffer[..count]);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("no byte for {PATIENCE:?}; so far {:?}", String::from_utf8_lossy(raw))
            }
            Err(_) => return false,
        }
    }
}

fn find_header(headers: &[(String, Vec<u8>)], name: &str) -> Option<String> {
    headers.iter().find(|(found, _)| found == name).map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}
