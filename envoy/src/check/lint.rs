//! What no single annotation shows: how Ingresses, paths and annotations act on each other.

mod cookies;
mod neighbours;
mod objects;
mod own_headers;
mod own_host;
mod pages;
mod paths;
mod pattern;
mod renewal;
mod same_name;
mod sharing;
mod tenants;
mod tls;

pub(crate) use tenants::CERTIFICATE;
pub(crate) use tls::without_https;

use super::finding::Finding;
use super::platform::Platform;
use crate::compiled::Compiled;

/// Everything that is to be said about these Ingresses, in no order.
#[must_use]
pub(super) fn run(compiled: &Compiled<'_>, on: Option<Platform>) -> Vec<Finding> {
    let mut findings = objects::run(compiled);
    findings.extend(paths::run(compiled, on));
    findings.extend(tls::run(compiled, on));
    findings.extend(renewal::run(compiled));
    findings.extend(cookies::run(compiled));
    findings.extend(sharing::run(compiled));
    findings.extend(own_host::run(compiled));
    findings.extend(pages::run(compiled));
    findings.extend(to_each_other(compiled));
    findings
}

/// What Ingresses do to each other, and what leads nobody anywhere, which `render` tells too.
#[must_use]
pub(crate) fn to_each_other(compiled: &Compiled<'_>) -> Vec<Finding> {
    let mut findings = tenants::run(compiled);
    findings.extend(same_name::run(compiled));
    findings.extend(own_headers::run(compiled));
    findings
}
