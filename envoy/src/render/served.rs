//! What the manifests serve, as the platforms need to know it: hosts, certificates, clusters.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::certificates::{Certificate, certificates};
use crate::check::{self, Finding};
use crate::clusters::{Cluster, ServicePort, off_limits};
use crate::compiled::Compiled;
use crate::forwarding::{self, Forwarding};
use crate::names;
use crate::plugin_config::{self, Options, Unmatched, plugin_config};
use crate::taken::TakenIngress;

/// What the manifests serve.
#[derive(Debug)]
pub struct Served<'c> {
    compiled: &'c Compiled<'c>,
    /// Every host that a request may name, `*` for a rule without host; those that
    /// `server-alias`, `from-to-www-redirect` and `upstream-vhost` bring in included.
    pub hosts: Vec<String>,
    /// Every certificate that serves.
    pub certificates: Vec<Certificate<'c>>,
    /// Every cluster whose port is known as a number.
    pub clusters: Vec<(&'c Cluster, u16)>,
    /// What ingress-nginx's ConfigMap says about forwarding headers.
    pub forwarding: &'c Forwarding,
    /// Whether header fields with an underscore in their name are dropped.
    pub drops_underscores: bool,
    /// Whether some Ingress changes the Host that its Service sees.
    pub changes_host: bool,
    /// What could not be taken over, for the operator.
    pub notes: Vec<String>,
}

impl<'c> Served<'c> {
    /// What `compiled` serves.
    #[must_use]
    pub fn new(compiled: &'c Compiled<'c>) -> Self {
        let mut notes = compiled.notes.clone();
        let mut with_ports = Vec::new();
        for cluster in &compiled.clusters {
            let external = cluster.external_name.as_deref();
            if let Some(why) = external.and_then(|name| off_limits::name(name, false)) {
                notes.push(format!(
                    "{}: Service {}: externalName {:?} is {why}: no route leads there",
                    cluster.place,
                    cluster.service_port.service_id(),
                    external.unwrap_or_default()
                ));
                continue;
            }
            match cluster.number {
                Some(number) => with_ports.push((cluster, number)),
                None => notes.push(format!(
                    "{}: port {:?} of Service {} is a name, and the Service is not among the \
                     manifests; give it with -f, no route leads there now",
                    cluster.place,
                    cluster.service_port.port,
                    cluster.service_port.service_id()
                )),
            }
        }
        let tenants = check::tenants(compiled);
        notes.extend(tenants.iter().map(Finding::located));
        let ingresses = &compiled.ingresses;
        let changes_host = |one: &TakenIngress<'_>| !one.annotations.upstream_vhost.is_empty();
        Self {
            compiled,
            hosts: hosts(compiled, &mut notes),
            certificates: certificates(compiled).serving,
            clusters: with_ports,
            forwarding: &compiled.forwarding,
            drops_underscores: forwarding::drops_underscores(compiled.manifests.settings()),
            changes_host: ingresses.iter().any(changes_host),
            notes,
        }
    }

    /// What the operator should know: of the manifests as they were read, and of what they serve.
    pub fn all_notes(&self) -> impl Iterator<Item = String> {
        let ignored = self.compiled.ignored().map(ToString::to_string);
        let notes = self.compiled.manifests.all_notes();
        notes.chain(self.notes.iter().cloned()).chain(ignored)
    }

    /// The environment variables that the module needs.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        plugin_config::variables(&self.compiled.config)
    }

    /// Whether the sessions of a Service port are kept.
    #[must_use]
    pub fn is_sticky(&self, service_port: &ServicePort) -> bool {
        let cluster = self.compiled.cluster(service_port);
        cluster.is_some_and(|cluster| cluster.affinity.is_some())
    }

    /// The plugin configuration; `names`: what each Service port is called.
    #[must_use]
    pub(super) fn plugin_config(
        &self,
        names: &BTreeMap<String, String>,
        unmatched: Unmatched,
    ) -> Value {
        let options = Options {
            unmatched,
            ..Options::default()
        };
        let mut config = plugin_config(self.compiled, options);
        if let Some(object) = config.as_object_mut() {
            object.insert("clusters".to_owned(), json!(names));
        }
        config
    }
}

fn hosts(compiled: &Compiled<'_>, notes: &mut Vec<String>) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |host: &str| {
        if !all.iter().any(|known| known == host) {
            all.push(host.to_owned());
        }
    };
    for host in compiled.policy.virtual_hosts() {
        let is_named = || host.locations.iter().any(|one| !one.ingress.is_empty());
        if host.is_default() {
            if is_named() {
                add("*");
            }
        } else if names::is_host(&host.name) {
            add(&host.name);
        }
    }
    for ingress in &compiled.ingresses {
        let place = || ingress.object.place();
        let aliases = ingress.annotations.aliases.iter();
        for alias in aliases.filter(|alias| !names::is_host(alias)) {
            let what = if alias.starts_with('~') {
                "a regex"
            } else {
                "no name of a host in Kubernetes"
            };
            notes.push(format!(
                "{}: server-alias {alias:?} is {what}, and no listener takes one; those hosts are not served",
                place()
            ));
        }
        // limpet sets the host that the Service sees, and the route is looked up again.
        let host = &ingress.annotations.upstream_vhost;
        if host.contains('$') {
            notes.push(format!(
                "{}: upstream-vhost {host:?} is made of variables: add a route for the hosts it yields",
                place()
            ));
        } else if names::is_host(host) {
            add(host);
        } else if !host.is_empty() {
            notes.push(format!(
                "{}: upstream-vhost {host:?} is no name of a host in Kubernetes, and no route takes it: \
                 requests of ingress {} find none",
                place(),
                ingress.id()
            ));
        }
    }
    all
}
