//! `/clusters?format=json`.
//!
//! Source: `envoy.admin.v3.Clusters`, Envoy 1.40.

use super::garbage::{Garbage, is_address};
use crate::endpoints::{Endpoint, Health};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Clusters<'j> {
    #[serde(borrow)]
    cluster_statuses: Option<Vec<Cluster<'j>>>,
}

#[derive(Deserialize)]
struct Cluster<'j> {
    name: String,
    #[serde(borrow, default)]
    host_statuses: Vec<Host<'j>>,
}

#[derive(Deserialize)]
struct Host<'j> {
    #[serde(borrow, default)]
    address: Address<'j>,
    #[serde(borrow, default)]
    health_status: HealthStatus<'j>,
}

#[derive(Deserialize, Default)]
struct Address<'j> {
    #[serde(borrow)]
    socket_address: Option<SocketAddress<'j>>,
}

#[derive(Deserialize)]
struct SocketAddress<'j> {
    #[serde(borrow)]
    address: Cow<'j, str>,
    #[serde(default)]
    port_value: u32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HealthStatus<'j> {
    #[serde(borrow)]
    eds_health_status: Cow<'j, str>,
    failed_active_health_check: bool,
    failed_outlier_check: bool,
}

pub(super) fn read(body: &[u8]) -> Result<BTreeMap<String, Vec<Endpoint>>, Garbage> {
    const GARBAGE: Garbage = Garbage("the JSON of Envoy's /clusters was expected");
    let clusters: Clusters = serde_json::from_slice(body).map_err(|_| GARBAGE)?;
    let clusters = match clusters.cluster_statuses {
        Some(clusters) => clusters,
        // No cluster, and no field at all: `{}`. Somebody else's object has others.
        None if !body.contains(&b'"') => Vec::new(),
        None => return Err(GARBAGE),
    };
    let cluster = |c: Cluster| {
        (
            c.name,
            c.host_statuses.iter().filter_map(endpoint).collect(),
        )
    };
    // One by one: to collect is to sort, which is 6 KiB of the module for each kind of map.
    let mut found = BTreeMap::new();
    found.extend(clusters.into_iter().map(cluster));
    Ok(found)
}

fn endpoint(host: &Host) -> Option<Endpoint> {
    let SocketAddress {
        address,
        port_value,
    } = host.address.socket_address.as_ref()?;
    let address = if address.contains(':') {
        format!("[{address}]:{port_value}")
    } else {
        format!("{address}:{port_value}")
    };
    is_address(&address).then(|| Endpoint {
        address: address.into(),
        health: health(&host.health_status),
    })
}

/// What Envoy's active and passive checks say counts before what it was told.
///
/// Source: `HostImplBase::healthStatus`, Envoy 1.40.
fn health(status: &HealthStatus) -> Health {
    match &*status.eds_health_status {
        _ if status.failed_active_health_check || status.failed_outlier_check => Health::Unhealthy,
        "DRAINING" => Health::Draining,
        "UNHEALTHY" | "TIMEOUT" => Health::Unhealthy,
        _ => Health::Healthy,
    }
}
