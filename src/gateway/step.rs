//! What the gateway wants done: outcomes that the shell performs, so that the core makes no host calls of its own.

use std::borrow::Cow;
use std::rc::Rc;

use crate::config::policy::Fallback;

/// Whether the message may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// On to the next filter.
    #[default]
    Continue,
    /// Held until the next callback.
    Wait,
}

/// One thing to do to the message at hand or around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Set a header, replacing every value it has.
    SetHeader(Cow<'static, str>, String),
    /// Remove a header.
    RemoveHeader(Cow<'static, str>),
    /// Replace the whole body that the callback was about; the shell keeps `content-length` right.
    ReplaceBody(Vec<u8>),
    /// Publish a value for access logs and other filters.
    Publish(&'static str, String),
    /// Hand over the audit line, one JSON object.
    Audit(String),
    /// Send the request on its way.
    Dispatch(Dispatch),
    /// Where the proxy's next attempt goes, should this one fail.
    NextCluster(String),
    /// Answer the client; nothing goes upstream.
    Reply(Reply),
}

/// How a decided request leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The name by which the filter of an attempt finds the exchange. Known to nobody but the proxy.
    pub exchange: String,
    /// The cluster of the first attempt.
    pub cluster: String,
    /// What makes the proxy try again, and how long it waits for a first byte.
    pub fallback: Rc<Fallback>,
    /// Attempts in all that have somewhere to go.
    pub attempts: u32,
}

/// An answer of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is to be done, in order, and whether the message may go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Whether the message may go on.
    pub flow: Flow,
    /// What to do first.
    pub list: Vec<Step>,
}

impl Steps {
    /// Nothing to do; hold the message.
    pub fn wait() -> Self {
        Self { flow: Flow::Wait, list: Vec::new() }
    }

    /// One reply and nothing else.
    pub fn reply(reply: Reply) -> Self {
        Self { flow: Flow::Wait, list: vec![Step::Reply(reply)] }
    }

    /// Adds a step.
    pub fn push(&mut self, step: Step) {
        self.list.push(step);
    }

    /// Adds a header to be set.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.push(Step::SetHeader(name.into(), value.into()));
    }

    /// Adds a header to be removed.
    pub fn remove(&mut self, name: impl Into<Cow<'static, str>>) {
        self.push(Step::RemoveHeader(name.into()));
    }
}
