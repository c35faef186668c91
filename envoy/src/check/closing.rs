//! What is said to be honoured, taken back where it is not: a list that cannot be read, an authorizer that
//! nobody is sent to, copies that nobody gets.

use std::collections::BTreeSet;

use super::alternatives;
use super::annotations::{Judged, Verdict};
use super::finding::{Finding, LOSS, Level};
use super::settings::JudgedKey;
use crate::clusters::Cluster;
use crate::compiled::Compiled;
use crate::render::served::Served;

/// What is not honoured: the Ingress, `namespace/name`, `None` for the ConfigMap, and the annotation or the key.
pub(super) type NotHonoured = BTreeSet<(Option<String>, String)>;

/// The codes of findings on what has no effect, or closes its paths.
const CODES: [&str; 3] = ["refused", "off-limits", LOSS];

/// What findings say so of.
pub(super) fn said(findings: &[Finding]) -> NotHonoured {
    let grave = findings.iter().filter(|one| one.level > Level::Note);
    let grave = grave.filter(|one| CODES.contains(&one.code));
    let all = grave.map(|one| (one.ingress.clone(), one.field.clone()));
    all.collect()
}

/// What resources leave out, as notes say: `refused` authorizers, copies to those whom nobody reaches, and what
/// Secrets say.
pub(super) fn rendered<'c>(
    compiled: &Compiled<'_>,
    served: &Served<'_>,
    refused: impl Iterator<Item = &'c Cluster>,
) -> NotHonoured {
    let asked = refused.flat_map(|cluster| {
        let named = cluster.named_by.iter().map(|id| of(id, "auth-url"));
        let global = cluster.named_by.is_empty();
        named.chain(global.then(|| (None, "global-auth-url".to_owned())))
    });
    let copies = served.without_copies().iter();
    let copies = copies.map(|id| of(id, "mirror-target"));
    let pods = compiled.upstream_tls.closed.iter();
    let pods = pods.flat_map(|id| TOWARD_PODS.iter().map(|name| of(id, name)));
    let users = compiled.without_users.iter();
    let users = users.map(|id| of(id, "auth-secret"));
    asked.chain(copies).chain(pods).chain(users).collect()
}

/// What is said of TLS toward pods; the others go with the first.
const TOWARD_PODS: [&str; 5] = [
    "proxy-ssl-secret",
    "proxy-ssl-name",
    "proxy-ssl-server-name",
    "proxy-ssl-ciphers",
    "proxy-ssl-protocols",
];

fn of(id: &str, annotation: &str) -> (Option<String>, String) {
    (Some(id.to_owned()), annotation.to_owned())
}

/// Takes back what is said of them, and of what goes with them.
pub(super) fn take_back(judged: &mut [Judged], keys: &mut [JudgedKey], not_honoured: &NotHonoured) {
    let is_one = |ingress: Option<&String>, name: &str| {
        let is_it = |name: &str| not_honoured.contains(&(ingress.cloned(), name.to_owned()));
        is_it(name) || alternatives::heads_of(name).any(is_it)
    };
    let annotations = judged.iter_mut().map(|one| {
        let is_one = is_one(Some(&one.ingress), &one.annotation);
        (is_one, &mut one.verdict, &mut one.difference)
    });
    let keys = keys.iter_mut().map(|one| {
        let is_one = is_one(None, &one.key);
        (is_one, &mut one.verdict, &mut one.difference)
    });
    for (is_one, verdict, difference) in annotations.chain(keys) {
        if is_one && [Verdict::Honoured, Verdict::Differs].contains(verdict) {
            *verdict = Verdict::Refused;
            *difference = "";
        }
    }
}

#[cfg(test)]
mod tests;
