//! The head of a request: its host, its target, and the virtual host that takes it.
//!
//! Source: `ngx_http_process_request_uri`, `ngx_http_process_request_header` and
//! `ngx_http_process_host` of nginx 1.27.1.

use super::host::{self, VirtualHost};
use super::pattern::Groups;
use super::{Answer, Reason, reply_of, target};
use crate::config::Unmatched;
use crate::edit::{self, Headers};
use crate::facts::Facts;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::{Names, Scope};
use std::borrow::Cow;

/// The name of the default server.
const DEFAULT_SERVER: &str = "_";

/// A request that nginx would let in.
pub(super) struct Request<'p, 'r> {
    pub host: &'p VirtualHost,
    pub scope: Scope<'r>,
}

impl<'p: 'r, 'r> Request<'p, 'r> {
    /// `Err`: the answer for a request that nginx refuses, or that is none of limpet's.
    pub(super) fn read(
        policy: &'p Policy,
        headers: &'r Headers<'r>,
        facts: &'r Facts<'r>,
    ) -> Result<Self, Answer<'p>> {
        let method = edit::first(headers, ":method").unwrap_or_default();
        let Some(path) = edit::first(headers, ":path").filter(|_| method != b"CONNECT") else {
            return Err(Answer::Pass);
        };
        let authority = edit::first(headers, ":authority").filter(|name| !name.is_empty());
        let target = target::read(path, policy.path_decoding);
        let in_target = target.as_ref().ok().and_then(|target| target.host);
        let named = match in_target.or(authority) {
            Some(name) => Some(host::normalise(name).ok_or_else(|| unmatched(policy, 400))?),
            None => None,
        };
        // HTTP/1.0 may leave the host out, later versions may not.
        if authority.is_none() && has_version(facts, b"HTTP/1.1") {
            return Err(unmatched(policy, 400));
        }
        let Some(host) = policy.hosts.find(named.as_deref()) else {
            return Err(unmatched(policy, 404));
        };
        let Ok(target) = target else {
            // A host that an Ingress names is limpet's, and such a path cannot be compared.
            let is_named = host.name != DEFAULT_SERVER;
            return Err(if is_named {
                refuse(400)
            } else {
                unmatched(policy, 400)
            });
        };
        if method == b"TRACE" {
            return Err(unmatched(policy, 405));
        }
        let server_name: &'r str = &host.name;
        let scope = Scope {
            headers,
            facts,
            raw: target.raw,
            uri: target.uri,
            args: target.args,
            quoted: target.quoted,
            host: named.unwrap_or(Cow::Borrowed(server_name.as_bytes())),
            has_host: in_target.or(authority).is_some(),
            server_name,
            https: edit::first(headers, ":scheme") == Some(b"https"),
            groups: Groups::default(),
            subject: Cow::Borrowed(&[]),
            names: Names::default(),
        };
        Ok(Self { host, scope })
    }
}

fn has_version(facts: &Facts, version: &[u8]) -> bool {
    (facts.property)(&["request", "protocol"]).as_deref() == Some(version)
}

/// A request that may not be for any Ingress.
fn unmatched<'p>(policy: &Policy, status: u16) -> Answer<'p> {
    match (policy.unmatched, status) {
        (Unmatched::Pass, _) => Answer::Pass,
        (Unmatched::NotFound, 404) => Answer::NotFound { location: None },
        (Unmatched::NotFound, status) => refuse(status),
    }
}

fn refuse<'p>(status: u16) -> Answer<'p> {
    reply_of(redirect::plain(status), None, Reason::BadRequest)
}
