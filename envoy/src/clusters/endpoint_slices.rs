//! Endpoints from EndpointSlices.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use limpet::config::ServicePort as Port;
use serde_json::Value;

use super::endpoint::{Endpoint, Health};
use super::service_port::ServicePort;
use crate::manifests::Object;

/// The label that ties a slice to its Service.
const SERVICE_NAME: &str = "/metadata/labels/kubernetes.io~1service-name";

/// The EndpointSlices of one Service.
#[derive(Debug)]
pub(super) struct Slices<'m> {
    slices: Vec<&'m Object>,
    /// The port as the Ingress writes it.
    port: &'m str,
}

/// EndpointSlices by the namespace and the name of their Service.
#[derive(Debug, Default)]
pub(super) struct ByService<'m>(HashMap<(&'m str, &'m str), Vec<&'m Object>>);

impl<'m> ByService<'m> {
    /// All of `slices`.
    pub(super) fn of(slices: &'m [Object]) -> Self {
        let mut all: HashMap<_, Vec<&Object>> = HashMap::new();
        for slice in slices {
            if let Some(service) = slice.text(SERVICE_NAME) {
                all.entry((slice.namespace(), service))
                    .or_default()
                    .push(slice);
            }
        }
        Self(all)
    }

    /// Those of the Service of `service_port`.
    pub(super) fn slices<'s>(&self, service_port: &'s ServicePort) -> Slices<'s>
    where
        'm: 's,
    {
        let service = (
            service_port.namespace.as_str(),
            service_port.service.as_str(),
        );
        Slices {
            slices: self.0.get(&service).cloned().unwrap_or_default(),
            port: &service_port.port,
        }
    }
}

impl Slices<'_> {
    /// The endpoints of `port`; without one (the Service is not there) the slice's port is taken by
    /// number or name, or if it is the only one. `most`: how many at most, and whether there are more.
    pub(super) fn endpoints(&self, port: Option<&Port>, most: usize) -> (Vec<Endpoint>, bool) {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut known = HashSet::new();
        for slice in &self.slices {
            for number in self.numbers(slice, port) {
                for (ip, health) in addresses(slice) {
                    let address = SocketAddr::new(ip, number);
                    if !known.insert(address) {
                        continue;
                    }
                    if endpoints.len() == most {
                        return (endpoints, true);
                    }
                    let address = address.to_string();
                    endpoints.push(Endpoint { address, health });
                }
            }
        }
        (endpoints, false)
    }

    /// The pods' port where `port` calls it by a name, if it is the same for all of them.
    pub(super) fn number_of(&self, port: &Port) -> Option<u16> {
        let slices = self.slices.iter();
        let mut numbers = slices.flat_map(|slice| self.numbers(slice, Some(port)));
        let first = numbers.next()?;
        numbers.all(|number| number == first).then_some(first)
    }

    /// Source: `getEndpointsFromSlices`, `internal/ingress/controller/endpointslices.go`,
    /// ingress-nginx dbb11b92d.
    fn numbers(&self, slice: &Object, port: Option<&Port>) -> Vec<u16> {
        let ports: Vec<SlicePort> = slice.list("/ports").iter().filter_map(slice_port).collect();
        let named = |name: &str| {
            let of_it = ports.iter().filter(|port| port.name == name);
            of_it.map(|port| port.number).collect::<Vec<u16>>()
        };
        match port {
            Some(port) if port.name.is_empty() && !ports.is_empty() => {
                ports.iter().map(|port| port.number).collect()
            }
            Some(port) => {
                let found = named(&port.name);
                if found.is_empty() {
                    port.target_number().into_iter().collect()
                } else {
                    found
                }
            }
            None => {
                let is_it = |port: &&SlicePort| {
                    port.name == self.port || port.number.to_string() == self.port
                };
                let found = ports.iter().find(is_it).or(match &ports[..] {
                    [only] => Some(only),
                    _ => None,
                });
                found.map(|port| port.number).into_iter().collect()
            }
        }
    }
}

/// A port of a slice.
struct SlicePort<'s> {
    name: &'s str,
    number: u16,
}

/// `None`: it is not one of TCP, or has no number.
fn slice_port(value: &Value) -> Option<SlicePort<'_>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    if text("protocol").is_some_and(|protocol| protocol != "TCP") {
        return None;
    }
    Some(SlicePort {
        name: text("name").unwrap_or_default(),
        number: u16::try_from(value.get("port")?.as_u64()?).ok()?,
    })
}

/// How many addresses a slice says.
pub(super) fn count(slice: &Object) -> usize {
    let entries = slice.list("/endpoints").iter();
    let lists = entries.filter_map(|entry| entry.get("addresses")?.as_array());
    lists.map(Vec::len).sum()
}

/// Every address that is an endpoint.
fn addresses(slice: &Object) -> impl Iterator<Item = (IpAddr, Health)> {
    slice.list("/endpoints").iter().flat_map(|entry| {
        let health = health(entry);
        let ips = entry.get("addresses").and_then(Value::as_array);
        let ips = ips.into_iter().flatten().filter_map(Value::as_str);
        ips.filter_map(move |ip| Some((ip.parse().ok()?, health?)))
    })
}

/// `None`: neither ready nor serving, so it is no endpoint.
///
/// Source: `EndpointConditions`, k8s.io/api/discovery/v1: a missing `ready` counts as true, a
/// missing `serving` as `ready`, a missing `terminating` as false.
fn health(entry: &Value) -> Option<Health> {
    let condition = |name: &str| entry.pointer(&format!("/conditions/{name}"))?.as_bool();
    let ready = condition("ready").unwrap_or(true);
    let serving = condition("serving").unwrap_or(ready);
    let terminating = condition("terminating").unwrap_or(false);
    match (ready && !terminating, serving && terminating) {
        (true, _) => Some(Health::Healthy),
        (_, true) => Some(Health::Draining),
        _ => None,
    }
}
