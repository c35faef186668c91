//! Routes: one that catches every request, one for each cluster.
//!
//! Envoy builds the filter chain of a request from the first route that matches, so that route
//! has the session filter; limpet's header then leads to the cluster's route.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use crate::clusters::Cluster;
use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER, HOST_HEADER};
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

/// Gateway API's limit for the rules of one HTTPRoute is 16; one is that for upgrades.
const MOST: usize = 15;

/// The place of a cluster's rule.
#[derive(Debug)]
pub(super) struct ClusterRoute<'c> {
    /// The cluster.
    pub(super) cluster: &'c Cluster,
    /// Its port.
    pub(super) number: u16,
    /// The HTTPRoute that has its rule; it is in the namespace of the Service.
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
        let namespace = &self.cluster.service_port.namespace;
        format!("httproute/{namespace}/{}/rule/{}", self.route, self.rule)
    }

    fn backend(&self) -> Value {
        json!({ "name": self.cluster.service_port.service, "port": self.number })
    }
}

/// Where the rule of each cluster goes: in HTTPRoutes of the Service's namespace, fifteen to each.
#[must_use]
pub(super) fn cluster_routes<'c>(served: &'c Served<'_>) -> Vec<ClusterRoute<'c>> {
    let mut in_namespace: BTreeMap<&str, usize> = BTreeMap::new();
    let place = |(cluster, number): &'c (&'c Cluster, u16)| {
        let before = in_namespace
            .entry(&cluster.service_port.namespace)
            .or_default();
        let route = ClusterRoute {
            cluster,
            number: *number,
            route: format!("limpet-clusters-{}", *before / MOST),
            rule: *before % MOST,
            changes_host: served.changes_host(&cluster.service_port),
        };
        *before += 1;
        route
    };
    served.clusters.iter().map(place).collect()
}

/// `namespace/service:port` to what Envoy Gateway calls the cluster.
#[must_use]
pub(super) fn names(routes: &[ClusterRoute<'_>]) -> BTreeMap<String, String> {
    routes
        .iter()
        .map(|route| (route.cluster.service_port.key(), route.envoy_name()))
        .collect()
}

/// None of them has host names: limpet decides by the host, and Envoy Gateway would write every
/// rule once for each.
pub(super) fn resources(args: &EnvoyGatewayArgs, routes: &[ClusterRoute<'_>]) -> Vec<Resource> {
    let mut all = vec![not_found(args)];
    all.extend(upstream_hosts(routes));
    all.push(catch_all(args));
    let groups = groups(routes).into_iter();
    all.extend(groups.map(|(home, group)| clusters(args, home, &group)));
    all
}

/// The HTTPRoutes that lead to Services, by namespace and name.
pub(super) fn leading<'r>(routes: &'r [ClusterRoute<'_>]) -> BTreeMap<&'r str, Vec<&'r str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (namespace, route) in groups(routes).into_keys() {
        all.entry(namespace).or_default().push(route);
    }
    all
}

/// The rules of one HTTPRoute each, by its namespace and name.
fn groups<'r, 'c>(
    routes: &'r [ClusterRoute<'c>],
) -> BTreeMap<(&'r str, &'r str), Vec<&'r ClusterRoute<'c>>> {
    let mut all: BTreeMap<(&str, &str), Vec<&ClusterRoute<'c>>> = BTreeMap::new();
    for route in routes {
        let home = (
            route.cluster.service_port.namespace.as_str(),
            route.route.as_str(),
        );
        all.entry(home).or_default().push(route);
    }
    all
}

fn not_found(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({ "directResponse": { "statusCode": 404 } });
    Resource::new(FILTER, &args.namespace, NOT_FOUND, spec)
        .comment("What a request gets that limpet does not send on: it never comes to that.")
}

/// The filters that make the Host of the one that limpet names, one in each namespace that has such
/// Services: a route takes those of its own. Gateway API's URLRewrite can only say a fixed one,
/// without a port or an underscore.
fn upstream_hosts(routes: &[ClusterRoute<'_>]) -> Vec<Resource> {
    let changing = routes.iter().filter(|route| route.changes_host);
    let namespaces: BTreeSet<&str> = changing
        .map(|route| route.cluster.service_port.namespace.as_str())
        .collect();
    let hostname = json!({ "type": "Header", "header": HOST_HEADER });
    let spec = json!({ "urlRewrite": { "hostname": hostname } });
    let filter = |namespace| {
        Resource::new(FILTER, namespace, UPSTREAM_HOST, spec.clone())
            .comment("upstream-vhost: limpet names the Host that pods see, which it changes where limpet does.")
    };
    namespaces.into_iter().map(filter).collect()
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
    Resource::new(ROUTE, &args.namespace, "limpet", spec(args, vec![rule]))
        .comment("Every request begins here: this route has the session filter.")
        .comment(
            "The path match has to be written: without one Envoy Gateway drops sessionPersistence.",
        )
}

/// Where requests to upgrade begin: Envoy asks the first route whether that is allowed, and Envoy
/// Gateway allows it on routes with a Service alone. limpet then chooses as for every other request.
/// One in each HTTPRoute, so that none depends on another one's being there.
fn upgrades(first: &ClusterRoute<'_>) -> Value {
    json!({
        "matches": [{
            "path": { "type": "PathPrefix", "value": "/" },
            "headers": [{ "type": "RegularExpression", "name": "upgrade", "value": "(?i)websocket" }],
        }],
        "sessionPersistence": persistence(),
        "backendRefs": [first.backend()],
    })
}

fn clusters(
    args: &EnvoyGatewayArgs,
    (namespace, name): (&str, &str),
    group: &[&ClusterRoute<'_>],
) -> Resource {
    let mut rules: Vec<Value> = group.iter().map(|route| rule(route)).collect();
    rules.extend(group.first().map(|first| upgrades(first)));
    Resource::new(ROUTE, namespace, name, spec(args, rules))
        .comment("One rule for each Service port. A regex ranks above the catch-all's prefix. The last is where")
        .comment("WebSockets begin: on a route without a Service Envoy Gateway allows none. No request ends there.")
}

fn rule(route: &ClusterRoute<'_>) -> Value {
    let mut filters = vec![json!({
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": { "remove": [CLUSTER_HEADER, ENDPOINT_HEADER] },
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
