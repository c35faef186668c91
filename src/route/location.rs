//! A location, compiled.

use super::pattern::{Groups, Match, Pattern, Work};
use super::tenants::Candidate;
use crate::access::Lists;
use crate::authentication::Basic;
use crate::authorizer::Authorizer;
use crate::cluster::ClusterId;
use crate::cors::Cors;
use crate::error_pages::ErrorPages;
use crate::fields::Answers;
use crate::limits::Limits;
use crate::redirect::response::Rules;
use crate::rewrite::Rewrite;
use crate::rewrite::template::Template;
use crate::rewrite::variable::Names;
use std::sync::Arc;

/// One path of one Ingress with its settings (nginx's word).
#[derive(Debug, Clone, Default)]
pub struct Location {
    /// `namespace/name` of the Ingress; empty on the default server's own `/`.
    pub ingress: String,
    /// The path as the Ingress writes it (ingress-nginx's `location_path`): the default
    /// path of session cookies. An implicit `/` location has `/`.
    pub path: String,
    pub(crate) cookies: Cookies,
    /// The place of the oldest Ingress that its namespace has on the host.
    pub(crate) age: usize,
    /// How a path is compared with [`Location::name`].
    pub kind: Kind,
    /// The path that nginx is told: a Prefix path ends with a slash unless the host is regex.
    pub name: String,
    /// Nobody named it: the root that every host has.
    pub is_implicit: bool,
    /// Who serves it.
    pub backend: Backend,
    /// `default-backend`: who serves it while its own cluster has no endpoint.
    pub fallback: Option<ClusterId>,
    /// The upstream's name, for people: `namespace-service-port`.
    pub upstream_name: String,
    pub(crate) service: String,
    pub(crate) port: String,
    /// The location's own regular expression; on regex hosts alone.
    pub(crate) pattern: Option<Arc<Pattern>>,
    /// Some text of it has captures or named groups of `pattern`.
    pub(crate) uses_groups: bool,
    /// Who may come in, by address; `None`: nobody is asked.
    pub(crate) access: Option<Box<Lists>>,
    /// `None`: nobody is asked for a password.
    pub(crate) basic: Option<Arc<Basic>>,
    /// `None`: nobody else is asked.
    pub(crate) authorizer: Option<Box<Authorizer>>,
    /// `None`: nothing is counted.
    pub(crate) limits: Option<Arc<Limits>>,
    /// `satisfy: any`.
    pub(crate) satisfies_any: bool,
    /// `None`: nobody is told anything.
    pub(crate) cors: Option<Box<Cors>>,
    /// `proxy-body-size` in bytes; 0: no bound.
    pub(crate) body_size: u64,
    /// `custom-headers`; `None`: there are none.
    pub(crate) custom_headers: Option<Arc<Answers>>,
    /// `custom-http-errors`; `None`: every answer goes out as it is.
    pub(crate) error_pages: Option<Arc<ErrorPages>>,
    pub(crate) denied: bool,
    /// The configuration closes its Ingress, or its host.
    pub(crate) closed: bool,
    pub(crate) redirect: Option<Redirect>,
    /// `relative-redirects`.
    pub(crate) relative: bool,
    pub(crate) rewrite: Option<Rewrite>,
    /// `enable-rewrite-log`.
    pub(crate) logs_rewrites: bool,
    pub(crate) ssl: Ssl,
    /// `x-forwarded-prefix`; only beside a rewrite.
    pub(crate) forwarded_prefix: Option<Template>,
    /// `upstream-vhost`.
    pub(crate) upstream_host: Option<Template>,
    pub(crate) hash_by: Option<Template>,
    /// `policies`: the route that it asks for; `None`: the one of all.
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) rules: Arc<Rules>,
    /// ingress-nginx's own `/healthz` of the default server.
    pub(crate) is_health_check: bool,
}

/// Whose responses may set the session cookie (`should_set_cookie` of ingress-nginx's `sticky.lua`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cookies {
    /// Those of the location's own Service.
    pub primary: bool,
    /// Those of its canary: of several Services that have one canary the last one's paths count, as
    /// the others' sessions do not.
    pub canary: bool,
}

/// How a path is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// It is the same.
    Exact,
    /// It begins with it.
    #[default]
    Prefix,
    /// It matches from its start, upper and lower case alike.
    Regex,
}

/// Who serves a location.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Backend {
    /// No Ingress gives it a Service: ingress-nginx's default backend, which answers 404.
    #[default]
    Nobody,
    /// Its Service or port does not exist: 503.
    Missing,
    /// This cluster.
    Cluster(ClusterId),
}

/// `permanent-redirect` or `temporal-redirect`.
#[derive(Debug, Clone)]
pub(crate) struct Redirect {
    pub status: u16,
    pub url: Template,
}

/// When and how http is sent to https.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ssl {
    /// `ssl-redirect`: where the host has a certificate.
    pub redirect: bool,
    /// `force-ssl-redirect`.
    pub force: bool,
    /// `no-tls-redirect-locations`.
    pub exempt: bool,
    /// `preserve-trailing-slash`.
    pub keep_slash: bool,
    /// `use-port-in-redirects`.
    pub port: bool,
}

impl Location {
    /// Whether the configuration closes it: 503 for everybody.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What ingress-nginx answers load balancers on its default server.
    pub(crate) fn health_check() -> Self {
        Self {
            path: "/healthz".to_owned(),
            name: "/healthz".to_owned(),
            is_health_check: true,
            ..Self::default()
        }
    }

    /// Whether responses of this location, or of its canary, may set the session cookie.
    #[must_use]
    pub fn sets_cookie(&self, is_canary: bool) -> bool {
        if is_canary {
            self.cookies.canary
        } else {
            self.cookies.primary
        }
    }

    /// Whether `proxy-cookie-path`, `proxy-cookie-domain` or `proxy-redirect-from` and `-to`
    /// change responses of this location.
    #[must_use]
    pub fn translates_response(&self) -> bool {
        !self.rules.is_empty()
    }

    /// `upstream-vhost`: its pods see another Host than the client sent.
    #[must_use]
    pub fn changes_host(&self) -> bool {
        self.upstream_host.is_some()
    }

    /// `auth-signin`.
    pub(crate) fn leads_to_sign_in(&self) -> bool {
        let authorizer = self.authorizer.as_ref();
        authorizer.is_some_and(|authorizer| authorizer.signin.is_some())
    }

    pub(crate) fn groups(&self, uri: &[u8], work: &Work) -> Groups<'_> {
        let groups = self
            .pattern
            .as_ref()
            .and_then(|pattern| pattern.groups(uri, work));
        groups.unwrap_or_default()
    }

    pub(crate) fn names(&self) -> Names<'_> {
        Names {
            ingress: &self.ingress,
            service: &self.service,
            port: &self.port,
            path: &self.path,
            upstream: &self.upstream_name,
        }
    }
}

impl Candidate for Arc<Location> {
    fn compare(&self, uri: &[u8], work: &Work, tries: bool) -> Match {
        match &self.pattern {
            Some(pattern) => pattern.compare(uri, work, tries),
            None if uri.starts_with(self.name.as_bytes()) => Match::Yes,
            None => Match::No,
        }
    }

    fn literal(&self) -> &[u8] {
        let pattern = self.pattern.as_ref();
        pattern.map_or(self.name.as_bytes(), |pattern| pattern.literal())
    }
}
