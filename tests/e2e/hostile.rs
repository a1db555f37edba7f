//! Requests that are too large, malformed, in odd pieces, or that try to steer the gateway.

use serde_json::json;

use crate::client::Request;
use crate::fixture::{CLIENT_KEY, Stage, ask, ask_stream};
use crate::in_both_designs;

in_both_designs! {
    fn a_body_over_the_limit_is_refused_in_the_clients_shape(design) {
        let stage = Stage::new(design);
        let text = "x".repeat(9 * 1024 * 1024);
        let body = json!({"model": "pair", "messages": [{"role": "user", "content": text}]}).to_string();
        stage.chat(&body).expect_error(413, "body_too_large");
        assert!(stage.one().received().is_empty());
        assert_eq!(stage.envoy.audit()["code"], "body_too_large");
        assert_eq!(stage.chat(&ask("pair")).status, 200);
    }

    fn a_body_of_three_megabytes_passes(design) {
        let stage = Stage::new(design);
        let text = "x".repeat(3_000_000);
        let body = json!({"messages": [{"role": "user", "content": text}], "model": "pair"}).to_string();
        let answer = stage.chat(&body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(stage.one().only().body == body.replace("\"pair\"", "\"alpha\""), "the body arrived as it was");
    }

    fn a_request_in_one_byte_chunks_is_put_together(design) {
        let stage = Stage::new(design);
        for body in [ask("pair"), ask_stream("pair")] {
            let answer = stage.send(&Request::chat(body).in_chunks_of(1));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(stage.one().received()[0].body, ask("alpha"));
        stage.envoy.expect_no_trap();
    }

    fn headers_that_are_not_text_do_no_harm(design) {
        let stage = Stage::new(design);
        let odd = [0xff_u8, 0xfe, b'a', 0x80];
        let answer = stage.send(&Request::chat(ask("pair")).header("x-odd", odd).header("x-weir-tags", odd));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let without_key = Request::chat(ask("pair")).without("authorization");
        stage.send(&without_key.clone().header("authorization", odd)).expect_error(401, "unauthenticated");
        stage.send(&without_key.header("x-api-key", odd)).expect_error(401, "unauthenticated");
        stage.envoy.expect_no_trap();
        assert_eq!(stage.chat(&ask("pair")).status, 200);
    }

    fn a_client_cannot_steer_the_gateway_by_headers(design) {
        let stage = Stage::new(design);
        let steering = [
            ("x-weir-cluster", "two"),
            ("x-weir-exchange", "x"),
            ("x-weir-provider", "two"),
            ("x-weir-model", "beta"),
            ("x-weir-attempts", "9"),
            ("x-weir-anything", "9"),
            ("x-envoy-attempt-count", "2"),
            ("x-envoy-max-retries", "0"),
            ("x-envoy-retry-on", "retriable-4xx"),
            ("x-envoy-retriable-status-codes", "200"),
            ("x-envoy-upstream-rq-timeout-ms", "1"),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
            ("x-envoy-original-path", "/elsewhere"),
            ("x-envoy-hedge-on-per-try-timeout", "true"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-envoy-internal", "true"),
        ];
        let request = steering.iter().fold(Request::chat(ask("pair")), |request, (name, value)| request.header(name, value));
        stage.one().fault(&json!({"delay_ms": 50}));
        let answer = stage.send(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("one"));
        assert_eq!(answer.header("x-weir-attempts").as_deref(), Some("1"));
        stage.one().heal();
        stage.one().fault(&json!({"status": 503}));
        let answer = stage.send(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"));
        for received in stage.one().received().iter().chain(&stage.two().received()) {
            let headers = received.header_text();
            for (name, value) in steering {
                assert!(!headers.contains(&format!("{name}: {value}\n")), "{headers}");
            }
            assert!(!headers.contains("x-envoy-"), "{headers}");
            assert!(!headers.contains("203.0.113.9"), "{headers}");
        }
    }

    fn a_client_cannot_ride_on_an_exchange_that_is_under_way(design) {
        let stage = Stage::new(design);
        stage.one().fault(&json!({"chunks": 100, "chunk_delay_ms": 50}));
        let mut exchange = Request::chat(ask_stream("pair")).open(stage.envoy.address);
        exchange.next_event().expect("an event");
        let id = exchange.header("x-weir-decision").expect("its id");
        // Nothing of Weir's stands on these paths, so nothing there may reach a provider, whatever the headers name.
        for (method, path) in [("POST", "/"), ("PUT", "/"), ("POST", "/v1"), ("POST", "/v1beta"), ("GET", "/nowhere")] {
            let rider = Request::new(method, path)
                .json(ask("anything"))
                .header("x-weir-exchange", &id)
                .header("x-weir-cluster", "two");
            let status = stage.send(&rider).status;
            assert!(status >= 400, "{method} {path}: {status}");
        }
        assert!(stage.two().received().is_empty(), "{:#?}", stage.two().received());
        assert_eq!(stage.one().received().len(), 1);
        drop(exchange);
        assert_eq!(stage.envoy.audit()["attempts"].as_array().unwrap().len(), 1);
    }

    fn bodies_that_are_not_a_chat_request_are_refused_with_the_place(design) {
        let stage = Stage::new(design);
        let broken = r#"{"model":"pair","messages":[}"#;
        let message = stage.chat(broken).expect_error(400, "invalid_request");
        let place = broken.find('}').unwrap();
        assert!(message.contains(&format!("byte {place}")), "{message:?} says byte {place}");
        let not_text: &[u8] = b"{\"model\":\"pair\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}";
        let deep = format!("{{\"model\":\"pair\",\"messages\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let bodies: [&[u8]; 9] = [
            b"",
            b" ",
            b"null",
            b"[]",
            b"\"pair\"",
            b"{\"model\":7,\"messages\":[]}",
            b"{\"model\":\"pair\"",
            b"{\"model\":\"pair\",\"messages\":[]} trailing",
            deep.as_bytes(),
        ];
        for body in bodies {
            stage.send(&Request::chat(body)).expect_error(400, "invalid_request");
        }
        // Vendors differ on text that is not UTF-8; the gateway only must not fall over it.
        assert!([200, 400].contains(&stage.send(&Request::chat(not_text)).status));
        stage.envoy.expect_no_trap();
        assert_eq!(stage.chat(&ask("pair")).status, 200);
    }

    fn a_model_named_twice_is_refused(design) {
        let stage = Stage::new(design);
        // Which of the two counts differs between JSON readers: what policy allowed might not be what the provider runs.
        let body = r#"{"model":"solo","messages":[{"role":"user","content":"hi"}],"model":"pair"}"#;
        let message = stage.chat(body).expect_error(400, "invalid_request");
        assert!(message.contains("model"), "{message:?}");
        let escaped = body.replacen("\"model\"", "\"mod\\u0065l\"", 1);
        stage.chat(&escaped).expect_error(400, "invalid_request");
        assert!(stage.one().received().is_empty());
    }

    fn a_path_in_disguise_is_the_same_path(design) {
        let stage = Stage::new(design);
        let body = ask("pair");
        for path in ["/v1//chat/completions", "/v1/./chat/completions", "/v1/x/../chat/completions", "/v1/chat%2Fcompletions"] {
            let keyless = Request::new("POST", path).json(body.as_str());
            let status = stage.send(&keyless).status;
            assert!([307, 400, 401, 404].contains(&status), "{path} without a key: {status}");
            let status = stage.send(&keyless.key(CLIENT_KEY)).status;
            assert!([200, 307, 400, 404].contains(&status), "{path} with a key: {status}");
        }
        for received in stage.one().received() {
            assert_eq!(received.path, "/v1/chat/completions");
        }
    }
}
