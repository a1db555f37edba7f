//! Bytes that nobody should send, from clients, providers and the host: each is answered or passed on, none gets further
//! than it may (`Seen::check`), none ends the module.

use serde_json::json;

use crate::fixture::{Answer, Ask, BOTH, CLIENT_KEY, Failover, PROMPT, Response, two_providers, value};
use crate::gate::Gate;
use crate::host::{Fault, host, serialize};
use crate::pass::completion;

fn good() -> Answer {
    Answer::Reply(Response::json(200, &completion()))
}

#[test]
fn headers_may_hold_any_bytes() {
    for failover in BOTH {
        for bytes in [&b"\xff\xfe"[..], b"\x00", b"\r\nx-injected: 1", b"", &[0x80; 70_000]] {
            let mut gate = Gate::open(failover, &two_providers());
            let mut ask = Ask::chat("smart", false).with("x-anything", bytes).with("user-agent", bytes);
            ask.headers.push((bytes.to_vec(), b"odd name".to_vec()));
            assert_eq!(gate.ask(&ask, &mut |_| good()).status, Some(200));
            // Two credentials that differ: which is meant cannot be known.
            let outcome = gate.ask(&Ask::chat("smart", false).with("x-api-key", bytes), &mut |_| panic!("it went out"));
            assert_eq!((outcome.status, outcome.code().as_str()), (Some(400), "invalid_request"));
            let ask = Ask::chat("smart", false).with("x-weir-dry-run", bytes);
            assert_eq!(gate.ask(&ask, &mut |_| good()).status, Some(200));
        }
    }
}

#[test]
fn a_path_that_is_no_text_is_not_ours_to_send() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let ask = Ask::chat("smart", false).without(":path").with(":path", b"/v1/chat/completions\xff");
        let outcome = gate.ask(&ask, &mut |_| panic!("it went out"));
        assert_eq!((outcome.status, outcome.code().as_str()), (Some(404), "unknown_endpoint"));
        let outcome = gate.ask(&Ask::chat("smart", false).without(":path"), &mut |_| panic!("it went out"));
        assert_eq!((outcome.status, outcome.code().as_str()), (Some(503), "policy_unavailable"));
    }
}

#[test]
fn many_headers_hide_none() {
    for failover in BOTH {
        for count in [500, 600, 5_000] {
            let mut gate = Gate::open(failover, &two_providers());
            let ask = Ask::chat("smart", false);
            let mut headers: Vec<_> = (0..count).map(|n| (format!("x-n-{n}").into_bytes(), b"1".to_vec())).collect();
            headers.extend(ask.headers.clone());
            let outcome = gate.ask(&Ask { headers, ..ask }, &mut |_| good());
            assert!(!outcome.foreign, "{count}");
            assert!(matches!(outcome.status, Some(200 | 503)), "{count}");
        }
        for count in [500, 600, 5_000] {
            let mut gate = Gate::open(failover, &two_providers());
            let mut ask = Ask::chat("smart", false).without("cookie").without("openai-organization");
            ask.headers.extend((0..count).map(|n| (format!("x-n-{n}").into_bytes(), b"1".to_vec())));
            let ask =
                ask.with("cookie", b"a=1").with("x-api-key", CLIENT_KEY.as_bytes()).with("x-weir-cluster", b"beta");
            let outcome = gate.ask(&ask, &mut |_| good());
            assert!(matches!(outcome.status, Some(200 | 503)), "{count}");
        }
    }
}

#[test]
fn a_header_list_cut_anywhere_is_refused() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let ask = Ask::chat("smart", false);
    let whole = serialize(&ask.headers);
    for length in 0..whole.len() - 1 {
        host(|host| host.faults = vec![Fault::Lie("get_pairs", whole[..length].to_vec())]);
        let outcome = gate.ask(&ask, &mut |_| panic!("cut at {length}, it went out"));
        assert_eq!((outcome.status, outcome.code().as_str()), (Some(503), "policy_unavailable"), "{length}");
    }
}

#[test]
fn a_header_list_with_any_byte_changed_does_no_harm() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let ask = Ask::chat("smart", false).without("cookie").without("openai-organization").without("authorization");
    let whole = serialize(&ask.headers);
    for at in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            host(|host| host.faults = vec![Fault::Lie("get_pairs", bytes)]);
            // What such a host shows is not what it has: only that nothing panics can be asked of it.
            gate.listener_alone(&ask);
        }
    }
}

#[test]
fn bodies_of_any_bytes_are_answered() {
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        vec![0; 10_000],
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"{\"model\":null}".to_vec(),
        b"{\"model\":\"smart\"}\0".to_vec(),
        b"\xef\xbb\xbf{\"model\":\"smart\"}".to_vec(),
        b"{\"model\":\"smart\",\"model\":\"smart\"}".to_vec(),
        b"{\"model\":\"\xff\xfe\"}".to_vec(),
        b"{\"model\":\"\\ud800\"}".to_vec(),
        vec![b'['; 200_000],
        b"{\"a\":".repeat(100_000),
        format!("{{\"model\":\"{}\"}}", "x".repeat(500_000)).into_bytes(),
        json!({"model": "a\r\nx-injected: 1", "messages": []}).to_string().into_bytes(),
        json!({"model": "alpha/a\r\nb", "messages": []}).to_string().into_bytes(),
    ];
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        for body in &bodies {
            let outcome = gate.ask(&Ask::post("/v1/chat/completions", body), &mut |_| panic!("it went out"));
            assert!(matches!(outcome.status, Some(400 | 404)), "{outcome:?}");
            assert!(outcome.body.len() < 2_000, "an answer does not repeat what was sent");
            assert_eq!(outcome.audit()["outcome"], "rejected");
        }
        let bare = Ask { chunks: Vec::new(), ..Ask::post("/v1/chat/completions", b"") };
        let outcome = gate.ask(&bare, &mut |_| panic!("it went out"));
        assert_eq!((outcome.status, outcome.code().as_str()), (Some(400), "invalid_request"));
    }
}

#[test]
fn an_audit_line_is_short_whatever_the_client_named() {
    let mut policy = two_providers();
    policy["routes"] = json!([{"match": {"model": ["*"]}, "models": ["smart"]}]);
    let mut gate = Gate::open(Failover::Refresh, &policy);
    let long = "x".repeat(500_000);
    gate.ask(&Ask::chat(&long, false), &mut |_| good());
    gate.ask(&Ask::chat("\r\nweir.audit {}", false), &mut |_| good());
    host(|host| {
        assert!(host.log.iter().all(|(_, line)| line.len() < 4_000 && !line.contains('\n')));
        assert!(host.metrics.iter().all(|name| name.len() < 1_000 && !name.contains(char::is_control)));
    });
}

#[test]
fn answers_of_any_bytes_pass() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        for body in
            [&b""[..], b"\0\0\0", b"data: \xff\n\n", b"{\"usage\":", b"data: {\"usage\":{\"prompt_tokens\":1e999}}\n\n"]
        {
            for kind in [&b"application/json"[..], b"text/event-stream", b"\xff", b""] {
                for status in [&b"200"[..], b"204", b"404", b"999", b"", b"\xff", b"2e2"] {
                    let headers = vec![
                        (b":status".to_vec(), status.to_vec()),
                        (b"content-type".to_vec(), kind.to_vec()),
                        (b"retry-after".to_vec(), b"\xff".to_vec()),
                        (b"x-weir-cluster".to_vec(), b"\xff".to_vec()),
                    ];
                    let reply = Response { headers, chunks: vec![body.to_vec()], end: crate::fixture::End::Last };
                    let outcome = gate
                        .ask(&Ask::chat("smart", true).with("x-usage", b"1"), &mut |_| Answer::Reply(reply.clone()));
                    // An error that is no JSON is told in the client's own shape.
                    let told = matches!(status, b"404" | b"999") && outcome.text().contains("\"upstream_error\"");
                    assert!(told || outcome.body == body, "{kind:?} {status:?}");
                    assert_eq!(outcome.audits.len(), 1);
                }
            }
        }
    }
}

#[test]
fn a_client_cannot_name_an_exchange() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    // On the way of a request of another route of this proxy, too.
    let outcome = gate.ask(&Ask::post("/other", b"{}"), &mut |_| good());
    assert!(outcome.foreign);
    assert_eq!((outcome.seen[0].header("x-weir-exchange"), outcome.seen[0].header("x-weir-cluster")), (None, None));
    assert_eq!(outcome.seen[0].header("cookie").unwrap(), "session=1", "nothing else is touched");
}

#[test]
fn a_dry_run_goes_nowhere_and_says_no_secret() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let outcome = gate.ask(&Ask::chat("smart", false).with("x-weir-dry-run", b"1"), &mut |_| panic!("it went out"));
    assert_eq!(outcome.status, Some(200));
    assert!(outcome.text().contains("alpha/big-a") && !outcome.text().contains(PROMPT));
    assert_eq!(outcome.audits.len(), 1);
}

#[test]
fn a_provider_s_customer_headers_stay_here() {
    let mut gate = Gate::open(Failover::Loop, &two_providers());
    let reply = Response::json(200, &completion()).with("openai-organization", "org").with("set-cookie", "a=1");
    let outcome = gate.ask(&Ask::chat("smart", false), &mut |_| Answer::Reply(reply.clone()));
    assert_eq!(value(&outcome.headers, "openai-organization"), None);
    assert_eq!(value(&outcome.headers, "set-cookie"), None);
}
