//! Asks a running Envoy's admin page for its configuration. One request of HTTP/1.1 over plain TCP, nothing more.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

/// The most bytes of a configuration that are read.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// How long to wait for a connection and for every piece of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `/config_dump` of the admin page at `url` says.
///
/// # Errors
/// One sentence with the address when it cannot be reached or does not answer with JSON.
pub fn config_dump(url: &str) -> Result<Value, String> {
    let authority = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    ask(authority).map_err(|problem| format!("http://{authority}/config_dump: {problem}"))
}

fn ask(authority: &str) -> Result<Value, String> {
    let with_port = if authority.ends_with(']') || !authority.contains(':') {
        format!("{authority}:80")
    } else {
        authority.to_owned()
    };
    let mut answer = Vec::new();
    let io = |error: std::io::Error| error.to_string();
    let address = with_port.to_socket_addrs().map_err(io)?.next().ok_or("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(io)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    write!(stream, "GET /config_dump HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").map_err(io)?;
    stream.take(MOST_BYTES).read_to_end(&mut answer).map_err(io)?;

    let end = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or("the answer is not HTTP")?;
    let (head, body) = answer.split_at_checked(end + 4).ok_or("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        return Err(format!("the answer's status is {status}; is this Envoy's admin page?"));
    }
    let body = if head.contains("transfer-encoding: chunked") { unchunk(body)? } else { body.to_vec() };
    serde_json::from_slice(&body)
        .map_err(|error| format!("the answer is not JSON: {error}; is this Envoy's admin page?"))
}

fn unchunk(mut body: &[u8]) -> Result<Vec<u8>, String> {
    let cut = || "the answer is cut off".to_owned();
    let mut out = Vec::new();
    loop {
        let end = memchr::memmem::find(body, b"\r\n").ok_or_else(cut)?;
        let (line, rest) = body.split_at_checked(end).ok_or_else(cut)?;
        let size = std::str::from_utf8(line).ok().and_then(|line| usize::from_str_radix(line.trim(), 16).ok());
        let (size, rest) = (size.ok_or_else(cut)?, rest.get(2..).ok_or_else(cut)?);
        if size == 0 {
            return Ok(out);
        }
        let (chunk, rest) = rest.split_at_checked(size).ok_or_else(cut)?;
        out.extend_from_slice(chunk);
        body = rest.get(2..).ok_or_else(cut)?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::unchunk;

    #[test]
    fn chunks_are_joined_and_a_cut_is_an_error() {
        assert_eq!(unchunk(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n").unwrap(), b"abc0123456789");
        assert!(unchunk(b"3\r\nab").is_err());
    }
}
