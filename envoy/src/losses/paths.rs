//! The paths beside which something was lost: whoever keeps somebody out there now may go by them.

use std::collections::BTreeSet;

use limpet::protection::Protection;
use limpet::route::VirtualHost;

use crate::check::{Finding, goes_by_path};
use crate::compiled::Compiled;
use crate::inert;
use crate::taken::TakenIngress;

/// What `protect` gets.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Hosts with paths.
    pub(super) prefixes: Vec<String>,
    /// Paths that no prefix can stand for: the operator knows the rules.
    pub(super) unnamed: BTreeSet<String>,
}

/// All paths of the hosts of the Ingresses whose losses `accepted` are. Those of other Ingresses
/// too: where a rule is about the rest of a host, they are what it does not cover.
pub(super) fn of(compiled: &Compiled<'_>, accepted: &[&Finding]) -> Paths {
    let by_path = accepted.iter().filter(|loss| goes_by_path(&loss.field));
    let mut paths = Paths::default();
    if by_path.clone().any(|loss| loss.ingress.is_none()) {
        let text = "whatever a rule for all hosts is about or leaves out";
        paths.unnamed.insert(text.to_owned());
    }
    let is_accepted = |ingress: &&TakenIngress<'_>| {
        let mut by_path = by_path.clone();
        by_path.any(|loss| loss.ingress.as_deref() == Some(ingress.id()))
    };
    let hosts = compiled.ingresses.iter().filter(is_accepted);
    let hosts = hosts.flat_map(|ingress| {
        let aliases = ingress.annotations.aliases.iter().map(String::as_str);
        ingress.paths().map(|path| path.host).chain(aliases)
    });
    for host in hosts.collect::<BTreeSet<_>>() {
        match compiled.virtual_host(host) {
            Some(known) => paths.add(host, known),
            None => drop(paths.unnamed.insert(inert::line(host))),
        }
    }
    paths
}

impl Paths {
    /// Adds those of a host; a rule on all of it needs none.
    fn add(&mut self, host: &str, known: &VirtualHost) {
        let of_ingresses = known.locations.iter().filter(|one| !one.ingress.is_empty());
        let texts: BTreeSet<&str> = of_ingresses.map(|one| one.path.as_str()).collect();
        let texts: Vec<&str> = texts.into_iter().filter(|path| *path != "/").collect();
        for text in &texts {
            let prefix = format!("{host}{text}");
            let mut all = self.prefixes.clone();
            all.push(prefix.clone());
            // It may refuse no path that an Ingress names.
            let is_fit = |protection: Protection| {
                let host = Some(host.as_bytes());
                let mut texts = texts.iter();
                texts.all(|text| !protection.is_ambiguous(host, text.as_bytes()))
            };
            let is_prefix = !host.is_empty() && !known.is_regex;
            if is_prefix && Protection::read(&all).is_ok_and(is_fit) {
                self.prefixes = all;
            } else {
                self.unnamed.insert(inert::line(&prefix));
            }
        }
    }
}
