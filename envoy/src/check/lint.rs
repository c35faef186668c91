//! What no single annotation shows: how Ingresses, paths and annotations act on each other.

mod cookies;
mod neighbours;
mod objects;
mod own_host;
mod pages;
mod paths;
mod pattern;
mod renewal;
mod sharing;
mod tenants;
mod tls;

pub(crate) use tenants::CERTIFICATE;
pub(crate) use tls::tls_without_secret;

use super::finding::Finding;
use crate::compiled::Compiled;

/// Everything that is to be said about these Ingresses, in no order.
#[must_use]
pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let mut findings = objects::run(compiled);
    findings.extend(paths::run(compiled));
    findings.extend(tls::run(compiled));
    findings.extend(renewal::run(compiled));
    findings.extend(cookies::run(compiled));
    findings.extend(sharing::run(compiled));
    findings.extend(own_host::run(compiled));
    findings.extend(pages::run(compiled));
    findings.extend(to_each_other(compiled));
    findings
}

/// What Ingresses do to each other, which `render` tells too.
#[must_use]
pub(crate) fn to_each_other(compiled: &Compiled<'_>) -> Vec<Finding> {
    tenants::run(compiled)
}
