//! What the module itself says when it reads these manifests.

use limpet::remark::{Effect, Field, Problem, Remark};

use super::finding::{Finding, VALIDATION};
use super::view::{Ingress, PREFIX, annotation_pointer};
use crate::manifests::Manifests;
use crate::plugin_config::{EndpointSource, Options, Report, plugin_config};

/// What the lints have said already, better.
const SAID: [&str; 5] = [
    "elsewhere",
    "retired",
    "unknown",
    "canary-alone",
    "other-class",
];

/// The same, for what the module tells but does not refuse.
const SAID_AS_NOTE: [&str; 2] = ["shared-service", "cookie-path-attributes"];

/// The module's own remarks, each with its place, but for what `said` says already.
///
/// A value that only the validation of ingress-nginx 1.15 refuses is a note; with `strict` it is
/// refused here too.
pub(super) fn run(
    manifests: &Manifests,
    ingresses: &[Ingress<'_>],
    said: &[Finding],
    strict: bool,
) -> Vec<Finding> {
    let all: Vec<Finding> = remarks(manifests, strict)
        .iter()
        .filter(|remark| !is_said(said, remark))
        .map(|remark| finding(ingresses, remark))
        .collect();
    let (tolerated, mut findings): (Vec<Finding>, Vec<Finding>) = all
        .into_iter()
        .partition(|finding| finding.code == VALIDATION);
    // A value of which there is more to say is not simply accepted.
    let alone = |finding: &Finding| {
        let mut others = said.iter().chain(&findings);
        !others.any(|other| is_about_the_same(other, finding))
    };
    let alone: Vec<Finding> = tolerated.into_iter().filter(alone).collect();
    findings.extend(alone);
    findings
}

fn is_about_the_same(one: &Finding, other: &Finding) -> bool {
    (&one.ingress, &one.field, &one.value) == (&other.ingress, &other.field, &other.value)
}

fn is_said(said: &[Finding], remark: &Remark) -> bool {
    let drops_all = remark.effect == Effect::Ingress && remark.field != Field::Class;
    let says_it =
        |other: &Finding| SAID.contains(&other.code) || SAID_AS_NOTE.contains(&other.code);
    !drops_all
        && said.iter().any(|other| {
            says_it(other) && other.ingress == remark.ingress && other.field == remark.field.name()
        })
}

fn remarks(manifests: &Manifests, strict: bool) -> Vec<Remark> {
    let options = Options {
        endpoints: EndpointSource::Discovery,
        report: Report::Off,
        strict,
        unmatched_is_not_found: false,
        one_virtual_host: false,
    };
    let text = plugin_config(manifests, &[], options).to_string();
    match limpet::policy::read(text.as_bytes()) {
        Ok((_, remarks)) => remarks,
        Err(error) => {
            let problem = Problem::Unreadable(error.to_string());
            vec![Remark::key(
                "ingresses",
                None,
                problem,
                Effect::Configuration,
            )]
        }
    }
}

fn finding(ingresses: &[Ingress<'_>], remark: &Remark) -> Finding {
    let mut ingresses = ingresses.iter();
    let ingress = ingresses.find(|ingress| Some(&ingress.id) == remark.ingress.as_ref());
    let (file, line) = ingress.map_or_else(Default::default, |ingress| {
        (ingress.object.origin.file.clone(), line(ingress, remark))
    });
    Finding::of(remark, file, line)
}

/// The line of what the remark is on, or of what stands around it.
fn line(ingress: &Ingress<'_>, remark: &Remark) -> u64 {
    let value = remark.value.as_deref().unwrap_or_default();
    let pointer = match &remark.field {
        Field::Annotation(name) if name.contains('/') => annotation_pointer("", name),
        Field::Annotation(name) => annotation_pointer(PREFIX, name),
        Field::Path => {
            let path = ingress.paths.iter().find(|path| path.path == value);
            path.map_or_else(String::new, |path| path.pointer.clone())
        }
        Field::Backend => {
            let mut paths = ingress.paths.iter();
            let path = paths.find(|path| path.service.as_ref().is_some_and(|s| s.key() == value));
            path.map_or_else(String::new, |path| path.pointer.clone())
        }
        Field::Class => "/spec/ingressClassName".to_owned(),
        Field::Name => "/metadata/name".to_owned(),
        Field::Key(_) => String::new(),
    };
    ingress.object.line_of(&pointer)
}
