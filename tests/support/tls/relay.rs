//! Clients that speak TLS and show certificates: an Envoy that passes bytes on.

use crate::envoy::RealEnvoy;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// How a client begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Greeting {
    /// Whom it connects to.
    pub to: SocketAddr,
    /// From where.
    pub client: IpAddr,
    /// The name that it asks for; empty: none.
    pub sni: String,
    /// Its certificate and the key, as PEM.
    pub shows: Option<(String, String)>,
    /// It takes up an earlier session where the server lets it.
    pub resumes: bool,
    /// It speaks TLS 1.3 as well as 1.2.
    pub is_modern: bool,
}

/// Whoever connects to one of its places speaks to the server as that greeting says.
#[derive(Debug)]
pub struct Relay {
    envoy: RealEnvoy,
    places: BTreeMap<Greeting, SocketAddr>,
}

impl Relay {
    /// Starts one for all these.
    ///
    /// # Panics
    /// As [`RealEnvoy::start`].
    #[must_use]
    pub fn start(greetings: impl IntoIterator<Item = Greeting>) -> Self {
        let mut greetings: Vec<Greeting> = greetings.into_iter().collect();
        greetings.sort();
        greetings.dedup();
        let numbered = || greetings.iter().enumerate();
        let listeners: Vec<Value> = numbered().map(|(number, _)| listener(number)).collect();
        let clusters: Vec<Value> = numbered()
            .map(|(number, one)| cluster(number, one))
            .collect();
        let bootstrap = json!({
            "admin": { "address": { "pipe": { "path": "admin.sock" } } },
            "static_resources": { "listeners": listeners, "clusters": clusters },
        });
        let envoy = RealEnvoy::start(&bootstrap.to_string());
        let listening = envoy.listeners(greetings.len());
        let places = greetings.into_iter().enumerate();
        let places = places.map(|(number, one)| (one, listening[&name(number)]));
        Self {
            places: places.collect(),
            envoy,
        }
    }

    /// Where one connects to.
    ///
    /// # Panics
    /// It was not started for this one.
    #[must_use]
    pub fn place(&self, greeting: &Greeting) -> SocketAddr {
        self.places[greeting]
    }

    /// How many sessions were taken up again.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        let numbers = 0..self.places.len();
        let all = numbers.map(|number| {
            let stat = format!("cluster.{}.ssl.session_reused", name(number));
            self.envoy.find_stat(&stat).unwrap_or_default()
        });
        all.sum()
    }
}

fn name(number: usize) -> String {
    format!("client-{number}")
}

fn listener(number: usize) -> Value {
    json!({
        "name": name(number),
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": name(number),
                "cluster": name(number),
            },
        }] }],
    })
}

fn cluster(number: usize, greeting: &Greeting) -> Value {
    let shown = greeting.shows.iter().map(|(chain, key)| {
        json!({
            "certificate_chain": { "inline_string": chain },
            "private_key": { "inline_string": key },
        })
    });
    let highest = if greeting.is_modern {
        "TLSv1_3"
    } else {
        "TLSv1_2"
    };
    let address = |ip: IpAddr, port: u16| json!({ "address": ip, "port_value": port });
    json!({
        "name": name(number),
        "type": "STATIC",
        "upstream_bind_config": { "source_address": address(greeting.client, 0) },
        "load_assignment": { "cluster_name": name(number), "endpoints": [{ "lb_endpoints": [{
            "endpoint": { "address": {
                "socket_address": address(greeting.to.ip(), greeting.to.port()),
            } },
        }] }] },
        "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": greeting.sni,
            "max_session_keys": u32::from(greeting.resumes),
            "common_tls_context": {
                "tls_certificates": shown.collect::<Vec<_>>(),
                "tls_params": { "tls_maximum_protocol_version": highest },
            },
        } },
    })
}
