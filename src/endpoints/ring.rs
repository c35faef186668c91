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
        let mut reach = 32usize;
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
