//! The way to pods as Ingresses want it: for how long these may be silent, and what is tried again.
//!
//! Envoy says it in routes. The module names the route of a location's Ingress in a header, and the
//! locations that ask for nothing of their own carry none.

use std::collections::BTreeMap;

use super::mirror::Mirror;
use super::next_upstream::NextUpstream;
use super::settings::EnvoySettings;
use super::timeouts::READ;
use crate::compiled::Compiled;
use crate::manifests::Manifests;
use serde_json::Value;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// For how many seconds a pod may be silent.
    pub(super) read: u64,
    pub(super) next: NextUpstream,
    /// Who gets a copy of each request.
    pub(super) mirror: Option<Mirror>,
}

/// The ways of some Ingresses.
pub(super) struct Ways {
    /// That of all that ask for nothing.
    pub(super) all: Way,
    /// The others, by name.
    pub(super) own: BTreeMap<String, Way>,
    /// An Ingress, `namespace/name`, to the name of its way.
    pub(super) of: BTreeMap<String, String>,
}

impl Ways {
    pub(super) fn new(
        compiled: &Compiled<'_>,
        settings: &EnvoySettings,
        notes: &mut Vec<String>,
    ) -> Self {
        let all = Way {
            read: READ.of_all(compiled.manifests),
            next: NextUpstream::of_all(compiled.manifests),
            mirror: None,
        };
        let repeats_all = NextUpstream::repeats_all(compiled.manifests);
        let mut ways = Self {
            own: BTreeMap::new(),
            of: BTreeMap::new(),
            all,
        };
        for ingress in &compiled.ingresses {
            let way = Way {
                read: READ.annotated(ingress).unwrap_or(ways.all.read),
                next: NextUpstream::of(ingress, &ways.all.next, repeats_all),
                mirror: Mirror::of(ingress, compiled.manifests, settings, notes),
            };
            if way == ways.all {
                continue;
            }
            let name = way.name(&ways.all);
            ways.of.insert(ingress.id().to_owned(), name.clone());
            ways.own.insert(name, way);
        }
        ways
    }

    /// The clusters of those who get copies, each once.
    pub(super) fn mirrors(&self, manifests: &Manifests) -> Vec<Value> {
        let mirrors = self.own.values().filter_map(|way| way.mirror.as_ref());
        let mut clusters = BTreeMap::new();
        for mirror in mirrors {
            clusters.insert(mirror.name(), mirror.cluster(manifests));
        }
        clusters.into_values().collect()
    }
}

impl Way {
    /// What is different from that of all.
    fn name(&self, all: &Self) -> String {
        let read = (self.read != all.read).then(|| format!("read={}s", self.read));
        let next = (self.next != all.next).then(|| self.next.name());
        let mirror = self.mirror.as_ref().map(Mirror::name);
        let parts: Vec<String> = read.into_iter().chain(next).chain(mirror).collect();
        parts.join(",")
    }
}
