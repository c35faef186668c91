//! Whether a request may enter its location.
//!
//! Source: `ngx_http_core_access_phase` and `ngx_http_core_post_access_phase`, nginx 1.27.1; the
//! order of its modules.

use super::{Known, Location, Reason, VirtualHost, asking};
use crate::access::{self, Verdict};
use crate::authentication::Refusal;
use crate::authorizer::{Admitted, Question};
use crate::edit::Reply;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;
use std::net::IpAddr;

/// What becomes of a request.
pub(super) enum Admission {
    /// It may come in; with what follows from what an authorizer said of it, or from its silence.
    Admitted(Option<Admitted>),
    /// It may not.
    Refused(Reply, Reason),
    /// An authorizer is to be asked.
    Ask(Question),
}

/// By address, then by name and password, then by whom an authorizer lets in. With `satisfy: any`
/// the first that lets in is enough, and else the last word is 401 where one says so.
pub(super) fn admission(
    policy: &Policy,
    host: &VirtualHost,
    location: &Location,
    scope: &Scope,
    known: &Known,
) -> Admission {
    let verdict = by_address(policy, location, scope);
    let is_enough = location.satisfies_any;
    let authorizer = location.authorizer.as_deref();
    let unasked = || Admission::Admitted(asking::unasked(authorizer));
    if is_enough && verdict == Verdict::Allowed {
        return unasked();
    }
    let mut refused = None;
    let mut challenge = None;
    if verdict == Verdict::Denied {
        let denied = (redirect::plain(403), Reason::Address);
        if !is_enough {
            return Admission::Refused(denied.0, denied.1);
        }
        refused = Some(denied);
    }
    if let Some(basic) = &location.basic {
        match *known.password.get_or_init(|| basic.admits(scope.headers)) {
            Ok(()) if is_enough => return unasked(),
            Ok(()) => {}
            Err(Refusal::Twice) => {
                return Admission::Refused(redirect::plain(400), Reason::BadRequest);
            }
            Err(Refusal::Unknown) => {
                let (mut reply, reason) = match asking::sign_in(authorizer, policy, scope) {
                    Some(reply) => (reply, Reason::SignIn),
                    None => (redirect::plain(401), Reason::Password),
                };
                challenge = Some(basic.challenge());
                reply.headers.extend(challenge.clone());
                if !is_enough {
                    return Admission::Refused(reply, reason);
                }
                refused = Some((reply, reason));
            }
        }
    }
    if let Some(authorizer) = authorizer {
        let Some(answer) = known.answer.as_deref() else {
            return match asking::question(authorizer, policy, host, scope) {
                Some(question) => Admission::Ask(question),
                None => Admission::Refused(redirect::plain(500), Reason::NoAuthorizer),
            };
        };
        match asking::verdict(authorizer, policy, answer, scope) {
            asking::Verdict::Admitted(admitted) => return Admission::Admitted(Some(admitted)),
            asking::Verdict::Refused(mut reply, reason) => {
                if reply.status != 403 || challenge.is_none() {
                    reply.headers.extend(challenge);
                    refused = Some((reply, reason));
                }
            }
        }
    }
    match refused {
        Some((reply, reason)) => Admission::Refused(reply, reason),
        None => Admission::Admitted(None),
    }
}

/// A location's own lists replace `block-cidrs`.
fn by_address(policy: &Policy, location: &Location, scope: &Scope) -> Verdict {
    match &location.access {
        Some(lists) => lists.admits(client(policy, scope)),
        None if is_blocked(policy, scope) => Verdict::Denied,
        None => Verdict::Silent,
    }
}

/// Whether `block-cidrs` keeps the client out of what has no lists of its own.
pub(super) fn is_blocked(policy: &Policy, scope: &Scope) -> bool {
    let blocked = policy.blocked.as_ref();
    blocked.is_some_and(|blocked| {
        let client = client(policy, scope);
        client.is_none_or(|client| blocked.contains(client))
    })
}

fn client(policy: &Policy, scope: &Scope) -> Option<IpAddr> {
    access::address(scope.headers, scope.facts, policy.real_ip.as_ref())
}

#[cfg(test)]
mod tests;
