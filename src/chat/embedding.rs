//! Embeddings in the form between the wire formats.

use std::borrow::Cow;
use std::ops::Range;

use crate::chat::prose::Prose;
use crate::chat::usage::Usage;

/// A request for vectors.
#[derive(Clone, Debug, Default)]
pub struct EmbeddingRequest<'a> {
    /// The model that the body names, and where its JSON string stands; `None` where the path names it.
    pub model: Option<(Cow<'a, str>, Range<usize>)>,
    /// Texts, one vector each.
    pub inputs: Vec<EmbeddingInput<'a>>,
    /// The length of the vectors.
    pub dimensions: Option<u64>,
    /// What the vectors are for.
    pub task: Option<EmbeddingTask>,
    /// Whether vectors are wanted in base64 (32-bit floats, little-endian) rather than as numbers.
    pub base64: bool,
}

/// What a vector is made of.
#[derive(Clone, Debug)]
pub enum EmbeddingInput<'a> {
    /// A text.
    Text(Prose<'a>),
    /// Tokens of OpenAI's vocabulary, which mean nothing elsewhere.
    Tokens(Vec<u64>),
}

/// What vectors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddingTask {
    /// Questions to be answered from documents.
    Query,
    /// Documents to be found.
    Document,
    /// Sorting into classes.
    Classification,
    /// Finding groups.
    Clustering,
    /// Comparing.
    Similarity,
}

/// Vectors, in the order of the inputs.
#[derive(Clone, Debug, Default)]
pub struct EmbeddingAnswer<'a> {
    /// The model, as the vendor names it.
    pub model: Option<Cow<'a, str>>,
    /// One vector an input.
    pub vectors: Vec<Vector<'a>>,
    /// What it took.
    pub usage: Option<Usage>,
}

/// A vector as it was written.
#[derive(Clone, Debug)]
pub enum Vector<'a> {
    /// A JSON array of numbers.
    Numbers(crate::chat::prose::Json<'a>),
    /// 32-bit floats, little-endian, in base64.
    Base64(Cow<'a, str>),
}
