//! `ssl-passthrough`: hosts whose TLS is their pods' own, where the controller has
//! `--enable-ssl-passthrough`.
//!
//! Source: `getConfiguration` and `createServers`, `internal/ingress/controller/controller.go`, and
//! `pkg/tcpproxy/tcp.go`, ingress-nginx dbb11b92d: the first location `/` of a host counts, and of a host
//! without one, or with a Service that has no address of its own, no connection comes to anything.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use limpet::annotations::validator::parse_bool;
use limpet::route::location::Backend;

use crate::clusters::{Cluster, Twin};
use crate::compiled::Compiled;
use crate::names;
use crate::taken::TakenIngress;

/// The annotation.
pub(crate) const ANNOTATION: &str = "ssl-passthrough";

/// A host whose connections go to pods as they come.
#[derive(Debug)]
pub(crate) struct Passthrough {
    /// In lower case; no wildcard, which is no name in a greeting.
    pub(crate) host: String,
    /// `Err`: why no connection comes to anything.
    pub(crate) to: Result<Rc<Cluster>, &'static str>,
    /// Where an Ingress asks for it, `file:line`.
    place: String,
}

impl Passthrough {
    /// Every one, by host, where the controller passes connections on.
    pub(crate) fn all(compiled: &Compiled<'_>) -> Vec<Self> {
        let ingresses = compiled.ingresses.iter();
        let mut all = BTreeMap::new();
        let mut twins = HashMap::new();
        for ingress in ingresses.filter(|ingress| asks(compiled, ingress)) {
            for rule in &ingress.ingress.rules {
                let host = rule.host.to_ascii_lowercase();
                if host.starts_with('*') || !names::is_host(&host) || all.contains_key(&host) {
                    continue;
                }
                let one = Self {
                    to: to(compiled, &host, &mut twins),
                    place: ingress.place_of(ANNOTATION),
                    host: host.clone(),
                };
                all.insert(host, one);
            }
        }
        all.into_values().collect()
    }

    /// What the operator should know of one that comes to nothing.
    pub(crate) fn note(&self) -> Option<String> {
        let why = self.to.as_ref().err()?;
        let (place, host) = (&self.place, &self.host);
        Some(format!(
            "{place}: TLS for {host} is passed to nobody: {why}"
        ))
    }
}

/// Whether an Ingress asks for it, and the controller does it.
pub(crate) fn asks(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> bool {
    let said = ingress.annotation(ANNOTATION).and_then(parse_bool);
    compiled.manifests.ssl_passthrough == Some(true)
        && said == Some(true)
        && ingress.annotations.canary.is_none()
}

/// `twins`: those that are known already, by what they are twins of. A Service that thousands of hosts share knows
/// all of their Ingresses.
fn to(
    compiled: &Compiled<'_>,
    host: &str,
    twins: &mut HashMap<String, Rc<Cluster>>,
) -> Result<Rc<Cluster>, &'static str> {
    let locations = compiled.virtual_host(host).map(|host| &host.locations);
    let mut locations = locations.into_iter().flat_map(|all| all.iter());
    let location = locations.find(|one| one.path == "/" && !one.is_implicit);
    let location = location.ok_or("no Ingress has its path /")?;
    if location.is_closed() {
        return Err("its Ingress or its host is closed");
    }
    let Backend::Cluster(id) = location.backend else {
        return Err("its Service has no such port");
    };
    let cluster = compiled.policy.cluster(id);
    match cluster.and_then(|cluster| compiled.cluster_of(&cluster.service)) {
        None => Err("its Service is not known"),
        Some(cluster) if cluster.external_name.is_some() => {
            Err("a Service of type ExternalName has no address")
        }
        Some(cluster) => {
            let twin = twins.entry(cluster.service_port.key());
            let twin = twin.or_insert_with(|| Rc::new(cluster.twin(Twin::Passthrough)));
            Ok(Rc::clone(twin))
        }
    }
}

#[cfg(test)]
mod tests;
