//! Objects that tests write themselves.

use serde_json::{Map, Value, json};

/// Who takes a path of a host.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'r> {
    /// The host.
    pub host: &'r str,
    /// The path, a prefix.
    pub path: &'r str,
    /// A Service of the namespace `default`, at port 80.
    pub service: &'r str,
}

/// An Ingress of the namespace `default`, annotations without the prefix of ingress-nginx.
#[must_use]
pub fn ingress(name: &str, rule: Rule<'_>, annotations: &[(&str, &str)]) -> Value {
    let prefixed = |(name, value): &(&str, &str)| {
        let name = format!("nginx.ingress.kubernetes.io/{name}");
        (name, json!(value))
    };
    let annotations: Map<_, _> = annotations.iter().map(prefixed).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": { "ingressClassName": "nginx", "rules": [{
            "host": rule.host,
            "http": { "paths": [{ "path": rule.path, "pathType": "Prefix", "backend": {
                "service": { "name": rule.service, "port": { "number": 80 } },
            } }] },
        }] },
    })
}

/// A Secret of the namespace `default`.
#[must_use]
pub fn secret(name: &str, data: &Value) -> Value {
    let metadata = json!({ "name": name, "namespace": "default" });
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data })
}
