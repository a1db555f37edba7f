//! Bytes that are cut or changed. Nothing is claimed of what is read from them.

use weir::codec::gemini::wire::Gemini;
use weir::codec::wire::{ClientWire, ProviderWire};
use weir::codec::writer::Writer;
use weir::http::Headers;

use crate::rig::{array, bytes, fixtures, frame, shapes, sse, through};

#[test]
fn cut_and_mutated_bytes_end_in_order() {
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for file in ["requests", "answers", "errors"] {
        bodies.extend(fixtures(file).iter().map(|fixture| bytes(&fixture["body"])));
    }
    bodies.extend(fixtures("streams").iter().flat_map(|fixture| [sse(fixture), array(fixture)]));
    let try_all = |bytes: &[u8]| {
        if let Ok(request) = Gemini.decode_request(bytes) {
            let _ = Gemini.encode_request(&request, &shapes()[1], &mut Writer::with_capacity(64));
        }
        let _ = Gemini.decode_answer(bytes).map(|answer| Gemini.encode_answer(&answer, &frame(true)));
        let _ = Gemini.decode_failure(500, &Headers::default(), bytes);
        let _ = Gemini.parse_usage(bytes);
        let _ = through(bytes, true);
    };
    for body in &bodies {
        let mut broken = body.clone();
        for at in 0..body.len() {
            try_all(&body[..at]);
            broken[at] = [b'"', b'{', b']', b'9', 0xFF][at % 5];
            try_all(&broken);
            broken[at] = body[at];
        }
    }
}
