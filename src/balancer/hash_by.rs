//! `upstream-hash-by`: requests of one value go to one endpoint, or to one set of endpoints.
//!
//! Source: `balancer/chash.lua`, `balancer/chashsubset.lua`, ingress-nginx dbb11b92d. Which
//! set a value maps to is exact where the sizes agree; which endpoints form a set is not:
//! the original numbers them in the controller's order, limpet by address.

use crate::cluster::Cluster;
use crate::endpoints::ClusterTable;
use crate::facts::Facts;

/// The `ip:port` that `upstream-hash-by` names for `value`, where the cluster has no affinity;
/// `None`: the load balancer chooses. Of a set, any endpoint is drawn.
#[must_use]
pub fn hashed<'t>(
    cluster: &Cluster,
    table: Option<&'t ClusterTable>,
    value: &[u8],
    facts: &Facts,
) -> Option<&'t str> {
    let table = table.filter(|_| cluster.affinity.is_none())?;
    let hash_by = cluster.hash_by?;
    let owner = table.ring().find(value)?;
    let Some(size) = hash_by.subset_size else {
        return Some(&table.at(owner)?.address);
    };
    let size = u64::try_from(size.get()).ok()?;
    let count = u64::try_from(table.endpoints().len()).ok()?;
    let drawn = (facts.random)().checked_rem(size)?;
    // The last set is filled up from the start of the list.
    let position = u64::from(owner).checked_mul(size)?.checked_add(drawn)?;
    let position = u32::try_from(position.checked_rem(count)?).ok()?;
    Some(&table.at(position)?.address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::HashBy;
    use crate::endpoints::{Endpoint, Health};
    use std::collections::BTreeSet;
    use std::num::NonZeroUsize;

    fn cluster(subset_size: Option<usize>) -> Cluster {
        Cluster {
            upstream_name: "default-web-80".to_owned(),
            service: "default/web:80".to_owned(),
            envoy_name: "web".to_owned(),
            affinity: None,
            alternatives: Vec::new(),
            has_fallback: false,
            has_pages: false,
            canary: None,
            hash_by: Some(HashBy {
                subset_size: subset_size.and_then(NonZeroUsize::new),
            }),
        }
    }

    /// Every endpoint that a value may go to.
    fn reached(cluster: &Cluster, endpoints: usize, value: &str) -> BTreeSet<String> {
        let endpoint = |n| Endpoint {
            address: format!("10.0.0.{n}:80").into(),
            health: Health::Healthy,
        };
        let table = ClusterTable::build(cluster.index(), (1..=endpoints).map(endpoint).collect());
        let drawn = |random: u64| {
            let facts = Facts {
                random: &|| random,
                ..Facts::NONE
            };
            hashed(cluster, Some(&table), value.as_bytes(), &facts).map(str::to_owned)
        };
        (0..12).filter_map(drawn).collect()
    }

    #[test]
    fn a_value_goes_to_one_endpoint_or_to_one_set() {
        for (subset_size, endpoints, size) in [
            (None, 5, 1),
            (Some(1), 5, 1),
            (Some(2), 6, 2),
            (Some(3), 7, 3),
            (Some(3), 2, 2),
            (None, 0, 0),
            (Some(3), 0, 0),
        ] {
            let cluster = cluster(subset_size);
            for value in ["", "/a", "/b?c", "10.1.2.3"] {
                let found = reached(&cluster, endpoints, value);
                assert_eq!(
                    found.len(),
                    size,
                    "{subset_size:?} of {endpoints}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn values_spread_over_all_endpoints() {
        for subset_size in [None, Some(2)] {
            let cluster = cluster(subset_size);
            let values = (0..200).map(|n| format!("/{n}"));
            let found: BTreeSet<String> = values
                .flat_map(|value| reached(&cluster, 5, &value))
                .collect();
            assert_eq!(found.len(), 5, "{subset_size:?}");
        }
    }
}
