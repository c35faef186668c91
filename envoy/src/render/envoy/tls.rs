//! Certificates: from Secrets by SNI, or `--tls` for every other host.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::client::{self, Asking};
use crate::certificates;
use crate::compiled::Compiled;
use crate::key_pair::KeyPair;
use crate::passthrough::Passthrough;
use crate::taken::TakenIngress;

/// One certificate and the hosts it serves.
#[derive(Debug)]
pub(super) struct Certificate {
    /// Empty: every host that no other certificate serves.
    hosts: Vec<String>,
    chain: Value,
    key: Value,
    /// What is asked of the clients of these hosts; `None`: no certificate.
    asked: Option<Asking>,
}

impl Certificate {
    /// Whether its key is written out, not only named.
    pub(super) fn holds_a_key(&self) -> bool {
        self.key.get("inline_string").is_some()
    }
}

pub(super) type Certificates = Vec<Certificate>;

/// A certificate and its key, as files.
pub(super) type Pair = (PathBuf, PathBuf);

/// Every certificate, those of Secrets first, then the one of `--tls`. A Secret that cannot be used
/// costs its own hosts.
pub(super) fn certificates(
    compiled: &Compiled<'_>,
    given: Option<&Pair>,
    passed: &[Passthrough],
    notes: &mut Vec<String>,
) -> Certificates {
    let mut certificates = Vec::new();
    let all = certificates::certificates(compiled);
    // Those that a wildcard's certificate would serve too.
    let mut default = all.default;
    for certificate in all.serving {
        let (place, id) = (certificate.place(), certificate.secret_id());
        let Some(secret) = compiled.manifests.tls_secret(&id) else {
            if given.is_none() {
                notes.push(format!(
                    "{place}: Secret {id} is not among the manifests: its hosts get no https; \
                     add it, or give --tls CERT,KEY"
                ));
            }
            default.extend(certificate.hosts);
            continue;
        };
        match certificates::pair(secret) {
            Ok(KeyPair { chain, key }) => {
                notes.push(format!(
                    "{place}: the private key of Secret {id} is in the output"
                ));
                certificates.push(Certificate {
                    hosts: certificate.hosts,
                    chain: json!({ "inline_string": chain }),
                    key: json!({ "inline_string": key }),
                    asked: None,
                });
            }
            Err(error) => {
                let hosts = certificate.hosts.join(", ");
                notes.push(format!("{error:#}: hosts {hosts} get no https from it"));
                default.extend(certificate.hosts);
            }
        }
    }
    if let Some((cert, key)) = given {
        let of_files = |hosts| Certificate {
            hosts,
            chain: json!({ "filename": cert }),
            key: json!({ "filename": key }),
            asked: None,
        };
        let known: Vec<&String> = certificates.iter().flat_map(|one| &one.hosts).collect();
        let known: Vec<&String> = known.into_iter().chain(&default).collect();
        let more = client::hosts(compiled).filter(|host| !known.contains(&host));
        let more: Vec<String> = more.collect();
        default.extend(more);
        if !default.is_empty() {
            certificates.push(of_files(default));
        }
        certificates.push(of_files(Vec::new()));
    }
    let certificates: Certificates = certificates
        .into_iter()
        .flat_map(|certificate| split(compiled, certificate))
        .collect();
    let certificates = each_name_once(certificates, passed);
    if certificates.is_empty() && passed.is_empty() {
        notes.extend(dead_redirects(&compiled.ingresses));
    }
    certificates
}

/// Envoy takes no listener in which two chains are for one name: the first one is, and before all of them
/// those that pass a name on.
fn each_name_once(all: Certificates, passed: &[Passthrough]) -> Certificates {
    let mut seen: HashSet<String> = passed.iter().map(|one| one.host.clone()).collect();
    let mut first = |mut one: Certificate| {
        let is_for_all = one.hosts.is_empty();
        let names = one.hosts.iter().map(|host| host.to_ascii_lowercase());
        one.hosts = names.filter(|host| seen.insert(host.clone())).collect();
        (is_for_all || !one.hosts.is_empty()).then_some(one)
    };
    all.into_iter().filter_map(&mut first).collect()
}

/// One for each group of hosts that ask the same of their clients.
fn split(compiled: &Compiled<'_>, certificate: Certificate) -> Vec<Certificate> {
    if certificate.hosts.is_empty() {
        let asked = Asking::of_all_others(compiled);
        return vec![Certificate {
            asked,
            ..certificate
        }];
    }
    let mut all: Vec<Certificate> = Vec::new();
    for host in certificate.hosts {
        let asked = Asking::of(compiled, &host);
        match all.iter_mut().find(|one| one.asked == asked) {
            Some(one) => one.hosts.push(host),
            None => all.push(Certificate {
                hosts: vec![host],
                chain: certificate.chain.clone(),
                key: certificate.key.clone(),
                asked,
            }),
        }
    }
    all
}

/// Without an https listener, redirects to https lead nowhere.
fn dead_redirects(ingresses: &[TakenIngress<'_>]) -> Vec<String> {
    let redirects = |ingress: &&TakenIngress<'_>| {
        let rewrite = &ingress.annotations.rewrite;
        let has_tls = !ingress.ingress.tls.is_empty();
        rewrite.force_ssl_redirect || (has_tls && rewrite.ssl_redirect)
    };
    let note = |ingress: &TakenIngress<'_>| {
        format!(
            "{}: ingress {} redirects plain http to https, and there is no https listener: those \
             redirects lead nowhere; add the TLS Secret, give --tls CERT,KEY, or set \
             ssl-redirect: \"false\"",
            ingress.object.place(),
            ingress.id()
        )
    };
    ingresses.iter().filter(redirects).map(note).collect()
}

/// One filter chain a certificate and what is asked for it, all with the same connection manager but for
/// what that bears on.
pub(super) fn filter_chains(
    certificates: &Certificates,
    manager: impl Fn(Option<&Asking>) -> Value,
    handshake: &str,
) -> Vec<Value> {
    certificates
        .iter()
        .map(|certificate| {
            let mut chain = json!({
                "filters": [manager(certificate.asked.as_ref())],
                "transport_socket_connect_timeout": handshake,
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
            if let Some(asked) = &certificate.asked {
                asked.add_to(&mut chain);
            }
            if let (false, Some(fields)) = (certificate.hosts.is_empty(), chain.as_object_mut()) {
                let matches = json!({ "server_names": certificate.hosts });
                fields.insert("filter_chain_match".to_owned(), matches);
            }
            chain
        })
        .collect()
}
