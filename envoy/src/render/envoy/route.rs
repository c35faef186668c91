//! One virtual host for everything: the module has chosen the cluster, and the way to it.

use limpet::client_certificate::HEADERS;
use serde_json::{Value, json};

use super::client::{self, Asking};
use crate::clusters::Cluster;
use crate::forwarding::{INTERNAL_HEADERS, POLICY_HEADER};
use crate::render::way::Ways;
use crate::render::way::routes::{Elsewhere, answer, exactly, of_way};

/// The route configuration; `has_certificates`: some host asks for certificates; `asked`: the hosts of
/// these routes do.
pub(super) fn routes(
    ways: &Ways,
    clusters: &[Cluster],
    has_certificates: bool,
    asked: Option<&Asking>,
) -> Value {
    let own = ways.own.iter();
    let own = own.flat_map(|(name, way)| {
        let twins = clusters.iter();
        let twins = twins.filter_map(|one| Some((one.name(), way.twin_of(one)?.name())));
        let elsewhere: Vec<Elsewhere> = twins.collect();
        of_way(Some(name), vec![exactly(name)], way, &elsewhere)
    });
    // A way that nobody knows is no way at all: the module's configuration and this one differ.
    let is_none = json!({ "name": POLICY_HEADER, "present_match": true, "invert_match": true });
    let (is_none, unknown) = if ways.own.is_empty() {
        (None, None)
    } else {
        (
            Some(is_none),
            Some(answer("unknown-policy", 503, json!({ "prefix": "/" }))),
        )
    };
    let all = of_way(None, Vec::from_iter(is_none), &ways.all, &[]);
    let shown = asked.map(client::routes).unwrap_or_default().into_iter();
    let found = own.chain(all).chain(unknown).map(with_any_path);
    let routes: Vec<Value> = shown.chain(found).collect();
    json!({
        "name": "limpet",
        "virtual_hosts": [{
            "name": "limpet",
            "domains": ["*"],
            "routes": routes,
        }],
        // Read by then: the cluster by the router, the endpoint by the session filter.
        "request_headers_to_remove": hidden_from_pods(ways, has_certificates),
        "response_headers_to_remove": FOR_NGINX,
    })
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
