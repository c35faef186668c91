//! Redirects: those limpet answers, and those of the upstream that it translates.
//!
//! Source: `redirect_to_https` in `rootfs/etc/nginx/lua/lua_ingress.lua`, `ngx_srv_redirect.lua`,
//! ingress-nginx dbb11b92d; `ngx_http_send_response` and `ngx_http_header_filter` of nginx 1.27.1.

mod destination;
pub(crate) mod response;

pub use response::why_unusable;

use crate::edit::{self, FieldValue, Reply};
use crate::policy::Policy;
use crate::rewrite::escape::{Kind, escape};
use crate::rewrite::template::Filled;
use crate::rewrite::variable::Scope;
use crate::route::{Location, VirtualHost};
use destination::{is_meant, is_plain};

/// An answer without a Location.
pub(crate) fn plain(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// A redirect to `url`; a path becomes a whole URL unless `relative`. A status that is no
/// redirect carries the URL as its body, as nginx's `return` does. `None`, here and below: it would
/// lead to a host that a link chose, or a browser would read another one than is written.
pub(crate) fn to(
    policy: &Policy,
    status: u16,
    url: Filled,
    scope: &Scope,
    relative: bool,
) -> Option<Reply> {
    if status == 304 {
        return Some(plain(status));
    }
    let Filled { text: url, open } = url;
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Some(Reply {
            status,
            headers: vec![("content-type".into(), FieldValue::new(&b"text/html"[..]))],
            body: url,
        });
    }
    let is_path = url.first() == Some(&b'/');
    // To a browser `//name` and `/\name` are other hosts: never relative.
    let is_host = matches!(url.get(..2), Some(b"//" | b"/\\"));
    if is_path && (is_host || !relative) && scope.has_host {
        return own(status, scope.scheme().as_bytes(), &scope.host, &url);
    }
    let forwarded = forwarded_host(policy, scope).unwrap_or_default();
    let own = [scope.http_host(), &scope.host, forwarded];
    let is_safe = own.iter().all(|host| is_plain(host)) && is_meant(&url, &open, &own);
    is_safe.then(|| found(status, url))
}

/// A redirect to a host that the request itself names, with or without a port.
fn own(status: u16, scheme: &[u8], host: &[u8], uri: &[u8]) -> Option<Reply> {
    let is_host = is_plain(host) && !matches!(host.first(), None | Some(b':'));
    let is_safe = is_host && scheme.iter().all(u8::is_ascii_alphabetic);
    is_safe.then(|| found(status, [scheme, b"://", host, uri].concat()))
}

/// The redirect to a location's own last slash.
pub(crate) fn missing_slash(policy: &Policy, location: &Location, scope: &Scope) -> Option<Reply> {
    let mut url = escape(location.name.as_bytes(), Kind::Uri).into_owned();
    if !scope.args.is_empty() {
        url.push(b'?');
        url.extend_from_slice(scope.args);
    }
    // The location is entered no further than its core settings, `relative-redirects` among them.
    let url = Filled::fixed(url);
    to(policy, 301, url, scope, location.relative)
}

/// `from-to-www-redirect`: a last slash is dropped even from the arguments, the port is named.
pub(crate) fn www(policy: &Policy, scope: &Scope, host: &str) -> Option<Reply> {
    let scheme = forwarded_scheme(scope).unwrap_or(scope.scheme().as_bytes());
    let port = edit::first(scope.headers, "x-forwarded-port");
    let port = port.filter(|_| policy.use_forwarded_headers);
    let port = port.unwrap_or(scope.port().as_bytes());
    let uri = scope.raw.strip_suffix(b"/").unwrap_or(&scope.raw);
    let host = [host.as_bytes(), b":", port].concat();
    own(policy.redirect_code, scheme, &host, uri)
}

/// `ssl-redirect` and `force-ssl-redirect`: whether the request is sent to https.
pub(crate) fn wants_https(host: &VirtualHost, location: &Location, scope: &Scope) -> bool {
    let is_named = !host.is_default() || &*scope.host == b"_";
    host.sends_to_https(location, is_named) && scope.access_scheme() == b"http"
}

/// The redirect to https.
pub(crate) fn to_https(policy: &Policy, location: &Location, scope: &Scope) -> Option<Reply> {
    let uri: &[u8] = &scope.raw;
    let uri = match uri.strip_suffix(b"/") {
        Some(bare) if !location.ssl.keep_slash => bare,
        _ => uri,
    };
    let port: &[u8] = if location.ssl.port { b":443" } else { b"" };
    let host = [best_host(policy, scope), port].concat();
    own(policy.redirect_code, b"https", &host, uri)
}

/// `redirect_host`: the host as the downstream wrote it, without its port.
fn best_host<'s>(policy: &Policy, scope: &'s Scope) -> &'s [u8] {
    let host = forwarded_host(policy, scope).unwrap_or(match scope.http_host() {
        [] => &scope.host,
        host => host,
    });
    // nginx would cut an IPv6 literal at its first colon.
    if host.first() == Some(&b'[') {
        let end = host.iter().position(|byte| *byte == b']');
        let end = end.map(|end| end.saturating_add(1));
        return end.and_then(|end| host.get(..end)).unwrap_or(host);
    }
    host.split(|byte| *byte == b':').next().unwrap_or(host)
}

/// The first of X-Forwarded-Host, where it is trusted and there.
pub(crate) fn forwarded_host<'s>(policy: &Policy, scope: &'s Scope) -> Option<&'s [u8]> {
    if !policy.use_forwarded_headers {
        return None;
    }
    let hosts = edit::first(scope.headers, "x-forwarded-host")?;
    hosts.split(|byte| *byte == b',').next()
}

/// X-Forwarded-Proto, where it is trusted and there.
fn forwarded_scheme<'s>(scope: &'s Scope) -> Option<&'s [u8]> {
    let said = scope.believes.then_some(scope.headers)?;
    edit::first(said, "x-forwarded-proto")
}

/// Whether the downstream came by https. ingress-nginx asks the connection alone; a
/// configuration with `trust_forwarded_proto` says that something in front ended the TLS.
pub(crate) fn is_https(policy: &Policy, scope: &Scope) -> bool {
    let trusted = policy.trust_forwarded_proto.then_some(scope);
    let forwarded = trusted.and_then(forwarded_scheme);
    forwarded.map_or(scope.https, |scheme| scheme == b"https")
}

/// A redirect to `url`, whatever it is.
pub(crate) fn found(status: u16, url: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: vec![("location".into(), FieldValue::new(url))],
        body: Vec::new(),
    }
}
