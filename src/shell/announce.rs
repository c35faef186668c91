//! Says what has been read: the gauges in every VM, the log lines once per process.

use super::host::{self, Level};
use super::metrics::{Metric, Metrics};
use crate::discovery::listing::digest;
use crate::policy::Policy;
use crate::warning::Warning;

/// Holds the digest of the configuration that was told of last.
const KEY: &str = "limpet/1/announced";

/// A configuration that has been read, used or not.
pub(super) fn announce(metrics: Metrics, bytes: &[u8], policy: &Policy, warnings: &[Warning]) {
    let locations = policy
        .virtual_hosts()
        .flat_map(|host| &host.locations)
        .filter(|location| !location.ingress.is_empty())
        .count();
    let is_idle = locations == 0;
    metrics.set(Metric::ConfigErrors, usize::from(is_idle));
    metrics.set(Metric::ConfigWarnings, warnings.len());
    let digest = digest(bytes);
    if !is_first_to_tell(digest) {
        return;
    }
    let affinity = policy.clusters.iter().filter(|c| c.affinity.is_some());
    let line = format!(
        "limpet {} configuration {digest:016x}: hosts {}, locations {locations}, clusters with \
         affinity {}, warnings {}",
        env!("CARGO_PKG_VERSION"),
        policy.virtual_hosts().count(),
        affinity.count(),
        warnings.len(),
    );
    host::log(Level::Warn, &line);
    for warning in warnings {
        host::log(Level::Warn, &format!("limpet: {warning}"));
    }
    if is_idle {
        let line = "limpet: the configuration has no Ingress that can be used; every request \
                    passes untouched, or is answered 404 where `unmatched` says so";
        host::log(Level::Error, line);
    }
}

/// Bytes that are no configuration.
pub(super) fn refuse(metrics: Metrics, why: &str) {
    metrics.set(Metric::ConfigErrors, 1);
    let line = format!("limpet: configuration refused: {why}; the one before stays in use, if any");
    host::log(Level::Critical, &line);
}

/// Every worker, the main thread and the validation read the same bytes; one of them tells.
fn is_first_to_tell(digest: u64) -> bool {
    let (before, cas) = host::shared(KEY).ok().flatten().unwrap_or_default();
    let ours = digest.to_le_bytes();
    before != ours && host::set_shared(KEY, &ours, cas) != Ok(false)
}
