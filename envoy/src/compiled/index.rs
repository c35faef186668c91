//! Where things stand in what was compiled: with ten thousand hosts nobody can look for each one in turn.

use std::collections::HashMap;

use limpet::policy::Policy;

use crate::clusters::Cluster;
use crate::taken::TakenIngress;

/// Places in the lists of [`super::Compiled`] and of its policy.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Ingresses by `namespace/name`.
    ingresses: HashMap<String, usize>,
    /// Clusters by the keys of their Service ports.
    clusters: HashMap<String, usize>,
    /// Clusters of the policy by the same.
    compiled_clusters: HashMap<String, usize>,
    /// The clusters that an Ingress names.
    named: HashMap<String, Vec<usize>>,
    /// Virtual hosts by their names in small letters; the default server's is empty.
    hosts: HashMap<String, usize>,
    /// The first Ingress with an alias that is no canary, by the alias in small letters.
    aliases: HashMap<String, usize>,
}

impl Index {
    pub(super) fn new(
        ingresses: &[TakenIngress<'_>],
        clusters: &[Cluster],
        policy: &Policy,
    ) -> Self {
        let mut index = Self::default();
        for (at, ingress) in ingresses.iter().enumerate() {
            index.ingresses.entry(ingress.id().to_owned()).or_insert(at);
            let annotations = &ingress.annotations;
            let is_primary = annotations.canary.is_none();
            for alias in annotations.aliases.iter().filter(|_| is_primary) {
                let alias = alias.to_ascii_lowercase();
                index.aliases.entry(alias).or_insert(at);
            }
        }
        for (at, cluster) in clusters.iter().enumerate() {
            let key = cluster.service_port.key();
            index.clusters.entry(key).or_insert(at);
            for id in &cluster.named_by {
                let named = index.named.entry(id.clone()).or_default();
                if named.last() != Some(&at) {
                    named.push(at);
                }
            }
        }
        for (at, cluster) in policy.clusters.iter().enumerate() {
            let key = cluster.service.clone();
            index.compiled_clusters.entry(key).or_insert(at);
        }
        for (at, host) in policy.virtual_hosts().enumerate() {
            let name = if host.is_default() {
                String::new()
            } else {
                host.name.to_ascii_lowercase()
            };
            index.hosts.entry(name).or_insert(at);
        }
        index
    }

    pub(super) fn ingress(&self, id: &str) -> Option<usize> {
        self.ingresses.get(id).copied()
    }

    pub(super) fn cluster(&self, key: &str) -> Option<usize> {
        self.clusters.get(key).copied()
    }

    pub(super) fn compiled_cluster(&self, key: &str) -> Option<usize> {
        self.compiled_clusters.get(key).copied()
    }

    pub(super) fn named_by(&self, id: &str) -> &[usize] {
        self.named.get(id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn alias(&self, name: &str) -> Option<usize> {
        self.aliases.get(&name.to_ascii_lowercase()).copied()
    }

    pub(super) fn host(&self, name: &str) -> Option<usize> {
        self.hosts.get(&name.to_ascii_lowercase()).copied()
    }
}
