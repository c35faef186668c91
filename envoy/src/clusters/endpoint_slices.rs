//! Endpoints from EndpointSlices.

use std::cell::OnceCell;
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
pub(super) struct Slices<'s, 'm> {
    slices: &'s [Slice<'m>],
    /// The port as the Ingress writes it.
    port: &'s str,
}

/// EndpointSlices by the namespace and the name of their Service.
#[derive(Debug, Default)]
pub(super) struct ByService<'m>(HashMap<(&'m str, &'m str), OfService<'m>>);

/// Those of one Service, read when they are first asked for.
#[derive(Debug, Default)]
struct OfService<'m> {
    objects: Vec<&'m Object>,
    read: OnceCell<Vec<Slice<'m>>>,
}

/// An EndpointSlice, read once: its ports are looked up for each port that an Ingress names.
#[derive(Debug)]
struct Slice<'m> {
    /// Each number once.
    numbers: Vec<u16>,
    /// The same of each name.
    named: HashMap<&'m str, Vec<u16>>,
    /// Of each number, and of each name, the first port.
    first: HashMap<String, u16>,
    /// The number of the port, where there is one alone.
    only: Option<u16>,
    /// Each address that is an endpoint once, with the first that is said of it.
    addresses: Vec<(IpAddr, Health)>,
}

impl<'m> ByService<'m> {
    /// All of `slices`.
    pub(super) fn of(slices: &'m [Object]) -> Self {
        let mut all: HashMap<_, OfService> = HashMap::new();
        for slice in slices {
            if let Some(service) = slice.text(SERVICE_NAME) {
                let of_it = all.entry((slice.namespace(), service)).or_default();
                of_it.objects.push(slice);
            }
        }
        Self(all)
    }

    /// Those of the Service of `service_port`.
    pub(super) fn slices<'s>(&'s self, service_port: &'s ServicePort) -> Slices<'s, 'm> {
        let service = (
            service_port.namespace.as_str(),
            service_port.service.as_str(),
        );
        let slices = self.0.get(&service).map(|of_it| {
            let read = || of_it.objects.iter().map(|slice| Slice::read(slice));
            of_it.read.get_or_init(|| read().collect())
        });
        Slices {
            slices: slices.map_or(&[], Vec::as_slice),
            port: &service_port.port,
        }
    }
}

/// What is found of a port.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) endpoints: Vec<Endpoint>,
    /// How many were looked at: some of them may be in several slices.
    pub(super) looked_at: usize,
    /// There are more.
    pub(super) is_cut: bool,
}

impl Found {
    /// What a flag says, of which there may be any number.
    pub(super) fn given(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            ..Self::default()
        }
    }
}

impl Slices<'_, '_> {
    /// The endpoints of `port`; without one (the Service is not there) the slice's port is taken by
    /// number or name, or if it is the only one. `most`: how many are looked at.
    pub(super) fn endpoints(&self, port: Option<&Port>, most: usize) -> Found {
        let mut found = Found::default();
        let mut known = HashSet::new();
        for slice in self.slices {
            for number in self.numbers(slice, port) {
                for (ip, health) in &slice.addresses {
                    if found.looked_at == most {
                        found.is_cut = true;
                        return found;
                    }
                    found.looked_at = found.looked_at.saturating_add(1);
                    let address = SocketAddr::new(*ip, number);
                    if known.insert(address) {
                        let (address, health) = (address.to_string(), *health);
                        found.endpoints.push(Endpoint { address, health });
                    }
                }
            }
        }
        found
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
    fn numbers(&self, slice: &Slice<'_>, port: Option<&Port>) -> Vec<u16> {
        match port {
            Some(port) if port.name.is_empty() && !slice.numbers.is_empty() => {
                slice.numbers.clone()
            }
            Some(port) => {
                let found = slice.named.get(port.name.as_str());
                let target = || port.target_number().into_iter().collect();
                found.cloned().unwrap_or_else(target)
            }
            None => {
                let found = slice.first.get(self.port).copied();
                found.or(slice.only).into_iter().collect()
            }
        }
    }
}

impl<'m> Slice<'m> {
    fn read(slice: &'m Object) -> Self {
        let ports: Vec<SlicePort> = slice.list("/ports").iter().filter_map(slice_port).collect();
        let mut known = HashSet::new();
        let mut numbers = Vec::new();
        let mut named: HashMap<&str, Vec<u16>> = HashMap::new();
        let mut first = HashMap::new();
        for SlicePort { name, number } in &ports {
            if known.insert((None, *number)) {
                numbers.push(*number);
            }
            let of_name = named.entry(name).or_default();
            if known.insert((Some(*name), *number)) {
                of_name.push(*number);
            }
            for text in [(*name).to_owned(), number.to_string()] {
                first.entry(text).or_insert(*number);
            }
        }
        let mut known = HashSet::new();
        let addresses = addresses(slice).filter(|(ip, _)| known.insert(*ip));
        Self {
            numbers,
            named,
            first,
            only: match &ports[..] {
                [only] => Some(only.number),
                _ => None,
            },
            addresses: addresses.collect(),
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
fn addresses(slice: &Object) -> impl Iterator<Item = (IpAddr, Health)> + '_ {
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
