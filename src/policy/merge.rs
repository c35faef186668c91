//! The Ingresses of a configuration, merged into servers and upstreams in ingress-nginx's
//! own order and with its own names.
//!
//! Source: `getBackendServers`, `createUpstreams`, `createServers` and
//! `mergeAlternativeBackends` in `internal/ingress/controller/controller.go`,
//! ingress-nginx dbb11b92d.

mod canaries;
mod fallbacks;
mod locations;
pub(super) use locations::is_regex;
mod upstreams;

use crate::annotations::{AffinityAnnotations, Annotations, CanaryAnnotations};
use crate::config::Config;
use crate::ingress::Ingress;
use crate::remark::Remark;
use crate::route::host::DEFAULT_SERVER;
use std::collections::{BTreeMap, BTreeSet};

/// Where requests go that nobody serves.
pub(super) const DEFAULT_UPSTREAM: &str = "upstream-default-backend";

/// An Ingress that was accepted.
pub(super) struct Loaded {
    pub ingress: Ingress,
    pub annotations: Annotations,
}

/// `ingress.Server`.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub aliases: Vec<String>,
    pub locations: Vec<Draft>,
    pub tls: bool,
    pub from_to_www: bool,
    /// The names of its certificate: the hosts of the `tls` entry that lists its own.
    pub certificate: Vec<String>,
}

/// `ingress.Location`, before it is compiled.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// The path, normalised: what nginx is told.
    pub path: String,
    /// The path as written; empty: the root.
    pub written: String,
    pub exact: bool,
    /// Nobody named it: the root that every server has.
    pub implicit: bool,
    /// The upstream's name.
    pub upstream: String,
    /// The place of its Ingress; `None`: the default server's own root.
    pub ingress: Option<usize>,
    /// Redirects and rewrites of the Ingress do not apply (the catch-all default backend).
    pub plain: bool,
    /// The upstream of `default-backend`, for when its own has no endpoint.
    pub fallback: Option<String>,
}

/// `ingress.Backend`.
#[derive(Debug, Clone, Default)]
pub(super) struct Upstream {
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
}

/// `SessionAffinityConfig`.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    /// `affinity` of the first Ingress that says one.
    pub kind: String,
    /// `affinity-mode` and `session-cookie-hash` of the first Ingresses that say one.
    pub first: AffinityAnnotations,
    /// The attributes of the last Ingress with `affinity: cookie`.
    pub last: AffinityAnnotations,
    /// Host to the paths that may set the cookie.
    pub locations: BTreeMap<String, BTreeSet<String>>,
    /// Every Ingress that names the Service, with its annotations where it has affinity.
    pub said: Vec<(String, Option<AffinityAnnotations>)>,
}

/// The result.
pub(super) struct Merged {
    pub servers: BTreeMap<String, Server>,
    pub upstreams: BTreeMap<String, Upstream>,
}

pub(super) fn merge(loaded: &[Loaded], config: &Config, remarks: &mut Vec<Remark>) -> Merged {
    let services = config.services.as_deref();
    let mut merged = Merged {
        servers: BTreeMap::new(),
        upstreams: upstreams::create(loaded, services, remarks),
    };
    locations::create_servers(&mut merged, loaded);
    locations::add_aliases_and_tls(&mut merged, loaded, remarks);
    locations::add_locations(&mut merged, loaded, remarks);
    let canaries = loaded.iter().filter(|one| one.annotations.canary.is_some());
    if loaded.iter().any(|one| one.annotations.canary.is_none()) {
        for canary in canaries {
            canaries::merge(&mut merged, canary, remarks);
        }
    }
    fallbacks::add(&mut merged, loaded, config, remarks);
    for server in merged.servers.values_mut() {
        locations::sort_and_pair(server, loaded);
    }
    merged
}

/// `rule.host`, `_` for none.
pub(super) fn host_of(host: &str) -> &str {
    if host.is_empty() {
        DEFAULT_SERVER
    } else {
        host
    }
}

/// `upstreamName`, `internal/ingress/controller/util.go`.
fn upstream_name(namespace: &str, backend: &crate::ingress::Backend) -> String {
    if backend.port.is_empty() {
        return format!("{namespace}-INVALID");
    }
    format!("{namespace}-{}-{}", backend.service, backend.port)
}
