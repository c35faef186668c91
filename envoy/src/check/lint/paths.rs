//! Paths, rewrites and redirects.

use super::neighbours::turned_by;
use crate::check::finding::{Finding, Level, Place};
use crate::check::platform::Platform;
use crate::compiled::Compiled;
use crate::rewrite_target::{groups, highest_capture, without_a_slash};
use crate::taken::{TakenIngress, TakenPath};

pub(super) fn run(compiled: &Compiled<'_>, on: Option<Platform>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ingress in &compiled.ingresses {
        // On the others it is of what is not rendered.
        if matches!(on, None | Some(Platform::Envoy)) {
            findings.extend(rewrite_without_a_slash(ingress));
        }
        findings.extend(rewrite_to_a_constant(ingress));
        findings.extend(missing_capture(ingress));
        findings.extend(prefix_header_without_rewrite(ingress));
        let paths = ingress.paths();
        findings.extend(paths.filter_map(|path| changed_by_a_neighbour(compiled, ingress, &path)));
    }
    findings
}

/// A path whose meaning changed because another Ingress turned the host regex.
fn changed_by_a_neighbour(
    compiled: &Compiled<'_>,
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
) -> Option<Finding> {
    let text = &path.path.path;
    if ingress.annotations.rewrite.asks_for_regex() || text == "/" {
        return None;
    }
    let by = turned_by(compiled, path.host)?;
    let which = if by.annotations.rewrite.use_regex {
        "use-regex"
    } else {
        "rewrite-target"
    };
    let path_type = ingress.object.text(&format!("{}/pathType", path.pointer));
    let finding = Finding::new(
        Level::Note,
        "regex-host",
        &Place::at(ingress.object, &path.text_pointer(), "path"),
        format!(
            "({}) became a regex without upper and lower case: {which} of ingress {} turns every \
             path of host {:?} into one",
            path_type.unwrap_or_default(),
            by.id(),
            path.host
        ),
        format!("every path that begins like {text:?} comes here, as under ingress-nginx"),
    );
    Some(finding.help(format!("to mean the whole path, write {text}$")))
}

fn rewrite_to_a_constant(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let target = &ingress.annotations.rewrite.target;
    let is_constant = !target.is_empty() && !target.contains('$') && !target.contains("://");
    let below = ingress.paths().any(|path| !path.path.exact);
    (is_constant && below).then(|| {
        Finding::new(
            Level::Note,
            "rewrite-root",
            &Place::annotation(ingress.object, "rewrite-target"),
            "captures nothing of the path",
            format!("every request below is sent as {target}, images and scripts too, as under ingress-nginx since 0.22"),
        )
        .help("to keep the rest of the path, write the path as /app(/|$)(.*) and the target as /$2")
    })
}

fn rewrite_without_a_slash(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let what = without_a_slash(ingress)?;
    let finding = Finding::new(
        Level::Note,
        "rewrite-without-slash",
        &Place::annotation(ingress.object, "rewrite-target"),
        what,
        "pods are sent that path as it is, as under ingress-nginx, and most of them answer 400; on Istio and Envoy Gateway it is 404",
    );
    Some(finding.help("write a slash before it"))
}

fn missing_capture(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let wanted = highest_capture(&ingress.annotations.rewrite.target);
    let mut paths = ingress.paths().map(|path| &path.path.path);
    let short = paths.find(|path| groups(path) < wanted)?;
    Some(Finding::new(
        Level::Note,
        "missing-capture",
        &Place::annotation(ingress.object, "rewrite-target"),
        format!(
            "names ${wanted}, and path {short:?} captures {}",
            groups(short)
        ),
        "what is not captured is empty, as under ingress-nginx",
    ))
}

fn prefix_header_without_rewrite(ingress: &TakenIngress<'_>) -> Option<Finding> {
    ingress.annotation("x-forwarded-prefix")?;
    ingress.annotations.rewrite.target.is_empty().then(|| {
        Finding::new(
            Level::Note,
            "no-rewrite",
            &Place::annotation(ingress.object, "x-forwarded-prefix"),
            "has an effect beside rewrite-target only",
            "no X-Forwarded-Prefix is sent, as under ingress-nginx",
        )
    })
}
