//! Routes: one that catches every request, one for each cluster.
//!
//! Envoy builds the filter chain of a request from the first route that matches, so that route
//! has the session filter; limpet's header then leads to the cluster's route.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use super::grant::Grant;
use crate::clusters::Cluster;
use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER, HOST_HEADER};
use crate::render::authorizer::by_routes;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

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

/// The place of a cluster's rule.
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
    /// Its pods may see another Host than the client sent.
    changes_host: bool,
}

impl ClusterRoute<'_> {
    /// What Envoy Gateway calls the cluster.
    ///
    /// Source: `irRouteDestinationName`, `internal/gatewayapi/helpers.go`, gateway d32f28294.
    pub(super) fn envoy_name(&self) -> String {
        format!("httproute/{}/{}/rule/{}", self.home, self.route, self.rule)
    }

    fn backend(&self) -> Value {
        let port = &self.cluster.service_port;
        json!({ "name": port.service, "namespace": port.namespace, "port": self.number })
    }
}

/// Where the rule of each cluster goes: in HTTPRoutes for the Service's namespace, sixteen to each, so
/// that no other tenant's Service changes the number of a rule.
///
/// All are beside the Gateway, which takes none of another namespace: who may write there could else take
/// a host away, by a route that names it, or the module, by a policy on a route.
#[must_use]
pub(super) fn cluster_routes<'c>(
    served: &'c Served<'_>,
    args: &'c EnvoyGatewayArgs,
) -> Vec<ClusterRoute<'c>> {
    let mut in_namespace: BTreeMap<&str, usize> = BTreeMap::new();
    let place = |(cluster, number): (&'c Cluster, u16)| {
        let before = in_namespace
            .entry(&cluster.service_port.namespace)
            .or_default();
        let route = ClusterRoute {
            cluster,
            number,
            home: &args.namespace,
            route: format!(
                "limpet-clusters-{}-{}",
                cluster.service_port.namespace,
                *before / MOST
            ),
            rule: *before % MOST,
            changes_host: served.changes_host(&cluster.service_port),
        };
        *before += 1;
        route
    };
    let is_served = |asked: &&Cluster| {
        let mut served = served.clusters.iter();
        served.any(|(cluster, _)| cluster.service_port == asked.service_port)
    };
    let asked = by_routes(served).filter(|(cluster, _)| !is_served(cluster));
    let all = served.clusters.iter().copied().chain(asked);
    all.map(place).collect()
}

/// `namespace/service:port` to what Envoy Gateway calls the cluster.
#[must_use]
pub(super) fn names(routes: &[ClusterRoute<'_>]) -> BTreeMap<String, String> {
    let serving = routes.iter();
    serving
        .filter(|route| route.cluster.authorizer.is_none())
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
    all.extend(nobody(args));
    all.push(catch_all(args));
    let groups = groups(routes).into_iter();
    all.extend(groups.map(|(name, group)| clusters(args, name, &group)));
    all.extend(grants(args, routes));
    all
}

/// The HTTPRoutes that lead to Services.
pub(super) fn leading<'r>(routes: &'r [ClusterRoute<'_>]) -> Vec<&'r str> {
    groups(routes).into_keys().collect()
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
    let services = routes.iter().map(|route| {
        let port = &route.cluster.service_port;
        (port.namespace.as_str(), port.service.as_str())
    });
    SERVICES.resources(args, services)
}

fn not_found(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({ "directResponse": { "statusCode": 404 } });
    Resource::new(FILTER, &args.namespace, NOT_FOUND, spec)
        .comment("What a request gets that limpet does not send on: it never comes to that.")
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
    let spec = spec(args, vec![rule, upgrades()]);
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
    Resource::new(ROUTE, &args.namespace, name, spec(args, rules))
        .comment("One rule for each Service port. A regex ranks above the catch-all's prefix.")
}

fn rule(route: &ClusterRoute<'_>) -> Value {
    let mut filters = vec![json!({
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": { "remove": [CLUSTER_HEADER, ENDPOINT_HEADER, ADDRESS_HEADER] },
    })];
    if route.changes_host {
        filters.push(extension_ref(UPSTREAM_HOST));
    }
    json!({
        "matches": [{
            "path": { "type": "RegularExpression", "value": "/.*" },
            "headers": [{ "name": CLUSTER_HEADER, "value": route.envoy_name() }],
        }],
        "filters": filters,
        "sessionPersistence": persistence(),
        "timeouts": { "request": "0s" },
        "backendRefs": [route.backend()],
    })
}

fn persistence() -> Value {
    json!({ "sessionName": ENDPOINT_HEADER, "type": "Header" })
}

fn spec(args: &EnvoyGatewayArgs, rules: Vec<Value>) -> Value {
    json!({
        "parentRefs": [{ "name": "limpet", "namespace": args.namespace }],
        "rules": rules,
    })
}

pub(super) fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
