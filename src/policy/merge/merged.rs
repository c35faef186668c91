//! What is merged, in ingress-nginx's own terms.

use crate::annotations::{AffinityAnnotations, Annotations, CanaryAnnotations};
use crate::client_certificate::ClientCertificate;
use crate::cluster;
use crate::ingress::{Backend, Ingress};
use crate::route::host::DEFAULT_SERVER;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where requests go that nobody serves.
pub(in crate::policy) const DEFAULT_UPSTREAM: &str = "upstream-default-backend";

/// An Ingress that was accepted.
#[derive(Debug)]
pub struct Loaded {
    /// As written.
    pub ingress: Ingress,
    /// What its annotations say.
    pub annotations: Annotations,
    /// `close` names it.
    pub closed: bool,
}

/// `ingress.Server`.
#[derive(Debug, Default)]
pub(in crate::policy) struct Server {
    /// All servers of an Ingress share them.
    pub aliases: Arc<[String]>,
    /// The place of the Ingress that gives them.
    pub aliases_of: Option<usize>,
    pub locations: Vec<Draft>,
    pub tls: bool,
    pub from_to_www: bool,
    /// What it asks of its clients' certificates.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// The names of its certificate: the hosts of the `tls` entry that lists its own.
    pub certificate: Vec<String>,
}

/// `ingress.Location`, before it is compiled.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Draft {
    /// The path, normalised: what nginx is told.
    pub path: String,
    /// The path as written; empty: the root.
    pub written: String,
    pub exact: bool,
    /// Nobody named it: the root that every server has.
    pub implicit: bool,
    /// The upstream's key.
    pub upstream: String,
    /// The place of its Ingress; `None`: the default server's own root.
    pub ingress: Option<usize>,
    /// Redirects and rewrites of the Ingress do not apply (the catch-all default backend).
    pub plain: bool,
    /// The upstream of `default-backend`, for when its own has no endpoint.
    pub fallback: Option<String>,
    /// The same upstream, for the pages of `custom-http-errors`.
    pub pages: Option<String>,
}

impl Draft {
    /// What nginx takes once.
    pub(in crate::policy) fn place(&self) -> (&str, bool) {
        (&self.path, self.exact)
    }
}

/// `ingress.Backend`.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Upstream {
    pub namespace: String,
    pub service: String,
    pub port: String,
    /// Its Service and port exist, as far as is known.
    pub exists: bool,
    /// It is a canary: no location is made for it.
    pub no_server: bool,
    pub canary: Option<CanaryAnnotations>,
    pub hash_by: String,
    pub hash_subset: Option<i64>,
    pub session: Session,
    pub alternatives: Vec<String>,
    /// Some location has another upstream for when this one has no endpoint.
    pub has_fallback: bool,
    /// Some location shows its pages.
    pub has_pages: bool,
}

/// `SessionAffinityConfig`.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Session {
    /// `affinity` of the first Ingress that says one.
    pub kind: String,
    /// `affinity-mode` and `session-cookie-hash` of the first Ingresses that say one.
    pub first: AffinityAnnotations,
    /// The attributes of the last Ingress with `affinity: cookie`.
    pub last: AffinityAnnotations,
    /// Host to the paths that may set the cookie.
    pub locations: BTreeMap<String, BTreeSet<String>>,
    /// The same for all aliases of a server, by its name.
    pub alias_locations: BTreeMap<String, BTreeSet<String>>,
    /// Every Ingress that names the Service, with its annotations where it has affinity.
    pub said: Vec<(String, Option<AffinityAnnotations>)>,
}

/// The servers and the upstreams of all Ingresses.
pub(in crate::policy) struct Merged {
    pub servers: BTreeMap<String, Server>,
    pub upstreams: BTreeMap<String, Upstream>,
}

/// `rule.host`, `_` for none.
pub(in crate::policy) fn host_of(host: &str) -> &str {
    if host.is_empty() {
        DEFAULT_SERVER
    } else {
        host
    }
}

/// What an upstream is known by.
pub(super) fn key(namespace: &str, backend: &Backend) -> String {
    cluster::key(namespace, &backend.service, &backend.port)
}

impl Upstream {
    /// `upstreamName`, `internal/ingress/controller/util.go`.
    pub(in crate::policy) fn name(&self) -> String {
        if self.service.is_empty() {
            return DEFAULT_UPSTREAM.to_owned();
        }
        if self.port.is_empty() {
            return format!("{}-INVALID", self.namespace);
        }
        format!("{}-{}-{}", self.namespace, self.service, self.port)
    }
}
