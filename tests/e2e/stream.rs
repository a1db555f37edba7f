//! Exchanges that do not end as they should: the client hangs up, the provider dies, usage is missing.

use serde_json::{Value, json};

use crate::client::Request;
use crate::fixture::{Stage, ask, ask_stream};
use crate::in_both_designs;

/// Tokens of kind `name`.
fn tokens(audit: &Value, name: &str) -> u64 {
    audit[name].as_u64().unwrap_or_else(|| panic!("{name} in {audit}"))
}

in_both_designs! {
    fn many_clients_that_hang_up_at_once_are_all_accounted(design) {
        let stage = Stage::workers(design, 2, |_| {});
        stage.one().fault(&json!({"chunks": 100, "chunk_delay_ms": 50}));
        let address = stage.envoy.address;
        let threads: Vec<_> = (0..20)
            .map(|number| {
                std::thread::spawn(move || {
                    let mut exchange = Request::chat(ask_stream("pair")).open(address);
                    for _ in 0..number % 4 {
                        exchange.next_event();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let audits = stage.envoy.audited(20);
        assert!(audits.iter().all(|audit| audit["outcome"] == "client_gone"), "{audits:#?}");
        assert!(audits.iter().all(|audit| audit["usage"] == "estimated"), "{audits:#?}");
        stage.envoy.expect_no_trap();
    }

    fn a_client_that_hangs_up_while_it_sends_costs_nothing(design) {
        let stage = Stage::new(design);
        let body = json!({"model": "pair", "messages": [{"role": "user", "content": "x".repeat(200_000)}]});
        drop(Request::chat(body.to_string()).send_partly(stage.envoy.address, 100_000));
        let audit = stage.envoy.audit();
        assert_eq!(audit["outcome"], "client_gone", "{audit}");
        assert_eq!(audit["cost_microusd"], 0, "{audit}");
        assert!(stage.one().received().is_empty());
        assert_eq!(stage.chat(&ask("pair")).status, 200);
        stage.envoy.expect_no_trap();
    }

    fn a_large_answer_passes_whole_and_is_metered(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"answer_bytes": 3_000_000, "chunks": 300}));
        for body in [ask("pair"), ask_stream("pair")] {
            let answer = stage.chat(&body);
            assert_eq!(answer.status, 200);
            assert!(answer.clean_end && answer.body.len() > 3_000_000, "{} bytes", answer.body.len());
        }
        for audit in stage.envoy.audited(2) {
            assert_eq!(audit["usage"], "reported", "{audit}");
            assert!(tokens(&audit, "output") >= 750_000, "{audit}");
        }
    }

    fn a_client_that_hangs_up_is_accounted_by_estimate_and_the_provider_is_let_go(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"chunks": 200, "answer_bytes": 8000, "chunk_delay_ms": 50}));
        let mut exchange = Request::chat(ask_stream("pair")).open(stage.envoy.address);
        let seen: usize = (0..10).map(|_| exchange.next_event().expect("an event").data.len()).sum();
        assert!(seen > 1000);
        drop(exchange);
        let received = stage.one().only_ended();
        assert_eq!(received.ended.as_deref(), Some("client_gone"));
        // The whole stream would have taken ten seconds.
        let lasted = received.ended_ms.unwrap() - received.received_ms;
        assert!(lasted < 5000, "the provider kept sending for {lasted} ms");
        let audit = stage.envoy.audit();
        assert_eq!(audit["outcome"], "client_gone", "{audit}");
        assert_eq!(audit["usage"], "estimated", "{audit}");
        assert!(tokens(&audit, "input") > 0, "{audit}");
        // Ten pieces of forty bytes are about a hundred tokens; the whole answer would be two thousand.
        assert!((30..600).contains(&tokens(&audit, "output")), "{audit}");
        assert!(tokens(&audit, "cost_microusd") > 0, "{audit}");
        assert_eq!(stage.envoy.metric("weir_usage_estimated_total", &[]), 1.0);
        assert!(stage.two().received().is_empty());
    }

    fn a_client_that_hangs_up_before_the_first_byte_is_accounted(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"hang": true}));
        let address = stage.envoy.address;
        let waiting = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let body = ask("pair");
            let head = format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
                crate::fixture::CLIENT_KEY,
                body.len()
            );
            std::io::Write::write_all(&mut stream, format!("{head}{body}").as_bytes()).unwrap();
            stream
        });
        crate::fixture::eventually("the provider has the request", || stage.one().received().pop());
        drop(waiting.join().unwrap());
        assert_eq!(stage.one().only_ended().ended.as_deref(), Some("client_gone"));
        let audit = stage.envoy.audit();
        assert_eq!(audit["outcome"], "client_gone", "{audit}");
        assert!(stage.two().received().is_empty(), "nobody waits for an answer any more");
    }

    fn a_provider_that_dies_in_the_middle_of_a_stream_leaves_no_clean_end(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"chunks": 20, "chunk_delay_ms": 20, "cut_after_chunks": 10}));
        let answer = stage.chat(&ask_stream("pair"));
        assert_eq!(answer.status, 200);
        assert!(!answer.clean_end, "{}", answer.text());
        assert!(answer.events().len() >= 5, "{}", answer.text());
        assert!(!answer.text().contains("[DONE]"));
        let audit = stage.envoy.audit();
        assert_eq!(audit["outcome"], "upstream_cut", "{audit}");
        assert_eq!(audit["usage"], "estimated", "{audit}");
        assert!(tokens(&audit, "output") > 0, "{audit}");
        assert!(stage.two().received().is_empty());
    }

    fn a_provider_that_dies_in_the_middle_of_a_body_leaves_no_clean_end(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"cut_body": true, "answer_bytes": 4000, "first_byte_delay_ms": 200}));
        let answer = stage.chat(&ask("pair"));
        assert!(!answer.clean_end, "{answer:?}");
        let audit = stage.envoy.audit();
        assert_eq!(audit["outcome"], "upstream_cut", "{audit}");
        assert_eq!(audit["usage"], "estimated", "{audit}");
    }

    fn a_provider_that_reports_no_usage_is_accounted_by_estimate(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"no_usage": true, "answer_bytes": 4000}));
        assert_eq!(stage.chat(&ask("pair")).status, 200);
        assert_eq!(stage.chat(&ask_stream("pair")).status, 200);
        for audit in stage.envoy.audited(2) {
            assert_eq!(audit["usage"], "estimated", "{audit}");
            assert_eq!(audit["outcome"], "ok", "{audit}");
            assert!((1..200).contains(&tokens(&audit, "input")), "{audit}");
            assert!((500..2000).contains(&tokens(&audit, "output")), "{audit}");
        }
        assert_eq!(stage.envoy.metric("weir_usage_estimated_total", &[]), 2.0);
    }

    fn an_error_event_inside_a_stream_reaches_the_client(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"chunks": 6, "error_event_after": 3}));
        let answer = stage.chat(&ask_stream("pair"));
        let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
        assert!(last["error"]["message"].as_str().unwrap().contains("broke off"), "{last}");
        assert!(!answer.text().contains("[DONE]"));
    }

    fn an_answer_in_one_byte_pieces_is_put_together(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"chunk_bytes": 1}));
        let streamed = stage.chat(&ask_stream("pair"));
        let whole = stage.chat(&ask("pair"));
        let received = stage.one().received();
        stage.one().heal();
        let own = stage.one().answer_to(&received[0].body).events();
        let expected: Vec<String> = own
            .iter()
            .filter(|event| !event.contains("\"choices\":[],"))
            .map(|event| event.replace(",\"usage\":null}", "}"))
            .collect();
        assert_eq!(streamed.events(), expected);
        assert_eq!(whole.text(), stage.one().answer_to(&received[1].body).text());
        for audit in stage.envoy.audited(2) {
            assert_eq!(audit["usage"], "reported", "{audit}");
        }
        stage.envoy.expect_no_trap();
    }
}
