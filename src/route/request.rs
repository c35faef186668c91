//! The head of a request: its host, its target, and the virtual host that takes it.
//!
//! Source: `ngx_http_process_request_uri`, `ngx_http_process_request_header` and
//! `ngx_http_process_host` of nginx 1.27.1.

use super::disposition::{Disposition, Reason, Unknown, stray};
use super::host::{self, VirtualHost};
use super::known::Known;
use super::pattern::{Groups, Work};
use super::target;
use super::tenants::TooCostly;
use crate::client_certificate::Client;
use crate::edit::{self, Headers};
use crate::facts::Facts;
use crate::head;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::{Names, Scope};
use std::borrow::Cow;

/// A request that nginx would let in.
pub(super) struct Request<'p, 'r> {
    pub host: &'p VirtualHost,
    /// Whether the request may be an alias's.
    pub doubt: Option<TooCostly>,
    pub scope: Scope<'r>,
}

impl<'p: 'r, 'r> Request<'p, 'r> {
    /// The same, where a body may follow: HTTP/1.0 knows none in pieces, and who speaks it may read the end of
    /// one elsewhere.
    pub(super) fn whole(
        policy: &'p Policy,
        headers: &'r Headers<'r>,
        facts: &'r Facts<'r>,
        work: &'r Work,
        known: &Known,
    ) -> Result<Self, Box<Disposition<'p>>> {
        let is_in_pieces = known.has_body
            && edit::first(headers, "content-length").is_none()
            && has_version(facts, b"HTTP/1.0");
        let refused = || Err(Box::new(refuse(400, Reason::BadRequest)));
        if is_in_pieces && policy.owns_listener() {
            return refused();
        }
        let request = Self::read(policy, headers, facts, work, known)?;
        if is_in_pieces && !request.host.is_default() {
            return refused();
        }
        Ok(request)
    }

    /// `Err`: the answer for a request that nginx refuses, or that is none of limpet's.
    pub(super) fn read(
        policy: &'p Policy,
        headers: &'r Headers<'r>,
        facts: &'r Facts<'r>,
        work: &'r Work,
        known: &Known,
    ) -> Result<Self, Box<Disposition<'p>>> {
        let method = edit::first(headers, ":method").unwrap_or_default();
        let Some(path) = edit::first(headers, ":path").filter(|_| method != b"CONNECT") else {
            return Err(Box::new(Disposition::Pass { unknown: None }));
        };
        let authority = edit::first(headers, ":authority").filter(|name| !name.is_empty());
        let target = target::read(path, policy.path_decoding);
        let in_target = target.as_ref().ok().and_then(|target| target.host);
        let stray_refused =
            |status, reason| Box::new(stray(policy, None, || refuse(status, reason)));
        let named = match in_target.or(authority) {
            Some(name) => {
                Some(host::normalise(name).ok_or_else(|| stray_refused(400, Reason::BadRequest))?)
            }
            None => None,
        };
        // HTTP/1.0 may leave the host out, later versions may not.
        if authority.is_none() && has_version(facts, b"HTTP/1.1") {
            return Err(stray_refused(400, Reason::BadRequest));
        }
        let Some((host, doubt)) = policy.hosts.find(named.as_deref(), &known.host) else {
            let unknown = Unknown::Host;
            let otherwise = || Disposition::NotFound {
                location: None,
                unknown,
                headers: Vec::new(),
                page: None,
            };
            return Err(Box::new(stray(policy, Some(unknown), otherwise)));
        };
        let refused = |status, reason| {
            // A host that an Ingress names is limpet's.
            if host.is_default() {
                stray_refused(status, reason)
            } else {
                Box::new(refuse(status, reason))
            }
        };
        if let Some(status) = policy.head_buffers.refusal(headers, facts) {
            return Err(refused(status, Reason::LargeHead));
        }
        // Another path cannot be compared.
        let Some(target) = target.ok().filter(|_| !head::has_two_of_one(headers)) else {
            return Err(refused(400, Reason::BadRequest));
        };
        if method == b"TRACE" {
            return Err(stray_refused(405, Reason::NotAllowed));
        }
        let server_name: &'r str = &host.name;
        let scope = Scope {
            headers,
            facts,
            real_ip: policy.real_ip.as_ref(),
            work,
            raw: target.raw,
            uri: target.uri,
            args: target.args,
            quoted: target.quoted,
            host: named.unwrap_or(Cow::Borrowed(server_name.as_bytes())),
            has_host: in_target.or(authority).is_some(),
            server_name,
            https: edit::first(headers, ":scheme") == Some(b"https"),
            is_behind: policy.use_forwarded_headers && !policy.trust_forwarded_proto,
            believes: policy.use_forwarded_headers || policy.trust_forwarded_proto,
            groups: Groups::default(),
            subject: Cow::Borrowed(&[]),
            names: Names::default(),
            client: Client::default(),
        };
        Ok(Self { host, doubt, scope })
    }
}

fn has_version(facts: &Facts, version: &[u8]) -> bool {
    (facts.property)(&["request", "protocol"]).as_deref() == Some(version)
}

fn refuse<'p>(status: u16, reason: Reason) -> Disposition<'p> {
    Disposition::reply(redirect::plain(status), None, reason)
}

/// A host with several labels in place of the star: an alias takes it, but `should_set_cookie` of
/// `sticky.lua` asks for the host itself, and then for a star in place of its first label alone.
pub(super) fn is_deep(scope: &Scope) -> bool {
    let Some(domain) = scope.server_name.strip_prefix('*') else {
        return false;
    };
    let under = scope.host.len().saturating_sub(domain.len());
    let labels = scope.host.get(..under).unwrap_or_default();
    labels.contains(&b'.')
}
