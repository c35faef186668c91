//! Whether a request may enter its location.
//!
//! Source: `ngx_http_core_access_phase` and `ngx_http_core_post_access_phase`, nginx 1.27.1; the
//! order of its modules.

use super::{Location, Reason};
use crate::access::{self, Verdict};
use crate::authentication::Refusal;
use crate::edit::Reply;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;

/// The answer for whom it does not let in: by address, then by name and password. With `satisfy:
/// any` the first that lets in is enough, and else the last word is 401 where anybody could be asked.
pub(super) fn refusal(
    policy: &Policy,
    location: &Location,
    scope: &Scope,
) -> Option<(Reply, Reason)> {
    let verdict = by_address(policy, location, scope);
    let denied = (verdict == Verdict::Denied).then(|| (redirect::plain(403), Reason::Address));
    let is_enough = location.satisfies_any;
    if is_enough && verdict == Verdict::Allowed {
        return None;
    }
    let Some(basic) = location
        .basic
        .as_deref()
        .filter(|_| is_enough || denied.is_none())
    else {
        return denied;
    };
    match basic.admits(scope.headers) {
        Ok(()) => None,
        Err(Refusal::Twice) => Some((redirect::plain(400), Reason::BadRequest)),
        Err(Refusal::Unknown) => {
            let mut reply = redirect::plain(401);
            reply.headers.push(basic.challenge());
            Some((reply, Reason::Password))
        }
    }
}

/// A location's own lists replace `block-cidrs`.
fn by_address(policy: &Policy, location: &Location, scope: &Scope) -> Verdict {
    let client = || access::address(scope.headers, scope.facts, policy.real_ip.as_ref());
    match (&location.access, &policy.blocked) {
        (Some(lists), _) => lists.admits(client()),
        (None, Some(blocked)) => match client() {
            Some(client) if !blocked.contains(client) => Verdict::Silent,
            _ => Verdict::Denied,
        },
        (None, None) => Verdict::Silent,
    }
}
