//! What hostile input must not do: the checks of `fuzz/` over every fixture, over everything that fuzzing found, and over
//! bodies made to be slow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../../fuzz/src/check/mod.rs"]
mod check;
mod slow;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 11] = [
    ("head", check::head),
    ("request", check::request),
    ("answer", check::answer),
    ("stream", check::stream),
    ("sse", check::sse),
    ("event_stream", check::event_stream),
    ("failure", check::failure),
    ("embedding", check::embedding),
    ("policy", check::policy),
    ("rewrite", check::rewrite),
    ("exchange", check::exchange),
];

#[test]
fn the_checks_hold_for_nothing_at_all() {
    for length in 0..32 {
        let data = vec![0; length];
        for target in TARGETS {
            (target.1)(&data);
        }
    }
}

/// Runs the seeds that `.ci/fuzz_seeds.py` makes, or any other folder of targets: `WEIR_FUZZ_SEEDS=FOLDER`.
#[test]
fn every_given_seed_passes() {
    let Some(folder) = std::env::var_os("WEIR_FUZZ_SEEDS") else { return };
    let mut failed = 0;
    for (name, target) in TARGETS {
        let Ok(files) = std::fs::read_dir(std::path::Path::new(&folder).join(name)) else { continue };
        for file in files {
            let path = file.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                eprintln!("=== {}", path.display());
                failed += 1;
            }
        }
    }
    assert_eq!(failed, 0);
}

#[test]
fn raw_json_that_is_not_sound_is_mended_on_its_way() {
    let schema = b"\x03{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]}],\"generationConfig\":{\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"integ\xe9r\",\n\"title\":\"\x01\"}}}";
    check::request(schema);
    let item = b"\x01\x00{\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"id\":\"rs\",\"type\":\"re\xffsoning\",\"summary\":[]}]}";
    check::answer(item);
    let annotation = b"\x00\x00\x00\x00data: {\"choices\":[{\"delta\":{\"content\":\"abcd\",\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":0,\"end_index\":4,\"\xe0itle\":\"T\",\"url\":\"https://example.com\"}}]}}]}\n\n";
    check::stream(annotation);
}
