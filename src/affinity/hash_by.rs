//! `upstream-hash-by`: requests of one value go to one endpoint, or to one set of endpoints.
//!
//! Source: `balancer/chash.lua`, `balancer/chashsubset.lua`, ingress-nginx dbb11b92d. Which
//! set a value maps to is exact where the sizes agree; which endpoints form a set is not:
//! the original numbers them in the controller's order, limpet by address.

use crate::cluster::Cluster;
use crate::endpoints::ClusterTable;
use crate::stream::Facts;

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
