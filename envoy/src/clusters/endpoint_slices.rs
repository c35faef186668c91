//! Endpoints from EndpointSlices.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::endpoint::{Endpoint, Health};
use super::service_port::ServicePort;
use crate::manifests::Object;

/// The label that ties a slice to its Service.
const SERVICE_NAME: &str = "/metadata/labels/kubernetes.io~1service-name";

/// The endpoints of one Service port. `port` is its entry in the Service, where there is one;
/// without a Service the slice's port is taken by number or name, or if it is the only one.
pub(super) fn endpoints(
    slices: &[Object],
    service_port: &ServicePort,
    port: Option<&Value>,
) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for slice in slices {
        let is_ours = slice.namespace() == service_port.namespace
            && slice.text(SERVICE_NAME) == Some(&service_port.service);
        let Some(number) = is_ours
            .then(|| slice_port(slice, service_port, port))
            .flatten()
        else {
            continue;
        };
        for entry in slice.list("/endpoints") {
            let Some(health) = health(entry) else {
                continue;
            };
            for ip in entry
                .get("addresses")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let Some(Ok(ip)) = ip.as_str().map(str::parse::<IpAddr>) else {
                    continue;
                };
                let address = SocketAddr::new(ip, number).to_string();
                if endpoints.iter().all(|endpoint| endpoint.address != address) {
                    endpoints.push(Endpoint { address, health });
                }
            }
        }
    }
    endpoints
}

fn slice_port(slice: &Object, service_port: &ServicePort, port: Option<&Value>) -> Option<u16> {
    let ports = slice.list("/ports");
    let name = |entry: &Value| {
        entry
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let number = |entry: &Value| u16::try_from(entry.get("port")?.as_u64()?).ok();
    let found = match port {
        Some(port) => ports.iter().find(|entry| name(entry) == name(port)),
        None => ports
            .iter()
            .find(|entry| {
                name(entry) == service_port.port
                    || number(entry).map(|n| n.to_string()).as_deref() == Some(&service_port.port)
            })
            .or(match ports {
                [only] => Some(only),
                _ => None,
            }),
    };
    number(found?)
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
