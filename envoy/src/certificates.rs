//! Which certificate serves which host: as ingress-nginx decides it, where nobody gets a host by
//! listing it under `spec.tls`.
//!
//! Source: `createServers` and `extractTLSSecretName`, `internal/ingress/controller/controller.go`;
//! `configureCertificates`, `internal/ingress/controller/nginx.go`; `BuildRedirects`,
//! `pkg/util/ingress/ingress.go`; ingress-nginx dbb11b92d. What its certificate names is not read
//! here: an entry's `hosts` are taken for that.

mod secret;

use std::collections::BTreeMap;

use limpet::ingress::Tls;

use crate::compiled::Compiled;
use crate::names;
use crate::taken::TakenIngress;

pub use secret::pair;

/// A certificate and the hosts that it serves.
#[derive(Debug)]
pub struct Certificate<'c> {
    /// The Ingress that gives it.
    pub ingress: &'c TakenIngress<'c>,
    /// Which entry of its `spec.tls`.
    pub entry: usize,
    /// The name of the Secret, in the namespace of that Ingress.
    pub secret: &'c str,
    /// The hosts, in lower case.
    pub hosts: Vec<String>,
}

impl Certificate<'_> {
    /// `namespace/name` of the Secret.
    #[must_use]
    pub fn secret_id(&self) -> String {
        format!("{}/{}", self.ingress.ingress.namespace, self.secret)
    }

    /// `file:line` of the entry.
    #[must_use]
    pub fn place(&self) -> String {
        self.ingress.object.place_of(&pointer(self.entry))
    }
}

/// A host that an entry of `spec.tls` does not get.
#[derive(Debug)]
pub struct Refused<'c> {
    /// The Ingress that asks.
    pub ingress: &'c TakenIngress<'c>,
    /// Which entry of its `spec.tls`.
    pub entry: usize,
    /// The host.
    pub host: String,
    /// The older Ingress that decided; `None`: the one that asks has no rule for the host.
    pub older: Option<&'c TakenIngress<'c>>,
}

/// What all Ingresses say of certificates.
#[derive(Debug, Default)]
pub struct Certificates<'c> {
    /// Those that serve, by Ingress and entry.
    pub serving: Vec<Certificate<'c>>,
    /// The hosts that get the controller's own certificate, by a `tls` section that names no other.
    pub default: Vec<String>,
    /// What was asked for in vain.
    pub refused: Vec<Refused<'c>>,
}

/// The JSON pointer of an entry of `spec.tls`.
#[must_use]
pub fn pointer(entry: usize) -> String {
    format!("/spec/tls/{entry}")
}

/// Whether one of the names is that of `host`, or has a star in place of its first label.
#[must_use]
pub fn covers(names: &[String], host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let above = host
        .split_once('.')
        .map(|(_, domain)| format!("*.{domain}"));
    names.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        name == host || Some(&name) == above.as_ref()
    })
}

/// What the Ingresses say, the oldest first.
#[must_use]
pub fn certificates<'c>(compiled: &'c Compiled<'_>) -> Certificates<'c> {
    let mut all = Certificates::default();
    // Who decided about a host, and for which Secret; `None`: the controller's own.
    let mut decided: BTreeMap<String, (&TakenIngress<'_>, Option<String>)> = BTreeMap::new();
    let ingresses = compiled.ingresses.iter();
    let primaries = ingresses.filter(|one| one.annotations.canary.is_none());
    for ingress in primaries.clone() {
        let tls = &ingress.ingress.tls;
        if tls.is_empty() {
            continue;
        }
        for host in hosts(ingress) {
            let given = entry_for(tls, &host);
            let secret = given.map(|(_, name)| format!("{}/{name}", ingress.ingress.namespace));
            match (decided.get(&host), given) {
                (Some((older, theirs)), Some((entry, _))) if *theirs != secret => {
                    all.refused.push(Refused {
                        ingress,
                        entry,
                        host,
                        older: Some(older),
                    });
                }
                (Some(_), _) => {}
                (None, given) => {
                    decided.insert(host.clone(), (ingress, secret));
                    match given {
                        Some((entry, secret)) => all.serve(ingress, entry, secret, host),
                        None => all.default.push(host),
                    }
                }
            }
        }
        all.refused.extend(without_rule(ingress));
    }
    all.further_names(primaries);
    all
}

impl<'c> Certificates<'c> {
    fn serve(
        &mut self,
        ingress: &'c TakenIngress<'c>,
        entry: usize,
        secret: &'c str,
        host: String,
    ) {
        let mut known = self.serving.iter_mut();
        let same =
            |one: &&mut Certificate<'_>| std::ptr::eq(one.ingress, ingress) && one.entry == entry;
        match known.find(same) {
            Some(certificate) => certificate.hosts.push(host),
            None => self.serving.push(Certificate {
                ingress,
                entry,
                secret,
                hosts: vec![host],
            }),
        }
    }

    /// Aliases and the other name of `from-to-www-redirect` are served with the certificate of
    /// their host, where it names them and no rule does.
    fn further_names(&mut self, primaries: impl Iterator<Item = &'c TakenIngress<'c>> + Clone) {
        let ruled: Vec<String> = primaries.clone().flat_map(hosts).collect();
        let mut served: Vec<String> = Vec::new();
        for ingress in primaries {
            for host in hosts(ingress) {
                let mut serving = self.serving.iter_mut();
                let Some(certificate) = serving.find(|one| one.hosts.contains(&host)) else {
                    continue;
                };
                let tls = &certificate.ingress.ingress.tls;
                let named = tls.get(certificate.entry).map_or(&[][..], |tls| &tls.hosts);
                for name in others(ingress, &host) {
                    let is_free = !ruled.contains(&name) && !served.contains(&name);
                    if is_free && names::is_host(&name) && covers(named, &name) {
                        served.push(name.clone());
                        certificate.hosts.push(name);
                    }
                }
            }
        }
    }
}

/// The hosts of an Ingress's rules, each once. The server of rules without host has the controller's
/// own certificate, whatever they say.
fn hosts(ingress: &TakenIngress<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for rule in &ingress.ingress.rules {
        let host = rule.host.to_ascii_lowercase();
        if !host.is_empty() && !all.contains(&host) {
            all.push(host);
        }
    }
    all
}

/// What else an Ingress calls a host of its own.
fn others(ingress: &TakenIngress<'_>, host: &str) -> Vec<String> {
    let aliases = ingress.annotations.aliases.iter();
    let mut all: Vec<String> = aliases.map(|alias| alias.to_ascii_lowercase()).collect();
    if ingress.annotations.redirect.from_to_www {
        let bare = host.strip_prefix("www.");
        all.push(bare.map_or_else(|| format!("www.{host}"), str::to_owned));
    }
    all
}

/// The entry that decides, and its Secret: the first that lists the host, else the first whose
/// certificate names it. `None`: the controller's own certificate.
fn entry_for<'t>(tls: &'t [Tls], host: &str) -> Option<(usize, &'t str)> {
    let listed = |one: &&(usize, &Tls)| {
        let mut hosts = one.1.hosts.iter();
        hosts.any(|listed| listed.eq_ignore_ascii_case(host))
    };
    let names = |one: &&(usize, &Tls)| {
        one.1.secret.is_some() && (one.1.hosts.is_empty() || covers(&one.1.hosts, host))
    };
    let entries: Vec<(usize, &Tls)> = tls.iter().enumerate().collect();
    let found = entries.iter().find(listed);
    let (entry, tls) = found.or_else(|| entries.iter().find(names))?;
    Some((*entry, tls.secret.as_deref()?))
}

/// The hosts that an Ingress lists and has no rule for. A name that goes beside a host of its own
/// is none: an alias, or a wildcard above it.
fn without_rule<'c>(ingress: &'c TakenIngress<'c>) -> Vec<Refused<'c>> {
    let mut own = hosts(ingress);
    let further: Vec<String> = own.iter().flat_map(|host| others(ingress, host)).collect();
    own.extend(further);
    let mut all = Vec::new();
    for (entry, tls) in ingress.ingress.tls.iter().enumerate() {
        for listed in &tls.hosts {
            let listed = std::slice::from_ref(listed);
            if tls.secret.is_some() && !own.iter().any(|host| covers(listed, host)) {
                all.push(Refused {
                    ingress,
                    entry,
                    host: listed.concat(),
                    older: None,
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests;
