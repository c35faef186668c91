//! Who is asked to serve a request: which cluster of a primary and its canaries, and which of its
//! endpoints.
//!
//! Source: `route_to_alternative_balancer`, `rootfs/etc/nginx/lua/balancer.lua`, ingress-nginx
//! dbb11b92d.

mod hash_by;

use crate::affinity::{self, Session};
use crate::cluster::{Cluster, ClusterId};
use crate::edit::Headers;
use crate::endpoints::{ClusterTable, EndpointTable};
use crate::facts::Facts;
pub use hash_by::hashed;
use std::sync::Arc;

/// A cluster, with what the request's cookie says about it.
pub struct Candidate<'p, 't> {
    /// Its place among the clusters.
    pub id: ClusterId,
    /// The cluster.
    pub cluster: &'p Cluster,
    /// `None`: its endpoints are not known yet.
    pub table: Option<&'t ClusterTable>,
    /// `None`: it has no affinity.
    pub session: Option<Session>,
}

impl<'p, 't> Candidate<'p, 't> {
    /// The cluster `id` alone, whatever canaries it has. `None` only for an id of another policy.
    #[must_use]
    pub fn open(
        clusters: &'p [Cluster],
        endpoints: &'t EndpointTable,
        id: ClusterId,
        headers: &Headers,
    ) -> Option<Self> {
        let cluster = clusters.get(id.0)?;
        let table = endpoints.get(&cluster.envoy_name).map(Arc::as_ref);
        let affinity = cluster.affinity.as_ref();
        Some(Self {
            id,
            cluster,
            table,
            session: affinity.map(|affinity| affinity::open(affinity, table, headers)),
        })
    }

    fn is_affinitized(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(Session::is_affinitized)
    }

    /// It is known to have no endpoints: then it takes part in nothing.
    fn is_empty(&self) -> bool {
        let table = self.table;
        table.is_some_and(|table| table.endpoints().is_empty())
    }
}

/// The cluster that takes a request of the cluster `primary`: itself or its first canary.
///
/// A session stays with its cluster, and beats everything else. Draws from `facts.random` only
/// where a weight decides, as `1 + random % total`.
#[must_use]
pub fn choose<'p, 't>(
    clusters: &'p [Cluster],
    endpoints: &'t EndpointTable,
    primary: ClusterId,
    headers: &Headers,
    facts: &Facts,
) -> Option<Candidate<'p, 't>> {
    let primary = Candidate::open(clusters, endpoints, primary, headers)?;
    let canary = || {
        let id = *primary.cluster.alternatives.first()?;
        if primary.is_empty() || primary.is_affinitized() {
            return None;
        }
        let canary = Candidate::open(clusters, endpoints, id, headers)?;
        let takes = !canary.is_empty()
            && (canary.is_affinitized() || canary.cluster.canary.as_ref()?.takes(headers, facts));
        takes.then_some(canary)
    };
    match canary() {
        Some(canary) => Some(canary),
        None => Some(primary),
    }
}
