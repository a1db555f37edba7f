//! Whole answers from fixtures.

use crate::{cohere, fixture, fixtures, words};
use weir::chat::answer::{Answer, Finish};
use weir::chat::part::{Content, Part};
use weir::codec::wire::BadAnswer;

fn shown(part: &Part<'_>) -> String {
    match &part.content {
        Content::Text { text, citations } if citations.is_empty() => format!("text {}", words(text)),
        Content::Text { text, citations } => {
            let all: Vec<_> = citations
                .iter()
                .map(|one| format!("{:?} {:?} {:?}", one.url, one.title.as_ref().map(words), one.span))
                .collect();
            format!("text {} cites {}", words(text), all.join(" | "))
        }
        Content::Call(call) => format!("call {} {} {}", call.id, call.name, words(&call.arguments)),
        Content::Thought(thought) => {
            let seal = thought.seal.as_ref().map(|seal| format!("{} {} {}", seal.wire, seal.data, seal.redacted));
            format!("thought {} {seal:?}", words(&thought.text))
        }
        Content::Media(media) => format!("{:?} {:?} {:?}", media.kind, media.media_type, media.source),
        Content::Foreign { kind, .. } => format!("foreign {kind}"),
        Content::Result(_) | Content::Refusal(_) => "?".to_owned(),
    }
}

fn answer_of(name: &str, look: impl FnOnce(&Answer<'_>)) {
    let body = serde_json::to_vec(&fixture("answers", name)["body"]).unwrap();
    look(&cohere().decode_answer(&body).unwrap());
}

#[test]
fn answers_are_read() {
    let cases: &[(&str, &[&str], Finish<'_>)] = &[
        ("a plain text", &["text Hello!"], Finish::Stop),
        ("a text with escapes and other scripts", &["text a\n\"b\" \\ 東京 🙂"], Finish::Stop),
        ("two texts", &["text One.", "text Two."], Finish::Stop),
        ("content as one text", &["text Hello."], Finish::Stop),
        (
            "a plan and a call",
            &["text I will look up the weather.", r#"call get_weather_1 get_weather {"city":"Oslo"}"#],
            Finish::ToolCalls,
        ),
        ("two calls without a plan", &["call a_1 a {}", r#"call b_2 b {"x":[1,2]}"#], Finish::ToolCalls),
        ("a call whose arguments are empty", &["call a_1 a "], Finish::ToolCalls),
        ("a call under COMPLETE", &["call a_1 a {}"], Finish::ToolCalls),
        ("a thought and a text", &["thought The user greets. None", "text Hi!"], Finish::Stop),
        (
            "a thought, a plan and a call",
            &["thought Weather is wanted. None", "text I will look.", r#"call w_1 get_weather {"city":"Oslo"}"#],
            Finish::ToolCalls,
        ),
        (
            "a text that cites a document",
            &[r#"text Oslo is far north. cites Some("https://example.com/oslo") Some("Almanac") Some((0, 4))"#],
            Finish::Stop,
        ),
        (
            "a text that cites a tool's output",
            &["thought … None", "text It is 7C in Oslo. cites None None Some((6, 8))"],
            Finish::Stop,
        ),
        ("a stop sequence", &["text 1, 2, "], Finish::StopSequence(None)),
        ("the output limit", &["text Once upon"], Finish::Length),
        ("an error amid the answer", &["text Onc"], Finish::Broken),
        ("a timeout", &[], Finish::Broken),
        ("members that nobody knows", &["text ok"], Finish::Stop),
    ];
    for (name, parts, finish) in cases {
        answer_of(name, |answer| {
            assert_eq!(answer.parts.iter().map(shown).collect::<Vec<_>>(), *parts, "{name}");
            assert_eq!(answer.finish, *finish, "{name}");
            assert_eq!(answer.id.as_deref(), Some("c14c80c3-18eb-4519-9460-6c92edd8cfb4"));
        });
    }
}

#[test]
fn counts_are_what_is_billed_and_floats() {
    let counts = |name: &str| {
        let mut counts = None;
        answer_of(name, |answer| {
            counts = answer.usage.map(|usage| (usage.input, usage.output, usage.cache_read));
            let member = fixture("answers", name)["body"]["usage"].to_string();
            assert_eq!(cohere().parse_usage(member.as_bytes()), answer.usage);
        });
        counts
    };
    assert_eq!(counts("counts as floats"), Some((11, 2, 0)));
    assert_eq!(counts("cached tokens"), Some((100, 2, 64)));
    assert_eq!(counts("counts without bills"), Some((71, 4, 0)));
    assert_eq!(counts("no usage"), None);
    assert_eq!(cohere().usage_member(), "usage");
    for nothing in ["{}", "null", "[", r#"{"billed_units":{},"tokens":null}"#] {
        assert_eq!(cohere().parse_usage(nothing.as_bytes()), None);
    }
}

#[test]
fn errors_in_place_of_answers_are_told_from_other_bytes() {
    let failure = cohere().decode_answer(br#"{"message":"nope"}"#).unwrap_err();
    assert!(matches!(failure, BadAnswer::Failure(failure) if failure.message == "nope"));
    for bytes in ["", "[]", "{}", r#"{"message":1}"#, r#"{"message":{}} x"#, "<html>"] {
        assert!(matches!(cohere().decode_answer(bytes.as_bytes()), Err(BadAnswer::Malformed(_))), "{bytes}");
    }
}

#[test]
fn every_answer_is_read_cut_or_damaged_without_a_panic() {
    for fixture in fixtures("answers") {
        let body = serde_json::to_vec(&fixture["body"]).unwrap();
        assert!(cohere().decode_answer(&body).is_ok(), "{}", fixture["name"]);
        for at in 0..body.len() {
            assert!(cohere().decode_answer(&body[..at]).is_err());
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut damaged = body.clone();
                damaged[at] = byte;
                let _ = cohere().decode_answer(&damaged);
            }
        }
    }
}
