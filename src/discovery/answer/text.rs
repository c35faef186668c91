//! `/clusters` as text: `<cluster>::<ip:port>::<what>::<value>`, a line each, some seventeen
//! lines per endpoint of which one matters.
//!
//! Source: `ClustersHandler::writeClustersAsText`, Envoy 1.40.

use super::garbage::{Garbage, is_address};
use crate::endpoints::{Endpoint, Health};
use memchr::{memchr, memmem, memrchr};
use std::collections::BTreeMap;
use std::mem::take;

/// Once per endpoint.
const FLAGS: &[u8] = b"::health_flags::";
/// Once per cluster, with or without endpoints.
const CLUSTER: &[u8] = b"::added_via_api::";

const GARBAGE: Garbage = Garbage("the text of Envoy's /clusters was expected");

/// An answer that is being read.
#[derive(Debug)]
pub(super) struct Text {
    body: Vec<u8>,
    /// Everything before is read.
    at: usize,
    done: BTreeMap<String, Vec<Endpoint>>,
    /// The cluster that is being read: Envoy lists cluster by cluster.
    name: String,
    endpoints: Vec<Endpoint>,
}

impl Text {
    pub(super) fn start(body: Vec<u8>) -> Result<Self, Garbage> {
        let is_whole = body.ends_with(b"\n") && memmem::find(&body, CLUSTER).is_some();
        if !body.is_empty() && !is_whole {
            return Err(GARBAGE);
        }
        Ok(Self {
            body,
            at: 0,
            done: BTreeMap::new(),
            name: String::new(),
            endpoints: Vec::new(),
        })
    }

    /// Reads up to so many endpoints; says whether there are no more.
    pub(super) fn step(&mut self, endpoints: usize) -> Result<bool, Garbage> {
        let body = std::mem::take(&mut self.body);
        let read = self.read(&body, endpoints);
        self.body = body;
        read
    }

    fn read(&mut self, body: &[u8], endpoints: usize) -> Result<bool, Garbage> {
        for _ in 0..endpoints {
            let rest = body.get(self.at..).unwrap_or_default();
            let Some((front, flags, len)) = line_with_flags(rest) else {
                return Ok(true);
            };
            self.at = self.at.saturating_add(len);
            let front = std::str::from_utf8(front).map_err(|_| GARBAGE)?;
            if let Some((cluster, address)) = split(front) {
                self.add(cluster, address, flags);
            }
        }
        Ok(false)
    }

    fn add(&mut self, cluster: &str, address: &str, flags: &[u8]) {
        if self.name != cluster {
            self.store();
            cluster.clone_into(&mut self.name);
        }
        if is_address(address) {
            self.endpoints.push(Endpoint {
                address: address.into(),
                health: health(flags),
            });
        }
    }

    fn store(&mut self) {
        let (name, endpoints) = (take(&mut self.name), take(&mut self.endpoints));
        if !name.is_empty() {
            self.done.entry(name).or_default().extend(endpoints);
        }
    }

    /// What has been read; those of `asked` that are listed without endpoints included.
    pub(super) fn finish(mut self, asked: &[String]) -> BTreeMap<String, Vec<Endpoint>> {
        self.store();
        for name in asked {
            if !self.done.contains_key(name) && is_listed(name, &self.body) {
                self.done.insert(name.clone(), Vec::new());
            }
        }
        self.done
    }
}

/// Whether a cluster that has no endpoints is known all the same.
fn is_listed(name: &str, body: &[u8]) -> bool {
    let line = [name.as_bytes(), CLUSTER].concat();
    body.starts_with(&line) || memmem::find(body, &[b"\n", &*line].concat()).is_some()
}

/// The next line that tells an endpoint's flags: what stands before and behind [`FLAGS`], and
/// how far it reaches.
fn line_with_flags(body: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let (before, from) = body.split_at_checked(memmem::find(body, FLAGS)?)?;
    let start = memrchr(b'\n', before).map_or(0, |n| n.saturating_add(1));
    let after = from.get(FLAGS.len()..)?;
    let flags = after.get(..memchr(b'\n', after).unwrap_or(after.len()))?;
    let len = before
        .len()
        .saturating_add(FLAGS.len())
        .saturating_add(flags.len());
    Some((before.get(start..)?, flags, len))
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
