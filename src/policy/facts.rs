//! The facts of one request that a decision may use. All of them can be written into a record: none is text of the
//! conversation.

use crate::chat::capability::Capabilities;
use crate::chat::family::ApiFamily;
use crate::http::Headers;

/// What is known of a request when it is decided.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The client's API family.
    pub api: ApiFamily,
    /// The model that the client named.
    pub model: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Input tokens, by estimate.
    pub input_tokens: u64,
    /// The output limit asked for, in tokens.
    pub max_output: Option<u64>,
    /// Answers asked for.
    pub choices: u64,
    /// What the request needs a model to be able to do.
    pub needs: Capabilities,
    /// The request's headers, for routes that match on them.
    pub headers: &'a Headers,
}
