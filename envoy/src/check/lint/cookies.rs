//! Session cookies that do not reach the browser, or do not come back.

use super::pattern::{is_regex, literal_prefix};
use super::{decides, is_regex_host};
use crate::check::finding::{Finding, Level};
use crate::check::view::{Ingress, Path};
use crate::manifests::Manifests;

pub(super) fn run(manifests: &Manifests, ingresses: &[Ingress<'_>]) -> Vec<Finding> {
    // Cookies are written in one format then, whatever the annotations say.
    let format_is_given = ["cookie_format", "cookie_keys"]
        .iter()
        .any(|key| manifests.given.contains_key(*key));
    let mut findings = Vec::new();
    for ingress in ingresses {
        if !ingress.has_affinity() {
            findings.extend(attributes_without_affinity(ingress));
            continue;
        }
        if !format_is_given {
            findings.extend(digest_beside_ingress_nginx(ingress));
        }
        findings.extend(same_site_none(ingress));
        findings.extend(attributes_in_the_path(ingress));
        findings.extend(hash_by_beside_affinity(ingress));
        for path in &ingress.paths {
            let regex = is_regex_host(ingresses, &path.host);
            let given = decides(ingresses, ingress, path).annotation("session-cookie-path");
            findings.extend(match given.filter(|given| !given.is_empty()) {
                Some(given) => cookie_path_beside_the_path(ingress, (path, given), regex),
                None => regex_as_cookie_path(ingress, path, regex),
            });
        }
    }
    findings
}

fn attributes_without_affinity(ingress: &Ingress<'_>) -> Vec<Finding> {
    let about_cookies = |name: &str| name.starts_with("session-cookie-") || name == "affinity-mode";
    ingress
        .annotations()
        .filter(|(name, _)| about_cookies(name) && ingress.annotation("affinity").is_none())
        .map(|(name, _)| {
            Finding::annotation(
                (Level::Note, "no-affinity"),
                ingress,
                name,
                "has an effect beside affinity: cookie only",
                "no session is kept, as under ingress-nginx",
            )
            .help("add nginx.ingress.kubernetes.io/affinity: cookie")
        })
        .collect()
}

/// ingress-nginx 0.24 dropped the annotation: one that runs beside limpet writes another value.
fn digest_beside_ingress_nginx(ingress: &Ingress<'_>) -> Option<Finding> {
    let hash = ingress.annotation("session-cookie-hash")?;
    let without_mode = ingress.annotation("affinity-mode").is_none();
    without_mode.then(|| {
        Finding::annotation(
            (Level::Warning, "hash-beside-nginx"),
            ingress,
            "session-cookie-hash",
            "is ignored by ingress-nginx since 0.24",
            format!("limpet writes {hash} cookies, which such an ingress-nginx beside it does not understand"),
        )
        .help("to move side by side, put cookie_format: key into the file of --config; limpet reads both formats always")
    })
}

fn same_site_none(ingress: &Ingress<'_>) -> Option<Finding> {
    let none = ingress.annotation("session-cookie-samesite") == Some("None");
    let plain = ingress
        .paths
        .iter()
        .any(|path| !ingress.has_tls(&path.host));
    (none && plain && !ingress.says_true("session-cookie-secure")).then(|| {
        Finding::annotation(
            (Level::Note, "samesite-none"),
            ingress,
            "session-cookie-samesite",
            "needs Secure, and over http the cookie has none",
            "browsers throw the cookie away, as under ingress-nginx",
        )
        .help("add session-cookie-secure: \"true\"")
    })
}

fn attributes_in_the_path(ingress: &Ingress<'_>) -> Option<Finding> {
    let path = ingress.annotation("session-cookie-path")?;
    path.contains(';').then(|| {
        Finding::annotation(
            (Level::Note, "cookie-path-attributes"),
            ingress,
            "session-cookie-path",
            "carries more than a path",
            "every controller since 1.9 refuses it under annotation validation",
        )
        .help("write session-cookie-secure: \"true\" instead")
    })
}

fn hash_by_beside_affinity(ingress: &Ingress<'_>) -> Option<Finding> {
    ingress.annotation("upstream-hash-by").map(|_| {
        Finding::annotation(
            (Level::Note, "hash-by-unused"),
            ingress,
            "upstream-hash-by",
            "has no effect beside affinity",
            "the cookie decides, as under ingress-nginx",
        )
    })
}

fn regex_as_cookie_path(ingress: &Ingress<'_>, path: &Path, regex: bool) -> Option<Finding> {
    (regex && is_regex(&path.path)).then(|| {
        Finding::at(
            (Level::Note, "regex-cookie-path"),
            ingress,
            (&path.pointer, "path"),
            "is a regex, and without session-cookie-path it becomes the cookie's Path",
            "browsers never send the cookie back, as under ingress-nginx",
        )
        .help(format!(
            "add session-cookie-path: {}",
            literal_prefix(&path.path)
        ))
    })
}

/// A cookie path that does not cover the location: who enters there has no session.
fn cookie_path_beside_the_path(
    ingress: &Ingress<'_>,
    (path, cookie_path): (&Path, &str),
    regex: bool,
) -> Option<Finding> {
    let covered = match regex && is_regex(&path.path) {
        true => {
            let literal = literal_prefix(&path.path);
            literal.starts_with(cookie_path) || cookie_path.starts_with(literal)
        }
        false => covers(cookie_path, &path.path),
    };
    (!covered && !cookie_path.contains(';')).then(|| {
        Finding::at(
            (Level::Note, "cookie-path"),
            ingress,
            (&path.pointer, "path"),
            format!("is not below session-cookie-path {cookie_path:?}"),
            "browsers do not send the cookie there, and every answer from there replaces it, as under ingress-nginx",
        )
    })
}

/// Whether a cookie of path `cookie_path` is sent to `path`.
///
/// Source: RFC 6265, section 5.1.4.
pub(super) fn covers(cookie_path: &str, path: &str) -> bool {
    let rest = path.strip_prefix(cookie_path);
    rest.is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}
