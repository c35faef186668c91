//! A cluster: the endpoints of one Service port, and what its sessions need.

use crate::affinity::Affinity;
use crate::canary::CanaryPolicy;

/// The place of a cluster in [`crate::policy::Policy::clusters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub usize);

/// One Service port that some location names. Compiled at configure time.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// ingress-nginx's upstream name, `namespace-service-port`, the port as the Ingress
    /// writes it. Digests and backend keys are made of it.
    pub upstream_name: String,
    /// `namespace/service:port`, for people and for the `clusters` map.
    pub service: String,
    /// What Envoy calls it: the value of the cluster header.
    pub envoy_name: String,
    /// `None`: no Ingress asks for affinity on this Service port.
    pub affinity: Option<Affinity>,
    /// The canaries of this cluster (ingress-nginx's `alternativeBackends`), in its order.
    pub alternatives: Vec<ClusterId>,
    /// Set on a canary: when it takes a request (ingress-nginx's `trafficShapingPolicy`).
    pub canary: Option<CanaryPolicy>,
}
