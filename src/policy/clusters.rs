//! The upstreams, compiled into clusters.

use super::merge::{DEFAULT_UPSTREAM, Loaded, Merged, Upstream};
use crate::affinity::{self, Affinity, AffinitySettings};
use crate::canary::CanaryPolicy;
use crate::cluster::{Cluster, ClusterId, HashBy};
use crate::config::settings::Settings;
use crate::config::{Config, Secret};
use crate::ingress::PREFIX;
use crate::remark::{Effect, Expected, Field, Problem, Remark};
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

/// An upstream's key to its cluster.
pub(super) type Ids = BTreeMap<String, ClusterId>;

pub(super) fn compile(
    merged: &Merged,
    loaded: &[Loaded],
    config: &Config,
    of_map: &Settings,
    remarks: &mut Vec<Remark>,
) -> (Vec<Cluster>, Ids) {
    let named = merged
        .upstreams
        .iter()
        .filter(|(name, _)| *name != DEFAULT_UPSTREAM);
    let named: Vec<(&String, &Upstream)> = named.collect();
    // One by one: to collect is to sort, which is 6 KiB of the module for each kind of map.
    let mut ids = Ids::new();
    ids.extend(
        named
            .iter()
            .enumerate()
            .map(|(at, (name, _))| ((*name).clone(), ClusterId(at))),
    );
    let settings = AffinitySettings {
        cookie_format: config.cookie_format,
        cookie_keys: config.cookie_keys.as_deref().map(secrets),
        cookie_keys_only: config.cookie_keys_only,
    };
    for (key, upstream) in named.iter().filter(|(_, upstream)| !upstream.no_server) {
        remarks.extend(conflicts(key, upstream));
    }
    let clusters = named.into_iter().map(|(name, upstream)| {
        let mut told = Vec::new();
        let mut cluster = cluster(name, upstream, config, &ids, &settings, &mut told);
        let of = |remark: Remark| {
            let owner = owner(upstream, loaded, &remark);
            remark.of(&owner)
        };
        remarks.extend(told.into_iter().map(of));
        if let Some(canary) = &mut cluster.canary {
            canary.underscores = of_map.underscores_in_headers;
        }
        cluster
    });
    (clusters.collect(), ids)
}

fn cluster(
    key: &str,
    upstream: &Upstream,
    config: &Config,
    ids: &Ids,
    settings: &AffinitySettings,
    remarks: &mut Vec<Remark>,
) -> Cluster {
    let name = upstream.name();
    let alternatives = upstream
        .alternatives
        .iter()
        .filter_map(|name| ids.get(name).copied());
    Cluster {
        affinity: affinity(&name, upstream, settings, remarks),
        envoy_name: config
            .clusters
            .get(key)
            .map_or(key, String::as_str)
            .to_owned(),
        upstream_name: name,
        service: key.to_owned(),
        alternatives: alternatives.collect(),
        canary: canary(upstream, remarks),
        has_fallback: upstream.has_fallback,
        has_pages: upstream.has_pages,
        hash_by: (!upstream.hash_by.is_empty()).then(|| HashBy {
            subset_size: upstream
                .hash_subset
                .and_then(|size| NonZeroUsize::new(usize::try_from(size).ok()?)),
        }),
    }
}

/// The secrets of cookie keys; a variable whose value is not known yet has none.
fn secrets(keys: &[Secret]) -> Vec<Vec<u8>> {
    let secret = |key: &Secret| match key {
        Secret::Value(secret) => Some(secret.clone()),
        Secret::Variable(_) => None,
    };
    keys.iter().filter_map(secret).collect()
}

/// Where Ingresses on one Service contradict each other about its sessions.
fn conflicts(service: &str, upstream: &Upstream) -> Vec<Remark> {
    let said = upstream.session.said.iter();
    let said: Vec<_> = said
        .map(|(name, own)| (name.as_str(), own.as_ref()))
        .collect();
    affinity::conflicts(service, &said)
}

fn affinity(
    name: &str,
    upstream: &Upstream,
    settings: &AffinitySettings,
    remarks: &mut Vec<Remark>,
) -> Option<Affinity> {
    let session = &upstream.session;
    if session.kind != "cookie" {
        if !session.kind.is_empty() {
            let field = Field::annotation("affinity");
            let problem = Problem::Not(Expected::Affinity);
            let remark = Remark::new(field, &session.kind, problem, Effect::AsBefore);
            remarks.push(remark);
        }
        return None;
    }
    let (affinity, told) = Affinity::new(name, &session.first, &session.last, settings);
    remarks.extend(told);
    Some(affinity)
}

fn canary(upstream: &Upstream, remarks: &mut Vec<Remark>) -> Option<CanaryPolicy> {
    let annotations = upstream.canary.clone()?;
    let pattern = annotations.header_pattern.clone();
    let (policy, problem) = CanaryPolicy::new(annotations);
    if let Some(problem) = problem {
        let field = Field::annotation("canary-by-header-pattern");
        remarks.push(Remark::new(field, &pattern, problem, Effect::Setting));
    }
    Some(policy)
}

/// Whose a remark on an upstream is: the first Ingress that names its Service and says what is
/// remarked on, or else the first that names it.
fn owner(upstream: &Upstream, loaded: &[Loaded], remark: &Remark) -> String {
    let names = |one: &&Loaded| {
        let mut backends = one.ingress.backends();
        one.ingress.namespace == upstream.namespace
            && backends.any(|backend| backend.service == upstream.service)
    };
    let name = [PREFIX, remark.field.name()].concat();
    let says = |one: &&Loaded| {
        let said = one.ingress.annotations.get(&name);
        said.map(|text| text.trim()) == remark.value.as_deref()
    };
    let mut of_it = loaded.iter().filter(names);
    let first = of_it.clone().find(says).or_else(|| of_it.next());
    let first = first.map(|one| one.ingress.key.clone());
    first.unwrap_or_else(|| format!("{}/{}", upstream.namespace, upstream.service))
}

/// `endpoints`, by Envoy's names.
pub(super) fn endpoints(
    config: &Config,
    clusters: &[Cluster],
    remarks: &mut Vec<Remark>,
) -> BTreeMap<String, Vec<String>> {
    let clusters = clusters.iter().rev();
    let clusters: HashMap<&str, &Cluster> = clusters.map(|c| (c.service.as_str(), c)).collect();
    let mut endpoints = BTreeMap::new();
    for (service, addresses) in &config.endpoints {
        match clusters.get(service.as_str()) {
            Some(cluster) => {
                endpoints.insert(cluster.envoy_name.clone(), addresses.clone());
            }
            None => {
                let value = Some(service.clone());
                let problem = Problem::UnusedEndpoints;
                remarks.push(Remark::key("endpoints", value, problem, Effect::Setting));
            }
        }
    }
    endpoints
}
