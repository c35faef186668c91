//! TLS toward pods as `proxy-ssl-*` says it: whose certificates are taken, and which one is shown.
//!
//! ingress-nginx says it in locations and, for the other Ingresses of a host, once more in servers. A
//! cluster of Envoy says it once. Where the Ingresses of a Service differ, the oldest one that says
//! something holds, and those that would be believed or trusted otherwise are closed.
//!
//! Source: `getBackendServers`, `internal/ingress/controller/controller.go`, and the `proxy_ssl_*` lines
//! of `nginx.tmpl`, ingress-nginx dbb11b92d.

mod cipher;
mod said;

use std::collections::{BTreeMap, BTreeSet};

use limpet::annotations::validator::parse_bool;
use limpet::policy::Policy;
use serde_json::{Value, json};

use self::said::{SECRET, Said, name_or_default, said};
use crate::clusters::{Cluster, Protocol};
use crate::key_pair::{Authority, KeyPair};
use crate::manifests::Manifests;
use crate::taken::TakenIngress;
use crate::uses::{Uses, name_of};

/// Who gets copies.
const MIRROR: &str = "mirror-target";

/// How TLS is spoken to the pods of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamTls {
    /// `None`: nobody's certificate is looked at.
    verified: Option<Verified>,
    /// What pods are shown that ask.
    shown: Option<KeyPair>,
    /// What they are called in the greeting.
    sni: Option<String>,
    /// The lowest and the highest version; `None`: Envoy's own.
    versions: Option<[&'static str; 2]>,
    /// Empty: Envoy's own.
    ciphers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Verified {
    authority: Authority,
    /// The name that a certificate has to be for.
    name: String,
}

/// What the Ingresses say together.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By `namespace/service:port`.
    pub(crate) by_cluster: BTreeMap<String, UpstreamTls>,
    /// The Ingresses that answer 503.
    pub(crate) closed: BTreeSet<String>,
    /// What the operator should know.
    pub(crate) notes: Vec<String>,
}

/// What holds in a location; `None`: nothing is said. `Err`: why it answers 503.
type Holds = Result<Option<UpstreamTls>, String>;

impl UpstreamTls {
    /// What `ingresses` say; `clusters`: those that they name, and their authorizers; `policy`: what the
    /// module makes of them, and `used` who sends requests where by it.
    pub(crate) fn all(
        manifests: &Manifests,
        ingresses: &[TakenIngress<'_>],
        clusters: [&[Cluster]; 2],
        policy: &Policy,
        used: &Uses,
    ) -> Found {
        let [clusters, authorizers] = clusters;
        let own: Vec<Result<Option<Said>, String>> =
            ingresses.iter().map(|one| said(manifests, one)).collect();
        let mut found = Found::default();
        if own.iter().all(|one| matches!(one, Ok(None))) {
            return found;
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
        for cluster in clusters {
            let key = cluster.service_port.key();
            let Some(users) = used.get(&key) else {
                continue;
            };
            let mut agreed = Agreed::default();
            for (ingress, own) in ingresses.iter().zip(&own) {
                // What it says itself closed it by now.
                let Ok(own) = own else {
                    continue;
                };
                for host in users.get(ingress.id()).into_iter().flatten() {
                    let holds = holds(own, servers.get(host));
                    if let Err(why) = agreed.add(ingress, cluster, holds) {
                        found.close(ingress, &why);
                    }
                }
            }
            let chosen = agreed.chosen.map(|chosen| (key, chosen));
            found.by_cluster.extend(chosen);
        }
        found
    }

    /// What a location says, over what its server does; `None`: nothing.
    fn of(own: Option<&Said>, server: Option<&Said>) -> Option<Self> {
        let said = [own, server];
        let mut said = said.iter().flatten();
        let (mut all, mut again) = (said.clone(), said.clone());
        let checked = said.find_map(|one| one.checked.as_ref());
        let shown = all.find_map(|one| one.shown.as_ref());
        let name = name_or_default(again.find_map(|one| one.name.as_deref()));
        let names_pods = match (own, server) {
            (Some(own), _) => own.names_pods,
            // A server says the one only beside the other.
            (None, Some(server)) => server.names_pods && server.name.is_some(),
            (None, None) => false,
        };
        let verified = checked.and_then(|checked| {
            Some(Verified {
                authority: checked.authority.clone()?,
                name: name.clone(),
            })
        });
        (checked.is_some() || shown.is_some() || names_pods).then(|| Self {
            verified,
            shown: shown.cloned(),
            sni: names_pods.then_some(name),
            versions: checked.map(|checked| checked.versions),
            ciphers: checked
                .map(|checked| checked.ciphers.clone())
                .unwrap_or_default(),
        })
    }

    /// Whether a private key is in it.
    pub(crate) fn holds_a_key(&self) -> bool {
        self.shown.is_some()
    }

    /// The transport socket of a cluster.
    pub(crate) fn transport_socket(&self) -> Value {
        let mut common = serde_json::Map::new();
        if let Some(verified) = &self.verified {
            let context = json!({
                "trusted_ca": { "inline_string": verified.authority.certificates },
                // Of max_verify_depth Envoy reads nothing here.
                "match_typed_subject_alt_names": [
                    { "san_type": "DNS", "matcher": { "exact": verified.name } },
                ],
            });
            common.insert("validation_context".to_owned(), context);
        }
        if let Some(KeyPair { chain, key, .. }) = &self.shown {
            let pair = json!([{
                "certificate_chain": { "inline_string": chain },
                "private_key": { "inline_string": key },
            }]);
            common.insert("tls_certificates".to_owned(), pair);
        }
        let mut parameters = serde_json::Map::new();
        if let Some([lowest, highest]) = self.versions {
            parameters.insert("tls_minimum_protocol_version".to_owned(), json!(lowest));
            parameters.insert("tls_maximum_protocol_version".to_owned(), json!(highest));
        }
        if !self.ciphers.is_empty() {
            parameters.insert("cipher_suites".to_owned(), json!(self.ciphers));
        }
        if !parameters.is_empty() {
            common.insert("tls_params".to_owned(), parameters.into());
        }
        let mut context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": common,
        });
        if let (Some(sni), Some(fields)) = (&self.sni, context.as_object_mut()) {
            fields.insert("sni".to_owned(), json!(sni));
        }
        json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
    }
}

impl Found {
    fn close(&mut self, ingress: &TakenIngress<'_>, why: &str) {
        if self.closed.insert(ingress.id().to_owned()) {
            let place = ingress.place_of(SECRET);
            let id = ingress.id();
            self.notes
                .push(format!("{place}: ingress {id} answers 503: {why}"));
        }
    }
}

/// What the Ingresses of one Service agree on, the oldest first.
#[derive(Debug, Default)]
struct Agreed {
    chosen: Option<UpstreamTls>,
    /// Some of them say nothing: no pod is told by their requests who sends them.
    has_silent: bool,
}

impl Agreed {
    /// `Err`: why `ingress` does not.
    fn add(
        &mut self,
        ingress: &TakenIngress<'_>,
        cluster: &Cluster,
        holds: Holds,
    ) -> Result<(), String> {
        // Others of its Service may be in TLS: these are not.
        if !Protocol::of(ingress).tls {
            return Ok(());
        }
        let service = cluster.service_port.key();
        let agrees = match (holds?, &self.chosen) {
            (Some(holds), None) => {
                let agrees = !self.has_silent || holds.shown.is_none();
                self.chosen = agrees.then_some(holds);
                agrees
            }
            (Some(holds), Some(chosen)) => holds == *chosen,
            // Whoever verifies nothing loses nothing where it is verified.
            (None, chosen) => {
                let agrees = chosen.as_ref().is_none_or(|one| one.shown.is_none());
                self.has_silent |= agrees;
                agrees
            }
        };
        agrees.then_some(()).ok_or_else(|| {
            format!(
                "an older Ingress says otherwise of {service}, and a cluster of Envoy has one TLS"
            )
        })
    }
}

/// What holds where an Ingress says `own` on a host whose server has `server`.
fn holds(own: &Option<Said>, server: Option<&Result<Said, String>>) -> Holds {
    let says_all = own.as_ref().is_some_and(|own| own.checked.is_some());
    let server = match server {
        Some(Err(why)) if !says_all => return Err(why.clone()),
        Some(Ok(server)) => Some(server),
        _ => None,
    };
    Ok(UpstreamTls::of(own.as_ref(), server))
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
