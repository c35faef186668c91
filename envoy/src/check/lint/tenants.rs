//! What an Ingress does to the hosts of others. It works as under ingress-nginx, where every
//! namespace may write for every host; whoever runs the proxy should know of it.

use std::collections::BTreeSet;

use crate::certificates::{self, Certificates, Refused, certificates};
use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::taken::TakenIngress;

/// Everything of that kind, in no order.
#[must_use]
pub(crate) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let all = certificates(compiled);
    let mut findings: Vec<Finding> = all.refused.iter().map(refused).collect();
    findings.extend(certificates_of_others(compiled, &all));
    for ingress in &compiled.ingresses {
        if ingress.annotations.canary.is_some() {
            findings.extend(canary_of_others(compiled, ingress));
        } else {
            findings.extend(alias_of_others(compiled, ingress));
        }
    }
    findings
}

/// An Ingress by its name and place.
fn with_place(ingress: &TakenIngress<'_>) -> String {
    format!("ingress {} ({})", ingress.id(), ingress.object.place())
}

fn refused(refused: &Refused<'_>) -> Finding {
    let pointer = certificates::pointer(refused.entry);
    let place = Place::at(refused.ingress.object, &pointer, "tls");
    let host = &refused.host;
    let (expected, consequence) = match refused.older {
        Some(older) => (
            format!(
                "asks for another certificate for host {host:?} than {}, which is older",
                with_place(older)
            ),
            "what the older one says counts, as under ingress-nginx",
        ),
        None => (
            format!("lists host {host:?}, for which the Ingress has no rule"),
            "the host gets no certificate from here, as under ingress-nginx",
        ),
    };
    Finding::new(Level::Note, "certificate", &place, expected, consequence)
}

/// Who has a host, and another namespace's certificate for it.
fn certificates_of_others(compiled: &Compiled<'_>, all: &Certificates<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for certificate in &all.serving {
        for host in &certificate.hosts {
            let Some(first) = ruling(compiled, host).next() else {
                continue;
            };
            if !is_elsewhere(first, certificate.ingress) {
                continue;
            }
            let pointer = certificates::pointer(certificate.entry);
            findings.push(Finding::new(
                Level::Note,
                "certificate",
                &Place::at(certificate.ingress.object, &pointer, "tls"),
                format!(
                    "gives host {host:?} the certificate of another namespace than {}, which had \
                     the host first",
                    with_place(first)
                ),
                "it serves, as under ingress-nginx",
            ));
        }
    }
    findings
}

/// The primaries with a rule for `host`, the oldest first.
fn ruling<'c>(
    compiled: &'c Compiled<'_>,
    host: &str,
) -> impl Iterator<Item = &'c TakenIngress<'c>> {
    let ingresses = compiled.ingresses.iter();
    ingresses.filter(move |one| {
        let mut rules = one.ingress.rules.iter();
        one.annotations.canary.is_none() && rules.any(|rule| rule.host.eq_ignore_ascii_case(host))
    })
}

fn is_elsewhere(a: &TakenIngress<'_>, b: &TakenIngress<'_>) -> bool {
    a.ingress.namespace != b.ingress.namespace
}

/// Source: `mergeAlternativeBackends`, `internal/ingress/controller/controller.go`, ingress-nginx
/// dbb11b92d: whose the location is does not matter.
fn canary_of_others(compiled: &Compiled<'_>, canary: &TakenIngress<'_>) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for path in canary.paths() {
        let owner = ruling(compiled, path.host).find(|one| {
            let mut paths = one.paths();
            paths.any(|own| own.host == path.host && own.path.path == path.path.path)
        });
        let Some(owner) = owner.filter(|owner| is_elsewhere(owner, canary)) else {
            continue;
        };
        if told.insert(owner.id()) {
            findings.push(Finding::new(
                Level::Note,
                "canary-of-others",
                &Place::annotation(canary.object, "canary"),
                format!(
                    "takes requests for path {:?} of host {:?} from {}, in another namespace",
                    path.path.path,
                    path.host,
                    with_place(owner)
                ),
                "it gets them, as under ingress-nginx",
            ));
        }
    }
    findings
}

/// An alias that another namespace has a rule for, itself or by the wildcard above it.
fn alias_of_others(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for alias in &ingress.annotations.aliases {
        let wildcard = alias.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let named = ruling(compiled, alias).next();
        let (owner, what, consequence) = match (named, wildcard) {
            (Some(owner), _) => (
                Some(owner),
                "",
                "its rules count and the alias has no effect, as under ingress-nginx",
            ),
            (None, Some(wildcard)) => (
                ruling(compiled, &wildcard).next(),
                " by a wildcard",
                "the alias takes the host, as under ingress-nginx",
            ),
            (None, None) => (None, "", ""),
        };
        if let Some(owner) = owner.filter(|owner| is_elsewhere(owner, ingress)) {
            findings.push(Finding::new(
                Level::Note,
                "alias-of-others",
                &Place::annotation(ingress.object, "server-alias"),
                format!(
                    "names host {alias:?}, which {} has{what}, in another namespace",
                    with_place(owner)
                ),
                consequence,
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
