//! What goes wrong in production, on a real Envoy with what `limpet render envoy` writes.
//! Nothing is lost: each test says so as a count.

mod admin;
mod endpoints;
mod front;
mod hostile_clients;
mod keys;
mod protocols;
mod proxies;
mod soak;
mod traps;

use limpet_cli::clusters::EndpointsFlag;
use limpet_cli::manifests::Manifests;
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};

/// One host, one Service, one kind of session.
struct Shop {
    pods: Vec<Pod>,
    manifests: Manifests,
}

/// The host of every shop.
const HOST: &str = "shop.example";
/// Its cluster.
const CLUSTER: &str = "default-web-80";

/// The three kinds of session, by the annotations that ask for them.
const PERSISTENT: &[(&str, &str)] = &[("affinity", "cookie"), ("affinity-mode", "persistent")];
const DIGEST: &[(&str, &str)] = &[("affinity", "cookie"), ("session-cookie-hash", "sha1")];
const BALANCED: &[(&str, &str)] = &[("affinity", "cookie"), ("affinity-mode", "balanced")];

impl Shop {
    fn new(pods: usize, annotations: &[(&str, &str)]) -> Self {
        let annotations: serde_json::Map<_, _> = annotations
            .iter()
            .map(|(name, value)| {
                (
                    format!("nginx.ingress.kubernetes.io/{name}"),
                    (*value).into(),
                )
            })
            .collect();
        let ingress = serde_json::json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "shop", "namespace": "default", "annotations": annotations},
            "spec": {"rules": [{"host": HOST, "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "web", "port": {"number": 80}}},
            }]}}]},
        });
        Self {
            pods: Pod::several(pods),
            manifests: Manifests::parse("shop.yaml", &ingress.to_string()).unwrap(),
        }
    }

    /// An Envoy before the first `pods` pods.
    fn open(&self, pods: usize, setup: &Setup) -> Rendered {
        let addresses: Vec<_> = self.pods[..pods].iter().map(Pod::endpoint).collect();
        let flag: EndpointsFlag = format!("default/web:80={}", addresses.join(","))
            .parse()
            .unwrap();
        Rendered::start(&self.manifests, &[flag], setup)
    }
}
