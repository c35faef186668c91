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

/// One server for each Secret: two servers of one certificate, and a browser that has a connection
/// to one of them would use it for hosts of the other.
fn https(served: &Served<'_>, args: &IstioArgs) -> Vec<Value> {
    let mut by_name: Vec<(String, Vec<&str>)> = Vec::new();
    for certificate in &served.certificates {
        let Ok(name) = credential::name(certificate, served, args) else {
            continue;
        };
        let is_passed = |host: &&str| served.passed.iter().any(|one| one.host == **host);
        let hosts = certificate.hosts.iter().map(String::as_str);
        let hosts: Vec<&str> = hosts.filter(|host| !is_passed(host)).collect();
        if hosts.is_empty() {
            continue;
        }
        match by_name.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.extend(hosts),
            None => by_name.push((name, hosts)),
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
