//! What the module itself says when it reads these manifests.

use limpet::warning::Warning;

use super::finding::{Finding, Level};
use super::view::{Ingress, PREFIX, annotation_pointer};
use crate::manifests::{Manifests, Object};
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

/// The code of a value that only the validation of ingress-nginx 1.15 refuses.
const VALIDATION: &str = "validation";

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
    let all: Vec<Finding> = warnings(manifests, strict)
        .iter()
        .map(|warning| finding(ingresses, warning))
        .filter(|finding| !is_said(said, finding))
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

fn is_said(said: &[Finding], finding: &Finding) -> bool {
    let drops_all = finding.consequence.contains("whole Ingress");
    let says_it =
        |other: &Finding| SAID.contains(&other.code) || SAID_AS_NOTE.contains(&other.code);
    !drops_all
        && said.iter().any(|other| {
            says_it(other) && (&other.ingress, &other.field) == (&finding.ingress, &finding.field)
        })
}

fn warnings(manifests: &Manifests, strict: bool) -> Vec<Warning> {
    let options = Options {
        endpoints: EndpointSource::Discovery,
        report: Report::Off,
        strict,
        unmatched_is_not_found: false,
        one_virtual_host: false,
    };
    let text = plugin_config(manifests, &[], options).to_string();
    match limpet::config::read(text.as_bytes()) {
        Ok((config, mut warnings)) => {
            warnings.extend(limpet::policy::compile(&config).1);
            warnings
        }
        Err(error) => vec![Warning::config("ingresses", None, error.to_string())],
    }
}

fn finding(ingresses: &[Ingress<'_>], warning: &Warning) -> Finding {
    let ingress = ingresses
        .iter()
        .find(|ingress| Some(&ingress.id) == warning.ingress.as_ref());
    let (file, line) = ingress.map_or_else(Default::default, |ingress| {
        (ingress.object.origin.file.clone(), line(ingress, warning))
    });
    let tolerated = warning.text.ends_with("accepted here, strict would not");
    let (level, code) = match (tolerated, warning.is_as_before()) {
        (true, _) => (Level::Note, VALIDATION),
        (false, true) => (Level::Note, "as-before"),
        (false, false) => (Level::Warning, "refused"),
    };
    let (expected, consequence) = (warning.text.split_once("; "))
        .or_else(|| warning.text.split_once(": "))
        .unwrap_or((&warning.text, "it works otherwise than written"));
    Finding {
        level,
        code,
        file,
        line,
        ingress: warning.ingress.clone(),
        field: warning.field.clone(),
        value: warning.value.clone(),
        expected: expected.to_owned(),
        consequence: consequence.to_owned(),
        help: Vec::new(),
    }
}

/// The line of the annotation, or of the path, that the warning is about.
fn line(ingress: &Ingress<'_>, warning: &Warning) -> u64 {
    if ingress.annotation(&warning.field).is_some() {
        return ingress.annotation_line(&warning.field);
    }
    let is_path = |text: &str| text == warning.field || warning.value.as_deref() == Some(text);
    match ingress.paths.iter().find(|path| is_path(&path.path)) {
        Some(path) => ingress.object.line_of(&path.pointer),
        None => nearest(ingress.object, &warning.field),
    }
}

fn nearest(object: &Object, field: &str) -> u64 {
    match field.contains('/') {
        true => object.origin.line,
        false => object.line_of(&annotation_pointer(PREFIX, field)),
    }
}
