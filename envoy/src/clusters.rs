//! The clusters: one for each Service port that an Ingress names, with its endpoints.

mod authorizer;
mod cluster;
mod declared;
mod endpoint;
mod endpoint_slices;
mod flag;
pub mod off_limits;
mod protocol;
mod room;
mod service_port;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;

use limpet::config;

use crate::manifests::Manifests;
use crate::names;
use crate::taken::TakenIngress;
use crate::uses::Uses;

pub(crate) use authorizer::{asks, authorizers};
pub use cluster::{Cluster, Twin};
use declared::{Declared, is_external};
pub use endpoint::{Endpoint, Health};
use endpoint_slices::{ByService, Found};
pub use flag::EndpointsFlag;
pub use protocol::Protocol;
use room::Room;
pub use service_port::ServicePort;

/// Every cluster that the Ingresses name, in the order they name them, and notes for the operator.
///
/// `flags` win over EndpointSlices; `default`: the default backend of all. A flag that no Ingress asks for is noted.
#[must_use]
pub(crate) fn clusters(
    manifests: &Manifests,
    ingresses: &[TakenIngress<'_>],
    flags: &[EndpointsFlag],
    default: Option<&ServicePort>,
) -> (Vec<Cluster>, Vec<String>) {
    let known = Known::new(manifests, flags);
    let mut room = Room::of(&manifests.endpoint_slices);
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut places: HashMap<ServicePort, usize> = HashMap::new();
    for ingress in ingresses {
        for named in ingress.backends() {
            let namespace = &ingress.ingress.namespace;
            let Some(service_port) = ServicePort::named(namespace, named.backend) else {
                continue;
            };
            let at = *places
                .entry(service_port)
                .or_insert_with_key(|service_port| {
                    let place = ingress.object.place_of(&named.pointer);
                    clusters.push(known.cluster_in(&mut room, service_port.clone(), place));
                    clusters.len() - 1
                });
            if let Some(cluster) = clusters.get_mut(at) {
                name(cluster, ingress);
            }
        }
    }
    let mut first: HashMap<String, usize> = HashMap::new();
    for (at, cluster) in clusters.iter().enumerate() {
        let id = cluster.service_port.service_id();
        first.entry(id).or_insert(at);
    }
    for ingress in ingresses {
        let Some(service_port) = known.default_backend(ingress) else {
            continue;
        };
        let id = service_port.service_id();
        let of_it = first.get(&id).and_then(|at| clusters.get_mut(*at));
        if let Some(cluster) = of_it {
            if cluster.by_annotation {
                name(cluster, ingress);
            }
            continue;
        }
        let place = ingress.place_of(DEFAULT_BACKEND);
        let mut cluster = known.cluster_in(&mut room, service_port, place);
        if !cluster.missing {
            cluster.by_annotation = true;
            name(&mut cluster, ingress);
            first.insert(id, clusters.len());
            clusters.push(cluster);
        }
    }
    if let Some(default) = default
        && clusters
            .iter()
            .all(|cluster| cluster.service_port != *default)
    {
        let place = "default_backend".to_owned();
        let (mut cluster, _) = known.cluster(default.clone(), place, usize::MAX);
        if !cluster.missing {
            cluster.by_annotation = true;
            clusters.push(cluster);
        }
    }
    let notes = clusters.iter().filter_map(|cluster| known.no_port(cluster));
    let notes = notes.chain(room.notes).collect();
    (clusters, notes)
}

/// A note for each `--endpoints` of a Service port that is none of these clusters.
pub(crate) fn unused<'f>(
    manifests: &'f Manifests,
    flags: &'f [EndpointsFlag],
    clusters: impl Iterator<Item = &'f Cluster> + Clone + 'f,
) -> impl Iterator<Item = String> + 'f {
    let known = Known::new(manifests, flags);
    let is_unused = move |flag: &&EndpointsFlag| {
        let mut clusters = clusters.clone();
        clusters.all(|cluster| !known.flags_of(&cluster.service_port).contains(flag))
    };
    let note = |flag| format!("--endpoints {flag}: no Ingress names this Service port; not used");
    flags.iter().filter(is_unused).map(note)
}

/// What `default_backend` says: `namespace/service`, or with its port.
pub(crate) fn default_backend(
    manifests: &Manifests,
    flags: &[EndpointsFlag],
    said: &str,
) -> Option<ServicePort> {
    let (namespace, rest) = said.split_once('/')?;
    match rest.split_once(':') {
        Some((service, port)) => Some(ServicePort {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            port: port.to_owned(),
        }),
        None => Known::new(manifests, flags).first_port(namespace, rest),
    }
}

/// The clusters that the module has to be told, `namespace/service:port` and name: no backend
/// names them.
pub(crate) fn told(clusters: &[Cluster]) -> impl Iterator<Item = (String, String)> {
    let told = clusters.iter().filter(|cluster| cluster.by_annotation);
    told.map(|cluster| (cluster.service_port.key(), cluster.name()))
}

const DEFAULT_BACKEND: &str = "default-backend";

/// Of the ports of a Service: a line for each path that names none would have all of them.
const MOST_TOLD: usize = 16;

fn name(cluster: &mut Cluster, ingress: &TakenIngress<'_>) {
    cluster.named_by.push(ingress.id().to_owned());
}

/// How each is spoken to by those who use it: in plain HTTP where one of them does, and else as the first
/// of them says. Those who speak otherwise: each Ingress, `namespace/name`, with how. Whoever calls a port by its
/// number and whoever calls it by its name speak to the same pods, and on some platforms by the same cluster.
///
/// Source: `proxy_pass` of `buildProxyPass`, `internal/ingress/controller/template/template.go`,
/// ingress-nginx dbb11b92d: a location's protocol is its Ingress's, whoever serves it.
pub(crate) fn speak(
    clusters: &mut [Cluster],
    ingresses: &[TakenIngress<'_>],
    used: &Uses,
) -> BTreeMap<String, Protocol> {
    let all = ingresses.iter().enumerate();
    let places: HashMap<&str, (usize, &TakenIngress<'_>)> =
        all.map(|(at, one)| (one.id(), (at, one))).collect();
    let spoken = |cluster: &Cluster| -> BTreeMap<usize, (String, Protocol)> {
        let users = used.get(&cluster.service_port.key());
        let users = users.into_iter().flat_map(BTreeMap::keys);
        let users = users.filter_map(|id| places.get(&**id));
        let spoken = users.map(|(at, one)| (*at, (one.id().to_owned(), Protocol::of(one))));
        spoken.collect()
    };
    let mut by_port: HashMap<(String, Option<u16>), BTreeMap<usize, Protocol>> = HashMap::new();
    for cluster in clusters.iter() {
        let of_port = by_port.entry(port_of(cluster)).or_default();
        let spoken = spoken(cluster).into_iter();
        of_port.extend(spoken.map(|(at, (_, protocol))| (at, protocol)));
    }
    let mut otherwise = BTreeMap::new();
    for cluster in clusters {
        let Some(of_port) = by_port.get(&port_of(cluster)) else {
            continue;
        };
        let mut all = of_port.values().copied();
        let own = spoken(cluster);
        let plain = all
            .clone()
            .find(|protocol| *protocol == Protocol::default());
        let Some(chosen) = plain.or_else(|| all.next()).filter(|_| !own.is_empty()) else {
            continue;
        };
        cluster.protocol = Some(chosen);
        let others = of_port.values().filter(|one| **one != chosen);
        cluster.others.extend(others.copied());
        let own = own.into_values();
        otherwise.extend(own.filter(|(_, protocol)| *protocol != chosen));
    }
    otherwise
}

/// The port of a Service, whatever it is called.
fn port_of(cluster: &Cluster) -> (String, Option<u16>) {
    let key = cluster.service_port.key();
    match cluster.number {
        Some(number) => (cluster.service_port.service_id(), Some(number)),
        None => (key, None),
    }
}

/// What is known of Services.
struct Known<'m> {
    manifests: &'m Manifests,
    flags: &'m [EndpointsFlag],
    slices: ByService<'m>,
    declared: Declared<'m>,
}

impl<'m> Known<'m> {
    fn new(manifests: &'m Manifests, flags: &'m [EndpointsFlag]) -> Self {
        Self {
            manifests,
            flags,
            slices: ByService::of(&manifests.endpoint_slices),
            declared: Declared::default(),
        }
    }
}

impl Known<'_> {
    /// With as many endpoints as its namespace has room for.
    fn cluster_in(&self, room: &mut Room<'_>, service_port: ServicePort, place: String) -> Cluster {
        let namespace = service_port.namespace.clone();
        let (cluster, found) = self.cluster(service_port, place, room.left(&namespace));
        let written = cluster.endpoints.len();
        if found.is_cut {
            room.note(&cluster.place, &cluster.service_port, written);
        }
        room.take(&namespace, found.looked_at);
        cluster
    }

    /// With at most so many endpoints of EndpointSlices, and how they were found.
    fn cluster(&self, service_port: ServicePort, place: String, most: usize) -> (Cluster, Found) {
        let service = self.manifests.service(&service_port.service_id());
        let external_name = service.and_then(|service| service.text("/spec/externalName"));
        let external_name = external_name.filter(|_| service.is_some_and(is_external));
        let written = service.and_then(|service| self.declared.port(service, &service_port.port));
        let port = written.and_then(config::service_port);
        let given = self.flags_of(&service_port);
        let slices = self.slices.slices(&service_port);
        let mut found = if given.is_empty() {
            slices.endpoints(port.as_ref(), most)
        } else {
            let given = given.iter().flat_map(|flag| flag.endpoints());
            Found::given(given.collect())
        };
        // The port of a name in DNS need not be declared, and nothing is known of a Service that is
        // not there or says no ports.
        let is_external = external_name.is_some();
        let has_ports = service.is_some_and(|one| one.value.pointer("/spec/ports").is_some());
        let as_named = || {
            let number = service_port.port.parse().ok();
            number.filter(|_| is_external || !has_ports)
        };
        let number = port.as_ref().map(|port| port.port).or_else(as_named);
        let target = match &port {
            Some(port) if is_external => port.target_number().or(number),
            Some(port) => port.target_number().or_else(|| slices.number_of(port)),
            None => number.filter(|_| is_external),
        };
        let cluster = Cluster {
            number,
            has_no_such_port: number.is_none() && (is_external || has_ports),
            target,
            headless: service.map(|service| service.text("/spec/clusterIP") == Some("None")),
            named_by: Vec::new(),
            external_name: external_name.map(str::to_owned),
            missing: service.is_none() && !self.manifests.services.is_empty(),
            port_name: written
                .and_then(|port| port.get("name")?.as_str())
                .map(str::to_owned),
            app_protocol: written
                .and_then(|port| port.get("appProtocol")?.as_str())
                .map(str::to_owned),
            service_port,
            endpoints: mem::take(&mut found.endpoints),
            place,
            protocol: None,
            others: BTreeSet::new(),
            by_annotation: false,
            authorizer: None,
            twin: None,
        };
        (cluster, found)
    }

    /// The flags with its endpoints: those that call the port as the Ingress does, else those that
    /// call it otherwise.
    fn flags_of(&self, named: &ServicePort) -> Vec<&EndpointsFlag> {
        if self.flags.is_empty() {
            return Vec::new();
        }
        let flags = self.flags.iter();
        let as_named: Vec<_> = flags.clone().filter(|flag| flag.covers(named)).collect();
        let service = self.manifests.service(&named.service_id());
        let port = service.and_then(|service| self.declared.port(service, &named.port));
        match port.and_then(config::service_port) {
            Some(port) if as_named.is_empty() => flags
                .filter(|flag| flag.port_of(named).is_some_and(|one| port.is_meant_by(one)))
                .collect(),
            _ => as_named,
        }
    }

    /// A line for a port that its Service does not have.
    fn no_port(&self, cluster: &Cluster) -> Option<String> {
        if !cluster.has_no_such_port {
            return None;
        }
        let service = self.manifests.service(&cluster.service_port.service_id())?;
        let ports = service.list("/spec/ports").iter();
        let ports = ports.filter_map(config::service_port);
        let few: Vec<String> = ports.take(MOST_TOLD).map(|port| port.to_string()).collect();
        let more = service.list("/spec/ports").len().saturating_sub(MOST_TOLD);
        let has = match (few.is_empty(), more) {
            (true, _) => "none".to_owned(),
            (_, 0) => few.join(", "),
            (_, more) => format!("{} and {more} more", few.join(", ")),
        };
        Some(format!(
            "{}: Service {} has no port {:?}, it has {has}: its paths answer 503",
            cluster.place,
            service.id(),
            cluster.service_port.port
        ))
    }

    /// What the annotation `default-backend` of an Ingress names: the Service's first port, as
    /// ingress-nginx takes it; where the Service is not among the manifests, the one that a flag
    /// names, else 80.
    fn default_backend(&self, ingress: &TakenIngress<'_>) -> Option<ServicePort> {
        let service = &ingress.annotations.default_backend;
        self.first_port(&ingress.ingress.namespace, service)
    }

    fn first_port(&self, namespace: &str, service: &str) -> Option<ServicePort> {
        if !names::is_label(service) {
            return None;
        }
        let mut named = ServicePort {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            port: String::new(),
        };
        let declared = self.manifests.service(&named.service_id());
        let first = declared.and_then(|service| service.list("/spec/ports").first());
        let number = first.and_then(|port| port.get("port")?.as_u64());
        let flagged = || self.flags.iter().find_map(|flag| flag.port_of(&named));
        named.port = match number {
            Some(number) => number.to_string(),
            None => flagged().unwrap_or("80").to_owned(),
        };
        Some(named)
    }
}

#[cfg(test)]
mod tests;
