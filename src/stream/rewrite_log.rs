//! `enable-rewrite-log`: what is told of a rewrite, where its Ingress asks for it.
//!
//! Source: `rewrite_log` of nginx, which ingress-nginx switches on: one line at level notice in
//! the error log.

use crate::edit::{self, Headers};
use crate::route::Location;

/// The line of a request that became `to`; `None`: nobody asked for it.
pub(super) fn line(location: &Location, headers: &Headers, to: &[u8]) -> Option<String> {
    if !location.logs_rewrites {
        return None;
    }
    let from = edit::first(headers, ":path").unwrap_or_default();
    Some(format!(
        "ingress {}: path {:?}: \"{}\" is rewritten to \"{}\"",
        location.ingress,
        location.path,
        from.escape_ascii(),
        to.escape_ascii()
    ))
}
