//! Routes: one that catches every request of the hosts and carries limpet, one for each cluster.
//!
//! Envoy builds the filter chain of a request from the first route that matches, so that route
//! carries the module and the session filter; limpet's header then leads to the cluster's route.

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

/// Gateway API's limits for one HTTPRoute: rules, and host names.
const MOST: usize = 16;

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
}

/// Where the rule of each cluster goes: in HTTPRoutes of the Service's namespace, sixteen to each.
#[must_use]
pub(super) fn cluster_routes<'c>(served: &'c Served<'_>) -> Vec<ClusterRoute<'c>> {
    let mut all: Vec<ClusterRoute<'c>> = Vec::new();
    for (cluster, number) in &served.clusters {
        let namespace = &cluster.service_port.namespace;
        let before = all
            .iter()
            .filter(|r| r.cluster.service_port.namespace == *namespace)
            .count();
        all.push(ClusterRoute {
            cluster,
            number: *number,
            route: format!("limpet-clusters-{}", before / MOST),
            rule: before % MOST,
            changes_host: served.changes_host(&cluster.service_port),
        });
    }
    all
}

/// `namespace/service:port` to what Envoy Gateway calls the cluster.
#[must_use]
pub(super) fn names(routes: &[ClusterRoute<'_>]) -> BTreeMap<String, String> {
    routes
        .iter()
        .map(|route| (route.cluster.service_port.key(), route.envoy_name()))
        .collect()
}

pub(super) fn resources(
    served: &Served<'_>,
    args: &EnvoyGatewayArgs,
    routes: &[ClusterRoute<'_>],
) -> Vec<Resource> {
    let mut all = vec![not_found(args)];
    all.extend(upstream_hosts(routes));
    all.extend(
        hosts(served)
            .enumerate()
            .map(|(n, hosts)| catch_all(args, n, &hosts)),
    );
    for group in groups(routes) {
        all.extend(
            hosts(served)
                .enumerate()
                .map(|(n, hosts)| clusters(args, &group, n, &hosts)),
        );
    }
    all
}

/// The HTTPRoutes of the catch-all, by name.
pub(super) fn catch_all_names(served: &Served<'_>) -> Vec<String> {
    hosts(served)
        .enumerate()
        .map(|(n, _)| catch_all_name(n))
        .collect()
}

fn catch_all_name(n: usize) -> String {
    format!("limpet-hosts-{n}")
}

/// Host names, sixteen to a group; a group without names stands for every host.
fn hosts<'c>(served: &'c Served<'_>) -> impl Iterator<Item = Vec<&'c str>> {
    let named: Vec<&str> = served
        .hosts
        .iter()
        .map(String::as_str)
        .filter(|host| *host != "*")
        .collect();
    let any = served.hosts.iter().any(|host| host == "*").then(Vec::new);
    let groups: Vec<Vec<&str>> = named
        .chunks(MOST)
        .map(<[&str]>::to_vec)
        .chain(any)
        .collect();
    groups.into_iter()
}

/// The HTTPRoutes of the clusters in each namespace, by name.
pub(super) fn clusters_names(
    served: &Served<'_>,
    routes: &[ClusterRoute<'_>],
) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for route in groups(routes).iter().filter_map(|group| group.first()) {
        let namespace = route.cluster.service_port.namespace.clone();
        let names = hosts(served)
            .enumerate()
            .map(|(n, _)| clusters_name(&route.route, n));
        all.entry(namespace).or_default().extend(names);
    }
    all
}

/// The rules of one HTTPRoute each.
fn groups<'r, 'c>(routes: &'r [ClusterRoute<'c>]) -> Vec<Vec<&'r ClusterRoute<'c>>> {
    let mut all: Vec<Vec<&ClusterRoute<'c>>> = Vec::new();
    for route in routes {
        let home =
            |r: &ClusterRoute<'_>| (r.cluster.service_port.namespace.clone(), r.route.clone());
        match all
            .iter_mut()
            .find(|g| g.first().is_some_and(|first| home(first) == home(route)))
        {
            Some(group) => group.push(route),
            None => all.push(vec![route]),
        }
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

fn catch_all(args: &EnvoyGatewayArgs, n: usize, hosts: &[&str]) -> Resource {
    let mut spec = parent(args, hosts);
    let rule = json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
        "sessionPersistence": persistence(),
        "filters": [extension_ref(NOT_FOUND)],
    });
    insert(&mut spec, "rules", json!([rule]));
    let route = Resource::new(ROUTE, &args.namespace, &catch_all_name(n), spec);
    match n {
        0 => route
            .comment("Every request of these hosts begins here: this route carries limpet and the session filter.")
            .comment("The path match has to be written: without one Envoy Gateway drops sessionPersistence."),
        _ => route,
    }
}

fn clusters(
    args: &EnvoyGatewayArgs,
    group: &[&ClusterRoute<'_>],
    n: usize,
    hosts: &[&str],
) -> Resource {
    let mut spec = parent(args, hosts);
    let rules: Vec<Value> = group.iter().map(|route| rule(route)).collect();
    insert(&mut spec, "rules", json!(rules));
    let (namespace, name) = group.first().map_or(("", ""), |route| {
        (
            route.cluster.service_port.namespace.as_str(),
            route.route.as_str(),
        )
    });
    let route = Resource::new(ROUTE, namespace, &clusters_name(name, n), spec);
    match n {
        0 => route
            .comment("One rule for each Service port. A regex ranks above the catch-all's prefix."),
        _ => route.comment(
            "The same for further hosts. The header names the clusters of the first such route.",
        ),
    }
}

/// `n`: which group of hosts.
fn clusters_name(route: &str, n: usize) -> String {
    match n {
        0 => route.to_owned(),
        _ => format!("{route}-{n}"),
    }
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
        "backendRefs": [{
            "name": route.cluster.service_port.service,
            "port": route.number,
        }],
    })
}

fn persistence() -> Value {
    json!({ "sessionName": ENDPOINT_HEADER, "type": "Header" })
}

fn parent(args: &EnvoyGatewayArgs, hosts: &[&str]) -> Value {
    let mut spec = json!({
        "parentRefs": [{ "name": "limpet", "namespace": args.namespace }],
    });
    if !hosts.is_empty() {
        insert(&mut spec, "hostnames", json!(hosts));
    }
    spec
}

pub(super) fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
