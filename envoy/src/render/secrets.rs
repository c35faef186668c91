//! The certificates by their Secrets, and how many of them a Gateway of Gateway API holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::served::Served;
use crate::certificates::Certificate;

/// Gateway API's limits: certificates of a listener, listeners of a Gateway.
pub(super) const MOST_CERTIFICATES: usize = 64;
pub(super) const MOST_LISTENERS: usize = 64;

/// A Secret with all that it serves.
pub(super) struct Secret<'s> {
    pub(super) first: &'s Certificate<'s>,
    all: Vec<&'s Certificate<'s>>,
}

impl<'s> Secret<'s> {
    fn namespace(&self) -> &'s str {
        &self.first.ingress.ingress.namespace
    }

    fn hosts(&self) -> impl Iterator<Item = &'s str> {
        let hosts = self.all.iter().flat_map(|one| &one.hosts);
        hosts.map(String::as_str)
    }

    /// Each host that could have a listener with it: one whose TLS goes to pods as it comes has its own,
    /// and Envoy Gateway takes both for invalid.
    pub(super) fn with_hosts(
        &self,
        served: &'s Served<'_>,
    ) -> impl Iterator<Item = (&'s Certificate<'s>, &'s str)> {
        let all = self.all.iter();
        let all = all.flat_map(|one| one.hosts.iter().map(|host| (*one, host.as_str())));
        all.filter(|(_, host)| served.passed_to(host).is_none())
    }
}

/// Every Secret once, in the order of the certificates, those of wildcards first: a listener of a wildcard
/// would take the connections of all hosts under it. Last are those whose hosts' TLS all goes to pods as it comes.
/// Where there are more than a listener holds, namespaces take turns, after wildcards with others' hosts under them.
pub(super) fn secrets<'s>(served: &'s Served<'_>) -> Vec<Secret<'s>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut secrets: Vec<Secret<'s>> = Vec::new();
    for certificate in &served.certificates {
        let place = *places
            .entry(certificate.secret_id())
            .or_insert(secrets.len());
        match secrets.get_mut(place) {
            Some(secret) => secret.all.push(certificate),
            None => secrets.push(Secret {
                first: certificate,
                all: vec![certificate],
            }),
        }
    }
    let is_of_wildcard = |secret: &Secret<'_>| {
        let mut hosts = secret.hosts();
        hosts.any(|host| host.starts_with('*'))
    };
    let serves_none = |secret: &Secret<'_>| secret.with_hosts(served).next().is_none();
    secrets.sort_by_cached_key(|secret| (serves_none(secret), !is_of_wildcard(secret)));
    if secrets.len() <= MOST_CERTIFICATES {
        return secrets;
    }
    let stars = above_others(&secrets);
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut placed = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let turn = times.entry(secret.namespace()).or_default();
        *turn += 1;
        let is_above_others = secret.hosts().any(|host| stars.contains(host));
        placed.push(((serves_none(&secret), !is_above_others, *turn), secret));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, secret)| secret).collect()
}

/// The wildcards with hosts of other namespaces under them.
fn above_others<'s>(secrets: &[Secret<'s>]) -> HashSet<&'s str> {
    let hosts = || {
        let all = secrets.iter();
        all.flat_map(|secret| secret.hosts().map(|host| (host, secret.namespace())))
    };
    let stars = hosts().filter_map(|(host, of)| Some((host.strip_prefix('*')?, (host, of))));
    let stars: HashMap<&str, (&str, &str)> = stars.collect();
    let found = hosts().flat_map(|(host, namespace)| {
        let tails = host.match_indices('.').filter_map(|(at, _)| host.get(at..));
        let above = tails.filter_map(|tail| stars.get(tail));
        above
            .filter(move |(_, of)| *of != namespace)
            .map(|(star, _)| *star)
    });
    found.collect()
}
