//! Listeners and routes: the cluster that limpet names is the cluster that serves.

use serde_json::{Map, Value, json};

use super::args::IstioArgs;
use super::credential;
use crate::clusters::Cluster;
use crate::forwarding::envoy::{CLIENT, HTTP, HTTPS, ListenerSide, PEER, host, on_a_route};
use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER};
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

const VIRTUAL_SERVICE: Kind = Kind {
    api_version: "networking.istio.io/v1",
    name: "VirtualService",
};

pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    if args.sidecar {
        let hosts: Vec<&String> = served.hosts.iter().filter(|host| *host != "*").collect();
        let mut all = Vec::new();
        if !hosts.is_empty() {
            all.push(entry(&hosts, args));
        }
        let routes = hosts.iter().enumerate();
        all.extend(routes.filter_map(|(n, host)| sidecar_routes(served, args, n, host)));
        all
    } else {
        // A gateway without hosts and a route without a destination are refused.
        let hosts = served.hosts.iter().enumerate();
        let gateway = (!served.hosts.is_empty()).then(|| gateway(served, args));
        let routes = hosts.filter_map(|(n, host)| gateway_routes(served, args, n, host));
        gateway.into_iter().chain(routes).collect()
    }
}

fn gateway(served: &Served<'_>, args: &IstioArgs) -> Resource {
    let mut servers = vec![json!({
        "port": { "number": 80, "name": "http", "protocol": "HTTP" },
        "hosts": served.hosts,
    })];
    for (index, certificate) in served.certificates.iter().enumerate() {
        if let Some(name) = credential::name(certificate, args) {
            servers.push(json!({
                "port": { "number": 443, "name": format!("https-{index}"), "protocol": "HTTPS" },
                "tls": { "mode": "SIMPLE", "credentialName": name },
                "hosts": certificate.hosts,
            }));
        }
    }
    let spec = json!({ "selector": args.labels(), "servers": servers });
    Resource::new(
        Kind { api_version: "networking.istio.io/v1", name: "Gateway" },
        &args.namespace, "limpet",
        spec,
    )
    .comment("The listeners. Leave it out where a Gateway has these hosts already, and name that one below.")
}

/// One for each host: istiod refuses a wildcard beside a name that it covers in one object, and with
/// it every host. `None`: limpet answers the host itself, whoever asks.
fn gateway_routes(served: &Served<'_>, args: &IstioArgs, n: usize, host: &str) -> Option<Resource> {
    let routes = cluster_routes(served, args, host);
    if routes.is_empty() {
        return None;
    }
    let spec = json!({
        "hosts": [host],
        "gateways": [format!("{}/limpet", args.namespace)],
        "http": routes,
    });
    let routes = Resource::new(
        VIRTUAL_SERVICE,
        &args.namespace,
        &format!("limpet-{n}"),
        spec,
    );
    Some(match n {
        0 => routes
            .comment("One route for each Service port of a host. limpet chooses by the header; nobody else can set it.")
            .comment("The forwarding headers are those that ingress-nginx sent."),
        _ => routes,
    })
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

/// One route for each cluster of `host`.
fn cluster_routes(served: &Served<'_>, args: &IstioArgs, host: &str) -> Vec<Value> {
    let sides = sides(served, args).into_iter();
    sides
        .flat_map(|side| routes_of(served, args, host, side))
        .collect()
}

fn routes_of(served: &Served<'_>, args: &IstioArgs, host: &str, side: Side) -> Vec<Value> {
    let forwarding: Map<String, Value> = forwarding(served, args, side.listener).collect();
    let route = |(cluster, number): &(&Cluster, u16)| {
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
    served.clusters_of(host).into_iter().map(route).collect()
}

fn forwarding(
    served: &Served<'_>,
    args: &IstioArgs,
    side: ListenerSide,
) -> impl Iterator<Item = (String, Value)> {
    // A sidecar does not use the remote address: X-Forwarded-For would be whoever a client says.
    let address = if args.sidecar && !served.forwarding.trusted {
        PEER
    } else {
        CLIENT
    };
    let host = host(served.forwarding.trusted);
    on_a_route(served.forwarding.trusted, side, address, host)
        .into_iter()
        .map(|header| (header.name.to_owned(), json!(header.value)))
}

/// The hosts of the Ingresses, known to sidecars; each is reached as it always was.
fn entry(hosts: &[&String], args: &IstioArgs) -> Resource {
    let spec = json!({
        "hosts": hosts,
        "location": "MESH_EXTERNAL",
        "resolution": "NONE",
        "ports": [{ "number": 80, "name": "http", "protocol": "HTTP" }],
    });
    Resource::new(
        Kind { api_version: "networking.istio.io/v1", name: "ServiceEntry" },
        &args.namespace, "limpet",
        spec,
    )
    .comment("Makes the Ingress hosts known to the sidecars, on port 80. A host that is a Service of the mesh")
    .comment("needs no entry; for such a host alone, the Service label istio.io/persistent-session does as well.")
}

fn sidecar_routes(served: &Served<'_>, args: &IstioArgs, n: usize, host: &str) -> Option<Resource> {
    let mut routes = cluster_routes(served, args, host);
    if !host.starts_with('*') {
        routes.push(json!({
            "name": "not-named-by-an-ingress",
            "route": [{ "destination": { "host": host, "port": { "number": 80 } } }],
        }));
    }
    if routes.is_empty() {
        return None;
    }
    let spec = json!({ "hosts": [host], "gateways": ["mesh"], "http": routes });
    let name = format!("limpet-{n}");
    Some(Resource::new(VIRTUAL_SERVICE, &args.namespace, &name, spec))
}
