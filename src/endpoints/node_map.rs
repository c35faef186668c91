//! Endpoints by digest, as ingress-nginx's node map.
//!
//! Source: `rootfs/etc/nginx/lua/util/nodemap.lua`, ingress-nginx dbb11b92d.

use super::digest::{Bytes, Digest};
use crate::sorted::sorted_by;

/// The endpoints of one cluster by one digest, and back, 28 bytes each: no digest is made for a request.
#[derive(Debug, Clone)]
pub struct NodeMap {
    digest: Digest,
    /// (digest, position in the sorted endpoints), sorted.
    entries: Vec<(Bytes, u32)>,
    /// Where the entry of each position stands.
    places: Vec<u32>,
}

impl NodeMap {
    /// An empty map.
    #[must_use]
    pub fn new(digest: Digest) -> Self {
        Self {
            digest,
            entries: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The digest that it looks up by.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What `renumbered` (old position to new) keeps of this map. Not sorted yet: see [`Self::sort`].
    #[must_use]
    pub(crate) fn renumber(&self, renumbered: &[Option<u32>]) -> Self {
        let kept = |(digest, owner): &(Bytes, u32)| {
            let owner = usize::try_from(*owner).ok()?;
            Some((*digest, renumbered.get(owner).copied().flatten()?))
        };
        Self {
            digest: self.digest.clone(),
            entries: self.entries.iter().filter_map(kept).collect(),
            places: Vec::new(),
        }
    }

    /// Adds the endpoint `address` at `position`. Not sorted yet: see [`Self::sort`].
    pub(crate) fn add(&mut self, address: &str, position: u32) {
        self.entries.push((self.digest.bytes(address), position));
    }

    /// Makes the map ready for [`Self::find`].
    pub(crate) fn sort(&mut self) {
        self.entries = sorted_by(std::mem::take(&mut self.entries), Ord::cmp);
        self.places = vec![0; self.entries.len()];
        for (place, (_, position)) in (0..).zip(&self.entries) {
            let position = usize::try_from(*position).ok();
            if let Some(known) = position.and_then(|at| self.places.get_mut(at)) {
                *known = place;
            }
        }
    }

    /// The digest of the endpoint at `position`.
    pub(crate) fn of(&self, position: u32) -> Option<&Bytes> {
        let place = *self.places.get(usize::try_from(position).ok()?)?;
        let (digest, owner) = self.entries.get(usize::try_from(place).ok()?)?;
        Some(digest).filter(|_| *owner == position)
    }

    /// The position of the endpoint whose digest this is.
    pub(crate) fn find(&self, digest: &Bytes) -> Option<u32> {
        let found = self
            .entries
            .binary_search_by(|(known, _)| known.cmp(digest));
        Some(self.entries.get(found.ok()?)?.1)
    }
}
