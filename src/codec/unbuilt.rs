//! TEMPORARY: compiles the gateway until formats are merged.
#![allow(missing_docs, clippy::wildcard_imports)]
use crate::chat::answer::Answer;
use crate::chat::failure::{Failure, FailureKind};
use crate::chat::feature::{Feature, Features};
use crate::chat::request::Request;
use crate::chat::usage::Usage;
use crate::codec::json::Malformed;
use crate::codec::wire::*;
use crate::codec::writer::Writer;
use crate::http::Headers;
pub struct Unbuilt;
impl ProviderWire for Unbuilt {
    fn encode_request(&self, _: &Request<'_>, _: &Shape<'_>, _: &mut Writer) -> Result<Features, Impossible> {
        Err(Impossible { feature: Feature::Unknown, rule: "unbuilt" })
    }
    fn decode_answer<'a>(&self, _: &'a [u8]) -> Result<Answer<'a>, BadAnswer<'a>> {
        Err(BadAnswer::Malformed(Malformed { offset: 0, what: "unbuilt" }))
    }
    fn decode_stream(&self) -> Box<dyn DecodeStream> {
        struct N;
        impl DecodeStream for N {
            fn push(&mut self, c: &[u8], sink: &mut dyn FnMut(crate::chat::event::Event<'_>)) {
                if !c.is_empty() {
                    sink(crate::chat::event::Event::Start { id: None, model: None })
                }
            }
            fn finish(&mut self, _: &mut dyn FnMut(crate::chat::event::Event<'_>)) {}
        }
        Box::new(N)
    }
    fn decode_failure<'a>(&self, status: u16, _: &Headers, _: &'a [u8]) -> Failure<'a> {
        Failure { kind: FailureKind::of_status(status), status, message: "unbuilt".into(), code: None, param: None }
    }
    fn usage_member(&self) -> &'static str {
        "usage"
    }
    fn parse_usage(&self, _: &[u8]) -> Option<Usage> {
        None
    }
    fn grammar(&self) -> Grammar {
        Grammar { custom_tools: false, tool_name: 64, call_id: 64, dotted_ids: false }
    }
}
pub mod quirk {
    use crate::codec::json::Malformed;
    use crate::codec::wire::Shape;
    pub fn applies(_: &Shape<'_>) -> bool {
        false
    }
    pub fn edits(_: &[u8], _: &Shape<'_>) -> Result<Option<Vec<u8>>, Malformed> {
        Ok(None)
    }
}
pub struct SignRequest<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub host: &'a str,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
    pub region: &'a str,
    pub service: &'a str,
    pub access_key_id: &'a str,
    pub secret_access_key: &'a str,
    pub session_token: Option<&'a str>,
    pub unix_secs: u64,
}
pub fn sign(_: &SignRequest<'_>) -> Vec<(&'static str, String)> {
    Vec::new()
}
