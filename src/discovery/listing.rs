//! What is known of the endpoints, cluster by cluster, and its compact form in shared data.

use crate::endpoints::{Endpoint, Health};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// One cluster of a [`Listing`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Envoy's membership figures when the endpoints were read, as one number (see
    /// [`super::membership`]); 0: not known.
    pub mark: u64,
    /// Sorted by address, each address once.
    pub endpoints: Vec<Endpoint>,
}

/// Endpoints by Envoy's cluster name. A cluster that is not in it is not known to Envoy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The clusters.
    pub clusters: BTreeMap<String, Entry>,
}

impl Listing {
    /// How many endpoints all clusters have together.
    #[must_use]
    pub fn endpoints(&self) -> usize {
        self.clusters.values().map(|c| c.endpoints.len()).sum()
    }

    /// The names and endpoints of the clusters that differ from `before`. A cluster that
    /// only `before` has is not named: what was known of it stays in use.
    pub fn changed_since<'l>(
        &'l self,
        before: &'l Self,
    ) -> impl Iterator<Item = (&'l String, &'l Vec<Endpoint>)> {
        self.clusters
            .iter()
            .filter(|(name, entry)| {
                before
                    .clusters
                    .get(*name)
                    .is_none_or(|b| b.endpoints != entry.endpoints)
            })
            .map(|(name, entry)| (name, &entry.endpoints))
    }

    /// The compact form, and its digest. The digest is never 0.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, u64) {
        let mut bytes = Vec::with_capacity(self.endpoints() * 24);
        for (name, entry) in &self.clusters {
            put(&mut bytes, name.as_bytes());
            bytes.extend_from_slice(&entry.mark.to_le_bytes());
            put_len(&mut bytes, entry.endpoints.len());
            for endpoint in &entry.endpoints {
                bytes.push(match endpoint.health {
                    Health::Healthy => 0,
                    Health::Unhealthy => 1,
                    Health::Draining => 2,
                });
                put(&mut bytes, endpoint.address.as_bytes());
            }
        }
        let digest = digest(&bytes);
        (bytes, digest)
    }

    /// Reads the compact form; `None` for anything else.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut clusters = BTreeMap::new();
        while !bytes.is_empty() {
            let name = text(&mut bytes)?;
            let mark = u64::from_le_bytes(*chunk(&mut bytes)?);
            let count = len(&mut bytes)?;
            let mut endpoints = Vec::new();
            for _ in 0..count {
                let [health] = *chunk(&mut bytes)?;
                let health = match health {
                    0 => Health::Healthy,
                    1 => Health::Unhealthy,
                    2 => Health::Draining,
                    _ => return None,
                };
                let address = text(&mut bytes)?.into();
                endpoints.push(Endpoint { address, health });
            }
            clusters.insert(name, Entry { mark, endpoints });
        }
        Some(Self { clusters })
    }
}

/// A number that stands for `bytes`, never 0. The same in every VM of one module.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish().max(1)
}

fn put_len(bytes: &mut Vec<u8>, len: usize) {
    bytes.extend_from_slice(&u32::try_from(len).unwrap_or(0).to_le_bytes());
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    put_len(bytes, part.len());
    bytes.extend_from_slice(part);
}

fn chunk<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(head)
}

fn len(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*chunk(bytes)?)).ok()
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let len = len(bytes)?;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    String::from_utf8(head.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str, health: Health) -> Endpoint {
        Endpoint {
            address: address.into(),
            health,
        }
    }

    fn listing() -> Listing {
        let endpoints = vec![
            endpoint("10.0.0.1:80", Health::Healthy),
            endpoint("10.0.0.2:80", Health::Draining),
            endpoint("[::1]:80", Health::Unhealthy),
        ];
        let entry = |endpoints| Entry { mark: 7, endpoints };
        Listing {
            clusters: BTreeMap::from([
                ("a".into(), entry(endpoints)),
                ("b".into(), entry(Vec::new())),
            ]),
        }
    }

    #[test]
    fn the_compact_form_is_read_back_and_no_cut_of_it_panics() {
        let (bytes, digest) = listing().encode();
        assert_eq!(Listing::decode(&bytes), Some(listing()));
        assert_eq!(digest, listing().encode().1);
        for cut in 0..bytes.len() {
            assert_ne!(Listing::decode(&bytes[..cut]), Some(listing()));
        }
    }

    #[test]
    fn only_clusters_whose_endpoints_differ_are_named() {
        let mut later = listing();
        later.clusters.get_mut("a").unwrap().mark = 8;
        assert_eq!(later.changed_since(&listing()).count(), 0);
        later.clusters.get_mut("a").unwrap().endpoints.pop();
        later.clusters.remove("b");
        let before = listing();
        let names: Vec<_> = later.changed_since(&before).map(|c| c.0).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(before.changed_since(&Listing::default()).count(), 2);
    }
}
