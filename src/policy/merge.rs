//! The Ingresses of a configuration, merged into servers and upstreams in ingress-nginx's
//! own order and with its own names.
//!
//! Source: `getBackendServers`, `createUpstreams`, `createServers` and
//! `mergeAlternativeBackends` in `internal/ingress/controller/controller.go`,
//! ingress-nginx dbb11b92d.

mod canaries;
mod default_backend;
mod fallbacks;
mod locations;
mod merged;
mod upstreams;

use crate::config::Config;
use crate::remark::Remark;
pub(super) use locations::is_regex;
pub use merged::Loaded;
pub(super) use merged::{DEFAULT_UPSTREAM, Draft, Merged, Server, Session, Upstream, host_of};
use std::collections::BTreeMap;

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
    default_backend::add(&mut merged, config, remarks);
    for server in merged.servers.values_mut() {
        locations::sort_and_pair(server, loaded);
    }
    merged
}
