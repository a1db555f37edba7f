//! New rules without a restart: the filter's configuration comes from a file that Envoy watches (ECDS).

use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::envoy::{Envoy, Failover, Setup};
use crate::fixture::{self, KEY_ONE, KEY_TWO, ask, eventually};
use crate::in_both_designs;
use crate::provider::Providers;

const TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The same configuration with another policy in its listener filter.
pub fn edit_policy(configuration: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut configuration = parse(configuration);
    edit_filter(listener_filter(&mut configuration), change);
    configuration.to_string()
}

fn parse(configuration: &str) -> Value {
    serde_yaml_ng::from_str(configuration).expect("weir render writes YAML")
}

/// The `weir` entry of the listener's `http_filters`.
fn listener_filter(configuration: &mut Value) -> &mut Value {
    let listeners = configuration["static_resources"]["listeners"].as_array_mut().expect("listeners");
    let listener = listeners.iter_mut().find(|listener| listener["name"] == "weir").expect("the listener");
    let filters = &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
    filters.as_array_mut().expect("filters").iter_mut().find(|filter| filter["name"] == "weir").expect("the filter")
}

fn edit_filter(filter: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = &mut filter["typed_config"]["config"]["configuration"]["value"];
    let mut plugin: Value = serde_json::from_str(text.as_str().expect("text")).expect("JSON");
    change(&mut plugin["policy"]);
    *text = json!(plugin.to_string());
}

/// Moves the listener filter's configuration into `DIRECTORY/rules.yaml`.
fn watch_rules(directory: &Path, configuration: &str) -> String {
    let mut configuration = parse(configuration);
    let filter = listener_filter(&mut configuration);
    write_rules(directory, filter);
    *filter = json!({
        "name": "weir",
        "config_discovery": {
            "config_source": {"path_config_source": {"path": directory.join("rules.yaml")}},
            "type_urls": [TYPE]
        }
    });
    configuration["node"] = json!({"id": "e2e", "cluster": "e2e"});
    configuration.to_string()
}

/// Writes the filter's configuration under its final name in one step, as Envoy's file watch wants it.
fn write_rules(directory: &Path, filter: &Value) {
    let resource = json!({"resources": [{
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": "weir",
        "typed_config": filter["typed_config"]
    }]});
    let next = directory.join("rules.next.yaml");
    std::fs::write(&next, resource.to_string()).expect("writes");
    std::fs::rename(&next, directory.join("rules.yaml")).expect("renames");
}

/// An Envoy whose rules can be changed.
struct Changeable {
    envoy: Envoy,
    /// The listener filter as rendered.
    filter: Value,
    _providers: Providers,
}

impl Changeable {
    fn start(design: Failover, workers: u32) -> Self {
        let providers = Providers::start(&["one", "two"]);
        let policy = fixture::policy(providers.get("one"), providers.get("two"));
        let filter = std::cell::RefCell::new(Value::Null);
        let envoy = Envoy::start(&Setup {
            policy: &policy,
            failover: design,
            workers,
            environment: &[("KEY_ONE", KEY_ONE), ("KEY_TWO", KEY_TWO)],
            edit: &|directory, text| {
                *filter.borrow_mut() = listener_filter(&mut parse(&text)).clone();
                watch_rules(directory, &text)
            },
        })
        .unwrap_or_else(|refused| panic!("refused:\n{}", refused.log));
        Self { envoy, filter: filter.into_inner(), _providers: providers }
    }

    /// Gives Envoy the rendered rules with a change.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut filter = self.filter.clone();
        edit_filter(&mut filter, change);
        write_rules(self.envoy.directory(), &filter);
    }

    fn ask_for(&self, model: &str) -> Response {
        Request::chat(ask(model)).send(self.envoy.address)
    }

    fn reloads(&self) -> u64 {
        self.envoy.stat_ending("weir.config_reload")
    }

    fn failures(&self) -> u64 {
        self.envoy.stat_ending("weir.config_fail") + self.envoy.stat_ending("weir.update_rejected")
    }
}

in_both_designs! {
    fn updates_under_load_fail_no_request(design) {
        let changeable = Changeable::start(design, 2);
        let address = changeable.envoy.address;
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let done = std::sync::Arc::clone(&done);
                std::thread::spawn(move || {
                    let mut answered = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let body = if client % 2 == 0 { ask("pair") } else { fixture::ask_stream("pair") };
                        let answer = Request::chat(body).send(address);
                        assert!(answer.status == 200 && answer.clean_end, "{} {}", answer.status, answer.text());
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        for round in 0..6 {
            let name = format!("fresh-{round}");
            changeable.change(|policy| policy["models"][&name] = policy["models"]["solo"].clone());
            eventually("the update is taken", || (changeable.ask_for(&name).status == 200).then_some(()));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for client in clients {
            assert!(client.join().expect("every request is answered") > 0);
        }
        changeable.envoy.expect_no_trap();
    }

    fn a_good_update_takes_effect_without_a_restart(design) {
        let changeable = Changeable::start(design, 2);
        changeable.ask_for("fresh").expect_error(404, "unknown_model");
        let before = changeable.reloads();
        changeable.change(|policy| policy["models"]["fresh"] = policy["models"]["solo"].clone());
        eventually("the update is taken", || (changeable.reloads() > before).then_some(()));
        // Workers learn of it one after the other.
        eventually("the new model answers", || (changeable.ask_for("fresh").status == 200).then_some(()));
        for _ in 0..10 {
            assert_eq!(changeable.ask_for("pair").status, 200);
        }
        changeable.envoy.expect_no_trap();
    }

    fn a_bad_update_leaves_the_old_rules_in_force(design) {
        let changeable = Changeable::start(design, 2);
        assert_eq!(changeable.ask_for("pair").status, 200);
        let before = changeable.failures();
        changeable.change(|policy| policy["routes"][0]["prefers"] = json!("cheapest"));
        eventually("the update is refused", || (changeable.failures() > before).then_some(()));
        for _ in 0..10 {
            let answer = changeable.ask_for("pair");
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("x-weir-route").as_deref(), Some("main"));
        }
        assert!(changeable.envoy.log().contains("routes[0].prefers"), "{}", changeable.envoy.log());
        changeable.change(|policy| policy["models"]["fresh"] = policy["models"]["solo"].clone());
        eventually("the next good update is taken", || (changeable.ask_for("fresh").status == 200).then_some(()));
        changeable.envoy.expect_no_trap();
    }

    fn counters_survive_an_update(design) {
        let changeable = Changeable::start(design, 1);
        assert_eq!(changeable.ask_for("pair").status, 200);
        let before = changeable.reloads();
        changeable.change(|policy| policy["models"]["fresh"] = policy["models"]["solo"].clone());
        eventually("the update is taken", || (changeable.reloads() > before).then_some(()));
        eventually("the new model answers", || (changeable.ask_for("fresh").status == 200).then_some(()));
        assert!(changeable.envoy.metric("weir_requests_total", &[("outcome", "ok")]) >= 2.0);
        eventually("each audit line says which policy decided", || {
            let versions: std::collections::BTreeSet<String> =
                changeable.envoy.audits().iter().map(|audit| audit["policy"].to_string()).collect();
            (versions.len() == 2).then_some(())
        });
    }
}
