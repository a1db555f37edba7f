//! Providers behind TLS: the name is checked, and a provider that cannot prove it gets no key. The certificates below
//! `tls/` are for tests alone; the keys beside them guard nothing.

use std::path::Path;

use serde_json::json;

use crate::client::{Request, Response};
use crate::envoy::{Envoy, Failover, Setup};
use crate::fixture::{self, KEY_ONE, KEY_TWO, ask};
use crate::in_both_designs;
use crate::provider::{Provider, Providers};

/// Where `weir render` expects the certificate authorities unless told otherwise.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/tls").join(name).display().to_string()
}

/// A bare Envoy that ends TLS in front of a mock provider, with the certificate of this name.
fn terminator(before: &Provider, certificate: &str) -> Envoy {
    let configuration = json!({
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {
            "listeners": [{
                "name": "weir",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [{
                    "transport_socket": {
                        "name": "tls",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                            "common_tls_context": {"tls_certificates": [{
                                "certificate_chain": {"filename": file(&format!("{certificate}.pem"))},
                                "private_key": {"filename": file(&format!("{certificate}.key"))}
                            }]}
                        }
                    },
                    "filters": [{
                        "name": "envoy.filters.network.tcp_proxy",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                            "stat_prefix": "tls",
                            "cluster": "mock"
                        }
                    }]
                }]
            }],
            "clusters": [{
                "name": "mock",
                "type": "STATIC",
                "load_assignment": {"cluster_name": "mock", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                    "socket_address": {"address": "127.0.0.1", "port_value": before.address.port()}
                }}}]}]}
            }]
        }
    });
    Envoy::bare(&configuration)
}

/// Asks for a model whose first provider shows this certificate, with these authorities trusted; the answer, and what
/// the provider received.
fn ask_over_tls(design: Failover, certificate: &str, authority: &str) -> (Response, usize, String) {
    let providers = Providers::start(&["one", "two"]);
    let tls = terminator(providers.get("one"), certificate);
    let mut policy = fixture::policy(providers.get("one"), providers.get("two"));
    policy["providers"]["one"]["endpoint"] = json!(format!("https://localhost:{}/v1", tls.address.port()));
    let envoy = Envoy::start(&Setup {
        policy: &policy,
        failover: design,
        workers: 1,
        environment: &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)],
        edit: &|_, text| {
            assert!(text.contains(SYSTEM_AUTHORITIES), "the rendered configuration names the authorities");
            text.replace(SYSTEM_AUTHORITIES, &file(authority))
        },
    })
    .unwrap_or_else(|refused| panic!("refused:\n{}", refused.log));
    let answer = Request::chat(ask("pair")).send(envoy.address);
    let received = providers.get("one").received();
    let host = received.first().map(|one| one.headers("host").concat()).unwrap_or_default();
    (answer, received.len(), host.replace(&tls.address.port().to_string(), "PORT"))
}

in_both_designs! {
    fn a_provider_that_proves_its_name_is_asked(design) {
        let (answer, received, host) = ask_over_tls(design, "localhost", "ca.pem");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("one"));
        assert_eq!((received, host.as_str()), (1, "localhost:PORT"));
    }

    fn a_provider_with_a_certificate_for_another_name_gets_no_key_and_the_next_is_asked(design) {
        let (answer, received, _) = ask_over_tls(design, "elsewhere", "ca.pem");
        assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"), "{}", answer.text());
        assert_eq!(received, 0);
    }
}

#[test]
fn a_provider_whose_authority_is_not_trusted_gets_no_key() {
    let (answer, received, _) = ask_over_tls(Failover::Refresh, "localhost", "another-ca.pem");
    assert_eq!(answer.header("x-weir-provider").as_deref(), Some("two"), "{}", answer.text());
    assert_eq!(received, 0);
}
