//! The routes of a gateway: the cluster that limpet names is the cluster that serves.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ptr;

use limpet::endpoints::digest::backend_key;
use serde_json::{Map, Value, json};

use super::args::IstioArgs;
use super::client_headers;
use super::pods;
use crate::clusters::Cluster;
use crate::filter_chain::NOT_RETRIED;
use crate::forwarding::envoy::{
    CLIENT, HTTP, HTTPS, ListenerSide, PEER, Written, host, on_a_route,
};
use crate::forwarding::{CLUSTER_HEADER, POLICY_HEADER};
use crate::names;
use crate::render::left_out;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;
use crate::render::way::{Requests, Way};

pub(super) const VIRTUAL_SERVICE: Kind = Kind {
    api_version: "networking.istio.io/v1",
    name: "VirtualService",
};

/// The subset of a Service to which TLS goes as it comes.
pub(super) const PASSED: &str = "passthrough";

/// The most names of one object: one that is refused costs them all, and each has its own routes in Envoy.
const MOST_NAMES: usize = 64;

/// The hosts that Istio takes.
pub(super) fn hosts<'s>(served: &'s Served<'_>) -> impl Iterator<Item = &'s str> {
    let hosts = served.hosts.iter().map(String::as_str);
    hosts.filter(|host| left_out::by_istio(host).is_none())
}

/// The same in the order of the names of their objects: istiod puts those for one host in the order in which they
/// came, and of one second in that of their names.
///
/// Source: `sortConfigByCreationTime`, `pilot/pkg/model/config.go`, istio eed52ebb.
pub(super) fn hosts_by_name<'s>(served: &'s Served<'_>) -> Vec<&'s str> {
    let mut all: Vec<&str> = hosts(served).collect();
    all.sort_by_cached_key(|host| object_name(host));
    all
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
/// each host and each cluster, and the refusal of one host would take all others with it. What else a host is
/// called has the same routes, and shares objects.
pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    let objects = names_by_object(served).into_iter().enumerate();
    objects
        .map(|(n, names)| {
            let first = names.first().copied().unwrap_or_default();
            let routes = cluster_routes(served, args, first);
            let passed = served.passed_to(first).map(|to| passed(args, first, to));
            let resource = virtual_service(args, &names, routes, passed);
            if n > 0 {
                return resource;
            }
            resource
                .comment("One for each host, and in it a route for each Service port that may serve it. limpet chooses by")
                .comment("the header; nobody else can set it. The forwarding headers are those that ingress-nginx sent.")
        })
        .collect()
}

/// The hosts of each object: a host, or at most [`MOST_NAMES`] further names of one (`server-alias`). A list of
/// names is no longer than its Ingress, and what came of each was a thousand times that.
fn names_by_object<'s>(served: &'s Served<'_>) -> Vec<Vec<&'s str>> {
    let compiled = served.compiled();
    let rules = compiled.ingresses.iter().flat_map(|one| &one.ingress.rules);
    let named: HashSet<String> = rules.map(|rule| rule.host.to_ascii_lowercase()).collect();
    let mut open = HashMap::new();
    let mut objects: Vec<Vec<&str>> = Vec::new();
    for host in hosts_by_name(served) {
        let further = (!named.contains(host)).then(|| compiled.virtual_host(host));
        let Some(server) = further.flatten() else {
            objects.push(vec![host]);
            continue;
        };
        // What is under a star may be the default server's, too.
        let shared = (ptr::from_ref(&*server.locations), host.starts_with('*'));
        let at = open.entry(shared).or_insert(objects.len());
        match objects.get_mut(*at) {
            Some(names) if names.len() < MOST_NAMES => names.push(host),
            _ => {
                *at = objects.len();
                objects.push(vec![host]);
            }
        }
    }
    objects
}

/// The route of a host's connections whose TLS goes on as it comes.
fn passed(args: &IstioArgs, host: &str, (cluster, number): (&Cluster, u16)) -> Value {
    let mut destination = json!({
        "host": args.service_host(&cluster.service_port),
        "port": { "number": number },
    });
    // Without it TLS would be in TLS.
    let tls = cluster.protocol.is_some_and(|protocol| protocol.tls);
    if let (true, Some(fields)) = (tls, destination.as_object_mut()) {
        fields.insert("subset".to_owned(), json!(PASSED));
    }
    json!({
        "match": [{ "port": 443, "sniHosts": [host] }],
        "route": [{ "destination": destination }],
    })
}

fn virtual_service(
    args: &IstioArgs,
    names: &[&str],
    mut routes: Vec<Value>,
    passed: Option<Value>,
) -> Resource {
    if routes.is_empty() {
        // Redirects alone, which limpet answers; a VirtualService without routes is refused.
        routes.push(json!({ "name": "none", "directResponse": { "status": 404 } }));
    }
    let mut spec = json!({
        "hosts": names,
        "gateways": [format!("{}/limpet", args.namespace)],
        "http": routes,
    });
    if let (Some(passed), Some(fields)) = (passed, spec.as_object_mut()) {
        fields.insert("tls".to_owned(), json!([passed]));
    }
    let name = object_name(names.first().copied().unwrap_or_default());
    Resource::new(VIRTUAL_SERVICE, &args.namespace, &name, spec)
}

/// The requests that a route is for.
#[derive(Debug, Clone, Copy)]
struct Side {
    listener: ListenerSide,
    /// The requests of the other listener have a route of their own.
    is_told_apart: bool,
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

/// What the route of a way is called: what it says beyond a VirtualService is merged into all that
/// have the name. `changes_host`: its pods may see another Host than the client sent.
pub(super) fn name(way: Option<&str>, kind: &str, changes_host: bool) -> String {
    let host = if changes_host { "upstream-vhost-" } else { "" };
    match way {
        Some(way) => format!("limpet-{host}{way}-{kind}"),
        None => format!("limpet-{host}{kind}"),
    }
}

/// The routes of one host: for each cluster that may serve it those of the ways that lead there, and
/// then those of all.
///
/// The last take a way too that nobody knows yet: routes and the module's configuration do not change
/// in the same moment.
pub(super) fn cluster_routes(served: &Served<'_>, args: &IstioArgs, host: &str) -> Vec<Value> {
    let clusters = called_once(served, args, host);
    let mut routes = Vec::new();
    for side in sides(served, args) {
        let routes_of = Routes {
            served,
            args,
            side,
            headers: headers(served, args, side),
        };
        for one in &clusters {
            let own = one.ways.iter();
            let own = own.filter_map(|name| Some((*name, served.ways.own.get(*name)?)));
            for (name, way) in own {
                routes.extend(routes_of.by(Some(name), way, one));
            }
        }
        for one in &clusters {
            routes.extend(routes_of.by(None, &served.ways.all, one));
        }
    }
    routes
}

/// A cluster of istiod: of Ingresses that call a port by its number and by its name there is one.
struct Called<'s> {
    name: String,
    cluster: &'s Cluster,
    number: u16,
    /// The ways to it, but for that of all.
    ways: BTreeSet<&'s str>,
    changes_host: bool,
}

/// Those that may serve a host, each once: of two routes with one match the second never runs.
fn called_once<'s>(served: &'s Served<'_>, args: &IstioArgs, host: &str) -> Vec<Called<'s>> {
    let mut ways = served.ways_of(host);
    let mut all: Vec<Called<'s>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (cluster, number) in served.clusters_of(host) {
        let name = pods::cluster_name(served, args, cluster, *number);
        let at = *places.entry(name).or_insert_with_key(|name| {
            all.push(Called {
                name: name.clone(),
                cluster,
                number: *number,
                ways: BTreeSet::new(),
                changes_host: false,
            });
            all.len() - 1
        });
        if let Some(one) = all.get_mut(at) {
            let key = cluster.service_port.key();
            one.ways.extend(ways.remove(&*key).unwrap_or_default());
            one.changes_host |= served.changes_host(&cluster.service_port);
        }
    }
    all
}

/// What a route does to the headers of a request.
fn headers(served: &Served<'_>, args: &IstioArgs, side: Side) -> Value {
    let written = written(served, args, side.listener).into_iter();
    let forwarding: Map<String, Value> = written
        .map(|header| (header.name.to_owned(), json!(header.value)))
        .collect();
    json!({ "request": { "set": forwarding, "remove": hidden(served, args) } })
}

/// The headers that pods do not see.
pub(super) fn hidden(served: &Served<'_>, args: &IstioArgs) -> Vec<&'static str> {
    let leading = served.leading_headers().into_iter();
    leading
        .chain(client_headers::dropped(served, args))
        .collect()
}

/// The routes of one side.
struct Routes<'a> {
    served: &'a Served<'a>,
    args: &'a IstioArgs,
    side: Side,
    headers: Value,
}

impl Routes<'_> {
    fn by(&self, name: Option<&str>, way: &Way, to: &Called<'_>) -> Vec<Value> {
        let (cluster, number) = (to.cluster, to.number);
        let called = |kind: &str| self::name(name, kind, to.changes_host);
        if way.has_no_time() {
            return vec![json!({
                "name": called("no-time"),
                "match": [self.matches(name, Requests::All, to)],
                "directResponse": { "status": 504 },
            })];
        }
        // The exception first: a method is told by a pattern here.
        let requests = way.requests().iter().rev();
        let mut destination = json!({
            "host": self.args.service_host(&cluster.service_port),
            "port": { "number": number },
        });
        let twin = way.twin_of(cluster);
        let subset = pods::subset_of(self.served, twin.as_ref().unwrap_or(cluster));
        if let (Some(subset), Some(fields)) = (subset, destination.as_object_mut()) {
            fields.insert("subset".to_owned(), json!(subset));
        }
        let routes = requests.map(|requests| {
            json!({
                "name": called(requests.kind()),
                "match": [self.matches(name, *requests, to)],
                "route": [{ "destination": destination }],
                "headers": self.headers,
                // The EnvoyFilter has them: a silence cannot be said here.
                "retries": { "attempts": 0 },
            })
        });
        routes.collect()
    }

    fn matches(&self, name: Option<&str>, requests: Requests, to: &Called<'_>) -> Value {
        let mut headers = json!({ CLUSTER_HEADER: { "exact": to.name } });
        if let (Some(name), Some(headers)) = (name, headers.as_object_mut()) {
            headers.insert(POLICY_HEADER.to_owned(), json!({ "exact": name }));
        }
        let mut wanted = Map::new();
        wanted.insert("headers".to_owned(), headers);
        if requests == Requests::NotIdempotent {
            let method = json!({ "regex": NOT_RETRIED.join("|") });
            wanted.insert("method".to_owned(), method);
        }
        // A way that nobody knows yet may be one of those whose pods are verified.
        if name.is_none() && pods::has_told_twin(self.served, to.cluster) {
            wanted.insert("withoutHeaders".to_owned(), json!({ POLICY_HEADER: {} }));
        }
        if self.side.is_told_apart {
            wanted.insert("port".to_owned(), json!(self.side.listener.port));
        }
        Value::Object(wanted)
    }
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
