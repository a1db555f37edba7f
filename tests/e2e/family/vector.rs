//! Embeddings between the families that have them.

use serde_json::{Value, json};

use crate::client::Response;
use crate::envoy::Failover;
use crate::family::speak::Client;
use crate::family::stage::{Stage, expect_headers};
use crate::in_both_designs;

/// Model, provider and the upstream's model.
const EMBEDDERS: [(&str, &str, &str); 5] = [
    ("e-openai", "openai", "text-embedding-3-small"),
    ("e-azure", "azure-dated", "text-embedding-3-small"),
    ("e-gemini", "gemini", "gemini-embedding-001"),
    ("e-vertex", "vertex", "text-embedding-005"),
    ("e-cohere", "cohere", "embed-v4.0"),
];

fn stage(design: Failover) -> Stage {
    Stage::with(design, |policy| {
        for (name, provider, model) in EMBEDDERS {
            policy["models"][name] =
                json!({"targets": [{"provider": provider, "model": model, "price": {"input": 1, "output": 0}}]});
        }
    })
}

fn openai(stage: &Stage, body: &Value) -> Response {
    stage.send(&Client::Chat.to("/v1/embeddings", body))
}

fn floats(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no numbers: {value}"))
        .iter()
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

/// The numbers in base64 of four little-endian bytes each.
fn decoded(text: &str) -> Vec<f32> {
    let digits = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is no digit"),
    };
    let bits: Vec<u8> = text.trim_end_matches('=').bytes().map(digits).collect();
    let bytes: Vec<u8> = bits
        .chunks(4)
        .flat_map(|four| {
            let word = four.iter().fold(0_u32, |word, bits| word << 6 | u32::from(*bits)) << (6 * (4 - four.len()));
            word.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

in_both_designs! {
    fn openai_s_embeddings_come_from_every_family(design) {
        let stage = stage(design);
        for (name, provider, model) in EMBEDDERS {
            let body = json!({"model": name, "input": ["one river", "another river"]});
            let answer = openai(&stage, &body);
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let told = answer.json();
            assert_eq!(told["object"], "list", "{told}");
            let rows = told["data"].as_array().unwrap_or_else(|| panic!("{told}"));
            assert_eq!(rows.len(), 2, "{name}: {told}");
            for (index, row) in rows.iter().enumerate() {
                assert_eq!((&row["object"], &row["index"]), (&json!("embedding"), &json!(index)), "{row}");
                assert_eq!(floats(&row["embedding"]).len(), 8, "{name}: {row}");
            }
            assert!(told["model"].as_str().is_some_and(|told| told.contains(model)), "{name}: {told}");
            let audit = stage.audit(&answer);
            assert_eq!(audit["endpoint"], "embeddings");
            assert_eq!((&audit["usage"], &audit["outcome"]), (&json!("reported"), &json!("ok")), "{name}: {audit}");
            assert_eq!(audit["input"], told["usage"]["prompt_tokens"], "{name}: {audit} {told}");
            assert!(audit["input"].as_u64().is_some_and(|count| count > 0), "{name}: {audit}");
            expect_headers(Client::Chat, provider, &stage.last(provider));

            let coded = openai(&stage, &json!({"model": name, "input": "one river", "encoding_format": "base64"}));
            assert_eq!(coded.status, 200, "{name}: {}", coded.text());
            let told = coded.json();
            let text = told["data"][0]["embedding"].as_str().unwrap_or_else(|| panic!("{name}: {told}")).to_owned();
            assert_eq!(decoded(&text).len(), 8, "{name}: {told}");
            assert!(decoded(&text).iter().all(|number| number.abs() <= 0.5), "{name}: {told}");

            let short = openai(&stage, &json!({"model": name, "input": "one river", "dimensions": 3}));
            assert_eq!(short.status, 200, "{name}: {}", short.text());
            assert_eq!(floats(&short.json()["data"][0]["embedding"]).len(), 3, "{name}: {}", short.text());
        }
        stage.envoy.expect_no_trap();
    }

    fn gemini_s_embeddings_come_from_every_family(design) {
        let stage = stage(design);
        // Vertex has another form of them for its own paths.
        for (name, provider, _) in EMBEDDERS.into_iter().filter(|(name, ..)| *name != "e-vertex") {
            let one = json!({"content": {"parts": [{"text": "one river"}]}});
            let path = |method: &str| format!("/v1beta/models/{name}:{method}");
            let answer = stage.send(&Client::Gemini.to(&path("embedContent"), &one));
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            assert_eq!(floats(&answer.json()["embedding"]["values"]).len(), 8, "{name}: {}", answer.text());
            expect_headers(Client::Gemini, provider, &stage.last(provider));

            let model = format!("models/{name}");
            let named = |text: &str| json!({"model": model, "content": {"parts": [{"text": text}]}});
            let two = json!({"requests": [named("one river"), named("another river")]});
            let answer = stage.send(&Client::Gemini.to(&path("batchEmbedContents"), &two));
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let told = answer.json();
            let rows = told["embeddings"].as_array().unwrap_or_else(|| panic!("{name}: {told}"));
            assert_eq!(rows.len(), 2, "{name}: {told}");
            assert_eq!(floats(&rows[1]["values"]).len(), 8, "{name}: {told}");
        }
        stage.envoy.expect_no_trap();
    }

    fn who_has_no_embeddings_is_not_asked_for_them(design) {
        let stage = stage(design);
        for name in ["anthropic", "bedrock", "vertex-claude"] {
            let answer = openai(&stage, &json!({"model": name, "input": "one river"}));
            assert_eq!(answer.status, 422, "{name}: {}", answer.text());
            assert!(stage.mock(name).received().is_empty(), "{name}");
        }
    }
}
