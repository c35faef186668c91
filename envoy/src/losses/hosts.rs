//! What was the whole host's is lost in the Ingresses of others too.

use std::collections::BTreeSet;
use std::fmt;

use super::EVERY;
use crate::check::{Finding, is_of_host};
use crate::compiled::Compiled;
use crate::inert;
use crate::taken::TakenIngress;

/// An Ingress that is closed for what another one of its host lost.
#[derive(Debug)]
pub(super) struct Beside {
    /// Its `namespace/name`.
    pub(super) ingress: String,
    /// What was lost.
    field: String,
    /// By which Ingress.
    of: String,
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, of) = (&self.field, inert::line(&self.of));
        let ingress = inert::line(&self.ingress);
        write!(
            f,
            "closed, answers 503: ingress {ingress}: {field} of ingress {of} was its host's too"
        )
    }
}

/// The Ingresses that share a host with one of which something is lost that held for the whole
/// host, but for those that are `closed` anyway.
pub(super) fn beside(
    compiled: &Compiled<'_>,
    lost: &[&Finding],
    closed: &BTreeSet<String>,
) -> Vec<Beside> {
    if closed.contains(EVERY) {
        return Vec::new();
    }
    let lost = lost.iter().filter(|loss| is_of_host(&loss.field));
    let lost: Vec<(&Finding, BTreeSet<&str>)> = lost
        .filter_map(|loss| {
            let mut ingresses = compiled.ingresses.iter();
            let of = ingresses.find(|one| loss.ingress.as_deref() == Some(one.id()))?;
            Some((*loss, hosts(of)))
        })
        .collect();
    let open = compiled.ingresses.iter();
    let open = open.filter(|ingress| !closed.contains(ingress.id()));
    let beside = open.filter_map(|ingress| {
        let its = hosts(ingress);
        let (loss, _) = lost.iter().find(|(_, hosts)| !hosts.is_disjoint(&its))?;
        Some(Beside {
            ingress: ingress.id().to_owned(),
            field: loss.field.clone(),
            of: loss.ingress.clone().unwrap_or_default(),
        })
    });
    beside.collect()
}

/// The hosts of its rules, with paths or without, and their aliases.
fn hosts<'i>(ingress: &'i TakenIngress<'_>) -> BTreeSet<&'i str> {
    let rules = ingress.ingress.rules.iter().map(|rule| rule.host.as_str());
    let aliases = ingress.annotations.aliases.iter().map(String::as_str);
    rules.chain(aliases).collect()
}
