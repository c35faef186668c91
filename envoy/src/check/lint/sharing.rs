//! Ingresses that share a Service or a cookie's name.

use std::collections::{BTreeMap, HashMap, HashSet};

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

    /// The host on which a browser has its cookie, and the cookie's name.
    fn cookie(&self) -> (&str, &str) {
        (self.path.host, self.affinity.cookie_name())
    }

    /// Whether one of two writes its cookie over the other's, if a browser sends it to both. A balanced session
    /// begins with any key, and leaves it.
    ///
    /// Source: `balancer/sticky_balanced.lua`, `balancer/sticky_persistent.lua`, ingress-nginx dbb11b92d; 1.15 was asked.
    fn clashes(&self, other: &Self) -> bool {
        self.service_port != other.service_port && (self.overwrites() || other.overwrites())
    }

    /// Whether a cookie that another Service wrote is replaced.
    fn overwrites(&self) -> bool {
        !matches!(self.affinity.format(), "balanced" | "none")
    }
}

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let with_affinity = compiled.ingresses.iter().filter(|one| one.has_affinity());
    let sticky: Vec<Sticky<'_>> = with_affinity.map(|one| sticky(compiled, one)).collect();
    let last = last_on_each_service(&sticky);
    let mut findings = Vec::new();
    for (at, older) in sticky.iter().enumerate() {
        let ports = older.sessions.iter().map(|session| &session.service_port);
        let last = ports.filter_map(|port| last.get(port).copied()).max();
        let last = last.filter(|last| *last > at).and_then(|at| sticky.get(at));
        findings.extend(
            last.into_iter()
                .flat_map(|last| overruled(older.ingress, last.ingress)),
        );
    }
    let mut writers = Writers::default();
    for (at, one) in sticky.iter().enumerate() {
        one.sessions
            .iter()
            .for_each(|session| writers.add(at, session));
        let met = one
            .sessions
            .iter()
            .filter_map(|session| writers.met_by(session));
        let Some((at, other, own)) = met.min_by_key(|(at, ..)| *at) else {
            continue;
        };
        let other_ingress = sticky.get(at).map_or(one.ingress, |other| other.ingress);
        findings.push(same_cookie(other_ingress, other, one.ingress, own));
    }
    findings
}

/// Where the last Ingress on each Service stands.
fn last_on_each_service<'s>(sticky: &'s [Sticky<'_>]) -> HashMap<&'s ServicePort, usize> {
    let sessions = sticky.iter().enumerate().flat_map(|(at, one)| {
        let ports = one.sessions.iter().map(|session| &session.service_port);
        ports.map(move |port| (port, at))
    });
    sessions.collect()
}

/// Who writes which cookie, by host and name, then by path.
#[derive(Default)]
struct Writers<'s> {
    of: HashMap<(&'s str, &'s str), BTreeMap<&'s str, Vec<Writer<'s>>>>,
    /// Those that would be met where another one is already.
    known: HashSet<(&'s str, &'s str, &'s str, &'s ServicePort, bool)>,
}

/// Sessions, and where their Ingress stands.
type Writer<'s> = (usize, &'s Session<'s>);

impl<'s> Writers<'s> {
    fn add(&mut self, at: usize, session: &'s Session<'s>) {
        let (host, name) = session.cookie();
        let (path, port) = (session.cookie_path(), &session.service_port);
        if self
            .known
            .insert((host, name, path, port, session.overwrites()))
        {
            let paths = self.of.entry((host, name)).or_default();
            paths.entry(path).or_default().push((at, session));
        }
    }

    /// The oldest one that writes the same cookie as `own` for another Service where a browser sends both, and
    /// one of them writes it over the other's.
    fn met_by(&self, own: &'s Session<'s>) -> Option<(usize, &'s Session<'s>, &'s Session<'s>)> {
        let clash = |writers: &Vec<Writer<'s>>| {
            let mut writers = writers.iter();
            writers.find(|(_, other)| own.clashes(other)).copied()
        };
        let met = self.near(own).filter_map(clash);
        let (at, other) = met.min_by_key(|(at, _)| *at)?;
        Some((at, other, own))
    }

    /// Those of its host and cookie, by path, of which one is sent where the other is.
    fn near(&self, own: &'s Session<'s>) -> impl Iterator<Item = &Vec<Writer<'s>>> {
        let (path, paths) = (own.cookie_path(), self.of.get(&own.cookie()));
        let above = path.char_indices().filter_map(move |(at, _)| {
            let prefix = path.get(..at)?;
            paths.filter(|_| covers(prefix, path))?.get(prefix)
        });
        let below = paths.into_iter().flat_map(move |paths| paths.range(path..));
        let below = below.take_while(move |(other, _)| other.starts_with(path));
        let below = below.filter(move |(other, _)| covers(path, other));
        above.chain(below.map(|(_, writers)| writers))
    }
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

/// What is said of sessions of `ingress` that write the cookie of those that they meet.
fn same_cookie(
    older: &TakenIngress<'_>,
    met: &Session<'_>,
    ingress: &TakenIngress<'_>,
    meet: &Session<'_>,
) -> Finding {
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
            older.id()
        ),
        consequence,
    );
    finding.help("give each Service a session-cookie-name of its own, or a session-cookie-path")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::compiled::Flags;
    use crate::manifests::Manifests;

    // Each was compared with each: of 20,000 Ingresses that took half a minute.
    #[test]
    fn sessions_are_not_compared_with_all_others() {
        let ingress = |number: usize| {
            let service = json!({ "name": format!("web-{number}"), "port": { "number": 80 } });
            let path = json!({
                "path": format!("/{number}"), "pathType": "Prefix", "backend": { "service": service },
            });
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {
                    "name": format!("i{number}"),
                    "annotations": { "nginx.ingress.kubernetes.io/affinity": "cookie" },
                },
                "spec": { "ingressClassName": "nginx", "rules": [
                    { "host": "a.test", "http": { "paths": [path] } },
                ] },
            })
        };
        let items: Vec<Value> = (0..200).map(ingress).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let manifests = Manifests::parse("m.json", &list.to_string()).unwrap();
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let ingresses = compiled.ingresses.iter();
        let all: Vec<Sticky<'_>> = ingresses.map(|one| sticky(&compiled, one)).collect();
        let mut writers = Writers::default();
        for (at, one) in all.iter().enumerate() {
            one.sessions.iter().for_each(|own| writers.add(at, own));
        }
        for own in all.iter().flat_map(|one| &one.sessions) {
            // Itself.
            assert_eq!(writers.near(own).map(Vec::len).sum::<usize>(), 1);
        }
        assert_eq!(all.len(), 200);
    }
}
