//! `add-headers`, where it says something of the request.

use super::known::Known;
use super::location::Location;
use super::pattern::Work;
use super::request::Request;
use crate::edit::Headers;
use crate::facts::Facts;
use crate::fields::Answers;
use crate::policy::Policy;
use std::sync::Arc;

/// What `add-headers` says of the answer to a request; `None`: what it says of every answer.
pub(crate) fn additions(
    policy: &Policy,
    headers: &Headers,
    facts: &Facts,
    location: Option<&Arc<Location>>,
    known: &Known,
) -> Option<Answers> {
    if policy.additions.is_fixed() {
        return None;
    }
    let work = Work::of_a_request();
    let mut scope = Request::read(policy, headers, facts, &work, known)
        .ok()?
        .scope;
    scope.names = location
        .map(|location| location.names())
        .unwrap_or_default();
    Some(policy.additions.filled(&scope))
}
