//! The values of new cookies.

use super::Affinity;
use super::writer::Writer;
use crate::endpoints::{ClusterTable, ring, ring_key};
use crate::facts::Facts;

impl Affinity {
    /// The value of a cookie that names the endpoint `address`. `None` where that takes a table
    /// which does not know it (a ring key, a position).
    pub(super) fn mint(
        &self,
        address: &str,
        table: Option<&ClusterTable>,
        facts: &Facts,
    ) -> Option<String> {
        let digest = || {
            let digest = self.digests.first()?;
            let known = table.and_then(|table| table.digest_of(digest, address));
            let hex = known.unwrap_or_else(|| digest.of(address));
            Some(hex.as_str().to_owned())
        };
        match self.writer {
            Writer::Ring => Some(self.with_backend_key(&ring_key(address, table?, facts)?)),
            Writer::Persistent => Some(self.with_backend_key(&digest()?)),
            Writer::Md5 | Writer::Sha1 | Writer::Keyed => digest(),
            Writer::Index => Some(table?.position(address)?.to_string()),
            Writer::Nothing => None,
        }
    }

    /// The value of a cookie once more: a ring key as it came where it can be sent as it is.
    pub(super) fn again(
        &self,
        address: &str,
        key: &[u8],
        table: Option<&ClusterTable>,
        facts: &Facts,
    ) -> Option<String> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        match std::str::from_utf8(key) {
            Ok(key) if self.writer == Writer::Ring && key.bytes().all(|b| plain(&b)) => {
                Some(self.with_backend_key(key))
            }
            _ => self.mint(address, table, facts),
        }
    }

    fn with_backend_key(&self, key: &str) -> String {
        format!("{key}|{}", self.backend_key)
    }
}

/// A new key that the ring maps to `address`: each hash that the endpoint answers for is as
/// likely as the others, as with ingress-nginx, which draws keys until one fits.
fn ring_key(address: &str, table: &ClusterTable, facts: &Facts) -> Option<String> {
    let arcs: Vec<ring::Arc> = table
        .ring()
        .arcs(address, table.position(address)?)
        .collect();
    let total: u64 = arcs.iter().map(|arc| arc.length).sum();
    let random = (facts.random)();
    let mut left = random.checked_rem(total)?;
    let arc = arcs.iter().find(|arc| {
        let here = left < arc.length;
        if !here {
            left = left.saturating_sub(arc.length);
        }
        here
    })?;
    let hash = arc
        .after
        .wrapping_add(u32::try_from(left).ok()?)
        .wrapping_add(1);
    // ingress-nginx shows the time of its first try as a second ahead.
    let seconds = (facts.now)().saturating_add(1);
    Some(ring_key::key(seconds, hash, (facts.random)()))
}
