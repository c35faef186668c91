//! The configurations that requests are fuzzed with.

use limpet::config;
use limpet::endpoints::{ClusterTable, Endpoint, EndpointTable, Health};
use limpet::policy::{self, Policy};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The endpoints of every cluster.
pub(crate) const ENDPOINTS: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:8080"];

/// One configuration, and its endpoints.
pub(crate) struct Site {
    pub(crate) policy: Policy,
    pub(crate) endpoints: EndpointTable,
}

/// A site for each format of session cookies; some with rewrites, redirects or canaries.
pub(crate) static SITES: LazyLock<Vec<Site>> = LazyLock::new(|| {
    let sites = [
        json!({ "affinity": "cookie", "session-cookie-hash": "sha1", "rewrite-target": "/$1" }),
        json!({ "affinity": "cookie", "affinity-mode": "persistent", "app-root": "/app" }),
        json!({ "affinity": "cookie", "session-cookie-expires": "60",
            "session-cookie-conditional-samesite-none": "true", "session-cookie-samesite": "None" }),
        json!({ "affinity": "cookie", "session-cookie-hash": "index",
            "force-ssl-redirect": "true", "limpet.dev/session-cookie-refresh": "true" }),
        json!({ "upstream-hash-by": "$host$request_uri$cookie_a$arg_b", "upstream-vhost": "$host",
            "proxy-cookie-path": "~^/(.*) /x/$1" }),
        json!({ "permanent-redirect": "https://$host$request_uri" }),
    ];
    let guarded = site(
        &json!({ "rewrite-target": "/$1" }),
        &["/app1", "shop.test/x"],
    );
    let open = sites.iter().map(|annotations| site(annotations, &[]));
    open.chain([guarded]).collect()
});

fn site(annotations: &Value, protect: &[&str]) -> Site {
    let mut config = configuration_of("/(app1/.*|x|)", annotations);
    config["report"] = "why".into();
    config["protect"] = json!(protect);
    let (config, _) = config::read(config.to_string().as_bytes()).unwrap();
    let (policy, _) = policy::compile(&config);
    let endpoints = tables(&policy, |address| {
        if address.contains(".2:") {
            Health::Unhealthy
        } else {
            Health::Healthy
        }
    });
    Site { policy, endpoints }
}

/// All of [`ENDPOINTS`] healthy, in every cluster.
pub(crate) fn endpoints(policy: &Policy) -> EndpointTable {
    tables(policy, |_| Health::Healthy)
}

fn tables(policy: &Policy, health: impl Fn(&str) -> Health) -> EndpointTable {
    let endpoint = |address: &&str| Endpoint {
        address: (*address).into(),
        health: health(address),
    };
    let mut endpoints = EndpointTable::default();
    for cluster in &policy.clusters {
        let table = ClusterTable::build(cluster.index(), ENDPOINTS.iter().map(endpoint).collect());
        endpoints.insert(cluster.envoy_name.clone(), table);
    }
    endpoints
}

/// One Ingress with one path of host shop.test. Annotations of ingress-nginx go without prefix.
fn configuration_of(path: &str, annotations: &Value) -> Value {
    let mut full = serde_json::Map::new();
    for (name, value) in annotations.as_object().into_iter().flatten() {
        let name = if name.contains('/') {
            name.clone()
        } else {
            format!("nginx.ingress.kubernetes.io/{name}")
        };
        full.insert(name, value.clone());
    }
    let service = json!({ "name": "web", "port": { "number": 80 } });
    json!({ "unmatched": "not_found", "ingresses": [{
        "kind": "Ingress",
        "metadata": { "name": "shop", "annotations": full },
        "spec": { "rules": [{ "host": "shop.test", "http": { "paths": [{
            "path": path,
            "pathType": "ImplementationSpecific",
            "backend": { "service": service },
        }] } }] },
    }]})
}

/// [`configuration_of`], compiled.
pub(crate) fn one_path(path: &str, annotations: &Value) -> Option<Policy> {
    let config = configuration_of(path, annotations).to_string();
    let (config, _) = config::read(config.as_bytes()).ok()?;
    Some(policy::compile(&config).0)
}
