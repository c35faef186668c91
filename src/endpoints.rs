//! The endpoints of clusters, and what sessions need to find them by.

mod build;
pub mod crc32;
pub mod digest;
pub mod node_map;
pub mod ring;
pub mod ring_build;
pub mod ring_key;

use crate::sorted::sorted_by;
pub use build::Build;
use digest::{Digest, Hex};
use node_map::NodeMap;
use ring::Ring;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One address that serves a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ip:port` as Envoy prints it, IPv6 in brackets: also ingress-nginx's ring node.
    pub address: Arc<str>,
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

/// Sorts endpoints by address and keeps each address once, healthy if any of its entries is:
/// two proxies may list the same endpoints in another order.
pub(crate) fn in_order(endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let rank = |e: &Endpoint| match e.health {
        Health::Healthy => 0,
        Health::Draining => 1,
        Health::Unhealthy => 2,
    };
    let order = |a: &Endpoint, b: &Endpoint| a.address.cmp(&b.address).then(rank(a).cmp(&rank(b)));
    let mut endpoints = sorted_by(endpoints, order);
    endpoints.dedup_by(|later, first| later.address == first.address);
    endpoints
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
}

/// What the endpoints of one cluster are looked up in: no more than somebody reads.
#[derive(Debug, Clone, Copy)]
pub struct Index<'c> {
    /// The digests that keys are looked up by.
    pub digests: &'c [Digest],
    /// What is on the ring.
    pub nodes: Nodes,
}

/// The endpoints of one cluster with what they are looked up in.
#[derive(Debug, Default)]
pub struct ClusterTable {
    /// Sorted by address, each address once.
    endpoints: Vec<Endpoint>,
    nodes: Nodes,
    /// Its owners are positions of endpoints, or numbers of sets.
    ring: Arc<Ring>,
    /// One per digest of its index, in that order.
    maps: Vec<NodeMap>,
}

/// What is on a ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nodes {
    /// Nothing: nobody reads it.
    #[default]
    None,
    /// The endpoints.
    Endpoints,
    /// Sets of so many endpoints: `upstream-hash-by-subset`.
    Sets(usize),
}

impl ClusterTable {
    /// The endpoints, sorted by address.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The endpoint at a position of the sorted list.
    #[must_use]
    pub fn at(&self, position: u32) -> Option<&Endpoint> {
        self.endpoints.get(usize::try_from(position).ok()?)
    }

    /// Where `address` stands in the sorted list.
    #[must_use]
    pub fn position(&self, address: &str) -> Option<u32> {
        let found = self
            .endpoints
            .binary_search_by(|endpoint| endpoint.address.as_ref().cmp(address));
        u32::try_from(found.ok()?).ok()
    }

    /// The consistent-hash ring; empty where the cluster needs none.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The endpoint that `key` names by one of `digests`: (which of them, position).
    ///
    /// A table that was built for another cluster (Service ports that share one Envoy cluster)
    /// may lack a digest; then every endpoint is tried.
    #[must_use]
    pub fn find_digest(&self, digests: &[Digest], key: &[u8]) -> Option<(usize, u32)> {
        digests.iter().enumerate().find_map(|(which, digest)| {
            let wanted = digest.read(key)?;
            let position = match self.maps.iter().find(|map| map.digest() == digest) {
                Some(map) => map.find(&wanted),
                None => (0..)
                    .zip(&self.endpoints)
                    .find(|(_, endpoint)| digest.bytes(&endpoint.address) == wanted)
                    .map(|(position, _)| position),
            };
            Some((which, position?))
        })
    }

    /// What stands for `address` by `digest`, where that is known already.
    #[must_use]
    pub fn digest_of(&self, digest: &Digest, address: &str) -> Option<Hex> {
        let map = self.maps.iter().find(|map| map.digest() == digest)?;
        Some(digest.hex(map.of(self.position(address)?)?))
    }

    /// The healthy endpoint that stands in for another one for sessions of this key:
    /// rendezvous hashing, so each session keeps its substitute while the others change.
    #[must_use]
    pub fn substitute(&self, key: &[u8]) -> Option<&Endpoint> {
        let seed = fnv(FNV_START, key);
        let healthy = self.endpoints.iter();
        healthy
            .filter(|endpoint| endpoint.health == Health::Healthy)
            .max_by_key(|endpoint| mix(fnv(seed, endpoint.address.as_bytes())))
    }
}

/// FNV-1a's offset basis.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finaliser of MurmurHash3: FNV alone leaves the high bits of near inputs alike.
fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Whoever stands in for an endpoint is the same in every worker, replica and release.
    #[test]
    fn a_hash_is_what_its_authors_say() {
        assert_eq!(fnv(FNV_START, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(FNV_START, b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(mix(0), 0);
        assert_eq!(mix(1), 0xb456_bcfc_34c2_cb2c);
        assert_eq!(mix(u64::MAX), 0x64b5_720b_4b82_5f21);
        assert_eq!(mix(1 << 40), 0xe80f_632e_d2f2_32f6);
    }
}
