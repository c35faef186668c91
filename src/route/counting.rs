//! Whether a client has sent too much already.

use super::disposition::{Disposition, Reason};
use super::location::Location;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;
use crate::zone::Verdict;
use std::cell::OnceCell;
use std::sync::Arc;

/// What becomes of a request by `limit-rps` and its like; `None`: it goes on.
pub(super) fn limited<'p>(
    policy: &Policy,
    location: &'p Arc<Location>,
    scope: &Scope,
    counted: &OnceCell<Verdict>,
) -> Option<Disposition<'p>> {
    let limits = location.limits.as_ref()?;
    let demand = limits.demand(scope.headers, scope.facts, policy.real_ip.as_ref())?;
    let (status, reason) = match counted.get_or_init(|| (scope.facts.count)(&demand)) {
        Verdict::Within => return None,
        Verdict::TooFast => (limits.too_fast, Reason::TooFast),
        Verdict::TooMany => (limits.too_many, Reason::TooMany),
    };
    let reply = redirect::plain(status);
    Some(Disposition::reply(reply, Some(location), reason))
}
