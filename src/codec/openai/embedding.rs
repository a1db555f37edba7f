//! Embeddings in OpenAI's format, for clients and at the many providers that speak it. Not the spelling of vectors (see
//! `codec::vector`).

use crate::chat::embedding::{EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, EmbeddingTask, Vector};
use crate::chat::feature::{Feature, Features};
use crate::chat::usage::Usage;
use crate::codec::json::{Malformed, Scanner};
use crate::codec::openai::usage::parse_usage;
use crate::codec::openai::{failure, field};
use crate::codec::vector;
use crate::codec::wire::{BadAnswer, EmbeddingClient, EmbeddingProvider, Frame, Impossible, Shape};
use crate::codec::writer::Writer;

/// OpenAI embeddings.
#[derive(Clone, Copy, Debug)]
pub struct Embeddings;

impl EmbeddingClient for Embeddings {
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<EmbeddingRequest<'a>, Malformed> {
        let mut request = EmbeddingRequest::default();
        let mut scanner = Scanner::new(body);
        let mut seen = false;
        scanner.unique_object(|scanner, key| {
            match key.bytes().as_ref() {
                b"model" => {
                    let model = scanner.string()?;
                    request.model = Some((model.text(), model.span()));
                }
                b"input" => {
                    seen = true;
                    request.inputs = read_input(scanner)?;
                }
                b"dimensions" | b"output_dimension" => {
                    request.dimensions = field::whole(scanner, "`dimensions` is a whole number")?;
                }
                b"encoding_format" => {
                    let format = field::string(scanner, "`encoding_format` is a string")?;
                    request.base64 = format.is_some_and(|format| format.is("base64"));
                }
                b"input_type" | b"task_type" | b"task" => {
                    request.task = scanner.string_or_skip()?.and_then(|task| task_of(&task.text()));
                }
                // `user`, and what some vendor alone knows.
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        scanner.end()?;
        if seen { Ok(request) } else { Err(scanner.malformed("an embedding request has an `input`")) }
    }

    fn encode_answer(&self, answer: &EmbeddingAnswer<'_>, frame: &Frame, request_base64: bool) -> Vec<u8> {
        let mut writer = Writer::with_capacity(1024);
        writer.object(|writer| {
            writer.key("object").string("list");
            writer.key("data").array(|writer| {
                for (index, one) in answer.vectors.iter().enumerate() {
                    writer.object(|writer| {
                        writer.key("object").string("embedding");
                        writer.key("index").number(index as u64);
                        writer.key("embedding");
                        write_vector(writer, one, request_base64);
                    });
                }
            });
            writer.key("model").string(answer.model.as_deref().unwrap_or(&frame.model));
            let input = answer.usage.map_or(frame.input_tokens, |usage| usage.input);
            writer.key("usage").object(|writer| {
                writer.key("prompt_tokens").number(input);
                writer.key("total_tokens").number(input);
            });
        });
        writer.into_bytes()
    }
}

fn write_vector(writer: &mut Writer, one: &Vector<'_>, base64: bool) {
    match (one, base64) {
        (Vector::Numbers(numbers), false) => writer.json(numbers),
        (Vector::Numbers(numbers), true) => writer.string(&vector::to_base64(numbers)),
        (Vector::Base64(text), true) => writer.string(text),
        (Vector::Base64(text), false) => writer.json(&vector::to_numbers(text)),
    }
}

fn read_input<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<EmbeddingInput<'a>>, Malformed> {
    const WHAT: &str = "`input` is a string, or an array of strings or of tokens";
    let mut inputs = Vec::new();
    let mut tokens = Vec::new();
    match scanner.peek()? {
        b'"' => inputs.push(EmbeddingInput::Text(scanner.string()?.prose())),
        b'[' => scanner.array(|scanner| {
            match scanner.peek()? {
                b'"' => inputs.push(EmbeddingInput::Text(scanner.string()?.prose())),
                b'[' => {
                    let mut list = Vec::new();
                    scanner.array(|scanner| read_token(scanner, &mut list))?;
                    inputs.push(EmbeddingInput::Tokens(list));
                }
                _ => read_token(scanner, &mut tokens)?,
            }
            Ok(())
        })?,
        _ => return Err(scanner.malformed(WHAT)),
    }
    match (inputs.is_empty(), tokens.is_empty()) {
        (_, true) => Ok(inputs),
        (true, false) => Ok(vec![EmbeddingInput::Tokens(tokens)]),
        (false, false) => Err(scanner.malformed(WHAT)),
    }
}

fn read_token(scanner: &mut Scanner<'_>, tokens: &mut Vec<u64>) -> Result<(), Malformed> {
    let wrong = scanner.malformed("a token is a whole number");
    tokens.push(scanner.whole_or_skip()?.ok_or(wrong)?);
    Ok(())
}

/// A task in the words of the vendors that ask for one.
fn task_of(name: &str) -> Option<EmbeddingTask> {
    Some(match name.to_ascii_lowercase().as_str() {
        "query" | "search_query" | "retrieval_query" => EmbeddingTask::Query,
        "document" | "passage" | "search_document" | "retrieval_document" => EmbeddingTask::Document,
        "classification" => EmbeddingTask::Classification,
        "clustering" => EmbeddingTask::Clustering,
        "similarity" | "semantic_similarity" => EmbeddingTask::Similarity,
        _ => return None,
    })
}

impl EmbeddingProvider for Embeddings {
    fn encode_request(
        &self,
        request: &EmbeddingRequest<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        let mut lost = Features::NONE;
        let openai = matches!(shape.vendor, "openai" | "azure" | "azure_ai");
        let tokens = |input: &EmbeddingInput<'_>| matches!(input, EmbeddingInput::Tokens(_));
        if !openai && shape.vendor != "vllm" && request.inputs.iter().any(tokens) {
            let rule = "tokens mean nothing to a model with another vocabulary";
            return Err(Impossible { feature: Feature::TokenInput, rule });
        }
        writer.object(|writer| {
            writer.key("model").string(shape.model);
            writer.key("input");
            match request.inputs.as_slice() {
                [one] => write_input(writer, one),
                several => writer.array(|writer| several.iter().for_each(|one| write_input(writer, one))),
            }
            if let Some(dimensions) = request.dimensions {
                let renamed = matches!(shape.vendor, "mistral" | "voyage");
                writer.key(if renamed { "output_dimension" } else { "dimensions" }).number(dimensions);
            }
            // Others may not know it, and numbers can be put into base64 here.
            if request.base64 && openai {
                writer.key("encoding_format").string("base64");
            }
            match (task_word(shape.vendor, request.task), request.task) {
                (Some(word), _) => writer.key("input_type").string(word),
                (None, Some(_)) => lost.insert(Feature::EmbeddingTask),
                (None, None) => {}
            }
        });
        Ok(lost)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<EmbeddingAnswer<'a>, BadAnswer<'a>> {
        let mut answer = EmbeddingAnswer::default();
        let mut vectors: Vec<(u64, Vector<'a>)> = Vec::new();
        let (mut found, mut failed) = (false, false);
        let mut scanner = Scanner::new(body);
        scanner.object(|scanner, key| {
            match key.bytes().as_ref() {
                b"model" => answer.model = field::filled(scanner)?.map(|model| model.text()),
                b"usage" => answer.usage = read_embedding_usage(scanner)?,
                b"data" => {
                    found = true;
                    field::each_or_skip(scanner, |scanner| read_vector(scanner, &mut vectors))?;
                }
                b"error" => {
                    failed |= !scanner.null()?;
                    if failed {
                        scanner.pass()?;
                    }
                }
                _ => scanner.pass()?,
            }
            Ok(())
        })?;
        scanner.end()?;
        if failed || !found {
            let wrong = scanner.malformed("an embedding answer has `data`");
            return Err(failure::in_answer(body).map_or(BadAnswer::Malformed(wrong), BadAnswer::Failure));
        }
        vectors.sort_by_key(|(index, _)| *index);
        answer.vectors = vectors.into_iter().map(|(_, vector)| vector).collect();
        Ok(answer)
    }
}

fn write_input(writer: &mut Writer, input: &EmbeddingInput<'_>) {
    match input {
        EmbeddingInput::Text(text) => writer.prose(text),
        EmbeddingInput::Tokens(tokens) => {
            writer.array(|writer| tokens.iter().for_each(|token| writer.number(*token)));
        }
    }
}

/// `input_type` at the vendors that have one; NVIDIA's retrieval models want it always.
fn task_word(vendor: &str, task: Option<EmbeddingTask>) -> Option<&'static str> {
    match (vendor, task) {
        ("nvidia_nim", Some(EmbeddingTask::Document)) => Some("passage"),
        ("nvidia_nim", Some(EmbeddingTask::Query) | None) | ("voyage", Some(EmbeddingTask::Query)) => Some("query"),
        ("voyage", Some(EmbeddingTask::Document)) => Some("document"),
        _ => None,
    }
}

/// An element of `data`; one without an index keeps its place.
fn read_vector<'a>(scanner: &mut Scanner<'a>, vectors: &mut Vec<(u64, Vector<'a>)>) -> Result<(), Malformed> {
    let (mut index, mut one) = (None, None);
    field::members_or_skip(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"index" => index = scanner.whole_or_skip()?,
            b"embedding" => match scanner.peek()? {
                b'"' => one = Some(Vector::Base64(scanner.string()?.text())),
                b'[' => one = Some(Vector::Numbers(scanner.json()?)),
                _ => scanner.pass()?,
            },
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    let place = vectors.len() as u64;
    vectors.extend(one.map(|vector| (index.unwrap_or(place), vector)));
    Ok(())
}

/// A `usage` object; Voyage's has `total_tokens` alone.
fn read_embedding_usage(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, Malformed> {
    let object = scanner.json()?;
    if let Some(usage) = parse_usage(object.bytes()) {
        return Ok(Some(usage));
    }
    let mut total = None;
    field::members_or_skip(&mut Scanner::new(object.bytes()), |scanner, key| {
        if !key.is("total_tokens") {
            return scanner.pass();
        }
        total = scanner.whole_or_skip()?;
        Ok(())
    })?;
    Ok(total.map(|input| Usage { input, ..Usage::default() }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use serde_json::{Value, json};

    use super::Embeddings;
    use crate::chat::embedding::EmbeddingInput;
    use crate::chat::family::ApiFamily;
    use crate::chat::feature::Feature;
    use crate::chat::traits::Traits;
    use crate::codec::wire::{BadAnswer, EmbeddingClient, EmbeddingProvider, Frame, Shape};
    use crate::codec::writer::Writer;

    fn written(body: &str, vendor: &str) -> Result<(Value, String), Feature> {
        let (api, traits) = (ApiFamily::OpenAi, Traits::NONE);
        let shape = Shape { model: "m", api, vendor, traits, capabilities: None, max_output: None };
        let request = EmbeddingClient::decode_request(&Embeddings, body.as_bytes()).unwrap();
        let mut writer = Writer::with_capacity(64);
        let lost = Embeddings.encode_request(&request, &shape, &mut writer).map_err(|error| error.feature)?;
        Ok((serde_json::from_slice(&writer.into_bytes()).unwrap(), lost.to_string()))
    }

    #[test]
    fn requests_are_written_in_the_vendor_s_words() {
        for (body, vendor, expected, lost) in [
            (
                r#"{"model":"x","input":"a","dimensions":8,"encoding_format":"base64","user":"u"}"#,
                "openai",
                json!({"model": "m", "input": "a", "dimensions": 8, "encoding_format": "base64"}),
                "",
            ),
            (
                r#"{"input":["a","b"],"dimensions":8,"encoding_format":"base64"}"#,
                "mistral",
                json!({"model": "m", "input": ["a", "b"], "output_dimension": 8}),
                "",
            ),
            (r#"{"input":[1,2]}"#, "azure", json!({"model": "m", "input": [1, 2]}), ""),
            (r#"{"input":[[1,2],[3]]}"#, "openai", json!({"model": "m", "input": [[1, 2], [3]]}), ""),
            (
                r#"{"input":["a"],"input_type":"search_document"}"#,
                "voyage",
                json!({"model": "m", "input": "a", "input_type": "document"}),
                "",
            ),
            (r#"{"input":"a"}"#, "nvidia_nim", json!({"model": "m", "input": "a", "input_type": "query"}), ""),
            (r#"{"input":"a","input_type":"query"}"#, "openai", json!({"model": "m", "input": "a"}), "task_type"),
        ] {
            assert_eq!(written(body, vendor).unwrap(), (expected, lost.to_owned()), "{vendor}: {body}");
        }
        assert_eq!(written(r#"{"input":[1]}"#, "mistral"), Err(Feature::TokenInput));
    }

    #[test]
    fn wrong_inputs_are_refused() {
        for body in [r#"{"input":1}"#, r#"{"input":["a",1]}"#, r#"{"input":[1.5]}"#, r#"{"model":"x"}"#, "[]"] {
            assert!(EmbeddingClient::decode_request(&Embeddings, body.as_bytes()).is_err(), "{body}");
        }
        let request = EmbeddingClient::decode_request(&Embeddings, br#"{"input":[]}"#).unwrap();
        assert!(request.inputs.is_empty());
        let request = EmbeddingClient::decode_request(&Embeddings, br#"{"input":[7]}"#).unwrap();
        assert!(matches!(request.inputs.as_slice(), [EmbeddingInput::Tokens(tokens)] if *tokens == [7]));
    }

    #[test]
    fn vectors_come_in_the_form_that_was_asked_for() {
        let body = br#"{"object":"list","data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":"AACAPwAAAEA="}],
            "model":"m","usage":{"total_tokens":5}}"#;
        let answer = EmbeddingProvider::decode_answer(&Embeddings, body).unwrap();
        let frame = Frame {
            id: String::new(),
            model: "shown".into(),
            created: 0,
            input_tokens: 1,
            include_usage: false,
            sse: false,
        };
        for (base64, vectors) in
            [(false, [json!([1, 2]), json!([3, 4])]), (true, [json!("AACAPwAAAEA="), json!("AABAQAAAgEA=")])]
        {
            let bytes = EmbeddingClient::encode_answer(&Embeddings, &answer, &frame, base64);
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!([&value["data"][0]["embedding"], &value["data"][1]["embedding"]], [&vectors[0], &vectors[1]]);
            assert_eq!((&value["usage"]["prompt_tokens"], &value["data"][1]["index"]), (&json!(5), &json!(1)));
        }
    }

    #[test]
    fn an_error_in_place_of_vectors_is_one() {
        let failed = EmbeddingProvider::decode_answer(&Embeddings, br#"{"error":{"message":"x","code":429}}"#);
        assert!(matches!(failed, Err(BadAnswer::Failure(_))));
        let failed = EmbeddingProvider::decode_answer(&Embeddings, b"{}");
        assert!(matches!(failed, Err(BadAnswer::Malformed(_))));
    }
}
