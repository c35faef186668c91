//! Which location a request belongs to, and what becomes of it (stage 2).
//!
//! Source: the `server` and `location` blocks of `rootfs/etc/nginx/template/nginx.tmpl` and
//! `_M.rewrite` of `rootfs/etc/nginx/lua/lua_ingress.lua`, ingress-nginx dbb11b92d.

pub(crate) mod fallback;
pub(crate) mod host;
pub mod location;
pub(crate) mod lookup;
pub(crate) mod pattern;
mod request;
pub(crate) mod target;

pub use host::VirtualHost;
pub use location::Location;

use crate::cluster::ClusterId;
use crate::config::Unmatched;
use crate::edit::{self, Edit, Headers, Reply};
use crate::facts::Facts;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::Rewritten;
use crate::rewrite::escape::{Kind, escape};
use crate::rewrite::variable::Scope;
use location::Backend;
use lookup::Found;
use request::Request;
use std::sync::Arc;

/// What is to happen to a request.
#[derive(Debug)]
pub enum Answer<'p> {
    /// It goes to an endpoint.
    Forward(Forward<'p>),
    /// limpet answers it itself.
    Reply {
        /// The answer.
        reply: Reply,
        /// The location that says so; `None` for a virtual host's own redirect.
        location: Option<&'p Arc<Location>>,
        /// Why.
        reason: Reason,
    },
    /// Nobody serves it, and limpet owns the listener: 404.
    NotFound {
        /// The location found, where it is one without a Service.
        location: Option<&'p Arc<Location>>,
    },
    /// No Ingress names it: it goes on untouched.
    Pass,
}

/// A request that goes to an endpoint.
#[derive(Debug)]
pub struct Forward<'p> {
    /// Where it belongs.
    pub location: &'p Arc<Location>,
    /// The primary cluster; canaries not yet considered.
    pub cluster: ClusterId,
    /// The new `:path`; `None`: it stays as it came.
    pub path: Option<Vec<u8>>,
    /// Further edits of the request's head: X-Forwarded-Prefix, the upstream's host.
    pub edits: Vec<Edit<'p>>,
    /// The downstream came by https: what gives the session cookie its Secure.
    pub https: bool,
    /// The value that `upstream-hash-by` yields for this request; `None`: no such annotation.
    pub hash_by: Option<Vec<u8>>,
}

/// Why limpet answers a request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `app-root`.
    AppRoot,
    /// `permanent-redirect` or `temporal-redirect`.
    Redirect,
    /// `ssl-redirect` or `force-ssl-redirect`.
    SslRedirect,
    /// `from-to-www-redirect`.
    FromToWww,
    /// `rewrite-target` is an absolute URL.
    RewriteRedirect,
    /// The path lacks the slash that its location ends with.
    MissingSlash,
    /// The Service or its port is missing: 503.
    NoService,
    /// A refused annotation denies the location: 503.
    Denied,
    /// nginx refuses such a request: 400, or 405 for TRACE.
    BadRequest,
    /// The rewrite leaves nothing of the path: 500, as nginx.
    EmptyPath,
    /// A load balancer's health check of a host that nobody serves.
    HealthCheck,
}

impl Reason {
    /// As the decision record spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppRoot => "app_root",
            Self::Redirect => "redirect",
            Self::SslRedirect => "ssl_redirect",
            Self::FromToWww => "from_to_www",
            Self::RewriteRedirect => "rewrite_redirect",
            Self::MissingSlash => "missing_slash",
            Self::NoService => "no_service",
            Self::Denied => "denied",
            Self::BadRequest => "bad_request",
            Self::EmptyPath => "empty_path",
            Self::HealthCheck => "health_check",
        }
    }
}

/// Answers one request. `headers` with pseudo-headers, as received.
#[must_use]
pub fn answer<'p>(policy: &'p Policy, headers: &Headers, facts: &Facts) -> Answer<'p> {
    let request = match Request::read(policy, headers, facts) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let host = request.host;
    let mut scope = request.scope;
    if let Some(to) = &host.redirect_to {
        let reply = redirect::www(policy, &scope, to);
        return reply_of(reply, None, Reason::FromToWww);
    }
    if &*scope.uri == b"/"
        && let Some((at, template)) = &host.app_root
    {
        let reply = redirect::to(302, template.value(&scope), &scope, false);
        return reply_of(reply, host.locations.get(*at), Reason::AppRoot);
    }
    match host.find(&scope.uri) {
        Found::Location(location) => enter(policy, host, location, &mut scope),
        Found::MissingSlash(location) if passes(policy, location) => Answer::Pass,
        Found::MissingSlash(location) => {
            let reply = redirect::missing_slash(location, &scope);
            reply_of(reply, Some(location), Reason::MissingSlash)
        }
        Found::Nothing if policy.unmatched == Unmatched::Pass => Answer::Pass,
        Found::Nothing => Answer::NotFound { location: None },
    }
}

/// No Ingress gives the location a Service, and such requests are to go on untouched.
fn passes(policy: &Policy, location: &Location) -> bool {
    policy.unmatched == Unmatched::Pass && location.backend == Backend::Nobody
}

/// What nginx does with a request inside a location, in its order: the rewrite module, then
/// ingress-nginx's Lua, then the upstream.
fn enter<'p: 'r, 'r>(
    policy: &'p Policy,
    host: &'p VirtualHost,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
) -> Answer<'p> {
    if passes(policy, location) {
        return Answer::Pass;
    }
    if location.is_health_check {
        return reply_of(redirect::plain(200), Some(location), Reason::HealthCheck);
    }
    if location.denied {
        return reply_of(redirect::plain(503), Some(location), Reason::Denied);
    }
    scope.names = location.names();
    if let Some(redirect) = &location.redirect {
        if location.uses_groups {
            scope.groups = location.groups(&scope.uri);
            scope.subject = scope.uri.clone();
        }
        if redirect.url.leads_astray(scope) {
            return reply_of(redirect::plain(400), Some(location), Reason::BadRequest);
        }
        let url = redirect.url.value(scope);
        let reply = redirect::to(redirect.status, url, scope, location.relative);
        return reply_of(reply, Some(location), Reason::Redirect);
    }
    let path = match location
        .rewrite
        .as_ref()
        .and_then(|rewrite| rewrite.apply(scope))
    {
        None => None,
        Some(Rewritten::Path { path, uri }) => {
            scope.uri = uri.into();
            Some(path)
        }
        Some(Rewritten::Redirect(url)) => {
            let reply = redirect::to(302, url, scope, location.relative);
            return reply_of(reply, Some(location), Reason::RewriteRedirect);
        }
        Some(Rewritten::Astray) => {
            return reply_of(redirect::plain(400), Some(location), Reason::BadRequest);
        }
        Some(Rewritten::Empty) => {
            return reply_of(redirect::plain(500), Some(location), Reason::EmptyPath);
        }
    };
    if let Some(reply) = redirect::to_https(policy, host, location, scope) {
        return reply_of(reply, Some(location), Reason::SslRedirect);
    }
    serve(policy, location, scope, path)
}

/// Hands the request to whom the location names; `path`: its new target.
fn serve<'p: 'r, 'r>(
    policy: &'p Policy,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
    path: Option<Vec<u8>>,
) -> Answer<'p> {
    // The default backend is nginx itself, which refuses a target without a slash.
    let is_refused = path.as_ref().is_some_and(|path| !path.starts_with(b"/"));
    match (location.backend, location.fallback) {
        (Backend::Nobody, _) if is_refused => {
            reply_of(redirect::plain(400), Some(location), Reason::BadRequest)
        }
        (Backend::Nobody, _) => Answer::NotFound {
            location: Some(location),
        },
        (Backend::Missing, None) => {
            reply_of(redirect::plain(503), Some(location), Reason::NoService)
        }
        (Backend::Missing, Some(cluster)) => {
            let mut forward = forward(policy, location, scope, cluster, path);
            let further = fallback::edits(location, scope.headers);
            forward.edits.extend(further);
            Answer::Forward(forward)
        }
        (Backend::Cluster(cluster), _) => {
            Answer::Forward(forward(policy, location, scope, cluster, path))
        }
    }
}

fn forward<'p: 'r, 'r>(
    policy: &'p Policy,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
    cluster: ClusterId,
    path: Option<Vec<u8>>,
) -> Forward<'p> {
    if path.is_none() && location.uses_groups {
        scope.groups = location.groups(&scope.uri);
        scope.subject = scope.uri.clone();
    }
    Forward {
        location,
        cluster,
        edits: edits(policy, location, scope),
        path,
        https: redirect::is_https(policy, scope),
        hash_by: location
            .hash_by
            .as_ref()
            .map(|template| template.value(scope)),
    }
}

/// X-Forwarded-Prefix goes with a rewrite alone; an empty one removes the downstream's.
fn edits<'p>(policy: &Policy, location: &Location, scope: &Scope) -> Vec<Edit<'p>> {
    let mut edits = Vec::new();
    if let Some(template) = &location.forwarded_prefix {
        let value = template.value(scope);
        if !value.is_empty() {
            let value = escape(&value, Kind::Header).into_owned();
            edits.push(Edit::Set("x-forwarded-prefix".into(), value.into()));
        } else if edit::first(scope.headers, "x-forwarded-prefix").is_some() {
            edits.push(Edit::Remove("x-forwarded-prefix".into()));
        }
    }
    if let Some(host) = upstream_host(policy, location, scope) {
        let host = escape(&host, Kind::Header).into_owned();
        edits.push(Edit::Set(":authority".into(), host.into()));
    }
    edits
}

/// What the pod sees as its Host: `upstream-vhost`, else `$best_http_host`. `None`: what came.
/// Where limpet does not own the listener it would select another virtual host: there it is the
/// route's host rewrite.
fn upstream_host(policy: &Policy, location: &Location, scope: &Scope) -> Option<Vec<u8>> {
    if policy.unmatched != Unmatched::NotFound {
        return None;
    }
    if let Some(template) = &location.upstream_host {
        return Some(template.value(scope));
    }
    let host = redirect::forwarded_host(policy, scope).filter(|_| policy.forwarded_host)?;
    (host != scope.http_host()).then(|| host.to_vec())
}

fn reply_of(reply: Reply, location: Option<&Arc<Location>>, reason: Reason) -> Answer<'_> {
    Answer::Reply {
        reply,
        location,
        reason,
    }
}
