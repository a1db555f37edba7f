//! The book of received requests. Not a log: it exists to be asked by tests, and keeps a bounded number.

use std::collections::VecDeque;
use std::time::Instant;

use serde::Serialize;

use super::http::Request;

/// Bodies kept in all; the oldest requests go first.
const BODIES_LIMIT: usize = 128 * 1024 * 1024;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every byte was written that was meant to be.
    Completed,
    /// The client closed or reset the connection first.
    ClientGone,
}

/// One received request and what became of it.
#[derive(Debug, Serialize)]
struct Entry {
    #[serde(skip)]
    number: u64,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    #[serde(serialize_with = "as_text")]
    body: Vec<u8>,
    /// Milliseconds since the mock's start.
    received_ms: u64,
    /// Milliseconds since the mock's start, once it has ended.
    ended_ms: Option<u64>,
    ended: Option<Ended>,
    /// Bytes of the answer written so far, head included.
    bytes: u64,
}

/// All that was received, oldest first.
pub struct Book {
    entries: VecDeque<Entry>,
    next: u64,
    keep: usize,
    bodies: usize,
    start: Instant,
}

impl Book {
    pub fn new(keep: usize) -> Self {
        Self { entries: VecDeque::new(), next: 0, keep, bodies: 0, start: Instant::now() }
    }

    /// Enters a request and returns its number.
    pub fn enter(&mut self, request: &Request) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if self.keep == 0 {
            return number;
        }
        let received_ms = self.now_ms();
        self.bodies = self.bodies.saturating_add(request.body.len());
        self.entries.push_back(Entry {
            number,
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.iter().map(|(name, value)| (name.clone(), header_text(value))).collect(),
            body: request.body.clone(),
            received_ms,
            ended_ms: None,
            ended: None,
            bytes: 0,
        });
        while self.entries.len() > self.keep || self.bodies > BODIES_LIMIT {
            let Some(dropped) = self.entries.pop_front() else { break };
            self.bodies = self.bodies.saturating_sub(dropped.body.len());
        }
        number
    }

    /// Writes down how a request ended.
    pub fn close(&mut self, number: u64, ended: Ended, bytes: u64) {
        let now = self.now_ms();
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.number == number) {
            entry.ended = Some(ended);
            entry.ended_ms = Some(now);
            entry.bytes = bytes;
        }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.bodies = 0;
    }

    /// The whole book as a JSON array.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.entries).unwrap_or_else(|_| b"[]".to_vec())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A header's value as text; bytes that are not UTF-8 become the characters of the same number (Latin-1).
fn header_text(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(|_| value.iter().copied().map(char::from).collect(), str::to_owned)
}

fn as_text<S: serde::Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(body))
}
