//! A configuration of Envoy taken apart: its listeners' HTTP chains, routes, clusters and Weir's filters among them, from a
//! bootstrap file or from `/config_dump`. It judges nothing (see `inspect`).

use serde_json::Value;

use super::node::Node;

/// What of a configuration matters to Weir.
pub struct Envoy<'a> {
    /// The bootstrap message, if the document holds it.
    pub bootstrap: Option<Node<'a>>,
    /// Every HTTP connection manager of a listener.
    pub chains: Vec<Chain<'a>>,
    /// Every cluster.
    pub clusters: Vec<Cluster<'a>>,
}

/// One HTTP connection manager of a listener.
pub struct Chain<'a> {
    /// The listener.
    pub listener: Node<'a>,
    /// The connection manager's message.
    pub manager: Node<'a>,
    /// Its routes' virtual hosts, also those of a route table of its own.
    pub hosts: Vec<Node<'a>>,
    /// Weir's filters in it.
    pub plugins: Vec<Plugin<'a>>,
}

impl Chain<'_> {
    /// Whether only Envoy itself can connect to it.
    pub fn is_internal(&self) -> bool {
        self.listener.get("internal_listener").is_some()
    }
}

/// One cluster.
pub struct Cluster<'a> {
    /// The cluster's message.
    pub node: Node<'a>,
    /// Its name.
    pub name: &'a str,
    /// Its upstream filters, in order.
    pub filters: Vec<Node<'a>>,
    /// Weir's filters among them.
    pub plugins: Vec<Plugin<'a>>,
}

/// One of Weir's filters.
pub struct Plugin<'a> {
    /// The plugin's `config` message.
    pub config: Node<'a>,
    /// What the filter is configured with; null when it is not JSON.
    pub configuration: Value,
}

impl Plugin<'_> {
    /// The text of a member of what the filter is configured with; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.configuration.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl<'a> Envoy<'a> {
    /// Takes a document apart.
    pub fn read(document: &'a Value) -> Self {
        let root = Node::root(document);
        let dumps = root.items("configs");
        let bootstrap =
            if dumps.is_empty() { Some(root.clone()) } else { dumps.iter().find_map(|dump| dump.get("bootstrap")) };
        let mut listeners = Vec::new();
        let mut clusters = Vec::new();
        let mut tables = Vec::new();
        if dumps.is_empty() {
            let resources = root.get("static_resources").into_iter();
            for resources in resources {
                listeners.extend(resources.items("listeners"));
                clusters.extend(resources.items("clusters"));
            }
        }
        for dump in &dumps {
            listeners.extend(dump.items("static_listeners").iter().filter_map(|entry| entry.get("listener")));
            let dynamic = dump.items("dynamic_listeners");
            listeners.extend(dynamic.iter().filter_map(|entry| entry.at(&["active_state", "listener"])));
            for kind in ["static_clusters", "dynamic_active_clusters"] {
                clusters.extend(dump.items(kind).iter().filter_map(|entry| entry.get("cluster")));
            }
            tables.extend(dump.items("dynamic_route_configs").iter().filter_map(|entry| entry.get("route_config")));
        }
        Self {
            chains: listeners.iter().flat_map(|listener| chains(listener, &tables)).collect(),
            clusters: clusters.into_iter().map(cluster).collect(),
            bootstrap,
        }
    }

    /// The cluster of that name.
    pub fn cluster(&self, name: &str) -> Option<&Cluster<'a>> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }
}

fn chains<'a>(listener: &Node<'a>, tables: &[Node<'a>]) -> Vec<Chain<'a>> {
    let mut filter_chains = listener.items("filter_chains");
    filter_chains.extend(listener.get("default_filter_chain"));
    let filters = filter_chains.iter().flat_map(|chain| chain.items("filters"));
    let managers = filters
        .filter_map(|filter| filter.get("typed_config"))
        .filter(|config| config.is_type("http_connection_manager.v3.HttpConnectionManager"));
    managers
        .map(|manager| {
            let table = manager.get("route_config").or_else(|| {
                let name = manager.get("rds")?.text("route_config_name");
                tables.iter().find(|table| table.text("name") == name).cloned()
            });
            Chain {
                listener: listener.clone(),
                hosts: table.map(|table| table.items("virtual_hosts")).unwrap_or_default(),
                plugins: manager.items("http_filters").iter().filter_map(plugin).collect(),
                manager,
            }
        })
        .collect()
}

fn cluster(node: Node<'_>) -> Cluster<'_> {
    let options = node.get("typed_extension_protocol_options").map(|options| options.members()).unwrap_or_default();
    let filters: Vec<_> = options.iter().flat_map(|(_, options)| options.items("http_filters")).collect();
    Cluster { name: node.text("name"), plugins: filters.iter().filter_map(plugin).collect(), filters, node }
}

/// Weir's filter, if this filter is one: its module or its configuration says so.
fn plugin<'a>(filter: &Node<'a>) -> Option<Plugin<'a>> {
    let typed = filter.get("typed_config").filter(|config| config.is_type("filters.http.wasm.v3.Wasm"))?;
    let config = typed.get("config")?;
    let written = config.get("configuration").map(|configuration| configuration.text("value")).unwrap_or_default();
    let configuration: Value = serde_json::from_str(written).unwrap_or_default();
    let file = config.at(&["vm_config", "code", "local"]).map(|local| local.text("filename")).unwrap_or_default();
    let is_weir = configuration.get("role").is_some() || file.ends_with("weir.wasm") || config.text("name") == "weir";
    is_weir.then_some(Plugin { config, configuration })
}
