//! Embeddings of every family: vectors made of the request's bytes, eight numbers long or as long as asked for.

use serde_json::{Value, json};

use super::ask::Refused;
use super::json::{base64, fingerprint, items, list, object, quoted, some, stranger, text};

/// Numbers of a vector when the request does not say.
const SIZE: usize = 8;
const LARGEST: usize = 4096;

/// `count` vectors of `size` numbers.
fn vectors(body: &[u8], count: usize, size: Option<&Value>) -> Vec<Vec<f32>> {
    let size = size.and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok()).unwrap_or(SIZE).min(LARGEST);
    let mut seed = fingerprint(body);
    let mut number = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Sixteen bits are exact in a float, so the text form is stable.
        f32::from(u16::try_from(seed >> 48).unwrap_or_default()) / 65_536.0 - 0.5
    };
    (0..count).map(|_| (0..size).map(|_| number()).collect()).collect()
}

fn floats(vector: &[f32]) -> String {
    serde_json::to_string(vector).unwrap_or_default()
}

/// `/embeddings` as OpenAI and its kin answer it; `deployment` is the model of a path that names one.
pub fn openai(body: &Value, bytes: &[u8], deployment: Option<&str>) -> Result<String, Refused> {
    let model = deployment.unwrap_or_else(|| text(body, "model"));
    if model.is_empty() {
        return Err(Refused::bad("you must provide a model parameter"));
    }
    let count = match some(body, "input") {
        None => return Err(Refused::bad("you must provide an input parameter")),
        Some(Value::Array(inputs)) if inputs.iter().all(Value::is_number) => 1,
        Some(Value::Array(inputs)) => inputs.len(),
        Some(_) => 1,
    };
    let in_base64 = text(body, "encoding_format") == "base64";
    let data = vectors(bytes, count, body.get("dimensions")).into_iter().enumerate().map(|(index, vector)| {
        let vector = if in_base64 {
            quoted(&base64(&vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()))
        } else {
            floats(&vector)
        };
        format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#)
    });
    let (data, tokens) = (data.collect::<Vec<_>>().join(","), bytes.len().div_ceil(4));
    let model = quoted(model);
    Ok(format!(
        r#"{{"object":"list","data":[{data}],"model":{model},"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
    ))
}

/// `:batchEmbedContents`, `:embedContent` and Vertex AI's `:predict`.
pub fn gemini(method: &str, model: &str, body: &Value, bytes: &[u8]) -> Result<String, Refused> {
    let tokens = bytes.len().div_ceil(4);
    let usage = json!({"promptTokenCount": tokens});
    let values = |vector: &Vec<f32>| object(&[("values", &floats(vector))]);
    if method == "predict" {
        let instances = items(body, "instances");
        if instances.is_empty() || instances.iter().any(|instance| text(instance, "content").is_empty()) {
            return Err(Refused::bad("instances must not be empty and each must have content."));
        }
        let statistics = json!({"token_count": tokens / instances.len().max(1), "truncated": false});
        let size = body.pointer("/parameters/outputDimensionality");
        let one = |vector: &Vec<f32>| {
            let embeddings = object(&[("statistics", &statistics), ("values", &floats(vector))]);
            object(&[("embeddings", &embeddings)])
        };
        let all: Vec<String> = vectors(bytes, instances.len(), size).iter().map(one).collect();
        return Ok(object(&[("predictions", &list(&all))]));
    }
    if method == "embedContent" {
        check_request(body)?;
        let vector = vectors(bytes, 1, body.get("outputDimensionality"));
        let embedding = vector.first().map(values).unwrap_or_default();
        return Ok(object(&[("embedding", &embedding), ("usageMetadata", &usage)]));
    }
    let requests = items(body, "requests");
    if requests.is_empty() {
        return Err(Refused::bad("* BatchEmbedContentsRequest.requests: requests is not specified"));
    }
    for request in requests {
        check_request(request)?;
        if text(request, "model") != format!("models/{model}") {
            return Err(Refused::bad(
                "* BatchEmbedContentsRequest.requests: model does not match the one in the batch request",
            ));
        }
    }
    let size = requests.first().and_then(|request| request.get("outputDimensionality"));
    let all: Vec<String> = vectors(bytes, requests.len(), size).iter().map(values).collect();
    Ok(object(&[("embeddings", &list(&all)), ("usageMetadata", &usage)]))
}

fn check_request(request: &Value) -> Result<(), Refused> {
    let known = ["model", "content", "taskType", "title", "outputDimensionality", "autoTruncate", "embedContentConfig"];
    if let Some(name) = request.as_object().and_then(|request| stranger(request, &known)) {
        return Err(Refused::bad(format!(
            "Invalid JSON payload received. Unknown name \"{name}\" at 'requests[0]': Cannot find field."
        )));
    }
    match request.pointer("/content/parts/0/text").and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(()),
        _ => Err(Refused::bad("* EmbedContentRequest.content: content is empty")),
    }
}

/// Cohere's `/v2/embed`.
pub fn cohere(body: &Value, bytes: &[u8]) -> Result<String, Refused> {
    let known = [
        "model",
        "input_type",
        "texts",
        "images",
        "inputs",
        "max_tokens",
        "output_dimension",
        "embedding_types",
        "truncate",
        "priority",
    ];
    if let Some(name) = body.as_object().and_then(|body| stranger(body, &known)) {
        return Err(Refused {
            status: 422,
            message: format!("unknown field: parameter '{name}' is not a valid field"),
        });
    }
    let kinds = ["search_document", "search_query", "classification", "clustering", "image"];
    if text(body, "model").is_empty() || !kinds.contains(&text(body, "input_type")) {
        return Err(Refused::bad("invalid request: model and a valid input_type are required"));
    }
    let count = ["texts", "images", "inputs"].iter().map(|name| items(body, name).len()).find(|count| *count > 0);
    let count = count
        .filter(|count| *count <= 96)
        .ok_or_else(|| Refused::bad("invalid request: 1 to 96 texts, images or inputs are required"))?;
    let types: Vec<&str> = items(body, "embedding_types").iter().filter_map(Value::as_str).collect();
    if types.iter().any(|kind| !["float", "base64"].contains(kind)) {
        return Err(Refused::bad("the mock knows the embedding_types float and base64"));
    }
    let all = vectors(bytes, count, body.get("output_dimension"));
    let plain: Vec<String> = all.iter().map(|vector| floats(vector)).collect();
    let coded = |vector: &Vec<f32>| {
        quoted(&base64(&vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()))
    };
    let coded: Vec<String> = all.iter().map(coded).collect();
    let embeddings = match (types.is_empty() || types.contains(&"float"), types.contains(&"base64")) {
        (true, false) => object(&[("float", &list(&plain))]),
        (false, _) => object(&[("base64", &list(&coded))]),
        (true, true) => object(&[("float", &list(&plain)), ("base64", &list(&coded))]),
    };
    let tokens = f64::from(u32::try_from(bytes.len().div_ceil(4)).unwrap_or(u32::MAX));
    let meta = json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}});
    let id = quoted(&format!("{:016x}", fingerprint(bytes)));
    let texts = Value::from(items(body, "texts").to_vec());
    Ok(object(&[
        ("id", &id),
        ("embeddings", &embeddings),
        ("texts", &texts),
        ("meta", &meta),
        ("response_type", &"\"embeddings_by_type\""),
    ]))
}

/// Bedrock's `/model/{id}/invoke` with Titan's body: one text, one vector.
pub fn titan(body: &Value, bytes: &[u8]) -> Result<String, Refused> {
    let known = ["inputText", "dimensions", "normalize", "embeddingTypes"];
    if let Some(name) = body.as_object().and_then(|body| stranger(body, &known)) {
        return Err(Refused::bad(format!(
            "Malformed input request: #: extraneous key [{name}] is not permitted, please reformat your input and try again."
        )));
    }
    if text(body, "inputText").is_empty() {
        return Err(Refused::bad(
            "Malformed input request: #: required key [inputText] not found, please reformat your input and try again.",
        ));
    }
    let vector = vectors(bytes, 1, body.get("dimensions")).first().map(|vector| floats(vector)).unwrap_or_default();
    let by_type = object(&[("float", &vector)]);
    let tokens = bytes.len().div_ceil(4);
    Ok(object(&[("embedding", &vector), ("embeddingsByType", &by_type), ("inputTextTokenCount", &tokens)]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::{gemini, openai};
    use serde_json::{Value, json};

    #[test]
    fn as_many_vectors_come_as_inputs_and_as_long_as_asked_for() {
        let body = json!({"model": "e", "input": ["a", "b"], "dimensions": 2});
        let answer: Value = serde_json::from_str(&openai(&body, body.to_string().as_bytes(), None).unwrap()).unwrap();
        assert_eq!(answer["data"][1]["embedding"].as_array().unwrap().len(), 2);
        let body = json!({"model": "e", "input": [1, 2, 3], "encoding_format": "base64"});
        let answer: Value = serde_json::from_str(&openai(&body, b"x", None).unwrap()).unwrap();
        assert_eq!((answer["data"].as_array().unwrap().len(), answer["data"][0]["embedding"].is_string()), (1, true));
    }

    #[test]
    fn a_batch_names_the_model_of_its_path() {
        let body = json!({"requests": [{"model": "models/e", "content": {"parts": [{"text": "a"}]}}]});
        assert!(gemini("batchEmbedContents", "e", &body, b"x").is_ok());
        assert!(gemini("batchEmbedContents", "f", &body, b"x").is_err());
    }
}
