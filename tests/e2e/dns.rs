//! A provider whose name has no address, and one whose only address keeps failing.

use serde_json::{Value, json};

use crate::client::Request;
use crate::envoy::{Envoy, Failover, Setup};
use crate::fixture::{KEY_ONE, KEY_TWO, ask, policy};
use crate::in_both_designs;
use crate::provider::Providers;

/// Names are asked of a resolver that is not there, so that nothing leaves this machine and the answer comes at once.
fn without_dns(configuration: &str) -> String {
    let mut configuration: Value = serde_yaml_ng::from_str(configuration).expect("weir render writes YAML");
    for cluster in configuration["static_resources"]["clusters"].as_array_mut().expect("clusters") {
        if cluster["cluster_type"]["name"] == "envoy.clusters.dns" {
            cluster["cluster_type"]["typed_config"]["typed_dns_resolver_config"] = json!({
                "name": "envoy.network.dns_resolver.cares",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                    "resolvers": [{"socket_address": {"address": "127.0.0.1", "port_value": 1}}]
                }
            });
        }
    }
    configuration.to_string()
}

fn start(policy: &Value, failover: Failover, edit: &dyn Fn(String) -> String) -> Envoy {
    let environment = &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)];
    let envoy = Envoy::start(&Setup { policy, failover, workers: 1, environment, edit: &|_, text| edit(text) });
    envoy.unwrap_or_else(|refused| panic!("refused:\n{}", refused.log))
}

in_both_designs! {
    fn a_name_that_nobody_knows_goes_to_the_next_candidate(design) {
        let providers = Providers::start(&["one", "two"]);
        let mut policy = policy(providers.get("one"), providers.get("two"));
        policy["providers"]["one"]["endpoint"] = json!("http://nobody.invalid/v1");
        let envoy = start(&policy, design, &|text| without_dns(&text));
        let answer = Request::chat(ask("pair")).send(envoy.address);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"));
        Request::chat(ask("solo")).send(envoy.address).expect_error(502, "upstream_error");
    }

    fn a_name_with_one_address_is_used_however_often_it_fails(design) {
        let providers = Providers::start(&["one", "two"]);
        let mut policy = policy(providers.get("one"), providers.get("two"));
        let port = providers.get("one").address.port();
        policy["providers"]["one"]["endpoint"] = json!(format!("http://localhost:{port}/v1"));
        let envoy = start(&policy, design, &|text| text);
        providers.get("one").fault(&json!({"status": 503}));
        for _ in 0..25 {
            assert_eq!(Request::chat(ask("solo")).send(envoy.address).status, 503);
        }
        providers.get("one").heal();
        assert_eq!(Request::chat(ask("solo")).send(envoy.address).status, 200);
    }
}
