//! Cohere's v2 embeddings as a provider speaks them.

use crate::chat::embedding::{EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, EmbeddingTask, Vector};
use crate::chat::feature::{Feature, Features};
use crate::codec::cohere::chat::Cohere;
use crate::codec::cohere::{failure, usage};
use crate::codec::json::{Malformed, Scanner};
use crate::codec::wire::{BadAnswer, EmbeddingProvider, Impossible, Shape};
use crate::codec::writer::Writer;

impl EmbeddingProvider for Cohere {
    fn encode_request(
        &self,
        request: &EmbeddingRequest<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        let mut lost = Features::NONE;
        let mut texts = Vec::with_capacity(request.inputs.len());
        for input in &request.inputs {
            match input {
                EmbeddingInput::Text(text) => texts.push(text),
                EmbeddingInput::Tokens(_) => {
                    let rule = "tokens mean nothing to another vendor";
                    return Err(Impossible { feature: Feature::TokenInput, rule });
                }
            }
        }
        let task = match request.task {
            None | Some(EmbeddingTask::Document) => "search_document",
            Some(EmbeddingTask::Query) => "search_query",
            Some(EmbeddingTask::Classification) => "classification",
            Some(EmbeddingTask::Clustering) => "clustering",
            Some(EmbeddingTask::Similarity) => {
                lost.insert(Feature::EmbeddingTask);
                "search_document"
            }
        };
        writer.object(|writer| {
            writer.key("model").string(shape.model);
            writer.key("texts").array(|writer| texts.iter().for_each(|text| writer.prose(text)));
            writer.key("input_type").string(task);
            writer.key("embedding_types").array(|writer| writer.string("float"));
            if let Some(dimensions) = request.dimensions {
                writer.key("output_dimension").number(dimensions);
            }
        });
        Ok(lost)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<EmbeddingAnswer<'a>, BadAnswer<'a>> {
        let mut answer = EmbeddingAnswer::default();
        let mut found = false;
        let mut scanner = Scanner::new(body);
        scanner.object(|scanner, key| {
            match key.raw() {
                b"meta" => answer.usage = usage::read(scanner)?,
                b"embeddings" => {
                    found = true;
                    read_embeddings(scanner, &mut answer.vectors)?;
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        scanner.end()?;
        if found {
            return Ok(answer);
        }
        Err(match failure::in_place_of_answer(body) {
            Some(failure) => BadAnswer::Failure(failure),
            None => BadAnswer::Malformed(Malformed { offset: 0, what: "an answer has `embeddings`" }),
        })
    }
}

/// Vectors by type; only the type that was asked for is read.
fn read_embeddings<'a>(scanner: &mut Scanner<'a>, vectors: &mut Vec<Vector<'a>>) -> Result<(), Malformed> {
    if scanner.peek()? == b'[' {
        return read_vectors(scanner, vectors);
    }
    scanner.object(|scanner, key| {
        if key.is("float") && scanner.peek()? == b'[' { read_vectors(scanner, vectors) } else { scanner.pass() }
    })
}

fn read_vectors<'a>(scanner: &mut Scanner<'a>, vectors: &mut Vec<Vector<'a>>) -> Result<(), Malformed> {
    scanner.array(|scanner| {
        if scanner.peek()? != b'[' {
            return Err(scanner.malformed("a vector is an array"));
        }
        vectors.push(Vector::Numbers(scanner.json()?));
        Ok(())
    })
}
