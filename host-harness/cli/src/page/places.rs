//! What the manifests have to offer: hosts, paths, and the cookies of their sessions.

use std::collections::{BTreeMap, BTreeSet};

use limpet::cluster::Cluster;
use limpet::route::location::{Backend, Kind};
use limpet::route::{Location, VirtualHost};
use limpet_envoy::compiled::Compiled;
use serde::Serialize;

use super::shifts::Sessions;

/// One path of one Ingress.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Place {
    /// A name that the host takes; empty: any.
    pub(super) host: String,
    /// A path that begins as the location does.
    pub(super) path: String,
    /// The location's path as its Ingress writes it.
    pub(super) location: String,
    pub(super) ingress: String,
    /// Who comes by http is sent to https, so it is asked for by https.
    pub(super) https: bool,
    /// What its session cookies are, such as `route, sha1`; `None`: it has no sessions.
    pub(super) session: Option<String>,
}

/// All that is read from the manifests once.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) places: Vec<Place>,
    /// Name and Path of every session cookie.
    pub(super) cookies: BTreeSet<(String, String)>,
    /// Clusters with sessions, by Envoy's names.
    pub(super) sessions: BTreeMap<String, Sessions>,
    /// The hosts, lower case, without wildcards.
    pub(super) hosts: BTreeSet<String>,
}

impl Places {
    pub(super) fn of(compiled: &Compiled<'_>) -> Self {
        let mut places = Self::default();
        for host in compiled.policy.virtual_hosts() {
            for location in host.locations.iter().filter(|one| !one.ingress.is_empty()) {
                places.add(compiled, host, location);
            }
        }
        for cluster in &compiled.policy.clusters {
            if let Some(affinity) = &cluster.affinity {
                let sessions = Sessions {
                    upstream_name: cluster.upstream_name.clone(),
                    format: affinity.format().to_owned(),
                };
                places.sessions.insert(cluster.envoy_name.clone(), sessions);
            }
        }
        places.places.sort();
        places.places.dedup();
        places
    }

    fn add(&mut self, compiled: &Compiled<'_>, host: &VirtualHost, location: &Location) {
        let cluster = match location.backend {
            Backend::Cluster(id) => compiled.policy.cluster(id),
            Backend::Nobody | Backend::Missing => None,
        };
        let affinity = cluster.and_then(|cluster| cluster.affinity.as_ref());
        if let Some(affinity) = affinity {
            let path = affinity.cookie_path().unwrap_or(&location.path);
            let cookie = (affinity.cookie_name().to_owned(), path.to_owned());
            self.cookies.insert(cookie);
        }
        if location.is_implicit {
            return;
        }
        let name = named(host);
        if !name.is_empty() {
            self.hosts.insert(name.to_ascii_lowercase());
        }
        self.places.push(Place {
            host: name,
            path: beginning(location),
            location: location.path.clone(),
            ingress: location.ingress.clone(),
            https: host.sends_to_https(location, !host.is_default()),
            session: cluster.and_then(session),
        });
    }

    /// What a browser that asks for this machine by its address is taken to ask for.
    pub(super) fn first(&self) -> Option<&Place> {
        self.places.iter().find(|place| !place.host.is_empty())
    }
}

fn session(cluster: &Cluster) -> Option<String> {
    let affinity = cluster.affinity.as_ref()?;
    Some(format!("{}, {}", affinity.cookie_name(), affinity.format()))
}

/// A name that the host takes.
fn named(host: &VirtualHost) -> String {
    if host.is_default() {
        return String::new();
    }
    match host.name.strip_prefix("*.") {
        Some(rest) => format!("any.{rest}"),
        None => host.name.clone(),
    }
}

/// Characters that mean something in a pattern, but for the groups around them.
const META: [char; 10] = ['*', '+', '?', '[', ']', '|', '\\', '{', '.', '$'];

/// Of a pattern what stands before the first character with a meaning.
fn beginning(location: &Location) -> String {
    if location.kind != Kind::Regex {
        return location.path.clone();
    }
    let plain: String = location
        .path
        .chars()
        .filter(|char| !matches!(char, '^' | '('))
        .take_while(|char| !META.contains(char) && *char != ')')
        .collect();
    if plain.starts_with('/') {
        plain
    } else {
        format!("/{plain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpet_envoy::compiled::Flags;
    use limpet_envoy::manifests::Manifests;

    #[test]
    fn every_path_of_the_first_manifest_is_offered_as_one_can_ask_for_it() {
        let text = include_str!("../../../../envoy/examples/sample-ingress.yaml");
        let manifests = Manifests::parse("sample", text).unwrap();
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let places = Places::of(&compiled);
        let paths: Vec<_> = places.places.iter().map(|place| &*place.path).collect();
        assert_eq!(paths, ["/app1/", "/app2/"]);
        let first = places.first().unwrap();
        assert_eq!(first.host, "sample.example.com");
        assert!(!first.https);
        let session = places.places[0].session.as_deref();
        assert_eq!(session, Some("route, sha1"));
        let cookie = ("route".to_owned(), "/".to_owned());
        assert_eq!(places.cookies, [cookie].into());
        assert_eq!(places.sessions.len(), 1);
    }
}
