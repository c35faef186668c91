//! The plugin configuration: what it says (stage 1). What it means is [`crate::policy`].

pub mod environment;
mod read;
mod secrets;
mod services;
pub mod settings;

use crate::authentication::Users;
use crate::protection::Protection;
pub use read::read;
use serde_json::Value;
pub use services::service_port;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// One plugin configuration, as written, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ingresses`: `networking.k8s.io/v1` objects in the order given; a `List` is unfolded.
    pub ingresses: Vec<Value>,
    /// `ingress_classes`: whose Ingresses are taken; `nginx` alone if absent. In a cluster: the
    /// IngressClasses whose controller is `k8s.io/ingress-nginx`. Those without a class are taken
    /// unless `strict`, and then too where the list has an empty name.
    pub ingress_classes: Vec<String>,
    /// `annotations_prefix`: what stands before the `/` of ingress-nginx's annotations,
    /// [`DEFAULT_PREFIX`](crate::ingress::DEFAULT_PREFIX) if absent.
    pub annotations_prefix: String,
    /// `config_map`: the `data` of ingress-nginx's own ConfigMap.
    pub config_map: BTreeMap<String, String>,
    /// `config_maps`: the `data` of the ConfigMaps that annotations and settings name, by
    /// `namespace/name`.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// `services`: which exist. `None`: not known, so every Service exists.
    pub services: Option<Vec<Service>>,
    /// `clusters`: `namespace/service:port` to Envoy's name for it.
    pub clusters: BTreeMap<String, String>,
    /// `endpoints`: `namespace/service:port` to `ip:port`s that are used instead of discovery.
    pub endpoints: BTreeMap<String, Vec<String>>,
    /// `discovery`.
    pub discovery: Discovery,
    /// `headers`.
    pub headers: HeaderNames,
    /// `unmatched`.
    pub unmatched: Unmatched,
    /// `strict`: annotations are validated as ingress-nginx 1.15 does by default.
    pub strict: bool,
    /// `path_decoding`.
    pub path_decoding: PathDecoding,
    /// `trust_forwarded_proto`: X-Forwarded-Proto decides what is https. Also set by
    /// ingress-nginx's own `use-forwarded-headers`.
    pub trust_forwarded_proto: bool,
    /// `forwarded_host`: with ingress-nginx's `use-forwarded-headers` pods see the first of
    /// X-Forwarded-Host as their Host. Only where no virtual host is chosen by it.
    pub forwarded_host: bool,
    /// `cookie_keys`: of the secrets of keyed cookies the first one writes, all read. `None`:
    /// cookies are not keyed; empty: they are to be, and no key can be used.
    pub cookie_keys: Option<Vec<Secret>>,
    /// `cookie_keys_only`: of keyed cookies no other format is read.
    pub cookie_keys_only: bool,
    /// `cookie_format`; `None`: as the annotations say.
    pub cookie_format: Option<CookieFormat>,
    /// `authorizers`: who may be asked by `auth-url`, `scheme://host:port` to Envoy's name for it;
    /// `None`: nobody is, and somebody else does it.
    pub authorizers: Option<BTreeMap<String, String>>,
    /// `default_backend`: the controller's `--default-backend-service`, `namespace/service:port`;
    /// empty: it has none.
    pub default_backend: String,
    /// `error_pages`: `namespace/service:port` to Envoy's name of the cluster that is asked for its
    /// error pages; those that are not here are asked by that of `clusters`.
    pub error_pages: BTreeMap<String, String>,
    /// `client_certificates`: by whom the listener checks clients' certificates, for `auth-tls-secret`:
    /// the Secret, `namespace/name`, and which of its keys it does that by, `ca.crt` or
    /// `ca.crt ca.crl`. `None`: it asks for none, and somebody else does it.
    pub client_certificates: Option<BTreeMap<String, String>>,
    /// `client_listeners`: the listeners that take no certificate but one that an authority signed, by
    /// Envoy's name of the filter chain to the authority's Secret. `None`: the name of the first route says
    /// who signed a certificate.
    pub client_listeners: Option<BTreeMap<String, String>>,
    /// `policies`: what the header `policy` carries where a location of an Ingress, `namespace/name`,
    /// answers; those that are not here carry none.
    pub policies: BTreeMap<String, String>,
    /// `secrets`: those of Kubernetes that annotations name.
    pub secrets: Vec<Entries>,
    /// `report`.
    pub report: Report,
    /// `close`: the Ingresses, `namespace/name`, and the hosts, `_` those of no name, whose locations answer 503; `*` is
    /// all of them.
    pub close: Vec<String>,
    /// `strip_headers`: what is removed from requests before a pod sees them.
    pub strip_headers: Vec<StripHeader>,
    /// `protect`: path prefixes by which rules beside limpet decide.
    pub protect: Protection,
}

/// A Secret of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    /// `namespace/name`.
    pub name: String,
    /// Its keys and what stands there.
    pub data: Vec<(String, Secret)>,
    /// Who is in it as a file, and as a map of names: read once for all who ask. `None`: it is no such one.
    pub(crate) users: [OnceLock<Option<Arc<Users>>>; 2],
}

/// One of `strip_headers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripHeader {
    /// The Ingress, `namespace/name`, whose locations it is for; `None`: all.
    pub ingress: Option<String>,
    /// In lower case, with `-` for every `_`: pods that speak CGI tell them apart no more.
    pub name: String,
    /// It is the beginning of names: a `*` stood behind it.
    pub is_prefix: bool,
}

impl StripHeader {
    /// So many may be given: each header of a request is compared with each.
    pub(crate) const MOST: usize = 5_000;

    /// Reads `x-user`, `ssl-client-*` or `namespace/ingress/x-user`. `None`: it is none.
    pub(crate) fn of(written: &str) -> Option<Self> {
        let (ingress, given) = match written.rsplit_once('/') {
            Some((ingress, given)) => (Some(ingress.to_owned()), given),
            None => (None, written),
        };
        let name = given.strip_suffix('*').unwrap_or(given);
        let is_name = !name.is_empty() && name.bytes().all(is_of_header_name);
        is_name.then(|| Self {
            ingress,
            name: name.to_ascii_lowercase().replace('_', "-"),
            is_prefix: name.len() < given.len(),
        })
    }

    /// Whether a header of that name, in lower case, is meant where a location of `ingress` serves.
    #[must_use]
    pub fn is(&self, ingress: &str, name: &[u8]) -> bool {
        if self.ingress.as_ref().is_some_and(|own| own != ingress) {
            return false;
        }
        let own = self.name.as_bytes();
        let same = |(own, byte): (&u8, &u8)| own == byte || (*own == b'-' && *byte == b'_');
        let long_enough = if self.is_prefix {
            name.len() >= own.len()
        } else {
            name.len() == own.len()
        };
        long_enough && own.iter().zip(name).all(same)
    }
}

fn is_of_header_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// One Service of `services`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `namespace/name`.
    pub name: String,
    /// Its ports; `None`: not known, so every port exists.
    pub ports: Option<Vec<ServicePort>>,
}

/// One port of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name, empty where it has none.
    pub name: String,
    /// The Service's own port.
    pub port: u16,
    /// `targetPort` as written, empty where absent: ingress-nginx accepts it in an Ingress too.
    pub target: String,
}

impl ServicePort {
    /// Whether an Ingress that names `port` means it. Of several ingress-nginx takes the first.
    ///
    /// Source: `serviceEndpoints`, `internal/ingress/controller/controller.go`, ingress-nginx
    /// dbb11b92d.
    #[must_use]
    pub fn is_meant_by(&self, port: &str) -> bool {
        self.port.to_string() == port || self.target == port || self.name == port
    }

    /// The pods' port; `None`: it is a name, and each pod says which number that is.
    #[must_use]
    pub fn target_number(&self) -> Option<u16> {
        if self.target.is_empty() {
            Some(self.port)
        } else {
            self.target.parse().ok()
        }
    }
}

impl fmt::Display for ServicePort {
    /// `80 (http, targetPort 3000)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = Some(&self.target).filter(|target| !target.is_empty());
        let target = target.map(|target| ["targetPort ", target].concat());
        let name = Some(self.name.clone()).filter(|name| !name.is_empty());
        let rest: Vec<String> = name.into_iter().chain(target).collect();
        write!(f, "{}", self.port)?;
        if rest.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", rest.join(", "))
    }
}

/// `discovery`: where the endpoints come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// `cluster`: Envoy's cluster toward its own admin port, `prometheus_stats` if absent.
    pub cluster: String,
    /// `interval_ms`: between two polls, 1000 if absent.
    pub interval_ms: u64,
    /// `hold_ms`: how long a request with a cookie waits for the first table, 1000 if absent.
    pub hold_ms: u64,
}

/// `headers`: the names of limpet's own request headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderNames {
    /// `cluster`: carries Envoy's cluster name, `x-limpet-cluster` if absent.
    pub cluster: String,
    /// `endpoint`: carries the base64 of `ip:port`, `x-limpet-endpoint` if absent.
    pub endpoint: String,
    /// `policy`: carries the name of the route that its Ingress asks for, `x-limpet-policy` if absent.
    pub policy: String,
    /// `host`: carries the Host that the pod is to see, for a route that rewrites the host from it.
    /// If absent limpet sets the Host itself where it owns the listener.
    pub host: Option<String>,
    /// `peer`: carries the address that the connection came from, which the listener writes over
    /// whatever a client sent; beside it X-Original-Forwarded-For carries `forwarded-for-header` as
    /// it came. If absent the host's own `source.address` is the peer.
    pub peer: Option<String>,
    /// `proxied`: carries the address that the PROXY protocol says, where `use-proxy-protocol`; the
    /// listener writes it as it does `peer`.
    pub proxied: Option<String>,
}

/// `unmatched`: what becomes of hosts and paths that no Ingress names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// `pass`: they go on untouched.
    #[default]
    Pass,
    /// `not_found`: limpet owns the listener and answers 404.
    NotFound,
}

/// `path_decoding`: what paths are matched against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathDecoding {
    /// `nginx`: decoded once, dot segments resolved, slashes merged.
    #[default]
    Nginx,
    /// `raw`: the path as it came, query and fragment cut.
    Raw,
}

/// A cookie key of fewer bytes is refused: whoever has one cookie can try keys at home.
pub const SHORTEST_KEY: usize = 16;

/// What nobody is to read.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret itself; a cookie key has at least [`SHORTEST_KEY`] bytes.
    Value(Vec<u8>),
    /// The environment variable of the VM that holds it: see [`environment`].
    Variable(String),
}

impl fmt::Debug for Secret {
    /// Says nothing of a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value"),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
        }
    }
}

/// `cookie_format`: overrides what the annotations say about the value of new cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieFormat {
    /// `key`: ingress-nginx's `<key>|<backend key>`.
    Key,
}

/// `report`: how much of each decision is told in the property `limpet_decision`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Report {
    /// `off`: nothing.
    #[default]
    Off,
    /// `summary`: what was decided.
    Summary,
    /// `why`: with reasons.
    Why,
}

/// The bytes are not a configuration: Envoy is to refuse them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
