//! One virtual host for everything: the module has chosen the cluster.

use serde_json::{Value, json};

use super::timeouts::READ;
use crate::compiled::Compiled;
use crate::filter_chain::{NOT_RETRIED, RETRIES};
use crate::forwarding::{CLUSTER_HEADER, INTERNAL_HEADERS};
use crate::manifests::Manifests;

/// How long a silent stream lives where no route says otherwise: Envoy's default, in seconds.
const STREAM_IDLE: u64 = 300;

/// A cluster whose pods may be silent for another time than those of all others, in seconds.
pub(super) type Patience = (String, u64);

/// The clusters with a `proxy-read-timeout` of their own.
pub(super) fn patience(compiled: &Compiled<'_>, notes: &mut Vec<String>) -> Vec<Patience> {
    let all = READ.of_all(compiled.manifests);
    let clusters = compiled.clusters.iter();
    let read = clusters.map(|cluster| (cluster.name(), READ.of(compiled, cluster, notes)));
    read.filter(|(_, seconds)| *seconds != all).collect()
}

/// The route configuration.
pub(super) fn routes(manifests: &Manifests, patience: &[Patience]) -> Value {
    let own = patience
        .iter()
        .flat_map(|(cluster, seconds)| pair(Some(cluster), *seconds));
    let routes: Vec<Value> = own.chain(pair(None, READ.of_all(manifests))).collect();
    json!({
        "name": "limpet",
        "virtual_hosts": [{
            "name": "limpet",
            "domains": ["*"],
            "routes": routes,
        }],
        // Read by then: the cluster by the router, the endpoint by the session filter.
        "request_headers_to_remove": hidden_from_pods(),
    })
}

/// The routes to one cluster, or to all that have none of their own: for methods that are tried again
/// whatever a pod may have begun, and for all others. Comparing costs less than a pattern would.
fn pair(cluster: Option<&str>, read_timeout: u64) -> [Value; 2] {
    let to = cluster.map(|name| exactly(CLUSTER_HEADER, name));
    let retried = NOT_RETRIED.map(|method| {
        json!({ "name": ":method", "string_match": { "exact": method }, "invert_match": true })
    });
    let name = |kind: &str| match cluster {
        Some(cluster) => format!("{cluster}-{kind}"),
        None => kind.to_owned(),
    };
    let matches = |headers: Vec<Value>| {
        if headers.is_empty() {
            json!({ "prefix": "/" })
        } else {
            json!({ "prefix": "/", "headers": headers })
        }
    };
    [
        route(
            &name("idempotent"),
            "connect-failure,refused-stream,reset",
            read_timeout,
            matches(to.iter().cloned().chain(retried).collect()),
        ),
        route(
            &name("not-idempotent"),
            "connect-failure,refused-stream",
            read_timeout,
            matches(to.into_iter().collect()),
        ),
    ]
}

fn exactly(header: &str, value: &str) -> Value {
    json!({ "name": header, "string_match": { "exact": value } })
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
fn route(name: &str, retry_on: &str, read_timeout: u64, matches: Value) -> Value {
    let mut route = json!({
        "name": name,
        "match": matches,
        "route": {
            "cluster_header": CLUSTER_HEADER,
            "timeout": "0s",
            "retry_policy": {
                "retry_on": retry_on,
                "num_retries": RETRIES,
                // proxy-read-timeout: silence, not the whole.
                "per_try_idle_timeout": format!("{read_timeout}s"),
                "retry_host_predicate": [{
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": { "@type":
                        "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
                }],
                "host_selection_retry_max_attempts": 5,
            },
        },
    });
    if let (true, Some(action)) = (
        read_timeout > STREAM_IDLE,
        route.get_mut("route").and_then(Value::as_object_mut),
    ) {
        action.insert("idle_timeout".to_owned(), json!(format!("{read_timeout}s")));
    }
    route
}
