//! One virtual host for everything: the module has chosen the cluster, and the way to it.

use limpet::client_certificate::HEADERS;
use serde_json::{Map, Value, json};

use super::client::{self, Asking};
use super::matcher;
use crate::clusters::Cluster;
use crate::forwarding::{CLUSTER_HEADER, INTERNAL_HEADERS, POLICY_HEADER};
use crate::render::way::routes::{answer, of_way, to_twin};
use crate::render::way::{Way, Ways};

/// The route configuration; `has_certificates`: some host asks for certificates; `asked`: the hosts of
/// these routes do.
pub(super) fn routes(
    ways: &Ways,
    clusters: &[Cluster],
    has_certificates: bool,
    asked: Option<&Asking>,
) -> Value {
    let own = ways.own.iter();
    let own: Map<String, Value> = own
        .map(|(name, way)| (name.clone(), of_own(name, way, clusters)))
        .collect();
    // A way that nobody knows is no way at all: the module's configuration and this one differ.
    let is_none = json!({ "name": POLICY_HEADER, "present_match": true, "invert_match": true });
    let (is_none, unknown) = if own.is_empty() {
        (None, None)
    } else {
        (
            Some(is_none),
            Some(answer("unknown-policy", 503, json!({ "prefix": "/" }))),
        )
    };
    let all = of_way(None, Vec::from_iter(is_none), &ways.all, &[]);
    let shown = asked.map(client::routes).unwrap_or_default().into_iter();
    let found = all.into_iter().chain(unknown).map(with_any_path);
    let found = found.flat_map(|route| of_get(&route).into_iter().chain([route]));
    let routes: Vec<Value> = shown.chain(found).collect();
    let (key, value) = if own.is_empty() {
        ("routes", json!(routes))
    } else {
        let others = matcher::list(routes);
        ("matcher", matcher::by_header(POLICY_HEADER, own, others))
    };
    json!({
        "name": "limpet",
        "virtual_hosts": [{
            "name": "limpet",
            "domains": ["*"],
            key: value,
        }],
        // Read by then: the cluster by the router, the endpoint by the session filter.
        "request_headers_to_remove": hidden_from_pods(ways, has_certificates),
        "response_headers_to_remove": FOR_NGINX,
    })
}

/// What becomes of a request of the way `name`. A cluster may have a twin that is spoken to as the way says.
fn of_own(name: &str, way: &Way, clusters: &[Cluster]) -> Value {
    let list = |routes: Vec<Value>| matcher::list(routes.into_iter().map(with_any_path).collect());
    let all = list(of_way(Some(name), Vec::new(), way, &[]));
    let twins = clusters.iter().filter(|_| !way.has_no_time());
    let twins: Map<String, Value> = twins
        .filter_map(|one| {
            let twin = to_twin(name, Vec::new(), way, &way.twin_of(one)?.name());
            Some((one.name(), list(twin)))
        })
        .collect();
    if twins.is_empty() {
        return all;
    }
    json!({ "matcher": matcher::by_header(CLUSTER_HEADER, twins, all) })
}

/// The same route for GET alone, of one that excludes methods: most requests are GET, and it takes one comparison in
/// place of one for each of these. Routes of all alone have it, which every request is compared with as it comes: each
/// way would be longer by it, and the text of ways takes room from chains of certificates.
fn of_get(route: &Value) -> Option<Value> {
    let mut route = route.clone();
    let headers = route.pointer_mut("/match/headers")?.as_array_mut()?;
    let all = headers.len();
    headers.retain(|header| header.get("name").and_then(Value::as_str) != Some(":method"));
    let is_by_method = headers.len() < all;
    headers.push(json!({ "name": ":method", "string_match": { "exact": "GET" } }));
    is_by_method.then_some(route)
}

/// A `rewrite-target` may have made a path without a slash, which nginx sends pods as it is.
fn with_any_path(mut route: Value) -> Value {
    if let Some(prefix) = route.pointer_mut("/match/prefix") {
        *prefix = json!("");
    }
    route
}

/// What pods say to nginx alone: of `ngx_http_proxy_hide_headers`, nginx 1.27.1, those that Envoy does not
/// write itself.
const FOR_NGINX: [&str; 6] = [
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-expires",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-pad",
];

fn hidden_from_pods(ways: &Ways, has_certificates: bool) -> Vec<&'static str> {
    let mut names = INTERNAL_HEADERS.to_vec();
    names.extend((!ways.own.is_empty()).then_some(POLICY_HEADER));
    names.extend(HEADERS.iter().filter(|_| has_certificates));
    names.extend([
        "x-envoy-external-address",
        "x-envoy-internal",
        "x-envoy-expected-rq-timeout-ms",
    ]);
    names
}
