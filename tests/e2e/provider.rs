//! `weir mock` in a process of its own, and what its control endpoints say. Not the mock itself.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::client::{Request, Response};
use crate::fixture::eventually;

/// Several independent mocks in one process, which ends with this value.
pub struct Providers {
    child: Child,
    mocks: Vec<Provider>,
}

/// One mock provider.
#[derive(Clone, Debug)]
pub struct Provider {
    pub name: String,
    pub address: SocketAddr,
}

/// A request as a mock received it.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: String,
    pub received_ms: u64,
    pub ended_ms: Option<u64>,
    pub ended: Option<String>,
}

impl Received {
    /// Every value of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// All header lines, for searching.
    pub fn header_text(&self) -> String {
        self.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    pub fn model(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).expect("a JSON body");
        body["model"].as_str().expect("a model").to_owned()
    }
}

impl Providers {
    /// Starts one mock for each name.
    pub fn start(names: &[&str]) -> Self {
        Self::start_with(names, &[])
    }

    /// Starts one mock for each name, with more options for all of them.
    pub fn start_with(names: &[&str], options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg("mock").args(options);
        for name in names {
            command.arg("--listen").arg(format!("{name}@127.0.0.1:0"));
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("weir mock starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mocks = lines
            .take(names.len())
            .map(|line| {
                let line = line.expect("text");
                let mut words = line.split(' ').skip(1);
                let name = words.next().expect("a name").to_owned();
                let url = words.next().expect("an address");
                Provider { name, address: url.strip_prefix("http://").expect("a URL").parse().expect("an address") }
            })
            .collect::<Vec<_>>();
        assert_eq!(mocks.len(), names.len(), "weir mock says where each of {names:?} listens");
        Self { child, mocks }
    }

    /// The mock of this name.
    pub fn get(&self, name: &str) -> &Provider {
        self.mocks.iter().find(|mock| mock.name == name).unwrap_or_else(|| panic!("no mock {name:?}"))
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Provider {
    /// Orders a fault.
    #[track_caller]
    pub fn fault(&self, fault: &Value) {
        let answer = Request::new("POST", "/_mock/faults").json(fault.to_string()).send(self.address);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        Request::new("DELETE", "/_mock/faults").send(self.address);
    }

    /// Empties the book of what was received.
    pub fn forget(&self) {
        Request::new("DELETE", "/_mock/requests").send(self.address);
    }

    /// Everything received so far, oldest first.
    pub fn received(&self) -> Vec<Received> {
        serde_json::from_slice(&Request::new("GET", "/_mock/requests").send(self.address).body).expect("a list")
    }

    /// The only request received.
    #[track_caller]
    pub fn only(&self) -> Received {
        let all = self.received();
        assert_eq!(all.len(), 1, "provider {} received {all:#?}", self.name);
        all.into_iter().next().unwrap()
    }

    /// The only request received, once its answer has ended.
    #[track_caller]
    pub fn only_ended(&self) -> Received {
        eventually(&format!("provider {} has ended its answer", self.name), || {
            self.received().into_iter().next().filter(|received| received.ended.is_some())
        })
    }

    /// What the mock itself answers to a request body, sent to it directly. The book is as before.
    pub fn answer_to(&self, body: &str) -> Response {
        Request::new("POST", "/v1/chat/completions").json(body).send(self.address)
    }
}
