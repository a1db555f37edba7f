//! Requests, answers, errors and embeddings, each as a whole, from every format into every other.

use weir::chat::failure::Failure;
use weir::chat::wire::Wire;
use weir::codec::registry;
use weir::codec::survey::survey;
use weir::codec::translate::{answer as translate, answer_as_stream, encode, losses};
use weir::codec::wire::BadAnswer;
use weir::codec::writer::Writer;
use weir::http::Headers;

use super::rig::{CLIENTS, assert_json, client, clients, frame, provider, shape, undo};
use super::stream::assert_stream;

/// A client's body: the first byte picks its format and the targets.
pub fn request(data: &[u8]) {
    let Some((pick, body)) = data.split_first() else { return };
    let (client, from) = client(*pick);
    let request = match client.decode_request(body) {
        Ok(request) => request,
        Err(malformed) => {
            assert!(malformed.offset <= body.len(), "{from}: {malformed} of {}", body.len());
            return;
        }
    };
    let _ = survey(&request);
    for to in Wire::ALL {
        let shape = shape(to, pick / 4);
        match (losses(&request, to, &shape), encode(&request, to, &shape)) {
            (Ok(known), Ok(encoded)) => {
                assert_eq!(known, encoded.lost, "{from} -> {to}: what is lost depends on whether bytes are kept");
                assert_json(&encoded.body, &format_args!("{from} -> {to}"));
                // What goes out in a client's format is a request of that format.
                let Some(same) = registry::client(to) else { continue };
                if let Err(malformed) = same.decode_request(&encoded.body) {
                    // Some limits are on the reader's side alone.
                    let limit = malformed.what.contains("128");
                    assert!(limit, "{from} -> {to}: {malformed}: {}", String::from_utf8_lossy(&encoded.body));
                }
            }
            (Err(known), Err(encoded)) => assert_eq!(known, encoded, "{from} -> {to}"),
            (known, encoded) => panic!("{from} -> {to}: {known:?} and {encoded:?} disagree"),
        }
    }
}

/// A provider's answer of status 200: the first byte picks the provider's format, the second what is told of the client.
pub fn answer(data: &[u8]) {
    let [from, options, body @ ..] = data else { return };
    let from = provider(*from);
    for (client, to) in clients() {
        let wire = registry::provider(from);
        let (undo, frame) = (undo(*options), frame(*options));
        let whole = translate(wire, (client, to), &undo, body, &frame);
        let streamed = answer_as_stream(wire, (client, to), &undo, body, &frame);
        match (whole, streamed) {
            (Ok(whole), Ok(streamed)) => {
                assert_json(&whole.body, &format_args!("{from} -> {to}"));
                if let Err(BadAnswer::Malformed(malformed)) = registry::provider(to).decode_answer(&whole.body) {
                    let text = String::from_utf8_lossy(&whole.body);
                    assert!(malformed.what.contains("128"), "{from} -> {to}: {malformed}: {text}");
                }
                assert_stream(&streamed.body, to, frame.sse, &format_args!("{from} -> {to}"));
                assert_eq!(whole.meter.usage, streamed.meter.usage, "{from} -> {to}");
            }
            (Err(whole), Err(_)) => assert_failure(&whole),
            (whole, streamed) => panic!("{from} -> {to}: {whole:?} and {streamed:?} disagree"),
        }
    }
}

/// A provider's error: a byte for its format, two for the status, one for the length of a header's value, that value.
pub fn failure(data: &[u8]) {
    let [from, high, low, length, rest @ ..] = data else { return };
    let (value, body) = rest.split_at((*length as usize).min(rest.len()));
    let status = 300 + (u16::from_be_bytes([*high, *low]) % 300);
    let names =
        ["retry-after", "x-amzn-errortype", "x-should-retry", "content-type", "anthropic-ratelimit-tokens-reset"];
    let headers = Headers::from_pairs(names.iter().map(|name| (name.as_bytes(), value)));
    let from = provider(*from);
    assert_failure(&registry::provider(from).decode_failure(status, &headers, body));
    for to in CLIENTS {
        for edit in weir::codec::limits::translate(&headers, from, to, 1_795_255_200) {
            if let weir::codec::limits::Edit::Set(name, value) = edit {
                assert!(!value.bytes().any(|byte| byte < b' '), "{name}: {value:?}");
            }
        }
    }
}

/// An error reaches every client as an error in its own format.
pub fn assert_failure(failure: &Failure<'_>) {
    for (client, to) in clients() {
        let (status, body) = client.encode_failure(failure);
        assert!((400..600).contains(&status), "{to}: {status}");
        assert_json(&body, &to);
    }
}

/// Embeddings: the first byte picks the client's format and the targets; the rest is a request and an answer alike.
pub fn embedding(data: &[u8]) {
    let Some((pick, body)) = data.split_first() else { return };
    for from in [Wire::Chat, Wire::Gemini] {
        let client = registry::embedding_client(from).expect("it has embeddings");
        let request = client.decode_request(body);
        if let Err(malformed) = &request {
            assert!(malformed.offset <= body.len(), "{malformed} of {}", body.len());
        }
        for to in Wire::ALL {
            let Some(provider) = registry::embedding_provider(to) else { continue };
            if let Ok(request) = &request {
                let mut writer = Writer::with_capacity(64);
                let encoded = provider.encode_request(request, &shape(to, *pick), &mut writer);
                let known = provider.encode_request(request, &shape(to, *pick), &mut Writer::discarding());
                assert_eq!(known, encoded, "{from} -> {to}");
                if encoded.is_ok() {
                    assert_json(&writer.into_bytes(), &format_args!("{from} -> {to}"));
                }
            }
            match provider.decode_answer(body) {
                Ok(answer) => {
                    for base64 in [false, true] {
                        let out = client.encode_answer(&answer, &frame(*pick), base64);
                        assert_json(&out, &format_args!("{to} -> {from}"));
                    }
                }
                Err(BadAnswer::Failure(failure)) => assert_failure(&failure),
                Err(BadAnswer::Malformed(malformed)) => assert!(malformed.offset <= body.len(), "{malformed}"),
            }
        }
    }
}
