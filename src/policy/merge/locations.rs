//! The servers and their locations.
//!
//! Source: `createServers` and `getBackendServers` in
//! `internal/ingress/controller/controller.go`, `updateServerLocations` in `location.go`,
//! ingress-nginx dbb11b92d.

use super::merged::{DEFAULT_UPSTREAM, Draft, Loaded, Merged, Server, Upstream, host_of, key};
use crate::ingress::{Path, Tls};
use crate::remark::{Effect, Field, Problem, Remark};
use crate::route::host::DEFAULT_SERVER;
use crate::sorted::sorted_by;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Every host gets a server with a root location, which inherits from the host's first Ingress.
pub(super) fn create_servers(merged: &mut Merged, loaded: &[Loaded]) {
    let default = Server {
        locations: vec![root(DEFAULT_UPSTREAM, None)],
        tls: true,
        ..Server::default()
    };
    merged.servers.insert(DEFAULT_SERVER.to_owned(), default);
    for (at, one) in primaries(loaded) {
        let ingress = &one.ingress;
        let mut upstream = DEFAULT_UPSTREAM.to_owned();
        if let Some(backend) = &ingress.default_backend {
            upstream = key(&ingress.namespace, backend);
            if ingress.rules.is_empty() {
                take_catch_all(merged, &upstream, at);
            }
        }
        for rule in &ingress.rules {
            let host = host_of(&rule.host).to_owned();
            merged.servers.entry(host).or_insert_with(|| Server {
                locations: vec![root(&upstream, Some(at))],
                ..Server::default()
            });
        }
    }
}

/// An Ingress with a default backend and no rule serves all hosts that no other one names.
fn take_catch_all(merged: &mut Merged, upstream: &str, at: usize) {
    let server = merged.servers.get_mut(DEFAULT_SERVER);
    let root = server.and_then(|server| server.locations.first_mut());
    if let Some(root) = root.filter(|root| root.implicit) {
        root.implicit = false;
        root.upstream = upstream.to_owned();
        root.ingress = Some(at);
        root.plain = true;
    }
}

fn root(upstream: &str, ingress: Option<usize>) -> Draft {
    Draft {
        path: "/".to_owned(),
        written: String::new(),
        exact: false,
        implicit: true,
        upstream: upstream.to_owned(),
        plain: ingress.is_none(),
        ingress,
        fallback: None,
        pages: None,
    }
}

fn primaries(loaded: &[Loaded]) -> impl Iterator<Item = (usize, &Loaded)> {
    let all = loaded.iter().enumerate();
    all.filter(|(_, one)| one.annotations.canary.is_none())
}

/// The first Ingress of a host that has aliases gives them; any that has a `tls` section, of
/// whatever hosts, gives the host a certificate.
pub(super) fn add_aliases_and_tls(
    merged: &mut Merged,
    loaded: &[Loaded],
    remarks: &mut Vec<Remark>,
) {
    // One by one: to collect is to sort, which is 6 KiB of the module for each kind of map.
    let mut names = BTreeSet::new();
    names.extend(merged.servers.keys().cloned());
    for (at, one) in primaries(loaded) {
        let annotations = &one.annotations;
        // All hosts of an Ingress have all of its aliases.
        let aliases = annotations.aliases.iter();
        let mut kept = Vec::with_capacity(annotations.aliases.len());
        kept.extend(aliases.filter(|alias| !names.contains(*alias)).cloned());
        let kept: Arc<[String]> = kept.into();
        for rule in &one.ingress.rules {
            let host = host_of(&rule.host);
            let Some(server) = merged.servers.get_mut(host) else {
                continue;
            };
            let own = server.aliases_of.and_then(|at| loaded.get(at));
            let own = own.map(|own| &own.annotations.aliases);
            if annotations.aliases.is_empty() {
                // Nothing of its own.
            } else if own.is_none() {
                server.aliases = Arc::clone(&kept);
                server.aliases_of = Some(at);
            } else if server.aliases_of != Some(at) && own != Some(&annotations.aliases) {
                let value = annotations.aliases.join(",");
                let host = host.to_owned();
                let field = Field::annotation("server-alias");
                let problem = Problem::OtherAliases { host };
                let remark = Remark::new(field, &value, problem, Effect::AsBefore);
                remarks.push(remark.of(&one.ingress.key));
            }
            if !server.tls && !one.ingress.tls.is_empty() {
                server.tls = true;
                server.certificate = certificate(&one.ingress.tls, host);
            }
        }
    }
}

/// `extractTLSSecretName`, as far as it goes without the certificates: the entry that lists the
/// host. Without a Secret it is the controller's own certificate, whose names are none of these.
fn certificate(tls: &[Tls], host: &str) -> Vec<String> {
    let lists = |tls: &&Tls| {
        tls.hosts
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(host))
    };
    let entry = tls.iter().find(lists).filter(|tls| tls.secret.is_some());
    entry.map(|tls| tls.hosts.clone()).unwrap_or_default()
}

pub(super) fn add_locations(merged: &mut Merged, loaded: &[Loaded], remarks: &mut Vec<Remark>) {
    let mut places = Places::new();
    for (at, one) in loaded.iter().enumerate() {
        for rule in &one.ingress.rules {
            for path in rule.paths.iter().flatten() {
                let host = host_of(&rule.host);
                add_location(merged, &mut places, loaded, at, host, path, remarks);
            }
        }
    }
}

/// Host and path to the place of the first such location in its server.
type Places<'l> = HashMap<(&'l str, &'l str), usize>;

fn add_location<'l>(
    merged: &mut Merged,
    places: &mut Places<'l>,
    loaded: &'l [Loaded],
    at: usize,
    host: &'l str,
    path: &'l Path,
    remarks: &mut Vec<Remark>,
) {
    let (Some(one), Some(backend)) = (loaded.get(at), &path.backend) else {
        return;
    };
    let name = key(&one.ingress.namespace, backend);
    let Some(upstream) = merged.upstreams.get(&name).filter(|known| !known.no_server) else {
        return;
    };
    let _ = upstream;
    let server_host = if merged.servers.contains_key(host) {
        host
    } else {
        DEFAULT_SERVER
    };
    let Some(server) = merged.servers.get_mut(server_host) else {
        return;
    };
    // Every server has its root first.
    let next = if path.path == "/" {
        0
    } else {
        server.locations.len()
    };
    let first = places.entry((server_host, &path.path)).or_insert(next);
    if let Some(owner) = place(server, *first, at, &name, path) {
        let owner = owner.and_then(|owner| loaded.get(owner));
        let problem = Problem::PathTaken {
            owner: owner.map(|owner| owner.ingress.key.clone()),
            host: host.to_owned(),
        };
        let remark = Remark::new(Field::Path, &path.path, problem, Effect::AsBefore);
        remarks.push(remark.of(&one.ingress.key));
    } else if one.annotations.redirect.from_to_www {
        server.from_to_www = true;
    }
    let aliases_of = (!server.aliases.is_empty()).then_some(server_host);
    note_session(&mut merged.upstreams, one, &name, host, aliases_of, path);
}

/// Adds the location, or gives the implicit one of that path to this Ingress. `first`: where
/// the first of that path stands, or will. `Some`: another Ingress has it already, this one.
fn place(
    server: &mut Server,
    first: usize,
    at: usize,
    upstream: &str,
    path: &Path,
) -> Option<Option<usize>> {
    let known = server.locations.get_mut(first);
    let known = known.filter(|known| known.exact == path.exact);
    let draft = Draft {
        path: path.path.clone(),
        written: String::new(),
        exact: path.exact,
        implicit: false,
        upstream: upstream.to_owned(),
        ingress: Some(at),
        plain: false,
        fallback: None,
        pages: None,
    };
    match known {
        Some(known) if known.implicit => *known = draft,
        Some(known) => return Some(known.ingress),
        None => server.locations.push(draft),
    }
    None
}

fn note_session(
    upstreams: &mut BTreeMap<String, Upstream>,
    one: &Loaded,
    name: &str,
    host: &str,
    aliases_of: Option<&str>,
    path: &Path,
) {
    let Some(upstream) = upstreams.get_mut(name) else {
        return;
    };
    let annotations = &one.annotations;
    let session = &mut upstream.session;
    let sticky = annotations.affinity == "cookie";
    if session
        .said
        .last()
        .is_none_or(|(last, _)| *last != one.ingress.key)
    {
        let own = sticky.then(|| annotations.session.clone());
        session.said.push((one.ingress.key.clone(), own));
    }
    if session.kind.is_empty() {
        session.kind.clone_from(&annotations.affinity);
    }
    if session.first.mode.is_none() {
        session.first.mode.clone_from(&annotations.session.mode);
    }
    if session.first.hash.is_none() {
        session.first.hash.clone_from(&annotations.session.hash);
    }
    if sticky {
        session.last = annotations.session.clone();
        let paths = session.locations.entry(host.to_owned()).or_default();
        paths.insert(path.path.clone());
        if let Some(server) = aliases_of {
            let paths = session
                .alias_locations
                .entry(server.to_owned())
                .or_default();
            paths.insert(path.path.clone());
        }
    }
}

/// Longest first, then in descending order; a Prefix path becomes `path/` and `= path`.
pub(super) fn sort_and_pair(server: &mut Server, loaded: &[Loaded]) {
    let order = |one: &Draft, two: &Draft| {
        let by_length = two.path.len().cmp(&one.path.len());
        by_length.then_with(|| two.path.cmp(&one.path))
    };
    server.locations = sorted_by(std::mem::take(&mut server.locations), order);
    let exact = server.locations.iter().filter(|draft| draft.exact);
    let mut paths = BTreeSet::new();
    paths.extend(exact.map(|draft| draft.path.clone()));
    let drafts = std::mem::take(&mut server.locations);
    for mut draft in drafts {
        if draft.path == "/" {
            server.locations.push(draft);
            continue;
        }
        draft.written.clone_from(&draft.path);
        if draft.exact || is_regex(&draft, loaded) {
            server.locations.push(draft);
            continue;
        }
        let mut pair = draft.clone();
        pair.exact = true;
        if !draft.path.ends_with('/') {
            draft.path.push('/');
        }
        server.locations.push(draft);
        if !paths.contains(&pair.path) {
            server.locations.push(pair);
        }
    }
}

/// `needsRewrite` or `use-regex`: one such location makes its whole host regex. Asked again
/// after the paths are paired, the answer may differ.
pub(crate) fn is_regex(draft: &Draft, loaded: &[Loaded]) -> bool {
    let one = draft
        .ingress
        .filter(|_| !draft.plain)
        .and_then(|at| loaded.get(at));
    let rewrite = one.map(|one| &one.annotations.rewrite);
    rewrite.is_some_and(|rewrite| {
        rewrite.use_regex || (!rewrite.target.is_empty() && rewrite.target != draft.path)
    })
}
