//! Whole answers from fixtures.

use crate::{converse, fixture, fixtures, words};
use weir::chat::answer::{Answer, Finish};
use weir::chat::part::{Content, Part};
use weir::codec::wire::BadAnswer;

fn shown(part: &Part<'_>) -> String {
    match &part.content {
        Content::Text { text, citations } if citations.is_empty() => format!("text {}", words(text)),
        Content::Text { text, citations } => {
            let all: Vec<_> = citations
                .iter()
                .map(|one| {
                    format!("{:?} {:?} {:?}", one.url, one.title.as_ref().map(words), one.quote.as_ref().map(words))
                })
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
    look(&converse().decode_answer(&body).unwrap());
}

#[test]
fn answers_are_read() {
    let cases: &[(&str, &[&str], Finish<'_>)] = &[
        ("a plain text", &["text Hello!"], Finish::Stop),
        (
            "text before two calls",
            &[
                "text Looking.",
                r#"call tooluse_1 get_weather {"city":"Oslo"}"#,
                r#"call tooluse_2 get_weather {"city":"Bergen","days":[1,2500.0]}"#,
            ],
            Finish::ToolCalls,
        ),
        ("a call without arguments", &["call tooluse_1 now {}"], Finish::ToolCalls),
        ("a call under end_turn", &["call tooluse_1 now {}"], Finish::ToolCalls),
        ("a call cut off by the output limit", &[r#"call tooluse_1 write {"text":"Once"}"#], Finish::Length),
        (
            "a signed thought, a text and a call",
            &[
                r#"thought The user wants weather. Some("messages EqMCCkgIBRAB false")"#,
                "text Checking.",
                r#"call tooluse_1 get_weather {"city":"Oslo"}"#,
            ],
            Finish::ToolCalls,
        ),
        ("a hidden thought", &[r#"thought  Some("converse RW1FS0NrZ0lCUkFC true")"#, "text Done."], Finish::Stop),
        ("a thought without a signature", &["thought Hmm. None", "text 42"], Finish::Stop),
        (
            "a text that cites",
            &[
                r#"text Oslo is far north. cites Some("https://example.com/oslo") Some("Almanac") Some("Oslo lies at 59.9 N.")"#,
                "text  Bye.",
            ],
            Finish::Stop,
        ),
        ("a stop sequence", &["text 1, 2, "], Finish::StopSequence(None)),
        ("the output limit", &["text Once upon"], Finish::Length),
        ("a full context", &["text Once"], Finish::ContextFull),
        ("a guardrail", &["text I cannot talk about that."], Finish::Filtered),
        ("a filter", &[], Finish::Filtered),
        ("malformed calls", &[], Finish::Broken),
        ("a search that AWS runs", &["foreign server_tool_use", "foreign toolResult", "text Found it."], Finish::Stop),
        ("members that nobody knows", &["text ok", "foreign hologram"], Finish::Stop),
    ];
    for (name, parts, finish) in cases {
        answer_of(name, |answer| {
            assert_eq!(answer.parts.iter().map(shown).collect::<Vec<_>>(), *parts, "{name}");
            assert_eq!(answer.finish, *finish, "{name}");
            assert!(answer.id.is_none() && answer.model.is_none());
        });
    }
    answer_of("a text with escapes and other scripts", |answer| {
        assert_eq!(shown(&answer.parts[0]), "text line\n\"quoted\" \\ tab\t 東京 🙂 \u{7}");
    });
    answer_of("a service tier", |answer| assert_eq!(answer.service_tier.as_deref(), Some("flex")));
}

#[test]
fn counts_follow_weirs_convention() {
    answer_of("cached reads and writes of both lives", |answer| {
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input, usage.output), (1_507, 3));
        assert_eq!((usage.cache_read, usage.cache_write, usage.cache_write_1h), (1_000, 200, 300));
        let member = fixture("answers", "cached reads and writes of both lives")["body"]["usage"].to_string();
        assert_eq!(converse().parse_usage(member.as_bytes()), Some(usage));
    });
    answer_of("a signed thought, a text and a call", |answer| assert_eq!(answer.usage.unwrap().reasoning, 25));
    answer_of("no usage", |answer| assert_eq!(answer.usage, None));
    assert_eq!(converse().usage_member(), "usage");
    for nothing in ["{}", "null", "[", r#"{"totalTokens":3}"#] {
        assert_eq!(converse().parse_usage(nothing.as_bytes()), None);
    }
}

#[test]
fn errors_in_place_of_answers_are_told_from_other_bytes() {
    let failure = converse().decode_answer(br#"{"Message":"nope"}"#).unwrap_err();
    assert!(matches!(failure, BadAnswer::Failure(failure) if failure.message == "nope"));
    for bytes in ["", "[]", "{}", r#"{"output":1}"#, r#"{"output":{}} x"#, "<html>"] {
        assert!(matches!(converse().decode_answer(bytes.as_bytes()), Err(BadAnswer::Malformed(_))), "{bytes}");
    }
}

#[test]
fn every_answer_is_read_cut_or_damaged_without_a_panic() {
    for fixture in fixtures("wire/converse/answers.jsonl") {
        let body = serde_json::to_vec(&fixture["body"]).unwrap();
        assert!(converse().decode_answer(&body).is_ok(), "{}", fixture["name"]);
        for at in 0..body.len() {
            assert!(converse().decode_answer(&body[..at]).is_err());
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut damaged = body.clone();
                damaged[at] = byte;
                let _ = converse().decode_answer(&damaged);
            }
        }
    }
}
