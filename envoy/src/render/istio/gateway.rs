//! The listeners of a gateway.

use limpet::endpoints::digest::backend_key;
use serde_json::{Value, json};

use super::args::IstioArgs;
use super::credential;
use super::route::hosts;
use crate::render::envoy::client::Asking;
use crate::render::left_out;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;
use crate::tls_params::{TlsParams, Version};

/// The Gateway; none where nothing is served.
pub(super) fn resource(served: &Served<'_>, args: &IstioArgs) -> Option<Resource> {
    let hosts: Vec<&str> = hosts(served).collect();
    if hosts.is_empty() {
        return None;
    }
    let mut servers = vec![json!({
        "port": { "number": 80, "name": "http", "protocol": "HTTP" },
        "hosts": hosts,
    })];
    servers.extend(https(served, args));
    servers.extend(passed(served));
    let spec = json!({ "selector": args.labels(), "servers": servers });
    let gateway = Resource::new(
        Kind { api_version: "networking.istio.io/v1", name: "Gateway" },
        &args.namespace, "limpet",
        spec,
    )
    .comment("The listeners. Leave it out where a Gateway has these hosts already, and name that one below.");
    Some(gateway)
}

/// One server for all whose TLS goes on as it comes: their routes tell them apart.
fn passed(served: &Served<'_>) -> Option<Value> {
    let hosts = hosts(served).filter(|host| served.passed_to(host).is_some());
    let hosts: Vec<&str> = hosts.collect();
    (!hosts.is_empty()).then(|| {
        json!({
            "port": { "number": 443, "name": "tls", "protocol": "TLS" },
            "tls": { "mode": "PASSTHROUGH" },
            "hosts": hosts,
        })
    })
}

/// What serves the hosts of a Secret.
pub(super) struct Server<'s> {
    /// Of its port.
    pub(super) name: String,
    credential: String,
    pub(super) hosts: Vec<&'s str>,
    /// What their clients are asked for; `None`: no certificate.
    pub(super) asked: Option<Asking>,
}

/// One server for each Secret: two servers of one certificate, and a browser that has a connection
/// to one of them would use it for hosts of the other. Hosts that ask for certificates have one for each
/// way to ask, and limpet sends whoever comes to the wrong one away; what is merged into one that asks is called
/// after it, so it has the name of a host: a number would be another one's when Ingresses come and go, and what an
/// earlier rendering left would hold for that one.
pub(super) fn servers<'s>(served: &'s Served<'_>, args: &IstioArgs) -> Vec<Server<'s>> {
    let asks = served.asks_for_certificates;
    let mut all: Vec<Server<'s>> = Vec::new();
    for certificate in &served.certificates {
        let Ok(credential) = credential::name(certificate, served, &args.namespace) else {
            continue;
        };
        let is_passed = |host: &&str| served.passed_of(host).is_some();
        let hosts = certificate.hosts.iter().map(String::as_str);
        let is_taken = |host: &&str| left_out::by_istio(host).is_none();
        for host in hosts.filter(|host| is_taken(host) && !is_passed(host)) {
            let asked = asks.then(|| Asking::of(served.compiled(), host)).flatten();
            let is_it = |one: &&mut Server<'_>| one.credential == credential && one.asked == asked;
            let index = all.len();
            match all.iter_mut().find(is_it) {
                Some(known) => known.hosts.push(host),
                None => all.push(Server {
                    name: match asked {
                        Some(_) => format!("https-{}", backend_key(host)),
                        None => format!("https-{index}"),
                    },
                    credential: credential.clone(),
                    hosts: vec![host],
                    asked,
                }),
            }
        }
    }
    all
}

fn https(served: &Served<'_>, args: &IstioArgs) -> Vec<Value> {
    let parameters = TlsParams::of_listeners(served.compiled().manifests);
    let version = |version| match version {
        Version::Two => "TLSV1_2",
        Version::Three => "TLSV1_3",
    };
    let server = |server: Server<'_>| {
        let mut tls = json!({ "mode": "SIMPLE", "credentialName": server.credential });
        if let Some([lowest, highest]) = parameters.versions {
            insert(&mut tls, "minProtocolVersion", json!(version(lowest)));
            insert(&mut tls, "maxProtocolVersion", json!(version(highest)));
        }
        if !parameters.ciphers.is_empty() {
            insert(&mut tls, "cipherSuites", json!(parameters.ciphers));
        }
        json!({
            "port": { "number": 443, "name": server.name, "protocol": "HTTPS" },
            "tls": tls,
            "hosts": server.hosts,
        })
    };
    servers(served, args).into_iter().map(server).collect()
}
