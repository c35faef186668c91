//! Who has environment variables where there are not enough for all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::manifests::Object;
use crate::taken::TakenIngress;

/// The most environment variables that a WasmPlugin may name.
///
/// Source: `VmConfig`, `extensions/v1alpha1/wasm.proto`, istio/api b8f8791d.
pub(crate) const MOST_VARIABLES: usize = 256;

/// What the Ingresses of a namespace want of a Secret.
#[derive(Debug)]
pub(super) struct Wish<'i> {
    /// `namespace/name`.
    pub(super) secret: String,
    /// The texts, by their keys.
    pub(super) data: Map<String, Value>,
    /// Who wants them, all of one namespace.
    pub(super) ingresses: Vec<&'i TakenIngress<'i>>,
}

impl<'i> Wish<'i> {
    /// Each once, in the order of the Ingresses; with each the Secret, and whether all of its keys are
    /// wanted.
    pub(super) fn all<'o: 'i>(
        named: impl Iterator<Item = (&'i TakenIngress<'o>, &'i Object, bool)>,
    ) -> Vec<Self> {
        let mut places = HashMap::new();
        let mut all: Vec<Self> = Vec::new();
        for (ingress, secret, is_map) in named {
            let id = secret.id();
            let key = (ingress.ingress.namespace.as_str(), id.clone(), is_map);
            let place = *places.entry(key).or_insert(all.len());
            if let Some(wish) = all.get_mut(place) {
                wish.ingresses.push(ingress);
                continue;
            }
            let mut data = secret.secret_texts();
            if !is_map {
                data.retain(|key, _| key == "auth");
            }
            all.push(Self {
                secret: id,
                data,
                ingresses: vec![ingress],
            });
        }
        all
    }

    fn namespace(&self) -> &'i str {
        let first = self.ingresses.first();
        first.map_or("", |one| one.ingress.namespace.as_str())
    }
}

/// Every wish, and why it is not granted where there is no room. Whoever has least with it is next, of a
/// namespace the oldest: who asks for much waits for the others.
pub(super) fn granted(
    wishes: Vec<Wish<'_>>,
    room: Option<usize>,
) -> impl Iterator<Item = (Wish<'_>, Option<String>)> {
    let refused = room.map(|room| refused(&wishes, room)).unwrap_or_default();
    let wishes = wishes.into_iter().enumerate();
    wishes.map(move |(at, wish)| (wish, refused.get(&at).cloned()))
}

fn refused(wishes: &[Wish<'_>], room: usize) -> BTreeMap<usize, String> {
    let mut refused = BTreeMap::new();
    let mut waiting: BTreeMap<&str, VecDeque<usize>> = BTreeMap::new();
    for (at, wish) in wishes.iter().enumerate() {
        let count = wish.data.len();
        if count <= room {
            waiting.entry(wish.namespace()).or_default().push_back(at);
            continue;
        }
        let why = format!(
            "takes {count} environment variables, of which a WasmPlugin has {MOST_VARIABLES}: write its users \
             into one key (auth-secret-type: auth-file)"
        );
        refused.insert(at, why);
    }
    let count = |at: usize| wishes.get(at).map_or(0, |one| one.data.len());
    let mut turns = BinaryHeap::new();
    let mut next = |turns: &mut BinaryHeap<_>, namespace, has: usize| {
        let of_it: Option<&mut VecDeque<usize>> = waiting.get_mut(namespace);
        if let Some(at) = of_it.and_then(VecDeque::pop_front) {
            turns.push(Reverse((has + count(at), at, has)));
        }
    };
    let namespaces: BTreeSet<&str> = wishes.iter().map(Wish::namespace).collect();
    for namespace in namespaces {
        next(&mut turns, namespace, 0);
    }
    let mut taken: BTreeSet<(&str, &str)> = BTreeSet::new();
    while let Some(Reverse((with_it, at, without_it))) = turns.pop() {
        let Some(wish) = wishes.get(at) else { continue };
        let own = wish.data.keys();
        let mut all = taken.clone();
        all.extend(own.map(|key| (wish.secret.as_str(), key.as_str())));
        let has = if all.len() <= room {
            taken = all;
            with_it
        } else {
            let why = format!(
                "has no room for its {} among the {MOST_VARIABLES} environment variables of a WasmPlugin, at which \
                 namespaces take turns: render a part of the Ingresses for a gateway of its own",
                wish.data.len()
            );
            refused.insert(at, why);
            without_it
        };
        next(&mut turns, wish.namespace(), has);
    }
    refused
}
