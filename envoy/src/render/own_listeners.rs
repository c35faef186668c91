//! The hosts that have a listener of their own on a Gateway of Gateway API: those that ask clients for certificates,
//! those under a wildcard that asks, those whose certificates have no room in the listener of all, and those whose TLS
//! goes to pods as it comes.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::asking::Asking;
use super::secrets::{MOST_CERTIFICATES, MOST_LISTENERS, secrets};
use super::served::Served;
use crate::authorities;
use crate::certificates::Certificate;
use crate::clusters::Cluster;
use crate::taken::TakenIngress;
use crate::uses::name_of;

/// A listener that one host has.
pub(super) struct OfOneHost<'s> {
    pub(super) host: &'s str,
    pub(super) certificate: &'s Certificate<'s>,
    /// `None`: its clients are asked for nothing.
    pub(super) asking: Option<Asking<'s>>,
}

/// A host whose TLS goes to pods as it comes.
pub(super) struct Passed<'s> {
    pub(super) host: &'s str,
    pub(super) cluster: &'s Cluster,
    /// The port of its Service.
    pub(super) number: u16,
}

/// All of them: as many as there is room for, and the others.
pub(super) struct OwnListeners<'s> {
    pub(super) with_room: Vec<OfOneHost<'s>>,
    pub(super) without_room: Vec<OfOneHost<'s>>,
    /// By host.
    pub(super) passed: Vec<Passed<'s>>,
    pub(super) not_passed: Vec<Passed<'s>>,
}

/// A namespace's hosts that ask come first: without its listener such a host lets in nobody.
pub(super) fn own_listeners<'s>(served: &'s Served<'_>) -> OwnListeners<'s> {
    let ages = LazyCell::new(|| Ages::of(served));
    let mut unheard = HashSet::new();
    loop {
        let own = with_stars(served, &unheard);
        // A listener of a wildcard takes the connections of all hosts under it: where those have no room for
        // listeners of their own, it would take them from whose they are. Whoever comes under it later is late.
        let stars = own.with_room.iter().filter(|one| one.asking.is_some());
        let stars: HashSet<&str> = stars.filter_map(|one| one.host.strip_prefix('*')).collect();
        let outside = own.without_room.iter().filter(|one| one.asking.is_none());
        let taken = outside.flat_map(|one| {
            let above = above(one.host, &stars);
            above.filter(|star| ages.is_older(one.host, star))
        });
        let taken: Vec<&str> = taken.collect();
        if taken.is_empty() {
            return own;
        }
        unheard.extend(taken);
    }
}

/// The same; `unheard`: what stands behind the stars of those that have none.
fn with_stars<'s>(served: &'s Served<'_>, unheard: &HashSet<&str>) -> OwnListeners<'s> {
    let certificates = secrets(served);
    let of_host = |(certificate, host): (&'s Certificate<'s>, &'s str)| OfOneHost {
        host,
        certificate,
        asking: Asking::of(served, host),
    };
    let all = certificates.iter().flat_map(|one| one.with_hosts(served));
    let (asking, quiet): (Vec<_>, Vec<_>) = all.map(of_host).partition(|one| one.asking.is_some());
    let is_unheard = |one: &OfOneHost<'_>| {
        let star = one.host.strip_prefix('*');
        star.is_some_and(|star| unheard.contains(star))
    };
    let (without_room, mut own): (Vec<_>, Vec<_>) = asking.into_iter().partition(is_unheard);
    let stars = own.iter().filter_map(|one| one.host.strip_prefix('*'));
    let stars: HashSet<&str> = stars.collect();
    let is_under = |one: &OfOneHost<'_>| above(one.host, &stars).next().is_some();
    own.extend(quiet.into_iter().filter(is_under));
    let known = own.iter().chain(&without_room);
    let mut seen: HashSet<&str> = known.map(|one| one.host).collect();
    let further = certificates.iter().skip(MOST_CERTIFICATES);
    let further = further.flat_map(|one| one.with_hosts(served));
    let further = further.filter(|(_, host)| seen.insert(host));
    own.extend(further.map(of_host));
    // Beside those of http and of https.
    let room = MOST_LISTENERS - 1 - usize::from(!certificates.is_empty());
    let mut listeners = OwnListeners {
        with_room: Vec::new(),
        without_room,
        passed: Vec::new(),
        not_passed: Vec::new(),
    };
    let own = own.into_iter().map(Listener::OfOneHost);
    let own = own.chain(passed(served).map(Listener::Passed));
    for (at, one) in in_turn(own).into_iter().enumerate() {
        match one {
            Listener::OfOneHost(one) if at < room => listeners.with_room.push(one),
            Listener::OfOneHost(one) => listeners.without_room.push(one),
            Listener::Passed(one) if at < room => listeners.passed.push(one),
            Listener::Passed(one) => listeners.not_passed.push(one),
        }
    }
    listeners.passed.sort_by_key(|one| one.host);
    listeners.not_passed.sort_by_key(|one| one.host);
    listeners
}

/// Those that somebody gets.
fn passed<'s>(served: &'s Served<'_>) -> impl Iterator<Item = Passed<'s>> {
    served.passed.iter().filter_map(|one| {
        let (cluster, number) = served.passed_to(&one.host)?;
        Some(Passed {
            host: &one.host,
            cluster,
            number,
        })
    })
}

/// Either kind.
enum Listener<'s> {
    OfOneHost(OfOneHost<'s>),
    Passed(Passed<'s>),
}

impl<'s> Listener<'s> {
    /// Whose it is: of TLS that goes to pods their namespace's.
    fn namespace(&self) -> &'s str {
        match self {
            Self::OfOneHost(one) => &one.certificate.ingress.ingress.namespace,
            Self::Passed(one) => &one.cluster.service_port.namespace,
        }
    }
}

/// Which came first: the places of Ingresses, the oldest first.
struct Ages {
    /// By host in lower case: of the first Ingress that answers there.
    first: HashMap<String, usize>,
    /// Of the first that asks for certificates.
    asking: HashMap<String, usize>,
}

impl Ages {
    fn of(served: &Served<'_>) -> Self {
        let compiled = served.compiled();
        let places = compiled.ingresses.iter().map(TakenIngress::id).zip(0..);
        let places: HashMap<&str, usize> = places.collect();
        let hosts = compiled.policy.virtual_hosts().map(|host| {
            let ingresses = host.locations.iter().map(|one| one.ingress.as_str());
            let places = ingresses.filter_map(|id| places.get(id));
            (name_of(host), places.min().copied().unwrap_or(usize::MAX))
        });
        let mut asking = HashMap::new();
        for (one, at) in compiled.ingresses.iter().zip(0..) {
            if one.annotation(authorities::ANNOTATION).is_some() {
                for rule in &one.ingress.rules {
                    asking.entry(rule.host.to_ascii_lowercase()).or_insert(at);
                }
            }
        }
        Self {
            first: hosts.collect(),
            asking,
        }
    }

    /// Whether `host` was there before somebody asked for the certificates of `*star`.
    fn is_older(&self, host: &str, star: &str) -> bool {
        let host = self.first.get(&host.to_ascii_lowercase());
        let star = self.asking.get(&format!("*{}", star.to_ascii_lowercase()));
        star.is_none_or(|star| host.is_some_and(|host| host < star))
    }
}

/// Those of the stars that a host is under, at whatever depth.
fn above<'h>(host: &'h str, stars: &HashSet<&str>) -> impl Iterator<Item = &'h str> {
    let dots = host.match_indices('.');
    let tails = dots.filter_map(|(at, _)| host.get(at..));
    tails.filter(|tail| stars.contains(tail) && host.strip_prefix('*') != Some(*tail))
}

/// The first one of each namespace, then the second ones: nobody takes all the room.
fn in_turn<'s>(all: impl Iterator<Item = Listener<'s>>) -> Vec<Listener<'s>> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let turn = |one: Listener<'s>| {
        let times = times.entry(one.namespace()).or_default();
        *times += 1;
        (*times, one)
    };
    let mut all: Vec<(usize, Listener<'s>)> = all.map(turn).collect();
    all.sort_by_key(|(turn, _)| *turn);
    all.into_iter().map(|(_, one)| one).collect()
}
