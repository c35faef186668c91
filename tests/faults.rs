//! What goes wrong in production, on a real Envoy with what `limpet render envoy` writes; and
//! every host call that may be refused, in the harness.
//! Nothing is lost: each test says so as a count.

mod admin;
mod authorizer;
mod endpoints;
mod error_pages;
mod front;
mod keys;
mod limits;
mod passthrough;
mod protocols;
mod proxies;
mod refused_calls;
mod soak;
mod takeover;
mod traps;
mod upstream_tls;

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};

/// Hosts with a Service and a kind of session each, over the same pods.
pub(crate) struct Shop {
    pub(crate) pods: Vec<Pod>,
    kinds: usize,
    manifests: Manifests,
}

/// The host of every shop.
pub(crate) const HOST: &str = "shop.example";
/// Its cluster.
pub(crate) const CLUSTER: &str = "default/web:80";

/// The host of a shop's kind of session, by number; the first is [`HOST`].
fn host(kind: usize) -> String {
    match kind {
        0 => HOST.into(),
        _ => format!("{kind}.{HOST}"),
    }
}

fn service(kind: usize) -> String {
    match kind {
        0 => "web".into(),
        _ => format!("web-{kind}"),
    }
}

/// The cluster of a shop's kind of session; the first is [`CLUSTER`].
fn cluster(kind: usize) -> String {
    format!("default/{}:80", service(kind))
}

/// The three kinds of session, by the annotations that ask for them.
pub(crate) const PERSISTENT: &[(&str, &str)] =
    &[("affinity", "cookie"), ("affinity-mode", "persistent")];
const DIGEST: &[(&str, &str)] = &[("affinity", "cookie"), ("session-cookie-hash", "sha1")];
const BALANCED: &[(&str, &str)] = &[("affinity", "cookie"), ("affinity-mode", "balanced")];

impl Shop {
    pub(crate) fn new(pods: usize, annotations: &[(&str, &str)]) -> Self {
        Self::several(pods, &[annotations])
    }

    /// A host for each kind of session.
    fn several(pods: usize, kinds: &[&[(&str, &str)]]) -> Self {
        let ingresses = kinds.iter().enumerate();
        let ingresses = ingresses.map(|(kind, annotations)| ingress(kind, annotations));
        let list = serde_json::json!({
            "apiVersion": "v1", "kind": "List", "items": ingresses.collect::<Vec<_>>(),
        });
        Self {
            pods: Pod::several(pods),
            kinds: kinds.len(),
            manifests: Manifests::parse("shop.yaml", &list.to_string()).unwrap(),
        }
    }

    /// An Envoy before the first `pods` pods.
    pub(crate) fn open(&self, pods: usize, setup: &Setup) -> Rendered {
        Rendered::start(&self.manifests, &self.endpoints(pods), setup)
    }

    /// The same in the shared Envoy, all pods behind it: see [`Rendered::share`].
    pub(crate) fn share(&self) -> Rendered {
        Rendered::share(&self.manifests, &self.endpoints(self.pods.len()), |_| {})
    }

    fn endpoints(&self, pods: usize) -> Vec<EndpointsFlag> {
        let addresses: Vec<_> = self.pods[..pods].iter().map(Pod::endpoint).collect();
        let flag = |kind| format!("default/{}:80={}", service(kind), addresses.join(","));
        let flags = (0..self.kinds).map(|kind| flag(kind).parse().unwrap());
        flags.collect()
    }
}

fn ingress(kind: usize, annotations: &[(&str, &str)]) -> serde_json::Value {
    let rule = Rule {
        host: &host(kind),
        path: "/",
        service: &service(kind),
    };
    manifest::ingress(&format!("shop-{kind}"), rule, annotations)
}
