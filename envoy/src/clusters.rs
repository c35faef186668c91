//! The clusters: one for each Service port that an Ingress names, with its endpoints.

mod endpoint_slices;
mod flag;
mod protocol;

use serde_json::Value;

use crate::manifests::{Manifests, Object};

pub use flag::EndpointsFlag;
pub use protocol::Protocol;

/// What is known of an endpoint's health before any proxy looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Takes requests.
    Healthy,
    /// Terminating but still serving: keeps its sessions, gets no new ones.
    Draining,
}

/// One pod's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ip:port`, an IPv6 address in brackets.
    pub address: String,
    /// Its health.
    pub health: Health,
}

/// A Service port as an Ingress writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServicePort {
    /// The namespace of the Ingress.
    pub namespace: String,
    /// `backend.service.name`.
    pub service: String,
    /// `backend.service.port`: the number or the name, as text.
    pub port: String,
}

impl ServicePort {
    /// What `backend` of an Ingress in `namespace` names; `None`: no Service.
    #[must_use]
    pub fn of_backend(namespace: &str, backend: &Value) -> Option<Self> {
        let service = backend.pointer("/service/name")?.as_str()?;
        let port = backend.pointer("/service/port")?;
        let port = match (port.get("number"), port.get("name")) {
            (Some(Value::Number(number)), _) => number.to_string(),
            (_, Some(Value::String(name))) => name.clone(),
            _ => return None,
        };
        Some(Self {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            port,
        })
    }

    /// `namespace/service:port`, the key of the plugin configuration's `clusters`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}:{}", self.namespace, self.service, self.port)
    }

    /// `namespace/service`.
    #[must_use]
    pub fn service_id(&self) -> String {
        format!("{}/{}", self.namespace, self.service)
    }

    /// The Envoy cluster's name: `namespace-service-port`, ingress-nginx's upstream name.
    #[must_use]
    pub fn cluster_name(&self) -> String {
        format!("{}-{}-{}", self.namespace, self.service, self.port)
    }
}

/// One cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Which Service port it stands for.
    pub service_port: ServicePort,
    /// Its endpoints, in the order given.
    pub endpoints: Vec<Endpoint>,
    /// Services were given, and this one was not among them.
    pub missing: bool,
    /// The port of the Service in numbers, where it is known.
    pub number: Option<u16>,
    /// The pods' port in numbers, where the Service says it.
    pub target: Option<u16>,
    /// Whether the Service is headless; `None`: it is not among the manifests.
    pub headless: Option<bool>,
    /// The Ingresses that name it, `namespace/name`.
    pub named_by: Vec<String>,
    /// The Service's `externalName`, if it is of that type.
    pub external_name: Option<String>,
    /// Where an Ingress names it first, `file:line`.
    pub place: String,
    /// No backend names it, only the annotation `default-backend`: the module has to be told.
    pub by_annotation: bool,
}

impl Cluster {
    /// The Envoy cluster's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.service_port.cluster_name()
    }
}

/// Every cluster that the Ingresses name, in the order they name them, and notes for the operator.
///
/// `flags` win over EndpointSlices. A flag that no Ingress asks for is noted.
#[must_use]
pub fn clusters(manifests: &Manifests, flags: &[EndpointsFlag]) -> (Vec<Cluster>, Vec<String>) {
    let mut clusters: Vec<Cluster> = Vec::new();
    for ingress in &manifests.ingresses {
        for (service_port, place) in named_by(ingress) {
            let known = clusters
                .iter()
                .position(|known| known.service_port == service_port);
            let at = known.unwrap_or_else(|| {
                clusters.push(cluster(manifests, flags, service_port, place));
                clusters.len() - 1
            });
            if let Some(named) = clusters.get_mut(at).map(|cluster| &mut cluster.named_by) {
                named.push(ingress.id());
            }
        }
    }
    for ingress in &manifests.ingresses {
        let Some((service_port, place)) = default_backend(ingress, manifests, flags) else {
            continue;
        };
        let id = service_port.service_id();
        let is_it = |known: &&mut Cluster| known.service_port.service_id() == id;
        if let Some(known) = clusters.iter_mut().find(is_it) {
            if known.by_annotation {
                known.named_by.push(ingress.id());
            }
            continue;
        }
        let mut named = cluster(manifests, flags, service_port, place);
        if !named.missing {
            named.by_annotation = true;
            named.named_by.push(ingress.id());
            clusters.push(named);
        }
    }
    let notes = flags
        .iter()
        .filter(|flag| {
            clusters
                .iter()
                .all(|cluster| !flag.covers(&cluster.service_port))
        })
        .map(|flag| format!("--endpoints {flag}: no Ingress names this Service port; not used"))
        .collect();
    (clusters, notes)
}

fn cluster(
    manifests: &Manifests,
    flags: &[EndpointsFlag],
    service_port: ServicePort,
    place: String,
) -> Cluster {
    let id = service_port.service_id();
    let service = manifests.services.iter().find(|service| service.id() == id);
    let port = service.and_then(|service| declared_port(service, &service_port.port));
    let mut given = flags
        .iter()
        .filter(|flag| flag.covers(&service_port))
        .peekable();
    let endpoints = match given.peek() {
        Some(_) => given.flat_map(|flag| flag.endpoints()).collect(),
        None => endpoint_slices::endpoints(&manifests.endpoint_slices, &service_port, port),
    };
    let number = |field: &str| port.and_then(|port| port.get(field)?.as_u64()?.try_into().ok());
    Cluster {
        number: number("port").or_else(|| service_port.port.parse().ok()),
        target: match port.is_some_and(|port| port.get("targetPort").is_none()) {
            true => number("port"),
            false => number("targetPort"),
        },
        headless: service.map(|service| service.text("/spec/clusterIP") == Some("None")),
        named_by: Vec::new(),
        external_name: service
            .and_then(|service| service.text("/spec/externalName"))
            .map(str::to_owned),
        missing: service.is_none() && !manifests.services.is_empty(),
        service_port,
        endpoints,
        place,
        by_annotation: false,
    }
}

/// What the annotation `default-backend` of an Ingress names: the Service's first port, as
/// ingress-nginx takes it; where the Service is not among the manifests, the one that a flag
/// names, else 80.
fn default_backend(
    ingress: &Object,
    manifests: &Manifests,
    flags: &[EndpointsFlag],
) -> Option<(ServicePort, String)> {
    let service = ingress
        .text(DEFAULT_BACKEND)
        .filter(|name| !name.is_empty())?;
    let mut named = ServicePort {
        namespace: ingress.namespace().to_owned(),
        service: service.to_owned(),
        port: String::new(),
    };
    let id = named.service_id();
    let declared = manifests.services.iter().find(|known| known.id() == id);
    let first = declared.and_then(|service| service.list("/spec/ports").first());
    let number = first.and_then(|port| port.get("port")?.as_u64());
    let flagged = || flags.iter().find_map(|flag| flag.port_of(&named));
    named.port = match number {
        Some(number) => number.to_string(),
        None => flagged().unwrap_or("80").to_owned(),
    };
    Some((named, ingress.place_of(DEFAULT_BACKEND)))
}

const DEFAULT_BACKEND: &str = "/metadata/annotations/nginx.ingress.kubernetes.io~1default-backend";

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

/// The Service ports one Ingress names, each with its place.
fn named_by(ingress: &Object) -> Vec<(ServicePort, String)> {
    let mut named = Vec::new();
    let mut add = |backend: Option<&Value>, pointer: String| {
        if let Some(service_port) =
            backend.and_then(|b| ServicePort::of_backend(ingress.namespace(), b))
        {
            named.push((service_port, ingress.place_of(&pointer)));
        }
    };
    add(
        ingress.value.pointer("/spec/defaultBackend"),
        "/spec/defaultBackend".to_owned(),
    );
    for (r, rule) in ingress.list("/spec/rules").iter().enumerate() {
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (p, path) in paths.into_iter().flatten().enumerate() {
            add(
                path.get("backend"),
                format!("/spec/rules/{r}/http/paths/{p}/backend"),
            );
        }
    }
    named
}

#[cfg(test)]
mod tests;
