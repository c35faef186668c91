//! Ingresses that share a Service or a cookie's name.

use super::cookies::covers;
use crate::check::finding::{Finding, Level};
use crate::check::view::{Ingress, Path};

/// What the last Ingress on a Service decides for all of them.
///
/// Source: `createServers` and `createUpstreams`, `internal/ingress/controller/controller.go`,
/// ingress-nginx dbb11b92d.
const DECIDED_BY_THE_LAST: [&str; 9] = [
    "session-cookie-name",
    "session-cookie-path",
    "session-cookie-domain",
    "session-cookie-expires",
    "session-cookie-max-age",
    "session-cookie-samesite",
    "session-cookie-secure",
    "session-cookie-conditional-samesite-none",
    "session-cookie-change-on-failure",
];

pub(super) fn run(ingresses: &[Ingress<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sticky: Vec<&Ingress<'_>> = ingresses.iter().filter(|i| i.has_affinity()).collect();
    for (at, older) in sticky.iter().enumerate() {
        let younger = sticky.get(at.saturating_add(1)..).unwrap_or_default();
        if let Some(last) = younger
            .iter()
            .rfind(|younger| share_a_service(older, younger))
        {
            findings.extend(overruled(older, last));
        }
    }
    for (at, younger) in sticky.iter().enumerate() {
        let older = sticky.get(..=at).unwrap_or_default();
        findings.extend(older.iter().find_map(|older| same_cookie(older, younger)));
    }
    findings
}

fn share_a_service(a: &Ingress<'_>, b: &Ingress<'_>) -> bool {
    let services = |i: &Ingress<'_>| {
        i.paths
            .iter()
            .filter_map(|p| p.service.clone())
            .collect::<Vec<_>>()
    };
    let of_b = services(b);
    services(a).iter().any(|service| of_b.contains(service))
}

/// The annotations of `older` that do not count because `last` says otherwise.
fn overruled(older: &Ingress<'_>, last: &Ingress<'_>) -> Vec<Finding> {
    DECIDED_BY_THE_LAST
        .iter()
        .filter(|name| {
            let mine = older.annotation(name);
            mine.is_some() && mine != last.annotation(name)
        })
        .map(|name| {
            let theirs = match last.annotation(name) {
                Some(value) => format!("its {value:?}"),
                None => "the default".to_owned(),
            };
            Finding::annotation(
                (Level::Note, "shared-service"),
                older,
                name,
                format!(
                    "is overruled by ingress {}, which is younger and on the same Service",
                    last.id
                ),
                format!("{theirs} counts for both, as under ingress-nginx"),
            )
        })
        .collect()
}

/// Two Services that write the same cookie where a browser sends both.
fn same_cookie(older: &Ingress<'_>, younger: &Ingress<'_>) -> Option<Finding> {
    let name = younger.cookie_name();
    let clash = |a: &Path, b: &Path| {
        let paths = || (older.cookie_path(a), younger.cookie_path(b));
        let meet = |(of_a, of_b)| covers(of_a, of_b) || covers(of_b, of_a);
        a.host == b.host && a.service != b.service && meet(paths())
    };
    let meet = younger
        .paths
        .iter()
        .find(|b| older.paths.iter().any(|a| clash(a, b)))?;
    (older.cookie_name() == name).then(|| {
        let host = &meet.host;
        let field = match younger.annotation("session-cookie-name") {
            Some(_) => "session-cookie-name",
            None => "affinity",
        };
        Finding::annotation(
            (Level::Note, "shared-cookie"),
            younger,
            field,
            format!("writes cookie {name} on host {host:?}, where ingress {} writes it for another Service", older.id),
            "each overwrites the other's, and sessions move, as under ingress-nginx",
        )
        .help("give each Service a session-cookie-name of its own, or a session-cookie-path")
    })
}
