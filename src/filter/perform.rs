//! Performs `Step`s by host calls. Which message they are about is the caller's knowledge.

use crate::filter::abi::{self, Buffer, Level, Map, Status};
use crate::filter::envoy::{self, Place};
use crate::gateway::step::{Flow, Reply, Step, Steps};
use crate::telemetry::audit::MARK;

/// The message that a callback is about.
#[derive(Clone, Copy)]
pub enum Message {
    Request,
    Response,
}

impl Message {
    fn map(self) -> Map {
        match self {
            Self::Request => Map::RequestHeaders,
            Self::Response => Map::ResponseHeaders,
        }
    }

    fn buffer(self) -> Buffer {
        match self {
            Self::Request => Buffer::RequestBody,
            Self::Response => Buffer::ResponseBody,
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performed {
    /// Everything was done: it may go on.
    GoesOn,
    /// It is held: for more of it, or because it was answered.
    Held,
    /// The host refused a step of a request, which must not go out half rewritten.
    Failed,
}

/// Performs steps in their order, up to one that a request cannot do without.
pub fn perform(steps: Steps, message: Message, place: Place, id: &str) -> Performed {
    for step in steps.list {
        let (what, done) = one(step, message, place);
        let Err(Status(status)) = done else { continue };
        abi::log(Level::Error, &format!("weir: {what} was refused by the proxy with status {status}, request {id}"));
        // A request can do without what an access log shows, and without the next attempt's place: that attempt looks.
        if matches!(message, Message::Request) && !matches!(what, "next_cluster" | "publish" | "audit") {
            return Performed::Failed;
        }
    }
    match steps.flow {
        Flow::Continue => Performed::GoesOn,
        Flow::Wait => Performed::Held,
    }
}

fn one(step: Step, message: Message, place: Place) -> (&'static str, Result<(), Status>) {
    match step {
        Step::SetHeader(name, value) => ("set_header", abi::set_header(message.map(), &name, &value)),
        Step::RemoveHeader(name) => ("remove_header", removed(abi::remove_header(message.map(), &name))),
        Step::ReplaceBody(bytes) => ("replace_body", abi::set_buffer(message.buffer(), &bytes)),
        Step::Publish(..) if !place.publishes => ("publish", Ok(())),
        Step::Publish(key, value) => ("publish", abi::set_property(key, &value)),
        Step::Audit(line) => ("audit", audit(line, place)),
        Step::Dispatch(dispatch) => ("dispatch", envoy::dispatch(&dispatch, place)),
        Step::NextCluster(cluster) => ("next_cluster", envoy::next_cluster(&cluster, place.failover)),
        Step::Reply(reply) => {
            send(&reply);
            ("reply", Ok(()))
        }
    }
}

/// Writes an audit line where this proxy's configuration wants it.
fn audit(mut line: String, place: Place) -> Result<(), Status> {
    if !place.audits_to_state {
        abi::log(Level::Info, &format!("{MARK}{line}"));
        return Ok(());
    }
    line.push('\n');
    abi::set_property(envoy::AUDIT_STATE, &line)
}

/// A header that is not there is as good as removed.
fn removed(done: Result<(), Status>) -> Result<(), Status> {
    done.or_else(|status| if status == Status::NOT_FOUND { Ok(()) } else { Err(status) })
}

/// Answers the client.
pub fn send(reply: &Reply) {
    let pairs: Vec<(&str, &str)> = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if let Err(Status(status)) = abi::reply(reply.status, &serialize(&pairs), &reply.body) {
        abi::log(Level::Error, &format!("weir: an answer was refused by the proxy with status {status}"));
    }
}

/// Pairs in proxy-wasm's serialization (see `Headers::from_serialized`).
fn serialize(pairs: &[(&str, &str)]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
    let mut bytes = u32::try_from(pairs.len()).unwrap_or(0).to_le_bytes().to_vec();
    for (name, value) in pairs {
        bytes.extend(length(name));
        bytes.extend(length(value));
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::serialize;
    use crate::http::Headers;

    #[test]
    fn serializes_what_headers_read() {
        let pairs = [("content-type", "application/json"), ("x-empty", "")];
        let headers = Headers::from_serialized(serialize(&pairs)).unwrap();
        assert_eq!(headers.len(), 2);
        assert_eq!(headers.text("content-type"), Some("application/json"));
        assert_eq!(headers.text("x-empty"), Some(""));
    }
}
