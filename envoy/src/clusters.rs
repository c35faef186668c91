//! The clusters: one for each Service port that an Ingress names, with its endpoints.

mod cluster;
mod endpoint;
mod endpoint_slices;
mod flag;
pub mod off_limits;
mod protocol;
mod service_port;

use serde_json::Value;

use crate::manifests::{Manifests, Object};
use crate::names;
use crate::taken::TakenIngress;

pub use cluster::Cluster;
pub use endpoint::{Endpoint, Health};
pub use flag::EndpointsFlag;
pub use protocol::Protocol;
pub use service_port::ServicePort;

/// Every cluster that the Ingresses name, in the order they name them, and notes for the operator.
///
/// `flags` win over EndpointSlices. A flag that no Ingress asks for is noted.
#[must_use]
pub(crate) fn clusters(
    manifests: &Manifests,
    ingresses: &[TakenIngress<'_>],
    flags: &[EndpointsFlag],
) -> (Vec<Cluster>, Vec<String>) {
    let known = Known { manifests, flags };
    let mut clusters: Vec<Cluster> = Vec::new();
    for ingress in ingresses {
        for named in ingress.backends() {
            let namespace = &ingress.ingress.namespace;
            let Some(service_port) = ServicePort::named(namespace, named.backend) else {
                continue;
            };
            let mut all = clusters.iter();
            let at = all.position(|cluster| cluster.service_port == service_port);
            let at = at.unwrap_or_else(|| {
                let place = ingress.object.place_of(&named.pointer);
                clusters.push(known.cluster(service_port, place));
                clusters.len() - 1
            });
            if let Some(cluster) = clusters.get_mut(at) {
                name(cluster, ingress);
            }
        }
    }
    for ingress in ingresses {
        let Some(service_port) = known.default_backend(ingress) else {
            continue;
        };
        let id = service_port.service_id();
        let is_it = |cluster: &&mut Cluster| cluster.service_port.service_id() == id;
        if let Some(cluster) = clusters.iter_mut().find(is_it) {
            if cluster.by_annotation {
                name(cluster, ingress);
            }
            continue;
        }
        let place = ingress.place_of(DEFAULT_BACKEND);
        let mut cluster = known.cluster(service_port, place);
        if !cluster.missing {
            cluster.by_annotation = true;
            name(&mut cluster, ingress);
            clusters.push(cluster);
        }
    }
    let is_unused = |flag: &&EndpointsFlag| {
        let mut clusters = clusters.iter();
        clusters.all(|cluster| !flag.covers(&cluster.service_port))
    };
    let note = |flag| format!("--endpoints {flag}: no Ingress names this Service port; not used");
    let notes = flags.iter().filter(is_unused).map(note).collect();
    (clusters, notes)
}

/// The clusters that the module has to be told, `namespace/service:port` and name: no backend
/// names them.
pub(crate) fn told(clusters: &[Cluster]) -> impl Iterator<Item = (String, String)> {
    let told = clusters.iter().filter(|cluster| cluster.by_annotation);
    told.map(|cluster| (cluster.service_port.key(), cluster.name()))
}

const DEFAULT_BACKEND: &str = "default-backend";

/// `ingress` names `cluster`: the first one that says how its pods are spoken to decides.
fn name(cluster: &mut Cluster, ingress: &TakenIngress<'_>) {
    let asked = ingress.annotation("backend-protocol");
    cluster.protocol = cluster.protocol.or_else(|| asked.map(Protocol::read));
    cluster.named_by.push(ingress.id().to_owned());
}

/// What is known of Services.
struct Known<'m> {
    manifests: &'m Manifests,
    flags: &'m [EndpointsFlag],
}

impl Known<'_> {
    fn cluster(&self, service_port: ServicePort, place: String) -> Cluster {
        let service = self.manifests.service(&service_port.service_id());
        let port = service.and_then(|service| declared_port(service, &service_port.port));
        let flags = self.flags.iter();
        let mut given = flags.filter(|flag| flag.covers(&service_port)).peekable();
        let slices = &self.manifests.endpoint_slices;
        let endpoints = match given.peek() {
            Some(_) => given.flat_map(|flag| flag.endpoints()).collect(),
            None => endpoint_slices::endpoints(slices, &service_port, port),
        };
        let number = |field: &str| port.and_then(|port| port.get(field)?.as_u64()?.try_into().ok());
        let is_target = port.is_some_and(|port| port.get("targetPort").is_none());
        Cluster {
            number: number("port").or_else(|| service_port.port.parse().ok()),
            target: number(if is_target { "port" } else { "targetPort" }),
            headless: service.map(|service| service.text("/spec/clusterIP") == Some("None")),
            named_by: Vec::new(),
            external_name: service
                .and_then(|service| service.text("/spec/externalName"))
                .map(str::to_owned),
            missing: service.is_none() && !self.manifests.services.is_empty(),
            service_port,
            endpoints,
            place,
            protocol: None,
            by_annotation: false,
        }
    }

    /// What the annotation `default-backend` of an Ingress names: the Service's first port, as
    /// ingress-nginx takes it; where the Service is not among the manifests, the one that a flag
    /// names, else 80.
    fn default_backend(&self, ingress: &TakenIngress<'_>) -> Option<ServicePort> {
        let service = &ingress.annotations.default_backend;
        if !names::is_label(service) {
            return None;
        }
        let mut named = ServicePort {
            namespace: ingress.ingress.namespace.clone(),
            service: service.clone(),
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

/// The entry of `spec.ports` with that number or name.
fn declared_port<'s>(service: &'s Object, port: &str) -> Option<&'s Value> {
    service.list("/spec/ports").iter().find(|entry| {
        entry.get("name").and_then(Value::as_str) == Some(port)
            || entry
                .get("port")
                .and_then(Value::as_u64)
                .map(|n| n.to_string())
                .as_deref()
                == Some(port)
    })
}

#[cfg(test)]
mod tests;
