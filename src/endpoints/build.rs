//! Building the table of one cluster in slices.

use super::node_map::NodeMap;
use super::ring::Ring;
use super::ring_build::RingBuild;
use super::{ClusterTable, Endpoint, Index, Nodes, in_order};
use std::sync::Arc;

/// What a digest costs, in ring points.
const DIGEST_COST: usize = 16;

/// A table under construction, in slices: a few milliseconds of work must not block a
/// worker. What `previous` holds of the same endpoints is taken over.
#[derive(Debug)]
pub struct Build {
    endpoints: Vec<Endpoint>,
    maps: Vec<NodeMap>,
    nodes: Nodes,
    /// Positions of the endpoints that `maps` lack.
    added: Vec<u32>,
    next: usize,
    ring: Option<RingBuild>,
    /// The ring where it need not be built.
    same: Arc<Ring>,
}

impl Build {
    /// Starts a table with this index. `previous` is the table in use, if any; one with another
    /// index is of no use.
    #[must_use]
    pub fn start(
        index: Index,
        previous: Option<&Arc<ClusterTable>>,
        endpoints: Vec<Endpoint>,
    ) -> Self {
        let endpoints = in_order(endpoints);
        let nothing = Arc::new(ClusterTable::default());
        let previous = previous.filter(|table| has(table, index));
        let previous = previous.unwrap_or(&nothing);
        let (renumbered, added) = changes(&previous.endpoints, &endpoints);
        let maps = maps(index, previous, &renumbered);
        let mut build = Self {
            maps,
            nodes: index.nodes,
            next: 0,
            ring: None,
            same: Arc::clone(&previous.ring),
            added,
            endpoints,
        };
        build.ring = build.ring_build(renumbered);
        build
    }

    /// The ring that is to be built, unless the one there is stays as it is.
    fn ring_build(&self, renumbered: Vec<Option<u32>>) -> Option<RingBuild> {
        if self.added.is_empty() && !renumbered.contains(&None) {
            return None;
        }
        match self.nodes {
            Nodes::None => None,
            // The nodes of a ring of sets: `build_subset_map`, `balancer/chashsubset.lua`.
            Nodes::Sets(size) => {
                let sets = self.endpoints.len().div_ceil(size);
                let nodes = (1u32..).take(sets);
                let nodes = nodes.map(|set| (format!("set{set}"), set.saturating_sub(1)));
                Some(RingBuild::start(
                    Arc::default(),
                    Vec::new(),
                    nodes.collect(),
                ))
            }
            Nodes::Endpoints => {
                let node = |position: &u32| Some((self.address(*position)?.to_owned(), *position));
                let added = self.added.iter().filter_map(node).collect();
                Some(RingBuild::start(Arc::clone(&self.same), renumbered, added))
            }
        }
    }

    fn address(&self, position: u32) -> Option<&str> {
        let position = usize::try_from(position).ok()?;
        Some(&self.endpoints.get(position)?.address)
    }

    /// Works on about `points` ring points (an endpoint has 160) and says whether all is done.
    pub fn step(&mut self, points: usize) -> bool {
        let mut left = points.max(1);
        let cost = self.maps.len().saturating_mul(DIGEST_COST);
        while left > 0 && !self.maps.is_empty() {
            let Some(position) = self.added.get(self.next).copied() else {
                break;
            };
            let address = usize::try_from(position)
                .ok()
                .and_then(|position| self.endpoints.get(position));
            for map in &mut self.maps {
                address
                    .iter()
                    .for_each(|endpoint| map.add(&endpoint.address, position));
            }
            self.next = self.next.saturating_add(1);
            left = left.saturating_sub(cost);
        }
        if left == 0 {
            return false;
        }
        self.ring.as_mut().is_none_or(|ring| ring.step(left))
    }

    /// The table; does what steps have not done yet.
    #[must_use]
    pub fn finish(mut self) -> ClusterTable {
        while !self.step(usize::MAX) {}
        self.maps.iter_mut().for_each(NodeMap::sort);
        ClusterTable {
            endpoints: self.endpoints,
            nodes: self.nodes,
            ring: match self.ring {
                Some(ring) => Arc::new(ring.finish()),
                None => self.same,
            },
            maps: self.maps,
        }
    }
}

/// Old position to new (`None`: gone), and the new positions that have no old one. Both lists
/// are sorted by address.
fn changes(old: &[Endpoint], new: &[Endpoint]) -> (Vec<Option<u32>>, Vec<u32>) {
    let mut positions = (0u32..).zip(new).peekable();
    let mut added = Vec::new();
    let mut renumbered = Vec::with_capacity(old.len());
    for endpoint in old {
        while let Some((position, _)) =
            positions.next_if(|(_, candidate)| candidate.address < endpoint.address)
        {
            added.push(position);
        }
        let same = positions.next_if(|(_, candidate)| candidate.address == endpoint.address);
        renumbered.push(same.map(|(position, _)| position));
    }
    added.extend(positions.map(|(position, _)| position));
    (renumbered, added)
}

impl ClusterTable {
    /// Builds a table at once. For thousands of endpoints in a proxy, see [`Build`].
    #[must_use]
    pub fn build(index: Index, endpoints: Vec<Endpoint>) -> Self {
        Build::start(index, None, endpoints).finish()
    }
}

/// Whether a table was built with this index.
fn has(table: &ClusterTable, index: Index) -> bool {
    table.nodes == index.nodes && table.maps.iter().map(NodeMap::digest).eq(index.digests)
}

/// The maps of an index, with what `previous` has of them.
fn maps(index: Index, previous: &ClusterTable, renumbered: &[Option<u32>]) -> Vec<NodeMap> {
    let kept = previous.maps.iter().zip(index.digests);
    let kept = kept.map(|(map, _)| map.renumber(renumbered));
    let new = index.digests.iter().skip(previous.maps.len());
    kept.chain(new.cloned().map(NodeMap::new)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Health;
    use crate::endpoints::digest::Digest;

    fn endpoints(addresses: &[&str]) -> Vec<Endpoint> {
        let endpoint = |address: &&str| Endpoint {
            address: (*address).into(),
            health: Health::Healthy,
        };
        addresses.iter().map(endpoint).collect()
    }

    #[test]
    fn an_address_listed_twice_is_one_endpoint() {
        let of = |address: &str, health| Endpoint {
            address: address.into(),
            health,
        };
        let twice = vec![
            of("b:1", Health::Unhealthy),
            of("a:1", Health::Healthy),
            of("b:1", Health::Healthy),
        ];
        let once = [of("a:1", Health::Healthy), of("b:1", Health::Healthy)];
        assert_eq!(in_order(twice), once);
    }

    #[test]
    fn changes_say_what_stays_and_what_is_new() {
        for (old, new, renumbered, added) in [
            (&[][..], &["a", "b"][..], vec![], vec![0, 1]),
            (&["a", "b"], &["a", "b"], vec![Some(0), Some(1)], vec![]),
            (
                &["b", "d"],
                &["a", "b", "c"],
                vec![Some(1), None],
                vec![0, 2],
            ),
            (&["a"], &[], vec![None], vec![]),
        ] {
            let found = changes(&endpoints(old), &endpoints(new));
            assert_eq!(found, (renumbered, added), "{old:?} to {new:?}");
        }
    }

    #[test]
    fn a_table_with_another_index_is_built_anew() {
        let (none, md5, sha1): (&[Digest], _, _) = (&[], &[Digest::Md5], &[Digest::Sha1]);
        let indexes = [
            (none, Nodes::None),
            (md5, Nodes::None),
            (sha1, Nodes::None),
            (md5, Nodes::Endpoints),
            (none, Nodes::Endpoints),
        ];
        let indexes = indexes.map(|(digests, nodes)| Index { digests, nodes });
        let pods = || endpoints(&["a:1", "b:1"]);
        for old in indexes {
            let table = Arc::new(ClusterTable::build(old, pods()));
            for new in indexes {
                let is_same = old.digests == new.digests && old.nodes == new.nodes;
                assert_eq!(has(&table, new), is_same, "{old:?} {new:?}");
                let again = Build::start(new, Some(&table), pods()).finish();
                assert!(has(&again, new), "{old:?} {new:?}");
                let is_on_ring = new.nodes == Nodes::Endpoints;
                assert_eq!(again.ring.is_empty(), !is_on_ring, "{old:?} {new:?}");
            }
        }
    }
}
