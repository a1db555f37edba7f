//! A route that Envoy mirrors: the copy carries nobody's credential, whatever becomes of the original.

use serde_json::{Value, json};

use crate::client::Request;
use crate::envoy::{Envoy, Failover, Setup};
use crate::fixture::{CLIENT_KEY, KEY_ONE, KEY_TWO, ask, eventually, policy};
use crate::in_both_designs;
use crate::provider::{Provider, Providers};

/// Adds a mirror to every route of the listener that clients reach.
fn mirrored(configuration: &str, to: &Provider) -> String {
    let mut configuration: Value = serde_yaml_ng::from_str(configuration).expect("weir render writes YAML");
    let address = json!({"address": to.address.ip().to_string(), "port_value": to.address.port()});
    let host = json!({"endpoint": {"address": {"socket_address": address}}});
    let cluster = json!({
        "name": "shadow",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "shadow", "endpoints": [{"lb_endpoints": [host]}]}
    });
    let resources = &mut configuration["static_resources"];
    resources["clusters"].as_array_mut().expect("clusters").push(cluster);
    let listeners = resources["listeners"].as_array_mut().expect("listeners");
    let listener = listeners.iter_mut().find(|listener| listener["name"] == "weir").expect("the listener");
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().expect("routes");
    for route in routes {
        route["route"]["request_mirror_policies"] = json!([{"cluster": "shadow"}]);
    }
    configuration.to_string()
}

fn start(providers: &Providers, failover: Failover) -> Envoy {
    let shadow = providers.get("shadow");
    let envoy = Envoy::start(&Setup {
        policy: &policy(providers.get("one"), providers.get("two")),
        failover,
        workers: 1,
        environment: &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)],
        edit: &|_, text| mirrored(&text, shadow),
    });
    envoy.unwrap_or_else(|refused| panic!("refused:\n{}", refused.log))
}

in_both_designs! {
    fn a_mirror_gets_no_credential_on_any_attempt(design) {
        let providers = Providers::start(&["one", "two", "shadow"]);
        let envoy = start(&providers, design);
        assert_eq!(Request::chat(ask("pair")).send(envoy.address).status, 200);
        providers.get("one").fault(&json!({"status": 503}));
        let answer = Request::chat(ask("pair")).send(envoy.address);
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"), "{}", answer.text());
        let copies = eventually("both requests are copied", || {
            Some(providers.get("shadow").received()).filter(|received| received.len() >= 2)
        });
        for copy in copies {
            let headers = copy.header_text();
            for secret in [CLIENT_KEY, KEY_ONE, KEY_TWO] {
                assert!(!headers.contains(secret) && !copy.body.contains(secret), "{headers}");
            }
            assert!(copy.headers("authorization").is_empty(), "{headers}");
            assert!(copy.headers("x-two-only").is_empty(), "{headers}");
        }
        assert_eq!(envoy.audited(2).len(), 2);
    }
}
