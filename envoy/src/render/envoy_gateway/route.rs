//! Routes: one that catches every request, one for each cluster.
//!
//! Envoy builds the filter chain of a request from the first route that matches, so that route
//! has the session filter; limpet's header then leads to the cluster's route.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use super::client;
use super::grant::Grant;
use super::listener;
use super::way::{Going, IDEMPOTENT};
use crate::clusters::{Cluster, ServicePort};
use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER, HOST_HEADER, POLICY_HEADER};
use crate::render::authorizer::by_routes;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;
use crate::render::way::Requests;

pub(super) const ROUTE: Kind = Kind {
    api_version: "gateway.networking.k8s.io/v1",
    name: "HTTPRoute",
};

const FILTER: Kind = Kind {
    api_version: "gateway.envoyproxy.io/v1alpha1",
    name: "HTTPRouteFilter",
};

/// The filters of this kind.
const NOT_FOUND: &str = "limpet-not-found";
const UPSTREAM_HOST: &str = "limpet-upstream-host";
const NO_TIME: &str = "limpet-no-time";

/// Gateway API's limit for the rules of one HTTPRoute.
const MOST: usize = 16;

/// What Envoy writes for a client from outside, and ingress-nginx did not.
const ADDRESS_HEADER: &str = "x-envoy-external-address";

/// Where requests to upgrade begin, and none ends: an address of RFC 5737, which is nobody's.
const UPGRADES: &str = "limpet-upgrades";
const UPGRADES_PORT: u16 = 80;
const NOBODY: &str = "192.0.2.1";

const SERVICES: Grant = Grant {
    name: "limpet-services",
    from: ROUTE.name,
    to: "Service",
    comment: "Lets the routes of limpet lead to these Services of the namespace, and no others.",
};

/// The place of a rule that leads to a cluster.
#[derive(Debug)]
pub(super) struct ClusterRoute<'c> {
    /// The cluster.
    pub(super) cluster: &'c Cluster,
    /// Its port.
    pub(super) number: u16,
    /// The Gateway's namespace.
    home: &'c str,
    /// The HTTPRoute that has its rule.
    pub(super) route: String,
    /// Which rule of it.
    pub(super) rule: usize,
    /// The listeners that have it; none: all of them.
    listeners: Vec<String>,
    /// Its pods may see another Host than the client sent.
    changes_host: bool,
    /// For which requests.
    pub(super) going: Going<'c>,
    /// What the module calls the cluster: as its first rule is called.
    named: String,
    /// Who gets copies.
    copies: Option<ServicePort>,
    /// The headers that pods do not see.
    hidden: Vec<&'static str>,
}

impl ClusterRoute<'_> {
    /// What Envoy Gateway calls the cluster.
    ///
    /// Source: `irRouteDestinationName`, `internal/gatewayapi/helpers.go`, gateway d32f28294.
    pub(super) fn envoy_name(&self) -> String {
        format!("httproute/{}/{}/rule/{}", self.home, self.route, self.rule)
    }

    /// Whether it gives the cluster its name.
    fn is_first(&self) -> bool {
        self.named == self.envoy_name()
    }

    /// Nobody is asked: 504.
    fn has_no_time(&self) -> bool {
        self.going.name.is_some() && self.going.way.has_no_time()
    }

    fn backend(&self) -> Value {
        let port = &self.cluster.service_port;
        json!({ "name": port.service, "namespace": port.namespace, "port": self.number })
    }
}

/// Where the rules of each cluster go: in HTTPRoutes for the Service's namespace and the way, sixteen to
/// each, so that no other tenant's Service changes the number of a rule.
///
/// All are beside the Gateway, which takes none of another namespace: who may write there could else take
/// a host away, by a route that names it, or the module, by a policy on a route.
#[must_use]
pub(super) fn cluster_routes<'c>(
    served: &'c Served<'_>,
    args: &'c EnvoyGatewayArgs,
) -> Vec<ClusterRoute<'c>> {
    let known: HashSet<_> = served
        .clusters
        .iter()
        .map(|(one, _)| &one.service_port)
        .collect();
    let asked = by_routes(served).filter(|(cluster, _)| !known.contains(&cluster.service_port));
    let mut places = Places {
        served,
        home: &args.namespace,
        before: BTreeMap::new(),
        named: BTreeMap::new(),
        routes: Vec::new(),
    };
    let own = listener::of_one_host(served);
    let shared: &[&str] = if own.is_empty() {
        &[]
    } else if listener::shared(served).is_empty() {
        &[listener::HTTP]
    } else {
        &[listener::HTTP, listener::HTTPS]
    };
    let ways = served.ways_of_all();
    for (cluster, number) in served.clusters.iter().copied().chain(asked) {
        places.add((cluster, number), &ways, shared, "");
    }
    let names: HashSet<&str> = own.iter().map(|one| one.host).collect();
    for one in &own {
        // No namespace has a dot: `shop-https-0` is one.
        let suffix = format!(".{}", one.name);
        // Connections for names under a wildcard come to its listener too, if they have none of their own.
        let is_under = |host: &&str| {
            let above = one.host.strip_prefix('*');
            above.is_some_and(|above| host.ends_with(above)) && !names.contains(host)
        };
        let under = served.hosts.iter().map(String::as_str).filter(is_under);
        let mut clusters: BTreeMap<String, (&Cluster, u16)> = BTreeMap::new();
        let mut ways: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for host in [one.host].into_iter().chain(under) {
            let of_host = served.clusters_of(host).into_iter().copied();
            clusters.extend(of_host.map(|(one, number)| (one.service_port.key(), (one, number))));
            for (key, own) in served.ways_of(host) {
                ways.entry(key).or_default().extend(own);
            }
        }
        for cluster in clusters.into_values() {
            places.add(cluster, &ways, &[&one.name], &suffix);
        }
    }
    places.routes
}

/// Where the rules are, as they are given a place.
struct Places<'c, 'm> {
    served: &'c Served<'m>,
    home: &'c str,
    /// How many rules the HTTPRoutes of a kind have.
    before: BTreeMap<String, usize>,
    /// What the module calls each cluster, by the key of its Service port.
    named: BTreeMap<String, String>,
    routes: Vec<ClusterRoute<'c>>,
}

impl<'c, 'm: 'c> Places<'c, 'm> {
    /// The rules that lead to a cluster on some listeners, whose HTTPRoutes end in `suffix`; of one host's
    /// listener the routes are its own, for Envoy Gateway writes every route once for each listener.
    fn add(
        &mut self,
        (cluster, number): (&'c Cluster, u16),
        ways: &BTreeMap<&'c str, BTreeSet<&'c str>>,
        listeners: &[&str],
        suffix: &str,
    ) {
        let port = &cluster.service_port;
        let key = port.key();
        let hidden = self.served.leading_headers().into_iter();
        let hidden: Vec<&'static str> = hidden.chain(client::dropped(self.served)).collect();
        let own = ways.get(key.as_str()).into_iter().flatten().copied();
        for going in Going::to(self.served, cluster, own) {
            let group = going.route(&port.namespace) + suffix;
            let before = self.before.entry(group.clone()).or_default();
            let mut route = ClusterRoute {
                cluster,
                number,
                home: self.home,
                route: format!("{group}-{}", *before / MOST),
                rule: *before % MOST,
                listeners: listeners.iter().map(ToString::to_string).collect(),
                changes_host: self.served.changes_host(port),
                going,
                named: String::new(),
                copies: self.served.copied_to(going.way),
                hidden: hidden.clone(),
            };
            *before += 1;
            let named = self.named.entry(key.clone());
            route.named = named.or_insert_with(|| route.envoy_name()).clone();
            self.routes.push(route);
        }
    }
}

/// `namespace/service:port` to what Envoy Gateway calls the cluster.
#[must_use]
pub(super) fn names(routes: &[ClusterRoute<'_>]) -> BTreeMap<String, String> {
    let serving = routes.iter();
    serving
        .filter(|route| route.cluster.authorizer.is_none() && route.is_first())
        .map(|route| (route.cluster.service_port.key(), route.envoy_name()))
        .collect()
}

/// None of them has host names: limpet decides by the host, and Envoy Gateway would write every
/// rule once for each.
pub(super) fn resources(args: &EnvoyGatewayArgs, routes: &[ClusterRoute<'_>]) -> Vec<Resource> {
    let mut all = vec![not_found(args)];
    if routes.iter().any(|route| route.changes_host) {
        all.push(upstream_host(args));
    }
    if routes.iter().any(ClusterRoute::has_no_time) {
        all.push(no_time(args));
    }
    all.extend(nobody(args));
    all.push(catch_all(args));
    let groups = groups(routes).into_iter();
    all.extend(groups.map(|(name, group)| clusters(args, name, &group)));
    all.extend(grants(args, routes));
    all
}

/// The rules of one HTTPRoute each, by its name.
fn groups<'r, 'c>(routes: &'r [ClusterRoute<'c>]) -> BTreeMap<&'r str, Vec<&'r ClusterRoute<'c>>> {
    let mut all: BTreeMap<&str, Vec<&ClusterRoute<'c>>> = BTreeMap::new();
    for route in routes {
        all.entry(route.route.as_str()).or_default().push(route);
    }
    all
}

/// That these HTTPRoutes may lead to the Services of other namespaces.
fn grants(args: &EnvoyGatewayArgs, routes: &[ClusterRoute<'_>]) -> Vec<Resource> {
    let services = routes.iter().flat_map(|route| {
        let services = [&route.cluster.service_port].into_iter();
        services.chain(&route.copies)
    });
    let services = services.map(|port| (port.namespace.as_str(), port.service.as_str()));
    SERVICES.resources(args, services)
}

fn not_found(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({ "directResponse": { "statusCode": 404 } });
    Resource::new(FILTER, &args.namespace, NOT_FOUND, spec)
        .comment("What a request gets that limpet does not send on: it never comes to that.")
}

fn no_time(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({ "directResponse": { "statusCode": 504 } });
    Resource::new(FILTER, &args.namespace, NO_TIME, spec)
        .comment("proxy-read-timeout 0: nginx asks its pods, and takes no answer.")
}

/// The filter that makes the Host of the one that limpet names. Gateway API's URLRewrite can only say
/// a fixed one, without a port or an underscore.
fn upstream_host(args: &EnvoyGatewayArgs) -> Resource {
    let hostname = json!({ "type": "Header", "header": HOST_HEADER });
    let spec = json!({ "urlRewrite": { "hostname": hostname } });
    Resource::new(FILTER, &args.namespace, UPSTREAM_HOST, spec).comment(
        "upstream-vhost: limpet names the Host that pods see, which it changes where limpet does.",
    )
}

fn extension_ref(name: &str) -> Value {
    json!({ "type": "ExtensionRef", "extensionRef": {
        "group": "gateway.envoyproxy.io",
        "kind": FILTER.name,
        "name": name,
    } })
}

fn catch_all(args: &EnvoyGatewayArgs) -> Resource {
    let rule = json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
        "sessionPersistence": persistence(),
        "filters": [extension_ref(NOT_FOUND)],
    });
    let spec = spec(args, &[], vec![rule, upgrades()]);
    Resource::new(ROUTE, &args.namespace, "limpet", spec)
        .comment("Every request begins here: this route has the session filter.")
        .comment("The path match has to be written: without one Envoy Gateway drops sessionPersistence.")
        .comment("The second rule is where WebSockets begin: on a route without a Service Envoy Gateway allows none.")
}

/// Where requests to upgrade begin: Envoy asks the first route whether that is allowed, and Envoy
/// Gateway allows it on routes with a Service alone. limpet then chooses as for every other request.
fn upgrades() -> Value {
    json!({
        "matches": [{
            "path": { "type": "PathPrefix", "value": "/" },
            "headers": [{ "type": "RegularExpression", "name": "upgrade", "value": "(?i)websocket" }],
        }],
        "sessionPersistence": persistence(),
        "backendRefs": [{ "name": UPGRADES, "port": UPGRADES_PORT }],
    })
}

/// The Service of that route, which has to have an endpoint; of no tenant's, so that none can take
/// the WebSockets of all others away with his own.
fn nobody(args: &EnvoyGatewayArgs) -> [Resource; 2] {
    let service = Kind {
        api_version: "v1",
        name: "Service",
    };
    let endpoints = Kind {
        api_version: "discovery.k8s.io/v1",
        name: "EndpointSlice",
    };
    let spec = json!({ "clusterIP": "None", "ports": [{ "name": "http", "port": UPGRADES_PORT }] });
    let service = Resource::new(service, &args.namespace, UPGRADES, spec)
        .comment("Where WebSockets begin, and no request ends: its one endpoint is nobody.");
    let slice = json!({
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": UPGRADES_PORT, "protocol": "TCP" }],
        "endpoints": [{ "addresses": [NOBODY] }],
    });
    let slice = Resource::flat(endpoints, &args.namespace, UPGRADES, slice);
    [service, slice.label("kubernetes.io/service-name", UPGRADES)]
}

fn clusters(args: &EnvoyGatewayArgs, name: &str, group: &[&ClusterRoute<'_>]) -> Resource {
    let rules = group.iter().map(|route| rule(route)).collect();
    let listeners = group.first().map_or(&[][..], |first| &first.listeners);
    let resource = Resource::new(ROUTE, &args.namespace, name, spec(args, listeners, rules));
    match group.first() {
        Some(first) if !first.going.is_usual => {
            resource.comment(format!("By the way of some: {}", first.going.told()))
        }
        _ => resource
            .comment("One rule for each Service port. A regex ranks above the catch-all's prefix."),
    }
}

fn rule(route: &ClusterRoute<'_>) -> Value {
    let matches = matches(route);
    if route.has_no_time() {
        return json!({ "matches": matches, "filters": [extension_ref(NO_TIME)] });
    }
    let hidden = route.hidden.iter().copied().chain([ADDRESS_HEADER]);
    let hidden: Vec<&str> = hidden.collect();
    let mut filters = vec![json!({
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": { "remove": hidden },
    })];
    if route.changes_host {
        filters.push(extension_ref(UPSTREAM_HOST));
    }
    if let Some(copies) = &route.copies {
        let port = copies.port.parse::<u16>().unwrap_or_default();
        filters.push(json!({
            "type": "RequestMirror",
            "requestMirror": { "backendRef": {
                "name": copies.service, "namespace": copies.namespace, "port": port,
            } },
        }));
    }
    json!({
        "matches": matches,
        "filters": filters,
        "sessionPersistence": persistence(),
        "timeouts": { "request": "0s" },
        "backendRefs": [route.backend()],
    })
}

/// The longer pattern ranks first, then more headers, of which a method is one.
fn matches(route: &ClusterRoute<'_>) -> Vec<Value> {
    let pattern = route.going.name.map_or("/.*", |_| "(/.*)");
    let named = json!({ "name": CLUSTER_HEADER, "value": route.named });
    let way = route.going.name;
    let way = way.map(|name| json!({ "name": POLICY_HEADER, "value": name }));
    let headers: Vec<Value> = [named].into_iter().chain(way).collect();
    let one = json!({
        "path": { "type": "RegularExpression", "value": pattern },
        "headers": headers,
    });
    if route.going.requests != Requests::Idempotent {
        return vec![one];
    }
    let of_method = |method: &&str| {
        let mut one = one.clone();
        insert(&mut one, "method", json!(method));
        one
    };
    IDEMPOTENT.iter().map(of_method).collect()
}

fn persistence() -> Value {
    json!({ "sessionName": ENDPOINT_HEADER, "type": "Header" })
}

/// `listeners`: which of the Gateway's; none: all of them.
fn spec(args: &EnvoyGatewayArgs, listeners: &[String], rules: Vec<Value>) -> Value {
    let parent = json!({ "name": "limpet", "namespace": args.namespace });
    let of_listener = |listener: &String| {
        let mut parent = parent.clone();
        insert(&mut parent, "sectionName", json!(listener));
        parent
    };
    let mut parents: Vec<Value> = listeners.iter().map(of_listener).collect();
    if parents.is_empty() {
        parents.push(parent);
    }
    json!({ "parentRefs": parents, "rules": rules })
}
