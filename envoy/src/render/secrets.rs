//! The certificates by their Secrets, and how many of them a Gateway of Gateway API holds.

use std::collections::BTreeMap;

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
/// Where there are more than a listener holds, namespaces take turns.
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
        let mut hosts = secret.all.iter().flat_map(|one| &one.hosts);
        hosts.any(|host| host.starts_with('*'))
    };
    let serves_none = |secret: &Secret<'_>| secret.with_hosts(served).next().is_none();
    let is_scarce = secrets.len() > MOST_CERTIFICATES;
    let mut times: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut placed: Vec<_> = secrets
        .into_iter()
        .map(|secret| {
            let is_of_wildcard = is_of_wildcard(&secret);
            let namespace = secret.first.ingress.ingress.namespace.as_str();
            let turn = times.entry((namespace, is_of_wildcard)).or_default();
            *turn += usize::from(is_scarce);
            let place = (serves_none(&secret), !is_of_wildcard, *turn);
            (place, secret)
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, secret)| secret).collect()
}
