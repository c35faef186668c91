//! Redirects: those limpet answers, and those of the upstream that it translates.

use crate::edit::{Edit, Headers};
use crate::route::Location;
use crate::stream::Facts;

/// What `proxy-cookie-path`, `proxy-cookie-domain` and `proxy-redirect-from/-to` change in a
/// response's head.
#[must_use]
pub fn on_response(location: &Location, headers: &Headers, facts: &Facts) -> Vec<Edit> {
    let _ = (location, headers, facts);
    Vec::new()
}
