//! Which location a request belongs to, and what becomes of it (stage 2).
//!
//! Source: the `server` and `location` blocks of `rootfs/etc/nginx/template/nginx.tmpl` and
//! `_M.rewrite` of `rootfs/etc/nginx/lua/lua_ingress.lua`, ingress-nginx dbb11b92d.

mod additions;
mod admission;
mod asking;
mod certificate;
mod counting;
mod disposition;
mod fallback;
pub(crate) mod host;
mod hsts;
mod known;
pub mod location;
pub(crate) mod lookup;
mod openings;
mod paging;
pub(crate) mod pattern;
mod request;
pub(crate) mod target;
pub(crate) mod tenants;

pub(crate) use additions::additions;
pub use disposition::{Disposition, Forward, Reason, Unknown};
pub use host::{AliasPattern, VirtualHost};
pub(crate) use hsts::HSTS;
pub use known::Known;
pub use location::Location;

use crate::access::forwarded;
use crate::body;
use crate::cluster::ClusterId;
use crate::edit::{self, Edit, FieldValue, Headers, Reply};
use crate::endpoints::EndpointTable;
use crate::facts::Facts;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::Rewritten;
use crate::rewrite::variable::Scope;
use admission::Admission;
use disposition::stray;
use hsts::{has_hsts, hsts};
use known::too_costly;
use location::Backend;
use lookup::Found;
use pattern::Work;
use request::Request;
use std::borrow::Cow;
use std::sync::Arc;
use tenants::TooCostly;

/// Decides what is to happen to a request. `headers` with pseudo-headers, as received.
#[must_use]
pub fn dispose<'p>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    headers: &Headers,
    facts: &Facts,
) -> Disposition<'p> {
    dispose_knowing(policy, endpoints, headers, facts, &Known::default())
}

/// The same, where something is known.
#[must_use]
pub fn dispose_knowing<'p>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    headers: &Headers,
    facts: &Facts,
    known: &Known,
) -> Disposition<'p> {
    let work = Work::of_a_request();
    let disposition = decide(policy, endpoints, headers, facts, &work, known);
    if work.is_spent() {
        return too_costly();
    }
    disposition
}

fn decide<'p>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    headers: &Headers,
    facts: &Facts,
    work: &Work,
    known: &Known,
) -> Disposition<'p> {
    if is_ambiguous(policy, headers) {
        return Disposition::reply(redirect::plain(400), None, Reason::AmbiguousPath);
    }
    let request = match Request::whole(policy, headers, facts, work, known) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let mut scope = request.scope;
    if let Some(refused) = certificate::refused(policy, request.host, &mut scope) {
        return refused;
    }
    let (host, doubt) = (request.host, request.doubt);
    let disposition = of_host(policy, endpoints, (host, doubt), &mut scope, known);
    paging::paged(policy, endpoints, &scope, disposition, known)
}

/// What becomes of a request to this host.
fn of_host<'p: 'r, 'r>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    (host, doubt): (&'p VirtualHost, Option<TooCostly>),
    scope: &mut Scope<'r>,
    known: &Known,
) -> Disposition<'p> {
    if policy
        .clients
        .as_ref()
        .is_some_and(|clients| clients.has(scope.headers))
    {
        let kept_out = || Disposition::reply(redirect::plain(403), None, Reason::Client);
        return if host.is_default() {
            stray(policy, Some(Unknown::Host), kept_out)
        } else {
            kept_out()
        };
    }
    if let Some(refused) = certificate::not_admitted(host, scope) {
        return refused;
    }
    if let Some(to) = &host.redirect_to {
        let reply = redirect::www(policy, scope, to);
        return Disposition::redirect(reply, None, Reason::FromToWww);
    }
    // Of a name that may be an alias of theirs others take no request, but for who was there before.
    let is_in_doubt = |location: &Location| {
        let age = doubt.map(|doubt| doubt.age);
        !location.ingress.is_empty() && age.is_some_and(|age| age <= location.age)
    };
    if &*scope.uri == b"/"
        && let Some((at, template)) = &host.app_root
    {
        if host.locations.get(*at).is_some_and(|one| is_in_doubt(one)) {
            return too_costly();
        }
        let reply = redirect::to(policy, 302, template.filled(scope), scope, false);
        return Disposition::redirect(reply, host.locations.get(*at), Reason::AppRoot);
    }
    let found = host.find(&scope.uri, &known.location);
    let unknown = unknown(host);
    let mut here = || match found {
        Found::TooCostly => too_costly(),
        Found::Location(location) | Found::MissingSlash(location)
            if body::is_too_long(location.body_size, scope.headers) =>
        {
            too_large(policy, location, scope)
        }
        Found::Location(location) => enter(policy, endpoints, host, location, scope, known),
        Found::MissingSlash(location) => {
            let mut reply = redirect::missing_slash(policy, location, scope);
            if let Some(reply) = &mut reply {
                reply.headers.extend(hsts(policy, scope));
            }
            Disposition::redirect(reply, Some(location), Reason::MissingSlash)
        }
        Found::Nothing => Disposition::NotFound {
            location: None,
            unknown,
            headers: Vec::new(),
            page: None,
        },
    };
    match found {
        Found::TooCostly => too_costly(),
        Found::Location(location) | Found::MissingSlash(location) if is_in_doubt(location) => {
            too_costly()
        }
        Found::Location(location) | Found::MissingSlash(location)
            if location.backend != Backend::Nobody =>
        {
            here()
        }
        _ => stray(policy, Some(unknown), here),
    }
}

/// The host that a request is for, as it is compared; `None`: it has none, or one that is none.
pub(crate) fn host_of<'h>(headers: &Headers<'h>) -> Option<Cow<'h, [u8]>> {
    edit::first(headers, ":authority").and_then(host::normalise)
}

/// Whether a pod may read the path otherwise than a rule on a protected prefix does; also where it
/// is none of limpet's.
fn is_ambiguous(policy: &Policy, headers: &Headers) -> bool {
    if policy.protect.is_empty() {
        return false;
    }
    let host = host_of(headers);
    let path = edit::first(headers, ":path");
    path.is_some_and(|path| policy.protect.is_ambiguous(host.as_deref(), path))
}

/// What no Ingress names where nobody serves a request to `host`.
fn unknown(host: &VirtualHost) -> Unknown {
    if host.is_default() {
        Unknown::Host
    } else {
        Unknown::Path
    }
}

/// nginx looks at Content-Length as soon as it knows the location: such an answer says nothing to other
/// sites' pages.
fn too_large<'p>(
    policy: &'p Policy,
    location: &'p Arc<Location>,
    scope: &Scope,
) -> Disposition<'p> {
    let mut reply = redirect::plain(413);
    reply.headers.extend(hsts(policy, scope));
    Disposition::reply(reply, Some(location), Reason::TooLarge)
}

/// What nginx does with a request inside a location, in its order: the rewrite module, then
/// ingress-nginx's Lua, then the upstream.
fn enter<'p: 'r, 'r>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    host: &'p VirtualHost,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
    known: &Known,
) -> Disposition<'p> {
    if location.is_health_check {
        return Disposition::reply(redirect::plain(200), Some(location), Reason::HealthCheck);
    }
    if location.closed {
        return Disposition::reply(redirect::plain(503), Some(location), Reason::Closed);
    }
    if location.denied {
        let mut reply = redirect::plain(503);
        reply.headers.extend(hsts(policy, scope));
        return Disposition::reply(reply, Some(location), Reason::Denied);
    }
    let cors = location.cors.as_deref();
    let allowed = cors.and_then(|cors| Some((cors, cors.allowed(scope.headers)?)));
    let is_preflight = || edit::first(scope.headers, ":method") == Some(b"OPTIONS");
    let mut disposition = if allowed.is_some() && is_preflight() {
        Disposition::reply(redirect::plain(204), Some(location), Reason::Preflight)
    } else {
        go_in(policy, endpoints, host, location, scope, known)
    };
    match &mut disposition {
        Disposition::Forward(forward) => {
            forward.hsts = has_hsts(policy, scope);
            forward.cors = allowed.map(|(_, allowed)| allowed);
        }
        Disposition::Reply {
            reply: Reply { headers, .. },
            reason,
            ..
        } => {
            // What leads to the sign-in is a location of its own.
            if *reason != Reason::SignIn {
                headers.extend(hsts(policy, scope));
            }
            if let Some((cors, allowed)) = allowed {
                headers.extend(cors.fields(allowed));
            }
        }
        Disposition::NotFound { headers, .. } => {
            headers.extend(hsts(policy, scope));
            if let Some((cors, allowed)) = allowed {
                headers.extend(cors.fields(allowed));
            }
        }
        Disposition::Pass { .. } | Disposition::Ask(_) => {}
    }
    disposition
}

/// The same, after what every answer of the location is given.
fn go_in<'p: 'r, 'r>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    host: &'p VirtualHost,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
    known: &Known,
) -> Disposition<'p> {
    scope.names = location.names();
    if let Some(redirect) = &location.redirect {
        if location.uses_groups {
            scope.groups = location.groups(&scope.uri, scope.work);
            scope.subject = scope.uri.clone();
        }
        let url = redirect.url.filled(scope);
        let reply = redirect::to(policy, redirect.status, url, scope, location.relative);
        return Disposition::redirect(reply, Some(location), Reason::Redirect);
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
            let reply = redirect::to(policy, 302, url, scope, location.relative);
            return Disposition::redirect(reply, Some(location), Reason::RewriteRedirect);
        }
        Some(Rewritten::Empty) => {
            return Disposition::reply(redirect::plain(500), Some(location), Reason::EmptyPath);
        }
    };
    if redirect::wants_https(host, location, scope) {
        let reply = redirect::to_https(policy, location, scope);
        return Disposition::redirect(reply, Some(location), Reason::SslRedirect);
    }
    if let Some(refused) = certificate::evaded(location, scope) {
        return refused;
    }
    // ingress-nginx's balancer looks for its endpoints before anybody is asked who they are.
    if location.backend == Backend::Missing && location.fallback.is_none() {
        return Disposition::reply(redirect::plain(503), Some(location), Reason::NoService);
    }
    if let Some(limited) = counting::limited(policy, location, scope, &known.counted) {
        return limited;
    }
    let admitted = match admission::admission(policy, host, location, scope, known) {
        Admission::Admitted(admitted) => admitted,
        Admission::Refused(reply, reason) => {
            return Disposition::reply(reply, Some(location), reason);
        }
        Admission::Ask(question) => return Disposition::Ask(question),
    };
    if let Some(to) = &path {
        let (host, from) = (Some(&*scope.host), &*scope.raw);
        let refused = if policy.protect.is_ambiguous(host, to) {
            Some(Reason::AmbiguousPath)
        } else if policy.protect.is_entered(host, from, to) {
            Some(Reason::ProtectedPath)
        } else {
            None
        };
        if let Some(reason) = refused {
            return Disposition::reply(redirect::plain(400), Some(location), reason);
        }
    }
    let mut disposition = serve(policy, endpoints, host, location, scope, path);
    if let (Disposition::Forward(forward), Some(admitted)) = (&mut disposition, admitted) {
        forward.edits.extend(admitted.edits.iter().cloned());
        forward.admitted = Some(Box::new(admitted));
    }
    disposition
}

/// Hands the request to whom the location names; `path`: its new target.
fn serve<'p: 'r, 'r>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    host: &VirtualHost,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
    path: Option<Vec<u8>>,
) -> Disposition<'p> {
    let own = match location.backend {
        // The default backend is nginx itself, which refuses a target without a slash.
        Backend::Nobody if path.as_ref().is_some_and(|path| !path.starts_with(b"/")) => {
            return Disposition::reply(redirect::plain(400), Some(location), Reason::BadRequest);
        }
        Backend::Nobody => {
            return Disposition::NotFound {
                location: Some(location),
                unknown: unknown(host),
                headers: Vec::new(),
                page: None,
            };
        }
        Backend::Missing => None,
        Backend::Cluster(cluster) => Some(cluster),
    };
    let fallback = location.fallback;
    let fallback =
        fallback.filter(|_| own.is_none_or(|own| fallback::is_empty(policy, endpoints, own)));
    let Some(cluster) = fallback.or(own) else {
        return Disposition::reply(redirect::plain(503), Some(location), Reason::NoService);
    };
    let mut forward = forward(policy, location, scope, cluster, path);
    if fallback.is_some() {
        forward.is_fallback = true;
        let further = fallback::edits(location, scope.headers);
        forward.edits.extend(further);
    }
    Disposition::Forward(forward)
}

fn forward<'p: 'r, 'r>(
    policy: &'p Policy,
    location: &'p Arc<Location>,
    scope: &mut Scope<'r>,
    cluster: ClusterId,
    path: Option<Vec<u8>>,
) -> Forward<'p> {
    if path.is_none() && location.uses_groups {
        scope.groups = location.groups(&scope.uri, scope.work);
        scope.subject = scope.uri.clone();
    }
    Forward {
        location,
        cluster,
        is_fallback: false,
        admitted: None,
        page: None,
        edits: edits(policy, location, scope),
        cors: None,
        hsts: false,
        path,
        https: redirect::is_https(policy, scope),
        is_deep: request::is_deep(scope),
        hash_by: location
            .hash_by
            .as_ref()
            .map(|template| template.value(scope).into()),
    }
}

/// X-Forwarded-Prefix goes with a rewrite alone; an empty one removes the downstream's.
fn edits<'p>(policy: &'p Policy, location: &'p Location, scope: &Scope) -> Vec<Edit<'p>> {
    let mut edits = Vec::new();
    if policy.names_routes {
        let header = &policy.headers.policy;
        match &location.policy {
            Some(name) => {
                let name = FieldValue::new(name.as_bytes());
                edits.push(Edit::Set(header.into(), name));
            }
            None if edit::first(scope.headers, header).is_some() => {
                edits.push(Edit::Remove(header.into()));
            }
            None => {}
        }
    }
    if let Some(template) = &location.forwarded_prefix {
        let value = template.value(scope);
        if !value.is_empty() {
            edits.push(Edit::Set(
                "x-forwarded-prefix".into(),
                FieldValue::new(value),
            ));
        } else if edit::first(scope.headers, "x-forwarded-prefix").is_some() {
            edits.push(Edit::Remove("x-forwarded-prefix".into()));
        }
    }
    // `parse_x_forwarded_host`: the first of several.
    if let Some(host) = redirect::forwarded_host(policy, scope)
        && edit::first(scope.headers, "x-forwarded-host").is_some_and(|all| host.len() < all.len())
    {
        let value = FieldValue::received(host.to_vec());
        edits.push(Edit::Set("x-forwarded-host".into(), value));
    }
    if let Some(real_ip) = &policy.real_ip {
        edits.extend(forwarded::edits(scope.headers, scope.facts, real_ip));
    }
    edits.extend(scope.client.edits(scope.headers));
    edits.extend(policy.requests.edits(scope));
    let names = scope.headers.iter().map(|(name, _)| *name);
    let dropped = names.filter(|name| policy.drops(name));
    let dropped = dropped.filter_map(|name| std::str::from_utf8(name).ok());
    edits.extend(dropped.map(|name| Edit::Remove(name.to_owned().into())));
    // `proxy_set_header Authorization ""`.
    if location.basic.is_some() && edit::first(scope.headers, "authorization").is_some() {
        edits.push(Edit::Remove("authorization".into()));
    }
    let header = policy.headers.host.as_deref();
    if let Some(host) = upstream_host(policy, location, scope) {
        let name = header.unwrap_or(":authority");
        edits.push(Edit::Set(name.into(), FieldValue::new(host)));
    } else if let Some(name) = header
        && edit::first(scope.headers, name).is_some()
    {
        edits.push(Edit::Remove(name.into()));
    }
    edits
}

/// What the pod sees as its Host: `upstream-vhost`, else `$best_http_host`. `None`: what came.
/// Where limpet does not own the listener a changed Host would select another virtual host: there
/// it takes a header, and the route that rewrites the host from it.
fn upstream_host(policy: &Policy, location: &Location, scope: &Scope) -> Option<Vec<u8>> {
    if !policy.owns_listener() && policy.headers.host.is_none() {
        return None;
    }
    if let Some(template) = &location.upstream_host {
        return Some(template.value(scope));
    }
    let host = redirect::forwarded_host(policy, scope).filter(|_| policy.forwarded_host)?;
    (host != scope.http_host()).then(|| host.to_vec())
}
