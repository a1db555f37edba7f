//! Bodies of a megabyte (of a quarter in a build without optimisation) that are made to be slow: everything is done with them in a time that grows with their size alone.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use weir::chat::wire::Wire;
use weir::codec::adapt::undo::Undo;
use weir::codec::openai::head::{Endpoint, decode_head};
use weir::codec::openai::quirk;
use weir::codec::registry;
use weir::codec::rewrite::rename_model;
use weir::codec::survey::survey;
use weir::codec::translate::{StreamTranslation, answer, answer_as_stream, encode, losses};

use crate::check::rig::{CLIENTS, clients, frame, shape};

/// The bytes of a body, about.
const SIZE: usize = if cfg!(debug_assertions) { 1 << 18 } else { 1 << 20 };

/// What one decoding or one encoding may take in a build without optimisation on a machine that is busy. What is
/// quadratic takes minutes.
const MOST: Duration = Duration::from_millis(3_000);

/// So many elements, joined, that they are about `SIZE` bytes.
fn many(element: impl Fn(usize) -> String) -> String {
    let mut out = String::with_capacity(SIZE + 256);
    let mut index = 0;
    while out.len() < SIZE {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&element(index));
        index += 1;
    }
    out
}

fn deep() -> String {
    let depth = 100;
    let one = format!("{}{}", "{\"a\":[".repeat(depth / 2), "]}".repeat(depth / 2));
    many(|_| one.clone())
}

fn members() -> String {
    many(|index| format!("\"k{index}\":{index}"))
}

fn escapes() -> String {
    "\\u00e9\\n\\\"\\ud83d\\ude00".repeat(SIZE / 24)
}

/// Values that stand in the place of a tool's schema, a call's arguments, a text.
fn nasty_texts() -> Vec<(&'static str, String)> {
    let spaces = " ".repeat(SIZE);
    let lines = "\\n".repeat(SIZE / 2);
    let arguments = format!("{{{}}}", members()).replace('"', "\\\"");
    vec![
        ("escapes", escapes()),
        ("spaces", spaces),
        ("lines", lines),
        ("an object", arguments),
        ("braces", "{".repeat(SIZE)),
        ("quotes", "\\\"".repeat(SIZE / 2)),
        ("base64", format!("data:image/png;base64,{}", "A".repeat(SIZE))),
        ("broken base64", format!("data:;base64,,;{}", ";base64,".repeat(SIZE / 8))),
        ("marks", "__thought__".repeat(SIZE / 11)),
        ("think tags", "<think>".repeat(SIZE / 7)),
    ]
}

fn nasty_values() -> Vec<(&'static str, String)> {
    let mut numbers = String::new();
    write!(numbers, "{}", "9".repeat(SIZE)).unwrap();
    vec![
        ("members", format!("{{{}}}", members())),
        ("depth", format!("[{}]", deep())),
        ("a number", numbers),
        ("a fraction", format!("0.{}", "1".repeat(SIZE))),
        ("strings", format!("[{}]", many(|index| format!("\"s{index}\"")))),
        ("an enum", format!(r#"{{"type":"string","enum":[{}]}}"#, many(|index| format!("\"s{index}\"")))),
        ("anyOf", format!(r#"{{"anyOf":[{}]}}"#, many(|_| r#"{"type":["string","null"]}"#.to_owned()))),
        (
            "properties",
            format!(
                r##"{{"type":"object","$defs":{{"a":{{"$ref":"#/$defs/a"}}}},"properties":{{{}}},"required":[{}]}}"##,
                many(|index| format!(r##""p{index}":{{"$ref":"#/$defs/a"}}"##)),
                many(|index| format!("\"p{index}\""))
            ),
        ),
    ]
}

fn chat() -> Vec<(String, String)> {
    let body = |messages: &str, more: &str| format!(r#"{{"model":"m","messages":[{messages}]{more}}}"#);
    let user = r#"{"role":"user","content":"a"}"#;
    let tool = |index: usize| format!(r#"{{"type":"function","function":{{"name":"f {index}"}}}}"#);
    let call = |index: usize| {
        format!(r#"{{"id":"call.{index}","type":"function","function":{{"name":"f {index}","arguments":"{{}}"}}}}"#)
    };
    let result = |index: usize| format!(r#"{{"role":"tool","tool_call_id":"call.{index}","content":"r"}}"#);
    let calls = many(call);
    let results = many(result);
    let mut all = vec![
        ("messages".to_owned(), body(&many(|_| user.to_owned()), "")),
        ("system messages".to_owned(), body(&many(|_| r#"{"role":"system","content":"a"}"#.to_owned()), "")),
        (
            "turns".to_owned(),
            body(&many(|i| format!(r#"{{"role":"{}","content":"a"}}"#, ["user", "assistant"][i % 2])), ""),
        ),
        (
            "parts".to_owned(),
            body(
                &format!(r#"{{"role":"user","content":[{}]}}"#, many(|_| r#"{"type":"text","text":"a"}"#.to_owned())),
                "",
            ),
        ),
        (
            "images".to_owned(),
            body(
                &format!(
                    r#"{{"role":"user","content":[{}]}}"#,
                    many(|_| r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}"#.to_owned())
                ),
                "",
            ),
        ),
        (
            "tools".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{}],"tool_choice":{{"type":"function","function":{{"name":"f 9"}}}}"#,
                    many(tool)
                ),
            ),
        ),
        (
            "custom tools".to_owned(),
            body(
                user,
                &format!(r#","tools":[{}]"#, many(|i| format!(r#"{{"type":"custom","custom":{{"name":"f {i}"}}}}"#))),
            ),
        ),
        (
            "calls and results".to_owned(),
            body(&format!(r#"{{"role":"assistant","tool_calls":[{calls}]}},{results}"#), ""),
        ),
        (
            "calls and tools".to_owned(),
            body(
                &format!(r#"{{"role":"assistant","tool_calls":[{calls}]}}"#),
                &format!(r#","tools":[{}]"#, many(tool)),
            ),
        ),
        (
            "results backwards".to_owned(),
            body(&format!(r#"{{"role":"assistant","tool_calls":[{calls}]}},{}"#, many(|i| result(100_000 - i))), ""),
        ),
        (
            "one call a turn".to_owned(),
            body(&many(|i| format!(r#"{{"role":"assistant","tool_calls":[{}]}},{}"#, call(i), result(i))), ""),
        ),
        (
            "the same id".to_owned(),
            body(&many(|_| format!(r#"{{"role":"assistant","tool_calls":[{}]}},{}"#, call(1), result(1))), ""),
        ),
        (
            "custom calls and results".to_owned(),
            body(
                &format!(
                    r#"{{"role":"assistant","tool_calls":[{}]}},{results}"#,
                    many(|i| format!(r#"{{"id":"call.{i}","type":"custom","custom":{{"name":"f {i}","input":"x"}}}}"#))
                ),
                "",
            ),
        ),
        ("stops".to_owned(), body(user, &format!(r#","stop":[{}]"#, many(|i| format!("\"{i}\""))))),
        ("metadata".to_owned(), body(user, &format!(r#","metadata":{{{}}}"#, members()))),
        (
            "allowed tools".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{}],"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{}]}}}}"#,
                    many(tool),
                    many(tool)
                ),
            ),
        ),
        ("members".to_owned(), format!(r#"{{"model":"m","messages":[{user}],{}}}"#, members())),
    ];
    for (name, text) in nasty_texts() {
        all.push((format!("a text of {name}"), body(&format!(r#"{{"role":"user","content":"{text}"}}"#), "")));
        all.push((
            format!("an answer of {name}"),
            body(&format!(r#"{{"role":"assistant","content":"{text}","reasoning_content":"{text}"}}"#), ""),
        ));
        all.push((
            format!("an image of {name}"),
            body(
                &format!(r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{text}"}}}}]}}"#),
                "",
            ),
        ));
        all.push((format!("a call of {name}"), body(&format!(r#"{{"role":"assistant","tool_calls":[{{"id":"{text}","type":"function","function":{{"name":"{text}","arguments":"{text}"}}}}]}},{{"role":"tool","tool_call_id":"{text}","content":"{text}"}}"#), "")));
    }
    for (name, value) in nasty_values() {
        all.push((
            format!("a schema of {name}"),
            body(user, &format!(r#","tools":[{{"type":"function","function":{{"name":"f","parameters":{value}}}}}]"#)),
        ));
        all.push((
            format!("an output of {name}"),
            body(
                user,
                &format!(
                    r#","response_format":{{"type":"json_schema","json_schema":{{"name":"f","schema":{value}}}}}"#
                ),
            ),
        ));
        all.push((
            format!("a limit of {name}"),
            body(user, &format!(r#","max_tokens":{value},"temperature":{value},"odd":{value}"#)),
        ));
    }
    all
}

fn messages() -> Vec<(String, String)> {
    let body = |messages: &str, more: &str| format!(r#"{{"model":"m","max_tokens":9,"messages":[{messages}]{more}}}"#);
    let user = r#"{"role":"user","content":"a"}"#;
    let call = |i: usize| format!(r#"{{"type":"tool_use","id":"toolu.{i}","name":"f {i}","input":{{}}}}"#);
    let result = |i: usize| format!(r#"{{"type":"tool_result","tool_use_id":"toolu.{i}","content":"r"}}"#);
    let mut all = vec![
        ("messages".to_owned(), body(&many(|_| user.to_owned()), "")),
        (
            "system blocks".to_owned(),
            body(
                user,
                &format!(
                    r#","system":[{}]"#,
                    many(|_| r#"{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}"#.to_owned())
                ),
            ),
        ),
        (
            "parts".to_owned(),
            body(
                &format!(r#"{{"role":"user","content":[{}]}}"#, many(|_| r#"{"type":"text","text":"a"}"#.to_owned())),
                "",
            ),
        ),
        (
            "calls and results".to_owned(),
            body(
                &format!(
                    r#"{{"role":"assistant","content":[{}]}},{{"role":"user","content":[{}]}}"#,
                    many(call),
                    many(result)
                ),
                "",
            ),
        ),
        (
            "one call a turn".to_owned(),
            body(
                &many(|i| {
                    format!(
                        r#"{{"role":"assistant","content":[{}]}},{{"role":"user","content":[{}]}}"#,
                        call(i),
                        result(i)
                    )
                }),
                "",
            ),
        ),
        (
            "thoughts".to_owned(),
            body(
                &format!(
                    r#"{{"role":"assistant","content":[{}]}}"#,
                    many(|_| r#"{"type":"thinking","thinking":"a","signature":"s"}"#.to_owned())
                ),
                "",
            ),
        ),
        (
            "tools".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{}]"#,
                    many(|i| format!(r#"{{"name":"f {i}","input_schema":{{"type":"object"}}}}"#))
                ),
            ),
        ),
        (
            "server tools".to_owned(),
            body(
                &format!(
                    r#"{{"role":"assistant","content":[{}]}}"#,
                    many(|i| format!(
                        r#"{{"type":"server_tool_use","id":"s{i}","name":"web_search","input":{{}}}},{{"type":"web_search_tool_result","tool_use_id":"s{i}","content":[]}}"#
                    ))
                ),
                "",
            ),
        ),
        (
            "citations".to_owned(),
            body(
                &format!(
                    r#"{{"role":"assistant","content":[{{"type":"text","text":"a","citations":[{}]}}]}}"#,
                    many(|_| {
                        r#"{"type":"char_location","cited_text":"a","document_index":0,"document_title":"t","start_char_index":0,"end_char_index":1}"#.to_owned()
                    })
                ),
                "",
            ),
        ),
        (
            "results with parts".to_owned(),
            body(
                &format!(
                    r#"{{"role":"assistant","content":[{}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu.0","content":[{}]}}]}}"#,
                    call(0),
                    many(|_| r#"{"type":"text","text":"a"}"#.to_owned())
                ),
                "",
            ),
        ),
    ];
    for (name, text) in nasty_texts() {
        all.push((format!("a text of {name}"), body(&format!(r#"{{"role":"user","content":"{text}"}},{{"role":"assistant","content":[{{"type":"thinking","thinking":"{text}","signature":"{text}"}}]}}"#), "")));
    }
    for (name, value) in nasty_values() {
        all.push((
            format!("a schema of {name}"),
            body(user, &format!(r#","tools":[{{"name":"f","input_schema":{value}}}]"#)),
        ));
        all.push((
            format!("an input of {name}"),
            body(
                &format!(
                    r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"f","input":{value}}}]}}"#
                ),
                "",
            ),
        ));
        all.push((
            format!("an output of {name}"),
            body(user, &format!(r#","output_config":{{"format":{{"type":"json_schema","schema":{value}}}}}"#)),
        ));
    }
    all
}

fn responses() -> Vec<(String, String)> {
    let body = |items: &str, more: &str| format!(r#"{{"model":"m","input":[{items}]{more}}}"#);
    let user = r#"{"role":"user","content":"a"}"#;
    let call =
        |i: usize| format!(r#"{{"type":"function_call","call_id":"call.{i}","name":"f {i}","arguments":"{{}}"}}"#);
    let result = |i: usize| format!(r#"{{"type":"function_call_output","call_id":"call.{i}","output":"r"}}"#);
    let mut all = vec![
        ("items".to_owned(), body(&many(|_| user.to_owned()), "")),
        ("calls and results".to_owned(), body(&format!("{},{}", many(call), many(result)), "")),
        ("one call a turn".to_owned(), body(&many(|i| format!("{},{}", call(i), result(i))), "")),
        (
            "reasoning".to_owned(),
            body(
                &many(|i| {
                    format!(
                        r#"{{"type":"reasoning","id":"rs_{i}","summary":[{{"type":"summary_text","text":"a"}}],"encrypted_content":"e"}}"#
                    )
                }),
                "",
            ),
        ),
        (
            "tools".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{}]"#,
                    many(|i| format!(r#"{{"type":"function","name":"f {i}","parameters":{{}}}}"#))
                ),
            ),
        ),
        (
            "custom tools".to_owned(),
            body(user, &format!(r#","tools":[{}]"#, many(|i| format!(r#"{{"type":"custom","name":"f {i}"}}"#)))),
        ),
        (
            "namespaces".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{{"type":"namespace","name":"n","tools":[{}]}}]"#,
                    many(|i| format!(r#"{{"type":"function","name":"f {i}","parameters":{{}}}}"#))
                ),
            ),
        ),
        ("items of no type".to_owned(), body(&many(|i| format!(r#"{{"type":"odd{i}"}}"#)), "")),
        ("include".to_owned(), body(user, &format!(r#","include":[{}]"#, many(|i| format!("\"i{i}\""))))),
    ];
    for (name, text) in nasty_texts() {
        all.push((format!("a text of {name}"), body(&format!(r#"{{"role":"user","content":[{{"type":"input_text","text":"{text}"}},{{"type":"input_image","image_url":"{text}"}}]}},{{"type":"function_call","call_id":"{text}","name":"{text}","arguments":"{text}"}},{{"type":"function_call_output","call_id":"{text}","output":"{text}"}}"#), "")));
    }
    for (name, value) in nasty_values() {
        all.push((format!("a schema of {name}"), body(user, &format!(r#","tools":[{{"type":"function","name":"f","parameters":{value}}}],"text":{{"format":{{"type":"json_schema","name":"s","schema":{value}}}}}"#))));
    }
    all
}

fn gemini() -> Vec<(String, String)> {
    let body = |contents: &str, more: &str| format!(r#"{{"contents":[{contents}]{more}}}"#);
    let user = r#"{"role":"user","parts":[{"text":"a"}]}"#;
    let call = |i: usize| format!(r#"{{"functionCall":{{"name":"f{i}","args":{{}}}},"thoughtSignature":"YQ=="}}"#);
    let result = |i: usize| format!(r#"{{"functionResponse":{{"name":"f{i}","response":{{"a":1}}}}}}"#);
    let same = |_: usize| r#"{"functionCall":{"name":"f","args":{}}}"#.to_owned();
    let same_result = |_: usize| r#"{"functionResponse":{"name":"f","response":{"a":1}}}"#.to_owned();
    let mut all = vec![
        ("contents".to_owned(), body(&many(|_| user.to_owned()), "")),
        (
            "parts".to_owned(),
            body(&format!(r#"{{"role":"user","parts":[{}]}}"#, many(|_| r#"{"text":"a"}"#.to_owned())), ""),
        ),
        (
            "thoughts".to_owned(),
            body(
                &format!(
                    r#"{{"role":"model","parts":[{}]}}"#,
                    many(|i| format!(r#"{{"text":"a","thought":{}}}"#, i % 2 == 0))
                ),
                "",
            ),
        ),
        (
            "calls and results".to_owned(),
            body(
                &format!(r#"{{"role":"model","parts":[{}]}},{{"role":"user","parts":[{}]}}"#, many(call), many(result)),
                "",
            ),
        ),
        (
            "calls and results of one name".to_owned(),
            body(
                &format!(
                    r#"{{"role":"model","parts":[{}]}},{{"role":"user","parts":[{}]}}"#,
                    many(same),
                    many(same_result)
                ),
                "",
            ),
        ),
        ("results without calls".to_owned(), body(&format!(r#"{{"role":"user","parts":[{}]}}"#, many(result)), "")),
        (
            "one call a turn".to_owned(),
            body(
                &many(|i| {
                    format!(r#"{{"role":"model","parts":[{}]}},{{"role":"user","parts":[{}]}}"#, call(i), result(i))
                }),
                "",
            ),
        ),
        (
            "tools".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{{"functionDeclarations":[{}]}}]"#,
                    many(|i| format!(r#"{{"name":"f.{i}","parameters":{{"type":"OBJECT"}}}}"#))
                ),
            ),
        ),
        (
            "allowed names".to_owned(),
            body(
                user,
                &format!(
                    r#","tools":[{{"functionDeclarations":[{}]}}],"toolConfig":{{"functionCallingConfig":{{"mode":"ANY","allowedFunctionNames":[{}]}}}}"#,
                    many(|i| format!(r#"{{"name":"f.{i}"}}"#)),
                    many(|i| format!("\"f.{i}\""))
                ),
            ),
        ),
        (
            "snake case".to_owned(),
            body(user, &format!(r#","generation_config":{{"stop_sequences":[{}]}}"#, many(|i| format!("\"{i}\"")))),
        ),
    ];
    for (name, text) in nasty_texts() {
        all.push((format!("a text of {name}"), body(&format!(r#"{{"role":"user","parts":[{{"text":"{text}"}}]}},{{"role":"model","parts":[{{"text":"{text}","thoughtSignature":"{text}"}}]}}"#), "")));
        all.push((
            format!("a picture of {name}"),
            body(
                &format!(r#"{{"role":"user","parts":[{{"inlineData":{{"mimeType":"image/png","data":"{text}"}}}}]}}"#),
                "",
            ),
        ));
    }
    for (name, value) in nasty_values() {
        all.push((format!("a schema of {name}"), body(user, &format!(r#","tools":[{{"functionDeclarations":[{{"name":"f","parameters":{value}}}]}}],"generationConfig":{{"responseMimeType":"application/json","responseSchema":{value}}}"#))));
        all.push((format!("arguments of {name}"), body(&format!(r#"{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{value}}}}}]}},{{"role":"user","parts":[{{"functionResponse":{{"name":"f","response":{value}}}}}]}}"#), "")));
    }
    all
}

/// Holds that something is done in time; prints what took longest with `WEIR_FUZZ_TIMES=1`.
struct Watch(Vec<(Duration, String)>);

impl Watch {
    fn time<T>(&mut self, label: &dyn std::fmt::Display, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        if took > Duration::from_millis(100) {
            if std::env::var_os("WEIR_FUZZ_TIMES").is_some() {
                eprintln!("{:>7} ms  {label}", took.as_millis());
            }
            self.0.push((took, label.to_string()));
        }
        result
    }

    fn judge(mut self) {
        self.0.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
        let slow: Vec<String> =
            self.0.iter().filter(|(took, _)| *took > MOST).map(|(took, label)| format!("{label}: {took:?}")).collect();
        assert!(slow.is_empty(), "{} too slow:\n{}", slow.len(), slow.join("\n"));
    }
}

fn requests_of(from: Wire, bodies: &[(String, String)]) {
    let mut watch = Watch(Vec::new());
    let client = registry::client(from).unwrap();
    for (name, body) in bodies {
        let body = body.as_bytes();
        if from == Wire::Chat {
            for endpoint in [Endpoint::ChatCompletions, Endpoint::Other] {
                let _ = watch.time(&format_args!("head of {name}"), || decode_head(body, endpoint));
            }
            for pick in 0..3 {
                let _ = watch.time(&format_args!("quirks of {name}"), || quirk::edits(body, &shape(from, pick)));
            }
        }
        let _ = watch.time(&format_args!("rename in {name}"), || rename_model(body, "other"));
        let Ok(request) = watch.time(&format_args!("{from}: decode {name}"), || client.decode_request(body)) else {
            continue;
        };
        watch.time(&format_args!("{from}: survey {name}"), || survey(&request));
        for to in Wire::ALL {
            for pick in [1, 6] {
                let shape = shape(to, pick);
                let known = watch
                    .time(&format_args!("{from} -> {to} {pick}: losses of {name}"), || losses(&request, to, &shape));
                let encoded =
                    watch.time(&format_args!("{from} -> {to} {pick}: {name}"), || encode(&request, to, &shape));
                assert_eq!(known, encoded.map(|encoded| encoded.lost), "{from} -> {to}: {name}");
            }
        }
    }
    watch.judge();
}

#[test]
fn chat_requests_take_a_time_that_grows_with_their_size() {
    requests_of(Wire::Chat, &chat());
}

#[test]
fn messages_requests_take_a_time_that_grows_with_their_size() {
    requests_of(Wire::Messages, &messages());
}

#[test]
fn responses_requests_take_a_time_that_grows_with_their_size() {
    requests_of(Wire::Responses, &responses());
}

#[test]
fn gemini_requests_take_a_time_that_grows_with_their_size() {
    requests_of(Wire::Gemini, &gemini());
}

/// What repeats in an answer of each provider's format: the answer around it, and the element.
fn answers() -> Vec<(Wire, &'static str, &'static str, &'static str)> {
    vec![
        (
            Wire::Chat,
            r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","tool_calls":["#,
            r#"{"id":"c%","type":"function","function":{"name":"f","arguments":"{}"}}"#,
            r#"]},"finish_reason":"tool_calls"}]}"#,
        ),
        (
            Wire::Chat,
            r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"abc","annotations":["#,
            r#"{"type":"url_citation","url_citation":{"url":"u%","title":"t","start_index":0,"end_index":2}}"#,
            r#"]},"finish_reason":"stop"}]}"#,
        ),
        (
            Wire::Responses,
            r#"{"id":"r","object":"response","status":"completed","output":["#,
            r#"{"type":"function_call","id":"i%","call_id":"c%","name":"f","arguments":"{}"}"#,
            "]}",
        ),
        (
            Wire::Responses,
            r#"{"id":"r","object":"response","status":"completed","output":["#,
            r#"{"type":"message","id":"m%","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}"#,
            "]}",
        ),
        (
            Wire::Messages,
            r#"{"id":"m","type":"message","role":"assistant","model":"m","content":["#,
            r#"{"type":"text","text":"a"}"#,
            r#"],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#,
        ),
        (
            Wire::Messages,
            r#"{"id":"m","type":"message","role":"assistant","model":"m","content":["#,
            r#"{"type":"tool_use","id":"t%","name":"f","input":{}}"#,
            r#"],"stop_reason":"tool_use"}"#,
        ),
        (
            Wire::Gemini,
            r#"{"candidates":[{"content":{"role":"model","parts":["#,
            r#"{"text":"a"},{"text":"b","thought":true}"#,
            r#"]},"finishReason":"STOP"}]}"#,
        ),
        (
            Wire::Gemini,
            r#"{"candidates":[{"content":{"role":"model","parts":["#,
            r#"{"functionCall":{"name":"f","args":{}}}"#,
            r#"]},"finishReason":"STOP"}]}"#,
        ),
        (
            Wire::Gemini,
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"aé"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"u","title":"t"}}],"groundingSupports":["#,
            r#"{"segment":{"startIndex":0,"endIndex":2,"text":"a"},"groundingChunkIndices":[0,0]}"#,
            r#"]}}]}"#,
        ),
        (
            Wire::Gemini,
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"aé"}]},"finishReason":"STOP","groundingMetadata":{"groundingSupports":[{"segment":{"endIndex":1},"groundingChunkIndices":[0,1,2,3,4]}],"groundingChunks":["#,
            r#"{"web":{"uri":"u%","title":"t"}}"#,
            r#"]}}]}"#,
        ),
        (
            Wire::Converse,
            r#"{"output":{"message":{"role":"assistant","content":["#,
            r#"{"toolUse":{"toolUseId":"t%","name":"f","input":{}}}"#,
            r#"]}},"stopReason":"tool_use"}"#,
        ),
        (
            Wire::Converse,
            r#"{"output":{"message":{"role":"assistant","content":["#,
            r#"{"text":"a"},{"reasoningContent":{"reasoningText":{"text":"b"}}}"#,
            r#"]}},"stopReason":"end_turn"}"#,
        ),
        (
            Wire::Cohere,
            r#"{"id":"c","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"abc"}],"citations":["#,
            r#"{"start":0,"end":2,"text":"ab","sources":[{"type":"document","id":"d%"}]}"#,
            "]}}",
        ),
        (
            Wire::Cohere,
            r#"{"id":"c","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_calls":["#,
            r#"{"id":"t%","type":"function","function":{"name":"f","arguments":"{}"}}"#,
            "]}}",
        ),
    ]
}

#[test]
fn answers_take_a_time_that_grows_with_their_size() {
    let mut watch = Watch(Vec::new());
    for (from, open, element, close) in answers() {
        let body = format!("{open}{}{close}", many(|index| element.replace('%', &index.to_string())));
        for (client, to) in clients() {
            let provider = registry::provider(from);
            let pair = (client, to);
            let label = format!("{from} -> {to}: {element}");
            let whole = watch.time(&label, || answer(provider, pair, &Undo::default(), body.as_bytes(), &frame(0)));
            assert!(whole.is_ok(), "{label}");
            let label = format!("{label} as a stream");
            let _ =
                watch.time(&label, || answer_as_stream(provider, pair, &Undo::default(), body.as_bytes(), &frame(0)));
        }
    }
    watch.judge();
}

/// What repeats in a stream of each provider's format: what comes before, and the event.
fn streams() -> Vec<(Wire, &'static str, &'static str)> {
    const MESSAGE: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\n";
    vec![
        (Wire::Chat, "", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"),
        (
            Wire::Chat,
            "",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%,\"id\":\"c%\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
        ),
        (
            Wire::Chat,
            "",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"c%\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
        ),
        (
            Wire::Chat,
            "",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"delta\":{\"reasoning_content\":\"b\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"reasoning_content\":\"b\"}}]}\n\n",
        ),
        (
            Wire::Responses,
            "",
            "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":%,\"item\":{\"type\":\"function_call\",\"id\":\"i%\",\"call_id\":\"c%\",\"name\":\"f\"}}\n\n",
        ),
        (
            Wire::Responses,
            "",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":%,\"content_index\":0,\"item_id\":\"i%\",\"delta\":\"a\"}\n\n",
        ),
        (
            Wire::Messages,
            MESSAGE,
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t%\",\"name\":\"f\",\"input\":{}}}\n\n",
        ),
        (
            Wire::Messages,
            MESSAGE,
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":%}\n\n",
        ),
        (
            Wire::Gemini,
            "",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]}}]}\n\n",
        ),
        (
            Wire::Gemini,
            "",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\",\"thought\":true}]}}]}\n\n",
        ),
        (
            Wire::Gemini,
            "",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"aé\"}]},\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"u%\"}}],\"groundingSupports\":[{\"segment\":{\"startIndex\":0,\"endIndex\":2},\"groundingChunkIndices\":[0]}]}}]}\n\n",
        ),
        (Wire::Gemini, "[", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},\n"),
        (
            Wire::Cohere,
            "",
            "data: {\"type\":\"tool-call-start\",\"index\":%,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"t%\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}}}}\n\n",
        ),
        (
            Wire::Cohere,
            "",
            "data: {\"type\":\"content-delta\",\"index\":%,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\n",
        ),
        (
            Wire::Converse,
            "",
            "contentBlockStart {\"contentBlockIndex\":%,\"start\":{\"toolUse\":{\"toolUseId\":\"t%\",\"name\":\"f\"}}}\n",
        ),
        (Wire::Converse, "", "contentBlockDelta {\"contentBlockIndex\":%,\"delta\":{\"text\":\"a\"}}\n"),
        (Wire::Chat, "data: ", "x"),
        (Wire::Chat, "", "data:a\n"),
        (Wire::Chat, "", ":\n\n"),
        (Wire::Messages, "", "event:\r"),
    ]
}

#[test]
fn streams_take_a_time_that_grows_with_their_size() {
    let mut watch = Watch(Vec::new());
    for (from, open, event) in streams() {
        let mut bytes = String::from(open);
        let mut index = 0;
        while bytes.len() < SIZE {
            bytes.push_str(&event.replace('%', &index.to_string()));
            index += 1;
        }
        let bytes = if from == Wire::Converse { crate::check::frames(bytes.as_bytes()) } else { bytes.into_bytes() };
        for to in CLIENTS {
            for size in [bytes.len(), 61] {
                let label = format!("{from} -> {to}, pieces of {size}: {}", event.trim_end());
                let out = watch.time(&label, || {
                    let client = (registry::client(to).unwrap(), to);
                    let undo = Undo { custom: vec!["f".to_owned()], ..Undo::default() };
                    let mut stream = StreamTranslation::new(registry::provider(from), client, undo, &frame(0));
                    let mut out = 0;
                    bytes.chunks(size).for_each(|piece| out += stream.push(piece).len());
                    out + stream.finish().len()
                });
                assert!(out < bytes.len() * 200, "{label}: {out} bytes of {}", bytes.len());
            }
        }
    }
    watch.judge();
}
