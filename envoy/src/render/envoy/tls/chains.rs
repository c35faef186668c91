//! Which certificates share a filter chain. Each chain holds the whole connection manager with the module's
//! configuration, so a chain for each certificate would take the square of the hosts.

use std::collections::{BTreeMap, HashMap};

use super::gathered::Certificate;
use super::shared::Shared;
use crate::render::envoy::client::Asking;

/// So many chains are always written beside the one of most certificates.
const FEWEST: usize = 16;

/// What they may take in bytes, where that is more.
const ROOM: usize = 16 << 20;

/// More there are never.
const MOST: usize = 256;

/// How many chains may be written beside that of most certificates, with a connection manager of this size.
pub(in crate::render::envoy) fn most(manager: usize) -> usize {
    let fitting = ROOM.checked_div(manager).unwrap_or(MOST);
    fitting.clamp(FEWEST, MOST)
}

/// Why a certificate is not with most others; those that matter most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    /// Clients of its hosts are asked for certificates.
    Asks,
    /// Another certificate is for the same names.
    Contested,
    /// It is not for its hosts.
    Foreign,
}

/// The certificates of one chain.
#[derive(Debug)]
struct Together {
    /// Their places in the list.
    places: Vec<usize>,
    /// `None`: the only one, whatever it is for.
    shared: Option<Shared>,
}

impl Together {
    fn new(certificate: &Certificate) -> Self {
        Self {
            places: Vec::new(),
            shared: certificate.is_for_its_hosts.then(Shared::default),
        }
    }

    fn takes(&mut self, place: usize, certificate: &Certificate) -> bool {
        let takes = match (&mut self.shared, &certificate.named) {
            (Some(shared), Some(named)) => shared.join(named, &certificate.hosts),
            (Some(_), None) => false,
            (None, _) => self.places.is_empty(),
        };
        if takes {
            self.places.push(place);
        }
        takes
    }
}

/// The chains, by the places of their certificates, and those for which there was none in `most` of them beside
/// that of most certificates.
pub(super) fn chains(all: &[Certificate], most: usize) -> (Vec<Vec<usize>>, Vec<(usize, Odd)>) {
    let mut chains: Vec<Together> = Vec::new();
    let mut odd = Vec::new();
    for (place, certificate) in all.iter().enumerate() {
        if certificate.asked.is_some() {
            odd.push((place, Odd::Asks));
        } else if !certificate.is_for_its_hosts {
            odd.push((place, Odd::Foreign));
        } else {
            if chains.is_empty() {
                chains.push(Together::new(certificate));
            }
            let common = chains.first_mut();
            if !common.is_some_and(|common| common.takes(place, certificate)) {
                odd.push((place, Odd::Contested));
            }
        }
    }
    let common = chains.len();
    let mut crowded = Vec::new();
    // Those into which a certificate could go, by what is asked there.
    let mut known: HashMap<Option<&Asking>, Vec<usize>> = HashMap::new();
    for (place, why) in in_turn(all, odd) {
        let Some(certificate) = all.get(place) else {
            continue;
        };
        let known = known.entry(certificate.asked.as_ref()).or_default();
        let mut takes = |at: &usize| {
            let chain = chains.get_mut(*at);
            chain.is_some_and(|chain| chain.takes(place, certificate))
        };
        if certificate.is_for_its_hosts && known.iter().any(&mut takes) {
            continue;
        }
        if chains.len().saturating_sub(common) >= most {
            crowded.push((place, why));
            continue;
        }
        let mut chain = Together::new(certificate);
        if !chain.takes(place, certificate) {
            crowded.push((place, why));
            continue;
        }
        if chain.shared.is_some() {
            known.push(chains.len());
        }
        chains.push(chain);
    }
    let mut chains: Vec<Vec<usize>> = chains.into_iter().map(|chain| chain.places).collect();
    chains.sort_by_key(|places| places.iter().min().copied());
    crowded.sort_by_key(|(place, _)| *place);
    (chains, crowded)
}

/// The first one of each namespace, then the second ones: nobody takes all the room.
fn in_turn(all: &[Certificate], mut odd: Vec<(usize, Odd)>) -> Vec<(usize, Odd)> {
    odd.sort_by_key(|(place, why)| (*why, *place));
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let turn = |(place, why): (usize, Odd)| {
        let namespace = all.get(place).map(Certificate::namespace);
        let times = times.entry(namespace.unwrap_or_default()).or_default();
        *times = times.saturating_add(1);
        (*times, place, why)
    };
    let mut all: Vec<(usize, usize, Odd)> = odd.into_iter().map(turn).collect();
    all.sort_by_key(|(turn, place, why)| (*turn, *why, *place));
    all.into_iter()
        .map(|(_, place, why)| (place, why))
        .collect()
}
