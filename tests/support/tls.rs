//! A certificate, as the Secret in which Ingresses find theirs.

use serde_json::{Value, json};

/// What `secretName` of an Ingress in the namespace `default` names.
pub const SECRET: &str = "shop-tls";

/// The Secret; signed by nobody.
#[must_use]
pub fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": SECRET, "namespace": "default" },
        "stringData": {
            "tls.crt": include_str!("tls/cert.pem"),
            "tls.key": include_str!("tls/key.pem"),
        },
    })
}
