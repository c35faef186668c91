//! Which certificate serves which host: as ingress-nginx decides it, where nobody gets a host by
//! listing it under `spec.tls`.
//!
//! Source: `createServers` and `extractTLSSecretName`, `internal/ingress/controller/controller.go`;
//! `configureCertificates`, `internal/ingress/controller/nginx.go`; `BuildRedirects`,
//! `pkg/util/ingress/ingress.go`; ingress-nginx dbb11b92d. What its certificate names is not read
//! here: an entry's `hosts` are taken for that.

pub(crate) mod repeated;
mod secret;

use std::collections::{BTreeMap, HashMap, HashSet};

use limpet::ingress::Tls;

use crate::compiled::Compiled;
use crate::names;
use crate::taken::TakenIngress;

pub(crate) use secret::known_pair;
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
    let mut serving = HashMap::new();
    for ingress in primaries.clone() {
        let tls = &ingress.ingress.tls;
        if tls.is_empty() {
            continue;
        }
        let entries = Entries::new(tls);
        // By the places of entries.
        let mut own = HashMap::new();
        for host in hosts(ingress) {
            let given = entries.of(&host);
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
                        Some((entry, secret)) => {
                            let next = all.serving.len();
                            let at = *own.entry(entry).or_insert(next);
                            serving.insert(host.clone(), at);
                            all.serve(at, ingress, entry, secret, host);
                        }
                        None => all.default.push(host),
                    }
                }
            }
        }
        all.refused.extend(without_rule(ingress));
    }
    all.further_names(primaries, &serving);
    all
}

impl<'c> Certificates<'c> {
    fn serve(
        &mut self,
        at: usize,
        ingress: &'c TakenIngress<'c>,
        entry: usize,
        secret: &'c str,
        host: String,
    ) {
        match self.serving.get_mut(at) {
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
    fn further_names(
        &mut self,
        primaries: impl Iterator<Item = &'c TakenIngress<'c>> + Clone,
        serving: &HashMap<String, usize>,
    ) {
        let ruled: HashSet<String> = primaries.clone().flat_map(hosts).collect();
        let mut served: HashSet<String> = HashSet::new();
        let mut named: HashMap<usize, Names> = HashMap::new();
        for ingress in primaries {
            let mut tried = HashSet::new();
            for host in hosts(ingress) {
                let Some(at) = serving.get(&host).copied() else {
                    continue;
                };
                let Some(certificate) = self.serving.get_mut(at) else {
                    continue;
                };
                let tls = &certificate.ingress.ingress.tls;
                let named = named.entry(at).or_insert_with(|| {
                    let tls = tls.get(certificate.entry);
                    Names::new(tls.map_or(&[][..], |tls| &tls.hosts))
                });
                // By the next host of a certificate they fare as by the first one.
                let is_first = tried.insert(at);
                let aliases = aliases(ingress).filter(|_| is_first);
                for name in aliases.chain(www(ingress, &host)) {
                    let is_free = !ruled.contains(&name) && !served.contains(&name);
                    if is_free && names::is_host(&name) && named.cover(&name) {
                        served.insert(name.clone());
                        certificate.hosts.push(name);
                    }
                }
            }
        }
    }
}

/// Names of hosts, in small letters.
struct Names(HashSet<String>);

impl Names {
    fn new<'h>(names: impl IntoIterator<Item = &'h String>) -> Self {
        let names = names.into_iter();
        Self(names.map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether one of them is that of `host`, or has a star in place of its first label.
    fn cover(&self, host: &str) -> bool {
        let above = starred(host).is_some_and(|above| self.0.contains(&above));
        above || self.0.contains(host)
    }
}

/// A host, in small letters, with a star in place of its first label.
fn starred(host: &str) -> Option<String> {
    let (_, domain) = host.split_once('.')?;
    Some(format!("*.{domain}"))
}

/// The hosts of an Ingress's rules, each once. The server of rules without host has the controller's
/// own certificate, whatever they say.
fn hosts(ingress: &TakenIngress<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let all = ingress.ingress.rules.iter();
    let all = all.map(|rule| rule.host.to_ascii_lowercase());
    all.filter(|host| !host.is_empty() && seen.insert(host.clone()))
        .collect()
}

/// What else an Ingress calls all of its hosts.
fn aliases(ingress: &TakenIngress<'_>) -> impl Iterator<Item = String> {
    let aliases = ingress.annotations.aliases.iter();
    aliases.map(|alias| alias.to_ascii_lowercase())
}

/// What else it calls this one.
fn www(ingress: &TakenIngress<'_>, host: &str) -> Option<String> {
    let other = || {
        let bare = host.strip_prefix("www.");
        bare.map_or_else(|| format!("www.{host}"), str::to_owned)
    };
    ingress.annotations.redirect.from_to_www.then(other)
}

/// The entries of a `spec.tls`.
struct Entries<'t> {
    all: &'t [Tls],
    /// The first one that lists a name.
    listing: HashMap<String, usize>,
    /// The same of those that name a Secret: what their certificates are for.
    naming: HashMap<String, usize>,
    /// The first one that lists nothing, and names a Secret.
    bare: Option<usize>,
}

impl<'t> Entries<'t> {
    fn new(all: &'t [Tls]) -> Self {
        let mut entries = Self {
            all,
            listing: HashMap::new(),
            naming: HashMap::new(),
            bare: None,
        };
        for (at, tls) in all.iter().enumerate() {
            let has_secret = tls.secret.is_some();
            if has_secret && tls.hosts.is_empty() {
                entries.bare.get_or_insert(at);
            }
            for host in &tls.hosts {
                let host = host.to_ascii_lowercase();
                if has_secret {
                    entries.naming.entry(host.clone()).or_insert(at);
                }
                entries.listing.entry(host).or_insert(at);
            }
        }
        entries
    }

    /// The entry that decides, and its Secret: the first that lists the host, else the first whose
    /// certificate names it. `None`: the controller's own certificate.
    fn of(&self, host: &str) -> Option<(usize, &'t str)> {
        let naming = |name: &str| self.naming.get(name).copied();
        let above = starred(host).and_then(|above| naming(&above));
        let named = [naming(host), above, self.bare].into_iter().flatten().min();
        let entry = self.listing.get(host).copied().or(named)?;
        let tls = self.all.get(entry)?;
        Some((entry, tls.secret.as_deref()?))
    }
}

/// The hosts that an Ingress lists and has no rule for. A name that goes beside a host of its own
/// is none: an alias, or a wildcard above it.
fn without_rule<'c>(ingress: &'c TakenIngress<'c>) -> Vec<Refused<'c>> {
    let ruled = hosts(ingress);
    let mut own: HashSet<String> = ruled.iter().filter_map(|host| www(ingress, host)).collect();
    if !ruled.is_empty() {
        own.extend(aliases(ingress));
    }
    own.extend(ruled);
    let above: Vec<String> = own.iter().filter_map(|host| starred(host)).collect();
    own.extend(above);
    let mut all = Vec::new();
    for (entry, tls) in ingress.ingress.tls.iter().enumerate() {
        for listed in &tls.hosts {
            if tls.secret.is_some() && !own.contains(&listed.to_ascii_lowercase()) {
                all.push(Refused {
                    ingress,
                    entry,
                    host: listed.clone(),
                    older: None,
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests;
