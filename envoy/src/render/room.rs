//! Room in the one object that has the Ingresses of all tenants: Kubernetes keeps none above 1.5 MiB, and
//! refuses all of it. Whoever fills it goes without, and nobody else.

use std::collections::{BTreeMap, HashMap};
use std::ptr;

use limpet::config::ConfigError;

use super::resource::{LARGEST, Resource};
use super::unread;
use crate::compiled::{Compiled, Flags, named_maps};
use crate::manifests::{Manifests, Object};
use crate::taken::TakenIngress;

/// A small configuration is far from it, whatever else is in the object.
const SMALL: usize = LARGEST / 4;

/// Leaves Ingresses out until `object`, made of what is there, is one that Kubernetes keeps.
///
/// # Errors
/// When a key of `--config` has no usable shape.
pub(super) fn make(
    manifests: &mut Manifests,
    flags: &Flags,
    object: impl Fn(&Compiled<'_>) -> Resource,
) -> Result<(), ConfigError> {
    let all = manifests.ingresses.iter().chain(manifests.services.iter());
    let all = all.chain(manifests.config_maps.iter());
    let written: usize = all.map(|one| one.value.to_string().len()).sum();
    if written < SMALL {
        return Ok(());
    }
    loop {
        let compiled = Compiled::new(manifests, flags)?;
        let size = object(&compiled).value.to_string().len();
        let excess = size.saturating_sub(LARGEST);
        let left_out = heaviest(&compiled, excess);
        if left_out.is_empty() {
            return Ok(());
        }
        for at in left_out {
            if let Some(ingress) = manifests.ingresses.get_mut(at) {
                ingress.has_no_room = true;
            }
        }
    }
}

/// A namespace, with each of its Ingresses: where it stands, and how many bytes are there because of it.
#[derive(Debug, Default)]
struct Tenant {
    weight: usize,
    youngest_last: Vec<(usize, usize)>,
}

/// The Ingresses, by their places, without which the object is smaller by `excess` bytes: of the namespace
/// that takes most room the youngest, again and again.
fn heaviest(compiled: &Compiled<'_>, excess: usize) -> Vec<usize> {
    let places = compiled.manifests.ingresses.iter().enumerate();
    let places: HashMap<*const Object, usize> =
        places.map(|(at, one)| (ptr::from_ref(one), at)).collect();
    let mut namespaces: BTreeMap<&str, Tenant> = BTreeMap::new();
    for ingress in &compiled.ingresses {
        let Some(at) = places.get(&ptr::from_ref(ingress.object)) else {
            continue;
        };
        let weight = weight(compiled, ingress);
        let tenant = namespaces.entry(&ingress.ingress.namespace).or_default();
        tenant.weight += weight;
        tenant.youngest_last.push((*at, weight));
    }
    let mut left_out = Vec::new();
    let mut freed = 0;
    while freed < excess {
        let most = namespaces.values_mut().max_by_key(|tenant| tenant.weight);
        let Some(tenant) = most else { break };
        let Some((at, weight)) = tenant.youngest_last.pop() else {
            break;
        };
        tenant.weight = tenant.weight.saturating_sub(weight);
        freed += weight;
        left_out.push(at);
    }
    left_out
}

/// How many bytes are there because of it: its own, and those of the Services and ConfigMaps that it names.
fn weight(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> usize {
    let manifests = compiled.manifests;
    let mut own = ingress.object.value.clone();
    unread::left_out_of(&mut own, &ingress.object.prefix);
    let services = compiled.named_by(ingress.id());
    let services = services.filter_map(|one| manifests.service(&one.service_port.service_id()));
    let maps = named_maps(ingress.object);
    let maps = maps.filter_map(|id| manifests.config_maps.named(&id));
    let others = services.chain(maps).map(|one| &one.value);
    let all = [&own].into_iter().chain(others);
    all.map(|one| one.to_string().len()).sum()
}

#[cfg(test)]
mod tests;
