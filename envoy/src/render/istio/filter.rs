//! What istiod cannot be asked for in its own words.
//!
//! istiod's own session filter hangs on a label of the Service and is attached to virtual hosts
//! named like the Service only (`buildSidecarOutboundVirtualHosts`, `MaybeBuildStatefulSessionFilterConfig`,
//! istio 86c9f01f); the hosts of an Ingress never are, so the filter is inserted here.

use serde_json::{Value, json};

use super::args::IstioArgs;
use super::authorizer;
use super::route;
use crate::filter_chain::proxy_protocol;
use crate::forwarding::envoy::{HTTPS, Written, originals};
use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER, HOST_HEADER};
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

const PREVIOUS_HOSTS: &str =
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

pub(super) fn resource(served: &Served<'_>, args: &IstioArgs) -> Resource {
    let mut patches = vec![session_filter(args), connection_manager(served, args)];
    if served.forwarding.proxied && !args.sidecar {
        patches.push(proxied(args));
    }
    for (cluster, number) in &served.clusters {
        if served.changes_host(&cluster.service_port) {
            let names = route::names(served, args, cluster).into_iter();
            patches.extend(names.map(|name| upstream_host(args, &name)));
        }
        if served.is_sticky(&cluster.service_port) {
            patches.push(draining(
                args,
                &args.service_host(&cluster.service_port),
                *number,
            ));
        }
    }
    patches.extend(authorizer::patches(served, args));
    if !args.sidecar && !served.certificates.is_empty() {
        patches.push(other_names(served, args));
    }
    let spec = json!({
        "workloadSelector": { "labels": args.labels() },
        "configPatches": patches,
    });
    Resource::new(
        Kind { api_version: "networking.istio.io/v1alpha3", name: "EnvoyFilter" },
        &args.namespace, "limpet",
        spec,
    )
    .comment("The session filter right before the router, client copies of limpet's headers removed before")
    .comment("anything reads them, HTTP/1.0 clients served, and sessions kept on draining pods.")
}

/// `use-proxy-protocol`, before whatever looks at a connection's first bytes.
fn proxied(args: &IstioArgs) -> Value {
    json!({
        "applyTo": "LISTENER_FILTER",
        "match": { "context": args.context() },
        "patch": { "operation": "INSERT_FIRST", "value": proxy_protocol() },
    })
}

fn session_filter(args: &IstioArgs) -> Value {
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": args.context(),
            "listener": { "filterChain": { "filter": {
                "name": MANAGER,
                "subFilter": { "name": "envoy.filters.http.router" },
            } } },
        },
        "patch": { "operation": "INSERT_BEFORE", "value": session_filter_value() },
    })
}

/// The Host that limpet names is the one that the pods of this route see. A VirtualService can
/// only say a fixed one, and not every name.
fn upstream_host(args: &IstioArgs, route: &str) -> Value {
    json!({
        "applyTo": "HTTP_ROUTE",
        "match": {
            "context": args.context(),
            "routeConfiguration": { "vhost": { "route": { "name": route } } },
        },
        "patch": {
            "operation": "MERGE",
            "value": { "route": { "host_rewrite_header": HOST_HEADER } },
        },
    })
}

/// On https a connection is made for one name and may be used for others: HTTP/2 does so where the
/// certificate has them. Istio knows the hosts of the first alone; limpet decides by the Host, as
/// nginx does.
fn other_names(served: &Served<'_>, args: &IstioArgs) -> Value {
    let remove = [CLUSTER_HEADER, ENDPOINT_HEADER];
    json!({
        "applyTo": "VIRTUAL_HOST",
        "match": {
            "context": args.context(),
            "routeConfiguration": {
                "portNumber": HTTPS.port,
                "gateway": format!("{}/limpet", args.namespace),
            },
        },
        "patch": { "operation": "ADD", "value": {
            "name": "limpet.other_names",
            "domains": ["*"],
            "routes": [{
                "name": "limpet.other_names",
                "match": {
                    "prefix": "/",
                    "headers": [{ "name": CLUSTER_HEADER, "present_match": true }],
                },
                "route": {
                    "cluster_header": CLUSTER_HEADER,
                    "timeout": "0s",
                    "host_rewrite_header": HOST_HEADER,
                    "retry_policy": {
                        "retry_on": "connect-failure,refused-stream",
                        "num_retries": 2,
                        "host_selection_retry_max_attempts": 5,
                        "retry_host_predicate": [{
                            "name": "envoy.retry_host_predicates.previous_hosts",
                            "typed_config": { "@type": PREVIOUS_HOSTS },
                        }],
                    },
                },
                "request_headers_to_add": route::written(served, args, HTTPS)
                    .iter()
                    .map(Written::on_a_route)
                    .collect::<Vec<_>>(),
                "request_headers_to_remove": remove,
            }],
        } },
    })
}

/// The filter as every platform has it.
fn session_filter_value() -> Value {
    json!({
        "name": "limpet.stateful_session",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession",
            "session_state": {
                "name": "envoy.http.stateful_session.header",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState",
                    "name": ENDPOINT_HEADER,
                },
            },
        },
    })
}

fn connection_manager(served: &Served<'_>, args: &IstioArgs) -> Value {
    json!({
        "applyTo": "NETWORK_FILTER",
        "match": {
            "context": args.context(),
            "listener": { "filterChain": { "filter": { "name": MANAGER } } },
        },
        "patch": { "operation": "MERGE", "value": { "typed_config": connection_manager_value(served) } },
    })
}

/// What is merged into the connection manager. What came from the client is kept under names of its
/// own here: a route sees what Envoy made of it.
fn connection_manager_value(served: &Served<'_>) -> Value {
    let originals = originals(served.forwarding);
    let dropped = served
        .dropped_headers()
        .chain(originals.iter().map(|header| header.name));
    let mut mutations: Vec<Value> = dropped.map(|name| json!({ "remove": name })).collect();
    mutations.extend(originals.iter().map(Written::mutation));
    // istiod merges as protobuf does: `normalize_path: false` would be lost.
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "http_protocol_options": { "accept_http_10": true },
        "common_http_protocol_options": {
            "headers_with_underscores_action": if served.drops_underscores { "DROP_HEADER" } else { "ALLOW" },
        },
        "early_header_mutation_extensions": [{
            "name": "limpet.own_headers",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                "mutations": mutations,
            },
        }],
    })
}

fn draining(args: &IstioArgs, service: &str, number: u16) -> Value {
    json!({
        "applyTo": "CLUSTER",
        "match": {
            "context": args.context(),
            "cluster": { "service": service, "portNumber": number },
        },
        "patch": { "operation": "MERGE", "value": { "common_lb_config": override_host_status() } },
    })
}

/// Which endpoints a session may stay on: a draining one too.
fn override_host_status() -> Value {
    json!({ "override_host_status": { "statuses": ["UNKNOWN", "HEALTHY", "DEGRADED", "DRAINING"] } })
}
