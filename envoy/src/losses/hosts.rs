//! What is lost beyond the Ingress that said it: in the others of its hosts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use limpet::remark::Effect;

use crate::check::{Finding, is_of_host};
use crate::compiled::Compiled;
use crate::compiled::answered::aliases;
use crate::inert;
use crate::taken::TakenIngress;

/// In the list of what is closed: every Ingress.
pub(super) const EVERY: &str = "*";

/// An Ingress that is closed for what another one of its host lost.
#[derive(Debug)]
pub(super) struct Beside {
    /// Its `namespace/name`.
    pub(super) ingress: String,
    /// What was lost, and by which Ingress.
    lost: String,
    /// Why it concerns this one.
    why: Why,
}

/// Why a loss concerns the other Ingresses of a host.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// It held for the whole host.
    OfHost,
    /// Nothing of the Ingress is served: what lay under its paths falls to others.
    LeftOut,
    /// A path of the Ingress is not served, likewise.
    Path,
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ingress, lost) = (inert::line(&self.ingress), inert::line(&self.lost));
        let why = match self.why {
            Why::OfHost => "was its host's too",
            Why::LeftOut => "is left out, and its paths would fall to this one",
            Why::Path => "has a path that is not served and would fall to this one",
        };
        write!(f, "closed, answers 503: ingress {ingress}: {lost} {why}")
    }
}

/// The Ingresses that share a host with one whose loss concerns them, but for those that are
/// `closed` anyway.
pub(super) fn beside(
    compiled: &Compiled<'_>,
    lost: &[&Finding],
    closed: &BTreeSet<String>,
) -> Vec<Beside> {
    if closed.contains(EVERY) {
        return Vec::new();
    }
    let left_out = hosts_left_out(compiled);
    let remarks = compiled.remarks.iter();
    let unserved = remarks.filter(|remark| remark.effect == Effect::Path);
    let unserved: HashSet<&str> = unserved.filter_map(|one| one.ingress.as_deref()).collect();
    // The first loss that concerns a host, by their order.
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut concerning: Vec<(&Finding, Why)> = Vec::new();
    for loss in lost {
        let Some(id) = loss.ingress.as_deref() else {
            continue;
        };
        let taken = compiled.ingress(id);
        let Some(why) = why(loss, taken, &unserved) else {
            continue;
        };
        let of_it = match taken {
            Some(taken) => hosts(compiled, taken),
            None => left_out.get(id).cloned().unwrap_or_default(),
        };
        for host in of_it {
            for falls_to in compiled.answered_as(&host) {
                first.entry(falls_to).or_insert(concerning.len());
            }
        }
        concerning.push((loss, why));
    }
    let open = compiled.ingresses.iter();
    let open = open.filter(|ingress| !closed.contains(ingress.id()));
    let beside = open.filter_map(|ingress| {
        let its = hosts(compiled, ingress).into_iter();
        let at = its.filter_map(|host| first.get(&host)).min()?;
        let (loss, why) = concerning.get(*at)?;
        let of = loss.ingress.as_deref().unwrap_or_default();
        Some(Beside {
            ingress: ingress.id().to_owned(),
            lost: match why {
                Why::OfHost => format!("{} of ingress {of}", loss.field),
                Why::LeftOut | Why::Path => format!("ingress {of} with its {}", loss.field),
            },
            why: *why,
        })
    });
    beside.collect()
}

/// `unserved`: the Ingresses of which a path is not served.
fn why(loss: &Finding, taken: Option<&TakenIngress<'_>>, unserved: &HashSet<&str>) -> Option<Why> {
    let Some(taken) = taken else {
        return Some(Why::LeftOut);
    };
    if is_of_host(&loss.field) {
        return Some(Why::OfHost);
    }
    unserved.contains(taken.id()).then_some(Why::Path)
}

/// The hosts of its rules, with paths or without, and those of their aliases that are no host of others.
fn hosts(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> BTreeSet<String> {
    let rules = ingress.ingress.rules.iter().map(|rule| rule.host.clone());
    let aliases = ingress.annotations.aliases.iter();
    let is_its_own = |alias: &&String| {
        let known = compiled.virtual_host(alias);
        let mut locations = known.into_iter().flat_map(|known| known.locations.iter());
        known.is_none() || locations.any(|location| *location.ingress == *ingress.id())
    };
    let aliases = aliases.filter(is_its_own).cloned();
    rules.chain(aliases).collect()
}

/// The hosts of the Ingresses of which nothing is taken, by `namespace/name`.
fn hosts_left_out(compiled: &Compiled<'_>) -> HashMap<String, BTreeSet<String>> {
    let mut all: HashMap<String, BTreeSet<String>> = HashMap::new();
    for object in compiled.manifests.left_out() {
        let rules = object.ingress().map(|ingress| ingress.rules);
        let hosts = rules.into_iter().flatten().map(|rule| rule.host);
        let aliases = aliases(object).map(str::to_owned);
        let of_it = all.entry(object.id()).or_default();
        of_it.extend(hosts.chain(aliases));
    }
    all
}
