//! Another Envoy in front: what it sends on is HTTP/2, with TLS or without.

use super::HOST;
use limpet_tests::envoy::RealEnvoy;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Speaks HTTP/1.1 with clients and HTTP/2 with `to`; over TLS if `tls`, without a look at the
/// certificate.
pub(super) fn http2_to(to: SocketAddr, tls: bool) -> RealEnvoy {
    let address = |address: SocketAddr| {
        json!({ "socket_address": {
            "address": address.ip().to_string(), "port_value": address.port(),
        } })
    };
    let any_port = address(([127, 0, 0, 1], 0).into());
    let mut cluster = json!({
        "name": "limpet",
        "type": "STATIC",
        "load_assignment": { "cluster_name": "limpet", "endpoints": [{ "lb_endpoints": [
            { "endpoint": { "address": address(to) } },
        ] }] },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
    });
    if tls {
        cluster["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": HOST,
                "common_tls_context": { "alpn_protocols": ["h2"] },
            },
        });
    }
    let bootstrap = json!({
        "admin": { "address": any_port },
        "static_resources": {
            "listeners": [{
                "name": "front",
                "address": any_port,
                "filter_chains": [{ "filters": [manager(tls)] }],
            }],
            "clusters": [cluster],
        },
    });
    RealEnvoy::start(&bootstrap.to_string())
}

fn manager(tls: bool) -> Value {
    // As a client of its own would say it.
    let scheme = if tls { "https" } else { "http" };
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "front",
            "scheme_header_transformation": { "scheme_to_overwrite": scheme },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }],
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "limpet" } }],
            }] },
        },
    })
}
