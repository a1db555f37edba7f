//! The complete policy with one thing changed at a time: nothing panics, and nothing wrong goes unseen.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};
use weir::config::parse::{parse, parse_json};

const COMPLETE: &str = include_str!("fixtures/policy/complete.json");

/// The JSON pointers of every value in `value`.
fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut next = 0;
    while let Some(pointer) = found.get(next).cloned() {
        next += 1;
        match value.pointer(&pointer).unwrap() {
            Value::Object(map) => found.extend(map.keys().map(|key| format!("{pointer}/{key}"))),
            Value::Array(items) => found.extend((0..items.len()).map(|index| format!("{pointer}/{index}"))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

fn complete() -> Value {
    serde_json::from_str(COMPLETE).unwrap()
}

#[test]
fn a_field_nobody_knows_is_told_in_every_map_built_or_not() {
    let complete = complete();
    let mut maps = 0;
    for pointer in pointers(&complete) {
        let mut policy = complete.clone();
        let Some(map) = policy.pointer_mut(&pointer).unwrap().as_object_mut() else { continue };
        map.insert("zzz".to_owned(), Value::Null);
        maps += 1;
        let problems = parse(&policy).expect_err(&pointer);
        assert!(problems.iter().any(|problem| problem.path.ends_with("zzz")), "{pointer}: {problems:?}");
    }
    assert!(maps > 40, "{maps}");
}

#[test]
fn a_value_of_the_wrong_type_is_told_everywhere() {
    let complete = complete();
    let wrong = [json!({"zzz": null}), Value::Null, json!([[]])];
    for pointer in pointers(&complete) {
        for value in &wrong {
            let mut policy = complete.clone();
            *policy.pointer_mut(&pointer).unwrap() = value.clone();
            assert!(parse(&policy).is_err(), "{value} at {pointer}");
        }
    }
}

#[test]
fn strange_values_anywhere_never_panic() {
    let complete = complete();
    let strange = [
        json!(true),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("*"),
        json!("/"),
        json!("\u{0}"),
        json!("${"),
        json!("$"),
        json!("é".repeat(200)),
        json!("https://[::"),
        json!("2027-é6-30"),
        json!([]),
        json!({}),
        json!({"": {}}),
        json!(["*", "*"]),
    ];
    for pointer in pointers(&complete) {
        for value in &strange {
            let mut policy = complete.clone();
            *policy.pointer_mut(&pointer).unwrap() = value.clone();
            let _ = parse(&policy);
        }
    }
}

#[test]
fn bytes_of_any_kind_never_panic() {
    let bytes = COMPLETE.trim_end().as_bytes();
    for end in (0..bytes.len()).step_by(7) {
        assert!(parse_json(&bytes[..end]).is_err());
    }
    // A fixed sequence of changes, so that a failure can be seen again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for _ in 0..2_000 {
        let mut changed = bytes.to_vec();
        for _ in 0..=draw(4) {
            let (at, from) = (draw(changed.len()), draw(bytes.len()));
            match draw(3) {
                0 => changed[at] = u8::try_from(draw(256)).unwrap(),
                1 => changed[at] = bytes[from],
                _ => drop(changed.remove(at)),
            }
        }
        let _ = parse_json(&changed);
    }
    assert!(parse_json(&b"[".repeat(100_000)).is_err());
    assert!(parse_json(&b"{\"routes\":".repeat(1_000)).is_err());
}
