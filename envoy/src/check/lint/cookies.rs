//! Session cookies that do not reach the browser, or do not come back.

use super::neighbours::{affinity, decides, is_regex_host};
use super::pattern::{is_regex, literal_prefix};
use super::tls;
use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::taken::{TakenIngress, TakenPath};

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    // Cookies are written in one format then, whatever the annotations say.
    let config = &compiled.config;
    let format_is_given = config.cookie_format.is_some() || config.cookie_keys.is_some();
    let mut findings = Vec::new();
    for ingress in &compiled.ingresses {
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
        for path in ingress.paths() {
            let is_regex_host = is_regex_host(compiled, path.host);
            let Some(affinity) = affinity(compiled, ingress, &path) else {
                continue;
            };
            findings.extend(match affinity.cookie_path() {
                Some(cookie_path) => {
                    beside_the_cookie_path(ingress, &path, cookie_path, is_regex_host)
                }
                None if is_regex_host => regex_as_cookie_path(compiled, ingress, &path),
                None => None,
            });
        }
    }
    findings
}

fn attributes_without_affinity(ingress: &TakenIngress<'_>) -> Vec<Finding> {
    let about_cookies = |name: &str| name.starts_with("session-cookie-") || name == "affinity-mode";
    ingress
        .annotations()
        .filter(|(name, _)| about_cookies(name) && ingress.annotation("affinity").is_none())
        .map(|(name, _)| {
            Finding::new(
                Level::Note,
                "no-affinity",
                &Place::annotation(ingress.object, name),
                "has an effect beside affinity: cookie only",
                "no session is kept, as under ingress-nginx",
            )
            .help("add nginx.ingress.kubernetes.io/affinity: cookie")
        })
        .collect()
}

/// ingress-nginx 0.24 dropped the annotation: one that runs beside limpet writes another value.
fn digest_beside_ingress_nginx(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let hash = ingress.annotations.session.hash.as_ref()?;
    let without_mode = ingress.annotations.session.mode.is_none();
    without_mode.then(|| {
        Finding::new(
            Level::Warning,
            "hash-beside-nginx",
            &Place::annotation(ingress.object, "session-cookie-hash"),
            "is ignored by ingress-nginx since 0.24",
            format!("limpet writes {hash} cookies, which such an ingress-nginx beside it does not understand"),
        )
        .help("to move side by side, put cookie_format: key into the file of --config; limpet reads both formats always")
    })
}

fn same_site_none(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let session = &ingress.annotations.session;
    let is_none = session.same_site.as_deref() == Some("None");
    let is_plain = || ingress.paths().any(|path| !tls::covers(ingress, path.host));
    (is_none && session.secure != Some(true) && is_plain()).then(|| {
        Finding::new(
            Level::Note,
            "samesite-none",
            &Place::annotation(ingress.object, "session-cookie-samesite"),
            "needs Secure, and over http the cookie has none",
            "browsers throw the cookie away, as under ingress-nginx",
        )
        .help("add session-cookie-secure: \"true\"")
    })
}

fn attributes_in_the_path(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let path = ingress.annotations.session.path.as_ref()?;
    path.contains(';').then(|| {
        Finding::new(
            Level::Note,
            "cookie-path-attributes",
            &Place::annotation(ingress.object, "session-cookie-path"),
            "carries more than a path",
            "every controller since 1.9 refuses it under annotation validation",
        )
        .help("write session-cookie-secure: \"true\" instead")
    })
}

fn hash_by_beside_affinity(ingress: &TakenIngress<'_>) -> Option<Finding> {
    ingress.annotation("upstream-hash-by").map(|_| {
        Finding::new(
            Level::Note,
            "hash-by-unused",
            &Place::annotation(ingress.object, "upstream-hash-by"),
            "has no effect beside affinity",
            "the cookie decides, as under ingress-nginx",
        )
    })
}

/// Of what a regex matches browsers know nothing: `/` alone is sent back for all of it.
fn regex_as_cookie_path(
    compiled: &Compiled<'_>,
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
) -> Option<Finding> {
    let decides = decides(compiled, ingress, path);
    let to = if decides.id() == ingress.id() {
        String::new()
    } else {
        format!(" to ingress {}, the last on its Service", decides.id())
    };
    is_regex(&path.path.path).then(|| {
        Finding::new(
            Level::Note,
            "regex-cookie-path",
            &Place::at(ingress.object, &path.text_pointer(), "path"),
            "is a regex, and without session-cookie-path it becomes the cookie's Path",
            "browsers never send the cookie back, as under ingress-nginx",
        )
        .help(format!("add session-cookie-path: /{to}"))
    })
}

/// A cookie path that does not cover the location: who enters there has no session.
fn beside_the_cookie_path(
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
    cookie_path: &str,
    is_regex_host: bool,
) -> Option<Finding> {
    let text = &path.path.path;
    let is_covered = if is_regex_host && is_regex(text) {
        covers_regex(cookie_path, text)
    } else {
        covers(cookie_path, text)
    };
    (!is_covered).then(|| {
        Finding::new(
            Level::Note,
            "cookie-path",
            &Place::at(ingress.object, &path.text_pointer(), "path"),
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

/// Whether a cookie of path `cookie_path` is sent to what `regex` matches, as far as its literal
/// beginning tells.
fn covers_regex(cookie_path: &str, regex: &str) -> bool {
    let literal = literal_prefix(regex);
    let rest = regex.strip_prefix(literal).unwrap_or_default();
    // The segment may go on behind the literal: /farm is not sent to what /farm\.[a-z]+ matches.
    let ends_there = || {
        let ends = ["$", "/", "(/", "(?:/", "(?=/"];
        rest.is_empty() || ends.iter().any(|end| rest.starts_with(end))
    };
    match literal.strip_prefix(cookie_path) {
        Some("") if !cookie_path.ends_with('/') => ends_there(),
        Some(more) => cookie_path.ends_with('/') || more.starts_with('/'),
        // A cookie path that goes on where the literal ends: nobody can tell.
        None => cookie_path.starts_with(literal),
    }
}
