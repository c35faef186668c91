//! The upstreams: one for each Service port that an Ingress names.
//!
//! Source: `createUpstreams`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.

use super::merged::{DEFAULT_UPSTREAM, Loaded, Upstream, key};
use crate::config::{Service, ServicePort};
use crate::ingress::Backend;
use crate::remark::{Effect, Field, Problem, Remark};
use std::collections::{BTreeMap, HashMap};

/// The Services that exist, by name.
type Services<'c> = HashMap<&'c str, &'c Service>;

/// The first Ingress that names a Service port decides what it is, but a default backend
/// makes it anew.
pub(super) fn create(
    loaded: &[Loaded],
    services: Option<&[Service]>,
    remarks: &mut Vec<Remark>,
) -> BTreeMap<String, Upstream> {
    let services = services.map(|services| {
        let named = services.iter().rev();
        named
            .map(|service| (service.name.as_str(), service))
            .collect()
    });
    let services = services.as_ref();
    let mut upstreams = BTreeMap::new();
    upstreams.insert(DEFAULT_UPSTREAM.to_owned(), Upstream::default());
    for one in loaded {
        let namespace = &one.ingress.namespace;
        if let Some(backend) = &one.ingress.default_backend {
            let upstream = upstream(one, backend, services, remarks);
            upstreams.insert(key(namespace, backend), upstream);
        }
        for backend in one.ingress.backends() {
            upstreams
                .entry(key(namespace, backend))
                .or_insert_with(|| upstream(one, backend, services, remarks));
        }
    }
    upstreams
}

fn upstream(
    one: &Loaded,
    backend: &Backend,
    services: Option<&Services>,
    remarks: &mut Vec<Remark>,
) -> Upstream {
    let annotations = &one.annotations;
    let name = format!("{}/{}", one.ingress.namespace, backend.service);
    let missing = missing(&name, &backend.port, services);
    let exists = missing.is_none();
    if let Some(problem) = missing {
        let value = format!("{name}:{}", backend.port);
        let remark = Remark::new(Field::Backend, &value, problem, Effect::AsBefore);
        remarks.push(remark.of(&one.ingress.key));
    }
    Upstream {
        namespace: one.ingress.namespace.clone(),
        service: backend.service.clone(),
        port: backend.port.clone(),
        exists,
        no_server: annotations.canary.is_some(),
        canary: annotations.canary.clone(),
        hash_by: annotations.hash_by.clone(),
        hash_subset: annotations.hash_subset,
        ..Upstream::default()
    }
}

/// Why a Service port cannot be used; `None`: it can, as far as is known.
fn missing(name: &str, port: &str, services: Option<&Services>) -> Option<Problem> {
    if port.is_empty() {
        return Some(Problem::NoPort);
    }
    let Some(service) = services?.get(name) else {
        return Some(Problem::NoService);
    };
    let ports = service.ports.as_ref()?;
    let is_known = ports.iter().any(|known| known.is_meant_by(port));
    (!is_known).then(|| Problem::NoServicePort {
        ports: ports.iter().map(ServicePort::to_string).collect(),
    })
}
