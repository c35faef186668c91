//! What is lost beyond the Ingress that said it: in the others of its hosts.

use std::collections::BTreeSet;
use std::fmt;

use limpet::remark::Effect;

use crate::check::{Finding, is_of_host};
use crate::compiled::Compiled;
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
    let lost: Vec<(&Finding, Why, BTreeSet<String>)> = lost
        .iter()
        .filter_map(|loss| {
            let id = loss.ingress.as_deref()?;
            let taken = compiled.ingress(id);
            let why = why(compiled, loss, taken)?;
            Some((
                *loss,
                why,
                taken.map_or_else(|| hosts_of(compiled, id), hosts),
            ))
        })
        .collect();
    let open = compiled.ingresses.iter();
    let open = open.filter(|ingress| !closed.contains(ingress.id()));
    let beside = open.filter_map(|ingress| {
        let its = hosts(ingress);
        let (loss, why, _) = lost.iter().find(|(_, _, hosts)| !hosts.is_disjoint(&its))?;
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

fn why(compiled: &Compiled<'_>, loss: &Finding, taken: Option<&TakenIngress<'_>>) -> Option<Why> {
    let Some(taken) = taken else {
        return Some(Why::LeftOut);
    };
    if is_of_host(&loss.field) {
        return Some(Why::OfHost);
    }
    let mut remarks = compiled.remarks.iter();
    let is_unserved = remarks.any(|remark| {
        remark.effect == Effect::Path && remark.ingress.as_deref() == Some(taken.id())
    });
    is_unserved.then_some(Why::Path)
}

/// The hosts of its rules, with paths or without, and their aliases.
fn hosts(ingress: &TakenIngress<'_>) -> BTreeSet<String> {
    let rules = ingress.ingress.rules.iter().map(|rule| rule.host.clone());
    rules.chain(ingress.annotations.aliases.clone()).collect()
}

/// The hosts of the Ingress `id`, of which nothing is taken.
fn hosts_of(compiled: &Compiled<'_>, id: &str) -> BTreeSet<String> {
    let left_out = compiled.manifests.left_out();
    let left_out = left_out.filter(|object| object.id() == id);
    let rules = left_out.filter_map(|object| Some(object.ingress()?.rules));
    rules.flatten().map(|rule| rule.host).collect()
}
