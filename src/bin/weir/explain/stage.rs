//! A stage for one request without a proxy: a host with a fixed clock and fixed dice, and a message in memory on which
//! the gateway's steps are performed as the filter performs them on the proxy's.

use serde_json::{Value, json};
use weir::gateway::step::{Dispatch, Flow, Reply, Step, Steps};
use weir::host::{Host, LogLevel, Series, SharedError, SharedValue, Timestamp};

use super::change::{self, Change};

/// A host at one moment, with one throw of the dice, that remembers nothing.
pub struct Still {
    pub now: Timestamp,
    pub dice: u64,
}

impl Host for Still {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn random(&self) -> u64 {
        self.dice
    }

    /// Nothing is written, so that no key of a pool rests: what other requests did is not known here.
    fn shared(&self, _key: &str) -> Result<Option<SharedValue>, SharedError> {
        Ok(None)
    }

    fn set_shared(&self, _key: &str, _bytes: &[u8], _version: Option<u32>) -> Result<(), SharedError> {
        Ok(())
    }

    fn metric(&self, _series: Series<'_>, _value: u64) {}

    fn log(&self, _level: LogLevel, _line: &str) {}
}

/// A request as the proxy holds it: one header list for all attempts, a body that is replayed for each.
pub struct Message {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Where the next attempt goes.
    pub cluster: Option<String>,
    /// The gateway's own answer.
    pub reply: Option<Reply>,
    pub dispatch: Option<Dispatch>,
}

impl Message {
    pub fn new(headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { headers, body, cluster: None, reply: None, dispatch: None }
    }

    /// Performs steps in their order; says whether the message goes on.
    pub fn perform(&mut self, steps: Steps) -> Flow {
        for step in steps.list {
            match step {
                Step::SetHeader(name, value) => self.set(&name, value),
                Step::RemoveHeader(name) => self.headers.retain(|(other, _)| *other != name),
                Step::ReplaceBody(body) => self.body = body,
                // For logs; nobody reads them here.
                Step::Publish(..) | Step::Audit(_) => {}
                Step::Dispatch(dispatch) => {
                    self.cluster = Some(dispatch.cluster.clone());
                    self.dispatch = Some(dispatch);
                }
                Step::NextCluster(cluster) => self.cluster = Some(cluster),
                Step::Reply(reply) => self.reply = Some(reply),
            }
        }
        steps.flow
    }

    /// Every value that the header has gives way to one, in the place of the first.
    fn set(&mut self, name: &str, value: String) {
        let Some(first) = self.headers.iter().position(|(other, _)| other == name) else {
            return self.headers.push((name.to_owned(), value));
        };
        let mut index = 0;
        self.headers.retain(|(other, _)| {
            index += 1;
            index - 1 <= first || other != name
        });
        if let Some((_, old)) = self.headers.get_mut(first) {
            *old = value;
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// The message as a provider gets it, as an attempt. `asked` is the client's body where this one can be held against
    /// it: not when it is in another format.
    pub fn sent(&self, number: usize, provider: &str, scheme: &str, asked: Option<&[u8]>) -> Sent {
        Sent {
            number,
            provider: provider.to_owned(),
            method: self.header(":method").to_owned(),
            url: format!("{scheme}://{}{}", self.header(":authority"), self.header(":path")),
            headers: self.headers.iter().filter(|(name, _)| !name.starts_with(':')).cloned().collect(),
            translated: asked.is_none(),
            changes: asked.map(|asked| change::between(asked, &self.body)).unwrap_or_default(),
            body: self.body.clone(),
        }
    }
}

/// One attempt's request, as it goes to its provider.
pub struct Sent {
    pub number: usize,
    pub provider: String,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body is in another format than the client's; then there is nothing to compare.
    pub translated: bool,
    /// What is not as the client wrote it.
    pub changes: Vec<Change>,
}

impl Sent {
    pub fn json(&self) -> Value {
        json!({
            "attempt": self.number,
            "provider": self.provider,
            "method": self.method,
            "url": self.url,
            "headers": self.headers.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
            "body_bytes": self.body.len(),
            "body": String::from_utf8_lossy(&self.body),
            "translated": self.translated,
            "body_changes": self.changes.iter().map(Change::json).collect::<Vec<_>>(),
        })
    }
}
