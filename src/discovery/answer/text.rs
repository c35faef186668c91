//! `/clusters` as text: `<cluster>::<ip:port>::<what>::<value>`, a line each, some seventeen
//! lines per endpoint of which one matters.
//!
//! Source: `ClustersHandler::writeClustersAsText`, Envoy 1.40.

use super::{Garbage, is_address};
use crate::endpoints::{Endpoint, Health};
use memchr::{memchr, memmem, memrchr};
use std::collections::BTreeMap;

/// Once per endpoint.
const FLAGS: &[u8] = b"::health_flags::";
/// Once per cluster, with or without endpoints.
const CLUSTER: &[u8] = b"::added_via_api::";

const GARBAGE: Garbage = Garbage("the text of Envoy's /clusters was expected");

pub(super) fn read(
    body: &[u8],
    asked: &[String],
) -> Result<BTreeMap<String, Vec<Endpoint>>, Garbage> {
    let is_empty = body.is_empty();
    if !is_empty && !(body.ends_with(b"\n") && memmem::find(body, CLUSTER).is_some()) {
        return Err(GARBAGE);
    }
    let mut clusters: BTreeMap<String, Vec<Endpoint>> = BTreeMap::new();
    let mut current: Option<(&str, Vec<Endpoint>)> = None;
    for (front, flags) in lines_with(FLAGS, body) {
        let Some((cluster, address)) = split(text(front)?) else {
            continue;
        };
        // Envoy lists cluster by cluster.
        let endpoints = match &mut current {
            Some((name, endpoints)) if *name == cluster => endpoints,
            _ => {
                store(&mut clusters, current.take());
                &mut current.insert((cluster, Vec::new())).1
            }
        };
        if is_address(address) {
            endpoints.push(Endpoint {
                address: address.to_owned(),
                health: health(flags),
            });
        }
    }
    store(&mut clusters, current);
    for name in asked {
        if !clusters.contains_key(name) && is_listed(name, body) {
            clusters.insert(name.clone(), Vec::new());
        }
    }
    Ok(clusters)
}

fn store(clusters: &mut BTreeMap<String, Vec<Endpoint>>, found: Option<(&str, Vec<Endpoint>)>) {
    if let Some((name, endpoints)) = found {
        clusters
            .entry(name.to_owned())
            .or_default()
            .extend(endpoints);
    }
}

/// Whether a cluster that has no endpoints is known all the same.
fn is_listed(name: &str, body: &[u8]) -> bool {
    let line = [name.as_bytes(), CLUSTER].concat();
    body.starts_with(&line) || memmem::find(body, &[b"\n", &*line].concat()).is_some()
}

/// What stands before and behind `middle` in every line that has it.
fn lines_with<'b>(
    middle: &'static [u8],
    body: &'b [u8],
) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
    memmem::find_iter(body, middle).filter_map(move |at| {
        let (before, from) = body.split_at_checked(at)?;
        let start = memrchr(b'\n', before).map_or(0, |n| n + 1);
        let after = from.get(middle.len()..)?;
        let end = memchr(b'\n', after).unwrap_or(after.len());
        Some((before.get(start..)?, after.get(..end)?))
    })
}

fn text(bytes: &[u8]) -> Result<&str, Garbage> {
    std::str::from_utf8(bytes).map_err(|_| GARBAGE)
}

/// Cluster and address; both may hold `::`, the address only inside brackets.
fn split(front: &str) -> Option<(&str, &str)> {
    let at = front.rfind("::[").or_else(|| front.rfind("::"))?;
    Some((front.get(..at)?, front.get(at + 2..)?))
}

/// As [`super::json`]'s, by the names of the flags.
fn health(flags: &[u8]) -> Health {
    let has = |flag: &[u8]| flags.split(|&b| b == b'/').any(|f| f == flag);
    if has(b"failed_active_hc") || has(b"failed_outlier_check") {
        Health::Unhealthy
    } else if has(b"eds_status_draining") {
        Health::Draining
    } else if has(b"failed_eds_health") {
        Health::Unhealthy
    } else {
        Health::Healthy
    }
}
