//! The certificates that a listener of Envoy Gateway cannot have beside those of other namespaces.
//!
//! All are in one listener, where Envoy chooses by the names in them, and Envoy Gateway drops each that names what one
//! before it names with a key of the same kind. A certificate may name whatever its owner likes: who names hosts that
//! another namespace serves with its own certificate for them goes, and of two that have the same right the younger one.
//! A listener of its own is no way out: Envoy Gateway takes HTTP/2 away from both listeners whose certificates overlap.
//!
//! Source: `parseCertsFromTLSSecretsData`, `internal/gatewayapi/tls.go`, and `checkOverlappingCertificates`,
//! `internal/gatewayapi/listener.go`, Envoy Gateway 1.9.1; `DefaultTlsCertificateSelector`,
//! `source/common/tls/default_tls_certificate_selector.cc`, Envoy 1.40.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::certificates::{Certificate, known_pair};
use crate::inert;
use crate::key_pair::KeyPair;
use crate::manifests::Manifests;

/// A Secret, with all that it serves.
struct Neighbour<'c> {
    id: String,
    namespace: &'c str,
    /// `None`: it is not among the manifests.
    pair: Option<&'c KeyPair>,
    /// What its certificate names.
    names: Names,
    hosts: HashSet<String>,
    /// The same with a star in place of the first label.
    stars: HashSet<String>,
}

enum Names {
    /// In small letters.
    Known(HashSet<String>),
    /// It may name anything.
    Unknown,
}

impl Neighbour<'_> {
    fn names(&self) -> impl Iterator<Item = &String> {
        let known = match &self.names {
            Names::Known(names) => Some(names),
            Names::Unknown => None,
        };
        known.into_iter().flatten()
    }

    /// Whether it is somebody else's, and another certificate.
    fn is_other(&self, other: &Self) -> bool {
        let is_copy = || match (self.pair, other.pair) {
            (Some(one), Some(other)) => one.chain == other.chain && one.key == other.key,
            _ => false,
        };
        self.namespace != other.namespace && !is_copy()
    }

    fn serve(&mut self, hosts: &[String]) {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase());
        for host in hosts {
            self.stars.extend(starred(&host));
            self.hosts.insert(host);
        }
    }

    /// Whether it serves a host by this name of its certificate.
    fn serves_by(&self, name: &str) -> bool {
        self.hosts.contains(name) || self.stars.contains(name)
    }
}

/// A host with a star in place of its first label.
fn starred(host: &str) -> Option<String> {
    let (_, domain) = host.split_once('.')?;
    Some(format!("*.{domain}"))
}

/// By Secret, `namespace/name`, why its certificate cannot be there; `certificates`: the oldest Ingress's first.
pub(super) fn out_of_place(
    certificates: &[Certificate<'_>],
    manifests: &Manifests,
) -> BTreeMap<String, String> {
    let all = neighbours(certificates, manifests);
    let mut out = BTreeMap::new();
    // A host is served with one certificate.
    let hosts = all
        .iter()
        .flat_map(|one| one.hosts.iter().map(move |host| (host.as_str(), one)));
    let owners: HashMap<&str, &Neighbour<'_>> = hosts.collect();
    // Of those with a right to a name the oldest.
    let mut rightful: HashMap<&str, &Neighbour<'_>> = HashMap::new();
    for one in &all {
        for name in one.names().filter(|name| one.serves_by(name)) {
            rightful.entry(name).or_insert(one);
        }
    }
    let mut placed: Vec<&Neighbour<'_>> = Vec::new();
    for one in &all {
        let is_alone = || all.iter().all(|other| !one.is_other(other));
        if matches!(one.names, Names::Unknown) && !is_alone() {
            let why = "its names cannot be told for certain, and others are there".to_owned();
            out.insert(one.id.clone(), why);
            continue;
        }
        let foreign = one
            .names()
            .filter(|name| !one.serves_by(name))
            .find_map(|name| {
                let of_star = starred(name).filter(|_| !name.starts_with('*'));
                let owner = owners.get(name.as_str());
                let owner = owner.or_else(|| owners.get(of_star.as_deref()?));
                let owner = owner.into_iter().chain(rightful.get(name.as_str()));
                let mut others = owner.filter(|owner| one.is_other(owner));
                Some((name, others.next()?.namespace))
            });
        match foreign {
            Some((name, namespace)) => {
                out.insert(one.id.clone(), told(name, namespace));
            }
            None => placed.push(one),
        }
    }
    let mut taken: HashMap<&str, &Neighbour<'_>> = HashMap::new();
    for one in placed {
        let earlier = one.names().find_map(|name| {
            let other = taken.get(name.as_str()).filter(|other| one.is_other(other));
            Some((name, other?.namespace))
        });
        match earlier {
            Some((name, namespace)) => {
                out.insert(one.id.clone(), told(name, namespace));
            }
            None => {
                for name in one.names() {
                    taken.entry(name).or_insert(one);
                }
            }
        }
    }
    out
}

fn told(name: &str, namespace: &str) -> String {
    format!(
        "it is for {} too, for which namespace {namespace} has another one",
        inert::line(name)
    )
}

/// Every Secret once, the oldest Ingress's first.
fn neighbours<'c>(
    certificates: &[Certificate<'c>],
    manifests: &'c Manifests,
) -> Vec<Neighbour<'c>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<Neighbour<'c>> = Vec::new();
    for certificate in certificates {
        let id = certificate.secret_id();
        let at = *places.entry(id.clone()).or_insert(all.len());
        if let Some(known) = all.get_mut(at) {
            known.serve(&certificate.hosts);
            continue;
        }
        let pair = manifests
            .tls_secret(&id)
            .and_then(|secret| known_pair(secret).ok());
        let names = match pair.map(|pair| &pair.claims) {
            Some(Some(names)) => {
                Names::Known(names.iter().map(|name| name.to_ascii_lowercase()).collect())
            }
            Some(None) => Names::Unknown,
            None => Names::Known(HashSet::new()),
        };
        let mut one = Neighbour {
            id,
            namespace: &certificate.ingress.ingress.namespace,
            pair,
            names,
            hosts: HashSet::new(),
            stars: HashSet::new(),
        };
        one.serve(&certificate.hosts);
        all.push(one);
    }
    all
}
