//! What the module itself says when it reads these manifests.

use std::collections::{HashMap, HashSet};

use limpet::ingress::Path;
use limpet::remark::{Effect, Field, Problem, Remark};

use super::finding::{ELSEWHERE, Finding, VALIDATION};
use crate::clusters::ServicePort;
use crate::manifests::{Manifests, Object, annotation_pointer};
use crate::taken::paths;

/// What the lints have said already, better.
const SAID: [&str; 6] = [
    "retired",
    "unknown",
    "canary-alone",
    "other-class",
    "unknown-class",
    "wrong-prefix",
];

/// The same, for what the module tells but does not refuse.
const SAID_AS_NOTE: [&str; 2] = ["shared-service", "cookie-path-attributes"];

/// The module's own remarks, each with its place, but for what `said` says already.
///
/// A value that only the validation of ingress-nginx 1.15 refuses is a note; with `strict` it is
/// refused here too.
pub(super) fn run(manifests: &Manifests, remarks: &[Remark], said: &[Finding]) -> Vec<Finding> {
    let mut objects: HashMap<String, &Object> = HashMap::new();
    for object in &manifests.ingresses {
        objects.entry(object.id()).or_insert(object);
    }
    let mut by_field: HashMap<(Option<&str>, &str), Vec<&Finding>> = HashMap::new();
    for one in said {
        let of = (one.ingress.as_deref(), one.field.as_str());
        by_field.entry(of).or_default().push(one);
    }
    let all: Vec<Finding> = remarks
        .iter()
        // What limpet leaves to others is told, or is none, by its job, users by what they lose; an
        // object without a name with its line.
        .filter(|remark| {
            !matches!(
                remark.problem,
                Problem::NotAlone { .. }
                    | Problem::NotHonoured { .. }
                    | Problem::Nameless
                    | Problem::CostlyUsers { .. }
            )
        })
        .filter(|remark| {
            let of = (remark.ingress.as_deref(), remark.field.name());
            !by_field.get(&of).is_some_and(|said| is_said(said, remark))
        })
        .map(|remark| {
            let ingress = remark.ingress.as_deref();
            let object = match setting(remark) {
                Some(_) => manifests.config_map(),
                None => ingress.and_then(|id| objects.get(id).copied()),
            };
            finding(object, remark)
        })
        .collect();
    let (tolerated, mut findings): (Vec<Finding>, Vec<Finding>) = all
        .into_iter()
        .partition(|finding| finding.code == VALIDATION);
    // A value of which there is more to say is not simply accepted.
    let others = said.iter().chain(&findings);
    let others: HashSet<_> = others.map(subject).collect();
    let alone = |finding: &Finding| !others.contains(&subject(finding));
    let alone: Vec<Finding> = tolerated.into_iter().filter(alone).collect();
    findings.extend(alone);
    findings
}

/// What a finding is about.
fn subject(finding: &Finding) -> (Option<String>, String, Option<String>) {
    let Finding {
        ingress,
        field,
        value,
        ..
    } = finding;
    (ingress.clone(), field.clone(), value.clone())
}

/// `said`: of the same Ingress and field.
fn is_said(said: &[&Finding], remark: &Remark) -> bool {
    let drops_all = remark.effect == Effect::Ingress && remark.field != Field::Class;
    let says_it = |other: &Finding| match other.code {
        ELSEWHERE => remark.effect != Effect::Path,
        code => SAID.contains(&code) || SAID_AS_NOTE.contains(&code),
    };
    !drops_all && said.iter().any(|other| says_it(other))
}

fn finding(object: Option<&Object>, remark: &Remark) -> Finding {
    let (file, line) = object.map_or_else(Default::default, |object| {
        (object.origin.file.clone(), line(object, remark))
    });
    Finding::of(remark, file, line)
}

/// The key of ingress-nginx's ConfigMap that a remark is on.
fn setting(remark: &Remark) -> Option<&str> {
    match &remark.field {
        Field::Key(key) => key.strip_prefix("config_map."),
        _ => None,
    }
}

/// The line of what the remark is on, or of what stands around it.
fn line(object: &Object, remark: &Remark) -> u64 {
    let value = remark.value.as_deref().unwrap_or_default();
    let pointer = match &remark.field {
        Field::Annotation(name) if name.contains('/') => annotation_pointer(name),
        Field::Annotation(name) => object.own_pointer(name),
        Field::Path => path_pointer(object, |_, path| path.path == value),
        Field::Backend => path_pointer(object, |namespace, path| {
            let backend = path.backend.as_ref();
            let named = backend.and_then(|backend| ServicePort::named(namespace, backend));
            named.is_some_and(|named| named.key() == value)
        }),
        Field::Class => "/spec/ingressClassName".to_owned(),
        Field::Name => "/metadata/name".to_owned(),
        Field::Key(_) => format!("/data/{}", setting(remark).unwrap_or_default()),
    };
    object.line_of(&pointer)
}

/// The JSON pointer of the first path that is meant; empty: there is none.
fn path_pointer(object: &Object, is_it: impl Fn(&str, &Path) -> bool) -> String {
    let ingress = object.ingress().unwrap_or_default();
    let mut paths = paths(&ingress);
    let path = paths.find(|path| is_it(&ingress.namespace, path.path));
    path.map_or_else(String::new, |path| path.text_pointer())
}
