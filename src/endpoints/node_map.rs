//! Endpoints by digest, as ingress-nginx's node map.
//!
//! Source: `rootfs/etc/nginx/lua/util/nodemap.lua`, ingress-nginx dbb11b92d.

use super::digest::{Bytes, Digest};
use crate::sorted::sorted_by;

/// The endpoints of one cluster by one digest, 24 bytes each: no digest is made for a request.
#[derive(Debug, Clone)]
pub struct NodeMap {
    digest: Digest,
    /// (digest, position in the sorted endpoints), sorted.
    entries: Vec<(Bytes, u32)>,
}

impl NodeMap {
    /// An empty map.
    #[must_use]
    pub fn new(digest: Digest) -> Self {
        Self {
            digest,
            entries: Vec::new(),
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
        }
    }

    /// Adds the endpoint `address` at `position`. Not sorted yet: see [`Self::sort`].
    pub(crate) fn add(&mut self, address: &str, position: u32) {
        self.entries.push((self.digest.bytes(address), position));
    }

    /// Makes the map ready for [`Self::find`].
    pub(crate) fn sort(&mut self) {
        self.entries = sorted_by(std::mem::take(&mut self.entries), Ord::cmp);
    }

    /// The position of the endpoint whose digest this is.
    pub(crate) fn find(&self, digest: &Bytes) -> Option<u32> {
        let found = self
            .entries
            .binary_search_by(|(known, _)| known.cmp(digest));
        Some(self.entries.get(found.ok()?)?.1)
    }
}
