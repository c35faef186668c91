//! Paths, rewrites and redirects.

use super::pattern::{groups, highest_capture};
use super::turned_by;
use crate::check::finding::{Finding, Level};
use crate::check::view::{Ingress, Path};

pub(super) fn run(ingresses: &[Ingress<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ingress in ingresses {
        findings.extend(rewrite_to_a_constant(ingress));
        findings.extend(missing_capture(ingress));
        findings.extend(prefix_header_without_rewrite(ingress));
        findings.extend(https_without_tls(ingress));
        let changed = ingress.paths.iter();
        findings
            .extend(changed.filter_map(|path| changed_by_a_neighbour(ingresses, ingress, path)));
    }
    findings
}

/// A path whose meaning changed because another Ingress turned the host regex.
fn changed_by_a_neighbour(
    ingresses: &[Ingress<'_>],
    ingress: &Ingress<'_>,
    path: &Path,
) -> Option<Finding> {
    if ingress.asks_for_regex() || path.path == "/" {
        return None;
    }
    let by = turned_by(ingresses, &path.host)?;
    let which = match by.asks_for_regex() && by.says_true("use-regex") {
        true => "use-regex",
        false => "rewrite-target",
    };
    Some(
        Finding::at(
            (Level::Note, "regex-host"),
            ingress,
            (&path.pointer, "path"),
            format!(
                "({}) became a regex without upper and lower case: {} of ingress {} turns every \
                 path of host {:?} into one",
                path.path_type, which, by.id, path.host
            ),
            format!(
                "every path that begins like {:?} comes here, as under ingress-nginx",
                path.path
            ),
        )
        .help(format!("to mean the whole path, write {}$", path.path)),
    )
}

fn rewrite_to_a_constant(ingress: &Ingress<'_>) -> Option<Finding> {
    let target = ingress.annotation("rewrite-target")?;
    let is_constant = !target.is_empty() && !target.contains('$') && !target.contains("://");
    let below = ingress.paths.iter().any(|path| path.path_type != "Exact");
    (is_constant && below).then(|| {
        Finding::annotation(
            (Level::Note, "rewrite-root"),
            ingress,
            "rewrite-target",
            "captures nothing of the path",
            format!("every request below is sent as {target}, images and scripts too, as under ingress-nginx since 0.22"),
        )
        .help("to keep the rest of the path, write the path as /app(/|$)(.*) and the target as /$2")
    })
}

fn missing_capture(ingress: &Ingress<'_>) -> Option<Finding> {
    let target = ingress.annotation("rewrite-target")?;
    let wanted = highest_capture(target);
    let short = ingress
        .paths
        .iter()
        .find(|path| groups(&path.path) < wanted)?;
    Some(Finding::annotation(
        (Level::Note, "missing-capture"),
        ingress,
        "rewrite-target",
        format!(
            "names ${wanted}, and path {:?} captures {}",
            short.path,
            groups(&short.path)
        ),
        "what is not captured is empty, as under ingress-nginx",
    ))
}

fn prefix_header_without_rewrite(ingress: &Ingress<'_>) -> Option<Finding> {
    ingress.annotation("x-forwarded-prefix")?;
    let rewrites = ingress
        .annotation("rewrite-target")
        .is_some_and(|target| !target.is_empty());
    (!rewrites).then(|| {
        Finding::annotation(
            (Level::Note, "no-rewrite"),
            ingress,
            "x-forwarded-prefix",
            "has an effect beside rewrite-target only",
            "no X-Forwarded-Prefix is sent, as under ingress-nginx",
        )
    })
}

/// ingress-nginx always listens on 443, with a certificate of its own if there is no other.
fn https_without_tls(ingress: &Ingress<'_>) -> Option<Finding> {
    let host = ingress
        .paths
        .iter()
        .map(|path| &path.host)
        .find(|host| !ingress.has_tls(host))?;
    ingress.says_true("force-ssl-redirect").then(|| {
        Finding::annotation(
            (Level::Warning, "https-listener"),
            ingress,
            "force-ssl-redirect",
            format!("sends host {host:?} to https, and no tls section covers it"),
            "nobody answers on 443 unless you add a listener; ingress-nginx did, with its own certificate",
        )
        .help("where TLS ends in front of the proxy, set trust_forwarded_proto (ingress-nginx: use-forwarded-headers)")
    })
}
