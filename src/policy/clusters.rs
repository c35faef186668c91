//! The upstreams, compiled into clusters.

use super::merge::{DEFAULT_UPSTREAM, Loaded, Merged, Upstream};
use crate::affinity::{self, Affinity, AffinitySettings};
use crate::canary::CanaryPolicy;
use crate::cluster::{Cluster, ClusterId, HashBy};
use crate::config::settings::Settings;
use crate::config::{Config, CookieKey};
use crate::warning::Warning;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

/// Upstream name to cluster.
pub(super) type Ids = BTreeMap<String, ClusterId>;

pub(super) fn compile(
    merged: &Merged,
    config: &Config,
    (loaded, of_map): (&[Loaded], &Settings),
    warnings: &mut Vec<Warning>,
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
    for (_, upstream) in named.iter().filter(|(_, upstream)| !upstream.no_server) {
        warnings.extend(conflicts(upstream));
    }
    let clusters = named.into_iter().map(|(name, upstream)| {
        let mut warn = |field: &str, value: &str, text: String| {
            let who = owner(upstream, loaded);
            warnings.push(Warning::ingress(&who, field, value, text));
        };
        let mut cluster = cluster(name, upstream, config, &ids, &settings, &mut warn);
        if let Some(canary) = &mut cluster.canary {
            canary.underscores = of_map.underscores_in_headers;
        }
        cluster
    });
    (clusters.collect(), ids)
}

fn cluster(
    name: &str,
    upstream: &Upstream,
    config: &Config,
    ids: &Ids,
    settings: &AffinitySettings,
    warn: &mut dyn FnMut(&str, &str, String),
) -> Cluster {
    let service = service(upstream);
    let envoy_name = config.clusters.get(&service).cloned();
    let alternatives = upstream
        .alternatives
        .iter()
        .filter_map(|name| ids.get(name).copied());
    Cluster {
        upstream_name: name.to_owned(),
        envoy_name: envoy_name.unwrap_or_else(|| name.to_owned()),
        service,
        affinity: affinity(name, upstream, settings, warn),
        alternatives: alternatives.collect(),
        canary: canary(upstream, warn),
        has_fallback: upstream.has_fallback,
        hash_by: (!upstream.hash_by.is_empty()).then(|| HashBy {
            subset_size: upstream
                .hash_subset
                .and_then(|size| NonZeroUsize::new(usize::try_from(size).ok()?)),
        }),
    }
}

/// The secrets of cookie keys; a variable whose value is not known yet has none.
fn secrets(keys: &[CookieKey]) -> Vec<Vec<u8>> {
    let secret = |key: &CookieKey| match key {
        CookieKey::Secret(secret) => Some(secret.clone()),
        CookieKey::Variable(_) => None,
    };
    keys.iter().filter_map(secret).collect()
}

/// Where Ingresses on one Service contradict each other about its sessions.
fn conflicts(upstream: &Upstream) -> Vec<Warning> {
    let said = upstream.session.said.iter();
    let said: Vec<_> = said
        .map(|(name, own)| (name.as_str(), own.as_ref()))
        .collect();
    affinity::conflicts(&service(upstream), &said)
}

/// `namespace/service:port`.
fn service(upstream: &Upstream) -> String {
    format!(
        "{}/{}:{}",
        upstream.namespace, upstream.service, upstream.port
    )
}

fn affinity(
    name: &str,
    upstream: &Upstream,
    settings: &AffinitySettings,
    warn: &mut dyn FnMut(&str, &str, String),
) -> Option<Affinity> {
    let session = &upstream.session;
    if session.kind != "cookie" {
        if !session.kind.is_empty() {
            let text =
                "is no kind of affinity, expected cookie; there is none, as under ingress-nginx";
            warn("affinity", &session.kind, text.to_owned());
        }
        return None;
    }
    let (affinity, remarks) = Affinity::new(name, &session.first, &session.last, settings);
    for remark in remarks {
        warn(remark.field, &remark.value, remark.text);
    }
    Some(affinity)
}

fn canary(upstream: &Upstream, warn: &mut dyn FnMut(&str, &str, String)) -> Option<CanaryPolicy> {
    let annotations = upstream.canary.clone()?;
    let pattern = annotations.header_pattern.clone();
    let (policy, problem) = CanaryPolicy::new(annotations);
    if let Some(problem) = problem {
        warn("canary-by-header-pattern", &pattern, problem);
    }
    Some(policy)
}

/// The Ingress to name in a remark on an upstream: the first that names its Service.
fn owner(upstream: &Upstream, loaded: &[Loaded]) -> String {
    let names = |one: &&Loaded| {
        let mut backends = one.ingress.backends();
        one.ingress.namespace == upstream.namespace
            && backends.any(|backend| backend.service == upstream.service)
    };
    let first = loaded.iter().find(names).map(|one| one.ingress.key.clone());
    first.unwrap_or_else(|| format!("{}/{}", upstream.namespace, upstream.service))
}

/// `endpoints`, by Envoy's names.
pub(super) fn endpoints(
    config: &Config,
    clusters: &[Cluster],
    warnings: &mut Vec<Warning>,
) -> BTreeMap<String, Vec<String>> {
    let clusters = clusters.iter().rev();
    let clusters: HashMap<&str, &Cluster> = clusters.map(|c| (c.service.as_str(), c)).collect();
    let mut endpoints = BTreeMap::new();
    for (service, addresses) in &config.endpoints {
        match clusters.get(service.as_str()) {
            Some(cluster) => {
                endpoints.insert(cluster.envoy_name.clone(), addresses.clone());
            }
            None => warnings.push(Warning::config(
                "endpoints",
                Some(service.clone()),
                "is a Service port that no Ingress names; ignored",
            )),
        }
    }
    endpoints
}
