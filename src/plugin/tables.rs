//! The endpoint tables of one plugin, and those that are being built, a slice at a time.

use super::host::Host;
use crate::cluster::Cluster;
use crate::endpoints::{Build, ClusterTable, Endpoint, EndpointTable, Health};
use crate::policy::Policy;
use std::collections::VecDeque;

/// Between two looks at the clock so many ring points are made.
const POINTS: usize = 1_000;

/// The tables in use, and what is to become of them.
#[derive(Debug, Default)]
pub(super) struct Tables {
    in_use: EndpointTable,
    /// How many endpoints the configuration gives.
    given: usize,
    queue: VecDeque<(String, Vec<Endpoint>)>,
    current: Option<(String, Build)>,
}

impl Tables {
    /// The tables of the endpoints that the configuration itself gives.
    pub(super) fn of_configuration(policy: &Policy) -> Self {
        let mut tables = Self::default();
        for (name, addresses) in &policy.endpoints {
            let endpoint = |address: &String| Endpoint {
                address: address.as_str().into(),
                health: Health::Healthy,
            };
            if let Some(cluster) = cluster(policy, name) {
                let endpoints: Vec<Endpoint> = addresses.iter().map(endpoint).collect();
                tables.given = tables.given.saturating_add(endpoints.len());
                let table = ClusterTable::build(cluster.index(), endpoints);
                tables.in_use.insert(name.clone(), table);
            }
        }
        tables
    }

    /// How many endpoints the configuration gives.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    /// The tables in use.
    pub(super) fn in_use(&self) -> &EndpointTable {
        &self.in_use
    }

    /// Queues the tables of these clusters. One that waits in the queue is replaced.
    pub(super) fn build(&mut self, clusters: Vec<(String, Vec<Endpoint>)>) {
        for (name, endpoints) in clusters {
            self.queue.retain(|(queued, _)| *queued != name);
            self.queue.push_back((name, endpoints));
        }
    }

    /// Whether nothing is left to build.
    pub(super) fn is_built(&self) -> bool {
        self.queue.is_empty() && self.current.is_none()
    }

    /// Builds until that time, ns since 1970.
    pub(super) fn work(&mut self, policy: &Policy, until: u64, host: &impl Host) {
        while !self.is_built() && host.now_ns() < until {
            self.step(policy);
        }
    }

    fn step(&mut self, policy: &Policy) {
        if let Some((name, mut build)) = self.current.take() {
            if build.step(POINTS) {
                self.in_use.insert(name, build.finish());
            } else {
                self.current = Some((name, build));
            }
        } else if let Some((name, endpoints)) = self.queue.pop_front()
            && let Some(cluster) = cluster(policy, &name)
        {
            let build = Build::start(cluster.index(), self.in_use.get(&name), endpoints);
            self.current = Some((name, build));
        }
    }
}

/// The cluster that Envoy calls `name`; where several share it, one whose sessions need it.
fn cluster<'p>(policy: &'p Policy, name: &str) -> Option<&'p Cluster> {
    let mut named = policy.clusters.iter().filter(|c| c.envoy_name == name);
    let first = named.clone().next();
    named.find(|c| c.affinity.is_some()).or(first)
}
