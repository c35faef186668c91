//! Under which names the sessions of an upstream list their paths.
//!
//! Source: `should_set_cookie`, `rootfs/etc/nginx/lua/balancer/sticky.lua`, ingress-nginx dbb11b92d.

use super::merge::{Merged, Session, Upstream};
use crate::route::host::DEFAULT_SERVER;
use std::collections::{BTreeMap, BTreeSet};

/// Every name that some session lists.
pub(super) struct Listed {
    hosts: BTreeSet<String>,
    /// Alias to who has it: of the servers that have all aliases of one Ingress, the first. Of the same kinds as the
    /// sessions' own lists: each further kind of map is 6 KiB of the module.
    aliases: BTreeMap<String, BTreeSet<String>>,
    /// Such a first server to all of them.
    servers: BTreeMap<String, BTreeSet<String>>,
}

/// What a session is asked for: the host, or else the wildcard above it. Two that are equal get the
/// same answers.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Asked {
    host: Name,
    above: Name,
}

/// A name, as far as sessions list it.
#[derive(Clone, Default, PartialEq, Eq)]
struct Name {
    host: Option<String>,
    /// As [`Listed`] has them.
    firsts: BTreeSet<String>,
}

impl Listed {
    pub(super) fn new(merged: &Merged) -> Self {
        let mut hosts = BTreeSet::new();
        for upstream in merged.upstreams.values() {
            hosts.extend(upstream.session.locations.keys().cloned());
        }
        let mut aliases = BTreeMap::<_, BTreeSet<_>>::new();
        let mut servers = BTreeMap::<_, BTreeSet<_>>::new();
        let mut firsts: Vec<Option<&String>> = Vec::new();
        for (name, server) in &merged.servers {
            let Some(of) = server.aliases_of else {
                continue;
            };
            if firsts.len() <= of {
                firsts.resize(of.saturating_add(1), None);
            }
            let Some(first) = firsts.get_mut(of) else {
                continue;
            };
            if first.is_none() {
                for alias in &*server.aliases {
                    let firsts = aliases.entry(alias.clone()).or_default();
                    firsts.insert(name.clone());
                }
            }
            let all = servers
                .entry(first.get_or_insert(name).clone())
                .or_default();
            all.insert(name.clone());
        }
        Self {
            hosts,
            aliases,
            servers,
        }
    }

    /// What requests for `host` ask for that the server `name` answers. nginx asks with the host in
    /// lower case, so a list under a name with capitals is never found.
    pub(super) fn asked(&self, name: &str, host: &str) -> Asked {
        // The default server asks by its own name, whatever a request calls it; a name that is a
        // pattern, or the end or beginning of names, is no request's host.
        let is_pattern = host.starts_with(['~', '.']) || host.ends_with('*');
        let host = if name == DEFAULT_SERVER {
            name.to_owned()
        } else if is_pattern {
            String::new()
        } else {
            host.to_ascii_lowercase()
        };
        let above = wildcard_of(&host);
        Asked {
            host: self.name(&host),
            above: above.map_or_else(Name::default, |above| self.name(&above)),
        }
    }

    fn name(&self, name: &str) -> Name {
        Name {
            host: self.hosts.get(name).cloned(),
            firsts: self.aliases.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Whether a response of the location `path` may set the cookie of `upstream`.
    pub(super) fn sets_cookie(&self, asked: &Asked, upstream: &Upstream, path: &str) -> bool {
        let session = &upstream.session;
        let own = self.lists(&asked.host, session, path);
        own.or_else(|| self.lists(&asked.above, session, path)) == Some(true)
    }

    /// Whether the path is among those that the session lists under a name; `None`: it lists none.
    fn lists(&self, name: &Name, session: &Session, path: &str) -> Option<bool> {
        let host = name.host.as_ref();
        let own = host.and_then(|host| session.locations.get(host));
        let firsts = name.firsts.iter();
        let servers = firsts.filter_map(|first| self.servers.get(first)).flatten();
        let of_aliases = servers.filter_map(|name| session.alias_locations.get(name));
        let mut lists = own.into_iter().chain(of_aliases).peekable();
        lists.peek()?;
        Some(lists.any(|paths| paths.contains(path)))
    }
}

/// The host with its first label replaced by `*`.
pub(super) fn wildcard_of(host: &str) -> Option<String> {
    let (label, rest) = host.split_once('.')?;
    (!label.is_empty()).then(|| format!("*.{rest}"))
}
