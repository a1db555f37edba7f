//! A small HTTP/1.1 load generator: blocking sockets, one thread a connection. It counts; it does not judge speed.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// What a run of requests came to.
pub struct Tally {
    /// Answers with status 200.
    pub answered: u64,
    /// Pieces in which one answer arrived on average, as reads of the socket.
    pub pieces: f64,
}

/// Sends `request` over `connections` kept-alive connections: a warm-up, then `span`. `measured` is called when the
/// warm-up ends and when the span ends.
pub fn steady(
    address: SocketAddr,
    request: &Arc<Vec<u8>>,
    connections: usize,
    warm_up: Duration,
    span: Duration,
    mut measured: impl FnMut(),
) -> Result<Tally> {
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let pieces = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            let (stop, answered, pieces) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&pieces));
            let request = Arc::clone(request);
            thread::spawn(move || -> Result<()> {
                let mut connection = Connection::open(address)?;
                while !stop.load(Ordering::Relaxed) {
                    pieces.fetch_add(connection.exchange(&request)?, Ordering::Relaxed);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    thread::sleep(warm_up);
    let (before, pieces_before) = (answered.load(Ordering::Relaxed), pieces.load(Ordering::Relaxed));
    measured();
    thread::sleep(span);
    measured();
    let answered = answered.load(Ordering::Relaxed) - before;
    let pieces = pieces.load(Ordering::Relaxed) - pieces_before;
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().map_err(|_| Error::other("a sender died"))??;
    }
    Ok(Tally { answered, pieces: pieces as f64 / answered.max(1) as f64 })
}

/// Sends `request` once over each of `connections` connections, their starts spread over `spread`; `warm` goes over
/// each of them before. `measured` is called before the first start and after the last answer.
pub fn streams(
    address: SocketAddr,
    warm: &Arc<Vec<u8>>,
    request: &Arc<Vec<u8>>,
    connections: usize,
    spread: Duration,
    mut measured: impl FnMut(),
) -> Result<Tally> {
    let ready = Arc::new(Barrier::new(connections + 1));
    let go = Arc::new(Barrier::new(connections + 1));
    let readers: Vec<_> = (0..connections)
        .map(|index| {
            let (ready, go) = (Arc::clone(&ready), Arc::clone(&go));
            let (warm, request) = (Arc::clone(warm), Arc::clone(request));
            thread::spawn(move || -> Result<u64> {
                // Both barriers must be reached in any case: the others wait.
                let opened = Connection::open(address).and_then(|mut connection| {
                    connection.exchange(&warm)?;
                    Ok(connection)
                });
                ready.wait();
                go.wait();
                thread::sleep(spread.mul_f64(index as f64 / connections as f64));
                opened?.exchange(&request)
            })
        })
        .collect();
    ready.wait();
    measured();
    go.wait();
    let mut pieces = 0;
    for reader in readers {
        pieces += reader.join().map_err(|_| Error::other("a reader died"))??;
    }
    measured();
    Ok(Tally { answered: connections as u64, pieces: pieces as f64 / connections as f64 })
}

/// Waits until something listens at `address`.
pub fn wait_for(address: SocketAddr, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { socket, answer: Vec::new() })
    }

    /// Sends a request and reads its whole answer; returns in how many reads it came.
    fn exchange(&mut self, request: &[u8]) -> Result<u64> {
        self.socket.write_all(request)?;
        self.answer.clear();
        let mut pieces = 0;
        let mut piece = [0; 16 * 1024];
        loop {
            let length = self.socket.read(&mut piece)?;
            if length == 0 {
                return Err(self.odd("the connection was closed"));
            }
            pieces += 1;
            self.answer.extend_from_slice(&piece[..length]);
            if self.is_whole()? {
                return Ok(pieces);
            }
        }
    }

    fn is_whole(&self) -> Result<bool> {
        let Some(end) = self.answer.windows(4).take(16 * 1024).position(|four| four == b"\r\n\r\n") else {
            return Ok(false);
        };
        let head = String::from_utf8_lossy(&self.answer[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(self.odd("the answer is not a 200"));
        }
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        match length.and_then(|length| length.trim().parse::<usize>().ok()) {
            Some(length) => Ok(self.answer.len() >= end + 4 + length),
            None => Ok(self.answer.ends_with(b"\r\n0\r\n\r\n")),
        }
    }

    fn odd(&self, what: &str) -> Error {
        let seen = String::from_utf8_lossy(&self.answer);
        Error::new(ErrorKind::InvalidData, format!("{what}: {}", seen.chars().take(600).collect::<String>()))
    }
}
