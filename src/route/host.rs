//! Virtual hosts: which one takes a request.
//!
//! Source: `ngx_http_find_virtual_server` and `ngx_http_validate_host` of nginx 1.27.1;
//! `buildServerName` in ingress-nginx's `template.go`.

use super::location::Location;
use super::lookup::{Found, Lookup};
use super::pattern::{Load, Match, Pattern, Work};
use super::tenants::{Candidate, Place, Tenants, TooCostly};
use crate::byte_kind;
use crate::client_certificate::ClientCertificate;
use crate::rewrite::template::Template;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// The host of rules without one, and of requests that no other host takes.
pub(crate) const DEFAULT_SERVER: &str = "_";

/// A pattern is looked for in names of several times that many bytes, or is no alias: every request
/// to a host that nobody names asks each of them.
const LONGEST_NAME: u64 = 4 * 253;

/// A name of DNS, and a star. Each end of a request's host that is no longer than some alias is looked up.
const LONGEST_ALIAS: usize = 253 + 2;

/// All locations of one host.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// The Ingress's host, `*.` in front of a wildcard, `_` for the default server; an alias
    /// has a virtual host of its own.
    pub name: String,
    /// `use-regex` or `rewrite-target` somewhere on the host: every path is a regular expression.
    pub is_regex: bool,
    /// In the order of ingress-nginx's configuration: on a regex host the first match counts.
    /// Names of one host share them.
    pub locations: Arc<[Arc<Location>]>,
    pub(crate) lookup: Arc<Lookup>,
    /// The first location with an `app-root`, and what it says.
    pub(crate) app_root: Option<(usize, Template)>,
    /// The name is that of a host with a certificate.
    pub(crate) tls: bool,
    /// What it asks of its clients' certificates; `None`: nothing.
    pub(crate) client_certificate: Option<Arc<ClientCertificate>>,
    /// The whole host redirects to this one (`from-to-www-redirect`).
    pub(crate) redirect_to: Option<String>,
}

impl VirtualHost {
    /// It takes the requests that no other host takes.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.name == DEFAULT_SERVER
    }

    /// Whether a request to its `location` that came by http is sent to https; `is_named`: under a
    /// name that the certificate is for, not one that the default server takes.
    #[must_use]
    pub fn sends_to_https(&self, location: &Location, is_named: bool) -> bool {
        let ssl = location.ssl;
        !ssl.exempt && (ssl.force || (ssl.redirect && self.tls && is_named))
    }

    /// What it asks of its clients' certificates; `None`: nothing.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_deref()
    }

    pub(crate) fn find(&self, uri: &[u8], known: &OnceCell<Place>) -> Found<'_> {
        self.lookup.find(&self.locations, uri, known)
    }
}

/// Every virtual host, by the ways that nginx looks one up.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    hosts: Vec<VirtualHost>,
    exact: HashMap<Vec<u8>, usize>,
    /// nginx's own wildcards, from `server-alias`: any number of labels.
    suffixes: HashMap<Vec<u8>, usize>,
    prefixes: HashMap<Vec<u8>, usize>,
    /// ingress-nginx's wildcards, one label: the name without `*.`.
    wildcards: HashMap<Vec<u8>, usize>,
    /// Aliases that are regular expressions.
    regexes: Vec<Alias>,
    tenants: Tenants,
    /// Bytes of the longest key of `suffixes` and `prefixes`: nothing longer is looked up.
    longest: usize,
    default: Option<usize>,
}

/// An alias that is a regular expression.
#[derive(Debug)]
struct Alias {
    pattern: Pattern,
    /// The place of the host that it stands for.
    host: usize,
    /// The place of the Ingress that wrote it.
    ingress: Option<usize>,
}

impl Candidate for Alias {
    fn compare(&self, name: &[u8], work: &Work, tries: bool) -> Match {
        self.pattern.compare(name, work, tries)
    }

    fn literal(&self) -> &[u8] {
        self.pattern.literal()
    }
}

impl Hosts {
    /// Adds a host under its own name. Two of one name: the first counts, as in nginx.
    pub(crate) fn add(&mut self, host: VirtualHost) {
        let at = self.hosts.len();
        let name = host.name.to_ascii_lowercase();
        if name == DEFAULT_SERVER {
            self.default = Some(at);
        } else if let Some(rest) = name.strip_prefix("*.") {
            self.wildcards.entry(rest.into()).or_insert(at);
        } else {
            self.exact.entry(name.into()).or_insert(at);
        }
        self.hosts.push(host);
    }

    /// Adds a host under an alias in nginx's own notation; `ingress`: the place of the one that wrote it.
    ///
    /// # Errors
    /// Why the name is not usable.
    pub(crate) fn add_alias(
        &mut self,
        alias: &str,
        ingress: Option<usize>,
        host: impl FnOnce() -> VirtualHost,
    ) -> Result<(), String> {
        let at = self.hosts.len();
        let name = alias.to_ascii_lowercase();
        // All hosts of an Ingress have all of its aliases: each is made once.
        if self.exact.contains_key(name.as_bytes()) {
            return Ok(());
        }
        if let Some(pattern) = alias.strip_prefix('~') {
            let pattern = Pattern::compile(pattern, true)?;
            if pattern.longest() < LONGEST_NAME {
                return Err("would cost too much on every request to an unknown host".to_owned());
            }
            self.regexes.push(Alias {
                pattern,
                host: at,
                ingress,
            });
        } else if name.len() > LONGEST_ALIAS {
            return Err(format!(
                "is no name of DNS: it has more than {LONGEST_ALIAS} bytes"
            ));
        } else if let Some(rest) = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            if name.starts_with('.') {
                self.exact.entry(rest.into()).or_insert(at);
            }
            self.longest = self.longest.max(rest.len());
            self.suffixes.entry(rest.into()).or_insert(at);
        } else if let Some(rest) = name.strip_suffix(".*") {
            self.longest = self.longest.max(rest.len());
            self.prefixes.entry(rest.into()).or_insert(at);
        } else if name.contains('*') {
            return Err("has a * that is not a whole label at one end".to_owned());
        } else {
            self.exact.entry(name.into()).or_insert(at);
        }
        self.hosts.push(host());
        Ok(())
    }

    /// Says how old the namespaces are of those who wrote aliases that are regular expressions.
    pub(crate) fn share(&mut self, ages: impl Fn(&[Option<usize>]) -> Vec<usize>) {
        let ingresses: Vec<_> = self.regexes.iter().map(|alias| alias.ingress).collect();
        self.tenants = Tenants::new(&self.regexes, ages(&ingresses));
    }

    /// What aliases that are regular expressions may cost, with the age of the namespace and the place of the
    /// Ingress that wrote each.
    pub(crate) fn alias_loads(&self) -> impl Iterator<Item = (Load<'_>, usize, Option<usize>)> {
        let all = self.regexes.iter().zip(self.tenants.ages());
        all.filter_map(|(alias, age)| Some((alias.pattern.load()?, *age, alias.ingress)))
    }

    /// Every virtual host, the default server included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &VirtualHost> {
        self.hosts.iter()
    }

    /// The virtual host of a normalised name; `None` as name: the request has no host. Where it may be an
    /// alias of somebody, it is the default server's, whose locations have to be older. `known`: the place among the
    /// aliases that are regular expressions, where it was found before.
    pub(crate) fn find(
        &self,
        name: Option<&[u8]>,
        known: &OnceCell<Place>,
    ) -> Option<(&VirtualHost, Option<TooCostly>)> {
        let named = name.map_or(Ok(None), |name| self.named(name, known));
        let at = named.unwrap_or_default().or(self.default)?;
        Some((self.hosts.get(at)?, named.err()))
    }

    /// The place by which a name is called that an alias at `found` means: a star in its first label's, where the same
    /// server has that name too. `should_set_cookie` of `sticky.lua` asks by it.
    fn listed(&self, found: usize, name: &[u8]) -> usize {
        let of_star = || {
            let tail = name.get(dots(name).next()?.saturating_add(1)..)?;
            let at = self
                .wildcards
                .get(tail)
                .or_else(|| self.suffixes.get(tail))?;
            let (own, alias) = (self.hosts.get(*at)?, self.hosts.get(found)?);
            let is_same = own.name.starts_with('*') && Arc::ptr_eq(&own.lookup, &alias.lookup);
            is_same.then_some(*at)
        };
        of_star().unwrap_or(found)
    }

    fn named(&self, name: &[u8], known: &OnceCell<Place>) -> Place {
        if let Some(at) = self.known(name) {
            return Ok(Some(at));
        }
        if self.regexes.is_empty() {
            return Ok(None);
        }
        let found = *known.get_or_init(|| self.tenants.find(&self.regexes, name));
        let alias = found?.and_then(|at| self.regexes.get(at));
        Ok(alias.map(|alias| self.listed(alias.host, name)))
    }

    fn known(&self, name: &[u8]) -> Option<usize> {
        if let Some(at) = self.exact.get(name) {
            let is_itself = |host: &VirtualHost| host.name.as_bytes() == name;
            let is_called_so = self.hosts.get(*at).is_some_and(is_itself);
            return Some(if is_called_so {
                *at
            } else {
                self.listed(*at, name)
            });
        }
        let tails = dots(name).filter_map(|dot| name.get(dot.saturating_add(1)..));
        let mut tails = tails.filter(|tail| tail.len() <= self.longest);
        if let Some(at) = tails.find_map(|tail| self.suffixes.get(tail)) {
            return Some(self.listed(*at, name));
        }
        if !self.prefixes.is_empty() {
            let heads = dots(name).take_while(|dot| *dot <= self.longest);
            let heads = heads.filter_map(|dot| name.get(..dot));
            // The longest wins.
            if let Some(at) = heads.filter_map(|head| self.prefixes.get(head)).last() {
                return Some(self.listed(*at, name));
            }
        }
        let wildcard = dots(name).next().and_then(|dot| {
            let (label, tail) = name.split_at(dot);
            let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let whole = !label.is_empty() && label.iter().all(is_label);
            self.wildcards.get(tail.get(1..)?).filter(|_| whole)
        });
        wildcard.copied()
    }
}

/// A `server-alias` that is a regular expression, for whoever asks about many names.
#[derive(Debug)]
pub struct AliasPattern(Pattern);

impl AliasPattern {
    /// `None`: it is no regular expression, or none that can be used.
    #[must_use]
    pub fn new(alias: &str) -> Option<Self> {
        let pattern = Pattern::compile(alias.strip_prefix('~')?, true);
        pattern.ok().map(Self)
    }

    /// Whether it means the host `name`.
    #[must_use]
    pub fn means(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes(), &Work::of_a_search())
    }
}

fn dots(name: &[u8]) -> impl Iterator<Item = usize> {
    let bytes = name.iter().enumerate();
    bytes.filter(|(_, byte)| **byte == b'.').map(|(at, _)| at)
}

/// Whether it is compared as it came, but for a last dot. Most are.
fn is_plain(name: &[u8]) -> bool {
    let mut before = 0;
    name.iter().all(|byte| {
        let kinds = byte_kind::of(*byte);
        let is_odd = kinds & byte_kind::ODD_IN_HOST != 0;
        let is_second_dot = kinds & before & byte_kind::DOT != 0;
        before = kinds;
        !is_odd && !is_second_dot
    })
}

/// A host as nginx compares it: lower case, without port and without one last dot. `None`:
/// nginx refuses the request.
pub(crate) fn normalise(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    if is_plain(name) {
        let host = name.strip_suffix(b".").unwrap_or(name);
        return (!host.is_empty()).then_some(Cow::Borrowed(host));
    }
    let last = if name.first() == Some(&b'[') {
        b']'
    } else {
        b':'
    };
    let (mut end, mut before, mut is_lower) = (name.len(), 0, true);
    for (at, byte) in name.iter().enumerate() {
        match byte {
            0..=b' ' | 0x7f | b'/' => return None,
            b'.' if before == b'.' => return None,
            b'A'..=b'Z' => is_lower = false,
            _ if *byte == last && end == name.len() => end = at,
            _ => {}
        }
        before = *byte;
    }
    let host = match last {
        b']' => name.get(..=end).unwrap_or(name),
        _ => name.get(..end)?,
    };
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    if is_lower {
        return Some(Cow::Borrowed(host));
    }
    Some(Cow::Owned(host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_nginx_compares_them() {
        for (name, want) in [
            ("a.example", Some("a.example")),
            ("A.Example:8080", Some("a.example")),
            ("a.example.", Some("a.example")),
            ("a.example.:80", Some("a.example")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("a..example", None),
            (".", None),
            (":80", None),
            ("a/b", None),
            ("a b", None),
        ] {
            let got = normalise(name.as_bytes());
            assert_eq!(got.as_deref(), want.map(str::as_bytes), "{name}");
        }
    }
}
