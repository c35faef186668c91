//! Named groups of endpoints, and which endpoint an attempt goes to.

pub(crate) mod balance;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What is known about an endpoint; the words of Envoy's `eds_health_status`, and what its
/// health checks add to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// Serves.
    #[default]
    Healthy,
    /// Serves where no healthy one is left.
    Degraded,
    /// About to go: no new work, but may be kept by an override.
    Draining,
    /// Said to be unhealthy by discovery.
    Unhealthy,
    /// An active health check failed.
    FailedActiveHealthCheck,
    /// Ejected by outlier detection.
    FailedOutlierCheck,
}

/// One address of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it listens; printed as Envoy does, `10.0.0.1:80` or `[::1]:80`.
    pub address: SocketAddr,
    /// Whether it may be used.
    pub health: Health,
}

impl Endpoint {
    /// A healthy endpoint.
    #[must_use]
    pub fn healthy(address: SocketAddr) -> Self {
        Self {
            address,
            health: Health::Healthy,
        }
    }
}

/// A cluster as it is configured.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// The endpoints in order; duplicates of an address count once.
    pub endpoints: Vec<Endpoint>,
    /// Whether an override may name a draining endpoint: `override_host_status` with
    /// `DRAINING` besides Envoy's default `HEALTHY`, `DEGRADED`, `UNKNOWN`.
    pub override_draining: bool,
    /// Below this share of usable endpoints, in per cent, health is ignored when balancing
    /// (Envoy's `healthy_panic_threshold`, there 50); 0: never.
    pub panic_threshold: u8,
}

impl Cluster {
    /// Envoy's defaults, and draining endpoints may be kept.
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            override_draining: true,
            panic_threshold: 50,
        }
    }
}

/// A cluster in use: its settings, its turn, its counters.
#[derive(Debug, Default)]
pub(crate) struct ClusterState {
    pub(crate) cluster: Cluster,
    turn: Arc<AtomicUsize>,
    /// How often the set of addresses has changed (`membership_change`).
    pub(crate) changes: u64,
    /// Attempts by endpoint.
    requests: HashMap<SocketAddr, Arc<AtomicU64>>,
}

impl ClusterState {
    /// `cluster` in the place of `old`, whose counters go on.
    fn new(cluster: Cluster, old: Option<&Self>) -> Self {
        let counter = |endpoint: &Endpoint| {
            let known = old.and_then(|old| old.requests.get(&endpoint.address));
            (endpoint.address, known.cloned().unwrap_or_default())
        };
        let requests: HashMap<_, _> = cluster.endpoints.iter().map(counter).collect();
        let same = old.is_some_and(|old| {
            let addresses = old.requests.keys();
            old.requests.len() == requests.len()
                && addresses
                    .into_iter()
                    .all(|address| requests.contains_key(address))
        });
        Self {
            cluster,
            turn: old.map(|old| Arc::clone(&old.turn)).unwrap_or_default(),
            changes: old.map_or(0, |old| old.changes) + u64::from(!same),
            requests,
        }
    }

    /// Counts an attempt.
    pub(crate) fn count(&self, endpoint: SocketAddr) {
        if let Some(requests) = self.requests.get(&endpoint) {
            requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many attempts went to `endpoint`.
    pub(crate) fn requests(&self, endpoint: SocketAddr) -> u64 {
        let requests = self.requests.get(&endpoint);
        requests.map_or(0, |requests| requests.load(Ordering::Relaxed))
    }
}

/// All clusters of a process, by name. Endpoints may be replaced at run time.
#[derive(Debug, Default)]
pub struct Clusters {
    by_name: RwLock<BTreeMap<String, Arc<ClusterState>>>,
}

impl Clusters {
    /// Adds or replaces the cluster `name`; requests under way keep what they chose.
    pub fn set(&self, name: impl Into<String>, cluster: Cluster) {
        let name = name.into();
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let old = by_name.get(&name).map(AsRef::as_ref);
        let state = ClusterState::new(cluster, old);
        by_name.insert(name, Arc::new(state));
    }

    /// Removes the cluster `name`; says whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.remove(name).is_some()
    }

    /// Sets the health of `address` in cluster `name`; says whether it was found.
    pub fn set_health(&self, name: &str, address: SocketAddr, health: Health) -> bool {
        let Some(state) = self.get(name) else {
            return false;
        };
        let mut cluster = state.cluster.clone();
        let mut found = false;
        for endpoint in &mut cluster.endpoints {
            if endpoint.address == address {
                endpoint.health = health;
                found = true;
            }
        }
        if found {
            self.set(name, cluster);
        }
        found
    }

    /// The cluster `name` as it is now.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<Cluster> {
        Some(self.get(name)?.cluster.clone())
    }

    /// The names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.keys().cloned().collect()
    }

    /// All clusters, sorted by name.
    pub(crate) fn all(&self) -> Vec<(String, Arc<ClusterState>)> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let pair = |(name, state): (&String, &Arc<ClusterState>)| (name.clone(), Arc::clone(state));
        by_name.iter().map(pair).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<ClusterState>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(name).cloned()
    }
}

impl<N: Into<String>> FromIterator<(N, Cluster)> for Clusters {
    fn from_iter<I: IntoIterator<Item = (N, Cluster)>>(clusters: I) -> Self {
        let all = Self::default();
        for (name, cluster) in clusters {
            all.set(name, cluster);
        }
        all
    }
}
