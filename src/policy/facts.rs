//! The facts of one request that a decision may use. All of them can be written into a record: none is text of the
//! conversation.

use std::fmt;

use crate::chat::capability::Capabilities;
use crate::chat::family::ApiFamily;
use crate::chat::feature::Features;
use crate::chat::wire::Wire;
use crate::codec::wire::Impossible;
use crate::http::Headers;
use crate::policy::rules::Target;

/// What is known of a request when it is decided.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The client's API family.
    pub api: ApiFamily,
    /// The format that the client speaks.
    pub wire: Wire,
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
    /// What translation would lose at a target.
    pub losses: &'a dyn Losses,
}

/// Knows what a request would lose at a target that speaks another format.
pub trait Losses: fmt::Debug {
    /// What would be lost.
    ///
    /// # Errors
    /// What makes the target impossible.
    fn of(&self, target: &Target) -> Result<Features, Impossible>;
}

/// Every target gets all of it.
#[derive(Debug)]
pub struct Lossless;

impl Losses for Lossless {
    fn of(&self, _target: &Target) -> Result<Features, Impossible> {
        Ok(Features::NONE)
    }
}
