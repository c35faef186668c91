//! Certificates that share a filter chain: Envoy chooses among them by the name in the greeting, and takes the
//! first of the chain where none has that name. A certificate may say that it is for a neighbour's host, so one joins
//! only where Envoy is certain to choose each for its own hosts and for no others.
//!
//! Envoy goes by the name itself, then by a star in place of its first label, as the bytes stand in the
//! certificate; of two certificates for one name the first counts, but one with an RSA key and one on an elliptic
//! curve both do, and then the client decides.
//!
//! Source: `DefaultTlsCertificateSelector`, `source/common/tls/default_tls_certificate_selector.cc`, Envoy 1.40.

use std::collections::{HashMap, HashSet};

/// For which servers a certificate is, as Envoy reads it.
#[derive(Debug)]
pub(super) struct Named {
    /// A name with a star as `.` and the rest, as Envoy keeps it.
    names: HashSet<String>,
    is_elliptic: bool,
}

impl Named {
    pub(super) fn new(servers: &[String], is_elliptic: bool) -> Self {
        Self {
            names: servers.iter().map(|name| kept(name).to_owned()).collect(),
            is_elliptic,
        }
    }

    /// The name by which Envoy chooses this certificate for a host; `None`: it does not.
    pub(super) fn chosen<'h>(&self, host: &'h str) -> Option<&'h str> {
        let own = kept(host);
        let above = above(host).filter(|_| own == host);
        [Some(own), above]
            .into_iter()
            .flatten()
            .find(|name| self.names.contains(*name))
    }
}

/// What the certificates of one chain are for.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Every name that some certificate has.
    claimed: HashSet<String>,
    /// The hosts, each with whether it was chosen by a name with a star.
    hosts: HashMap<String, bool>,
    /// The names by which hosts were chosen, and the kind of key.
    chosen: HashMap<String, bool>,
    /// Domains below which certificates are for hosts that they do not serve.
    strays: HashSet<String>,
}

impl Shared {
    /// Takes a certificate in, if Envoy then chooses it for each of these hosts, and every other one for its own.
    pub(super) fn join(&mut self, named: &Named, hosts: &[String]) -> bool {
        let own: HashSet<&str> = hosts.iter().map(String::as_str).collect();
        if !self.is_certain_of(named, &own) || !self.stays_certain(named, &own) {
            return false;
        }
        for host in own.iter().copied() {
            if let Some(name) = named.chosen(host) {
                self.chosen.insert(name.to_owned(), named.is_elliptic);
                self.hosts.insert(host.to_owned(), name != host);
            }
        }
        let strays = named
            .names
            .iter()
            .filter(|name| !own.contains(name.as_str()));
        self.strays
            .extend(strays.filter_map(|name| Some(above(name)?.to_owned())));
        self.claimed.extend(named.names.iter().cloned());
        true
    }

    /// Whether nobody else has the names by which its hosts would be chosen, nor others that come first.
    fn is_certain_of(&self, named: &Named, own: &HashSet<&str>) -> bool {
        own.iter().copied().all(|host| {
            let is_free = |name: &str| !self.claimed.contains(name);
            let is_strayed = kept(host) != host && self.strays.contains(kept(host));
            named.chosen(host).is_some_and(is_free) && is_free(host) && !is_strayed
        })
    }

    /// Whether its names leave every other host to the certificate that serves it.
    fn stays_certain(&self, named: &Named, own: &HashSet<&str>) -> bool {
        named.names.iter().all(|name| {
            let is_same_kind = |kind: &bool| *kind == named.is_elliptic;
            let is_later = self.chosen.get(name).is_none_or(is_same_kind);
            // A name itself comes before a star.
            let goes_before = self.hosts.get(name).is_some_and(|by_star| *by_star);
            let wild = above(name).map(|domain| format!("*{domain}"));
            let is_below = wild.is_some_and(|wild| self.hosts.contains_key(&wild));
            is_later && !goes_before && (!is_below || own.contains(name.as_str()))
        })
    }
}

/// A name as Envoy keeps it: without a star that stands for the first label.
fn kept(name: &str) -> &str {
    let bare = name.strip_prefix('*');
    bare.filter(|rest| rest.starts_with('.')).unwrap_or(name)
}

/// From the first dot on, where something stands on both of its sides; a name that begins with one has none.
fn above(name: &str) -> Option<&str> {
    let (label, domain) = name.split_once('.')?;
    let is_between = !label.is_empty() && !domain.is_empty();
    let place = label.len();
    name.get(place..).filter(|_| is_between)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `RSA` or `EC`, the names of a certificate, its hosts; whether it joins those before it.
    type Row<'r> = (&'r str, &'r str, &'r str, bool);

    fn check(rows: &[Row<'_>]) {
        let list =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let mut shared = Shared::default();
        for (kind, names, hosts, joins) in rows {
            let named = Named::new(&list(names), *kind == "EC");
            assert_eq!(
                shared.join(&named, &list(hosts)),
                *joins,
                "{names} for {hosts} of {rows:?}"
            );
        }
    }

    #[test]
    fn a_certificate_joins_where_envoy_is_certain_to_choose_it() {
        check(&[
            ("RSA", "a.example", "a.example", true),
            ("EC", "b.example www.b.example", "b.example", true),
            ("RSA", "*.c.example", "x.c.example y.c.example", true),
            ("RSA", "*.d.example", "*.d.example", true),
            ("RSA", "e.d.example", "e.d.example", true),
        ]);
    }

    #[test]
    fn one_that_does_not_name_its_host_stays_alone() {
        check(&[
            ("RSA", "a.example", "b.example", false),
            ("RSA", "a.example", "a.example b.example", false),
            ("RSA", "*.example", "a.b.example", false),
            ("RSA", "*.example", "example", false),
            ("RSA", "a.example", "*.example", false),
            ("RSA", "A.example", "a.example", false),
            ("RSA", "", "a.example", false),
        ]);
    }

    #[test]
    fn one_for_a_neighbours_host_takes_it_from_nobody() {
        // The first of one kind counts.
        check(&[
            ("RSA", "a.example", "a.example", true),
            ("RSA", "b.example a.example", "b.example", true),
            ("EC", "c.example a.example", "c.example", false),
            ("RSA", "c.example a.example", "a.example", false),
        ]);
        // A name itself comes before a star.
        check(&[
            ("RSA", "*.example", "a.example", true),
            ("RSA", "b.example a.example", "b.example", false),
            ("RSA", "b.example", "b.example", true),
            ("RSA", "c.other *.example", "c.other", true),
            ("EC", "d.other *.example", "d.other", false),
        ]);
        // And who has it already keeps it.
        check(&[
            ("RSA", "b.example a.example", "b.example", true),
            ("RSA", "a.example", "a.example", false),
            ("RSA", "*.example", "a.example", false),
            ("RSA", "*.example", "c.example", true),
            ("RSA", "*.example", "d.example", false),
        ]);
    }

    #[test]
    fn a_wildcard_host_has_every_name_below_it_that_is_no_host() {
        check(&[
            ("RSA", "*.example", "*.example", true),
            ("RSA", "b.example", "b.example", true),
            ("RSA", "c.other c.example", "c.other", false),
            ("EC", "*.example", "d.example", false),
        ]);
        check(&[
            ("RSA", "c.other c.example", "c.other", true),
            ("RSA", "*.example", "*.example", false),
        ]);
    }
}
