//! Pods that speak TLS, each with a certificate of its own, and say whom they see: an Envoy.

use crate::envoy::RealEnvoy;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How a pod speaks TLS.
#[derive(Debug, Clone, Copy)]
pub struct TlsPod {
    /// Its certificate, one of `tests/support/tls/pods/`.
    pub certificate: &'static str,
    /// It answers nobody who shows no certificate.
    pub asks: bool,
    /// It speaks TLS 1.3 alone, not 1.2 alone.
    pub is_modern: bool,
    /// It answers in the clear too.
    pub in_clear: bool,
}

/// Some pods by name.
#[derive(Debug)]
pub struct TlsPods {
    addresses: BTreeMap<String, SocketAddr>,
    _envoy: RealEnvoy,
}

impl TlsPods {
    /// Starts them.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    #[must_use]
    pub fn start(pods: &[(&str, TlsPod)]) -> Self {
        let listeners: Vec<Value> = pods
            .iter()
            .map(|(name, pod)| listener(name, *pod))
            .collect();
        let bootstrap = json!({
            "admin": { "address": { "pipe": { "path": "admin.sock" } } },
            "static_resources": { "listeners": listeners },
        });
        let envoy = RealEnvoy::start(&bootstrap.to_string());
        Self {
            addresses: envoy.listeners(pods.len()).into_iter().collect(),
            _envoy: envoy,
        }
    }

    /// Where one listens.
    ///
    /// # Panics
    /// There is no such pod.
    #[must_use]
    pub fn address(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }
}

/// Who asked, under which name and in which version, stands in the answer.
fn listener(name: &str, pod: TlsPod) -> Value {
    let version = if pod.is_modern { "TLSv1_3" } else { "TLSv1_2" };
    let text = |text: String| json!({ "inline_string": text });
    let told = [
        ("x-pod", name),
        ("x-shown", "%DOWNSTREAM_PEER_SUBJECT%"),
        ("x-sni", "%REQUESTED_SERVER_NAME%"),
        ("x-cipher", "%DOWNSTREAM_TLS_CIPHER%"),
        ("x-protocol", "%PROTOCOL%"),
    ];
    let told = told.map(|(key, value)| json!({ "header": { "key": key, "value": value } }));
    let mut listener = json!({
        "name": name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "listener_filters": [{
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": { "@type":
                "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" },
        }],
        "filter_chains": [{
            "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": pod.asks,
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_params": {
                        "tls_minimum_protocol_version": version,
                        "tls_maximum_protocol_version": version,
                    },
                    "tls_certificates": [{
                        "certificate_chain": text(super::of_pod(&format!("{}.crt", pod.certificate))),
                        "private_key": text(super::of_pod("pods.key")),
                    }],
                    "validation_context": {
                        "trusted_ca": text(super::of_authority("ca.crt")),
                        "trust_chain_verification": "ACCEPT_UNTRUSTED",
                    },
                },
            } },
            "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } }],
                "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [{
                    "match": { "prefix": "/" },
                    "direct_response": { "status": 200 },
                    "response_headers_to_add": told,
                }] }] },
            } }],
        }],
    });
    if pod.in_clear {
        let chains = listener["filter_chains"].as_array_mut().unwrap();
        let mut chain = chains[0].clone();
        chain.as_object_mut().unwrap().remove("transport_socket");
        chain["filter_chain_match"] = json!({ "transport_protocol": "raw_buffer" });
        chains.push(chain);
    }
    listener
}
