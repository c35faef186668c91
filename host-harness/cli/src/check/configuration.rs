//! What the module itself says when it reads these manifests.

use limpet::warning::Warning;

use super::finding::{Finding, Level};
use super::view::{Ingress, PREFIX, annotation_pointer};
use crate::manifests::{Manifests, Object};
use crate::plugin_config::{EndpointSource, Options, Report, plugin_config};

/// The module's own remarks, each with its place.
///
/// A remark that only ingress-nginx 1.15's validation makes is a note, unless `strict` asks for it.
pub(super) fn run(manifests: &Manifests, ingresses: &[Ingress<'_>], strict: bool) -> Vec<Finding> {
    let lenient = warnings(manifests, false);
    let mut findings = Vec::new();
    for warning in warnings(manifests, true) {
        let always = lenient.iter().any(|other| same_place(other, &warning));
        let mut finding = finding(ingresses, &warning);
        if !always && !strict {
            finding.level = Level::Note;
            finding.code = "validation";
            finding.expected = "is refused by ingress-nginx 1.15 by default".to_owned();
            finding.consequence =
                "limpet takes it, as older controllers did, unless `strict` is set".to_owned();
        }
        findings.push(finding);
    }
    findings
}

fn same_place(a: &Warning, b: &Warning) -> bool {
    (&a.ingress, &a.field, &a.value) == (&b.ingress, &b.field, &b.value)
}

fn warnings(manifests: &Manifests, strict: bool) -> Vec<Warning> {
    let options = Options {
        endpoints: EndpointSource::Discovery,
        report: Report::Off,
        strict,
        unmatched_is_not_found: false,
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
    let (expected, consequence) = warning.text.split_once("; ").unwrap_or((&warning.text, ""));
    Finding {
        level: Level::Warning,
        code: "refused",
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
