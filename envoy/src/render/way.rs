//! The way to pods as Ingresses want it: for how long these may be silent, what is tried again, who
//! gets copies, and how pods are spoken to that others speak to otherwise.
//!
//! Envoy says it in routes. The module names the route of a location's Ingress in a header, and the
//! locations that ask for nothing of their own carry none.

mod mirror;
mod next_upstream;
pub(super) mod routes;
mod timeouts;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use self::mirror::Mirror;
use self::next_upstream::{NextUpstream, Repeats};
use self::timeouts::READ;
use crate::clusters::{Cluster, Protocol, ServicePort};
use crate::compiled::Compiled;
use crate::manifests::Manifests;

pub(super) use self::mirror::Copies;
pub(super) use self::timeouts::CONNECT;

/// How long a silent stream lives where no route says otherwise: Envoy's default, in seconds.
const STREAM_IDLE: u64 = 300;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    read: u64,
    next: NextUpstream,
    /// Who gets a copy of each request.
    mirror: Option<Mirror>,
    /// How pods are spoken to where their cluster speaks otherwise.
    protocol: Option<Protocol>,
}

/// The ways of some Ingresses.
#[derive(Debug)]
pub(super) struct Ways {
    /// That of all that ask for nothing.
    pub(super) all: Way,
    /// The others, by name.
    pub(super) own: BTreeMap<String, Way>,
    /// An Ingress, `namespace/name`, to the name of its way.
    pub(super) of: BTreeMap<String, String>,
    /// The Ingresses whose copies nobody can get.
    pub(super) without_copies: BTreeSet<String>,
}

/// The requests of a way that have a route of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requests {
    /// Every one.
    All,
    /// Those with a method that is tried again whatever a pod may have begun.
    Idempotent,
    /// Those with another one.
    NotIdempotent,
}

impl Requests {
    /// How they are called.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Idempotent => "idempotent",
            Self::NotIdempotent => "not-idempotent",
        }
    }
}

impl Ways {
    /// `otherwise`: the Ingresses that speak to pods of some cluster in another way than it does.
    pub(super) fn new(
        compiled: &Compiled<'_>,
        copies: &Copies<'_>,
        otherwise: &BTreeMap<String, Protocol>,
        notes: &mut Vec<String>,
    ) -> Self {
        let all = Way {
            read: READ.of_all(compiled.manifests),
            next: NextUpstream::of_all(compiled.manifests),
            mirror: None,
            protocol: None,
        };
        let repeats_all = NextUpstream::repeats_all(compiled.manifests);
        let mut ways = Self {
            own: BTreeMap::new(),
            of: BTreeMap::new(),
            without_copies: BTreeSet::new(),
            all,
        };
        for ingress in &compiled.ingresses {
            let told = notes.len();
            let mirror = Mirror::of(ingress, compiled.manifests, copies, notes);
            if mirror.is_none() && notes.len() > told {
                ways.without_copies.insert(ingress.id().to_owned());
            }
            let way = Way {
                read: READ.annotated(ingress).unwrap_or(ways.all.read),
                next: NextUpstream::of(ingress, &ways.all.next, repeats_all),
                mirror,
                protocol: otherwise.get(ingress.id()).copied(),
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
        let mirror = self.mirror.as_ref().map(Mirror::told);
        let speaks = self.protocol.map(|protocol| format!("speaks={protocol}"));
        let parts = read.into_iter().chain(next).chain(mirror).chain(speaks);
        parts.collect::<Vec<String>>().join(",")
    }

    /// The twin of `cluster` that it leads to; `None`: it leads to the cluster itself.
    pub(super) fn twin_of(&self, cluster: &Cluster) -> Option<Cluster> {
        cluster.speaking(self.protocol?)
    }

    /// Whether its pods are asked, and have no time to answer: 504.
    pub(super) fn has_no_time(&self) -> bool {
        self.read == 0
    }

    /// Whose routes differ; each of what is left over by those before it.
    pub(super) fn requests(&self) -> &'static [Requests] {
        if self.next.tells_methods_apart() {
            &[Requests::Idempotent, Requests::NotIdempotent]
        } else {
            &[Requests::All]
        }
    }

    /// For how many seconds a pod may be silent.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Whether a pod that was silent is the last one that is asked.
    pub(super) fn ends_with_silence(&self) -> bool {
        self.next.ends_with_silence(self.read)
    }

    /// Whether nobody said what is tried again.
    pub(super) fn repeats_as_usual(&self) -> bool {
        self.next.is_usual()
    }

    /// What of `requests` is tried again.
    pub(super) fn repeats(&self, requests: Requests) -> Repeats<'_> {
        let is_safe = requests != Requests::NotIdempotent;
        self.next.repeats(is_safe, self.read)
    }

    /// The Service that gets copies, where it is one.
    pub(super) fn copied_to(&self, manifests: &Manifests) -> Option<ServicePort> {
        self.mirror.as_ref()?.service(manifests)
    }

    /// What Envoy's route says of `requests`: what nginx tries again is what reached no pod; and, where
    /// the method is idempotent, what got no answer, or one that its Ingress names.
    pub(super) fn action(&self, requests: Requests) -> Map<String, Value> {
        let mut retry = self.repeats(requests).policy();
        // proxy-read-timeout: silence, not the whole.
        let silence = format!("{}s", self.read);
        let ends = self.ends_with_silence();
        // A silence that is not tried again ends the stream: one that ends a try alone is a reset.
        if let (false, Some(fields)) = (ends, retry.as_object_mut()) {
            fields.insert("per_try_idle_timeout".to_owned(), json!(silence));
        }
        let mut action = Map::new();
        action.insert("retry_policy".to_owned(), retry);
        if ends || self.read > STREAM_IDLE {
            action.insert("idle_timeout".to_owned(), json!(silence));
        }
        if let Some(mirror) = &self.mirror {
            let policies = json!([mirror.policy()]);
            action.insert("request_mirror_policies".to_owned(), policies);
        }
        action
    }
}
