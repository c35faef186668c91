//! What istiod cannot be asked for in its own words.
//!
//! istiod's own session filter hangs on a label of the Service and is attached to virtual hosts
//! named like the Service only (`buildSidecarOutboundVirtualHosts`, `MaybeBuildStatefulSessionFilterConfig`,
//! istio 86c9f01f); the hosts of an Ingress never are, so the filter is inserted here.

use serde_json::{Value, json};

use super::args::IstioArgs;
use super::authorizer;
use super::client_headers;
use super::other_names;
use super::way;
use crate::clusters::Cluster;
use crate::filter_chain::proxy_protocol;
use crate::forwarding::ENDPOINT_HEADER;
use crate::forwarding::envoy::{Written, originals};
use crate::render::edge;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;

pub(super) const MANAGER: &str = "envoy.filters.network.http_connection_manager";

pub(super) fn resource(served: &Served<'_>, args: &IstioArgs) -> Resource {
    let mut patches = vec![session_filter(args), connection_manager(served, args)];
    if served.forwarding.proxied && !args.sidecar {
        patches.push(proxied(args));
    }
    patches.extend(clusters(served, args));
    let asked = authorizer::patches(served, args).into_iter();
    patches.extend(asked.map(|(_, patch)| patch));
    patches.extend(way::patches(served, args));
    if !args.sidecar && !served.certificates.is_empty() {
        patches.push(other_names::patch(served, args));
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
    .comment("anything reads them, HTTP/1.0 clients served, sessions kept on draining pods; and of the routes of limpet")
    .comment("what a VirtualService cannot say: for how long a pod may be silent, what is tried again, who gets copies.")
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
        "patch": { "operation": "MERGE", "value": { "typed_config": connection_manager_value(served, args) } },
    })
}

/// What is merged into the connection manager. What came from the client is kept under names of its
/// own here: a route sees what Envoy made of it.
fn connection_manager_value(served: &Served<'_>, args: &IstioArgs) -> Value {
    let originals = originals(served.forwarding);
    let dropped = served
        .dropped_headers()
        .chain(client_headers::dropped(served, args))
        .chain(originals.iter().map(|header| header.name));
    let mut mutations: Vec<Value> = dropped.map(|name| json!({ "remove": name })).collect();
    let greeted = client_headers::greeted(served, args);
    let written = originals.iter().chain(&greeted);
    mutations.extend(written.map(Written::mutation));
    // istiod merges as protobuf does: `normalize_path: false` would be lost.
    let mut manager = json!({
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
    });
    if !args.sidecar {
        at_the_edge(&mut manager, served);
    }
    manager
}

/// What strangers may do with a connection.
fn at_the_edge(manager: &mut Value, served: &Served<'_>) {
    let manifests = served.compiled().manifests;
    let seconds = |seconds: u64| json!(format!("{seconds}s"));
    insert(
        manager,
        "request_headers_timeout",
        seconds(edge::header_timeout(manifests)),
    );
    insert(manager, "http2_protocol_options", edge::http2(manifests));
    if let Some(common) = manager.get_mut("common_http_protocol_options") {
        insert(
            common,
            "idle_timeout",
            seconds(edge::idle_timeout(manifests)),
        );
        insert(common, "max_headers_count", json!(edge::HEADERS));
    }
}

/// What each of the clusters is told: for how long a connection may take to come about, and that sessions
/// stay on pods that drain.
fn clusters(served: &Served<'_>, args: &IstioArgs) -> Vec<Value> {
    let patch = |(cluster, number): &(&Cluster, u16)| {
        let port = &cluster.service_port;
        let timeout = served.connect_timeout(cluster);
        let mut value = json!({ "connect_timeout": format!("{timeout}s") });
        if let (true, Some(fields)) = (served.is_sticky(port), value.as_object_mut()) {
            fields.insert("common_lb_config".to_owned(), override_host_status());
        }
        json!({
            "applyTo": "CLUSTER",
            "match": {
                "context": args.context(),
                "cluster": { "service": args.service_host(port), "portNumber": number },
            },
            "patch": { "operation": "MERGE", "value": value },
        })
    };
    served.clusters.iter().map(patch).collect()
}

/// Of the patches those of clusters, and of whoever is asked about requests: the Ingresses, `namespace/name`, for
/// which each is there, and its size in bytes.
pub(super) fn pieces<'s>(
    served: &'s Served<'_>,
    args: &IstioArgs,
) -> impl Iterator<Item = (&'s [String], usize)> {
    let size = |patch: Value| patch.to_string().len();
    let clusters = clusters(served, args).into_iter().map(size);
    let own = served.clusters.iter().map(|(cluster, _)| *cluster);
    let own = own.zip(clusters);
    let asked = authorizer::patches(served, args).into_iter();
    let all = own.chain(asked.map(move |(cluster, patch)| (cluster, size(patch))));
    all.map(|(cluster, size)| (cluster.named_by.as_slice(), size))
}

/// Which endpoints a session may stay on: a draining one too.
fn override_host_status() -> Value {
    json!({ "override_host_status": { "statuses": ["UNKNOWN", "HEALTHY", "DEGRADED", "DRAINING"] } })
}
