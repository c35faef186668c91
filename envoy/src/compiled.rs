//! The manifests as the module understands them: read, accepted and compiled by the core itself.

pub(crate) mod answered;
mod index;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ptr;

use index::Index;
use limpet::cluster;
use limpet::config::{self, Config, ConfigError};
use limpet::policy::{self, Policy};
use limpet::remark::{Effect, Remark};
use limpet::route::VirtualHost;
use serde_json::{Map, Value, json};

use crate::authorities::{self, Authorities};
use crate::certificates::repeated::Repeated;
use crate::clusters::{self, Cluster, EndpointsFlag, Protocol, ServicePort};
use crate::forwarding::Forwarding;
use crate::key_pair::Authority;
use crate::manifests::{Crowded, Manifests, Object, Room, is_fit};
use crate::named_secrets;
use crate::names;
use crate::pods::Pods;
use crate::taken::{self, TakenIngress};
use crate::upstream_tls;
use crate::uses;
use crate::values;

/// The flags that bear on what manifests mean.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--strict`: annotations are validated as ingress-nginx 1.15 does by default.
    pub strict: bool,
    /// `--endpoints`.
    pub endpoints: Vec<EndpointsFlag>,
    /// What `render envoy` alone writes is written: clients are asked for certificates, and pods
    /// spoken to by `proxy-ssl-*`.
    pub on_envoy: bool,
    /// How clients are asked for certificates elsewhere.
    pub clients: Clients,
    /// What of `proxy-ssl-*` is said to pods elsewhere.
    pub pods: Pods,
    /// How many environment variables the module may have; `None`: any number.
    pub variables: Option<usize>,
}

/// How listeners ask clients for certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clients {
    /// Not at all.
    #[default]
    Unasked,
    /// Any comes in, and it is told who signed it.
    Any,
    /// One that is bad ends the handshake.
    Verified,
}

impl Flags {
    /// How clients are asked for certificates.
    fn clients(&self) -> Clients {
        if self.on_envoy {
            Clients::Any
        } else {
            self.clients
        }
    }

    /// What of `proxy-ssl-*` is said to pods.
    fn pods(&self) -> Pods {
        if self.on_envoy {
            Pods::OnEnvoy
        } else {
            self.pods
        }
    }
}

/// What the core makes of some manifests.
#[derive(Debug)]
pub struct Compiled<'m> {
    /// The manifests themselves.
    pub manifests: &'m Manifests,
    /// The Ingresses that the module takes, in its order: no other has any effect.
    pub ingresses: Vec<TakenIngress<'m>>,
    /// The clusters that they name.
    pub clusters: Vec<Cluster>,
    /// Those that are asked about requests, and serve none.
    pub authorizers: Vec<Cluster>,
    /// Who signs certificates of clients, by `namespace/name` of the Secret.
    pub authorities: BTreeMap<String, Authority>,
    /// Why other Secrets, that were to, let nobody in.
    pub(crate) no_authorities: BTreeMap<String, String>,
    /// The same for the operator: the module remarks on it too.
    of_authorities: Vec<String>,
    /// The Ingresses, `namespace/name`, that answer 503: nobody knows their users.
    pub(crate) without_users: BTreeSet<String>,
    /// The Ingresses, `namespace/name`, that speak to pods of some cluster in another way than it does, and
    /// in which.
    pub(crate) otherwise: BTreeMap<String, Protocol>,
    /// How TLS is spoken to pods where Ingresses say it.
    pub(crate) upstream_tls: upstream_tls::Found,
    /// How clients are asked for certificates.
    pub(crate) clients: Clients,
    /// What ingress-nginx's ConfigMap says about forwarding headers.
    pub forwarding: Forwarding,
    /// The plugin configuration as far as the manifests say it: the Ingresses that the module takes,
    /// unmodified, and what it has to know of the cluster.
    pub said: Map<String, Value>,
    /// The same, read.
    pub config: Config,
    /// What it means.
    pub policy: Policy,
    /// What the module remarks on.
    pub remarks: Vec<Remark>,
    /// What else the operator should know.
    pub notes: Vec<String>,
    index: Index,
}

impl<'m> Compiled<'m> {
    /// Compiles manifests.
    ///
    /// # Errors
    /// When a key that was given in `--config` has no usable shape.
    pub fn new(manifests: &'m Manifests, flags: &Flags) -> Result<Self, ConfigError> {
        let mut said = said_by(manifests, flags.strict);
        let text = Value::Object(said.clone()).to_string();
        let (mut config, mut remarks) = config::read(text.as_bytes())?;
        let ingresses = taken::ingresses(manifests, &config);
        let taken: HashSet<*const Object> = ingresses
            .iter()
            .map(|one| ptr::from_ref(one.object))
            .collect();
        let is_taken = |object: &&Object| taken.contains(&ptr::from_ref(*object));
        let objects = manifests.ingresses.iter().filter(is_taken);
        said.insert("ingresses".to_owned(), values(objects));
        let default =
            clusters::default_backend(manifests, &flags.endpoints, &config.default_backend);
        if let Some(default) = &default {
            config.default_backend = default.key();
            said.insert("default_backend".to_owned(), json!(default.key()));
        }
        let (mut clusters, more) =
            clusters::clusters(manifests, &ingresses, &flags.endpoints, default.as_ref());
        // Which other Services exist is nobody's business there.
        if let Some(services) = said.get_mut("services") {
            let named = clusters.iter().map(|one| one.service_port.service_id());
            let named: HashSet<String> = named.collect();
            let is_named = |service: &&Object| named.contains(&service.id());
            *services = values(manifests.services.iter().filter(is_named));
        }
        let notes = manifests.ingresses.iter().filter_map(nameless);
        let notes = notes.chain(left_out_whole(manifests));
        let mut notes: Vec<String> = notes.chain(more).collect();
        let keys = config.variables().collect::<BTreeSet<_>>().len();
        let room = flags.variables.map(|most| most.saturating_sub(keys));
        let secrets = named_secrets::Found::all(manifests, &ingresses, room);
        notes.extend(secrets.notes);
        if !secrets.told.is_empty() {
            let text = json!({ "secrets": &secrets.told }).to_string();
            config.secrets = config::read(text.as_bytes())?.0.secrets;
            said.insert("secrets".to_owned(), secrets.told.into());
        }
        let without_users = secrets.closed;
        if !without_users.is_empty() {
            config.close.extend(without_users.iter().cloned());
            said.insert("close".to_owned(), json!(config.close));
        }
        let mut repeated = Repeated::default();
        let mut authorities = Authorities::default();
        if flags.clients() != Clients::Unasked
            && let Some(all) = authorities::authorities(manifests, &ingresses, &mut repeated)
        {
            let told = authorities::told(&all.usable);
            said.insert("client_certificates".to_owned(), json!(told));
            config.client_certificates = Some(told);
            authorities = all;
        }
        config.clusters = clusters::told(&clusters).collect();
        let (authorizers, more) =
            clusters::authorizers(manifests, &ingresses, &flags.endpoints, &config);
        notes.extend(more);
        let named = clusters.iter().chain(&authorizers);
        notes.extend(clusters::unused(manifests, &flags.endpoints, named));
        if clusters::asks(manifests, &ingresses) {
            let told = config.authorizers.get_or_insert_default();
            told.extend(authorizers.iter().filter_map(|cluster| {
                let origin = cluster.authorizer.clone()?;
                Some((origin, cluster.name()))
            }));
        }
        let (mut policy, mut more) = policy::compile(&config);
        let used = uses::used(&ingresses, &policy);
        let otherwise = clusters::speak(&mut clusters, &ingresses, &used);
        let mut upstream_tls = upstream_tls::Found::default();
        if flags.pods() != Pods::Unsaid {
            let named = [&*clusters, &*authorizers];
            let pods = flags.pods();
            upstream_tls = upstream_tls::Found::all(
                manifests,
                &ingresses,
                named,
                &policy,
                &used,
                pods,
                &mut repeated,
            );
            if !upstream_tls.closed.is_empty() {
                config.close.extend(upstream_tls.closed.iter().cloned());
                said.insert("close".to_owned(), json!(config.close));
                (policy, more) = policy::compile(&config);
            }
        }
        remarks.extend(more);
        remarks.extend(values::settings(manifests));
        let own = ingresses.iter();
        remarks.extend(own.flat_map(|ingress| values::annotations(manifests, ingress)));
        Ok(Self {
            index: Index::new(&ingresses, &clusters, &policy),
            manifests,
            ingresses,
            clusters,
            authorizers,
            authorities: authorities.usable,
            no_authorities: authorities.unusable,
            of_authorities: authorities.notes,
            without_users,
            otherwise,
            upstream_tls,
            clients: flags.clients(),
            forwarding: Forwarding::read(manifests.settings()),
            said,
            config,
            policy,
            remarks,
            notes,
        })
    }

    /// What the operator should know: of the manifests as they were read, and of what they mean.
    pub fn all_notes(&self) -> impl Iterator<Item = String> {
        let own = self.notes.iter().chain(&self.upstream_tls.notes);
        let own = own.chain(&self.of_authorities);
        self.manifests.all_notes().chain(own.cloned())
    }

    /// What the operator should know of those who sign certificates of clients.
    pub(crate) fn notes_of_authorities(&self) -> impl Iterator<Item = String> {
        self.of_authorities.iter().cloned()
    }

    /// Why the module takes some Ingresses not at all.
    pub fn ignored(&self) -> impl Iterator<Item = &Remark> {
        let remarks = self.remarks.iter();
        remarks.filter(|remark| remark.effect == Effect::Ingress)
    }

    /// Whether who stands in front is believed about TLS, and so ends it.
    #[must_use]
    pub(crate) fn ends_tls_in_front(&self) -> bool {
        self.forwarding.trusted || self.config.trust_forwarded_proto
    }

    /// The virtual host of a rule's host, which may be empty.
    #[must_use]
    pub fn virtual_host(&self, host: &str) -> Option<&VirtualHost> {
        self.policy.virtual_hosts().nth(self.index.host(host)?)
    }

    /// What the module makes of a Service port.
    #[must_use]
    pub fn cluster(&self, service_port: &ServicePort) -> Option<&cluster::Cluster> {
        let at = self.index.compiled_cluster(&service_port.key())?;
        self.policy.clusters.get(at)
    }

    /// The Ingress `namespace/name`, if the module takes it.
    #[must_use]
    pub fn ingress(&self, id: &str) -> Option<&TakenIngress<'m>> {
        self.ingresses.get(self.index.ingress(id)?)
    }

    /// The first Ingress that is no canary and has an alias, if it comes before the Ingress `namespace/name`.
    #[must_use]
    pub fn before_with_alias(&self, id: &str, alias: &str) -> Option<&TakenIngress<'m>> {
        let first = self.index.alias(alias)?;
        let is_before = self.index.ingress(id).is_none_or(|at| first < at);
        self.ingresses.get(first).filter(|_| is_before)
    }

    /// The cluster of a Service port, by its key.
    #[must_use]
    pub fn cluster_of(&self, key: &str) -> Option<&Cluster> {
        self.clusters.get(self.index.cluster(key)?)
    }

    /// The clusters that the Ingress `namespace/name` names.
    pub fn named_by(&self, id: &str) -> impl Iterator<Item = &Cluster> {
        let named = self.index.named_by(id).iter();
        named.filter_map(|at| self.clusters.get(*at))
    }
}

/// What the manifests say of the plugin configuration. Keys that would say the default are left
/// out.
fn said_by(manifests: &Manifests, strict: bool) -> Map<String, Value> {
    let mut said = Map::new();
    let fit = manifests.ingresses.iter().filter(|object| is_fit(object));
    said.insert("ingresses".to_owned(), values(fit));
    if let Some(classes) = manifests.classes() {
        said.insert("ingress_classes".to_owned(), json!(classes));
    }
    if let Some(prefix) = &manifests.selection.annotations_prefix {
        said.insert("annotations_prefix".to_owned(), json!(prefix));
    }
    if let Some(data) = manifests.settings() {
        said.insert("config_map".to_owned(), data.clone());
    }
    let maps = config_maps(manifests);
    if !maps.is_empty() {
        said.insert("config_maps".to_owned(), maps.into());
    }
    if !manifests.services.is_empty() {
        said.insert("services".to_owned(), values(manifests.services.iter()));
    }
    if strict {
        said.insert("strict".to_owned(), json!(true));
    }
    said.extend(manifests.given.clone());
    said
}

fn values<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Value {
    let objects = objects.into_iter();
    objects.map(|object| object.value.clone()).collect()
}

/// The ConfigMaps that annotations and settings name, as far as they are given.
fn config_maps(manifests: &Manifests) -> Map<String, Value> {
    let settings = manifests.settings();
    let mut names: HashSet<String> = HEADER_MAPS
        .iter()
        .filter_map(|key| Some(settings?.get(key)?.as_str()?.to_owned()))
        .collect();
    let fit = manifests.ingresses.iter().filter(|object| is_fit(object));
    names.extend(fit.flat_map(named_maps));
    let maps = manifests.config_maps.iter();
    let named = maps.filter(|map| names.contains(&map.id()));
    let data = |map: &Object| map.value.get("data").cloned().unwrap_or_else(|| json!({}));
    named.map(|map| (map.id(), data(map))).collect()
}

/// The keys of ingress-nginx's ConfigMap that name one with headers.
pub(crate) const HEADER_MAPS: [&str; 2] = ["add-headers", "proxy-set-headers"];

/// The annotations that name one.
const NAMING_MAPS: [&str; 2] = ["custom-headers", "auth-proxy-set-headers"];

/// Those that an Ingress names, `namespace/name`.
pub(crate) fn named_maps(ingress: &Object) -> impl Iterator<Item = String> {
    let annotations = ingress.value.pointer("/metadata/annotations");
    NAMING_MAPS.iter().filter_map(move |name| {
        let name = [&ingress.prefix, "/", name].concat();
        Some(annotations?.get(&name)?.as_str()?.trim().to_owned())
    })
}

/// The Ingresses that are left out whole, one line each.
pub(crate) fn left_out_whole(manifests: &Manifests) -> impl Iterator<Item = String> {
    let all = manifests.ingresses.iter();
    let unfit = all.clone();
    let unfit = unfit.filter_map(|object| Some(names::unfit(object)?.note(object)));
    unfit.chain(all.filter_map(without_room))
}

/// That an Ingress is left out because others need the room.
fn without_room(object: &Object) -> Option<String> {
    let why = no_room(object)?;
    let (place, id) = (object.place(), object.id());
    Some(format!("{place}: ingress {id} {why}"))
}

/// Why an Ingress is left out, and what ends it; `None`: it has room.
pub(crate) fn no_room(object: &Object) -> Option<String> {
    let paths = match object.room {
        Room::All => return None,
        Room::Nothing => "",
        Room::Paths => KEEPS_PATHS,
        Room::NotItsPaths => KEEPS_NOTHING,
    };
    let lacking = match object.crowded {
        Crowded::All => NO_ROOM,
        Crowded::Host => NO_ROOM_ON_ITS_HOST,
        Crowded::Pods => NO_ROOM_FOR_PODS,
    };
    Some([lacking, paths].concat())
}

pub(crate) const NO_ROOM: &str = "has no room in the one object of all tenants, of which Kubernetes keeps 1.5 MiB: it is left \
     out. Of the namespace that takes most room the youngest go first; render a part of the Ingresses for a \
     gateway of its own";

const NO_ROOM_ON_ITS_HOST: &str = "has no room in the VirtualService of its host, of which Kubernetes keeps 1.5 MiB: it is left \
     out. Each Service port on the host is a route there, once for each way to it (time-outs, retries, copies): give \
     some of its paths another host, or fewer Services; of several Ingresses the youngest of the namespace that \
     takes most room goes first";

const NO_ROOM_FOR_PODS: &str = "has no room in what the pods of its namespace are told by proxy-ssl-secret, which is its \
     ca.crt once for each Service: it is left out, so that it stays below the 1.5 MiB that Kubernetes keeps. Put fewer \
     certificates into ca.crt; the youngest go first";

/// What becomes of the paths of such a one, where others have its hosts and it protected them.
const KEEPS_PATHS: &str =
    ". Others have its hosts: there its paths answer 503, for it protected them";

/// The same, where not even they have room.
const KEEPS_NOTHING: &str = ". Others have its hosts, and not even the paths that it protected have room: the other \
     Ingresses of its namespace answer 503 there, those of other namespaces answer its requests as their own";

/// That an Ingress without a name, which no API server takes, is not served.
fn nameless(object: &Object) -> Option<String> {
    object.name().is_empty().then(|| {
        let place = object.place_of("/metadata");
        format!("{place}: an Ingress without metadata.name is not served")
    })
}
