//! Bodies in pieces: what the client and the provider get does not hang on where the pieces end.

use crate::fixture::{Answer, Ask, BOTH, End, Failover, Response, WHOLE_ENDS, two_providers, value};
use crate::gate::Gate;
use crate::host::Dice;
use crate::pass::{completion, stream_with_usage};

fn pieces(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}

#[test]
fn an_answer_is_the_same_at_every_split() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    for (stream, text) in [(false, completion()), (true, stream_with_usage())] {
        let whole = if stream { Response::sse(&text) } else { Response::json(200, &text) };
        let ask = Ask::chat("smart", stream);
        let expected = gate.ask(&ask, &mut |_| Answer::Reply(whole.clone()));
        let mut same = |chunks: Vec<Vec<u8>>, end: End| {
            let outcome =
                gate.ask(&ask, &mut |_| Answer::Reply(Response { chunks: chunks.clone(), end, ..whole.clone() }));
            assert_eq!(
                outcome.text(),
                expected.text(),
                "{end:?} {:?}",
                chunks.iter().map(Vec::len).collect::<Vec<_>>()
            );
            for field in ["input", "output", "outcome", "usage", "cost_microusd", "status"] {
                assert_eq!(outcome.audit()[field], expected.audit()[field], "{field}");
            }
        };
        let bytes = text.as_bytes();
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            same(vec![left.to_vec(), right.to_vec()], End::Last);
        }
        for end in WHOLE_ENDS {
            same(pieces(bytes, 1), end);
            same(pieces(bytes, 3), end);
            same(vec![Vec::new(), bytes.to_vec(), Vec::new()], end);
        }
    }
}

#[test]
fn a_request_is_the_same_in_any_pieces() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let whole = Ask::chat("smart", true);
        let body = whole.body();
        let mut dice = Dice(7);
        let answer = Answer::Reply(Response::sse(&stream_with_usage()));
        let mut sent = |chunks: Vec<Vec<u8>>, end: End| {
            let outcome = gate.ask(&Ask { chunks, end, ..whole.clone() }, &mut |_| answer.clone());
            assert_eq!(outcome.audit()["outcome"], "ok");
            outcome.seen[0].body.clone()
        };
        let expected = sent(vec![body.clone()], End::Last);
        for end in WHOLE_ENDS {
            for size in 1..=body.len() {
                assert_eq!(sent(pieces(&body, size), end), expected);
            }
            for _ in 0..100 {
                let at = usize::try_from(dice.below(body.len() as u64)).unwrap();
                let (left, right) = body.split_at(at);
                assert_eq!(sent(vec![left.to_vec(), Vec::new(), right.to_vec()], end), expected);
            }
        }
    }
}

#[test]
fn a_body_over_the_proxy_s_limit_is_answered_in_the_client_s_shape() {
    let mut gate = Gate::open(Failover::Refresh, &two_providers());
    let ask = Ask { limit: 20, ..Ask::chat("smart", false) };
    let outcome = gate.ask(&ask, &mut |_| panic!("it goes nowhere"));
    assert_eq!((outcome.status, outcome.code().as_str()), (Some(413), "body_too_large"));
    assert_eq!(value(&outcome.headers, "content-length").unwrap(), outcome.body.len().to_string());
    assert_eq!((&outcome.audit()["code"], &outcome.audit()["status"]), (&"body_too_large".into(), &413.into()));
}

#[test]
fn a_stream_that_breaks_off_is_booked_by_estimate() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let text = stream_with_usage();
        let half = text.as_bytes()[..text.len() / 2].to_vec();
        let reply = Response { chunks: vec![half], end: End::Cut, ..Response::sse("") };
        let outcome = gate.ask(&Ask::chat("smart", true), &mut |_| Answer::Reply(reply.clone()));
        let audit = outcome.audit();
        assert_eq!((&audit["outcome"], &audit["usage"]), (&"upstream_cut".into(), &"estimated".into()));
        assert!(audit["output"].as_u64().unwrap() > 0);
    }
}

#[test]
fn a_client_that_hangs_up_is_booked_whenever_it_does() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let text = stream_with_usage();
        let chunks = pieces(text.as_bytes(), 40);
        // The pieces of the first event leave together, so that fewer come out than went in.
        for leaves in 0..chunks.len() / 2 {
            let ask = Ask { leaves_before: Some(leaves), ..Ask::chat("smart", true) };
            let reply = Response { chunks: chunks.clone(), ..Response::sse("") };
            let outcome = gate.ask(&ask, &mut |_| Answer::Reply(reply.clone()));
            assert_eq!(outcome.audit()["outcome"], "client_gone", "{leaves}");
        }
    }
}
