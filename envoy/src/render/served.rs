//! What the manifests serve, as the platforms need to know it: hosts, certificates, clusters.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use limpet::policy::Policy;
use limpet::route::location::{Backend, Location};
use serde_json::{Value, json};

use crate::certificates::{Certificate, certificates, known_pair};
use crate::clusters::{Cluster, ServicePort};
use crate::compiled::{Clients, Compiled};
use crate::forwarding::{
    self, DROPPED_HEADERS, Forwarding, HOST_HEADER, INTERNAL_HEADERS, POLICY_HEADER,
};
use crate::inert;
use crate::manifests::Object;
use crate::named_secrets::{self, SecretVariable};
use crate::names;
use crate::passthrough::Passthrough;
use crate::plugin_config::{self, Options, Unmatched, plugin_config};
use crate::render::way::{CONNECT, Copies, Way, Ways};
use crate::render::{neighbours, proxys_own, unread};

/// What the manifests serve.
#[derive(Debug)]
pub struct Served<'c> {
    compiled: &'c Compiled<'c>,
    /// Every host that a request may name, `*` for a rule without host; those that
    /// `server-alias` and `from-to-www-redirect` bring in included.
    pub hosts: Vec<String>,
    /// Every certificate that serves.
    pub certificates: Vec<Certificate<'c>>,
    /// Those of Secrets that the platform or its Envoy would refuse, and with some of them all others.
    pub(super) unusable: Vec<Certificate<'c>>,
    /// Those that cannot be in one listener with other namespaces', with why not.
    pub(super) out_of_place: Vec<(Certificate<'c>, String)>,
    /// Every cluster whose port is known as a number.
    pub clusters: Vec<(&'c Cluster, u16)>,
    /// Where each one stands there, by the key of its Service port.
    places: HashMap<String, usize>,
    /// What ingress-nginx's ConfigMap says about forwarding headers.
    pub forwarding: &'c Forwarding,
    /// Whether header fields with an underscore in their name are dropped.
    pub drops_underscores: bool,
    /// The keys of the clusters whose pods may see another Host than the client sent.
    pub with_other_host: BTreeSet<String>,
    /// The ways to their pods.
    pub(super) ways: Ways,
    /// The hosts whose TLS goes to pods as it comes, by host.
    pub(crate) passed: Vec<Passthrough>,
    /// Some host asks its clients for certificates.
    pub(super) asks_for_certificates: bool,
    /// What could not be taken over, for the operator.
    pub notes: Vec<String>,
}

impl<'c> Served<'c> {
    /// The Secret of a certificate, `namespace/name`; `None`: it is not among the manifests.
    #[must_use]
    pub fn tls_secret(&self, id: &str) -> Option<&Object> {
        self.compiled.manifests.tls_secret(id)
    }

    /// What it is made of.
    pub(super) fn compiled(&self) -> &'c Compiled<'c> {
        self.compiled
    }

    /// What `compiled` serves.
    #[must_use]
    pub fn new(compiled: &'c Compiled<'c>) -> Self {
        Self::with(compiled, false)
    }

    /// The same where copies of requests go to Services alone.
    #[must_use]
    pub fn on_envoy_gateway(compiled: &'c Compiled<'c>) -> Self {
        Self::with(compiled, true)
    }

    fn with(compiled: &'c Compiled<'c>, to_services: bool) -> Self {
        let mut notes = compiled.notes.clone();
        notes.extend(compiled.upstream_tls.notes.iter().cloned());
        let mut with_ports = Vec::new();
        for cluster in &compiled.clusters {
            let external = cluster.external_name.as_deref();
            if let Some(why) = cluster.leads_to_its_proxy() {
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
                // Told already.
                None if cluster.has_no_such_port => {}
                None => notes.push(format!(
                    "{}: port {:?} of Service {} is a name, and no Service among the manifests says \
                     its number; give it with -f, no route leads there now",
                    cluster.place,
                    cluster.service_port.port,
                    cluster.service_port.service_id()
                )),
            }
        }
        for (cluster, _) in &with_ports {
            CONNECT.of(compiled, cluster, &mut notes);
        }
        let passed = Passthrough::all(compiled);
        notes.extend(passed.iter().filter_map(Passthrough::note));
        let copies = Copies {
            refused: &proxys_own::refused,
            to_services,
        };
        // A Service has one protocol there.
        let nobody = BTreeMap::new();
        let otherwise = if to_services {
            &nobody
        } else {
            &compiled.otherwise
        };
        // One that is not among the manifests may be usable.
        let is_usable = |certificate: &Certificate<'_>| {
            let secret = compiled.manifests.tls_secret(&certificate.secret_id());
            secret.is_none_or(|secret| {
                let is_taken = !to_services || secret.is_of_type_tls();
                is_taken && known_pair(secret).is_ok()
            })
        };
        let serving = certificates(compiled).serving.into_iter();
        let (mut certificates, unusable): (Vec<_>, Vec<_>) = serving.partition(is_usable);
        let mut out_of_place = Vec::new();
        if to_services {
            let out = neighbours::out_of_place(&certificates, compiled.manifests);
            for one in std::mem::take(&mut certificates) {
                match out.get(&one.secret_id()) {
                    Some(why) => out_of_place.push((one, why.clone())),
                    None => certificates.push(one),
                }
            }
        }
        Self {
            compiled,
            ways: Ways::new(compiled, &copies, otherwise, &mut notes),
            hosts: hosts(compiled),
            certificates,
            unusable,
            out_of_place,
            places: places(&with_ports),
            clusters: with_ports,
            forwarding: &compiled.forwarding,
            drops_underscores: forwarding::drops_underscores(compiled.manifests.settings()),
            with_other_host: with_other_host(&compiled.policy),
            passed,
            asks_for_certificates: asks_for_certificates(compiled),
            notes,
        }
    }

    /// Where the TLS for one of the [`Served::hosts`] goes as it comes; `None`: it ends at the proxy, or
    /// nowhere.
    pub(super) fn passed_to(&self, host: &str) -> Option<(&Cluster, u16)> {
        let to = self.passed_of(host)?.to.as_ref().ok()?;
        Some((to, to.number?))
    }

    /// What is known of it where TLS for the host goes on as it comes.
    pub(super) fn passed_of(&self, host: &str) -> Option<&Passthrough> {
        let by_host = |one: &Passthrough| one.host.as_str().cmp(host);
        let at = self.passed.binary_search_by(by_host).ok()?;
        self.passed.get(at)
    }

    /// The hosts whose TLS comes to the proxy.
    #[must_use]
    pub(crate) fn tls_hosts(&self) -> BTreeSet<&str> {
        let certificates = self.certificates.iter();
        let hosts = certificates.flat_map(|one| one.hosts.iter().map(String::as_str));
        let passed = self.passed.iter().filter(|one| one.to.is_ok());
        hosts.chain(passed.map(|one| one.host.as_str())).collect()
    }

    /// Names that no listener of a platform takes, one line each.
    pub(super) fn aliases_of_no_listener(&self) -> impl Iterator<Item = String> {
        self.compiled.ingresses.iter().flat_map(|ingress| {
            let aliases = ingress.annotations.aliases.iter();
            aliases.filter(|alias| !names::is_host(alias)).map(|alias| {
                let what = if alias.starts_with('~') {
                    "a regex"
                } else {
                    "no name of a host in Kubernetes"
                };
                format!(
                    "{}: server-alias {alias:?} is {what}, and no listener takes one; those hosts are not served",
                    ingress.object.place()
                )
            })
        })
    }

    /// What the operator should know: of the manifests as they were read, and of what they serve.
    pub fn all_notes(&self) -> impl Iterator<Item = String> {
        let ignored = self.compiled.ignored().map(ToString::to_string);
        let notes = self.compiled.manifests.all_notes();
        let notes = notes.chain(self.notes.iter().cloned());
        let of_authorities = self.compiled.notes_of_authorities();
        notes.chain(of_authorities).chain(ignored)
    }

    /// The environment variables that the module needs.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let secrets = self.secret_variables().into_iter().map(|one| one.name);
        let mut all = self.key_variables();
        all.extend(secrets);
        // The API server takes none twice.
        let mut known = HashSet::new();
        all.retain(|name| known.insert(name.clone()));
        all
    }

    /// Those with cookie keys.
    #[must_use]
    pub fn key_variables(&self) -> Vec<String> {
        plugin_config::variables(&self.compiled.config)
    }

    /// Those that take the place of texts of Secrets: what is rendered is no Secret.
    #[must_use]
    pub(crate) fn secret_variables(&self) -> Vec<SecretVariable> {
        named_secrets::variables(&self.compiled.config)
    }

    /// Which of them have to come from which Secrets, a line each.
    #[must_use]
    pub fn secret_lines(&self) -> Vec<String> {
        let variables = self.secret_variables().into_iter();
        let lines = variables.map(|one| {
            let (name, secret, key) = (one.name, one.secret, one.key);
            let (name, key) = (inert::line(&name), inert::line(&key));
            format!("  {name}: Secret {}, key {key}", inert::line(&secret))
        });
        lines.collect()
    }

    /// Whether the sessions of a Service port are kept.
    #[must_use]
    pub fn is_sticky(&self, service_port: &ServicePort) -> bool {
        let cluster = self.compiled.cluster(service_port);
        cluster.is_some_and(|cluster| cluster.affinity.is_some())
    }

    /// The clusters that may serve requests for one of the [`Served::hosts`]. A request for a name with several
    /// labels in place of a star is nobody's, and so the default server's.
    #[must_use]
    pub fn clusters_of(&self, host: &str) -> Vec<&(&'c Cluster, u16)> {
        let keys = self.locations_of(host);
        let keys = keys.flat_map(|location| serving(&self.compiled.policy, location));
        let places = keys.filter_map(|key| self.places.get(key).copied());
        let places: BTreeSet<usize> = places.collect();
        let clusters = places.into_iter();
        clusters.filter_map(|at| self.clusters.get(at)).collect()
    }

    fn locations_of(&self, host: &str) -> impl Iterator<Item = &'c Location> {
        let default = host.starts_with('*').then_some("");
        let names = default.into_iter().chain([host]);
        let hosts = names.filter_map(|name| self.compiled.virtual_host(name));
        hosts.flat_map(|host| host.locations.iter().map(AsRef::as_ref))
    }

    /// The ways by which requests for that host go to each of the clusters, but for that of all.
    #[must_use]
    pub(super) fn ways_of(&self, host: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        self.ways_by(self.locations_of(host))
    }

    fn ways_by(
        &self,
        locations: impl Iterator<Item = &'c Location>,
    ) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for location in locations {
            if let Some(way) = self.ways.of.get(&location.ingress) {
                for key in serving(&self.compiled.policy, location) {
                    all.entry(key).or_default().insert(way);
                }
            }
        }
        all
    }

    /// The ways by which requests for any host go to each of the clusters, but for that of all.
    #[must_use]
    pub(super) fn ways_of_all(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let hosts = self.compiled.policy.virtual_hosts();
        self.ways_by(hosts.flat_map(|host| host.locations.iter().map(AsRef::as_ref)))
    }

    /// The Service that gets copies of what goes by `way`.
    #[must_use]
    pub(super) fn copied_to(&self, way: &Way) -> Option<ServicePort> {
        way.copied_to(self.compiled.manifests)
    }

    /// How many seconds a connection to one of its pods may take to come about.
    #[must_use]
    pub(super) fn connect_timeout(&self, cluster: &Cluster) -> u64 {
        CONNECT.of(self.compiled, cluster, &mut Vec::new())
    }

    /// The same for all clusters of which no Ingress says it.
    #[must_use]
    pub(super) fn connect_timeout_of_all(&self) -> u64 {
        CONNECT.of_all(self.compiled.manifests).max(1)
    }

    /// The Ingresses, `namespace/name`, whose copies nobody can get here.
    #[must_use]
    pub(crate) fn without_copies(&self) -> &BTreeSet<String> {
        &self.ways.without_copies
    }

    /// The clusters of those who get copies.
    #[must_use]
    pub(super) fn mirrors(&self) -> Vec<Value> {
        self.ways.mirrors(self.compiled.manifests)
    }

    /// Whether the pods of a Service port may see another Host than the client sent.
    #[must_use]
    pub fn changes_host(&self, service_port: &ServicePort) -> bool {
        self.with_other_host.contains(&service_port.key())
    }

    /// The headers that no client may send, for its listener to drop.
    pub fn dropped_headers(&self) -> impl Iterator<Item = &'static str> {
        let host = (!self.with_other_host.is_empty()).then_some(HOST_HEADER);
        let way = (!self.ways.own.is_empty()).then_some(POLICY_HEADER);
        DROPPED_HEADERS.into_iter().chain(host).chain(way)
    }

    /// The headers that lead a request to its pod, for a route to drop.
    pub(super) fn leading_headers(&self) -> Vec<&'static str> {
        let way = (!self.ways.own.is_empty()).then_some(POLICY_HEADER);
        INTERNAL_HEADERS.into_iter().chain(way).collect()
    }

    /// Those that are asked about requests, and serve none.
    #[must_use]
    pub fn authorizers(&self) -> &'c [Cluster] {
        &self.compiled.authorizers
    }

    /// Those of them that are Services of this cluster whose port is known as a number.
    pub fn asked_services(&self) -> impl Iterator<Item = (&'c Cluster, u16)> {
        let all = self.authorizers().iter();
        let services = all.filter(|one| {
            !one.service_port.namespace.is_empty() && one.leads_to_its_proxy().is_none()
        });
        services.filter_map(|cluster| Some((cluster, cluster.number?)))
    }

    /// The plugin configuration; `names`: what each Service port is called, and each origin of an
    /// authorizer.
    #[must_use]
    pub(super) fn plugin_config(
        &self,
        names: &BTreeMap<String, String>,
        authorizers: BTreeMap<String, String>,
        unmatched: Unmatched,
    ) -> Value {
        let options = Options {
            unmatched,
            ..Options::default()
        };
        let mut config = plugin_config(self.compiled, options);
        named_secrets::hide(&mut config, &self.secret_variables());
        unread::left_out(&mut config, &self.compiled.config.annotations_prefix);
        if let Some(object) = config.as_object_mut() {
            object.insert("clusters".to_owned(), json!(names));
            if let Some(told) = &self.compiled.config.authorizers {
                let mut told = told.clone();
                let rendered = self.authorizers().iter();
                let rendered = rendered.filter_map(|one| one.authorizer.as_deref());
                rendered.for_each(|origin| drop(told.remove(origin)));
                told.extend(authorizers);
                object.insert("authorizers".to_owned(), json!(told));
            }
            if !self.with_other_host.is_empty() {
                let headers = object.entry("headers").or_insert_with(|| json!({}));
                if let Some(headers) = headers.as_object_mut() {
                    headers.insert("host".to_owned(), json!(HOST_HEADER));
                }
            }
            if !self.ways.of.is_empty() {
                object.insert("policies".to_owned(), json!(self.ways.of));
            }
        }
        config
    }
}

fn places(clusters: &[(&Cluster, u16)]) -> HashMap<String, usize> {
    let places = clusters.iter().enumerate();
    places
        .map(|(at, (cluster, _))| (cluster.service_port.key(), at))
        .collect()
}

/// Whether clients are asked for certificates at all.
fn asks_for_certificates(compiled: &Compiled<'_>) -> bool {
    let mut hosts = compiled.policy.virtual_hosts();
    compiled.clients != Clients::Unasked && hosts.any(|host| host.client_certificate().is_some())
}

/// `upstream-vhost` is of the location, and so of all that may serve it.
fn with_other_host(policy: &Policy) -> BTreeSet<String> {
    let hosts = policy.virtual_hosts();
    let locations = hosts.flat_map(|host| host.locations.iter());
    locations
        .filter(|location| location.changes_host())
        .flat_map(|location| serving(policy, location))
        .map(str::to_owned)
        .collect()
}

/// The keys of the clusters that may serve a location: its own, its canaries, its fallback.
fn serving<'p>(policy: &'p Policy, location: &'p Location) -> impl Iterator<Item = &'p str> {
    let own = match location.backend {
        Backend::Cluster(id) => policy.cluster(id),
        Backend::Nobody | Backend::Missing => None,
    };
    let canaries = own.into_iter().flat_map(|cluster| &cluster.alternatives);
    let others = canaries.chain(&location.fallback);
    let others = others.filter_map(|id| policy.cluster(*id));
    own.into_iter()
        .chain(others)
        .map(|one| one.service.as_str())
}

fn hosts(compiled: &Compiled<'_>) -> Vec<String> {
    let mut all = Vec::new();
    let mut known = HashSet::new();
    let mut add = |host: &str| {
        if known.insert(host.to_owned()) {
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
            add(&host.name.to_ascii_lowercase());
        }
    }
    all
}
