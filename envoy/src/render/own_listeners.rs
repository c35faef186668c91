//! The hosts that have a listener of their own on a Gateway of Gateway API: those that ask clients for certificates,
//! those under a wildcard that asks, and those whose certificates have no room in the listener of all.

use std::collections::{BTreeMap, HashSet};

use super::asking::Asking;
use super::secrets::{MOST_CERTIFICATES, MOST_LISTENERS, most_passed, secrets};
use super::served::Served;
use crate::certificates::Certificate;

/// A listener that one host has.
pub(super) struct OfOneHost<'s> {
    pub(super) host: &'s str,
    pub(super) certificate: &'s Certificate<'s>,
    /// `None`: its clients are asked for nothing.
    pub(super) asking: Option<Asking<'s>>,
}

/// All of them.
pub(super) struct OwnListeners<'s> {
    /// As many as there is room for.
    pub(super) with_room: Vec<OfOneHost<'s>>,
    pub(super) without_room: Vec<OfOneHost<'s>>,
}

/// Those that ask come first: without its listener such a host lets in nobody.
pub(super) fn own_listeners<'s>(served: &'s Served<'_>) -> OwnListeners<'s> {
    let certificates = secrets(served);
    let of_host = |(certificate, host): (&'s Certificate<'s>, &'s str)| OfOneHost {
        host,
        certificate,
        asking: Asking::of(served, host),
    };
    let all = certificates.iter().flat_map(|one| one.with_hosts(served));
    let (asking, quiet): (Vec<_>, Vec<_>) = all.map(of_host).partition(|one| one.asking.is_some());
    let mut own = in_turn(asking);
    let stars = own.iter().filter_map(|one| one.host.strip_prefix('*'));
    let stars: HashSet<&str> = stars.collect();
    // A listener of a wildcard takes the connections of all hosts under it.
    let is_under = |host: &str| {
        let dots = host.match_indices('.');
        dots.filter_map(|(at, _)| host.get(at..))
            .any(|above| stars.contains(above))
    };
    own.extend(quiet.into_iter().filter(|one| is_under(one.host)));
    let mut seen: HashSet<&str> = own.iter().map(|one| one.host).collect();
    let further = certificates.iter().skip(MOST_CERTIFICATES);
    let further = further.flat_map(|one| one.with_hosts(served));
    let further = further.filter(|(_, host)| seen.insert(host));
    own.extend(further.map(of_host));
    let passed = served.passed.iter();
    let passed = passed.filter(|one| served.passed_to(&one.host).is_some());
    let others =
        1 + usize::from(!certificates.is_empty()) + passed.count().min(most_passed(served));
    let room = MOST_LISTENERS.saturating_sub(others).min(own.len());
    let without_room = own.split_off(room);
    OwnListeners {
        with_room: own,
        without_room,
    }
}

/// The first one of each namespace, then the second ones: nobody takes all the room.
fn in_turn<'s>(all: Vec<OfOneHost<'s>>) -> Vec<OfOneHost<'s>> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let turn = |one: OfOneHost<'s>| {
        let namespace = one.certificate.ingress.ingress.namespace.as_str();
        let times = times.entry(namespace).or_default();
        *times += 1;
        (*times, one)
    };
    let mut all: Vec<(usize, OfOneHost<'s>)> = all.into_iter().map(turn).collect();
    all.sort_by_key(|(turn, _)| *turn);
    all.into_iter().map(|(_, one)| one).collect()
}
