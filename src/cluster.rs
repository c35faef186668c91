//! A cluster: the endpoints of one Service port, and what its sessions need.

use crate::affinity::Affinity;
use crate::canary::CanaryPolicy;
use crate::endpoints::{Index, Nodes};
use std::num::NonZeroUsize;

/// The place of a cluster in [`crate::policy::Policy::clusters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub usize);

/// What a Service port is called in the configuration, and in Envoy unless `clusters` says
/// otherwise. No part of it has its slash or its colon, nor the underscore that the colon becomes
/// in the names of Envoy's statistics: no two Services have one name, as they may have with
/// ingress-nginx (`web-admin` in `prod`, `admin` in `prod-web`), where the first would get the
/// other's requests.
#[must_use]
pub fn key(namespace: &str, service: &str, port: &str) -> String {
    format!("{namespace}/{service}:{port}")
}

/// One Service port that some location names. Compiled at configure time.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// ingress-nginx's upstream name, `namespace-service-port`, the port as the Ingress
    /// writes it. Digests and backend keys are made of it.
    pub upstream_name: String,
    /// Its [`key`].
    pub service: String,
    /// What Envoy calls it: the value of the cluster header.
    pub envoy_name: String,
    /// `None`: no Ingress asks for affinity on this Service port.
    pub affinity: Option<Affinity>,
    /// The canaries of this cluster (ingress-nginx's `alternativeBackends`), in its order.
    pub alternatives: Vec<ClusterId>,
    /// Set on a canary: when it takes a request (ingress-nginx's `trafficShapingPolicy`).
    pub canary: Option<CanaryPolicy>,
    /// `upstream-hash-by`. Affinity takes precedence over it, as in ingress-nginx.
    pub hash_by: Option<HashBy>,
    /// A location of it has a `default-backend` for when it has no endpoint.
    pub has_fallback: bool,
    /// A location shows its pages, while it has endpoints.
    pub has_pages: bool,
}

/// `upstream-hash-by`: requests of one value go to one endpoint, or to one set of them.
/// The value itself belongs to the request ([`crate::route::Forward::hash_by`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashBy {
    /// `upstream-hash-by-subset-size` where `upstream-hash-by-subset` is on.
    pub subset_size: Option<NonZeroUsize>,
}

impl Cluster {
    /// Whether anything is decided by this cluster's endpoints, so that they must be known:
    /// it has affinity, a fallback or error pages, hashes requests, is a canary or has one.
    #[must_use]
    pub fn needs_endpoints(&self) -> bool {
        self.affinity.is_some()
            || self.hash_by.is_some()
            || self.has_fallback
            || self.has_pages
            || self.canary.is_some()
            || !self.alternatives.is_empty()
    }

    /// What the tables of its endpoints are looked up in.
    #[must_use]
    pub fn index(&self) -> Index<'_> {
        let sets = |size: NonZeroUsize| Nodes::Sets(size.get());
        match (&self.affinity, self.hash_by) {
            (Some(affinity), _) => Index {
                digests: affinity.digests(),
                nodes: if affinity.reads_ring() {
                    Nodes::Endpoints
                } else {
                    Nodes::None
                },
            },
            (None, hash_by) => Index {
                digests: &[],
                nodes: hash_by.map_or(Nodes::None, |hash_by| {
                    hash_by.subset_size.map_or(Nodes::Endpoints, sets)
                }),
            },
        }
    }
}
