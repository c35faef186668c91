//! The listeners of a gateway.

use serde_json::{Value, json};

use super::args::IstioArgs;
use super::credential;
use super::route::hosts;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

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
    let spec = json!({ "selector": args.labels(), "servers": servers });
    let gateway = Resource::new(
        Kind { api_version: "networking.istio.io/v1", name: "Gateway" },
        &args.namespace, "limpet",
        spec,
    )
    .comment("The listeners. Leave it out where a Gateway has these hosts already, and name that one below.");
    Some(gateway)
}

/// One server for each Secret: two servers of one certificate, and a browser that has a connection
/// to one of them would use it for hosts of the other.
fn https(served: &Served<'_>, args: &IstioArgs) -> Vec<Value> {
    let mut by_name: Vec<(String, Vec<&str>)> = Vec::new();
    for certificate in &served.certificates {
        let Ok(name) = credential::name(certificate, served, args) else {
            continue;
        };
        let hosts = certificate.hosts.iter().map(String::as_str);
        match by_name.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.extend(hosts),
            None => by_name.push((name, hosts.collect())),
        }
    }
    let server = |(index, (name, hosts)): (usize, (String, Vec<&str>))| {
        json!({
            "port": { "number": 443, "name": format!("https-{index}"), "protocol": "HTTPS" },
            "tls": { "mode": "SIMPLE", "credentialName": name },
            "hosts": hosts,
        })
    };
    by_name.into_iter().enumerate().map(server).collect()
}
