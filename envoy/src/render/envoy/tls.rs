//! Certificates: from Secrets by SNI, or `--tls` for every other host.

mod chains;
mod gathered;
mod shared;

use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Value, json};

use self::chains::Odd;
use self::gathered::{Certificate, Gathered, Read, Secrets};
use super::client::{self, Asking};
use crate::certificates;
use crate::check;
use crate::compiled::Compiled;
use crate::passthrough::Passthrough;
use crate::taken::TakenIngress;
use crate::tls_params::TlsParams;

pub(super) use self::chains::most;

/// What one filter chain serves.
#[derive(Debug)]
pub(super) struct Chain {
    /// Empty: every host that no other chain serves.
    hosts: Vec<String>,
    /// Certificates with their keys, as Envoy takes them.
    pairs: Vec<Rc<Value>>,
    /// What is asked of the clients of these hosts; `None`: no certificate.
    asked: Option<Asking>,
}

impl Chain {
    /// Whether a key is written out, not only named.
    pub(super) fn holds_a_key(&self) -> bool {
        let is_written = |pair: &Rc<Value>| pair.pointer("/private_key/inline_string").is_some();
        self.pairs.iter().any(is_written)
    }
}

/// A certificate and its key, as files.
pub(super) type Pair = (PathBuf, PathBuf);

/// Every chain, those of `--tls` last, and at most so many beside that of most certificates. A Secret that cannot
/// be used costs its own hosts.
pub(super) fn chains(
    compiled: &Compiled<'_>,
    given: Option<&Pair>,
    passed: &[Passthrough],
    most: usize,
    notes: &mut Vec<String>,
) -> Vec<Chain> {
    // Envoy takes no listener in which two chains are for one name: the first one is, and before all of them
    // those that pass a name on.
    let mut seen: HashSet<String> = passed.iter().map(|one| one.host.clone()).collect();
    let mut all = Gathered::default();
    // Those that a wildcard's certificate would serve too.
    let mut default = secrets(compiled, given.is_some(), &mut seen, &mut all, notes);
    let files = given.map(|(cert, key)| {
        Read::of_files(&json!({ "filename": cert }), &json!({ "filename": key }))
    });
    if let Some(files) = &files {
        default.extend(client::hosts(compiled));
        default.retain(|host| seen.insert(host.clone()));
        default.retain(|host| {
            let asked = Asking::of(compiled, host);
            let asks = asked.is_some();
            if asks {
                all.add(files, asked, host.clone(), || "--tls".to_owned());
            }
            !asks
        });
    }
    let all = all.certificates;
    let (together, crowded) = chains::chains(&all, most);
    for (certificate, why) in crowded
        .iter()
        .filter_map(|(at, why)| Some((all.get(*at)?, *why)))
    {
        notes.push(told(certificate, why, most, files.is_some()));
        if certificate.asked.is_none() {
            default.extend(certificate.hosts.iter().cloned());
        }
    }
    let mut told = HashSet::new();
    let mut chains: Vec<Chain> = Vec::new();
    for places in together {
        let certificates: Vec<&Certificate> = places.iter().filter_map(|at| all.get(*at)).collect();
        for one in certificates.iter().filter(|one| !one.secret.is_empty()) {
            if told.insert(&one.secret) {
                notes.push(format!(
                    "{}: the private key of Secret {} is in the output",
                    one.place, one.secret
                ));
            }
        }
        let hosts = certificates
            .iter()
            .flat_map(|one| one.hosts.iter().cloned());
        chains.push(Chain {
            hosts: hosts.collect(),
            pairs: certificates.iter().map(|one| one.pair.clone()).collect(),
            asked: certificates.first().and_then(|one| one.asked.clone()),
        });
    }
    let is_given = files.is_some();
    if let Some(files) = files {
        let of_files = |hosts, asked| Chain {
            hosts,
            pairs: vec![files.pair.clone()],
            asked,
        };
        if !default.is_empty() {
            chains.push(of_files(default, None));
        }
        chains.push(of_files(Vec::new(), Asking::of_all_others(compiled)));
    }
    if chains.is_empty() && passed.is_empty() {
        notes.extend(dead_redirects(compiled));
    } else if !is_given {
        let without = check::without_https(compiled, Some(check::Platform::Envoy)).into_iter();
        notes.extend(without.map(|finding| finding.located()));
    }
    chains
}

/// Gathers what Secrets serve, and returns the hosts that none of them serves though a `tls` section is for them.
fn secrets(
    compiled: &Compiled<'_>,
    has_default: bool,
    seen: &mut HashSet<String>,
    all: &mut Gathered,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let said = certificates::certificates(compiled);
    let mut default = said.default;
    let mut secrets = Secrets::default();
    for certificate in said.serving {
        let id = certificate.secret_id();
        match secrets.read(compiled.manifests, &id) {
            None => {
                if !has_default {
                    notes.push(format!(
                        "{}: Secret {id} is not among the manifests: its hosts get no https; \
                         add it, or give --tls CERT,KEY",
                        certificate.place()
                    ));
                }
                default.extend(certificate.hosts);
            }
            Some(Err(error)) => {
                let hosts = certificate.hosts.join(", ");
                notes.push(format!("{error}: hosts {hosts} get no https from it"));
                default.extend(certificate.hosts);
            }
            Some(Ok(read)) => {
                for host in &certificate.hosts {
                    let host = host.to_ascii_lowercase();
                    if seen.insert(host.clone()) {
                        let asked = Asking::of(compiled, &host);
                        all.add(read, asked, host, || certificate.place());
                    }
                }
            }
        }
    }
    for host in &mut default {
        host.make_ascii_lowercase();
    }
    default
}

/// That a certificate has no place, what that comes to, and what ends it.
fn told(certificate: &Certificate, why: Odd, most: usize, has_default: bool) -> String {
    let Certificate { place, secret, .. } = certificate;
    let whose = if secret.is_empty() {
        "the certificate of --tls".to_owned()
    } else {
        format!("the certificate of Secret {secret}")
    };
    let (because, end) = match why {
        Odd::Asks => (
            "clients of these hosts are asked for certificates",
            "let more hosts ask alike (auth-tls-secret, auth-tls-verify-depth), with certificates for their own names alone",
        ),
        Odd::Contested => (
            "other certificates are for the same names",
            "give each host a certificate for its own names alone, or all of them the same one",
        ),
        Odd::Foreign => (
            "the certificate is not for these hosts",
            "give them one that names them",
        ),
    };
    let hosts = certificate.hosts.join(", ");
    let become_what = match (has_default, certificate.asked.is_some()) {
        (false, _) => "get no https",
        (true, false) => "are served with the certificate of --tls",
        (true, true) => "ask for no certificate, and refuse whoever has to show one",
    };
    format!(
        "{place}: {whose} needs a filter chain of its own, and {most} of those are written already: {because}: \
         hosts {hosts} {become_what}; {end}"
    )
}

/// Without an https listener, redirects to https lead nowhere.
fn dead_redirects(compiled: &Compiled<'_>) -> Vec<String> {
    if compiled.ends_tls_in_front() {
        return Vec::new();
    }
    let redirects = |ingress: &&TakenIngress<'_>| {
        let rewrite = &ingress.annotations.rewrite;
        let has_tls = !ingress.ingress.tls.is_empty();
        let is_canary = ingress.annotations.canary.is_some();
        !is_canary && (rewrite.force_ssl_redirect || (has_tls && rewrite.ssl_redirect))
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
    let ingresses = compiled.ingresses.iter();
    ingresses.filter(redirects).map(note).collect()
}

/// As filter chains, all with the same connection manager but for what bears on what clients are asked for.
pub(super) fn filter_chains(
    chains: &[Chain],
    manager: impl Fn(Option<&Asking>) -> Value,
    handshake: &str,
    parameters: &TlsParams,
) -> Vec<Value> {
    let parameters = parameters.on_envoy();
    let filter_chain = |one: &Chain| {
        let pairs: Vec<&Value> = one.pairs.iter().map(Rc::as_ref).collect();
        let mut common = json!({
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": pairs,
        });
        if let (Some(parameters), Some(fields)) = (&parameters, common.as_object_mut()) {
            fields.insert("tls_params".to_owned(), parameters.clone());
        }
        let mut chain = json!({
            "filters": [manager(one.asked.as_ref())],
            "transport_socket_connect_timeout": handshake,
            "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": common,
            } },
        });
        if let Some(asked) = &one.asked {
            asked.add_to(&mut chain);
        }
        if let (false, Some(fields)) = (one.hosts.is_empty(), chain.as_object_mut()) {
            let matches = json!({ "server_names": one.hosts });
            fields.insert("filter_chain_match".to_owned(), matches);
        }
        chain
    };
    chains.iter().map(filter_chain).collect()
}
