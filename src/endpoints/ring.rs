//! ingress-nginx's consistent-hash ring: a key belongs to the endpoint whose point follows it.
//!
//! Source: `chash_point_init_crc`, `chash_point_add` (`chash.c`) and `_find_id`
//! (`lib/resty/chash.lua`), lua-resty-balancer v0.05, weights of 1.

use super::crc32;
use std::iter;

/// Points of one endpoint (`CONSISTENT_POINTS`).
pub const POINTS: usize = 160;

/// The points of a cluster's endpoints, sorted; eight bytes a point.
///
/// Owners are positions in the sorted list of endpoints. Of points with equal hashes the lower
/// owner's comes first; ingress-nginx leaves their order to a hash table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ring {
    hashes: Vec<u32>,
    owners: Vec<u32>,
}

/// The hashes that one point of an endpoint answers for: `after + 1 ..= upto`, wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arc {
    /// The last hash that is not in it.
    pub after: u32,
    /// The point itself.
    pub upto: u32,
    /// How many hashes are in it; 0 where another endpoint's equal point hides this one.
    pub length: u64,
}

impl Ring {
    /// An empty ring with room for `endpoints`.
    #[must_use]
    pub fn with_capacity(endpoints: usize) -> Self {
        let points = endpoints.saturating_mul(POINTS);
        Self {
            hashes: Vec::with_capacity(points),
            owners: Vec::with_capacity(points),
        }
    }

    /// Appends a point; the caller keeps the order.
    pub(super) fn push(&mut self, hash: u32, owner: u32) {
        self.hashes.push(hash);
        self.owners.push(owner);
    }

    /// The point at a position of the sorted order.
    pub(super) fn point(&self, position: usize) -> Option<(u32, u32)> {
        let hash = self.hashes.get(position)?;
        Some((*hash, *self.owners.get(position)?))
    }

    /// Points in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether nobody is on the ring.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The owner of `key`, any bytes; `None` on an empty ring.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        self.owner(crc32::checksum(key))
    }

    /// The owner of the first point at or after `hash`, or of the first point of all.
    #[must_use]
    pub fn owner(&self, hash: u32) -> Option<u32> {
        let position = self.first_at_or_after(hash);
        self.owners
            .get(position)
            .or_else(|| self.owners.first())
            .copied()
    }

    /// The position of the first point at or after `hash`, or past the last one. Points are
    /// spread evenly, so it is looked for around the place where it would be if they were so
    /// exactly: a search over everything misses the cache at each of its first steps.
    fn first_at_or_after(&self, hash: u32) -> usize {
        let count = self.hashes.len();
        let guess = u64::from(hash).saturating_mul(count as u64) >> 32;
        let guess = usize::try_from(guess).unwrap_or(0);
        let is_before = |at: usize| self.hashes.get(at).is_some_and(|point| *point < hash);
        // Where there are more of them, points are off by more.
        let mut reach = (count >> 10).max(32);
        loop {
            let from = guess.saturating_sub(reach);
            let upto = guess.saturating_add(reach).min(count);
            let starts = from.checked_sub(1).is_none_or(is_before);
            if starts && !is_before(upto) {
                let near = self.hashes.get(from..upto).unwrap_or_default();
                return from.saturating_add(near.partition_point(|point| *point < hash));
            }
            reach = reach.saturating_mul(4);
        }
    }

    /// The arcs of the endpoint `owner` whose ring node is `node`: what its sessions' keys hash to.
    pub fn arcs<'a>(&'a self, node: &'a str, owner: u32) -> impl Iterator<Item = Arc> + 'a {
        points(node).filter_map(move |upto| {
            let position = self.first_at_or_after(upto);
            let last = self.hashes.last()?;
            let before = position
                .checked_sub(1)
                .and_then(|before| self.hashes.get(before))
                .unwrap_or(last);
            let hidden = self.owners.get(position) != Some(&owner);
            // A ring of one point only: that point answers for every hash.
            let length = match upto.wrapping_sub(*before) {
                0 => 1 << 32,
                length => u64::from(length),
            };
            Some(Arc {
                after: *before,
                upto,
                length: if hidden { 0 } else { length },
            })
        })
    }
}

/// The points of one ring node (`ip:port`), in the order they are chained.
pub fn points(node: &str) -> impl Iterator<Item = u32> + use<> {
    let base = crc32::update(crc32::START, node.as_bytes());
    let next = move |before: u32| !crc32::update(base, &before.to_le_bytes());
    iter::successors(Some(next(0)), move |point| Some(next(*point))).take(POINTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(hashes: impl IntoIterator<Item = u32>) -> Ring {
        let mut ring = Ring::with_capacity(1);
        for (owner, hash) in (0..).zip(hashes) {
            ring.push(hash, owner);
        }
        ring
    }

    #[test]
    fn the_owner_is_that_of_the_first_point_from_the_hash_on_however_points_lie() {
        let even = |count: u32| (0..count).map(move |nth| nth * (u32::MAX / count));
        let rings = [
            ring(even(1)),
            ring(even(33)),
            ring(even(1000)),
            // Far from where they are looked for first.
            ring((0..1000).map(|nth| nth * 3)),
            ring((0..1000).map(|nth| u32::MAX - 3000 + nth * 3)),
            ring(
                (0..500)
                    .map(|nth| nth * 3)
                    .chain((0..500).map(|nth| u32::MAX - 1500 + nth * 3)),
            ),
            ring([7; 200]),
            ring([0, 0, 5, 5, u32::MAX, u32::MAX]),
        ];
        for ring in &rings {
            let around = |hash: &u32| [hash.wrapping_sub(1), *hash, hash.wrapping_add(1)];
            let mut asked: Vec<u32> = ring.hashes.iter().flat_map(around).collect();
            asked.extend([0, 1, u32::MAX / 2, u32::MAX - 1, u32::MAX]);
            for hash in asked {
                let next = ring.hashes.iter().position(|point| *point >= hash);
                let expected = u32::try_from(next.unwrap_or(0)).unwrap();
                assert_eq!(
                    ring.owner(hash),
                    Some(expected),
                    "{hash} of {} points",
                    ring.len()
                );
            }
        }
        assert_eq!(Ring::default().owner(7), None);
        assert!(Ring::default().is_empty() && !rings[0].is_empty());
    }

    #[test]
    fn arcs_tile_the_ring_and_a_hidden_point_has_none() {
        let nodes = ["10.0.0.1:80", "10.0.0.2:80"];
        let mut all: Vec<(u32, u32)> = Vec::new();
        for (owner, node) in (0..).zip(nodes) {
            all.extend(points(node).map(|hash| (hash, owner)));
        }
        // The second has a point where the first has its own.
        let shared = points(nodes[1]).next().unwrap();
        all.push((shared, 0));
        all.sort_unstable();
        let mut ring = Ring::default();
        for (hash, owner) in &all {
            ring.push(*hash, *owner);
        }
        let second: Vec<_> = ring.arcs(nodes[1], 1).collect();
        assert_eq!(second.len(), POINTS);
        for arc in &second {
            let expected = if arc.upto == shared {
                0
            } else {
                u64::from(arc.upto.wrapping_sub(arc.after))
            };
            assert_eq!(arc.length, expected, "{arc:?}");
            if arc.length > 0 {
                assert_eq!(ring.owner(arc.upto), Some(1), "{arc:?}");
                assert_eq!(ring.owner(arc.after.wrapping_add(1)), Some(1), "{arc:?}");
            }
        }
        // All hashes but those before the shared point, which no node's arcs count.
        let hidden = second.iter().find(|arc| arc.upto == shared).unwrap();
        let arcs = ring.arcs(nodes[0], 0).chain(second.iter().copied());
        let sum: u64 = arcs.map(|arc| arc.length).sum();
        let uncounted = u64::from(shared.wrapping_sub(hidden.after));
        assert_eq!(sum + uncounted, 1 << 32);
    }
}
