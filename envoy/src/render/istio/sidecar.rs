//! The routes of the outbound side of sidecars, and the hosts made known to them.
//!
//! Everything is for the namespace of the workloads alone (`exportTo`): in the root namespace it
//! would else reach every sidecar of the mesh, most of them without limpet.

use serde_json::{Value, json};

use super::args::IstioArgs;
use super::route::{VIRTUAL_SERVICE, cluster_routes, hosts_by_name, object_name};
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    let hosts = hosts_by_name(served).into_iter();
    let hosts = hosts.filter(|host| *host != "*");
    let mut all = Vec::new();
    for host in hosts {
        if !is_service(served, args, host) {
            let is_first = all.is_empty();
            all.push(entry(host, args, is_first));
        }
        all.push(virtual_service(served, args, host));
    }
    all
}

/// A Service is known to sidecars already, and an entry of that name would take it over.
fn is_service(served: &Served<'_>, args: &IstioArgs, host: &str) -> bool {
    let inside = [&format!(".svc.{}", args.cluster_domain), ".svc"];
    let is_inside = inside.iter().any(|domain| host.ends_with(domain));
    is_inside
        || served.clusters.iter().any(|(cluster, _)| {
            let service_port = &cluster.service_port;
            host == format!("{}.{}", service_port.service, service_port.namespace)
        })
}

/// A host of an Ingress, known to the sidecars; it is reached as it always was.
fn entry(host: &str, args: &IstioArgs, is_first: bool) -> Resource {
    let spec = json!({
        "hosts": [host],
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "resolution": "NONE",
        "ports": [{ "number": 80, "name": "http", "protocol": "HTTP" }],
    });
    let kind = Kind {
        api_version: "networking.istio.io/v1",
        name: "ServiceEntry",
    };
    let entry = Resource::new(kind, &args.namespace, &object_name(host), spec);
    if !is_first {
        return entry;
    }
    entry
        .comment("Makes the Ingress hosts known to the sidecars, on port 80. A host that is a Service of the mesh")
        .comment("needs no entry; for such a host alone, the Service label istio.io/persistent-session does as well.")
}

fn virtual_service(served: &Served<'_>, args: &IstioArgs, host: &str) -> Resource {
    let mut routes = cluster_routes(served, args, host);
    if host.starts_with('*') {
        if routes.is_empty() {
            routes.push(json!({ "name": "none", "directResponse": { "status": 404 } }));
        }
    } else {
        routes.push(as_before(host));
    }
    let spec = json!({
        "hosts": [host],
        "exportTo": ["."],
        "gateways": ["mesh"],
        "http": routes,
    });
    Resource::new(VIRTUAL_SERVICE, &args.namespace, &object_name(host), spec)
}

/// What no Ingress names goes where it would without limpet.
fn as_before(host: &str) -> Value {
    json!({
        "name": "not-named-by-an-ingress",
        "route": [{ "destination": { "host": host, "port": { "number": 80 } } }],
    })
}
