//! What the platforms need to know of the manifests: hosts, certificates, clusters.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::view::{Ingress, ingresses};
use crate::clusters::{Cluster, Protocol, ServicePort, clusters};
use crate::forwarding::{self, Forwarding};
use crate::manifests::Manifests;
use crate::plugin_config::{self, EndpointSource, Options, Report, plugin_config};
use serde_json::{Value, json};

pub(crate) use crate::forwarding::{CLUSTER_HEADER, ENDPOINT_HEADER};

/// A certificate and the hosts it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Where the Secret is.
    pub namespace: String,
    /// Its name.
    pub secret: String,
    /// `*` for every host.
    pub hosts: Vec<String>,
}

/// The manifests as the platforms see them.
#[derive(Debug)]
pub struct Scene<'m> {
    manifests: &'m Manifests,
    /// Every host that a request may name, `*` for a rule without host; those that
    /// `server-alias`, `from-to-www-redirect` and `upstream-vhost` bring in included.
    pub hosts: Vec<String>,
    /// Every certificate.
    pub certificates: Vec<Certificate>,
    /// Every cluster whose port is known as a number.
    pub clusters: Vec<(Cluster, u16)>,
    /// What ingress-nginx's ConfigMap says about forwarding headers.
    pub forwarding: Forwarding,
    /// Whether a trusted proxy stands in front, as it says.
    pub trusted: bool,
    /// Whether header fields with an underscore in their name are dropped.
    pub drops_underscores: bool,
    /// Whether some Ingress changes the Host that its Service sees.
    pub changes_host: bool,
    /// The Service ports with affinity.
    sticky: BTreeSet<ServicePort>,
    /// What could not be taken over, for the operator.
    pub notes: Vec<String>,
}

impl<'m> Scene<'m> {
    /// Reads the manifests.
    #[must_use]
    pub fn new(manifests: &'m Manifests) -> Self {
        let mut notes = manifests.notes.clone();
        let ingresses = ingresses(manifests);
        let (named, more) = clusters(manifests, &[]);
        notes.extend(more);
        let settings = manifests.config_map().and_then(|map| map.value.get("data"));
        let mut with_ports = Vec::new();
        for cluster in named {
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
        Self {
            manifests,
            hosts: hosts(&ingresses, &mut notes),
            certificates: certificates(&ingresses),
            clusters: with_ports,
            trusted: forwarding::trusts_forwarded_headers(settings),
            forwarding: Forwarding::read(settings),
            drops_underscores: forwarding::drops_underscores(settings),
            changes_host: ingresses
                .iter()
                .any(|ingress| ingress.annotation("upstream-vhost").is_some()),
            sticky: sticky(&ingresses),
            notes,
        }
    }

    /// The environment variables that the module needs.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let given = Value::Object(self.manifests.given.clone());
        plugin_config::variables(&given)
    }

    /// How the pods of a cluster are spoken to.
    #[must_use]
    pub fn protocol(&self, cluster: &Cluster) -> Protocol {
        Protocol::of(self.manifests, cluster)
    }

    /// Whether some Ingress asks for affinity on this Service port.
    #[must_use]
    pub fn is_sticky(&self, service_port: &ServicePort) -> bool {
        self.sticky.contains(service_port)
    }

    /// The plugin configuration: the Ingresses unmodified, and what each Service port is called.
    #[must_use]
    pub fn plugin_config(
        &self,
        names: &BTreeMap<String, String>,
        (strict, owns_the_listener): (bool, bool),
    ) -> Value {
        let options = Options {
            endpoints: EndpointSource::Discovery,
            report: Report::Off,
            strict,
            unmatched_is_not_found: owns_the_listener,
            one_virtual_host: false,
        };
        let mut config = plugin_config(self.manifests, &[], options);
        if let Some(object) = config.as_object_mut() {
            object.insert("clusters".to_owned(), json!(names));
        }
        config
    }
}

fn hosts(ingresses: &[Ingress<'_>], notes: &mut Vec<String>) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |host: &str| {
        let host = if host.is_empty() { "*" } else { host };
        if !all.iter().any(|known| known == host) {
            all.push(host.to_owned());
        }
    };
    for ingress in ingresses {
        let www = ingress.says_true("from-to-www-redirect");
        for path in &ingress.paths {
            add(&path.host);
            if www && !path.host.is_empty() {
                match path.host.strip_prefix("www.") {
                    Some(bare) => add(bare),
                    None => add(&format!("www.{}", path.host)),
                }
            }
        }
        if ingress
            .object
            .value
            .pointer("/spec/defaultBackend")
            .is_some()
        {
            add("");
        }
        let aliases = ingress.annotation("server-alias").unwrap_or_default();
        for alias in aliases
            .split(',')
            .map(str::trim)
            .filter(|alias| !alias.is_empty())
        {
            match alias.starts_with('~') {
                true => notes.push(format!(
                    "{}: server-alias {alias:?} is a regex, and no listener takes one; those hosts are not served",
                    ingress.object.place()
                )),
                false => add(alias),
            }
        }
        // limpet sets the host that the Service sees, and the route is looked up again.
        match ingress.annotation("upstream-vhost") {
            Some(host) if host.contains('$') => notes.push(format!(
                "{}: upstream-vhost {host:?} is made of variables: add a route for the hosts it yields",
                ingress.object.place()
            )),
            Some(host) => add(host),
            None => {}
        }
    }
    all
}

fn certificates(ingresses: &[Ingress<'_>]) -> Vec<Certificate> {
    let mut all: Vec<Certificate> = Vec::new();
    for ingress in ingresses {
        let own: BTreeSet<&str> = ingress
            .paths
            .iter()
            .map(|path| path.host.as_str())
            .collect();
        for (index, entry) in ingress.object.list("/spec/tls").iter().enumerate() {
            let Some(secret) = ingress
                .object
                .text(&format!("/spec/tls/{index}/secretName"))
            else {
                continue;
            };
            let listed = entry.get("hosts").and_then(Value::as_array);
            let hosts: Vec<String> = match listed {
                Some(hosts) => hosts
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                None => own.iter().map(|host| (*host).to_owned()).collect(),
            };
            let taken: Vec<String> = all.iter().flat_map(|c| c.hosts.clone()).collect();
            let hosts = hosts
                .into_iter()
                .map(|host| {
                    if host.is_empty() {
                        "*".to_owned()
                    } else {
                        host
                    }
                })
                .filter(|host| !taken.contains(host))
                .collect::<Vec<_>>();
            if !hosts.is_empty() {
                all.push(Certificate {
                    namespace: ingress.object.namespace().to_owned(),
                    secret: secret.to_owned(),
                    hosts,
                });
            }
        }
    }
    all
}

fn sticky(ingresses: &[Ingress<'_>]) -> BTreeSet<ServicePort> {
    ingresses
        .iter()
        .filter(|ingress| ingress.has_affinity())
        .flat_map(|ingress| ingress.paths.iter().filter_map(|path| path.service.clone()))
        .collect()
}
