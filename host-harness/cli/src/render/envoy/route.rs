//! One virtual host for everything: the module has chosen the cluster.

use serde_json::{Value, json};

use super::cluster::seconds;
use crate::filter_chain::{NOT_RETRIED, RETRIES};
use crate::forwarding::{CLUSTER_HEADER, INTERNAL_HEADERS};
use crate::manifests::Manifests;

/// The route configuration.
pub(super) fn routes(manifests: &Manifests) -> Value {
    let fragile = NOT_RETRIED.join("|");
    json!({
        "name": "limpet",
        "virtual_hosts": [{
            "name": "limpet",
            "domains": ["*"],
            "routes": [
                route(manifests, "not-idempotent", "connect-failure,refused-stream", json!({
                    "prefix": "/",
                    "headers": [{ "name": ":method", "string_match": { "safe_regex": { "regex": fragile } } }],
                })),
                route(manifests, "idempotent", "connect-failure,refused-stream,reset", json!({ "prefix": "/" })),
            ],
        }],
        // Read by then: the cluster by the router, the endpoint by the session filter.
        "request_headers_to_remove": hidden_from_pods(),
    })
}

fn hidden_from_pods() -> Vec<&'static str> {
    let mut names = INTERNAL_HEADERS.to_vec();
    names.extend([
        "x-envoy-external-address",
        "x-envoy-internal",
        "x-envoy-expected-rq-timeout-ms",
    ]);
    names
}

/// What nginx tries again: a request that reached no pod; and, where the method is idempotent,
/// one that got no answer.
///
/// Source: `proxy-next-upstream: error timeout` and `proxy-next-upstream-tries: 3`, the defaults
/// of ingress-nginx dbb11b92d.
fn route(manifests: &Manifests, name: &str, retry_on: &str, matches: Value) -> Value {
    json!({
        "name": name,
        "match": matches,
        "route": {
            "cluster_header": CLUSTER_HEADER,
            "timeout": "0s",
            "retry_policy": {
                "retry_on": retry_on,
                "num_retries": RETRIES,
                // proxy-read-timeout: silence, not the whole.
                "per_try_idle_timeout": seconds(manifests, "proxy-read-timeout", 60),
                "retry_host_predicate": [{
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": { "@type":
                        "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
                }],
                "host_selection_retry_max_attempts": 5,
            },
        },
    })
}
