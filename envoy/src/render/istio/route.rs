//! The routes of a gateway: the cluster that limpet names is the cluster that serves.

use limpet::endpoints::digest::backend_key;
use serde_json::{Map, Value, json};

use super::args::IstioArgs;
use crate::clusters::Cluster;
use crate::forwarding::envoy::{
    CLIENT, HTTP, HTTPS, ListenerSide, PEER, Written, host, on_a_route,
};
use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER};
use crate::names;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

pub(super) const VIRTUAL_SERVICE: Kind = Kind {
    api_version: "networking.istio.io/v1",
    name: "VirtualService",
};

/// The hosts that Istio takes: a name of one label it takes for a Service.
pub(super) fn hosts<'s>(served: &'s Served<'_>) -> impl Iterator<Item = &'s str> {
    let hosts = served.hosts.iter().map(String::as_str);
    hosts.filter(|host| *host == "*" || host.contains('.'))
}

/// What the objects of one host are called, whatever other hosts there are.
pub(super) fn object_name(host: &str) -> String {
    let name = match host.strip_prefix('*') {
        Some("") => "limpet-default".to_owned(),
        Some(domain) => format!("limpet-wildcard{domain}"),
        None => format!("limpet-host-{host}"),
    };
    if names::is_subdomain(&name) {
        name
    } else {
        format!("limpet-long-{}", backend_key(host))
    }
}

/// One for each host, with the clusters that may serve it: of a shared one Istio makes a route for
/// each host and each cluster, and the refusal of one host would take all others with it.
pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    let hosts = hosts(served).enumerate();
    hosts
        .map(|(n, host)| {
            let routes = cluster_routes(served, args, &served.clusters_of(host));
            let resource = virtual_service(args, host, routes);
            if n > 0 {
                return resource;
            }
            resource
                .comment("One for each host, and in it a route for each Service port that may serve it. limpet chooses by")
                .comment("the header; nobody else can set it. The forwarding headers are those that ingress-nginx sent.")
        })
        .collect()
}

fn virtual_service(args: &IstioArgs, host: &str, mut routes: Vec<Value>) -> Resource {
    if routes.is_empty() {
        // Redirects alone, which limpet answers; a VirtualService without routes is refused.
        routes.push(json!({ "name": "none", "directResponse": { "status": 404 } }));
    }
    let spec = json!({
        "hosts": [host],
        "gateways": [format!("{}/limpet", args.namespace)],
        "http": routes,
    });
    Resource::new(VIRTUAL_SERVICE, &args.namespace, &object_name(host), spec)
}

/// The requests that a route is for.
#[derive(Debug, Clone, Copy)]
struct Side {
    listener: ListenerSide,
    /// The requests of the other listener have a route of their own.
    is_told_apart: bool,
}

impl Side {
    fn route_name(self, cluster: &Cluster) -> String {
        if self.is_told_apart {
            format!("{}-{}", cluster.name(), self.listener.scheme)
        } else {
            cluster.name()
        }
    }
}

/// Which port a client used is nothing that Envoy can write, so it is a route's to know.
fn sides(served: &Served<'_>, args: &IstioArgs) -> Vec<Side> {
    let is_told_apart = !args.sidecar && !served.certificates.is_empty();
    let listeners = if is_told_apart {
        vec![HTTP, HTTPS]
    } else {
        vec![HTTP]
    };
    let side = |listener| Side {
        listener,
        is_told_apart,
    };
    listeners.into_iter().map(side).collect()
}

/// The names of the routes to a cluster.
pub(super) fn names(served: &Served<'_>, args: &IstioArgs, cluster: &Cluster) -> Vec<String> {
    let sides = sides(served, args).into_iter();
    sides.map(|side| side.route_name(cluster)).collect()
}

/// One route for each of the clusters.
pub(super) fn cluster_routes(
    served: &Served<'_>,
    args: &IstioArgs,
    clusters: &[&(&Cluster, u16)],
) -> Vec<Value> {
    let sides = sides(served, args).into_iter();
    sides
        .flat_map(|side| routes_of(served, args, side, clusters))
        .collect()
}

fn routes_of(
    served: &Served<'_>,
    args: &IstioArgs,
    side: Side,
    clusters: &[&(&Cluster, u16)],
) -> Vec<Value> {
    let written = written(served, args, side.listener).into_iter();
    let forwarding: Map<String, Value> = written
        .map(|header| (header.name.to_owned(), json!(header.value)))
        .collect();
    let route = |(cluster, number): &&(&Cluster, u16)| {
        let service_port = &cluster.service_port;
        let mut wanted = json!({ "headers": {
            CLUSTER_HEADER: { "exact": args.cluster_name(service_port, *number) },
        } });
        if let (true, Some(wanted)) = (side.is_told_apart, wanted.as_object_mut()) {
            wanted.insert("port".to_owned(), json!(side.listener.port));
        }
        json!({
            "name": side.route_name(cluster),
            "match": [wanted],
            "route": [{ "destination": {
                "host": args.service_host(service_port),
                "port": { "number": number },
            } }],
            "headers": { "request": {
                "set": forwarding,
                "remove": [CLUSTER_HEADER, ENDPOINT_HEADER],
            } },
            "retries": { "attempts": 2, "retryOn": "connect-failure,refused-stream" },
        })
    };
    clusters.iter().map(route).collect()
}

/// The forwarding headers that a route writes.
pub(super) fn written(served: &Served<'_>, args: &IstioArgs, side: ListenerSide) -> Vec<Written> {
    // A sidecar does not use the remote address: X-Forwarded-For would be whoever a client says.
    let address = if args.sidecar && !served.forwarding.trusted {
        PEER
    } else {
        CLIENT
    };
    let host = host(served.forwarding.trusted);
    on_a_route(served.forwarding, side, address, host)
}
