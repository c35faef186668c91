//! Ingresses that share a Service or a cookie's name.

use limpet::affinity::Affinity;

use super::cookies::covers;
use super::neighbours::{affinity, service_port};
use crate::check::finding::{Finding, Level, Place};
use crate::clusters::ServicePort;
use crate::compiled::Compiled;
use crate::taken::{TakenIngress, TakenPath};

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

/// An Ingress with affinity, and the sessions of its paths.
struct Sticky<'c> {
    ingress: &'c TakenIngress<'c>,
    sessions: Vec<Session<'c>>,
}

/// The sessions of one path.
struct Session<'c> {
    path: TakenPath<'c>,
    service_port: ServicePort,
    affinity: &'c Affinity,
}

impl Session<'_> {
    fn cookie_path(&self) -> &str {
        let given = self.affinity.cookie_path();
        given.unwrap_or(&self.path.path.path)
    }

    /// Whether a cookie that another Service wrote is replaced.
    fn overwrites(&self) -> bool {
        !matches!(self.affinity.format(), "balanced" | "none")
    }
}

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let with_affinity = compiled.ingresses.iter().filter(|one| one.has_affinity());
    let sticky: Vec<Sticky<'_>> = with_affinity.map(|one| sticky(compiled, one)).collect();
    let mut findings = Vec::new();
    for (at, older) in sticky.iter().enumerate() {
        let younger = sticky.get(at.saturating_add(1)..).unwrap_or_default();
        if let Some(last) = younger.iter().rfind(|one| share_a_service(older, one)) {
            findings.extend(overruled(older.ingress, last.ingress));
        }
    }
    for (at, younger) in sticky.iter().enumerate() {
        let older = sticky.get(..=at).unwrap_or_default();
        findings.extend(older.iter().find_map(|older| same_cookie(older, younger)));
    }
    findings
}

fn sticky<'c>(compiled: &'c Compiled<'_>, ingress: &'c TakenIngress<'_>) -> Sticky<'c> {
    let sessions = ingress.paths().filter_map(|path| {
        Some(Session {
            service_port: service_port(ingress, &path)?,
            affinity: affinity(compiled, ingress, &path)?,
            path,
        })
    });
    Sticky {
        ingress,
        sessions: sessions.collect(),
    }
}

fn share_a_service(a: &Sticky<'_>, b: &Sticky<'_>) -> bool {
    let is_of_b = |port: &ServicePort| b.sessions.iter().any(|one| one.service_port == *port);
    a.sessions
        .iter()
        .any(|session| is_of_b(&session.service_port))
}

/// The annotations of `older` that do not count because `last` says otherwise.
fn overruled(older: &TakenIngress<'_>, last: &TakenIngress<'_>) -> Vec<Finding> {
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
            Finding::new(
                Level::Note,
                "shared-service",
                &Place::annotation(older.object, name),
                format!(
                    "is overruled by ingress {}, which is younger and on the same Service",
                    last.id()
                ),
                format!("{theirs} counts for both, as under ingress-nginx"),
            )
        })
        .collect()
}

/// Two Services that write the same cookie where a browser sends both, and one of them writes it over the other's.
/// A balanced session begins with any key, and leaves it.
///
/// Source: `balancer/sticky_balanced.lua`, `balancer/sticky_persistent.lua`, ingress-nginx dbb11b92d; 1.15 was asked.
fn same_cookie(older: &Sticky<'_>, younger: &Sticky<'_>) -> Option<Finding> {
    let clash = |a: &Session<'_>, b: &Session<'_>| {
        let (of_a, of_b) = (a.cookie_path(), b.cookie_path());
        a.path.host == b.path.host
            && a.service_port != b.service_port
            && a.affinity.cookie_name() == b.affinity.cookie_name()
            && (covers(of_a, of_b) || covers(of_b, of_a))
            && (a.overwrites() || b.overwrites())
    };
    let mut sessions = younger.sessions.iter();
    let (met, meet) = sessions.find_map(|b| {
        let mut others = older.sessions.iter();
        Some((others.find(|a| clash(a, b))?, b))
    })?;
    let ingress = younger.ingress;
    let consequence = match (met.overwrites(), meet.overwrites()) {
        (true, true) => "each overwrites the other's, and sessions move, as under ingress-nginx",
        (true, false) => {
            "that one overwrites this one's, and sessions move, as under ingress-nginx"
        }
        _ => "this one overwrites that one's, and sessions move, as under ingress-nginx",
    };
    let field = match ingress.annotation("session-cookie-name") {
        Some(_) => "session-cookie-name",
        None => "affinity",
    };
    let finding = Finding::new(
        Level::Note,
        "shared-cookie",
        &Place::annotation(ingress.object, field),
        format!(
            "writes cookie {} on host {:?}, where ingress {} writes it for another Service",
            meet.affinity.cookie_name(),
            meet.path.host,
            older.ingress.id()
        ),
        consequence,
    );
    Some(
        finding
            .help("give each Service a session-cookie-name of its own, or a session-cookie-path"),
    )
}
