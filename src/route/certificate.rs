//! Whether the certificate of a request's client is what its host asks for.
//!
//! Source: `ngx_http_set_virtual_server` and `ngx_http_process_request`, nginx 1.27.1.

use super::disposition::{Disposition, Reason};
use super::host::{VirtualHost, normalise};
use super::location::Location;
use crate::client_certificate::{self, Client, ClientCertificate, Shown};
use crate::edit::Reply;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;
use std::cell::OnceCell;
use std::sync::Arc;

/// Before anything else is looked at, pages for errors included. `Some`: it is refused, and why.
pub(super) fn refused<'p: 'r, 'r>(
    policy: &Policy,
    host: &'p VirtualHost,
    scope: &mut Scope<'r>,
) -> Option<Disposition<'static>> {
    let Some(ClientCertificate::Asked(asked)) = host.client_certificate.as_deref() else {
        if policy.asks_clients {
            scope.client = Client::unasked();
        }
        return None;
    };
    // The certificate was shown to another host, which may have asked for another one.
    if asked.is_on() && is_of_another_host(policy, scope) {
        let reply = redirect::plain(421);
        return Some(Disposition::reply(reply, None, Reason::Misdirected));
    }
    let listeners = &policy.client_listeners;
    scope.client = Client::of(asked, listeners, scope.headers, scope.facts);
    if scope.client.shows_enough(scope.headers, scope.facts) {
        return None;
    }
    let reason = if scope.client.shown == Shown::Nothing {
        Reason::NoCertificate
    } else {
        Reason::BadCertificate
    };
    Some(Disposition::reply(answer(&scope.client), None, reason))
}

/// What whoever shows none, or a bad one, is answered.
fn answer(client: &Client) -> Reply {
    match client.error_page() {
        Some(page) => redirect::found(302, page.as_bytes().to_vec()),
        None => redirect::plain(400),
    }
}

/// After redirects to https: over plain http nobody shows one.
pub(super) fn evaded<'p>(location: &'p Arc<Location>, scope: &Scope) -> Option<Disposition<'p>> {
    let refused = || {
        let reply = answer(&scope.client);
        Disposition::reply(reply, Some(location), Reason::NoCertificate)
    };
    scope.client.evades().then(refused)
}

/// After those who are kept out by what they are: whether it is who may come in.
pub(super) fn not_admitted(host: &VirtualHost, scope: &Scope) -> Option<Disposition<'static>> {
    let reason = match host.client_certificate.as_deref()? {
        ClientCertificate::Unusable => Reason::NoAuthority,
        ClientCertificate::Asked(_) if scope.client.is_named(scope.work) => return None,
        ClientCertificate::Asked(_) => Reason::OtherName,
    };
    Some(Disposition::reply(redirect::plain(403), None, reason))
}

fn is_of_another_host(policy: &Policy, scope: &Scope) -> bool {
    let listeners = &policy.client_listeners;
    let greeted = client_certificate::greeted(listeners, scope.headers, scope.facts);
    let greeted = greeted.as_deref().and_then(normalise);
    greeted.is_some_and(|greeted| {
        let is_known = || {
            let host = policy.hosts.find(Some(&greeted), &OnceCell::new());
            host.is_some_and(|(host, doubt)| !host.is_default() || doubt.is_some())
        };
        *greeted != *scope.host && is_known()
    })
}

#[cfg(test)]
mod tests;
