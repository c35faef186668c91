//! Certificates: from `kubernetes.io/tls` Secrets by SNI, or `--tls` for every other host.

use std::path::PathBuf;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::EnvoySettings;
use crate::manifests::{Manifests, Object};

/// One certificate and the hosts it serves.
#[derive(Debug)]
pub(super) struct Certificate {
    /// Empty: every host that no other certificate serves.
    hosts: Vec<String>,
    chain: Value,
    key: Value,
}

pub(super) type Certificates = Vec<Certificate>;

/// `CERT,KEY`.
pub(super) fn parse_pair(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.split_once(',') {
        Some((cert, key)) if !cert.is_empty() && !key.is_empty() => Ok((cert.into(), key.into())),
        _ => Err(format!(
            "{text:?} is not CERT,KEY: two files with a comma between"
        )),
    }
}

/// Every certificate, those of Secrets first.
pub(super) fn certificates(
    manifests: &Manifests,
    settings: &EnvoySettings,
    notes: &mut Vec<String>,
) -> anyhow::Result<Certificates> {
    let mut certificates = Vec::new();
    let mut served: Vec<String> = Vec::new();
    for ingress in &manifests.ingresses {
        for (index, entry) in ingress.list("/spec/tls").iter().enumerate() {
            let place = ingress.place_of(&format!("/spec/tls/{index}"));
            let Some(name) = entry.get("secretName").and_then(Value::as_str) else {
                continue;
            };
            let id = format!("{}/{name}", ingress.namespace());
            let Some(secret) = manifests.tls_secret(&id) else {
                if settings.tls.is_none() {
                    notes.push(format!(
                        "{place}: Secret {id} is not among the manifests: its hosts get no https; \
                         add it, or give --tls CERT,KEY"
                    ));
                }
                continue;
            };
            let hosts = new_hosts(entry, &mut served);
            if !hosts.is_empty() {
                let (chain, key) = (pem(secret, "tls.crt")?, pem(secret, "tls.key")?);
                notes.push(format!(
                    "{place}: the private key of Secret {id} is in the output"
                ));
                certificates.push(Certificate {
                    hosts,
                    chain: json!({ "inline_string": chain }),
                    key: json!({ "inline_string": key }),
                });
            }
        }
    }
    if let Some((cert, key)) = &settings.tls {
        certificates.push(Certificate {
            hosts: Vec::new(),
            chain: json!({ "filename": cert }),
            key: json!({ "filename": key }),
        });
    }
    if certificates.is_empty() {
        notes.extend(dead_redirects(manifests));
    }
    Ok(certificates)
}

/// The hosts of one `tls` entry that no earlier one serves: Envoy refuses a name twice.
fn new_hosts(entry: &Value, served: &mut Vec<String>) -> Vec<String> {
    let hosts = entry.get("hosts").and_then(Value::as_array);
    let mut new = Vec::new();
    for host in hosts.into_iter().flatten().filter_map(Value::as_str) {
        let host = host.to_ascii_lowercase();
        if !served.contains(&host) {
            served.push(host.clone());
            new.push(host);
        }
    }
    new
}

fn pem(secret: &Object, key: &str) -> anyhow::Result<String> {
    if let Some(text) = secret.text(&format!("/stringData/{key}")) {
        return Ok(text.to_owned());
    }
    let place = || format!("{}: Secret {}: data[{key:?}]", secret.place(), secret.id());
    let encoded = secret
        .text(&format!("/data/{key}"))
        .with_context(|| format!("{} is missing", place()))?;
    let bytes = STANDARD
        .decode(encoded.split_whitespace().collect::<String>())
        .with_context(|| format!("{} is not base64", place()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not PEM", place()))
}

/// Without an https listener, redirects to https lead nowhere.
fn dead_redirects(manifests: &Manifests) -> Vec<String> {
    let annotation = |ingress: &Object, name: &str| {
        ingress
            .text(&format!(
                "/metadata/annotations/nginx.ingress.kubernetes.io~1{name}"
            ))
            .map(|value| value == "true")
    };
    let forced_for_all = manifests
        .config_map()
        .and_then(|map| map.text("/data/force-ssl-redirect"))
        .is_some_and(|value| value == "true");
    let redirects = |ingress: &&Object| {
        let tls = !ingress.list("/spec/tls").is_empty();
        let forced = annotation(ingress, "force-ssl-redirect").unwrap_or(forced_for_all);
        forced || (tls && annotation(ingress, "ssl-redirect").unwrap_or(true))
    };
    let note = |ingress: &Object| {
        format!(
            "{}: ingress {} redirects plain http to https, and there is no https listener: those \
             redirects lead nowhere; add the TLS Secret, give --tls CERT,KEY, or set \
             ssl-redirect: \"false\"",
            ingress.place(),
            ingress.id()
        )
    };
    manifests
        .ingresses
        .iter()
        .filter(redirects)
        .map(note)
        .collect()
}

/// One filter chain a certificate, all with the same connection manager.
pub(super) fn filter_chains(certificates: &Certificates, manager: &Value) -> Vec<Value> {
    certificates
        .iter()
        .map(|certificate| {
            let mut chain = json!({
                "filters": [manager],
                "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                    "common_tls_context": {
                        "alpn_protocols": ["h2", "http/1.1"],
                        "tls_certificates": [{
                            "certificate_chain": certificate.chain,
                            "private_key": certificate.key,
                        }],
                    },
                } },
            });
            if let (false, Some(fields)) = (certificate.hosts.is_empty(), chain.as_object_mut()) {
                let matches = json!({ "server_names": certificate.hosts });
                fields.insert("filter_chain_match".to_owned(), matches);
            }
            chain
        })
        .collect()
}
