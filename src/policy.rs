//! What the configuration means: compiled once, then only read.

use crate::cluster::{Cluster, ClusterId};

/// Everything a request is answered from, but for the endpoints.
#[derive(Debug)]
pub struct Policy {
    /// Every cluster that a location or a canary names.
    pub clusters: Vec<Cluster>,
}

impl Policy {
    /// The cluster at `id`; `None` only for an id of another policy.
    #[must_use]
    pub fn cluster(&self, id: ClusterId) -> Option<&Cluster> {
        self.clusters.get(id.0)
    }
}
