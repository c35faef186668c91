//! Endpoints by digest, as ingress-nginx's node map.
//!
//! Source: `rootfs/etc/nginx/lua/util/nodemap.lua`, ingress-nginx dbb11b92d.

use super::digest::Digest;
use crate::endpoints::Endpoint;

/// The endpoints of one cluster by one digest. Keeps the first 64 bits of each digest and
/// compares in full when they agree.
#[derive(Debug, Clone)]
pub struct NodeMap {
    digest: Digest,
    /// (first 64 bits, position in the sorted endpoints), sorted.
    entries: Vec<(u64, u32)>,
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
        let kept = |(prefix, owner): &(u64, u32)| {
            let owner = usize::try_from(*owner).ok()?;
            Some((*prefix, renumbered.get(owner).copied().flatten()?))
        };
        Self {
            digest: self.digest.clone(),
            entries: self.entries.iter().filter_map(kept).collect(),
        }
    }

    /// Adds the endpoint `address` at `position`. Not sorted yet: see [`Self::sort`].
    pub(crate) fn add(&mut self, address: &str, position: u32) {
        let prefix = prefix(self.digest.of(address).as_bytes());
        self.entries.push((prefix.unwrap_or(0), position));
    }

    /// Makes the map ready for [`Self::find`].
    pub(crate) fn sort(&mut self) {
        self.entries.sort_unstable();
    }

    /// The position among `endpoints` of the one whose digest is `key`, byte by byte.
    #[must_use]
    pub fn find(&self, key: &[u8], endpoints: &[Endpoint]) -> Option<u32> {
        if !self.digest.is_shape_of(key) {
            return None;
        }
        let wanted = prefix(key)?;
        let start = self.entries.partition_point(|(prefix, _)| *prefix < wanted);
        let same = self.entries.get(start..)?.iter();
        same.take_while(|(prefix, _)| *prefix == wanted)
            .map(|(_, position)| *position)
            .find(|position| {
                usize::try_from(*position)
                    .ok()
                    .and_then(|position| endpoints.get(position))
                    .is_some_and(|endpoint| self.digest.of(&endpoint.address).as_bytes() == key)
            })
    }
}

/// The first 16 hex digits as a number.
fn prefix(hex: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(hex.get(..16)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}
