//! Room in the objects that several tenants share: Kubernetes keeps none above 1.5 MiB, and refuses all of it. Whoever fills it goes without, and nobody else.

mod kept_paths;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::{mem, ptr};

use limpet::config::ConfigError;
use serde_json::Value;

use super::resource::{AROUND_A_NAME, LARGEST, Resource, names_of_fields};
use super::unread;
use crate::compiled::{Compiled, Flags, named_maps};
use crate::losses;
use crate::manifests::{Crowded, Manifests, Object, Room};
use crate::taken::TakenIngress;

/// The least that a path of an Ingress takes.
const A_PATH: usize = 80;

/// Of a small configuration no object is too large: what is written of an authorizer or a way is five to twenty times
/// what asks for it.
const SMALL: usize = LARGEST / 32;

/// Leaves Ingresses out until there are none of `objects` any more: those too large, made of what is there.
///
/// # Errors
/// When a key of `--config` has no usable shape.
pub(super) fn make(
    manifests: &mut Manifests,
    flags: &Flags,
    objects: impl Fn(&Compiled<'_>) -> Vec<Shared>,
) -> Result<(), ConfigError> {
    let all = manifests.ingresses.iter().chain(manifests.services.iter());
    let all = all
        .chain(manifests.config_maps.iter())
        .chain(manifests.secrets.iter());
    let written: usize = all.map(|one| one.value.to_string().len()).sum();
    if written < SMALL && !told_much(manifests) {
        return Ok(());
    }
    // Those of which the paths stayed, as they were written, by their places.
    let mut written = HashMap::new();
    // Whoever is closed for want of room takes room by that, too.
    let said = manifests.given.get(losses::CLOSE).cloned();
    let (mut told, mut is_settled) = (BTreeSet::new(), false);
    loop {
        let compiled = Compiled::new(manifests, flags)?;
        let objects = objects(&compiled).into_iter();
        let mut left_out = objects.map(|one| (heaviest(&compiled, &one), one.crowded));
        if let Some((left_out, crowded)) = left_out.find(|(left_out, _)| !left_out.is_empty()) {
            for at in left_out {
                leave_out(manifests, (at, crowded), &mut written);
            }
            is_settled = false;
            continue;
        }
        let exposed = kept_paths::all(&compiled);
        if exposed.is_empty() {
            let closed = closed(&compiled);
            if is_settled || closed == told {
                return Ok(());
            }
            manifests.given.remove(losses::CLOSE);
            let said = said.clone().map(|said| (losses::CLOSE.to_owned(), said));
            manifests.given.extend(said);
            told.clone_from(&closed);
            losses::close(manifests, closed);
            is_settled = true;
            continue;
        }
        is_settled = false;
        for (at, paths) in exposed {
            if let Some(ingress) = manifests.ingresses.get_mut(at) {
                written.insert(at, mem::replace(&mut ingress.value, paths));
                ingress.room = Room::Paths;
            }
        }
    }
}

/// The Ingresses that answer 503, `namespace/name`: those of which the paths are left, and those that would answer
/// in place of what has no room at all, as far as they are of its namespace.
fn closed(compiled: &Compiled<'_>) -> BTreeSet<String> {
    let ingresses = || compiled.manifests.ingresses.iter();
    let without = ingresses().filter(|one| one.room == Room::NotItsPaths);
    let mut closed = compiled.answering_beside(without);
    let kept = ingresses().filter(|one| one.room == Room::Paths);
    closed.extend(kept.map(Object::id));
    closed
}

/// Whether pods may be told more than is written: a Secret stands there once for each Service.
fn told_much(manifests: &Manifests) -> bool {
    let sum = |all: &mut dyn Iterator<Item = &Object>| -> usize {
        all.map(|one| one.value.to_string().len()).sum()
    };
    let secrets = sum(&mut manifests.secrets.iter());
    let ingresses = sum(&mut manifests.ingresses.iter());
    secrets.saturating_mul(ingresses / A_PATH) > LARGEST
}

/// What of it has no room either, where its paths stayed, is as it was written.
fn leave_out(
    manifests: &mut Manifests,
    (at, crowded): (usize, Crowded),
    written: &mut HashMap<usize, Value>,
) {
    if let Some(ingress) = manifests.ingresses.get_mut(at) {
        ingress.crowded = crowded;
        ingress.room = match written.remove(&at) {
            None => Room::Nothing,
            Some(written) => {
                ingress.value = written;
                Room::NotItsPaths
            }
        };
    }
}

/// An object that is too large, of all tenants or of a host.
#[derive(Debug)]
pub(super) struct Shared {
    /// In bytes.
    size: usize,
    /// How many of them are there because of an Ingress, by `namespace/name`.
    shares: HashMap<String, usize>,
    crowded: Crowded,
}

impl Shared {
    /// The one with the plugin configuration.
    pub(super) fn plugin(compiled: &Compiled<'_>, resource: &Resource) -> Self {
        let own = compiled.ingresses.iter();
        let sizes = Sizes::of(compiled);
        let own = own.map(|one| (one, sizes.weight(compiled, one).max(1)));
        let own: Vec<(&TakenIngress<'_>, usize)> = own.collect();
        let mut namespaces: HashMap<&str, usize> = HashMap::new();
        for (ingress, weight) in &own {
            *namespaces.entry(&ingress.ingress.namespace).or_default() += weight;
        }
        // What else is there because of a namespace is shared by its Ingresses.
        let all = weights(&resource.value);
        let share = |(ingress, weight): (&TakenIngress<'_>, usize)| {
            let namespace = ingress.ingress.namespace.as_str();
            let own = namespaces.get(namespace).copied().unwrap_or(1);
            let all = all.get(namespace).copied().unwrap_or_default();
            (
                ingress.id().to_owned(),
                weight.saturating_mul(all.max(own)) / own,
            )
        };
        Self {
            size: resource.size(),
            shares: own.into_iter().map(share).collect(),
            crowded: Crowded::All,
        }
    }

    /// What the pods of a namespace are told of, where it is too much: a certificate of an authority stands
    /// there once for each Service, and one Secret may hold a thousand.
    pub(super) fn of_pods(compiled: &Compiled<'_>) -> Vec<Self> {
        let mut namespaces: BTreeMap<&str, HashMap<String, usize>> = BTreeMap::new();
        for cluster in &compiled.clusters {
            let key = cluster.service_port.key();
            let Some(told) = compiled.upstream_tls.by_cluster.get(&key) else {
                continue;
            };
            let (authority, _) = told.verified().unwrap_or_default();
            let share = authority.len() / cluster.named_by.len().max(1) + 1;
            let namespace = namespaces.entry(&cluster.service_port.namespace);
            let shares = namespace.or_default();
            for id in &cluster.named_by {
                *shares.entry(id.clone()).or_default() += share;
            }
        }
        let all = namespaces.into_values().map(|shares| Self {
            size: shares.values().sum(),
            shares,
            crowded: Crowded::Pods,
        });
        all.filter(|one| one.size > LARGEST).collect()
    }

    /// One with `pieces` of these sizes, each there because of some Ingresses; what else is in it `others` share.
    pub(super) fn of_pieces<'i>(
        resource: &Resource,
        pieces: impl Iterator<Item = (&'i [String], usize)>,
        others: &[&str],
    ) -> Self {
        let size = resource.size();
        let (mut shares, mut left): (HashMap<String, usize>, usize) = (HashMap::new(), size);
        for (ingresses, size) in pieces {
            left = left.saturating_sub(size);
            for id in ingresses {
                *shares.entry(id.clone()).or_default() += size / ingresses.len();
            }
        }
        for id in others {
            *shares.entry((*id).to_owned()).or_default() += left / others.len();
        }
        Self {
            size,
            shares,
            crowded: Crowded::All,
        }
    }

    /// The same, with the routes of a host.
    pub(super) fn of_host(self) -> Self {
        Self {
            crowded: Crowded::Host,
            ..self
        }
    }

    /// One with something of the same size for each of these Ingresses, as often as one is named.
    pub(super) fn evenly<'i>(
        resource: &Resource,
        ingresses: impl Iterator<Item = &'i str> + Clone,
    ) -> Self {
        let size = resource.size();
        let share = size / ingresses.clone().count().max(1);
        let mut shares: HashMap<String, usize> = HashMap::new();
        for id in ingresses {
            *shares.entry(id.to_owned()).or_default() += share;
        }
        Self {
            size,
            shares,
            crowded: Crowded::All,
        }
    }
}

/// How many bytes of the object are there because of each namespace: its Ingresses and Services, and what
/// stands under a name of the form `namespace/name`.
fn weights(object: &Value) -> HashMap<String, usize> {
    let places = ["/spec/pluginConfig", "/spec/wasm/0/config"];
    let config = places.iter().find_map(|place| object.pointer(place));
    let mut weights: HashMap<String, usize> = HashMap::new();
    let mut add = |namespace: &str, weight: usize| {
        *weights.entry(namespace.to_owned()).or_default() += weight;
    };
    for (key, value) in config.and_then(Value::as_object).into_iter().flatten() {
        // Each variable of a Secret stands in the list of variables too.
        let times = if key == "secrets" { 2 } else { 1 };
        match value {
            Value::Array(items) => items.iter().for_each(|item| {
                let namespace = item.pointer("/metadata/namespace").and_then(Value::as_str);
                add(namespace.unwrap_or("default"), item.to_string().len());
            }),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                if let Some((namespace, _)) = name.split_once('/') {
                    let written = times * (name.len() + field.to_string().len());
                    let names = name.len() + AROUND_A_NAME + names_of_fields(field);
                    add(namespace, written + names);
                }
            }),
            _ => {}
        }
    }
    weights
}

/// A namespace, with each of its Ingresses: where it stands, and how many bytes are there because of it.
#[derive(Debug, Default)]
struct Tenant {
    weight: usize,
    youngest_last: Vec<(usize, usize)>,
}

/// The Ingresses, by their places, without which the object is small enough: of the namespace that takes
/// most room the youngest, again and again.
fn heaviest(compiled: &Compiled<'_>, shared: &Shared) -> Vec<usize> {
    let excess = shared.size.saturating_sub(LARGEST);
    let places = compiled.manifests.ingresses.iter().enumerate();
    let places: HashMap<*const Object, usize> =
        places.map(|(at, one)| (ptr::from_ref(one), at)).collect();
    let mut namespaces: BTreeMap<&str, Tenant> = BTreeMap::new();
    for ingress in &compiled.ingresses {
        let at = places.get(&ptr::from_ref(ingress.object));
        let Some((at, share)) = at.zip(shared.shares.get(ingress.id())) else {
            continue;
        };
        let tenant = namespaces.entry(&ingress.ingress.namespace).or_default();
        tenant.weight += share;
        tenant.youngest_last.push((*at, *share));
    }
    let mut left_out = Vec::new();
    let mut freed = 0;
    while freed < excess {
        let all = namespaces.values_mut();
        let any = all.filter(|tenant| !tenant.youngest_last.is_empty());
        let Some(tenant) = any.max_by_key(|tenant| tenant.weight) else {
            break;
        };
        let Some((at, share)) = tenant.youngest_last.pop() else {
            break;
        };
        tenant.weight = tenant.weight.saturating_sub(share);
        freed += share;
        left_out.push(at);
    }
    left_out
}

/// What each Ingress that names a Service or ConfigMap bears of its size, by its place: it is there once for all of
/// them. One of 800 KB that 2,000 name was to be freed with each, and as often all was rendered again.
struct Sizes(HashMap<*const Object, usize>);

impl Sizes {
    fn of(compiled: &Compiled<'_>) -> Self {
        let mut named: HashMap<*const Object, (&Object, usize)> = HashMap::new();
        for ingress in &compiled.ingresses {
            for one in beside(compiled, ingress) {
                let (_, times) = named.entry(ptr::from_ref(one)).or_insert((one, 0));
                *times += 1;
            }
        }
        let shares = named.into_iter();
        let shares = shares.map(|(place, (one, times))| {
            let size = one.value.to_string().len();
            (place, size.div_ceil(times))
        });
        Self(shares.collect())
    }

    /// How many bytes are there because of an Ingress: its own, and those of the Services and ConfigMaps that it
    /// names.
    fn weight(&self, compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> usize {
        let mut own = ingress.object.value.clone();
        unread::left_out_of(&mut own, &ingress.object.prefix);
        let others = beside(compiled, ingress).filter_map(|one| self.0.get(&ptr::from_ref(one)));
        others.fold(own.to_string().len(), |all, one| all.saturating_add(*one))
    }
}

/// The Services and ConfigMaps that an Ingress names.
fn beside<'m>(
    compiled: &Compiled<'m>,
    ingress: &TakenIngress<'m>,
) -> impl Iterator<Item = &'m Object> {
    let manifests = compiled.manifests;
    let services = compiled.named_by(ingress.id());
    let services = services.filter_map(|one| manifests.service(&one.service_port.service_id()));
    let maps = named_maps(ingress.object);
    let maps = maps.filter_map(|id| manifests.config_maps.named(&id));
    services.chain(maps)
}

#[cfg(test)]
mod tests;
