//! The module's configuration: the Ingresses unmodified, and what else it needs to know.

use limpet::config::Config;
use serde_json::{Map, Value, json};

use crate::clusters::{self, Cluster};
use crate::compiled::Compiled;
use crate::forwarding::{PEER_HEADER, PROXIED_HEADER};

pub use limpet::config::{Report, Unmatched};

/// How the module learns the endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EndpointSource {
    /// It asks the proxy's admin.
    #[default]
    Discovery,
    /// They stand in the configuration.
    Static,
}

/// What the manifests do not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Where the endpoints come from.
    pub endpoints: EndpointSource,
    /// What the decision record (property `limpet_decision`) contains.
    pub report: Report,
    /// What becomes of requests that no Ingress names: 404 where limpet owns the listener.
    pub unmatched: Unmatched,
    /// The proxy has one virtual host, so the Host of a trusted proxy in front can be handed on.
    pub one_virtual_host: bool,
}

/// The plugin configuration for these manifests. Keys that would say the default are left out.
#[must_use]
pub fn plugin_config(compiled: &Compiled<'_>, options: Options) -> Value {
    let mut config = compiled.said.clone();
    let mut set = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    if options.endpoints == EndpointSource::Static {
        set("endpoints", endpoints(&compiled.clusters));
    }
    let names: Map<_, _> = clusters::told(&compiled.clusters)
        .map(|(key, name)| (key, json!(name)))
        .collect();
    if !names.is_empty() {
        set("clusters", names.into());
    }
    if let Some(authorizers) = &compiled.config.authorizers {
        set("authorizers", json!(authorizers));
    }
    if compiled.forwarding.real_ip {
        let mut headers = Map::new();
        headers.insert("peer".to_owned(), json!(PEER_HEADER));
        if compiled.forwarding.proxied {
            headers.insert("proxied".to_owned(), json!(PROXIED_HEADER));
        }
        set("headers", headers.into());
    }
    if options.one_virtual_host && compiled.forwarding.trusted {
        set("forwarded_host", json!(true));
    }
    if options.unmatched == Unmatched::NotFound {
        set("unmatched", json!("not_found"));
    }
    // Whoever reads the record says which one it needs.
    match options.report {
        Report::Off => {}
        Report::Summary => set("report", json!("summary")),
        Report::Why => set("report", json!("why")),
    }
    config.into()
}

/// `{"namespace/service:port": ["ip:port", ...]}`.
fn endpoints(clusters: &[Cluster]) -> Value {
    let endpoints = clusters.iter().map(|cluster| {
        let endpoints = cluster.endpoints.iter();
        let addresses = endpoints.map(|endpoint| json!(endpoint.address));
        (cluster.service_port.key(), addresses.collect())
    });
    endpoints.collect::<Map<_, Value>>().into()
}

/// The environment variables that a plugin configuration names: the VM needs them.
#[must_use]
pub fn variables(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = config.variables().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}
