//! Gemini's embeddings, both directions: `batchEmbedContents` and `embedContent` of AI Studio, `predict` and
//! `embedContent` of Vertex.

use std::borrow::Cow;

use crate::chat::embedding::{EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, EmbeddingTask, Vector};
use crate::chat::family::ApiFamily;
use crate::chat::feature::{Feature, Features};
use crate::chat::prose::{Json, Prose};
use crate::chat::usage::{Usage, UsageSource};
use crate::codec::gemini::member::{members, whole};
use crate::codec::gemini::part_in::join;
use crate::codec::gemini::wire::Gemini;
use crate::codec::gemini::{failure, usage};
use crate::codec::json::{Malformed, Scanner};
use crate::codec::vector;
use crate::codec::wire::{BadAnswer, EmbeddingClient, EmbeddingProvider, Frame, Impossible, Shape};
use crate::codec::writer::Writer;

/// Whether a model at Vertex has `:embedContent`, with one input a request, rather than `:predict`: Gemini's embedding
/// models after `gemini-embedding-001` (google-genai 3.4.0).
pub fn embeds_content(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.starts_with("gemini-embedding-") && name != "gemini-embedding-001"
}

impl EmbeddingClient for Gemini {
    fn decode_request<'a>(&self, body: &'a [u8]) -> Result<EmbeddingRequest<'a>, Malformed> {
        let mut scanner = Scanner::new(body);
        let mut batch: Vec<One<'a>> = Vec::new();
        let mut single = One::default();
        members(&mut scanner, |scanner, member| match member {
            "requests" => scanner.array(|scanner| {
                let mut one = One::default();
                members(scanner, |scanner, member| one.member(scanner, member))?;
                batch.push(one);
                Ok(())
            }),
            other => single.member(scanner, other),
        })?;
        scanner.end()?;
        if batch.is_empty() {
            batch.push(single);
        }
        let mut request = EmbeddingRequest::default();
        for (index, one) in batch.into_iter().enumerate() {
            let Some(text) = one.text else { return Err(scanner.malformed("`content` is missing")) };
            if index > 0 && (one.dimensions != request.dimensions || one.task != request.task) {
                let what = "`taskType` and `outputDimensionality` are the same in all requests of a batch";
                return Err(scanner.malformed(what));
            }
            (request.dimensions, request.task) = (one.dimensions, one.task);
            request.inputs.push(EmbeddingInput::Text(text));
        }
        Ok(request)
    }

    /// A lone vector is written in both forms, `embeddings` and `embedding`: clients of the batch read the one, clients
    /// of `embedContent` the other.
    fn encode_answer(&self, answer: &EmbeddingAnswer<'_>, _frame: &Frame, _request_base64: bool) -> Vec<u8> {
        let mut writer = Writer::with_capacity(1024);
        writer.object(|writer| {
            writer.key("embeddings").array(|writer| {
                answer.vectors.iter().for_each(|one| values(writer, one));
            });
            if let [only] = answer.vectors.as_slice() {
                values(writer.key("embedding"), only);
            }
            if let Some(usage) = &answer.usage {
                writer.key("usageMetadata").object(|writer| writer.key("promptTokenCount").number(usage.input));
            }
        });
        writer.into_bytes()
    }
}

/// One request of a batch.
#[derive(Default)]
struct One<'a> {
    text: Option<Prose<'a>>,
    task: Option<EmbeddingTask>,
    dimensions: Option<u64>,
}

impl<'a> One<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, member: &str) -> Result<(), Malformed> {
        match member {
            "content" => self.text = Some(content(scanner)?),
            "taskType" => self.task = task(&scanner.string()?.text()),
            "outputDimensionality" => self.dimensions = Some(whole(scanner)?),
            "embedContentConfig" => members(scanner, |scanner, member| self.member(scanner, member))?,
            _ => scanner.pass()?,
        }
        Ok(())
    }
}

/// The text of a content. Several parts make one vector: they are lines of one text.
fn content<'a>(scanner: &mut Scanner<'a>) -> Result<Prose<'a>, Malformed> {
    let mut found: Option<Prose<'a>> = None;
    members(scanner, |scanner, member| match member {
        "parts" => scanner.array(|scanner| {
            members(scanner, |scanner, member| {
                if member != "text" {
                    return Err(scanner.malformed("only text can be embedded"));
                }
                let text = scanner.string()?.prose();
                match &mut found {
                    None => found = Some(text),
                    Some(before) => {
                        join(before, Prose::Escaped(Cow::Borrowed(b"\\n")));
                        join(before, text);
                    }
                }
                Ok(())
            })
        }),
        _ => scanner.pass(),
    })?;
    found.ok_or_else(|| scanner.malformed("`parts` has no text"))
}

fn task(word: &str) -> Option<EmbeddingTask> {
    Some(match word.to_ascii_uppercase().as_str() {
        "RETRIEVAL_QUERY" | "QUESTION_ANSWERING" | "FACT_VERIFICATION" | "CODE_RETRIEVAL_QUERY" => EmbeddingTask::Query,
        "RETRIEVAL_DOCUMENT" => EmbeddingTask::Document,
        "CLASSIFICATION" => EmbeddingTask::Classification,
        "CLUSTERING" => EmbeddingTask::Clustering,
        "SEMANTIC_SIMILARITY" => EmbeddingTask::Similarity,
        _ => return None,
    })
}

fn task_word(task: EmbeddingTask) -> &'static str {
    match task {
        EmbeddingTask::Query => "RETRIEVAL_QUERY",
        EmbeddingTask::Document => "RETRIEVAL_DOCUMENT",
        EmbeddingTask::Classification => "CLASSIFICATION",
        EmbeddingTask::Clustering => "CLUSTERING",
        EmbeddingTask::Similarity => "SEMANTIC_SIMILARITY",
    }
}

fn values(writer: &mut Writer, one: &Vector<'_>) {
    writer.object(|writer| match one {
        Vector::Numbers(numbers) => writer.key("values").json(numbers),
        Vector::Base64(text) => writer.key("values").json(&vector::to_numbers(text)),
    });
}

impl EmbeddingProvider for Gemini {
    fn encode_request(
        &self,
        request: &EmbeddingRequest<'_>,
        shape: &Shape<'_>,
        writer: &mut Writer,
    ) -> Result<Features, Impossible> {
        let mut texts = Vec::with_capacity(request.inputs.len());
        for input in &request.inputs {
            match input {
                EmbeddingInput::Text(text) => texts.push(text),
                EmbeddingInput::Tokens(_) => {
                    return Err(Impossible {
                        feature: Feature::TokenInput,
                        rule: "tokens of another vendor's vocabulary mean nothing here",
                    });
                }
            }
        }
        let vertex = shape.api == ApiFamily::Vertex;
        match texts.as_slice() {
            [only] if vertex && embeds_content(shape.model) => {
                writer.object(|writer| embed(writer, only, request));
            }
            _ if vertex && embeds_content(shape.model) => {
                return Err(Impossible { feature: Feature::Choices, rule: "the model embeds one input a request" });
            }
            _ if vertex => predict(writer, &texts, request),
            _ => writer.object(|writer| {
                writer.key("requests").array(|writer| {
                    for text in &texts {
                        writer.object(|writer| {
                            let name = shape.model.strip_prefix("models/").unwrap_or(shape.model);
                            writer.key("model").string(&format!("models/{name}"));
                            embed(writer, text, request);
                        });
                    }
                });
            }),
        }
        Ok(Features::NONE)
    }

    fn decode_answer<'a>(&self, body: &'a [u8]) -> Result<EmbeddingAnswer<'a>, BadAnswer<'a>> {
        if let Some(failure) = failure::find(body, 200) {
            return Err(BadAnswer::Failure(failure));
        }
        let mut scanner = Scanner::new(body);
        let mut found = Found::default();
        scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
            (b"embeddings" | b"predictions", b'[') => {
                found.vectors.clear();
                scanner.array(|scanner| found.holder(scanner))
            }
            (b"embedding", b'{') if found.vectors.is_empty() => found.holder(scanner),
            (b"usageMetadata", b'{') => {
                found.usage = usage::read(scanner)?;
                Ok(())
            }
            _ => scanner.pass(),
        })?;
        scanner.end()?;
        if found.vectors.is_empty() {
            return Err(scanner.malformed("no vector stands there").into());
        }
        let counted = found.tokens.map(|input| Usage { input, source: UsageSource::Reported, ..Usage::default() });
        Ok(EmbeddingAnswer { model: None, vectors: found.vectors, usage: found.usage.or(counted) })
    }
}

fn embed(writer: &mut Writer, text: &Prose<'_>, request: &EmbeddingRequest<'_>) {
    writer.key("content").object(|writer| {
        writer.key("parts").array(|writer| writer.object(|writer| writer.key("text").prose(text)));
    });
    if let Some(task) = request.task {
        writer.key("taskType").string(task_word(task));
    }
    if let Some(dimensions) = request.dimensions {
        writer.key("outputDimensionality").number(dimensions);
    }
}

fn predict(writer: &mut Writer, texts: &[&Prose<'_>], request: &EmbeddingRequest<'_>) {
    writer.object(|writer| {
        writer.key("instances").array(|writer| {
            for text in texts {
                writer.object(|writer| {
                    writer.key("content").prose(text);
                    if let Some(task) = request.task {
                        writer.key("task_type").string(task_word(task));
                    }
                });
            }
        });
        if let Some(dimensions) = request.dimensions {
            writer.key("parameters").object(|writer| writer.key("outputDimensionality").number(dimensions));
        }
    });
}

#[derive(Default)]
struct Found<'a> {
    vectors: Vec<Vector<'a>>,
    tokens: Option<u64>,
    usage: Option<Usage>,
}

impl<'a> Found<'a> {
    /// `{"values": […]}`, or one around it as in `{"embeddings": {"values": […], "statistics": {…}}}`.
    fn holder(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        scanner.object(|scanner, key| match (key.raw(), scanner.peek()?) {
            (b"values", b'[') => {
                self.vectors.push(Vector::Numbers(Json(Cow::Borrowed(numbers(scanner)?))));
                Ok(())
            }
            (b"embeddings", b'{') => self.holder(scanner),
            (b"statistics", b'{') => scanner.object(|scanner, key| match key.raw() {
                b"token_count" | b"tokenCount" => {
                    let count = scanner.whole_or_skip()?;
                    self.tokens = count.map(|count| self.tokens.unwrap_or(0).saturating_add(count)).or(self.tokens);
                    Ok(())
                }
                _ => scanner.pass(),
            }),
            _ => scanner.pass(),
        })
    }
}

/// A list of numbers as it is written.
fn numbers<'a>(scanner: &mut Scanner<'a>) -> Result<&'a [u8], Malformed> {
    let start = scanner.offset();
    scanner.array(|scanner| match scanner.peek()? {
        b'-' | b'0'..=b'9' => scanner.pass(),
        _ => Err(scanner.malformed("a number is expected")),
    })?;
    Ok(scanner.slice(start..scanner.offset()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use serde_json::{Value, json};

    use super::embeds_content;
    use crate::chat::embedding::{EmbeddingAnswer, EmbeddingInput, EmbeddingRequest, EmbeddingTask, Vector};
    use crate::chat::family::ApiFamily;
    use crate::chat::feature::Feature;
    use crate::chat::prose::Prose;
    use crate::chat::traits::Traits;
    use crate::codec::gemini::raw;
    use crate::codec::gemini::wire::Gemini;
    use crate::codec::wire::{BadAnswer, EmbeddingClient, EmbeddingProvider, Frame, Shape};
    use crate::codec::writer::Writer;

    fn shape(model: &str, api: ApiFamily) -> Shape<'_> {
        Shape { model, api, vendor: "gemini", traits: Traits::NONE, capabilities: None, max_output: None }
    }

    fn frame() -> Frame {
        let (id, model) = (String::new(), String::new());
        Frame { id, model, created: 1, input_tokens: 0, include_usage: false, sse: false }
    }

    #[test]
    fn models_after_the_first_embed_one_content_at_vertex() {
        assert!(
            embeds_content("gemini-embedding-2")
                && embeds_content("publishers/google/models/gemini-embedding-2-preview")
        );
        assert!(!embeds_content("gemini-embedding-001") && !embeds_content("text-embedding-005"));
    }

    fn embedding_request<'a>(texts: &[&'a str]) -> EmbeddingRequest<'a> {
        EmbeddingRequest {
            inputs: texts.iter().map(|text| EmbeddingInput::Text(Prose::plain(*text))).collect(),
            dimensions: Some(256),
            task: Some(EmbeddingTask::Query),
            ..EmbeddingRequest::default()
        }
    }

    fn embedding_body(request: &EmbeddingRequest<'_>, shape: &Shape<'_>) -> Result<Value, Feature> {
        let mut writer = Writer::with_capacity(256);
        let lost = Gemini.encode_request(request, shape, &mut writer);
        lost.map(|_| serde_json::from_slice(&writer.into_bytes()).unwrap()).map_err(|impossible| impossible.feature)
    }

    #[test]
    fn embeddings_are_asked_for_in_each_sides_form() {
        let request = embedding_request(&["a", "b"]);
        let one = |text: &str| {
            json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
            "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256})
        };
        let studio = embedding_body(&request, &shape("gemini-embedding-001", ApiFamily::Gemini)).unwrap();
        assert_eq!(studio, json!({"requests": [one("a"), one("b")]}));
        let body = serde_json::to_vec(&studio).unwrap();
        let back = Gemini.decode_request(&body).unwrap();
        assert_eq!((back.inputs.len(), back.dimensions, back.task), (2, Some(256), Some(EmbeddingTask::Query)));
        let vertex = embedding_body(&request, &shape("text-embedding-005", ApiFamily::Vertex)).unwrap();
        let instance = |text: &str| json!({"content": text, "task_type": "RETRIEVAL_QUERY"});
        let expected =
            json!({"instances": [instance("a"), instance("b")], "parameters": {"outputDimensionality": 256}});
        assert_eq!(vertex, expected);
        let newest = shape("gemini-embedding-2", ApiFamily::Vertex);
        assert_eq!(embedding_body(&request, &newest), Err(Feature::Choices));
        let single = embedding_body(&embedding_request(&["a"]), &newest).unwrap();
        assert_eq!(single["content"], json!({"parts": [{"text": "a"}]}));
        let tokens = EmbeddingRequest { inputs: vec![EmbeddingInput::Tokens(vec![1])], ..EmbeddingRequest::default() };
        assert_eq!(embedding_body(&tokens, &newest), Err(Feature::TokenInput));
    }

    #[test]
    fn embedding_requests_are_read_in_both_forms() {
        let read = |body: &str| {
            let request = Gemini.decode_request(body.as_bytes()).map_err(|malformed| malformed.what)?;
            let texts = request.inputs.iter().map(|input| match input {
                EmbeddingInput::Text(words) => raw::text(words).into_owned(),
                EmbeddingInput::Tokens(_) => panic!(),
            });
            Ok::<_, &str>((texts.collect::<Vec<_>>(), request.task))
        };
        let single = r#"{"content":{"parts":[{"text":"a"},{"text":"\"b\""}]},"task_type":"SEMANTIC_SIMILARITY"}"#;
        assert_eq!(read(single), Ok((vec!["a\n\"b\"".into()], Some(EmbeddingTask::Similarity))));
        let mixed = r#"{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"},{"content":{"parts":[{"text":"b"}]}}]}"#;
        assert_eq!(read(mixed), Err("`taskType` and `outputDimensionality` are the same in all requests of a batch"));
        assert_eq!(read(r#"{"requests":[]}"#), Err("`content` is missing"));
        assert_eq!(read(r#"{"content":{"parts":[{"inlineData":{}}]}}"#), Err("only text can be embedded"));
    }

    #[test]
    fn vectors_are_read_from_every_form() {
        for (body, vectors, input) in [
            (
                r#"{"embeddings":[{"values":[0.5,-1e-3]},{"values":[1]}],"usageMetadata":{"promptTokenCount":4}}"#,
                2,
                Some(4),
            ),
            (r#"{"embedding":{"values":[0.5]}}"#, 1, None),
            (
                r#"{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":3.0,"truncated":false}}},{"embeddings":{"statistics":{"token_count":2},"values":[1]}}]}"#,
                2,
                Some(5),
            ),
        ] {
            let answer = Gemini.decode_answer(body.as_bytes()).unwrap();
            assert_eq!((answer.vectors.len(), answer.usage.map(|usage| usage.input)), (vectors, input), "{body}");
            let written = Gemini.encode_answer(&answer, &frame(), false);
            let again = Gemini.decode_answer(&written).unwrap();
            assert_eq!((again.vectors.len(), again.usage.map(|usage| usage.input)), (vectors, input), "{body}");
        }
        for body in [r#"{"embeddings":[]}"#, r#"{"embeddings":[{"values":["x"]}]}"#, "{}"] {
            let read = Gemini.decode_answer(body.as_bytes());
            assert!(matches!(read, Err(BadAnswer::Malformed(_))), "{body}");
        }
    }

    #[test]
    fn vectors_in_base64_become_numbers() {
        let vectors = vec![Vector::Base64("AAAAPwAAgL8=".into())];
        let answer = EmbeddingAnswer { vectors, ..EmbeddingAnswer::default() };
        let body = Gemini.encode_answer(&answer, &frame(), false);
        let expected = json!({"embeddings": [{"values": [0.5, -1]}], "embedding": {"values": [0.5, -1]}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}
