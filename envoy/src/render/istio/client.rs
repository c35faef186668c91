//! The certificates of clients, as `render envoy` has them: the handshake takes any, a route says who signed it,
//! and the module decides. A Gateway's own `OPTIONAL_MUTUAL` ends the handshake where one is bad, and takes one
//! authority for all hosts of a Secret.
//!
//! Source: `mergeTransportSocketListener`, `pilot/pkg/networking/core/envoyfilter/listener_patch.go`, and
//! `patchHTTPRoutes`, `rc_patch.go`, istio eed52ebb66ad.

use serde_json::{Value, json};

use super::args::IstioArgs;
use super::client_headers::asks;
use super::filter::MANAGER;
use super::gateway::{Server, servers};
use crate::forwarding::envoy::HTTPS;
use crate::render::envoy::client::{self, Asking};
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

const NAME: &str = "limpet-client-";

/// What a gateway tells pods of clients' certificates, and ingress-nginx did not.
const FORWARDED: &str = "x-forwarded-client-cert";

/// What is merged after everything else: the headers are written when those of clients are gone.
const PRIORITY: i32 = 10;

/// Of each server that asks what a Gateway cannot say, apart: one that is refused takes no other's.
pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    if !asks(served, args) {
        return Vec::new();
    }
    let all = servers(served, args).into_iter();
    let all = all.filter_map(|one| {
        let asked = one.asked.as_ref()?;
        let patches = patches(&one, asked, args)?;
        let spec = json!({
            "workloadSelector": { "labels": args.labels() },
            "priority": PRIORITY,
            "configPatches": patches,
        });
        let kind = Kind {
            api_version: "networking.istio.io/v1alpha3",
            name: "EnvoyFilter",
        };
        let name = format!("{NAME}{}", one.name);
        let resource = Resource::new(kind, &args.namespace, &name, spec);
        Some(resource.comment(format!(
            "Clients of {} are asked for a certificate of Secret {}, as it was when this was rendered.",
            one.hosts.join(", "),
            asked.secret()
        )))
    });
    // In the order of their names, in which istiod puts those of one second.
    let mut all: Vec<Resource> = all.collect();
    all.sort_by_cached_key(|one| one.value.pointer("/metadata/name").map(Value::to_string));
    all
}

/// Whether it is one of those.
pub(super) fn is_one(resource: &Resource) -> bool {
    let name = resource.value.pointer("/metadata/name");
    let name = name.and_then(Value::as_str);
    name.is_some_and(|name| name.starts_with(NAME))
}

fn patches(server: &Server<'_>, asked: &Asking, args: &IstioArgs) -> Option<Vec<Value>> {
    let host = server.hosts.first()?;
    let mut chain = json!({ "transport_socket": {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {},
        },
    } });
    asked.add_to(&mut chain);
    let mut mutations = client::told(Some(asked));
    mutations.push(json!({ "remove": FORWARDED }));
    let manager = json!({ "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        // On these connections alone the gateway adds none to what the client sent, which goes below: what other
        // hosts' pods are told is the operator's. `SANITIZE` is zero, and a merge would lose it.
        "forward_client_cert_details": "FORWARD_ONLY",
        "early_header_mutation_extensions": [{
            "name": "limpet.client",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                "mutations": mutations,
            },
        }],
    } });
    let merge = |kind: &str, chain: Value, value: Value| {
        json!({
            "applyTo": kind,
            "match": { "context": args.context(), "listener": { "filterChain": chain } },
            "patch": { "operation": "MERGE", "value": value },
        })
    };
    let filter = json!({ "name": MANAGER });
    let chains = [
        merge("FILTER_CHAIN", json!({ "sni": host }), chain),
        merge(
            "NETWORK_FILTER",
            json!({ "sni": host, "filter": filter }),
            manager,
        ),
    ];
    // Each is put before those before it.
    let routes = client::routes(asked).into_iter().rev().map(|route| {
        json!({
            "applyTo": "HTTP_ROUTE",
            "match": { "context": args.context(), "routeConfiguration": {
                "portNumber": HTTPS.port,
                "portName": server.name,
                "gateway": format!("{}/limpet", args.namespace),
            } },
            "patch": { "operation": "INSERT_FIRST", "value": route },
        })
    });
    Some(chains.into_iter().chain(routes).collect())
}
