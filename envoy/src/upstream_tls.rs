//! TLS toward pods as `proxy-ssl-*` says it: whose certificates are taken, and which one is shown.
//!
//! ingress-nginx says it in locations and, for the other Ingresses of a host, once more in servers. A
//! cluster of Envoy says it once. Where the Ingresses of a Service differ, the oldest one that says
//! something holds, and those that would be believed or trusted otherwise are closed.
//!
//! Source: `getBackendServers`, `internal/ingress/controller/controller.go`, and the `proxy_ssl_*` lines
//! of `nginx.tmpl`, ingress-nginx dbb11b92d.

mod agreed;
mod said;
mod shown;
mod told;

pub(crate) use self::told::UpstreamTls;

use std::collections::{BTreeMap, BTreeSet};

use limpet::annotations::validator::parse_bool;
use limpet::policy::Policy;

use self::agreed::{Agreed, Holds, ports, without_policy};
use self::said::{SECRET, Said, Secrets, said};
use crate::certificates::repeated::Repeated;
use crate::clusters::{Cluster, Protocol};
use crate::manifests::Manifests;
use crate::pods::Pods;
use crate::taken::TakenIngress;
use crate::uses::{Uses, name_of};

/// Who gets copies.
const MIRROR: &str = "mirror-target";

/// What the Ingresses say together.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By `namespace/service:port`.
    pub(crate) by_cluster: BTreeMap<String, UpstreamTls>,
    /// The Ingresses that answer 503.
    pub(crate) closed: BTreeSet<String>,
    /// What could be said.
    pods: Pods,
    /// The Ingresses of which not all can.
    unsaid: BTreeSet<String>,
    /// What the operator should know.
    pub(crate) notes: Vec<String>,
}

/// An Ingress that sends requests, and what it says.
#[derive(Debug, Clone, Copy)]
struct Speaker<'i> {
    /// Its place by age.
    at: usize,
    ingress: &'i TakenIngress<'i>,
    own: Option<&'i Said>,
}

impl Found {
    /// What `ingresses` say; `clusters`: those that they name, and their authorizers; `policy`: what the
    /// module makes of them, and `used` who sends requests where by it.
    pub(crate) fn all(
        manifests: &Manifests,
        ingresses: &[TakenIngress<'_>],
        clusters: [&[Cluster]; 2],
        policy: &Policy,
        used: &Uses,
        pods: Pods,
        repeated: &mut Repeated,
    ) -> Found {
        let [clusters, authorizers] = clusters;
        let mut secrets = Secrets::default();
        let own = ingresses.iter();
        let own = own.map(|one| said(manifests, &mut secrets, one));
        let mut own: Vec<Result<Option<Said>, String>> = own.collect();
        let mut found = Found {
            pods,
            ..Found::default()
        };
        if own.iter().all(|one| matches!(one, Ok(None))) {
            return found;
        }
        for (ingress, own) in ingresses.iter().zip(&mut own) {
            if let Ok(Some(said)) = own
                && !said.is_sayable(pods)
            {
                found.unsaid.insert(ingress.id().to_owned());
                *own = Ok(said.sayable(pods));
            }
        }
        let servers = servers(manifests, ingresses, &own, policy);
        for (ingress, own) in ingresses.iter().zip(&own) {
            if let Err(why) = own {
                found.close(ingress, why);
            }
        }
        let verified = ingresses.iter();
        for ingress in verified.filter(|one| is_on_verified_host(one, &servers)) {
            if asks_in_tls(ingress, authorizers) {
                let why = "nginx verifies its authorizer by what is said of its host's pods, and nobody does here";
                found.close(ingress, why);
            }
            let target = ingress.annotation(MIRROR).unwrap_or_default();
            if target.trim_start().starts_with("https://") {
                found.notes.push(format!(
                    "{}: nginx verifies {MIRROR} by what is said of its host's pods, and nobody does here",
                    ingress.place_of(MIRROR)
                ));
            }
        }
        // What the others say themselves closed them by now.
        let all = ingresses.iter().zip(&own).enumerate();
        let all = all.filter_map(|(at, (ingress, own))| {
            let own = own.as_ref().ok()?.as_ref();
            Some((ingress.id(), Speaker { at, ingress, own }))
        });
        let speakers: BTreeMap<&str, Speaker<'_>> = all.collect();
        for port in ports(clusters, pods) {
            found.agree(&speakers, &servers, used, &port, repeated);
        }
        found
    }

    /// What the Ingresses of a Service port say together, which each of `port` stands for.
    fn agree(
        &mut self,
        speakers: &BTreeMap<&str, Speaker<'_>>,
        servers: &BTreeMap<String, Result<Said, String>>,
        used: &Uses,
        port: &[&Cluster],
        repeated: &mut Repeated,
    ) {
        let keys = port.iter().map(|cluster| cluster.service_port.key());
        let ports: Vec<(&Cluster, String)> = port.iter().copied().zip(keys).collect();
        let users = ports.iter().filter_map(|(_, key)| used.get(key));
        let users = users.flat_map(BTreeMap::keys);
        let users = users.filter_map(|id| speakers.get(id.as_str()));
        // The oldest first.
        let users: BTreeMap<usize, Speaker<'_>> = users.map(|one| (one.at, *one)).collect();
        let mut agreed = Agreed::default();
        let (mut verifying, mut speaking) = (BTreeMap::new(), BTreeMap::new());
        for (at, Speaker { ingress, own, .. }) in users {
            for (cluster, key) in &ports {
                let hosts = used.get(key);
                let hosts = hosts.and_then(|users| users.get(ingress.id()));
                for host in hosts.into_iter().flatten() {
                    let holds = holds(own, servers.get(host));
                    let told = holds.as_ref().ok().and_then(Option::as_ref);
                    if Protocol::of(ingress).tls {
                        speaking.insert(at, ingress);
                        if told.is_some_and(|told| told.verified.is_some()) {
                            verifying.insert(at, ingress);
                        }
                    }
                    if let Err(why) = agreed.add(ingress, cluster, holds) {
                        self.close(ingress, &why);
                    }
                }
            }
        }
        let Some(chosen) = agreed.chosen else {
            return;
        };
        if self.pods == Pods::Verified {
            // Of whom nothing is verified there, nothing is said.
            if chosen.verified.is_none() {
                return;
            }
            if let Some(why) = port.iter().find_map(|cluster| without_policy(cluster)) {
                self.close_all(verifying.into_values(), &why);
                return;
            }
        }
        let namespace = port.first().map_or("", |one| &one.service_port.namespace);
        if let Err(why) = repeated.take(namespace, chosen.bytes(), port.len()) {
            self.close_all(speaking.into_values(), &why);
            return;
        }
        let keys = ports.into_iter().map(|(_, key)| key);
        self.by_cluster
            .extend(keys.map(|key| (key, chosen.clone())));
    }

    /// Whether pods are told all that the Ingress `namespace/name` says.
    pub(crate) fn says(&self, ingress: &str) -> bool {
        self.pods != Pods::Unsaid && !self.unsaid.contains(ingress)
    }

    fn close_all<'i, 'o: 'i>(
        &mut self,
        ingresses: impl Iterator<Item = &'i TakenIngress<'o>>,
        why: &str,
    ) {
        ingresses.for_each(|ingress| self.close(ingress, why));
    }

    fn close(&mut self, ingress: &TakenIngress<'_>, why: &str) {
        if self.closed.insert(ingress.id().to_owned()) {
            let place = ingress.place_of(SECRET);
            let id = ingress.id();
            self.notes
                .push(format!("{place}: ingress {id} answers 503: {why}"));
        }
    }
}

/// What holds where an Ingress says `own` on a host whose server has `server`.
fn holds(own: Option<&Said>, server: Option<&Result<Said, String>>) -> Holds {
    let says_all = own.is_some_and(|own| own.checked.is_some());
    let server = match server {
        Some(Err(why)) if !says_all => return Err(why.clone()),
        Some(Ok(server)) => Some(server),
        _ => None,
    };
    Ok(UpstreamTls::of(own, server))
}

/// What holds for the whole of a host, by its name in lower case: what the first of its Ingresses says
/// that has an authority. `Err`: that cannot be used, and what others did by it is not known.
fn servers(
    manifests: &Manifests,
    ingresses: &[TakenIngress<'_>],
    own: &[Result<Option<Said>, String>],
    policy: &Policy,
) -> BTreeMap<String, Result<Said, String>> {
    let mut servers = BTreeMap::new();
    let is_off = manifests.setting("proxy-ssl-location-only");
    if is_off.and_then(parse_bool).unwrap_or_default() {
        return servers;
    }
    let known: BTreeSet<String> = policy.virtual_hosts().map(name_of).collect();
    for (ingress, own) in ingresses.iter().zip(own) {
        let said = match own {
            Ok(Some(said)) if said.checked.is_some() => Ok(said.clone()),
            Ok(_) => continue,
            Err(_) => Err(format!(
                "what ingress {} says of its host's pods is of no use",
                ingress.id()
            )),
        };
        for rule in &ingress.ingress.rules {
            let host = rule.host.to_ascii_lowercase();
            if rule.paths.is_none() && !host.is_empty() {
                continue;
            }
            let host = if known.contains(&host) {
                host
            } else {
                String::new()
            };
            servers.entry(host).or_insert_with(|| said.clone());
        }
    }
    servers
}

/// Whether pods of one of its hosts are verified: what is said of a server holds for authorizers and mirrors
/// too. They are no Ingress's own, so nothing that one says can hold for them here.
fn is_on_verified_host(
    ingress: &TakenIngress<'_>,
    servers: &BTreeMap<String, Result<Said, String>>,
) -> bool {
    let mut rules = ingress.ingress.rules.iter();
    rules.any(|rule| match servers.get(&rule.host.to_ascii_lowercase()) {
        Some(Ok(said)) => said
            .checked
            .as_ref()
            .is_some_and(|one| one.authority.is_some()),
        Some(Err(_)) => true,
        None => false,
    })
}

/// Whether it asks an authorizer in TLS whose certificate nobody looks at.
fn asks_in_tls(ingress: &TakenIngress<'_>, authorizers: &[Cluster]) -> bool {
    let is_global = ingress
        .annotation("enable-global-auth")
        .and_then(parse_bool)
        != Some(false);
    let asks = |authorizer: &Cluster| {
        let mut named = authorizer.named_by.iter();
        (authorizer.named_by.is_empty() && is_global) || named.any(|id| id == ingress.id())
    };
    let mut all = authorizers.iter();
    all.any(|one| {
        one.protocol.is_some_and(|protocol| protocol.tls) && !one.is_verified() && asks(one)
    })
}

#[cfg(test)]
mod tests;
